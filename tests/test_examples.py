"""What the example workflows start a job for, which runs follow each other, and keys that our tools do not know yet."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from benchmarks import day
from sandbox import expressions
from sandbox.act import ACT, EXAMPLES
from scripts import newer_syntax

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = (
    "auto-merge.yml",
    "cherry-pick.yml",
    "comments.yml",
    "label-workflow.yml",
    "labels-with-mysql.yml",
    "labels.yml",
    "pull-request.yml",
)
WITH_ENVIRONMENT = (
    *(name for name in ITEMS if name != "labels.yml"),
    "schedule.yml",
    "spinmint.yml",
    "spinmint-expiry.yml",
    "organisation-schedule.yml",
)
# Their commit is not on the default branch: https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
ELSEWHERE = ("merge_group", "pull_request_review")
MAIN, TOPIC = "main", "topic"
HEAD, OTHER = "a" * 40, "b" * 40


def example(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text())
    return loaded


def job(name: str) -> dict[str, Any]:
    """The one with the secrets."""
    return dict(next(iter(example(name)["jobs"].values())))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' == 'A'", True),
        ("null == ''", True),
        ("null == 0", True),
        ("null != 'main'", True),
        ("'1' == 1", True),
        ("'x' == 0", False),
        ("false || 'b'", "b"),
        ("'a' && 'b' || 'c'", "b"),
        ("'' && 'b' || 'c'", "c"),
        ("true || false && false", True),
        ("!(1 == 2) && !false", True),
        ("contains('Hello', 'ELL')", True),
        ("contains(github.list.*.name, 'TWO')", True),
        ("contains(github.list.*.name, 'tw')", False),
        ("contains(github.list.*.in.deep, 3)", True),
        ("contains(github.none.*.name, 'x')", False),
        ("github.list[1].name", "two"),
        ("github.list[9] == null", True),
        ("github.none[0] == null", True),
        ("github.nothing.at.all == null", True),
        ("startsWith(github.none, 'x')", False),
        ("startsWith('Pull_request', 'pull')", True),
        ("format('{0}-{1}', 'it''s', 1)", "it's-1"),
        ("""contains('a\n/b', fromJSON('"\\n/"'))""", True),
    ],
)
def test_expressions_have_the_values_that_github_gives_them(expression: str, value: Any) -> None:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/expressions."""
    held = {"list": [{"name": "one"}, {"name": "two", "in": {"deep": 3}}], "none": None}
    assert expressions.evaluate(expression, {"github": held}) == value


@pytest.mark.parametrize("expression", ["a &", "(a", "a b", "hashFiles('x')", "contains('a'", "a[0", "'open"])
def test_what_is_no_expression_is_not_guessed_at(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expressions.evaluate(expression, {})


def branch(name: str, sha: str = HEAD) -> dict[str, Any]:
    return {"name": name, "commit": {"sha": sha}}


STATUSES: list[tuple[str, list[dict[str, Any]], bool]] = [
    ("of a fork: in no branch here", [], True),
    ("the head of a branch", [branch(TOPIC)], True),
    ("the head of a branch that begins at another", [branch(TOPIC), branch("later", OTHER)], True),
    ("overtaken by a push", [branch(TOPIC, OTHER)], False),
    ("the head of the default branch", [branch(MAIN)], False),
    ("in the default branch", [branch(MAIN, OTHER), branch("release-1")], False),
    ("ten branches, and there may be more", [branch(f"b{n}", OTHER) for n in range(9)] + [branch(MAIN)], True),
]
RUNS: list[tuple[str, str, dict[str, Any], bool]] = [
    ("a suite of a fork", "check_suite", {"head_branch": None}, True),
    ("a suite of a branch", "check_suite", {"head_branch": TOPIC}, True),
    ("a suite of the default branch", "check_suite", {"head_branch": MAIN}, False),
    ("a suite of a merge group", "check_suite", {"head_branch": "gh-readonly-queue/main/pr-1-a"}, False),
    ("a run of a pull request", "workflow_run", {"event": "pull_request", "head_branch": TOPIC}, True),
    ("a run of a fork's default branch", "workflow_run", {"event": "pull_request", "head_branch": MAIN}, True),
    ("a run of pull_request_target", "workflow_run", {"event": "pull_request_target", "head_branch": MAIN}, True),
    ("a run of a push to a branch", "workflow_run", {"event": "push", "head_branch": TOPIC}, True),
    ("a run of a push to the default branch", "workflow_run", {"event": "push", "head_branch": MAIN}, False),
    ("a run by schedule", "workflow_run", {"event": "schedule", "head_branch": MAIN}, False),
    ("a run of a merge group", "workflow_run", {"event": "merge_group", "head_branch": "gh-readonly-queue/m/p"}, False),
]


@pytest.mark.parametrize("workflow", day.HEARS)
@pytest.mark.parametrize("state", ["pending", "success", "failure", "error"])
@pytest.mark.parametrize(("about", "branches", "matters"), STATUSES, ids=[row[0] for row in STATUSES])
def test_a_status_starts_a_job_where_it_can_matter(
    workflow: str, state: str, about: str, branches: list[dict[str, Any]], *, matters: bool
) -> None:
    payload = {"sha": HEAD, "state": state, "branches": branches, "repository": {"default_branch": MAIN}}
    started = day.starts(day.condition(workflow), day.Sent("status", payload, about=about))
    assert started is (matters and state != "pending")


@pytest.mark.parametrize(("about", "name", "over", "matters"), RUNS, ids=[row[0] for row in RUNS])
def test_what_is_over_starts_a_job_where_it_can_matter(
    about: str, name: str, over: dict[str, Any], *, matters: bool
) -> None:
    payload = {"action": "completed", name: over, "repository": {"default_branch": MAIN}}
    assert day.starts(day.condition("auto-merge.yml"), day.Sent(name, payload, about=about)) is matters


ACT_ROWS = [
    *(
        (about, "status", {"sha": HEAD, "state": "success", "branches": found}, matters)
        for about, found, matters in STATUSES
    ),
    *((about, name, {"action": "completed", name: over}, matters) for about, name, over, matters in RUNS),
]


@pytest.mark.parametrize(("about", "name", "payload", "matters"), ACT_ROWS, ids=[row[0] for row in ACT_ROWS])
def test_act_evaluates_the_condition_in_the_same_way(
    tmp_path: Path, about: str, name: str, payload: dict[str, Any], *, matters: bool
) -> None:
    """By another engine than ours, in a dry run, which takes no Docker engine: a job is set up or it is not."""
    steps = [{"run": "true"}]
    one = {"if": day.condition("auto-merge.yml"), "runs-on": "ubuntu-latest", "steps": steps}
    workflow = {"on": ["status", "check_suite", "workflow_run"], "jobs": {"one": one}}
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/one.yml").write_text(json.dumps(workflow))
    (tmp_path / "event.json").write_text(json.dumps({**payload, "repository": {"default_branch": MAIN}}))
    options = ["--dryrun", "--eventpath", "event.json", "--platform", "ubuntu-latest=none", "--pull=false"]
    command: list[str | Path] = [ACT, name, *options, "--container-daemon-socket", "-"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ("Set up job" in ran.stdout) is matters, f"{about}: {ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("workflow", day.HEARS)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 6))])
def test_on_a_whole_day_nothing_that_matters_is_lost(workflow: str, seed: int) -> None:
    """But for what the schedule finds: a pull request whose head is the default branch."""
    now = day.condition(workflow)
    heard = [sent for sent in day.Day(seed).sent if sent.name in day.HEARS[workflow]]
    lost = Counter(sent.about for sent in heard if sent.matters and not day.starts(now, sent))
    assert {*lost} == {"from the default branch"}
    more = [sent for sent in heard if day.starts(now, sent) and not day.starts(day.BEFORE[workflow], sent)]
    assert more == []
    useless = {sent.about for sent in heard if day.starts(now, sent)}
    assert not useless & {"a merge", "a schedule", "a merge group"}


@pytest.mark.parametrize("workflow", day.HEARS)
def test_a_quarter_of_the_jobs_is_not_started(workflow: str) -> None:
    heard = [sent for sent in day.Day().sent if sent.name in day.HEARS[workflow]]
    before, now = (
        sum(day.starts(expression, sent) for sent in heard)
        for expression in (day.BEFORE[workflow], day.condition(workflow))
    )
    assert now <= 0.75 * before


@pytest.mark.parametrize("name", ITEMS)
def test_the_runs_of_one_item_follow_each_other(name: str) -> None:
    """On the job, so that one whose `if:` is false does not wait; and in one line for all workflows."""
    assert "concurrency" not in example(name)
    group = job(name)["concurrency"]
    assert group["queue"] == "max"
    assert "cancel-in-progress" not in group
    of = group["group"].removeprefix("mattermod-${{").removesuffix("}}").strip()
    for event, number in (({"pull_request": {"number": 7}}, 7), ({"issue": {"number": 5}}, 5), ({}, 4711)):
        assert expressions.evaluate(of, {"github": {"event": event, "run_id": 4711}}) == number


@pytest.mark.parametrize("name", WITH_ENVIRONMENT)
def test_runs_that_are_many_make_no_deployments(name: str) -> None:
    assert job(name)["environment"]["deployment"] is False


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yml")))
def test_t02_secrets_are_in_an_environment_and_only_where_the_default_branch_runs(name: str) -> None:
    """A repository's secret is read by a workflow on any branch, so every writer would have the database's account."""
    document = example(name)
    for part in document["jobs"].values():
        if "secrets." not in json.dumps(part):
            continue
        assert "environment" in part
        heard = {*document["on"]} & {*ELSEWHERE}
        started = [event for event in heard if is_started(part, event)]
        assert started == []


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yml")))
def test_each_event_starts_one_job(name: str) -> None:
    """What no environment allows runs in a job of its own, and nothing runs twice."""
    document = example(name)
    heard = document["on"] if isinstance(document["on"], dict) else {document["on"]: None}
    for event in heard:
        assert sum(is_started(part, event) for part in document["jobs"].values()) == 1, event


def is_started(part: dict[str, Any], event: str) -> bool:
    """By an event that a job of the example is for, whatever else it asks for."""
    repository = {"full_name": "octo-org/hello"}
    payload = {
        "state": "success",
        "sha": HEAD,
        "comment": {"body": "/x"},
        "pull_request": {"merged": True, "labels": [{"name": "x"}], "head": {"repo": repository}},
        "workflow_run": {"event": "repository_dispatch" if "dispatch" in part.get("if", "") else "pull_request"},
        "repository": {**repository, "default_branch": MAIN},
    }
    held = {"event_name": event, "repository": repository["full_name"], "event": payload}
    return expressions.is_true(expressions.evaluate(part.get("if", "true"), {"github": held}))


def test_a_migration_is_a_deployment() -> None:
    """A person starts it, and who did what when is good to have."""
    assert job("migrate.yml")["environment"] == "mattermod-database"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.name)
def test_newer_keys_are_left_out_and_nothing_else(path: Any) -> None:
    text = path.read_text()
    assert newer_syntax.mistakes(text) == []
    older = newer_syntax.without(text)
    assert older.count("\n") == text.count("\n")
    document, expected = YAML(typ="safe", pure=True).load(older), YAML(typ="safe", pure=True).load(text)
    for part in expected["jobs"].values():
        if isinstance(part.get("concurrency"), dict):
            part["concurrency"].pop("queue", None)
        if isinstance(part.get("environment"), dict):
            part["environment"].pop("deployment", None)
    assert document == expected


@pytest.mark.parametrize(
    ("part", "mistake"),
    [
        ("concurrency: {group: g, queue: max}", ""),
        ("concurrency: {group: g, queue: single, cancel-in-progress: true}", ""),
        ("concurrency: {group: g, queue: max, cancel-in-progress: false}", ""),
        ("concurrency: {group: g, queue: maximum}", "queue is 'maximum'"),
        ("concurrency: {group: g, queue: max, cancel-in-progress: true}", "not allowed"),
        ("concurrency: {group: g, queue: max, cancel-in-progress: '${{ x }}'}", "not allowed"),
        ("concurrency: g", ""),
        ("environment: e", ""),
        ("environment: {name: e, deployment: false}", ""),
        ("environment: {name: e, deployment: 'no'}", "deployment is 'no'"),
    ],
)
def test_mistakes_in_newer_keys_are_said(part: str, mistake: str) -> None:
    found = newer_syntax.mistakes(f"jobs:\n  one:\n    {part}\n")
    assert bool(found) is bool(mistake)
    assert mistake in "".join(found)
    if part.startswith("concurrency"):
        assert newer_syntax.mistakes(f"{part}\njobs: {{}}\n") == found
