"""Faults as data: which call, which occurrence, before or after the change is made, and what goes wrong.

    Fault("reset", "POST", "/repos/*/issues/*/comments", when="after")

What each kind imitates is listed in sandbox/README.md. How a fault reaches the wire: `serving.py`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Literal, get_args

Kind = Literal[
    "status",  # `status` (500 unless given): from 500 on a page of HTML, below GitHub's JSON
    "secondary-limit",  # 403 "secondary rate limit", with Retry-After if `retry_after` is given
    "primary-limit",  # 403 "API rate limit exceeded", remaining 0
    "query-limit",  # GraphQL's 200 with an error RATE_LIMITED; the hour's reset is in `seconds`
    "query-pause",  # GraphQL's 200 with a secondary rate limit, with Retry-After if `retry_after` is given
    "query-failed",  # GraphQL's 200 with an error that has no type, and no data
    "query-error",  # GraphQL's 200 with one error `message` of the type `type`, and no data
    "refused",  # `status` (403 unless given) with GitHub's JSON and `message`
    "too-many",  # 429, with Retry-After if `retry_after` is given
    "timeout",  # no answer for `seconds`, then the connection closes
    "reset",  # the connection is reset instead of an answer
    "cut",  # the connection closes in the middle of the answer's body
    "truncated",  # half of the JSON, as if it were all
    "empty",  # the right status and no body
    "html",  # the right status (or `status`) with a page of HTML
    "drip",  # the body comes in ten pieces over `seconds`
    "stale",  # a read is answered as it last was, if that is less than `seconds` ago
    "lag",  # all is well, but the new comment is missing from the next `reads` lists
]
CARRIED_OUT = ("lag", "drip", "stale")  # the call goes well, and only its answer is odd
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes `times` matching calls (0: all) from the `occurrence`-th on, counted from when it was added.

    `path` is a shell pattern over the decoded path without the query, in which `*` also spans slashes. `when` says
    whether the call's change is made: "before" is not, "after" is. CARRIED_OUT is always after.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    occurrence: int = 1
    times: int = 1
    when: When = "before"
    status: int = 0
    retry_after: str = ""
    seconds: float = 3600.0
    reads: int = 0
    message: str = ""
    type: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.when not in get_args(When):
            raise ValueError(f"no such fault: {self.kind!r} {self.when!r}")

    @property
    def commits(self) -> bool:
        return self.when == "after" or self.kind in CARRIED_OUT

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatchcase(path, self.path)

    def strikes(self, occurrence: int) -> bool:
        return occurrence >= self.occurrence and (not self.times or occurrence < self.occurrence + self.times)


class Faults:
    """The faults that wait for their call. Each counts its own matching calls; the first that strikes wins."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[tuple[Fault, list[int]]] = []

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._waiting += [(fault, [0]) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            return [{**dataclasses.asdict(fault), "seen": seen[0]} for fault, seen in self._waiting]

    def strike(self, method: str, path: str) -> Fault | None:
        """Count this call, and return the fault that strikes it."""
        found = None
        with self._lock:
            for fault, seen in self._waiting:
                if fault.matches(method, path):
                    seen[0] += 1
                    found = found or (fault if fault.strikes(seen[0]) else None)
        return found


def from_json(data: dict[str, Any]) -> Fault:
    """Raise ValueError for what is no fault."""
    try:
        return Fault(**data)
    except TypeError as error:
        raise ValueError(str(error)) from error
