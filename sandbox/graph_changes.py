"""What a mutation may change: https://docs.github.com/en/graphql/reference/mutations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox import access, queue, readiness, shapes
from sandbox.bare import ConflictError
from sandbox.graph_fields import entry_of, need, node_of, written_comment, written_item
from sandbox.graph_more import REACTIONS
from sandbox.graph_pages import Json, encode, typed
from sandbox.records import Pull
from sandbox.state import COMMENT_LIMIT

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

    from sandbox.graph_fields import Viewer
    from sandbox.records import Issue, Repository

    Info = GraphQLResolveInfo[Any]

READY = ("CLEAN", "UNSTABLE")  # what can be merged at once, for which GitHub does not turn auto-merge on


def mutations(viewer: Viewer) -> Json:
    return {
        "addComment": partial(_add_comment, viewer),
        "addLabelsToLabelable": partial(_change_labels, viewer),
        "removeLabelsFromLabelable": partial(_change_labels, viewer),
        "minimizeComment": partial(_minimize, viewer),
        "addReaction": partial(_react, viewer),
        "convertPullRequestToDraft": partial(_set_draft, viewer),
        "markPullRequestReadyForReview": partial(_set_draft, viewer),
        "enablePullRequestAutoMerge": partial(_enable_auto_merge, viewer),
        "dequeuePullRequest": partial(_dequeue, viewer),
        "enqueuePullRequest": partial(_enqueue, viewer),
    }


def _add_comment(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    repo, item = _subject(viewer, input["subjectId"])
    if len(input["body"]) > COMMENT_LIMIT:
        raise typed("UNPROCESSABLE", f"Body is too long (maximum is {COMMENT_LIMIT} characters)")
    made = viewer.state.add_comment(repo.full_name, item.number, viewer.token.login, input["body"])
    edge = {"cursor": encode(made.id), "node": written_comment(viewer, repo, item, made)}
    return {"clientMutationId": input.get("clientMutationId"), "commentEdge": edge}


def _change_labels(viewer: Viewer, info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    repo, item = _subject(viewer, input["labelableId"])
    names = {shapes.node_id("LA", label.id): label.name for label in repo.labels.values()}
    for wanted in input["labelIds"]:
        if wanted not in names:
            raise typed("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")
    if info.field_name == "addLabelsToLabelable":
        viewer.state.add_labels(repo.full_name, item.number, [names[wanted] for wanted in input["labelIds"]])
    else:
        for wanted in input["labelIds"]:
            viewer.state.remove_label(repo.full_name, item.number, names[wanted])
    return {"clientMutationId": input.get("clientMutationId")}


def _minimize(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    for repo in viewer.state.repositories.values():
        for item in repo.items.values():
            for comment in item.comments:
                if shapes.node_id("IC", comment.id) == input["subjectId"]:
                    _may_write(viewer, repo, item)
                    viewer.state.minimize(repo.full_name, item.number, comment, input["classifier"])
                    return {"clientMutationId": input.get("clientMutationId")}
    raise typed("NOT_FOUND", f"Could not resolve to a node with the global id of '{input['subjectId']}'")


def _react(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    """On a review, which REST has no reactions for. https://docs.github.com/en/graphql/reference/mutations#addreaction."""
    content = next(name for name, kind in REACTIONS.items() if kind == input["content"])
    for repo in viewer.state.repositories.values():
        for pull in repo.pulls():
            for review in pull.reviews:
                if shapes.node_id("PRR", review.id) == input["subjectId"]:
                    _may_write(viewer, repo, pull)
                    viewer.state.react(repo.full_name, pull.number, review, content, viewer.token.login)
                    return {"clientMutationId": input.get("clientMutationId")}
    raise typed("NOT_FOUND", f"Could not resolve to a node with the global id of '{input['subjectId']}'")


def _set_draft(viewer: Viewer, info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    repo, item = _subject(viewer, input["pullRequestId"])
    viewer.state.set_draft(repo.full_name, item.number, draft=info.field_name == "convertPullRequestToDraft")
    return {"clientMutationId": input.get("clientMutationId"), "pullRequest": written_item(viewer, repo, item)}


def _enqueue(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    """GitHub does not say which permission this takes; what is merged is written, so that one is asked for here."""
    repo, item = _subject(viewer, input["pullRequestId"])
    need(viewer, repo, "contents=write")
    if not isinstance(item, Pull) or item.base_ref not in repo.queues:
        raise typed("UNPROCESSABLE", "Merge queue is not enabled for this branch")
    if input.get("expectedHeadOid") not in (None, item.head_sha):
        raise typed("UNPROCESSABLE", "Head branch was modified. Review and try the merge again.")
    if item.queued or item.state != "open" or (reason := readiness.missing(repo, item)):
        raise typed("UNPROCESSABLE", "Pull request is already in the queue" if item.queued else reason or "closed")
    try:
        queue.join(viewer.state, repo, item, viewer.token.login)
    except ConflictError:
        raise typed("UNPROCESSABLE", "Pull request is not mergeable") from None
    return {"clientMutationId": input.get("clientMutationId"), "mergeQueueEntry": entry_of(viewer, repo, item)}


def _dequeue(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    """https://docs.github.com/en/graphql/reference/mutations#dequeuepullrequest; it takes what putting it in takes."""
    repo, item = _subject(viewer, input["id"])
    need(viewer, repo, "contents=write")
    if not isinstance(item, Pull) or not item.queued:
        raise typed("UNPROCESSABLE", "Pull request is not in the merge queue")
    entry = entry_of(viewer, repo, item)
    viewer.state.dequeue(repo.full_name, item.number, "MANUAL")
    return {"clientMutationId": input.get("clientMutationId"), "mergeQueueEntry": entry}


def _enable_auto_merge(viewer: Viewer, _info: Info, input: Json) -> Json:  # noqa: A002  # GitHub's own name
    """https://docs.github.com/en/graphql/reference/mutations#enablepullrequestautomerge; nothing merges by itself here.

    GitHub does not say which permission this takes; what is merged is written, so that one is asked for here, too.
    """
    repo, item = _subject(viewer, input["pullRequestId"])
    need(viewer, repo, "pull_requests=write")
    need(viewer, repo, "contents=write")
    method = (input.get("mergeMethod") or "MERGE").lower()
    if not isinstance(item, Pull) or not repo.auto_merge:
        raise typed("UNPROCESSABLE", "Pull request Auto merge is not allowed for this repository")
    if input.get("expectedHeadOid") not in (None, item.head_sha):
        raise typed("UNPROCESSABLE", "Head branch was modified. Review and try the merge again.")
    if item.state != "open":
        raise typed("UNPROCESSABLE", "Pull request is closed")
    if method not in repo.methods:
        raise typed("UNPROCESSABLE", f"{readiness.KINDS[method]} are not allowed on this repository.")
    if (status := readiness.settled(viewer.state, repo, item)) in READY:
        raise typed("UNPROCESSABLE", f"Pull request Pull request is in {status.lower()} status")
    viewer.state.enable_auto_merge(repo.full_name, item.number, method, viewer.token.login)
    written = written_item(viewer, repo, item)
    return {"clientMutationId": input.get("clientMutationId"), "pullRequest": written}


def _subject(viewer: Viewer, node: str) -> tuple[Repository, Issue | Pull]:
    for repo in viewer.state.repositories.values():
        for item in repo.items.values():
            if node == node_of(item) and access.permissions(viewer.token, repo):
                _may_write(viewer, repo, item)
                return repo, item
    raise typed("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'")


def _may_write(viewer: Viewer, repo: Repository, item: Issue | Pull) -> None:
    need(viewer, repo, *access.of_item(item, "write"))
