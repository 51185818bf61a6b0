"""GitHub Enterprise Server and ghe.com: what the bot asks, links to and says there; more is shown by `everywhere`."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.everything import signatures, switch_on
from sandbox import payloads
from sandbox.records import Organisation
from tests.scene import bodies, run, statuses

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from tests.harness import Bot

pytestmark = [
    pytest.mark.everywhere(
        "test_with_every_feature_on",
        "test_a_workflow_is_started_and_its_page_is_linked",
        "test_hidden_addresses_are_those_of_its_own_host",
        "test_an_address_of_nobodys_is_added_in_its_own_settings",
        "test_a_renamed_repository_is_followed",
    ),
    pytest.mark.parametrize("bot", ["sqlite"], indirect=True),
]
NOW: Any = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
BUILD = """
run-name: Build ${{ inputs.mattermod-key }}
on: {workflow_dispatch: {inputs: {mattermod-key: {}}}}
"""
RULE = """
label_workflow:
  rules:
    - label: Build
      workflow: build.yml
      inputs: {mattermod-key: key}
      message: "Built by: WORKFLOW_URL"
      done: "Is built"
"""


@pytest.fixture
def signed(tmp_path: Path) -> Any:
    with signatures(tmp_path / "signed") as url:
        yield url


def configure(github: Sandbox, config: str, **permissions: str) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    github.state.tokens["github-token"].permissions |= permissions


def opened(github: Sandbox, by: str) -> Any:
    """Open a pull request with a second commit, whose author is `by`."""
    event = payloads.opened_pull(github.state, github.repository, "New", (), "reviewer", head=uuid.uuid4().hex)
    github.state.add_commit(github.repository, event["number"], by=by)
    return payloads.about(github.state, github.repository, event["number"], "synchronize", "reviewer")


def host_of(github: Sandbox) -> str:
    return github.url.split("/")[2].partition(":")[0]


def test_with_every_feature_on(bot: Bot, github: Sandbox, signed: str) -> None:
    """The `github` fixture holds every request against the description of this kind and version."""
    switch_on(github, signed)
    github.state.organisations["octo-org"] = Organisation({"reviewer"}, {"core": {"reviewer"}})
    event = payloads.opened_pull(github.state, github.repository, "New", (), "newcomer", head="topic")
    number = event["number"]
    run(bot, event, **NOW)
    for label in ("2: Dev Review", "Do Not Merge", "Ready to Merge"):
        run(bot, payloads.labeled(github.state, github.repository, number, label, "maintainer"), **NOW)
    for command in ("/update-branch", "/mattermod help", "/check-cla"):
        run(bot, payloads.comment_created(github.state, github.repository, number, "maintainer", command), **NOW)
    run(bot, payloads.closed(github.state, github.repository, number, "maintainer"), **NOW)
    assert "Hello @newcomer, thanks for your pull request!" in bodies(github, number)
    assert statuses(github, number)["cla/mattermost"][0] == "error"


def test_a_workflow_is_started_and_its_page_is_linked(bot: Bot, github: Sandbox) -> None:
    """Servers before 3.21 do not tell which run was started: the page of the workflow has to do."""
    configure(github, RULE, contents="write", actions="write")
    github.state.write_files(github.repository, {".github/workflows/build.yml": BUILD})
    run(bot, payloads.labeled(github.state, github.repository, github.pull, "Build", "maintainer"), **NOW)
    [made] = github.state.repository(github.repository).runs  # type: ignore[union-attr]  # it is there
    page = f"runs/{made.id}" if github.state.run_details else "workflows/build.yml"
    assert bodies(github, github.pull) == [f"Built by: {github.server_url}/{github.repository}/actions/{page}"]
    github.state.end_run(github.repository, made.id, "success")
    run(bot, payloads.workflow_ended(github.state, github.repository, made.id, "success"), **NOW)
    assert bodies(github, github.pull)[1:] == ["Is built"]


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("41+dependabot[bot]@users.noreply.HOST", "reviewer authorized"),
        ("dependabot[bot]@users.noreply.github.com", "reviewer authorized"),
        ("1+stranger@users.noreply.HOST", "stranger needs to sign the CLA"),
        ("stranger@users.noreply.HOST.evil.example", "1 of the commits belong to no account"),
        ("stranger@users.noreply.evil.example", "1 of the commits belong to no account"),
    ],
)
def test_hidden_addresses_are_those_of_its_own_host(
    bot: Bot, github: Sandbox, signed: str, address: str, verdict: str
) -> None:
    """https://github.com/desktop/desktop/blob/14e81ed9328b/app/src/lib/email.ts: `users.noreply.` and the host."""
    configure(github, f"cla: {{signed_url: {signed}, everyone: true, excluded: ['dependabot[bot]']}}", statuses="write")
    event = opened(github, f"A <{address.replace('HOST', host_of(github))}>")
    run(bot, event)
    assert statuses(github, event["number"])["cla/mattermost"][1] == verdict


def test_an_address_of_nobodys_is_added_in_its_own_settings(bot: Bot, github: Sandbox, signed: str) -> None:
    configure(github, f"cla: {{signed_url: {signed}, everyone: true}}", statuses="write")
    first = opened(github, "A <a@example.org>")
    run(bot, {**first, "action": "opened"})
    run(bot, first)
    assert f"({github.server_url}/settings/emails)" in bodies(github, first["number"])[0]


def test_a_renamed_repository_is_followed(bot: Bot, github: Sandbox) -> None:
    """Renamed between the event and its run."""
    event = payloads.labeled(github.state, github.repository, github.pull, "1: PM Review", "maintainer")
    github.state.rename("octo-org/hello", "octo-org/new-name")
    github.state.tokens["github-token"].repositories = ()
    run(bot, event)
    asked = [(each.path.split("/")[1], each.status) for each in github.requests]
    assert asked == [("repos", 301), ("repositories", 200)]


VERSIONS = [("3.16.9", True), ("3.9.0", True), ("3.17.0", False), ("4.0.1", False), ("", False), ("GitHub AE", False)]


@pytest.mark.parametrize(("version", "warned"), VERSIONS)
def test_an_older_server_is_told_in_one_line(bot: Bot, github: Sandbox, version: str, *, warned: bool) -> None:
    github.state.variant = dataclasses.replace(github.state.variant, version=version)
    event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    said = run(bot, event).log
    line = f"warning: GitHub Enterprise Server {version} is not supported: upgrade it to 3.17 or later"
    assert [each for each in said.splitlines() if "Enterprise" in each] == [line] * warned
