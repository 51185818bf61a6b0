"""Each `Once` effect at most once: intent → sent → confirmed, with a lease and a fencing token.

The whole protocol, with its reasons, is docs/decisions/0001-life-of-a-comment.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mattermod_action.effects import marker
from mattermod_action.errors import Down, Limited, Mistake, Refused, Unsure

if TYPE_CHECKING:
    from mattermod_action.effects import Once
    from mattermod_action.events import Subject
    from mattermod_action.ports import Clock, Entry, Store, Unfinished

BASELINE, INTENT, SENT, CONFIRMED = "baseline", "intent", "sent", "confirmed"

LIST_LAG = 15.0  # seconds between two looks that must both find nothing: lists lag behind writes (GitHub, R-01)
SKEW = timedelta(hours=1)  # how far the database's clock may be off GitHub's when we look for what we sent
PATIENCE = 60.0  # seconds a run may spend on waiting, for a lease of another run or for GitHub's rate limit
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between two looks at a lease that another run holds

E_contra = TypeVar("E_contra", bound="Once", contravariant=True)


class Hands(Protocol[E_contra]):
    """How one kind of effect is carried out, in a single attempt, and found again."""

    def do(self, effect: E_contra) -> str:
        """Carry it out and return the URL of what was made. Raises Refused, Mistake, Limited, Unsure, Down."""

    def find(self, subject: Subject, marker: str, since: datetime) -> str | None:
        """Return the URL of what an earlier attempt made, looking back to `since`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an effect: posted | found (made by an attempt that died) | known | baseline | dropped."""

    what: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    fence: int
    sent_at: datetime | None = None


class Ledger(Generic[E_contra]):
    """Carries out effects for one run, named `owner`, which no two runs may share."""

    def __init__(self, store: Store, clock: Clock, owner: str, hands: Hands[E_contra]) -> None:
        self._store, self._clock, self._owner, self._hands = store, clock, owner, hands
        self._patience = PATIENCE

    def carry_out(self, effect: E_contra, entry: Entry | None, asked_at: datetime | None = None) -> Outcome:
        """Make `effect` happen unless it has; `entry` is its row as last read.

        A baseline row is answered only when its snapshot is not older than `asked_at` (a late run).
        Raises what `Hands.do` raises, and Down when another run has it.
        """
        claim = self._claim(effect, entry, asked_at)
        if isinstance(claim, Outcome):
            return claim
        if claim.sent_at and (url := self._look_twice(effect.subject, effect.marker, claim.sent_at)):
            return self._confirm(effect.key, claim, Outcome("found", url))
        return self._send(effect, claim)

    def drop(self, row: Unfinished, subject: Subject | None) -> Outcome:
        """Settle a row whose effect nothing asks for any more: found, if it was carried out, else dropped.

        `subject` is None when the item is gone, and what was sent to it with it.
        """
        entry = self._store.entry(row.key)
        if entry is None or entry.held or not self._store.take(row.key, self._owner, entry.fence):
            return Outcome("known")
        claim = _Claim(entry.fence + 1, entry.sent_at)
        if subject and entry.state == SENT and entry.sent_at:
            url = self._look_twice(subject, marker(row.feature, row.key), entry.sent_at)
            if url:
                return self._confirm(row.key, claim, Outcome("found", url))
        self._store.forget(row.key, self._owner, claim.fence)
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
                return _Claim(entry.fence + 1, entry.sent_at if entry.state == SENT else None)
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
                if found := self._look_twice(effect.subject, effect.marker, self._clock.now()):
                    return self._confirm(effect.key, claim, Outcome("found", found))
            else:
                return self._confirm(effect.key, claim, Outcome("posted", url))
        raise Unsure("GitHub does not say whether it carried out the request; the next run looks again")

    def _attempt(self, effect: E_contra, claim: _Claim) -> str:
        while True:
            if not self._store.send(effect.key, self._owner, claim.fence):
                raise Down("another run took over, because this one was paused for too long")
            try:
                return self._hands.do(effect)
            except Unsure:
                raise
            except (Limited, Down, Mistake, Refused) as error:  # certainly not carried out
                self._store.release(effect.key, self._owner, claim.fence)
                self._bide(error)

    def _bide(self, error: Exception) -> None:
        """Wait out a rate limit if there is time for it; everything else goes up."""
        if not isinstance(error, Limited) or error.retry_after > self._patience:
            raise error
        self._patience -= error.retry_after
        self._clock.sleep(error.retry_after)

    def _look_twice(self, subject: Subject, marker: str, since: datetime) -> str | None:
        if url := self._hands.find(subject, marker, since - SKEW):
            return url
        self._clock.sleep(LIST_LAG)
        return self._hands.find(subject, marker, since - SKEW)

    def _confirm(self, key: str, claim: _Claim, outcome: Outcome) -> Outcome:
        # Row count 0 means that another run took over meanwhile; it finds the marker and confirms for us.
        self._store.confirm(key, self._owner, claim.fence, outcome.url)
        return outcome


def _settled(entry: Entry, asked_at: datetime | None) -> Outcome | None:
    if entry.state == CONFIRMED:
        return Outcome("known", entry.result)
    if entry.state == BASELINE and (asked_at is None or entry.seen_at is None or entry.seen_at < asked_at):
        return Outcome("baseline")
    return None
