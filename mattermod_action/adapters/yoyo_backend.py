"""yoyo's MySQL backend on a connection of ours, with what yoyo 9 does wrong on MySQL put right.

It hides a migration's own error behind `1305 SAVEPOINT does not exist`, without transactions it never commits, its
lock is a row that a killed process leaves behind, and it cannot go on from tables of its own that are half made.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymysql
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import DatabaseURI

from mattermod_action.adapters.mysql import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection
    from yoyo.migrations import Migration

    from mattermod_action.adapters.database_url import Database

DDL_WAIT = 60  # seconds for a table that a reader holds; the servers' own default is a day or a year
NO_SAVEPOINT = 1305


class Backend(MySQLBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo's MySQL backend on our own connection, with the true errors and nothing lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        super().__init__(DatabaseURI("mysql", None, None, None, None, database.name, {}), "_yoyo_migration")

    def connect(self, dburi: object) -> Connection:  # noqa: ARG002  # ours knows more than a URI can say
        connection = connect(self._database, read_timeout=None)  # an ALTER takes what it takes
        connection.autocommit(False)  # noqa: FBT003  # PyMySQL's own signature; yoyo commits
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = %s", (DDL_WAIT,))
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
        self.connection.autocommit(True)  # noqa: FBT003  # PyMySQL's own signature
        try:
            yield
        finally:
            self.connection.autocommit(False)  # noqa: FBT003  # PyMySQL's own signature

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:  # noqa: ARG002  # yoyo's signature
        """Ours is held already, and does not outlive its holder."""
        yield

    def clear_half_made(self) -> None:
        """Drop yoyo's own tables when whoever made them was killed: it cannot go on from there, and they hold nothing.

        With the version, which yoyo notes last, they are whole; the oldest alone is what it goes on from.
        """
        there = {self.migration_table, self.log_table, self.version_table} & set(self.list_tables())
        if there <= {self.migration_table}:
            return
        if self.version_table in there and self.execute(f"SELECT version FROM {self.version_table}").fetchone():  # noqa: S608  # yoyo's constant
            return
        for table in there:
            self.execute(f"DROP TABLE {table}")

    def mark(self, migration: Migration, *, applied: bool) -> None:
        """Keep yoyo's own table true, whatever stands there."""
        with self.transaction():
            self.unmark_one(migration, log=False)
            if applied:
                self.mark_one(migration, log=False)


@contextmanager
def opened(database: Database) -> Iterator[Backend]:
    """yoyo, with its own tables there."""
    backend = Backend(database)
    try:
        backend.init_database()
        backend.clear_half_made()
        backend.ensure_internal_schema_updated()
        yield backend
    finally:
        backend.connection.close()
