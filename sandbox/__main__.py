"""`python -m sandbox`: start a GitHub of your own, and look at what it holds."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sandbox import deliveries, runs
from sandbox.everything import on_stop, serve_all

if TYPE_CHECKING:
    from collections.abc import Mapping


IN = click.option(
    "--in", "place", type=click.Choice(list(runs.HOW)), default="process", show_default=True, help="Where the bot runs."
)


@click.group()
def main() -> None:
    """A GitHub on loopback that keeps state."""


@main.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option(
    "--env-file", type=click.Path(path_type=Path, dir_okay=False), help="Write GITHUB_API_URL and so on here."
)
@click.option("--scenario", help="A YAML file, or the name of one in sandbox/scenarios.")
@click.option("--aws/--no-aws", default=True, show_default=True, help="With EC2 and Route 53; they start slowly.")
@click.option(
    "--deliver", "at_once", is_flag=True, help="Run the bot at once on what is done on the page or by commands."
)
@IN
def up(port: int, env_file: Path | None, scenario: str | None, place: str, *, aws: bool, at_once: bool) -> None:
    """Start it and stay until Ctrl-C or SIGTERM."""
    stop = on_stop()
    with serve_all(scenario, port, aws=aws) as running:
        github = running.github
        if at_once:
            deliveries.attach(github.state, running.environment, runs.HOW[place])
        if env_file:
            _write(env_file, running.environment)
        print(f"GitHub at {github.url} with {github.repository}; Ctrl-C stops it", flush=True)
        stop.wait()


def _write(path: Path, variables: Mapping[str, str]) -> None:
    """Write the file in one step: whoever waits for it finds it whole."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(lines, encoding="utf-8")
    part.replace(path)


def _call(method: str, path: str, data: Any = None) -> Any:
    """Ask the running sandbox, which GITHUB_API_URL names. Its refusal is one line."""
    url = os.environ.get("GITHUB_API_URL")
    if not url:
        raise click.UsageError("GITHUB_API_URL is not set: source the file that `up --env-file` wrote")
    body = json.dumps(data).encode() if data is not None else None
    request = urllib.request.Request(f"{url.rstrip('/')}/_sandbox/{path}", body, method=method)  # noqa: S310  # its own address
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310  # an address on loopback
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise click.ClickException(json.load(error)["message"]) from error
    except OSError as error:
        raise click.ClickException(f"no sandbox answers at {url}: {error}") from error


def _act(do: str, number: int, text: str, by: str) -> None:
    repository = os.environ.get("GITHUB_REPOSITORY", "octo-org/hello")
    asked = {"do": do, "repository": repository, "number": number, "text": text, "by": by}
    events = _call("POST", "act", asked)
    for event in events:
        print(f"{deliveries.title(event)} on #{number}: waits for `python -m sandbox deliver`")
    if not events:
        print(f"#{number} is so already: no event")


BY = click.option("--by", default="maintainer", show_default=True, help="Who does it.")


@main.command()
@click.argument("number", type=int)
@click.argument("name")
@click.option("--off", is_flag=True, help="Take it off instead.")
@BY
def label(number: int, name: str, by: str, *, off: bool) -> None:
    """Put the label NAME on NUMBER."""
    _act("unlabel" if off else "label", number, name, by)


@main.command()
@click.argument("number", type=int)
@click.argument("text")
@BY
def comment(number: int, text: str, by: str) -> None:
    """Write a comment on NUMBER."""
    _act("comment", number, text, by)


@main.command()
@click.argument("number", type=int)
@click.option("--method", type=click.Choice(["merge", "squash", "rebase"]), default="merge", show_default=True)
@BY
def merge(number: int, method: str, by: str) -> None:
    """Merge the pull request NUMBER, by git."""
    _act("merge", number, method, by)


@main.command("do")
@click.argument("deed", type=click.Choice(list(deliveries.ACTS)))
@click.argument("number", type=int)
@click.argument("text", default="")
@BY
def do(deed: str, number: int, text: str, by: str) -> None:
    """Do anything that a person does to NUMBER: close it, push to it, review it, and so on."""
    _act(deed, number, text, by)


@main.command()
@click.argument("time")
def clock(time: str) -> None:
    """Let TIME pass, such as +72h; runs that `deliver` starts see the same clock."""
    try:
        passed = deliveries.seconds(time)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    print(f"ahead by {_call('POST', 'clock', {'seconds': passed})['offset']:.0f} s")


@main.command()
@click.option(
    "--times", default=1, show_default=True, help="How often each event is delivered; GitHub may do it twice."
)
@IN
def deliver(times: int, place: str) -> None:
    """Run the bot on each event that waits. Exits with the worst of their codes."""
    taken = _call("DELETE", "events")
    variables = {
        name: value for name, value in os.environ.items() if name.startswith(("GITHUB_", "INPUT_", "DATABASE_"))
    }
    codes = [0]
    for event in (event for event in taken["events"] for _ in range(times)):
        print(deliveries.title(event), flush=True)
        ran = runs.HOW[place](event, {**variables, **deliveries.here(taken["workspace"], taken["offset"])})
        print("".join(f"  {line}\n" for line in ran.log.splitlines()), end="")
        codes.append(ran.code)
    if not taken["events"]:
        print("no event waits")
    sys.exit(max(codes))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON.")
def state(*, as_json: bool) -> None:
    """Show what the running sandbox holds."""
    held: dict[str, Any] = _call("GET", "state")
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
