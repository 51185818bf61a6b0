"""Everybody on this machine may read the words of a command: what all processes were started with, for a while."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = 0.002  # seconds


class Watched:
    """Command lines as they were seen, those in containers among them, and what git had in its configuration."""

    def __init__(self) -> None:
        self.commands: set[str] = set()
        self.configurations: set[str] = set()

    def look(self) -> None:
        for process in (entry for entry in os.scandir("/proc") if entry.name.isdecimal()):
            with suppress(OSError):
                place = Path(process.path)
                words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
                self.commands.add(" ".join(words))
                if words[0].rpartition("/")[2].startswith("git"):
                    self._look_into(place)

    def _look_into(self, place: Path) -> None:
        """Every file of a running git's directory that is not an object, as its container has it."""
        variables = dict(each.partition("=")[::2] for each in (place / "environ").read_text().split("\0"))
        if folder := variables.get("GIT_DIR", "").strip("/"):
            for file in (place / "root" / folder).glob("*"):
                if file.is_file():
                    self.configurations.add(file.read_text(errors="replace"))


@contextmanager
def watched() -> Iterator[Watched]:
    """Look around for as long as the `with` lasts."""
    seen, stop = Watched(), threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.look()
            time.sleep(EVERY)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
