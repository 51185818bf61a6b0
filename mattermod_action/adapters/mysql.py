"""The shared store: MySQL 5.7 or newer, MariaDB 10.5 or newer, through PyMySQL.

PyMySQL by default has no read time-out, encrypts without checking the certificate, and builds a TLS context (30 ms)
even where none is used. https://pymysql.readthedocs.io/en/latest/modules/connections.html
Error numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
"""

from __future__ import annotations

import re
import ssl
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import pymysql

from mattermod_action.adapters import deadlines
from mattermod_action.adapters.sql import RUN_MIGRATE, SqlStore
from mattermod_action.adapters.statements import Dialect
from mattermod_action.errors import Down, Mistake, Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from pymysql.connections import Connection

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.ports import Clock

CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30  # seconds
# The session's clock is UTC, and a value too long for its column is an error whatever the server's default is.
SESSION = "SET SESSION time_zone = '+00:00', sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')"
RETRY_PAUSES = (0.05, 0.2, 0.8)  # seconds; a deadlock or lock time-out rolled the one statement back
DEADLOCK, LOCK_TIMEOUT, CANNOT_CONNECT = 1213, 1205, 2003
GONE, LOST, TLS_FAILED, NO_TABLE, NO_COLUMN = 2006, 2013, 2026, 1146, 1054
# Errors that the user can mend, with what they mean.
ACCESS = {
    1044: "the account may not use the database",
    1045: "the server refuses the user or the password",
    1049: "there is no such database on the server",
    1142: "the account lacks a permission on a table: it needs SELECT, INSERT, UPDATE and DELETE",
    1698: "the server refuses the user or the password",
}
# Errors that pass by themselves, or by the hand of whoever runs the server.
PASSING = {
    1021: "has no space left",
    1040: "has too many connections",
    1047: "is cut off from its cluster",
    1290: "is read-only",
    1836: "is read-only",
    CANNOT_CONNECT: "cannot be reached",
    2006: "closed the connection",
    2013: "closed the connection",
}
_NAMED = re.compile(r":(\w+)")


class MySQLStore(SqlStore):
    """Connects when the first statement runs. Statements commit at once."""

    durable = True
    dialect = Dialect(
        now="TIMESTAMPADD(MICROSECOND, {shift} * 1000000, UTC_TIMESTAMP(6))",
        ignore="ON DUPLICATE KEY UPDATE {key} = {key}",
        upsert="ON DUPLICATE KEY UPDATE",
        new="VALUES({name})",
    )

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(clock)
        self._database = database
        self._connection: Connection | None = None

    def execute(self, sql: str, values: Mapping[str, Any]) -> tuple[int, list[tuple[Any, ...]]]:
        for pause in (*RETRY_PAUSES, None):
            try:
                return self._attempt(sql, values)
            except pymysql.MySQLError as error:
                if pause is None or _number(error) not in (DEADLOCK, LOCK_TIMEOUT):
                    self.close()  # it may be broken, or lead to a server that is not the first any more
                    raise_for(error)
                time.sleep(pause)
            except BaseException:  # a signal: what is asked next would get the answer to this
                self.close()
                raise
        raise AssertionError("unreachable: the last pause is None")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attempt(self, sql: str, values: Mapping[str, Any]) -> tuple[int, list[tuple[Any, ...]]]:
        if self._connection is None:
            self._connection = connect(self._database)
        with deadlines.answer(READ_TIMEOUT, shared=False), self._connection.cursor() as cursor:
            count = cursor.execute(_for_pymysql(sql), dict(values))
            return count, list(cursor.fetchall())


@lru_cache(maxsize=64)
def _for_pymysql(sql: str) -> str:
    """Its way of naming parameters; a loop over the same statement should not pay for that each time."""
    return _NAMED.sub(r"%(\1)s", sql)


def connect(database: Database, *, read_timeout: float | None = READ_TIMEOUT) -> Connection:
    """Open a connection that commits each statement. Raises pymysql.MySQLError."""
    connection = pymysql.connect(
        defer_connect=True,
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.name,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        write_timeout=READ_TIMEOUT,
        init_command=SESSION,
        **_tls(database),
    )
    if connection.ssl:
        deadlines.limited(connection.ctx)  # type: ignore[attr-defined]  # the stubs lack it
    with deadlines.answer(READ_TIMEOUT, shared=False):
        connection.connect(_dialled(database))
    return connection


def _dialled(database: Database) -> socket.socket:
    try:
        return deadlines.dial(database.host, database.port, CONNECT_TIMEOUT)
    except OSError as error:
        raise pymysql.OperationalError(CANNOT_CONNECT, f"cannot connect ({type(error).__name__})") from error


def _tls(database: Database) -> dict[str, Any]:
    """Verified TLS, unless the server is this machine or the user says otherwise."""
    if database.tls == "insecure":
        return {}  # PyMySQL's default: encrypted when the server can, checked never
    if database.is_loopback and not database.ca:
        return {"ssl_disabled": True}
    return {"ssl": _context(database.ca)}


def _context(ca: str) -> ssl.SSLContext:
    given = {"cadata": ca} if "-----BEGIN" in ca else {"cafile": ca or None}
    try:
        context = ssl.create_default_context(**given)
        # Python 3.13 asks of a certificate what those that database servers make for themselves do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    except (OSError, ValueError) as error:
        raise Mistake("input `database-ca` is neither a readable file nor a certificate in PEM form") from error
    return context


def raise_for(error: pymysql.MySQLError) -> NoReturn:
    """The one boundary at which the database's errors become ours. Values and passwords stay out of the texts."""
    number = _number(error)
    if number in ACCESS:
        raise Mistake(f"input `database-url`: {ACCESS[number]} ({number})") from error
    if number in (NO_TABLE, NO_COLUMN):
        raise Mistake(f"the database lacks a table or column of this action ({number}): {RUN_MIGRATE}") from error
    if number == TLS_FAILED or isinstance(error.__cause__, ssl.SSLError) or "SSL" in str(error):
        raise Mistake(
            "the database's TLS certificate cannot be verified: give its authority as the input `database-ca`, "
            "or accept the risk with `database-tls: insecure`"
        ) from error
    if isinstance(error, pymysql.DataError):
        raise Refused(f"the database cannot keep this: a value is too long, or of another kind ({number})") from error
    if isinstance(error, (pymysql.OperationalError, pymysql.InternalError)):
        what = PASSING.get(number, "does not answer as it should")
        raise Down(f"the database {what} ({number}); nothing more was done, run again") from error
    raise error


def _number(error: pymysql.MySQLError) -> int:
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0
