"""A schedule goes on with what runs left half-way: died, held up by a rate limit, or not asked for any more."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.mysql import connect
from sandbox import payloads
from sandbox.faults import Fault
from tests import servers
from tests.cut import Cut, Proxy, http_request
from tests.harness import Bot
from tests.scene import unmarked
from tests.test_faults import address

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Run

pytestmark = pytest.mark.everywhere(
    "test_a_run_that_died_is_gone_on_with", "test_f08_what_a_rate_limit_held_up_is_parked_and_resumed"
)
DEV, QA, HELP = "2: Dev Review", "3: QA Review", "Help Wanted"
LATER = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": "60"}  # seconds; a lease is 30


@pytest.fixture
def bot(github: Sandbox, database: Database, tmp_path: Path) -> Bot:
    return Bot.of(github, tmp_path, servers.url(database))


def sweep(bot: Bot, **variables: str) -> Run:
    """A schedule's payload is empty under act, and names the repository on GitHub."""
    return bot.run("schedule", {}, **{**LATER, **variables})


def bodies(github: Sandbox, number: int) -> list[str]:
    return [comment.body for comment in github.state.item(github.repository, number).comments]


def ledger(database: Database) -> list[Any]:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT cause, state FROM mm_ledger ORDER BY cause")
        return list(cursor.fetchall())


def die(bot: Bot, github: Sandbox, event: dict[str, Any], phase: str) -> None:
    """Be killed at the request that posts."""
    cut = Cut(2, phase)
    with contextlib.closing(Proxy(address(github.url), http_request, cut)) as proxy:
        wired = bot.behind(proxy.port)
        process = wired.start("pull_request_target" if "pull_request" in event else "issues", event)
        cut.pid = process.pid
        assert wired.finish(process).code == -signal.SIGKILL


def labeled(github: Sandbox, label: str = DEV, number: int = 0) -> dict[str, Any]:
    return payloads.labeled(github.state, github.repository, number or github.pull, label, "maintainer")


@pytest.mark.parametrize("phase", ["before", "during"])
@pytest.mark.parametrize("kind", ["pull", "issue"])
def test_a_run_that_died_is_gone_on_with(bot: Bot, github: Sandbox, database: Database, phase: str, kind: str) -> None:
    number, label = (github.pull, DEV) if kind == "pull" else (github.issue, HELP)
    die(bot, github, labeled(github, label, number), phase)
    assert len(bodies(github, number)) == (phase == "during")
    run = sweep(bot)
    assert run.code == 0, run.log
    assert len(bodies(github, number)) == 1
    assert [state for _, state in ledger(database)] == ["confirmed"]
    assert ("comment posted" if phase == "before" else "found, posted by a run that died") in run.log
    writes, statements = len(github.writes), len(github.requests)
    assert sweep(bot, MATTERMOD_CLOCK_OFFSET="600").code == 0
    assert len(github.writes) == writes
    assert len(github.requests) == statements + 2  # the configuration, and a page of what is open


def test_f08_what_a_rate_limit_held_up_is_parked_and_resumed(bot: Bot, github: Sandbox, database: Database) -> None:
    github.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="3600"))
    run = bot.run("pull_request_target", labeled(github))
    assert run.code == 0, run.log
    assert ledger(database) == [(f"label {DEV.casefold()}", "intent")]
    assert sweep(bot).code == 0
    assert len(bodies(github, github.pull)) == 1
    assert ledger(database) == [(f"label {DEV.casefold()}", "confirmed")]


def test_what_is_still_limited_stays_parked(bot: Bot, github: Sandbox, database: Database) -> None:
    github.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="3600", times=0))
    assert bot.run("pull_request_target", labeled(github)).code == 0
    for _ in range(2):
        assert sweep(bot).code == 0
    assert ledger(database) == [(f"label {DEV.casefold()}", "intent")]


@pytest.mark.parametrize(("phase", "left"), [("before", []), ("during", ["confirmed"])])
def test_what_nothing_asks_for_any_more_is_settled(
    bot: Bot, github: Sandbox, database: Database, phase: str, left: list[str]
) -> None:
    """The label went meanwhile: what was posted is noted as posted, what was not is forgotten, and may come again."""
    die(bot, github, labeled(github), phase)
    github.state.remove_label(github.repository, github.pull, DEV)
    run = sweep(bot)
    assert run.code == 0, run.log
    assert [state for _, state in ledger(database)] == left
    assert len(bodies(github, github.pull)) == len(left)
    assert bot.run("pull_request_target", labeled(github), **LATER).code == 0
    assert len(bodies(github, github.pull)) == 1


def test_an_item_that_is_gone_is_forgotten(bot: Bot, github: Sandbox, database: Database) -> None:
    die(bot, github, labeled(github, HELP, github.issue), "before")
    github.state.delete(github.repository, github.issue)
    assert sweep(bot).code == 0
    assert ledger(database) == []


def test_an_item_that_fails_holds_up_no_other(bot: Bot, github: Sandbox, database: Database) -> None:
    die(bot, github, labeled(github, HELP, github.issue), "before")
    die(bot, github, labeled(github), "before")
    github.state.faults.add(Fault("status", "GET", f"/repos/*/issues/{github.issue}", status=500, times=0))
    run = sweep(bot)
    assert run.code == 3
    assert len(bodies(github, github.pull)) == 1
    github.state.faults.clear()
    assert sweep(bot, MATTERMOD_CLOCK_OFFSET="600").code == 0
    assert len(bodies(github, github.issue)) == 1
    assert {state for _, state in ledger(database)} == {"confirmed"}


def test_what_a_run_holds_is_left_to_it(bot: Bot, github: Sandbox, database: Database) -> None:
    die(bot, github, labeled(github), "before")
    assert bot.run("schedule", {}).code == 0  # its lease still runs
    assert ledger(database) == [(f"label {DEV.casefold()}", "sent")]
    assert bodies(github, github.pull) == []


@pytest.mark.parametrize("number", ["", "1000001"])
def test_only_this_repositorys_rows_are_looked_at(bot: Bot, github: Sandbox, number: str) -> None:
    die(bot, github, labeled(github), "before")
    other = sweep(bot, GITHUB_REPOSITORY="octo-org/other", GITHUB_REPOSITORY_ID="77" if number else "")
    assert other.code in (0, 2)  # it has no configuration
    assert bodies(github, github.pull) == []
    assert sweep(bot, GITHUB_REPOSITORY_ID=number).code == 0
    assert len(bodies(github, github.pull)) == 1


WELCOME = """
welcome: {message: "Hello @USERNAME!"}
greeter: {team: core, labels: [Contributor]}
label_messages:
  pull_requests: [{label: "2: Dev Review", message: Thanks}]
"""


def texts(github: Sandbox, number: int) -> list[str]:
    return [unmarked(body) for body in bodies(github, number)]


def test_what_an_opening_calls_for_is_gone_on_with(bot: Bot, github: Sandbox, database: Database) -> None:
    """A welcome that a rate limit held up is due as it was, though the pull request is not opened again."""
    github.state.tokens["github-token"].permissions["members"] = "read"  # to ask a team for a review
    github.state.write_files(github.repository, {".github/mattermod.yml": WELCOME})
    opened = payloads.opened_pull(github.state, github.repository, "New", [], "newcomer")
    github.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="3600"))
    assert bot.run("pull_request_target", opened).code == 0
    assert texts(github, opened["number"]) == []
    assert sweep(bot).code == 0
    assert texts(github, opened["number"]) == ["Hello @newcomer!"]
    assert {state for _, state in ledger(database)} == {"confirmed"}


def test_a_sweep_opens_nothing(bot: Bot, github: Sandbox, database: Database) -> None:
    """An item that was there before us is not welcomed because something else of it is gone on with."""
    github.state.write_files(github.repository, {".github/mattermod.yml": WELCOME})
    die(bot, github, labeled(github), "before")
    assert sweep(bot).code == 0
    assert texts(github, github.pull) == ["Thanks"]
    assert [label.name for label in github.state.pull(github.repository, github.pull).labels] == [DEV]
    assert len(ledger(database)) == 1
