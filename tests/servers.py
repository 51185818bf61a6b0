"""A MariaDB for the tests: the one that TEST_DATABASE_URL names, or Debian's, started on a free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pymysql

from mattermod_action.adapters.database_url import Database, parse
from mattermod_action.adapters.migrate import Migrator
from mattermod_action.adapters.mysql import connect
from mattermod_action.world import RealClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 60.0  # seconds a server may take to answer
SMALL = (
    "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--max-connections=300",
    "--skip-networking=0", "--bind-address=127.0.0.1", "--innodb-flush-method=nosync",
)  # fmt: skip


@dataclass
class Server:
    """A server whose account may create databases; `database` is the one to connect to for that."""

    database: Database

    def new_database(self) -> Database:
        """Create an empty database, in the server's own default character set."""
        name = f"mattermod_{uuid.uuid4().hex[:12]}"
        connection = connect(replace(self.database, name="mysql"))
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return replace(self.database, name=name)

    def migrated(self) -> Database:
        """Create a database with our tables, copied from one that was migrated: that takes a third of the time."""
        made, pattern = self.new_database(), self._pattern.name
        with contextlib.closing(connect(made)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW TABLES FROM {pattern}")
            for (table,) in cursor.fetchall():
                cursor.execute(f"CREATE TABLE {table} LIKE {pattern}.{table}")
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {pattern}.{table}")
        return made

    @cached_property
    def _pattern(self) -> Database:
        made = self.new_database()
        migrator(made).up()
        return made


def migrator(database: Database, **more: Any) -> Migrator:
    """What `mattermod migrate` works with, on this database."""
    return Migrator(database, RealClock(), **more)


def url(database: Database) -> str:
    password = f":{quote(database.password, safe='')}" if database.password else ""
    return f"mysql://{database.user}{password}@{database.host}:{database.port}/{database.name}"


@contextlib.contextmanager
def server(home: Path, *options: str) -> Iterator[Server]:
    """Raise RuntimeError when there is none: a test that could not run has failed."""
    if (given := os.environ.get("TEST_DATABASE_URL")) and not options:
        yield Server(parse(given)[0])
        return
    with _mariadb(home, *options) as running:
        yield running


@contextlib.contextmanager
def _mariadb(home: Path, *options: str) -> Iterator[Server]:
    if not (binary := shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")):
        raise RuntimeError("no MariaDB: run `make test`, which installs it, or set TEST_DATABASE_URL")
    data, port = home / "data", free_port()
    # A folder of its own for temporary tables: a server that starts deletes those of others in a shared one.
    common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={home}", "--user=root"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    files = [f"--socket={home / 's'}", f"--pid-file={home / 'pid'}", f"--log-error={home}/log.err", f"--port={port}"]
    process = subprocess.Popen([binary, *common, *files, *SMALL, *options])
    try:
        wait(database := Database("127.0.0.1", port, "root", "mysql", ""), process, home / "log.err")
        yield Server(database)
    finally:
        process.kill()
        process.wait()


def wait(database: Database, process: subprocess.Popen[bytes], log: Path, seconds: float = START) -> None:
    """Return when it can be logged in to. Raises RuntimeError with the end of its log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connect(database).close()
        except pymysql.MySQLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
