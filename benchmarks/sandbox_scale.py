"""Whether the sandbox is quick enough to judge by: pages of 1,000 pull requests with 50 comments each."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from typing import Any

import sandbox

PULLS, COMMENTS, ROUNDS = 1_000, 50, 15
BUDGET_MS = 50
QUERY = """
{ repository(owner: "octo-org", name: "hello") {
  pullRequests(first: 100, states: [OPEN], orderBy: {field: CREATED_AT, direction: ASC}) {
    nodes {
      number title updatedAt headRefOid labels(first: 20) { nodes { name } } statusCheckRollup { state }
      reviews(last: 5) { nodes { state author { login } } }
      comments(last: 10) { nodes { body viewerDidAuthor author { login } } }
    }
    pageInfo { hasNextPage endCursor }
  }
} }
"""


def run() -> dict[str, Any]:
    """Return the median of each page in milliseconds."""
    with sandbox.serve() as github:
        _fill(github)
        repo = f"/repos/{github.repository}"
        pages = {
            "pull requests, first page": ("GET", f"{repo}/pulls?per_page=100", None),
            "pull requests, last page": ("GET", f"{repo}/pulls?per_page=100&page=10", None),
            "issues": ("GET", f"{repo}/issues?per_page=100", None),
            "comments of one": ("GET", f"{repo}/issues/{github.pull + 500}/comments?per_page=100", None),
            "GraphQL, 100 with labels, reviews, rollup, comments": ("POST", "/graphql", {"query": QUERY}),
        }
        return {"budget_ms": BUDGET_MS, **{name: _median(github, *page) for name, page in pages.items()}}


def _fill(github: sandbox.Sandbox) -> None:
    for number in range(PULLS):
        pull = github.state.add_pull(github.repository, f"Pull {number}", "newcomer", head=f"newcomer/hello:{number}")
        github.state.add_labels(github.repository, pull.number, ["2: Dev Review"])
        for _ in range(COMMENTS):
            github.state.add_comment(github.repository, pull.number, "reviewer", "x" * 100)


def _median(github: sandbox.Sandbox, method: str, path: str, body: Any) -> float:
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"))
    return round(
        1000 * statistics.median(_once(connection, github.token, method, path, body) for _ in range(ROUNDS)), 1
    )


def _once(connection: http.client.HTTPConnection, token: str, method: str, path: str, body: Any) -> float:
    text = json.dumps(body) if body else None
    started = time.perf_counter()
    connection.request(method, path, text, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{method} {path}: {answer.status}")
    return time.perf_counter() - started
