"""The words that migrations are written in. They know both dialects, and look before they act.

Looking first makes every step repeatable, on the original's tables as well as after a run that died half-way;
`IF NOT EXISTS` for columns is MariaDB's alone, so it is never used.
"""

from __future__ import annotations

import re
import runpy
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

Step = Callable[[Any], None]
Pair = tuple[Step, Step]

# MySQL's definition, and SQLite's where it does not understand MySQL's.
DIGEST = "char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"  # hexadecimal; compared byte by byte
SQLITE = {DIGEST: "text NOT NULL"}
OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"  # known from MySQL 5.5 to 9

_FILE = re.compile(r"(\d{4})\..+\.py")


def folder() -> Path:
    """Where the migrations are: beside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def files() -> list[tuple[int, Path]]:
    found = ((_FILE.fullmatch(path.name), path) for path in sorted(folder().iterdir()))
    return [(int(match[1]), path) for match, path in found if match]


def steps_of_all() -> list[tuple[int, list[Pair]]]:
    """Return each migration's steps, by number, without yoyo, which takes longer to import than to be useful here.

    yoyo's loader puts `step` into the namespace of a migration before it runs it, and so do we.
    """
    return [(number, _steps_of(path)) for number, path in files()]


def _steps_of(path: Path) -> list[Pair]:
    found: list[Pair] = []
    runpy.run_path(str(path), init_globals={"step": lambda apply, rollback: found.append((apply, rollback))})
    return found


def create_table(name: str, columns: dict[str, str], key: tuple[str, ...]) -> Step:
    def apply(connection: Any) -> None:
        if not columns_of(connection, name):
            run(connection, _create(connection, name, columns, key))

    return apply


def drop_table(name: str) -> Step:
    def apply(connection: Any) -> None:
        if columns_of(connection, name):
            run(connection, f"DROP TABLE {name}")

    return apply


def add_column(table: str, column: str, definition: str) -> Step:
    def apply(connection: Any) -> None:
        if column not in columns_of(connection, table):
            run(connection, f"ALTER TABLE {table} ADD COLUMN {column} {definition}")

    return apply


def drop_column(table: str, column: str) -> Step:
    def apply(connection: Any) -> None:
        if column in columns_of(connection, table):
            run(connection, f"ALTER TABLE {table} DROP COLUMN {column}")

    return apply


def widen(table: str, column: str, characters: int) -> Step:
    """Make a varchar column hold `characters`, never fewer than it does. SQLite holds any number."""

    def apply(connection: Any) -> None:
        if not _is_sqlite(connection) and columns_of(connection, table)[column] < characters:
            run(connection, f"ALTER TABLE {table} MODIFY COLUMN {column} varchar({characters:d})")

    return apply


def keep(connection: Any) -> None:
    """A rollback that leaves things as they are, because going back would lose what they hold."""


def columns_of(connection: Any, table: str) -> dict[str, int]:
    """Each column of `table` with its length in characters (0 when it has none); empty when there is no table."""
    if _is_sqlite(connection):
        return {row[1]: 0 for row in connection.execute(f"PRAGMA table_info({table})")}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COLUMN_NAME, CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
            (table,),
        )
        return {name: int(length or 0) for name, length in cursor.fetchall()}


def run(connection: Any, sql: str) -> None:
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _create(connection: Any, name: str, columns: dict[str, str], key: tuple[str, ...]) -> str:
    is_sqlite = _is_sqlite(connection)
    lines = [f"{column} {SQLITE.get(kind, kind) if is_sqlite else kind}" for column, kind in columns.items()]
    body = ", ".join([*lines, f"PRIMARY KEY ({', '.join(key)})"])
    return f"CREATE TABLE {name} ({body}) {'' if is_sqlite else OPTIONS}"


def _is_sqlite(connection: Any) -> bool:
    return isinstance(connection, sqlite3.Connection)


# Which migrations a database has had, and which one it is in the middle of. `migrate` makes it, no migration does.
BOOK = {
    "version": "int NOT NULL",
    "name": "varchar(128) NOT NULL",
    "checksum": "varchar(64) NOT NULL DEFAULT ''",
    "dirty": "tinyint(1) NOT NULL",
    "run_url": "varchar(2083) NOT NULL DEFAULT ''",
    "started_at": "datetime(6) DEFAULT NULL",
    "applied_at": "datetime(6) DEFAULT NULL",
}
create_book = create_table("mm_schema", BOOK, ("version",))
