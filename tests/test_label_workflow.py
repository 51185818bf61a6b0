"""A label starts a workflow, and how that ended comes back: from the event to the runs and comments of the sandbox."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.database_url import parse
from mattermod_action.adapters.mysql import connect
from mattermod_action.features.label_workflow import MISSED
from sandbox import payloads
from sandbox.faults import Fault
from tests.cut import PHASES, Cut, Proxy, http_request
from tests.sandbox.test_sandbox import call
from tests.scene import deliver, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull, Repository, WorkflowRun
    from tests.harness import Bot, Run

pytestmark = pytest.mark.one_store
BUILD, LOAD = "Build App", "Start Load Test"
BUILDS = "octo-org/builds"  # the other repository
CONFIG = """
label_workflow:
  rules:
    - label: "Build App"
      workflow: build.yml
      inputs: {pull: number, sha: sha, branch: head_ref, mattermod-key: key}
      message: "@USERNAME, it is being built: WORKFLOW_URL"
      done: "@USERNAME, it is built: WORKFLOW_URL"
      failed: "@USERNAME, it is not built: WORKFLOW_URL"
    - {label: "Start Load Test", event: load-test, inputs: {sha: sha, key: key}}
    - {label: "Elsewhere", workflow: build.yml, repository: octo-org/builds, inputs: {pull: number, sha: sha}}
    - {label: "Nowhere", workflow: none.yml}
    - {label: "Strange", workflow: build.yml, inputs: {colour: sha}}
    - {label: "Old", workflow: build.yml, ref: v1}
    - {label: "Silent", workflow: silent.yml}
"""
INPUTS = "{pull: {}, sha: {}, branch: {}, mattermod-key: {}}"
BUILD_YML = f"run-name: Build ${{{{ inputs.mattermod-key }}}}\non: {{workflow_dispatch: {{inputs: {INPUTS}}}}}\n"
LOAD_YML = "run-name: Load ${{ github.event.client_payload.key }}\non: {repository_dispatch: {types: [load-test]}}\n"
FILES = {
    ".github/mattermod.yml": CONFIG,
    ".github/workflows/build.yml": BUILD_YML,
    ".github/workflows/load.yml": LOAD_YML,
    ".github/workflows/silent.yml": "on: workflow_dispatch\n",
}
NOW: dict[str, Any] = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
LATER: dict[str, Any] = {
    **NOW,
    "MATTERMOD_CLOCK_OFFSET": "600",
}  # seconds; a lease is 30, and after 300 no run is at the label any more
MUCH_LATER: dict[str, Any] = {**NOW, "MATTERMOD_CLOCK_OFFSET": "1200"}
KEY = re.compile(r"[0-9a-f]{64}")


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    github.state.write_files(github.repository, FILES)
    github.state.tokens["github-token"].permissions |= {"contents": "write", "actions": "write"}


@pytest.fixture
def elsewhere(github: Sandbox) -> Repository:
    """Another repository, with the workflow and a default branch of its own."""
    made = github.state.add_repository(BUILDS, default_branch="trunk")
    github.state.write_files(BUILDS, {".github/workflows/build.yml": BUILD_YML})
    return made


def here(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


def runs(github: Sandbox) -> list[WorkflowRun]:
    return here(github).runs


def pull_of(github: Sandbox, number: int = 0) -> Pull:
    return github.state.pull(github.repository, number or github.pull)


def labels(github: Sandbox) -> list[str]:
    return [label.name for label in pull_of(github).labels]


def labeled(github: Sandbox, label: str = BUILD, sender: str = "maintainer", number: int = 0) -> dict[str, Any]:
    return payloads.labeled(github.state, github.repository, number or github.pull, label, sender)


def again(github: Sandbox, label: str = BUILD) -> dict[str, Any]:
    """Some time later the label is put on once more."""
    github.state.offset += (second := type(github.state.offset)(seconds=2))
    assert second
    github.state.remove_label(github.repository, github.pull, label)
    return labeled(github, label)


def run(bot: Bot, payload: Any, *, code: int = 0, **variables: Any) -> Run:
    done = deliver(bot, payload, **variables)
    assert done.code == code, done.log
    return done


def page(github: Sandbox, made: WorkflowRun) -> str:
    return f"{github.url}/{github.repository}/actions/runs/{made.id}"


def started(bot: Bot, github: Sandbox, label: str = BUILD) -> WorkflowRun:
    run(bot, labeled(github, label))
    return runs(github)[-1]


def key_of(made: WorkflowRun) -> str:
    [key] = KEY.findall(made.title)
    return str(key)


def told(github: Sandbox, key: str, conclusion: str = "success", url: str = "") -> dict[str, Any]:
    """What the last job of the workflow calls for."""
    said = {"key": key, "conclusion": conclusion, "url": url}
    return payloads.dispatched(github.state, github.repository, "mattermod-result", said, "github-actions[bot]")


def sweep(bot: Bot, *, code: int = 0, **variables: Any) -> Run:
    done = bot.run("schedule", {}, **{**LATER, **variables})
    assert done.code == code, done.log
    return done


# Starting


def test_a_label_starts_a_workflow_once(bot: Bot, github: Sandbox) -> None:
    event = labeled(github)
    run(bot, event)
    [made] = runs(github)
    head = pull_of(github)
    assert (made.file, made.event, made.ref) == ("build.yml", "workflow_dispatch", "main")
    assert made.inputs == {"pull": "7", "sha": head.head_sha, "branch": "finnish", "mattermod-key": key_of(made)}
    assert texts(pull_of(github).comments) == [f"@newcomer, it is being built: {page(github, made)}"]
    assert labels(github) == []
    calls = [(each.method, each.path.removeprefix(f"/repos/{github.repository}")) for each in github.requests]
    rest = [call for call in calls if call[1] != "/graphql"]
    assert rest == [
        ("GET", "/contents/.github/mattermod.yml"),
        ("GET", "/collaborators/maintainer/permission"),
        ("GET", "/pulls/7"),
        ("POST", "/actions/workflows/build.yml/dispatches"),
        ("POST", "/issues/7/comments"),
        ("DELETE", "/issues/7/labels/Build App"),
    ]
    writes = len(github.writes)
    run(bot, event)  # MM-16: redelivered
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer")
    assert len(github.writes) == writes


def test_a_label_calls_for_an_event_once(bot: Bot, github: Sandbox) -> None:
    event = labeled(github, LOAD)
    for _ in range(2):
        run(bot, event)
    [made] = runs(github)
    assert (made.file, made.event) == ("load.yml", "repository_dispatch")
    assert made.inputs == {"sha": pull_of(github).head_sha, "key": key_of(made)}
    assert texts(pull_of(github).comments) == [f"The workflow was started: {github.url}/{github.repository}/actions"]


def test_r07_put_on_again_it_starts_again(bot: Bot, github: Sandbox) -> None:
    """R-07: nothing in an event but the moment of the label tells that from a delivery that came twice."""
    run(bot, labeled(github))
    run(bot, again(github))
    assert len(runs(github)) == 2
    assert len({key_of(made) for made in runs(github)}) == 2
    assert len(texts(pull_of(github).comments)) == 2


def test_f03_of_eight_at_once_one_starts(bot: Bot, github: Sandbox) -> None:
    event = labeled(github)
    processes = [bot.start("pull_request_target", event) for _ in range(8)]
    done = [bot.finish(process) for process in processes]
    assert [each.code for each in done] == [0] * 8, done
    assert len(runs(github)) == 1
    assert len(texts(pull_of(github).comments)) == 1
    assert labels(github) == []


def test_another_label_or_event_starts_nothing(bot: Bot, github: Sandbox) -> None:
    github.state.add_labels(github.repository, github.pull, [BUILD])
    run(bot, labeled(github, "bug"))
    run(bot, payloads.synchronize(github.state, github.repository, github.pull))
    run(bot, payloads.unlabeled(github.state, github.repository, github.pull, BUILD, "maintainer"))
    closed = labeled(github)
    closed["pull_request"]["state"] = "closed"
    run(bot, closed)
    assert github.writes == []


@pytest.mark.parametrize("name", ["BUILD APP", "build app"])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_labels_compare_without_case(bot: Bot, github: Sandbox, name: str) -> None:
    run(bot, labeled(github, name))
    assert len(runs(github)) == 1
    assert labels(github) == []


# Who may


@pytest.mark.parametrize("role", ["none", "read", "triage"])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s13_who_may_not_write_starts_nothing_and_is_told_once(bot: Bot, github: Sandbox, role: str) -> None:
    here(github).permissions[github.state.person("helper").login] = role
    for _ in range(2):
        event = again(github)
        event["sender"]["login"] = "helper"
        run(bot, event)
    assert runs(github) == []
    [body] = texts(pull_of(github).comments)
    assert body.startswith("@helper, the label `Build App` starts a workflow, and that is for people with write access")
    assert labels(github) == [BUILD]


@pytest.mark.parametrize("login", ["labeler[bot]", "Copilot"])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s14_a_bot_starts_nothing(bot: Bot, github: Sandbox, login: str) -> None:
    """S-14: whatever its permission, and whatever its name."""
    here(github).permissions[login] = "admin"
    event = labeled(github)
    event["sender"] |= {"login": login, "type": "Bot"}
    run(bot, event)
    assert runs(github) == []
    assert "a label that a bot puts on starts none" in texts(pull_of(github).comments)[0]


@pytest.mark.parametrize(("head", "count"), [("topic", 1), ("newcomer/hello:finnish", 0)])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s14_the_author_counts_on_a_branch_of_this_repository(bot: Bot, github: Sandbox, head: str, count: int) -> None:
    here(github).permissions["newcomer"] = "write"
    opened = payloads.opened_pull(github.state, github.repository, "Mine", [], "newcomer", head=head)
    run(bot, labeled(github, BUILD, "newcomer", opened["number"]))
    assert len(runs(github)) == count
    said = [each.body for each in pull_of(github, opened["number"]).comments]
    assert ("on your own pull request from a fork somebody else has to put it on" in said[0]) is (not count)


def test_s04_whoever_runs_it_again_must_be_allowed_too(bot: Bot, github: Sandbox) -> None:
    github.state.person("stranger")
    event = labeled(github)
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="stranger")
    assert runs(github) == []
    assert texts(pull_of(github).comments)[0].startswith("@stranger, ")
    run(bot, event, GITHUB_RUN_ATTEMPT="3", GITHUB_TRIGGERING_ACTOR="reviewer")
    assert len(runs(github)) == 1


def test_f18_a_permission_that_went_meanwhile(bot: Bot, github: Sandbox) -> None:
    """F18: it was judged by what GitHub said then; a rate limit was waited for, and it is no longer so."""
    github.state.write_files(
        github.repository,
        {".github/mattermod.yml": CONFIG + "    - {label: 'build app', event: load-test, inputs: {key: key}}\n"},
    )
    github.state.faults.add(Fault("secondary-limit", "POST", "*/build.yml/dispatches", retry_after="20"))
    event = labeled(github, BUILD, "reviewer")
    with turned(github, "/permission", lambda: here(github).permissions.update(reviewer="read")) as url:
        wired = replace(bot, api_url=url)
        run(wired, event, **NOW)
    assert [made.file for made in runs(github)] == ["build.yml"]
    assert "@reviewer has no write permission here any more" in texts(pull_of(github).comments)[-1]


@contextlib.contextmanager
def turned(github: Sandbox, path: str, change: Any, before: str = "") -> Iterator[str]:
    """GitHub behind a proxy, which makes a change right after the first request whose path ends so was answered.

    That is: when the next request arrives, and with `before` when the first one that has this in its path does.
    """
    host, port = github.url.removeprefix("http://").split(":")
    seen: list[str] = []
    done: list[bool] = []

    def read(source: Any) -> tuple[bytes, str]:
        request, name = http_request(source)
        is_due = before in name if before else any(path in each for each in seen)
        if is_due and not done:
            done.append(True)
            change()
        seen.append(name)
        return request, name

    with contextlib.closing(Proxy((host, int(port)), read, Cut())) as proxy:
        yield f"http://127.0.0.1:{proxy.port}"


def moved(github: Sandbox) -> None:
    github.state.add_commit(github.repository, github.pull)


def taken_off(github: Sandbox) -> None:
    github.state.remove_label(github.repository, github.pull, BUILD)


def shut(github: Sandbox) -> None:
    payloads.closed(github.state, github.repository, github.pull)


def rebased(github: Sandbox) -> None:
    github.state.write_files(github.repository, {"x": "x"}, "dev")
    github.state.change_item(github.repository, github.pull, {"base": "dev"})


CHANGES = [
    (moved, "the branch has got another commit since the label was put on"),
    (rebased, "the base branch was changed since the label was put on"),
    (taken_off, "the label was taken off before that"),
    (shut, "the pull request is closed"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=["sha", "base", "label", "closed"])
def test_s15_f18_what_changed_in_between_is_seen(bot: Bot, github: Sandbox, change: Any, reason: str) -> None:
    """S-15, F18: between the label and the request that would start something."""
    event = labeled(github)
    with turned(github, "", lambda: change(github), before="/pulls/7") as url:
        done = run(replace(bot, api_url=url), event)
    assert runs(github) == []
    assert reason in done.log
    assert texts(pull_of(github).comments) == [
        f"The label `Build App` has started nothing: {reason}. To try once more, take it off and put it on again."
    ]


def test_s15_a_late_run_starts_the_labels_commit_or_nothing(bot: Bot, github: Sandbox) -> None:
    """S-15: a run may come after the push, and started once more it reads what is there now."""
    event = labeled(github)
    moved(github)
    run(bot, event)
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer")
    assert runs(github) == []


HOSTILE = ["$(id)", "`id`", "a;id|id&", '"quoted"', "{0}", "--upload-pack=x", "${{secrets.A}}", "x" * 200, "ré\u202e"]


@pytest.mark.parametrize("branch", HOSTILE)
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s16_a_branchs_name_is_a_value_and_nothing_else(bot: Bot, github: Sandbox, branch: str) -> None:
    pull_of(github).head_ref = branch
    done = run(bot, labeled(github))
    [made] = runs(github)
    assert made.inputs["branch"] == branch
    assert branch not in made.title + "".join(texts(pull_of(github).comments)) + done.log
    sent = [json.loads(each.body) for each in github.requests if each.path.endswith("/dispatches")]
    assert [each["ref"] for each in sent] == ["main"]


# What GitHub says


def test_another_repository(bot: Bot, github: Sandbox, elsewhere: Repository) -> None:
    github.state.tokens["github-token"].repositories = ()  # as an App's that is installed in both
    run(bot, labeled(github, "Elsewhere"))
    [made] = elsewhere.runs
    assert made.ref == "trunk"
    assert texts(pull_of(github).comments) == [
        f"The workflow was started: {github.url}/{BUILDS}/actions/runs/{made.id}"
    ]


@pytest.mark.parametrize("private", [False, True], ids=["403", "404"])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_another_repository_that_the_token_may_not(
    bot: Bot, github: Sandbox, elsewhere: Repository, *, private: bool
) -> None:
    """S-01: one line with the cure, whether GitHub says that it may not or that there is nothing."""
    elsewhere.private = private
    done = run(bot, labeled(github, "Elsewhere"), code=0 if private else 2)
    assert elsewhere.runs == []
    assert "GITHUB_TOKEN" in done.log or private
    assert labels(github) == ["Elsewhere"]


REFUSED = {
    "Nowhere": "GitHub refused to start none.yml (404): octo-org/hello has no such thing",
    "Strange": 'GitHub refused to start build.yml (422): Unexpected inputs provided: ["colour"]',
    "Old": "GitHub refused to start build.yml (422): No ref found for: v1",
}


@pytest.mark.parametrize("label", REFUSED)
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_what_github_refuses_is_told(bot: Bot, github: Sandbox, label: str) -> None:
    """Once; and a sweep has nothing to add."""
    event = labeled(github, label)
    for _ in range(2):
        run(bot, event)
    sweep(bot)
    assert runs(github) == []
    [body] = texts(pull_of(github).comments)
    assert REFUSED[label] in body
    assert labels(github) == [label]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_an_archived_repository(bot: Bot, github: Sandbox) -> None:
    here(github).archived = True
    run(bot, labeled(github))
    assert "archived" in texts(pull_of(github).comments)[0]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_github_that_does_not_tell_the_run(bot: Bot, github: Sandbox) -> None:
    """GitHub Enterprise Server before 3.21: the page of the workflow has to do."""
    github.state.run_details = False
    run(bot, labeled(github))
    assert len(runs(github)) == 1
    assert texts(pull_of(github).comments) == [
        f"@newcomer, it is being built: {github.url}/{github.repository}/actions/workflows/build.yml"
    ]


BROKEN = [Fault("status", status=502), Fault("timeout", seconds=0.2), Fault("reset"), Fault("truncated"), Fault("html")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("label", "fault"),
    [*((BUILD, fault) for fault in BROKEN), (LOAD, BROKEN[0])],
    ids=lambda value: getattr(value, "kind", value),
)
def test_r01_f07_an_answer_that_was_lost(bot: Bot, github: Sandbox, fault: Fault, when: Any, label: str) -> None:
    """R-01, F07: one run, whose key in its title is found, or which is asked for once more when there is none."""
    github.state.faults.add(replace(fault, method="POST", path="*/dispatches", when=when))
    run(bot, labeled(github, label), **NOW)
    assert len(runs(github)) == 1
    assert len(texts(pull_of(github).comments)) == 1
    assert labels(github) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_r01_what_nobody_can_tell_is_not_tried_again(bot: Bot, github: Sandbox, when: Any) -> None:
    """R-01: a title without a key may be anybody's. The run is red, and a schedule says how to ask again."""
    event = labeled(github, "Silent")
    others = {"ref": "main"}
    path = f"/repos/{github.repository}/actions/workflows/silent.yml/dispatches"
    call(github, "POST", path, others, github.token)
    github.state.faults.add(Fault("status", "POST", "*/dispatches", status=502, when=when))
    done = run(bot, event, code=3, **NOW)
    assert "nobody can tell whether silent.yml was started" in done.log
    count = len(runs(github))
    assert count == (2 if when == "after" else 1)
    run(bot, event, code=3, **LATER)
    assert len(runs(github)) == count
    if not bot.database_url:
        return
    sweep(bot, **MUCH_LATER)
    assert texts(pull_of(github).comments) == [MISSED.format(label="Silent")]
    run(bot, event, **MUCH_LATER)
    assert len(runs(github)) == count
    assert len(texts(pull_of(github).comments)) == 1


@pytest.mark.parametrize(
    ("bot", "attempt", "phase"),
    [
        ("sqlite", "2", "during"),
        *(pytest.param("mysql", "1", each, marks=() if each == "during" else pytest.mark.soak) for each in PHASES),
    ],
    indirect=["bot"],
)
def test_f01_kill_9_at_every_request(bot: Bot, github: Sandbox, phase: str, attempt: str) -> None:
    """F01: then one more run; one workflow was started, and one comment says so."""
    host, port = github.url.removeprefix("http://").split(":")
    for at in range(1, 10):
        number = payloads.opened_pull(github.state, github.repository, "Trial", [], "newcomer")["number"]
        event, cut, before = labeled(github, BUILD, "maintainer", number), Cut(at, phase), len(runs(github))
        with contextlib.closing(Proxy((host, int(port)), http_request, cut)) as proxy:
            process = replace(bot, api_url=f"http://127.0.0.1:{proxy.port}").start("pull_request_target", event, **NOW)
            cut.pid = process.pid
            bot.finish(process)
        more: dict[str, Any] = {"GITHUB_RUN_ATTEMPT": attempt, "GITHUB_TRIGGERING_ACTOR": "maintainer", **LATER}
        run(bot, event, **more)
        assert len(runs(github)) == before + 1, cut.names
        pull = pull_of(github, number)
        assert (len(pull.comments), pull.labels) == (1, []), cut.names
        if len(cut.names) < at:
            return
    raise AssertionError("more requests than were thought of")


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("label", [BUILD, LOAD])
def test_a_rerun_whose_file_was_lost_looks_for_the_run(bot: Bot, github: Sandbox, label: str) -> None:
    """The runner died after the start, and its file went with it."""
    event = labeled(github, label)
    github.state.faults.add(Fault("status", "POST", "*/comments", status=500, times=0))
    assert bot.run("pull_request_target", event, **NOW).code == 3
    github.state.faults.clear()
    github.state.add_labels(github.repository, github.pull, [label])
    for file in (bot.home / ".mattermod").iterdir():
        file.unlink()
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer", **NOW)
    assert len(runs(github)) == 1
    assert len(texts(pull_of(github).comments)) == 1


# How it ended


@pytest.mark.parametrize(
    ("way", "conclusion", "word"),
    [
        ("repository_dispatch", "success", "it is built"),
        ("workflow_run", "failure", "it is not built"),
        ("schedule", "success", "it is built"),
    ],
)
def test_how_it_ended_is_told_once(bot: Bot, github: Sandbox, way: str, conclusion: str, word: str) -> None:
    made = started(bot, github)
    ended = payloads.workflow_ended(github.state, github.repository, made.id, conclusion)
    report = told(github, key_of(made), conclusion, page(github, made))
    ways: dict[str, Callable[[], Run]] = {
        "repository_dispatch": lambda: run(bot, report),
        "workflow_run": lambda: run(bot, ended),
        "schedule": lambda: sweep(bot),
    }
    ways[way]()
    assert texts(pull_of(github).comments)[1:] == [f"@newcomer, {word}: {page(github, made)}"]
    for each in ways.values():
        each()
    run(bot, told(github, key_of(made), "cancelled"))  # somebody has started the run once more
    assert len(texts(pull_of(github).comments)) == 2


def test_it_is_told_on_the_right_pull_request(bot: Bot, github: Sandbox) -> None:
    others = [payloads.opened_pull(github.state, github.repository, "Other", [], "newcomer") for _ in range(2)]
    for other in others:
        run(bot, labeled(github, BUILD, "maintainer", other["number"]))
    run(bot, told(github, key_of(runs(github)[1]), "cancelled"))
    assert [len(pull_of(github, other["number"]).comments) for other in others] == [1, 2]
    assert texts(pull_of(github, others[1]["number"]).comments)[1].startswith("@newcomer, it is not built: ")


def test_the_end_of_an_event_is_told_too(bot: Bot, github: Sandbox) -> None:
    made = started(bot, github, LOAD)
    run(bot, payloads.workflow_ended(github.state, github.repository, made.id, "success"))
    assert texts(pull_of(github).comments)[1:] == [f"The workflow has succeeded: {page(github, made)}"]


@pytest.mark.parametrize("key", ["0" * 64, "", "x", "0" * 63, "G" * 64, None, 7, ["a"]])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s23_a_key_that_was_never_given_out_is_one_line(bot: Bot, github: Sandbox, key: Any) -> None:
    started(bot, github)
    writes = len(github.writes)
    done = run(bot, told(github, key))
    assert len(github.writes) == writes
    assert "key" in done.log


def test_s23_a_key_of_something_else_is_none(bot: Bot, github: Sandbox) -> None:
    """That of a comment, and that of a dispatch of another repository with the same database."""
    made = started(bot, github)
    run(bot, told(github, key_of(made)))
    comment = pull_of(github).comments[-1]
    writes = len(github.writes)
    run(bot, told(github, key_of(made)) | {"repository": told(github, "")["repository"] | {"id": 99}})
    for key in keys(bot, "Comment"):
        run(bot, told(github, key))
    assert len(github.writes) == writes
    assert comment is pull_of(github).comments[-1]


def keys(bot: Bot, kind: str) -> list[str]:
    sql = f"SELECT k FROM mm_ledger WHERE kind = '{kind}'"
    if not bot.database_url:
        with contextlib.closing(sqlite3.connect(bot.home / ".mattermod/state.sqlite")) as file:
            return [key for (key,) in file.execute(sql)]
    database, _ = parse(bot.database_url, "", "verify", "x")
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return [key for (key,) in cursor.fetchall()]


@pytest.mark.parametrize("kind", ["pull_request", "push", "pull_request_target"])
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s23_the_title_of_a_forks_run_is_not_believed(bot: Bot, github: Sandbox, kind: str) -> None:
    """Whoever opens a pull request chooses the title of its runs, and may have read a key in another one's."""
    made = started(bot, github)
    ended = payloads.workflow_ended(github.state, github.repository, made.id, "success")
    ended["workflow_run"]["event"] = kind
    requests = len(github.requests)
    assert run(bot, ended).log.startswith("workflow_run on octo-org/hello\n")
    assert len(github.requests) == requests + 1  # the configuration
    assert len(texts(pull_of(github).comments)) == 1


URLS = [
    "https://evil.example/octo-org/hello/actions/runs/1",
    "SERVER.evil.example/octo-org/hello/actions/runs/1",
    "SERVER/octo-org/hello/actions/runs/1) [x](https://evil.example",
    "SERVER/octo-org/hello/actions/runs/1\n\n@octo-org/core",
    "SERVER/login?return_to=/octo-org/hello/actions/runs/1",
    "javascript:alert(1)",
    "",
    7,
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s21_only_a_runs_page_on_this_server_is_shown(bot: Bot, github: Sandbox, url: Any) -> None:
    made = started(bot, github)
    run(bot, told(github, key_of(made), "success", url.replace("SERVER", github.url) if isinstance(url, str) else url))
    assert texts(pull_of(github).comments)[1:] == [f"@newcomer, it is built: {page(github, made)}"]


def test_a_page_that_is_told_is_shown(bot: Bot, github: Sandbox) -> None:
    """That of another run, say: the one that built what this one only asked for."""
    url = f"{github.url}/{BUILDS}/actions/runs/12/attempts/2"
    run(bot, told(github, key_of(started(bot, github)), "success", url))
    assert texts(pull_of(github).comments)[1:] == [f"@newcomer, it is built: {url}"]


def test_other_events_of_their_kinds_cost_nothing(bot: Bot, github: Sandbox) -> None:
    event = payloads.dispatched(github.state, github.repository, "deploy", {"key": "0" * 64}, "maintainer")
    assert "only mattermod-result and mattermod-sweep are answered" in run(bot, event).log
    run(bot, told(github, "0" * 64, "wonderful"))
    run(bot, {**told(github, "0" * 64), "client_payload": None})
    made = started(bot, github)
    requests = len(github.requests)
    ended = payloads.workflow_ended(github.state, github.repository, made.id, "success")
    run(bot, {**ended, "action": "requested"})
    assert len(github.requests) == requests


def test_a_rule_that_went_says_nothing(bot: Bot, github: Sandbox) -> None:
    made = started(bot, github)
    github.state.write_files(github.repository, {".github/mattermod.yml": "label_workflow: {rules: []}\n"})
    run(bot, told(github, key_of(made)))
    assert len(texts(pull_of(github).comments)) == 1


# The sweep


def asked(github: Sandbox) -> int:
    return sum(bool(re.search(r"/actions/runs/\d+$", each.path)) for each in github.requests)


def test_a_sweep_asks_until_it_is_answered(bot: Bot, github: Sandbox) -> None:
    made = started(bot, github)
    sweep(bot)
    assert (asked(github), len(texts(pull_of(github).comments))) == (1, 1)
    github.state.end_run(github.repository, made.id, "timed_out")
    sweep(bot)
    assert (asked(github), len(texts(pull_of(github).comments))) == (2, 2)
    sweep(bot)
    assert (asked(github), len(texts(pull_of(github).comments))) == (2, 2)


def test_a_sweep_does_not_ask_for_ever(bot: Bot, github: Sandbox) -> None:
    """Nor after a run of which GitHub told no page, nor one that is gone, nor for what is switched off."""
    started(bot, github)
    started(bot, github, LOAD)
    github.state.write_files(github.repository, {".github/mattermod.yml": "update_branch: {}\n"})
    sweep(bot)
    assert asked(github) == 0
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    runs(github).clear()
    sweep(bot, MATTERMOD_CLOCK_OFFSET="7200")
    assert (asked(github), len(texts(pull_of(github).comments))) == (1, 2)
    sweep(bot, MATTERMOD_CLOCK_OFFSET=str(8 * 86_400))
    assert asked(github) == 1


def test_a_run_that_cannot_be_read_holds_up_no_other(bot: Bot, github: Sandbox) -> None:
    first = started(bot, github)
    run(bot, again(github))
    for made in runs(github):
        github.state.end_run(github.repository, made.id, "success")
    github.state.faults.add(Fault("status", "GET", f"*/actions/runs/{first.id}", status=500, times=0))
    sweep(bot, code=3)
    assert len(texts(pull_of(github).comments)) == 3
    github.state.faults.clear()
    done = sweep(bot, MATTERMOD_CLOCK_OFFSET="7200")
    assert len(texts(pull_of(github).comments)) == 4, done.log


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_a_sweep_starts_nothing_and_says_how_to_ask_again(bot: Bot, github: Sandbox) -> None:
    """The run that should have started it died; it may be gone on with by a re-run until a sweep has spoken."""
    event = labeled(github)
    host, port = github.url.removeprefix("http://").split(":")
    cut = Cut(4)
    with contextlib.closing(Proxy((host, int(port)), http_request, cut)) as proxy:
        process = replace(bot, api_url=f"http://127.0.0.1:{proxy.port}").start("pull_request_target", event)
        cut.pid = process.pid
        assert bot.finish(process).code == -signal.SIGKILL
    assert "dispatches" in cut.names[-1]
    sweep(bot, MATTERMOD_CLOCK_OFFSET="60")
    assert texts(pull_of(github).comments) == []  # somebody may be at it
    for _ in range(2):
        sweep(bot)
    assert runs(github) == []
    assert texts(pull_of(github).comments) == [MISSED.format(label=BUILD)]
    run(bot, event, **LATER)
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer", **LATER)
    assert runs(github) == []
    assert len(texts(pull_of(github).comments)) == 1
    run(bot, again(github), **LATER)
    assert len(runs(github)) == 1


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_f08_what_a_rate_limit_holds_up_is_red(bot: Bot, github: Sandbox) -> None:
    """F08: no sweep goes on with it; started once more it does."""
    github.state.faults.add(Fault("secondary-limit", "POST", "*/dispatches", retry_after="3600"))
    event = labeled(github)
    run(bot, event, code=3)
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer", **LATER)
    assert len(runs(github)) == 1
