"""The newest status or check run of one name at a commit, wherever that commit is.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.candidates import time
from mattermod_action.merging import Attempt
from mattermod_action.servers import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mattermod_action.events import Repository

    Json = dict[str, Any]
    Ask = Callable[[str, Json], Json]

QUERY = """
query ($owner: String!, $name: String!, $sha: String!, $after: String, $size: Int!) {
  repository(owner: $owner, name: $name) { object(expression: $sha) { ... on Commit { statusCheckRollup {
    contexts(first: $size, after: $after) {
      nodes {
        __typename
        ... on StatusContext { context state targetUrl createdAt }
        ... on CheckRun { name status conclusion detailsUrl startedAt databaseId }
      }
      pageInfo { hasNextPage endCursor }
    }
  } } } }
}
"""
SUCCESS = ("SUCCESS", "NEUTRAL", "SKIPPED")
PENDING = ("PENDING", "EXPECTED")


def newest(ask: Ask, repository: Repository, sha: str, context: str) -> Mark | None:
    """GitHub's rollup has every attempt of a check run, in an order that nothing is said of."""
    nodes = _contexts(ask, {"owner": repository.owner, "name": repository.name, "sha": sha})
    found = [node for node in nodes if node and (node.get("context") or node.get("name")) == context]
    return _mark(max(found, key=_age)) if found else None


def _contexts(ask: Ask, where: Json) -> Iterator[Json | None]:
    after: str | None = None
    while True:
        rollup = (ask(QUERY, {**where, "after": after})["repository"]["object"] or {}).get("statusCheckRollup")
        if not rollup:
            return
        page = rollup["contexts"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _age(node: Json) -> tuple[datetime, int, datetime]:
    """A status and a check run begin under different names."""
    began = node.get("createdAt") or node.get("startedAt")
    return Attempt(began=time(began) if began else None, number=node.get("databaseId") or 0).age


def _mark(node: Json) -> Mark:
    if node["__typename"] == "StatusContext":
        state = "pending" if node["state"] in PENDING else "success" if node["state"] == "SUCCESS" else "failure"
        return Mark(state, node["targetUrl"] or "", time(node["createdAt"]))
    over = node["status"] == "COMPLETED"
    state = ("success" if node["conclusion"] in SUCCESS else "failure") if over else "pending"
    return Mark(state, node["detailsUrl"] or "", time(node["startedAt"]) if node["startedAt"] else None)
