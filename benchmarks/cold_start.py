"""How long a whole run takes, told in multiples of `python -c pass` of the same minute.

Everything answers on loopback: what is measured is our own start, not GitHub. Each figure has its budget beside it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from benchmarks import image
from benchmarks.timing import Case, time_all
from sandbox import payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = 20
SIX = "import github, pymysql, yoyo, jenkins, boto3, click"
MATTERMOD = str(Path(sys.executable).with_name("mattermod"))
DOCKER_RUN = ["docker", "run", "--rm", "--network=none"]
LATENCY = 0.1  # seconds; what github.com takes for a comment is rather more
BY_HAND = """
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[1])
for number in range(5):
    headers = {"Authorization": f"Bearer {sys.argv[3]}", "Content-Type": "application/json"}
    connection.request("POST", sys.argv[2], json.dumps({"body": f"Message {number}"}), headers)
    assert connection.getresponse().read()
"""
LABELS = ["L1", "L2", "L3", "L4", "L5"]


def run() -> dict[str, Any]:
    """Return the figures; each ratio has its budget beside it."""
    with tempfile.TemporaryDirectory() as home, sandbox.serve(_scenario()) as github:
        cases = [*_anchors(), *_events(Path(home), github)]
        time_all(cases, ROUNDS)
        writes = _five_writes(Path(home), github)
    return {"starts": _table(cases), "five_writes": writes, **_image()}


def _anchors() -> list[Case]:
    return [
        Case("python -c pass", [sys.executable, "-c", "pass"]),
        Case("six libraries imported", [sys.executable, "-c", SIX]),
    ]


def _events(home: Path, github: sandbox.Sandbox) -> list[Case]:
    """Return the three kinds of run that the budgets know; each starts with no state file."""
    state, repo = github.state, github.repository
    comment = payloads.comment_created(state, repo, github.pull, "reviewer", "Looks good to me")
    plain = payloads.labeled(state, repo, github.issue, "nobody asked", "maintainer")
    answered = payloads.labeled(state, repo, github.pull, "L1", "maintainer")

    def fresh() -> None:
        shutil.rmtree(home / ".mattermod", ignore_errors=True)
        github.state.item(repo, github.pull).comments.clear()

    return [
        _case("comment without a command", home, github, comment),
        _case("label without a message", home, github, plain),
        _case("label with a message", home, github, answered, fresh),
    ]


def _case(
    title: str,
    home: Path,
    github: sandbox.Sandbox,
    payload: Mapping[str, Any],
    before: Callable[[], None] | None = None,
) -> Case:
    event = home / f"{title}.json"
    event.write_text(json.dumps(payload))
    name = payloads.name(dict(payload))
    variables = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(event), "GITHUB_WORKSPACE": str(home)}
    return Case(title, [MATTERMOD, "run"], {**github.environment, **variables}, before)


def _table(cases: list[Case]) -> dict[str, Any]:
    """Milliseconds are for the curious; ratios are what can be compared."""
    floor, six = cases[0].median, cases[1].median
    budgets = {"comment without a command": 6, "label without a message": 16, "label with a message": 32}
    return {
        case.name: {
            "ms": [round(1000 * value, 1) for value in (case.median, min(case.seconds), max(case.seconds))],
            "x_pass": round(case.median / floor, 1),
            "x_six": round(case.median / six, 2),
            "budget_x_pass": budgets.get(case.name),
        }
        for case in cases
    }


def _five_writes(home: Path, github: sandbox.Sandbox) -> dict[str, Any]:
    """An issue that gets five messages, against a script that only makes the five POSTs, each answer taking LATENCY.

    Both are whole processes. PyGithub's own pauses would cost the event another five seconds.
    """
    github.state.latency = LATENCY
    event = payloads.opened_issue(github.state, github.repository, "Five labels", LABELS, "reporter")
    path = f"/repos/{github.repository}/issues/{event['issue']['number']}/comments"

    def fresh() -> None:
        shutil.rmtree(home / ".mattermod", ignore_errors=True)
        github.state.item(github.repository, event["issue"]["number"]).comments.clear()

    script = [sys.executable, "-c", BY_HAND, github.url.removeprefix("http://"), path, github.token]
    ours, theirs = _case("five messages", home, github, event, fresh), Case("http.client", script)
    time_all([ours, theirs], ROUNDS // 2)
    github.state.latency = 0.0
    figures = {f"{case.name} ms": round(1000 * case.median) for case in (ours, theirs)}
    return {**figures, "latency_ms": 1000 * LATENCY, "ratio": round(ours.median / theirs.median, 2), "budget": 2}


def _image() -> dict[str, Any]:
    """Measure the image and a run in it, if `make image` has been run and a Docker engine answers."""
    found = subprocess.run(["docker", "image", "inspect", image.DEFAULT], capture_output=True, check=False)
    if found.returncode:
        return {"image": "not measured: `make image` builds it"}
    with tempfile.TemporaryDirectory() as home:
        event = Path(home) / "event.json"
        event.write_text('{"action": "started"}')
        given = [
            "--env=GITHUB_EVENT_NAME=watch",
            "--env=GITHUB_EVENT_PATH=/event.json",
            f"--volume={event}:/event.json:ro",
        ]
        cases = [
            Case("docker run IMAGE true", [*DOCKER_RUN, *given, "--entrypoint=true", image.DEFAULT]),
            Case("docker run of an ignored event", [*DOCKER_RUN, *given, image.DEFAULT]),
        ]
        time_all(cases, ROUNDS)
    true, ignored = (case.median for case in cases)
    runs = {case.name: round(1000 * case.median) for case in cases}
    return {
        "image": {**image.measure(), "budget_layers": 3, "budget_megabytes": 75},
        "docker": {**runs, "ratio": round(ignored / true, 2), "budget": 1.5},
    }


def _scenario() -> dict[str, Any]:
    rules = "".join(f"    - {{label: {label}, message: 'Thanks USERNAME.'}}\n" for label in LABELS)
    config = f"label_messages:\n  pull_requests:\n{rules}  issues:\n{rules}"
    items = {"pulls": [{"number": 7, "author": "newcomer"}], "issues": [{"number": 5, "author": "reporter"}]}
    return {
        "repositories": {"octo-org/hello": {**items, "files": {".github/mattermod.yml": config}}},
        "tokens": {"token": {"permissions": {"contents": "read", "issues": "write"}, "limit": 1_000_000}},
    }
