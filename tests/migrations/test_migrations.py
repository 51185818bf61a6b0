"""`mattermod migrate` on an empty database, on the original's, twice, from four processes, and where it must refuse."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters import migrate, schema
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.errors import Mistake
from mattermod_action.ports import SCHEMA
from mattermod_action.world import RealClock
from tests import servers
from tests.stores.contract import PULL

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database

NAMES = [path.stem for _, path in schema.files()]

# What the original's migrations 1 and 2 make, in MySQL's own words.
ORIGINAL = """
CREATE TABLE PullRequests (RepoOwner varchar(128) NOT NULL, RepoName varchar(128) NOT NULL, FullName varchar(2083),
  Number int NOT NULL, Username varchar(128), Ref varchar(128), Sha varchar(48), Labels text, State varchar(8),
  BuildStatus varchar(8), BuildConclusion varchar(20), BuildLink text, URL varchar(2083),
  CreatedAt timestamp NULL, MaintainerCanModify tinyint(1), Merged tinyint(1),
  MilestoneNumber int, MilestoneTitle varchar(255), PRIMARY KEY (RepoOwner, RepoName, Number));
CREATE TABLE Issues (RepoOwner varchar(128) NOT NULL, RepoName varchar(128) NOT NULL, Number int NOT NULL,
  Username varchar(128), State varchar(8), Labels text, PRIMARY KEY (RepoOwner, RepoName, Number));
CREATE TABLE schema_migrations (version bigint NOT NULL, dirty tinyint(1) NOT NULL, PRIMARY KEY (version));
INSERT INTO PullRequests (RepoOwner, RepoName, Number, Labels, State) VALUES ('octo-org', 'hello', 7, '["A"]', 'open');
INSERT INTO Issues (RepoOwner, RepoName, Number, Labels, State) VALUES ('octo-org', 'hello', 5, '[]', 'open')
"""


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def shape(database: Database) -> list[tuple[Any, ...]]:
    """Every column of every table, and every key."""
    columns = rows(
        database,
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME, COLUMN_KEY "
        "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE '%yoyo%' "
        "ORDER BY TABLE_NAME, COLUMN_NAME",
    )
    return [column for column in columns if column[0] != "schema_migrations"]


@pytest.fixture
def empty(mysql_server: servers.Server) -> Database:
    return mysql_server.new_database()


def test_numbers_follow_each_other_and_depend_on_the_one_before() -> None:
    """Y-04: without `depends` yoyo applies 0002 without 0001."""
    assert [number for number, _ in schema.files()] == list(range(1, SCHEMA + 1))
    for before, (_, path) in zip(["", *NAMES], schema.files(), strict=False):
        expected = f'__depends__ = {{"{before}"}}' if before else "__depends__: set[str] = set()"
        assert expected in path.read_text()


def test_up_on_an_empty_database(empty: Database) -> None:
    assert migrate.version(empty) == (0, False)
    assert migrate.up(empty, "https://github.com/run/1") == NAMES
    assert migrate.version(empty) == (SCHEMA, False)
    assert [(row["name"], row["run_url"]) for row in migrate.status(empty)] == [
        (name, "https://github.com/run/1") for name in NAMES
    ]
    assert rows(empty, "SELECT version, dirty FROM schema_migrations") == [(SCHEMA, 0)]
    assert MySQLStore(empty, RealClock()).look(PULL, ["x"]).schema == SCHEMA


def test_up_again_changes_nothing(database: Database) -> None:
    before = shape(database)
    assert migrate.up(database) == []
    assert shape(database) == before


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_originals_database_is_taken_over_with_its_rows(empty: Database, database: Database, version: int) -> None:
    """At version 1 it has no milestones, at 3 (as at 2 here) no Spinmint; the outcome is the same."""
    for statement in ORIGINAL.split(";"):
        rows(empty, statement)
    rows(empty, f"INSERT INTO schema_migrations VALUES ({version}, 0)")  # noqa: S608  # a number
    if version == 1:
        rows(empty, "ALTER TABLE PullRequests DROP COLUMN MilestoneNumber, DROP COLUMN MilestoneTitle")
    migrate.up(empty)
    assert rows(empty, "SELECT Labels, UpdatedAt FROM PullRequests") == [('["A"]', None)]
    assert rows(empty, "SELECT Number FROM Issues") == [(5,)]
    assert rows(empty, "SELECT version, dirty FROM schema_migrations") == [(SCHEMA, 0)]
    mine, fresh = ({row[:3] for row in shape(each)} for each in (empty, database))
    assert mine == fresh


def test_columns_are_wide_enough_for_what_github_allows(database: Database) -> None:
    widths = {(row[0], row[1]): row[2] for row in shape(database)}
    assert widths["PullRequests", "Ref"] == "varchar(255)"
    assert widths["PullRequests", "Sha"] == "varchar(64)"
    assert widths["PullRequests", "BuildStatus"] == "varchar(20)"


def test_keys_are_compared_byte_by_byte(database: Database) -> None:
    [collation] = [row[4] for row in shape(database) if row[:2] == ("mm_ledger", "k")]
    assert collation in (None, "ascii_bin", "utf8mb4_bin")


def test_f19_four_migrators_at_once(empty: Database) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        done = [name for names in pool.map(migrate.up, [empty] * 4) for name in names]
    assert sorted(done) == NAMES
    assert migrate.version(empty) == (SCHEMA, False)


def test_y02_a_dirty_database_is_refused_and_left_alone(database: Database) -> None:
    rows(database, "UPDATE mm_schema SET dirty = 1, applied_at = NULL WHERE version = 4")
    with pytest.raises(Mistake, match=r"migration 0004\.ledger did not finish"):
        migrate.up(database)
    with pytest.raises(Mistake, match="did not finish"):
        MySQLStore(database, RealClock()).look(PULL, ["x"])
    assert migrate.version(database) == (3, True)


def test_a_dirty_original_is_refused(empty: Database) -> None:
    for statement in ORIGINAL.split(";"):
        rows(empty, statement)
    rows(empty, "INSERT INTO schema_migrations VALUES (2, 1)")
    with pytest.raises(Mistake, match="the original left version 2 of the database dirty"):
        migrate.up(empty)


def test_a_newer_database_is_refused(database: Database) -> None:
    rows(database, "INSERT INTO mm_schema (version, name, dirty) VALUES (99, '0099.future', 0)")
    with pytest.raises(Mistake, match=r"migration 0099\.future, which is newer"):
        migrate.up(database)


def test_y01_the_true_error_is_shown(empty: Database) -> None:
    """A view in the way of a column: the line has the server's own words, not yoyo's about a savepoint."""
    rows(empty, "CREATE VIEW PullRequests AS SELECT 1 AS RepoOwner")
    with pytest.raises(Mistake, match=r"refused a migration \(1347\): .*PullRequests' is not") as caught:
        migrate.up(empty)
    assert "1305" not in str(caught.value)
    assert migrate.version(empty) == (1, True)


@pytest.mark.parametrize("operation", ["up", "version", "status"])
def test_the_command(empty: Database, operation: str) -> None:
    """S-10: the address is in the environment, never in the arguments."""
    command = [sys.executable, "-m", "mattermod_action", "migrate", operation]
    ran = subprocess.run(command, env={"DATABASE_URL": servers.url(empty)}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    expected = SCHEMA if operation == "up" else 0
    assert f"The database has schema {expected}." in ran.stdout


def test_the_command_without_a_database_is_one_line() -> None:
    command = [sys.executable, "-m", "mattermod_action", "migrate", "up"]
    ran = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "there is nothing to migrate without the input `database-url`; the embedded store needs no migration"
    ]
