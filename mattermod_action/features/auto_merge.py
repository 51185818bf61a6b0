"""Merge pull requests that carry a label, once they are ready.

You see: a comment when the label is put on, the merge, and a comment that says so. While something is in the way, one
comment for each commit and reason says what: it is a draft, it conflicts, it carries a label of `unless`, changes
were requested, a review is asked for, approvals are missing, statuses or check runs have failed or are not over,
workflows wait for somebody to approve them, or its base is the branch of another open pull request.

CI registers its checks some seconds after a push. A commit without any check is therefore not merged before
`settle_minutes` (5) have passed since its push; statuses that the bot itself sets do not count. After that there is
nothing to wait for, so a change that only touches documentation is merged, too. If none of the last ten commits of the
base had a check, nor the pull requests that brought them, nothing is waited for. With `database-url` the next event or
schedule after that time merges. Without it the run itself waits if its input `wait-minutes` is greater than
`settle_minutes`; otherwise a comment says that nobody looks again by itself. `require_checks` names checks that must
be there and green, however long that takes: use it if CI needs more time to begin.

The newest attempt of a check counts: of the same name, App, workflow and event. A workflow run counts from the moment
that GitHub creates it, even if none of its jobs has started. GitHub holds the workflows of first-time contributors and
of pull requests that GITHUB_TOKEN opened or pushed to; a person with write access approves them in the merge box.
Apps that never report a check are not waited for.

If the base branch has a merge queue, the pull request is put into it. If the queue puts it out, a comment says why; it
is put back once if neither its content nor a person is the reason (a time-out, an emptied queue). If the label is taken
off, or a person puts something in its way, what the bot has put in is taken out of the queue. Putting it in takes the
token of an App, or of a person, with `contents: write` and `pull-requests: write`, in the input `github-token`. GitHub
starts no checks for what GITHUB_TOKEN puts into a queue, and removes it when the time is up. With GITHUB_TOKEN nothing
that has checks is put in, and a comment says so.

Whoever put the label on must have write access at that moment and when it is merged, and must not be a bot, unless
`bots` names it. Authors may put it on their own pull requests from branches of this repository, not from forks.
Reviews count when they are by people with write access; approving ones when they are of the newest commit, or of the
one that the base was merged into. Right before the merge everything is looked at again, and only the commit that was
looked at is merged.

The label approves the commit and the base branch that it was put on. If anybody without write access pushes
afterwards, or a bot that `bots` does not name, or if the base branch is changed, the bot takes the label off, and a
comment says why: look at the pull request as it is now, and put the label on again. With `keep_on_push: never` pushes
by people with write access take it off as well. With `always` none does: then anybody can have merged what nobody has
seen, so use it only where a rule of the branch dismisses stale approvals. Merging the base into the branch keeps the
label if the commit has nothing else in it (`/update-branch`, `update`, GitHub's button), and so does GitHub itself
when it changes the base because the old one was merged. GitHub tells who pushed to a private fork only if the token may
read that fork; otherwise a push to it counts if a run has seen its event. Without `database-url` a commit status,
`mattermod/approval`, notes what was approved; this takes `statuses: write`.

It is looked at when a pull request changes, when a review is handed in, when checks are over, when a merge queue
removes it and on a schedule:
[auto-merge.yml](../../workflows-examples/auto-merge.yml). A schedule begins with those that carry the label
`priority_label` as well, and of these, as of the others, with the one that has had its label for longest.

Some base branches ask for branches that are up to date. With `update` a schedule merges such a base into what has
nothing else in its way: into one pull request at a time for each base, after everything that is ready was merged, and
into no other while the checks of the last one run, for up to two hours. Nothing is merged into a branch of a fork
whose owner does not allow edits by maintainers. If GITHUB_TOKEN brings a branch up to date, its workflows wait until a
person approves them in the merge box: use the token of an App.

A pull request whose base is the branch of another open pull request waits for that one: GitHub changes its base when
the other is merged and its branch deleted. `bases` names the base branches into which is merged instead, as patterns
(`main`, `release-*`). Someone who was asked for a review holds up the merge, unless `approvals` is set and there are
that many. With `ignore_requested_reviewers: true` open requests never hold it up, with `false` always.

`ignore` names checks and workflows that are not waited for: the job that
this action runs in is one, and its name is `mattermod` in the examples. A merge with GITHUB_TOKEN starts no
workflow, not even the one for `closed`: picks by label, `label_cleanup` and the end of a test server wait for the next
sweep, and without `database-url` never come. GITHUB_TOKEN cannot merge changes to workflow files either: use the token
of an App ([what each token can do](../tokens.md)).

```yaml
auto_merge:
  label: "Ready to Merge"
  method: squash
  approvals: 1
  unless: ["Do Not Merge"]
  priority_label: "Hotfix"
  update: true
```
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mattermod_action.approvals import Terms, confirm, judge, reviewed_before
from mattermod_action.config import Context, Label, Message, Pattern, Section
from mattermod_action.effects import (
    AwaitChecks,
    BringUpToDate,
    Comment,
    Dequeue,
    Enqueue,
    Merge,
    Need,
    NoteApproval,
    RemoveLabel,
)
from mattermod_action.events import (
    OPENED,
    RESUMED,
    ChecksChanged,
    MergeConsidered,
    MergeEnded,
    PullRequestSeen,
    Reviewed,
    Shown,
    Tick,
    label_cause,
    unlabel_cause,
)
from mattermod_action.labellers import does_not_count, is_listed
from mattermod_action.merging import Rule, has_checks, obstacles
from mattermod_action.queueing import OFF, is_out, why_out
from mattermod_action.queueing import VOID as VOID_APPROVAL
from mattermod_action.settling import first_checks
from mattermod_action.texts import addressed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mattermod_action.approvals import Verdict
    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.merging import Candidate, Obstacle
    from mattermod_action.ports import Facts
    from mattermod_action.queueing import Out
    from mattermod_action.settling import Wait

ANNOUNCED = "This will be merged when it is ready."
WAITS = "This is not merged yet: {reasons}."
MERGED = "Merged, as the label {label} asks for."
QUEUED = "This is in the merge queue now, as the label {label} asks for."
REFUSED = "This could not be merged. {reason}."
TAKEN_OUT = "This was taken out of the merge queue: {reason}."
OUT = "The merge queue has put this out: {reason}. {then}"
BACK = "It is put back once, the next time that it is looked at."
STAYS_OUT = "To have it put back, take the label {label} off and put it on again."
OUTDATED = "This could not be brought up to date with {base}. {reason}."
VOID = (
    "The label {label} was taken off, and nothing was merged: {reason}. Somebody with write access may look at the "
    "pull request as it is now and put the label on again."
)
AGAIN = "The label {label} does not count: {reason}. Somebody with write access may take it off and put it on again."
DEQUEUED = "dequeued"
# Before its checks can have begun nothing is merged, nor because somebody has turned off GitHub's own auto-merge.
PUSHED = ("opened", "synchronize", "auto_merge_disabled")
ON_ITS_WAY = {"running", "blocked"}  # what is in the way while checks run
PATIENCE = timedelta(hours=2)  # for which others are not brought up to date because of one whose checks run


class Config(Section):
    label: Label
    method: Literal["squash", "merge", "rebase"] = "squash"
    approvals: Annotated[int, Field(ge=0)] = 0
    unless: tuple[Label, ...] = ()
    ignore: tuple[str, ...] = ("mattermod",)
    bots: tuple[str, ...] = ()
    priority_label: Label | None = None
    update: bool = False
    settle_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 5
    require_checks: tuple[Context, ...] = ()
    bases: tuple[Pattern, ...] = ()
    ignore_requested_reviewers: bool | None = None
    keep_on_push: Literal["writers", "never", "always"] = "writers"
    message: Message = ANNOUNCED

    @property
    def terms(self) -> Terms:
        return Terms(self.label, self.keep_on_push, self.bots)

    @property
    def rule(self) -> Rule:
        return Rule(
            label=self.label,
            method=self.method,
            approvals=self.approvals,
            unless=self.unless,
            ignore=self.ignore,
            require=self.require_checks,
            bases=self.bases,
            ignore_requested=self.ignore_requested_reviewers,
        )

    @property
    def settle(self) -> timedelta:
        return timedelta(minutes=self.settle_minutes)


def follow(event: Event, config: Config, facts: Facts) -> Iterator[Event]:
    """Say which pull requests are looked at because of an event: none is read whose label the event denies."""
    match event:
        case PullRequestSeen(pull) if pull.is_open and pull.carries(config.label):
            pushed, out = event.action in PUSHED, (event.reason or DEQUEUED) if event.action == DEQUEUED else ""
            yield MergeConsidered(pull, pushed=pushed, out=out, shown=_shown(event, config), patient=True)
        case Reviewed(pull) if pull.is_open and pull.carries(config.label):
            is_quiet = not facts.keeps_a_ledger()
            yield MergeConsidered(pull, is_quiet=is_quiet)
        case ChecksChanged(repository, sha):
            found = facts.candidates(repository, config.label)
            yield from (MergeConsidered(each.pull, patient=True) for each in found if each.pull.sha == sha)
        case Tick(repository):
            yield from _swept(facts.candidates(repository, config.label), config, facts)


def _shown(event: PullRequestSeen, config: Config) -> Shown | None:
    """What the payload says of head and base, when it is about the label, or about a push."""
    labeled = (event.label or "").casefold() == config.label.casefold()
    if not labeled and not event.before:
        return None
    return Shown(event.sender, event.sha, event.base, event.at, labeled, event.before)


def _swept(found: Sequence[Candidate], config: Config, facts: Facts) -> Iterator[Event]:
    """In the order of merging, and those last that have to be brought up to date with what is merged by then."""
    busy = _busy(found, config, facts.now()) if config.update else {each.base for each in found}
    for each in sorted(found, key=lambda each: (each.merge_state == "BEHIND", *_turn(each, config))):
        yield MergeConsidered(each.pull, update=each.base not in busy)


def _turn(found: Candidate, config: Config) -> tuple[bool, datetime, int]:
    """What is urgent comes first, then what has waited for longest, which its number decides within a second."""
    urgent = bool(config.priority_label) and found.pull.carries(config.priority_label or "")
    return not urgent, found.labeled_at or datetime.max, found.pull.number  # noqa: DTZ901  # naive UTC, as everywhere


def _busy(found: Sequence[Candidate], config: Config, now: datetime) -> set[str]:
    """Bases into which one is about to be merged: whatever is brought up to date now would soon be behind again."""
    recent = [each for each in found if now - each.pull.updated_at < PATIENCE]
    return {each.base for each in recent if _is_on_its_way(each, config, now)}


def _is_on_its_way(found: Candidate, config: Config, now: datetime) -> bool:
    """Its checks run, or may begin yet."""
    codes = {obstacle.code for obstacle in obstacles(found, config.rule)}
    is_new = now - found.pull.updated_at < config.settle and not has_checks(found, config.rule)
    return codes <= ON_ITS_WAY and bool(codes or is_new)


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open and _has_lost(event, config.label):
            yield from _without_label(facts.candidate(pull, config.label), config, unlabel_cause(config.label))
        case MergeConsidered(pull):
            found = facts.candidate(pull, config.label)
            if found and found.pull.is_open and found.pull.carries(config.label):
                yield from _considered(found, config, facts, event)
        case MergeEnded(pull, sha, behind=True, reason=reason):
            text = OUTDATED.format(base=quoted(pull.base_ref), reason=reason.rstrip("."))
            yield Comment(subject=pull, text=text, once=("outdated", sha), cause=label_cause(config.label))
        case MergeEnded(pull, sha, out=out) if out:
            text = TAKEN_OUT.format(reason=out)
            key = ("taken out", sha, str(pull.updated_at))
            yield Comment(subject=pull, text=text, once=key, cause=label_cause(config.label))
        case MergeEnded(pull, sha, queued, reason):
            text = (REFUSED if reason else QUEUED if queued else MERGED).format(
                label=quoted(config.label), reason=reason.rstrip(".")
            )
            once = ("refused", sha, reason) if reason else ("queued" if queued else "merged", sha)
            yield Comment(subject=pull, text=text, once=once, cause=label_cause(config.label))


def _has_lost(event: PullRequestSeen, label: str) -> bool:
    """Whether the label was taken off just now, or an earlier run has begun something about it."""
    is_told = event.is_news(unlabel_cause(label)) or (event.action == RESUMED and not event.missed)
    return event.action != OPENED and is_told and not event.subject.carries(label)


def _without_label(found: Candidate | None, config: Config, cause: str) -> Iterator[Effect]:
    """Whoever else put it into the queue did not do so because of the label."""
    if found and found.queued_by_us and not found.pull.carries(config.label):
        yield _dequeue(found, config, OFF, cause)


def _dequeue(found: Candidate, config: Config, why: str, cause: str) -> Dequeue:
    once = ("dequeue", found.pull.sha, str(found.labeled_at), len(found.removals))
    return Dequeue(subject=found.pull, sha=found.pull.sha, rule=config.rule, why=why, once=once, cause=cause)


def _considered(found: Candidate, config: Config, facts: Facts, event: MergeConsidered) -> Iterator[Effect]:
    if reason := does_not_count(
        found.pull, found.labeller, config.bots, facts, is_bot=found.labeller_is_bot, key="auto_merge.bots"
    ):
        if not event.is_quiet:
            text = AGAIN.format(label=quoted(config.label), reason=reason)
            yield _comment(found, config, text, "labeller", found.labeller.casefold())
        return
    verdict = judge(found, event.shown, config.terms, facts)
    if verdict.void:
        yield from _void(found, config, verdict.void)
        return
    if not event.is_quiet:
        yield _comment(found, config, addressed(config.message, found.pull.author), "announced")
    then = list(_next(found, config, facts, event)) if verdict.stands else []
    if any(isinstance(each, Merge) for each in then):
        yield from _confirmed(found, config, facts, verdict, then)
        return
    if verdict.note:
        label, by = config.label, found.labeller
        yield NoteApproval(subject=found.pull, label=label, by=by, approval=verdict.note, cause=label_cause(label))
    yield from then


def _confirmed(
    found: Candidate, config: Config, facts: Facts, verdict: Verdict, then: list[Effect]
) -> Iterator[Effect]:
    """Merge, unless only a row of the database says that the label approves this head."""
    verdict = confirm(found, verdict, config.terms, facts)
    if verdict.stands:
        yield from then
    elif verdict.void:
        yield from _void(found, config, verdict.void)


def _void(found: Candidate, config: Config, reason: str) -> Iterator[Effect]:
    """Take the label off, and say so once for each time that it was put on."""
    yield RemoveLabel(subject=found.pull, label=config.label, cause=label_cause(config.label))
    if found.queued_by_us:
        yield _dequeue(found, config, VOID_APPROVAL, label_cause(config.label))
    text = VOID.format(label=quoted(config.label), reason=reason)
    yield _comment(found, config, text, "void", str(found.labeled_at))


def _next(found: Candidate, config: Config, facts: Facts, event: MergeConsidered) -> Iterator[Effect]:
    """What is due for a pull request whose head and base the label approves."""
    rule, found = config.rule, _stacked(found, config, facts)
    if rule.approvals and _lacks_approvals(found, rule):
        rule = replace(rule, also=reviewed_before(found, facts))
    if found.is_queued:
        yield from _in_queue(found, config, rule)
        return
    out = is_out(found, event.out, facts) if found.has_queue else None
    if out and out.text and not event.is_quiet:
        yield _told_out(found, config, out)
    if out and not out.returns:
        return
    in_the_way = obstacles(found, rule)
    if config.update and _is_only_behind(found.pull, in_the_way):
        if event.update and not facts.is_updated(found.pull.repository, found.base):
            yield _update(found, config)
    elif in_the_way:
        yield from () if event.is_quiet else _told(found, config, in_the_way)
    elif wait := first_checks(found, rule, config.settle, facts, patient=event.patient):
        yield from _waiting(found, config, event, wait)
    elif not _is_too_early(found, config, event):
        yield _merge(found, config, rule, out.nth if out else 0)


def _in_queue(found: Candidate, config: Config, rule: Rule) -> Iterator[Effect]:
    if found.queued_by_us and (why := why_out(found, rule)):
        yield _dequeue(found, config, why, label_cause(config.label))


def _told_out(found: Candidate, config: Config, out: Out) -> Effect:
    then = BACK if out.returns else STAYS_OUT.format(label=quoted(config.label))
    text = OUT.format(reason=out.text, then=then)
    return _comment(found, config, text, "out", found.pull.sha, str(found.labeled_at), str(out.nth))


def _stacked(found: Candidate, config: Config, facts: Facts) -> Candidate:
    """Find the pull request whose branch is the base, where the configuration does not name the bases."""
    return found if config.bases else replace(found, stacked_on=facts.parent(found.pull.repository, found.base))


def _is_too_early(found: Candidate, config: Config, event: MergeConsidered) -> bool:
    """Whether more checks may begin, or a merge queue has just put it out, which is not asked again at once."""
    is_settled = bool(config.settle) and not found.has_queue and not has_checks(found, config.rule)
    return bool(event.out) or (event.pushed and not is_settled)


def _waiting(found: Candidate, config: Config, event: MergeConsidered, wait: Wait) -> Iterator[Effect]:
    """Wait for first checks, and say so where people may ask themselves: not after each push that a sweep finds."""
    pull, cause = found.pull, label_cause(config.label)
    if wait.in_run:
        then = MergeConsidered(pull)
        yield AwaitChecks(subject=pull, sha=pull.sha, rule=config.rule, until=wait.until, cause=cause, then=then)
    elif not event.is_quiet and (wait.alone or not event.pushed):
        yield _comment(found, config, WAITS.format(reasons=wait.text), "waits", pull.sha, "running")


def _lacks_approvals(found: Candidate, rule: Rule) -> bool:
    return any(obstacle.code == "approvals" for obstacle in obstacles(found, rule))


def _is_only_behind(pull: PullRequest, in_the_way: list[Obstacle]) -> bool:
    """Nothing else is in the way, and its branch may be written to."""
    may_write = not pull.from_fork or pull.maintainer_can_modify
    return may_write and [obstacle.code for obstacle in in_the_way] == ["behind"]


def _told(found: Candidate, config: Config, in_the_way: list[Obstacle]) -> Iterator[Effect]:
    """Tell everything, once for what comes first in it; what GitHub has only not worked out is nobody's business."""
    first = in_the_way[0].code
    if first != "unknown":
        text = WAITS.format(reasons="; ".join(obstacle.text for obstacle in in_the_way))
        yield _comment(found, config, text, "waits", found.pull.sha, first)


def _merge(found: Candidate, config: Config, rule: Rule, nth: int) -> Effect:
    """Once for a commit, each time that the label is put on, and each time that it returns to a queue."""
    kind = Enqueue if found.has_queue else Merge
    return kind(
        subject=found.pull,
        sha=found.pull.sha,
        base=found.base,
        rule=rule,
        labeller=found.labeller,
        at=found.labeled_at,
        need=_need(found, config),
        once=("merge", found.pull.sha, str(found.labeled_at), *([nth] if nth else [])),
        cause=label_cause(config.label),
    )


def _update(found: Candidate, config: Config) -> Effect:
    """Once for a commit and its base: with the base in it, it is another commit."""
    return BringUpToDate(
        subject=found.pull,
        sha=found.pull.sha,
        need=_need(found, config),
        once=("update", found.pull.sha, found.base),
        cause=label_cause(config.label),
    )


def _need(found: Candidate, config: Config) -> Need | None:
    return None if is_listed(found.labeller, config.bots) else Need(found.labeller, "write")


def _comment(found: Candidate, config: Config, text: str, *once: str) -> Comment:
    return Comment(subject=found.pull, text=text, once=once, cause=label_cause(config.label))
