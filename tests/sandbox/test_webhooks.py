"""Each event that GitHub describes is made by the sandbox, or it is said why not; and the bot survives each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import deliveries, news
from sandbox.records import CheckRun, LineComment, Review, Status, WorkflowRun
from sandbox.scenario import load
from tests.harness import Bot
from tests.sandbox import webhooks
from tests.sandbox.instances import instance
from tests.sandbox.openapi import checked
from tests.sandbox.test_news import AFTERWARDS, AFTERWARDS_OF_ISSUES, DEEDS, OF_ISSUES, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.news import Event
    from sandbox.state import State

REPO, PULL, ISSUE = "octo-org/hello", 7, 5
Kind = tuple[str, str]  # event and action
Life = Callable[[Any, str], list[dict[str, Any]]]  # of a State and a head
# The events that are this action's business, or could be.
NAMES = frozenset(
    """
    pull_request issues issue_comment pull_request_review pull_request_review_comment label check_suite check_run
    status merge_group workflow_run repository_dispatch workflow_dispatch
    """.split()
)
TRIGGERS = "https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows"
NOT_IMITATED: dict[Kind, str] = {
    ("check_suite", "requested"): f"told to Apps, and starts no workflow: {TRIGGERS}#check_suite",
    ("check_suite", "rerequested"): f"told to Apps, and starts no workflow: {TRIGGERS}#check_suite",
    ("check_run", "requested_action"): "a button of an App that offers one; nobody can press it here",
    ("check_run", "rerequested"): "a button of the page; nobody can press it here",
    ("workflow_run", "in_progress"): "runs stay queued until they end",
    ("issues", "pinned"): "nothing can be pinned",
    ("issues", "unpinned"): "nothing can be pinned",
    ("issues", "transferred"): "issues stay where they are",
    ("issues", "typed"): "issues have no types",
    ("issues", "untyped"): "issues have no types",
    ("merge_group", "destroyed"): "the group of a merge queue ends in silence; its pull request says how",
}


def _status(state: State, sha: str) -> None:
    state.add_status(REPO, sha, Status(state.next_id(), "ci", "success", state.person("maintainer"), state.now()))


def _check(state: State, sha: str) -> None:
    check = CheckRun(state.next_id(), "a", sha, "queued", None, state.now(), None)
    state.add_check(REPO, check)
    state.change_check(REPO, check, "completed", "failure")


def _line(state: State, sha: str) -> None:
    at, who = state.now(), state.person("maintainer")
    place: dict[str, Any] = {"path": "change-7.txt", "line": 1, "sha": sha, "hunk": "@@ -0,0 +1 @@\n+one"}
    comment = LineComment(state.next_id(), who, "Why?", at, at, **place)
    state.comment_on_line(REPO, PULL, comment)
    state.change_line_comment(REPO, PULL, comment, "Ah")
    state.delete_line_comment(REPO, PULL, comment)


def _review(state: State, sha: str) -> None:
    review = Review(state.next_id(), state.person("maintainer"), "APPROVED", "", sha, state.now())
    state.review(REPO, PULL, review)
    state.change_review(REPO, PULL, review, "Fine")


def _run(state: State, _sha: str) -> None:
    who, at = state.person("maintainer"), state.now()
    run = WorkflowRun(state.next_id(), "x.yml", "workflow_dispatch", "X", "main", {}, who, at)
    state.add_run(REPO, run)
    state.dispatched(REPO, "x.yml", {"ref": "main", "inputs": {}}, workflow=True, runs=[run])
    state.end_run(REPO, run.id, "success")


def _auto_merge(state: State, _sha: str) -> None:
    state.enable_auto_merge(REPO, PULL, "squash", "maintainer")


# What is done over the API alone, to the head of a pull request.
OVER_THE_API: list[Callable[[State, str], object]] = [
    _status,
    _check,
    _line,
    _review,
    _run,
    _auto_merge,
    lambda state, _: state.dispatched(REPO, "deploy", {"a": 1}),
    lambda state, _: state.open_issue(REPO, "New", "maintainer", "", ["new"]),
    lambda state, _: state.open_pull(REPO, "New", "maintainer", head="release"),
    lambda state, _: state.request_reviewers(REPO, PULL, [], ["core"]),
]


@cache
def made() -> list[Event]:
    """Do everything once, each on a GitHub of its own."""
    return [event for life in _lives() for event in _events(life)]


def _lives() -> Iterator[Life]:
    single = [(PULL, [deed[:2]]) for deed in DEEDS] + [(ISSUE, [deed[:2]]) for deed in OF_ISSUES]
    several = [(PULL, deeds) for deeds, _ in AFTERWARDS] + [(ISSUE, deeds) for deeds, _ in AFTERWARDS_OF_ISSUES]
    yield from (partial(_done, number, deeds) for number, deeds in single + several)
    yield from (partial(_called, act) for act in OVER_THE_API)


def _events(life: Life) -> list[Event]:
    state = load()
    head = prepare(state, REPO, PULL, ISSUE)
    return copy.deepcopy(life(state, head))


def _done(number: int, deeds: list[tuple[str, str]], state: State, _head: str) -> list[Event]:
    asked = [{"do": deed, "repository": REPO, "number": number, "text": text} for deed, text in deeds]
    return [event for each in asked for event in deliveries.carry_out(state, each) if isinstance(event, dict)]


def _called(act: Callable[[State, str], object], state: State, head: str) -> list[Event]:
    found: list[Event] = []
    with state.deed("maintainer") as changes:
        act(state, head)
        found += news.of(state, changes)
    return found


def kinds(events: list[Event]) -> set[Kind]:
    """Whoever dispatches to a repository chooses the action."""
    found = {(event["name"], event["payload"].get("action", "")) for event in events}
    return {(name, webhooks.ANY if name == "repository_dispatch" else action) for name, action in found}


def test_each_action_is_made_or_it_is_said_why_not() -> None:
    described = {kind for kind in webhooks.kinds() if kind[0] in NAMES}
    assert {name for name, _ in described} == NAMES
    assert described - kinds(made()) == NOT_IMITATED.keys()
    assert kinds(made()) <= described


@pytest.mark.parametrize("variant", webhooks.variants())
def test_each_event_is_as_described(variant: str) -> None:
    """On GitHub Enterprise Server, too, of what there is."""
    there = webhooks.kinds(variant)
    events = [event for event in made() if kinds([event]) <= there.keys()]
    assert len(events) > 100 // 2
    assert sorted(set(webhooks.problems(events, variant))) == []


def test_each_kind_of_mistake_is_found() -> None:
    event = next(event for event in made() if deliveries.title(event) == "pull_request labeled")
    payload = event["payload"]
    wrong = [
        {**payload, "colour": "red"},
        {**payload, "number": "seven"},
        {name: value for name, value in payload.items() if name != "repository"},
        {**payload, "sender": {**payload["sender"], "shoe_size": 43}},
        {**payload, "action": "painted"},
    ]
    assert [problem for each in wrong for problem in webhooks.problems([{**event, "payload": each}])] == [
        "pull_request labeled: .colour: GitHub has no such key",
        "pull_request labeled: number: 'seven' is not of type 'integer'",
        "pull_request labeled: : 'repository' is a required property",
        "pull_request labeled: .sender.shoe_size: GitHub has no such key",
        "pull_request painted: GitHub has no such event",
    ]


CONFIG = """
label_messages:
  pull_requests: [{label: there, message: "Thanks @USERNAME."}]
  issues: [{label: there, message: "Thanks @USERNAME."}]
block_merge: {labels: ["Do Not Merge"]}
auto_merge: {label: there}
update_branch: {}
cherry_pick: {}
welcome: {message: "Hello @USERNAME"}
label_cleanup: {labels: [there], issues: true}
"""
SCENARIO = {
    "repositories": {
        REPO: {
            "permissions": {"maintainer": "admin", "reviewer": "write"},
            "files": {".github/mattermod.yml": CONFIG},
            "pulls": [{"number": PULL, "title": "T", "author": "newcomer", "head": "newcomer/hello:finnish"}],
            "issues": [{"number": ISSUE, "title": "T", "author": "reporter"}],
        }
    },
    "tokens": {
        "github-token": {
            "permissions": dict.fromkeys(("contents", "issues", "pull_requests", "statuses"), "write")
            | {"checks": "read", "actions": "read"}
        }
    },
}


def _distinct() -> list[Any]:
    by_kind = {(event["name"], event["payload"].get("action", "")): event for event in made()}
    return [pytest.param(event, id=deliveries.title(event)) for event in by_kind.values()]


@pytest.mark.parametrize("event", _distinct())
def test_the_bot_ends_well_on_what_the_sandbox_sends(event: Event, tmp_path: Path) -> None:
    with checked(SCENARIO) as github:
        run = Bot(github.url, github.token, tmp_path).run(event["name"], event["payload"])
    assert (run.code, "Traceback" in run.log) == (0, False), run.log


OURS = sorted(kind for kind in webhooks.kinds() if kind[0] in NAMES)


# Where a description narrows another or has two of one kind the least of it is not always in it; accounts can be null.
LOOSE = ("requested_reviewers", "None is not of type")


@pytest.mark.parametrize("kind", OURS, ids="-".join)
def test_the_bot_ends_well_on_all_that_is_described(kind: Kind, tmp_path: Path) -> None:
    """On the least that GitHub may send, and on all that it knows."""
    described, pointer = webhooks.description(webhooks.GITHUB_COM), webhooks.kinds()[kind]
    repository = made()[0]["payload"]["repository"]  # a workflow belongs to one, even where none is required
    with checked(SCENARIO) as github:
        sha = github.state.pull(REPO, PULL).head_sha
        known = {"repository": repository, "number": PULL, "sha": sha, "head_sha": sha, "full_name": REPO}
        for whole in (False, True):
            payload = {**instance(described, pointer, whole=whole, known=known), "repository": repository}
            problems = [
                each for each in described.validate(pointer, payload) if not any(word in each for word in LOOSE)
            ]
            assert problems == []
            run = Bot(github.url, github.token, tmp_path).run(kind[0], payload)
            assert (run.code, "Traceback" in run.log) == (0, False), run.log
