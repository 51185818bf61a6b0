"""What a sweep is busy with in a repository, so that whatever kills it stops no other sweep.

It is noted before it begins. A sweep that finds such a note, since the one before was killed, leaves that item out for
some hours, and says so; events about it are handled as always.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT_OUT_FOR = timedelta(hours=6)
KEPT = 3  # items that are left out of a repository
LONGEST = 40  # characters of what one is called
STAMP = "%Y%m%dT%H%M"
LEFT_OUT = "is left out for six hours, because a sweep was killed while it was busy with it"


class Turn:
    """The turns of a repository's items; `note` keeps what is busy, and `tell` hears what is left out.

    `noted` is what was kept: what was begun last, and lines of what is left out, each with the time since when.
    """

    def __init__(
        self, noted: str, now: datetime, note: Callable[[str], object], tell: Callable[[str, str], object]
    ) -> None:
        busy, *lines = noted.split("\n")
        self._note, self._tell = note, tell
        self._left_out = {name: since for name, since in map(_read, lines) if abs(now - since) < LEFT_OUT_FOR}
        if busy:
            self._left_out[busy[:LONGEST]] = now
        self._is_busy = bool(busy)

    def take(self, name: str, act: Callable[[], object]) -> bool:
        """Do it, unless it is left out; say whether it was done."""
        if name in self._left_out:
            self._tell(name, LEFT_OUT)
            return False
        self._write(name)
        act()
        return True

    def end(self) -> None:
        """Nothing of this repository is begun any more for now."""
        if self._is_busy:
            self._write("")

    def _write(self, busy: str) -> None:
        newest = sorted(self._left_out.items(), key=lambda each: each[1])[-KEPT:]
        self._note("\n".join([busy[:LONGEST], *(f"{name} {since:{STAMP}}" for name, since in newest)]))
        self._is_busy = bool(busy)


def _read(line: str) -> tuple[str, datetime]:
    """Anything else than what was written here is as old as can be."""
    name, _, stamp = line.rpartition(" ")
    try:
        return name, datetime.strptime(stamp, STAMP)  # noqa: DTZ007  # naive UTC, as everywhere
    except ValueError:
        return name, datetime.min  # noqa: DTZ901
