"""Faults of the original that no other file is about, from the event to what GitHub then holds.

Each says what was put in to see it fail.
"""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.config import load
from mattermod_action.events import PullRequestSeen
from mattermod_action.parsing import parse
from mattermod_action.planning import make_plan
from sandbox import payloads
from sandbox.faults import Fault
from tests.scene import bodies, deliver
from tests.signatures import Signatures
from tests.test_golden import Facts, given

if TYPE_CHECKING:
    from sandbox import Sandbox
    from tests.harness import Bot

DEV = "2: Dev Review"
CONFIG = """
label_messages:
  pull_requests:
    - {label: "2: Dev Review", message: "Look"}
    - {label: "3: QA Review", message: "Look at this"}
  issues: [{label: "Help Wanted", message: "Say so"}]
welcome: {message: "Hello @USERNAME"}
block_merge: {labels: ["Do Not Merge"]}
label_cleanup: {labels: ["2: Dev Review", "3: QA Review"]}
auto_assign: {team: core}
"""
SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    github.state.tokens["github-token"].permissions |= {"statuses": "write"}


def opened(github: Sandbox, author: str = "reviewer", labels: tuple[str, ...] = ()) -> Any:
    return payloads.opened_pull(github.state, github.repository, "New", labels, author)


def test_mm01_what_is_stored_with_the_label_is_answered(bot: Bot, github: Sandbox) -> None:
    """MM-01: a row is stored first. Red when what the row has counts as answered."""
    event = opened(github)
    number = event["number"]
    deliver(bot, event)
    for _ in range(2):
        assert deliver(bot, payloads.labeled(github.state, github.repository, number, DEV, "maintainer")).code == 0
    assert bodies(github, number) == ["Look"]


def test_mm09_what_github_said_a_minute_ago_is_asked_again(bot: Bot, github: Sandbox) -> None:
    """MM-09: the label went a moment ago. Red when a run that is started once more believes its payload."""
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    payloads.unlabeled(github.state, github.repository, github.pull, DEV, "maintainer")
    assert deliver(bot, event, GITHUB_RUN_ATTEMPT="2").code == 0
    assert bodies(github, github.pull) == []


def test_mm11_a_label_that_went_is_gone(bot: Bot, github: Sandbox) -> None:
    """MM-11: a status that followed from it goes with it, and comes with it again. Red when `unlabeled` is ignored."""
    number, states = opened(github)["number"], []
    for change in (payloads.labeled, payloads.unlabeled, payloads.labeled):
        deliver(bot, change(github.state, github.repository, number, "Do Not Merge", "maintainer"))
        repository = github.state.repository(github.repository)
        assert repository
        states.append(repository.statuses[github.state.pull(github.repository, number).head_sha][-1].state)
    assert states == ["pending", "success", "pending"]


def test_mm12_a_message_within_another_is_not_posted_already(bot: Bot, github: Sandbox) -> None:
    """MM-12: "Look" is in "Look at this", and in what a stranger says. Red when texts decide instead of markers."""
    number = opened(github)["number"]
    payloads.comment_created(github.state, github.repository, number, "stranger", "Look")
    for label in ("3: QA Review", DEV):
        assert deliver(bot, payloads.labeled(github.state, github.repository, number, label, "maintainer")).code == 0
    assert bodies(github, number) == ["Look", "Look at this", "Look"]


@pytest.mark.parametrize("broken", ["*/permission", "*/statuses/*", "*/issues/*/comments"])
def test_mm17_one_that_fails_stops_no_other(bot: Bot, github: Sandbox, broken: str) -> None:
    """MM-17: and the run is red. Red when an effect's failure ends the plan."""
    github.state.faults.add(Fault("status", "*", broken, status=500, times=0))
    event = opened(github, "newcomer", (DEV,))
    assert deliver(bot, event, **SKIPS).code == 3
    actions = {write.action for write in github.writes}
    assert actions == {"status", "comment"} - {"*/permission": set(), "*/statuses/*": {"status"}}.get(
        broken, {"comment"}
    )
    if broken == "*/permission":
        assert bodies(github, event["number"]) == ["Look"]


def test_mm20_a_label_that_went_meanwhile_keeps_none_of_the_others(bot: Bot, github: Sandbox) -> None:
    """MM-20: one request after the other; 404 is no failure. Red when it is, or when the first one ends it."""
    number = opened(github, labels=(DEV, "3: QA Review"))["number"]
    event = payloads.closed(github.state, github.repository, number, "maintainer")
    payloads.unlabeled(github.state, github.repository, number, DEV, "maintainer")
    done = deliver(bot, event)
    assert (done.code, done.outputs["failures"]) == (0, [])
    assert github.state.item(github.repository, number).labels == []


@pytest.mark.parametrize(
    "body", ["/autoassign  ", "thanks\r\n/autoassign\tnow\r\nbye", "/x\n\n/autoassign\r", " /autoassign"]
)
def test_mm26_white_space_is_white_space(bot: Bot, github: Sandbox, body: str) -> None:
    """MM-26: two spaces, tabs, CRLF, a second command. Red when the line is split at single spaces."""
    bot.inputs["org-token"] = github.tokens["app"]
    event = payloads.comment_created(github.state, github.repository, github.pull, "maintainer", body)
    assert deliver(bot, event).code == 0
    assert github.state.pull(github.repository, github.pull).teams == ["core"]


def test_mm58_a_list_is_read_up_to_a_size_and_from_where_it_was_said(bot: Bot, github: Sandbox) -> None:
    """MM-58: nothing is said of anybody for want of a list. Red when any size is read, or a redirect followed."""
    with Signatures().served() as huge, Signatures().served() as other, Elsewhere(other.url) as moved:
        huge.body = "reviewer\n" * 500_000
        for url in (huge.url, moved):
            config = f"cla: {{signed_url: '{url}'}}\n"
            github.state.write_files(github.repository, {".github/mattermod.yml": config})
            event = opened(github)
            deliver(bot, event, **SKIPS)
            assert {write.detail["state"] for write in github.writes if write.action == "status"} == {"error"}
        assert (huge.told, other.asked) == (1, 0)


class Elsewhere:
    """A server that sends everybody elsewhere."""

    def __init__(self, target: str) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", target)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/list"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def test_mm60_one_repositorys_paths_guard_no_other() -> None:
    """MM-60: the same configuration, one repository after the other. Red when its lists are appended to."""
    text = "protected_paths: {paths: [x], repositories: {server: ['guarded/**']}, required: false}\n"
    config, guarded = load(text, "c.yml").config, []
    for name in ("octo-org/server", "octo-org/hello"):
        payload = given("pull_request", "opened")
        payload["repository"] = {**payload["repository"], "full_name": name}
        seen = parse("pull_request", payload)
        assert isinstance(seen, PullRequestSeen)
        guarded.append(bool(make_plan(seen, config, Facts(seen.subject)).effects))
    assert guarded == [True, False]


def test_mm65_a_key_that_is_unknown_is_a_mistake(bot: Bot, github: Sandbox) -> None:
    """MM-65: all of them at once, with what was meant, and nothing is done. Red when unknown keys are ignored."""
    text = "greeter:\n  taem: core\nwelcom: {message: Hello}\n"
    github.state.write_files(github.repository, {".github/mattermod.yml": text})
    done = deliver(bot, opened(github, "newcomer"))
    assert done.code == 2
    assert ".github/mattermod.yml:2: greeter.taem: unknown key, did you mean" in done.log
    assert ".github/mattermod.yml:3: welcom: unknown key, did you mean" in done.log
    assert github.writes == []
    original = {"GreeterTaem": "core"}
    github.state.write_files(github.repository, {"config.json": json.dumps(original)})
    bot.inputs = {"config": "config.json"}
    assert deliver(bot, opened(github, "newcomer")).code == 2
