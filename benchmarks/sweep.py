"""What sweeps cost: of one repository with 150 pull requests and 500 issues, and of a whole organisation.

The organisation has 10,000 open pull requests and 10,000 open issues in 200 repositories. It is seen for the first
time, then nothing is new, then a label was put on one item of a hundred while nobody listened, and then nothing is new
again. Then GitHub answers no page of more than 25 any more, while another item of a hundred gets a label.

Each sweep is a process of its own, whose peak memory a small one reads that starts it: what a big one starts is counted
as big as that. The original asks for each pull request by itself, its statuses (two calls) and its labels, and for each
issue its labels, each quarter of an hour; what that would cost is counted by its rule, and not run.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from sandbox.records import Heavy
from tests import servers
from tests.harness import Bot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

PULLS, ISSUES = 150, 500
SMALL = 25  # the most that a page may have, where GitHub answers no larger one
REPOSITORIES, EACH, CHANGED = 200, 50, 100  # of each kind; one of CHANGED gets a label
DEV, HELP = "2: Dev Review", "Help Wanted"
CONFIG = f"""
label_messages:
  pull_requests: [{{label: "{DEV}", message: "Look"}}]
  issues: [{{label: "{HELP}", message: "Say so"}}]
auto_merge: {{label: "Ready to Merge", settle_minutes: 0}}
"""
CENTRAL = "sweep: {repositories: [octo-org/*]}\n"
PERMISSIONS = {"checks": "read", "contents": "write", "issues": "write", "pull_requests": "write", "statuses": "write"}
WATCHED = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
log = process.stdout.read()
_, status, used = os.wait4(process.pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "peak": used.ru_maxrss, "log": log}))
"""


@dataclass(frozen=True)
class Swept:
    """What a sweep took; `peak` is in MB, `points` are those of GraphQL."""

    code: int
    log: str
    seconds: float
    peak: float
    graphql: int
    rest: int
    points: int
    writes: int


@dataclass(frozen=True)
class Trial:
    """One GitHub, one database and the bot."""

    github: Sandbox
    bot: Bot

    def sweep(self, minutes: int) -> Swept:
        github, token = self.github, self.github.state.tokens["github-token"]
        before = (len(github.requests), len(github.writes), token.used.get("graphql", 0))
        began = time.perf_counter()
        done = self._watched({"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": str(60 * minutes)})
        seconds = time.perf_counter() - began
        asked = github.requests[before[0] :]
        graphql = sum(each.path == "/graphql" for each in asked)
        points, writes = token.used.get("graphql", 0) - before[2], len(github.writes) - before[1]
        peak = done["peak"] / 1024
        return Swept(done["code"], done["log"], seconds, peak, graphql, len(asked) - graphql, points, writes)

    def _watched(self, clock: dict[str, str]) -> dict[str, Any]:
        command = [sys.executable, "-c", WATCHED, sys.executable, "-m", "mattermod_action", "run"]
        env = self.bot.environment("schedule", {}) | clock
        ran = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return dict(json.loads(ran.stdout))

    def comments(self) -> list[int]:
        """How many each item has that has any."""
        held = self.github.state.repositories.values()
        counts = [len(item.comments) for repository in held for item in repository.items.values()]
        return [count for count in counts if count]


@contextlib.contextmanager
def trial() -> Iterator[Trial]:
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.server(home)).migrated()
        github = stack.enter_context(sandbox.serve())
        token = github.state.tokens["github-token"]
        token.limit, token.repositories = 1_000_000, ()
        token.permissions = {"metadata": "read", **PERMISSIONS}
        yield Trial(github, Bot(github.url, github.token, home / "bot", servers.url(database)))


def run() -> dict[str, Any]:
    """Return the figures; `problems` make the benchmark fail."""
    sweeps: dict[str, Swept] = {}
    with trial() as one:
        sweeps |= _repository(one)
    with trial() as all_of_them:
        sweeps |= _organisation(all_of_them)
        comments = all_of_them.comments()
    goals = _goals(sweeps, comments)
    problems = [f"{title}: exit {swept.code}: {swept.log[-300:]}" for title, swept in sweeps.items() if swept.code]
    problems += [f"{goal}: {row['measured']}" for goal, row in goals.items() if row["held"] == "no"]
    return {"sweeps": {title: _row(swept) for title, swept in sweeps.items()}, "goals": goals, "problems": problems}


def _repository(trial: Trial) -> dict[str, Swept]:
    state, place = trial.github.state, trial.github.repository
    state.write_files(place, {".github/mattermod.yml": CONFIG})
    for nth in range(PULLS):
        state.add_pull(place, f"Pull {nth}", "reviewer")
    for nth in range(ISSUES):
        state.add_issue(place, f"Issue {nth}", "reporter")
    return {"a repository, first sight": trial.sweep(0), "a repository, nothing new": trial.sweep(15)}


def _organisation(trial: Trial) -> dict[str, Swept]:
    state, home = trial.github.state, trial.github.repository
    state.write_files(home, {".github/mattermod.yml": CENTRAL + CONFIG})
    for nth in range(REPOSITORIES):
        _fill(trial.github, f"octo-org/service-{nth}")
    swept = {"an organisation, first sight": trial.sweep(0), "an organisation, nothing new": trial.sweep(15)}
    _label_some(trial.github)
    swept["an organisation, 1 % labelled"] = trial.sweep(30)
    swept["an organisation, nothing new again"] = trial.sweep(45)
    state.heavy = Heavy(SMALL)
    _label_some(trial.github, beginning=1)
    swept["an organisation, 1 % labelled, small pages"] = trial.sweep(60)
    return {**swept, "an organisation, nothing new, small pages": trial.sweep(75)}


def _fill(github: Sandbox, place: str) -> None:
    state = github.state
    state.add_repository(place).permissions.update(maintainer="write")
    state.write_files(place, {".github/mattermod.yml": CONFIG})
    for number in range(EACH):
        state.add_pull(place, f"Pull {number}", "reviewer", head=f"reviewer/{place.partition('/')[2]}:{number}")
        state.add_issue(place, f"Issue {number}", "reporter")


def _label_some(github: Sandbox, beginning: int = 0) -> None:
    """Of every second repository one pull request and one issue, each time others."""
    state = github.state
    for nth in range(0, REPOSITORIES, CHANGED // EACH):
        repository = state.repository(f"octo-org/service-{nth}")
        items = sorted(repository.items.values(), key=lambda item: item.number) if repository else []
        at = 2 * ((nth + beginning) % EACH)
        pair = items[at : at + 2]
        for item, label in zip(pair, (DEV, HELP), strict=True):
            state.add_labels(f"octo-org/service-{nth}", item.number, [label], "maintainer")


def _row(swept: Swept) -> dict[str, Any]:
    return {
        "s": round(swept.seconds, 1),
        "GraphQL": swept.graphql,
        "points": swept.points,
        "REST": swept.rest,
        "written": swept.writes,
        "MB": round(swept.peak),
    }


def original(pulls: int, issues: int) -> int:
    """Calls of the original's Tick: ceil(N/50) + N(b+1) + ceil((N+M)/50) + M, with b = 2 calls for a build's status."""
    return math.ceil(pulls / 50) + 3 * pulls + math.ceil((pulls + issues) / 50) + issues


def _goals(sweeps: dict[str, Swept], comments: list[int]) -> dict[str, dict[str, str]]:
    """Say of each what was agreed and what was measured, as benchmarks/cherry_pick.py does."""
    small, idle = sweeps["a repository, nothing new"], sweeps["an organisation, nothing new"]
    again, some = sweeps["an organisation, nothing new again"], sweeps["an organisation, 1 % labelled"]
    items, due = REPOSITORIES * EACH, 2 * REPOSITORIES * EACH // CHANGED
    first, small_pages = (sweeps[f"an organisation, {what}, small pages"] for what in ("1 % labelled", "nothing new"))
    peak = max(each.peak for each in sweeps.values())
    return {
        f"{PULLS} pull requests and {ISSUES} issues: requests": _goal(9, small.graphql + small.rest),
        f"{PULLS} pull requests and {ISSUES} issues: the original's calls": _told(original(PULLS, ISSUES)),
        "20,000 items in 200 repositories: GraphQL requests": _goal(210, idle.graphql),
        "20,000 items in 200 repositories: REST calls": _goal(0, idle.rest),
        "20,000 items in 200 repositories: points of GraphQL": _told(idle.points),
        "20,000 items in 200 repositories: the original's calls": _told(original(items, items)),
        "20,000 items in 200 repositories: seconds": _goal(60, round(max(idle.seconds, again.seconds), 1)),
        "20,000 items in 200 repositories: writes when nothing is new": _goal(0, idle.writes + again.writes),
        "20,000 items in 200 repositories: peak MB of any sweep": _goal(300, round(peak)),
        "20,000 items in 200 repositories: MB more than one repository takes": _goal(
            30, max(0, round(peak - small.peak))
        ),
        f"pages of {SMALL}, found out by each repository: GraphQL requests": _goal(
            4 * idle.graphql + 10, first.graphql
        ),
        f"pages of {SMALL}, remembered: GraphQL requests": _goal(4 * idle.graphql + 10, small_pages.graphql),
        f"pages of {SMALL}: writes": _goal(due, first.writes),
        f"20,000 items, twice 1 % labelled: of {2 * due} messages those missing": _goal(0, 2 * due - len(comments)),
        "20,000 items, twice 1 % labelled: messages posted more than once": _goal(
            0, sum(count > 1 for count in comments)
        ),
        "20,000 items, 1 % labelled: writes": _goal(due, some.writes),
    }


def _goal(most: int, measured: float) -> dict[str, str]:
    return {"at most": str(most), "measured": f"{measured:,}", "held": "yes" if measured <= most else "no"}


def _told(measured: int) -> dict[str, str]:
    """Nothing is asked of it."""
    return {"at most": "", "measured": f"{measured:,}", "held": ""}
