"""Comments on the lines of a pull request's diff. https://docs.github.com/en/rest/pulls/comments."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from sandbox import issues, pulls, shapes
from sandbox.answers import Answer, answer, invalid, not_found, refuse
from sandbox.calls import paged
from sandbox.records import LineComment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.calls import Call
    from sandbox.records import Pull

HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)")


def create(call: Call) -> Answer:
    """Only lines of the new side are taken here, which is what `side: RIGHT` means."""
    call.need("pull_requests=write")
    body, path = call.field("body", str), call.field("path", str)
    if call.field("commit_id", str) != call.pull.head_sha:
        raise refuse(422, "Validation Failed: commit_id is not part of the pull request", call.docs)
    patch = next(
        (str(each.get("patch", "")) for each in pulls.changes(call, call.pull) if each["filename"] == path), ""
    )
    line = call.json().get("line")
    if line not in set(_shown(patch)):
        raise invalid(call.docs, "PullRequestReviewComment", "pull_request_review_thread.line must be part of the diff")
    now, author = call.state.now(), call.state.person(call.token.login)
    place = {"path": path, "line": line, "sha": call.pull.head_sha, "hunk": patch}
    made = LineComment(call.state.next_id(), author, body, now, now, **place)
    call.state.comment_on_line(call.repo.full_name, call.pull.number, made)
    return answer(201, shapes.line_comment(call.state, call.repo, call.pull, made))


def _shown(patch: str) -> Iterator[int]:
    """The numbers that the lines of a patch have in the new file."""
    number = 0
    for line in patch.splitlines():
        if hunk := HUNK.match(line):
            number = int(hunk[1]) - 1
        elif not line.startswith(("-", "\\")):
            number += 1
            yield number


def list_comments(call: Call) -> Answer:
    call.need("pull_requests=read")
    return paged(call, call.pull.line_comments, partial(shapes.line_comment, call.state, call.repo, call.pull))


def get(call: Call) -> Answer:
    pull, comment = _known(call)
    call.need("pull_requests=read")
    return answer(200, shapes.line_comment(call.state, call.repo, pull, comment))


def change(call: Call) -> Answer:
    pull, comment = _known(call)
    call.need("pull_requests=write")
    call.state.change_line_comment(call.repo.full_name, pull.number, comment, call.field("body", str))
    return answer(200, shapes.line_comment(call.state, call.repo, pull, comment))


def delete(call: Call) -> Answer:
    pull, comment = _known(call)
    call.need("pull_requests=write")
    call.state.delete_line_comment(call.repo.full_name, pull.number, comment)
    return Answer(204, b"")


def react(call: Call) -> Answer:
    pull, comment = _known(call)
    call.need("pull_requests=write")
    return issues.reacted(call, pull, comment)


def _known(call: Call) -> tuple[Pull, LineComment]:
    for pull in call.repo.pulls():
        for comment in pull.line_comments:
            if comment.id == call.values["id"]:
                return pull, comment
    raise not_found(call.docs)


COMMENT = pulls.PULLS + "/comments/{id:int}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", pulls.PULL + "/comments", list_comments, "pulls/comments#list-review-comments-on-a-pull-request"),
    ("POST", pulls.PULL + "/comments", create, "pulls/comments#create-a-review-comment-for-a-pull-request"),
    ("GET", COMMENT, get, "pulls/comments#get-a-review-comment-for-a-pull-request"),
    ("PATCH", COMMENT, change, "pulls/comments#update-a-review-comment-for-a-pull-request"),
    (
        "POST",
        COMMENT + "/reactions",
        react,
        "reactions/reactions#create-reaction-for-a-pull-request-review-comment",
    ),
    ("DELETE", COMMENT, delete, "pulls/comments#delete-a-review-comment-for-a-pull-request"),
)
