"""A runner that stays: its workspace belongs to a user who is not root, and is there for the next run.

The action runs as root in its container, so these tests take root, as those of file systems do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.sqlite import CLOSED_FOR, UNTOUCHED_FOR, SQLiteStore
from mattermod_action.adapters.work_folder import PREFIX, work_folder
from mattermod_action.effects import Comment
from mattermod_action.events import Issue, Repository
from mattermod_action.world import RealClock
from sandbox import payloads
from tests.test_faults import NOW, Trial, labeled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from tests.harness import Bot

RUNNER = 1001  # GitHub's own images have it
DEV = "2: Dev Review"


@pytest.fixture
def workspace(bot: Bot) -> Iterator[Path]:
    """One that the runner's user can reach, which folders of pytest are not."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        made = Path(place) / "hello"
        made.mkdir()
        bot.variables["GITHUB_WORKSPACE"] = str(made)
        subprocess.run(["git", "init", "--quiet", made], check=True)
        (made / "README.md").write_text("Hello\n")
        give(made)
        yield made


def give(place: Path) -> None:
    subprocess.run(["chown", "-R", f"{RUNNER}:{RUNNER}", place], check=True)


def as_runner(*command: str | Path, place: Path) -> subprocess.CompletedProcess[str]:
    safe = {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    who: dict[str, Any] = {"user": RUNNER, "group": RUNNER, "extra_groups": []}
    return subprocess.run(command, cwd=place, env=safe, capture_output=True, text=True, check=False, **who)


def owners(place: Path) -> set[int]:
    return {found.lstat().st_uid for found in [place, *place.rglob("*")]}


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("killed", [False, True])
def test_the_next_checkout_can_clean_the_workspace(bot: Bot, github: Sandbox, workspace: Path, *, killed: bool) -> None:
    """What `actions/checkout` does first; also after a run that was killed, with what SQLite keeps beside its file."""
    event = labeled(github)
    if killed:
        github.state.latency = 5
        process = bot.start("pull_request_target", event)
        wait_for(workspace / ".mattermod/state.sqlite-wal")
        process.send_signal(signal.SIGKILL)
        bot.finish(process)
        github.state.latency = 0
        assert (workspace / ".mattermod/state.sqlite-wal").exists()
    else:
        assert bot.run("pull_request_target", event).code == 0
    assert (workspace / ".mattermod/state.sqlite").exists()
    assert owners(workspace) == {RUNNER}
    cleaned = as_runner("git", "clean", "-ffdx", place=workspace)
    assert (cleaned.returncode, cleaned.stderr) == (0, "")
    assert [found.name for found in workspace.iterdir()] == [".git"]


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_what_an_older_version_left_is_given_back(bot: Bot, github: Sandbox, workspace: Path) -> None:
    assert bot.run("pull_request_target", labeled(github)).code == 0
    subprocess.run(["chown", "-R", "0:0", workspace / ".mattermod"], check=True)
    assert bot.run("pull_request_target", labeled(github)).code == 0
    assert owners(workspace) == {RUNNER}


LINKS = [".mattermod", ".mattermod/state.sqlite", ".mattermod/state.sqlite-wal", ".mattermod/state.sqlite-journal"]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("link", LINKS)
def test_no_link_in_the_workspace_is_followed(
    bot: Bot, github: Sandbox, workspace: Path, tmp_path: Path, link: str
) -> None:
    """The workspace may have been checked out of a pull request: exit 2, and what the link leads to is as it was."""
    outside, folder = tmp_path / "precious", link == ".mattermod"
    outside.mkdir() if folder else outside.write_text("precious")
    place = workspace / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside)
    subprocess.run(["chown", "-hR", f"{RUNNER}:{RUNNER}", workspace], check=True)
    run = bot.run("pull_request_target", labeled(github))
    assert run.code == 2, run.log
    assert "a symbolic link" in run.log
    assert github.writes == []
    assert outside.lstat().st_uid == 0
    assert list(outside.iterdir()) == [] if folder else outside.read_text() == "precious"


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_file_with_another_name_elsewhere_is_not_given_away(
    bot: Bot, github: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    place = workspace / ".mattermod"
    place.mkdir()
    (tmp_path / "roots").touch()
    (place / "state.sqlite").hardlink_to(tmp_path / "roots")
    bot.run("pull_request_target", labeled(github))
    assert (tmp_path / "roots").stat().st_uid == 0


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_state_file_elsewhere_is_left_to_its_owner(
    bot: Bot, github: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    """An absolute path is what somebody chose, and may be a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    bot.inputs["state"] = str(tmp_path / "link/state.sqlite")
    assert bot.run("pull_request_target", labeled(github)).code == 0
    assert owners(tmp_path / "real") == {0}
    assert not (workspace / ".mattermod").exists()


def subject(number: int, at: datetime, state: str) -> Issue:
    repository = Repository(1, "octo-org", "hello", "main")
    given: dict[str, Any] = {"author": "a", "labels": (), "url": "", "author_is_bot": False}
    return Issue(repository=repository, number=number, state=state, updated_at=at, **given)


SOAK = pytest.mark.soak
CLOSED, OPEN = (True, CLOSED_FOR.days + 5), (False, UNTOUCHED_FOR.days + 5)


@pytest.mark.parametrize(
    ("days", "closed", "kept"),
    [(100, *CLOSED), pytest.param(1_000, *CLOSED, marks=SOAK), pytest.param(1_000, *OPEN, marks=SOAK)],
)
def test_runs_of_years_leave_a_bounded_file(tmp_path: Path, days: int, *, closed: bool, kept: int) -> None:
    """An item each day, closed a day later or never touched again; 1,000 days are shown by `make soak`."""
    path, sizes = tmp_path / "state.sqlite", []
    for day in range(days):
        clock = RealClock(timedelta(days=day))
        store = SQLiteStore(path, clock)
        opened = subject(day, clock.now(), "open")
        store.look(opened, [])
        store.remember(opened)
        effect = Comment(subject=opened, text="x" * 100, once=(day,))
        store.claim(effect, "owner")
        store.confirm(effect.key, "owner", 1, "https://github.com/octo-org/hello/issues/1#issuecomment-1")
        if closed and day:
            store.remember(subject(day - 1, clock.now(), "closed"))
        store.take_lease(f"lease {day}", "owner", 30)
        store.close()
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert {file.name for file in tmp_path.iterdir()} == {"state.sqlite"}
    store = SQLiteStore(path, RealClock(timedelta(days=days)))
    for table in ("Issues", "mm_ledger", "mm_leases"):
        [(count,)] = store.execute(f"SELECT COUNT(*) FROM {table}", {})[1]  # constants of this test
        assert count <= (OPEN[1] if table == "mm_leases" else kept), table
    steady = OPEN[1] if days > OPEN[1] else kept  # leases are the last to go
    assert sizes[-1] <= 1.1 * sizes[steady + 20]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_what_was_forgotten_is_not_answered_again(bot: Bot, github: Sandbox) -> None:
    """A year and a half later the file knows nothing of the item, and GitHub still shows what was posted."""
    event, trial = labeled(github), Trial(bot, github, None)
    assert bot.run("pull_request_target", event, **NOW).code == 0
    later = {**NOW, "MATTERMOD_CLOCK_OFFSET": str(500 * 86_400)}
    assert bot.run("pull_request_target", labeled(github), **later).code == 0
    assert trial.ledger(event) == []
    again = payloads.labeled(github.state, github.repository, event["number"], DEV, "maintainer")
    assert bot.run("pull_request_target", again, **later).code == 0
    assert len(github.state.item(github.repository, event["number"]).comments) == 1


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is alive, one that has just begun, and somebody else's folder are left alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "import time\nfrom mattermod_action.adapters.work_folder import work_folder\n"
    code += "with work_folder() as home:\n    (home / 'x').touch()\n    print(home, flush=True)\n    time.sleep(60)\n"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
        )
        for _ in range(2)
    ]
    dead, alive = (Path((process.stdout or sys.stdin).readline().strip()) for process in started)
    started[0].kill()
    started[0].wait()
    new, foreign, link = (tmp_path / f"{PREFIX}{name}" for name in ("new", "foreign", "link"))
    new.mkdir()
    foreign.mkdir()
    link.symlink_to(tmp_path / "precious")
    (tmp_path / "precious").mkdir()
    os.chown(foreign, RUNNER, RUNNER)
    hour_ago = time.time() - 3_600
    for folder in (dead, alive, foreign, tmp_path / "precious"):
        os.utime(folder, (hour_ago, hour_ago))
    with work_folder() as mine:
        assert not dead.exists()
        assert {alive, mine, new, foreign, link, tmp_path / "precious"} == {*tmp_path.iterdir()}
    assert not mine.exists()
    started[1].kill()
    started[1].wait()
