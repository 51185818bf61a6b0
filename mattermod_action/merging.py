"""What stands in the way of a merge: a function of what GitHub holds, asked by the plan and right before the merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mattermod_action.events import PullRequest

SUCCESS, PENDING, FAILURE = "success", "pending", "failure"
UNKNOWN = "UNKNOWN"  # GitHub has not worked it out yet
NAMED = 10  # of more checks only the number is said

DRAFT = "it is a draft"
CONFLICT = "it conflicts with {base}"
LABEL = "it carries the label {label}"
CHANGES = "changes were requested by {people}"
FAILED = "checks failed: {names}"
AWAITED = "a review is asked of {people}"
APPROVALS = "it has {have} of {want} approvals"
REVIEW = "a review that the branch {base} requires is missing"
RUNNING = "it waits for checks: {names}"
BEHIND = "it is behind {base}, which asks for branches that are up to date"
BLOCKED = "GitHub says that it is blocked: the branch {base} asks for something else"
METHOD = "this repository does not allow the method `{method}`: set `auto_merge.method` to {allowed}"
NOT_KNOWN = "GitHub has not worked out yet whether it can be merged"


@dataclass(frozen=True, slots=True)
class Check:
    """A commit status or a check run of the head: success, pending or failure."""

    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pull request with all that a merge depends on, as it was at one moment.

    `mergeable` and `merge_state` are GitHub's MergeableState and MergeStateStatus. `labeller` put the label on last,
    "" when nobody knows. `approvals` and `objections` are of people with write access, `awaited` those whose review
    is asked for.
    https://docs.github.com/en/graphql/reference/pulls
    """

    pull: PullRequest
    node: str
    base: str
    mergeable: str
    merge_state: str
    checks: tuple[Check, ...] = ()
    approvals: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    needs_review: bool = False
    has_queue: bool = False
    is_queued: bool = False
    methods: tuple[str, ...] = ()
    labeller: str = ""
    labeller_is_bot: bool = False
    labeled_at: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether GitHub has worked out if it merges; of what is closed it does not."""
        return not self.pull.is_open or UNKNOWN not in (self.mergeable, self.merge_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What has to be so for a merge, and how it is made; `ignore` names checks that are not waited for."""

    label: str
    method: str
    approvals: int = 0
    unless: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`code` is what it is known by, however its text is worded."""

    code: str
    text: str


def obstacles(found: Candidate, rule: Rule) -> list[Obstacle]:
    """Return what is in the way of merging an open pull request, what only people can mend first."""
    told = [*_of_people(found, rule), *_of_checks(found, rule), *_of_rules(found, rule)]
    if not told and not found.is_known:
        return [Obstacle("unknown", NOT_KNOWN)]
    if not told and found.merge_state == "BLOCKED":
        return [Obstacle("blocked", BLOCKED.format(base=quoted(found.base)))]
    return told


def _of_people(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    if found.pull.draft:
        yield Obstacle("draft", DRAFT)
    if found.mergeable == "CONFLICTING" or found.merge_state == "DIRTY":
        yield Obstacle("conflict", CONFLICT.format(base=quoted(found.base)))
    for label in rule.unless:
        if found.pull.carries(label):
            yield Obstacle(f"label {label.casefold()}", LABEL.format(label=quoted(label)))
    if found.objections:
        yield Obstacle("changes", CHANGES.format(people=", ".join(f"@{login}" for login in found.objections)))
    if found.awaited:
        yield Obstacle("awaited", AWAITED.format(people=", ".join(found.awaited)))
    if len(found.approvals) < rule.approvals:
        yield Obstacle("approvals", APPROVALS.format(have=len(found.approvals), want=rule.approvals))
    elif found.needs_review:
        yield Obstacle("approvals", REVIEW.format(base=quoted(found.base)))


def _of_checks(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    """Statuses and check runs alike; where there are none there is nothing to wait for."""
    ignored = {name.casefold() for name in rule.ignore}
    asked = [check for check in found.checks if check.name.casefold() not in ignored]
    for code, state, text in (("failed", FAILURE, FAILED), ("running", PENDING, RUNNING)):
        if names := [check.name for check in asked if check.state == state]:
            yield Obstacle(code, text.format(names=_names(names)))


def _of_rules(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    """What the repository asks for; a merge queue has its own method, and brings branches up to date itself."""
    if found.has_queue:
        return
    if rule.method not in found.methods:
        allowed = " or ".join(f"`{method}`" for method in found.methods)
        yield Obstacle("method", METHOD.format(method=rule.method, allowed=allowed))
    if found.merge_state == "BEHIND":
        yield Obstacle("behind", BEHIND.format(base=quoted(found.base)))


def _names(names: list[str]) -> str:
    """Checks are named by whoever made them, so their names are quoted: they call nobody."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(quoted, names[:NAMED])) + more
