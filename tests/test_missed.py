"""What happened while nobody listened: found by a sweep, answered once, and nothing that was there before."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.mysql import connect
from sandbox import payloads
from tests import servers
from tests.cut import Cut, Proxy, http_request, mysql_packet
from tests.scene import bodies, run, statuses
from tests.test_faults import address

if TYPE_CHECKING:
    from collections.abc import Callable

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.state import State
    from tests.harness import Bot, Run

DEV, QA, HELP, BLOCK = "2: Dev Review", "3: QA Review", "Help Wanted", "Do Not Merge"
CONFIG = """
label_messages:
  pull_requests:
    - {label: "2: Dev Review", message: "Look"}
    - {label: "3: QA Review", message: "Test"}
    - {label: "3: QA Review", message: "No test", when: unlabeled}
  issues: [{label: "Help Wanted", message: "Say so"}]
welcome: {message: "Hello @USERNAME"}
block_merge: {labels: ["Do Not Merge"]}
label_cleanup: {labels: ["2: Dev Review"]}
"""
DRY: Any = {"INPUT_DRY-RUN": "true"}
SIZES = (0, 1, 49, 50, 51, 99, 100, 101, 1_000)
pytestmark = [
    pytest.mark.everywhere(
        "test_the_first_sweep_answers_nothing_and_the_next_what_is_new",
        "test_150_pulls_and_500_issues_take_five_requests",
    ),
    pytest.mark.parametrize("bot", ["mysql"], indirect=True),
]


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    github.state.tokens["github-token"].permissions |= {"statuses": "write"}


def sweep(bot: Bot, minutes: int = 0, **variables: str) -> Run:
    clock = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": str(60 * minutes)}
    done = bot.run("schedule", {}, **clock, **variables)
    assert "Traceback" not in done.log, done.log
    assert done.code == 0, done.log
    return done


def query(database: Database, sql: str) -> list[Any]:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def opened(github: Sandbox, *labels: str, author: str = "newcomer") -> int:
    event = payloads.opened_pull(github.state, github.repository, "New", labels, author)
    return int(event["number"])


def pulls(github: Sandbox, count: int) -> list[int]:
    """So many are open, and no other item."""
    repository = github.state.repository(github.repository)
    assert repository
    github.state.tokens["github-token"].limit = 1_000_000
    for number in list(repository.items):
        github.state.change_item(github.repository, number, {"state": "closed"})
    return [github.state.add_pull(github.repository, f"{nth}", "reviewer").number for nth in range(count)]


def label(github: Sandbox, number: int, name: str) -> None:
    payloads.labeled(github.state, github.repository, number, name, "maintainer")


def test_the_first_sweep_answers_nothing_and_the_next_what_is_new(bot: Bot, github: Sandbox) -> None:
    old = opened(github, DEV)
    sweep(bot)
    assert (bodies(github, old), statuses(github, old)) == ([], {})
    label(github, old, QA)
    new = opened(github, DEV)
    issue = payloads.opened_issue(github.state, github.repository, "New", [HELP], "reporter")["issue"]["number"]
    sweep(bot, 15)
    assert (bodies(github, old), bodies(github, new), bodies(github, issue)) == (
        ["Test"], ["Look", "Hello @newcomer"], ["Say so"],
    )  # fmt: skip
    writes = len(github.writes)
    sweep(bot, 30)
    assert len(github.writes) == writes


def test_with_backfill_what_was_there_is_answered(bot: Bot, github: Sandbox) -> None:
    old = opened(github, DEV)
    github.state.write_files(github.repository, {".github/mattermod.yml": f"backfill: true\n{CONFIG}"})
    sweep(bot)
    assert "Look" in bodies(github, old)


def test_a_label_that_went_and_a_pull_request_that_was_closed(bot: Bot, github: Sandbox) -> None:
    first, second = opened(github, QA, BLOCK), opened(github, DEV)
    sweep(bot)
    payloads.unlabeled(github.state, github.repository, first, QA, "maintainer")
    payloads.closed(github.state, github.repository, second, "maintainer")
    sweep(bot, 15)
    assert bodies(github, first) == ["No test"]
    assert statuses(github, first)["merge/blocked"][0] == "pending"
    assert [each.name for each in github.state.pull(github.repository, second).labels] == []
    writes = len(github.writes)
    sweep(bot, 30)
    assert len(github.writes) == writes


def test_what_an_event_has_answered_a_sweep_does_not(bot: Bot, github: Sandbox) -> None:
    sweep(bot)
    event = payloads.opened_pull(github.state, github.repository, "New", [DEV], "newcomer")
    run(bot, event)
    writes = len(github.writes)
    sweep(bot, 15)
    assert len(github.writes) == writes
    assert bodies(github, event["number"]) == ["Look", "Hello @newcomer"]


@pytest.mark.parametrize("count", [*SIZES, pytest.param(10_000, marks=pytest.mark.soak)])
def test_mm06_f11_all_of_them_are_visited(bot: Bot, github: Sandbox, database: Database, count: int) -> None:
    """N of N, and each answered once, of 1,000 and more those at the ends of pages; a second sweep writes nothing."""
    numbers = pulls(github, count)
    sweep(bot)
    assert query(database, "SELECT COUNT(*) FROM PullRequests") == [(count,)]
    labeled = [number for nth, number in enumerate(numbers) if count < 1_000 or nth % 100 in (0, 99)]
    for number in labeled:
        github.state.add_labels(github.repository, number, [DEV], "maintainer")
    sweep(bot, 15)
    assert {number for number in numbers if bodies(github, number)} == set(labeled)
    assert all(bodies(github, number) == ["Look"] for number in labeled)
    writes = len(github.writes)
    sweep(bot, 30)
    assert len(github.writes) == writes


def between_pages(bot: Bot, github: Sandbox, act: Callable[[], None]) -> None:
    """Sweep; before the second page is asked for, `act` changes the list."""

    def change() -> bytes:
        act()
        return b""

    with contextlib.closing(Proxy(address(github.url), http_request, Cut(3, act=change))) as proxy:
        sweep(bot.behind(proxy.port), 15)


@pytest.mark.parametrize("nth", [99, 100, *(pytest.param(each, marks=pytest.mark.soak) for each in (0, 50, 149))])
@pytest.mark.parametrize("change", ["close", "relabel"])  # no pull request can be deleted
def test_f11_the_list_changes_between_two_pages(bot: Bot, github: Sandbox, change: str, nth: int) -> None:
    """F11: at either end of a page or in it: none is missed, none comes twice, and what was opened is answered."""
    numbers, place = pulls(github, 150), github.repository
    sweep(bot)
    labeled = [numbers[at] for at in (0, 50, 98, 99, 100, 101, 149)]
    for number in labeled:
        github.state.add_labels(place, number, [DEV], "maintainer")
    new: list[int] = []

    def act() -> None:
        new.append(opened(github, DEV, author="reviewer"))
        if change == "relabel":
            github.state.add_labels(place, numbers[nth], [QA], "maintainer")
        else:
            github.state.change_item(place, numbers[nth], {"state": "closed"})

    between_pages(bot, github, act)
    sweep(bot, 30)
    left = [*labeled, *new]
    changed = {numbers[nth]: ["Look", "Test"]} if change == "relabel" else {}
    assert {number: bodies(github, number) for number in left} == {number: ["Look"] for number in left} | changed
    writes = len(github.writes)
    sweep(bot, 45)
    assert len(github.writes) == writes


def reopened(state: State, place: str, number: int) -> dict[str, Any]:
    state.change_item(place, number, {"state": "open"})
    return payloads.about(state, place, number, "reopened", "maintainer")


HAPPENS: dict[str, Callable[..., dict[str, Any]]] = {
    "labeled": lambda name, state, *at: payloads.labeled(state, at[0], at[1], name, "maintainer"),
    "unlabeled": lambda name, state, *at: payloads.unlabeled(state, at[0], at[1], name, "maintainer"),
    "synchronize": lambda _name, *at: payloads.synchronize(*at),
    "closed": lambda _name, *at: payloads.closed(*at),
    "reopened": lambda _name, *at: reopened(*at),
}


@pytest.mark.parametrize(
    "seed", [pytest.param(each, marks=() if each in (7, 18, 30) else pytest.mark.soak) for each in range(60)]
)
def test_f04_whatever_of_it_was_heard_in_whatever_order(bot: Bot, github: Sandbox, seed: int) -> None:
    """F04: any of the events, in any order, and then a sweep: what stands there follows from what is there.

    What is heard of first is the opening: from any other event one cannot tell how old the item's labels are.
    """
    chance = random.Random(seed)  # noqa: S311  # replayable, not secret
    sweep(bot)
    events = [payloads.opened_pull(github.state, github.repository, "New", [], "reviewer")]
    at = (github.state, github.repository, int(events[0]["number"]))
    happens = (*chance.choices(list(HAPPENS), k=6), "reopened")
    events += [HAPPENS[what](chance.choice([DEV, QA, BLOCK]), *at) for what in happens]
    heard = chance.sample(events[1:], chance.randint(0, len(events) - 1))
    for event in (*events[:1], *heard) if heard else ():
        run(bot, event)
    sweep(bot, 15)
    said, carried = bodies(github, at[2]), {each.name for each in github.state.pull(*at[1:]).labels}
    assert len(said) == len(set(said))
    assert {text for name, text in ((DEV, "Look"), (QA, "Test")) if name in carried} <= set(said)
    blocked = statuses(github, at[2]).get("merge/blocked", ("success",))[0]
    assert blocked == ("pending" if BLOCK in carried else "success")
    writes = len(github.writes)
    sweep(bot, 30)
    assert len(github.writes) == writes


def test_mm64_a_newer_row_is_not_overwritten(bot: Bot, github: Sandbox, database: Database) -> None:
    """MM-64: an event comes between the page and what is written of it."""
    number = opened(github)
    sweep(bot)
    label(github, number, DEV)
    cut = Cut(1, times=1_000)

    def act() -> bytes:
        if cut.names[-1].startswith("INSERT INTO PullRequests") and cut.times:
            cut.times = 0
            time.sleep(1.1)  # GitHub's times are whole seconds
            run(bot, payloads.labeled(github.state, github.repository, number, QA, "maintainer"))
        return b""

    cut.act = act
    with contextlib.closing(Proxy((database.host, database.port), mysql_packet, cut)) as proxy:
        wired = dataclasses.replace(bot, database_url=servers.url(dataclasses.replace(database, port=proxy.port)))
        sweep(wired, 15)
    assert cut.times == 0
    labels = query(database, f"SELECT Labels FROM PullRequests WHERE Number = {number:d}")
    assert json.loads(labels[0][0]) == [DEV, QA]
    assert sorted(bodies(github, number)) == ["Look", "Test"]


@pytest.mark.soak
def test_memory_does_not_grow_with_the_number_of_items(bot: Bot, github: Sandbox, mysql_server: servers.Server) -> None:
    """Of 10,000 items it takes a few megabytes more than of two pages, at first sight and when labels were missed."""
    stores = [servers.url(mysql_server.migrated()) for _ in range(2)]
    few, many = (
        peak_of(dataclasses.replace(bot, database_url=store), github, count)
        for store, count in zip(stores, (200, 10_000), strict=True)
    )
    print(f"{few} and {many} KB")  # noqa: T201  # what -s shows
    assert many - few < 8_000


def peak_of(bot: Bot, github: Sandbox, count: int) -> int:
    """Some more are labelled between two sweeps, as many of each number of them."""
    numbers = pulls(github, count)
    for number in numbers:
        github.state.add_labels(github.repository, number, [DEV], "maintainer")
    first = peak(bot, count)
    for number in numbers[:: count // 20]:
        github.state.add_labels(github.repository, number, [QA], "maintainer")
    return max(first, peak(bot, count + 1))


def peak(bot: Bot, hours: int) -> int:
    """Sweep, and return the most memory that it took, in KB. What it had before it began is not its own."""
    process = bot.start("schedule", {}, MATTERMOD_CLOCK_OFFSET=str(3_600 * hours))
    most = 0
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError):  # it has ended just now
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = int(status.split("VmHWM:")[1].split()[0])
        time.sleep(0.01)
    assert bot.finish(process).code == 0
    return most


def test_150_pulls_and_500_issues_take_five_requests(bot: Bot, github: Sandbox) -> None:
    for nth in range(150):
        github.state.add_pull(github.repository, f"{nth}", "reviewer")
    for nth in range(500):
        github.state.add_issue(github.repository, f"{nth}", "reporter")
    sweep(bot)
    before = len(github.requests)
    sweep(bot, 15)
    asked = [f"{each.method} {each.path}" for each in github.requests[before:]]
    assert len(asked) <= 9, asked


def test_parts_of_a_sweep_do_not_use_up_the_first(bot: Bot, github: Sandbox) -> None:
    """One that is not for what was missed notes nothing of what it has seen."""
    old = opened(github, DEV)
    sweep(bot, INPUT_SWEEP="resume")
    sweep(bot, 15)
    assert bodies(github, old) == []
    label(github, old, QA)
    sweep(bot, 30, INPUT_SWEEP="auto-merge")
    sweep(bot, 45)
    assert bodies(github, old) == ["Test"]


@pytest.mark.parametrize("backfill", [False, True])
def test_a_dry_run_shows_what_a_sweep_would_do(
    bot: Bot, github: Sandbox, database: Database, *, backfill: bool
) -> None:
    old = opened(github, DEV)
    config = f"backfill: {str(backfill).lower()}\n{CONFIG}"
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    writes = len(github.writes)
    run = sweep(bot, 0, **DRY)
    assert ("would comment" in run.summary) is backfill, run.summary
    assert (len(github.writes), query(database, "SELECT COUNT(*) FROM mm_sweeps")) == (writes, [(0,)])
    assert query(database, "SELECT COUNT(*) FROM PullRequests") == [(0,)]
    sweep(bot)
    assert ("Look" in bodies(github, old)) is backfill
    label(github, old, QA)
    run = sweep(bot, 15, **DRY)
    assert "would comment" in run.summary, run.log
    sweep(bot, 30)
    assert "Test" in bodies(github, old)
