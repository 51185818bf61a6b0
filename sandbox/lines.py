"""Comments on the lines of a pull request's diff. https://docs.github.com/en/rest/pulls/comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox import pulls, shapes
from sandbox.answers import Answer, answer, invalid, refuse
from sandbox.records import LineComment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.calls import Call

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
    made = LineComment(call.state.next_id(), author, body, now, now, path=path, line=line, sha=call.pull.head_sha)
    call.state.comment_on_line(call.repo.full_name, call.pull.number, made)
    return answer(201, _written(call, made, patch))


def _shown(patch: str) -> Iterator[int]:
    """The numbers that the lines of a patch have in the new file."""
    number = 0
    for line in patch.splitlines():
        if hunk := HUNK.match(line):
            number = int(hunk[1]) - 1
        elif not line.startswith(("-", "\\")):
            number += 1
            yield number


def _written(call: Call, made: LineComment, patch: str) -> dict[str, Any]:
    api = f"{call.state.api}/repos/{call.repo.full_name}/pulls"
    page = shapes.line_page(call.state, call.repo, call.pull, made)
    pull = f"{api}/{call.pull.number}"
    return {
        "id": made.id,
        "node_id": shapes.node_id("PRRC", made.id),
        "url": f"{api}/comments/{made.id}",
        "html_url": page,
        "pull_request_url": pull,
        "pull_request_review_id": None,
        "diff_hunk": patch,
        "path": made.path,
        "line": made.line,
        "side": "RIGHT",
        "commit_id": made.sha,
        "original_commit_id": made.sha,
        "user": shapes.user(call.state, call.state.person(call.token.login)),
        "body": made.body,
        "created_at": shapes.moment(made.created_at),
        "updated_at": shapes.moment(made.updated_at),
        "author_association": shapes.association(call.repo, made.author),
        "_links": {
            "self": {"href": f"{api}/comments/{made.id}"},
            "html": {"href": page},
            "pull_request": {"href": pull},
        },
    }


TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("POST", pulls.PULL + "/comments", create, "pulls/comments#create-a-review-comment-for-a-pull-request"),
)
