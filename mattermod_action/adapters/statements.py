"""What the statements of every table need: a dialect, the database's clock, and a way to run them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mattermod_action.ports import Clock

# Seconds: more than any lease or pause of ours lasts, so what ends later than that is nobody's who is at work.
LONGEST = 7_200.0
# Whatever reading a row raises that nobody of ours can have written.
ODD = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dialect:
    """`now` is the database's clock, moved by the parameter `shift_NAME`; `ignore` and `upsert` end an INSERT.

    `new` is the value of a column that an upsert would have inserted.
    """

    now: str
    ignore: str
    upsert: str
    new: str


class Statements:
    """What runs them; a subclass connects."""

    dialect: Dialect

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.odd: dict[str, str] = {}  # rows that cannot be ours, and why

    @cached_property
    def schema(self) -> int:
        """An older one lacks a column, and runs of two versions share a database."""
        return int(self.execute("SELECT MAX(version) FROM mm_schema", {})[1][0][0] or 0)

    @abstractmethod
    def execute(self, sql: str, values: Mapping[str, Any]) -> tuple[int, list[tuple[Any, ...]]]:
        """Run one statement with named parameters (`:name`); return row count and rows. Raises Mistake, Down."""

    def _believed(self, table: str, rows: Iterable[Sequence[Any]], read: Callable[[Sequence[Any]], T]) -> list[T]:
        """Read rows that begin with their keys. One that cannot be ours costs nothing but itself, and is named."""
        found = []
        for row in rows:
            try:
                found.append(read(row))
            except ODD as error:
                self.odd[f"{table} {str(row[0])[:64]}"] = f"{type(error).__name__}: {error}"[:200]
        return found

    def _runs(self, column: str) -> str:
        """Whether a lease runs, which `_shift` has the limits of."""
        return f"({column} > {self._now('now')} AND {column} <= {self._now('longest')})"

    def _is_over(self, column: str) -> str:
        return f"({column} IS NULL OR {column} <= {self._now('now')} OR {column} > {self._now('longest')})"

    def _now(self, name: str) -> str:
        return self.dialect.now.format(shift=f":shift_{name}")

    def _shift(self, **seconds: float) -> dict[str, Any]:
        """Parameters for `_now`: seconds from the database's clock, the simulated offset included."""
        offset = self._clock.offset.total_seconds()
        return {f"shift_{name}": offset + value for name, value in {"longest": LONGEST, **seconds}.items()}


def text(value: bytes | str) -> str:
    """A name as it was read: MySQL has those that are compared byte by byte as bytes."""
    return value.decode() if isinstance(value, bytes) else value


@overload
def moment(value: datetime | str) -> datetime: ...
@overload
def moment(value: datetime | str | None) -> datetime | None: ...
def moment(value: datetime | str | None) -> datetime | None:
    """A time as it was read: SQLite has it as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
