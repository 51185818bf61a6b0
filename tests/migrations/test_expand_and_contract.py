"""Repositories pin different versions of this action on one database: each works one schema back and one ahead."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters import schema
from mattermod_action.ports import SCHEMA
from sandbox import payloads
from tests import servers
from tests.harness import Bot

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox

NEXT = SCHEMA + 1
# A next version may add tables, columns with a default, and wider columns; those are the rules it has to keep.
FUTURE = f"""
from mattermod_action.adapters.schema import add_column, create_table, drop_column, drop_table, keep, widen

__depends__ = {{"{schema.files()[-1][1].stem}"}}
__transactional__ = False
steps = [
    step(add_column("PullRequests", "Mood", "varchar(9) NOT NULL DEFAULT 'good'"), drop_column("PullRequests", "Mood")),
    step(add_column("mm_ledger", "mood", "varchar(16) NOT NULL DEFAULT 'good'"), drop_column("mm_ledger", "mood")),
    step(widen("PullRequests", "Username", 255), keep),
    step(create_table("mm_moods", {{"k": "int NOT NULL"}}, ("k",)), drop_table("mm_moods")),
]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The migrations of a version that does not exist yet."""
    made = tmp_path / "migrations"
    shutil.copytree(schema.folder(), made)
    (made / f"{NEXT:04}.future.py").write_text(FUTURE)
    return made


@pytest.mark.parametrize("number", [SCHEMA - 1, SCHEMA, NEXT])
def test_y09_this_version_works_on_its_neighbours(
    mysql_server: servers.Server, github: Sandbox, tmp_path: Path, folder: Path, number: int
) -> None:
    """Y-09, MM-69: one schema older and one newer. From label to comment, once more, and a sweep."""
    database = mysql_server.new_database()
    migrator = servers.migrator(database, folder=folder)
    migrator.goto(number)
    bot = Bot(github.url, github.token, tmp_path, servers.url(database))
    event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    for _ in range(2):
        run = bot.run("pull_request_target", event)
        assert run.code == 0, run.log
    swept = bot.run("schedule", {}, GITHUB_REPOSITORY=github.repository)
    assert swept.code == 0, swept.log
    assert len(github.state.item(github.repository, github.pull).comments) == 1
    assert migrator.version() == (number, False)


def test_a_rollback_is_made_by_the_newer_version(mysql_server: servers.Server, folder: Path) -> None:
    database = mysql_server.new_database()
    newer, older = servers.migrator(database, folder=folder), servers.migrator(database)
    newer.up()
    line = rf"has migration {NEXT:04}\.future, .* ends at {SCHEMA:04}"
    with pytest.raises(Exception, match=line):
        older.down()
    assert [move.number for move in newer.down()] == [NEXT]
    assert older.up() == []
