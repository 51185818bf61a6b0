"""More of the REST calls about issues: lists, changes, comments edited and deleted, reactions, milestones, assignees.

https://docs.github.com/en/rest/issues
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sandbox import access, shapes
from sandbox.answers import Answer, answer, invalid, not_found, refuse
from sandbox.calls import paged

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.calls import Call
    from sandbox.records import Comment, Issue, Pull

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def list_issues(call: Call) -> Answer:
    """Pull requests are issues here, too."""
    call.need("issues=read")
    wanted = call.query.get("state", "open")
    labels = {name.casefold() for name in call.query.get("labels", "").split(",") if name}
    creator = call.query.get("creator", "").casefold()
    found = [
        item
        for item in call.repo.items.values()
        if wanted in ("all", item.state)
        and labels <= {label.name.casefold() for label in item.labels}
        and creator in ("", item.author.login.casefold() if item.author else "")
    ]
    newest_first = call.query.get("direction", "desc") == "desc"
    found.sort(key=lambda item: item.number, reverse=newest_first)
    return paged(call, found, partial(shapes.issue, call.state, call.repo))


def create_issue(call: Call) -> Answer:
    call.need("issues=write")
    title, data = call.field("title", str), call.json()
    made = call.state.open_issue(
        call.repo.full_name, title, call.token.login, data.get("body") or "", data.get("labels", [])
    )
    return answer(201, shapes.issue(call.state, call.repo, made))


def change_issue(call: Call) -> Answer:
    call.need(*access.of_item(call.item, "write"))
    call.state.change_item(call.repo.full_name, call.item.number, call.json())
    return answer(200, shapes.issue(call.state, call.repo, call.item))


def get_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "read"))
    return answer(200, shapes.comment(call.state, call.repo, item, comment))


def change_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "write"))
    call.state.change_comment(call.repo.full_name, item.number, comment, call.field("body", str))
    return answer(200, shapes.comment(call.state, call.repo, item, comment))


def delete_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "write"))
    call.state.delete_comment(call.repo.full_name, item.number, comment)
    return Answer(204, b"")


def react(call: Call) -> Answer:
    """The same reaction again answers 200 with the one that is there."""
    item, comment = _comment(call)
    call.need("issues=write")  # also on a pull request
    content = call.field("content", str)
    if content not in REACTIONS:
        raise invalid(call.docs, "Reaction", "Content is not included in the list")
    number, is_new = call.state.react(call.repo.full_name, item.number, comment, content, call.token.login)
    written = {
        "id": number,
        "node_id": shapes.node_id("REA", number),
        "user": shapes.user(call.state, call.state.person(call.token.login)),
        "content": content,
        "created_at": shapes.moment(call.state.now()),
    }
    return answer(201 if is_new else 200, written)


def list_repository_labels(call: Call) -> Answer:
    call.need("issues=read", "pull_requests=read")
    return paged(call, list(call.repo.labels.values()), partial(shapes.label, call.state, call.repo))


def create_label(call: Call) -> Answer:
    call.need("issues=write", "pull_requests=write")
    name = call.field("name", str)
    if name.casefold() in call.repo.labels:
        errors = [{"resource": "Label", "code": "already_exists", "field": "name"}]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    made = call.state.define_label(call.repo.full_name, name)
    return answer(201, shapes.label(call.state, call.repo, made))


def list_milestones(call: Call) -> Answer:
    call.need("issues=read", "pull_requests=read")
    return paged(call, call.repo.milestones, lambda each: shapes.milestone(call.state, call.repo, each))


def assign(call: Call) -> Answer:
    """Whoever cannot be assigned is left out in silence: https://docs.github.com/en/rest/issues/assignees."""
    call.need(*access.of_item(call.item, "write"))
    names = [name for name in call.field("assignees", list) if name in call.repo.permissions]
    call.state.assign(call.repo.full_name, call.item.number, names)
    return answer(201, shapes.issue(call.state, call.repo, call.item))


def unassign(call: Call) -> Answer:
    call.need(*access.of_item(call.item, "write"))
    call.state.unassign(call.repo.full_name, call.item.number, call.field("assignees", list))
    return answer(200, shapes.issue(call.state, call.repo, call.item))


def dispatch(call: Call) -> Answer:
    """https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event."""
    call.need("contents=write")
    call.state.dispatched(call.repo.full_name, call.field("event_type", str), call.json().get("client_payload") or {})
    return Answer(204, b"")


def dispatch_workflow(call: Call) -> Answer:
    """https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event."""
    call.need("actions=write")
    name, ref = call.values["workflow"], call.field("ref", str)
    files = call.repo.files(ref)
    if files is None or f".github/workflows/{name}" not in files:
        raise not_found(call.docs)
    payload = {"ref": ref, "inputs": call.json().get("inputs") or {}}
    call.state.dispatched(call.repo.full_name, name, payload, workflow=True)
    return Answer(204, b"")


def _comment(call: Call) -> tuple[Issue | Pull, Comment]:
    for item in call.repo.items.values():
        for comment in item.comments:
            if comment.id == call.values["id"]:
                return item, comment
    raise not_found(call.docs)


REPO = "/repos/{owner}/{name}"
ISSUES = REPO + "/issues"
ISSUE = ISSUES + "/{number:int}"
COMMENT = ISSUES + "/comments/{id:int}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", ISSUES, list_issues, "issues/issues#list-repository-issues"),
    ("POST", ISSUES, create_issue, "issues/issues#create-an-issue"),
    ("PATCH", ISSUE, change_issue, "issues/issues#update-an-issue"),
    ("GET", COMMENT, get_comment, "issues/comments#get-an-issue-comment"),
    ("PATCH", COMMENT, change_comment, "issues/comments#update-an-issue-comment"),
    ("DELETE", COMMENT, delete_comment, "issues/comments#delete-an-issue-comment"),
    ("POST", COMMENT + "/reactions", react, "reactions/reactions#create-reaction-for-an-issue-comment"),
    ("GET", REPO + "/labels", list_repository_labels, "issues/labels#list-labels-for-a-repository"),
    ("POST", REPO + "/labels", create_label, "issues/labels#create-a-label"),
    ("GET", REPO + "/milestones", list_milestones, "issues/milestones#list-milestones"),
    ("POST", ISSUE + "/assignees", assign, "issues/assignees#add-assignees-to-an-issue"),
    ("DELETE", ISSUE + "/assignees", unassign, "issues/assignees#remove-assignees-from-an-issue"),
    ("POST", REPO + "/dispatches", dispatch, "repos/repos#create-a-repository-dispatch-event"),
    (
        "POST",
        REPO + "/actions/workflows/{workflow}/dispatches",
        dispatch_workflow,
        "actions/workflows#create-a-workflow-dispatch-event",
    ),
)
