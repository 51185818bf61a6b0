"""The embedded store's file, through `mattermod run`: shared by processes, on a full disk, or not to be written to.

What fails is a line and exit code 3, nothing is posted, and the next run settles it. The disks and folders of this page
are file systems of their own, since permissions do not hold whoever is root; mounting them takes root.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.test_faults import NOW, Trial, assert_clean, comments, labeled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Sandbox
    from tests.harness import Bot, Run

pytestmark = pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
ROOM = 1024  # kilobytes; the file and its log take less


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """Mount something on `place`. Raises RuntimeError when that is refused: a test that could not run has failed."""
    mount("mount", *options, str(place))
    try:
        yield
    finally:
        mount("umount", str(place))


def mount(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"`{' '.join(command)}` is refused, and without it this cannot be tested: {ran.stderr}")


@pytest.fixture
def trial(bot: Bot, github: Sandbox) -> Trial:
    return Trial(bot, github, None)


@pytest.fixture
def folder(bot: Bot) -> Iterator[Path]:
    """Where the state file is, with little room."""
    place = bot.home / ".mattermod"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", f"size={ROOM}k", "none"):
        yield place


def assert_down(run: Run, reason: str) -> None:
    """One line says it, and GitHub was not written to."""
    assert_clean(run)
    assert run.code == 3, run.log
    [failure] = run.outputs["failures"]
    assert failure.startswith("the state file ")
    assert reason in failure
    assert run.log.splitlines().count(failure) == 1


def test_f03_processes_that_share_a_new_file_post_once(trial: Trial) -> None:
    """F03: all at once, on a file that none of them finds there; each is green."""
    events = [labeled(trial.github) for _ in range(3)]
    processes = [trial.bot.start("pull_request_target", event) for event in events for _ in range(3)]
    for run in [trial.bot.finish(process) for process in processes]:
        assert_clean(run)
        assert run.code == 0, run.log
    for event in events:
        assert len(comments(trial.github, event)) == 1
        assert trial.ledger(event) == ["confirmed"]


def test_f20_a_full_disk(trial: Trial, folder: Path) -> None:
    """F20: whether the file is there already or not."""
    full = folder / "full"
    for made in (False, True):
        event = labeled(trial.github)
        fill(full)
        run = trial.bot.run("pull_request_target", event, **NOW)
        assert_down(run, "full" if made else "")
        assert comments(trial.github, event) == []
        full.unlink()
        assert trial.bot.run("pull_request_target", event, **NOW).code == 0
        trial.assert_settled(event)


def fill(file: Path) -> None:
    """Write until there is no room left."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            return


@pytest.mark.parametrize("made", [False, True], ids=["new", "made"])
def test_f20_a_folder_that_cannot_be_written(trial: Trial, folder: Path, *, made: bool) -> None:
    """F20: and then it can again."""
    if made:
        assert trial.bot.run("pull_request_target", labeled(trial.github), **NOW).code == 0
    event = labeled(trial.github)
    mount("mount", "-o", "remount,ro", str(folder))
    run = trial.bot.run("pull_request_target", event, **NOW)
    mount("mount", "-o", "remount,rw", str(folder))
    assert_down(run, "unable to open database file")
    assert comments(trial.github, event) == []
    assert trial.bot.run("pull_request_target", event, **NOW).code == 0
    trial.assert_settled(event)


def test_f20_a_file_that_cannot_be_written(trial: Trial) -> None:
    """F20: in a folder that can."""
    assert trial.bot.run("pull_request_target", labeled(trial.github), **NOW).code == 0
    file, event = trial.bot.home / ".mattermod/state.sqlite", labeled(trial.github)
    with mounted(file, "--bind", str(file)):
        mount("mount", "-o", "remount,bind,ro", str(file))
        run = trial.bot.run("pull_request_target", event, **NOW)
    assert_down(run, "readonly database")
    assert comments(trial.github, event) == []
    assert trial.bot.run("pull_request_target", event, **NOW).code == 0
    trial.assert_settled(event)


def test_f20_no_folder_and_none_can_be_made(trial: Trial, tmp_path: Path) -> None:
    """F20: the whole workspace is read-only."""
    place, event = tmp_path / "read-only", labeled(trial.github)
    place.mkdir()
    trial.bot.inputs["state"] = "read-only/deep/state.sqlite"
    with mounted(place, "-t", "tmpfs", "-o", "ro", "none"):
        run = trial.bot.run("pull_request_target", event, **NOW)
    assert_down(run, "Read-only file system")
    assert comments(trial.github, event) == []
