"""Dying, racing and bad answers in the life of a test server: one server or none, one row, one name, one comment."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.servers import KEY_TAG
from mattermod_action.spinmints import SERVER_TAG
from sandbox import aws, payloads
from sandbox.aws import AwsFault, Delays
from sandbox.faults import Fault
from sandbox.jenkins import Script
from tests.clouds import client
from tests.cut import PHASES, Cut
from tests.spinmint_trials import (
    COURSES,
    LEASES,
    MOST,
    PLENTY,
    ROWS,
    Asked,
    Chance,
    Held,
    at_request,
    close,
    closed,
    labeled,
    launches,
    push,
    revoke,
    unlabel,
    up,
    vanish,
    variable,
    wired,
)
from tests.spinmints import HOUR, LABEL, SETUP, Scene, config, scene
from tests.test_aws_servers import by_hand
from tests.test_faults import assert_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox
    from sandbox.jenkins import Result
    from tests.harness import Bot, Run

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
SOAK: Any = pytest.mark.soak


def soak(*values: Any) -> Any:
    """Values that `make soak` tries; the others are tried each time."""
    return pytest.param(*values, marks=SOAK)


NO_WAIT = {"INPUT_WAIT-MINUTES": "0"}
LAUNCH, END = ("ec2", "RunInstances"), ("ec2", "TerminateInstances")
NAME = ("route53", "ChangeResourceRecordSets")


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        made.configure(limits=PLENTY)
        token = github.state.tokens["github-token"]
        token.limit, token.repositories = 1_000_000, ()
        yield made


# The least number of requests that the course of a server has on each wire.
LEAST = {
    ("labeled", "http"): 8, ("labeled", "aws"): 7, ("labeled", "jenkins"): 1, ("labeled", "sql"): 40,
    ("relaunched", "http"): 10, ("relaunched", "aws"): 10, ("relaunched", "jenkins"): 1, ("relaunched", "sql"): 50,
    ("unlabeled", "http"): 3, ("unlabeled", "aws"): 5, ("unlabeled", "sql"): 22,
    ("closed", "http"): 3, ("closed", "aws"): 5, ("closed", "sql"): 22,
}  # fmt: skip
# Of this one the second and the fourth, which are what is written: the name, and the instance itself.
SHORT = ("unlabeled", "aws", "during", 0)
CUTS = [
    pytest.param(course, wire, phase, seed, marks=() if (course, wire, phase, seed) == SHORT else SOAK)
    for course, wire in LEAST
    for phase in PHASES
    for seed in range(5)
]


@pytest.mark.parametrize(("course", "wire", "phase", "seed"), CUTS)
def test_f01_kill_9_at_every_request(servers: Scene, course: str, wire: str, phase: str, seed: int) -> None:
    """F01, I1 to I4, I10: at the k-th request on this wire, for all k; then it is gone on with."""
    is_short = (course, wire, phase, seed) == SHORT
    for at in itertools.count(2, 2) if is_short else itertools.count(1):
        cut = Cut(at, phase)
        with wired(servers, wire, cut) as (bot, variables):
            asked = COURSES[course](servers)
            run = asked.killed(cut, bot, variables)
            if len(cut.names) < at:
                break
            assert run.code == -signal.SIGKILL or phase == "after", run.log  # after its last answer it may end first
            point, way = f"{at}: {cut.names[at - 1]}", "nothing yet"
            try:
                asked.assert_at_most_once()
                way = Chance(seed, at).go_on(asked)
                asked.assert_settled("run again" if seed else "swept")
                asked.end()
            except AssertionError as error:
                raise AssertionError(f"{way}, killed {phase} {point}: {error}") from error
    assert run.code == 0, run.log
    assert at > LEAST[course, wire], cut.names


@pytest.mark.long
@pytest.mark.parametrize(("phase", "step"), [("before", 9), soak("before", 1), soak("during", 1)])
def test_mm82_mm97_the_database_goes_away_at_every_statement(servers: Scene, phase: str, step: int) -> None:
    """MM-82, MM-97, I2: and stays away for the rest of the run, which says so, and launches nothing without a row."""
    for at in itertools.count(1, step):
        cut = Cut(at, phase, breaks=True, times=1_000_000)
        with wired(servers, "sql", cut) as (bot, variables):
            asked = labeled(servers)
            run = servers.deliver(asked.event, bot, **variables)
        if len(cut.names) < at:
            break
        assert run.code == 3, run.log
        asked.assert_at_most_once()
        sql = f"SELECT client_token FROM mm_servers WHERE number = {asked.pull.number:d} AND live = 1"  # a number
        assert len([token for (token,) in servers.query(sql) if token]) >= len(servers.alive())
        servers.pass_time(LEASES)
        asked.go_on("delivered again")
        asked.assert_settled("delivered again")
        asked.end()
    assert run.code == 0, run.log
    assert at > LEAST["labeled", "sql"]


def swept(servers: Scene, seconds: float = LEASES, **variables: str) -> str:
    servers.pass_time(seconds)
    run = servers.sweep(**variables)
    assert run.code == 0, run.log
    return run.log


@pytest.mark.parametrize("times", [soak(1), 0])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset"),
        soak(Fault("timeout", seconds=0.3)),
        soak(Fault("cut")),
        soak(AwsFault("status", code="InternalError")),
    ],
    ids=lambda fault: fault.kind,
)
def test_f14_mm81_a_launch_whose_answer_is_lost(servers: Scene, fault: Fault, times: int) -> None:
    """The server is there, and nobody was told its id: the same token leads to it, whichever process asks."""
    asked = labeled(servers)
    servers.cloud.faults.add(replace(fault, method=LAUNCH[0], path=LAUNCH[1], when="after", times=times))
    run = servers.deliver(asked.event)
    assert run.code == (0 if times else 3), run.log
    asked.assert_at_most_once()
    assert len(servers.alive()) == 1
    servers.cloud.faults.clear()
    if not times:
        swept(servers)
    asked.assert_settled()
    assert len(launches(servers)) > 1
    assert len({each["ClientToken"] for each in launches(servers)}) == 1


@pytest.mark.soak
@pytest.mark.parametrize(("code", "exit_code"), [("InsufficientInstanceCapacity", 0), ("UnauthorizedOperation", 2)])
def test_f14_a_launch_that_is_refused(servers: Scene, code: str, exit_code: int) -> None:
    """It has failed, and says so; asked for anew there is one."""
    asked = labeled(servers)
    servers.cloud.faults.add(AwsFault("status", *LAUNCH, code=code))
    run = servers.deliver(asked.event)
    assert run.code == exit_code, run.log
    assert code in run.log
    assert servers.rows(asked.pull) == [("failed", "AWS did not launch it: the log of the run says why")]
    asked.states = ("failed",)
    asked.assert_settled()
    servers.unlabeled(asked.pull)
    again = Asked(servers, asked.pull, servers.labeled(asked.pull), ("failed", "ready"))
    assert servers.deliver(again.event).code == 0
    again.assert_settled()


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", soak("UnauthorizedOperation")])
def test_f14_a_launch_that_is_refused_after_it_was_not_answered(servers: Scene, code: str) -> None:
    """Then nobody knows, and it is looked for: what the first request has launched is ended."""
    asked = labeled(servers)
    refused = AwsFault("status", *LAUNCH, code=code, occurrence=2, times=0)
    servers.cloud.faults.add(Fault("reset", *LAUNCH, when="after"), refused)
    run = servers.deliver(asked.event)
    assert run.code == 3, run.log
    assert (servers.states(asked.pull), len(launches(servers))) == (["launching"], 2)
    for _ in range(2):
        servers.pass_time(LEASES)
        servers.sweep()
    asked.states = ("failed",)
    asked.assert_settled()


@pytest.mark.soak
@pytest.mark.parametrize("times", [1, 0])
def test_f14_launches_are_limited(servers: Scene, times: int) -> None:
    """For a moment that is waited out, for longer a sweep goes on: no run is red for that."""
    asked = labeled(servers)
    servers.cloud.faults.add(AwsFault("status", *LAUNCH, code="RequestLimitExceeded", times=times))
    assert servers.deliver(asked.event).code == 0
    if not times:
        assert servers.states(asked.pull) == ["launching"]
        swept(servers)
        servers.cloud.faults.clear()
        swept(servers)
    asked.assert_settled()


@pytest.mark.parametrize(("times", "state"), [(1, "ready"), soak(0, "failed")])
def test_f14_an_instance_dies_while_it_is_pending(servers: Scene, times: int, state: str) -> None:
    """It is launched once more, and not for ever."""
    asked = labeled(servers)
    servers.cloud.faults.add(AwsFault("lag", *LAUNCH, fate="dies", times=times))
    assert servers.deliver(asked.event).code == 0
    asked.states = (state,)
    asked.assert_settled()
    assert len({each["ClientToken"] for each in launches(servers)}) == 2
    if state == "failed":
        assert "it ended by itself while it was being set up" in asked.told()[0]


@pytest.mark.soak
def test_f14_no_public_address(servers: Scene) -> None:
    """mm86: it is ended, and the sentence says where to look."""
    asked = labeled(servers)
    servers.cloud.faults.add(AwsFault("lag", *LAUNCH, fate="no-address"))
    assert servers.deliver(asked.event).code == 0
    asked.states = ("failed",)
    asked.assert_settled()
    assert "it got no public address: does its subnet give any?" in asked.told()[0]


@pytest.mark.soak
def test_f14_a_new_instance_that_ec2_does_not_show_yet(servers: Scene) -> None:
    """For ten seconds it is no reason to launch another one."""
    servers.cloud.aws.delays = Delays(visible=10, pending=0, shutting_down=0, insync=0)
    asked = labeled(servers)
    run = servers.deliver(asked.event)
    assert run.code == 3, run.log
    assert "EC2 does not show the new server yet" in run.log
    assert servers.states(asked.pull) == ["booting"]
    swept(servers)
    asked.assert_settled()
    assert len(launches(servers)) == 1


@pytest.mark.parametrize("answer", ["noted", soak("lost")])
def test_f14_mm89_an_instance_is_ended_before_ec2_shows_it(servers: Scene, answer: str) -> None:
    """I3: that EC2 does not know it yet is not that it is gone, whether its id was noted or not."""
    servers.cloud.aws.delays = Delays(visible=10, pending=0, shutting_down=5, insync=0)
    asked = labeled(servers)
    if answer == "lost":
        servers.cloud.faults.add(Fault("reset", *LAUNCH, when="after", times=0))
    servers.deliver(asked.event, **NO_WAIT)
    servers.cloud.faults.clear()
    assert len(servers.alive()) == 1
    off = Asked(servers, asked.pull, servers.unlabeled(asked.pull), ("destroyed",))
    servers.deliver(off.event, **NO_WAIT)
    assert servers.states(off.pull) == ["destroying"]
    for _ in range(3):
        swept(servers, 20, **NO_WAIT)
    assert servers.alive() == []
    swept(servers)
    off.assert_settled()


def test_f14_mm89_what_is_left_of_the_launch_before_is_not_taken_for_the_server(servers: Scene) -> None:
    """I3: it carries the same key, and takes its time to end, when a run dies that has launched the next."""
    servers.configure(limits=PLENTY, boot_minutes=1)
    servers.cloud.aws.delays = Delays(visible=0, pending=0, shutting_down=9_000, insync=0)
    servers.web.status = 503
    asked = labeled(servers)
    servers.cloud.faults.add(Fault("reset", *LAUNCH, when="after", occurrence=2, times=0))
    assert servers.deliver(asked.event).code == 3
    assert servers.states(asked.pull) == ["launching"]
    assert [*servers.cloud.instances.values()] == ["shutting-down", "running"]
    off = Asked(servers, asked.pull, servers.unlabeled(asked.pull), ("destroyed",))
    assert servers.deliver(off.event).code == 0
    off.assert_settled()


@pytest.mark.parametrize("times", [soak(1), 0])
def test_f14_mm92_an_end_that_aws_does_not_carry_out(servers: Scene, times: int) -> None:
    """MM-89, MM-92, I3: `destroyed` is said when the instance has ended, and once."""
    asked = closed(servers)
    servers.cloud.faults.add(AwsFault("status", *END, code="ServiceUnavailable", times=times))
    assert servers.deliver(asked.event).code == 3
    for _ in range(1 if times else 3):
        assert len(servers.alive()) == 1
        assert servers.rows(asked.pull) == [("destroying", "closed")]
        assert "| test server | is being destroyed |" in asked.told()[0]
        servers.pass_time(LEASES)
        assert servers.sweep().code == (0 if times else 3)
    servers.cloud.faults.clear()
    swept(servers)
    asked.assert_settled()


@pytest.mark.soak
@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete"])
@pytest.mark.parametrize("times", [1, 0])
@pytest.mark.parametrize("course", [labeled, closed])
def test_f15_route_53_limits_us(servers: Scene, course: Any, code: str, times: int) -> None:
    """For a moment that is waited out, for longer a sweep goes on. Whatever has its name is there until it is gone."""
    asked = course(servers)
    servers.cloud.faults.add(AwsFault("status", *NAME, code=code, times=times))
    assert servers.deliver(asked.event).code == 0
    if times == 0:
        assert servers.states(asked.pull) == ["dns" if course is labeled else "destroying"]
        assert len(servers.alive()) == 1
        swept(servers)
        servers.cloud.faults.clear()
        swept(servers)
    asked.states = ("ready",) if course is labeled else ("destroyed",)
    asked.assert_settled()


@pytest.mark.soak
def test_f15_a_name_that_is_never_in_sync(servers: Scene) -> None:
    """After `boot_minutes` it is launched once more, and what had that name is ended."""
    asked = labeled(servers)
    servers.cloud.faults.add(AwsFault("lag", *NAME, fate="never-insync"))
    servers.deliver(asked.event)
    assert servers.states(asked.pull) == ["dns"]
    swept(servers, MOST)
    asked.assert_settled()
    assert len({each["ClientToken"] for each in launches(servers)}) == 2


@pytest.mark.soak
def test_f15_an_end_does_not_wait_for_ever_for_a_name(servers: Scene) -> None:
    asked = closed(servers)
    servers.cloud.faults.add(AwsFault("lag", *NAME, fate="never-insync"))
    assert servers.deliver(asked.event).code == 0
    asked.assert_settled()


@pytest.mark.parametrize("change", ["changed", soak("deleted")])
def test_f15_a_name_that_somebody_changed_is_mended(servers: Scene, change: str) -> None:
    """I4, by a sweep, which says so; one that finds nothing amiss writes nothing."""
    asked = up(servers)
    name, value = next((name, values[0]) for (name, _), values in servers.cloud.records.items())
    if change == "changed":
        by_hand(servers.cloud, "UPSERT", name, "192.0.2.9", "192.0.2.10", TTL=300)
    else:
        by_hand(servers.cloud, "DELETE", name, value, TTL=30)
    servers.pass_time(LEASES)
    run = servers.sweep()
    assert run.code == 0, run.log
    assert "mended" in run.summary
    assert servers.cloud.records == {(name, "A"): (value,)}
    asked.assert_settled()


@pytest.mark.parametrize("change", ["changed", soak("deleted")])
def test_f15_mm88_a_name_that_somebody_changed_is_deleted_as_it_is(servers: Scene, change: str) -> None:
    """I4: before its end, and between looking and deleting."""
    for moment in ("before", "between"):
        asked = closed(servers)
        [(name, value)] = [(name, values[0]) for (name, _), values in servers.cloud.records.items()]

        def act(name: str = name, value: str = value) -> None:
            if change == "changed":
                by_hand(servers.cloud, "UPSERT", name, "192.0.2.9", "192.0.2.10", TTL=300)
            else:
                by_hand(servers.cloud, "DELETE", name, value, TTL=30)

        if moment == "before":
            act()
            run = servers.deliver(asked.event)
        else:
            run = at_request(asked, "aws", "POST /2013-04-01/hostedzone", act)
        assert run.code == 0, run.log
        assert servers.names() == []
        asked.assert_settled()


RESULTS: dict[Result, tuple[str, str]] = {
    "UNSTABLE": ("failed", "the build is unstable: some of its tests have failed"),
    "FAILURE": ("failed", "the build has failed"),
    "NOT_BUILT": ("failed", "the build was aborted, or nothing was built"),
    "ABORTED": ("failed", "the build was aborted, or nothing was built"),
    "SUCCESS": ("ready", ""),
}


def test_f16_mm96_what_each_result_of_a_build_comes_to(servers: Scene) -> None:
    """At once: what is not green is no reason to wait for two hours."""
    for result, (state, sentence) in RESULTS.items():
        pull = servers.pull()
        servers.built(pull, Script(result, runs=0))
        asked = Asked(servers, pull, servers.labeled(pull), (state,))
        assert servers.deliver(asked.event).code == 0
        asked.assert_done()
        assert sentence in asked.told()[0]


def waiting(servers: Scene, *scripts: Script, **more: Any) -> Asked:
    """Its build goes on for ten minutes, and nobody waits for it."""
    pull = servers.pull(**more)
    servers.built(pull, *(scripts or (Script(runs=600),)), state="pending")
    asked = Asked(servers, pull, servers.labeled(pull))
    run = servers.deliver(asked.event, **NO_WAIT)
    assert run.code == 0, run.log
    assert servers.states(pull) == ["waiting_build"]
    return asked


@pytest.mark.soak
@pytest.mark.parametrize("result", RESULTS)
def test_f16_mm96_a_build_that_is_waited_for(servers: Scene, result: Any) -> None:
    asked = waiting(servers, Script(result, runs=600))
    swept(servers, 300, **NO_WAIT)
    assert servers.states(asked.pull) == ["waiting_build"]
    swept(servers, 400)
    state, sentence = RESULTS[result]
    asked.states = (state,)
    asked.assert_settled()
    assert sentence in asked.told()[0]
    assert len(launches(servers)) == (state == "ready")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=502),
        soak(Fault("html")),
        soak(Fault("reset")),
        soak(Fault("timeout", seconds=0.3)),
        soak(Fault("truncated")),
        soak(Fault("empty")),
    ],
    ids=lambda fault: fault.kind,
)
@pytest.mark.parametrize("times", [soak(1), 0])
def test_f16_mm96_jenkins_answers_badly(servers: Scene, fault: Fault, times: int) -> None:
    """Once is nothing; for longer the run is red, and a sweep goes on, until the build is late."""
    asked = labeled(servers)
    servers.builds.faults.add(replace(fault, times=times))
    run = servers.deliver(asked.event)
    assert run.code == (0 if times else 3), run.log
    assert "does not know the build" not in run.log
    if times == 0:
        assert servers.states(asked.pull) == ["waiting_build"]
        servers.pass_time(LEASES)
        assert servers.sweep().code == 3
        servers.builds.faults.clear()
        swept(servers)
    asked.assert_settled()


@pytest.mark.soak
def test_f16_mm96_a_build_that_never_comes_is_late(servers: Scene) -> None:
    """The deadline holds, whether Jenkins answers or not."""
    asked = waiting(servers, Script(runs=9 * HOUR))
    servers.builds.faults.add(Fault("status", status=502, times=0))
    servers.pass_time(3.9 * HOUR)
    assert servers.sweep(**NO_WAIT).code == 3
    assert servers.states(asked.pull) == ["waiting_build"]
    swept(servers, 0.2 * HOUR)
    asked.states = ("failed",)
    asked.assert_settled()
    assert "there was no build of its commit within 4 h" in asked.told()[0]


@pytest.mark.soak
def test_f16_a_build_in_the_queue(servers: Scene) -> None:
    """A link may lead to the job, whose newest build waits."""
    pull = servers.pull()
    link = servers.built(pull, Script(queued=300, runs=300), state="pending")
    servers.mark(pull, "pending", link.removesuffix("1/"))
    asked = Asked(servers, pull, servers.labeled(pull))
    servers.deliver(asked.event, **NO_WAIT)
    swept(servers, 400, **NO_WAIT)
    assert servers.states(pull) == ["waiting_build"]
    swept(servers, 400)
    asked.assert_settled()


@pytest.mark.soak
def test_f16_jenkins_is_started_anew(servers: Scene) -> None:
    asked = waiting(servers)
    servers.builds.restart()
    swept(servers)
    asked.states = ("failed",)
    asked.assert_settled()
    assert RESULTS["ABORTED"][1] in asked.told()[0]


@pytest.mark.parametrize("how", [soak("vanished"), "no job", soak("number reset"), "another build of that number"])
def test_f16_a_build_that_is_gone(servers: Scene, how: str) -> None:
    asked = waiting(servers, Script(runs=600, vanishes=how == "vanished"))
    [(name, job)] = servers.builds.jobs.items()
    servers.pass_time(1200)
    if how == "no job":
        servers.builds.add_job("another")
        del servers.builds.jobs[name]
    elif how != "vanished":
        job.builds.clear()
        job.next_number = 1
    if how == "another build of that number":
        servers.builds.jobs[name] = job
        servers.built(asked.pull, Script(runs=0), state="pending")
        where = servers.github.state.repository(servers.github.repository)
        assert where
        where.statuses[asked.pull.head_sha].pop()  # nobody says anything of it
    log = swept(servers)
    assert how != "no job" or f"#{asked.pull.number}: Jenkins: the build is gone: there is no such job" in log
    asked.states = ("failed",)
    asked.assert_settled()
    assert "Jenkins does not know the build any more" in asked.told()[0]


def test_f16_mm85_the_commit_is_that_of_the_label(servers: Scene) -> None:
    """A push, and its build that is ready first, change nothing: neither what is launched, nor what is waited for."""
    asked = waiting(servers)
    sha = asked.pull.head_sha
    state, where = servers.github.state, servers.github.repository
    assert servers.deliver(payloads.synchronize(state, where, asked.pull.number, "reviewer"), **NO_WAIT).code == 0
    servers.builds.jobs[f"octo-org/hello/{asked.pull.number}"].scripts.append(Script(runs=0))
    servers.built(asked.pull)
    swept(servers, LEASES, **NO_WAIT)
    assert servers.states(asked.pull) == ["waiting_build"]
    swept(servers)
    asked.assert_settled()
    assert (variable(servers, "SPINMINT_SHA"), variable(servers, "SPINMINT_BUILD_NUMBER")) == (sha, "1")
    assert asked.pull.head_sha != sha
    assert sha in asked.told()[0]


def test_f02_a_run_that_was_paused_decides_nothing_any_more(servers: Scene) -> None:
    """I3: while one that took over is launching it, the row does not say that there is none."""
    asked, mine, theirs = labeled(servers), Held(path="/pulls/"), Held(path="RunInstances")
    with (
        wired(servers, "http", mine) as (bot, _),
        wired(servers, "aws", theirs) as (_, led),
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(servers.deliver, asked.event, bot)
        assert mine.there.wait(60)
        servers.pass_time(LEASES)
        second = pool.submit(lambda: servers.sweep(**led))
        assert theirs.there.wait(60)
        servers.github.state.remove_label(servers.github.repository, asked.pull.number, LABEL)
        mine.go.set()
        assert first.result().code == 3, first.result().log
        theirs.go.set()
        second.result()
    servers.assert_whole()
    asked.assert_at_most_once()
    swept(servers)
    asked.states = ("destroyed",)
    asked.assert_settled()


# What changes, and what comes of a server that was not launched yet, and of one that was.
CHANGES: dict[str, tuple[Callable[[Asked], Any], tuple[str, str], tuple[str, str]]] = {
    "unlabeled": (unlabel, ("destroyed", "unlabeled"), ("destroyed", "unlabeled")),
    "closed": (close, ("destroyed", "closed"), ("destroyed", "closed")),
    "push": (push, ("ready", ""), ("ready", "")),
    "revoked": (revoke, ("refused", "`maintainer` has no write access here any more"), ("ready", "")),
    "unknown": (vanish, ("refused", "`maintainer` has no write access here any more"), ("ready", "")),
}


ROLES = ("revoked", "unknown")  # whoever asks is told, when the same request comes again, that they may not


def told_of(asked: Asked, event: Any, how: str) -> None:
    """The event of the change arrives, or it is lost, and a sweep or the first event, once more, has to do."""
    servers = asked.servers
    if how == "delivered" and event:
        assert servers.deliver(event, **NO_WAIT).code == 0
    elif how == "run again":
        assert servers.deliver(asked.event, **NO_WAIT, GITHUB_RUN_ATTEMPT="2").code == 0


@pytest.mark.parametrize("how", [soak("delivered"), "lost", soak("run again")])
@pytest.mark.parametrize("what", ["unlabeled", *map(soak, ("closed", "push", "revoked", "unknown"))])
def test_f18_mm83_what_changes_while_it_waits_for_its_build(servers: Scene, what: str, how: str) -> None:
    """Nothing is launched that nobody wants any more, or that whoever asked may not have any more."""
    change, outcome, _ = CHANGES[what]
    asked = waiting(servers)
    sha = asked.pull.head_sha
    told_of(asked, change(asked), how)
    swept(servers, 700)
    swept(servers)
    assert servers.rows(asked.pull) == [outcome]
    assert len(launches(servers)) == (what == "push")
    assert what != "push" or variable(servers, "SPINMINT_SHA") == sha
    asked.states = (outcome[0],)
    asked.assert_settled("swept" if what in ROLES else "delivered again")


@pytest.mark.parametrize("what", ["unlabeled", "closed", "revoked", *map(soak, ("push", "unknown"))])
def test_f18_mm83_what_changes_right_before_it_is_launched(servers: Scene, what: str) -> None:
    """The label, the pull request and the role are read once more before it costs something."""
    change, outcome, _ = CHANGES[what]
    asked = waiting(servers)
    servers.pass_time(700)
    run = at_request(asked, "http", "setup.sh", lambda: change(asked), swept=True)
    assert run.code == 0, run.log
    assert servers.rows(asked.pull) == [outcome]
    assert len(launches(servers)) == (what == "push")
    asked.states = (outcome[0],)
    asked.assert_settled("swept" if what in ROLES else "run again")


@pytest.mark.parametrize("how", ["delivered", soak("lost"), soak("run again")])
@pytest.mark.parametrize(
    ("state", "delays"),
    [
        soak("booting", Delays(visible=0, pending=40, shutting_down=0, insync=0)),
        ("dns", Delays(visible=0, pending=0, shutting_down=0, insync=60)),
    ],
    ids=["booting", "dns"],
)
@pytest.mark.parametrize("what", ["closed", *map(soak, ("push", "unlabeled", "revoked", "unknown"))])
def test_f18_what_changes_while_it_is_set_up(servers: Scene, what: str, state: str, delays: Delays, how: str) -> None:
    """What runs and is not wanted is ended. Whoever asked could when it was launched, and that is what counts."""
    change, _, outcome = CHANGES[what]
    servers.cloud.aws.delays = delays
    asked = labeled(servers)
    assert servers.deliver(asked.event, **NO_WAIT).code == 0
    assert servers.states(asked.pull) == [state]
    told_of(asked, change(asked), how)
    for _ in range(3):
        swept(servers, LEASES, **NO_WAIT)
    assert servers.rows(asked.pull) == [outcome]
    asked.states = (outcome[0],)
    asked.assert_settled("swept" if what in ROLES else "delivered again")


def together(servers: Scene, events: list[Any]) -> list[Run]:
    """Deliver them to as many processes at once, each of which waits in earnest."""
    with ThreadPoolExecutor(len(events)) as pool:
        runs = list(pool.map(lambda event: servers.deliver(event, MATTERMOD_CLOCK_SKIPS="false"), events))
    assert {run.code for run in runs} == {0}, [run.log for run in runs if run.code]
    return runs


@pytest.mark.parametrize("count", [4, soak(8)])
def test_f03_mm80_the_same_label_in_several_processes(servers: Scene, count: int) -> None:
    """F03, I1, I2: one of them launches it, with one token."""
    asked = labeled(servers)
    together(servers, [asked.event] * count)
    asked.assert_settled()
    assert len({each["ClientToken"] for each in launches(servers)}) == 1


@pytest.mark.parametrize("limit", ["repository", soak("organisation"), soak("user")])
def test_f03_four_pull_requests_for_two_servers(servers: Scene, limit: str) -> None:
    """Two have one, and the others are told who has them."""
    servers.configure(limits={**PLENTY, limit: 2})
    trials = [labeled(servers) for _ in range(4)]
    together(servers, [asked.event for asked in trials])
    has = [asked for asked in trials if servers.states(asked.pull) == ["ready"]]
    assert (len(has), len(servers.alive())) == (2, 2)
    servers.assert_whole()
    holders = [f"#{asked.pull.number}" for asked in has]
    for asked in trials:
        [body] = servers.bodies(asked.pull)
        assert (asked in has) == (ROWS in body)
        assert asked in has or all(words in body for words in ("2 of 2 test servers", *holders)), body


@pytest.mark.soak
def test_f03_a_label_and_a_command_at_once(servers: Scene) -> None:
    """I2: they are two requests, and one server."""
    asked = labeled(servers)
    together(servers, [asked.event, servers.said(asked.pull, "/spinmint")] * 2)
    assert servers.states(asked.pull) == ["ready"]
    assert len(servers.alive()) == 1
    servers.assert_whole()


def elsewhere(servers: Scene, place: str, number: int) -> Asked:
    """The same in another repository of this GitHub, with the same database and the same account of AWS."""
    state = servers.github.state
    state.add_repository(place).permissions.update(maintainer="write", reviewer="write")
    files = {".github/mattermod.yml": config(servers.cloud, limits=PLENTY), ".github/setup.sh": SETUP}
    state.write_files(place, files)
    pull = state.add_pull(place, "Topic", "reviewer", number=number)
    servers.built(pull)
    [status] = state.repository(servers.github.repository).statuses.pop(pull.head_sha)  # type: ignore[union-attr]  # it is there
    state.add_status(place, pull.head_sha, status)
    return Asked(servers, pull, payloads.labeled(state, place, number, LABEL, "maintainer"))


def test_mm79_the_same_name_and_number_in_two_organisations(servers: Scene) -> None:
    """Each has a server of its own, and the end of one is not the end of the other."""
    mine = labeled(servers)
    place = f"another-org/{servers.github.repository.partition('/')[2]}"
    theirs, there = elsewhere(servers, place, mine.pull.number), {"GITHUB_REPOSITORY": place}
    assert servers.deliver(mine.event).code == 0
    run = servers.deliver(theirs.event, **there)
    assert run.code == 0, run.log
    assert len(servers.alive()) == 2
    owners = dict(servers.query("SELECT owner, instance_id FROM mm_servers WHERE state = 'ready'"))
    assert len(set(owners.values())) == 2
    servers.assert_whole()
    off = payloads.unlabeled(servers.github.state, place, theirs.pull.number, LABEL, "maintainer")
    assert servers.deliver(off, **there).code == 0
    assert servers.alive() == [owners[b"octo-org"]]
    servers.assert_whole()
    swept(servers)
    assert servers.sweep(**there).code == 0
    assert (servers.alive(), servers.listed()) == ([owners[b"octo-org"]], [owners[b"octo-org"]])
    assert sorted(servers.states(mine.pull)) == ["destroyed", "ready"]
    assert len(mine.told()) == 1


@pytest.mark.parametrize(
    ("course", "seed"),
    [
        ("labeled", 0),
        *(soak(course, seed) for course in ("labeled", "relaunched", "unlabeled") for seed in range(1, 15)),
    ],
)
def test_f02_a_cancelled_run_stops_and_the_next_takes_over(servers: Scene, seed: int, course: str) -> None:
    """F02, R-05: at a random moment in or after a random request, to GitHub or to AWS."""
    dice = random.Random(f"{seed} {course}")  # noqa: S311  # repeatable, not secret
    number, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][dice.randrange(2)]
    wire, sent = ["http", "aws"][seed % 2], list[float]()
    process: Any = None

    def stop() -> None:
        sent.append(time.monotonic())
        process.send_signal(number)

    def later() -> bytes:
        threading.Timer(dice.uniform(0, 0.1), stop).start()
        return b""

    asked, cut = COURSES[course](servers), Cut(dice.randint(1, LEAST[course, wire] - 1), act=later)
    servers.github.state.latency = 0.03
    with wired(servers, wire, cut) as (bot, led):
        process = bot.start(asked.kind, asked.event, **{**servers.environment, **led})
        run = bot.finish(process)
    assert sent
    assert time.monotonic() - sent[0] < 5
    assert_clean(run)
    assert run.code in (code, 0, -number), run.log  # it may have ended first, but for Python's own end
    asked.assert_at_most_once()
    Chance(seed, 1).go_on(asked)
    asked.assert_settled()


def ec2(servers: Scene) -> Any:
    """Somebody else, who looks or changes things by hand."""
    return client(servers.cloud, "ec2")


def launched_by_hand(servers: Scene, tags: dict[str, str]) -> str:
    given = [{"ResourceType": "instance", "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}]
    asked = {"ImageId": servers.cloud.image, "SubnetId": servers.cloud.subnet, "MinCount": 1, "MaxCount": 1}
    made = ec2(servers).run_instances(**asked, **({"TagSpecifications": given} if tags else {}))
    return str(made["Instances"][0]["InstanceId"])


def test_i2_mm91_a_server_without_a_row_is_ended(servers: Scene) -> None:
    """I2, as soon as it is sure that its row is not only late."""
    asked = up(servers)
    [instance] = servers.alive()
    servers.query("DELETE FROM mm_servers")
    swept(servers, 500)
    assert servers.alive() == [instance]
    servers.pass_time(120)
    run = servers.sweep()
    assert run.code == 0, run.log
    assert f"{instance}: had no row: ended (launched " in run.log
    assert (servers.alive(), servers.names(), servers.listed()) == ([], [], [])
    asked.states = ()
    servers.assert_whole()


def test_i3_mm91_a_row_without_a_server_is_over(servers: Scene) -> None:
    """I3, I4: whoever ended it, its name goes, and whoever reads the comment knows."""
    asked = up(servers)
    ec2(servers).terminate_instances(InstanceIds=servers.alive())
    swept(servers)
    assert servers.rows(asked.pull) == [("destroyed", "gone")]
    asked.states = ("destroyed",)
    asked.assert_settled("swept")


def test_i4_mm91_a_name_without_a_server_is_deleted(servers: Scene) -> None:
    """I4."""
    asked = up(servers)
    left = f"i-0123456789abcdef0.{aws.ZONE}."
    by_hand(servers.cloud, "CREATE", left, "192.0.2.9", "192.0.2.10")
    servers.pass_time(LEASES)
    run = servers.sweep()
    assert f"{left}: leads to no server any more: deleted" in run.log
    assert "leads to no server any more" in run.summary
    asked.assert_settled()


@pytest.mark.parametrize("state", ["stopped", soak("running")])
def test_i2_mm91_a_server_of_an_earlier_launch_is_ended(servers: Scene, state: str) -> None:
    """It carries the key of a row that has another one; that somebody has stopped it does not keep it."""
    asked = up(servers)
    [instance] = servers.alive()
    [(key,)] = servers.query("SELECT k FROM mm_servers")
    left = launched_by_hand(servers, {SERVER_TAG: "spinmint", KEY_TAG: key})
    if state == "stopped":
        ec2(servers).stop_instances(InstanceIds=[left])
    swept(servers, 700)
    assert servers.cloud.instances[left] in ("shutting-down", "terminated")
    assert servers.alive() == [instance]
    asked.assert_settled()


def test_i2_mm91_what_is_not_ours_is_never_touched(servers: Scene) -> None:
    asked = up(servers)
    others = [launched_by_hand(servers, tags) for tags in ({}, {SERVER_TAG: "another"}, {"Name": "Spinmint-topic"})]
    names = {"www", "i-zzz", "i-0123456789abcdef0.more", "xi-0123456789abcdef0"}
    for name in names:
        by_hand(servers.cloud, "CREATE", f"{name}.{aws.ZONE}", "192.0.2.9")
    mail = {"Type": "MX"}
    by_hand(servers.cloud, "CREATE", f"i-0123456789abcdef1.{aws.ZONE}", f"10 mail.{aws.ZONE}", **mail)
    by_hand(servers.cloud, "CREATE", f"i-0123456789abcdef2.{aws.ZONE}", "192.0.2.9", SetIdentifier="one", Weight=1)
    for _ in range(2):
        swept(servers, 700)
    assert set(others) < set(servers.alive())
    assert len(servers.cloud.records) == 1 + len(names) + 2
    closing = Asked(servers, asked.pull, close(asked))
    assert servers.deliver(closing.event).code == 0
    swept(servers, 700)
    assert servers.alive() == others
    assert len(servers.names()) == len(names) + 2


def test_i4_mm91_a_name_is_not_mended_while_its_server_is_ended(servers: Scene) -> None:
    """Or else it would lead to an address that is somebody else's soon."""
    asked, held = closed(servers), Held(path="POST /2013")
    servers.github.state.change_item(servers.github.repository, asked.pull.number, {"state": "open"})
    [(name, value)] = [(name, values[0]) for (name, _), values in servers.cloud.records.items()]
    by_hand(servers.cloud, "DELETE", name, value, TTL=30)
    with wired(servers, "aws", held) as (_, led), ThreadPoolExecutor() as pool:
        sweep = pool.submit(lambda: servers.sweep(**led))
        assert held.there.wait(60)
        close(asked)
        end = pool.submit(servers.deliver, asked.event, None, MATTERMOD_CLOCK_SKIPS="false")
        with suppress(TimeoutError):
            end.result(1)
        held.go.set()
        assert (sweep.result().code, end.result().code) == (0, 0)
    asked.assert_done()


MANY = """
    INSERT INTO mm_servers (k, owner, repository, number, state, live, repository_id, generation, sha, requested_by,
        parameters, client_token, build_url, instance_id, address, lease_owner, fence, attempts, reason,
        created_at, updated_at)
    WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    SELECT SHA2(i, 256), 'another-org', repository, i, 'waiting_build', 1, 77, 1, sha, requested_by, parameters, '', '',
        '', '', '', 0, 0, '', TIMESTAMPADD(SECOND, -1, created_at), updated_at
    FROM n, mm_servers
"""


def test_i2_mm91_a_server_has_a_row_however_many_there_are(servers: Scene) -> None:
    asked = up(servers)
    servers.query(MANY)
    swept(servers, 700)
    assert servers.states(asked.pull)[-1] == "ready"
    assert len(servers.alive()) == 1


@pytest.mark.parametrize("state", ["launching", *map(soak, ("waiting_build", "booting", "ready", "destroying"))])
def test_i2_mm91_rows_of_a_repository_that_nobody_sweeps(servers: Scene, state: str) -> None:
    """Whatever they wait for, they are gone on with from here when their time is over, and until then left alone."""
    place = "another-org/archived"
    theirs, there = elsewhere(servers, place, 99), {"GITHUB_REPOSITORY": place, **NO_WAIT}
    servers.cloud.aws.delays = Delays(visible=0, pending=40 if state == "booting" else 0, shutting_down=0, insync=0)
    if state == "waiting_build":
        servers.builds.faults.add(Fault("status", status=502, times=0))
    if state == "launching":
        servers.cloud.faults.add(Fault("reset", *LAUNCH, when="after", times=0))
    servers.deliver(theirs.event, **there)
    if state == "destroying":
        servers.cloud.faults.add(AwsFault("status", *END, code="ServiceUnavailable", times=0))
        servers.deliver(payloads.closed(servers.github.state, place, 99), **there)
    assert servers.states(theirs.pull) == [state]
    servers.cloud.faults.clear()
    swept(servers, 600)
    assert servers.states(theirs.pull) == [state]
    for _ in range(2):
        swept(servers, 80 * HOUR)
    assert servers.states(theirs.pull)[0] in ("destroyed", "failed")
    assert (servers.alive(), servers.names(), servers.listed()) == ([], [], [])


def test_i2_mm91_what_cannot_be_ended_keeps_nothing_else(servers: Scene) -> None:
    """Each is tried, and the run is red for the one that AWS keeps."""
    left = [launched_by_hand(servers, {SERVER_TAG: "spinmint"}) for _ in range(3)]
    names = {f"i-0123456789abcdef{number}.{aws.ZONE}." for number in range(3)}
    for name in names:
        by_hand(servers.cloud, "CREATE", name, "192.0.2.9")
    servers.cloud.faults.add(AwsFault("status", *END, code="ServiceUnavailable"))
    servers.cloud.faults.add(AwsFault("status", *NAME, code="ServiceUnavailable"))
    servers.pass_time(700)
    run = servers.sweep()
    assert run.code == 3, run.log
    assert (len(servers.alive()), len(servers.names())) == (1, 1)
    assert run.summary.count("had no row: ended") == len(left) - 1
    swept(servers)
    assert (servers.alive(), servers.names()) == ([], [])
