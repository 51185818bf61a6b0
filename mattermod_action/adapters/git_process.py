"""Running git: in an environment made here, for a bounded time, with every failure one of ours.

No configuration of the machine, no hooks, no prompt, no redirect; the token is in the environment only, for this
server only. https://git-scm.com/docs/git#_environment_variables
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from mattermod_action import refusals
from mattermod_action.errors import Down, Mistake, Refused
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mattermod_action.events import Repository

TRANSFER = 60.0  # seconds for what goes over the network; less than the lease of who picks (picking.py)
LOCAL = 20.0  # seconds for everything else
REMOTE = "origin"
PASSED_ON = ("PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "GIT_SSL_CAINFO")
LONGEST = 300  # characters of what git says that are told
WHOSE = "the token for cherry-picks"
# What git says, and what it is; the first that fits counts.
REJECTED = "the token for cherry-picks is not accepted by git on {where} (401): it is wrong or has expired"
FORBIDDEN = (
    "the token for cherry-picks may not {what} {where} (403): give the job `contents: write` under `permissions:`"
)
KINDS: tuple[tuple[re.Pattern[str], type[Exception], str], ...] = (
    (re.compile(r"error: 401|Authentication failed|could not read Username"), Mistake, REJECTED),
    (re.compile(r"error: 403|Permission to \S+ denied|Write access to repository not granted"), Mistake, FORBIDDEN),
    (re.compile(r"error: 404|Repository not found"), Refused, "git finds no {where}, or the token may not know of it"),
    (re.compile(r"not our ref|bad object|unable to read tree"), Refused, "a commit of it is not in {where} any more"),
)


# These come as 403, too, and no permission of the job cures them.
CURED = (refusals.SINGLE_SIGN_ON, refusals.ADDRESS, refusals.ARCHIVED)


@dataclass(frozen=True)
class Done:
    code: int
    out: bytes
    err: str


class GitProcess:
    """Git in a repository below `home`, whose one remote is `repository` on `server`.

    In its `worktree`, apart from it, only `.gitattributes` are ever written: from where else git before 2.41 takes them
    in a merge.
    """

    def __init__(self, home: Path, server: str, repository: Repository, token: str) -> None:
        self._home, self._token, self._where = home, token, repository.full_name
        self.repository, self.worktree = home / "repository", home / "worktree"
        self.worktree.mkdir()
        self._basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        self._configuration = {
            "advice.graftFileDeprecated": "false",
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "gc.auto": "0",
            "http.followRedirects": "false",
            f"http.{server}/.extraHeader": f"Authorization: Basic {self._basic}",
            "protocol.allow": "never",
            f"protocol.{server.partition(':')[0]}.allow": "always",
            "push.negotiate": "true",
            f"remote.{REMOTE}.partialCloneFilter": "blob:none",
            f"remote.{REMOTE}.promisor": "true",
            f"remote.{REMOTE}.url": f"{server}/{repository.full_name}",
        }

    def ask(self, *words: str, stdin: str | bytes = b"") -> str:
        """Run a command that has to succeed; bytes that are no UTF-8 survive as surrogates."""
        return self.read(*words, stdin=stdin).decode(errors="surrogateescape")

    def read(self, *words: str, stdin: str | bytes = b"") -> bytes:
        done = self.run(*words, stdin=stdin)
        if done.code:
            self.fail(f"run `git {words[0]}` for", done)
        return done.out

    def run(
        self, *words: str, stdin: str | bytes = b"", within: float = LOCAL, config: Mapping[str, str] | None = None
    ) -> Done:
        """Run git for `within` seconds at the most. Raises Down when it takes longer."""
        data = stdin.encode(errors="surrogateescape") if isinstance(stdin, str) else stdin
        with subprocess.Popen(
            ["git", *words],
            cwd=self.worktree,
            env=self._environment({**self._configuration, **(config or {})}),
            start_new_session=True,  # so that whatever git has started goes with it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                out, err = process.communicate(data, timeout=within)
            except BaseException as error:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Down(f"`git {words[0]}` took more than {within:.0f} s") from error
                raise
        return Done(process.returncode, out, self._redacted(err.decode(errors="replace")))

    def fail(self, what: str, done: Done, *, remote: bool = False) -> NoReturn:
        """Raise what git's words mean. What is not known may be a network, if it is `remote`; else it stays so."""
        known = refusals.find(done.err)
        if known is not None and known in CURED:
            cure = known.cure.format(token=WHOSE, permission="")
            raise Mistake(f"GitHub refused to let git {what} {self._where} (403). {cure}")
        for pattern, kind, text in KINDS:
            if pattern.search(done.err):
                raise kind(text.format(what=what, where=self._where))
        lines = [line for line in done.err.splitlines() if line.strip()] or ["no reason given"]
        said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])
        raise (Down if remote else Refused)(f"git could not {what} {self._where}: {quoted(said, LONGEST)}")

    def _redacted(self, text: str) -> str:
        for secret in filter(None, (self._token, self._basic)):
            text = text.replace(secret, "***")
        return text.replace(str(self._home), "")

    def _environment(self, configuration: Mapping[str, str]) -> dict[str, str]:
        numbered = enumerate(configuration.items())
        pairs = {f"GIT_CONFIG_{part}_{at}": pair[part == "VALUE"] for at, pair in numbered for part in ("KEY", "VALUE")}
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **pairs,
            "GIT_CONFIG_COUNT": str(len(configuration)),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self.repository),
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_WORK_TREE": str(self.worktree),
            "HOME": str(self._home),
            "LC_ALL": "C",
        }
