"""The embedded store: the same tables in a SQLite file, made by the same migrations.

https://www.sqlite.org/lang_upsert.html (3.24 or newer), https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from mattermod_action.adapters.prune import EVER, SHORTEST, prune
from mattermod_action.adapters.schema import create_book, steps_of_all
from mattermod_action.adapters.sql import SqlStore
from mattermod_action.adapters.state_file import prepare
from mattermod_action.adapters.statements import Dialect
from mattermod_action.errors import Down, MattermodError, Mistake
from mattermod_action.ports import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mattermod_action.ports import Clock

PATIENCE = 30.0  # seconds to wait for another process that writes
CLOSED_FOR, UNTOUCHED_FOR = timedelta(days=SHORTEST), timedelta(days=400)
PAUSE = 0.02  # seconds between two tries
PRIMARY = 0xFF  # the part of an extended result code that says what kind it is: https://www.sqlite.org/rescode.html
T = TypeVar("T")


class SQLiteStore(SqlStore):
    """Connects, and makes the file and its tables, when the first statement runs."""

    durable = False
    dialect = Dialect(
        now="strftime('%Y-%m-%d %H:%M:%f', 'now', {shift} || ' seconds')",
        ignore="ON CONFLICT ({key}) DO NOTHING",
        upsert="ON CONFLICT ({key}) DO UPDATE SET",
        new="excluded.{name}",
    )

    def __init__(self, path: Path, clock: Clock, workspace: Path | None = None) -> None:
        super().__init__(clock)
        self._path, self._workspace = path, workspace
        self._connection: sqlite3.Connection | None = None

    def execute(self, sql: str, values: Mapping[str, Any]) -> tuple[int, list[tuple[Any, ...]]]:
        try:
            return _patiently(lambda: self._attempt(sql, values))
        except OSError as error:
            raise Down(f"the state file {self._path} cannot be used: {error.strerror}") from error
        except sqlite3.OperationalError as error:  # locked, read-only, disk full, unable to open
            raise Down(f"the state file {self._path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise Mistake(f"input `state`: {self._path} is not a state file of this action: {error}") from error

    def _attempt(self, sql: str, values: Mapping[str, Any]) -> tuple[int, list[tuple[Any, ...]]]:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.execute(sql, {name: _plain(value) for name, value in values.items()})
        return cursor.rowcount, cursor.fetchall()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(MattermodError):  # whatever it is, the next run does it
                self._forget_what_is_old()
            self._connection.close()
            self._connection = None

    def _forget_what_is_old(self) -> None:
        """Nothing grows for ever on a runner that stays. Forgotten rows are as if the file had been lost."""
        self.execute("BEGIN IMMEDIATE", {})  # one commit for all of it; closing without one takes it back
        prune(self, self._clock, CLOSED_FOR)
        prune(self, self._clock, UNTOUCHED_FOR, EVER)
        before = self._clock.now() - UNTOUCHED_FOR
        for table, column in (("mm_picks", "updated_at"), ("mm_lists", "read_at"), ("mm_leases", "lease_until")):
            self.execute(f"DELETE FROM {table} WHERE {column} < :before", {"before": before})  # noqa: S608  # constants
        unfinished = "DELETE FROM mm_ledger WHERE updated_at < :before AND state IN ('intent', 'sent')"
        self.execute(unfinished, {"before": before})
        self.execute("COMMIT", {})

    def _connect(self) -> sqlite3.Connection:
        prepare(self._path, self._workspace)
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        try:
            if _version(connection) < SCHEMA:
                _create(connection)
        except sqlite3.Error:
            connection.close()  # with the transaction that it may be in
            raise
        return connection


def _patiently(act: Callable[[], T]) -> T:
    """SQLite itself does not wait where that might deadlock, as when several open a new file (SQLITE_BUSY, WAL)."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def _create(connection: sqlite3.Connection) -> None:
    """Run the migrations that are missing; who comes second waits and finds nothing to do."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    create_book(connection)
    for number, steps in steps_of_all():
        if number > _version(connection):
            for apply, _ in steps:
                apply(connection)
            connection.execute(
                "INSERT INTO mm_schema (version, name, dirty) VALUES (?, ?, 0)", (number, f"{number:04}")
            )
            connection.execute(f"PRAGMA user_version = {number:d}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _plain(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value
