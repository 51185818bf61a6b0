"""What the bot asks of everything outside, as protocols, and the records in which it gets its answers.

`world.py` connects them to adapters; nothing here imports one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from mattermod_action.effects import Once
    from mattermod_action.events import Repository, Subject

# The newest migration this version ships; a test holds it against the files in migrations/.
SCHEMA = 5


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


@dataclass(frozen=True, slots=True)
class Taken:
    """The fence of a lease that is now ours; None when `holder` has it."""

    fence: int | None
    holder: str


class Leases(Protocol):
    """Names that one owner at a time may hold, by the database's clock. Each call may raise Mistake or Down."""

    def take_lease(self, name: str, owner: str, ttl: float) -> Taken:
        """Take a lease that nobody holds, for `ttl` seconds, with a fence greater than all before it."""

    def renew_lease(self, name: str, owner: str, fence: int, ttl: float) -> bool:
        """Let it run for `ttl` seconds from now; False when somebody else took it."""

    def end_lease(self, name: str, owner: str, fence: int) -> None:
        """Give it back, if it is still ours."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A ledger row that a run left half-way, and that nobody holds."""

    key: str
    repository_id: int
    number: int
    feature: str
    cause: str


class Store(Leases, Protocol):
    """Shared state. Each method is one statement, committed at once; each may raise Mistake or Down.

    `durable` is False for the embedded store: its loss must cost nothing but a look at the markers.
    """

    durable: bool

    def look(self, subject: Subject, keys: Sequence[str]) -> Known:
        """Read schema version, the subject's row and the ledger rows of `keys`."""

    def entry(self, key: str) -> Entry | None:
        """Read one ledger row."""

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

    def unfinished(self, repository: Repository, limit: int) -> list[Unfinished]:
        """Find rows of this repository (by name, if its id is 0) whose effect is neither done nor being done."""

    def forget(self, key: str, owner: str, fence: int) -> bool:
        """Delete a row that is ours and not confirmed: nothing asks for its effect any more."""

    def close(self) -> None: ...


class GitHub(Protocol):
    """One repository's GitHub. Reads retry; writes are one attempt.

    Raises Mistake (token, permissions, locked), Limited, Unsure (a write whose outcome is unknown), Down.
    """

    def subject(self, subject: Subject) -> Subject | None:
        """Read a pull request or issue as it is now; None when it is gone."""

    def item(self, repository: Repository, number: int) -> Subject | None:
        """Read whatever has this number; None when it is gone."""

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
