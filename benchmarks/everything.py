"""One repository with every feature switched on (sandbox/scenarios/everything.yml), and the bot that looks after it.

The bot runs in this process: what is counted is what it asks of GitHub, and that is the same in a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mattermod_action import job
from sandbox import payloads
from sandbox.git import SERVICE
from tests.harness import Bot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox import Sandbox

CONFIG = Path(__file__).parents[1] / "sandbox/scenarios/everything.yml"
SIGNED_URL = "https://example.org/signed.csv"
SIGNED = "login\nreviewer\nmaintainer\n"
PERMISSIONS = dict.fromkeys(
    ["actions", "checks", "contents", "issues", "members", "pull_requests", "statuses"], "write"
) | {"metadata": "read"}


@contextlib.contextmanager
def signatures(home: Path) -> Iterator[str]:
    """Serve a list of those who signed; yield its address."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "signed.csv").write_text(SIGNED)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(home)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/signed.csv"
    finally:
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def switch_on(github: Sandbox, signed_url: str, **permissions: str) -> None:
    """Put the configuration on the default branch, and let the job's token do what the features need."""
    text = CONFIG.read_text().replace(SIGNED_URL, signed_url)
    github.state.write_files(github.repository, {".github/mattermod.yml": text})
    github.state.tokens["github-token"].permissions = PERMISSIONS | permissions
    repository = github.state.repository(github.repository)
    assert repository is not None  # noqa: S101  # it is the sandbox's own
    repository.actions_pulls = True  # which new repositories do not allow


@dataclass
class Cost:
    """What one run asked of GitHub's API, REST and GraphQL alike, what it changed there, and how it ended."""

    calls: list[str]
    writes: int
    code: int
    log: str


@dataclass
class Trial:
    """A repository and the bot."""

    github: Sandbox
    home: Path
    database_url: str = ""
    summary: str = ""
    _branches: list[str] = field(default_factory=list)

    def run(self, payload: Mapping[str, Any], name: str = "", **variables: str) -> Cost:
        name = name or payloads.name(dict(payload))
        bot = Bot(self.github.url, self.github.token, self.home, self.database_url)
        bot.inputs["org-token"] = self.github.tokens["app"]
        env = bot.environment("pull_request_target" if name == "pull_request" else name, payload) | variables
        calls, writes = len(self.github.requests), len(self.github.writes)
        code, log = _in_process(env)
        self.summary = _text(env["GITHUB_STEP_SUMMARY"])
        new = self.github.requests[calls:]
        asked = [f"{call.method} {call.path}" for call in new if not SERVICE.fullmatch(call.path)]
        return Cost(asked, len(self.github.writes) - writes, code, log)

    def opened(self, author: str = "newcomer", labels: tuple[str, ...] = ()) -> dict[str, Any]:
        """Open a pull request in the repository, on a branch of its own."""
        self._branches.append(branch := f"topic-{len(self._branches)}")
        return payloads.opened_pull(self.github.state, self.github.repository, "New", labels, author, head=branch)

    def known(self, author: str = "newcomer", labels: tuple[str, ...] = ()) -> int:
        """Open one and let the bot see it."""
        event = self.opened(author, labels)
        self._must(event)
        return int(event["number"])

    def known_issue(self, *labels: str) -> int:
        event = payloads.opened_issue(self.github.state, self.github.repository, "New", labels, "reporter")
        self._must(event)
        return int(event["issue"]["number"])

    def _must(self, event: dict[str, Any]) -> None:
        if (done := self.run(event)).code:
            raise RuntimeError(f"exit {done.code}: {done.log}")


def _in_process(env: Mapping[str, str]) -> tuple[int, str]:
    """Run the job as `mattermod run` does, with these variables; signals are ours again afterwards."""
    before, log = dict(os.environ), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    os.environ.clear()
    os.environ.update(env)
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            return job.run(), log.getvalue()
    finally:
        os.environ.clear()
        os.environ.update(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
