"""What happened, as frozen facts parsed from the event file.

Only the standard library is imported here: most events are not for us, and that must be cheap to find out.
Shapes of payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mattermod_action.commands import Command

GHOST = "ghost"  # what GitHub itself shows for an account that was deleted (`user: null`)
RESUMED = "resumed"  # the action of what a sweep read by itself
OPENED = "opened"  # the cause of everything that an item's first moment calls for

# The actions on which a decision can change. Every other one is a clean no-op.
PULL_REQUEST_ACTIONS = frozenset(
    {"opened", "reopened", "synchronize", "ready_for_review", "edited", "labeled", "unlabeled", "closed"}
)
ISSUE_ACTIONS = frozenset({"opened", "reopened", "edited", "labeled", "unlabeled", "closed"})

COMMAND_LINE = re.compile(r"^[ \t]*/[a-z]", re.MULTILINE)  # a comment without such a line has no command
_QUEUED = re.compile(r"/pr-(\d+)-[0-9a-f]+$")
_FULL_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Repository:
    """`id` survives renames and transfers, the names do not."""

    id: int
    owner: str
    name: str
    default_branch: str = ""

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
    """An issue as it was at one moment."""


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
    on and `unlabel` taken off just now, by `sender`.
    """

    action: str
    label: str | None
    at: datetime
    subject: Subject
    unlabel: str | None = None
    sender: str = ""

    @property
    def repository(self) -> Repository:
        return self.subject.repository

    @property
    def is_beginning(self) -> bool:
        """Whether what an item's first moment calls for is due, or is gone on with by a sweep."""
        return self.action in (OPENED, RESUMED)

    def lost(self, label: str) -> bool:
        """Whether the label was taken off just now, or a sweep sees an item without it."""
        gone = self.action == RESUMED or (self.unlabel or "").casefold() == label.casefold()
        return gone and not self.subject.carries(label)

    def is_news(self, cause: str) -> bool:
        """Whether this very event is about `cause`: everything on `opened`, the one label that came or went."""
        return self.action == OPENED or cause in (label_cause(self.label or ""), unlabel_cause(self.unlabel or ""))


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
    only commands that the edit has added count.
    """

    subject: Issue
    comment_id: int
    author: str
    body: str
    before: str | None = None

    @property
    def repository(self) -> Repository:
        return self.subject.repository

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
class CommandEnded(_OfCommand):
    """Outcome: a command was carried out, or (`reasons`, each a sentence) it was not."""

    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeGroupSeen:
    """A merge queue asks for checks of `sha`; `number` is the pull request at its head, 0 when its ref does not say."""

    repository: Repository
    sha: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class RepositoryDispatched:
    """Somebody called for an event of their own."""

    repository: Repository
    kind: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A schedule fired, or somebody pressed the button. Where the runner does not tell the id it is 0."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class Posted:
    """Outcome: a comment of ours stands on the subject at `url`."""

    subject: Subject
    feature: str
    url: str

    @property
    def repository(self) -> Repository:
        return self.subject.repository


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Outcome: this run, whose page is `url`, could not do what it should; `lines` say what of it."""

    repository: Repository
    lines: tuple[str, ...]
    url: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """Outcome: it was said that something takes its time; the same is planned on once more, however long that is."""

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
class _OfPull:
    """What is about one pull request, beside what happened to it."""

    subject: PullRequest

    @property
    def repository(self) -> Repository:
        return self.subject.repository


@dataclass(frozen=True, slots=True)
class Reviewed(_OfPull):
    """A review was handed in or dismissed."""


@dataclass(frozen=True, slots=True)
class MergeConsidered(_OfPull):
    """One pull request that may be ready is looked at by itself; `pushed` is that its head is there since just now."""

    pushed: bool = False


@dataclass(frozen=True, slots=True)
class MergeEnded(_OfPull):
    """Outcome: the head `sha` was merged, or put into the merge queue, or (`reason`) GitHub refused."""

    sha: str
    queued: bool = False
    reason: str = ""


Seen = PullRequestSeen | IssueSeen
Event = (
    Seen
    | CommandGiven
    | Commanded
    | CommandEnded
    | MergeGroupSeen
    | RepositoryDispatched
    | Tick
    | Posted
    | RunFailed
    | Awaited
    | ChecksChanged
    | Reviewed
    | MergeConsidered
    | MergeEnded
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not for us; `reason` is the one line that says why."""

    reason: str


class BadPayloadError(ValueError):
    """The event file is not what GitHub sends; the message names the field."""


def label_cause(label: str) -> str:
    return f"label {label.casefold()}"


def unlabel_cause(label: str) -> str:
    return f"no label {label.casefold()}"


def is_momentary(cause: str) -> bool:
    """Whether only one moment calls for it, and not what an item is like afterwards."""
    return cause == OPENED or cause.startswith(unlabel_cause(""))


def parse(name: str, payload: Mapping[str, Any], repository: str = "", repository_id: int = 0) -> Event | Ignored:
    """Turn the event `name` and its payload into an `Event`, or say why it is none of ours.

    `repository` (GITHUB_REPOSITORY) and its id are only used where the payload names none. Raises BadPayloadError.
    """
    action = payload.get("action") or ""
    event: Event | Ignored = Ignored(f"{name}: not an event that this action answers")
    match name:
        case "pull_request" | "pull_request_target" | "issues":
            event = _seen(name, action, payload)
        case "issue_comment":
            event = _comment(payload, action)
        case "merge_group":
            event = _merge_group(payload)
        case "repository_dispatch":
            event = RepositoryDispatched(_repository(payload), action)
        case "schedule" | "workflow_dispatch":
            event = Tick(_repository_of_run(payload, repository, repository_id))
        case "pull_request_review":
            event = _review(payload, action)
        case "check_suite" | "workflow_run":
            event = _over(name, payload, action)
        case "status":
            event = _status(payload)
    return event


def pull_request(payload: Mapping[str, Any], data: Mapping[str, Any]) -> PullRequest:
    """Read a pull request as events and the REST API both show it; `payload` names the repository."""
    head = _field(data, "head")
    milestone = data.get("milestone") or {}
    return PullRequest(
        **_common(payload, data),
        head=(head.get("repo") or {}).get("full_name") or "",
        ref=str(head.get("ref") or ""),
        sha=str(head.get("sha") or ""),
        created_at=_time(data, "created_at"),
        merged=bool(data.get("merged") or data.get("merged_at")),
        draft=bool(data.get("draft")),
        maintainer_can_modify=bool(data.get("maintainer_can_modify")),
        milestone_number=milestone.get("number"),
        milestone_title=milestone.get("title"),
    )


def issue(payload: Mapping[str, Any], data: Mapping[str, Any]) -> Issue:
    return Issue(**_common(payload, data))


def nobodys(repository: Repository, at: datetime) -> Subject:
    """Stand in for a subject where something is about the repository as a whole; no item has the number 0."""
    return Subject(repository=repository, number=0, author=GHOST, labels=(), state="open", url="", updated_at=at)


def resumed(subject: Subject) -> Seen:
    """A subject that was read just now, with nothing of it news: a sweep goes on where a run has stopped."""
    if isinstance(subject, PullRequest):
        return PullRequestSeen(RESUMED, None, subject.updated_at, subject)
    return IssueSeen(RESUMED, None, subject.updated_at, subject)  # type: ignore[arg-type]  # there are two kinds


def with_subject(event: Seen, subject: Subject) -> Seen:
    """The same event about a newer snapshot of its subject."""
    return replace(event, subject=subject)  # type: ignore[arg-type]  # each kind is only given its own kind


def _seen(name: str, action: str, payload: Mapping[str, Any]) -> Seen | Ignored:
    is_issue = name == "issues"
    if action not in (ISSUE_ACTIONS if is_issue else PULL_REQUEST_ACTIONS):
        return Ignored(f"{name} {action}: nothing here depends on it")
    named = (payload.get("label") or {}).get("name")
    label, unlabel = named if action == "labeled" else None, named if action == "unlabeled" else None
    if is_issue:
        item = issue(payload, _field(payload, "issue"))
        return IssueSeen(action, label, item.updated_at, item, unlabel, _sender(payload))
    pull = pull_request(payload, _field(payload, "pull_request"))
    return PullRequestSeen(action, label, pull.updated_at, pull, unlabel, _sender(payload))


def _comment(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    comment = _field(payload, "comment")
    subject = _field(payload, "issue")
    body = comment.get("body") or ""
    if action not in ("created", "edited"):
        return Ignored(f"issue_comment {action}: only comments that are written or edited are read")
    sender = str((payload.get("sender") or {}).get("login") or "")
    if action == "edited" and sender.casefold() != _login(comment).casefold():
        return Ignored("issue_comment edited: by somebody else than its author")
    if (payload.get("sender") or {}).get("type") == "Bot":
        return Ignored("issue_comment: written by a bot")
    if not subject.get("pull_request"):
        return Ignored("issue_comment: commands are for pull requests")
    if not COMMAND_LINE.search(body):
        return Ignored("issue_comment: no command in it")
    before = (((payload.get("changes") or {}).get("body") or {}).get("from") or "") if action == "edited" else None
    return CommandGiven(issue(payload, subject), int(_field(comment, "id")), _login(comment), body, before)


def _merge_group(payload: Mapping[str, Any]) -> MergeGroupSeen:
    """The head's ref is gh-readonly-queue/BASE/pr-NUMBER-SHA."""
    group = _field(payload, "merge_group")
    number = _QUEUED.search(str(group.get("head_ref") or ""))
    return MergeGroupSeen(_repository(payload), str(_field(group, "head_sha")), int(number[1]) if number else 0)


def _review(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    if action not in ("submitted", "dismissed"):
        return Ignored(f"pull_request_review {action}: nothing here depends on it")
    return Reviewed(pull_request(payload, _field(payload, "pull_request")))


def _over(name: str, payload: Mapping[str, Any], action: str) -> Event | Ignored:
    """Of a suite that GitHub Actions made itself no workflow is told, of a workflow's run those are that ask for it.

    https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#check_suite
    """
    if action != "completed":
        return Ignored(f"{name} {action}: only what is completed is looked at")
    return ChecksChanged(_repository(payload), str(_field(_field(payload, name), "head_sha")))


def _status(payload: Mapping[str, Any]) -> Event | Ignored:
    if payload.get("state") == "pending":
        return Ignored("status: still pending")
    return ChecksChanged(_repository(payload), str(_field(payload, "sha")))


def _common(payload: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "repository": _repository(payload),
        "number": int(_field(data, "number")),
        "author": _login(data),
        "labels": tuple(label["name"] for label in data.get("labels") or () if label and label.get("name")),
        "state": str(data.get("state") or "open"),
        "url": str(data.get("html_url") or ""),
        "updated_at": _time(data, "updated_at"),
        "author_is_bot": (data.get("user") or {}).get("type") == "Bot",
    }


def _sender(payload: Mapping[str, Any]) -> str:
    return str((payload.get("sender") or {}).get("login") or GHOST)


def _login(data: Mapping[str, Any]) -> str:
    return str((data.get("user") or {}).get("login") or GHOST)


def _repository(payload: Mapping[str, Any]) -> Repository:
    data = _field(payload, "repository")
    owner, _, name = _names(data).partition("/")
    return Repository(int(_field(data, "id")), owner, name, str(data.get("default_branch") or ""))


def _repository_of_run(payload: Mapping[str, Any], full_name: str, number: int) -> Repository:
    if payload.get("repository"):
        return _repository(payload)
    owner, _, name = _names({"full_name": full_name}).partition("/")
    if not name:
        raise BadPayloadError("neither the event file nor GITHUB_REPOSITORY names a repository")
    return Repository(number, owner, name)


def _names(data: Mapping[str, Any] | None) -> str:
    full_name = str((data or {}).get("full_name") or "")
    if full_name and not _FULL_NAME.fullmatch(full_name):
        raise BadPayloadError(f"repository.full_name is not OWNER/NAME: {full_name[:80]!r}")
    return full_name


def _field(data: Mapping[str, Any], name: str) -> Any:
    value = data.get(name)
    if value is None:
        raise BadPayloadError(f"the event file has no `{name}`")
    return value


def _time(data: Mapping[str, Any], name: str) -> datetime:
    """GitHub writes ISO 8601 in UTC; kept naive, as the database keeps it."""
    text = str(_field(data, name))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadPayloadError(f"`{name}` is not a time: {text!r}") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
