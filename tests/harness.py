"""`mattermod run` as the runner runs it: a process, an event file, inputs in the environment.

`run` forks one that has imported everything already (see zygote.py), which takes a tenth of the time; `start` begins
with the command, for what has to be watched, stopped or raced.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox import Sandbox
    from tests.cut import Cut

PASSED_ON = ("PATH", "HOME", "SSL_CERT_FILE", "LANG")
TIMEOUT = 90  # seconds; nothing here takes a tenth of it


@dataclass
class Run:
    """What a run left behind."""

    code: int
    log: str
    summary: str
    outputs: dict[str, Any]


@dataclass
class Bot:
    """Runs the bot against one GitHub and one store, both of which outlive each run."""

    api_url: str
    token: str
    home: Path
    database_url: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    server_url: str = ""  # of pages and git, where the API has a host of its own

    @classmethod
    def of(cls, github: Sandbox, home: Path, database_url: str = "", **more: Any) -> Bot:
        """Return one that talks to this GitHub, of whichever kind it is."""
        apart = github.server_url if github.state.variant.own_host else ""
        return cls(github.url, github.token, home, database_url, server_url=apart, **more)

    def behind(self, port: int) -> Bot:
        """Return the same with a proxy before the API, and before all that is on the API's host."""
        return replace(self, api_url=f"http://127.0.0.1:{port}{urlsplit(self.api_url).path}")

    def run(self, name: str, payload: Mapping[str, Any], **variables: str) -> Run:
        env = self.environment(name, payload) | variables
        place = Path(env["GITHUB_EVENT_PATH"]).parent
        code = _forked(env, place / "log")
        return _left(place, code, _read(place / "log"))

    def kill(self, name: str, payload: Mapping[str, Any], *cuts: Cut, **variables: str) -> Run:
        """Run it for one of `cuts` to kill; the code is then that of a process that was killed."""
        env = self.environment(name, payload) | variables
        place = Path(env["GITHUB_EVENT_PATH"]).parent
        code = _forked(env, place / "log", cuts)
        return _left(place, code, _read(place / "log"))

    def start(self, name: str, payload: Mapping[str, Any], **variables: str) -> subprocess.Popen[str]:
        env = self.environment(name, payload) | variables
        process = subprocess.Popen(
            [sys.executable, "-m", "mattermod_action", "run"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        process.place = Path(env["GITHUB_EVENT_PATH"]).parent  # type: ignore[attr-defined]
        return process

    def finish(self, process: subprocess.Popen[str]) -> Run:
        log, _ = process.communicate(timeout=TIMEOUT)
        place: Path = process.place  # type: ignore[attr-defined]
        return _left(place, process.returncode, log)

    def environment(self, name: str, payload: Mapping[str, Any]) -> dict[str, str]:
        """Write the event to a place of its own, and return what the runner would set for it."""
        place = self.home / uuid.uuid4().hex
        place.mkdir(parents=True)
        (place / "event.json").write_text(json.dumps(payload))
        inputs = {"github-token": self.token, "database-url": self.database_url} | self.inputs
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            "GITHUB_API_URL": self.api_url,
            "GITHUB_GRAPHQL_URL": f"{self.api_url.removesuffix('/v3')}/graphql",
            "GITHUB_SERVER_URL": self.server_url or self.api_url.removesuffix("/api/v3"),
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "GITHUB_REPOSITORY": "octo-org/hello",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKSPACE": str(self.home),
            **self.variables,
        }


def _left(place: Path, code: int, log: str) -> Run:
    return Run(code, log, _read(place / "summary"), _outputs(_read(place / "output")))


def _forked(env: Mapping[str, str], log: Path, cuts: Sequence[Cut] = ()) -> int:
    """Say to `cuts` which process it is, before it begins."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(TIMEOUT)
        asking.connect(_zygote())
        asking.sendall(json.dumps({"env": dict(env), "log": str(log)}).encode() + b"\n")
        pid = int(asking.recv(16))
        for cut in cuts:
            cut.pid = pid
        asking.sendall(b"go\n")
        return int(asking.recv(16) or -signal.SIGKILL)


@cache
def _zygote() -> str:
    """Start it once for each process that runs tests; return where it listens."""
    path = f"{tempfile.mkdtemp()}/zygote"
    process = subprocess.Popen([sys.executable, "-m", "tests.zygote", path], stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    if not process.stdout or process.stdout.readline() != "ready\n":
        raise RuntimeError("the process that runs are forked from does not start")
    return path


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _outputs(text: str) -> dict[str, Any]:
    """All are JSON but what a workflow uses as it is."""
    found = re.findall(r"([\w-]+)<<(.+)\n(.*)\n\2\n", text)
    return {name: value if name.startswith("spinmint") else json.loads(value) for name, _, value in found}
