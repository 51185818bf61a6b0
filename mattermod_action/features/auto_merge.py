"""Merge pull requests that carry a label, once they are ready.

You see: a comment when the label is put on, the merge, and a comment that says so. While something is in the way, one
comment for each commit and reason says what: it is a draft, it conflicts, it carries a label of `unless`, changes
were requested, a review is asked for, approvals are missing, statuses or check runs have failed or are not over.
Where there are no checks at all there is nothing to wait for; but a commit is not merged on the event that brought
it, before its checks can have begun. Where the base branch has a merge queue the pull request is put into that.

Whoever put the label on must have write access at that moment and when it is merged, and must not be a bot, unless
`bots` names it. Authors may put it on their own pull requests from branches of this repository, not from forks.
Reviews count when they are by people with write access. Right before the merge everything is looked at again, and only
the commit that was looked at is merged.

It is looked at when a pull request changes, when a review is handed in, when checks are over and on a schedule:
[auto-merge.yml](../../workflows-examples/auto-merge.yml). `ignore` names checks that are not waited for: the job that
this action runs in is one, and its name is `mattermod` in the examples. What is merged with GITHUB_TOKEN starts no
workflow, and a pull request that changes workflow files cannot be merged with it: use the token of an App for those.

```yaml
auto_merge:
  label: "Ready to Merge"
  method: squash
  approvals: 1
  unless: ["Do Not Merge"]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import Comment, Enqueue, Merge, Need
from mattermod_action.events import (
    ChecksChanged,
    MergeConsidered,
    MergeEnded,
    PullRequestSeen,
    Reviewed,
    Tick,
    label_cause,
)
from mattermod_action.labellers import does_not_count, is_listed
from mattermod_action.merging import Rule, obstacles
from mattermod_action.texts import addressed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.merging import Candidate, Obstacle
    from mattermod_action.ports import Facts

ANNOUNCED = "This will be merged when it is ready."
WAITS = "This is not merged yet: {reasons}."
MERGED = "Merged, as the label {label} asks for."
QUEUED = "This is in the merge queue now, as the label {label} asks for."
REFUSED = "This could not be merged. {reason}."
AGAIN = "The label {label} does not count: {reason}. Somebody with write access may take it off and put it on again."
PUSHED = ("opened", "synchronize")


class Config(Section):
    label: Label
    method: Literal["squash", "merge", "rebase"] = "squash"
    approvals: Annotated[int, Field(ge=0)] = 0
    unless: tuple[Label, ...] = ()
    ignore: tuple[str, ...] = ("mattermod",)
    bots: tuple[str, ...] = ()
    message: Message = ANNOUNCED

    @property
    def rule(self) -> Rule:
        return Rule(
            label=self.label, method=self.method, approvals=self.approvals, unless=self.unless, ignore=self.ignore
        )


def follow(event: Event, config: Config, facts: Facts) -> Iterator[Event]:
    """Say which pull requests are looked at because of an event: none is read whose label the event denies."""
    match event:
        case PullRequestSeen(pull) if pull.is_open and pull.carries(config.label):
            yield MergeConsidered(pull, pushed=event.action in PUSHED)
        case Reviewed(pull) if pull.is_open and pull.carries(config.label):
            yield MergeConsidered(pull)
        case ChecksChanged(repository, sha):
            found = facts.candidates(repository, config.label)
            yield from (MergeConsidered(each.pull) for each in found if each.pull.sha == sha)
        case Tick(repository):
            yield from (MergeConsidered(each.pull) for each in facts.candidates(repository, config.label))


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case MergeConsidered(pull, pushed):
            found = facts.candidate(pull, config.label)
            if found and found.pull.is_open and found.pull.carries(config.label):
                yield from _considered(found, config, facts, pushed=pushed)
        case MergeEnded(pull, sha, queued, reason):
            text = (REFUSED if reason else QUEUED if queued else MERGED).format(
                label=quoted(config.label), reason=reason.rstrip(".")
            )
            once = ("refused", sha, reason) if reason else ("queued" if queued else "merged", sha)
            yield Comment(subject=pull, text=text, once=once, cause=label_cause(config.label))


def _considered(found: Candidate, config: Config, facts: Facts, *, pushed: bool) -> Iterator[Effect]:
    if reason := does_not_count(
        found.pull, found.labeller, config.bots, facts, is_bot=found.labeller_is_bot, key="auto_merge.bots"
    ):
        text = AGAIN.format(label=quoted(config.label), reason=reason)
        yield _comment(found, config, text, "labeller", found.labeller.casefold())
        return
    yield _comment(found, config, addressed(config.message, found.pull.author), "announced")
    if found.is_queued:
        return
    in_the_way = obstacles(found, config.rule)
    if in_the_way:
        yield from _told(found, config, in_the_way)
    elif not pushed:
        yield _merge(found, config)


def _told(found: Candidate, config: Config, in_the_way: list[Obstacle]) -> Iterator[Effect]:
    """Tell everything, once for what comes first in it; what GitHub has only not worked out is nobody's business."""
    first = in_the_way[0].code
    if first != "unknown":
        text = WAITS.format(reasons="; ".join(obstacle.text for obstacle in in_the_way))
        yield _comment(found, config, text, "waits", found.pull.sha, first)


def _merge(found: Candidate, config: Config) -> Effect:
    """Once for a commit and each time that the label is put on: what fell out of a queue is not put back for ever."""
    kind = Enqueue if found.has_queue else Merge
    listed = is_listed(found.labeller, config.bots)
    return kind(
        subject=found.pull,
        sha=found.pull.sha,
        rule=config.rule,
        labeller=found.labeller,
        need=None if listed else Need(found.labeller, "write"),
        once=("merge", found.pull.sha, str(found.labeled_at)),
        cause=label_cause(config.label),
    )


def _comment(found: Candidate, config: Config, text: str, *once: str) -> Comment:
    return Comment(subject=found.pull, text=text, once=once, cause=label_cause(config.label))
