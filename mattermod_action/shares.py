"""How long a repository may take in a sweep: once its share is over, nothing more is begun for it.

Nothing is cut off half-way by this: who is about to do something that may take long asks first.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mattermod_action.errors import Late

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS: ContextVar[float] = ContextVar("ends", default=math.inf)


class _Pace:
    """Trials wait less: each deadline is multiplied by `factor`."""

    factor = 1.0


def hurry(factor: float) -> None:
    """Multiply all deadlines from now on."""
    _Pace.factor = factor


def end(seconds: float) -> float:
    """Return when that time will be over, as time.monotonic() says it."""
    return time.monotonic() + seconds * _Pace.factor


@contextmanager
def share(seconds: float) -> Iterator[None]:
    """Begin nothing after that time; a share inside another ends with it."""
    before = _ENDS.set(min(_ENDS.get(), end(seconds)))
    try:
        yield
    finally:
        _ENDS.reset(before)


def is_over() -> bool:
    return time.monotonic() > _ENDS.get()


def check() -> None:
    """Raise Late once the share is over."""
    if is_over():
        raise Late
