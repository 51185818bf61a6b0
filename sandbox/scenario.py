"""A scenario is a small YAML file that says what this GitHub holds when it starts.

```yaml
repositories:
  OWNER/NAME:
    id: 77                       # otherwise counted up
    private: true
    default_branch: main
    actions_pulls: true          # whether GITHUB_TOKEN may open and approve pull requests
    renamed_from: [OWNER/OLD]
    permissions: {LOGIN: write}  # admin, maintain, write, triage or read
    labels: [NAME, ...]
    protected: [BRANCH, ...]
    files: {PATH: TEXT}          # on the default branch
    branches: {BRANCH: {PATH: TEXT}}
    milestones: [TITLE, ...]
    pulls: [{number: 7, title: T, author: LOGIN, head: "FORK/NAME:BRANCH", labels: [...], comments: [...], ...}]
    issues: [{number: 5, title: T, author: null, state: closed, locked: true, ...}]  # null: a deleted account
jenkins:                         # what its builds come to, one after the other; the last one stays
  FOLDER/JOB: [{result: FAILURE, queued: 10, runs: 60}, {result: SUCCESS}]
organisations:
  OWNER: {members: [LOGIN, ...], teams: {SLUG: [LOGIN, ...]}}
tokens:                          # the first one is what GITHUB_TOKEN is set to
  NAME: {login: "github-actions[bot]", permissions: {issues: write}, repositories: [OWNER/NAME], limit: 1000}
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sandbox.records import Organisation, Token
from sandbox.state import State
from sandbox.variants import GITHUB_COM

FOLDER = Path(__file__).parent / "scenarios"
DEFAULT = FOLDER / "hello.yml"
LOGIN = "github-actions[bot]"


def load(scenario: Path | str | dict[str, Any] | None = None, variant: str = GITHUB_COM) -> State:
    """Build a State from a file, the name of one in sandbox/scenarios, or the mapping itself."""
    data = scenario if isinstance(scenario, dict) else _read(scenario or DEFAULT)
    state = State(variant)
    for full_name, repository in data["repositories"].items():
        _add_repository(state, full_name, dict(repository or {}))
    for name, organisation in data.get("organisations", {}).items():
        state.organisations[name] = _organisation(state, organisation)
    state.jobs.update(data.get("jenkins", {}))
    for name, token in data["tokens"].items():
        state.tokens[name] = _token(name, dict(token or {}))
    return state


def _organisation(state: State, data: dict[str, Any]) -> Organisation:
    teams = {slug: set(logins) for slug, logins in data.get("teams", {}).items()}
    members = {*data.get("members", ()), *(login for logins in teams.values() for login in logins)}
    for login in members:
        state.person(login)
    return Organisation(members, teams)


def around(payload: dict[str, Any], config: str) -> dict[str, Any]:
    """Return the scenario in which this payload is true: its repository, with `config`, and its item."""
    repository = payload["repository"]
    item = payload.get("pull_request") or payload.get("issue")
    kind = "pulls" if "pull_request" in payload else "issues"
    return {
        "repositories": {
            repository["full_name"]: {
                "id": repository["id"],
                "default_branch": repository.get("default_branch") or "main",
                "files": {".github/mattermod.yml": config},
                kind: [_as_scenario(item)] if item else [],
            }
        },
        "tokens": {"github-token": {"permissions": {"contents": "read", "issues": "write", "pull_requests": "write"}}},
    }


def _as_scenario(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": item["number"],
        "title": item.get("title") or "",
        "author": (item.get("user") or {}).get("login"),
        "state": item.get("state") or "open",
        "labels": [label["name"] for label in item.get("labels") or ()],
    }


def _read(place: Path | str) -> dict[str, Any]:
    named = FOLDER / f"{place}.yml"
    path = named if named.exists() else Path(place)
    return dict(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


def _add_repository(state: State, full_name: str, data: dict[str, Any]) -> None:
    plain = {key: data[key] for key in ("id", "private", "default_branch", "actions_pulls") if key in data}
    repository = state.add_repository(full_name, **plain)
    repository.old_names.update(data.get("renamed_from", ()))
    repository.permissions.update(data.get("permissions", {}))
    for login in repository.permissions:
        state.person(login)
    repository.protected.update(data.get("protected", ()))
    for label in data.get("labels", ()):
        state.define_label(full_name, label)
    for title in data.get("milestones", ()):
        state.add_milestone(full_name, title)
    state.write_files(full_name, data.get("files", {}))
    for branch, files in data.get("branches", {}).items():
        state.write_files(full_name, files, branch)
    for kind, items in (("pull", data.get("pulls", ())), ("issue", data.get("issues", ()))):
        for item in items:
            _add_item(state, full_name, kind, dict(item))


def _add_item(state: State, full_name: str, kind: str, data: dict[str, Any]) -> None:
    labels, comments = data.pop("labels", ()), data.pop("comments", ())
    add = state.add_pull if kind == "pull" else state.add_issue
    item = add(full_name, data.pop("title", "Untitled"), data.pop("author", None), **data)
    state.add_labels(full_name, item.number, labels)
    for comment in comments:
        state.add_comment(full_name, item.number, comment.get("author"), comment["body"])


def _token(name: str, data: dict[str, Any]) -> Token:
    return Token(
        name=name,
        value=data.get("value", f"sandbox-{name}"),
        login=data.get("login", LOGIN),
        permissions={"metadata": "read", **data.get("permissions", {})},
        repositories=tuple(data.get("repositories", ())),
        limit=data.get("limit", 1_000),
    )
