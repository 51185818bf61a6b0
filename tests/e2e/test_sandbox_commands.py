"""The sandbox by its commands: `deliver` runs the bot in the image and under act, `make demo KEEP=1` stays up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START = 60.0  # seconds


@contextmanager
def started(log: Path, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it starts, gone afterwards whatever happens."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(pattern: str, file: Path, log: Path) -> str:
    """Return what the file holds of this pattern, as soon as it does."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if found := re.search(pattern, file.read_text() if file.exists() else "", re.MULTILINE):
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What `up` writes for the shell, for as long as it runs; Ctrl-C then ends it well."""
    file, log = tmp_path / "sandbox.env", tmp_path / "log"
    with started(log, sys.executable, "-m", "sandbox", "up", "--no-aws", "--env-file", file) as process:
        wait_for("=", file, log)
        yield dict(line.split("=", 1) for line in file.read_text().splitlines())
        process.send_signal(signal.SIGINT)
        assert process.wait(START) == 0, log.read_text()


def command(variables: Mapping[str, str], *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def bodies(variables: Mapping[str, str]) -> list[str]:
    held = json.loads(command(variables, "state", "--json"))
    return [comment["body"] for comment in held["repositories"]["octo-org/hello"]["pulls"]["7"]["comments"]]


@pytest.mark.parametrize("place", ["image", "act"])
def test_delivered_twice_answered_once(variables: Mapping[str, str], place: str) -> None:
    """A run that comes after another one knows what that did, from its state or from the comments."""
    assert "pull_request labeled on #7" in command(variables, "label", "7", "2: Dev Review")
    log = command(variables, "deliver", "--in", place, "--times", "2")
    told = re.findall(r"label 2: dev review: (comment posted|nothing new)", log)
    assert told == ["comment posted", "nothing new"], log
    [body] = bodies(variables)
    assert body.startswith("<!-- mattermod:v1:")
    assert body.endswith(" -->\n\nThanks @newcomer, a developer will look at this within two days.")
    assert variables["GITHUB_TOKEN"] not in log
    assert command(variables, "deliver", "--in", place) == "no event waits\n"


def test_the_demo_stays_up_and_answers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(log, "make", "demo", "KEEP=1") as process:
        page = wait_for(r"^http://\S+/pull/7$", log, log)
        form = {"do": "label", "text": "3: QA Review", "by": "maintainer"}
        request = Request(page, urlencode(form).encode(), {"Origin": urljoin(page, "/").rstrip("/")})
        with urlopen(request, timeout=START) as reply:
            assert "Thanks <b>@newcomer</b>, this is now with QA." in reply.read().decode()
        assert process.poll() is None
        os.kill(child(process.pid), signal.SIGINT)
        assert process.wait(START) == 0, log.read_text()  # make's, which is 0 when the demo's is
    assert "Traceback" not in log.read_text()


def child(process: int) -> int:
    """The demo itself. A terminal's Ctrl-C would reach make as well, which always ends as interrupted then."""
    [found] = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(found)
