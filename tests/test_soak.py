"""Months in minutes: random labels, deliveries in any order, doubled, late, killed or answered badly at any point."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from tests.cut import PHASES, Cut, Proxy, http_request
from tests.harness import Bot

if TYPE_CHECKING:
    from sandbox import Sandbox

pytestmark = pytest.mark.soak

SEEDS = 60
LABELS = ["2: Dev Review", "3: QA Review", "1: PM Review", "Unanswered"]
CONFIG = "label_messages:\n  pull_requests:\n" + "".join(
    f"    - {{label: '{label}', message: '{label} by USERNAME'}}\n" for label in LABELS[:3]
)
KINDS = ["status", "timeout", "reset", "cut", "truncated", "empty", "html", "lag"]
SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time


def history(github: Sandbox, dice: random.Random) -> tuple[int, list[dict[str, Any]], set[str]]:
    """Return a pull request, the events of its life, and the labels that were put on and never taken off."""
    opened = payloads.opened_pull(github.state, github.repository, "Soak", [], "newcomer")
    number, events = opened["number"], [opened]
    on: set[str] = set()
    for _ in range(dice.randint(1, 6)):
        label = dice.choice(LABELS)
        if label in on and dice.random() < 0.4:
            events.append(payloads.unlabeled(github.state, github.repository, number, label, "maintainer"))
        elif label not in on:
            events.append(payloads.labeled(github.state, github.repository, number, label, "maintainer"))
        on ^= {label} if events[-1].get("label", {}).get("name") == label else set()
    removed = {event["label"]["name"] for event in events if event["action"] == "unlabeled"}
    return number, events, {label for label in on - removed if label != "Unanswered"}


def deliveries(events: list[dict[str, Any]], dice: random.Random) -> list[dict[str, Any]]:
    """Each at least once, some twice, nearly in order."""
    doubled = [event for event in events for _ in range(dice.choice([1, 1, 2]))]
    return sorted(doubled, key=lambda event: doubled.index(event) + dice.uniform(-2, 2))


def answers(github: Sandbox, number: int) -> Counter[str]:
    comments = github.state.item(github.repository, number).comments
    return Counter(comment.body.partition(" by ")[0] for comment in comments)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_label_is_answered_once(bot: Bot, github: Sandbox, seed: int) -> None:
    """I1: at most one comment for a label, whatever happens; and none is lost in the end."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    number, events, due = history(github, dice)
    clock = 0.0
    for event in deliveries(events, dice):
        clock += dice.uniform(0, 90)
        _trouble(bot, github, event, dice, clock)
        assert max(answers(github, number).values(), default=0) <= 1
    github.state.faults.clear()
    for event in events:  # what is red is run again
        clock += 60
        run = bot.run("pull_request_target", event, MATTERMOD_CLOCK_OFFSET=str(clock), **SKIPS)
        assert run.code == 0, run.log
    found = answers(github, number)
    assert max(found.values(), default=0) <= 1
    assert due <= set(found), f"never answered: {due - set(found)}"


def _trouble(bot: Bot, github: Sandbox, event: dict[str, Any], dice: random.Random, clock: float) -> None:
    """Run it with a fault, or kill it, or start it three times at once."""
    variables = {"MATTERMOD_CLOCK_OFFSET": str(clock), "GITHUB_RUN_ATTEMPT": dice.choice(["1", "1", "2"])}
    match dice.choice(["fault", "kill", "race", "calm"]):
        case "fault":
            kind: Any = dice.choice(KINDS)
            when: Any = dice.choice(["before", "after"])
            reads = dice.choice([0, 1]) if when == "after" else 0
            github.state.faults.add(Fault(kind, "POST", "/repos/*/comments", when=when, seconds=0.1, reads=reads))
            assert "Traceback" not in bot.run("pull_request_target", event, **variables, **SKIPS).log
        case "kill":
            _kill(bot, event, variables | SKIPS, Cut(dice.randint(1, 4), dice.choice(PHASES)))
        case "race":
            github.state.faults.clear()  # this is in real time, in which each would take 15 s
            for process in [bot.start("pull_request_target", event, **variables) for _ in range(3)]:
                bot.finish(process)
        case _:
            bot.run("pull_request_target", event, **variables, **SKIPS)


def _kill(bot: Bot, event: dict[str, Any], variables: dict[str, str], cut: Cut) -> None:
    host, _, port = bot.api_url.removeprefix("http://").partition(":")
    proxy = Proxy((host, int(port)), http_request, cut)
    with closing(proxy):
        wired = Bot(f"http://127.0.0.1:{proxy.port}", bot.token, bot.home, bot.database_url)
        process = wired.start("pull_request_target", event, **variables)
        cut.pid = process.pid
        wired.finish(process)
