"""What a sweep is busy with in a repository, so that no item stops more than one sweep.

It is noted before it begins. A sweep that finds such a note, since the one before was killed, comes to that item last,
and gives it half a minute: an alarm ends whatever it is at. An item that needed the alarm is left out for an hour,
which the summary says; events about it are handled as always.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from mattermod_action.errors import Late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LEFT_OUT_FOR = timedelta(hours=1)
GUARDED, AGAIN = 30.0, 5.0  # seconds until the alarm, and until the next, where the first was taken for a failure
KEPT = 3  # items of a repository that are kept in mind
LONGEST = 40  # characters of what one is called
STAMP = "%Y%m%dT%H%M"
NEVER = datetime(2000, 1, 1)  # noqa: DTZ001  # naive UTC, as everywhere
LEFT_OUT = "is left out for an hour, because a sweep was killed while it was busy with it"


class Turn:
    """The turns of a repository's items; `note` keeps what is busy, and `tell` hears what is left out.

    `noted` is what was kept: what was begun last, and lines of what has stopped a sweep, each with the time since when
    it is left out. Anybody may have written it: it can only make an item wait.
    """

    def __init__(
        self, noted: str, now: datetime, note: Callable[[str], object], tell: Callable[[str, str], object]
    ) -> None:
        busy, *lines = noted.split("\n")
        self._now, self._note, self._tell = now, note, tell
        self._suspects = dict(_read(line) for line in lines if line) | ({busy[:LONGEST]: NEVER} if busy else {})
        self._is_noted, self._at = bool(busy), ""

    def last(self, names: Sequence[str]) -> list[int]:
        """Order things by their names, as positions: what has stopped a sweep comes last."""
        return sorted(range(len(names)), key=lambda at: names[at] in self._suspects)

    def take(self, name: str, act: Callable[[], object]) -> bool:
        """Do it, unless it is left out; say whether it was done."""
        name = name[:LONGEST]
        if name == self._at:  # a part of it
            act()
            return True
        if abs(self._now - self._suspects.get(name, NEVER)) < LEFT_OUT_FOR:
            self._tell(name, LEFT_OUT)
            return False
        self._write(name)
        self._at = name
        try:
            self._do(name, act)
        finally:
            self._at = ""
        return True

    def _do(self, name: str, act: Callable[[], object]) -> None:
        if name not in self._suspects:
            act()
        elif _in_time(act):
            del self._suspects[name]
        else:
            self._suspects[name] = self._now
            self._tell(name, LEFT_OUT)

    def end(self) -> None:
        """Nothing of this repository is begun any more for now."""
        if self._is_noted:
            self._write("")

    def _write(self, busy: str) -> None:
        newest = sorted(self._suspects.items(), key=lambda each: each[1])[-KEPT:]
        self._note("\n".join([busy, *(f"{name} {since:{STAMP}}" for name, since in newest)]))
        self._is_noted = bool(busy)


def _read(line: str) -> tuple[str, datetime]:
    """What was not written here is as old as can be."""
    name, _, stamp = line.rpartition(" ")
    try:
        return name[:LONGEST], datetime.strptime(stamp, STAMP)  # noqa: DTZ007  # naive UTC, as everywhere
    except ValueError:
        return name[:LONGEST], NEVER


def _in_time(act: Callable[[], object]) -> bool:
    """Do it, and say whether it was over before the alarm."""
    with _alarm() as rang:
        try:
            act()
        except Late:
            if not rang:
                raise
    return not rang


@contextmanager
def _alarm() -> Iterator[list[int]]:
    """Raise Late in whatever Python is at by then; signals reach the main thread alone."""
    rang: list[int] = []

    def ring(number: int, _frame: object) -> NoReturn:
        rang.append(number)
        raise Late

    if threading.current_thread() is not threading.main_thread():
        yield rang
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, GUARDED, AGAIN)
    try:
        yield rang
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
