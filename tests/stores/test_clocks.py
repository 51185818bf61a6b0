"""F06: the container's clock is wrong, the server keeps another time or a summer time, and nothing depends on it.

A zone with a summer time is given to the server by its environment: the tables that its own zones come from are not
loaded on every server, and not in these tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

import pytest

from mattermod_action import inputs, parsing
from mattermod_action.adapters.mysql import MySQLStore
from mattermod_action.adapters.sqlite import SQLiteStore
from mattermod_action.bot import Bot
from mattermod_action.config import load
from mattermod_action.events import PullRequest, PullRequestSeen
from mattermod_action.report import Report
from mattermod_action.world import RealClock, SkippingClock, World
from sandbox import payloads
from sandbox.faults import Fault
from tests import servers
from tests.scene import texts
from tests.stores.contract import LATER, PULL, TTL, entry, wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.ports import Clock, Store
    from sandbox import Sandbox

    Open = Callable[[Clock], Store]

WRONG = [timedelta(minutes=10), timedelta(minutes=-10)]
# Five hours ahead, and a place where the clocks are put forward on the last Sunday of March.
ZONES = {"+05:00": "UTC", "SYSTEM": "CET-1CEST,M3.5.0,M10.5.0/3"}
SKIPPED = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001  # UTC; in that place no clock ever shows it


@dataclass
class Skewed:
    """A container's clock that is wrong by `by`; simulated time is what it is."""

    by: timedelta
    clock: Clock

    @property
    def offset(self) -> timedelta:
        return self.clock.offset

    @offset.setter
    def offset(self, value: timedelta) -> None:
        self.clock.offset = value

    def now(self) -> datetime:
        return self.clock.now() + self.by

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


@pytest.fixture(scope="module", params=list(ZONES))
def elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server in another zone."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TZ", ZONES[request.param])
        with servers.server(tmp_path_factory.mktemp("zone"), f"--default-time-zone={request.param}") as server:
            yield server


@pytest.fixture
def away(elsewhere: servers.Server) -> Database:
    """A database with our tables on it."""
    return elsewhere.migrated()


def story(open_store: Open, by: timedelta) -> list[object]:
    """Return what two runs, whose clocks are wrong in opposite ways, get to know of a lease and of the ledger."""
    one, two = open_store(Skewed(by, RealClock())), open_store(Skewed(-by, RealClock()))
    late = open_store(Skewed(by, SkippingClock(timedelta(seconds=LATER))))
    return [*_of_a_lease(one, two, late), *_of_the_ledger(one, two, late)]


def _of_a_lease(one: Store, two: Store, late: Store) -> Iterator[object]:
    yield one.take_lease("a", "one", TTL)
    yield two.take_lease("a", "two", TTL)
    yield one.renew_lease("a", "one", 1, TTL)
    yield late.take_lease("a", "late", TTL)
    yield one.renew_lease("a", "one", 1, TTL)
    late.end_lease("a", "late", 2)
    yield late.take_lease("a", "two", TTL)


def _of_the_ledger(one: Store, two: Store, late: Store) -> Iterator[object]:
    key = wish().key
    one.remember(PULL)
    yield two.look(PULL, [key])
    yield one.claim(wish(), "one")
    yield one.send(key, "one", 1)
    yield two.take(key, "two", 1)
    yield replace(entry(two, wish()), sent_at=None)
    yield late.take(key, "late", 1)
    yield one.confirm(key, "one", 1, "")
    yield late.confirm(key, "late", 2, "https://github.com/x")
    yield entry(two, wish()).result


@pytest.fixture
def expected(tmp_path: Path) -> list[object]:
    """The same story where all clocks are right."""
    return story(partial(SQLiteStore, tmp_path / "right.sqlite"), timedelta())


@pytest.mark.parametrize("by", WRONG, ids=["ahead", "behind"])
def test_f06_the_embedded_stores_clock_is_the_only_one(expected: list[object], tmp_path: Path, by: timedelta) -> None:
    assert story(partial(SQLiteStore, tmp_path / "wrong.sqlite"), by) == expected


@pytest.mark.parametrize("by", WRONG, ids=["ahead", "behind"])
def test_f06_the_databases_clock_is_the_only_one(expected: list[object], away: Database, by: timedelta) -> None:
    """F06, MM-73: and where the server's own day begins does not matter."""
    assert story(partial(MySQLStore, away), by) == expected


def test_f06_moments_are_utc_in_any_zone_and_season(away: Database) -> None:
    """What the ledger notes, and what GitHub says, also in the hour that the server's zone leaves out."""
    store = MySQLStore(away, RealClock())
    store.claim(wish(), "one")
    store.send(wish().key, "one", 1)
    sent_at = entry(store, wish()).sent_at
    assert sent_at
    assert abs(datetime.now(UTC).replace(tzinfo=None) - sent_at) < timedelta(seconds=60)
    assert isinstance(PULL, PullRequest)
    store.remember(replace(PULL, created_at=SKIPPED, updated_at=SKIPPED))
    assert store.look(PULL, ["x"]).seen_at == SKIPPED
    assert store.execute("SELECT CreatedAt FROM PullRequests", {})[1] == [(SKIPPED,)]
    store.execute("SET SESSION time_zone = DEFAULT", {})
    assert store.execute("SELECT CreatedAt FROM PullRequests", {})[1] != [(SKIPPED,)], "it is in no other zone"


@dataclass
class Talking(SkippingClock):
    """While it is waited for, more people comment than a page has room for."""

    talk: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.talk()


@dataclass
class SkewedWorld(World):
    """A run in a container whose clock is wrong."""

    by: timedelta = timedelta()
    talk: Callable[[], object] = lambda: None

    @cached_property
    def clock(self) -> Clock:
        return Skewed(self.by, Talking(talk=self.talk))


CONFIG = "label_messages: {pull_requests: [{label: A, message: Hello}]}"


@pytest.mark.parametrize("reads", [0, 1], ids=["at-once", "lagging"])
@pytest.mark.parametrize("by", WRONG, ids=["ahead", "behind"])
def test_f06_a_lost_answer_is_looked_for_at_the_right_time(
    github: Sandbox, away: Database, tmp_path: Path, by: timedelta, reads: int
) -> None:
    """F06 with F07, F10, F11: the comment is found a page back, though the clock that says since when is wrong."""
    number = payloads.opened_pull(github.state, github.repository, "Skewed", [], "newcomer")["number"]
    event = parsing.parse("pull_request", payloads.labeled(github.state, github.repository, number, "A", "maintainer"))
    assert isinstance(event, PullRequestSeen)
    github.state.faults.add(Fault("reset", "POST", "/repos/*/comments", when="after", reads=reads))
    given = inputs.read({**github.variables, "INPUT_GITHUB-TOKEN": github.token, "GITHUB_WORKSPACE": str(tmp_path)})
    world, report = SkewedWorld(given, away, by=by, talk=partial(_talk, github, number)), Report()
    Bot(load(CONFIG, "c.yml").config, world, report).handle(event)
    world.close()
    assert report.failures == []
    bodies = texts(github.state.item(github.repository, number).comments)
    assert len(bodies) == 1 + 120 * reads
    assert sum(body.startswith("Hello") for body in bodies) == len(report.comments) == 1


def _talk(github: Sandbox, number: int) -> None:
    for _ in range(120):
        github.state.add_comment(github.repository, number, "newcomer", "Me too")
