"""Test servers through whatever happens: seeded histories, and the very seconds at which a server's time is over."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from mattermod_action.advancing import GRACE_MINUTES
from sandbox.aws import AwsFault
from tests.spinmint_histories import changes, lived
from tests.spinmints import DAY, HOUR, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)

BLOCKS, SEEDS = 20, 50
TRIALS = 5  # of what has to be done within a second
LIFE = [(1, 0), (72, 0), (1, 1), (72, 2)]  # hours, and days that were added to them


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def up(servers: Scene, hours: int, days: int = 0) -> tuple[Pull, float]:
    """A pull request with a server that is up, and when its time is over: so long after it was launched."""
    pull, before = servers.pull(), servers.now()
    servers.built(pull)
    run = servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["ready"], run.log
    assert before <= ends(servers, pull) - hours * HOUR <= servers.now()
    was = ends(servers, pull)
    for _ in range(days):
        servers.deliver(servers.said(pull, "/spinmint extend 24h"))
    assert ends(servers, pull) == was + days * DAY
    return pull, was + days * DAY


def ends(servers: Scene, pull: Pull) -> float:
    seconds = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expires_at) / 1000000"
    [(moment,)] = servers.query(f"SELECT {seconds} FROM mm_servers WHERE number = {pull.number:d}")
    return float(moment)


def swept_at(servers: Scene, moment: float) -> None:
    servers.pass_time(moment - servers.now())
    run = servers.sweep()
    assert run.code == 0, run.log


@pytest.mark.parametrize(("hours", "days"), LIFE)
def test_mm90_a_server_ends_with_its_time(servers: Scene, hours: int, days: int) -> None:
    """72 h means 72 h: a second before, a sweep changes nothing, and a second after, one has ended all there is."""
    servers.configure(hours=hours, warn_hours=0)
    for _ in range(TRIALS):
        pull, end = up(servers, hours, days)
        before = changes(servers)
        swept_at(servers, end - 1)
        if in_time := servers.now() < end:
            assert (servers.states(pull), changes(servers), len(servers.alive())) == (["ready"], before, 1)
        swept_at(servers, max(end + 1, servers.now()))
        assert (servers.rows(pull), servers.alive()) == ([("destroyed", "expired")], [])
        assert (servers.names(), servers.listed()) == ([], [])
        if in_time:
            return
    pytest.fail(f"of {TRIALS} sweeps none took less than a second")


@pytest.mark.parametrize(("hours", "days"), LIFE)
def test_a_server_ends_itself_when_nothing_sweeps(servers: Scene, hours: int, days: int) -> None:
    """However long the schedule is dead: what its tag says counts, and what was added to its life is in there."""
    servers.configure(hours=hours)
    pull, end = up(servers, hours, days)
    servers.pass_time(end + 60 * GRACE_MINUTES - 1 - servers.now())
    assert len(servers.alive()) == 1
    servers.pass_time(2)
    assert servers.alive() == []
    swept_at(servers, end + 9 * DAY)
    assert (servers.rows(pull), servers.names(), servers.listed()) == ([("destroyed", "expired")], [], [])


def test_a_server_that_nobody_extends_any_more_ends_after_its_longest_life(servers: Scene) -> None:
    """To the second: what ends then is granted, and what would end one second later is not."""
    servers.configure(hours=1, longest_hours=3)
    pull, _ = up(servers, 1)
    servers.query("UPDATE mm_servers SET expires_at = created_at + INTERVAL 7201 SECOND")
    was = ends(servers, pull)
    run = servers.deliver(servers.said(pull, "/spinmint extend 1h"))
    assert (run.code, ends(servers, pull)) == (0, was)
    assert "it may be kept until" in servers.bodies(pull)[-1]
    servers.query("UPDATE mm_servers SET expires_at = created_at + INTERVAL 7200 SECOND")
    servers.deliver(servers.said(pull, "/spinmint extend 1h"))
    assert ends(servers, pull) == was - 1 + HOUR


@pytest.mark.long
def test_some_short_histories(servers: Scene) -> None:
    for seed in range(5):
        lived(servers, seed, 4)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_histories(servers: Scene, block: int) -> None:
    """HISTORY=617 and `-m soak -k test_histories[0-` replay that one alone."""
    seeds = os.environ.get("HISTORY", "").split() or range(block * SEEDS, (block + 1) * SEEDS)
    start = time.monotonic()
    for seed in seeds:
        lived(servers, int(seed))
    print(f"{len(seeds)} histories took {time.monotonic() - start:.0f} s")  # noqa: T201  # what -s shows


@pytest.mark.parametrize("late", [60.0, 40 * 60.0, 3 * DAY])
def test_a_server_is_not_launched_once_more_when_its_time_is_over(servers: Scene, late: float) -> None:
    """It did not come up, and whoever was to launch it once more was dead for that long."""
    servers.configure(hours=1)
    servers.cloud.faults.add(
        AwsFault("lag", "ec2", "RunInstances", fate="dies"),
        AwsFault("status", "ec2", "TerminateInstances", times=0, code="RequestLimitExceeded"),
    )
    pull = servers.pull()
    servers.built(pull)
    servers.deliver(servers.labeled(pull))
    assert servers.rows(pull) == [("destroying", "relaunch")]
    servers.cloud.faults.clear()
    swept_at(servers, ends(servers, pull) + late)
    assert (servers.rows(pull), servers.calls().count("RunInstances")) == ([("destroyed", "expired")], 1)
