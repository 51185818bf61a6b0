"""Dying, racing and every bad answer in the life of a test server: one server or none, one row, one name, one comment."""

from __future__ import annotations

import itertools
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cut import PHASES, Cut
from tests.spinmint_trials import COURSES, PLENTY, Chance, wired
from tests.spinmints import Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from tests.harness import Bot

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
SOAK: Any = pytest.mark.soak


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        made.configure(limits=PLENTY)
        yield made


# The least number of requests that the course of a server has on each wire.
LEAST = {
    ("labeled", "http"): 10, ("labeled", "aws"): 6, ("labeled", "jenkins"): 1, ("labeled", "sql"): 30,
    ("relaunched", "http"): 12, ("relaunched", "aws"): 12, ("relaunched", "jenkins"): 1, ("relaunched", "sql"): 45,
    ("unlabeled", "http"): 4, ("unlabeled", "aws"): 5, ("unlabeled", "sql"): 12,
    ("closed", "http"): 4, ("closed", "aws"): 5, ("closed", "sql"): 12,
}  # fmt: skip
CUTS = [
    pytest.param(course, wire, phase, seed, marks=SOAK)
    for course, wire in LEAST
    for phase in PHASES
    for seed in range(5)
]


@pytest.mark.parametrize(("course", "wire", "phase", "seed"), CUTS)
def test_f01_kill_9_at_every_request(servers: Scene, course: str, wire: str, phase: str, seed: int) -> None:
    """F01, I1 to I4, I10: at the k-th request on this wire, for all k; then it is gone on with."""
    for at in itertools.count(1):
        cut = Cut(at, phase)
        with wired(servers, wire, cut) as (bot, variables):
            asked = COURSES[course](servers)
            run = asked.killed(cut, bot, variables)
            if len(cut.names) < at:
                break
            assert run.code == -signal.SIGKILL or phase == "after", run.log  # after its last answer it may end first
            done, way = [*cut.names[:at]], "nothing yet"
            try:
                asked.assert_at_most_once()
                way = Chance(seed, at).go_on(asked)
                asked.assert_settled()
                asked.end()
            except AssertionError as error:
                raise AssertionError(f"{way} after {done}: {error}") from error
    assert run.code == 0, run.log
    assert at > LEAST[course, wire]
