"""Whatever happens to a pull request: what was asked for ends in exactly one pull request, or in one sentence."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.pick_lives import Life
from tests.pick_trials import Picks

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
LIVES, BLOCKS, STEPS = 50, 20, 7


@pytest.fixture
def picks(bot: Bot, github: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Picks:
    return Picks(bot, github, request.getfixturevalue("database")).prepare(tmp_path / "clone")


def lived(picks: Picks, seed: int) -> None:
    """Live through one. What does not hold is told with all that happened before."""
    picks.github.state.tokens["github-token"].used.clear()  # of the hour's requests
    number = next(picks._numbers)  # a file of its own
    pull = picks.project.pull(lambda: picks.project.write({f"trial-{number}.txt": "new\n"}))
    life = Life(picks, random.Random(seed), pull)  # noqa: S311  # repeatable, not secret
    try:
        life.live(STEPS)
    except AssertionError as error:
        raise AssertionError(f"life {seed}: {', '.join(life.steps)}\n{error}") from error


@pytest.mark.long
def test_every_request_ends_in_one_pull_request_or_one_sentence(picks: Picks) -> None:
    for seed in map(int, os.environ.get("LIFE", "").split() or range(LIVES)):
        lived(picks, seed)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_request_of_a_thousand_lives_ends(picks: Picks, block: int) -> None:
    for seed in range(block * LIVES, (block + 1) * LIVES):
        lived(picks, seed)
