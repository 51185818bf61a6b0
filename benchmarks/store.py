"""What the shared store costs: statements of an event, and fifty processes that write or claim at once.

It starts a MariaDB of its own, as durable as a server is by default, for all sides alike. Ours and the anchors (see
writers.py) take turns, round by round, so that what disturbs one disturbs all.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from benchmarks.writers import PROCESSES, WRITES, Load, at_once, autocommit, ours, transaction
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.effects import Comment
from mattermod_action.world import RealClock
from sandbox import payloads
from tests import servers
from tests.builders import pull_seen
from tests.cut import Cut, Proxy, mysql_packet
from tests.harness import Bot

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.writers import Work
    from mattermod_action.adapters.database_url import Database

ROUNDS, RACES = 5, 10
# Each commit is on the disk before it is answered.
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=O_DIRECT", "--innodb-buffer-pool-size=256M")
WAYS = {"ours": ours, "original, autocommit": autocommit, "original, transaction": transaction}
LOADS = {
    "hot row": Load(1),
    "20 rows": Load(20),
    "1000 rows": Load(1000),
    "hot row, of another length each time": Load(1, same_length=False),
}
GOALS = {("hot row", "original, autocommit"): 1.1, ("hot row", "original, transaction"): 10}
CONFIG = "label_messages: {pull_requests: [{label: Answered, message: Thanks USERNAME.}]}"
PULLS = {"pulls": [{"number": 7, "author": "newcomer"}], "files": {".github/mattermod.yml": CONFIG}}
TOKEN = {"permissions": {"contents": "read", "issues": "write"}, "limit": 1000}
SCENARIO = {"repositories": {"octo-org/hello": PULLS}, "tokens": {"token": TOKEN}}


def run() -> dict[str, Any]:
    """Return the figures; each ratio that has a goal has it beside it."""
    with tempfile.TemporaryDirectory() as home, servers.server(Path(home), *DURABLE) as server:
        return {
            "server": {"version": _version(server.database), "options": " ".join(DURABLE)},
            "statements": _statements(server.migrated()),
            "writers": {"processes": PROCESSES, "writes of each": WRITES, "rounds": ROUNDS},
            **{name: _side_by_side(server.migrated(), name, load) for name, load in LOADS.items()},
            "races for one key": _races(server.migrated()),
        }


def _version(database: Database) -> str:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        [(version,)] = cursor.fetchall()
    return str(version)


def _status(database: Database, name: str) -> int:
    """Ask the server's own counter."""
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
        [(_, value)] = cursor.fetchall()
    return int(value)


def _statements(database: Database) -> dict[str, Any]:
    """Run the bot three times through a proxy that sees each statement."""
    cut = Cut()
    proxy = Proxy((database.host, database.port), mysql_packet, cut)
    with contextlib.closing(proxy), tempfile.TemporaryDirectory() as home, sandbox.serve(SCENARIO) as github:
        bot = Bot(github.url, github.token, Path(home), servers.url(replace(database, port=proxy.port)))
        idle, answered = (
            payloads.labeled(github.state, github.repository, github.pull, label, "maintainer")
            for label in ("Nobody asked", "Answered")
        )
        trials = {"nothing to do": (idle, 0), "an answered label": (answered, 5), "the same again": (answered, 2)}
        return {title: {**_count(database, bot, cut, event), "goal": goal} for title, (event, goal) in trials.items()}


def _count(database: Database, bot: Bot, cut: Cut, event: dict[str, Any]) -> dict[str, int]:
    """Those that only set up the session are told apart."""
    cut.names.clear()
    before = _status(database, "Connections")
    ran = bot.run("pull_request_target", event)
    if ran.code:
        raise RuntimeError(ran.log)
    connections = _status(database, "Connections") - before - 1  # less the one that asks
    setting_up = [name for name in cut.names if name.startswith("SET ")]
    statements = len(cut.names) - len(setting_up)
    return {"connections": connections, "to set up the session": len(setting_up), "statements": statements}


@dataclass(frozen=True)
class Round:
    """Writes per second, those that a deadlock rolled back left out, and deadlocks as the server counted them."""

    rate: float
    deadlocks: int


def _side_by_side(database: Database, name: str, load: Load) -> dict[str, Any]:
    """Let all take turns. A ratio is the median of those of the rounds."""
    rounds = [{way: _round(database, load, way) for way in WAYS} for _ in range(ROUNDS)]
    return {
        **{way: _told([each[way] for each in rounds]) for way in WAYS},
        **{f"ours to {way}": _ratio(rounds, name, way) for way in WAYS if way != "ours"},
    }


def _told(rounds: list[Round]) -> dict[str, int]:
    rate = round(statistics.median(each.rate for each in rounds))
    return {"writes per second": rate, "deadlocks": sum(each.deadlocks for each in rounds)}


def _ratio(rounds: list[dict[str, Round]], name: str, way: str) -> dict[str, float]:
    ratio = statistics.median(each["ours"].rate / each[way].rate for each in rounds)
    goal = GOALS.get((name, way))
    return {"ratio": round(ratio, 2), **({"goal": goal} if goal else {})}


def _round(database: Database, load: Load, way: str) -> Round:
    """The table is empty at the start."""
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE PullRequests")
    before = _status(database, "Innodb_deadlocks")
    done, seconds = at_once(lambda number: WAYS[way](database, load.snapshots(number)))
    return Round(done / seconds, _status(database, "Innodb_deadlocks") - before)


def _races(database: Database) -> dict[str, Any]:
    """Fifty claim the same key at the same moment, and again with another key."""
    winners = sorted({at_once(_racer(database, race))[0] for race in range(RACES)})
    return {"keys": RACES, "racers": PROCESSES, "winners of each": winners, "goal": [1]}


def _racer(database: Database, race: int) -> Callable[[int], Work]:
    subject = pull_seen("A").subject
    effect = Comment(subject=subject, text="Hello", once=("raced", race), feature="label_messages")

    def get_ready(number: int) -> Work:
        store = MySQLStore(database, RealClock())
        store.look(subject, [effect.key])
        return lambda: store.claim(effect, f"racer {number}")

    return get_ready
