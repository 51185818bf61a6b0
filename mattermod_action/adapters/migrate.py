"""`mattermod migrate`: yoyo runs the migrations, this module makes it safe.

What yoyo 9 does wrong on MySQL, and what is done about it here: it hides a migration's own error behind
`1305 SAVEPOINT does not exist`; without transactions it loses data changes, because it never commits; its lock is a
row that a killed process leaves behind; it has no word for a migration that died half-way.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymysql
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import DatabaseURI

from mattermod_action.adapters import schema
from mattermod_action.adapters.mysql import ACCESS, PASSING, connect, raise_for
from mattermod_action.errors import Down, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection
    from yoyo.migrations import Migration

    from mattermod_action.adapters.database_url import Database

LOCK_WAIT = 300  # seconds to wait for another migrator
DDL_WAIT = 60  # seconds for a table that a reader holds; the servers' own default is a day or a year
NO_SAVEPOINT = 1305
OF_SERVER = range(1000, 2000)  # numbers of the server's own errors; those of the client library follow


class Backend(MySQLBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo's MySQL backend on our own connection, with the true errors and nothing lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        super().__init__(DatabaseURI("mysql", None, None, None, None, database.name, {}), "_yoyo_migration")

    def connect(self, dburi: object) -> Connection:  # noqa: ARG002  # ours knows more than a URI can say
        connection = connect(self._database)
        connection.autocommit(False)  # noqa: FBT003  # PyMySQL's own signature; yoyo commits
        return connection

    def copy(self) -> Backend:
        return Backend(self._database)

    def savepoint_rollback(self, id: str) -> None:  # noqa: A002  # yoyo's own name
        try:
            super().savepoint_rollback(id)
        except pymysql.MySQLError as error:
            if error.args[0] != NO_SAVEPOINT:  # DDL committed and took the savepoint with it: nothing to go back to
                raise

    @contextmanager
    def disable_transactions(self) -> Iterator[None]:
        self.rollback()
        self.connection.autocommit(True)  # noqa: FBT003
        try:
            yield
        finally:
            self.connection.autocommit(False)  # noqa: FBT003


def up(database: Database, run_url: str = "") -> list[str]:
    """Apply what is missing and return its names. Raises Mistake (dirty, newer than our files) and Down."""
    with _translated(), _locked(database) as connection:
        _prepare(connection)
        _refuse_unfinished(connection)
        backend, done = Backend(database), []
        backend.init_database()
        for migration in backend.to_apply(read_migrations(str(schema.folder()))):
            _apply(connection, backend, migration, run_url)
            done.append(migration.id)
        return done


def version(database: Database) -> tuple[int, bool]:
    """Return the newest version applied (0 for none) and whether a migration died half-way."""
    rows = status(database)
    applied = [row["version"] for row in rows if row["applied_at"]]
    return max(applied, default=0), any(row["dirty"] for row in rows)


def status(database: Database) -> list[dict[str, Any]]:
    """Return a row for each migration that we ship or the database has had."""
    with _translated(), _connected(database) as connection:
        known = {number: {"version": number, "name": path.stem} for number, path in schema.files()}
        for number, name, dirty, applied_at, run_url in _book(connection):
            known[number] = {
                "version": number,
                "name": name,
                "dirty": dirty,
                "applied_at": applied_at,
                "run_url": run_url,
            }
        empty = {"dirty": 0, "applied_at": None, "run_url": ""}
        return [{**empty, **known[number]} for number in sorted(known)]


def _apply(connection: Connection, backend: Backend, migration: Migration, run_url: str) -> None:
    """Mark dirty, run, mark done; the mark is durable before the first statement."""
    number = int(migration.id[:4])
    text = open(migration.path, "rb").read()  # noqa: SIM115, PTH123  # yoyo gives a path as text
    _run(
        connection,
        "INSERT INTO mm_schema (version, name, checksum, dirty, run_url, started_at) "
        "VALUES (%s, %s, %s, 1, %s, UTC_TIMESTAMP(6))",
        number, migration.id, hashlib.sha256(text).hexdigest(), run_url,
    )  # fmt: skip
    backend.apply_one(migration)
    _run(connection, "UPDATE mm_schema SET dirty = 0, applied_at = UTC_TIMESTAMP(6) WHERE version = %s", number)
    _tell_operators(connection, number)


def _tell_operators(connection: Connection, number: int) -> None:
    """Keep the table of the original's migration tool answering with the version."""
    _run(
        connection,
        "INSERT INTO schema_migrations (version, dirty) VALUES (%s, 0) ON DUPLICATE KEY UPDATE dirty = 0",
        number,
    )
    _run(connection, "DELETE FROM schema_migrations WHERE version <> %s", number)


def _prepare(connection: Connection) -> None:
    _run(connection, "SET SESSION lock_wait_timeout = %s", DDL_WAIT)
    schema.create_book(connection)
    schema.create_table(
        "schema_migrations", {"version": "bigint NOT NULL", "dirty": "tinyint(1) NOT NULL"}, ("version",)
    )(connection)


def _refuse_unfinished(connection: Connection) -> None:
    newest = max(number for number, _ in schema.files())
    for number, name, dirty, _, _ in _book(connection):
        if dirty:
            raise Mistake(f"migration {name} did not finish: nothing is migrated until it is repaired by hand")
        if number > newest:
            raise Mistake(
                f"the database has migration {name}, which is newer than this version's {newest:04}: use a newer one"
            )
    if rows := _rows(connection, "SELECT version FROM schema_migrations WHERE dirty"):
        raise Mistake(
            f"the original left version {rows[0][0]} of the database dirty: repair it with the original's tool first"
        )


def _book(connection: Connection) -> list[tuple[Any, ...]]:
    if not schema.columns_of(connection, "mm_schema"):
        return []
    return _rows(connection, "SELECT version, name, dirty, applied_at, run_url FROM mm_schema ORDER BY version")


@contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    """A named lock on a connection of its own: the server frees it as soon as its holder is gone."""
    with _connected(database) as connection:
        connection.read_timeout = LOCK_WAIT + 10  # type: ignore[attr-defined]
        name = "mattermod:" + hashlib.sha256(database.name.encode()).hexdigest()[:40]
        if _rows(connection, "SELECT GET_LOCK(%s, %s)", name, LOCK_WAIT) != [(1,)]:
            raise Down(f"another migration is at work and did not finish in {LOCK_WAIT} seconds; run again")
        yield connection


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    connection = connect(database)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _translated() -> Iterator[None]:
    """An operator needs the server's own words, unless it is the connection that failed."""
    try:
        yield
    except pymysql.MySQLError as error:
        number, *words = error.args or (0,)
        if number in OF_SERVER and number not in (*ACCESS, *PASSING):
            raise Mistake(f"the database refused a migration ({number}): {' '.join(map(str, words))}") from error
        raise_for(error)


def _run(connection: Connection, sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _rows(connection: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
