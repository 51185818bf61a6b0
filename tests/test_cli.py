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

    from sandbox import Sandbox

CONFIG = 'label_messages:\n  pull_requests:\n    - {label: A, message: "Hello @USERNAME"}\n'


def mattermod(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mattermod_action", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


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
        'pull_request labeled "A" on octo-org/hello#7',
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


PICKS = """
cherry_pick:
  milestones:
    "v{major}.{minor}.{patch}": ["release-{major}.{minor}"]
    cloud: [cloud, production]
"""


def online(github: Sandbox, config: Path, *words: str, token: str = "") -> subprocess.CompletedProcess[str]:
    env = {"GITHUB_TOKEN": token or github.token, "GITHUB_API_URL": github.url}
    where = words or ("--repository", github.repository)
    return mattermod("check-config", config, "--online", *where, **env)


@pytest.fixture
def planned(github: Sandbox, config: Path) -> Sandbox:
    """A repository with milestones, and with more branches than a page has."""
    config.write_text(PICKS)
    for title in ("v10.5.0", "v10.6.1", "Some day"):
        github.state.add_milestone(github.repository, title)
    closed = github.state.add_milestone(github.repository, "v9.0.0")
    closed.closed_at = github.state.now()
    tip = github.state.write_files(github.repository, {"a.txt": "a"})
    for name in ("release-10.4", "release-10.5", "cloud", "productoin", *(f"topic-{n}" for n in range(120))):
        github.state.set_branch(github.repository, name, tip)
    return github


def test_check_config_online_says_what_is_missing(planned: Sandbox, config: Path) -> None:
    writes = len(planned.writes)
    ran = online(planned, config)
    assert ran.returncode == 2
    assert ran.stdout.splitlines()[1:] == [
        "milestone `v10.5.0`: `release-10.5`",
        "milestone `Some day`: no branch, by `cherry_pick.milestones`",
    ]
    assert ran.stderr.splitlines() == [
        "milestone `v10.6.1`: there is no branch `release-10.6`; near it: `release-10.5`, `release-10.4`",
        "cherry_pick.milestones: there is no branch `production`; near it: `productoin`",
    ]
    assert len(planned.writes) == writes
    assert {request.method for request in planned.requests} == {"GET"}


def test_check_config_online_where_all_is_there(planned: Sandbox, config: Path) -> None:
    for name in ("release-10.6", "production"):
        planned.state.set_branch(planned.repository, name, "0" * 40)
    ran = online(planned, config)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "milestone `v10.6.1`: `release-10.6`\n" in ran.stdout


@pytest.mark.parametrize("text", ["cherry_pick: {}\n", '{"PrLabels": []}'])
def test_check_config_online_asks_for_no_branch_that_only_a_default_names(
    github: Sandbox, tmp_path: Path, text: str
) -> None:
    config = tmp_path / ("c.json" if text.startswith("{") else "c.yml")
    config.write_text(text)
    ran = online(github, config)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1:] == [f"there are no open milestones in {github.repository}"]


def test_check_config_online_is_one_line_where_nothing_can_be_looked_up(planned: Sandbox, config: Path) -> None:
    for words, token, line in (
        (("--repository", "octo-org/nothing"), "", "octo-org/nothing cannot be read: GitHub refused to read (404)"),
        (("--repository", "hello"), "", "give --repository OWNER/NAME"),
        ((), "wrong", "`github-token` is not accepted by GitHub (401)"),
    ):
        ran = online(planned, config, *words, token=token)
        assert ran.returncode == 2, ran.stderr
        assert len(ran.stderr.splitlines()) == 1
        assert line in ran.stderr
    config.write_text(CONFIG)
    assert "`cherry_pick` is off" in online(planned, config).stdout


def test_features_and_their_pages() -> None:
    assert "label_messages       Answer a label with a message.\n" in mattermod("features").stdout
    shown = mattermod("features", "--show", "label_messages").stdout
    assert "label_messages:\n  pull_requests:" in shown
    assert shown.endswith(
        '  issues[].label: must be given\n  issues[].message: must be given\n  issues[].when: "labeled"\n'
    )
    ran = mattermod("features", "--show", "kubernetes")
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
