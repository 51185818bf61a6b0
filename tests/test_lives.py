"""Random lives of a pull request that carries the label of auto_merge: nothing is merged that it does not approve.

And every request ends: merged, in the queue, or with one sentence that says why not.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.lives import Life, template

if TYPE_CHECKING:
    from pathlib import Path

LIVES = [*range(50), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(50, 1_000))]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("seed", LIVES)
def test_a_life(seed: int, tmp_path: Path, tables: Path) -> None:
    dice = random.Random(seed)  # noqa: S311  # the same life for the same seed
    life = Life(dice, tmp_path, tables)
    try:
        life.go(dice.randint(8, 30))
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *life.steps])) from error
