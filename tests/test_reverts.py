"""Which commit has reverted a pull request, by the messages of its base."""

from __future__ import annotations

import pytest

from mattermod_action import reverts

A, B, X = "a" * 40, "b" * 40, "c" * 40
PULL = ("octo-org/hello", 7)
GIT = f'Revert "Topic"\n\nThis reverts commit {A}.'


def row(*commits: tuple[str, str]) -> list[tuple[str, str]]:
    return [*commits, (X, "Something"), (A, "Topic (#7)"), (B, "This reverts commit " + A)]


CASES = {
    "nothing reverts it": (row(), ""),
    "git revert": (row(("r1", GIT)), "r1"),
    "a merge": (row(("r1", f"Revert it\n\nThis reverts commit {A}, reversing\nchanges made to {X}.")), "r1"),
    "a short name": (row(("r1", f"This reverts commit {A[:7]}.")), "r1"),
    "the button, squashed": (row(("r1", 'Revert "Topic" (#9)\n\nReverts octo-org/hello#7')), "r1"),
    "the button, without a repository": (row(("r1", "Revert it\n\nReverts #7")), "r1"),
    "in other letters": (row(("r1", "Revert it\n\nReverts Octo-Org/Hello#7")), "r1"),
    "of another repository": (row(("r1", "Revert it\n\nReverts octo-org/other#7")), ""),
    "of another number": (row(("r1", "Revert it\n\nReverts octo-org/hello#77")), ""),
    "of another commit": (row(("r1", f"This reverts commit {X}.")), ""),
    "a name that is too short": (row(("r1", "This reverts commit aaaa.")), ""),
    "only spoken of": (row(("r1", f"Do not revert {A}")), ""),
    "reverted and put back": (row(("2" * 40, f"This reverts commit {'1' * 40}."), ("1" * 40, GIT)), ""),
    "put back by the button": (
        row(("r2", "Back (#10)\n\nReverts octo-org/hello#9"), ("r1", "Revert it (#9)\n\nReverts octo-org/hello#7")),
        "",
    ),
    "reverted, put back, reverted": (
        row(("3" * 40, f"This reverts commit {'2' * 40}."), ("2" * 40, f"This reverts commit {'1' * 40}."),
            ("1" * 40, GIT)),
        "1" * 40,
    ),
    "reverted twice, put back once": (
        row(("r3", GIT), ("r2", f"This reverts commit {'1' * 40}."), ("1" * 40, GIT)),
        "r3",
    ),
    "one of two commits": (row(("r1", f"This reverts commit {X}."), ("r2", GIT)), "r2"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_has_reverted_it(case: str) -> None:
    history, expected = CASES[case]
    assert reverts.find(history, {A}, PULL) == expected


def test_one_commit_of_several_is_enough() -> None:
    assert reverts.find([("r1", f"This reverts commit {B}.")], {A, B}, PULL) == "r1"
