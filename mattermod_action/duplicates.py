"""Which of several comments with one marker stays, where no shared database keeps two runs from posting the same.

The oldest stays: the one with the smallest number. No run deletes that one, whatever a list leaves out, so at least one
remains; docs/decisions/0001-life-of-a-comment.md has the proof.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from mattermod_action.effects import ReviewComment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mattermod_action.effects import Comment
    from mattermod_action.events import Subject
    from mattermod_action.ports import Clock, Written

LIST_LAG = 15.0  # seconds between two looks that must both find nothing: lists lag behind writes (GitHub, R-01)
RECENT = timedelta(hours=1)  # runs of one event start within minutes; what is older was seen before this run posted


class Comments(Protocol):
    """Two calls of the `GitHub` port."""

    def markers(
        self, subject: Subject, since: datetime | None = None, *, on_lines: bool = False
    ) -> Mapping[str, Sequence[Written]]: ...
    def delete_comment(self, subject: Subject, comment: Written, *, on_lines: bool = False) -> None: ...


class Verdict(Enum):
    """A look at the comments with our marker, as it bears on the one that this run has posted."""

    OLDEST = "it stays"
    SURPLUS = "an older one stays in its place"
    UNSEEN = "the list lags behind: it does not show even this one"


def verdict(mine: int, there: Iterable[int]) -> Verdict:
    """Judge the comment with the number `mine` by those that a list shows.

    A list that shows it shows all that were made before it; a list that does not may lack older ones as well.
    """
    shown = set(there)
    if min(shown, default=mine) < mine:
        return Verdict.SURPLUS
    return Verdict.OLDEST if mine in shown else Verdict.UNSEEN


def withdraw(github: Comments, clock: Clock, posted: Sequence[tuple[Comment, Written]]) -> dict[str, Written]:
    """Delete each comment that this run has `posted` where an older one has its marker; return those by their keys.

    One look for all comments of an item. Raises what a look or a deletion raises.
    """
    older: dict[str, Written] = {}
    for group in _by_list(posted):
        unseen = _look(github, clock, group, older)
        if unseen:
            clock.sleep(LIST_LAG)
            _look(github, clock, unseen, older)
    return older


def _by_list(posted: Iterable[tuple[Comment, Written]]) -> list[list[tuple[Comment, Written]]]:
    groups: dict[tuple[int, int, bool], list[tuple[Comment, Written]]] = {}
    for effect, mine in posted:
        where = (effect.subject.repository.id, effect.subject.number, isinstance(effect, ReviewComment))
        groups.setdefault(where, []).append((effect, mine))
    return list(groups.values())


def _look(
    github: Comments, clock: Clock, posted: Sequence[tuple[Comment, Written]], older: dict[str, Written]
) -> list[tuple[Comment, Written]]:
    """Note in `older` what stays in the place of what was deleted, and return those that the list does not show."""
    subject, on_lines = posted[0][0].subject, isinstance(posted[0][0], ReviewComment)
    there = github.markers(subject, clock.now() - RECENT, on_lines=on_lines)
    unseen = []
    for effect, mine in posted:
        shown = {each.number: each for each in there.get(effect.marker, ())}
        match verdict(mine.number, shown):
            case Verdict.SURPLUS:
                github.delete_comment(subject, mine, on_lines=on_lines)
                older[effect.key] = shown[min(shown)]
            case Verdict.UNSEEN:
                unseen.append((effect, mine))
    return unseen


def copies(there: Sequence[Written]) -> Iterator[Written]:
    """Find what a run that died has left: comments with the marker and the text of an older one.

    Deleting such a copy loses nothing, whoever has made it. A comment that says something else is left alone.
    """
    seen: set[str] = set()
    for each in sorted(there, key=lambda one: one.number):
        if each.body in seen:
            yield each
        seen.add(each.body)
