"""One repository's servers, patterns or items never keep a sweep from the others, and no item stops two sweeps."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.ports import SCHEMA
from tests import servers
from tests.cut import Cut
from tests.slow import ANSWERS, served
from tests.sweeps import SKIPS, Organisation, organisation, query
from tests.test_sweep_faults import killed

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox

LIMIT = 60.0  # seconds for a sweep here, in which nothing takes more than a few
HURRIED: Any = {"MATTERMOD_PACE": "0.05"}
FEW = ("body drips", "says nothing", "a bomb")
SLOW = [pytest.param(name, marks=() if name in FEW else pytest.mark.soak) for name in ANSWERS]
HOSTILE = """
cla: {{signed_url: '{url}/signed.csv', everyone: true}}
protected_paths: {{paths: ['**/a*a*a*a*a*a/**/*a*a*a*b', '*a*a*a*a*a*a*b']}}
diff_review: {{rules: [{{text: xx, message: m, paths: ['**/**/*a*a*a*a*b']}}]}}
"""


@pytest.fixture
def org(github: Sandbox, database: Database, tmp_path: Path) -> Organisation:
    made = organisation(github, database, tmp_path)
    for token in github.state.tokens.values():
        token.permissions |= {"statuses": "write"}
    return made


def attempts(org: Organisation) -> dict[str, tuple[Any, Any, str | None]]:
    rows = query(org.database, "SELECT repository, attempted_at, completed_at, busy_with FROM mm_sweeps")
    return {name.rpartition("/")[2]: tuple(times) for name, *times in rows}


def with_pulls(org: Organisation, place: str, *numbers: int) -> None:
    """Have a stranger push hostile paths while nobody listens."""
    state = org.github.state
    for number in numbers:
        state.add_commit(place, number, {"a" * 200: "x\n", "a/" * 90 + "a": "aaxx\n"}, by="mallory")
        state.pull(place, number).author = state.person("mallory")


@pytest.mark.parametrize("answer", SLOW)
def test_t07_a_hostile_repository_keeps_no_other_from_its_turn(org: Organisation, answer: str) -> None:
    with served(ANSWERS[answer]) as slow:
        evil = org.add("a-service", 2, 0, HOSTILE.format(url=slow.url))
        good = org.add("service", 1, 0)
        org.sweep(**HURRIED)
        with_pulls(org, evil, *(number for place, number in org.wanted if place == evil))
        number = next(number for place, number in org.wanted if place == good)
        org.label(good, number)
        began = time.monotonic()
        run = org.sweep(**HURRIED)
        assert time.monotonic() - began < LIMIT
    assert org.bodies(good, number) == ["Look"]
    assert "octo-org/a-service: done" in run.log
    assert slow.begun, "the list was never asked for"


def test_t07_an_attempt_is_noted_before_it_begins(org: Organisation) -> None:
    """Whoever was killed in goes to the back, also where it never came to its end."""
    for name in ("a", "b"):
        org.add(name, 1, 0)
    run = killed(org, Cut(4, "before"), Cut(), {**SKIPS, **org.later()})  # at the page of the first
    assert run.code == -signal.SIGKILL
    [began] = [name for name, (_, completed, _) in attempts(org).items() if completed is None]
    log = org.sweep().log
    order = [line.split("/")[1].partition(":")[0] for line in log.splitlines() if line.startswith("sweep: octo-org/")]
    assert order[-1] == began
    org.assert_answered()


def test_t07_a_sweep_that_is_killed_leaves_word_what_it_was_busy_with(org: Organisation) -> None:
    place = org.add("service", 3, 0)
    org.sweep()
    number = next(number for each, number in org.wanted if each == place)
    org.label(place, number)
    busy = ""
    for at in range(4, 12):
        killed(org, Cut(at, "before"), Cut(), {**SKIPS, **org.later()})
        busy = attempts(org)["service"][2] or ""
        if busy:
            break
    assert busy == f"#{number}"
    org.sweep()
    assert attempts(org)["service"][2] is None
    org.assert_answered()


def test_t07_what_was_left_out_is_said(org: Organisation, database: Database) -> None:
    """The row is as a sweep leaves it that needed the alarm; after an hour the item is answered."""
    place = org.add("service", 2, 0)
    org.sweep()
    number = next(number for each, number in org.wanted if each == place)
    org.label(place, number)
    query(
        database,
        f"UPDATE mm_sweeps SET busy_with = CONCAT('\\n#{number} ', DATE_FORMAT("
        "TIMESTAMPADD(MINUTE, 20, UTC_TIMESTAMP()), '%Y%m%dT%H%i')) WHERE repository LIKE '%service'",
    )
    run = org.sweep()
    said = f"octo-org/service #{number}: is left out for an hour, because a sweep was killed while it was busy with it"
    assert said in run.log
    assert "is left out for an hour" in run.summary
    assert org.bodies(place, number) == []
    org.minutes += 120
    org.sweep()
    org.assert_answered()


def test_a_schema_one_step_older_has_no_attempts(org: Organisation, database: Database) -> None:
    """Two versions share a database for as long as an upgrade takes."""
    place = org.add("service", 2, 0)
    servers.migrator(database).goto(SCHEMA - 1)
    org.sweep()
    number = next(number for each, number in org.wanted if each == place)
    org.label(place, number)
    org.sweep()
    org.assert_answered()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_t03_t07_sweeps_among_hostile_servers(org: Organisation, seed: int) -> None:
    """Any behaviour in any repository, several at a time: each sweep ends, and the others' labels are answered."""
    chance = random.Random(seed)  # noqa: S311  # replayable, not secret
    with (
        served(ANSWERS[chance.choice(sorted(ANSWERS))]) as one,
        served(ANSWERS[chance.choice(sorted(ANSWERS))]) as other,
    ):
        evil = [org.add(f"evil-{nth}", 2, 0, HOSTILE.format(url=url)) for nth, url in enumerate((one.url, other.url))]
        good = [org.add(f"good-{nth}", 2, 1) for nth in range(3)]
        org.sweep(**HURRIED)
        for _ in range(2):
            for place, number in sorted(org.wanted):
                if place in evil:
                    with_pulls(org, place, number)
                elif chance.random() < 0.5 and not org.wanted[place, number]:
                    org.label(place, number)
            began = time.monotonic()
            org.sweep(**HURRIED)
            assert time.monotonic() - began < LIMIT
            assert {item: org.bodies(*item) for item in org.wanted if item[0] in good} == {
                item: said for item, said in org.wanted.items() if item[0] in good
            }
