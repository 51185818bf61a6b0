"""The action's inputs and the runner's variables, read once. Only the standard library is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mattermod_action.errors import Mistake
from mattermod_action.events import GITHUB_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
WAIT_MINUTES, MOST_MINUTES = 5, 300
SHARDS = 256
DIGITS = 18  # of a 64-bit number
SHORTEST_KEY = 24  # characters of a key of markers
# Of a sweep: what was missed, what was left half-way, and the features that have something to do in one.
PARTS = ("missed", "resume", "stale", "auto-merge", "cherry-pick", "label-workflow", "spinmint")
CHOICES = {
    "command": ("run", "migrate"),
    "config-from": ("default-branch", "workspace"),
    "database-tls": ("verify", "insecure"),
    "dry-run": ("false", "true"),
    "fail-on": ("never", "refusal", "failure", "conflict"),
    "operation": ("up", "down", "goto", "force", "version", "status", "adopt"),
}
FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the workflow asked for. Texts are as given; choices are checked, since act does not check them."""

    event_name: str
    event_path: Path
    run_attempt: int
    run_url: str
    repository: str
    repository_id: int
    actor: str
    triggering_actor: str
    workspace: Path
    api_url: str
    server_url: str
    token: str
    pick_token: str
    org_token: str
    bot_logins: tuple[str, ...]
    marker_keys: tuple[str, ...] = field(repr=False)
    config: str
    config_from: str
    database_url: str
    database_ca: str
    database_tls: str
    state: Path
    command: str
    operation: str
    version: int | None
    confirm: tuple[str, ...]
    dry_run: bool
    fail_on: str
    webhook_url: str
    jenkins_credentials: str
    aws_region: str
    wait_minutes: float
    shard: tuple[int, int]
    sweep: tuple[str, ...]
    clock_offset: timedelta
    clock_skips: bool
    pace: float
    as_json: bool


def read(env: Mapping[str, str]) -> Inputs:
    """Read `INPUT_<NAME>` (upper case, hyphens kept, as the runner sets them) and GITHUB_*. Raises Mistake."""
    workspace = Path(env.get("GITHUB_WORKSPACE") or ".")
    api_url = (env.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/")
    return Inputs(
        event_name=env.get("GITHUB_EVENT_NAME", ""),
        event_path=Path(env.get("GITHUB_EVENT_PATH", "")),
        run_attempt=_number(env, "GITHUB_RUN_ATTEMPT", 1),
        run_url=_run_url(env),
        repository=env.get("GITHUB_REPOSITORY", ""),
        repository_id=_number(env, "GITHUB_REPOSITORY_ID", 0),
        actor=env.get("GITHUB_ACTOR", ""),
        triggering_actor=env.get("GITHUB_TRIGGERING_ACTOR", ""),
        workspace=workspace,
        api_url=api_url,
        server_url=(env.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/"),
        token=_token("github-token", _input(env, "github-token") or env.get("GITHUB_TOKEN", "").strip()),
        pick_token=_token("cherry-pick-token", _input(env, "cherry-pick-token")),
        org_token=_token("org-token", _input(env, "org-token")),
        bot_logins=tuple(_words(_input(env, "bot-logins") or GITHUB_TOKEN)),
        marker_keys=_keys(env),
        config=_input(env, "config") or ".github/mattermod.yml",
        config_from=_choice(env, "config-from"),
        database_url=_input(env, "database-url") or env.get("DATABASE_URL", "").strip(),
        database_ca=_input(env, "database-ca"),
        database_tls=_choice(env, "database-tls"),
        state=workspace / (_input(env, "state") or ".mattermod/state.sqlite"),
        command=_choice(env, "command"),
        operation=_choice(env, "operation"),
        version=_version(env),
        confirm=tuple(_words(_input(env, "confirm"))),
        dry_run=_choice(env, "dry-run") == "true",
        fail_on=_choice(env, "fail-on"),
        webhook_url=_input(env, "mattermost-webhook-url"),
        jenkins_credentials=_input(env, "jenkins-credentials"),
        aws_region=_input(env, "aws-region") or env.get("AWS_REGION", "") or env.get("AWS_DEFAULT_REGION", ""),
        wait_minutes=_minutes(env),
        shard=_shard(env),
        sweep=_parts(env),
        clock_offset=_clock_offset(env, api_url),
        clock_skips=_is_trial(api_url) and env.get("MATTERMOD_CLOCK_SKIPS") == "true",
        pace=float(env.get("MATTERMOD_PACE") or 1) if _is_trial(api_url) else 1.0,
        as_json=_format(env) == "json",
    )


def _input(env: Mapping[str, str], name: str) -> str:
    return env.get(f"INPUT_{name.upper()}", "").strip()


def _token(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise Mistake(f"input `{name}` is not a token: it holds white space or other characters no token has")
    return value


def _keys(env: Mapping[str, str]) -> tuple[str, ...]:
    """The newest first. Whoever guesses one writes comments that count as ours."""
    keys = tuple(_words(_input(env, "marker-key")))
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise Mistake(
            f"input `marker-key` has a key of less than {SHORTEST_KEY} characters: use `openssl rand -hex 32`"
        )
    return keys


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _choice(env: Mapping[str, str], name: str) -> str:
    """The first choice is the default."""
    choices = CHOICES[name]
    value = _input(env, name) or choices[0]
    if value not in choices:
        raise Mistake(f"input `{name}` is {value[:40]!r}: give one of {', '.join(choices)}")
    return value


def _version(env: Mapping[str, str]) -> int | None:
    value = _input(env, "version")
    if value and not (value.isascii() and value.isdecimal()):
        raise Mistake(f"input `version` is {value[:40]!r}: give a whole number")
    return int(value[:9]) if value else None


def _minutes(env: Mapping[str, str]) -> float:
    value = _input(env, "wait-minutes") or str(WAIT_MINUTES)
    if not (_is_count(value) and int(value) <= MOST_MINUTES):
        raise Mistake(f"input `wait-minutes` is {value[:40]!r}: give a whole number up to {MOST_MINUTES}")
    return float(value)


def _shard(env: Mapping[str, str]) -> tuple[int, int]:
    value = _input(env, "shard") or "1/1"
    nth, _, of = value.partition("/")
    if not (_is_count(nth) and _is_count(of) and 1 <= int(nth) <= int(of) <= SHARDS):
        raise Mistake(f"input `shard` is {value[:40]!r}: give one such as 3/8, of up to {SHARDS}")
    return int(nth), int(of)


def _parts(env: Mapping[str, str]) -> tuple[str, ...]:
    parts = tuple(_words(_input(env, "sweep")))
    if wrong := next((part for part in parts if part not in PARTS), ""):
        raise Mistake(f"input `sweep` is {wrong[:40]!r}: give some of {', '.join(PARTS)}, or leave it out for all")
    return parts


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name) or str(default)
    if not _is_count(value):
        raise Mistake(f"{name} is {value[:40]!r}: the runner sets it to a whole number")
    return int(value)


def _is_count(value: str) -> bool:
    """A whole number, of no more digits than any that counts something."""
    return value.isascii() and value.isdecimal() and len(value) <= DIGITS


def _run_url(env: Mapping[str, str]) -> str:
    server, repository, run = (env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _format(env: Mapping[str, str]) -> str:
    """A variable, since it is of use only to whoever reads logs with a program."""
    value = env.get("MATTERMOD_FORMAT") or FORMATS[0]
    if value not in FORMATS:
        raise Mistake(f"MATTERMOD_FORMAT is {value[:40]!r}: give one of {', '.join(FORMATS)}")
    return value


def _is_trial(api_url: str) -> bool:
    try:
        return urlsplit(api_url).hostname in LOOPBACK
    except ValueError:
        raise Mistake("GITHUB_API_URL is not an address: the runner sets it") from None


def _clock_offset(env: Mapping[str, str], api_url: str) -> timedelta:
    """Seconds that the clock is ahead, for trials: honoured only when GitHub itself is on loopback.

    With MATTERMOD_CLOCK_SKIPS=true waiting takes no time, which is right for one run at a time only. By MATTERMOD_PACE
    all deadlines of answers are multiplied.
    """
    value = env.get("MATTERMOD_CLOCK_OFFSET", "")
    if not value or not _is_trial(api_url):
        return timedelta()
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError) as error:
        raise Mistake(f"MATTERMOD_CLOCK_OFFSET is {value[:40]!r}: give a number of seconds") from error
