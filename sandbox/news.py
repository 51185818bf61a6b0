"""From a change to the events that GitHub would send for it.

What GITHUB_TOKEN does starts no workflow, except that it may dispatch one.
https://docs.github.com/en/actions/concepts/security/github_token#when-github_token-triggers-workflow-runs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import payloads
from sandbox.records import GITHUB_TOKEN, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.payloads import Payload
    from sandbox.records import Write
    from sandbox.state import State

Event = dict[str, Any]  # name and payload
DISPATCHES = ("dispatch", "dispatch_workflow")


def of(state: State, changes: Iterable[Write]) -> list[Event]:
    """Return the events that these changes make, [] when they make none that anybody here reads."""
    heard = (change for change in changes if change.by != GITHUB_TOKEN or change.action in DISPATCHES)
    made = (payload for change in heard for payload in AFTER.get(change.action, _none)(state, change))
    return [{"name": payloads.name(payload), "payload": payload} for payload in made]


def _none(_state: State, _change: Write) -> Iterator[Payload]:
    yield from ()


def _about(action: str, **details: str) -> Callable[[State, Write], Iterator[Payload]]:
    """Make a function of (state, change) for an event `action`; `details` says which detail each further field is."""

    def make(state: State, change: Write) -> Iterator[Payload]:
        more = {field: change.detail[detail] for field, detail in details.items()}
        yield {**payloads.about(state, change.repository, change.number, action, change.by), **more}

    return make


def _label(action: str) -> Callable[[State, Write], Iterator[Payload]]:
    def make(state: State, change: Write) -> Iterator[Payload]:
        place = (change.repository, change.number, change.detail["name"])
        yield payloads.about_label(state, *place, change.by, action=action)

    return make


def _label_created(state: State, change: Write) -> Iterator[Payload]:
    made = state.define_label(change.repository, change.detail["name"])
    yield payloads.label_defined(state, change.repository, made, change.by, action="created")


def _label_changed(state: State, change: Write) -> Iterator[Payload]:
    made = state.define_label(change.repository, change.detail["name"])
    was = {"changes": {name: {"from": value or ""} for name, value in change.detail["was"].items()}}
    yield {**payloads.label_defined(state, change.repository, made, change.by, action="edited"), **was}


def _label_deleted(state: State, change: Write) -> Iterator[Payload]:
    """Each item that had it loses it, in an event that does not say which: https://github.com/octokit/webhooks/issues/639."""
    gone = Label(**change.detail["label"])
    yield payloads.label_defined(state, change.repository, gone, change.by, action="deleted")
    for number in change.detail["items"]:
        yield payloads.about(state, change.repository, number, "unlabeled", change.by)


def _comment(action: str) -> Callable[[State, Write], Iterator[Payload]]:
    def make(state: State, change: Write) -> Iterator[Payload]:
        place = (change.repository, change.number, change.detail["id"])
        payload = payloads.commented(state, *place, change.by, action=action)
        was = {"changes": {"body": {"from": change.detail["was"]}}} if action == "edited" else {}
        yield {**payload, **was}

    return make


def _people(action: str, field: str, detail: str) -> Callable[[State, Write], Iterator[Payload]]:
    """GitHub sends one event for each person."""

    def make(state: State, change: Write) -> Iterator[Payload]:
        for login in change.detail[detail]:
            around = payloads.about(state, change.repository, change.number, action, change.by)
            yield {**around, field: payloads.person(state, login)}

    return make


def _reviewers(action: str) -> Callable[[State, Write], Iterator[Payload]]:
    def make(state: State, change: Write) -> Iterator[Payload]:
        yield from _people(action, "requested_reviewer", "reviewers")(state, change)
        for slug in change.detail["teams"]:
            around = payloads.about(state, change.repository, change.number, action, change.by)
            yield {**around, "requested_team": payloads.team(state, change.repository, slug)}

    return make


def _changed(state: State, change: Write) -> Iterator[Payload]:
    """One PATCH may close, rename and move to a milestone at once: an event for each."""
    was, place = change.detail["was"], (change.repository, change.number)
    item = state.item(*place)
    if "state" in was:
        yield payloads.about(state, *place, "reopened" if item.state == "open" else "closed", change.by)
    edited = {name: {"from": was[name]} for name in ("title", "body") if name in was}
    if "base" in was:
        edited["base"] = {name: {"from": value} for name, value in was["base"].items()}
    if edited:
        yield {**payloads.about(state, *place, "edited", change.by), "changes": edited}
    if "milestone" in was:
        yield payloads.about_milestone(state, *place, was["milestone"], change.by)


def _draft(state: State, change: Write) -> Iterator[Payload]:
    action = "converted_to_draft" if change.detail["draft"] else "ready_for_review"
    yield payloads.about(state, change.repository, change.number, action, change.by)


def _enqueued(state: State, change: Write) -> Iterator[Payload]:
    """The group that it makes asks for its checks; both start nothing where GITHUB_TOKEN has put it in."""
    yield payloads.about(state, change.repository, change.number, "enqueued", change.by)
    yield payloads.checks_requested(state, change.repository, change.number, change.by)


def _review(action: str) -> Callable[[State, Write], Iterator[Payload]]:
    def make(state: State, change: Write) -> Iterator[Payload]:
        place = (change.repository, change.number, change.detail["id"])
        was = {"changes": {"body": {"from": change.detail["was"]}}} if action == "edited" else {}
        yield {**payloads.reviewed(state, *place, change.by, action=action), **was}

    return make


def _line_comment(action: str) -> Callable[[State, Write], Iterator[Payload]]:
    """One that stands alone is handed in as a review, which is told as well: https://github.com/dolphin-emu/sadm/pull/69."""

    def make(state: State, change: Write) -> Iterator[Payload]:
        place = (change.repository, change.number, change.detail["id"])
        payload = payloads.commented_on_line(state, *place, change.by, action=action)
        if action == "created":
            review = payload["comment"]["pull_request_review_id"]
            yield payloads.reviewed(state, *place[:2], review, change.by)
        was = {"changes": {"body": {"from": change.detail["was"]}}} if action == "edited" else {}
        yield {**payload, **was}

    return make


def _status(state: State, change: Write) -> Iterator[Payload]:
    yield payloads.status(state, change.repository, change.detail["sha"], change.detail["id"], change.by)


def _check(state: State, change: Write) -> Iterator[Payload]:
    """A suite is over when each of its runs is.

    That a suite was requested is told to Apps, and starts no workflow:
    https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#check_suite
    """
    place = (state, change.repository, change.detail["id"], change.by)
    if change.action == "check_run":
        yield payloads.check_run(*place, action="created")
    if change.detail["conclusion"]:
        yield payloads.check_run(*place, action="completed")
    if payloads.suite_is_over(state, change.repository, change.detail["sha"]):
        yield payloads.check_suite(state, change.repository, change.detail["sha"], change.by)


def _dispatch(state: State, change: Write) -> Iterator[Payload]:
    detail = change.detail
    yield payloads.dispatched(state, change.repository, detail["name"], detail["payload"], change.by)
    yield from _runs(state, change)


def _dispatch_workflow(state: State, change: Write) -> Iterator[Payload]:
    detail = change.detail
    yield payloads.workflow_dispatched(state, change.repository, detail["name"], detail["payload"], change.by)
    yield from _runs(state, change)


def _runs(state: State, change: Write) -> Iterator[Payload]:
    """A run of a workflow is news by itself, unless GITHUB_TOKEN asked for it."""
    for number in change.detail["runs"] if change.by != GITHUB_TOKEN else ():
        yield payloads.about_run(state, change.repository, number, action="requested")


def _run_ended(state: State, change: Write) -> Iterator[Payload]:
    yield payloads.about_run(state, change.repository, change.detail["id"], action="completed")


AFTER: dict[str, Callable[[State, Write], Iterator[Payload]]] = {
    "add_label": _label("labeled"),
    "remove_label": _label("unlabeled"),
    "create_label": _label_created,
    "change_label": _label_changed,
    "delete_label": _label_deleted,
    "comment": _comment("created"),
    "change_comment": _comment("edited"),
    "delete_comment": _comment("deleted"),
    "open_pull": _about("opened"),
    "open_issue": _about("opened"),
    "merge": _about("closed"),
    "synchronize": _about("synchronize", before="before", after="after"),
    "change": _changed,
    "draft": _draft,
    "auto_merge": _about("auto_merge_enabled"),
    "auto_merge_off": _about("auto_merge_disabled", reason="reason"),
    "enqueue": _enqueued,
    "dequeue": _about("dequeued", reason="reason"),
    "assign": _people("assigned", "assignee", "assignees"),
    "unassign": _people("unassigned", "assignee", "assignees"),
    "request_reviewers": _reviewers("review_requested"),
    "remove_reviewers": _reviewers("review_request_removed"),
    "review": _review("submitted"),
    "change_review": _review("edited"),
    "dismiss": _review("dismissed"),
    "comment_on_line": _line_comment("created"),
    "change_line_comment": _line_comment("edited"),
    "delete_line_comment": _line_comment("deleted"),
    "lock": _about("locked"),
    "unlock": _about("unlocked"),
    "delete_issue": _about("deleted"),
    "status": _status,
    "check_run": _check,
    "change_check": _check,
    "end_run": _run_ended,
    "dispatch": _dispatch,
    "dispatch_workflow": _dispatch_workflow,
}
