"""What docs/operating.md tells an operator to type, typed on a real server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.mysql import connect
from mattermod_action.ports import SCHEMA
from tests import servers
from tests.migrations.test_migrations import content, rows, seed, shape

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- {name}: .*? -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def typed(line: str, database: Database) -> str:
    program, *words = shlex.split(line)
    assert program == "mattermod"
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": servers.url(database)}
    ran = subprocess.run(
        [sys.executable, "-m", "mattermod_action", *words], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{line}\n{ran.stderr}"
    return ran.stdout


def test_the_series_on_the_page(database: Database) -> None:
    """Up, up, down, down, up, with `force` between: the same schema, and the rows of every table that no step drops."""
    seed(database)
    before, held = shape(database), content(database)
    for line in block("series").splitlines():
        shown = typed(line, database)
    assert f"The database has schema {SCHEMA}." in shown
    assert shape(database) == before
    dropped = ("mm_lists.", "mm_sweeps.", "PullRequests.SweptAt", "Issues.SweptAt", "mm_approvals.", ".origin")
    assert all(
        content(database)[name] == values for name, values in held.items() if not any(each in name for each in dropped)
    )


def test_the_accounts_on_the_page_are_enough_and_not_too_much(mysql_server: servers.Server) -> None:
    """S-11: the account of the runs can change no table; that of migrate can do all of it, and nothing elsewhere."""
    made = mysql_server.new_database()
    mark = made.name[-6:]
    with closing(connect(replace(made, name="mysql"))) as connection, connection.cursor() as cursor:
        for statement in block("grants").split(";\n"):
            cursor.execute(
                statement.replace("mattermod.*", f"{made.name}.*")
                .replace("'mattermod'", f"'run_{mark}'")
                .replace("'mattermod_migrate'", f"'mig_{mark}'")
            ) if statement.strip() else None
    migrating = replace(made, user=f"mig_{mark}", password="another one")
    migrator = servers.migrator(migrating)
    migrator.up()
    migrator.down()
    migrator.up()
    running = replace(made, user=f"run_{mark}", password="a long random password")
    with pytest.raises(Exception, match="1142"):
        rows(running, "ALTER TABLE Issues ADD COLUMN x int")
    assert rows(running, "SELECT COUNT(*) FROM mm_ledger") == [(0,)]
    for account in (running, migrating):
        with pytest.raises(Exception, match=r"1044|1142"):
            rows(account, "SELECT * FROM mysql.user")


def test_prune_is_one_line(database: Database) -> None:

    assert typed("mattermod prune --older-than 400d", database) == "0 items and 0 rows of the ledger are gone\n"
