"""What a merge queue has made of a pull request: why it was put out, and whether it is put back.

The webhook and the timeline have different words for a reason, of which GitHub lists the webhook's only:
https://docs.github.com/en/webhooks/webhook-events-and-payloads?actionType=dequeued#pull_request. Words that nobody
knows are told as such, and never repeated. A pull request goes back only where neither it nor anybody is the reason,
and once for each time that the label was put on, by GitHub's own count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mattermod_action.merging import obstacles

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.merging import Candidate, Rule
    from mattermod_action.ports import Facts

# Parts of a reason, and how it is told; the first that is in it counts.
REASONS = {
    "conflict": "it conflicts with what was before it in the queue",
    "time": "its checks did not end in time",
    "fail": "a check failed there",
    "manual": "somebody took it out",
    "clear": "the queue was emptied",
    "roll": "the queue was rolled back",
    "protection": "the rules of the branch do not allow it",
    "invalid": "GitHub could not make a merge of it",
}
UNKNOWN = "GitHub does not say why"
BACK = ("time", "clear", "roll")  # for which neither the pull request nor anybody is the reason
MOST = 1  # times that it is put back, for each time that the label was put on
PEOPLE = ("draft", "changes", "label")  # what people put in the way of what is queued already
VOID = "the label does not approve it any more"
OFF = "the label was taken off"


@dataclass(frozen=True, slots=True)
class Removal:
    """A merge queue put it out at that time, `by_us` if this account took it out."""

    at: datetime
    reason: str
    by_us: bool = False

    @property
    def is_merge(self) -> bool:
        return re.sub(r"[^a-z]", "", self.reason.casefold()) in ("merge", "merged", "alreadymerged")


@dataclass(frozen=True, slots=True)
class Out:
    """It is out of the queue: why ("" if we said so then), for the `nth` time, and whether it `returns`."""

    text: str
    nth: int
    returns: bool


def is_out(found: Candidate, reason: str, facts: Facts) -> Out | None:
    """Return how the head came out of the queue, None if it did not; `reason` is that of this very event."""
    removals = [each for each in found.removals if not each.is_merge]
    at = _pushed_at(found, facts) if removals else None
    removals = [each for each in removals if at is None or each.at >= at]
    if found.is_queued or not (removals or reason):
        return None
    nth = max(1, len(removals))
    if removals and removals[-1].by_us:
        return Out("", nth, returns=True)
    kind = _kind(reason or removals[-1].reason)
    return Out(REASONS.get(kind, UNKNOWN), nth, returns=kind in BACK and nth <= MOST)


def _kind(reason: str) -> str:
    return next((part for part in REASONS if part in reason.casefold()), "")


def _pushed_at(found: Candidate, facts: Facts) -> datetime | None:
    """Return when the head was pushed, None where GitHub does not tell: another head may have been put out."""
    return next((push.at for push in facts.pushes(found.pull) or () if push.after == found.pull.sha), None)


def why_out(found: Candidate, rule: Rule) -> str:
    """Say why it must not stay in the queue, "" if it may."""
    if not found.pull.carries(rule.label):
        return OFF
    return next((each.text for each in obstacles(found, rule) if each.code.partition(" ")[0] in PEOPLE), "")
