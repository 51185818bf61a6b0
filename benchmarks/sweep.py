"""What a sweep of a whole organisation costs: 10,000 open pull requests and 10,000 open issues in 200 repositories.

The original asks for each pull request by itself, its statuses (two calls) and its labels, and for each issue its
labels, each quarter of an hour; what it would cost here is counted by that rule, and not run.
"""

from __future__ import annotations

import contextlib
import math
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from mattermod_action.adapters.mysql import connect
from tests import servers
from tests.harness import Bot

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Run

REPOSITORIES, EACH = 200, 50
CONFIG = """
label_messages:
  pull_requests: [{label: "2: Dev Review", message: "Look"}]
  issues: [{label: "Help Wanted", message: "Say so"}]
auto_merge: {label: "Ready to Merge"}
"""
CENTRAL = "sweep: {repositories: [octo-org/*]}\n"
REQUESTS, SECONDS, MEGABYTES = 210, 60, 300


@dataclass
class Swept:
    run: Run
    seconds: float
    graphql: int
    rest: int
    writes: int


def original(pulls: int, issues: int) -> int:
    """Calls of the original's Tick: ceil(N/50) + N(b+1) + ceil((N+M)/50) + M, with b = 2 calls for a build's status."""
    return math.ceil(pulls / 50) + 3 * pulls + math.ceil((pulls + issues) / 50) + issues


def fill(github: Sandbox, repositories: int, each: int) -> None:
    state = github.state
    for nth in range(repositories):
        place = f"octo-org/service-{nth}"
        state.add_repository(place).permissions.update(maintainer="write")
        state.write_files(place, {".github/mattermod.yml": CONFIG})
        for number in range(each):
            state.add_pull(place, f"Pull {number}", "reviewer", head=f"reviewer/{place.partition('/')[2]}:{number}")
            state.add_issue(place, f"Issue {number}", "reporter")


def sweep(bot: Bot, github: Sandbox, minutes: int) -> Swept:
    requests, writes = len(github.requests), len(github.writes)
    began = time.perf_counter()
    run = bot.run("schedule", {}, MATTERMOD_CLOCK_OFFSET=str(60 * minutes))
    seconds = time.perf_counter() - began
    asked = github.requests[requests:]
    graphql = sum(each.path == "/graphql" for each in asked)
    return Swept(run, seconds, graphql, len(asked) - graphql, len(github.writes) - writes)


def run() -> dict[str, Any]:
    """Return the figures; `problems` make the benchmark fail."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.server(home)).migrated()
        github = stack.enter_context(sandbox.serve())
        github.state.write_files(github.repository, {".github/mattermod.yml": CENTRAL + CONFIG})
        github.state.tokens["github-token"].limit = 1_000_000
        fill(github, REPOSITORIES, EACH)
        bot = Bot(github.url, github.token, home / "bot", servers.url(database))
        first = sweep(bot, github, 0)
        again = sweep(bot, github, 15)
        seen = [_count(database, table) for table in ("PullRequests", "Issues")]
    return {**_figures(first, again), "rows": seen}


def _count(database: Database, table: str) -> int:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE SweptAt IS NOT NULL")  # noqa: S608  # one of two constants
        return int(cursor.fetchone()[0])  # type: ignore[index]  # a count has a row


def _figures(first: Swept, again: Swept) -> dict[str, Any]:
    peak = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    problems = [f"exit {each.run.code}: {each.run.log[-300:]}" for each in (first, again) if each.run.code]
    if again.graphql > REQUESTS or again.seconds > SECONDS or again.writes:
        problems.append(f"{again.graphql} requests, {again.seconds:.0f} s, {again.writes} writes")
    return {
        "first sweep": {"s": round(first.seconds, 1), "GraphQL": first.graphql, "REST": first.rest},
        "nothing new": {"s": round(again.seconds, 1), "GraphQL": again.graphql, "REST": again.rest},
        "peak MB of any child": peak,
        "the original's calls": original(REPOSITORIES * EACH, REPOSITORIES * EACH),
        "problems": problems,
    }
