"""Fields that GitHub's command line asks for (`gh pr list`, `gh issue view`), as values and callables.

https://docs.github.com/en/graphql/reference
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from sandbox import shapes
from sandbox.graph_pages import Json, check, listed, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import GraphQLResolveInfo

    from sandbox.bare import Change
    from sandbox.graph_fields import Viewer
    from sandbox.records import Comment, Issue, Label, Milestone, Person, Pull, Repository, Review

    Info = GraphQLResolveInfo[Any]

REACTIONS = {
    "+1": "THUMBS_UP",
    "-1": "THUMBS_DOWN",
    "laugh": "LAUGH",
    "hooray": "HOORAY",
    "confused": "CONFUSED",
    "heart": "HEART",
    "rocket": "ROCKET",
    "eyes": "EYES",
}
# https://github.com/cli/cli/issues/12476; the fields are in the schema still.
NO_PROJECTS = (
    "Projects (classic) is being deprecated in favor of the new Projects experience, "
    "see: https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/."
)


def of_item(item: Issue | Pull) -> Json:
    return {
        "closed": item.state == "closed",
        "closedAt": shapes.moment(item.closed_at),
        "projectCards": _projects,
        "reactionGroups": partial(_reaction_groups, ()),
        "stateReason": item.state_reason and item.state_reason.upper(),
    }


def of_pull(viewer: Viewer, repo: Repository, item: Pull) -> Json:
    owner = (item.head_repository or "").partition("/")[0]
    changes = partial(_changes, viewer, repo, item)
    return {
        "additions": lambda _: sum(each.added for each in changes()),
        "deletions": lambda _: sum(each.deleted for each in changes()),
        "files": lambda info, **page: _files(changes(), info, page),
        "headRepository": item.head_repository and _repository(viewer, item.head_repository),
        "headRepositoryOwner": owner and _owner(viewer, owner),
    }


def of_comment(repo: Repository, each: Comment) -> Json:
    return {
        "authorAssociation": lambda _: shapes.association(repo, each.author),
        "includesCreatedEdit": lambda _: each.updated_at != each.created_at,
        "minimizedReason": each.minimized.lower() or None,
        "reactionGroups": partial(_reaction_groups, each.reactions),
    }


def of_review(repo: Repository, each: Review) -> Json:
    return {
        "authorAssociation": shapes.association(repo, each.author),
        "commit": {"__typename": "Commit", "id": f"C_{each.sha}", "oid": each.sha},
        "reactionGroups": partial(_reaction_groups, ()),
        "submittedAt": shapes.moment(each.submitted_at),
    }


def of_repository(repo: Repository) -> Json:
    return {"hasIssuesEnabled": True, "labels": partial(_labels, repo)}


def matching(found: list[Any], asked: Json | None) -> list[Any]:
    """Leave those that `filterBy` asks for; of GitHub's words only the people are understood here."""
    asked = {name: value for name, value in (asked or {}).items() if value is not None}
    if asked.keys() - {"assignee", "createdBy"}:
        raise typed("NOT_IMITATED", "The sandbox filters by assignee and createdBy only")
    by, to = asked.get("createdBy"), asked.get("assignee")
    return [
        item
        for item in found
        if by in (None, item.author and item.author.login) and (to is None or to in _logins(item.assignees))
    ]


def _logins(people: Iterable[Person]) -> set[str]:
    return {person.login for person in people}


def milestone(each: Milestone) -> Json:
    place = {"id": shapes.node_id("MI", each.id), "number": each.number, "title": each.title}
    return {**place, "description": None, "dueOn": None}


def _projects(_info: Info, **_: Any) -> Json:
    """https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic."""
    raise GraphQLError(NO_PROJECTS)


def _reaction_groups(given: Iterable[tuple[str, str]], _info: Info) -> list[Json]:
    """One for each kind, also of those that nobody gave."""
    counts = Counter(content for content, _ in given)
    return [{"content": kind, "users": partial(_count, counts[content])} for content, kind in REACTIONS.items()]


def _count(total: int, _info: Info, **_: Any) -> Json:
    return {"totalCount": total}


def _changes(viewer: Viewer, repo: Repository, item: Pull) -> list[Change]:
    bare = viewer.state.git.of(repo)
    return bare.changed(bare.common(item.merged_onto or repo.branches[item.base_ref], item.head_sha), item.head_sha)


def _files(changes: list[Change], info: Info, page: Json) -> Json:
    check(info, page)
    return listed(changes, _file, page)


def _file(each: Change) -> Json:
    return {"additions": each.added, "deletions": each.deleted, "path": each.path}


def _repository(viewer: Viewer, full_name: str) -> Json:
    known = viewer.state.repository(full_name)
    number = known.id if known else int.from_bytes(full_name.encode()[-6:], "big")
    return {"id": shapes.node_id("R", number), "name": full_name.partition("/")[2], "nameWithOwner": full_name}


def _owner(viewer: Viewer, login: str) -> Json:
    kind = "Organization" if login in viewer.state.organisations else "User"
    node = shapes.node_id(kind[0], viewer.state.person(login).id)
    return {"__typename": kind, "id": node, "login": login, "name": None, "url": f"{viewer.state.url}/{login}"}


def _labels(repo: Repository, info: Info, **asked: Any) -> Json:
    """In the order in which they were made, or by their names."""
    check(info, asked)
    query, order = (asked.get("query") or "").casefold(), asked.get("orderBy") or {}
    found = [each for each in repo.labels.values() if query in each.name.casefold()]
    if order.get("field") == "NAME":
        found.sort(key=lambda each: each.name.casefold())
    if order.get("direction") == "DESC":
        found.reverse()
    return listed(found, label, asked)


def label(each: Label) -> Json:
    node = shapes.node_id("LA", each.id)
    return {"color": each.color, "description": each.description, "id": node, "name": each.name}
