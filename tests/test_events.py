"""Payloads become events, or one line that says why not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mattermod_action import parsing
from mattermod_action.events import (
    ChecksChanged,
    CommandGiven,
    Ignored,
    IssueSeen,
    MergeGroupSeen,
    PullRequestSeen,
    Reviewed,
    Tick,
    WorkflowEnded,
)
from tests.builders import REPOSITORY, item, payload

PULL = payload("pull_request", "labeled", item("A"), "A")


def comment(body: Any, action: str = "created", sender: str = "User", *, on_pull: bool = True) -> dict[str, Any]:
    issue = {**item(), **({"pull_request": {"url": "x"}} if on_pull else {})}
    data = {"id": 5, "body": body, "user": {"login": "carol"}}
    return {
        "action": action,
        "comment": data,
        "issue": issue,
        "repository": REPOSITORY,
        "sender": {"login": "c", "type": sender},
    }


def over(name: str, action: str = "completed") -> dict[str, Any]:
    return {"action": action, name: {"head_sha": "c" * 40}, "repository": REPOSITORY}


KEY = "0123456789abcdef" * 4


def result(key: Any, conclusion: Any = "success", action: str = parsing.RESULT) -> dict[str, Any]:
    return {
        "action": action,
        "client_payload": {"key": key, "conclusion": conclusion, "url": "x"},
        "repository": REPOSITORY,
    }


def workflow_run(title: str, kind: str = "workflow_dispatch", action: str = "completed") -> dict[str, Any]:
    run = {"head_sha": "c" * 40, "event": kind, "display_title": title, "conclusion": "success", "html_url": "x"}
    return {"action": action, "workflow_run": run, "repository": REPOSITORY}


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("pull_request", PULL, PullRequestSeen),
        ("pull_request_target", PULL, PullRequestSeen),
        ("issues", payload("issue", "opened", item("A")), IssueSeen),
        ("issue_comment", comment("/cherry-pick release-1"), CommandGiven),
        ("issue_comment", comment("hello\r\n  /update-branch\r\n"), CommandGiven),
        ("merge_group", {"merge_group": {"head_sha": "b" * 40}, "repository": REPOSITORY}, MergeGroupSeen),
        ("schedule", {}, Tick),
        ("pull_request_review", {**PULL, "action": "submitted"}, Reviewed),
        ("check_suite", over("check_suite"), ChecksChanged),
        ("workflow_run", over("workflow_run"), ChecksChanged),
        ("status", {"sha": "c" * 40, "state": "failure", "repository": REPOSITORY}, ChecksChanged),
        ("workflow_dispatch", {"repository": REPOSITORY}, Tick),
        ("repository_dispatch", result(KEY), WorkflowEnded),
        ("workflow_run", workflow_run(f"Build {KEY}"), WorkflowEnded),
        ("workflow_run", workflow_run(KEY, "pull_request"), ChecksChanged),
        ("workflow_run", workflow_run(f"{KEY}0"), ChecksChanged),
    ],
)
def test_events_that_are_ours(name: str, given: dict[str, Any], kind: type) -> None:
    event = parsing.parse(name, given, "octo-org/hello")
    assert isinstance(event, kind)
    assert not isinstance(event, Ignored)
    assert event.repository.full_name == "octo-org/hello"


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("push", {}, "push: not an event that this action answers"),
        (
            "pull_request",
            payload("pull_request", "assigned", item()),
            "pull_request assigned: nothing here depends on it",
        ),
        ("issues", payload("issue", "pinned", item()), "issues pinned: nothing here depends on it"),
        ("issue_comment", comment("thanks"), "issue_comment: no command in it"),
        ("issue_comment", comment("see a/b and 1/2"), "issue_comment: no command in it"),
        ("issue_comment", comment(None), "issue_comment: no command in it"),
        (
            "issue_comment",
            comment("/cherry-pick x", action="edited"),
            "issue_comment edited: by somebody else than its author",
        ),
        ("issue_comment", comment("/cherry-pick x", sender="Bot"), "issue_comment: written by a bot"),
        (
            "pull_request_review",
            {**PULL, "action": "edited"},
            "pull_request_review edited: nothing here depends on it",
        ),
        (
            "check_suite",
            over("check_suite", "requested"),
            "check_suite requested: only what is completed is looked at",
        ),
        ("status", {"state": "pending", "repository": REPOSITORY}, "status: still pending"),
        (
            "issue_comment",
            comment("/cherry-pick x", on_pull=False),
            "issue_comment: commands are for pull requests",
        ),
        (
            "repository_dispatch",
            result(KEY, action="deploy"),
            "repository_dispatch deploy: only mattermod-result and mattermod-sweep are answered",
        ),
        ("repository_dispatch", result(KEY[1:]), "repository_dispatch: no key of a workflow that a label started"),
        ("repository_dispatch", result([KEY]), "repository_dispatch: no key of a workflow that a label started"),
        ("repository_dispatch", result(KEY, "fine"), "repository_dispatch: its conclusion is none that GitHub knows"),
        (
            "workflow_run",
            workflow_run(KEY, action="requested"),
            "workflow_run requested: only what is completed is looked at",
        ),
    ],
)
def test_mm18_everything_else_is_a_clean_line(name: str, given: dict[str, Any], reason: str) -> None:
    """MM-18, MM-28: a table of events and actions; the rest is a no-op that says so."""
    assert parsing.parse(name, given) == Ignored(reason)


def without(path: tuple[str, ...]) -> dict[str, Any]:
    given = copy.deepcopy(PULL)
    place = given
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = None
    return given


@pytest.mark.parametrize(
    "path",
    [
        ("pull_request", "user"), ("pull_request", "labels"), ("pull_request", "milestone"),
        ("pull_request", "head", "repo"), ("pull_request", "html_url"), ("pull_request", "merged"), ("label",),
        ("sender",), ("installation",),
    ],
)  # fmt: skip
def test_mm13_nulls_survive(path: tuple[str, ...]) -> None:
    """MM-13: a deleted account, a deleted fork, no milestone."""
    assert isinstance(parsing.parse("pull_request", without(path)), PullRequestSeen)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("pull_request",), "no `pull_request`"),
        (("repository",), "no `repository`"),
        (("pull_request", "number"), "no `number`"),
        (("pull_request", "updated_at"), "no `updated_at`"),
    ],
)
def test_what_cannot_be_missing_is_named(path: tuple[str, ...], message: str) -> None:
    with pytest.raises(parsing.BadPayloadError, match=message):
        parsing.parse("pull_request", without(path))


@pytest.mark.parametrize("name", ["a/b/c", "../x", "a/b?c", "a b/c", "/x", "x/", "a/b\n::error::"])
def test_a_repository_is_owner_and_name(name: str) -> None:
    """Names reach URL paths, so nothing but names may pass."""
    given = {**PULL, "repository": {**REPOSITORY, "full_name": name}}
    with pytest.raises(parsing.BadPayloadError, match="full_name"):
        parsing.parse("pull_request", given)


@pytest.mark.parametrize(
    ("action", "label", "cause", "news"),
    [
        ("opened", None, "label a", True),
        ("opened", None, "opened", True),
        ("labeled", "A", "label a", True),
        ("labeled", "A", "label b", False),
        ("labeled", "A", "opened", False),
        ("edited", None, "label a", False),
    ],
)
def test_what_an_event_is_about(action: str, label: str | None, cause: str, *, news: bool) -> None:
    seen = parsing.parse("pull_request", payload("pull_request", action, item("A", "B"), label))
    assert isinstance(seen, PullRequestSeen)
    assert seen.is_news(cause) is news
