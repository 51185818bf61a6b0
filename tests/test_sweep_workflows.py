"""What the workflows of sweeps may do: each permission is taken away once, and its lack is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from sandbox import payloads
from sandbox.act import EXAMPLES
from sandbox.records import CheckRun
from tests.scene import bodies, run, statuses
from tests.test_pull_request_life import permissions, private

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox
    from tests.harness import Bot, Run

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
EXAMPLE = "schedule.yml"
LEVELS = {"write": "read", "read": "none"}
DEV, HELP = "2: Dev Review", "Help Wanted"
CONFIG = """
label_messages: {issues: [{label: "Help Wanted", message: "Say so"}]}
block_merge: {labels: ["Do Not Merge"]}
greeter: {team: core, labels: [Contributor]}
auto_merge: {label: Ready, settle_minutes: 0}
cherry_pick: {}
label_workflow: {rules: [{label: Build, workflow: build.yml, inputs: {key: key}, done: "Built"}]}
"""
BUILD = "run-name: Build ${{ inputs.key }}\non: {workflow_dispatch: {inputs: {key: {}}}}\n"


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    files = {".github/mattermod.yml": CONFIG, ".github/workflows/build.yml": BUILD}
    github.state.write_files(github.repository, files)


def sweep(bot: Bot, minutes: int) -> Run:
    clock = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": str(60 * minutes)}
    done = bot.run("schedule", {}, **clock)
    assert "Traceback" not in done.log
    return done


def opened(github: Sandbox, author: str) -> int:
    return int(payloads.opened_pull(github.state, github.repository, "New", [], author, head="topic")["number"])


def asks_for_a_review(_bot: Bot, github: Sandbox) -> Callable[[], bool]:
    number = opened(github, "newcomer")
    return lambda: github.state.pull(github.repository, number).teams == ["core"]


def sets_a_status(_bot: Bot, github: Sandbox) -> Callable[[], bool]:
    number = opened(github, "reviewer")
    return lambda: "merge/blocked" in statuses(github, number)


def answers_an_issue(_bot: Bot, github: Sandbox) -> Callable[[], bool]:
    github.state.add_labels(github.repository, github.issue, [HELP], "maintainer")
    return lambda: bodies(github, github.issue) == ["Say so"]


def merges(_bot: Bot, github: Sandbox) -> Callable[[], bool]:
    """A pull request that may be merged, and has a green check run."""
    pull, now = github.state.pull(github.repository, opened(github, "reviewer")), github.state.now()
    pull.mergeable_reads = 0
    check = CheckRun(github.state.next_id(), "build", pull.head_sha, "completed", "success", now, now)
    github.state.add_check(github.repository, check)
    github.state.add_labels(github.repository, pull.number, ["Ready"], "maintainer")
    return lambda: bool(pull.merged_at)


def tells_of_an_end(bot: Bot, github: Sandbox) -> Callable[[], bool]:
    """A workflow that a label has started, and that ended unheard."""
    token = github.state.tokens["github-token"]
    held, token.permissions = token.permissions, {**token.permissions, "actions": "write"}
    run(bot, payloads.labeled(github.state, github.repository, github.pull, "Build", "maintainer"))
    token.permissions = held
    repository = github.state.repository(github.repository)
    assert repository
    [made] = repository.runs
    payloads.workflow_ended(github.state, github.repository, made.id, "success")
    return lambda: "Built" in bodies(github, github.pull)


NEEDS: dict[str, tuple[Callable[[Bot, Sandbox], Callable[[], bool]], str]] = {
    "actions": (tells_of_an_end, "`actions: read`"),
    "checks": (merges, "`checks: read`"),
    "contents": (merges, "`contents: write`"),
    "issues": (answers_an_issue, "`issues: write`"),
    "pull_requests": (asks_for_a_review, "`pull-requests: write`"),
    "statuses": (sets_a_status, "`statuses: write`"),
}


def test_s01_each_permission_of_the_example_is_tried(bot: Bot) -> None:  # noqa: ARG001  # as each of this module
    assert {*NEEDS} == {*permissions(EXAMPLE)}


@pytest.mark.parametrize("name", NEEDS)
def test_s01_each_permission_is_needed(bot: Bot, github: Sandbox, name: str) -> None:
    """S-01, S-02: one level less of one permission is one line with the cure, and the next sweep does what was due."""
    miss, cure = NEEDS[name]
    given, token = {"members": "read", **permissions(EXAMPLE)}, private(github)  # as an App's token
    token.permissions = {"metadata": "read", **given}
    assert sweep(bot, 0).code == 0
    is_done = miss(bot, github)
    token.permissions = {"metadata": "read", **given, name: LEVELS[given[name]]}
    failed = sweep(bot, 15)
    assert failed.code == 2, failed.log
    assert cure in failed.log
    assert not is_done()
    token.permissions = {"metadata": "read", **given}
    again = sweep(bot, 30)
    assert again.code == 0, again.log
    assert is_done(), again.log


@pytest.mark.parametrize("example", ["organisation-schedule.yml"])
def test_s01_a_token_that_is_not_used_may_do_nothing(bot: Bot, example: str) -> None:  # noqa: ARG001  # as each of this module
    document = YAML(typ="safe", pure=True).load((EXAMPLES / example).read_text())
    assert document["permissions"] == {}
    assert [job for job in document["jobs"].values() if "permissions" in job] == []
