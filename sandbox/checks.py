"""Commit statuses and check runs, and what they add up to.

https://docs.github.com/en/rest/commits/statuses, https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox import shapes, suites
from sandbox.answers import Answer, answer, invalid, not_found, refuse
from sandbox.calls import paged
from sandbox.records import BOT, CheckRun, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.calls import Call

STATES = ("error", "failure", "pending", "success")
MOST = 1_000  # statuses of one context on one commit
LONGEST = {"description": 140, "context": 255}  # characters
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "skipped", "stale", "success", "timed_out")


def create_status(call: Call) -> Answer:
    call.need("statuses=write")
    sha, state, data = _sha(call, call.values["ref"]), call.field("state", str), call.json()
    context = data.get("context") or "default"
    known = call.repo.statuses.setdefault(sha, [])
    if state not in STATES:
        raise invalid(call.docs, "Status", "State is not included in the list")
    if sum(each.context == context for each in known) >= MOST:
        raise invalid(call.docs, "Status", "This SHA and context has reached the maximum number of statuses.")
    texts = {name: str(data.get(name) or "") for name in ("description", "target_url")}
    _check_texts(call, context=context, description=texts["description"])
    made = Status(call.state.next_id(), context, state, call.state.person(call.token.login), call.state.now(), **texts)
    call.state.add_status(call.repo.full_name, sha, made)
    return answer(201, _status(call, sha, made))


def _check_texts(call: Call, **texts: str) -> None:
    """https://github.com/ouzi-dev/commit-status-updater/issues/527, https://github.com/zalando/zappr/issues/378."""
    for name, text in texts.items():
        if any(ord(each) > 0xFFFF for each in text):
            raise invalid(call.docs, "Status", f"{name} doesn't accept 4-byte Unicode", field=name)
        if len(text) > LONGEST[name]:
            raise invalid(
                call.docs, "Status", f"{name} is too long (maximum is {LONGEST[name]} characters)", field=name
            )


def list_statuses(call: Call) -> Answer:
    call.need("statuses=read")
    sha = _sha(call, call.values["ref"])
    return paged(call, call.repo.statuses.get(sha, [])[::-1], partial(_status, call, sha))


def combined(call: Call) -> Answer:
    """The newest of each context: https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference."""
    call.need("statuses=read")
    sha = _sha(call, call.values["ref"])
    newest = list({each.context: each for each in call.repo.statuses.get(sha, [])}.values())
    api = f"{call.state.api}/repos/{call.repo.full_name}/commits/{sha}"
    return answer(
        200,
        {
            "state": rollup([each.state for each in newest]),
            "statuses": [_simple(call, sha, each) for each in newest],
            "sha": sha,
            "total_count": len(newest),
            "repository": shapes.repository(call.state, call.repo),
            "commit_url": api,
            "url": f"{api}/status",
        },
    )


def rollup(states: list[str]) -> str:
    """Red if one is red, yellow if none or one is pending, else green."""
    if {"error", "failure"} & set(states):
        return "failure"
    return "pending" if not states or "pending" in states else "success"


def create_check(call: Call) -> Answer:
    call.need("checks=write")
    name, sha, data = call.field("name", str), call.field("head_sha", str), call.json()
    status, conclusion = data.get("status") or "queued", data.get("conclusion")
    if conclusion is not None:
        status = "completed"
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid(call.docs, "CheckRun", "Conclusion is not included in the list")
    now = call.state.now()
    made = CheckRun(call.state.next_id(), name, sha, status, conclusion, now, now if conclusion else None)
    made.app = call.token.login.removesuffix(BOT)
    call.state.add_check(call.repo.full_name, made)
    return answer(201, _check(call, made))


def list_checks(call: Call) -> Answer:
    """The newest of a name in each suite, which leaves both in where a workflow ran again for another event."""
    call.need("checks=read")
    sha = _sha(call, call.values["ref"])
    listed = [each for each in call.repo.checks if each.sha == sha]
    if call.query.get("filter", "latest") == "latest":
        listed = list({(each.name, suites.of_run(call.repo, each).id): each for each in listed}.values())
    name = call.query.get("check_name", "")
    found = [_check(call, each) for each in listed if name in ("", each.name)]
    return answer(200, {"total_count": len(found), "check_runs": found})


def change_check(call: Call) -> Answer:
    """https://docs.github.com/en/rest/checks/runs#update-a-check-run; a conclusion completes it."""
    call.need("checks=write")
    check, data = _known_check(call), call.json() or {}
    conclusion = data.get("conclusion", check.conclusion)
    if conclusion not in (None, *CONCLUSIONS):
        raise invalid(call.docs, "CheckRun", "Conclusion is not included in the list")
    check.name = data.get("name") or check.name
    call.state.change_check(call.repo.full_name, check, data.get("status") or check.status, conclusion)
    return answer(200, _check(call, check))


def get_check(call: Call) -> Answer:
    call.need("checks=read")
    return answer(200, _check(call, _known_check(call)))


def _known_check(call: Call) -> CheckRun:
    found = next((each for each in call.repo.checks if each.id == call.values["id"]), None)
    if found is None:
        raise not_found(call.docs)
    return found


def _sha(call: Call, ref: str) -> str:
    """Resolve a branch or a sha. Raises 422, as GitHub does for a commit that it does not have."""
    repo = call.repo
    sha = repo.branches.get(ref.removeprefix("heads/"), ref)
    if sha not in repo.commits:
        raise refuse(422, f"No commit found for SHA: {ref}", call.docs)
    return sha


def _simple(call: Call, sha: str, status: Status) -> dict[str, Any]:
    api = f"{call.state.api}/repos/{call.repo.full_name}/statuses/{sha}"
    return {
        "url": api,
        "avatar_url": f"{call.state.url}/avatars/{status.creator.id}",
        "id": status.id,
        "node_id": shapes.node_id("SC", status.id),
        "state": status.state,
        "description": status.description or None,
        "target_url": status.target_url or None,
        "context": status.context,
        "created_at": shapes.moment(status.created_at),
        "updated_at": shapes.moment(status.created_at),
    }


def _status(call: Call, sha: str, status: Status) -> dict[str, Any]:
    return {**_simple(call, sha, status), "creator": shapes.user(call.state, status.creator)}


def _check(call: Call, check: CheckRun) -> dict[str, Any]:
    return shapes.check_run(call.state, call.repo, check)


REPO = "/repos/{owner}/{name}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("POST", REPO + "/statuses/{ref}", create_status, "commits/statuses#create-a-commit-status"),
    (
        "GET",
        REPO + "/commits/{ref:path}/statuses",
        list_statuses,
        "commits/statuses#list-commit-statuses-for-a-reference",
    ),
    (
        "GET",
        REPO + "/commits/{ref:path}/status",
        combined,
        "commits/statuses#get-the-combined-status-for-a-specific-reference",
    ),
    ("POST", REPO + "/check-runs", create_check, "checks/runs#create-a-check-run"),
    ("GET", REPO + "/check-runs/{id:int}", get_check, "checks/runs#get-a-check-run"),
    ("PATCH", REPO + "/check-runs/{id:int}", change_check, "checks/runs#update-a-check-run"),
    ("GET", REPO + "/commits/{ref:path}/check-runs", list_checks, "checks/runs#list-check-runs-for-a-git-reference"),
)
