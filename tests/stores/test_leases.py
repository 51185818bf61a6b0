"""F05: many processes on one lease, some killed and some paused for longer than it runs; and what the database saw.

Triggers write each change of the lease, and each write that its fence let through, into one table, in the order in
which the database made them. What they wrote is judged, not what the processes believe.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.mysql import MySQLStore
from mattermod_action.adapters.sqlite import SQLiteStore
from mattermod_action.errors import Down
from mattermod_action.leases import Lease, acquire
from mattermod_action.world import RealClock
from tests.stores.contract import PULL, race, wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.adapters.sql import SqlStore
    from mattermod_action.ports import Clock

    Open = Callable[[Clock], SqlStore]

FORK = multiprocessing.get_context("fork")
NAME = "a thing of which there is one"
TTL = 0.3  # seconds; the shorter, the more takeovers
PAUSE = 1.5 * TTL  # what a process must not survive with its lease
PAUSES = {13: (PAUSE, 0.0), 33: (0.0, PAUSE)}  # at which of 40 takings, before and after the check
START, SLOWEST = 60.0, 0.2  # seconds that they may take in all, and for each taking
GRACE = 5.0  # seconds that a takeover may take after the lease has ended
HISTORY = "INSERT INTO history (what, owner, fence, at, until) VALUES"
TABLES = {
    MySQLStore: "n bigint AUTO_INCREMENT PRIMARY KEY, what varchar(8), owner varchar(64), fence bigint, "
    "at datetime(6), until datetime(6)",
    SQLiteStore: "n integer PRIMARY KEY AUTOINCREMENT, what text, owner text, fence int, at text, until text",
}
NOW = {MySQLStore: "UTC_TIMESTAMP(6)", SQLiteStore: "strftime('%Y-%m-%d %H:%M:%f', 'now')"}
BODY = {MySQLStore: "{}", SQLiteStore: "BEGIN {}; END"}


class Hurried(RealClock):
    """Waits less, so that more happens in a second."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)


def prepare(open_store: Open) -> None:
    """Make the history, and a thing that refuses a fence older than the newest it has seen."""
    store = open_store(RealClock())
    store.look(PULL, ["x"])
    kind, now = type(store), NOW[type(store)]
    lease = f"{HISTORY} ('lease', NEW.owner, NEW.fence, {now}, NEW.lease_until)"
    write = f"{HISTORY} ('write', NEW.owner, NEW.fence, {now}, NULL)"
    for sql in (
        f"CREATE TABLE history ({TABLES[kind]})",
        "CREATE TABLE thing (owner varchar(64), fence bigint, writes bigint)",
        "INSERT INTO thing VALUES ('', 0, 0)",
        f"CREATE TRIGGER taken AFTER INSERT ON mm_leases FOR EACH ROW {BODY[kind].format(lease)}",
        f"CREATE TRIGGER changed AFTER UPDATE ON mm_leases FOR EACH ROW {BODY[kind].format(lease)}",
        f"CREATE TRIGGER written AFTER UPDATE ON thing FOR EACH ROW {BODY[kind].format(write)}",
    ):
        store.execute(sql, {})
    store.close()


def work(open_store: Open, seed: int, cycles: int) -> None:
    """Take, hold and give back until the lease has been taken `cycles` times by all together."""
    store, dice = open_store(RealClock()), random.Random(seed)  # noqa: S311  # repeatable, not secret
    fence = 0
    while fence < cycles:
        lease = acquire(store, Hurried(), NAME, f"{os.getpid()}:{dice.random()}", patience=600, ttl=TTL)
        fence = lease.fence
        with contextlib.suppress(Down):
            hold(store, lease)
        lease.give_back()
    store.close()


def hold(store: SqlStore, lease: Lease) -> None:
    """Pause before the lease is checked, or in the moment between the check and the write; mostly not at all."""
    before, between = PAUSES.get(lease.fence % 40, (0.0, 0.0))
    time.sleep(before)
    try:
        lease.check()
    except Down:
        note(store, "lost", lease)
        raise
    time.sleep(between)
    sql = "UPDATE thing SET owner = :owner, fence = :fence, writes = writes + 1 WHERE fence <= :fence"
    if not store.execute(sql, {"owner": lease.owner, "fence": lease.fence})[0]:
        note(store, "refused", lease)


def note(store: SqlStore, what: str, lease: Lease) -> None:
    store.execute(
        f"{HISTORY} (:what, :owner, :fence, NULL, NULL)", {"what": what, "owner": lease.owner, "fence": lease.fence}
    )


@dataclass
class Crowd:
    """`size` processes at work, of which those that are killed are replaced."""

    open_store: Open
    size: int
    cycles: int
    dice: random.Random
    killed: int = 0
    paused: int = 0
    living: dict[int, BaseProcess] = field(default_factory=dict)

    def work(self) -> None:
        """Raise RuntimeError when one fails of itself, or when they do not get on."""
        deadline = time.monotonic() + START + SLOWEST * self.cycles
        for _ in range(self.size):
            self._start()
        try:
            while self.living:
                self._turn()
                if time.monotonic() > deadline:
                    raise RuntimeError("the lease is not handed on as it should be")
        finally:
            for process in self.living.values():
                process.kill()

    def _turn(self) -> None:
        time.sleep(self.dice.uniform(0, TTL))
        if holder := self._holder():
            self._strike(holder)
        for pid in [pid for pid, each in self.living.items() if not each.is_alive()]:
            self._ended(self.living.pop(pid))

    def _start(self) -> None:
        process = FORK.Process(target=work, args=(self.open_store, self.dice.randrange(2**32), self.cycles))
        process.start()
        self.living[process.pid or 0] = process

    def _holder(self) -> int:
        """Return the process that holds the lease at this moment, by a connection that no fork inherits."""
        with contextlib.closing(self.open_store(RealClock())) as store:
            now = NOW[type(store)]
            _, rows = store.execute(f"SELECT owner FROM mm_leases WHERE lease_until > {now}", {})
        return int(rows[0][0].partition(":")[0]) if rows else 0

    def _strike(self, pid: int) -> None:
        if pid not in self.living:
            return
        if self.killed <= self.paused:
            self.killed += 1
            os.kill(pid, signal.SIGKILL)
        else:
            self.paused += 1
            os.kill(pid, signal.SIGSTOP)
            time.sleep(PAUSE)
            os.kill(pid, signal.SIGCONT)

    def _ended(self, process: BaseProcess) -> None:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self._start()
        elif process.exitcode:
            raise RuntimeError(f"a process failed with {process.exitcode}")


@dataclass(frozen=True)
class Change:
    """A row of the history: of the lease, or of the thing."""

    what: str
    owner: str
    fence: int
    at: datetime | None
    until: datetime | None


def history(open_store: Open) -> list[Change]:
    with contextlib.closing(open_store(RealClock())) as store:
        _, rows = store.execute("SELECT what, owner, fence, at, until FROM history ORDER BY n", {})
    return [Change(what, owner, fence, _moment(at), _moment(until)) for what, owner, fence, at, until in rows]


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def judge(changes: list[Change]) -> dict[str, int]:
    """Hold the history against F05's rule; return how often each thing happened."""
    leases = [change for change in changes if change.what == "lease"]
    writes = [change for change in changes if change.what == "write"]
    owners = {change.fence: change.owner for change in leases}
    takeovers = [takeover for before, after in pairwise(leases) for takeover in _followed(before, after)]
    assert all(owners[change.fence] == change.owner for change in changes), "two owners share a fence"
    assert all(before.fence <= after.fence for before, after in pairwise(writes)), "an older fence was let through"
    said = {what: sum(change.what == what for change in changes) for what in ("write", "refused", "lost")}
    return {"cycles": len(owners), "takeovers": len(takeovers), **said}


def _followed(before: Change, after: Change) -> Iterator[Change]:
    """Yield a takeover: the lease had ended by the database's clock, and was not given back."""
    assert before.at
    assert before.until
    assert after.at
    assert (after.at - before.at).total_seconds() <= TTL + GRACE, f"{before} was not taken over in time: {after}"
    if before.fence == after.fence:  # renewed, or given back
        assert before.owner == after.owner
        return
    assert after.fence == before.fence + 1
    assert after.at >= before.until, f"{after} overlaps {before}"
    if before.until > before.at:
        yield after


@pytest.fixture(params=["sqlite", "mariadb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "sqlite":
        return partial(SQLiteStore, tmp_path / "state.sqlite")
    database: Database = request.getfixturevalue("database")
    return partial(MySQLStore, database)


def trial(open_store: Open, size: int, cycles: int) -> dict[str, int]:
    prepare(open_store)
    crowd = Crowd(open_store, size, cycles, random.Random(size))  # noqa: S311  # repeatable, not secret
    crowd.work()
    found = judge(history(open_store)) | {"killed": crowd.killed, "paused": crowd.paused}
    print(found)  # noqa: T201  # a soak's figures
    return found


def test_f05_no_two_hold_it_whoever_dies_or_sleeps(open_store: Open) -> None:
    """F05, R-05: 0 overlaps; and that takeovers, stale writes and losses really came about."""
    found = trial(open_store, 6, 300)
    assert found["cycles"] >= 300
    assert min(found[what] for what in ("killed", "paused", "takeovers", "lost", "refused"))


@pytest.mark.soak
@pytest.mark.parametrize("open_store", ["mariadb"], indirect=True)
def test_f05_ten_thousand_times(open_store: Open) -> None:
    """F05: 16 processes, 10,000 cycles, 0 overlaps."""
    found = trial(open_store, 16, 10_000)
    assert found["cycles"] >= 10_000
    assert min(found[what] for what in ("killed", "paused", "takeovers", "lost", "refused")) > 10


@pytest.mark.soak
def test_r12_eight_processes_claim_a_thousand_keys(open_store: Open) -> None:
    """R-12: each key is won once, and none is lost."""
    with contextlib.closing(open_store(RealClock())) as store:
        store.look(PULL, ["x"])
    with FORK.Pool(8) as pool:
        wins = [key for won in pool.starmap(race, [(open_store, seed, 1000) for seed in range(8)]) for key in won]
    assert sorted(wins) == sorted(wish(str(label)).key for label in range(1000))
