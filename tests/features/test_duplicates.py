"""Which of several comments with one marker stays: every order in which runs may post, look and delete, and die.

The lists are as late as they like: a look sees a prefix of what was posted, in the order of the numbers, and less of it
as long as it lags. That a list never lacks what is older than something that it shows is what `verdict` relies on.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from mattermod_action.duplicates import Verdict, copies, verdict
from mattermod_action.ports import Written

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("mine", "there", "said"),
    [
        (5, {5}, Verdict.OLDEST),
        (5, {5, 6, 9}, Verdict.OLDEST),
        (5, {4, 5}, Verdict.SURPLUS),
        (5, {4}, Verdict.SURPLUS),  # enough, although the list lags
        (5, {1, 4, 6}, Verdict.SURPLUS),
        (5, set(), Verdict.UNSEEN),
        (5, {6}, Verdict.UNSEEN),
        (10, {9, 10}, Verdict.SURPLUS),  # numbers, not texts
    ],
)
def test_the_oldest_stays(mine: int, there: set[int], said: Verdict) -> None:
    assert verdict(mine, there) is said


POST, LOOK, DIE = "post", "look", "die"


def orders(runs: int, dying: int | None) -> Iterator[tuple[tuple[int, str], ...]]:
    """Interleave what the runs do: each posts and looks, one may die in between."""
    steps = [(run, POST) for run in range(runs)] + [(run, DIE if run == dying else LOOK) for run in range(runs)]
    for order in itertools.permutations(steps):
        if all(order.index((run, POST)) < max(order.index(s) for s in steps if s[0] == run) for run in range(runs)):
            yield order


def remaining(order: tuple[tuple[int, str], ...], lag: int) -> set[int]:
    """What stands there in the end, when the first look of each run lacks the newest `lag` comments.

    The second look, fifteen seconds later, lacks none of those that were there at the first.
    """
    posted: dict[int, int] = {}
    there: set[int] = set()
    for number, (run, what) in enumerate(order):
        if what == POST:
            posted[run] = number
            there.add(number)
        elif what == LOOK:
            known = sorted(posted.values())
            shown = there & set(known[: len(known) - lag])
            said = verdict(posted[run], shown)
            said = verdict(posted[run], there) if said is Verdict.UNSEEN else said
            if said is Verdict.SURPLUS:
                there.remove(posted[run])
    return there


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
@pytest.mark.parametrize("runs", [1, 2, 3])
def test_in_every_order_the_first_one_remains(runs: int, lag: int) -> None:
    for order in orders(runs, None):
        assert remaining(order, lag) == {0}, order


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
@pytest.mark.parametrize("runs", [1, 2, 3])
def test_a_run_that_dies_leaves_its_own_at_the_most(runs: int, lag: int) -> None:
    """Never none: the first one stays. Beside it is what was posted by the run that died, if that was not the first."""
    for order in orders(runs, dying=0):
        left = remaining(order, lag)
        assert left == {0, order.index((0, POST))}, order


def test_only_exact_copies_are_cleaned_up() -> None:
    def at(number: int, body: str) -> Written:
        return Written(f"https://github.com/o/r/pull/7#issuecomment-{number}", body)

    there = [at(9, "a"), at(10, "a"), at(11, "edited"), at(12, "a"), at(13, "edited")]
    assert [each.number for each in copies(there)] == [10, 12, 13]
    assert list(copies(there[:1])) == []
    assert [each.number for each in copies([there[1], there[0]])] == [10]


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://github.com/o/r7/pull/12#issuecomment-2000000001", 2000000001),
        ("https://ghe.example.com/o/r/pull/12#discussion_r45", 45),
        ("https://github.com/o/r/issues/12#issuecomment-9", 9),
        ("", 0),
    ],
)
def test_a_comment_is_numbered_by_the_end_of_its_address(url: str, number: int) -> None:
    assert Written(url, "").number == number
