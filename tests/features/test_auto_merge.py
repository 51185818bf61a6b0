"""What is in the way of a merge: (checks, attempts of them, runs of workflows, the queue) → what is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters import candidates
from mattermod_action.merging import Candidate, Rule, obstacles
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    Json = dict[str, Any]

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere
RULE = Rule(label="Ready", method="squash", ignore=("mattermod",))
ACTIONS, APP = "github-actions", "ci"


def at(minute: float | None) -> str | None:
    return None if minute is None else f"{(NOON + timedelta(minutes=minute)).isoformat()}Z"


def suite(number: int, workflow: str = "CI", event: str = "pull_request", app: str = ACTIONS, **more: Any) -> Json:
    """A suite as GraphQL has it; one without a workflow is that of an App."""
    run = {"event": event, "workflow": {"id": f"W_{workflow}", "name": workflow}} if workflow else None
    state = {"status": "COMPLETED", "conclusion": "SUCCESS", "createdAt": at(number), **more}
    return {"id": f"CS_{number}", "app": {"slug": app}, "workflowRun": run, **state}


def check(
    number: int, conclusion: str | None = "SUCCESS", name: str = "build", within: Json | None = None, **more: Any
) -> Json:
    """An attempt that began in the minute of its number; it runs where it has no conclusion."""
    over = conclusion is not None
    times = {"startedAt": at(number), "completedAt": at(number + 0.5) if over else None}
    status = "COMPLETED" if over else "IN_PROGRESS"
    kind = {"__typename": "CheckRun", "name": name, "status": status, "conclusion": conclusion, "databaseId": number}
    return {**kind, **times, "checkSuite": within or suite(number), **more}


def status(state: str, context: str = "build") -> Json:
    return {"__typename": "StatusContext", "context": context, "state": state}


def found(checks: Sequence[Json] = (), suites: Sequence[Json] = (), **more: Any) -> Candidate:
    """As the adapter reads it."""
    node = {"commits": {"nodes": [{"commit": {"checkSuites": {"nodes": list(suites)}}}]}}
    ready: Json = {"pull": pull_seen("Ready").subject, "node": "PR_1", "base": "main", "methods": ("squash",)}
    read = {"mergeable": "MERGEABLE", "merge_state": "CLEAN", **candidates.looked_over(checks, node)}
    return Candidate(**{**ready, **read, **more})


def told(*asked: Any, **more: Any) -> list[str]:
    return [f"{each.code}: {each.text}" for each in obstacles(found(*asked, **more), RULE)]


FAILED, RUNNING = "failed: checks failed: `{}`", "running: it waits for checks: `{}`"
HELD = "approval: workflows wait for approval: approve them in the merge box (`{}`)"
CI = suite(1)
# Attempts of one check, of which the newest counts; and what is told.
ATTEMPTS: dict[str, tuple[list[Json], list[str]]] = {
    "red, then green": ([check(1, "FAILURE"), check(2)], []),
    "green, then red": ([check(1), check(2, "FAILURE")], [FAILED.format("build")]),
    "red, then running": ([check(1, "FAILURE"), check(2, None)], [RUNNING.format("build")]),
    "red, then queued": (
        [check(1, "FAILURE"), check(2, None, startedAt=None, status="QUEUED")],
        [RUNNING.format("build")],
    ),
    "cancelled before it began, then green": ([check(1, "CANCELLED", startedAt=None), check(2)], []),
    "green, then cancelled": ([check(1), check(2, "CANCELLED")], [FAILED.format("build")]),
    "red, red, green": ([check(1, "FAILURE"), check(2, "TIMED_OUT"), check(3)], []),
    "green, red, green, skipped": ([check(1), check(2, "FAILURE"), check(3), check(4, "SKIPPED")], []),
    "within a second": ([check(1, "FAILURE"), check(2, startedAt=at(1), completedAt=at(1))], []),
    "made first, begun last": (
        [check(1, "FAILURE", startedAt=at(9), completedAt=at(10)), check(2)],
        [FAILED.format("build")],
    ),
    "anew in one suite": ([check(1, "FAILURE", within=CI), check(2, within=CI)], []),
    "an App's": (
        [check(1, "FAILURE", within=suite(1, "", app=APP)), check(2, within=suite(1, "", app=APP))],
        [],
    ),
    "of two Apps": (
        [check(1, "FAILURE", within=suite(1, "", app=APP)), check(2, within=suite(2, "", app="other"))],
        [FAILED.format("build")],
    ),
    "of two workflows": ([check(1, "FAILURE"), check(2, within=suite(2, "Nightly"))], [FAILED.format("build")]),
    "of two events": (
        [check(1, "FAILURE"), check(2, within=suite(2, event="push"))],
        [FAILED.format("build")],
    ),
    "of an App that is gone": (
        [check(1, "FAILURE", within={**suite(1, ""), "app": None}), check(2)],
        [FAILED.format("build")],
    ),
    "of two names": ([check(1, "FAILURE"), check(2, name="Build")], [FAILED.format("build")]),
    "beside a status": (
        [check(1, "FAILURE"), status("SUCCESS"), check(2, within=suite(2, "Other"))],
        [FAILED.format("build")],
    ),
    "a status beside it": ([check(1), status("FAILURE")], [FAILED.format("build")]),
}


@pytest.mark.parametrize(("attempts", "expected"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_the_newest_attempt_counts_whatever_order_they_are_listed_in(attempts: list[Json], expected: list[str]) -> None:
    """https://github.com/cli/cli/issues/13563; gh keeps the newest of name, workflow and event, too (aggregate.go)."""
    assert [told(listed) for listed in permutations(attempts)] == [expected] * len(list(permutations(attempts)))


CONCLUSIONS: dict[str | None, str] = {
    **dict.fromkeys(("SUCCESS", "NEUTRAL", "SKIPPED"), ""),
    **dict.fromkeys(("ACTION_REQUIRED", "CANCELLED", "FAILURE", "STALE", "STARTUP_FAILURE", "TIMED_OUT"), FAILED),
    None: RUNNING,
}
STATUSES = {"SUCCESS": "", "ERROR": FAILED, "FAILURE": FAILED, "EXPECTED": RUNNING, "PENDING": RUNNING}


@pytest.mark.parametrize(("conclusion", "expected"), CONCLUSIONS.items())
def test_each_conclusion(conclusion: str | None, expected: str) -> None:
    assert told([check(1, conclusion)]) == ([expected.format("build")] if expected else [])


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PENDING", "QUEUED", "REQUESTED", "WAITING"])
def test_each_status_that_is_not_over(status: str) -> None:
    assert told([check(1, None, status=status)]) == [RUNNING.format("build")]
    assert told([], [suite(1, status=status, conclusion=None)]) == [RUNNING.format("CI")]


@pytest.mark.parametrize(("state", "expected"), STATUSES.items())
def test_each_state_of_a_status(state: str, expected: str) -> None:
    assert told([status(state)]) == ([expected.format("build")] if expected else [])


def held(number: int = 1, workflow: str = "CI", event: str = "pull_request") -> Json:
    return suite(number, workflow, event, conclusion="ACTION_REQUIRED")


def waiting(number: int = 1, workflow: str = "CI", **more: Any) -> Json:
    return suite(number, workflow, status="QUEUED", conclusion=None, **more)


OURS = suite(9, "mattermod pull requests", "pull_request_target", status="IN_PROGRESS", conclusion=None)
# Runs of workflows on the head, with the check runs that they have so far.
SUITES: dict[str, tuple[list[Json], list[Json], list[str]]] = {
    "waits for an approval": ([], [held()], [HELD.format("CI")]),
    "each of two": (
        [],
        [held(1), held(2, "Lint")],
        ["approval: workflows wait for approval: approve them in the merge box (`CI`, `Lint`)"],
    ),
    "approved since, in a run of its own": ([check(2)], [held(1), suite(2)], []),
    "approved since, listed first": ([check(2)], [suite(2), held(1)], []),
    "a red check beside it": ([status("FAILURE")], [held()], [FAILED.format("build"), HELD.format("CI")]),
    "an App's check that asks for action": (
        [check(1, "ACTION_REQUIRED", within=suite(1, "", app=APP))],
        [suite(1, "", app=APP, conclusion="ACTION_REQUIRED")],
        [FAILED.format("build")],
    ),
    "queued, without a check yet": ([], [waiting()], [RUNNING.format("CI")]),
    "queued anew, after a red one": (
        [check(1, "FAILURE")],
        [suite(1), waiting(2)],
        [FAILED.format("build"), RUNNING.format("CI")],
    ),
    "its first job is over, and others come": (
        [check(1, within=waiting())],
        [waiting()],
        [RUNNING.format("CI")],
    ),
    "its checks are told already": ([check(1, None, within=waiting())], [waiting()], [RUNNING.format("build")]),
    "an App that never checks anything": ([], [waiting(workflow="", app="idle")], []),
    "an App whose checks are over": ([check(1, within=suite(1, "", app=APP))], [waiting(1, "", app=APP)], []),
    "started by hand": ([], [waiting(event="workflow_dispatch")], []),
    "of a schedule": ([], [waiting(event="schedule")], []),
    "ended without having run": ([], [suite(1, conclusion="FAILURE")], [FAILED.format("CI")]),
    "cannot be read": ([], [suite(1, conclusion="STARTUP_FAILURE")], [FAILED.format("CI")]),
    "ended red, and its check is newer elsewhere": (
        [check(1, "FAILURE"), check(2)],
        [suite(1, conclusion="FAILURE"), suite(2)],
        [],
    ),
    "skipped": ([], [suite(1, conclusion="SKIPPED")], []),
    "our own job": ([check(9, None, "mattermod", OURS)], [OURS], []),
    "our own job, and the next one in line": (
        [check(9, None, "mattermod", OURS)],
        [OURS, {**OURS, "id": "CS_10", "status": "PENDING", "createdAt": at(10)}],
        [],
    ),
    "a workflow of which a name is ignored and another is not": (
        [check(9, None, "mattermod", OURS), check(8, "FAILURE", "lint", OURS)],
        [OURS],
        [FAILED.format("lint")],
    ),
    "an ignored workflow": ([], [waiting(workflow="MatterMod")], []),
    "none": ([], [], []),
}


@pytest.mark.parametrize(("checks", "suites", "expected"), SUITES.values(), ids=SUITES)
def test_runs_that_no_check_shows(checks: list[Json], suites: list[Json], expected: list[str]) -> None:
    for listed in permutations(suites):
        assert sorted(told(checks, listed)) == sorted(expected)


@pytest.mark.parametrize("state", ["BEHIND", "BLOCKED", "CLEAN", "DIRTY", "DRAFT", "HAS_HOOKS", "UNKNOWN", "UNSTABLE"])
def test_each_state_of_a_merge(state: str) -> None:
    """Pre-receive hooks, and checks that nothing requires, stand in nobody's way."""
    expected = {"BEHIND": "behind", "BLOCKED": "blocked", "DIRTY": "conflict", "UNKNOWN": "unknown"}
    assert [each.code for each in obstacles(found(merge_state=state), RULE)] == [
        code for name, code in expected.items() if name == state
    ]


@pytest.mark.parametrize(
    ("queue", "ours", "expected"), [(True, True, ["queue"]), (True, False, []), (False, True, []), (False, False, [])]
)
def test_what_github_token_puts_into_a_queue_never_comes_out(queue: bool, ours: bool, expected: list[str]) -> None:  # noqa: FBT001  # as the table has it
    asked = obstacles(found([check(1)], has_queue=queue, by_github_token=ours), RULE)
    assert [each.code for each in asked] == expected
    assert all("the token of an App, or of a person" in each.text for each in asked)


@pytest.mark.parametrize(("state", "expected"), [("CLEAN", []), ("BLOCKED", ["queue"])])
def test_a_queue_that_awaits_no_check_takes_what_github_token_puts_into_it(state: str, expected: list[str]) -> None:
    asked = obstacles(found(has_queue=True, by_github_token=True, merge_state=state), RULE)
    assert [each.code for each in asked] == expected


# What one key of the configuration makes of what is in the way: (what the pull request is like, key, what is told).
READY: Json = {"approvals": (("member", "a" * 40),)}
KEYS: dict[str, tuple[Json, Json, list[str]]] = {
    "asked, and no approval is asked for": ({"awaited": ("lead",)}, {}, ["awaited"]),
    "asked, and one is there": ({"awaited": ("lead",), **READY}, {"approvals": 1}, []),
    "asked, and one of two is there": ({"awaited": ("lead",), **READY}, {"approvals": 2}, ["awaited", "approvals"]),
    "asked, but never ignored": (
        {"awaited": ("lead",), **READY},
        {"approvals": 1, "ignore_requested": False},
        ["awaited"],
    ),
    "asked, and always ignored": ({"awaited": ("lead",)}, {"ignore_requested": True}, []),
    "a parent": ({"base": "topic", "stacked_on": 5}, {}, ["base"]),
    "a parent into which is to be merged": ({"base": "topic", "stacked_on": 5}, {"bases": ("topic",)}, []),
    "a pattern": ({"base": "release-10.5"}, {"bases": ("main", "release-*")}, []),
    "a slash in a pattern": ({"base": "users/a/x"}, {"bases": ("users/**",)}, []),
    "no pattern": ({"base": "dev"}, {"bases": ("main", "release-*")}, ["base"]),
    "a check that has not begun": ({}, {"require": ("e2e",)}, ["running"]),
    "a check that is there": ({"checks": [check(1, name="E2E")]}, {"require": ("e2e",)}, []),
    "a check that is red": ({"checks": [check(1, "FAILURE", "e2e")]}, {"require": ("e2e",)}, ["failed"]),
    "a status": ({"checks": [status("SUCCESS", "e2e")]}, {"require": ("e2e",)}, []),
    "a workflow": ({"suites": [suite(1, "E2E")]}, {"require": ("e2e",)}, []),
    "another check": ({"checks": [check(1)]}, {"require": ("e2e",)}, ["running"]),
}


@pytest.mark.parametrize(("about", "keys", "expected"), KEYS.values(), ids=KEYS)
def test_what_a_key_makes_of_it(about: Json, keys: Json, expected: list[str]) -> None:
    about = dict(about)
    asked = found(about.pop("checks", ()), about.pop("suites", ()), **about)
    asked = replace(asked, pull=replace(asked.pull, sha="a" * 40))
    assert [each.code for each in obstacles(asked, replace(RULE, **keys))] == expected
