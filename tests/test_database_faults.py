"""F12 and F13 as histories: what a database does wrong strikes at any statement of a run, with GitHub's faults or not.

Whatever it is, no comment stands without a row that says it may have been sent; the run says in a line what is wrong;
and once the fault is over, one more run of the same event settles it.
"""

from __future__ import annotations

import contextlib
import random
import re
import signal
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.errors import Down
from mattermod_action.world import RealClock
from sandbox import payloads
from sandbox.faults import Fault
from tests import servers
from tests.cut import PHASES, Cut, Proxy, mysql_error, mysql_ok, mysql_packet
from tests.stores.contract import PULL, entry, wish
from tests.test_faults import NOW, assert_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pymysql.connections import Connection

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Bot, Run

SEEDS, AT_ONCE = 500, 25  # histories in a soak, and how many of them one test goes through
CLAIMS = 5  # the statement of a run for one label that claims it; those after it mark it as sent, and confirm
STATEMENTS = 10  # a run for two labels has as many, those that set up the connection included
LABELS = ["2: Dev Review", "3: QA Review"]
CONFIG = "label_messages:\n  pull_requests:\n" + "".join(
    f"    - {{label: '{label}', message: '{label} by USERNAME'}}\n" for label in LABELS
)
BY_GITHUB = ["status", "timeout", "reset", "cut", "truncated", "empty", "html", "lag"]


@dataclass
class Lab:
    """A bot whose account may only read and write rows, the wire to its database, and GitHub."""

    bot: Bot
    github: Sandbox
    database: Database
    proxy: Proxy = field(init=False)

    def run(self, kind: str, dice: random.Random, event: dict[str, Any], clock: float) -> Run:
        """Run it with this fault, as a process."""
        with KINDS[kind](self, dice) as cut:
            self.proxy = Proxy((self.database.host, self.database.port), mysql_packet, cut)
            with closing(self.proxy):
                wired = replace(self.bot, database_url=servers.url(replace(self._account(), port=self.proxy.port)))
                process = wired.start("pull_request_target", event, **NOW, MATTERMOD_CLOCK_OFFSET=str(clock))
                cut.pid = process.pid
                return wired.finish(process)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def rows(self, number: int) -> dict[str, str]:
        """Return the state of each of the item's effects, by the digits that its marker has."""
        return {k[:16]: state for k, state in self.execute(f"SELECT k, state FROM mm_ledger WHERE number = {number:d}")}

    def answered(self, number: int) -> Counter[str]:
        """Return how many comments there are of each effect."""
        bodies = [comment.body for comment in self.github.state.item(self.github.repository, number).comments]
        return Counter(key for body in bodies for key in re.findall(r"<!-- mattermod:v1:\w+:(\w{16}) -->", body))

    def _account(self) -> Database:
        return replace(self.database, user=self.database.name[-8:], password="p")


@contextmanager
def locked(lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """1205: another connection holds all rows, for a moment or for as long as the run lasts."""
    with closing(_Holder(lab.database, dice.choice([0.3, 1.5, 60]))) as holder:
        yield Cut(_at(dice), act=holder.hold)


class _Holder:
    def __init__(self, database: Database, seconds: float) -> None:
        self._connection = connect(database)
        self._timer = threading.Timer(seconds, self._let_go)

    def hold(self) -> bytes:
        self._connection.begin()
        with self._connection.cursor() as cursor:
            for table in ("mm_ledger", "PullRequests"):
                cursor.execute(f"SELECT * FROM {table} FOR UPDATE")
        self._timer.start()
        return b""

    def close(self) -> None:
        self._timer.cancel()
        self._let_go()

    def _let_go(self) -> None:
        with contextlib.suppress(pymysql.MySQLError):  # it was let go before
            self._connection.close()


@contextmanager
def deadlock(_lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """1213: once, or more often than it is tried again."""
    answer = mysql_error(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction")
    yield Cut(_at(dice), act=lambda: answer, times=dice.randint(1, 5))


@contextmanager
def no_space(_lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """1021."""
    yield Cut(_at(dice), act=lambda: mysql_error(1021, "HY000", "Disk full"), times=dice.randint(1, 3))


@contextmanager
def broken(_lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """2013: the connection breaks before or after the server got the statement; once the answer is lost with it."""
    yield Cut(_at(dice), dice.choice(PHASES), breaks=True)


@contextmanager
def ended(lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """2006: the server ends the connection (KILL)."""

    def act() -> bytes:
        user = lab.database.name[-8:]
        for (number,) in lab.execute(f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{user}'"):
            lab.execute(f"KILL CONNECTION {number}")
        return b""

    yield Cut(_at(dice), act=act)


@contextmanager
def read_only(lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """1290: from some statement on, as on a server that another one has replaced."""

    def act() -> bytes:
        lab.execute("SET GLOBAL read_only = 1")
        return b""

    try:
        yield Cut(_at(dice), act=act)
    finally:
        lab.execute("SET GLOBAL read_only = 0")


@contextmanager
def slow(_lab: Lab, dice: random.Random) -> Iterator[Cut]:
    def act() -> bytes:
        time.sleep(dice.uniform(0.1, 0.5))
        return b""

    yield Cut(_at(dice), act=act, times=dice.randint(1, 3))


@contextmanager
def down(lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """2013, and 2003 from then on: the server stops."""

    def act() -> bytes:
        lab.proxy.close()
        raise ConnectionError

    yield Cut(_at(dice), act=act)


@contextmanager
def crowded(lab: Lab, _dice: random.Random) -> Iterator[Cut]:
    """1040: others have all the connections that there are."""
    with contextlib.ExitStack() as others:
        lab.execute("SET GLOBAL max_connections = 10")
        others.callback(lab.execute, "SET GLOBAL max_connections = 300")
        with contextlib.suppress(pymysql.OperationalError):
            while True:
                others.enter_context(closing(connect(lab._account())))
        yield Cut()


@contextmanager
def killed(_lab: Lab, dice: random.Random) -> Iterator[Cut]:
    """The run itself dies, the answer to what it committed lost."""
    yield Cut(_at(dice), dice.choice(PHASES))


KINDS: dict[str, Callable[[Lab, random.Random], AbstractContextManager[Cut]]] = {
    kind.__name__: kind for kind in (locked, deadlock, no_space, broken, ended, read_only, slow, down, crowded, killed)
}


def _at(dice: random.Random) -> int:
    return dice.randint(1, STATEMENTS)


@pytest.fixture(scope="module")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """One of its own, since some faults are the whole server's."""
    with servers.server(tmp_path_factory.mktemp("faults"), "--innodb-lock-wait-timeout=1") as server:
        yield server


@pytest.fixture
def lab(bot: Bot, github: Sandbox, database: Database) -> Lab:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    made = Lab(bot, github, database)
    user = f"'{database.name[-8:]}'@'%'"
    made.execute(f"CREATE USER {user} IDENTIFIED BY 'p'")
    made.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database.name}.* TO {user}")
    return made


def history(lab: Lab, dice: random.Random, kinds: list[str], labels: list[str]) -> list[int]:
    """A pull request is opened, the event is run with each of these faults, and once more when they are over.

    Returns the exit codes of the runs that had a fault.
    """
    codes, event = [], opened(lab, labels)
    for turn, kind in enumerate(kinds):
        lab.github.state.faults.clear()
        if len(kinds) > 1 and dice.random() < 0.4:
            lab.github.state.faults.add(_by_github(dice))
        run = lab.run(kind, dice, event, 60.0 * turn)
        judge(lab, run, event["number"], len(labels))
        codes.append(run.code)
    lab.github.state.faults.clear()
    settled(lab, event, 60.0 * len(kinds))
    return codes


def opened(lab: Lab, labels: list[str]) -> dict[str, Any]:
    return payloads.opened_pull(lab.github.state, lab.github.repository, "Trial", labels, "newcomer")


def settled(lab: Lab, event: dict[str, Any], clock: float) -> None:
    """One more run of the event leaves one comment for each label, confirmed."""
    run = lab.bot.run("pull_request_target", event, **NOW, MATTERMOD_CLOCK_OFFSET=str(clock))
    assert run.code == 0, run.log
    rows = lab.rows(event["number"])
    assert list(rows.values()) == ["confirmed"] * len(event["pull_request"]["labels"])
    assert lab.answered(event["number"]) == Counter(rows.keys())


def _by_github(dice: random.Random) -> Fault:
    kind: Any = dice.choice(BY_GITHUB)
    when: Any = dice.choice(["before", "after"])
    return Fault(kind, "POST", "/repos/*/comments", when=when, seconds=0.1, reads=dice.choice([0, when == "after"]))


def judge(lab: Lab, run: Run, number: int, effects: int) -> None:
    """What must hold after any run, however it ended."""
    assert_clean(run)
    assert run.code in (0, 3, -signal.SIGKILL), run.log
    if run.code == 3:
        assert 1 <= len(run.outputs["failures"]) <= effects, run.log
        assert set(run.outputs["failures"]) <= set(run.log.splitlines())
    answered, rows = lab.answered(number), lab.rows(number)
    assert max(answered.values(), default=0) <= 1
    assert set(answered) <= {key for key, state in rows.items() if state in ("sent", "confirmed")}


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_f12_f13_a_fault_of_the_database(lab: Lab, kind: str) -> None:
    """F12, F13: each fault once, and what the run makes of it."""
    codes = history(lab, random.Random(kind), [kind], LABELS)  # noqa: S311  # repeatable, not secret
    assert set(codes) <= CODES.get(kind, {3})


# Everything else is 3. A row may have been locked, or a deadlock come, where it was not in the way or not for long.
CODES = {"slow": {0}, "locked": {0, 3}, "deadlock": {0, 3}, "killed": {-signal.SIGKILL}}


@pytest.mark.soak
@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_f12_f13_histories_of_faults(lab: Lab, first: int) -> None:
    """F12, F13: one to three faults after each other."""
    for seed in range(first, first + AT_ONCE):
        dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
        kinds = dice.choices(list(KINDS), k=dice.randint(1, 3))
        try:
            history(lab, dice, kinds, dice.sample(LABELS, dice.randint(1, 2)))
        except AssertionError as error:
            error.add_note(f"seed {seed}: {', '.join(kinds)}")
            raise


@pytest.mark.soak
@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("at", range(3, STATEMENTS + 1))
def test_f12_a_statement_that_arrives_after_its_run_gave_up(lab: Lab, at: int) -> None:
    """F12: the server is slow for longer than 30 s, and carries the statement out when the next run is done."""
    event, arrives = opened(lab, LABELS), threading.Event()
    cut = Cut(at, act=lambda: b"" if arrives.wait(120) else b"never")
    with closing(Proxy((lab.database.host, lab.database.port), mysql_packet, cut)) as proxy:
        wired = replace(lab.bot, database_url=servers.url(replace(lab.database, port=proxy.port)))
        run = wired.run("pull_request_target", event, **NOW)
        assert run.code == 3, run.log
        assert "closed the connection (2013)" in run.log
        judge(lab, run, event["number"], len(LABELS))
        settled(lab, event, 60.0)
        arrives.set()
        time.sleep(0.5)
    settled(lab, event, 120.0)


def test_f12_a_real_deadlock_is_tried_again(database: Database) -> None:
    """1213: two transactions want two rows in opposite order, and the server ends the lighter one, which is ours."""
    store, other = MySQLStore(database, RealClock()), connect(database)
    store.execute("SET SESSION innodb_lock_wait_timeout = 50", {})
    before = _deadlocks(other)
    other.begin()
    for label in ("weight", "more weight", "b"):
        _insert(other, wish(label).key)
    thread = threading.Thread(target=store.note, args=([wish("a"), wish("b")], "baseline", PULL.updated_at))
    thread.start()
    _until_one_waits(other)
    _insert(other, wish("a").key)
    other.rollback()
    thread.join()
    assert [entry(store, wish(label)).state for label in "ab"] == ["baseline", "baseline"]
    assert _deadlocks(other) == before + 1


def _insert(connection: Connection, key: str) -> None:
    columns = "k, repository_id, repository, number, feature, kind, cause, state, owner, fence, result"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO mm_ledger ({columns}, created_at, updated_at) "
            "VALUES (%s, 1, '', 1, '', '', '', '', '', 0, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
            (key,),
        )


def _deadlocks(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(cursor.fetchall()[0][1])


def _until_one_waits(connection: Connection) -> None:
    """The server renews what it says of its transactions only when nobody has asked for 0.1 s."""
    sql = "SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while not cursor.execute(sql):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_f12_the_next_statement_connects_anew(database: Database) -> None:
    """One effect's failure never stops the next: not by a connection that is left broken, or that leads to the past."""
    store = MySQLStore(database, RealClock())
    [(number,)] = store.execute("SELECT CONNECTION_ID()", {})[1]
    with closing(connect(database)) as other, other.cursor() as cursor:
        cursor.execute(f"KILL CONNECTION {number}")
    with pytest.raises(Down):
        store.claim(wish(), "one")
    assert store.claim(wish(), "one")


def acknowledged() -> bytes:
    """One row, it says, as a server does that fails before another has it."""
    return mysql_ok(1)


def breaks() -> bytes:
    raise ConnectionError


# What the server does to the statements that claim, that mark as sent, and that confirm; b"" carries one out.
FAILOVERS: dict[str, tuple[Callable[[], bytes], ...]] = {
    "sent is lost, and the connection with it": (bytes, acknowledged, breaks),
    "claim and sent are lost": (acknowledged, acknowledged, bytes),
}


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("failover", FAILOVERS)
def test_f12_a_failover_that_loses_the_last_transactions(lab: Lab, failover: str) -> None:
    """F12: what was acknowledged is gone, the comment stands, and no later run posts it again."""
    event, answers = opened(lab, LABELS[:1]), iter(FAILOVERS[failover])

    def act() -> bytes:
        return next(answers)()

    cut = Cut(CLAIMS, act=act, times=len(FAILOVERS[failover]))
    with closing(Proxy((lab.database.host, lab.database.port), mysql_packet, cut)) as proxy:
        wired = replace(lab.bot, database_url=servers.url(replace(lab.database, port=proxy.port)))
        run = wired.run("pull_request_target", event, **NOW)
    assert_clean(run)
    assert [name.split()[0] for name in cut.names[CLAIMS - 1 : CLAIMS + 2]] == ["INSERT", "UPDATE", "UPDATE"]
    assert sum(lab.answered(event["number"]).values()) == 1
    settled(lab, event, 60.0)
