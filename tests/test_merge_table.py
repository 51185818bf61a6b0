"""The one table of merging by label: (head, base, label time, checks, reviews, queue, actor, pull) → what is done.

Each value says by itself what it calls for. Of those that end it the first counts; what waits says everything that is
in the way, in one sentence. `make test` has every pair of values, and every pair of those that leave the approval as it
is; `make soak` has every combination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, cast

import pytest

from mattermod_action.approvals import BaseChange, Push
from mattermod_action.effects import Comment, Dequeue, Merge, RemoveLabel
from mattermod_action.events import MergeConsidered
from mattermod_action.features.auto_merge import Config, plan
from mattermod_action.merging import Candidate, Check, Maker, Suite
from mattermod_action.queueing import Removal
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mattermod_action.effects import Effect
    from mattermod_action.ports import Facts

    Row = tuple[str, ...]

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere
SEEN, PUSHED, MAIN = "a" * 40, "b" * 40, "c" * 40
NOWHERE = "0" * 40
MERGES, WAITS, ANEW, GIVES_UP = "merge", "wait", "ask anew", "give up"
CONFIG = Config(label="Ready", approvals=1, require_checks=(), unless=("Hold",))

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "head": ("as it was", "a writer's push", "a stranger's push", "a bot's push", "nobody's push", "the base merged"),
    "base": ("as it was", "changed", "changed by GitHub", "a parent's branch"),
    "label": ("before the push", "in its second", "after it"),
    "checks": (
        "green", "red", "red, then green", "running", "held", "queued", "none, just now", "none, later",
        "none, as on the base", "ours only, just now",
    ),
    "reviews": ("approved", "approved before", "none", "changes", "approved, another is asked", "another is asked"),
    "queue": (
        "none", "to be joined", "joined", "put out: red", "put out: late", "put out twice: late", "GITHUB_TOKEN's",
    ),
    "actor": ("a writer", "a stranger", "a bot", "the author of a fork"),
    "pull": ("open", "draft", "held by a label", "conflicts"),
}  # fmt: skip


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@dataclass
class Known:
    """GitHub, as the row has it."""

    row: dict[str, str]

    def role(self, repository: Any, login: str) -> str:  # noqa: ARG002  # the port's signature
        return "write" if login in ("maintainer", "member") else "read"

    def pushes(self, pull: Any) -> Sequence[Push]:
        first = Push(NOWHERE, SEEN, "newcomer", at(-60))
        who = {"a writer's push": "member", "a bot's push": "renovate[bot]", "nobody's push": ""}
        again = Push(SEEN, PUSHED, who.get(self.row["head"], "newcomer"), at(1))
        return [again, first] if pull.sha == PUSHED else [first]

    def is_base_merge(self, pull: Any, sha: str, before: str) -> bool:  # noqa: ARG002  # the port's signature
        return self.row["head"] == "the base merged" and (sha, before) == (PUSHED, SEEN)

    def has_checks(self, repository: Any, base: str) -> bool:  # noqa: ARG002  # the port's signature
        return self.row["checks"] != "none, as on the base"

    def parent(self, repository: Any, base: str) -> int:  # noqa: ARG002  # the port's signature
        return 5 if self.row["base"] == "a parent's branch" else 0

    def now(self) -> datetime:
        return at(4 if "just now" in self.row["checks"] or "as on" in self.row["checks"] else 60)

    def waits_until(self) -> datetime:
        return self.now()

    def keeps_a_ledger(self) -> bool:
        return True

    def actors(self) -> tuple[str, ...]:
        return ()

    def approval(self, pull: Any, label: str) -> None: ...

    def candidate(self, pull: Any, label: str) -> Candidate:  # noqa: ARG002  # the port's signature
        return candidate(self.row)


CHECKS: dict[str, tuple[Check, ...]] = {
    "green": (Check("build", "success"),),
    "red": (Check("build", "failure"),),
    "red, then green": (Check("build", "failure"), Check("build", "success")),
    "running": (Check("build", "pending"),),
    "ours only, just now": (Check("merge/blocked", "success", is_ours=True),),
}
SUITES = {"held": "approval", "queued": "pending"}
LABELED = {"before the push": 0, "in its second": 1, "after it": 2}


def candidate(row: dict[str, str]) -> Candidate:
    labels = ("Ready", "Hold") if row["pull"] == "held by a label" else ("Ready",)
    pull = replace(
        pull_seen(*labels).subject,
        author="newcomer",
        head="newcomer/hello",
        sha=SEEN if row["head"] == "as it was" else PUSHED,
        created_at=at(-60),
        updated_at=at(3),
        draft=row["pull"] == "draft",
    )
    before, queue, actor = row["reviews"] == "approved before", row["queue"], row["actor"]
    changed = BaseChange(at(3), "main", "dev", automatic=row["base"] == "changed by GitHub")
    removals = {"put out: red": ["failed_checks"], "put out: late": ["timed_out"], "put out twice: late": ["late"] * 2}
    suite = Suite("CS", "CI", SUITES.get(row["checks"], ""), Maker("github-actions", "CI", "pull_request"), at(1))
    labeller = {"a stranger": "stranger", "a bot": "renovate[bot]", "the author of a fork": "newcomer"}
    return Candidate(
        pull=pull,
        node="PR",
        base="dev" if row["base"].startswith("changed") else "main",
        mergeable="CONFLICTING" if row["pull"] == "conflicts" else "MERGEABLE",
        merge_state="CLEAN",
        methods=("squash",),
        checks=CHECKS.get(row["checks"], ()),
        suites=(suite,) if suite.state else (),
        approvals=(("member", SEEN if before else pull.sha),) if row["reviews"].startswith("approved") else (),
        objections=("member",) if row["reviews"] == "changes" else (),
        awaited=("lead",) if "another" in row["reviews"] else (),
        has_queue=queue != "none",
        is_queued=queue == "joined",
        queued_by_us=queue == "joined",
        by_github_token=queue == "GITHUB_TOKEN's",
        removals=tuple(Removal(at(3), "timed_out" if each == "late" else each) for each in removals.get(queue, ())),
        base_changes=(changed,) if row["base"].startswith("changed") else (),
        labeller=labeller.get(actor, "maintainer"),
        labeller_is_bot=actor == "a bot",
        labeled_at=at(LABELED[row["label"]]),
        parents=(SEEN, MAIN) if row["head"] == "the base merged" else (SEEN,),
    )


def done(effects: Sequence[Effect]) -> tuple[str, tuple[str, ...]]:
    """What a plan comes to, and what is said of it, but that it will be merged when it is ready."""
    said = tuple(each.text for each in effects if isinstance(each, Comment) and "announced" not in each.once)
    if any(isinstance(each, Merge) for each in effects):
        return MERGES, said
    if any(isinstance(each, RemoveLabel) for each in effects) or any("does not count" in text for text in said):
        return ANEW, said
    taken = tuple(each.why for each in effects if isinstance(each, Dequeue))
    return (GIVES_UP if any("To have it put back" in text for text in said) else WAITS), taken or said


STRANGERS = {
    "a stranger's push": "@newcomer, who has no write access here, pushed the commit `bbbbbbbbbb` after",
    "a bot's push": "renovate[bot], a bot that is not among `auto_merge.bots`, pushed the commit `bbbbbbbbbb` after",
    "nobody's push": "GitHub does not say who pushed the commit `bbbbbbbbbb`, or whether that was before the label was",
}
ACTORS = {
    "a stranger": "@stranger has no write access here",
    "a bot": "renovate[bot] is a bot that is not among `auto_merge.bots`",
    "the author of a fork": "@newcomer has no write access here",
}
LATE, RED = "its checks did not end in time", "a check failed there"


def expected(row: dict[str, str]) -> tuple[str, list[str]]:
    """What the row calls for, and parts of the one sentence, in their order."""
    pushed = row["head"] != "as it was"
    if reason := ACTORS.get(row["actor"]):
        return ANEW, [reason]
    if row["base"] == "changed":
        return ANEW, ["the base branch was changed from `main` to `dev`"]
    if row["label"] != "after it" and (reason := STRANGERS.get(row["head"])):
        return ANEW, [reason]
    people = list(_of_people(row, pushed=pushed))
    if row["queue"] == "joined":
        return WAITS, [each for each in people if "draft" in each or "label" in each or "changes" in each][:1]
    if row["queue"] in ("put out: red", "put out twice: late"):
        return GIVES_UP, [RED if "red" in row["queue"] else LATE]
    told = [LATE] if row["queue"] == "put out: late" else []
    in_the_way = [*people, *_of_checks(row)]
    if not in_the_way and pushed and "just now" in row["checks"] and row["queue"] == "none":
        in_the_way = ["it waits for its first checks until 12:06 UTC"]
    return (WAITS if in_the_way else MERGES), [*told, *in_the_way]


def _of_people(row: dict[str, str], *, pushed: bool) -> Iterator[str]:
    if row["pull"] == "draft":
        yield "it is a draft"
    if row["pull"] == "conflicts":
        yield f"it conflicts with `{'dev' if row['base'].startswith('changed') else 'main'}`"
    if row["pull"] == "held by a label":
        yield "it carries the label `Hold`"
    if row["reviews"] == "changes":
        yield "changes were requested by `member`"
    is_old = row["reviews"] == "approved before" and pushed and row["head"] != "the base merged"
    if row["reviews"] == "another is asked":
        yield "a review is asked of lead"
    if row["reviews"] in ("none", "changes", "another is asked") or is_old:
        yield f"it has 0 of 1 approvals{' of its newest commit' if is_old else ''}"
    if row["base"] == "a parent's branch":
        yield "it waits for #5, whose branch `main` is its base"


def _of_checks(row: dict[str, str]) -> Iterator[str]:
    told = {
        "red": "checks failed: `build`",
        "running": "it waits for checks: `build`",
        "held": "workflows wait for approval: approve them in the merge box (`CI`)",
        "queued": "it waits for checks: `CI`",
    }
    if row["checks"] in told:
        yield told[row["checks"]]
    if row["queue"] == "GITHUB_TOKEN's" and not row["checks"].startswith("none"):
        yield "the branch `dev`" if row["base"].startswith("changed") else "the branch `main` has a merge queue"


def pairwise(dimensions: dict[str, tuple[str, ...]]) -> Iterator[Row]:
    """Yield rows in which every two values of two dimensions stand together; each takes as many new pairs as fit."""
    names = tuple(dimensions)
    plain = tuple(values[0] for values in dimensions.values())
    left = {
        ((first, one), (second, other))
        for (first, mine), (second, theirs) in combinations(enumerate(dimensions.values()), 2)
        for one in mine
        for other in theirs
    }
    while left:
        row = list(plain)
        fixed = set()
        for (first, one), (second, other) in sorted(left):
            if all(row[at] == value or at not in fixed for at, value in ((first, one), (second, other))):
                row[first], row[second] = one, other
                fixed |= {first, second}
            if len(fixed) == len(names):
                break
        left -= {((i, row[i]), (j, row[j])) for i, j in combinations(range(len(names)), 2)}
        yield tuple(row)


def check(values: Row) -> None:
    row = dict(zip(DIMENSIONS, values, strict=True))
    facts = cast("Facts", Known(row))
    outcome, said = done(list(plan(MergeConsidered(candidate(row).pull), CONFIG, facts)))
    wanted, parts = expected(row)
    assert outcome == wanted, (row, said, parts)
    text = " ".join(said)
    places = [text.find(part) for part in parts]
    assert -1 not in places, (row, said, parts)
    assert places == sorted(places), (row, said)
    sentences = len(said) - (row["queue"] == "put out: late" and outcome in (MERGES, WAITS))
    assert sentences == (outcome != MERGES and bool(parts)), (row, said)


APPROVED = {
    **DIMENSIONS,
    "head": ("as it was", "a writer's push", "the base merged"),
    "base": ("as it was", "changed by GitHub", "a parent's branch"),
    "queue": ("none", "to be joined", "put out: late", "GITHUB_TOKEN's"),
    "actor": ("a writer",),
}
PAIRS = list(dict.fromkeys([*pairwise(DIMENSIONS), *pairwise(APPROVED)]))


def test_each_pair_of_values_is_in_the_table() -> None:
    assert len(PAIRS) < 250  # or the table is not worth its time


@pytest.mark.parametrize("row", PAIRS, ids=map(str, range(len(PAIRS))))
def test_each_row(row: Row) -> None:
    check(row)


@pytest.mark.soak
def test_every_combination() -> None:
    for row in product(*DIMENSIONS.values()):
        check(row)
