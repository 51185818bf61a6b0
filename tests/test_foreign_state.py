"""A state file that is not ours is not believed: its rows would say which comments are ours, and what is done."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.state_file import prepare
from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from pathlib import Path


def checkout(home: Path, *names: str) -> None:
    """A commit that has these files, as a pull request may bring them into the workspace."""
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"")
    for command in ("git init -q", "git add -f -A"):
        subprocess.run(command.split(), cwd=home, check=True, capture_output=True)


@pytest.mark.parametrize("name", [".mattermod/state.sqlite", ".mattermod/state.sqlite-wal", "a/b.sqlite"])
def test_t22_a_state_file_that_came_with_a_commit_is_not_believed(tmp_path: Path, name: str) -> None:
    checkout(tmp_path, "README.md", name)
    with pytest.raises(Mistake, match="is part of the commit"):
        prepare(tmp_path / name.removesuffix("-wal"), tmp_path)


def test_t22_a_state_file_beside_a_checkout_is_believed(tmp_path: Path) -> None:
    checkout(tmp_path, "README.md", "docs/state.sqlite.md", "x.mattermod")
    for _ in range(2):
        prepare(tmp_path / ".mattermod/state.sqlite", tmp_path)
    (tmp_path / ".git/index").write_bytes(b"no index")
    prepare(tmp_path / ".mattermod/state.sqlite", tmp_path)


def test_t22_a_checkout_in_a_folder_counts_too(tmp_path: Path) -> None:
    checkout(tmp_path / "sub", "state/one.sqlite")
    with pytest.raises(Mistake, match="is part of the commit"):
        prepare(tmp_path / "sub/state/one.sqlite", tmp_path)


def test_t22_a_state_file_of_another_account_is_not_believed(tmp_path: Path) -> None:
    prepare(tmp_path / ".mattermod/state.sqlite", tmp_path)
    os.chown(tmp_path / ".mattermod/state.sqlite", 4321, 4321)
    with pytest.raises(Mistake, match="belongs to another account"):
        prepare(tmp_path / ".mattermod/state.sqlite", tmp_path)
