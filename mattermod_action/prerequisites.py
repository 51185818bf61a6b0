"""Which earlier pull requests a pick needs: where it conflicts, the fewest of them with which it does not.

The search only tries, in memory, and never longer than its time: a conflict without an answer is told as before.
"""

from __future__ import annotations

import time
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from mattermod_action.errors import MattermodError, Refused
from mattermod_action.members import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mattermod_action.members import Member
    from mattermod_action.picks import Source, Touch
    from mattermod_action.ports import GitHub, Work

MOST = 20  # pull requests that are tried
LARGEST = 20  # commits of one
SECONDS = 5.0  # for all of it, the fetches among it


class OutOfTime(Exception):
    """No error: what was found by then counts."""


def needed(
    github: GitHub, work: Work, source: Source, onto: tuple[str, Sequence[str]], touches: Sequence[Touch], *, skip: bool
) -> tuple[int, ...]:
    """Return the numbers in the order of their merges, none where no set was found.

    `onto` is a tip and the commits to pick on it; `skip` is to leave merges out. It is good to know, and not worth to
    fail for.
    """
    until = time.monotonic() + SECONDS
    numbers = list(islice(_numbers(source, touches), MOST))
    if not numbers:
        return ()
    try:
        found = github.members(source.pull.repository, numbers, LARGEST)
        return _tried(work, dict(_earlier(source, found, skip=skip)), onto, until)
    except MattermodError:
        return ()


def _numbers(source: Source, touches: Sequence[Touch]) -> Iterator[int]:
    numbers = dict.fromkeys(each.number for each in touches if each.number)
    return (number for number in numbers if number != source.pull.number)


def _earlier(source: Source, found: Iterable[Member], *, skip: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The commits of each that was merged into the same base; one of which they cannot be told is left out."""
    merged = [each for each in found if each.source.pull.merged and each.source.pull.base_ref == source.pull.base_ref]
    for each in in_order(merged):
        try:
            yield each.number, each.chosen(skip_merges=skip).picks
        except Refused:
            continue


def _tried(
    work: Work, earlier: dict[int, tuple[str, ...]], onto: tuple[str, Sequence[str]], until: float
) -> tuple[int, ...]:
    tip, picks = onto
    commits = [*(commit for each in earlier.values() for commit in each), *picks]
    trial = work.trial(tip, commits, until - time.monotonic())
    search = Search(
        trial.start,
        lambda tree, number: trial.onto(tree, earlier[number]),
        lambda tree: bool(trial.onto(tree, picks)),
        lambda: time.monotonic() >= until,
    )
    return search.fewest([*earlier])


class Search:
    """The fewest of some changes, in their order, after which another one fits.

    `step` makes a tree of a tree and a change, "" where it conflicts; `fits` says whether a tree is good.
    """

    def __init__(
        self,
        start: str,
        step: Callable[[str, int], str],
        fits: Callable[[str], bool],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._start, self._is_over = start, is_over
        self._step, self._fits = cache(step), cache(fits)  # sets that differ in order only come to the same trees

    def fewest(self, changes: Sequence[int]) -> tuple[int, ...]:
        """Sets are tried by their size; a set that is small enough is looked for first, in case time runs out."""
        alive: dict[tuple[int, ...], str] = {(): self._start}
        known: tuple[int, ...] = ()
        try:
            for size in range(1, len(changes) + 1):
                alive = dict(self._grown(alive, changes))
                if found := next((each for each, tree in alive.items() if self._is_good(tree)), ()):
                    return found
                known = known or self._shrunk(self._all(changes))
                if len(known) == size + 1:
                    break
        except OutOfTime:
            pass
        return known

    def _grown(
        self, alive: dict[tuple[int, ...], str], changes: Sequence[int]
    ) -> Iterator[tuple[tuple[int, ...], str]]:
        """Each set with one change more. One that conflicts, or changes nothing, begins no smallest set."""
        for each, tree in alive.items():
            for change in changes[changes.index(each[-1]) + 1 if each else 0 :]:
                after = self._after(tree, change)
                if after not in ("", tree):
                    yield (*each, change), after

    def _all(self, changes: Sequence[int]) -> tuple[int, ...]:
        """All that fit one after the other."""
        tree = self._start
        found: tuple[int, ...] = ()
        for change in changes:
            if (after := self._after(tree, change)) not in ("", tree):
                tree, found = after, (*found, change)
        return found if self._is_good(tree) else ()

    def _shrunk(self, found: tuple[int, ...]) -> tuple[int, ...]:
        """Leave out what can be left out, by halves, quarters, and so on."""
        size = len(found) // 2
        while size:
            at = 0
            while at < len(found):
                fewer = found[:at] + found[at + size :]
                found, at = (fewer, at) if self._suits(fewer) else (found, at + size)
            size //= 2
        return found

    def _suits(self, changes: tuple[int, ...]) -> bool:
        tree = self._start
        for change in changes:
            tree = self._after(tree, change)
            if not tree:
                return False
        return self._is_good(tree)

    def _after(self, tree: str, change: int) -> str:
        if self._is_over():
            raise OutOfTime
        return self._step(tree, change)

    def _is_good(self, tree: str) -> bool:
        if self._is_over():
            raise OutOfTime
        return self._fits(tree)
