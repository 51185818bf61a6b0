"""The stores' contract and the migrations on Oracle's MySQL 9, with a password in its default authentication."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.database_url import Database
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.ports import SCHEMA
from tests import servers
from tests.stores.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mattermod_action.ports import Clock, Store

PASSWORD = "caching_sha2: %/@"
START = 120.0  # seconds


@pytest.fixture(scope="session")
def mysql9(mysql9_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Start the server in its own root, on a free port of loopback."""
    port = servers.free_port()
    data = f"/mysql-{port}"
    (mysql9_root / "tmp/init.sql").write_text(
        f"CREATE USER 'admin'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;"
    )
    server = ["chroot", str(mysql9_root), "mysqld", "--no-defaults", "--secure-file-priv=", "--user=root"]
    options = [f"--datadir={data}", f"--socket=/tmp/{port}", f"--pid-file=/tmp/{port}.pid", "--mysqlx=OFF"]
    subprocess.run([*server, *options, "--initialize-insecure"], check=True, capture_output=True)
    log = tmp_path_factory.mktemp("mysql9") / "log"
    process = subprocess.Popen(
        [*server, *options, f"--port={port}", "--bind-address=127.0.0.1", "--init-file=/tmp/init.sql"],
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
    )
    database = Database("127.0.0.1", port, "admin", "mysql", PASSWORD)
    try:
        servers.wait(database, process, log, START)
        yield servers.Server(database)
    finally:
        process.kill()
        process.wait()
        subprocess.run(["rm", "-rf", f"{mysql9_root}{data}"], check=True)


@pytest.fixture
def database(mysql9: servers.Server) -> Database:
    return mysql9.migrated()


class TestMySQL9(StoreContract):
    @pytest.fixture
    def open_store(self, database: Database) -> Callable[[Clock], Store]:
        return partial(MySQLStore, database)


def test_it_is_oracles(database: Database) -> None:
    with connect(database).cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@version_comment")
        [(version, comment)] = cursor.fetchall()
    assert int(version.split(".")[0]) >= 9
    assert "MariaDB" not in version + comment


def test_migrations_twice(mysql9: servers.Server) -> None:
    empty = mysql9.new_database()
    migrator = servers.migrator(empty)
    assert [move.number for move in migrator.up()] == list(range(1, SCHEMA + 1))
    assert migrator.up() == []
    assert migrator.version() == (SCHEMA, False)


def test_tls_that_is_not_checked_is_tls_all_the_same(database: Database) -> None:
    with connect(replace(database, tls="insecure")).cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        [(_, cipher)] = cursor.fetchall()
    assert cipher
