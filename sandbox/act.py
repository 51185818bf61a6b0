"""`make act`: an event file goes through an example workflow under act, in the real image, against the sandbox.

act runs workflows on your own machine (https://github.com/nektos/act); it needs a Docker engine and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import sandbox
from sandbox import markdown, scenario
from scripts import newer_syntax

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "workflows-examples"
ACT = Path(sys.executable).with_name("act")
ACTION = "mattermost/mattermod-action@v1"  # as the examples name it; act is told to find it here
NOT_SOURCE = shutil.ignore_patterns(".[!d]*", "__pycache__")  # .dockerignore says what of the rest counts


@dataclass(frozen=True)
class Ran:
    """What a workflow run left behind, read from act's log."""

    code: int
    log: str

    @property
    def started(self) -> bool:
        """Whether a job was run at all, or its `if:` kept it from that."""
        return "Success - Main" in self.log or "Failure - Main" in self.log

    @property
    def outputs(self) -> dict[str, Any]:
        """All are JSON but what a workflow uses as it is."""
        found = re.findall(r"::set-output:: ([\w-]+)=(.*)", self.log)
        return {name: value if name.startswith("spinmint") else json.loads(value) for name, value in found}

    @property
    def summary(self) -> str:
        found = re.search(r"Summary - (.*?)^\[", self.log, re.DOTALL | re.MULTILINE)
        return found[1] if found else ""


@dataclass
class Act:
    """Runs example workflows in a folder of its own; `variables` reach the job, `secrets` are act's."""

    home: Path
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    workflow: str = "labels.yml"
    options: tuple[str, ...] = ()

    def run(self, name: str, payload: Mapping[str, Any]) -> Ran:
        return self.finish(self.start(name, payload))

    def start(self, name: str, payload: Mapping[str, Any]) -> subprocess.Popen[str]:
        self.prepare()
        (self.home / "event.json").write_text(json.dumps(payload))
        return subprocess.Popen(
            [ACT, name, "--eventpath", "event.json", *self._options()],
            cwd=self.home,
            env={**self._environment(), **self.secrets},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> Ran:
        log, _ = process.communicate()
        return Ran(process.returncode, log)

    def prepare(self) -> None:
        """A repository that holds nothing but the workflow, as far as act knows its keys, and the action's source."""
        workflows = self.home / ".github/workflows"
        if workflows.exists():
            return
        workflows.mkdir(parents=True)
        (workflows / self.workflow).write_text(newer_syntax.without((EXAMPLES / self.workflow).read_text()))
        subprocess.run(["git", "init", "--quiet", self.home], check=True)
        shutil.copytree(ROOT, self._source, ignore=NOT_SOURCE)

    @property
    def _source(self) -> Path:
        return self.home / "source"

    def _options(self) -> list[str]:
        variables = [word for name, value in self.variables.items() for word in ("--env", f"{name}={value}")]
        secrets = [word for name in self.secrets for word in ("--secret", name)]  # values: from its environment
        return [
            "--platform", f"ubuntu-latest={base()}", "--pull=false", "--network", "host",
            "--local-repository", f"{ACTION}={self._source}", "--action-cache-path", str(self.home / "cache"),
            *variables, *secrets, *self.options,
        ]  # fmt: skip

    @staticmethod
    def _environment() -> dict[str, str]:
        return {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}


def base() -> str:
    """Return the Dockerfile's base, which is good enough to be the runner's image as well."""
    found = re.search(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError("the Dockerfile names no base")
    return os.environ.get("BASE") or found[1]


@click.command()
@click.argument("name")
@click.argument("event", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("config", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(name: str, event: Path, config: Path) -> None:
    """Send the event NAME with the payload EVENT through workflows-examples/labels.yml, with your CONFIG."""
    payload = json.loads(event.read_text(encoding="utf-8"))
    held = scenario.around(payload, config.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as home, sandbox.serve(held) as github:
        ran = Act(Path(home), github.variables, {"GITHUB_TOKEN": github.token}).run(name, payload)
        click.echo(ran.log)
        click.echo("What was written to GitHub:" if github.writes else "Nothing was written to GitHub.")
        for write in github.writes:
            click.echo(f"  {write.action} on #{write.number}: {markdown.visible(write.detail.get('body', ''))}")
    sys.exit(ran.code)


if __name__ == "__main__":
    main(prog_name="python -m sandbox.act")
