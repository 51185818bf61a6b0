"""The ports to everything outside, and the one place that connects them to adapters, on first use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.effects import Once
    from mattermod_action.events import Subject
    from mattermod_action.inputs import Inputs

# The newest migration this version ships; a test holds it against the files in migrations/.
SCHEMA = 4

PULL_REQUEST_EVENTS = ("pull_request", "pull_request_target")


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger row as read: how far one `Once` effect has come.

    `state` is one of
    - baseline: was there before we were; never carried out (`seen_at`: when the snapshot was taken)
    - intent: somebody is about to do it, nothing was sent
    - sent: the request may have reached GitHub (`sent_at`); whoever takes over reads back first
    - confirmed: done, `result` says where
    `held` is true while the lease of `owner` runs, by the database's clock. `fence` grows with every takeover.
    """

    state: str
    owner: str
    fence: int
    held: bool
    seen_at: datetime | None
    sent_at: datetime | None
    result: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a subject and of the effects asked about.

    `seen_at` is the `updated_at` of the newest snapshot we stored, None when we never stored one (a row that
    the original wrote counts as never).
    """

    schema: int
    dirty: bool
    seen_at: datetime | None
    entries: Mapping[str, Entry]


class Store(Protocol):
    """Shared state. Each method is one statement, committed at once; each may raise Mistake or Down.

    `durable` is False for the embedded store: its loss must cost nothing but a look at the markers.
    """

    durable: bool

    def look(self, subject: Subject, keys: Sequence[str]) -> Known:
        """Read schema version, the subject's row and the ledger rows of `keys`."""

    def remember(self, subject: Subject) -> None:
        """Write the subject's row unless a newer snapshot is stored already."""

    def note(self, effects: Sequence[Once], state: str, seen_at: datetime, result: str = "") -> None:
        """Insert ledger rows in a final `state` (baseline or confirmed); rows that exist stay as they are."""

    def claim(self, effect: Once, owner: str) -> bool:
        """Insert the intent row with fence 1 and a fresh lease; False when a row exists."""

    def take(self, key: str, owner: str, fence: int) -> bool:
        """Become the owner, with `fence` + 1, of a row whose fence is `fence` and whose lease has ended.

        The state stays, except that a baseline row (which nobody holds) becomes intent.
        """

    def send(self, key: str, owner: str, fence: int) -> bool:
        """Fence, renew and mark `sent`, in one; False when the row is no longer ours."""

    def confirm(self, key: str, owner: str, fence: int, result: str) -> bool:
        """Mark `confirmed` with the URL of what was made; False when the row is no longer ours."""

    def release(self, key: str, owner: str, fence: int) -> bool:
        """Back to `intent` with the lease ended: the request was certainly not carried out."""

    def close(self) -> None: ...


class GitHub(Protocol):
    """One repository's GitHub. Reads retry; writes are one attempt.

    Raises Mistake (token, permissions, locked), Limited, Unsure (a write whose outcome is unknown), Down.
    """

    def subject(self, subject: Subject) -> Subject | None:
        """Read a pull request or issue as it is now; None when it is gone."""

    def comment(self, subject: Subject, body: str) -> str:
        """Post a comment and return its URL."""

    def markers(self, subject: Subject, since: datetime | None = None) -> Mapping[str, str]:
        """Find our own markers in the comments (newest first, back to `since`): marker to comment URL.

        Ours is what the token itself wrote or an author in `bot-logins`: anybody can paste a marker.
        """


class Facts(Protocol):
    """What a plan may read beyond its event. A method raises FactUnavailable where it cannot be read."""


class Clock(Protocol):
    """`now` is UTC and naive, as in the database; `offset` is what simulated time adds to real time."""

    offset: timedelta

    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass
class RealClock:
    offset: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) + self.offset

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class SkippingClock(RealClock):
    """Jumps ahead instead of sleeping: for trials of one run at a time."""

    def sleep(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)


class NoFacts:
    """Facts of a plan that is made offline, or by features that read none."""


@dataclass
class World:
    """Everything outside, for one run. Nothing is imported or connected before it is used."""

    inputs: Inputs
    database: Database | None
    facts: Facts = field(default_factory=NoFacts)

    @property
    def first_attempt(self) -> bool:
        return self.inputs.run_attempt == 1

    @cached_property
    def clock(self) -> Clock:
        kind = SkippingClock if self.inputs.clock_skips else RealClock
        return kind(self.inputs.clock_offset)

    @cached_property
    def store(self) -> Store:
        if self.database is not None:
            from mattermod_action.adapters.mysql import MySQLStore

            return MySQLStore(self.database, self.clock)
        from mattermod_action.adapters.sqlite import SQLiteStore

        return SQLiteStore(self.inputs.state, self.clock)

    @cached_property
    def github(self) -> GitHub:
        from mattermod_action.adapters.github import PyGithubGitHub

        return PyGithubGitHub(self.inputs.api_url, self._token, self.inputs.bot_logins, self.clock)

    def config_text(self, repository: str) -> str:
        """The configuration file's text: from the default branch through the API, or from the workspace."""
        if self.inputs.config_from == "workspace":
            return self._workspace_file()
        from mattermod_action.adapters.contents import read

        return read(self.inputs.api_url, self._token, repository, self.inputs.config, self.clock)

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()

    @property
    def _token(self) -> str:
        if not self.inputs.token:
            raise Mistake("no token: give the input `github-token` (or GITHUB_TOKEN in the environment)")
        return self.inputs.token

    def _workspace_file(self) -> str:
        name, root = self.inputs.config, self.inputs.workspace.resolve()
        if self.inputs.event_name in PULL_REQUEST_EVENTS:
            raise Mistake(
                f"input `config-from` is `workspace`, which on {self.inputs.event_name} may hold the pull "
                "request's own tree: leave it out, so that the default branch decides"
            )
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise Mistake(f"input `config` names {name}, which is outside the workspace")
        return read_text(path, name)


def read_text(path: Path, name: str) -> str:
    """Read a UTF-8 file that the user named. Raises Mistake with `name` in it."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Mistake(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{name}:1: is not UTF-8 (byte {error.start})") from error
