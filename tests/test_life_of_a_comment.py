"""From the event file to what GitHub and the database then hold, on both stores."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.mysql import connect
from mattermod_action.ports import SCHEMA
from sandbox import payloads
from tests import scene, servers
from tests.harness import Bot

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox

pytestmark = pytest.mark.everywhere(  # these also by `make test`
    "test_a_label_gets_its_message",
    "test_mm16_the_same_event_again_writes_nothing",
    "test_mm10_an_issue_from_a_template_gets_all_its_messages",
    "test_backfill_answers_old_labels",
)
DEV, QA, PM, HELP = "2: Dev Review", "3: QA Review", "1: PM Review", "Help Wanted"


def label(github: Sandbox, name: str, number: int = 0) -> dict[str, Any]:
    return payloads.labeled(github.state, github.repository, number or github.pull, name, "maintainer")


def texts(github: Sandbox, number: int = 0) -> list[str]:
    item = github.state.item(github.repository, number or github.pull)
    return scene.texts(item.comments)


def test_a_label_gets_its_message(bot: Bot, github: Sandbox) -> None:
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 0, run.log
    assert texts(github) == ["Thanks @newcomer, a developer will look at this within two days."]
    [url] = run.outputs["comments"]
    assert url.endswith(f"/octo-org/hello/pull/{github.pull}#issuecomment-2000000001")
    assert f"| label_messages | `label 2: dev review` | [comment posted]({url}) |" in run.summary
    assert run.outputs["failures"] == []
    assert [effect["effect"] for effect in run.outputs["plan"]["effects"]] == ["Comment"]


def test_mm16_the_same_event_again_writes_nothing(bot: Bot, github: Sandbox) -> None:
    """MM-16, F03: redelivered, and re-run as attempt 2 to 3."""
    event = label(github, DEV)
    bot.run("pull_request_target", event)
    writes = list(github.writes)
    for attempt in ("1", "2", "3"):
        run = bot.run("pull_request_target", event, GITHUB_RUN_ATTEMPT=attempt)
        assert run.code == 0, run.log
        assert run.outputs["comments"] == []
    assert github.writes == writes
    assert len(texts(github)) == 1


def test_mm14_eight_processes_post_once(bot: Bot, github: Sandbox) -> None:
    """MM-14, F03: the same event in eight processes at once."""
    event = label(github, DEV)
    runs = [bot.finish(process) for process in [bot.start("pull_request_target", event) for _ in range(8)]]
    assert [run.code for run in runs] == [0] * 8, [run.log for run in runs]
    assert len(texts(github)) == 1
    assert sum(len(run.outputs["comments"]) for run in runs) == 1


def test_a_label_without_a_message_costs_one_read(bot: Bot, github: Sandbox) -> None:
    """Nothing to do is no database connection either: the store's address leads nowhere."""
    bot.database_url = "mysql://nobody:nothing@127.0.0.1:1/none" if bot.database_url else ""
    run = bot.run("pull_request_target", label(github, PM))
    assert run.code == 0, run.log
    assert [(request.method, request.path) for request in github.requests] == [
        ("GET", "/repos/octo-org/hello/contents/.github/mattermod.yml")
    ]
    assert texts(github) == []


def test_mm10_an_issue_from_a_template_gets_all_its_messages(bot: Bot, github: Sandbox) -> None:
    github.state.write_files(
        github.repository,
        {
            ".github/mattermod.yml": "label_messages:\n  issues:\n    - {label: A, message: one}\n"
            "    - {label: B, message: two USERNAME}\n"
        },
    )
    event = payloads.opened_issue(github.state, github.repository, "t", ["b", "a", "other"], "newcomer")
    run = bot.run("issues", event)
    assert run.code == 0, run.log
    assert texts(github, event["issue"]["number"]) == ["one", "two newcomer"]


def test_first_sight_answers_the_payloads_label_only(bot: Bot, github: Sandbox) -> None:
    """Labels that were there before we were stay unanswered, also when they go and come again."""
    github.state.add_labels(github.repository, github.pull, [QA])
    bot.run("pull_request_target", label(github, DEV))
    bot.run("pull_request_target", payloads.synchronize(github.state, github.repository, github.pull))
    assert len(texts(github)) == 1
    assert "developer" in texts(github)[0]


def test_off_and_on_again_posts_nothing_new(bot: Bot, github: Sandbox) -> None:
    """MM-11: removal is seen, and adding again is no news."""
    bot.run("pull_request_target", label(github, DEV))
    off = payloads.unlabeled(github.state, github.repository, github.pull, DEV, "maintainer")
    assert bot.run("pull_request_target", off).code == 0
    assert bot.run("pull_request_target", label(github, DEV.upper())).code == 0
    assert len(texts(github)) == 1


def test_mm05_quick_labels_in_any_order_of_runs(bot: Bot, github: Sandbox) -> None:
    """MM-05, F04: the runs of two quick labels come in the wrong order; both labels are answered."""
    first, second = label(github, DEV), label(github, QA)
    second["pull_request"]["updated_at"] = first["pull_request"]["updated_at"]
    for event in (second, first, second, first):
        run = bot.run("pull_request_target", event)
        assert run.code == 0, run.log
    assert sorted(texts(github)) == [
        "Thanks @newcomer, a developer will look at this within two days.",
        "Thanks @newcomer, this is now with QA.",
    ]


def test_r06_of_three_quick_labels_the_middle_event_is_lost(bot: Bot, github: Sandbox) -> None:
    """R-06: a new pending run of a concurrency group cancels the one that was pending."""
    first, _, third = (label(github, name) for name in (DEV, QA, "3: Done"))
    for event in (first, third):
        run = bot.run("pull_request_target", event)
        assert run.code == 0, run.log
    assert len(texts(github)) == 2


def test_backfill_answers_old_labels(bot: Bot, github: Sandbox) -> None:
    rules = "    - {label: A, message: a}\n    - {label: B, message: b}\n"
    config = f"backfill: true\nlabel_messages:\n  pull_requests:\n{rules}"
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    github.state.add_labels(github.repository, github.pull, ["A"])
    bot.run("pull_request_target", label(github, "B"))
    assert texts(github) == ["a", "b"]


def test_a_lost_embedded_store_costs_a_look_at_the_markers(github: Sandbox, tmp_path: Path) -> None:
    """Every run has a runner of its own; a comment beyond the last hundred is found as well."""
    event = label(github, DEV)
    assert Bot.of(github, tmp_path / "one").run("pull_request_target", event).code == 0
    for number in range(120):
        github.state.add_comment(github.repository, github.pull, "newcomer", f"chatter {number}")
    assert Bot.of(github, tmp_path / "two").run("pull_request_target", event).code == 0
    assert len([text for text in texts(github) if text.startswith("Thanks")]) == 1


def test_s23_a_forged_marker_is_not_ours(github: Sandbox, tmp_path: Path) -> None:
    """S-23: a stranger pastes the marker that our comment is going to have."""
    event = label(github, DEV)
    Bot.of(github, tmp_path / "one").run("pull_request_target", event)
    item = github.state.item(github.repository, github.pull)
    forged = item.comments.pop().body
    github.state.add_comment(github.repository, github.pull, "mallory", forged)
    Bot.of(github, tmp_path / "two").run("pull_request_target", event)
    assert [comment.author.login for comment in item.comments if comment.author] == ["mallory", "github-actions[bot]"]


def test_takeover_from_the_original_posts_nothing(database: Database, github: Sandbox, tmp_path: Path) -> None:
    """A row that the original wrote counts as never seen: its labels are old."""
    connection = connect(database)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO PullRequests (RepoOwner, RepoName, Number, Username, Labels, State) "
            "VALUES ('octo-org', 'hello', %s, 'newcomer', '[]', 'open')",
            (github.pull,),
        )
    github.state.add_labels(github.repository, github.pull, [DEV, QA])
    bot = Bot.of(github, tmp_path, servers.url(database))
    for event in (
        payloads.synchronize(github.state, github.repository, github.pull),
        payloads.edited(github.state, github.repository, github.pull),
    ):
        assert bot.run("pull_request_target", event).code == 0
    assert github.writes == []
    assert bot.run("pull_request_target", label(github, "new")).code == 0
    assert texts(github) == []


def test_a_database_that_nobody_migrated_is_one_line(
    mysql_server: servers.Server, github: Sandbox, tmp_path: Path
) -> None:
    empty = mysql_server.new_database()
    bot = Bot.of(github, tmp_path, servers.url(empty))
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 2
    assert "mattermod migrate up" in run.log
    assert github.writes == []
    up = bot.run("workflow_dispatch", {}, INPUT_COMMAND="migrate", INPUT_OPERATION="up")
    assert up.code == 0, up.log
    assert servers.migrator(empty).version() == (SCHEMA, False)
    assert bot.run("pull_request_target", label(github, DEV)).code == 0
    assert len(texts(github)) == 1


@pytest.mark.parametrize(
    ("permissions", "cure"),
    [
        ({"contents": "read"}, "`issues: write` or `pull-requests: write`"),
        ({"issues": "write", "pull_requests": "write"}, "`contents: read`"),
    ],
)
def test_s01_each_permission_that_is_missing_is_one_line(
    github: Sandbox, tmp_path: Path, permissions: dict[str, str], cure: str
) -> None:
    """S-01, S-02: without one of the permissions of the example, exit 2 and the cure."""
    token = next(iter(github.state.tokens.values()))
    token.permissions = {"metadata": "read", **permissions}
    repository = github.state.repository(github.repository)
    assert repository
    repository.private = True
    run = Bot.of(github, tmp_path).run("pull_request_target", label(github, DEV))
    assert run.code == 2, run.log
    assert cure in run.log
    assert "Traceback" not in run.log
    assert github.writes == []


def test_five_mistakes_are_five_lines(bot: Bot, github: Sandbox) -> None:
    bad = "backfil: true\nlabel_messages:\n  pull_requests:\n    - {label: '', message: ''}\n  issue: []\nbackfill: 3\n"
    github.state.write_files(github.repository, {".github/mattermod.yml": bad})
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 2
    assert len([line for line in run.log.splitlines() if line.startswith(".github/mattermod.yml:")]) == 5
    assert github.writes == []


@pytest.mark.parametrize(
    "url", ["postgres://x/y", "mysql://h/db", "mysql://u:secret@h:99999/d", "u:secret@tcp(h", "nonsense"]
)
def test_an_impossible_database_url_asks_nothing_of_github(github: Sandbox, tmp_path: Path, url: str) -> None:
    run = Bot.of(github, tmp_path, url).run("pull_request_target", label(github, DEV))
    assert run.code == 2
    assert "database-url" in run.log.splitlines()[-1]
    assert "secret" not in run.log
    assert github.requests == []


def test_the_originals_file_works_as_it_is(bot: Bot, github: Sandbox) -> None:
    legacy = '{"PrLabels": [{"Label": "2: Dev Review", "Message": "Hi USERNAME"}], "GithubAccessToken": "s3cr3t"}'
    github.state.write_files(github.repository, {"config-mattermod.json": legacy})
    bot.inputs["config"] = "config-mattermod.json"
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 0, run.log
    assert texts(github) == ["Hi newcomer"]
    assert "s3cr3t" not in run.log
    assert "GithubAccessToken is a secret" in run.log


def test_the_database_of_the_originals_file_is_used_with_a_warning(
    github: Sandbox, database: Database, tmp_path: Path
) -> None:
    """Its own logins count as ours, and nothing secret is shown."""
    dsn = f"root:@tcp(127.0.0.1:{database.port})/{database.name}?parseTime=true"
    legacy = {"PrLabels": [{"Label": DEV, "Message": "m"}], "DataSource": dsn, "Username": "mattermod"}
    github.state.write_files(github.repository, {"config-mattermod.json": json.dumps(legacy)})
    bot = Bot.of(github, tmp_path, inputs={"config": "config-mattermod.json"})
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 0, run.log
    assert "DataSource is a secret and stands in the configuration file" in run.log
    assert dsn not in run.log
    assert not (tmp_path / ".mattermod").exists()
    with connect(database).cursor() as cursor:
        cursor.execute("SELECT state FROM mm_ledger")
        assert cursor.fetchall() == (("confirmed",),)


def test_a_database_of_the_originals_file_that_is_wrong_is_one_line(github: Sandbox, tmp_path: Path) -> None:
    legacy = {"PrLabels": [{"Label": DEV, "Message": "m"}], "DataSource": "root:s3cr3t@unix(/tmp/s)/d"}
    github.state.write_files(github.repository, {"config-mattermod.json": json.dumps(legacy)})
    run = Bot.of(github, tmp_path, inputs={"config": "config-mattermod.json"}).run(
        "pull_request_target", label(github, DEV)
    )
    assert run.code == 2
    assert "config-mattermod.json: DataSource names a Unix socket" in run.log
    assert "s3cr3t" not in run.log


def test_dry_run_writes_nothing(bot: Bot, github: Sandbox) -> None:
    bot.inputs["dry-run"] = "true"
    run = bot.run("pull_request_target", label(github, DEV))
    assert run.code == 0
    assert [effect["cause"] for effect in run.outputs["plan"]["effects"]] == ["label 2: dev review"]
    assert github.writes == []
