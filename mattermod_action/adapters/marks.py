"""The newest status or check run of one name at a commit, wherever that commit is.

https://docs.github.com/en/graphql/reference/objects#statuscheckrollup
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.candidates import time
from mattermod_action.servers import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

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
        ... on CheckRun { name status conclusion detailsUrl startedAt }
      }
      pageInfo { hasNextPage endCursor }
    }
  } } } }
}
"""
SUCCESS = ("SUCCESS", "NEUTRAL", "SKIPPED")
PENDING = ("PENDING", "EXPECTED")


def newest(ask: Ask, repository: Repository, sha: str, context: str) -> Mark | None:
    """Read page by page until it is found; of a check run GitHub's rollup has only the newest of each name."""
    after: str | None = None
    while True:
        where = {"owner": repository.owner, "name": repository.name, "sha": sha, "after": after}
        rollup = (ask(QUERY, where)["repository"]["object"] or {}).get("statusCheckRollup")
        if not rollup:
            return None
        page = rollup["contexts"]
        for node in page["nodes"]:
            if node and (node.get("context") or node.get("name")) == context:
                return _mark(node)
        if not page["pageInfo"]["hasNextPage"]:
            return None
        after = page["pageInfo"]["endCursor"]


def _mark(node: Json) -> Mark:
    if node["__typename"] == "StatusContext":
        state = "pending" if node["state"] in PENDING else "success" if node["state"] == "SUCCESS" else "failure"
        return Mark(state, node["targetUrl"] or "", time(node["createdAt"]))
    over = node["status"] == "COMPLETED"
    state = ("success" if node["conclusion"] in SUCCESS else "failure") if over else "pending"
    return Mark(state, node["detailsUrl"] or "", time(node["startedAt"]) if node["startedAt"] else None)
