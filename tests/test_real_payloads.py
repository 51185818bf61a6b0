"""Every example of GitHub's own payloads (@octokit/webhooks-examples) goes through `mattermod run` in peace."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import scenario
from tests.harness import Bot
from tests.sandbox.openapi import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parent.parent / (
    ".cache/npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
)
OURS = {"pull_request": 29, "issues": 29, "issue_comment": 9}
# These are events for us, too, but nothing that is configured here depends on them.
OURS_TOO = (
    *("merge_group", "workflow_dispatch", "schedule"),
    *("check_suite", "pull_request_review", "status", "workflow_run"),
)
CONFIG = """
label_messages:
  pull_requests: [{label: bug, message: "Thanks USERNAME."}]
  issues: [{label: bug, message: "Thanks USERNAME."}]
"""


@cache
def examples() -> dict[str, list[dict[str, Any]]]:
    if not EXAMPLES.exists():
        raise RuntimeError("the examples are not there: run `make test`, which fetches them")
    return {each["name"]: each["examples"] for each in json.loads(EXAMPLES.read_text())}


def ours() -> Iterator[Any]:
    for name in OURS:
        for number, payload in enumerate(examples()[name]):
            yield pytest.param(name, payload, id=f"{name}-{payload['action']}-{number}")


def test_they_are_all_there() -> None:
    assert {name: len(examples()[name]) for name in OURS} == OURS


@pytest.mark.parametrize(("name", "payload"), list(ours()))
def test_mm13_each_of_ours_ends_well_and_writes_once(name: str, payload: dict[str, Any], tmp_path: Path) -> None:
    with checked(scenario.around(payload, CONFIG)) as github:
        bot = Bot(github.url, github.token, tmp_path)
        for _ in range(2):
            run = bot.run(name, payload)
            assert run.code == 0, run.log
            assert "Traceback" not in run.log
        assert max(Counter(write.number for write in github.writes).values(), default=0) <= 1


@pytest.mark.parametrize("name", sorted(set(examples()) - set(OURS)))
def test_all_others_end_well(name: str, tmp_path: Path) -> None:
    """What is none of ours (and what is, but has nothing to say here) costs no request."""
    bot = Bot("http://127.0.0.1:1", "token", tmp_path)
    payload = examples()[name][0]
    run = bot.run(name, payload, MATTERMOD_CLOCK_SKIPS="true")  # nobody answers, and waiting for that takes no time
    is_ours = name in OURS_TOO
    assert run.code == (3 if is_ours else 0), run.log
    assert "Traceback" not in run.log
