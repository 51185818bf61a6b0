"""`python -m sandbox`: start a GitHub of your own, and look at what it holds."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import click

from sandbox.serving import Sandbox, serve


@click.group()
def main() -> None:
    """A GitHub on loopback that keeps state."""


@main.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option(
    "--env-file", type=click.Path(path_type=Path, dir_okay=False), help="Write GITHUB_API_URL and so on here."
)
@click.option("--scenario", help="A YAML file, or the name of one in sandbox/scenarios.")
def up(port: int, env_file: Path | None, scenario: str | None) -> None:
    """Start it and stay until Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serve(scenario, port) as github:
        if env_file:
            _write(env_file, github)
        print(f"GitHub at {github.url} with {github.repository}; Ctrl-C stops it", flush=True)
        stop.wait()


def _write(path: Path, github: Sandbox) -> None:
    """Write the file in one step: whoever waits for it finds it whole."""
    lines = "".join(f"{name}={value}\n" for name, value in github.environment.items())
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(lines, encoding="utf-8")
    part.replace(path)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON.")
@click.option("--url", envvar="GITHUB_API_URL", required=True, help="Where it runs; $GITHUB_API_URL.")
def state(url: str, *, as_json: bool) -> None:
    """Show what the running sandbox holds."""
    with urllib.request.urlopen(f"{url.rstrip('/')}/_sandbox/state", timeout=10) as answer:  # noqa: S310  # its own address
        held: dict[str, Any] = json.load(answer)
    if as_json:
        json.dump(held, sys.stdout, indent=2)
        print()
        return
    for full_name, repository in held["repositories"].items():
        for kind in ("pulls", "issues"):
            for number, item in repository[kind].items():
                print(f"{full_name} {kind.removesuffix('s')} #{number} {item['title']} {item['labels']}")
                for comment in item["comments"]:
                    print(f"  {comment['author']}: {comment['body'].splitlines()[0]}")


if __name__ == "__main__":
    main(prog_name="python -m sandbox")
