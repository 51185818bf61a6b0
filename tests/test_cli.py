"""The commands that people type: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from mattermod_action.config import load
from mattermod_action.features import FEATURES
from tests.builders import item, payload

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = 'label_messages:\n  pull_requests:\n    - {label: A, message: "Hello @USERNAME"}\n'


def mattermod(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mattermod_action", *arguments]
    return subprocess.run(command, env={}, capture_output=True, text=True, check=False)


@pytest.fixture
def event(tmp_path: Path) -> Path:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload("pull_request", "labeled", item("A"), "A")))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mattermod.yml"
    path.write_text(CONFIG)
    return path


def test_plan_as_json(event: Path, config: Path) -> None:
    ran = mattermod("plan", event, "--name", "pull_request", "--config", config, "--json")
    assert ran.returncode == 0, ran.stderr
    plan = json.loads(ran.stdout)
    assert set(plan) == {"event", "effects", "skipped"}
    assert plan["event"]["event"] == "PullRequestSeen"
    [effect] = plan["effects"]
    assert (effect["effect"], effect["feature"], effect["text"]) == ("Comment", "label_messages", "Hello @alice")
    assert effect["subject"]["number"] == 7
    assert plan["skipped"] == [{"feature": name, "reason": "not configured"} for name in FEATURES[1:]]


def test_plan_for_people(event: Path, config: Path) -> None:
    ran = mattermod("plan", event, "--name", "pull_request", "--config", config)
    assert ran.stdout.splitlines() == [
        "PullRequestSeen in octo-org/hello",
        "  label_messages: Comment on #7, because of label a",
        "    | Hello @alice",
        f"  not configured: {', '.join(FEATURES[1:])}",
    ]


def test_plan_says_what_is_skipped(event: Path, config: Path) -> None:
    """What needs the network is not guessed; the others are planned."""
    config.write_text("cla: {signed_url: 'https://example.org/list'}\nblock_merge: {labels: [a]}\n")
    event.write_text(event.read_text().replace('"labeled"', '"opened"'))
    ran = mattermod("plan", event, "--name", "pull_request", "--config", config, "--json")
    plan = json.loads(ran.stdout)
    assert [effect["feature"] for effect in plan["effects"]] == ["block_merge"]
    reason = "needs the network, to read the list of those who signed"
    assert {"feature": "cla", "reason": reason} in plan["skipped"]


def test_plan_of_an_event_that_is_not_ours(event: Path, config: Path) -> None:
    ran = mattermod("plan", event, "--name", "watch", "--config", config, "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == {
        "event": None,
        "effects": [],
        "skipped": [],
        "ignored": "watch: not an event that this action answers",
    }


def test_plan_with_the_originals_file(event: Path, tmp_path: Path) -> None:
    legacy = tmp_path / "config-mattermod.json"
    legacy.write_text('{"PrLabels": [{"Label": "a", "Message": "Old text"}], "ListenAddress": ":8086"}')
    ran = mattermod("plan", event, "--name", "pull_request_target", "--config", legacy, "--json")
    assert json.loads(ran.stdout)["effects"][0]["text"] == "Old text"
    assert ran.stderr == "warning: not needed here: ListenAddress\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "the event file is not JSON"),
        ("[]", "the event file is not a JSON object"),
        ('{"action": "labeled"}', "the event file is not what GitHub sends for pull_request: "),
        ("[" * 100_000, "the event file is not JSON"),
    ],
    ids=["half", "list", "empty", "deep"],
)
def test_an_event_file_that_is_none_is_one_line(event: Path, config: Path, text: str, line: str) -> None:
    event.write_text(text)
    ran = mattermod("plan", event, "--name", "pull_request", "--config", config)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert line in ran.stderr


@pytest.mark.parametrize("missing", ["event.json", "mattermod.yml"])
def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, event: Path, config: Path, missing: str) -> None:
    (tmp_path / missing).unlink()
    ran = mattermod("plan", event, "--name", "pull_request", "--config", config)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert missing in ran.stderr


def test_check_config(config: Path) -> None:
    ran = mattermod("check-config", config)
    assert (ran.returncode, ran.stdout) == (0, f"{config}: valid; features that are on: label_messages\n")


def test_check_config_tells_every_mistake(config: Path) -> None:
    config.write_text("label_mesages: {}\nbackfill: maybe\n")
    ran = mattermod("check-config", config)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        f'{config}:1: label_mesages: unknown key, did you mean "label_messages"?',
        f"{config}:2: backfill: must be true or false, found text",
    ]


def test_features_and_their_pages() -> None:
    assert "label_messages       Answer a label with a message.\n" in mattermod("features").stdout
    shown = mattermod("features", "--show", "label_messages").stdout
    assert "label_messages:\n  pull_requests:" in shown
    assert shown.endswith(
        '  issues[].label: must be given\n  issues[].message: must be given\n  issues[].when: "labeled"\n'
    )
    ran = mattermod("features", "--show", "spinmint")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["plan", "--help"], ["--version"]])
def test_help_needs_nothing(arguments: list[str]) -> None:
    ran = mattermod(*arguments)
    assert "Traceback" not in ran.stderr
    assert ran.stdout + ran.stderr


def test_run_outside_of_a_workflow_is_one_line() -> None:
    ran = mattermod("run")
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        "GITHUB_EVENT_NAME is not set: run this as a GitHub Action, or try `mattermod plan --help`"
    ]


ORIGINAL = {
    "PrLabels": [{"Label": "a", "Message": "Hello: USERNAME #1\nand more"}],
    "BlockPRMergeLabels": ["Do Not Merge"],
    "SignedCLAURL": "https://example.org/l",
    "CLAExclusionsList": ["bot"],
    "BlockListBots": ["naughty"],
    "GithubAccessToken": "canary-7f3",
    "TickRateMinutes": 15,
}


def test_import_config_writes_what_means_the_same(tmp_path: Path) -> None:
    old = tmp_path / "config-mattermod.json"
    old.write_text(json.dumps(ORIGINAL))
    ran = mattermod("import-config", old)
    assert ran.returncode == 0, ran.stderr
    assert load(ran.stdout, "mattermod.yml").config == load(old.read_text(), "c.json").config
    assert "# Block merging by label.\nblock_merge:\n" in ran.stdout
    assert "GithubAccessToken is a secret" in ran.stderr
    assert "not needed here: TickRateMinutes" in ran.stderr
    assert "canary-7f3" not in ran.stdout + ran.stderr


def test_config_schema_is_one_that_the_examples_satisfy() -> None:
    schema = json.loads(mattermod("config-schema").stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert set(FEATURES) <= set(schema["properties"])
    good = {"block_merge": {"labels": [{"label": "a"}, "b"]}, "update_branch": {}}
    assert list(validator.iter_errors(good)) == []
    assert list(validator.iter_errors({"block_mrge": {}}))
    assert list(validator.iter_errors({"welcome": {}}))
