"""Fifty processes that write pull requests at once, in our way and in the original's, which is the anchor.

The original inserts and, on any error, updates. `autocommit` is how its own driver sends that, `transaction` is the
same with the default of most libraries. Both write the original's columns through the driver that we use, and every
write of either side changes its row.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pymysql

from mattermod_action.adapters.mysql import DEADLOCK, MySQLStore, connect
from mattermod_action.events import PullRequest
from mattermod_action.world import RealClock
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymysql.connections import Connection

    from mattermod_action.adapters.database_url import Database

    Work = Callable[[], int]

PROCESSES, WRITES = 50, 60
PATIENCE = 120.0  # seconds until all processes are ready
FORK = multiprocessing.get_context("fork")

KEY = ("RepoOwner", "RepoName", "Number")
COLUMNS = """
    FullName Username Ref Sha Labels State BuildStatus BuildConclusion BuildLink URL CreatedAt
    MaintainerCanModify Merged MilestoneNumber MilestoneTitle
    """.split()
ALL = (*KEY, *COLUMNS)
INSERT = f"INSERT INTO PullRequests ({', '.join(ALL)}) VALUES ({', '.join(f'%({name})s' for name in ALL)})"  # noqa: S608  # constants of this file
UPDATE = (
    f"UPDATE PullRequests SET {', '.join(f'{name} = %({name})s' for name in COLUMNS)} "  # noqa: S608  # constants of this file
    f"WHERE {' AND '.join(f'{name} = %({name})s' for name in KEY)}"
)


@dataclass(frozen=True)
class Load:
    """How many rows are written, and whether what is written is of another length each time."""

    rows: int
    same_length: bool = True

    def snapshots(self, seed: int) -> list[PullRequest]:
        """Return one writer's snapshots, each unlike all others."""
        dice = random.Random(seed)  # noqa: S311  # a load, not a secret
        return [self._snapshot(dice) for _ in range(WRITES)]

    def _snapshot(self, dice: random.Random) -> PullRequest:
        pull = pull_seen("A" if self.same_length else "A" * dice.randrange(1, 40)).subject
        if not isinstance(pull, PullRequest):
            raise TypeError(pull)
        return replace(pull, number=1 + dice.randrange(self.rows), sha=f"{dice.getrandbits(160):040x}")


def ours(database: Database, snapshots: Sequence[PullRequest]) -> Work:
    """Connect, and return what writes and says how many writes were done."""
    store = MySQLStore(database, RealClock())
    store.look(snapshots[0], ["x"])

    def work() -> int:
        for snapshot in snapshots:
            store.remember(snapshot)
        return len(snapshots)

    return work


def autocommit(database: Database, snapshots: Sequence[PullRequest]) -> Work:
    connection, rows = connect(database), [_row(snapshot) for snapshot in snapshots]

    def work() -> int:
        for row in rows:
            _save(connection, row)
        return len(rows)

    return work


def transaction(database: Database, snapshots: Sequence[PullRequest]) -> Work:
    connection, rows = connect(database), [_row(snapshot) for snapshot in snapshots]
    connection.autocommit(False)  # noqa: FBT003  # PyMySQL's own signature
    return lambda: sum(_committed(connection, row) for row in rows)


def _save(connection: Connection, row: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(INSERT, row)
        except pymysql.IntegrityError:
            cursor.execute(UPDATE, row)


def _committed(connection: Connection, row: dict[str, Any]) -> bool:
    """Return False when a deadlock rolled it back: the original does not try again."""
    try:
        _save(connection, row)
        connection.commit()
    except pymysql.OperationalError as error:
        if error.args[0] != DEADLOCK:
            raise
        return False
    return True


def _row(pull: PullRequest) -> dict[str, Any]:
    given = {
        "RepoOwner": pull.repository.owner, "RepoName": pull.repository.name, "Number": pull.number,
        "FullName": pull.head, "Username": pull.author, "Ref": pull.ref, "Sha": pull.sha, "State": pull.state,
        "Labels": f'["{pull.labels[0]}"]', "URL": pull.url, "CreatedAt": pull.created_at,
        "MaintainerCanModify": 0, "Merged": 0, "BuildStatus": "", "BuildConclusion": "", "BuildLink": "",
    }  # fmt: skip
    return {**dict.fromkeys(ALL), **given}


def at_once(get_ready: Callable[[int], Work]) -> tuple[int, float]:
    """Let each process get ready with its number, and all start together; return what they did and in how long."""
    ready, slots = FORK.Barrier(PROCESSES), FORK.Array("d", 3 * PROCESSES)

    def one(number: int) -> None:
        work = get_ready(number)
        ready.wait(PATIENCE)
        started = time.perf_counter()
        done = work()
        slots[3 * number : 3 * number + 3] = (float(done), started, time.perf_counter())

    processes = [FORK.Process(target=one, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process failed: its own words are above")
    return round(sum(slots[::3])), max(slots[2::3]) - min(slots[1::3])
