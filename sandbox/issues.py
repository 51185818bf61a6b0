"""More of the REST calls about issues: lists, changes, comments edited and deleted, reactions, milestones, assignees.

https://docs.github.com/en/rest/issues
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sandbox import access, shapes
from sandbox.answers import Answer, answer, invalid, not_found, refuse
from sandbox.calls import paged
from sandbox.state import COMMENT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.calls import Call
    from sandbox.records import Comment, Issue, Label, Pull

REASONS = ("off-topic", "too heated", "resolved", "spam")
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
    """Whoever cannot be assigned is left out in silence; the others take the place of those who were.

    https://docs.github.com/en/rest/issues/issues#update-an-issue
    """
    call.need(*access.of_item(call.item, "write"))
    data, place = call.json() or {}, (call.repo.full_name, call.item.number)
    milestone = data.get("milestone")
    if milestone not in [None, "", *(each.number for each in call.repo.milestones)]:  # PyGithub's None is ""
        errors = [{"value": milestone, "resource": "Issue", "field": "milestone", "code": "invalid"}]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    call.state.change_item(*place, data)
    if "assignees" in data:
        wanted, there = _assignable(call), [person.login for person in call.item.assignees]
        if gone := [login for login in there if login not in wanted]:
            call.state.unassign(*place, gone)
        if new := [login for login in wanted if login not in there]:
            call.state.assign(*place, new)
    return answer(200, shapes.issue(call.state, call.repo, call.item))


def get_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "read"))
    return answer(200, shapes.comment(call.state, call.repo, item, comment))


def change_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "write"))
    call.state.change_comment(call.repo.full_name, item.number, comment, body_of_comment(call))
    return answer(200, shapes.comment(call.state, call.repo, item, comment))


def body_of_comment(call: Call) -> str:
    """Raise 422 for one that a comment may not have."""
    body: str = call.field("body", str)
    if not body.strip():
        raise invalid(call.docs, "IssueComment", "Body can't be blank")
    if len(body) > COMMENT_LIMIT:
        raise invalid(call.docs, "IssueComment", f"Body is too long (maximum is {COMMENT_LIMIT} characters)")
    return body


def delete_comment(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need(*access.of_item(item, "write"))
    call.state.delete_comment(call.repo.full_name, item.number, comment)
    return Answer(204, b"")


def react(call: Call) -> Answer:
    item, comment = _comment(call)
    call.need("issues=write")  # also on a pull request
    return reacted(call, item, comment)


def reacted(call: Call, item: Issue | Pull, comment: Comment) -> Answer:
    """The same reaction again answers 200 with the one that is there."""
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


def get_label(call: Call) -> Answer:
    call.need("issues=read", "pull_requests=read")
    return answer(200, shapes.label(call.state, call.repo, _label(call)))


def change_label(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/labels#update-a-label."""
    call.need("issues=write", "pull_requests=write")
    label, data = _label(call), call.json() or {}
    name = data.get("new_name") or label.name
    if name.casefold() in call.repo.labels.keys() - {label.name.casefold()}:
        errors = [{"resource": "Label", "code": "already_exists", "field": "name"}]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    changed = {key: data[key] for key in ("color", "description") if key in data}
    call.state.change_label(call.repo.full_name, label, {"name": name, **changed})
    return answer(200, shapes.label(call.state, call.repo, label))


def delete_label(call: Call) -> Answer:
    call.need("issues=write", "pull_requests=write")
    call.state.delete_label(call.repo.full_name, _label(call))
    return Answer(204, b"")


def _label(call: Call) -> Label:
    found = call.repo.labels.get(call.values["label"].casefold())
    if found is None:
        raise not_found(call.docs)
    return found


def lock(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/issues#lock-an-issue."""
    call.need(*access.of_item(call.item, "write"))
    reason = (call.json() or {}).get("lock_reason")
    if reason not in (None, *REASONS):
        raise invalid(call.docs, "Issue", "Lock reason is not included in the list")
    call.state.lock_item(call.repo.full_name, call.item.number, reason)
    return Answer(204, b"")


def unlock(call: Call) -> Answer:
    call.need(*access.of_item(call.item, "write"))
    call.state.unlock_item(call.repo.full_name, call.item.number)
    return Answer(204, b"")


def list_milestones(call: Call) -> Answer:
    """Those that are open, unless asked for `closed` or `all`."""
    call.need("issues=read", "pull_requests=read")
    wanted = call.query.get("state", "open")
    found = [each for each in call.repo.milestones if wanted in ("all", each.state)]
    return paged(call, found, lambda each: shapes.milestone(call.state, call.repo, each))


def assign(call: Call) -> Answer:
    """Whoever cannot be assigned is left out in silence: https://docs.github.com/en/rest/issues/assignees."""
    call.need(*access.of_item(call.item, "write"))
    call.state.assign(call.repo.full_name, call.item.number, _assignable(call))
    return answer(201, shapes.issue(call.state, call.repo, call.item))


def _assignable(call: Call) -> list[str]:
    return [name for name in call.field("assignees", list) if name in call.repo.permissions]


def unassign(call: Call) -> Answer:
    call.need(*access.of_item(call.item, "write"))
    call.state.unassign(call.repo.full_name, call.item.number, call.field("assignees", list))
    return answer(200, shapes.issue(call.state, call.repo, call.item))


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
    ("GET", REPO + "/labels/{label:path}", get_label, "issues/labels#get-a-label"),
    ("PATCH", REPO + "/labels/{label:path}", change_label, "issues/labels#update-a-label"),
    ("DELETE", REPO + "/labels/{label:path}", delete_label, "issues/labels#delete-a-label"),
    ("PUT", ISSUE + "/lock", lock, "issues/issues#lock-an-issue"),
    ("DELETE", ISSUE + "/lock", unlock, "issues/issues#unlock-an-issue"),
    ("GET", REPO + "/milestones", list_milestones, "issues/milestones#list-milestones"),
    ("POST", ISSUE + "/assignees", assign, "issues/assignees#add-assignees-to-an-issue"),
    ("DELETE", ISSUE + "/assignees", unassign, "issues/assignees#remove-assignees-from-an-issue"),
)
