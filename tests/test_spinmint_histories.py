"""Test servers through whatever happens: seeded histories, and the very seconds at which a server's time is over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.spinmint_histories import lived
from tests.spinmints import Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)

BLOCKS, SEEDS = 20, 50


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def seeds(chosen: range) -> list[int]:
    """HISTORY=617 replays one."""
    return [int(os.environ["HISTORY"])] if "HISTORY" in os.environ else list(chosen)


def test_some_short_histories(servers: Scene) -> None:
    for seed in seeds(range(6)):
        lived(servers, seed, 4, 6)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_histories(servers: Scene, block: int) -> None:
    for seed in seeds(range(block * SEEDS, (block + 1) * SEEDS)):
        lived(servers, seed, 10, 25)
