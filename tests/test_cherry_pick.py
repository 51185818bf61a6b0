"""From the command, the label and the merge to the pull requests, comments and rows that are there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.picks import RELEASE, Project

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from tests.harness import Bot

CONFIG = """
cherry_pick: {}
label_cleanup: {labels: ["CherryPick/Approved", "2: Dev Review"]}
"""


@pytest.fixture
def project(github: Sandbox, bot: Bot, tmp_path: Path) -> Project:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    github.state.tokens["github-token"].permissions |= {"contents": "write"}
    return Project(github, bot, tmp_path / "clone")


def test_a_command_on_a_merged_pull_request_opens_one(project: Project) -> None:
    pull = project.merge(project.pull(lambda: project.change("new")))
    done = project.say(pull, f"/cherry-pick {RELEASE}")
    assert done.code == 0, done.log
    [made] = project.opened()
