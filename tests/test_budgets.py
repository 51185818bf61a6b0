"""What each event may cost in calls of GitHub's API, with every feature switched on, on both stores.

The cases, and where their budgets come from, are those of `make bench ONLY=events`. Red when the subject is read on a
first attempt, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.events import CASES, Case, count, trials
from mattermod_action.config import load
from mattermod_action.features import FEATURES
from sandbox import payloads
from tests.test_golden import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.everything import Trial


@pytest.fixture(scope="module")
def stores() -> Iterator[list[Trial]]:
    with trials() as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_within_its_budget(stores: list[Trial], case: Case) -> None:
    """MM-16, R-04: and delivered again it writes nothing and costs no more."""
    assert [problem for trial in stores for problem in count(case, trial).problems] == []


IGNORED = [
    (event, action)
    for event, actions in GOLDEN.items()
    for action in actions
    if actions[action] is None and event != "issue_comment"
]


@pytest.mark.parametrize(("event", "action"), IGNORED)
def test_what_is_ignored_costs_nothing(stores: list[Trial], event: str, action: str) -> None:
    for trial in stores:
        github = trial.github
        payload = payloads.about(github.state, github.repository, github.pull, action, "maintainer")
        if event != "pull_request":
            payload["issue"] = payload.pop("pull_request")
        done = trial.run(payload, event)
        assert (done.code, done.calls) == (0, []), done.log


def test_each_event_of_the_golden_table_is_counted() -> None:
    golden = {(event, action) for event, actions in GOLDEN.items() for action in actions}
    assert golden - set(IGNORED) <= {case.golden for case in CASES}


def test_every_feature_is_switched_on(stores: list[Trial]) -> None:
    """A new feature adds its section to sandbox/scenarios/everything.yml."""
    github = stores[0].github
    repository = github.state.repository(github.repository)
    assert repository
    files = repository.commits[repository.branches["main"]]
    config = load(files[".github/mattermod.yml"].decode(), "everything.yml").config
    assert [name for name in FEATURES if getattr(config, name) is None] == []
