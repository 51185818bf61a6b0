"""What to do about it: frozen wishes that features yield and adapters carry out.

A `Once` effect passes through the ledger and happens at most once in the life of its subject. An `Ensure`
effect compares with what is and writes the difference, so that it may be wished again and again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from mattermod_action.events import (
    COMMENT,
    OPENED,
    HeadMade,
    MergeEnded,
    PickEnded,
    Posted,
    PullRequest,
    ServerChanged,
    Subject,
    WorkflowStarted,
    label_cause,
)
from mattermod_action.texts import without_emoji

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mattermod_action.approvals import Approval
    from mattermod_action.commands import Command
    from mattermod_action.events import Event, Place
    from mattermod_action.merging import Rule
    from mattermod_action.picks import Row
    from mattermod_action.picks import Rule as PickRule
    from mattermod_action.servers import Limits, Order, Terms
    from mattermod_action.servers import Row as ServerRow

COMMENT_LIMIT = 65_536  # characters; GitHub answers 422 beyond it
DESCRIPTION_LIMIT = 140  # characters of a commit status's description
# What a workflow may be told of a pull request.
Told = Literal[
    "number", "sha", "head_ref", "base_ref", "repository", "head_repository", "author", "url", "key"
]  # fmt: skip
ABANDONED = "abandoned"  # the result of what nobody knows to have been carried out, and nobody tries again
MARKED = "<!-- mattermod:v1:"
MARKER = MARKED + "{feature}:{key:.16} -->"


@dataclass(frozen=True, slots=True)
class Need:
    """Who must have which role in the repository at the moment in which the effect is carried out."""

    login: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What every effect has. `feature` is filled in by `settle`; `command` is the one that asked for it."""

    subject: Subject
    cause: str = OPENED
    feature: str = ""
    command: Command | None = None
    need: Need | None = None

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        """What is planned on after it: `done` just now, or known from before, or refused for a `reason`."""
        del url, done, reason
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once(Wish):
    """An effect that happens at most once.

    `once` tells it from the feature's other effects on the same subject; it must not contain texts that an
    editor may polish later. `cause` is what made it due: on an item that was never seen before only what the
    event itself is about is answered (`events.is_news`).
    """

    repeatable: ClassVar[bool] = False  # whether doing it again does no harm
    expendable: ClassVar[bool] = False  # whether it had better be lost than done twice
    resumable: ClassVar[bool] = True  # whether a sweep goes on with it
    once: tuple[str | int, ...]

    @property
    def key(self) -> str:
        """64 hexadecimal digits; the primary key of the ledger."""
        identity = [self.subject.repository.id, self.subject.number, self.feature, *self.once]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    @property
    def note(self) -> str:
        """What its row says of it."""
        return self.cause

    @property
    def marker(self) -> str:
        """The invisible line by which we find our own comment again."""
        return marker(self.feature, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensure(Wish):
    """An effect that may be wished again: only the difference to what is there is written.

    `then` is what is planned on after it.
    """

    then: Event | None = None

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        del url, done
        return None if reason else self.then

    @property
    def key(self) -> str:
        """What makes two of them the same wish; it is in no table."""
        return repr((type(self).__name__, self.subject.number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Once):
    """A comment with our marker on its first line."""

    text: str

    @property
    def body(self) -> str:
        return f"{self.marker}\n\n{self.text}"

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        return Posted(self.subject, self.feature, url) if done and not reason else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewComment(Comment):
    """A comment on a line of a file (path and number), as it is at `sha`."""

    sha: str
    place: tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostChat(Once):
    """A message to the chat. `room` is which of its addresses; better lost than posted twice, and no reason for red."""

    expendable = True
    text: str
    room: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptComment(Comment):
    """A comment that is edited as what it tells of goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellServer(KeptComment):
    """The one comment on a test server, which it tells as it is."""

    row: ServerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TellPicks(KeptComment):
    """The one comment on what is picked of a pull request. It tells the `rows` as they are.

    `halted` is that something has stopped their picks half-way, which the next sweep goes on with.
    """

    rows: tuple[Row, ...]
    halted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class React(Once):
    """A reaction on a comment: `+1`, `-1`, `confused` or `eyes`. GitHub keeps one of a kind for each account."""

    repeatable = True
    comment_id: int
    content: str
    place: Place = COMMENT
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReview(Once):
    """Of teams, by their slugs."""

    repeatable = True
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck(Once):
    """Nothing but a row by which a sweep finds what a feature could not check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heeded(Once):
    """Nothing but a row by which a request that asks for something once more is known to have had it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateBranch(Once):
    """Merge the base into the head, if the head is still `sha`."""

    subject: PullRequest
    sha: str

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        del url
        return HeadMade(self.subject, self.sha) if done and not reason else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BringUpToDate(UpdateBranch):
    """The same for a pull request that is merged after it."""

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        if reason:
            return MergeEnded(self.subject, self.sha, behind=True, reason=reason)
        return UpdateBranch.ended(self, url, done=done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Once):
    """Merge the head `sha` into `base`, if all that `rule` asks for is still so.

    `labeller` was the last to ask for it, at the time `at`: that label, head and base are what was judged.
    """

    subject: PullRequest
    sha: str
    base: str
    rule: Rule
    labeller: str
    at: datetime | None

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        del url
        return MergeEnded(self.subject, self.sha, isinstance(self, Enqueue), reason) if done or reason else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue(Merge):
    """The same by way of the merge queue of the base branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequeue(Once):
    """Take it out of the merge queue, unless the label is on it and nobody has put anything in its way."""

    subject: PullRequest
    sha: str
    rule: Rule
    why: str

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        del url
        return MergeEnded(self.subject, self.sha, out=self.why) if done and not reason else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch(Once):
    """Start a workflow, if head and base of the open pull request are those that `label`, put on `at`, was put on.

    `target` is the full name of the repository in which the file `workflow` is started at `ref` ("": the default
    branch), or, when there is no `workflow`, an `event` is called for. `nth` counts the label's rules.
    """

    resumable = False
    subject: PullRequest
    label: str
    nth: int
    sha: str
    base: str
    at: datetime
    target: str
    workflow: str = ""
    ref: str = ""
    event: str = ""
    inputs: tuple[tuple[str, Told], ...] = ()

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        """Also when an earlier run has started it: that one may have died before it said so."""
        del done
        return None if url == ABANDONED else WorkflowStarted(self.subject, self.label, self.nth, self.once, url, reason)

    @property
    def note(self) -> str:
        return rule_note(self.label, self.nth)

    @property
    def values(self) -> dict[str, str]:
        """The inputs, filled in: nothing from outside is anything but a whole value."""
        pull = self.subject
        told: dict[Told, str] = {
            "number": str(pull.number),
            "sha": self.sha,
            "head_ref": pull.ref,
            "base_ref": self.base,
            "repository": pull.repository.full_name,
            "head_repository": pull.head,
            "author": pull.author,
            "url": pull.url,
            "key": self.key,
        }
        return {name: told[value] for name, value in self.inputs}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus(Ensure):
    """A commit status: `state` is pending, success, failure or error. A correcting one only takes another's place.

    `judges` is that it is about what was read of the subject, a pull request: unless that has still the same head and
    base, and none of the labels `without`, it is pending instead.
    """

    sha: str
    context: str
    state: str
    description: str
    url: str = ""
    correcting: bool = False
    judges: bool = False
    without: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[str, str, str]:
        """State, description (as much of it as GitHub takes) and address."""
        return self.state, without_emoji(self.description)[:DESCRIPTION_LIMIT], self.url

    @property
    def key(self) -> str:
        return repr((self.sha, self.context))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLabels(Ensure):
    """Put these labels on."""

    labels: tuple[str, ...]

    def relabeled(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return (*labels, *self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLabel(Ensure):
    """Take this label off; with `judges` only if the pull request has still the same head and base."""

    label: str
    judges: bool = False

    def relabeled(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(label for label in labels if label.casefold() != self.label.casefold())

    @property
    def key(self) -> str:
        return repr(("RemoveLabel", self.subject.number, self.label.casefold()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteApproval(Ensure):
    """Note what `label`, which `by` put on, approves, for later runs to find."""

    label: str
    by: str
    approval: Approval

    @property
    def key(self) -> str:
        return repr(("NoteApproval", self.subject.number, self.label.casefold()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitChecks(Ensure):
    """Wait in this run until a check of the head `sha` has begun, at the longest until that time."""

    subject: PullRequest
    sha: str
    rule: Rule
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HideComment(Ensure):
    """Hide a comment of ours, by its node id, as outdated."""

    comment: str

    @property
    def key(self) -> str:
        return repr(("HideComment", self.comment))


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseItem(Ensure):
    """Close it: an issue as not planned, a pull request without a reason, which those do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick(Ensure):
    """Note that `by` wants the pull request on these `targets`, and bring it there as `rule` says.

    What is noted is gone on with, whoever asked for it. `again` are targets on which a pick has failed, tried once more
    for each `request`, which tells one comment or label event from another. `origin` is the comment that asks, for
    later runs to read it again. `label` is the one that asks, which has to be on the pull request still; then whoever
    GitHub says has put it on is who asks. A `refusal` is why nothing can be picked at all. `look` is that something may
    have become of the pull requests of its picks. `series` are pull requests to pick together with this one.
    With `anew` the open pull requests of the targets are made anew, and nothing else; `withdrawn` are targets that
    are not wanted any more.
    """

    rule: PickRule
    targets: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    request: tuple[str | int, ...] = ()
    origin: tuple[str | int, ...] = ()
    by: str = ""
    label: str = ""
    refusal: str = ""
    series: tuple[int, ...] = ()
    anew: bool = False
    withdrawn: bool = False
    look: bool = False

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        del url, done
        return PickEnded(self.subject, by=self.by, label=self.label, reason=reason) if reason and self.label else None

    @property
    def key(self) -> str:
        return repr(("Pick", self.subject.number, self.targets, self.again, self.series, self.anew, self.withdrawn))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnServer(Ensure):
    """Something about the test server of a pull request, which then goes on as far as it can.

    `patient` is whether to wait for what takes its time, as long as the run may. `terms` are where it is done, and what
    is launched, by the configuration of now.
    """

    patient: bool = True
    terms: Terms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchServer(OnServer):
    """Note that `by` wants a server with the commit `sha`, as `order` says, if the `limits` leave room for one.

    `request` tells one label event or comment from another: the same one, delivered again, asks for nothing new.
    """

    subject: PullRequest
    order: Order
    limits: Limits
    sha: str
    by: str
    request: tuple[str | int, ...]

    def ended(self, url: str, *, done: bool, reason: str = "") -> Event | None:
        """Of a command whoever gave it is told by itself."""
        del url, done
        if not reason or self.command:
            return None
        return ServerChanged(self.subject, request=self.request, label=self.order.label, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendServer(OnServer):
    """Let it end `seconds` later; `comment` is the number of the one that asks for it, which counts once."""

    seconds: float
    comment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyServer(OnServer):
    """Destroy it, for one of the reasons in servers.py; with a `label`, only if it was asked for with that."""

    reason: str
    label: str = ""

    @property
    def key(self) -> str:
        return repr(("DestroyServer", self.subject.number, self.label.casefold()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceServer(OnServer):
    """Go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reap(Ensure):
    """Destroy what has no row, and what no row has: servers that carry `tag`, and names below `suffix` in `zone`."""

    tag: str
    zone: str
    suffix: str


Effect = Once | Ensure


def marker(feature: str, key: str) -> str:
    return MARKER.format(feature=feature, key=key)


def rule_note(label: str, nth: int) -> str:
    """Name one of the rules of a label."""
    return f"{label_cause(label)}, rule {nth + 1}"


def settle(planned: Iterable[tuple[str, Effect]]) -> list[Effect]:
    """Stamp each effect with its feature and drop what is wished twice; the order of wishing stays.

    Labels that several features add to one item become one request.
    """
    settled: dict[str, Effect] = {}
    for feature, effect in planned:
        stamped = replace(effect, feature=feature)
        known = settled.setdefault(stamped.key, stamped)
        if isinstance(known, AddLabels) and isinstance(stamped, AddLabels) and known is not stamped:
            labels = tuple(dict.fromkeys([*known.labels, *stamped.labels]))
            settled[stamped.key] = replace(known, labels=labels)
    return list(settled.values())
