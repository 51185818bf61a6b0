"""The words that migrations are written in. They know both dialects, and look before they act.

Looking first makes every step repeatable, on the original's tables as well as after a run that died half-way;
`IF NOT EXISTS` for columns is MariaDB's alone, so it is never used.
"""

from __future__ import annotations

import re
import runpy
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def _nothing(_connection: Any) -> str:
    return ""


@dataclass(frozen=True)
class Step:
    """One change that may be run again. It is called with a connection, by yoyo and by the embedded store.

    `loses` says what rows it would take away ("12 rows of mm_ledger"), "" for none. `forbidden` is why it must not take
    any away, whoever confirms it.
    """

    act: Callable[[Any], None]
    loses: Callable[[Any], str] = _nothing
    forbidden: str = ""

    def __call__(self, connection: Any) -> None:
        self.act(connection)


Pair = tuple[Step, Step]

# MySQL's definitions, and SQLite's where it does not understand MySQL's. Keys are compared byte by byte.
DIGEST = "char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"  # hexadecimal
NAME = "varbinary(255) NOT NULL"  # UTF-8, folded by us
SQLITE = {DIGEST: "text NOT NULL", NAME: "text NOT NULL"}
OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"  # known from MySQL 5.5 to 9

_FILE = re.compile(r"(\d{4})\..+\.py")


def folder() -> Path:
    """Where the migrations are: beside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def files(place: Path | None = None) -> list[tuple[int, Path]]:
    """Return number and file of each migration, in order."""
    found = ((_FILE.fullmatch(path.name), path) for path in sorted((place or folder()).iterdir()))
    return [(int(match[1]), path) for match, path in found if match]


def steps_of_all() -> list[tuple[int, list[Pair]]]:
    """Return each migration's steps, by number, without yoyo, which takes longer to import than to be useful here.

    yoyo's loader puts `step` into the namespace of a migration before it runs it, and so do we.
    """
    return [(number, steps_of(path)) for number, path in files()]


def steps_of(path: Path) -> list[Pair]:
    """Return the pairs of apply and rollback of one migration file."""
    found: list[Pair] = []
    runpy.run_path(str(path), init_globals={"step": lambda apply, rollback: found.append((apply, rollback))})
    return found


def create_table(name: str, columns: dict[str, str], key: tuple[str, ...], unique: tuple[str, ...] = ()) -> Step:
    """`unique` is one more key beside the primary one."""

    def act(connection: Any) -> None:
        if not columns_of(connection, name):
            run(connection, _create(connection, name, columns, (key, unique)))

    return Step(act)


def drop_table(name: str, *, forbidden: str = "") -> Step:
    def act(connection: Any) -> None:
        if columns_of(connection, name):
            run(connection, f"DROP TABLE {name}")

    def loses(connection: Any) -> str:
        return _counted(connection, name, "") if columns_of(connection, name) else ""

    return Step(act, loses, forbidden)


def add_column(table: str, column: str, definition: str) -> Step:
    def act(connection: Any) -> None:
        if column not in columns_of(connection, table):
            run(connection, f"ALTER TABLE {table} ADD COLUMN {column} {definition}")

    return Step(act)


def drop_column(table: str, column: str) -> Step:
    def act(connection: Any) -> None:
        if column in columns_of(connection, table):
            run(connection, f"ALTER TABLE {table} DROP COLUMN {column}")

    def loses(connection: Any) -> str:
        return _counted(connection, table, column) if column in columns_of(connection, table) else ""

    return Step(act, loses)


def add_index(table: str, name: str, columns: tuple[str, ...]) -> Step:
    def act(connection: Any) -> None:
        if name not in _indexes_of(connection, table):
            run(connection, f"CREATE INDEX {name} ON {table} ({', '.join(columns)})")

    return Step(act)


def drop_index(table: str, name: str) -> Step:
    def act(connection: Any) -> None:
        if name in _indexes_of(connection, table):
            run(connection, f"DROP INDEX {name}" + ("" if _is_sqlite(connection) else f" ON {table}"))

    return Step(act)


def widen(table: str, column: str, characters: int) -> Step:
    """Make a varchar column hold `characters`, never fewer than it does. SQLite holds any number."""

    def act(connection: Any) -> None:
        if not _is_sqlite(connection) and columns_of(connection, table)[column] < characters:
            run(connection, f"ALTER TABLE {table} MODIFY COLUMN {column} varchar({characters:d})")

    return Step(act)


def _stay(_connection: Any) -> None:
    pass


keep = Step(_stay)  # a rollback that leaves things as they are, because going back would lose what they hold


def _counted(connection: Any, table: str, column: str) -> str:
    """Say how many rows of `table` hold something (in `column`, when one is named)."""
    where = f" WHERE {column} IS NOT NULL" if column else ""
    cursor = connection.cursor()
    cursor.execute(f"SELECT COUNT(*) FROM {table}{where}")  # noqa: S608  # names from migrations
    [count] = cursor.fetchone()
    cursor.close()
    return f"{count} rows of {table}{f'.{column}' if column else ''}" if count else ""


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


def _indexes_of(connection: Any, table: str) -> set[str]:
    if _is_sqlite(connection):
        return {row[1] for row in connection.execute(f"PRAGMA index_list({table})")}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
            (table,),
        )
        return {name for (name,) in cursor.fetchall()}


def run(connection: Any, sql: str) -> None:
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _create(connection: Any, name: str, columns: dict[str, str], keys: tuple[tuple[str, ...], ...]) -> str:
    is_sqlite = _is_sqlite(connection)
    lines = [f"{column} {SQLITE.get(kind, kind) if is_sqlite else kind}" for column, kind in columns.items()]
    for kind, key in zip(("PRIMARY KEY", "UNIQUE"), keys, strict=True):
        lines += [f"{kind} ({', '.join(key)})"] if key else []
    return f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(lines)}) {'' if is_sqlite else OPTIONS}"


def _is_sqlite(connection: Any) -> bool:
    return isinstance(connection, sqlite3.Connection)


# What `migrate` itself needs before the first migration runs: which ones a database has had and which one it is in the
# middle of, and the table of leases, one of which it holds.
BOOK = {
    "version": "int NOT NULL",
    "name": "varchar(128) NOT NULL",
    "checksum": "varchar(64) NOT NULL DEFAULT ''",
    "dirty": "tinyint(1) NOT NULL",
    "doing": "varchar(8) NOT NULL DEFAULT ''",
    "step": "int NOT NULL DEFAULT 0",
    "action": "varchar(32) NOT NULL DEFAULT ''",
    "run_url": "varchar(2083) NOT NULL DEFAULT ''",
    "started_at": "datetime(6) DEFAULT NULL",
    "applied_at": "datetime(6) DEFAULT NULL",
}
LEASES = {
    "name": NAME,
    "owner": "varchar(255) NOT NULL",
    "fence": "bigint NOT NULL",
    "lease_until": "datetime(6) NOT NULL",
}
create_leases = create_table("mm_leases", LEASES, ("name",))


def create_book(connection: Any) -> None:
    """Make the table, or add what an earlier version's lacks."""
    create_table("mm_schema", BOOK, ("version",))(connection)
    for column in ("doing", "step", "action"):
        add_column("mm_schema", column, BOOK[column])(connection)
