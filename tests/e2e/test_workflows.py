"""Every example workflow, under act, with the real image, the sandbox's GitHub and a MariaDB."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests
from ruamel.yaml import YAML

from benchmarks.everything import signatures, switch_on
from mattermod_action.ports import SCHEMA
from sandbox import payloads
from sandbox.act import EXAMPLES
from sandbox.faults import Fault
from sandbox.records import Status
from tests import servers
from tests.e2e.watching import watched
from tests.migrations.test_migrations import content
from tests.scene import unmarked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.act import Act
    from sandbox.records import Pull

    Workflow = Callable[[str], Act]

ANSWERS = ("labels.yml", "labels-with-mysql.yml")
TEST_SERVERS = ("spinmint.yml", "spinmint-expiry.yml")  # in test_spinmint.py
CENTRAL = "organisation-schedule.yml"
DEV, PM, QA, HELP = "2: Dev Review", "1: PM Review", "3: QA Review", "Help Wanted"


def labeled(github: Sandbox, label: str) -> dict[str, Any]:
    return payloads.labeled(github.state, github.repository, github.pull, label, "maintainer")


def bodies(github: Sandbox, number: int) -> list[str]:
    return [unmarked(comment.body) for comment in github.state.item(github.repository, number).comments]


def test_each_example_is_run_by_a_test() -> None:
    assert {path.name for path in EXAMPLES.glob("*")} == {
        *ANSWERS,
        "migrate.yml",
        "schedule.yml",
        CENTRAL,
        "pull-request.yml",
        "comments.yml",
        "auto-merge.yml",
        "label-workflow.yml",
        "cherry-pick.yml",
        *TEST_SERVERS,
    }


@pytest.mark.parametrize("workflow", ANSWERS)
def test_labelled_is_answered_once(act: Workflow, github: Sandbox, workflow: str) -> None:
    event, run = labeled(github, DEV), act(workflow)
    first = run.run("pull_request_target", event)
    assert first.code == 0, first.log
    [body] = [comment.body for comment in github.state.item(github.repository, github.pull).comments]
    assert body.startswith("<!-- mattermod:v1:")
    assert body.endswith(" -->\n\nThanks @newcomer, a developer will look at this within two days.")
    [url] = first.outputs["comments"]
    assert f"| label_messages | `label 2: dev review` | [comment posted]({url}) |" in first.summary
    assert first.outputs["failures"] == []
    assert github.token not in first.log
    writes = len(github.writes)
    again = run.run("pull_request_target", event)
    assert again.code == 0, again.log
    assert again.outputs["comments"] == []
    assert len(github.writes) == writes == 1


def test_pull_request_is_handled_like_pull_request_target(act: Workflow, github: Sandbox) -> None:
    run = act("labels-with-mysql.yml")
    run.prepare()
    path = run.home / ".github/workflows/labels-with-mysql.yml"
    path.write_text(path.read_text().replace("pull_request_target:", "pull_request:"))
    ran = run.run("pull_request", labeled(github, DEV))
    assert ran.code == 0, ran.log
    assert len(bodies(github, github.pull)) == 1


def test_a_label_without_a_message_is_cheap(act: Workflow, github: Sandbox) -> None:
    ran = act("labels-with-mysql.yml").run("pull_request_target", labeled(github, PM))
    assert ran.code == 0, ran.log
    assert len(github.requests) <= 3
    assert bodies(github, github.pull) == []


def test_an_issue_from_a_template_gets_both_messages(act: Workflow, github: Sandbox) -> None:
    config = """
    label_messages:
      issues:
        - {label: "Help Wanted", message: "Say so below, USERNAME."}
        - {label: "1: PM Review", message: "A product manager reads this first."}
    """
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    event = payloads.opened_issue(github.state, github.repository, "From a template", [HELP, PM], "reporter")
    ran = act("labels-with-mysql.yml").run("issues", event)
    assert ran.code == 0, ran.log
    first, second = bodies(github, event["issue"]["number"])
    assert first.startswith("Say so below, reporter.")
    assert second.startswith("A product manager reads this first.")


@pytest.mark.parametrize(
    ("body", "starts"),
    [("Looks good", False), ("see a/b", False), ("/cherry-pick release-10", True), ("Please\n/check-cla", True)],
)
def test_a_comment_without_a_command_starts_no_job(act: Workflow, github: Sandbox, body: str, *, starts: bool) -> None:
    event = payloads.comment_created(github.state, github.repository, github.pull, "reviewer", body)
    for workflow in ANSWERS:
        ran = act(workflow).run("issue_comment", event)
        assert ran.code == 0, ran.log
        assert ran.started is starts, ran.log


def test_migrate(act: Workflow, mysql_server: servers.Server) -> None:
    """workflow_dispatch on a database without tables: the summary has before, what was or would be done, and after."""
    empty = mysql_server.new_database()
    run = act("migrate.yml")
    run.secrets = {**run.secrets, "MATTERMOD_MIGRATE_DATABASE_URL": servers.url(empty)}
    newest = f"schema {SCHEMA}"
    for asked, number, rows in (
        ({"operation": "status"}, 0, ["| migrate | `0001.base` | to do |"]),
        ({"operation": "up"}, 0, ["| migrate | `0001.base` | would be applied |"]),  # the plan is the default
        ({"operation": "up", "plan": "false"}, SCHEMA, ["`before` | schema 0", "applied", f"`after` | {newest}"]),
        ({"operation": "up", "plan": "false"}, SCHEMA, ["`tables` | nothing to do"]),
        ({"operation": "goto", "version": "3", "plan": "false"}, 3, [f"`before` | {newest}", "`after` | schema 3"]),
        ({"operation": "force", "version": "4", "plan": "false"}, 4, ["noted as applied"]),
        ({"operation": "version"}, 4, []),
    ):
        ran = run.run("workflow_dispatch", {"inputs": {"plan": "true", **asked}})
        assert ran.code == 0, ran.log
        assert f"The database has schema {number}." in ran.log
        assert [row for row in rows if row not in ran.summary] == []
        assert servers.migrator(empty).version() == (number, False)


@pytest.fixture
def everything(github: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """Every feature is switched on, and the job's token may do what the workflow asks for."""
    with signatures(tmp_path / "signed") as url:
        switch_on(github, url)
        yield github


def permitted(github: Sandbox, workflow: str) -> None:
    """Give the token what the job of that workflow has."""
    document = YAML(typ="safe", pure=True).load((EXAMPLES / workflow).read_text())
    job = next(iter(document["jobs"].values()))
    asked = {name.replace("-", "_"): level for name, level in job["permissions"].items()}
    github.state.tokens["github-token"].permissions = {**asked, "metadata": "read"}


def test_the_life_of_a_pull_request(act: Workflow, everything: Sandbox) -> None:
    github = everything
    permitted(github, "pull-request.yml")
    event = payloads.opened_pull(
        github.state, github.repository, "New", ["Do Not Merge", "Work in Progress"], "newcomer"
    )
    number = event["number"]
    run = act("pull-request.yml")
    ran = run.run("pull_request_target", event)
    assert ran.code == 0, ran.log
    assert bodies(github, number)[0].startswith("Hello @newcomer, thanks")
    assert "| cla | `CLA` | set status cla/mattermost, error |" in ran.summary
    [failure] = ran.outputs["failures"]  # GITHUB_TOKEN sees no team, and this workflow has no secret for `org-token`
    assert "give `org-token` the token of an App" in failure
    assert "| block_merge | `labels` | set status merge/blocked, pending |" in ran.summary
    closed = payloads.closed(github.state, github.repository, number, "maintainer")
    assert run.run("pull_request_target", closed).code == 0
    labels = {label.name for label in github.state.pull(github.repository, number).labels}
    assert labels == {"Do Not Merge", "Contributor", "Hacktoberfest"}


def test_commands(act: Workflow, everything: Sandbox) -> None:
    github = everything
    permitted(github, "comments.yml")
    number = payloads.opened_pull(github.state, github.repository, "New", [], "newcomer")["number"]
    github.state.write_files(github.repository, {"new.txt": "new\n"})
    before = github.state.pull(github.repository, number).head_sha
    run = act("comments.yml")
    for body, author in (
        ("Please\n/update-branch", "newcomer"),
        ("/check-cla", "stranger"),
        ("/autoassign", "stranger"),
        ("thanks", "newcomer"),
    ):
        event = payloads.comment_created(github.state, github.repository, number, author, body)
        ran = run.run("issue_comment", event)
        assert ran.code == 0, ran.log
    assert ran.started is False
    assert github.state.pull(github.repository, number).head_sha != before
    assert github.state.pull(github.repository, number).teams == []


def test_checks_that_are_over_merge(act: Workflow, github: Sandbox) -> None:
    permitted(github, "auto-merge.yml")
    github.state.write_files(
        github.repository, {".github/mattermod.yml": "auto_merge: {label: Ready, settle_minutes: 0}\n"}
    )
    pull = github.state.add_pull(github.repository, "New", "reviewer", mergeable_reads=0)
    payloads.labeled(github.state, github.repository, pull.number, "Ready", "maintainer")
    run = act("auto-merge.yml")
    for state in ("pending", "success"):
        made = Status(github.state.next_id(), "ci", state, github.state.person("ci"), github.state.now())
        github.state.add_status(github.repository, pull.head_sha, made)
        event = payloads.status(github.state, github.repository, pull.head_sha, made.id, "ci")
        ran = run.run("status", event)
        assert ran.code == 0, ran.log
        assert ran.started is (state == "success")
    assert pull.merged_at
    assert "| auto_merge | `label ready` | merge |" in ran.summary


STARTS = """
label_workflow:
  rules: [{label: Build App, workflow: build.yml, inputs: {key: key}, done: "Built: WORKFLOW_URL"}]
"""
BUILD = "run-name: Build ${{ inputs.key }}\non: {workflow_dispatch: {inputs: {key: {}}}}\n"


def test_a_label_starts_a_workflow_and_its_end_is_told(act: Workflow, github: Sandbox) -> None:
    permitted(github, "label-workflow.yml")
    files = {".github/mattermod.yml": STARTS, ".github/workflows/build.yml": BUILD}
    github.state.write_files(github.repository, files)
    repository = github.state.repository(github.repository)
    assert repository
    run = act("label-workflow.yml")
    ran = run.run("pull_request_target", labeled(github, "Build App"))
    assert ran.code == 0, ran.log
    [made] = repository.runs
    ended = payloads.workflow_ended(github.state, github.repository, made.id, "success")
    ran = run.run("workflow_run", ended)
    assert ran.code == 0, ran.log
    assert bodies(github, github.pull)[1].startswith(f"Built: {github.url}/{github.repository}/actions/runs/{made.id}")


TARGET = "release-10.5"


def merged(github: Sandbox) -> Pull:
    """A pull request that was merged, in a repository that has a release branch."""
    state, place = github.state, github.repository
    state.write_files(place, {".github/mattermod.yml": "cherry_pick: {}\n", "app.txt": "one\n"})
    state.write_files(place, {"only-there.txt": "x\n"}, TARGET)
    pull = state.add_pull(place, "New", "newcomer", head="change", files={"app.txt": "two\n"})
    state.merge(place, pull.number, "squash", f"New (#{pull.number})", "maintainer")
    return pull


def page(github: Sandbox, number: int) -> str:
    return requests.get(f"{github.url}/{github.repository}/pull/{number}", timeout=10).text


def link(github: Sandbox, number: int) -> str:
    return f'href="/{github.repository}/pull/{number}"'


def test_s09_a_pick_by_command_links_both_ways_and_tells_no_token(
    act: Workflow, github: Sandbox, database: Database
) -> None:
    """S-09: tokens are in no command line, in nothing of git's, in nothing that is printed, posted or kept."""
    permitted(github, "cherry-pick.yml")
    tokens = {"GITHUB_TOKEN": "github-token", "MATTERMOD_CHERRY_PICK_TOKEN": "app"}
    canaries = {secret: f"canary-{name}-7f3b" for secret, name in tokens.items()}
    for secret, name in tokens.items():
        github.state.tokens[name].value = canaries[secret]
    original = merged(github)
    event = payloads.comment_created(
        github.state, github.repository, original.number, "maintainer", f"/cherry-pick {TARGET}"
    )
    run = act("cherry-pick.yml")
    run.secrets, run.options = {**run.secrets, **canaries}, ("--insecure-secrets",)  # act would hide what leaks
    with watched() as seen:
        ran = run.run("issue_comment", event)
    assert ran.code == 0, ran.log
    repository = github.state.repository(github.repository)
    assert repository
    [new] = [pull for pull in repository.pulls() if pull.base_ref == TARGET]
    assert new.author
    assert new.author.login == "mattermod-app[bot]"
    assert ran.outputs["pulls"] == [f"{github.url}/{github.repository}/pull/{new.number}"]
    assert link(github, new.number) in page(github, original.number)
    assert link(github, original.number) in page(github, new.number)
    basic = [base64.b64encode(f"x-access-token:{value}".encode()).decode() for value in canaries.values()]
    said = [ran.log, page(github, original.number), page(github, new.number)]
    said += [json.dumps(content(database)), *seen.commands, *seen.configurations]
    assert [text for text in said for secret in (*canaries.values(), *basic) if secret in text] == []
    assert any("push --porcelain" in command for command in seen.commands)  # it was looked at in time
    assert any("[core]" in text for text in seen.configurations)


def test_a_sweep_goes_on_with_what_was_held_up(act: Workflow, github: Sandbox) -> None:
    github.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="3600"))
    ran = act("labels-with-mysql.yml").run("pull_request_target", labeled(github, DEV))
    assert ran.code == 0, ran.log
    assert bodies(github, github.pull) == []
    around = payloads.opened(github.state, github.repository, github.pull)
    swept = act("schedule.yml").run("schedule", {"schedule": "7,37 * * * *", "repository": around["repository"]})
    assert swept.code == 0, swept.log
    assert len(bodies(github, github.pull)) == 1
    assert "comment posted" in swept.summary


def around(github: Sandbox) -> dict[str, Any]:
    """What a schedule is told."""
    event = payloads.opened(github.state, github.repository, github.pull)
    return {"schedule": "7,22,37,52 * * * *", "repository": event["repository"]}


def test_a_sweep_answers_what_nobody_has_heard_of(act: Workflow, everything: Sandbox) -> None:
    """With every feature on, and no permission but those of the example. What was there before is left alone."""
    github = everything
    permitted(github, "schedule.yml")
    github.state.add_labels(github.repository, github.pull, [QA], "maintainer")
    run = act("schedule.yml")
    first = run.run("schedule", around(github))
    assert first.code == 0, first.log
    assert github.writes == []
    github.state.add_labels(github.repository, github.pull, [DEV], "maintainer")
    new = payloads.opened_pull(github.state, github.repository, "New", ["Do Not Merge"], "newcomer")["number"]
    swept = run.run("schedule", around(github))
    assert swept.code == 0, swept.log
    assert f"sweep: {github.repository}: done, 3 looked at, 2 changed" in swept.log
    [answer] = bodies(github, github.pull)
    assert answer.startswith("Thanks @newcomer, a developer will look at this")
    assert bodies(github, new)[0].startswith("Hello @newcomer, thanks")
    assert "| block_merge | `labels` | set status merge/blocked, pending |" in swept.summary
    writes = len(github.writes)
    again = run.run("schedule", around(github))
    assert again.code == 0, again.log
    assert len(github.writes) == writes


def test_what_a_sweep_would_do_is_only_said(act: Workflow, github: Sandbox) -> None:
    permitted(github, "schedule.yml")
    event = {"inputs": {"sweep": "missed resume", "plan": "true"}, "repository": around(github)["repository"]}
    ran = act("schedule.yml").run("workflow_dispatch", event)
    assert ran.code == 0, ran.log
    assert github.writes == []


def organised(github: Sandbox) -> None:
    """The central repository, one that is looked after, one without a configuration, one that is archived."""
    config = 'label_messages: {pull_requests: [{label: "2: Dev Review", message: Thanks}]}\n'
    central = f"sweep: {{repositories: [octo-org/*]}}\n{config}"
    github.state.write_files(github.repository, {".github/mattermod.yml": central})
    for name in ("looked-after", "bare", "old"):
        place, file = f"octo-org/{name}", "README.md" if name == "bare" else ".github/mattermod.yml"
        github.state.add_repository(place, private=True).permissions["maintainer"] = "admin"
        github.state.write_files(place, {file: config})
        github.state.add_pull(place, "New", "newcomer", head=f"newcomer/{name}:topic")
    old, app = github.state.repository("octo-org/old"), github.state.tokens["app"]
    assert old
    old.archived, app.repositories, app.login = True, (), "my-app[bot]"


def heard(github: Sandbox) -> dict[str, list[str]]:
    """Who has commented in each repository."""
    said: dict[str, list[str]] = {}
    for held in github.state.repositories.values():
        comments = [comment for pull in held.pulls() for comment in pull.comments]
        said[held.full_name] = [comment.author.login for comment in comments if comment.author]
    return {name.removeprefix("octo-org/"): who for name, who in said.items() if name.startswith("octo-org/")}


def test_an_organisation_is_swept_in_shards(act: Workflow, github: Sandbox) -> None:
    """Each repository by its own configuration and in one shard, with the App's token alone."""
    organised(github)
    github.state.tokens["github-token"].permissions = {}
    run = act(CENTRAL)
    run.secrets = {**run.secrets, "MATTERMOD_APP_TOKEN": github.tokens["app"]}
    first = run.run("schedule", around(github))
    assert first.code == 0, first.log
    for held in github.state.repositories.values():
        for pull in held.pulls():
            github.state.add_labels(held.full_name, pull.number, [DEV], "maintainer")
    swept = run.run("schedule", around(github))
    assert swept.code == 0, swept.log
    app = "my-app[bot]"
    assert heard(github) == {"hello": [app], "looked-after": [app], "bare": [], "old": []}
    assert swept.log.count("sweep: ***: done, 1 looked at, 1 changed") == 1  # private, and this log is not
    assert swept.log.count("sweep: ***: has no configuration") == 1
    assert not any(f"octo-org/{name}" in swept.log for name in ("looked-after", "bare", "old"))
    writes = len(github.writes)
    again = run.run("schedule", around(github))
    assert again.code == 0, again.log
    assert len(github.writes) == writes == 2


def test_a_mistake_is_red_and_one_line(act: Workflow, github: Sandbox) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": "label_mesages: {}\n"})
    ran = act("labels.yml").run("pull_request_target", labeled(github, DEV))
    assert ran.code == 1, ran.log  # act's own; the action's is in the log
    assert "exit with `FAILURE`: 2" in ran.log
    assert ".github/mattermod.yml:1: label_mesages: unknown key, did you mean" in ran.log
    assert "Traceback" not in ran.log


def test_make_act_as_the_readme_has_it() -> None:
    ran = subprocess.run(["make", "act", "NAME=pull_request_target"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "What was written to GitHub:\n  comment on #7: Thanks @newcomer" in ran.stdout


def test_eight_runs_at_once_post_once(act: Workflow, github: Sandbox) -> None:
    event = labeled(github, DEV)
    runs = [act("labels-with-mysql.yml") for _ in range(8)]
    for number, run in enumerate(runs):
        run.home = run.home.with_name(f"run-{number}")
        run.prepare()
        file = run.home / ".github/workflows/labels-with-mysql.yml"
        file.write_text(file.read_text().replace("name: mattermod", f"name: mattermod-{number}"))  # act's containers
    finished = [
        run.finish(process) for run, process in [(run, run.start("pull_request_target", event)) for run in runs]
    ]
    assert [ran.code for ran in finished] == [0] * 8, "\n".join(ran.log for ran in finished)
    assert len(bodies(github, github.pull)) == 1
