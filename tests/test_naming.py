"""Branches as people write them, and words that are near a command."""

from __future__ import annotations

import pytest

from mattermod_action.commanding import is_misspelt
from mattermod_action.commands import Command
from mattermod_action.naming import branches, spoken
from mattermod_action.picking import _asks_for

WRITTEN = [
    ("release-10.5", "release-10.5"),
    ("release-10.5 release-10.4", "release-10.5 release-10.4"),
    ("release-10.5, release-10.4", "release-10.5 release-10.4"),
    ("release-10.5,release-10.4;cloud", "release-10.5 release-10.4 cloud"),
    ("release-10.5 , release-10.4.", "release-10.5 release-10.4"),
    ("release-10.5 and release-10.4", "release-10.5 release-10.4"),
    ("to release-10.5", "release-10.5"),
    ("Onto release-10.5!", "release-10.5"),
    ("to", "to"),
    ("to and", "to and"),
    ("release-10.5 release-10.5.", "release-10.5"),
    ("release-10.5...", "release-10.5"),
    ("(release-10.5)", "release-10.5"),
    ("<release-10.5>", "release-10.5"),
    ("`release-10.5`", "release-10.5"),
    ('"release-10.5"', "release-10.5"),
    ("@release-10.5", "release-10.5"),
    ("origin/release-10.5", "release-10.5"),
    ("upstream/feature/x", "feature/x"),
    ("refs/heads/release-10.5", "release-10.5"),
    ("refs/heads/origin/x", "origin/x"),
    ("refs/remotes/origin/release-10.5", "release-10.5"),
    ("https://github.com/octo-org/hello/tree/release-10.5", "release-10.5"),
    ("<https://github.com/octo-org/hello/tree/feature/a%23b?tab=readme>,", "feature/a#b"),
    ("https://ghe.example.com/octo-org/hello/commits/cloud", "cloud"),
    ("v1.2.x feature/UPPER_case", "v1.2.x feature/UPPER_case"),
    ("release-$(touch&x);'y'", "release-$(touch&x);'y'"),
    ("a..b", "a..b"),
    ("--upload-pack=x", "--upload-pack=x"),
    (",", ""),
    ("", ""),
]


@pytest.mark.parametrize(("words", "names"), WRITTEN)
def test_a_branch_is_named_however_it_is_written(words: str, names: str) -> None:
    assert branches(words.split()) == tuple(names.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Status", "status"),
        ("RETRY: release-1", "retry release-1"),
        ("cancel.", "cancel"),
        ("release-1 status", "release-1 status"),
        ("Release-1", "Release-1"),
        ("", ""),
    ],
)
def test_a_verb_is_one_in_any_case(words: str, expected: str) -> None:
    assert spoken(tuple(words.split())) == tuple(expected.split())


@pytest.mark.parametrize(
    ("word", "known", "is_one"),
    [
        ("chery-pick", "cherry-pick", True),
        ("cherry-pcik", "cherry-pick", True),
        ("cherrypicks", "cherry-pick", True),
        ("cherry-pick", "cherry-pick", True),
        ("chry-pck", "cherry-pick", False),
        ("check-cal", "check-cla", True),
        ("spinmnt", "spinmint", True),
        ("retest", "rebase", False),
        ("lgtm", "help", False),
        ("hepl", "help", True),
        ("a", "b", False),
    ],
)
def test_a_misspelt_command_is_near(word: str, known: str, *, is_one: bool) -> None:
    assert is_misspelt(word, known) is is_one


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("x", True), ("y, x", True), ("retry x", True), ("retry", True), ("x with #12", True), ("", True),
        ("y", False), ("cancel x", False), ("Cancel: x", False), ("refresh x", False), ("status", False),
        ("y with x", False),
    ],
)  # fmt: skip
def test_t02_a_row_may_name_only_a_comment_that_asks_for_its_branch(words: str, *, asks: bool) -> None:
    """The milestone's branch is `x`, too."""
    assert _asks_for("x", ("x",), Command("cherry-pick", tuple(words.split()))) is asks
    assert not _asks_for("x", ("x",), Command("check-cla", tuple(words.split())))
