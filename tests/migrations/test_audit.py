"""infra/mysql: who has written which row, and what an account of one repository may do."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.effects import Comment
from mattermod_action.world import RealClock
from tests.stores.contract import PULL

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database

FILES = Path(__file__).parents[2] / "infra/mysql"


def run(database: Database, *statements: str) -> list[Any]:
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def statements(name: str, **words: str) -> list[str]:
    text = re.sub(r"--.*", "", (FILES / name).read_text())
    for word, value in words.items():
        text = text.replace(f"<{word}>", value)
    return [each.strip() for each in text.split(";") if each.strip()]


@pytest.mark.parametrize("times", [1, 2])
def test_t02d_the_audit_says_who_has_written_which_row(database: Database, times: int) -> None:
    """By the account that connects, which may neither read it nor take it back; it may be applied once more."""
    account = f"of_hello_{times}"
    for _ in range(times):
        run(database, *statements("audit.sql"))
        words = {"database": database.name, "account": account, "password": "secret"}
        run(database, *(each.replace(" REQUIRE SSL", "") for each in statements("accounts.sql", **words)))
    theirs = replace(database, user=account, password="secret")
    store = MySQLStore(theirs, RealClock())
    with closing(store):
        store.look(PULL, ["x"])
        store.remember(PULL)
        effect = Comment(subject=PULL, text="x", feature="f", once=("x",))
        assert store.claim(effect, "me")
        store.ask_picks(PULL, ["release-10.5"], "maintainer", ("comment", 5))
        assert store.take_lease("x", "me", 5).fence == 1
        assert store.forget(effect.key, "me", 1)
    found = run(
        database, "SELECT SUBSTRING_INDEX(account, '@', 1), change_of, change_is, number FROM mm_audit ORDER BY id"
    )
    assert found == [
        (account, "mm_ledger", "INSERT", PULL.number),
        (account, "mm_picks", "INSERT", PULL.number),
        (account, "mm_ledger", "DELETE", PULL.number),
    ]
    for forbidden in ("SELECT * FROM mm_audit", "DELETE FROM mm_audit", "DELETE FROM mm_schema", "DROP TABLE mm_picks"):
        with pytest.raises(pymysql.MySQLError, match=r"denied"):
            run(theirs, forbidden)
