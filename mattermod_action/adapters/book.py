"""What `migrate` keeps of a database: the table mm_schema, and the original's schema_migrations beside it.

A row says that a migration was applied, or, while it is dirty, at which step of going up or down it is. The mark is
durable before the step's first statement.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action import __version__
from mattermod_action.adapters import schema
from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pymysql.connections import Connection

ORIGINALS = (1, 2, 3)  # the versions that a database of the original can have


@dataclass(frozen=True)
class Row:
    """A migration that the database has had, or is in the middle of."""

    version: int
    name: str
    checksum: str
    dirty: bool
    doing: str
    step: int
    action: str
    run_url: str
    applied_at: datetime | None


COLUMNS = "version, name, checksum, dirty, doing, step, action, run_url, applied_at"


class Book:
    """Reads and writes both tables on one connection that commits each statement."""

    def __init__(self, connection: Connection, files: list[tuple[int, Path]], run_url: str) -> None:
        self._connection, self._run_url = connection, run_url
        self.files = dict(files)

    def rows(self) -> list[Row]:
        """Return them by number; none when `migrate` was never run here."""
        if "action" not in schema.columns_of(self._connection, "mm_schema"):
            return []
        return [Row(*row) for row in self._rows(f"SELECT {COLUMNS} FROM mm_schema ORDER BY version")]  # noqa: S608  # a constant of this file

    def version(self) -> int:
        return max((row.version for row in self.rows() if row.applied_at), default=0)

    def clean(self) -> set[int]:
        """Return the migrations that were applied whole, and as their files are now."""
        rows = (row for row in self.rows() if row.applied_at and not row.dirty and row.version in self.files)
        return {row.version for row in rows if row.checksum == self.checksum(row.version)}

    def prepare_lock(self) -> None:
        """Make the table that the lock is in; several may do so at once."""
        schema.create_leases(self._connection)

    def prepare(self) -> None:
        schema.create_book(self._connection)
        columns = {"version": "bigint NOT NULL", "dirty": "tinyint(1) NOT NULL"}
        schema.create_table("schema_migrations", columns, ("version",))(self._connection)

    def begin(self, number: int, doing: str) -> None:
        """Mark it dirty, going `up` or `down`."""
        self._write(
            "INSERT INTO mm_schema (version, name, checksum, dirty, doing, step, action, run_url, started_at) "
            "VALUES (%s, %s, %s, 1, %s, 0, %s, %s, UTC_TIMESTAMP(6)) "
            "ON DUPLICATE KEY UPDATE dirty = 1, doing = %s, step = 0, run_url = %s, started_at = UTC_TIMESTAMP(6)",
            number, self.files[number].stem, self.checksum(number), doing, __version__, self._run_url,
            doing, self._run_url,
        )  # fmt: skip

    def at(self, number: int, step: int) -> None:
        self._write("UPDATE mm_schema SET step = %s WHERE version = %s", step, number)

    def applied(self, number: int) -> None:
        """Note that it is applied, whatever was noted before."""
        columns = (self.files[number].stem, self.checksum(number), __version__, self._run_url)
        self._write(
            "INSERT INTO mm_schema "
            "(version, name, checksum, dirty, doing, step, action, run_url, started_at, applied_at) "
            "VALUES (%s, %s, %s, 0, '', 0, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) "
            "ON DUPLICATE KEY UPDATE name = %s, checksum = %s, action = %s, run_url = %s, dirty = 0, doing = '', "
            "step = 0, applied_at = UTC_TIMESTAMP(6)",
            number, *columns, *columns,
        )  # fmt: skip

    def gone(self, number: int) -> None:
        self._write("DELETE FROM mm_schema WHERE version = %s", number)

    def tell_operators(self) -> None:
        """Keep the original's table answering with the version; it is empty when there is none."""
        number = self.version()
        if number:
            self._write(
                "INSERT INTO schema_migrations (version, dirty) VALUES (%s, 0) ON DUPLICATE KEY UPDATE dirty = 0",
                number,
            )
        self._write("DELETE FROM schema_migrations WHERE version <> %s", number)

    def checksum(self, number: int) -> str:
        return hashlib.sha256(self.files[number].read_bytes()).hexdigest()

    def originals_version(self) -> int:
        """Return the version of a database that only the original's tool wrote, 0 when it did not. Raises Mistake."""
        if self.rows() or not schema.columns_of(self._connection, "schema_migrations"):
            return 0
        for version, dirty in self._rows("SELECT version, dirty FROM schema_migrations ORDER BY version DESC LIMIT 1"):
            if dirty:
                raise Mistake(
                    f"the original left version {version} of the database dirty: repair the table, set it right with "
                    "the original's tool (`migrate force`), and adopt it then"
                )
            if version not in ORIGINALS:
                raise Mistake(f"the original has no version {version}: this is not its database, so it is left alone")
            return int(version)
        return 0

    def check(self) -> None:
        """Refuse what must not be written to: newer, unfinished, with a gap, or edited. Raises Mistake."""
        rows = self.rows()
        self.check_newer()
        for row in rows:
            if row.dirty:
                raise Mistake(_unfinished(row))
        numbers = [row.version for row in rows]
        for expected, number in enumerate(numbers, 1):
            if number != expected:
                raise Mistake(
                    f"the database has migration {number} but not {expected}: find out why, then `migrate force V` "
                    "says what it really has"
                )
        for row in rows:
            if row.checksum and row.checksum != self.checksum(row.version):
                raise Mistake(
                    f"migration {row.name} was edited after it was applied: restore the file, or, if the tables are as "
                    f"it says now, `migrate force {numbers[-1]}`"
                )

    def check_newer(self) -> None:
        newest = max(self.files)
        if beyond := [row for row in self.rows() if row.version > newest]:
            raise Mistake(
                f"the database has migration {beyond[-1].name}, this version of the action ({__version__}) ends at "
                f"{newest:04}: migrate with {beyond[-1].action or 'a newer version'} or newer, also to go back"
            )

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def _write(self, sql: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)


def _unfinished(row: Row) -> str:
    before = row.version - 1
    way = f" It was begun by {row.run_url}." if row.run_url else ""
    return (
        f"migration {row.name} did not finish: it stopped going {row.doing or 'up'} at step {row.step}.{way} Each step "
        f"may be run again, so go on with `migrate force {before if row.doing != 'down' else row.version}` and then "
        f"`migrate {'up' if row.doing != 'down' else 'down'}`"
    )
