"""`make demo`: three real events go through `mattermod run`, as separate processes, and you see what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox import deliveries, markdown, payloads, runs
from sandbox.everything import on_stop, serve_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.everything import Everything
    from sandbox.serving import Sandbox

PULL_LABEL, ISSUE_LABEL = "2: Dev Review", "Help Wanted"
console = Console(width=100)


@click.command()
@click.option("--keep", is_flag=True, help="Stay up, with the bot attached to what you do on the page.")
def main(*, keep: bool) -> None:
    """Show the demo; the exit code is that of the worst run."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home, serve_all(aws=keep) as running:
        github = running.github
        text = f"A GitHub of your own at {github.url}, state in a SQLite file"
        console.print(Panel.fit(text, title="mattermod-action"))
        (Path(home) / "mattermod.yml").write_text(_configuration(github))
        codes = [_show(github, Path(home), *step) for step in _steps(github)]
        _comments(github)
        seconds = time.monotonic() - started
        console.print(f"[bold]{len(github.writes)} comments written[/bold] by {len(codes)} runs in {seconds:.1f} s.")
        console.print("Your turn: [cyan].venv/bin/mattermod plan EVENT.json --name issues --config FILE[/cyan]")
        _look(running, keep=keep)
    sys.exit(max(codes))


def _look(running: Everything, *, keep: bool) -> None:
    github = running.github
    page = f"{github.url}/{github.repository}/pull/{github.pull}"
    if not keep:
        console.print(f"The page was {page}; [cyan]make demo KEEP=1[/cyan] stays up for you to look at it.")
        return
    deliveries.attach(github.state, running.environment)
    stop = on_stop()
    console.print("This page stays up: label, comment, merge, and the bot answers at once. Ctrl-C ends it.")
    console.print(page, style="cyan", soft_wrap=True)  # a line of its own, whole: it is there to be copied
    stop.wait()


def _steps(github: Sandbox) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield title, event name and payload; each is made when it is its turn, as GitHub would."""
    labeled = payloads.labeled(github.state, github.repository, github.pull, PULL_LABEL, "maintainer")
    yield f"pull request #{github.pull} gets the label {PULL_LABEL!r}", "pull_request_target", labeled
    opened = payloads.opened_issue(github.state, github.repository, "From a template", [ISSUE_LABEL], "newcomer")
    yield f"an issue is opened with the label {ISSUE_LABEL!r}", "issues", opened
    yield "GitHub delivers the first event once more", "pull_request_target", labeled


def _show(github: Sandbox, home: Path, title: str, name: str, payload: dict[str, Any]) -> int:
    before = len(github.writes)
    event = home / "event.json"
    event.write_text(json.dumps(payload))
    console.rule(f"[bold]{title}", align="left")
    console.print(f"event  {name} {payload['action']}, sent by {payload['sender']['login']}", markup=False)
    console.print(f"plan   {_plan(home, name, event)}", markup=False, highlight=False)
    ran = runs.in_process({"name": name, "payload": payload}, {**github.environment, "GITHUB_WORKSPACE": str(home)})
    for line in ran.log.splitlines():
        console.print(f"run    {line}", markup=False, highlight=False)
    if not ran.code and len(github.writes) == before:
        console.print("       [green]redelivered: nothing new[/green]")
    return ran.code


def _configuration(github: Sandbox) -> str:
    repository = github.state.repository(github.repository)
    files = repository.files() if repository else None
    return (files or {})[".github/mattermod.yml"].decode()


def _plan(home: Path, name: str, event: Path) -> str:
    """Ask `mattermod plan`, which knows nothing but the event and the configuration."""
    command: list[str | Path] = [
        runs.MATTERMOD,
        "plan",
        event,
        "--name",
        name,
        "--config",
        home / "mattermod.yml",
        "--json",
    ]
    made = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "; ".join(f"{effect['effect']} because of {effect['cause']}" for effect in made["effects"]) or "nothing"


def _comments(github: Sandbox) -> None:
    """Print what a visitor of the repository would now find."""
    table = Table(title="What stands on GitHub now", title_justify="left", show_lines=True)
    for column in ("on", "by", "comment"):
        table.add_column(column)
    repository = github.state.repository(github.repository)
    for number, item in repository.items.items() if repository else ():
        for comment in item.comments:
            author = comment.author.login if comment.author else "ghost"
            table.add_row(Text(f"#{number} {item.title}"), Text(author), Text(markdown.visible(comment.body)))
    console.print(table)


if __name__ == "__main__":
    main()
