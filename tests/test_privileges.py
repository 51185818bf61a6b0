"""Whose account a run goes on with: that of whoever owns the workspace, where root may be left.

Each case is a process, since root is left for good. Who starts these tests is root, as in a container.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mattermod_action import privileges

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 4321
SHOWN = """
import json, os, privileges
privileges.drop(os.environ)
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups()]))
"""
CASES: dict[str, tuple[Callable[[Path], None], dict[str, str], int]] = {
    "as the runner leaves it": (lambda _: None, {}, NOBODY),
    "outside of the image": (lambda _: None, {privileges.IMAGE: ""}, 0),
    "a workspace of root's": (lambda home: os.chown(home, 0, 0), {}, 0),
    "no workspace": (lambda _: None, {"GITHUB_WORKSPACE": "/nowhere"}, 0),
    "an output that only root may write": (lambda home: os.chown(home / "output", 0, 0), {}, 0),
    "a summary that anybody may write": (lambda home: (home / "summary").chmod(0o666), {}, NOBODY),
    "no files for outputs": (lambda _: None, {"GITHUB_OUTPUT": "", "GITHUB_STEP_SUMMARY": ""}, NOBODY),
}


@pytest.mark.parametrize("case", CASES)
def test_t22_a_run_leaves_root_where_it_may(tmp_path: Path, case: str) -> None:
    change, variables, uid = CASES[case]
    for path in (tmp_path / "output", tmp_path / "summary"):
        path.touch(mode=0o644)
        os.chown(path, NOBODY, NOBODY)
    os.chown(tmp_path, NOBODY, NOBODY)
    change(tmp_path)
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    env = {privileges.IMAGE: "true", "GITHUB_WORKSPACE": str(tmp_path), **files, **variables}
    place = str(Path(privileges.__file__).parent)
    ran = subprocess.run([sys.executable, "-c", SHOWN], env=env, cwd=place, check=True, capture_output=True, text=True)
    users, groups, more = json.loads(ran.stdout)
    assert (users, groups) == ([uid] * 3, [uid] * 3)
    assert not uid or more == []
