"""Test servers, from the event to what GitHub, EC2, Route 53 and the tables then hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import aws, payloads
from tests.spinmints import HOUR, LABEL, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def test_the_life_of_a_server(servers: Scene) -> None:
    pull = servers.pull()
    servers.built(pull)
    event = servers.labeled(pull)
    run = servers.deliver(event)
    assert run.code == 0, run.log
    assert servers.states(pull) == ["ready"], (run.log, servers.builds.requests, servers.rows(pull))
    [instance] = servers.alive()
    assert servers.names() == [f"{instance}.{aws.ZONE}."]
    assert servers.listed() == [instance]
    [body] = servers.bodies(pull)
    assert f"http://{instance}.{aws.ZONE}" in body
    servers.assert_whole()
