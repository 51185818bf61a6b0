"""A change makes the event that GitHub would send, and `deliver` runs the bot on it, by the commands a person types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action import parsing
from sandbox import payloads
from tests.sandbox.test_sandbox import call
from tests.test_real_payloads import examples

if TYPE_CHECKING:
    from sandbox import Sandbox

# What we read of an event; where GitHub has a value of one type, the sandbox has one of the same.
READ = (
    "action number sender.login sender.type repository.id repository.full_name repository.default_branch "
    "label.name changes.title.from"
).split()
OF_PULL = (
    "number title state draft merged user.login user.type labels html_url created_at updated_at head.ref head.sha "
    "head.label head.repo.full_name base.ref base.sha base.repo.full_name maintainer_can_modify milestone "
    "author_association mergeable requested_reviewers merge_commit_sha merged_at"
).split()
OF_ISSUE = (
    "number title state user.login user.type labels html_url created_at updated_at milestone locked comments".split()
)
OF_COMMENT = "id body user.login user.type created_at html_url author_association".split()


def sandbox_command(github: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **github.environment}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words], env=env, capture_output=True, text=True, check=False
    )


def bodies(github: Sandbox) -> list[str]:
    return [comment.body for comment in github.state.item(github.repository, github.pull).comments]


def test_label_and_deliver(github: Sandbox) -> None:
    assert "pull_request labeled on #7" in sandbox_command(github, "label", "7", "2: Dev Review").stdout
    ran = sandbox_command(github, "deliver")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "comment posted" in ran.stdout
    assert len(bodies(github)) == 1
    assert sandbox_command(github, "deliver").stdout == "no event waits\n"


def test_comment_merge_and_time(github: Sandbox) -> None:
    assert sandbox_command(github, "comment", "7", "Looks good", "--by", "reviewer").returncode == 0
    assert sandbox_command(github, "merge", "7", "--method", "squash").returncode == 0
    assert sandbox_command(github, "clock", "+72h").stdout == "ahead by 259200 s\n"
    ran = sandbox_command(github, "deliver")
    assert ran.returncode == 0
    assert [line for line in ran.stdout.splitlines() if not line.startswith("  ")] == [
        "issue_comment created",
        "pull_request closed",
    ]
    [pull] = github.state.repositories[1_000_001].pulls()
    assert pull.merged_at


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("label", "99", "x"), "KeyError"),
        (("clock", "soon"), "is no time"),
        (("clock", "+xh"), "could not convert"),
    ],
)
def test_a_mistake_is_one_line(github: Sandbox, words: tuple[str, ...], line: str) -> None:
    ran = sandbox_command(github, *words)
    assert ran.returncode != 0
    assert line in ran.stderr
    assert "Traceback" not in ran.stderr


def test_s03_what_the_token_of_a_workflow_does_starts_nothing(github: Sandbox) -> None:
    path = f"/repos/{github.repository}/issues/{github.pull}/comments"
    call(github, "POST", path, {"body": "by the bot"})
    assert github.state.events == []
    call(github, "POST", path, {"body": "by a person"}, github.tokens["maintainer"])
    [event] = github.state.events
    assert (event["name"], event["payload"]["comment"]["body"]) == ("issue_comment", "by a person")
    assert event["payload"]["sender"]["login"] == "maintainer"


def fields(payload: Any, path: str) -> Any:
    for name in path.split("."):
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def types(kind: str, paths: list[str], prefix: str) -> dict[str, set[type]]:
    """Return which types GitHub's own examples have at each path."""
    found: dict[str, set[type]] = {path: set() for path in paths}
    for payload in examples()[kind]:
        for path in paths:
            found[path].add(type(fields(payload, f"{prefix}{path}")))
    return found


@pytest.mark.parametrize(
    ("kind", "prefix", "paths"),
    [
        ("pull_request", "pull_request.", OF_PULL),
        ("issues", "issue.", OF_ISSUE),
        ("issue_comment", "comment.", OF_COMMENT),
        ("pull_request", "", READ[:7]),
    ],
    ids=["pull", "issue", "comment", "around"],
)
def test_payloads_have_the_types_of_githubs_own(github: Sandbox, kind: str, prefix: str, paths: list[str]) -> None:
    made = {
        "pull_request": payloads.labeled(github.state, github.repository, github.pull, "bug", "maintainer"),
        "issues": payloads.labeled(github.state, github.repository, github.issue, "bug", "maintainer"),
        "issue_comment": payloads.comment_created(github.state, github.repository, github.pull, "reviewer", "x"),
    }[kind]
    for path, allowed in types(kind, paths, prefix).items():
        assert type(fields(made, f"{prefix}{path}")) in allowed, path
    assert json.loads(json.dumps(made)) == made
    parsing.parse(kind, made)
