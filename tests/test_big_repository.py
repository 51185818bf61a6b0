"""The repository that cherry-picks are measured with is as big as it is said to be, and what is picked is there.

It takes a minute to make, so `make test` leaves it alone; `make bench ONLY=cherry-pick` measures its sizes each time.
"""

from __future__ import annotations

import pytest

from benchmarks.big_recipe import PICKS, RELEASES
from benchmarks.big_repository import RANGES, BigRepository, big_repository, off

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def big() -> BigRepository:
    return big_repository()


def test_sizes(big: BigRepository) -> None:
    sizes = big.sizes()
    assert sizes.keys() == RANGES.keys()
    assert off(sizes) == []


def test_most_refs_are_of_pull_requests(big: BigRepository) -> None:
    refs = big.git("for-each-ref", "--format=%(refname)").splitlines()
    assert sum(ref.startswith("refs/pull/") for ref in refs) >= 9_000


@pytest.mark.parametrize("name", PICKS)
def test_a_pick_is_a_commit_on_main_after_every_fork(big: BigRepository, name: str) -> None:
    pick = big.picks[name]
    assert len(big.git("diff-tree", "-r", "--name-only", f"{pick.sha}^", pick.sha).splitlines()) == pick.files
    assert big.git("rev-parse", f"refs/pull/{pick.pull}/head") != pick.sha
    for target in RELEASES:
        assert int(big.git("rev-list", "--count", f"{target}..{pick.sha}")) > 100


@pytest.mark.parametrize("target", RELEASES)
@pytest.mark.parametrize("name", PICKS)
def test_a_pick_has_to_merge_every_file(big: BigRepository, name: str, target: str) -> None:
    """Else it could be taken over as it is."""
    before = f"{big.picks[name].sha}^"
    paths = big.git("diff-tree", "-r", "--name-only", before, big.picks[name].sha).splitlines()
    assert big.git("diff-tree", "-r", "--name-only", before, target, "--", *paths).splitlines() == paths


def test_the_sizes_that_are_off_are_named() -> None:
    right = {name: low for name, (low, _) in RANGES.items()}
    assert off(right | {"files": 6_999}) == ["the big repository's files is 6999, not 7000 to 8000"]
