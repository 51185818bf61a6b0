"""Limits that bite in the middle of a sweep, sweeps that die or run at once: in the end every item is answered once."""

from __future__ import annotations

import itertools
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault
from tests import servers
from tests.cut import PHASES, Cut, Proxy, http_request, mysql_error, mysql_packet
from tests.sweeps import DEV, QA, SKIPS, Organisation, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Bot, Run

SOAK: Any = pytest.mark.soak
POST, GRAPHQL = ("POST", "/repos/*/comments"), ("POST", "/graphql")
# The first two calls of a kind are let through, and then none until the next sweep.
LIMITS = {
    "primary": Fault("primary-limit", *POST, occurrence=3, times=0, seconds=3000),
    "secondary": Fault("secondary-limit", *POST, occurrence=3, times=0),
    "secondary-retry-after": Fault("secondary-limit", *POST, occurrence=3, times=0, retry_after="3600"),
    "primary-of-queries": Fault("primary-limit", *GRAPHQL, occurrence=3, times=0, seconds=3000),
    "secondary-of-queries": Fault("secondary-limit", *GRAPHQL, occurrence=3, times=0),
    "RATE_LIMITED": Fault("query-limit", *GRAPHQL, occurrence=4, times=0),
}


@pytest.fixture
def org(github: Sandbox, database: Database, tmp_path: Path) -> Organisation:
    return organisation(github, database, tmp_path)


def one_in_a_hundred(org: Organisation, seed: int) -> None:
    """Labels on 1 % of all items, and on one of each repository at least, while nobody listens."""
    items = sorted(org.wanted)
    chosen = random.Random(seed).sample(items, max(1, len(items) // 100))  # noqa: S311  # replayable, not secret
    firsts = [next(item for item in items if item[0] == place) for place in sorted({place for place, _ in items})]
    for item in {*chosen, *firsts}:
        org.label(*item)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(("repositories", "each"), [(4, 20), pytest.param(20, 110, marks=SOAK)])
def test_f08_each_missed_label_is_answered_once_under_limits(
    org: Organisation, limit: str, repositories: int, each: int
) -> None:
    """Over as many sweeps as the limits force, each of which ends well; what is left is said."""
    for nth in range(repositories):
        org.add(f"service-{nth}", each, each)
    org.sweep()
    one_in_a_hundred(org, seed=repositories)
    for _ in range(repositories + 3):
        org.github.state.faults.clear()
        org.github.state.faults.add(LIMITS[limit])
        org.sweep()
    assert "left to the next sweep" in org.runs[1].log
    org.github.state.faults.clear()
    org.sweep()
    org.assert_answered()


def test_f08_after_a_limit_nothing_more_is_asked(org: Organisation) -> None:
    """Whoever goes on asking is banned: of what is left neither an item nor a repository is tried."""
    for nth in range(3):
        org.add(f"service-{nth}", 5, 0)
    org.sweep()
    for item in org.wanted:
        org.label(*item)
    org.github.state.faults.add(LIMITS["secondary-retry-after"])
    org.sweep()
    asked = [each for each in org.github.requests if each.path.endswith("/comments")]
    assert len(asked) == 3
    assert org.github.requests[-1] is asked[-1]


def test_f12_an_item_that_fails_before_its_claim_is_found_again(org: Organisation) -> None:
    """F12: nothing tells that a message is due but what is stored of the item, so that must not be the newest."""
    org.add("service", 3, 0)
    org.sweep()
    for item in org.wanted:
        org.label(*item)
    cut, left = Cut(1, times=1_000), ["now"]

    def act() -> bytes:
        claims = cut.names[-1].startswith("INSERT INTO mm_ledger") and left
        return mysql_error(1053, "08S01", f"Server shutdown {left.pop()}") if claims else b""

    cut.act = act
    run = killed(org, Cut(), cut, {**SKIPS, **org.later()})
    assert run.code == 3, run.log
    assert sorted(len(org.bodies(*item)) for item in org.wanted) == [0, 1, 1]
    org.sweep()
    org.assert_answered()


def test_f09_an_item_that_fails_is_found_again(org: Organisation) -> None:
    """No limit, but a failure: it is said, it holds up no other item, and the next sweep goes on with it."""
    place = org.add("service", 3, 0)
    org.sweep()
    first, *_ = org.wanted
    for item in org.wanted:
        org.label(*item)
    broken = f"/repos/{place}/issues/{first[1]}/comments"
    org.github.state.faults.add(Fault("status", "POST", broken, status=500, times=0))
    org.sweep(code=3)
    assert [len(org.bodies(*item)) for item in org.wanted] == [0, 1, 1]
    org.github.state.faults.clear()
    org.sweep()
    org.assert_answered()


@contextmanager
def wired(bot: Bot, database: Database, http: Cut, sql: Cut) -> Iterator[Bot]:
    """The bot with both of its wires led through proxies."""
    host, _, port = bot.api_url.removeprefix("http://").partition(":")
    with ExitStack() as stack:
        api = stack.enter_context(closing(Proxy((host, int(port)), http_request, http)))
        rows = stack.enter_context(closing(Proxy((database.host, database.port), mysql_packet, sql)))
        url = servers.url(replace(database, port=rows.port))
        yield replace(bot, api_url=f"http://127.0.0.1:{api.port}", database_url=url)


def killed(org: Organisation, http: Cut, sql: Cut, variables: dict[str, str]) -> Run:
    """Sweep until one of the two kills it."""
    with wired(org.bot, org.database, http, sql) as bot:
        run = bot.kill("schedule", {}, http, sql, **variables)
    assert "Traceback" not in run.log, run.log
    return run


@dataclass
class Place:
    """A repository in which something happens between any two sweeps."""

    org: Organisation
    name: str
    known: list[int]

    def happen(self) -> None:
        """What was opened last time gets a label or is closed or deleted, one more is opened with a label."""
        state, opened = self.org.github.state, self.org.add_pull(self.name, DEV)
        known, closed, gone = self.known
        self.org.label(self.name, known, QA)
        state.change_item(self.name, closed, {"state": "closed"})
        state.delete(self.name, gone)
        self.known = [opened, *(state.add_issue(self.name, "New", "reporter").number for _ in range(2))]


def some_place(org: Organisation) -> Place:
    name = org.add("service", 1, 2)
    place = Place(org, name, [number for _, number in org.wanted])
    for number in place.known[1:]:
        del org.wanted[name, number]
    org.sweep()
    return place


@pytest.mark.long
@pytest.mark.parametrize("phase", [pytest.param(each, marks=() if each == "during" else SOAK) for each in PHASES])
@pytest.mark.parametrize("wire", ["http", "sql"])
def test_f01_a_sweep_is_killed_at_every_request(org: Organisation, wire: str, phase: str) -> None:
    """F01: at the k-th request to GitHub or statement to MySQL, for all k; then one more sweep."""
    place = some_place(org)
    for at in itertools.count(1):
        place.happen()
        cut, idle = Cut(at, phase), Cut()
        http, sql = (cut, idle) if wire == "http" else (idle, cut)
        run = killed(org, http, sql, {**SKIPS, **org.later()})
        if len(cut.names) < at:
            break
        assert run.code == -signal.SIGKILL or phase == "after", run.log  # after its last answer it may end first
        org.sweep()
        org.assert_wanted()
    assert run.code == 0, run.log
    org.assert_answered()
    assert at > {"http": 7, "sql": 20}[wire], "the proxy did not see the requests that it should cut"


SHARDS = ("1/4", "2/4", "3/4", "4/4", "1/1", "1/1")  # the whole twice, beside its parts


def at_once(org: Organisation, chance: random.Random) -> list[Run]:
    """Sweep in four shards and twice as a whole, each killed at one request or statement or not reaching it."""
    later = org.later()

    def sweep(shard: str, http: int, sql: int, phase: str) -> Run:
        return killed(org, Cut(http, phase), Cut(sql, phase), {"INPUT_SHARD": shard, **later})

    points = [(each, chance.randint(2, 12), chance.randint(2, 40), chance.choice(PHASES)) for each in SHARDS]
    with ThreadPoolExecutor(len(SHARDS)) as pool:
        return list(pool.map(lambda point: sweep(*point), points))


@pytest.mark.parametrize("seed", [pytest.param(each, marks=SOAK if each > 2 else ()) for each in range(200)])
def test_f01_f03_shards_and_overlapping_sweeps_that_die(org: Organisation, seed: int) -> None:
    """In the end each item is answered once, whoever died where, and whoever else was at it."""
    chance = random.Random(seed)  # noqa: S311  # replayable, not secret
    for nth in range(5):
        org.add(f"service-{nth}", 2, 2)
    org.sweep()
    for _ in range(2):
        for item in chance.sample(sorted(org.wanted), 6):
            if not org.wanted[item]:
                org.label(*item)
        runs = at_once(org, chance)
        assert {run.code for run in runs} <= {0, -signal.SIGKILL}, [run.log for run in runs if run.code > 0]
        org.sweep()  # by itself: it may skip the time for which it waits
    for shard in SHARDS[:4]:
        org.sweep(INPUT_SHARD=shard)
    org.assert_answered()
