"""One job: inputs → event → configuration → bot → report → exit code.

What is decided here first is that an event is not for us at all, before anything heavy is imported.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mattermod_action import inputs, lines, parsing, read_only
from mattermod_action.errors import Mistake, Stopped
from mattermod_action.events import Ignored, Tick, headline
from mattermod_action.shapes import checked

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.adapters.migrate import Migrator, Move
    from mattermod_action.config import Loaded
    from mattermod_action.events import Event
    from mattermod_action.inputs import Inputs
    from mattermod_action.report import Report
    from mattermod_action.world import World


COMMENTED = ("issue_comment", "pull_request_review_comment")
NOTES = "mattermod/"  # what statuses begin with that say something to later runs alone
LABELED = ("issues", "pull_request", "pull_request_target")
# What the runner and AWS give to a step besides its inputs.
SECRET = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
)  # fmt: skip


def run() -> int:
    """Do what the event and the inputs in the environment ask for; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        given = inputs.read(os.environ)
        event = None if given.command == "migrate" else read_event(given)
    except Mistake as mistake:
        return _finish_with(mistake)
    except Stopped as stop:
        return stop.exit_code
    if isinstance(event, Ignored) and not given.as_json:
        _tell(event)  # the report is not worth its import
        return 0
    return _report(given, event)


def _tell(event: Ignored) -> None:
    lines.say(f"Nothing to do: {' '.join(event.reason.split())}")


def read_event(given: Inputs) -> Event | Ignored:
    """Parse the event file. Raises Mistake."""
    if not given.event_name:
        raise Mistake("GITHUB_EVENT_NAME is not set: run this as a GitHub Action, or try `mattermod plan --help`")
    payload = read_payload(given.event_path)
    sender = str((payload.get("sender") or {}).get("login") or "").casefold()
    if sender in {login.casefold() for login in given.bot_logins} and _is_talk(given.event_name, payload):
        return Ignored(f"{given.event_name}: sent by ourselves")
    return parse(given.event_name, payload, given.repository, given.repository_id)


def _is_talk(name: str, payload: dict[str, Any]) -> bool:
    """Whether it is about a comment, a label or a note to ourselves, which are not answered where they are ours.

    What we open, push, merge or report is an event like any other: a head that we made would be judged by nobody.
    """
    if name == "status":
        return str(payload.get("context")).startswith(NOTES)
    return name in COMMENTED or (name in LABELED and payload.get("action") in ("labeled", "unlabeled"))


def read_payload(path: Path) -> dict[str, Any]:
    try:
        payload = json.loads(path.read_bytes())
    except OSError as error:
        raise Mistake(f"the event file cannot be read: {error.strerror}: {path}") from error
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{path}: the event file is not JSON") from error
    if not isinstance(payload, dict):
        raise Mistake(f"{path}: the event file is not a JSON object")
    return payload


def parse(name: str, payload: dict[str, Any], repository: str, repository_id: int = 0) -> Event | Ignored:
    try:
        return checked(parsing.parse(name, payload, repository, repository_id))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Mistake(f"the event file is not what GitHub sends for {name}: {error}") from error


def _report(given: Inputs, event: Event | Ignored | None) -> int:
    from mattermod_action.report import Report, annotate

    reason = read_only.why(given.event_name, given.actor, getattr(event, "subject", None))
    report = Report(given.fail_on, event=given.event_name, as_json=given.as_json, read_only=reason)
    try:
        _work(given, event, report)
    except Stopped as stop:
        annotate("warning", str(stop))
        report.finish()
        return stop.exit_code
    except Exception as error:  # noqa: BLE001  # the outermost boundary: everything becomes an exit code
        report.problem(error)
    return report.finish()


def _work(given: Inputs, event: Event | Ignored | None, report: Report) -> None:
    from mattermod_action.adapters.database_url import database_from
    from mattermod_action.report import annotate

    if isinstance(event, Ignored):
        _tell(event)
        return
    database, warnings = database_from(given)  # a mistake in it is found before anything is asked of GitHub
    report.hide(filter(None, (os.environ.get(name) for name in SECRET)))
    tokens = (given.token, given.pick_token, given.org_token, *given.marker_keys)
    report.hide([*tokens, given.database_url, database.password if database else ""])
    report.hide(_of_webhook(given.webhook_url))
    if given.jenkins_credentials:
        from mattermod_action.adapters.jenkins_servers import words_to_hide

        report.hide(words_to_hide(given.jenkins_credentials))
    for warning in warnings:
        annotate("warning", warning)
    if event is None:
        _migrate(given, database, report)
    else:
        _handle(given, event, database, report)


def _handle(given: Inputs, event: Event, database: Database | None, report: Report) -> None:
    from mattermod_action import shares
    from mattermod_action.config import load
    from mattermod_action.report import annotate
    from mattermod_action.running import Run, wanted
    from mattermod_action.world import World

    shares.hurry(given.pace)
    world = World(given, database, hidden=report.hidden, hide=report.hide)
    world.is_private = event.repository.private is True
    report.calls = world.calls
    lines.say(lines.safe(headline(given.event_name, event)))
    report.seen = _seen(given, event)
    text = world.config_text(event.repository.full_name, by_query=isinstance(event, Tick))
    loaded = load(text, given.config)
    for warning in filter(None, (world.server_warning, *loaded.warnings)):
        annotate("warning", warning)
    world = _with_legacy(world, loaded, report)
    _check_test_servers(loaded.config, given)
    run = Run(wanted(loaded.config, world, in_sweep=isinstance(event, Tick)), world, report)
    try:
        if given.dry_run:
            run.rehearse(event)
        else:
            run.go(event)
    finally:
        report.waited = world.waited
        world.close()


def _check_test_servers(config: Any, given: Inputs) -> None:
    """What is wrong with the credentials is said now, and not when a build is over. Raises Mistake."""
    from mattermod_action.adapters.jenkins_servers import parse

    if config.spinmint and given.aws_region:
        parse(given.jenkins_credentials)
    elif config.spinmint:
        lines.say("spinmint: left to a workflow that gives the input `aws-region`")


def _seen(given: Inputs, event: Event) -> tuple[str, ...]:
    """The event, its item, the commit and the configuration."""
    subject = getattr(event, "subject", None)
    number = getattr(subject, "number", None) or getattr(event, "number", None)
    sha = getattr(subject, "sha", "") or getattr(event, "sha", "")
    about = (f"{event.repository.full_name}#{number}" if number else event.repository.full_name, sha[:8])
    what = " ".join(filter(None, [given.event_name, getattr(event, "action", "")]))
    return tuple(filter(None, [what, *about, given.config]))


def _with_legacy(world: World, loaded: Loaded, report: Report) -> World:
    """The original's file names the logins it wrote as, and may hold the address of its database."""
    from mattermod_action.adapters.database_url import parse

    given, database = world.inputs, world.database
    if loaded.database_url and database is None:
        report.hide([loaded.database_url])
        name = f"{given.config}: DataSource"
        database, _ = parse(loaded.database_url, given.database_ca, given.database_tls, name)
        report.hide([database.password])
    report.hide(each for _, url in loaded.webhooks for each in _of_webhook(url))
    if loaded.jenkins:
        from mattermod_action.adapters.jenkins_servers import tokens_to_hide

        report.hide(tokens_to_hide(loaded.jenkins))
    webhooks = tuple((room, url) for room, url in loaded.webhooks if room or not given.webhook_url)
    given = replace(given, bot_logins=given.bot_logins + loaded.bot_logins)
    return replace(world, inputs=given, database=database, webhooks=webhooks, jenkins=loaded.jenkins)


def _of_webhook(url: str) -> tuple[str, ...]:
    """The address, and the key that it ends with, by which anybody may post."""
    return url, url.rstrip("/").rpartition("/")[2]


def _migrate(given: Inputs, database: Database | None, report: Report) -> None:
    """Say what the database has, do what was asked (or, on a dry run, only say what it would be), and say it again."""
    from mattermod_action.adapters.migrate import Migrator
    from mattermod_action.world import RealClock

    if database is None:
        raise Mistake(
            "there is nothing to migrate without the input `database-url`; the embedded store needs no migration"
        )
    clock = RealClock(given.clock_offset)
    migrator = Migrator(database, clock, given.run_url, given.confirm, dry_run=given.dry_run, tell=lines.say)
    if given.operation == "status":
        for row in migrator.status():
            report.row("migrate", row["name"], _state(row))
    elif given.operation != "version":
        report.row("migrate", "before", _schema(migrator))
        for name, result in _operation(given, migrator):
            report.row("migrate", name, result)
        report.row("migrate", "after", _schema(migrator))
    lines.say(f"The database has {_schema(migrator)}.")


def _operation(given: Inputs, migrator: Migrator) -> list[tuple[str, str]]:
    """Carry it out and return what was done to which migration."""
    words = PLANNED if given.dry_run else DONE
    match given.operation:
        case "up":
            moves = migrator.up(given.version)
        case "down":
            moves = migrator.down(1 if given.version is None else given.version)
        case "goto":
            moves = migrator.goto(_needed(given))
        case "force":
            moves, words = migrator.force(_needed(given)), FORCED
        case _:
            return [("the original's database", f"adopted at its version {migrator.adopt()}")]
    return [(move.name, " ".join([words[move.doing], *_lost(move)])) for move in moves] or [("tables", "nothing to do")]


PLANNED = {"up": "would be applied", "down": "would be taken back"}
DONE = {"up": "applied", "down": "taken back"}
FORCED = {"up": "noted as applied", "down": "noted as not applied"}


def _lost(move: Move) -> list[str]:
    return [f"with {', '.join(move.loses)}"] if move.loses else []


def _needed(given: Inputs) -> int:
    if given.version is None:
        raise Mistake(f"`migrate {given.operation}` needs a version: give the input `version`")
    return given.version


def _schema(migrator: Migrator) -> str:
    number, dirty = migrator.version()
    return f"schema {number}{', dirty' if dirty else ''}"


def _state(row: dict[str, Any]) -> str:
    if row["dirty"]:
        state = f"did not finish, stopped going {row['doing'] or 'up'} at step {row['step']}"
    else:
        state = f"applied {row['applied_at']:%Y-%m-%d %H:%M:%S} UTC" if row["applied_at"] else "to do"
    return " ".join(filter(None, [state, row["run_url"]]))


def _finish_with(error: Exception) -> int:
    from mattermod_action.report import Report

    report = Report()
    report.problem(error)
    return report.finish()


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
