"""The engine of cherry-picks against git's own `cherry-pick -x` on a full clone: the same trees, messages, authors."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.git import Git, Work
from mattermod_action.errors import Refused
from mattermod_action.events import Repository
from mattermod_action.picks import Clean, Conflict
from mattermod_action.world import RealClock
from tests.histories import grown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Sandbox

BOT = "mattermod <mattermod@example.com>"
MANY = [pytest.param(range(start, start + 50), marks=pytest.mark.soak) for start in range(100, 1_100, 50)]


@contextmanager
def fetched(github: Sandbox, tip: str, picks: list[str]) -> Iterator[Work]:
    repository = github.state.repository(github.repository)
    assert repository
    where = Repository(repository.id, repository.owner, repository.name)
    with Git(github.url, github.tokens["maintainer"], BOT, RealClock()).fetched(where, [tip], picks) as work:
        yield work


@pytest.mark.parametrize("seeds", [range(12), *MANY], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_pick_is_what_git_cherry_pick_makes_of_it(github: Sandbox, tmp_path: Path, seeds: range) -> None:
    """Histories with renames, modes, links, binaries, attributes, submodules and CRLF, one or several commits."""
    outcomes = set()
    for seed in seeds:
        history = grown(github, tmp_path / str(seed), random.Random(seed))  # noqa: S311  # a seed makes it repeatable
        expected = history.cherry_picked()
        if expected.failed:
            assert "Assertion" in expected.failed, expected.failed  # git 2.39 has a bug of its own
            with fetched(github, history.tip, history.picks) as work, pytest.raises(Refused, match="Assertion"):
                work.pick(history.tip, history.picks)
            continue
        with fetched(github, history.tip, history.picks) as work:
            found = work.pick(history.tip, history.picks)
            if isinstance(found, Clean):
                outcomes.add("clean" if found.sha else "known")
                assert expected.conflicts == (), seed
                assert work.push({f"picked-{seed}": found.sha or history.tip}) == {f"picked-{seed}": ""}
                assert history.described(f"picked-{seed}") == expected.commits, seed
            else:
                assert isinstance(found, Conflict)
                outcomes.add("conflict")
                assert set(found.paths) == set(expected.conflicts), seed
    assert len(seeds) < 12 or {"clean", "conflict"} <= outcomes, outcomes
