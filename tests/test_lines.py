"""Whatever goes to standard output goes through one function, and no text from outside speaks to the runner."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mattermod_action import lines, report

if TYPE_CHECKING:
    from tests.harness import Bot

PACKAGE = Path(lines.__file__).parent
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
EVIL = "x ##[set-output name=comments]evil\n::error::evil\r\n\u2028::add-mask::x\x85##[warning]y"


def test_t13_only_one_module_prints() -> None:
    """The command line of people, which no runner reads, is `cli.py`."""
    found = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and _is_sys(node.value))
    }
    assert found <= {"lines.py", "report.py", "cli.py"}, found


def _is_sys(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "sys"


PLACES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("repository_dispatch", {"action": EVIL}, {}),
    (EVIL, {}, {}),
    ("pull_request", {"action": EVIL}, {}),
    ("issues", {"action": EVIL}, {}),
    ("issue_comment", {"action": EVIL, "comment": {"body": ""}, "issue": {}}, {}),
    ("pull_request_review", {"action": EVIL}, {}),
    ("check_suite", {"action": EVIL}, {}),
    ("workflow_run", {"action": EVIL}, {}),
    ("pull_request", {"action": "opened", "repository": {"id": 1, "full_name": EVIL}}, {}),
    ("pull_request", {"action": "opened", "pull_request": {"updated_at": EVIL}}, {}),
    ("schedule", {}, {"GITHUB_REPOSITORY": EVIL}),
    *(("schedule", {}, {f"INPUT_{name}": EVIL}) for name in ("COMMAND", "SHARD", "SWEEP", "CONFIG", "CONFIG-FROM")),
    ("schedule", {}, {"GITHUB_RUN_ATTEMPT": EVIL}),
    ("schedule", {}, {"GITHUB_EVENT_PATH": f"HOME/{EVIL}"}),
    ("schedule", {}, {"MATTERMOD_FORMAT": EVIL}),
]


@pytest.mark.parametrize(("name", "payload", "more"), PLACES)
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_t13_nothing_from_outside_is_a_command(
    bot: Bot, name: str, payload: dict[str, Any], more: dict[str, str]
) -> None:
    payload = {"repository": {"id": 1, "full_name": "octo-org/hello"}, "sender": {"login": "w"}, **payload}
    more = {variable: value.replace("HOME", str(bot.home)) for variable, value in more.items()}
    log = bot.run(name, payload, GITHUB_ACTIONS="true", **more).log
    ours = [line for line in log.splitlines() if line.startswith(("::error", "::warning", "::add-mask"))]
    assert [line for line in ours if COMMAND.search(line[2:])] == []
    assert [line for line in log.split("\n") if line not in ours and COMMAND.search(line)] == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(["##[", "::", "\n", "\r", "\u2028", "\x85", "\x0b", " ", "x", "%0A", ":"])))
def test_t13_no_mixture_is_a_command(
    pieces: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    text = "".join(pieces)
    lines.say(text)
    report.annotate("warning", f"{text}:3: {text}")
    said, *rest = capsys.readouterr().out.split("\n")
    assert not COMMAND.search(said)
    assert len(rest) == 2
    assert not COMMAND.search(rest[0][2:])
    assert json.dumps(rest[0]).count("warning") == 1
