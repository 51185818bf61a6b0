"""Test servers through whatever happens: seeded histories, and the very seconds at which a server's time is over."""

from __future__ import annotations

import os
import time
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


def test_some_short_histories(servers: Scene) -> None:
    for seed in range(6):
        lived(servers, seed, 5)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_histories(servers: Scene, block: int) -> None:
    """HISTORY=617 and `-m soak -k test_histories[0-` replay that one alone."""
    seeds = os.environ.get("HISTORY", "").split() or range(block * SEEDS, (block + 1) * SEEDS)
    start = time.monotonic()
    for seed in seeds:
        lived(servers, int(seed))
    print(f"{len(seeds)} histories took {time.monotonic() - start:.0f} s")  # noqa: T201  # what -s shows
