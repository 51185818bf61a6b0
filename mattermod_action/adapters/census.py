"""Every open item of a repository, up to a hundred of each kind in a query, with its configuration; all that one owns.

Items come in the order in which they were opened, and a page goes on after the last one that was seen: whatever is
opened, closed or changed between two pages, none is missed and none comes twice.
https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.candidates import PULL, login, pull, repository, time
from mattermod_action.events import Issue, Repository
from mattermod_action.sweeps import Page, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, Any]
    Ask = Callable[[str, Json], Json]

ORDER = "first: $size, orderBy: {field: CREATED_AT, direction: ASC}, states: [OPEN]"
# Enterprise Server limits nothing unless its administrator says so, and `rateLimit` is null then:
# https://docs.github.com/en/enterprise-server@3.17/rest/using-the-rest-api/rate-limits-for-the-rest-api
UNLIMITED: dict[str, Any] = {"cost": 0, "limit": 0, "remaining": None}
ITEMS = f"""
query ($owner: String!, $name: String!, $file: String!, $begins: Boolean!, $size: Int!,
       $pulls: String, $withPulls: Boolean!, $issues: String, $withIssues: Boolean!) {{
  rateLimit {{ cost limit remaining }}
  repository(owner: $owner, name: $name) {{
    databaseId nameWithOwner isArchived
    object(expression: $file) @include(if: $begins) {{ ... on Blob {{ text }} }}
    pullRequests(after: $pulls, {ORDER}) @include(if: $withPulls) {{
      nodes {{ {PULL} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
    issues(after: $issues, {ORDER}) @include(if: $withIssues) {{
      nodes {{
        number url createdAt updatedAt author {{ __typename login }} labels(first: 100) {{ nodes {{ name }} }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""
OWNED = """
query ($login: String!, $after: String, $size: Int!) {
  repositoryOwner(login: $login) { repositories(first: $size, after: $after, isArchived: false) {
    nodes { databaseId nameWithOwner isPrivate } pageInfo { hasNextPage endCursor }
  } }
}
"""


def pages(ask: Ask, place: Repository, file: str, after: Place) -> Iterator[Page]:
    """Read on from `after`; `file` is the path of the configuration, which the first page has."""
    begins = True
    while not after.is_end:
        where = {"owner": place.owner, "name": place.name, "file": f"HEAD:{file}", "begins": begins}
        turns = {"pulls": after.pulls, "withPulls": not after.pulls_end, "issues": after.issues}
        found = ask(ITEMS, {**where, **turns, "withIssues": not after.issues_end})
        page = _page(found, after)
        yield page
        begins, after = False, page.after


def _page(found: Json, before: Place) -> Page:
    node, rate = found["repository"], found["rateLimit"] or UNLIMITED
    here = repository(node)
    pulls, issues = node.get("pullRequests") or {}, node.get("issues") or {}
    return Page(
        repository=here,
        is_archived=node["isArchived"],
        configuration=(node.get("object") or {}).get("text"),
        pulls=tuple(pull(here, each) for each in pulls.get("nodes") or () if each),
        issues=tuple(_issue(here, each) for each in issues.get("nodes") or () if each),
        after=Place(
            pulls=_end(pulls) or before.pulls,
            pulls_end=before.pulls_end or not pulls["pageInfo"]["hasNextPage"],
            issues=_end(issues) or before.issues,
            issues_end=before.issues_end or not issues["pageInfo"]["hasNextPage"],
        ),
        points=rate["cost"],
        points_left=rate["remaining"],
        points_limit=rate["limit"],
    )


def _end(connection: Json) -> str | None:
    return (connection.get("pageInfo") or {}).get("endCursor")


def owned(ask: Ask, owner: str) -> Iterator[Repository]:
    """Read the repositories of an owner that the token may see, without those that are archived."""
    after: str | None = None
    while True:
        found = ask(OWNED, {"login": owner, "after": after})["repositoryOwner"]
        if found is None:
            return
        page = found["repositories"]
        yield from (replace(repository(each), private=each["isPrivate"]) for each in page["nodes"] if each)
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _issue(where: Repository, node: Json) -> Issue:
    author = node["author"]
    return Issue(
        repository=where,
        number=node["number"],
        author=login(author),
        author_is_bot=bool(author) and author["__typename"] == "Bot",
        labels=tuple(each["name"] for each in node["labels"]["nodes"]),
        state="open",
        url=node["url"],
        updated_at=time(node["updatedAt"]),
        created_at=time(node["createdAt"]),
    )
