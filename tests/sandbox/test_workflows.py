"""Workflows over the API: what GitHub refuses, what it starts, and what it says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from tests.sandbox.test_sandbox import REPO, call

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Repository

BUILD = """
name: Build
run-name: Build ${{ inputs.sha }}
on: {workflow_dispatch: {inputs: {sha: {required: true}, colour: {default: red, required: true}}}}
"""
WORKFLOWS = {
    ".github/workflows/build.yml": BUILD,
    ".github/workflows/plain.yml": "name: Plain\non: [push, workflow_dispatch]\n",
    ".github/workflows/push.yml": "on: push\n",
    ".github/workflows/deploy.yml": "run-name: ${{ github.event.client_payload.a }}\non:\n"
    "  repository_dispatch: {types: [deploy]}\n",
    ".github/workflows/any.yml": "on: repository_dispatch\n",
}
MANY = {f"i{number}": "x" for number in range(26)}


@pytest.fixture
def repo(github: Sandbox) -> Repository:
    github.state.write_files(github.repository, WORKFLOWS)
    github.state.write_files(github.repository, {"x": "y"}, "old")
    github.state.tokens["github-token"].permissions |= {"actions": "write", "contents": "write"}
    found = github.state.repository(github.repository)
    assert found
    return found


def start(github: Sandbox, file: str = "build.yml", **body: Any) -> tuple[int, Any]:
    asked = {"ref": "main", **body}
    return call(github, "POST", f"{REPO}/actions/workflows/{file}/dispatches", asked, github.token)[:2]


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("none.yml", {}, 404, "Not Found"),
    ("build.yml", {"ref": "nope"}, 422, "No ref found for: nope"),
    ("push.yml", {}, 422, "Workflow does not have 'workflow_dispatch' trigger"),
    ("build.yml", {}, 422, "Required input 'sha' not provided"),
    ("plain.yml", {"inputs": {"x": "1"}}, 422, 'Unexpected inputs provided: ["x"]'),
    ("plain.yml", {"inputs": MANY}, 422, "you may only define up to 25 `inputs`"),
    ("plain.yml", {"strange": 1}, 422, '"strange" is not a permitted key.'),
]


@pytest.mark.parametrize(("file", "body", "status", "message"), REFUSED, ids=[each[-1] for each in REFUSED])
def test_what_is_refused(
    github: Sandbox, repo: Repository, file: str, body: dict[str, Any], *, status: int, message: str
) -> None:
    found, answer = start(github, file, **body)
    assert (found, repo.runs) == (status, [])
    assert message in answer["message"]


@pytest.mark.parametrize("permission", ["read", "none"])
def test_starting_takes_permission(github: Sandbox, repo: Repository, permission: str) -> None:
    github.state.tokens["github-token"].permissions |= {"actions": permission, "contents": permission}
    assert start(github, inputs={"sha": "a"})[0] == 403
    assert call(github, "POST", f"{REPO}/dispatches", {"event_type": "deploy"}, github.token)[0] == 403
    assert repo.runs == []


def test_a_run_is_told_if_asked_for_where_that_is_known(github: Sandbox, repo: Repository) -> None:
    assert start(github, inputs={"sha": "a"})[0] == 204
    status, answer = start(github, inputs={"sha": "b"}, return_run_details=True)
    assert status == 200
    assert answer["html_url"] == f"{github.url}/{github.repository}/actions/runs/{repo.runs[1].id}"
    github.state.run_details = False
    assert start(github, inputs={"sha": "a"}, return_run_details=True)[0] == 422


def test_an_archived_repository_starts_nothing(github: Sandbox, repo: Repository) -> None:
    repo.archived = True
    assert start(github, "plain.yml")[0] == 403


def listed(github: Sandbox, of: str = "", query: str = "") -> list[str]:
    status, answer, _ = call(github, "GET", f"{REPO}/actions/{of}runs{query}", None, github.token)
    assert status == 200
    assert answer["total_count"] >= len(answer["workflow_runs"])
    return [run["display_title"] for run in answer["workflow_runs"]]


def test_runs_are_listed_newest_first(github: Sandbox, repo: Repository) -> None:
    start(github, inputs={"sha": "a"})
    start(github, "plain.yml")
    call(github, "POST", f"{REPO}/dispatches", {"event_type": "deploy", "client_payload": {"a": "1"}}, github.token)
    assert listed(github)[2:] == ["Plain", "Build a"]
    assert sorted(listed(github)[:2]) == ["1", "deploy"]
    assert listed(github, "workflows/build.yml/") == ["Build a"]
    assert listed(github, query="?event=workflow_dispatch") == ["Plain", "Build a"]
    assert listed(github, query="?per_page=1") == listed(github)[:1]
    assert len(repo.runs) == 4


def test_runs_are_listed_by_their_day(github: Sandbox, repo: Repository) -> None:
    start(github, "plain.yml")
    at = f"{repo.runs[0].created_at.isoformat()[:19]}Z"
    assert len(listed(github, query=f"?created=>={at}")) == 1
    assert listed(github, query="?created=>=2999-01-01T00:00:00Z") == []


def test_an_event_is_heard_by_who_listens(github: Sandbox, repo: Repository) -> None:
    call(github, "POST", f"{REPO}/dispatches", {"event_type": "other"}, github.token)
    assert [run.file for run in repo.runs] == ["any.yml"]
    many = {"event_type": "deploy", "client_payload": {f"k{number}": 1 for number in range(11)}}
    assert call(github, "POST", f"{REPO}/dispatches", many, github.token)[0] == 422
    assert call(github, "POST", f"{REPO}/dispatches", {"event_type": "x" * 101}, github.token)[0] == 422


SHORTER = {"repository", "head_repository", "head_commit"}  # in an event


def test_a_run_ends_when_it_is_said_so(github: Sandbox, repo: Repository) -> None:
    start(github, "plain.yml")
    path = f"{REPO}/actions/runs/{repo.runs[0].id}"
    assert call(github, "GET", path, None, github.token)[1]["status"] == "queued"
    event = payloads.workflow_ended(github.state, github.repository, repo.runs[0].id, "failure")
    answer = call(github, "GET", path, None, github.token)[1]
    assert (answer["status"], answer["conclusion"]) == ("completed", "failure")
    told = {name: value for name, value in event["workflow_run"].items() if name in answer.keys() - SHORTER}
    assert (payloads.name(event), told) == ("workflow_run", {name: answer[name] for name in told})
    assert call(github, "GET", f"{REPO}/actions/runs/1", None, github.token)[0] == 404
