"""Whether a label still approves a head and a base: (pushes, changes of the base, notes) → stands, void or wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any, cast

import pytest

from mattermod_action.approvals import Approval, BaseChange, Push, Terms, Verdict, confirm, judge
from mattermod_action.events import Shown
from mattermod_action.merging import Candidate, Rule, obstacles
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.ports import Facts

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere; when the label was put on
A, B, C, D = (letter * 40 for letter in "abcd")
NOWHERE = "0" * 40
WRITERS = ("maintainer", "member")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@dataclass
class Known:
    """What GitHub and the database tell; `listed` None is that GitHub does not tell who pushed."""

    listed: Sequence[Push] | None = ()
    row: Approval | None = None
    base_merges: frozenset[tuple[str, str]] = frozenset()
    minutes: float = 60
    asked: int = 0

    def role(self, repository: Any, login: str) -> str:  # noqa: ARG002  # the port's signature
        return "write" if login in WRITERS else "read"

    def pushes(self, pull: Any) -> Sequence[Push] | None:  # noqa: ARG002  # the port's signature
        self.asked += 1
        return self.listed

    def approval(self, pull: Any, label: str) -> Approval | None:  # noqa: ARG002  # the port's signature
        return self.row

    def noted_at(self, pull: Any, sha: str) -> Approval | None:  # noqa: ARG002  # the port's signature
        return None

    def is_base_merge(self, pull: Any, sha: str, before: str) -> bool:  # noqa: ARG002  # the port's signature
        return (sha, before) in self.base_merges

    def now(self) -> datetime:
        return at(self.minutes)


def found(head: str = A, *, fork: bool = True, base: str = "main", **more: Any) -> Candidate:
    pull = pull_seen("Ready").subject
    home = pull.repository.full_name
    pull = replace(pull, sha=head, head="stranger/hello" if fork else home, base_ref=base, updated_at=at(1))
    label: dict[str, Any] = {"labeller": "maintainer", "labeled_at": NOON}
    return Candidate(
        **{"pull": pull, "node": "PR", "base": base, "mergeable": "MERGEABLE", "merge_state": "CLEAN", **label, **more}
    )


def label(head: str = A, base: str = "main", by: str = "maintainer", minutes: float = 0) -> Shown:
    return Shown(by, head, base, at(minutes), labeled=True)


def pushed(before: str, after: str, by: str) -> Shown:
    return Shown(by, after, "main", at(1), before=before)


def history(*pushes: tuple[str, str, float]) -> list[Push]:
    """As GitHub lists it, the newest first; given are the commit, who pushed it, and in which minute."""
    befores = [NOWHERE, *(sha for sha, _, _ in pushes)]
    return [Push(before, sha, by, at(minutes)) for before, (sha, by, minutes) in zip(befores, pushes, strict=False)][
        ::-1
    ]


def said(verdict: Verdict) -> str:
    return "stands" if verdict.stands else "void" if verdict.void else "waits"


def decide(case: Candidate, known: Known, shown: Shown | None = None, **terms: Any) -> str:
    return said(judge(case, shown, Terms("Ready", **terms), cast("Facts", known)))


OPENED = (A, "stranger", -60)
STRANGER, MEMBER, BOT = (B, "stranger", 1), (B, "member", 1), (B, "renovate[bot]", 1)
# Who pushed what since the label, and what becomes of it by `keep_on_push`: writers, never, always.
PUSHES: dict[str, tuple[tuple[tuple[str, str, float], ...], str, tuple[str, str, str]]] = {
    "nobody": ((OPENED,), A, ("stands", "stands", "stands")),
    "a stranger": ((OPENED, STRANGER), B, ("void", "void", "stands")),
    "a writer": ((OPENED, MEMBER), B, ("stands", "void", "stands")),
    "a bot": ((OPENED, BOT), B, ("void", "void", "stands")),
    "a bot that is named": ((OPENED, (B, "trusted[bot]", 1)), B, ("stands", "void", "stands")),
    "nobody knows who": ((OPENED, (B, "", 1)), B, ("void", "void", "stands")),
    "a stranger, and then a writer": ((OPENED, STRANGER, (C, "member", 2)), C, ("void", "void", "stands")),
    "a writer, and then a stranger": ((OPENED, MEMBER, (C, "stranger", 2)), C, ("void", "void", "stands")),
    "two writers": ((OPENED, MEMBER, (C, "maintainer", 2)), C, ("stands", "void", "stands")),
    "a stranger before the label": ((OPENED, (B, "stranger", -1)), B, ("stands", "stands", "stands")),
    "a stranger in the second of the label": ((OPENED, (B, "stranger", 0)), B, ("void", "void", "stands")),
    "a stranger, there and back": ((OPENED, STRANGER, (A, "stranger", 2)), A, ("void", "void", "stands")),
    "a push that the pull request does not show yet": ((OPENED, STRANGER), A, ("stands", "stands", "stands")),
    "a branch made anew": (((A, "stranger", 1),), A, ("void", "void", "stands")),
    "nothing of the head": ((OPENED,), B, ("void", "void", "stands")),
}


@pytest.mark.parametrize(("pushes", "head", "expected"), PUSHES.values(), ids=PUSHES)
@pytest.mark.parametrize("fork", [True, False])
def test_t01_who_pushed_since_the_label(
    pushes: tuple[tuple[str, str, float], ...], head: str, expected: tuple[str, str, str], *, fork: bool
) -> None:
    """No run has seen the label: GitHub's record of pushes decides, in a fork as in a branch of the repository."""
    kept = ("writers", "never", "always")
    bots = ("Trusted[bot]",)
    told = [decide(found(head, fork=fork), Known(history(*pushes)), keep=keep, bots=bots) for keep in kept]
    assert tuple(told) == expected


# The same where GitHub does not tell who pushed: (fork, keep, note of the row, event) → what becomes of the head B.
UNREADABLE: dict[str, tuple[bool, str, str, Shown | None, str]] = {
    "a branch here": (False, "writers", "", None, "stands"),
    "a branch here, never": (False, "never", "", None, "void"),
    "a branch here, noted": (False, "never", B, None, "stands"),
    "a fork": (True, "writers", "", None, "void"),
    "a fork, noted": (True, "writers", B, None, "stands"),
    "a fork, the label's event": (True, "writers", "", label(B), "stands"),
    "a fork, an event of a label on another commit": (True, "writers", "", label(A), "void"),
    "a fork, a writer's push": (True, "writers", A, pushed(A, B, "member"), "stands"),
    "a fork, a writer's push, nothing noted": (True, "writers", "", pushed(A, B, "member"), "void"),
    "a fork, a writer's push of another commit": (True, "writers", A, pushed(A, C, "member"), "void"),
    "a fork, a writer's push on another commit": (True, "writers", A, pushed(D, B, "member"), "void"),
    "a fork, a stranger's push": (True, "writers", A, pushed(A, B, "stranger"), "void"),
    "a fork, a bot's push": (True, "writers", A, pushed(A, B, "renovate[bot]"), "void"),
    "always": (True, "always", "", None, "stands"),
}


@pytest.mark.parametrize(("fork", "keep", "noted", "shown", "expected"), UNREADABLE.values(), ids=UNREADABLE)
def test_t01_where_github_does_not_tell_who_pushed(
    fork: bool,  # noqa: FBT001  # a column of the table
    keep: str,
    noted: str,
    shown: Shown | None,
    expected: str,
) -> None:
    """Enterprise Server before 3.17, and forks that the token may not read."""
    known = Known(None, Approval(noted, "main", NOON) if noted else None)
    assert decide(found(B, fork=fork), known, shown, keep=keep) == expected


CHANGED = BaseChange(at(1), "dev", "main")
AUTOMATIC = BaseChange(at(1), "dev", "main", automatic=True)
# Changes of the base since the label, the base that was noted (if any), the base as it is, and what becomes of it.
BASES: dict[str, tuple[list[BaseChange], str, str, str]] = {
    "none": ([], "", "main", "stands"),
    "changed": ([CHANGED], "", "main", "void"),
    "changed, noted": ([CHANGED], "dev", "main", "void"),
    "changed, and the row says otherwise": ([CHANGED], "main", "main", "void"),
    "not in the timeline": ([], "dev", "main", "void"),
    "there and back": ([CHANGED, BaseChange(at(2), "main", "dev")], "dev", "dev", "stands"),
    "by GitHub": ([AUTOMATIC], "dev", "main", "stands"),
    "by GitHub, nothing noted": ([AUTOMATIC], "", "main", "stands"),
    "by GitHub, twice": ([AUTOMATIC, BaseChange(at(2), "main", "next", automatic=True)], "dev", "next", "stands"),
    "by GitHub, then by somebody": ([AUTOMATIC, BaseChange(at(2), "main", "next")], "dev", "next", "void"),
    "by somebody, then by GitHub": (
        [BaseChange(at(1), "dev", "topic"), BaseChange(at(2), "topic", "main", automatic=True)],
        "dev",
        "main",
        "void",
    ),
    "in the second of the label": ([BaseChange(NOON, "dev", "main")], "", "main", "void"),
}


@pytest.mark.parametrize(("changes", "noted", "base", "expected"), BASES.values(), ids=BASES)
@pytest.mark.parametrize("keep", ["writers", "never", "always"])
def test_t02_the_base_is_the_one_that_was_approved(
    changes: list[BaseChange], noted: str, base: str, expected: str, keep: str
) -> None:
    """Whoever changes it, and whatever is kept of pushes. Nothing is believed of a row that GitHub denies."""
    row = Approval(A, noted, NOON) if noted else None
    case = found(A, base=base, base_changes=tuple(changes))
    assert decide(case, Known(history(OPENED), row), keep=keep) == expected


@pytest.mark.parametrize(("by", "kept"), [("stranger", True), ("github-actions[bot]", True), ("member", True)])
@pytest.mark.parametrize("keep", ["writers", "never"])
def test_t01_a_merge_of_the_base_keeps_the_approval(by: str, keep: str, *, kept: bool) -> None:
    """`/update-branch`, `update: true`, GitHub's button: nobody chose what is in it."""
    known = Known(history(OPENED, (B, by, 1)), base_merges=frozenset({(B, A)}))
    assert decide(found(B), known, keep=keep) == ("stands" if kept else "void")
    known.base_merges = frozenset({(B, D)})  # not of what was approved
    assert decide(found(B), known, keep=keep) == ("stands" if by == "member" and keep == "writers" else "void")


# An event of the label, and the labelling that counts now (when, by whom): whether it shows what is approved.
LABELS: dict[str, tuple[Shown, float, str, str]] = {
    "its own": (label(B), 0, "maintainer", "stands"),
    "in another case": (label(B, by="Maintainer"), 0, "maintainer", "stands"),
    "late, of an earlier labelling": (label(B), 5, "maintainer", "void"),
    "of somebody else": (label(B, by="member"), 0, "maintainer", "void"),
}


@pytest.mark.parametrize(("shown", "minutes", "labeller", "expected"), LABELS.values(), ids=LABELS)
def test_t01_an_event_shows_its_own_label_only(shown: Shown, minutes: float, labeller: str, expected: str) -> None:
    case = found(B, labeled_at=at(minutes), labeller=labeller)
    assert decide(case, Known(history(OPENED, (B, "stranger", 6))), shown) == expected


def test_t01_what_was_noted_of_an_earlier_labelling_counts_no_more() -> None:
    row = Approval(B, "main", at(-30))
    assert decide(found(B), Known(history(OPENED, STRANGER), row)) == "void"


def test_t01_a_status_of_ours_counts_as_a_row_does() -> None:
    known = Known(history(OPENED, STRANGER))
    assert decide(found(B, noted=Approval(B, "main", NOON)), known) == "stands"
    assert known.asked == 0
    assert decide(found(B, noted=Approval(B, "main", at(-1))), known) == "void"


def test_t01_nothing_is_asked_of_what_was_noted() -> None:
    known = Known(history(OPENED), Approval(A, "main", NOON))
    verdict = judge(found(A), None, Terms("Ready"), cast("Facts", known))
    assert (said(verdict), verdict.note, known.asked) == ("stands", None, 0)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_t01_pushes_that_are_told_in_any_order_do_no_harm(order: tuple[int, ...]) -> None:
    """Level, not edge: each event is told twice, in any order, where GitHub does not list pushes."""
    events = {1: label(A), 2: pushed(A, B, "member"), 3: pushed(B, C, "member")}
    known = Known(None, minutes=2)
    told = []
    for number in (*order, *order):
        verdict = judge(found(C), events[number], Terms("Ready"), cast("Facts", known))
        known.row = verdict.note or known.row
        told.append(said(verdict))
    assert "stands" in told or "void" in told
    assert order != (1, 2, 3) or told[2] == "stands"


def test_t01_a_push_that_github_does_not_list_yet_is_waited_for() -> None:
    for minutes, expected in ((2, "waits"), (60, "void")):
        assert decide(found(B), Known(history(OPENED), minutes=minutes)) == expected


# Only a row says that the head B is approved: (fork, GitHub's record, where the head lives) → what is merged.
ROWS: dict[str, tuple[bool, Sequence[Push] | None, str, str]] = {
    "GitHub denies it": (True, history(OPENED, STRANGER), "stranger/hello", "void"),
    "GitHub confirms it": (True, history(OPENED, MEMBER), "stranger/hello", "stands"),
    "GitHub does not tell": (True, None, "stranger/hello", "stands"),
    "the fork was deleted": (True, None, "", "void"),
    "a branch here": (False, history(OPENED, STRANGER), "octo-org/hello", "stands"),
}


@pytest.mark.parametrize(("fork", "listed", "head", "expected"), ROWS.values(), ids=ROWS)
def test_t01_a_row_alone_approves_nothing(
    fork: bool,  # noqa: FBT001  # a column of the table
    listed: Sequence[Push] | None,
    head: str,
    expected: str,
) -> None:
    """Whoever can write rows of a shared database is no maintainer of this repository."""
    case = found(B, fork=fork)
    case = replace(case, pull=replace(case.pull, head=head))
    known = cast("Facts", Known(listed, Approval(B, "main", NOON)))
    verdict = judge(case, None, Terms("Ready"), known)
    assert said(verdict) == "stands"
    assert said(confirm(case, verdict, Terms("Ready"), known)) == expected


# Approving reviews (who, of which commit), commits that count as the head does, and how many of them count.
REVIEWS: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...], int]] = {
    "of the head": ((("maintainer", B),), (), 1),
    "of the commit before": ((("maintainer", A),), (), 0),
    "of both": ((("maintainer", B), ("member", A)), (), 1),
    "of a commit that is gone": ((("maintainer", ""),), (), 0),
    "of what the base was merged into": ((("maintainer", A),), (A,), 1),
}


@pytest.mark.parametrize(("approvals", "also", "counted"), REVIEWS.values(), ids=REVIEWS)
def test_t01_reviews_count_by_their_commit(
    approvals: tuple[tuple[str, str], ...], also: tuple[str, ...], counted: int
) -> None:
    case = found(B, approvals=approvals, methods=("squash",))
    for wanted in (1, 2):
        rule = Rule(label="Ready", method="squash", approvals=wanted, also=also)
        assert bool(obstacles(case, rule)) == (counted < wanted)


def test_t01_objections_count_whatever_their_commit() -> None:
    case = found(B, objections=("maintainer",), methods=("squash",))
    assert [each.code for each in obstacles(case, Rule(label="Ready", method="squash"))] == ["changes"]
