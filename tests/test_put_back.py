"""What the original did, or what breaks a rule, is put into a copy, one at a time: the test of its name must then fail.

`make soak` runs it. A line of ours that is not found any more is a failure, too: then the way back has changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
RULE = re.compile(r"(?:mm|(?<=_)[srfi]|\b[srfi])\d+")
FAULTS: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "tests/put_back.yml").read_text())


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """What is in the repository, and what was fetched for it, at another place."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    for fetched in (".cache", "tests/npm/node_modules"):
        if (ROOT / fetched).exists():
            (tmp_path / fetched).symlink_to(ROOT / fetched)
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
def test_the_test_of_a_fault_fails_with_it(copy: Path, fault: str) -> None:
    for edit in FAULTS[fault]["put_back"]:
        path, ours = copy / "mattermod_action" / edit["file"], edit["ours"]
        assert path.read_text().count(ours) == 1, f"{path.name} has not once: {ours}"
        path.write_text(path.read_text().replace(ours, edit["theirs"]))
    test = FAULTS[fault]["test"]
    chosen = "closed" if test == "tests/test_golden.py" else fault
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test, "-k", chosen]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert re.search(r"\d+ failed", ran.stdout), ran.stdout + ran.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_fault_is_put_in_place_of_is_there_once(fault: str) -> None:
    """Else its test is not known to catch it, and nobody hears of that until `make soak`."""
    for edit in FAULTS[fault]["put_back"]:
        assert (ROOT / "mattermod_action" / edit["file"]).read_text().count(edit["ours"]) == 1, edit["ours"]


def test_each_fault_that_has_a_test_is_put_back() -> None:
    """Faults of the original that the features are about, and what rules say of test servers."""
    tests = " ".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    named = {rule for test in re.findall(r"def (test_\w+)", tests) for rule in RULE.findall(test)}
    put_back = {rule for name in FAULTS for rule in RULE.findall(name)}
    ours = {f"mm{number:02}" for number in [*range(1, 66), *range(79, 97), 98]}
    ours |= {"r06", "r08", "f14", "f15", "f16", "f18", "i2", "i3", "i4", "s16", "s18"}
    assert ours - named == set()
    assert ours - put_back == set()
