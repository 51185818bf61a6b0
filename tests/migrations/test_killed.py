"""F19: `mattermod migrate` is killed at each of its statements, and what it leaves can always be finished.

Either the same operation just goes on, or it says in a line at which step the killed one stopped, and what that line
names mends it. In the end the tables are what they are without the kill, and so is what they hold.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.__main__ import main
from mattermod_action.adapters.mysql import connect
from mattermod_action.errors import Mistake
from mattermod_action.ports import SCHEMA
from tests import servers
from tests.cut import PHASES, Cut, Proxy, mysql_packet
from tests.migrations.test_migrations import NAMES, OPERATORS, command, content, rows, seed, shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.adapters.migrate import Migrator


FORK = multiprocessing.get_context("fork")
READING = ("SELECT", "SHOW", "SET", "BEGIN", "ROLLBACK", "UPDATE mm_leases")  # what leaves all as it was
UNFINISHED = re.compile(
    r"migration \S+ did not finish: it stopped going (?P<doing>\w+) at step \d+\. Each step may be run again, so go on "
    r"with `migrate force (?P<number>\d+)` and then `migrate (?P<again>\w+)`"
)


@dataclass(frozen=True)
class Case:
    """One migration that goes up or down, on tables with a row in each and something in each column."""

    server: servers.Server
    number: int
    doing: str

    @property
    def words(self) -> tuple[str, ...]:
        return (self.doing, "1", "--confirm", NAMES[self.number - 1])

    @property
    def target(self) -> int:
        return self.number if self.doing == "up" else self.number - 1

    def begin(self) -> Database:
        """Make the database that it starts from; the very first migration starts from nothing at all."""
        database = self.server.new_database()
        if begin := 2 * self.number - 1 - self.target:
            servers.migrator(database).goto(begin)
            seed(database)
        if self.number == 1 and begin:
            rows(database, "DELETE FROM Spinmint")  # each row is a server that is alive, and forbids to go below
        return database


def clone(server: servers.Server, database: Database) -> Database:
    """Copy all tables with their rows."""
    made = server.new_database()
    with closing(connect(made)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW TABLES FROM {database.name}")
        for (table,) in cursor.fetchall():
            cursor.execute(f"CREATE TABLE {table} LIKE {database.name}.{table}")
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {database.name}.{table}")
    return made


def fork(database: Database, words: tuple[str, ...], cut: Cut) -> int:
    """Run the command in a fork of this process, which is quicker than a Python that starts; return its exit code."""
    ready = FORK.Event()
    process = FORK.Process(target=_command, args=(ready, servers.url(database), words))
    process.start()
    cut.pid = process.pid or 0
    ready.set()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def _command(ready: Any, url: str, words: tuple[str, ...]) -> None:
    ready.wait()
    os.environ.clear()
    os.environ["DATABASE_URL"] = url
    sys.argv = ["mattermod", "migrate", *words]
    main()


def cut_off(database: Database, words: tuple[str, ...], cut: Cut) -> int:
    """Run the command with its wire to the database led past `cut`."""
    with closing(Proxy((database.host, database.port), mysql_packet, cut)) as proxy:
        return fork(replace(database, port=proxy.port), words, cut)


def state(database: Database) -> dict[str, Any]:
    """Everything that a killed migration might have spoiled."""
    migrator = servers.migrator(database)
    return {
        "tables": shape(database),
        "rows": content(database),
        "version": migrator.version(),
        "marks": [(row["name"], row["applied_at"] is not None, row["dirty"]) for row in migrator.status()],
        "yoyo": rows(database, "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"),
        "operators": rows(database, OPERATORS),
    }


def finish(database: Database, doing: str, target: int) -> bool:
    """Do what an operator does next; True when `force` was asked for. The dead one's lease has ended by then."""
    if rows(database, "SHOW TABLES LIKE 'mm_leases'"):
        rows(database, "UPDATE mm_leases SET lease_until = '2000-01-01'")
    migrator = servers.migrator(database, confirm=NAMES)
    if refused := refusal(migrator, target):
        line = UNFINISHED.fullmatch(refused)
        assert line, refused
        assert line["doing"] == line["again"] == doing
        migrator.force(int(line["number"]))
        assert not refusal(migrator, target)
    return bool(refused)


def refusal(migrator: Migrator, target: int) -> str:
    """Go there, or say why not."""
    try:
        migrator.goto(target)
    except Mistake as mistake:
        return str(mistake)
    return ""


def points(names: list[str], *, every: bool) -> Iterable[tuple[int, str]]:
    """Return where to kill: each statement in each phase, or each that may write in one phase after the other."""
    if every:
        return [(at, phase) for at in range(1, len(names) + 1) for phase in PHASES]
    return [(at, PHASES[index % len(PHASES)]) for index, at in enumerate(writing(names))]


def writing(names: list[str]) -> list[int]:
    return [at for at, name in enumerate(names, 1) if not name.startswith(READING)]


def killed_everywhere(case: Case, *, every: bool) -> int:
    """Return how often `force` was asked for."""
    begin, counted, forced = case.begin(), Cut(), 0
    undisturbed = clone(case.server, begin)
    assert cut_off(undisturbed, case.words, counted) == 0
    expected = state(undisturbed)
    for at, phase in points(counted.names, every=every):
        database, cut = clone(case.server, begin), Cut(at, phase)
        code = cut_off(database, case.words, cut)
        assert code == -signal.SIGKILL or (phase == "after" and code == 0), cut.names
        forced += finish(database, case.doing, case.target)
        assert state(database) == expected, f"{phase} {cut.names[at - 3 : at]}"
        drop(database)
    return forced


def drop(database: Database) -> None:
    rows(database, f"DROP DATABASE {database.name}")


# A migration never changes once it was shipped: each time it is the newest.
NUMBERS = [pytest.param(each, marks=() if each == SCHEMA else pytest.mark.soak) for each in range(1, SCHEMA + 1)]


@pytest.mark.long
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("doing", ["up", "down"])
def test_f19_killed_where_it_writes(mysql_server: servers.Server, number: int, doing: str) -> None:
    """F19, Y-02, Y-08: at each statement that may write, before, while or after it is carried out."""
    assert killed_everywhere(Case(mysql_server, number, doing), every=False)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, SCHEMA + 1))
@pytest.mark.parametrize("doing", ["up", "down"])
def test_f19_killed_everywhere(mysql_server: servers.Server, number: int, doing: str) -> None:
    """F19: at each statement, in each phase."""
    assert killed_everywhere(Case(mysql_server, number, doing), every=True)


WAYS = {"up": (0, SCHEMA), "down": (SCHEMA, 0)}


def all_the_way(server: servers.Server, doing: str, at: int, phase: str) -> Cut:
    """Go up or down all the way by commands, the first of which is killed, and do what the second one says."""
    begin, end = WAYS[doing]
    database, cut, words = server.new_database(), Cut(at, phase), (doing, str(SCHEMA), "--confirm", ",".join(NAMES))
    servers.migrator(database).goto(begin)
    with closing(Proxy((database.host, database.port), mysql_packet, cut)) as proxy:
        kill(replace(database, port=proxy.port), words, cut)
    rows(database, "UPDATE mm_leases SET lease_until = '2000-01-01'")
    again = command(database, *words)
    if again.returncode:
        [line] = again.stderr.splitlines()
        found = UNFINISHED.fullmatch(line)
        assert found, line
        assert again.returncode == 2
        assert command(database, "force", found["number"]).returncode == 0
        assert command(database, *words).returncode == 0
    assert servers.migrator(database).version() == (end, False)
    return cut


def kill(database: Database, words: tuple[str, ...], cut: Cut) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mattermod_action", "migrate", *words],
        env={"DATABASE_URL": servers.url(database)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    cut.pid = process.pid
    assert process.wait(60) == (-signal.SIGKILL if cut.at else 0)


@pytest.mark.parametrize("doing", WAYS)
def test_f19_killed_half_way_by_command(mysql_server: servers.Server, doing: str) -> None:
    """Every tenth of the statements that may write is for the soak; here it is the one in the middle."""
    names = all_the_way(mysql_server, doing, 0, "before").names
    at = writing(names)[len(writing(names)) // 2]
    all_the_way(mysql_server, doing, at, "during")


@pytest.mark.soak
@pytest.mark.parametrize("phase", PHASES[:2])
@pytest.mark.parametrize("doing", WAYS)
def test_f19_killed_by_command(mysql_server: servers.Server, doing: str, phase: str) -> None:
    """F19: the whole way, and the exit code."""
    names = all_the_way(mysql_server, doing, 0, phase).names
    for at in writing(names)[::10]:
        all_the_way(mysql_server, doing, at, phase)
