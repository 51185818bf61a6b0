"""`make demo`: three real events go through `mattermod run`, as separate processes, and you see what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table

import sandbox
from sandbox import payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

PULL_LABEL, ISSUE_LABEL = "2: Dev Review", "Help Wanted"
MATTERMOD = Path(sys.executable).with_name("mattermod")
console = Console(width=100)


def main() -> int:
    """Show the demo; the exit code is that of the worst run."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home, sandbox.serve() as github:
        console.print(Panel.fit(f"[bold]mattermod-action[/bold]: a GitHub of your own at {github.url}, state in a SQLite file"))
        codes = [_show(github, Path(home), *step) for step in _steps(github)]
        _comments(github)
        writes = len(github.writes)
    console.print(f"[bold]{writes} comments written[/bold] by {len(codes)} runs in {time.monotonic() - started:.1f} s.")
    console.print("Your turn: [cyan].venv/bin/mattermod plan EVENT.json --name pull_request_target --config FILE[/cyan]")
    return max(codes)


def _steps(github: sandbox.Sandbox) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield title, event name and payload; each is made when it is its turn, as GitHub would."""
    labeled = payloads.labeled(github.state, github.repository, github.pull, PULL_LABEL, "maintainer")
    yield f"pull request #{github.pull} gets the label {PULL_LABEL!r}", "pull_request_target", labeled
    opened = payloads.opened_issue(github.state, github.repository, "An issue from a template", [ISSUE_LABEL], "newcomer")
    yield f"an issue is opened with the label {ISSUE_LABEL!r}", "issues", opened
    yield "GitHub delivers the first event once more", "pull_request_target", labeled


def _show(github: sandbox.Sandbox, home: Path, title: str, name: str, payload: dict[str, Any]) -> int:
    before = len(github.writes)
    event = home / "event.json"
    event.write_text(json.dumps(payload))
    console.rule(f"[bold]{title}", align="left")
    run = subprocess.run([MATTERMOD, "run"], env=_environment(github, home, name, event), capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines():
        console.print(f"  {line}", markup=False, highlight=False)
    if run.returncode:
        console.print(run.stderr, style="red")
    elif len(github.writes) == before:
        console.print("  [green]redelivered: nothing new[/green]")
    return run.returncode
