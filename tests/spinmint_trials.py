"""Trials of test servers that something happens to: a pull request for each, and what must be so in the end."""

from __future__ import annotations

import base64
import random
import re
import signal
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from sandbox import aws, payloads
from sandbox.aws import AwsFault
from tests.cut import Cut, Proxy, http_request
from tests.spinmints import LABEL, Scene
from tests.test_faults import assert_clean
from tests.test_pick_faults import AtPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.records import Pull
    from tests.harness import Bot, Run

PLENTY = dict.fromkeys(("repository", "organisation", "user", "launches"), 1000)
LEASES = 320.0  # seconds after which every lease is over: the longest is the reaper's
MOST = 1_500.0  # seconds for which nothing is late
WAYS = ("delivered again", "run again", "swept")
BETWEEN = ("", "push", "edited", "swept")
WRITES = ("RunInstances", "TerminateInstances", "CreateTags", "ChangeResourceRecordSets")
ROWS = "| test server |"
SECONDS = 60.0  # real ones, after which a trial is stuck


def aws_request(source: BinaryIO) -> tuple[bytes, str]:
    """Read one request to AWS; its name is the operation, or method and path."""
    raw, name = http_request(source)
    found = re.search(rb"Action=(\w+)", raw)
    return raw, found[1].decode() if found else name


@contextmanager
def wired(servers: Scene, wire: str, cut: Cut) -> Iterator[tuple[Bot, dict[str, str]]]:
    """The bot and its variables, with one of its wires led through a proxy; links of Jenkins lead there, too."""
    if wire in ("http", "sql"):
        with servers.wired(wire, cut) as bot:
            yield bot, {}
        return
    url = servers.cloud.url if wire == "aws" else servers.builds.url
    host, _, port = url.removeprefix("http://").partition(":")
    with closing(Proxy((host, int(port)), aws_request if wire == "aws" else http_request, cut)) as proxy:
        led = f"http://127.0.0.1:{proxy.port}"
        if wire == "aws":
            yield servers.bot, {"AWS_ENDPOINT_URL": led}
            return
        servers.builds.url = led
        try:
            yield servers.bot, {}
        finally:
            servers.builds.url = url


@dataclass
class Asked:
    """A pull request, the event that the trial is of, and the states of its servers in the end."""

    servers: Scene
    pull: Pull
    event: Any
    states: tuple[str, ...] = ("ready",)

    @property
    def kind(self) -> str:
        name = payloads.name(self.event)
        return "pull_request_target" if name == "pull_request" else name

    def killed(self, cut: Cut, bot: Bot, variables: dict[str, str]) -> Run:
        run = bot.kill(self.kind, self.event, cut, **{**self.servers.environment, **variables})
        assert_clean(run)
        assert run.code in (-signal.SIGKILL, 0), run.log
        return run

    def go_on(self, way: str) -> None:
        """Have it brought to its end, in one of the ways."""
        if way == "swept":
            run = self.servers.sweep()
            assert run.code == 0, run.log
            if self.servers.states(self.pull):
                return
            assert self.servers.alive() == []  # it is not known to anybody that it was asked for
        run = self.servers.deliver(self.event, **({} if way == "delivered again" else {"GITHUB_RUN_ATTEMPT": "2"}))
        assert run.code == 0, run.log
        if self.states[-1] == "destroyed":  # it is a sweep that tells of what had ended before
            run = self.servers.sweep()
            assert run.code == 0, run.log

    def told(self) -> list[str]:
        """The comments on its servers."""
        return [each for each in self.servers.bodies(self.pull) if ROWS in each]

    def assert_at_most_once(self) -> None:
        """I1, I2, while it is on its way."""
        servers = self.servers
        assert len(servers.alive()) <= 1
        sql = f"SELECT k FROM mm_servers WHERE number = {self.pull.number:d} AND live = 1"  # a number
        assert len(servers.query(sql)) <= 1
        assert len(self.told()) <= len(servers.states(self.pull))

    def assert_done(self) -> None:
        """As many rows as there are to be, a comment on each, and one server with one name, or none."""
        servers, up = self.servers, self.states[-1] == "ready"
        assert tuple(servers.states(self.pull)) == self.states, servers.rows(self.pull)
        servers.assert_whole()
        alive = servers.alive()
        assert len(alive) == up
        assert servers.names() == [f"{instance}.{aws.ZONE}." for instance in alive]
        assert servers.listed() == alive
        told = self.told()
        assert len(told) == len(self.states), told
        for body, state in zip(told, self.states, strict=True):
            assert f"{ROWS} {TOLD[state]} |" in body, body
        assert not up or f"http://{alive[0]}.{aws.ZONE}" in told[-1]

    def assert_settled(self, way: str = "run again") -> None:
        """All is done, and neither another delivery nor another sweep writes anything to GitHub or AWS."""
        servers = self.servers
        self.assert_done()
        before = self._written()
        servers.pass_time(LEASES)
        again = [servers.sweep()]
        if way != "swept":
            more = {} if way == "delivered again" else {"GITHUB_RUN_ATTEMPT": "2"}
            again.append(servers.deliver(self.event, **more))
        assert {run.code for run in again} == {0}, [run.log for run in again]
        assert self._written() == before
        self.assert_done()

    def _written(self) -> tuple[int, int]:
        calls = [call for call in self.servers.calls() if call in WRITES]
        return len(self.servers.github.writes), len(calls)

    def end(self) -> None:
        """Close it, so that the next trial finds nothing of this one."""
        servers = self.servers
        servers.cloud.faults.clear()
        servers.pass_time(LEASES)
        run = servers.deliver(payloads.closed(servers.github.state, servers.github.repository, self.pull.number))
        assert run.code == 0, run.log
        assert (servers.alive(), servers.names(), servers.listed()) == ([], [], [])
        assert not {"ready", "booting", "dns", "launching"} & set(servers.states(self.pull))


TOLD = {"ready": "**ready**", "destroyed": "destroyed", "failed": "failed", "refused": "not launched"}


def labeled(servers: Scene, label: str = LABEL, **more: Any) -> Asked:
    """A pull request that was built, with the label put on."""
    pull = servers.pull(**more)
    servers.built(pull)
    return Asked(servers, pull, servers.labeled(pull, label))


def relaunched(servers: Scene) -> Asked:
    """The same, and the first instance dies."""
    servers.cloud.faults.add(AwsFault("lag", "ec2", "RunInstances", fate="dies"))
    return labeled(servers)


def up(servers: Scene) -> Asked:
    asked = labeled(servers)
    run = servers.deliver(asked.event)
    assert servers.states(asked.pull) == ["ready"], run.log
    return asked


def unlabeled(servers: Scene) -> Asked:
    """A server that is up, and the label taken off."""
    pull = up(servers).pull
    return Asked(servers, pull, servers.unlabeled(pull), ("destroyed",))


def closed(servers: Scene) -> Asked:
    """A server that is up, and the pull request closed."""
    pull = up(servers).pull
    event = payloads.closed(servers.github.state, servers.github.repository, pull.number)
    return Asked(servers, pull, event, ("destroyed",))


COURSES: dict[str, Callable[[Scene], Asked]] = {
    "labeled": labeled, "relaunched": relaunched, "unlabeled": unlabeled, "closed": closed,
}  # fmt: skip


@dataclass
class Chance:
    """What a seed varies: how it is gone on with, when, and what comes in between."""

    seed: int
    at: int

    def go_on(self, asked: Asked) -> str:
        """Have it brought to its end; return in which way."""
        dice = random.Random(f"{self.seed} {self.at}")  # noqa: S311  # repeatable, not secret
        way = WAYS[(self.seed + self.at) % len(WAYS)]
        between = BETWEEN[dice.randrange(len(BETWEEN))] if self.seed else ""
        asked.servers.pass_time(dice.uniform(LEASES, MOST / 2) if self.seed else LEASES)
        if between:
            happen(asked, between)
            asked.servers.pass_time(dice.uniform(LEASES, MOST / 2))
        asked.go_on(way)
        return f"{way} after {between or 'nothing'}"


def happen(asked: Asked, what: str) -> None:
    """Something that changes nothing about the server."""
    servers, number = asked.servers, asked.pull.number
    state, where = servers.github.state, servers.github.repository
    if what == "swept":
        run = servers.sweep(**{"INPUT_WAIT-MINUTES": "0"})
    elif what == "push":
        run = servers.deliver(payloads.synchronize(state, where, number, "reviewer"))
    else:
        run = servers.deliver(payloads.edited(state, where, number, "reviewer"))
    assert run.code == 0, run.log


def at_request(asked: Asked, wire: str, path: str, act: Callable[[], object], *, swept: bool = False) -> Run:
    """Deliver it, or sweep, and do something right before the first request of this name reaches the other side."""
    done: list[object] = []

    def once() -> bytes:
        done.append(act())
        return b""

    servers = asked.servers
    with wired(servers, wire, AtPath(act=once, path=path)) as (bot, more):
        run = servers.sweep(bot, **more) if swept else servers.deliver(asked.event, bot, **more)
    assert done
    return run


def launches(servers: Scene) -> list[dict[str, str]]:
    """What EC2 was asked to launch, each time."""
    return [call.parameters for call in servers.cloud.calls if call.operation == "RunInstances"]


def variable(servers: Scene, name: str) -> str:
    """What the setup script of the newest server finds in this variable."""
    data = base64.b64decode(launches(servers)[-1]["UserData"]).decode()
    found = re.search(rf"^{name}=\$\(printf %s '(.*?)'", data, re.MULTILINE)
    assert found
    return base64.b64decode(found[1]).decode()


@dataclass
class Held(AtPath):
    """Holds back the first request of a name, as a runner does that is paused, until it is let go."""

    def __post_init__(self) -> None:
        self.there, self.go = threading.Event(), threading.Event()
        self.act = self._wait

    def _wait(self) -> bytes:
        self.there.set()
        assert self.go.wait(SECONDS)
        return b""


def unlabel(asked: Asked) -> Any:
    return asked.servers.unlabeled(asked.pull)


def close(asked: Asked) -> Any:
    return payloads.closed(asked.servers.github.state, asked.servers.github.repository, asked.pull.number)


def push(asked: Asked) -> Any:
    return payloads.synchronize(asked.servers.github.state, asked.servers.github.repository, asked.pull.number)


def revoke(asked: Asked) -> None:
    """Whoever asked for it may only read now; no event tells of that."""
    place = asked.servers.github.state.repository(asked.servers.github.repository)
    assert place
    place.permissions["maintainer"] = "read"


def vanish(asked: Asked) -> None:
    """The account of whoever asked for it is deleted."""
    place = asked.servers.github.state.repository(asked.servers.github.repository)
    assert place
    del place.permissions["maintainer"], asked.servers.github.state.people["maintainer"]
