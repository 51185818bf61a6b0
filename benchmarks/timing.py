"""Times whole processes, in random order, so that noise hits every variant alike."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WARM_UPS = 2


@dataclass
class Case:
    """A command to time; `before` runs ahead of each, untimed. `code` is the exit code that it must end with."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    code: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def once(self) -> float:
        if self.before:
            self.before()
        env = {"PATH": os.environ["PATH"], **self.environment}
        started = time.perf_counter()
        ended = subprocess.run(self.command, env=env, capture_output=True, check=False)
        taken = time.perf_counter() - started
        if ended.returncode != self.code:
            raise RuntimeError(f"{self.name}: exit {ended.returncode}: {ended.stdout.decode()}{ended.stderr.decode()}")
        return taken


def time_all(cases: Sequence[Case], rounds: int) -> None:
    """Run each case `rounds` times, shuffled anew in every round, after some that do not count."""
    for case in cases:
        for _ in range(WARM_UPS):
            case.once()
    order = list(cases)
    for _ in range(rounds):
        random.shuffle(order)
        for case in order:
            case.seconds.append(case.once())
