"""What happened, as frozen facts; `parsing.py` reads them from an event file, effects report back others.

Only the standard library is imported here: most events are not for us, and that must be cheap to find out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.commands import Command
    from mattermod_action.picks import Told
    from mattermod_action.servers import Row

GHOST = "ghost"  # what GitHub itself shows for an account that was deleted (`user: null`)
# Who acts with the job's own token: https://github.com/PSModule/GitHub/pull/154
GITHUB_TOKEN = "github-actions[bot]"  # noqa: S105  # an account, not the token
RESUMED = "resumed"  # the action of what a sweep read by itself
OPENED = "opened"  # the cause of everything that an item's first moment calls for

# What people do not see, and phones and editors put into texts: marks of direction, joiners, odd blanks.
UNSEEN = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
# A comment without such a line has no command.
COMMAND_LINE = re.compile(rf"^[ \t{BLANKS}{UNSEEN}]*/[{UNSEEN}]*[A-Za-z]", re.MULTILINE)
_FULL_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


# Where a command stands: in a comment, in the text of a review, in a comment on a line.
Place = Literal["comment", "review", "line"]
COMMENT: Place = "comment"


@dataclass(frozen=True, slots=True)
class Repository:
    """`id` survives renames and transfers, the names do not."""

    id: int
    owner: str
    name: str
    default_branch: str = ""
    private: bool | None = field(default=None, compare=False)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pull request or an issue as it was at one moment (`updated_at`, UTC)."""

    repository: Repository
    number: int
    author: str
    labels: tuple[str, ...]
    state: str
    url: str
    updated_at: datetime
    author_is_bot: bool = False

    def carries(self, label: str) -> bool:
        """Whether the label is on it; names compare without case, as on GitHub."""
        return label.casefold() in {mine.casefold() for mine in self.labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(Subject):
    """An issue as it was at one moment; `created_at` is None where nobody needs it."""

    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest(Subject):
    """`head` is the full name of the repository that the branch `ref` lives in, "" when it was deleted."""

    head: str
    ref: str
    sha: str
    created_at: datetime
    merged: bool
    draft: bool
    maintainer_can_modify: bool
    milestone_number: int | None
    milestone_title: str | None
    base_ref: str = ""

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def from_fork(self) -> bool:
        return self.head.casefold() != self.repository.full_name.casefold()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A snapshot of a subject. The rest only says what is news in it; decisions read `subject`.

    `at` is the `updated_at` of the payload, and stays when a live snapshot takes the payload's place. `label` was put
    on and `unlabel` taken off just now, by `sender`. `sha` is the head that the payload names, and stays, too. `news`
    are causes that a sweep found new by itself. What is `missed` a sweep has found, and finds again until it is done.
    `base` is the base branch that the payload names, and `before` the head before a push; both stay as well. `reason`
    is why a merge queue put it out.
    """

    action: str
    label: str | None
    at: datetime
    subject: Subject
    unlabel: str | None = None
    sender: str = ""
    sender_is_bot: bool = False
    sha: str = ""
    news: tuple[str, ...] = ()
    missed: bool = False
    base: str = ""
    before: str = ""
    reason: str = ""

    @property
    def repository(self) -> Repository:
        return self.subject.repository

    @property
    def is_beginning(self) -> bool:
        """Whether what an item's first moment calls for is due, or is gone on with by a sweep."""
        return self.action in (OPENED, RESUMED)

    def lost(self, label: str) -> bool:
        """Whether the label was taken off just now, or a sweep sees an item without it."""
        told = (self.unlabel or "").casefold() == label.casefold() or unlabel_cause(label) in self.news
        gone = self.action == RESUMED or told
        return gone and not self.subject.carries(label)

    def is_news(self, cause: str) -> bool:
        """Whether this very event is about `cause`: everything on `opened`, the one label that came or went."""
        told = (label_cause(self.label or ""), unlabel_cause(self.unlabel or ""))
        return self.action == OPENED or cause in told or cause in self.news


@dataclass(frozen=True, slots=True)
class PullRequestSeen(_Seen):
    """Something happened to a pull request."""

    __match_args__ = ("subject",)
    subject: PullRequest


@dataclass(frozen=True, slots=True)
class IssueSeen(_Seen):
    """Something happened to an issue."""

    __match_args__ = ("subject",)
    subject: Issue


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """A comment on a pull request in which at least one line starts with a slash.

    `subject` is the pull request as its issue shows it. After an edit `before` is what the comment said until then, and
    only commands that the edit has added count. `place` is where it stands, and `node` its id in GraphQL.
    """

    subject: Issue
    comment_id: int
    author: str
    body: str
    before: str | None = None
    place: Place = COMMENT
    node: str = ""

    @property
    def repository(self) -> Repository:
        return self.subject.repository

    @property
    def is_kept(self) -> bool:
        """Whether later runs can read it again: what they are to do without that is asked for in a comment."""
        return self.place == COMMENT

    @property
    def request(self) -> tuple[str | int, ...]:
        """What tells it from every other one."""
        return (self.place, self.comment_id)

    @property
    def commands(self) -> tuple[Command, ...]:
        from mattermod_action import commands

        return commands.parse(self.body) if self.before is None else commands.added(self.before, self.body)


@dataclass(frozen=True, slots=True)
class _OfCommand:
    """What is about one command of a comment."""

    given: CommandGiven
    command: Command

    @property
    def repository(self) -> Repository:
        return self.given.repository

    @property
    def subject(self) -> Issue:
        return self.given.subject


@dataclass(frozen=True, slots=True)
class Commanded(_OfCommand):
    """One command of a comment, by somebody who may give it: what features plan on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is to say to somebody; the `key` tells it from what else there may be, and is said once."""

    key: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A command was carried out, or (`reasons`, each a sentence) it was not; `failed` is said elsewhere.

    `partly` is that some of what it asks for was done.
    """

    command: Command
    reasons: tuple[str, ...] = ()
    failed: bool = False
    partly: bool = False


@dataclass(frozen=True, slots=True)
class CommandsEnded:
    """Outcome: all commands of a comment are over; `answers` is what there is to say besides."""

    given: CommandGiven
    ended: tuple[Ended, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def repository(self) -> Repository:
        return self.given.repository


@dataclass(frozen=True, slots=True)
class MergeGroupSeen:
    """A merge queue asks for checks of `sha`; `number` is the pull request at its head, 0 when its ref does not say."""

    repository: Repository
    sha: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class WorkflowEnded:
    """A workflow that was started under the ledger's `key` is over; `url`, which nobody has checked, shows its run."""

    repository: Repository
    key: str
    conclusion: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A schedule fired, or somebody pressed the button. Where the runner does not tell the id it is 0."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class _OfSubject:
    """What is about one item, beside what happened to it."""

    subject: Subject

    @property
    def repository(self) -> Repository:
        return self.subject.repository


@dataclass(frozen=True, slots=True)
class CommentGone(_OfSubject):
    """A comment on a pull request in which somebody gave a command was deleted."""

    comment_id: int


@dataclass(frozen=True, slots=True)
class Posted(_OfSubject):
    """Outcome: a comment of ours stands on the subject at `url`."""

    feature: str
    url: str


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Outcome: this run, whose page is `url`, could not do what it should; `lines` say what of it."""

    repository: Repository
    lines: tuple[str, ...]
    url: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """Outcome: the same is planned on once more, now that all else was seen to, however long that takes."""

    event: Event

    @property
    def repository(self) -> Repository:
        return self.event.repository


@dataclass(frozen=True, slots=True)
class ChecksChanged:
    """A check suite or a workflow of the commit `sha` is over, or one of its statuses is."""

    repository: Repository
    sha: str


@dataclass(frozen=True, slots=True)
class WorkflowAsked:
    """A workflow that was started under the ledger's `key`, and whose run `url` shows, is asked after."""

    repository: Repository
    key: str
    url: str


@dataclass(frozen=True, slots=True)
class WorkflowStarted(_OfSubject):
    """Outcome: a label's `nth` workflow was started, and `url` shows its run where GitHub told; or why it was not.

    `once` tells this start from all others on the subject.
    """

    subject: PullRequest
    label: str
    nth: int
    once: tuple[str | int, ...]
    url: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _OfPull(_OfSubject):
    """What is about one pull request, beside what happened to it."""

    subject: PullRequest


@dataclass(frozen=True, slots=True)
class Reviewed(_OfPull):
    """A review was handed in or dismissed; `given` is what its text commands."""

    given: CommandGiven | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What an event shows of the head and the base when `by` put a label on (`labeled`), or pushed after `before`."""

    by: str
    head: str
    base: str
    at: datetime
    labeled: bool = False
    before: str = ""


@dataclass(frozen=True, slots=True)
class MergeConsidered(_OfPull):
    """One pull request that may be ready is looked at by itself.

    `pushed` is that its head is new, and `out` why a merge queue has just put it out: either is not merged now.
    `update` is that it may be brought up to date. `shown` is what the event itself shows of the label, or of the push.
    If it `is_quiet`, nothing is said of what is in the way: another job, which has the ledger, says that. `patient` is
    that the run may wait for its first checks.
    """

    pushed: bool = False
    out: str = ""
    patient: bool = False
    update: bool = False
    shown: Shown | None = None
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class LabelsMade(_OfPull):
    """Outcome: this run has put labels on or taken some off, as there are now; no event need tell of that."""

    before: tuple[str, ...] = ()

    def has_changed(self, label: str) -> bool:
        return self.subject.carries(label) != (label.casefold() in map(str.casefold, self.before))


@dataclass(frozen=True, slots=True)
class HeadMade(_OfPull):
    """Outcome: this run has put another head in the place of `sha`, of which no event need tell."""

    sha: str


@dataclass(frozen=True, slots=True)
class MergeEnded(_OfPull):
    """Outcome: the head `sha` was merged, or put into the merge queue, or (`reason`) GitHub refused.

    `behind` is that what it refused is to bring it up to date, `out` why this run took it out of the merge queue.
    """

    sha: str
    queued: bool = False
    reason: str = ""
    behind: bool = False
    out: str = ""


@dataclass(frozen=True, slots=True)
class PicksDue(_OfPull):
    """A sweep found something that was asked to be picked of a pull request, and is not done or not told.

    Or (`changed`) what is told of a pick is not so any more.
    """

    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PickEnded(_OfSubject):
    """Outcome: what was asked to be picked has come as far as it could; or (`reason`) nothing is picked at all.

    `by` is who asked, and `label` the label that it was asked with. `opened` are the pages of new pull requests,
    `failed` says what failed, a line each, of which `mistakes` are somebody's to mend, `noted` what was refused of a
    pull request that was opened, and `conflicted` what conflicted. `conflicts` is what there is to say of
    them. Of what was asked for `undone` are so many, and some of it is there if it was done `partly`. `account` opened
    the pull requests. `reasons` are those that this run has given, by branch. `error` is what
    has stopped it half-way.
    """

    by: str = ""
    label: str = ""
    reason: str = ""
    cause: str = "cherry-pick"
    opened: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()
    conflicts: tuple[Told, ...] = ()
    account: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    undone: int = 0
    partly: bool = False
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class GrownOld:
    """A sweep looks at open items that may have grown old, or may not be old any more; at the `others` if it can."""

    repository: Repository
    subjects: tuple[Subject, ...]
    others: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class ReapDue:
    """A sweep compares the test servers that there are with those that there should be."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class ServerDue(_OfSubject):
    """A sweep looks at the test server of a pull request, or something that it waits for has happened.

    Where the pull request is gone, or cannot be read any more, the subject is a closed stand-in. `patient` is that
    there is time to wait for what it waits for.
    """

    row: Row
    patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChanged(_OfSubject):
    """Outcome: what was wished for a test server was done as far as it could be; or (`reason`) it is not done.

    `row` is the server as it is now, `asked` that it was asked for just now. `request` tells one request from another,
    `label` is the one that it was asked with. `log` has lines for whoever looks at the run. `error` is what has stopped
    it half-way.
    """

    row: Row | None = None
    asked: bool = False
    request: tuple[str | int, ...] = ()
    label: str = ""
    reason: str = ""
    log: tuple[str, ...] = ()
    error: Exception | None = None


Seen = PullRequestSeen | IssueSeen
Event = (
    Seen
    | CommandGiven
    | Commanded
    | CommandsEnded
    | CommentGone
    | MergeGroupSeen
    | Tick
    | Posted
    | RunFailed
    | Awaited
    | ChecksChanged
    | Reviewed
    | MergeConsidered
    | HeadMade
    | LabelsMade
    | MergeEnded
    | PicksDue
    | PickEnded
    | GrownOld
    | ReapDue
    | ServerDue
    | ServerChanged
    | WorkflowStarted
    | WorkflowEnded
    | WorkflowAsked
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not for us; `reason` is the one line that says why."""

    reason: str


def label_cause(label: str) -> str:
    return f"label {label.casefold()}"


def unlabel_cause(label: str) -> str:
    return f"no label {label.casefold()}"


def is_momentary(cause: str) -> bool:
    """Whether only one moment calls for it, and not what an item is like afterwards."""
    return cause == OPENED or cause.startswith(unlabel_cause(""))


def headline(name: str, event: Event) -> str:
    """Say what a run is about, as GitHub names it: the event `name`, its action, its label, and where it happened."""
    subject = getattr(event, "subject", None)
    number = getattr(subject, "number", 0) or getattr(event, "number", 0)
    label = getattr(event, "label", None) or getattr(event, "unlabel", None)
    words = (name, getattr(event, "action", ""), f'"{label}"' if isinstance(label, str) else "")
    return f"{' '.join(filter(None, words))} on {event.repository.full_name}{f'#{number}' if number else ''}"


def nobodys(repository: Repository, at: datetime) -> Subject:
    """Stand in for a subject where something is about the repository as a whole; no item has the number 0."""
    return Subject(repository=repository, number=0, author=GHOST, labels=(), state="open", url="", updated_at=at)


def gone(repository: Repository, number: int, url: str, at: datetime) -> Subject:
    """Stand in for a pull request that is gone, or that nobody here can read."""
    return Subject(
        repository=repository, number=number, author=GHOST, labels=(), state="closed", url=url, updated_at=at
    )


def resumed(subject: Subject) -> Seen:
    """A subject that was read just now, with nothing of it news: a sweep goes on where a run has stopped."""
    if isinstance(subject, PullRequest):
        return PullRequestSeen(RESUMED, None, subject.updated_at, subject)
    return IssueSeen(RESUMED, None, subject.updated_at, subject)  # type: ignore[arg-type]  # there are two kinds


def caught_up(subject: Subject, action: str, news: tuple[str, ...] = ()) -> Seen:
    """What a sweep found to have happened while nobody listened."""
    return replace(resumed(subject), action=action, news=news, missed=True)


def with_subject(event: Seen, subject: Subject) -> Seen:
    """The same event about a newer snapshot of its subject."""
    return replace(event, subject=subject)  # type: ignore[arg-type]  # each kind is only given its own kind


def is_full_name(text: str) -> bool:
    """Whether it is OWNER/NAME."""
    return bool(_FULL_NAME.fullmatch(text))
