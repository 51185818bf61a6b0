"""`mattermod migrate` on an empty database, on the original's, twice, from four processes, and where it must refuse."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from mattermod_action.adapters import schema
from mattermod_action.adapters.migrate import Migrator, Move
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.errors import Down, Mistake
from mattermod_action.ports import SCHEMA
from mattermod_action.world import RealClock, SkippingClock
from tests import servers
from tests.stores.contract import PULL

if TYPE_CHECKING:
    from pathlib import Path

    from pymysql.connections import Connection

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
CREATE TABLE Spinmint (InstanceId varchar(128) NOT NULL PRIMARY KEY, RepoOwner varchar(255), RepoName varchar(255),
  Number int, CreatedAt bigint);
INSERT INTO PullRequests (RepoOwner, RepoName, Number, Labels, State, Sha) VALUES
  ('octo-org', 'hello', 7, '["A"]', 'open', 'a1'), ('octo-org', 'hello', 8, '[]', 'closed', 'b2'),
  ('octo-org', 'other', 7, NULL, NULL, NULL);
INSERT INTO Issues (RepoOwner, RepoName, Number, Labels, State) VALUES ('octo-org', 'hello', 5, '[]', 'open')
"""


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


OPERATORS = "SELECT version FROM schema_migrations ORDER BY version DESC LIMIT 1"
BOOKS = ("schema_migrations", "mm_schema", "mm_leases")


def original(database: Database, version: int) -> None:
    """Make what the original's migrations up to `version` leave, with rows."""
    for statement in ORIGINAL.split(";"):
        rows(database, statement)
    rows(database, f"INSERT INTO schema_migrations VALUES ({version}, 0)")
    if version == 1:
        rows(database, "ALTER TABLE PullRequests DROP COLUMN MilestoneNumber, DROP COLUMN MilestoneTitle")
    if version == 3:
        rows(database, "DROP TABLE Spinmint")


def seed(database: Database) -> None:
    """Y-08: put a row into each table, with something in each column."""
    for table in sorted({row[0] for row in shape(database)}):
        columns = [(row[1], row[2]) for row in shape(database) if row[0] == table]
        names, values = zip(*((name, _value(kind)) for name, kind in columns), strict=True)
        with closing(connect(database)) as connection, connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(values))
            cursor.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", values)


def _value(kind: str) -> object:
    if kind.startswith(("int", "bigint", "tinyint")):
        return 1
    return "2026-01-02 03:04:05" if kind.startswith(("datetime", "timestamp")) else "x"


def content(database: Database) -> dict[str, list[Any]]:
    """Each column with its values, by `table.column`."""
    held: dict[str, list[Any]] = {}
    tables = shape(database)
    for table in {row[0] for row in tables}:
        columns = [row[1] for row in tables if row[0] == table]
        found = rows(database, f"SELECT {', '.join(columns)} FROM {table}")
        held |= {f"{table}.{name}": sorted(str(row[at]) for row in found) for at, name in enumerate(columns)}
    return held


def shape(database: Database) -> list[tuple[Any, ...]]:
    """Every column of every table, and every key."""
    columns = rows(
        database,
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME, COLUMN_KEY "
        "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE '%yoyo%' "
        "ORDER BY TABLE_NAME, COLUMN_NAME",
    )
    return [column for column in columns if column[0] not in BOOKS]


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
    migrator = servers.migrator(empty, run_url="https://github.com/run/1")
    assert migrator.version() == (0, False)
    assert [move.name for move in migrator.up()] == NAMES
    assert migrator.version() == (SCHEMA, False)
    assert [(row["name"], row["run_url"]) for row in migrator.status()] == [
        (name, "https://github.com/run/1") for name in NAMES
    ]
    assert rows(empty, OPERATORS) == [(SCHEMA,)]
    assert MySQLStore(empty, RealClock()).look(PULL, ["x"]).schema == SCHEMA


def test_up_again_changes_nothing(database: Database) -> None:
    before = shape(database)
    assert servers.migrator(database).up() == []
    assert shape(database) == before


def test_up_and_down_by_count_and_goto(empty: Database) -> None:
    """Y-07: as golang-migrate's operations."""
    migrator = servers.migrator(empty)
    assert [move.number for move in migrator.up(2)] == [1, 2]
    assert rows(empty, OPERATORS) == [(2,)]
    assert [(move.number, move.doing) for move in migrator.down()] == [(2, "down")]
    assert migrator.version() == (1, False)
    assert [move.number for move in migrator.goto(SCHEMA)] == list(range(2, SCHEMA + 1))
    assert [move.number for move in migrator.goto(3)] == list(range(SCHEMA, 3, -1))
    assert [move.number for move in migrator.up(99)] == list(range(4, SCHEMA + 1))
    assert [move.number for move in migrator.down(SCHEMA)] == list(range(SCHEMA, 0, -1))
    assert rows(empty, OPERATORS) == []
    assert migrator.down() == []
    with pytest.raises(Mistake, match=f"give one from 0 to {SCHEMA}"):
        migrator.goto(SCHEMA + 1)


def test_a_plan_writes_nothing(empty: Database) -> None:
    migrator = servers.migrator(empty, dry_run=True)
    assert [move.name for move in migrator.up()] == NAMES
    assert [move.name for move in migrator.force(2)] == NAMES[:2]
    assert rows(empty, "SHOW TABLES") == []


@pytest.mark.parametrize("number", range(1, SCHEMA + 1))
def test_each_migration_may_be_run_twice_each_way(empty: Database, number: int) -> None:
    """The series up, up, down, down, up, with `force` between, keeps the rows and ends where it began."""
    migrator = servers.migrator(empty, confirm=NAMES)
    migrator.goto(number)
    seed(empty)
    if number == 1:
        rows(empty, "DELETE FROM Spinmint")  # each row is a server that is alive, and forbids to go below
    before, held = shape(empty), content(empty)
    migrator.force(number - 1)
    assert [move.number for move in migrator.up(1)] == [number]
    assert (shape(empty), content(empty)) == (before, held)
    migrator.down()
    down = shape(empty)
    migrator.force(number)
    migrator.down()
    assert shape(empty) == down
    kept = content(empty)
    assert migrator.version() == (number - 1, False)
    migrator.up(1)
    assert {column[:3] for column in shape(empty)} == {column[:3] for column in before}
    assert held.items() >= kept.items()  # what was not dropped was not touched
    assert content(empty).items() >= kept.items()


def test_what_would_be_lost_is_asked_for_by_name(database: Database) -> None:
    seed(database)
    with pytest.raises(Mistake) as caught:
        servers.migrator(database).goto(1)
    line = str(caught.value)
    assert "0004.ledger would lose 1 rows of mm_ledger, 1 rows of PullRequests.UpdatedAt, 1 rows of Issues" in line
    assert "0002.milestones would lose 1 rows of PullRequests.MilestoneNumber" in line
    assert line.endswith(
        "`--confirm 0010.trust,0009.page_sizes,0008.sweeps,0006.lists,0005.machines,0004.ledger,0002.milestones` "
        "(input `confirm`)"
    )
    assert servers.migrator(database).version() == (SCHEMA, False)
    planned = servers.migrator(database, dry_run=True).goto(4)
    moves = [
        ("0010.trust", True),
        ("0009.page_sizes", True),
        ("0008.sweeps", True),
        ("0007.pick_index", False),
        ("0006.lists", True),
        ("0005.machines", True),
    ]
    assert [(move.name, bool(move.loses)) for move in planned] == moves
    servers.migrator(database, confirm=["0010.trust", "0009.page_sizes", "0008.sweeps", "0006.lists"]).down(5)
    with pytest.raises(Mistake, match=r"--confirm 0005\.machines`"):
        servers.migrator(database, confirm=["0006.lists"]).down()


def test_mm78_spinmint_is_not_dropped_while_servers_live(database: Database) -> None:
    """Not even when that is confirmed."""
    rows(database, "INSERT INTO Spinmint VALUES ('i-1', 'octo-org', 'hello', 7, 1)")
    with pytest.raises(Mistake, match="it has 1 rows of Spinmint, and each is a test server that is alive"):
        servers.migrator(database, confirm=NAMES).goto(0)
    assert servers.migrator(database).version() == (SCHEMA, False)
    rows(database, "DELETE FROM Spinmint")
    servers.migrator(database, confirm=NAMES).goto(0)
    left = {row[0] for row in rows(database, "SHOW TABLES")}
    assert not left & {"PullRequests", "Issues", "Spinmint", "mm_ledger", "mm_picks", "mm_servers"}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("operation", ["up", "adopt"])
def test_the_originals_database_is_adopted_with_its_rows(
    empty: Database, database: Database, version: int, operation: str
) -> None:
    """At version 1 it has no milestones, at 3 no Spinmint; rolled to each version and back, no row is lost."""
    original(empty, version)
    held = content(empty)
    migrator = servers.migrator(empty, confirm=NAMES)
    if operation == "adopt":
        assert migrator.adopt() == version
        assert migrator.version() == (min(version, 2), False)
        assert content(empty) == held
    migrator.up()
    assert {row[:3] for row in shape(empty)} == {row[:3] for row in shape(database)}
    for number in (2, SCHEMA, 3, 4, SCHEMA):
        migrator.goto(number)
        assert rows(empty, OPERATORS) == [(number,)]
        assert content(empty).items() >= held.items()
    assert rows(empty, "SELECT COUNT(*) FROM PullRequests") == [(3,)]


def test_a_dirty_original_is_refused_and_so_is_what_is_not_its(empty: Database) -> None:
    original(empty, 2)
    rows(empty, "UPDATE schema_migrations SET dirty = 1")
    for operation in ("up", "adopt"):
        with pytest.raises(Mistake, match="the original left version 2 of the database dirty"):
            getattr(servers.migrator(empty), operation)()
    rows(empty, "UPDATE schema_migrations SET dirty = 0, version = 7")
    with pytest.raises(Mistake, match="no version 7"):
        servers.migrator(empty).up()


def test_nothing_to_adopt(empty: Database, database: Database) -> None:
    for each in (empty, database):
        with pytest.raises(Mistake, match="nothing to adopt"):
            servers.migrator(each).adopt()


def test_columns_are_wide_enough_for_what_github_allows(database: Database) -> None:
    """MM-68: in strict mode a longer value is an error."""
    widths = {(row[0], row[1]): row[2] for row in shape(database)}
    assert widths["PullRequests", "Ref"] == "varchar(255)"
    assert widths["PullRequests", "Sha"] == "varchar(64)"
    assert widths["PullRequests", "BuildStatus"] == "varchar(20)"


def test_keys_are_compared_byte_by_byte(database: Database) -> None:
    """R-12: the default collation takes three labels for one."""
    kinds = {row[:2]: (row[2], row[4]) for row in shape(database) if row[5] == "PRI" and row[0].startswith("mm_")}
    text = {place: kind for place, kind in kinds.items() if not kind[0].startswith(("int", "bigint"))}
    assert text
    assert all(kind.startswith("varbinary") or collation == "ascii_bin" for kind, collation in text.values()), text


def test_no_migration_but_the_helpers_has_sql_of_its_own() -> None:
    for _, path in schema.files():
        assert "execute" not in path.read_text()
        assert "__transactional__ = False" in path.read_text()


def _up(database: Database) -> list[str]:
    return [move.name for move in servers.migrator(database).up()]


def test_f19_four_migrators_at_once(empty: Database) -> None:
    """F19, Y-03: one works and three wait, whatever their process numbers are."""
    with multiprocessing.get_context("fork").Pool(4) as pool:
        done = [name for names in pool.map(_up, [empty] * 4) for name in names]
    assert sorted(done) == NAMES
    assert servers.migrator(empty).version() == (SCHEMA, False)


def test_who_is_at_work_is_said(database: Database) -> None:
    store = MySQLStore(database, RealClock())
    store.take_lease("migrate", "https://github.com/run/9", 30)
    heard: list[str] = []
    clock = SkippingClock()
    migrator = Migrator(database, clock, tell=heard.append)
    clock.offset = timedelta(seconds=-900)  # so that the other's lease does not end while this one waits
    with pytest.raises(Down, match=r"migrate is held by https://github\.com/run/9"):
        migrator.up()
    assert heard == ["migrate is held by https://github.com/run/9: waiting"]


def test_mm76_a_pull_request_has_one_server_that_is_alive(database: Database) -> None:
    """MM-76, MM-79: told by owner, repository and number; of servers that are gone there may be any number."""
    columns = {
        row[1]: "'x'" if "char" in row[2] or "text" in row[2] else "UTC_TIMESTAMP(6)" if "date" in row[2] else "0"
        for row in shape(database)
        if row[0] == "mm_servers"
    }

    def add(key: str, owner: str, live: str) -> None:
        row = {**columns, "k": f"'{key}'", "owner": f"'{owner}'", "live": live}
        rows(database, f"INSERT INTO mm_servers ({', '.join(row)}) VALUES ({', '.join(row.values())})")

    for key, owner, live in (("a", "one", "1"), ("b", "other", "1"), ("c", "one", "NULL"), ("d", "one", "NULL")):
        add(key, owner, live)
    with pytest.raises(pymysql.IntegrityError):
        add("e", "one", "1")


@pytest.mark.parametrize("doing", ["up", "down"])
def test_y02_a_dirty_database_is_refused_until_it_is_forced(database: Database, doing: str) -> None:
    sql = "UPDATE mm_schema SET dirty = 1, doing = %s, step = 2, run_url = 'https://run/1' WHERE version = 4"
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql, (doing,))
    back = 3 if doing == "up" else 4
    line = rf"0004\.ledger did not finish: it stopped going {doing} at step 2\. It was begun by https://run/1\."
    for operation in ("up", "down"):
        with pytest.raises(Mistake, match=rf"{line} .*`migrate force {back}` and then `migrate {doing}`"):
            getattr(servers.migrator(database), operation)()
    with pytest.raises(Down, match="did not finish"):
        MySQLStore(database, RealClock()).look(PULL, ["x"])
    migrator = servers.migrator(database)
    migrator.force(back)
    assert migrator.version() == (back, False)
    migrator.up()
    assert migrator.version() == (SCHEMA, False)


def test_y05_an_edited_migration_is_refused(database: Database, tmp_path: Path) -> None:
    edited = tmp_path / "migrations"
    shutil.copytree(schema.folder(), edited)
    (edited / "0002.milestones.py").write_text((edited / "0002.milestones.py").read_text() + "# edited\n")
    migrator = servers.migrator(database, folder=edited)
    for operation in ("up", "down"):
        with pytest.raises(Mistake, match=r"0002\.milestones was edited after it was applied"):
            getattr(migrator, operation)()
    migrator.force(SCHEMA)
    assert migrator.up() == []


def test_y05_a_gap_is_refused(database: Database) -> None:
    rows(database, "DELETE FROM mm_schema WHERE version = 3")
    with pytest.raises(Mistake, match="has migration 4 but not 3"):
        servers.migrator(database).up()


def test_a_newer_database_is_refused_by_the_version_that_is_needed(database: Database) -> None:
    rows(database, "INSERT INTO mm_schema (version, name, dirty, action) VALUES (99, '0099.future', 0, '7.1.0')")
    for operation, more in (("up", ()), ("down", ()), ("force", (2,))):
        with pytest.raises(Mistake, match=r"has migration 0099\.future, .* migrate with 7\.1\.0 or newer"):
            getattr(servers.migrator(database), operation)(*more)
    with pytest.raises(Mistake, match=r"has schema 99, .* use version 7\.1\.0 of the action"):
        MySQLStore(database, RealClock()).look(PULL, ["x"])


def test_y01_the_true_error_is_shown_and_nothing_is_rolled_back(empty: Database) -> None:
    """A view in the way of a table; yoyo would drop the tables that the steps before it found."""
    original(empty, 1)
    rows(empty, "DROP TABLE Issues, schema_migrations")
    rows(empty, "CREATE VIEW Issues AS SELECT 1 AS RepoOwner")
    held = rows(empty, "SELECT * FROM PullRequests ORDER BY Number")
    migrator = servers.migrator(empty)
    migrator.up(3)
    with pytest.raises(Mistake, match=r"refused a migration \(1347\): .*Issues' is not") as caught:
        migrator.up()
    assert "1305" not in str(caught.value)
    assert migrator.version() == (3, True)
    [unfinished] = [row for row in migrator.status() if row["dirty"]]
    assert (unfinished["name"], unfinished["doing"], unfinished["step"]) == ("0004.ledger", "up", 3)
    assert [row[:16] for row in rows(empty, "SELECT * FROM PullRequests ORDER BY Number")] == held


def test_a_killed_migrators_statement_is_waited_for(database: Database) -> None:
    """Its ALTER goes on without it; what comes next must not start before that has ended."""
    blocker, altering = connect(database), connect(database, read_timeout=None)
    blocker.begin()
    with blocker.cursor() as cursor:
        cursor.execute("SELECT * FROM Issues")
    thread = threading.Thread(target=lambda: altering.cursor().execute("ALTER TABLE Issues ADD COLUMN x int"))
    thread.start()
    clock = Releasing(blocker)
    assert Migrator(database, clock).up() == []
    thread.join()
    assert clock.waited == 1


class Releasing(RealClock):
    """Lets the blocker go when it is waited for."""

    def __init__(self, blocker: Connection) -> None:
        super().__init__()
        self._blocker, self.waited = blocker, 0

    def sleep(self, seconds: float) -> None:
        self.waited += 1
        self._blocker.rollback()
        time.sleep(max(seconds, 1))


def test_a_lock_that_was_lost_stops_before_the_next_step(empty: Database) -> None:
    """R-05: a migrator that was paused for longer than its lease does nothing more."""
    migrator = Migrator(empty, RealClock())
    with migrator._locked() as (book, lease):
        rows(empty, "UPDATE mm_leases SET fence = fence + 1, owner = 'another'")
        with pytest.raises(Down, match="migrate was taken over"):
            migrator._carry_out(book, lease, Move(1, NAMES[0], "up"))
    assert "PullRequests" not in {row[0] for row in rows(empty, "SHOW TABLES")}


COMMANDS = [
    (("up",), f"The database has schema {SCHEMA}."),
    (("up", "2"), "The database has schema 2."),
    (("goto", "3", "--plan"), "migrate: 0003.spinmint: would be applied"),
    (("force", "1"), "migrate: 0001.base: noted as applied"),
    (("version",), "The database has schema 0."),
    (("status",), "migrate: 0001.base: to do"),
]


def command(database: Database | None, *words: str) -> subprocess.CompletedProcess[str]:
    """S-10: the address is in the environment, never in the arguments."""
    env = {"DATABASE_URL": servers.url(database)} if database else {}
    words_of_all = [sys.executable, "-m", "mattermod_action", "migrate", *words]
    return subprocess.run(words_of_all, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("words", "line"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_the_command(empty: Database, words: tuple[str, ...], line: str) -> None:
    ran = command(empty, *words)
    assert ran.returncode == 0, ran.stderr
    assert line in ran.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("goto",), "`migrate goto` needs a version: give the input `version`"),
        (("goto", "two"), "input `version` is 'two': give a whole number"),
        (("force", "77"), f"there is no schema version 77: give one from 0 to {SCHEMA}"),
        (("adopt",), "there is nothing to adopt: the database was never migrated by the original"),
    ],
)
def test_a_mistake_is_one_line(empty: Database, words: tuple[str, ...], line: str) -> None:
    ran = command(empty, *words)
    assert (ran.returncode, ran.stderr.splitlines()) == (2, [line])


def test_the_command_without_a_database_is_one_line() -> None:
    ran = command(None, "up")
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "there is nothing to migrate without the input `database-url`; the embedded store needs no migration"
    ]
