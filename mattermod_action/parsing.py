"""From an event file to what happened, or to the line that says why it is none of ours.

Only the standard library is imported here: most events are not for us, and that must be cheap to find out.
Shapes of payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mattermod_action.events import (
    COMMAND_LINE,
    GHOST,
    ChecksChanged,
    CommandGiven,
    CommentGone,
    Ignored,
    Issue,
    IssueSeen,
    MergeGroupSeen,
    PullRequest,
    PullRequestSeen,
    Repository,
    Reviewed,
    Tick,
    WorkflowEnded,
    is_full_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mattermod_action.events import Event, Place, Seen

# The actions on which a decision can change. Every other one is a clean no-op.
PULL_REQUEST_ACTIONS = frozenset(
    {
        "opened", "reopened", "synchronize", "ready_for_review", "edited", "labeled", "unlabeled", "closed",
        "milestoned", "converted_to_draft", "dequeued", "auto_merge_disabled",
    }
)  # fmt: skip
ISSUE_ACTIONS = frozenset({"opened", "reopened", "edited", "labeled", "unlabeled", "closed"})

_QUEUED = re.compile(r"/pr-(\d+)-[0-9a-f]+$")
RESULT = "mattermod-result"  # the type of the repository_dispatch by which a workflow tells how it ended
SWEEP = "mattermod-sweep"  # the one by which anything may call for a sweep, such as a build that is over
DISPATCHED = ("workflow_dispatch", "repository_dispatch")  # runs whose title no stranger can choose
# https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository (status)
CONCLUSIONS = frozenset(
    {
        "success", "failure", "cancelled", "timed_out", "neutral", "skipped", "action_required", "stale",
        "startup_failure",
    }
)  # fmt: skip
_KEY = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")  # of a ledger row


class BadPayloadError(ValueError):
    """The event file is not what GitHub sends; the message names the field."""


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
            event = _dispatched(payload, action)
        case "schedule" | "workflow_dispatch":
            event = Tick(_repository_of_run(payload, repository, repository_id))
        case "pull_request_review":
            event = _review(payload, action)
        case "pull_request_review_comment":
            event = _on_line(payload, action)
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
        base_ref=str((data.get("base") or {}).get("ref") or ""),
    )


def issue(payload: Mapping[str, Any], data: Mapping[str, Any]) -> Issue:
    return Issue(**_common(payload, data))


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
    is_bot = (payload.get("sender") or {}).get("type") == "Bot"
    return PullRequestSeen(
        action,
        label,
        pull.updated_at,
        pull,
        unlabel,
        _sender(payload),
        is_bot,
        pull.sha,
        base=pull.base_ref,
        before=str(payload.get("before") or ""),
        reason=str(payload.get("reason") or ""),
    )


def _comment(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    comment, subject = _field(payload, "comment"), _field(payload, "issue")
    body = comment.get("body") or ""
    if reason := _no_command(payload, action, comment):
        return Ignored(f"issue_comment{reason}")
    if not subject.get("pull_request"):
        return Ignored("issue_comment: commands are for pull requests")
    if not COMMAND_LINE.search(body):
        return Ignored("issue_comment: no command in it")
    if action == "deleted":
        return CommentGone(issue(payload, subject), int(_field(comment, "id")))
    before = (((payload.get("changes") or {}).get("body") or {}).get("from") or "") if action == "edited" else None
    return CommandGiven(issue(payload, subject), int(_field(comment, "id")), _login(comment), body, before)


def _no_command(payload: Mapping[str, Any], action: str, comment: Mapping[str, Any]) -> str:
    """Say why it is none, whatever stands in it; "" when that decides."""
    sender = payload.get("sender") or {}
    if action not in ("created", "edited", "deleted"):
        return f" {action}: nothing here depends on it"
    if action == "edited" and str(sender.get("login") or "").casefold() != _login(comment).casefold():
        return " edited: by somebody else than its author"
    return ": written by a bot" if sender.get("type") == "Bot" else ""


def _dispatched(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    told = payload.get("client_payload")
    if action == SWEEP:
        return Tick(_repository(payload))
    if action != RESULT:
        return Ignored(f"repository_dispatch {action[:80]}: only {RESULT} and {SWEEP} are answered")
    if not isinstance(told, dict):
        return Ignored(f"repository_dispatch {RESULT}: it says nothing")
    return _ended(payload, "repository_dispatch", told.get("key"), told.get("conclusion"), told.get("url"))


def _ended(payload: Mapping[str, Any], name: str, key: Any, conclusion: Any, url: Any) -> WorkflowEnded | Ignored:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return Ignored(f"{name}: no key of a workflow that a label started")
    if conclusion not in CONCLUSIONS:
        return Ignored(f"{name}: its conclusion is none that GitHub knows")
    return WorkflowEnded(_repository(payload), key, conclusion, url if isinstance(url, str) else "")


def _merge_group(payload: Mapping[str, Any]) -> MergeGroupSeen:
    """The head's ref is gh-readonly-queue/BASE/pr-NUMBER-SHA."""
    group = _field(payload, "merge_group")
    number = _QUEUED.search(str(group.get("head_ref") or ""))
    return MergeGroupSeen(_repository(payload), str(_field(group, "head_sha")), int(number[1]) if number else 0)


def _review(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    """What somebody adds to the text of a review later is a command, too."""
    given = None if action == "dismissed" else _in_review(payload, action, "review")
    if action not in ("submitted", "dismissed"):
        return given or Ignored(f"pull_request_review {action}: nothing here depends on it")
    return Reviewed(pull_request(payload, _field(payload, "pull_request")), given)


def _on_line(payload: Mapping[str, Any], action: str) -> Event | Ignored:
    return _in_review(payload, action, "line") or Ignored(f"pull_request_review_comment {action}: no command in it")


def _in_review(payload: Mapping[str, Any], action: str, place: Place) -> CommandGiven | None:
    """What a review or a comment on a line commands, which both name their author as a comment does."""
    said = payload.get("review" if place == "review" else "comment") or {}
    body, is_new = said.get("body") or "", action in ("submitted", "created")
    if (not is_new and action != "edited") or _no_command(payload, "created" if is_new else action, said):
        return None
    if not COMMAND_LINE.search(body):
        return None
    before = None if is_new else (((payload.get("changes") or {}).get("body") or {}).get("from") or "")
    subject, node = issue(payload, _field(payload, "pull_request")), str(said.get("node_id") or "")
    return CommandGiven(subject, int(_field(said, "id")), _login(said), body, before, place, node)


def _over(name: str, payload: Mapping[str, Any], action: str) -> Event | Ignored:
    """Of a suite that GitHub Actions made itself no workflow is told, of a workflow's run those are that ask for it.

    https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#check_suite
    """
    if action != "completed":
        return Ignored(f"{name} {action}: only what is completed is looked at")
    over = _field(payload, name)
    # A run's title is believed only where somebody with write access started it: a fork can choose its own.
    title = str(over.get("display_title") or "") if over.get("event") in DISPATCHED else ""
    if key := _KEY.search(title):
        return _ended(payload, name, key[0], over.get("conclusion"), over.get("html_url"))
    return ChecksChanged(_repository(payload), str(_field(over, "head_sha")))


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
    private = data.get("private")
    return Repository(
        int(_field(data, "id")),
        owner,
        name,
        str(data.get("default_branch") or ""),
        private if isinstance(private, bool) else None,
    )


def _repository_of_run(payload: Mapping[str, Any], full_name: str, number: int) -> Repository:
    if payload.get("repository"):
        return _repository(payload)
    owner, _, name = _names({"full_name": full_name}).partition("/")
    if not name:
        raise BadPayloadError("neither the event file nor GITHUB_REPOSITORY names a repository")
    return Repository(number, owner, name)


def _names(data: Mapping[str, Any] | None) -> str:
    full_name = str((data or {}).get("full_name") or "")
    if full_name and not is_full_name(full_name):
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
