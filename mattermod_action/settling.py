"""How long a head without any check waits for its first one.

CI registers its checks some seconds after a push. Until then "no checks" says nothing, so such a head is not merged for
`settle_minutes` after its push. The age of the push is GitHub's word: the pull request's own times, or the list of
pushes. Dates of commits are whatever their author likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mattermod_action.merging import has_checks

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.merging import Candidate, Rule
    from mattermod_action.ports import Facts

FIRST = "it waits for its first checks until {until:%H:%M} UTC"
NOBODY = FIRST + ", and nobody looks again by then: a check or a review wakes this, or a schedule, if there is one"


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for first checks until that time: `in_run` by this run itself, `alone` if nothing else ends it."""

    until: datetime
    in_run: bool = False
    alone: bool = False

    @property
    def text(self) -> str:
        return (NOBODY if self.alone else FIRST).format(until=self.until + timedelta(minutes=1, seconds=-1))


def first_checks(found: Candidate, rule: Rule, settle: timedelta, facts: Facts, *, patient: bool) -> Wait | None:
    """Say until when the head waits, None if it need not. A merge queue checks by itself whatever is put into it.

    The run itself waits only if it may wait for longer than that, which it may not by default: waiting is billed.
    """
    if not settle or found.has_queue or has_checks(found, rule):
        return None
    until = _since(found, settle, facts) + settle
    if until <= facts.now() or not facts.has_checks(found.pull.repository, found.base):
        return None
    is_noted = facts.keeps_a_ledger()
    in_run = patient and not is_noted and settle < facts.waits_until() - facts.now()
    return Wait(until, in_run, alone=not in_run and not is_noted)


def _since(found: Candidate, settle: timedelta, facts: Facts) -> datetime:
    """Return when the head was pushed, or was made a pull request. Where GitHub does not tell: not after its update."""
    pull, now = found.pull, facts.now()
    if now - pull.updated_at >= settle:
        return pull.updated_at
    if now - pull.created_at < settle:
        return pull.created_at
    pushes = facts.pushes(pull) or ()
    at = next((push.at for push in pushes if push.after == pull.sha), pull.updated_at)
    return max(pull.created_at, min(at, pull.updated_at))
