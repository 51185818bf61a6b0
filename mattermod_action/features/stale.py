"""Mark pull requests in which nobody has done anything for long, and take the mark off when somebody does.

You see: after `days` without activity the label `label` and one comment. When somebody does something the label goes,
and the comment is hidden as outdated. With `close_after_days` it is closed so long after the comment, with a last
comment, an issue as not planned.

Activity is what people do: comments, reviews, commits and forced pushes, reopening, marking as ready for review, labels
put on or taken off. What bots do is none, nor is what this action does; and taking the stale label off is activity,
putting it on is not. Where somebody puts it on by hand it goes at the next activity, too.

- Pull requests of those who have no write access, and of no bots; with `authors: everybody` those of everybody.
- With `issues: true` issues, too.
- None that carries one of `exempt_labels`; with `only_labels` only those that carry one of these. With `exempt_drafts`,
  `exempt_milestones` and `exempt_assignees` no drafts, nothing with a milestone, nothing that is assigned to somebody.

It is looked at on a schedule: [schedule.yml](../../workflows-examples/schedule.yml), which for this needs
`database-url`. The first sweep begins with what is old already. One sweep looks at a hundred items, and says how many
are left; what only bots have touched lately is looked at once a day. A push takes the label off at once. Where a
conversation is locked nothing is done.

```yaml
stale:
  days: 30
  label: stale
  comment: "@USERNAME, nothing has happened here for a month. Do you still want this?"
  exempt_labels: ["Help Wanted"]
  close_after_days: 60
```
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import AddLabels, CloseItem, Comment, HideComment, RemoveLabel, marker
from mattermod_action.events import GHOST, GrownOld, Issue, PullRequest, PullRequestSeen
from mattermod_action.facts import at_least
from mattermod_action.texts import addressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, Subject
    from mattermod_action.ports import Activity, Facts, Notice

NAME = "stale"
STALE = (
    "@USERNAME, nobody has done anything here for a while, so this is marked as stale. Whatever somebody does here "
    "takes the mark off."
)
CLOSED = "This is closed, since nobody has done anything here for long. Reopen it when there is more to be done."
REVIVING = ("synchronize", "reopened", "ready_for_review")
MINE = marker(NAME, "").removesuffix(" -->")  # how each marker of ours begins
OVERLAP = timedelta(hours=1)  # by which a sweep may read an item before it is at its end

Days = Annotated[int, Field(ge=1)]


class Config(Section):
    days: Days
    label: Label = "stale"
    comment: Message = STALE
    authors: Literal["outsiders", "everybody"] = "outsiders"
    issues: bool = False
    only_labels: tuple[Label, ...] = ()
    exempt_labels: tuple[Label, ...] = ()
    exempt_drafts: bool = False
    exempt_milestones: bool = False
    exempt_assignees: bool = False
    close_after_days: Days | None = None
    close_comment: Message = CLOSED

    @model_validator(mode="after")
    def _is_no_exemption(self) -> Config:
        if self.label.casefold() in {label.casefold() for label in self.exempt_labels}:
            raise ValueError("must not have its own `label` among `exempt_labels`")
        return self

    @property
    def age(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def closing_age(self) -> timedelta | None:
        return timedelta(days=self.close_after_days) if self.close_after_days else None


def look_over(items: Sequence[Subject], config: Config, facts: Facts) -> Iterator[GrownOld]:
    """Pick what may have to change; what bots touch all the time is looked at once a day."""
    mine = [item for item in items if _is_meant(item, config)]
    if not mine:
        return
    repository, now = mine[0].repository, facts.now()
    last = facts.last_swept(repository)
    due = [item for item in mine if _may_be_due(item, config, now, last)]
    is_first_today = last is None or last.date() < now.date()
    others = [item for item in mine if is_first_today and item not in due and _is_grown(item, config, now)]
    if due or others:
        yield GrownOld(repository, tuple(due), tuple(others))


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case GrownOld(subjects=subjects):
            for each in facts.activities(subjects, config.label).values():
                yield from _looked_at(each, config, facts)
        case PullRequestSeen(pull) if event.action in REVIVING and not event.sender_is_bot:
            if pull.is_open and pull.carries(config.label):
                for each in facts.activities([pull], config.label).values():
                    yield from _revived(each, config)


def _is_meant(item: Subject, config: Config) -> bool:
    """What its snapshot alone says; what carries the label may have to lose it."""
    if isinstance(item, Issue) and not config.issues:
        return False
    return item.carries(config.label) or not (_is_of_bot(item, config) or _is_spared(item, config))


def _may_be_due(item: Subject, config: Config, now: datetime, last: datetime | None) -> bool:
    if not item.carries(config.label):
        return now - item.updated_at >= config.age
    is_news = last is None or item.updated_at >= last - OVERLAP
    return is_news or bool(config.closing_age and now - item.updated_at >= config.closing_age)


def _is_grown(item: Subject, config: Config, now: datetime) -> bool:
    opened = item.created_at if isinstance(item, (PullRequest, Issue)) else None
    return item.carries(config.label) or (opened is not None and now - opened >= config.age)


def _looked_at(each: Activity, config: Config, facts: Facts) -> Iterator[Effect]:
    """What dying on the way leaves is found by the next sweep: the label goes on first, and goes last."""
    item, now = each.subject, facts.now()
    stays = now - each.active_at >= config.age and not _is_exempt(each, config)
    if item.state != "open" or each.is_locked:
        return
    if _is_over(each, config, stays=stays):
        yield from _revived(each, config)
    elif stays and not (item.carries(config.label) and _current(each)):
        if _is_of_outsider(item, config, facts):
            yield from _marked(each, config)
    elif stays and _is_to_close(each, config, now) and _is_of_outsider(item, config, facts):
        cause = f"#{item.number} has stayed old"
        yield _comment(each, config.close_comment, "closed", cause)
        yield CloseItem(subject=item, cause=cause)


def _marked(each: Activity, config: Config) -> Iterator[Effect]:
    """Whichever of the two is missing."""
    cause = f"#{each.subject.number} has grown old"
    if not each.subject.carries(config.label):
        yield AddLabels(subject=each.subject, labels=(config.label,), cause=cause)
    if not _current(each):
        yield _comment(each, config.comment, "notice", cause)


def _is_over(each: Activity, config: Config, *, stays: bool) -> bool:
    """Where somebody has put the label on by hand it stays until there is activity; ours stays while it is true."""
    if not each.subject.carries(config.label):
        return not stays and any(_shown(each))
    if each.marked_at and each.active_at > each.marked_at:
        return True
    is_ours = bool(each.marked_at and not each.by_hand) or any(_shown(each))
    return is_ours and not stays


def _revived(each: Activity, config: Config) -> Iterator[Effect]:
    cause = f"#{each.subject.number} is active"
    for notice in _shown(each):
        yield HideComment(subject=each.subject, comment=notice.node, cause=cause)
    if each.subject.carries(config.label):
        yield RemoveLabel(subject=each.subject, label=config.label, cause=cause)


def _comment(each: Activity, text: str, what: str, cause: str) -> Comment:
    """Once for each time that it has grown old."""
    said = addressed(text, each.subject.author)
    return Comment(subject=each.subject, text=said, once=(what, each.active_at.isoformat()), cause=cause)


def _is_to_close(each: Activity, config: Config, now: datetime) -> bool:
    """Counted from the comment that says so, or from the label where that was put on again later."""
    noticed = min(notice.at for notice in _current(each))
    since = max(noticed, each.marked_at or noticed)
    return config.closing_age is not None and now - since >= config.closing_age


def _shown(each: Activity) -> list[Notice]:
    return [notice for notice in each.notices if notice.shows and notice.marker.startswith(MINE)]


def _current(each: Activity) -> list[Notice]:
    """Those that tell of this time that it has grown old."""
    return [notice for notice in _shown(each) if notice.at >= each.active_at]


def _is_exempt(each: Activity, config: Config) -> bool:
    milestone = config.exempt_milestones and each.has_milestone
    assigned = config.exempt_assignees and each.is_assigned
    return milestone or assigned or _is_spared(each.subject, config)


def _is_spared(item: Subject, config: Config) -> bool:
    draft = config.exempt_drafts and isinstance(item, PullRequest) and item.draft
    others = bool(config.only_labels) and not any(map(item.carries, config.only_labels))
    return draft or others or any(map(item.carries, config.exempt_labels))


def _is_of_bot(item: Subject, config: Config) -> bool:
    return config.authors == "outsiders" and item.author_is_bot


def _is_of_outsider(item: Subject, config: Config, facts: Facts) -> bool:
    """Asked last: it is what costs a request for each author."""
    if config.authors == "everybody" or item.author == GHOST:
        return True
    return not item.author_is_bot and not at_least(facts.role(item.repository, item.author), "write")
