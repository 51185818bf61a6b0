"""Both stores keep the same promises; what only one of them can get wrong follows."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.adapters.sqlite import SQLiteStore
from mattermod_action.errors import Down, Mistake
from mattermod_action.ports import SCHEMA
from mattermod_action.world import RealClock
from tests.stores.contract import PULL, StoreContract, wish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.ports import Clock, Store


class TestSQLite(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[Clock], Store]:
        return partial(SQLiteStore, tmp_path / "deep" / "state.sqlite")


class TestMariaDB(StoreContract):
    @pytest.fixture
    def open_store(self, database: Database) -> Callable[[Clock], Store]:
        return partial(MySQLStore, database)


@pytest.mark.parametrize(
    ("version", "dirty", "error"),
    [
        (SCHEMA - 2, 0, "run the migrate workflow"),
        (SCHEMA - 1, 0, ""),
        (SCHEMA, 0, ""),
        (SCHEMA + 1, 0, ""),
        (SCHEMA + 2, 0, "use a newer version of the action"),
        (SCHEMA, 1, "did not finish"),
    ],
)
def test_y09_one_schema_older_or_newer_will_do(database: Database, version: int, dirty: int, error: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM mm_schema")
        cursor.execute("INSERT INTO mm_schema (version, name, dirty) VALUES (%s, 'x', %s)", (version, dirty))
    store = MySQLStore(database, RealClock())
    if not error:
        assert store.look(PULL, [wish().key]).schema == version
        return
    with pytest.raises(Down if dirty else Mistake, match=error):
        store.look(PULL, [wish().key])


def test_s11_an_account_that_can_only_read_and_write_rows_is_enough(database: Database) -> None:
    """S-11: the runtime's account runs everything, and can drop nothing."""
    admin = connect(database)
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE USER 'r{database.name[-8:]}'@'%' IDENTIFIED BY 'p'")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database.name}.* TO 'r{database.name[-8:]}'@'%'")
    mine = type(database)(database.host, database.port, f"r{database.name[-8:]}", database.name, "p")
    store = MySQLStore(mine, RealClock())
    store.look(PULL, [wish().key])
    store.remember(PULL)
    assert store.claim(wish(), "one")
    assert store.send(wish().key, "one", 1)
    assert store.confirm(wish().key, "one", 1, "u")
    with pytest.raises(Mistake, match="lacks a permission"):
        store.execute("DROP TABLE mm_ledger", {})


def test_f12_a_row_that_stays_locked_is_down_and_then_up_again(database: Database) -> None:
    store = MySQLStore(database, RealClock())
    store.claim(wish(), "one")
    store.execute("SET SESSION innodb_lock_wait_timeout = 1", {})
    other = connect(database)
    other.begin()
    with other.cursor() as cursor:
        cursor.execute("SELECT * FROM mm_ledger FOR UPDATE")
    with pytest.raises(Down, match="1205"):
        store.send(wish().key, "one", 1)
    other.rollback()
    assert store.send(wish().key, "one", 1)


@pytest.mark.parametrize("content", [b"no database at all, but a text of some length\n" * 40], ids=["text"])
def test_a_file_that_is_no_state_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(content)
    with pytest.raises(Mistake, match="input `state`"):
        SQLiteStore(path, RealClock()).look(PULL, ["x"])
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Down, match="state file"):
        SQLiteStore(tmp_path / "file" / "state.sqlite", RealClock()).look(PULL, ["x"])


def test_a_state_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = SQLiteStore(path, RealClock())
    store.look(PULL, ["x"])
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO mm_schema (version, name, dirty) VALUES (?, 'x', 0)", (SCHEMA + 2,))
    connection.execute(f"PRAGMA user_version = {SCHEMA + 2}")
    connection.commit()
    with pytest.raises(Mistake, match="newer version"):
        SQLiteStore(path, RealClock()).look(PULL, ["x"])
