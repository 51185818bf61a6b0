"""Test servers, from the event to what GitHub, EC2, Route 53 and the tables then hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import aws, payloads
from sandbox.aws import Delays
from sandbox.jenkins import Script
from tests.spinmints import HOUR, LABEL, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def ready(servers: Scene, label: str = LABEL, **more: Any) -> Pull:
    """A pull request with a server that is up."""
    pull = servers.pull(**more)
    servers.built(pull)
    run = servers.deliver(servers.labeled(pull, label))
    assert run.code == 0, run.log
    assert servers.states(pull) == ["ready"], run.log
    return pull


def test_the_life_of_a_server_a_step_a_run(servers: Scene) -> None:
    """Label, build, launch, boot, name, push, extend, expiry: each is seen by a run of its own."""
    servers.cloud.aws.delays = Delays(visible=0, pending=40, shutting_down=20, insync=60)
    pull, seen = servers.pull(), list[str]()
    no_wait = {"INPUT_WAIT-MINUTES": "0"}

    def swept(seconds: float) -> None:
        servers.pass_time(seconds)
        run = servers.sweep(**no_wait)
        assert run.code == 0, run.log
        seen.append(servers.states(pull)[-1])

    assert servers.deliver(servers.labeled(pull), **no_wait).code == 0
    assert servers.states(pull) == ["waiting_build"]
    assert "waits for its build" in servers.bodies(pull)[0]
    servers.built(pull, Script(runs=600), state="pending")
    swept(60)
    swept(600)
    assert (seen, len(servers.alive())) == (["waiting_build", "booting"], 1)
    swept(10)
    swept(60)
    [instance] = servers.alive()
    assert seen[2:] == ["booting", "dns"]
    assert servers.names() == [f"{instance}.{aws.ZONE}."]
    swept(70)
    swept(70)
    assert seen[-1] == "ready"
    assert servers.listed() == [instance]
    [body] = servers.bodies(pull)
    assert f"http://{instance}.{aws.ZONE}" in body
    servers.assert_whole()
    servers.deliver(payloads.synchronize(servers.github.state, servers.github.repository, pull.number, "reviewer"))
    servers.deliver(servers.said(pull, "/spinmint extend 24h"))
    swept(73 * HOUR)
    assert (seen[-1], servers.alive()) == ("ready", [instance])
    swept(24 * HOUR)
    swept(70)
    assert (servers.rows(pull), servers.alive(), servers.names()) == ([("destroyed", "expired")], [], [])
    assert servers.listed() == []
    [body, *_] = servers.bodies(pull)
    assert body.startswith("The time of the test server was over")


def test_in_one_run_it_takes_few_calls(servers: Scene) -> None:
    pull = servers.pull()
    servers.built(pull)
    before, calls = len(servers.github.requests), len(servers.calls())
    run = servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["ready"], run.log
    github = servers.github.requests[before:]
    assert len(github) <= 20
    assert len(servers.calls()[calls:]) <= 15
