"""The commands that people type. `mattermod run` as a workflow runs it is in `job.py`."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mattermod_action import __version__, inputs, job
from mattermod_action.errors import MattermodError, Mistake
from mattermod_action.features import FEATURES

if TYPE_CHECKING:
    from mattermod_action.config import Loaded
    from mattermod_action.events import Event
    from mattermod_action.planning import Plan

EXIT_MISTAKE, EXIT_DOWN = 2, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mattermod")
def cli() -> None:
    """Mattermod as a GitHub Action. In a workflow it is `mattermod run` that does the work."""


@cli.command()
@click.option("--format", "form", type=click.Choice(inputs.FORMATS), help="Print the run's figures as JSON at its end.")
def run(form: str | None) -> None:
    """Handle the event of this workflow run (GITHUB_EVENT_NAME, GITHUB_EVENT_PATH, INPUT_*)."""
    os.environ.update({"MATTERMOD_FORMAT": form} if form else {})
    sys.exit(job.run())


@cli.command()
@click.argument("event", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The event's name, such as pull_request or issues.")
@click.option("--config", required=True, type=click.Path(path_type=Path), help="The configuration file to plan with.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(event: Path, name: str, config: Path, *, as_json: bool) -> None:
    """Show what would be done about the event file EVENT. Nothing is read from or written to anywhere else."""
    from mattermod_action.events import Ignored
    from mattermod_action.facts import NoFacts
    from mattermod_action.planning import make_plan

    try:
        loaded = _load(config)
        seen = job.parse(name, job.read_payload(event), os.environ.get("GITHUB_REPOSITORY", ""))
    except MattermodError as error:
        _fail(error)
    if isinstance(seen, Ignored):
        click.echo(
            json.dumps({"event": None, "effects": [], "skipped": [], "ignored": seen.reason})
            if as_json
            else seen.reason
        )
        return
    made = make_plan(seen, loaded.config, NoFacts())
    click.echo(json.dumps(made.as_json(seen), indent=2) if as_json else _shown(made, seen, name))
    if made.errors:
        raise made.errors[0][1]


@cli.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--online", is_flag=True, help="Look up the branches that open milestones stand for (GITHUB_TOKEN).")
@click.option("--repository", metavar="OWNER/NAME", envvar="GITHUB_REPOSITORY", help="Where to look them up.")
def check_config(file: Path, repository: str | None, *, online: bool) -> None:
    """Check a configuration file: `.github/mattermod.yml` or the original's config-mattermod.json."""
    try:
        loaded = _load(file)
        _check_scripts(loaded.config, file.parent)
        on = [name for name in FEATURES if getattr(loaded.config, name) is not None]
        click.echo(f"{file}: valid; features that are on: {', '.join(on) or 'none'}")
        if online:
            _look_up(loaded, repository or "")
    except MattermodError as error:
        _fail(error)


@cli.command("config-schema")
def config_schema() -> None:
    """Print the JSON Schema of .github/mattermod.yml, by which an editor completes and checks it."""
    from mattermod_action.config import model

    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mattermod-action"}
    click.echo(json.dumps({**model().model_json_schema(), **head}, indent=2))


@cli.command("import-config")
@click.argument("file", type=click.Path(path_type=Path))
def import_config(file: Path) -> None:
    """Print the native form of the original's FILE; what becomes of its other keys is said beside."""
    from mattermod_action.legacy import as_native

    try:
        loaded = _load(file)
    except MattermodError as error:
        _fail(error)
    click.echo(as_native(loaded.config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)), nl=False)


@cli.command()
@click.option("--show", "section", metavar="SECTION", help="Print the page of one feature.")
def features(section: str | None) -> None:
    """List what this version can do. A feature is on when its section is in the configuration file."""
    if section is None:
        for name in FEATURES:
            click.echo(f"{name:20} {_page(name).splitlines()[0]}")
    elif section in FEATURES:
        click.echo(f"{_page(section).rstrip()}\n\nEach key, and what it is when it is left out:")
        for key, default in _keys(section):
            click.echo(f"  {key}: {default or 'must be given'}")
    else:
        _fail(Mistake(f"there is no feature {section!r}: give one of {', '.join(FEATURES)}"))


@cli.command()
@click.argument("operation", type=click.Choice(inputs.CHOICES["operation"]))
@click.argument("version", default="")
@click.option("--confirm", metavar="NAME", default="", help="Take back the migration NAME although rows are lost.")
@click.option("--plan", is_flag=True, help="Say what would be done, and do nothing.")
def migrate(operation: str, version: str, confirm: str, *, plan: bool) -> None:
    """Change the tables of the database (DATABASE_URL) by hand.

    \b
    up [N]     apply all that is missing, or the first N of it
    down [N]   take back the newest migration, or the newest N
    goto V     go up or down to version V
    force V    note that the database has version V, and run nothing
    version    say which version it has
    status     list the migrations
    adopt      take over a database that the original wrote (`up` does so by itself)
    """  # noqa: D301  # click's mark for lines that stay as they are
    asked = {"COMMAND": "migrate", "OPERATION": operation, "VERSION": version, "CONFIRM": confirm}
    os.environ.update({f"INPUT_{name}": value for name, value in asked.items()})
    if plan:
        os.environ["INPUT_DRY-RUN"] = "true"
    sys.exit(job.run())


@cli.command()
@click.option("--older-than", required=True, metavar="DAYS", help="How long an item must have been closed: 400d.")
def prune(older_than: str) -> None:
    """Forget items that have been closed for long (DATABASE_URL). Nothing is answered again because of it."""
    from datetime import timedelta

    from mattermod_action.adapters.database_url import database_from
    from mattermod_action.adapters.mysql import MySQLStore
    from mattermod_action.adapters.prune import prune as carry_out
    from mattermod_action.world import RealClock

    try:
        given = inputs.read(os.environ)
        database, _ = database_from(given)
        if database is None:
            raise Mistake("there is nothing to prune without DATABASE_URL")
        days = older_than.removesuffix("d")
        if not days.isascii() or not days.isdecimal():
            raise Mistake(f"--older-than is {older_than[:40]!r}: give a number of days, such as 400d")
        clock = RealClock(given.clock_offset)
        done = carry_out(MySQLStore(database, clock), clock, timedelta(days=int(days[:6])))
    except MattermodError as error:
        _fail(error)
    click.echo(f"{done.items} items and {done.rows} rows of the ledger are gone")


def _load(file: Path) -> Loaded:
    from mattermod_action.config import load
    from mattermod_action.world import read_text

    loaded = load(read_text(file, str(file)), str(file))
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    return loaded


def _check_scripts(config: Any, folder: Path) -> None:
    """Those of test servers stand beside the configuration. Raises Mistake."""
    from mattermod_action.setup_script import check
    from mattermod_action.world import read_text

    scripts = [config.spinmint.script, config.spinmint.upgrade_script] if config.spinmint else []
    for script in filter(None, scripts):
        check(read_text(folder / script, str(folder / script)), str(folder / script))


def _look_up(loaded: Loaded, repository: str) -> None:
    """Read the repository's milestones and branches; a name that is not there is a mistake."""
    from mattermod_action.checking import check
    from mattermod_action.events import Repository, is_full_name
    from mattermod_action.lines import safe
    from mattermod_action.world import World

    if not is_full_name(repository):
        raise Mistake("--online looks something up in a repository: give --repository OWNER/NAME")
    owner, _, name = repository.partition("/")
    world = World(inputs.read(os.environ), None)
    lines = check(loaded.config.cherry_pick, world.github, Repository(0, owner, name))
    for line in lines:
        click.echo(safe(line.text), err=line.wrong)
    if any(line.wrong for line in lines):
        sys.exit(EXIT_MISTAKE)


def _page(name: str) -> str:
    return importlib.import_module(f"mattermod_action.features.{name}").__doc__ or name


def _keys(name: str) -> list[tuple[str, str]]:
    from mattermod_action.config import keys_of

    return list(keys_of(importlib.import_module(f"mattermod_action.features.{name}").Config))


def _shown(made: Plan, event: Event, name: str) -> str:
    from mattermod_action.events import headline
    from mattermod_action.lines import safe
    from mattermod_action.planning import NOT_CONFIGURED

    lines = [safe(headline(name, event))]
    for effect in made.effects:
        lines.append(
            f"  {effect.feature}: {type(effect).__name__} on #{effect.subject.number}, because of {effect.cause}"
        )
        lines += [f"    | {line}" for line in getattr(effect, "text", "").splitlines()]
    if not made.effects:
        lines.append("  nothing to do")
    lines += [f"  {feature}: skipped, {reason}" for feature, reason in made.skipped if reason != NOT_CONFIGURED]
    off = [feature for feature, reason in made.skipped if reason == NOT_CONFIGURED]
    lines += [f"  {NOT_CONFIGURED}: {', '.join(off)}"] if off else []
    return "\n".join(map(safe, lines))


def _fail(error: MattermodError) -> NoReturn:
    click.echo(str(error), err=True)
    sys.exit(EXIT_MISTAKE if isinstance(error, Mistake) else EXIT_DOWN)
