"""Which repositories a sweep looks at, in which order, where it stops and goes on, and what it leaves alone."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action import inputs
from mattermod_action.config import load
from mattermod_action.events import Repository
from mattermod_action.report import Report
from mattermod_action.running import Run
from mattermod_action.sweeping import LEFT, NO_CONFIG, UNLISTED, Scope, Sweep
from mattermod_action.world import World
from sandbox import payloads
from sandbox.faults import Fault
from tests.scene import run
from tests.sweeps import CENTRAL, CONFIG, DEV, FILE, HELP, QA, SKIPS, Organisation, organisation, query

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.sweeps import Tally
    from sandbox import Sandbox

pytestmark = pytest.mark.everywhere(
    "test_mm52_what_stops_is_gone_on_with_and_nobody_starves", "test_what_is_not_swept_and_why"
)
TABLES = ("PullRequests", "Issues", "mm_ledger", "mm_sweeps", "mm_leases", "mm_lists")
BROKEN = "label_messages:\n  pull_request: []\n"


@pytest.fixture
def org(github: Sandbox, database: Database, tmp_path: Path) -> Organisation:
    return organisation(github, database, tmp_path)


def central(org: Organisation, *patterns: str) -> None:
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    org.github.state.write_files(org.github.repository, {FILE: f"sweep: {{repositories: [{listed}]}}\n{CONFIG}"})


def outcomes(run: Any) -> dict[str, str]:
    return dict(re.findall(r"^sweep: ([\w.-]+/[\w.-]+): (.*)$", run.log, re.MULTILINE))


def within(org: Organisation, **limits: Any) -> list[Tally]:
    """Sweep in this process; the first page takes 50 seconds."""
    org.github.state.faults.clear()
    org.github.state.faults.add(Fault("secondary-limit", "POST", "/graphql", occurrence=2, retry_after="50"))
    given = inputs.read(org.bot.environment("schedule", {}) | SKIPS | org.later())
    world = World(given, org.database)
    scope = Scope(patterns=("octo-org/service-*",), **limits)
    sweep = Sweep(world, scope, lambda config: Run(config, world, Report()))
    with contextlib.closing(world):
        for _, act in sweep.go(Repository(0, "octo-org", "hello"), load(CENTRAL, FILE).config):
            act()
    return sweep.tallies


@given(st.text(min_size=1), st.integers(1, inputs.SHARDS))
def test_every_repository_is_in_exactly_one_shard(name: str, of: int) -> None:
    """Whatever its name is, and in whatever case it is written."""
    for each in (name, name.casefold()):
        mine = [nth for nth in range(1, of + 1) if Scope(shard=(nth, of)).is_mine(f"octo-org/{each}")]
        assert len(mine) == 1
    assert Scope(shard=(mine[0], of)).is_mine(f"OCTO-ORG/{name}")


def test_what_is_not_swept_and_why(org: Organisation) -> None:
    """A broken configuration is one line of its own; the others are swept all the same."""
    place = org.add("service", 1, 0)
    bare, wrong = org.add("bare", 1, 0, config=""), org.add("broken", 1, 0, config=BROKEN)
    old = org.add("old", 1, 0)
    org.github.state.repository(old).archived = True  # type: ignore[union-attr]  # it is there
    org.sweep(code=2)
    org.label(*next(iter(org.wanted)))
    done = org.sweep(code=2)
    assert outcomes(done) == {
        org.github.repository: "done", place: "done, 1 looked at, 1 changed", bare: NO_CONFIG, wrong: "failed",
    }  # fmt: skip
    mistakes = [line for line in done.log.splitlines() if line.startswith(f"{wrong}: ")]
    assert len(mistakes) == 1
    assert re.fullmatch(rf"{wrong}: {re.escape(FILE)}:2: .+", mistakes[0])
    org.assert_wanted()


@pytest.mark.parametrize(("times", "outcome"), [(3, "done, 1 looked at, 1 changed"), (4, "failed")])
def test_mm07_a_list_that_fails_is_tried_again_but_not_for_ever(org: Organisation, times: int, outcome: str) -> None:
    """MM-07: then comes the next repository, the run is red, and the next sweep finds what was in the list."""
    first, second = org.add("service-1", 1, 0), org.add("service-2", 1, 0)
    org.sweep()
    for item in org.wanted:
        org.label(*item)
    before = len(org.github.requests)
    # After the configuration, the names of the owner's repositories, and the page of this one.
    org.github.state.faults.add(Fault("status", "POST", "/graphql", occurrence=4, status=502, times=times))
    done = org.sweep(code=3 if outcome == "failed" else 0)
    assert [outcomes(done)[place] for place in (first, second)] == [outcome, "done, 1 looked at, 1 changed"]
    assert [each.path for each in org.github.requests[before:]].count("/graphql") <= 4 + 4
    org.sweep()
    org.assert_answered()


def test_an_archived_repository_of_its_own_is_left_alone(org: Organisation) -> None:
    """The list has none that is archived; this repository is swept without a list."""
    org.github.state.write_files(org.github.repository, {FILE: CONFIG})
    org.github.state.repository(org.github.repository).archived = True  # type: ignore[union-attr]  # it is there
    done = org.sweep()
    assert outcomes(done) == {org.github.repository: "is archived"}


@pytest.mark.parametrize("name", ["octo-org/new-name", "OCTO-ORG/new"])
def test_mm63_a_renamed_repository_takes_its_rows_along(org: Organisation, name: str) -> None:
    """MM-63: nothing of it is new because of its name; what is named by the old one is said, and asked for no more."""
    central(org, "octo-org/service", "octo-org/new*")
    place = org.add("service", 2, 2)
    for _, number in list(org.wanted):
        org.github.state.add_labels(place, number, [DEV, HELP], "maintainer")
    org.sweep()
    org.github.state.write_files(place, {FILE: CONFIG.replace("Look", "Look now").replace("Dev", "DEV")})
    org.github.state.rename(place, name)
    org.wanted = {(name, number): [] for _, number in org.wanted}
    done = org.sweep()
    assert outcomes(done)["octo-org/service"] == UNLISTED
    assert outcomes(done)[name] == "done, 4 looked at, 0 changed"
    first, *_ = org.wanted
    org.label(name, first[1], QA)
    org.sweep()
    org.assert_answered()
    assert query(org.database, "SELECT COUNT(*) FROM PullRequests WHERE RepoName = 'service'") == [(0,)]


def test_mm63_a_repository_that_went_to_another_owner_is_said(org: Organisation) -> None:
    central(org, "octo-org/service", "octo-org/hello")
    place = org.add("service", 1, 0)
    org.sweep()
    org.github.state.rename(place, "elsewhere/service")
    before = len(org.github.requests)
    assert outcomes(org.sweep()) == {place: UNLISTED, org.github.repository: "done"}
    assert len(org.github.requests) - before == 3  # the configuration, the list, and a page of our own


@pytest.mark.parametrize("gone", [410, 404])
def test_mm63_a_deleted_item_is_asked_after_once(org: Organisation, gone: int) -> None:
    """MM-63: its row is retired."""
    place = org.add("service", 0, 2)
    org.sweep()
    _, number = org.wanted.popitem()[0]
    org.github.state.delete(place, number)
    if gone == 404:
        org.github.state.repository(place).gone.pop(number, None)  # type: ignore[union-attr]  # it is there
    for count in (1, 0, 0):
        before = len(org.github.requests)
        org.sweep()
        asked = [each.status for each in org.github.requests[before:] if each.path.endswith(f"/issues/{number}")]
        assert asked == [gone] * count
    assert query(org.database, f"SELECT State FROM Issues WHERE Number = {number:d}") == [("closed",)]


@pytest.mark.parametrize("limits", [{"lasts": timedelta(seconds=30)}, {"reserve": 10**9}], ids=["time", "points"])
def test_mm52_what_stops_is_gone_on_with_and_nobody_starves(org: Organisation, limits: dict[str, Any]) -> None:
    """MM-52: one page each time, and whoever had no turn for longest comes first."""
    org.add("service-0", 250, 0)
    org.add("service-1", 0, 110)
    swept = [within(org, **limits) for _ in range(5)]
    looked_at = [{each.repository[-1]: each.looked_at for each in tallies if each.looked_at} for tallies in swept]
    if "reserve" in limits and not org.github.state.variant.limits:  # there is nothing to keep back
        assert looked_at[0] == {"0": 250, "1": 110}
        return
    assert looked_at == [{"0": 100}, {"1": 100}, {"0": 100}, {"1": 10}, {"0": 50}]
    assert [tallies[-1].outcome for tallies in swept[:4]] == [LEFT] * 4
    assert query(org.database, "SELECT COUNT(*) FROM mm_sweeps WHERE completed_at IS NOT NULL") == [(2,)]
    assert [each.repository for each in within(org)] == ["octo-org/service-1", "octo-org/service-0"]


def test_the_input_names_parts(org: Organisation) -> None:
    """What was missed waits for a sweep that looks for it."""
    place = org.add("service", 1, 0)
    org.sweep()
    org.label(*next(iter(org.wanted)))
    org.sweep(INPUT_SWEEP="resume, stale")
    assert org.bodies(*next(iter(org.wanted))) == []
    org.sweep(INPUT_SWEEP="missed")
    org.assert_answered()
    wrong = org.sweep(code=2, INPUT_SWEEP="missed,unheard-of")
    assert [line for line in wrong.log.splitlines() if line.startswith("input `sweep` is 'unheard-of'")]
    assert len(wrong.log.splitlines()) == 1, place


def test_a_dry_run_writes_nothing_anywhere(org: Organisation) -> None:
    def held() -> list[Any]:
        return [query(org.database, f"SELECT * FROM {table}") for table in TABLES]  # a constant

    org.add("service", 2, 2)
    org.sweep()
    for item in org.wanted:
        org.label(*item)
    before, writes = held(), len(org.github.writes)
    org.bot.inputs["dry-run"] = "true"
    org.sweep()
    assert (held(), len(org.github.writes)) == (before, writes)
    org.bot.inputs.clear()
    org.sweep()
    org.assert_answered()


@pytest.mark.parametrize("backfill", [False, True])
def test_first_sight(org: Organisation, backfill: bool) -> None:  # noqa: FBT001  # pytest passes it
    """What was there is answered with `backfill`; without, neither then nor by a later event about something else."""
    place = org.github.repository
    org.github.state.write_files(place, {FILE: f"backfill: {str(backfill).lower()}\n{CONFIG}"})
    pull = org.add_pull(place)
    issue = org.github.state.add_issue(place, "Old", "reporter").number
    org.wanted[place, issue] = []
    for number, label in ((pull, DEV), (issue, HELP)):
        if backfill:
            org.label(place, number, label)
        else:
            org.github.state.add_labels(place, number, [label], "maintainer")
    org.sweep()
    org.assert_wanted()
    rows = query(org.database, "SELECT state FROM mm_ledger ORDER BY number")
    assert rows == [("confirmed" if backfill else "baseline",)] * 2
    run(org.bot, payloads.labeled(org.github.state, place, pull, QA, "maintainer"), **org.later())
    org.wanted[place, pull].append("Test")
    run(org.bot, payloads.edited(org.github.state, place, issue), **org.later())
    org.assert_answered()


def test_first_sight_a_label_during_the_sweep_is_answered_by_its_event(org: Organisation) -> None:
    """The page has it already, but it was put on after the sweep had begun."""
    place = org.github.repository
    org.github.state.write_files(place, {FILE: CONFIG})
    pull = org.add_pull(place)
    event = payloads.labeled(org.github.state, place, pull, DEV, "maintainer")
    org.sweep(MATTERMOD_CLOCK_OFFSET="-3600")
    assert org.bodies(place, pull) == []
    run(org.bot, event)
    assert org.bodies(place, pull) == ["Look"]
