"""Dying at any request, and everything that GitHub and a network can answer: never two comments, never none."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from mattermod_action.adapters.mysql import connect
from sandbox import payloads
from sandbox.faults import Fault
from tests import servers
from tests.cut import PHASES, Cut, Proxy, http_request, mysql_packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.faults import When
    from tests.harness import Bot, Run

SOAK: Any = pytest.mark.soak
DEV = "2: Dev Review"
NOW = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
LATER = {**NOW, "MATTERMOD_CLOCK_OFFSET": "60"}  # seconds; a lease is 30
POST, GRAPHQL, CONFIG = ("POST", "/repos/*/comments"), ("POST", "/graphql"), ("GET", "/repos/*/contents/*")


def labeled(github: Sandbox) -> dict[str, Any]:
    """A pull request of its own for each trial."""
    pull = payloads.opened_pull(github.state, github.repository, "Trial", [], "newcomer")
    return payloads.labeled(github.state, github.repository, pull["number"], DEV, "maintainer")


def comments(github: Sandbox, event: dict[str, Any]) -> list[str]:
    return [comment.body for comment in github.state.item(github.repository, event["number"]).comments]


@dataclass
class Trial:
    """A bot, the wires that it goes through, and where its ledger can be read."""

    bot: Bot
    github: Sandbox
    database: Database | None

    @contextmanager
    def wired(self, wire: str, cut: Cut) -> Iterator[Bot]:
        """The bot with one of its wires led through a proxy."""
        if wire == "http":
            proxy = Proxy(address(self.github.url), http_request, cut)
            with closing(proxy):
                yield self.bot.behind(proxy.port)
        else:
            assert self.database is not None
            proxy = Proxy((self.database.host, self.database.port), mysql_packet, cut)
            with closing(proxy):
                yield replace(self.bot, database_url=servers.url(replace(self.database, port=proxy.port)))

    def ledger(self, event: dict[str, Any]) -> list[str]:
        """Return the states of the item's effects."""
        return [state for (state,) in self.query(f"SELECT state FROM mm_ledger WHERE number = {event['number']:d}")]

    def query(self, sql: str) -> list[Any]:
        if self.database is None:
            path = self.bot.home / ".mattermod/state.sqlite"
            with closing(sqlite3.connect(path)) as file:
                return list(file.execute(sql)) if path.exists() and path.stat().st_size else []
        with closing(connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def assert_settled(self, event: dict[str, Any]) -> None:
        """One comment, confirmed, and another delivery writes nothing."""
        assert len(comments(self.github, event)) == 1
        assert self.ledger(event) == ["confirmed"]
        writes = len(self.github.writes)
        assert self.bot.run("pull_request_target", event, **LATER).code == 0
        assert len(self.github.writes) == writes


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


@pytest.fixture
def trial(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Trial:
    return Trial(bot, github, request.getfixturevalue("database") if bot.database_url else None)


# A run again is delivered again with less that is believed: of it the phase that leaves most is shown each time.
WAYS = [
    pytest.param(attempt, phase, id=f"{name}-{phase}", marks=() if attempt == "1" or phase == "during" else SOAK)
    for attempt, name in (("1", "redelivered"), ("2", "re-run"))
    for phase in PHASES
]


@pytest.mark.parametrize(
    ("bot", "wire", "points"), [("sqlite", "http", 3), ("mysql", "http", 2), ("mysql", "sql", 5)], indirect=["bot"]
)
@pytest.mark.parametrize(("attempt", "phase"), WAYS)
def test_f01_kill_9_at_every_request(trial: Trial, wire: str, points: int, phase: str, attempt: str) -> None:
    """F01: at the k-th request to GitHub or statement to MySQL, for all k; then one more run."""
    for at in itertools.count(1):
        event, cut = labeled(trial.github), Cut(at, phase)
        with trial.wired(wire, cut) as bot:
            process = bot.start("pull_request_target", event, **NOW)
            cut.pid = process.pid
            run = bot.finish(process)
        if len(cut.names) < at:
            break
        assert run.code == -signal.SIGKILL or phase == "after", run.log  # after its last answer it may end first
        again = trial.bot.run("pull_request_target", event, GITHUB_RUN_ATTEMPT=attempt, **LATER)
        assert again.code == 0, f"{cut.names}: {again.log}"
        trial.assert_settled(event)
    assert run.code == 0, run.log
    assert at > points, "the proxy did not see the requests that it should cut"


BROKEN = [
    Fault("status", status=500),
    Fault("status", status=502),
    Fault("status", status=503),
    Fault("status", status=504),
    Fault("timeout", seconds=0.2),
    Fault("reset"),
    Fault("cut"),
    Fault("truncated"),
    Fault("empty"),
    Fault("html"),
]


WHEN: list[tuple[When, int]] = [("before", 0), ("after", 0), ("after", 1)]


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: f"{fault.kind}{fault.status or ''}")
@pytest.mark.parametrize(("when", "reads"), WHEN, ids=["before", "after", "after-and-lagging"])
def test_f07_f09_f10_a_broken_answer_to_the_comment(trial: Trial, fault: Fault, when: When, reads: int) -> None:
    """R-03, F07 and F09, together with F10: whatever the answer is, one comment stands at the end of the same run."""
    event = labeled(trial.github)
    trial.github.state.faults.add(replace(fault, method=POST[0], path=POST[1], when=when, reads=reads))
    run = trial.bot.run("pull_request_target", event, **NOW)
    assert_clean(run)
    assert run.code == 0, run.log
    trial.assert_settled(event)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("endpoint", [GRAPHQL, CONFIG], ids=["graphql", "config"])
@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: f"{fault.kind}{fault.status or ''}")
def test_f09_a_broken_answer_to_a_read(trial: Trial, endpoint: tuple[str, str], fault: Fault) -> None:
    """Nothing is written before the read is whole; afterwards one comment stands."""
    event = labeled(trial.github)
    trial.github.state.faults.add(replace(fault, method=endpoint[0], path=endpoint[1], times=0))
    run = trial.bot.run("pull_request_target", event, **NOW)
    assert_clean(run)
    silent_half = endpoint == CONFIG and fault.kind in ("empty", "truncated")  # a file has no sign of its end
    assert run.code in (2, 3) or silent_half, run.log
    assert comments(trial.github, event) == []
    trial.github.state.faults.clear()
    assert trial.bot.run("pull_request_target", event, **LATER).code == 0
    trial.assert_settled(event)


@pytest.mark.parametrize("fault", BROKEN[:6], ids=lambda fault: f"{fault.kind}{fault.status or ''}")
def test_f07_github_stays_down(trial: Trial, fault: Fault) -> None:
    event = labeled(trial.github)
    trial.github.state.faults.add(replace(fault, method=POST[0], path=POST[1], times=0))
    run = trial.bot.run("pull_request_target", event, **NOW)
    assert_clean(run)
    assert run.code == 3, run.log
    assert comments(trial.github, event) == []
    trial.github.state.faults.clear()
    assert trial.bot.run("pull_request_target", event, **LATER).code == 0
    trial.assert_settled(event)


LIMITS = [
    Fault("secondary-limit"),
    Fault("secondary-limit", retry_after="30"),
    Fault("secondary-limit", retry_after="soon"),
    Fault("too-many"),
    Fault("too-many", retry_after="30"),
    Fault("primary-limit", seconds=30),
]


@pytest.mark.parametrize("fault", LIMITS, ids=lambda fault: f"{fault.kind}-{fault.retry_after}")
def test_f08_a_short_limit_is_waited_out(trial: Trial, fault: Fault) -> None:
    event = labeled(trial.github)
    trial.github.state.faults.add(replace(fault, method=POST[0], path=POST[1]))
    run = trial.bot.run("pull_request_target", event, **NOW)
    assert_clean(run)
    assert run.code == 0, run.log
    trial.assert_settled(event)


@pytest.mark.parametrize(
    "fault",
    [Fault("secondary-limit", retry_after="3600"), Fault("primary-limit", seconds=3000)],
    ids=["secondary", "primary"],
)
def test_f08_a_long_limit_parks_the_work(trial: Trial, fault: Fault) -> None:
    """R-02: kept in MySQL the run is green; the embedded store goes with its runner, so there it is 3."""
    event = labeled(trial.github)
    trial.github.state.faults.add(replace(fault, method=POST[0], path=POST[1], times=0))
    run = trial.bot.run("pull_request_target", event, **NOW)
    assert_clean(run)
    assert run.code == (0 if trial.database else 3), run.log
    assert run.outputs["failures"]
    assert comments(trial.github, event) == []
    assert trial.ledger(event) == ["intent"]
    trial.github.state.faults.clear()
    assert trial.bot.run("pull_request_target", event, **LATER).code == 0
    trial.assert_settled(event)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("endpoint", [GRAPHQL, CONFIG], ids=["graphql", "config"])
def test_f08_a_read_waits_for_a_short_limit(trial: Trial, endpoint: tuple[str, str]) -> None:
    event = labeled(trial.github)
    trial.github.state.faults.add(Fault("secondary-limit", *endpoint, retry_after="2"))
    assert trial.bot.run("pull_request_target", event, **NOW).code == 0
    trial.assert_settled(event)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_f02_a_cancelled_run_stops_and_the_next_takes_over(trial: Trial, number: signal.Signals, code: int) -> None:
    """F02, R-05: in the middle of the request for the comment."""
    event = labeled(trial.github)
    trial.github.state.faults.add(Fault("timeout", *POST, seconds=60, when="after"))
    process = trial.bot.start("pull_request_target", event)
    while not any(request.path.endswith("/comments") for request in trial.github.requests):
        assert process.poll() is None, trial.bot.finish(process).log
        time.sleep(0.02)
    started = time.monotonic()
    process.send_signal(number)
    run = trial.bot.finish(process)
    assert time.monotonic() - started < 5
    assert_clean(run)
    assert run.code == code, run.log
    assert trial.bot.run("pull_request_target", event, **LATER).code == 0
    trial.assert_settled(event)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_f12_f13_the_connection_to_mysql_breaks(trial: Trial, phase: str) -> None:
    """F12, F13: at each statement, its answer lost too. Nothing is posted blindly, and the next run mends it."""
    broke = 0
    for at in itertools.count(1):
        event, cut = labeled(trial.github), Cut(at, phase, breaks=True)
        with trial.wired("sql", cut) as bot:
            run = bot.run("pull_request_target", event, **NOW)
        assert_clean(run)
        if len(cut.names) < at:
            break
        broke += 1
        assert run.code in (0, 3), run.log
        assert len(comments(trial.github, event)) <= 1
        assert trial.bot.run("pull_request_target", event, **LATER).code == 0
        trial.assert_settled(event)
    assert broke >= 5


def assert_clean(run: Run) -> None:
    """No trace, and nothing that a runner takes for a command but what we meant."""
    assert "Traceback" not in run.log, run.log
    assert "a bug" not in run.log, run.log
