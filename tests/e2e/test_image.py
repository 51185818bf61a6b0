"""The image: what is in it, how it starts, how it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks import image
from sandbox import payloads
from sandbox.faults import Fault
from tests.e2e.conftest import IMAGE, Container, docker

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox

BYTECODE = """
import json, pathlib
found = [path for root in ("/usr", "/opt") for path in pathlib.Path(root).rglob("*.pyc")]
flags = sorted({int.from_bytes(path.read_bytes()[4:8], "little") for path in found})
sources = [path for path in pathlib.Path("/opt/mattermod").rglob("*.py")]
missing = [str(path) for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]
print(json.dumps({"count": len(found), "flags": flags, "missing": missing}))
"""


def python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", "--entrypoint", "/opt/mattermod/bin/python", IMAGE, *flags, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True)


def test_every_bytecode_file_is_taken_as_it_is() -> None:
    """Flag 1 is unchecked-hash: https://peps.python.org/pep-0552/."""
    found = json.loads(python(BYTECODE).stdout)
    assert found["count"] > 1_000
    assert found["flags"] == [1]
    assert found["missing"] == []


def test_the_libraries_are_loaded_without_compiling() -> None:
    log = python("import github, pymysql, yoyo, jenkins, boto3, click, mattermod_action.bot", "-v").stderr
    assert "# matches" in log or "code object from" in log
    written = [line for line in log.splitlines() if "wrote" in line or "bad magic" in line or "is stale" in line]
    compiled = [line for line in log.splitlines() if line.startswith("# code object from '") and line.endswith(".py'")]
    assert written + compiled == []


def test_layers_and_size() -> None:
    measured = image.measure(IMAGE)
    assert measured["layers"] <= 3
    assert measured["megabytes"] <= 75


def test_git_is_inside_and_no_secrets_or_tests_are() -> None:
    assert docker("run", "--rm", "--entrypoint", "git", IMAGE, "--version").startswith("git version 2.4")
    found = docker("run", "--rm", "--entrypoint", "find", IMAGE, "/opt/mattermod", "-name", "conftest.py")
    assert found == ""


def test_migrations_are_inside() -> None:
    names = docker(
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        IMAGE,
        "-c",
        "ls /opt/mattermod/lib/*/site-packages/mattermod_action/migrations",
    )
    assert "0001.base.py" in names


def test_an_ignored_event_needs_nothing(container: Container, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"action": "created"}))
    container.network = "none"
    process = container.start("watch", event, "--rm")
    log, _ = process.communicate()
    assert process.returncode == 0, log
    assert log == "Nothing to do: watch: not an event that this action answers\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_r05_the_runner_can_stop_it(
    container: Container, github: Sandbox, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """R-05: as PID 1, in the middle of a request that hangs; the next run takes over."""
    github.state.faults.add(Fault("timeout", "POST", "/repos/*/comments", seconds=60))
    payload = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    event = tmp_path / "event.json"
    event.write_text(json.dumps(payload))
    process = container.start("pull_request_target", event, "--rm", f"--name=stop-{number}")
    while not any(request.path.endswith("/comments") for request in github.requests):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    started = time.monotonic()
    docker("kill", f"--signal={number.name}", f"stop-{number}")
    log, _ = process.communicate()
    assert time.monotonic() - started < 5
    assert process.returncode == code, log
    assert "the next run takes over" in log
    assert "Traceback" not in log


UNWRITTEN = """
import os, pathlib
os.setresuid(1001, 1001, 1001)
paths = [path for path in pathlib.Path("/opt/mattermod").rglob("*") if not path.is_symlink()]
print([str(path) for path in paths if path.stat().st_uid or os.access(path, os.W_OK)])
"""


def test_t22_nobody_may_write_to_the_code() -> None:
    assert python(UNWRITTEN).stdout == "[]\n"


def test_t22_no_shell_is_needed_and_root_is_left(container: Container, github: Sandbox, tmp_path: Path) -> None:
    """The workspace is of the runner's account, as on GitHub's own runners. Only two capabilities are left to us."""
    payload = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    event, place = tmp_path / "event.json", tmp_path / "workspace"
    event.write_text(json.dumps(payload))
    place.mkdir()
    os.chown(place, 1001, 1001)
    shells = [word for name in ("sh", "dash", "bash") for word in ("--volume", f"/dev/null:/usr/bin/{name}:ro")]
    dropped = ["--cap-drop=ALL", "--cap-add=SETUID", "--cap-add=SETGID", "--read-only", "--tmpfs=/tmp"]
    mounts = ["--volume", f"{place}:/github/workspace", "--env", "GITHUB_WORKSPACE=/github/workspace"]
    log, _ = container.start("pull_request_target", event, "--rm", *shells, *dropped, *mounts).communicate()
    assert len(github.state.item(github.repository, github.pull).comments) == 1, log
    assert (place / ".mattermod/state.sqlite").stat().st_uid == 1001
