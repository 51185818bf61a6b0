"""Pull requests that are picked together: what each brought, and the order in which their base got them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from typing import TYPE_CHECKING

from mattermod_action.errors import Refused
from mattermod_action.picks import TOO_MANY, Chosen, choose

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mattermod_action.picks import Source


@dataclass(frozen=True, slots=True)
class Member:
    """A pull request as GitHub has it, `at` being when it was merged."""

    source: Source
    at: datetime | None

    @property
    def number(self) -> int:
        return self.source.pull.number

    def chosen(self, *, skip_merges: bool) -> Chosen:
        """Say which commits bring what it brought. Raises Refused where nobody can know, or not all were read."""
        found = choose(self.source, skip_merges=skip_merges)
        merge, own = self.source.merge, self.source.own
        is_one = found.picks == (merge.sha if merge else "",) and not found.own
        if self.source.own_count > len(own) and not (is_one and merge not in own):
            raise Refused(TOO_MANY)
        return found


def joined(parts: Iterable[Chosen]) -> Chosen:
    """All commits of several. Where some have to be compared with their own, the others are like themselves."""
    found = [*parts]
    picks = tuple(pick for each in found for pick in each.picks)
    if not any(each.compared for each in found):
        return Chosen(picks)
    own = tuple(own for each in found for own in (each.own if each.compared else each.picks))
    return Chosen(picks, own, tuple(left for each in found for left in each.left))


def in_order(members: Iterable[Member]) -> list[Member]:
    """Sort them as their merges follow each other on the base.

    A merge queue merges several in one second, so the history decides between those.
    """
    return sorted(members, key=cmp_to_key(_compared))


def _compared(one: Member, other: Member) -> int:
    if one.at != other.at and one.at and other.at:
        return -1 if one.at < other.at else 1
    if _leads_to(one, other):
        return -1
    return 1 if _leads_to(other, one) else one.number - other.number


def _leads_to(one: Member, other: Member) -> bool:
    """Whether the history of the other one's merge has the merge of this one, as far as it was read."""
    merge = one.source.merge
    return merge is not None and merge.sha in {commit.sha for commit in other.source.history[1:]}
