"""Each `Once` effect at most once: intent → sent → confirmed, with a lease and a fencing token.

The whole protocol, with its reasons, is docs/decisions/0001-life-of-a-comment.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mattermod_action.duplicates import LIST_LAG
from mattermod_action.effects import ABANDONED, Comment, Dispatch, ReviewComment, TellPicks, TellServer, marker
from mattermod_action.errors import Down, Limited, Mistake, Refused, Unsure
from mattermod_action.ports import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mattermod_action.effects import Once
    from mattermod_action.events import Subject
    from mattermod_action.ports import Clock, Entry, Store, Unfinished

COMMENTS = (Comment.__name__, ReviewComment.__name__, TellPicks.__name__, TellServer.__name__)
BASELINE, INTENT, SENT, CONFIRMED = "baseline", "intent", "sent", "confirmed"

EVER = datetime(1970, 1, 2)  # noqa: DTZ001  # naive UTC, as everywhere; before there was anything to find
SKEW = timedelta(hours=1)  # how far the database's clock may be off GitHub's when we look for what we sent
PATIENCE = 60.0  # seconds a run may spend on waiting, for a lease of another run or for GitHub's rate limit
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between two looks at a lease that another run holds

E_contra = TypeVar("E_contra", bound="Once", contravariant=True)


class Hands(Protocol[E_contra]):
    """How one kind of effect is carried out, in a single attempt, and found again."""

    def do(self, effect: E_contra) -> str:
        """Carry it out and return the URL of what was made. Raises Refused, Mistake, Limited, Unsure, Down."""

    def find(self, effect: E_contra, since: datetime) -> str | None:
        """Return the URL of what an earlier attempt made, looking back to `since`."""

    def find_comment(self, subject: Subject, marker: str, since: datetime, *, on_lines: bool = False) -> str | None:
        """The same for a comment of which nothing but its marker is known."""

    def withdraw(self, posted: Sequence[tuple[Comment, Written]]) -> Mapping[str, Written]:
        """Delete what another run has posted before, and return by its key what stays in its place."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended: posted, found, doubled, unchecked, known, baseline or dropped.

    found: an attempt that died has made it. doubled: another run has posted the same at the same time; its comment
    stays, and ours was deleted. unchecked: ours is posted, and the look whether it is doubled failed.
    """

    what: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    """`was` is the row as it was before it was taken over."""

    fence: int
    was: Entry | None = None


class Ledger(Generic[E_contra]):
    """Carries out effects for one run, named `owner`, which no two runs may share."""

    def __init__(self, store: Store, clock: Clock, owner: str, hands: Hands[E_contra]) -> None:
        self._store, self._clock, self._owner, self._hands = store, clock, owner, hands
        self._patience = PATIENCE
        self._fresh: dict[str, tuple[_Claim, Comment, Written]] = {}  # posted, and not looked at once more

    def carry_out(self, effect: E_contra, entry: Entry | None, asked_at: datetime | None = None) -> Outcome:
        """Make `effect` happen unless it has; `entry` is its row as last read.

        A baseline row is answered only when its snapshot is not older than `asked_at` (a late run).
        Raises what `Hands.do` raises, and Down when another run has it.
        """
        claim = self._claim(effect, entry, asked_at)
        if isinstance(claim, Outcome):
            return claim
        if claim.was and (url := self._made_before(effect, claim.was)) is not None:
            return self._confirm(effect, claim, Outcome("found", url))
        return self._send(effect, claim)

    def fresh(self, effect: Once) -> Outcome | None:
        """Return what this run has posted and `settle` has still to judge; None for everything else."""
        found = self._fresh.get(effect.key)
        return Outcome("posted", found[2].url) if found else None

    def settle(self, *only: Once) -> dict[str, Outcome]:
        """Look once more at what this run has posted without a shared database, and confirm what came of it.

        Raises what the look raises. The rows are `sent` then, so whoever takes over looks again.
        """
        fresh = [self._fresh.pop(key) for key in [effect.key for effect in only] or [*self._fresh]]
        older = self._hands.withdraw([(effect, mine) for _, effect, mine in fresh])
        outcomes = {}
        for claim, effect, mine in fresh:
            stays = older.get(effect.key)
            outcome = Outcome("doubled", stays.url) if stays else Outcome("posted", mine.url)
            outcomes[effect.key] = self._confirm(effect, claim, outcome)
        return outcomes

    def park(self, effect: E_contra) -> None:
        """Leave a row that a sweep goes on with, unless there is one."""
        if self._store.claim(effect, self._owner):
            self._store.release(effect.key, self._owner, 1)

    def drop(self, row: Unfinished, subject: Subject | None) -> Outcome:
        """Settle a row whose effect nothing asks for any more: found, if it was carried out, else dropped.

        `subject` is None when the item is gone, and what was sent to it with it. A dispatch cannot be looked for by its
        row alone, so it counts as done for ever: better never than twice.
        """
        entry = self._store.entry(row.key)
        if entry is None or entry.held or not self._store.take(row.key, self._owner, entry.fence):
            return Outcome("known")
        fence = entry.fence + 1
        if subject and row.kind in COMMENTS:
            on_lines = row.kind == ReviewComment.__name__
            find = partial(self._hands.find_comment, subject, marker(row.feature, row.key), on_lines=on_lines)
            if url := self._look_twice(find, entry.sent_at or EVER):
                self._store.confirm(row.key, self._owner, fence, url)
                return Outcome("found", url)
        if row.kind == Dispatch.__name__:
            self._store.confirm(row.key, self._owner, fence, ABANDONED)
        else:
            self._store.forget(row.key, self._owner, fence)
        return Outcome("dropped")

    def _claim(self, effect: E_contra, entry: Entry | None, asked_at: datetime | None) -> _Claim | Outcome:
        wait = FIRST_WAIT
        while True:
            if entry is None:
                if self._store.claim(effect, self._owner):
                    return _Claim(fence=1)
            elif settled := _settled(entry, asked_at):
                return settled
            elif not entry.held and self._store.take(effect.key, self._owner, entry.fence):
                return _Claim(entry.fence + 1, entry)
            if entry is not None:  # held, or lost to somebody quicker
                wait = self._wait(wait)
            entry = self._store.look(effect.subject, [effect.key]).entries.get(effect.key)

    def _wait(self, seconds: float) -> float:
        if self._patience < seconds:
            raise Down("another run is at it and has not finished in a minute")
        self._patience -= seconds
        self._clock.sleep(seconds)
        return min(2 * seconds, LONGEST_WAIT)

    def _send(self, effect: E_contra, claim: _Claim) -> Outcome:
        """Two attempts at the most, the second only when looking twice found nothing of the first."""
        for _ in range(2):
            try:
                url = self._attempt(effect, claim)
            except Unsure:
                if effect.expendable:
                    raise
                if found := self._look_twice(partial(self._hands.find, effect), self._clock.now(), effect):
                    return self._confirm(effect, claim, Outcome("found", found))
            else:
                return self._posted(effect, claim, url)
        raise Unsure("GitHub does not say whether it carried out the request; the next run looks again")

    def _posted(self, effect: E_contra, claim: _Claim, url: str) -> Outcome:
        if self._store.durable or not isinstance(effect, Comment):
            return self._confirm(effect, claim, Outcome("posted", url))
        self._fresh[effect.key] = (claim, effect, Written(url, effect.body))
        return Outcome("posted", url)

    def _attempt(self, effect: E_contra, claim: _Claim) -> str:
        while True:
            if not self._store.send(effect.key, self._owner, claim.fence):
                raise Down("another run took over, because this one was paused for too long")
            try:
                return self._hands.do(effect)
            except Unsure:
                raise
            except (Limited, Down, Mistake, Refused) as error:  # certainly not carried out
                final = isinstance(error, Refused) and not effect.resumable  # nothing that a sweep should find
                (self._store.forget if final else self._store.release)(effect.key, self._owner, claim.fence)
                self._bide(error)

    def _bide(self, error: Exception) -> None:
        """Wait out a rate limit if there is time for it; everything else goes up."""
        if not isinstance(error, Limited) or error.retry_after > self._patience:
            raise error
        self._patience -= error.retry_after
        self._clock.sleep(error.retry_after)

    def _made_before(self, effect: E_contra, was: Entry) -> str | None:
        """Look for what whoever held the row has made.

        Of an intent nothing was sent, as far as the database knows; but one that fails over may have lost what it
        acknowledged. Whoever sent then has had its lease since, for longer than lists lag: one look will do.
        """
        if was.state == SENT and effect.expendable:
            return ""
        if was.state == SENT and was.sent_at:
            return self._look_twice(partial(self._hands.find, effect), was.sent_at, effect)
        return self._hands.find(effect, EVER) if was.state == INTENT else None

    def _look_twice(
        self, find: Callable[[datetime], str | None], since: datetime, effect: E_contra | None = None
    ) -> str | None:
        if effect is not None and effect.repeatable:
            return None
        since = max(EVER, since - SKEW) if since > EVER else EVER
        if url := find(since):
            return url
        self._clock.sleep(LIST_LAG)
        return find(since)

    def _confirm(self, effect: Once, claim: _Claim, outcome: Outcome) -> Outcome:
        """Row count 0: another run took over, and finds the marker; or the server lost the row, which is made anew."""
        if not self._store.confirm(effect.key, self._owner, claim.fence, outcome.url):
            self._store.note([effect], CONFIRMED, effect.subject.updated_at, outcome.url)
        return outcome


def _settled(entry: Entry, asked_at: datetime | None) -> Outcome | None:
    if entry.state == CONFIRMED:
        return Outcome("known", entry.result)
    if entry.state == BASELINE and (asked_at is None or entry.seen_at is None or entry.seen_at < asked_at):
        return Outcome("baseline")
    return None
