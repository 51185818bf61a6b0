"""What stands in the way of a merge: a function of what GitHub holds, asked by the plan and right before the merge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mattermod_action.approvals import Approval, BaseChange
    from mattermod_action.events import PullRequest
    from mattermod_action.queueing import Removal

SUCCESS, PENDING, FAILURE = "success", "pending", "failure"
APPROVAL = "approval"  # of a run that nobody has let begin
UNKNOWN = "UNKNOWN"  # GitHub has not worked it out yet
LAST = datetime.max  # noqa: DTZ901  # naive UTC, as everywhere
NAMED = 10  # of more checks only the number is said

DRAFT = "it is a draft"
CONFLICT = "it conflicts with {base}"
LABEL = "it carries the label {label}"
CHANGES = "changes were requested by {people}"
FAILED = "checks failed: {names}"
AWAITED = "a review is asked of {people}"
APPROVALS = "it has {have} of {want} approvals{of}"
NEWEST = " of its newest commit"
REVIEW = "a review that the branch {base} requires is missing"
HELD = "workflows wait for approval: approve them in the merge box ({names})"
RUNNING = "it waits for checks: {names}"
STACKED = "it waits for #{parent}, whose branch {base} is its base"
OTHER_BASE = "its base branch {base} is not among `auto_merge.bases`"
BEHIND = "it is behind {base}, which asks for branches that are up to date"
BLOCKED = "GitHub says that it is blocked: the branch {base} asks for something else"
METHOD = "this repository does not allow the method `{method}`: set `auto_merge.method` to {allowed}"
QUEUE = (
    "the branch {base} has a merge queue, and GitHub starts no checks for what GITHUB_TOKEN puts into one: set the "
    "input `github-token` to the token of an App, or of a person, with `contents: write` and `pull-requests: write`"
)
NOT_KNOWN = "GitHub has not worked out yet whether it can be merged"


@dataclass(frozen=True, slots=True)
class Maker:
    """The App that checks, and the workflow and event of its run, "" where there is none."""

    app: str = ""
    workflow: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of the times that a check ran, of which GitHub keeps all; `suite` has what ran with it."""

    maker: Maker = Maker()
    began: datetime | None = None
    ended: datetime | None = None
    number: int = 0
    suite: str = ""

    @property
    def age(self) -> tuple[datetime, int, datetime]:
        """One that has not begun yet is newer than all that have."""
        return self.began or self.ended or LAST, self.number, self.ended or LAST


@dataclass(frozen=True, slots=True)
class Check:
    """A commit status, or an attempt of a check run, of the head: success, pending or failure.

    `is_ours` says that our own account has set it, as it sets statuses before any other check begins.
    """

    name: str
    state: str
    attempt: Attempt | None = None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """One run of a workflow on the head, with or without check runs yet.

    It is pending, waits for an approval, or has ended; failure is that it has ended without having run anything, if no
    check run says otherwise.
    """

    id: str
    name: str
    state: str
    maker: Maker
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pull request with all that a merge depends on, as it was at one moment.

    `mergeable` and `merge_state` are GitHub's MergeableState and MergeStateStatus. `labeller` put the label on last,
    "" when nobody knows. `approvals` (each with the commit that was reviewed) and `objections` are of people with write
    access, `awaited` those whose review is asked for. `by_github_token` is whose token would merge it. `base_changes`
    and `removals` from a merge queue are those since the label was put on, `noted` is what a status of ours says that
    the label approves, and `parents` are the head's. `stacked_on` is the number of the open pull request whose branch
    is the base, 0 if there is none.
    https://docs.github.com/en/graphql/reference/pulls
    """

    pull: PullRequest
    node: str
    base: str
    mergeable: str
    merge_state: str
    checks: tuple[Check, ...] = ()
    suites: tuple[Suite, ...] = ()
    approvals: tuple[tuple[str, str], ...] = ()
    objections: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    needs_review: bool = False
    has_queue: bool = False
    is_queued: bool = False
    by_github_token: bool = False
    methods: tuple[str, ...] = ()
    labeller: str = ""
    labeller_is_bot: bool = False
    labeled_at: datetime | None = None
    base_changes: tuple[BaseChange, ...] = ()
    noted: Approval | None = None
    parents: tuple[str, ...] = ()
    stacked_on: int = 0
    removals: tuple[Removal, ...] = ()
    queued_by_us: bool = False

    @property
    def is_known(self) -> bool:
        """Whether GitHub has worked out if it merges; of what is closed it does not."""
        return not self.pull.is_open or UNKNOWN not in (self.mergeable, self.merge_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What has to be so for a merge, and how it is made.

    `ignore` names checks that are not waited for, `require` checks that are waited for until they are there. Approving
    reviews of the commits `also` count as those of the head do. `ignore_requested` says whether an open request for a
    review may stay open; if it is None, it may once there are as many `approvals` as asked for. Without `bases`, which
    are patterns, any base will do that is not the branch of an open pull request.
    """

    label: str
    method: str
    approvals: int = 0
    unless: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    ignore_requested: bool | None = None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`code` is what it is known by, however its text is worded."""

    code: str
    text: str


def obstacles(found: Candidate, rule: Rule) -> list[Obstacle]:
    """Return what is in the way of merging an open pull request, what only people can mend first."""
    told = [*_of_people(found, rule), *_of_base(found, rule), *_of_checks(found, rule), *_of_rules(found, rule)]
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
        yield Obstacle("changes", CHANGES.format(people=", ".join(map(quoted, found.objections))))
    counted = [login for login, sha in found.approvals if sha in (found.pull.sha, *rule.also)]
    is_enough = 0 < rule.approvals <= len(counted)
    if found.awaited and not (is_enough if rule.ignore_requested is None else rule.ignore_requested):
        yield Obstacle("awaited", AWAITED.format(people=", ".join(found.awaited)))
    if len(counted) < rule.approvals:
        of = NEWEST if len(counted) < len(found.approvals) else ""
        yield Obstacle("approvals", APPROVALS.format(have=len(counted), want=rule.approvals, of=of))
    elif found.needs_review:
        yield Obstacle("approvals", REVIEW.format(base=quoted(found.base)))


def _of_base(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    if rule.bases and not _fits(found.base, rule.bases):
        yield Obstacle("base", OTHER_BASE.format(base=quoted(found.base)))
    elif not rule.bases and found.stacked_on:
        yield Obstacle("base", STACKED.format(parent=found.stacked_on, base=quoted(found.base)))


def _fits(base: str, patterns: Iterable[str]) -> bool:
    from mattermod_action.globs import compiled  # only who names bases pays for it

    return any(compiled(pattern).fullmatch(base) for pattern in patterns)


def has_checks(found: Candidate, rule: Rule) -> bool:
    """Whether any check of the head has begun, beside those that we set ourselves, or that are ignored."""
    ignored = {name.casefold() for name in rule.ignore}
    checks = (check for check in found.checks if not check.is_ours and check.name.casefold() not in ignored)
    return any(checks) or any(_unseen(found, ignored)) or any(_over(found, ignored))


def _over(found: Candidate, ignored: set[str]) -> Iterator[Suite]:
    """Return runs of workflows that have ended, and have checked nothing, such as those that skipped all of it."""
    return (each for each in found.suites if each.state == SUCCESS and not _is_ignored(found, each, ignored))


def _of_checks(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    """Statuses, check runs and runs of workflows alike; where there are none there is nothing to wait for."""
    ignored = {name.casefold() for name in rule.ignore}
    asked = [check for check in newest(found.checks) if check.name.casefold() not in ignored]
    states = [(check.name, check.state) for check in asked]
    states += [(suite.name, suite.state) for suite in _unseen(found, ignored)]
    begun = {name.casefold() for name in (*(name for name, _ in states), *(suite.name for suite in found.suites))}
    states += [(name, PENDING) for name in rule.require if name.casefold() not in begun]
    for code, state, text in (("failed", FAILURE, FAILED), ("approval", APPROVAL, HELD), ("running", PENDING, RUNNING)):
        if names := [name for name, each in states if each == state]:
            yield Obstacle(code, text.format(names=_names(names)))


def newest(checks: Iterable[Check]) -> list[Check]:
    """Leave out attempts that a newer one has replaced: of the same name, App, workflow and event, as on the page."""
    found: dict[tuple[str, Maker | None], Check] = {}
    for check in checks:
        key = check.name, check.attempt.maker if check.attempt else None
        if key not in found or _age(check) >= _age(found[key]):
            found[key] = check
    return list(found.values())


def _age(check: Check) -> tuple[datetime, int, datetime]:
    return (check.attempt or Attempt()).age


def _unseen(found: Candidate, ignored: set[str]) -> Iterator[Suite]:
    """The newest run of each workflow, unless a check run shows the same of it, or every check of it is ignored."""
    last = {each.maker: each for each in sorted(found.suites, key=lambda each: each.made_at)}
    runs = [(check, check.attempt) for check in found.checks if check.attempt]
    for suite in last.values():
        shown = [check.state for check, attempt in runs if attempt.suite == suite.id]
        ours = _is_ignored(found, suite, ignored)
        if not ours and (PENDING not in shown if suite.state == PENDING else not shown):
            yield suite


def _is_ignored(found: Candidate, suite: Suite, ignored: set[str]) -> bool:
    """Whether the workflow is ignored, by its own name or by those of all of its checks."""
    runs = [(check, check.attempt) for check in found.checks if check.attempt]
    names = {check.name.casefold() for check, attempt in runs if attempt.maker.workflow == suite.maker.workflow}
    return suite.name.casefold() in ignored or bool(names and names <= ignored)


def _of_rules(found: Candidate, rule: Rule) -> Iterator[Obstacle]:
    """What the repository asks for; a merge queue has its own method, and brings branches up to date itself."""
    if found.has_queue:
        # A head without a check that is not blocked shows that the branch requires none, so the queue awaits none.
        if found.by_github_token and (found.checks or found.suites or found.merge_state == "BLOCKED"):
            yield Obstacle("queue", QUEUE.format(base=quoted(found.base)))
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
