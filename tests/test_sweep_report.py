"""What a sweep says of itself: in the step summary, and as figures in JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action import sweep_report
from mattermod_action.adapters.github import PyGithubGitHub
from mattermod_action.adapters.mysql import MySQLStore
from mattermod_action.events import Repository
from mattermod_action.figures import Calls, Figures, handler
from mattermod_action.picks import Standing
from mattermod_action.sweeping import ARCHIVED, DONE, FAILED, HELD, LEFT
from mattermod_action.sweeps import Tally
from mattermod_action.world import RealClock
from sandbox import payloads
from sandbox.faults import Fault

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Bot, Run

NOW = datetime(2026, 1, 2, 12)  # noqa: DTZ001  # naive UTC, as everywhere
HOSTILE = ("a/b|c", "a/`<img>", "::error::x", "@octo-org/core", "a/[x](y)", "a/b\n| c |")
CONFIG = 'label_messages: {pull_requests: [{label: "2: Dev Review", message: "Look"}]}\n'
on_mysql = pytest.mark.parametrize("bot", ["mysql"], indirect=True)


def figures(run: Run) -> dict[str, Any]:
    """The last line of the log."""
    found: dict[str, Any] = json.loads(run.log.splitlines()[-1])
    return found


def sweep(bot: Bot, **variables: str) -> Run:
    skips = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_FORMAT": "json"}
    return bot.run("schedule", {}, **skips, **variables)


def tally(name: str, outcome: str = DONE, **more: Any) -> Tally:
    return Tally(name, outcome=outcome, **more)


def test_a_few_repositories_have_a_line_each() -> None:
    swept = tally("o/a", looked_at=5, points=2, seconds=1.25, rest=3, queries=1, last=NOW - timedelta(hours=25))
    calls = Calls(left={"core": (4000, 5000), "graphql": (4990, 5000)})
    text = sweep_report.summary([swept, tally("o/b", HELD)], calls, NOW)
    assert "| `o/a` | `done` | 5 | 0 | 0 | 3 | 1 | 2 | 1.2 s | 1 d 1 h ago |\n" in text
    assert "| `o/b` | `another sweep is at it` |" in text
    assert "2 points, with 4000 of 5000 core and 4990 of 5000 graphql left of the hour's." in text


def test_of_hundreds_only_those_with_something_to_say_have_one() -> None:
    quiet = [tally(f"o/{number}", looked_at=7) for number in range(300)]
    loud = [tally("o/new", changed=1), tally("o/red", FAILED), tally("o/old", ARCHIVED)]
    left = [tally(f"o/left-{number}", LEFT, last=NOW - timedelta(minutes=61)) for number in range(2)]
    text = sweep_report.summary([*quiet, *loud, *left], Calls(), NOW)
    assert text.count("\n| `o/") == 3
    assert "\n300 other repositories had nothing new (2100 items looked at).\n" in text
    assert "\nLeft to the next sweep: `o/left-0` (1 h 1 min ago), `o/left-1` (1 h 1 min ago)\n" in text


def test_a_summary_of_ten_thousand_repositories_is_no_longer_than_it_may_be() -> None:
    """GitHub's limit is 1 MiB for a step."""
    changed = [tally("o/" + "n" * 98, FAILED) for _ in range(10_000)]
    left = [tally("o/" + "n" * 98, LEFT) for _ in range(10_000)]
    text = sweep_report.summary([*changed, *left], Calls(), NOW)
    assert len(text) < 200_000
    assert "\n9800 more are not shown.\n" in text
    assert " and 9500 more\n" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_s21_no_name_breaks_a_table(name: str) -> None:
    standing = Standing(name, asked=4, opened=2, merged=1, under_way=1, missing=1)
    shown = [sweep_report.summary([tally(name)], Calls(), NOW), sweep_report.picks(name, [standing])]
    for text in shown:
        [line] = [line for line in text.splitlines() if line.startswith("| `")]
        columns = line.split(" | ")
        assert len(columns) in (10, 6)
        assert columns[0].startswith("| `")
        assert columns[0].endswith("`")
        assert not set(columns[0][3:-1]) & {"`", "|"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/graphql", "/graphql"),
        ("/repos/merge/labels/issues/7/labels/S3cret", "/repos/*/*/issues/*/labels/*"),
        ("/repos/o/n/collaborators/ghp_x/permission?q=secret", "/repos/*/*/collaborators/*/permission"),
        ("/repos/o/n/contents/.github/mattermod.yml", "/repos/*/*/contents/*/*"),
    ],
)
def test_s05_a_handler_has_no_name_in_it(path: str, shown: str) -> None:
    assert handler(path) == shown


def test_a_sweep_has_its_figures() -> None:
    calls = Calls()
    calls.note("GET", "/repos/o/n/pulls/7", "2xx", 0.25)
    calls.note("GET", "/repos/o/n/pulls/8", "2xx", 0.5)
    calls.note("POST", "/graphql", "errors", 1.0)
    made = Figures(event="schedule", failed=True, seconds=2.0, waited=0.0, calls=calls, tallies=[tally("o/a")])
    told = made.as_json()
    assert (calls.rest, calls.queries) == (2, 1)
    assert told["mattermod_cron_errors"] == {"sweep": 1}
    assert told["mattermod_github_requests"][0] == {
        "method": "GET", "handler": "/repos/*/*/pulls/*", "status_code": "2xx", "count": 2, "duration_seconds": 0.75,
    }  # fmt: skip
    assert told["sweep"][0]["repository"] == "o/a"


@on_mysql
def test_a_sweep_says_what_it_did_and_what_that_took(bot: Bot, github: Sandbox) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    sweep(bot)
    payloads.opened_pull(github.state, github.repository, "New", ["2: Dev Review"], "newcomer")
    before = len(github.requests)
    done = sweep(bot, MATTERMOD_CLOCK_OFFSET="3700")
    told, asked = figures(done), len(github.requests) - before
    assert sum(each["count"] for each in told["mattermod_github_requests"]) == asked
    [mine] = told["sweep"]
    assert (mine["changed"], mine["rest"], mine["queries"]) == (1, 1, 1)
    assert mine["last_complete"]
    assert "| `octo-org/hello` | `done` |" in done.summary
    assert "1 h 1 min ago |" in done.summary
    assert told["mattermod_cron_errors"] == {"sweep": 0}
    assert set(told["mattermod_github_left"]) == {"core", "graphql"}


@on_mysql
def test_an_event_has_its_figures_and_no_secret(bot: Bot, github: Sandbox) -> None:
    """S-05: neither a token nor the database's password; a limit and its wait are counted."""
    event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    github.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="7"))
    skips = {"MATTERMOD_FORMAT": "json", "MATTERMOD_CLOCK_SKIPS": "true"}
    done = bot.run("pull_request_target", event, **skips)
    told = figures(done)
    assert told["mattermod_webhook_requests"] == {"pull_request_target": 1}
    assert told["mattermod_webhook_errors"] == {"pull_request_target": 0}
    assert told["mattermod_github_rate_limiter_errors"] == 1
    assert told["mattermod_github_waiting_seconds"] >= 7
    assert bot.token not in done.log.splitlines()[-1]
    assert "sweep" not in told


@on_mysql
def test_an_event_that_is_not_ours_has_figures_too(bot: Bot) -> None:
    told = figures(bot.run("watch", {"action": "started"}, MATTERMOD_FORMAT="json"))
    assert told["mattermod_webhook_requests"] == {"watch": 1}
    assert bot.run("watch", {}, MATTERMOD_FORMAT="xml").code == 2


@on_mysql
def test_picks_have_a_table_by_branch(bot: Bot, github: Sandbox, database: Database) -> None:
    """At one statement, and no request."""
    github.state.write_files(github.repository, {".github/mattermod.yml": f"{CONFIG}cherry_pick: {{}}\n"})
    store = MySQLStore(database, RealClock())
    found = github.state.repository(github.repository)
    owner, name = github.repository.split("/")
    here = Repository(found.id if found else 0, owner, name)
    pull = PyGithubGitHub(github.url, github.token, (), RealClock(), Calls()).pull(here, github.pull)
    assert pull
    for number in (90, 91):
        of = replace(pull, number=number)
        store.ask_picks(of, ["release-1|x", "release-2"][: number - 89], "maintainer")
        for row in store.picks(of):
            changes = {"pull_number": 200} if number == 90 else {}
            assert store.move_pick(row, "finished" if changes else "conflict", 1, changes)
            store.tell_pick(row, 1, 3600.0)
    store.remember(replace(pull, number=200, state="closed", merged=True))
    store.close()
    summary = sweep(bot).summary
    assert "**Cherry-picks of `octo-org/hello`**" in summary
    assert "| `release-1\u2502x` | 2 | 1 | 1 | 0 | 1 |\n| `release-2` | 1 | 0 | 0 | 0 | 1 |\n" in summary


def test_a_test_server_has_its_age_and_its_end() -> None:
    row: Any = SimpleNamespace(
        number=7, state="ready", read_at=NOW, created_at=NOW - timedelta(hours=3), expires_at=NOW + timedelta(days=2)
    )
    over: Any = SimpleNamespace(number=8, state="dns", read_at=NOW, created_at=NOW, expires_at=NOW)
    text = sweep_report.servers("o/n", [row, over])
    assert text.endswith("| #7 | `ready` | 3 h 0 min | in 2 d 0 h |\n| #8 | `dns` | 0 min | now |\n")
