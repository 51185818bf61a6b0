"""Which commits a merge has brought, which branches a milestone stands for, and what branches of picks are called."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mattermod_action.branches import branches_of, is_branch
from mattermod_action.config import ConfigErrors, load
from mattermod_action.errors import Refused
from mattermod_action.picks import RANGE, Chosen, Commit, Left, Source, choose, head_ref
from tests.builders import pull_seen

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def commit(name: str, *parents: str, like: str = "") -> Commit:
    """`like` is the commit of which it is the rebased one."""
    of = like or name
    return Commit(name, parents or ("p",), f"Change {of}", f"{of}@example.com", NOON + timedelta(seconds=hash(of) % 99))


def source(merge: Commit | None, own: list[Commit], before: list[Commit] | None = None, count: int = 0) -> Source:
    history = (*([merge] if merge else []), *(before or [commit("x"), commit("y")]))
    pull = pull_seen().subject
    return Source(pull=pull, title="", merge=merge, history=history, own=tuple(own), own_count=count or len(own))


A, B, C = commit("a"), commit("b", "a"), commit("c", "b")
A2, B2, C2 = (commit(f"{name}2", like=name) for name in "abc")
X = commit("x")
M = commit("m", "b", "main")  # merges the base into the branch

CASES = {
    "squashed from one": (source(commit("s"), [A]), Chosen(("s",))),
    "squashed from several": (source(commit("s"), [A, B, C]), Chosen(("s",))),
    "one that was rebased": (source(A2, [A]), Chosen(("a2",), ("a",))),
    "MM-33: several that were rebased": (
        source(C2, [A, B, C], [B2, A2, commit("x")]),
        Chosen(("a2", "b2", "c2"), ("a", "b", "c")),
    ),
    "rebased, its own merge is left out": (source(C2, [A, M, C], [A2, commit("x")]), Chosen(("a2", "c2"), ("a", "c"))),
    "rebased, the last was on the base": (
        source(B2, [A, B, C], [A2, X]),
        Chosen(("a2", "b2"), ("a", "b"), (Left("c", "b2"),)),
    ),
    "rebased, the first was on the base": (
        source(C2, [A, B, C], [B2, X]),
        Chosen(("b2", "c2"), ("b", "c"), (Left("a", "p"),)),
    ),
    "rebased, one between was on the base": (
        source(C2, [A, B, C], [A2, X]),
        Chosen(("a2", "c2"), ("a", "c"), (Left("b", "a2"),)),
    ),
    "rebased, only one was not on the base": (
        source(B2, [A, B, C], [X]),
        Chosen(("b2",), ("b",), (Left("a", "p"), Left("c", "b2"))),
    ),
    "rebased, twins in another order are no twins": (
        source(A2, [A, B], [B2, X]),
        Chosen(("a2",), ("a",), (Left("b", "a2"),)),
    ),
    "MM-34: merged": (source(commit("m", "main", "c"), [A, B, C]), Chosen(("m",))),
    "the branch itself was pushed": (source(C, [A, B, C], [B, A]), Chosen(("a", "b", "c"))),
    "nothing before it": (source(Commit("r", (), "Begin", "", NOON), [A]), Chosen(("r",))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_mm33_mm34_which_commits(case: str) -> None:
    given, expected = CASES[case]
    assert choose(given, skip_merges=False) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (source(commit("o", "main", "a", "b"), [A]), "merged by o together with other branches"),
        (source(None, [A]), "does not say by which commit"),
        (source(C2, [A, B, C], [B2, A2], count=RANGE + 1), "more than 100 commits"),
        (source(M, [A, M]), "its commit m is a merge"),
        (source(replace(A2, parents=()), [B, A]), "its commit b is not among those"),
    ],
    ids=["octopus", "no commit", "too many", "a merge inside", "nothing before it can have the one that is missing"],
)
def test_what_only_a_person_can_know(given: Source, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        choose(given, skip_merges=False)


def test_a_merge_inside_is_left_out_where_that_is_asked() -> None:
    assert choose(source(C, [A, M, C]), skip_merges=True) == Chosen(("a", "c"))


TEMPLATES = {
    "v{major}.{minor}.{patch}": ["release-{major}.{minor}"],
    "Mobile {major}.{minor}": ["mobile/{major}.{minor}", "mobile/main"],
    "cloud": ["cloud"],
}


@pytest.mark.parametrize(
    ("milestone", "branches"),
    [
        ("v5.28.0", ("release-5.28",)),
        ("v10.5.12", ("release-10.5",)),
        (" v5.28.0 ", ("release-5.28",)),
        ("cloud ", ("cloud",)),
        ("Mobile 2.7", ("mobile/2.7", "mobile/main")),
        ("v5.0", ()),
        ("5.28.0", ()),
        ("v5.28.0v", ()),
        ("v5.28.x", ()),
        ("V5.28.0", ()),
        ("clouds", ()),
        ("", ()),
        ("v\u0665.\u0662.\u0660", ()),
    ],
)
def test_mm43_which_branches_a_milestone_stands_for(milestone: str, branches: tuple[str, ...]) -> None:
    assert branches_of(milestone, TEMPLATES) == branches


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("milestones: {'v{mayor}': [x]}", "has {mayor}: only {major}, {minor} and {patch} are numbers"),
        ("milestones: {'v{major}': ['release-{minor}']}", "has {minor}, which the milestone v{major} does"),
        ("milestones: {cloud: ['a b']}", "is no name of a branch"),
        ("milestones: {cloud: [--force]}", "is no name of a branch"),
        ("committer: nobody", "must be NAME <ADDRESS>"),
        ("conflicts: maybe", "must be comment or draft"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_section_is_said(text: str, line: str) -> None:
    with pytest.raises(ConfigErrors, match=r"mattermod\.yml:2: cherry_pick") as raised:
        load(f"cherry_pick:\n  {text}\n", "mattermod.yml")
    assert line in str(raised.value)


@pytest.mark.parametrize("name", ["main", "release/10.5", "feature/x_y", "a@b", "ü", "x$(id)"])
def test_what_a_branch_may_be_called(name: str) -> None:
    assert is_branch(name)


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "@", "a@{1}", "a/", "/a",
     "a//b", "a.lock", "a.lock/b", ".a", "a/.b", "a.", "a\x7f", "a\nb", "x" * 201],
)  # fmt: skip
def test_s19_what_a_branch_may_not_be_called(name: str) -> None:
    assert not is_branch(name)


def test_mm36_mm37_the_branches_of_picks_are_all_different_and_harmless() -> None:
    pull = pull_seen(number=7).subject
    names = ["release-1", "release/1", "release.1", "a$b", "a`b", "a-b", "ü", "ä", "x" * 200]
    made = [head_ref(pull, name) for name in names]
    assert made[:2] == ["automated-cherry-pick-of-7-topic-release-1", "automated-cherry-pick-of-7-topic-release/1"]
    assert len(set(made)) == len(names)
    assert all(is_branch(name[:200]) and len(name) <= 255 for name in made)
