"""What GITHUB_TOKEN and settings stand in the way of when something is picked: what is said, and how it goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox.faults import Fault
from sandbox.records import Status
from tests.picks import RELEASE, Project
from tests.scene import bodies
from tests.test_cherry_pick import configure, labels, merged, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot, Run

pytestmark = pytest.mark.one_store
SETTING = "Allow GitHub Actions to create and approve pull requests"
PATH = "Settings → Actions → General → Workflow permissions"
FILE = ".github/workflows/build.yml"
AUTO = "enablePullRequestAutoMerge"


@pytest.fixture
def project(github: Sandbox, bot: Bot, tmp_path: Path) -> Project:
    configure(github, "cherry_pick: {}\n")
    github.state.tokens["github-token"].permissions |= {"contents": "write", "statuses": "write"}
    return Project(github, bot, tmp_path / "clone")


def thumbs(project: Project, pull: Pull) -> list[set[str]]:
    """What was answered to each command."""
    comments = project.github.state.item(project.github.repository, pull.number).comments
    return [{content for content, _ in each.reactions} for each in comments if each.body.startswith("/")]


def refused_and_retried(project: Project, pull: Pull, reaction: str = "+1") -> Pull:
    """The setting is off, is switched on, and one asks again: there is one pull request."""
    project.repository.actions_pulls = False
    done = project.say(pull, f"/cherry-pick {RELEASE}")
    assert done.code == 2, done.log
    row = summary(project, pull)
    for said in (done.log, done.summary, row):
        assert SETTING in said
        assert PATH in said
        assert "`cherry-pick-token`" in said or "cherry-pick-token" in said
    [branch] = [name for name in project.repository.branches if name.startswith("automated")]
    assert f"| `{RELEASE}` | not picked: " in row
    assert f"Its branch `{branch}` is pushed: afterwards `/cherry-pick retry {RELEASE}` opens" in row
    assert (project.opened(), thumbs(project, pull)) == ([], [{"eyes", "-1"}])
    project.repository.actions_pulls = True
    done = project.say(pull, f"/cherry-pick retry {RELEASE}")
    assert done.code == 0, done.log
    [made] = project.opened()
    assert made.head_ref == branch
    assert thumbs(project, pull) == [{"eyes", "-1"}, {"eyes", reaction}]
    return made


def test_github_actions_may_not_open_pull_requests(project: Project) -> None:
    """Off is what new repositories have: https://github.com/peter-evans/create-pull-request/issues/1175."""
    pull = merged(project)
    made = refused_and_retried(project, pull)
    assert f"| `{RELEASE}` | #{made.number} |" in summary(project, pull)
    assert labels(pull) == ["CherryPick/Done"]


def test_a_draft_with_conflicts_is_one_after_the_retry_too(project: Project) -> None:
    configure(project.github, "cherry_pick: {conflicts: draft}\n")
    project.on(RELEASE, lambda: project.change("different"), "On the release")
    pull = merged(project)
    made = refused_and_retried(project, pull, "confused")
    assert made.draft
    assert "Conflicts" in labels(made)
    assert f"#{made.number}, a draft with conflicts to solve" in summary(project, pull)


def test_with_an_apps_token_the_setting_does_not_matter(project: Project) -> None:
    project.repository.actions_pulls = False
    pull = merged(project)
    done = project.say(pull, f"/cherry-pick {RELEASE}", **{"INPUT_CHERRY-PICK-TOKEN": project.github.tokens["app"]})
    assert done.code == 0, done.log
    assert len(project.opened()) == 1


def other_workflows(project: Project) -> Pull:
    """`main` has got a workflow file since the release branch parted; the pick changes none."""
    project.on("main", lambda: project.write({FILE: "on: push\n"}), "CI")
    return merged(project)


def own_workflow(project: Project) -> Pull:
    """The pick changes a workflow file."""
    return project.merge(project.pull(lambda: project.write({FILE: "on: push\n"})))


def no_workflow(project: Project) -> Pull:
    return merged(project)


# Which token pushes, whether it has `workflows`, and whose lack of it is told of.
GIVEN = "the `cherry-pick-token` has no permission `workflows`"
NOT_GIVEN = "there is no `cherry-pick-token`, and `github-token` has no permission `workflows`"
TOKENS = {"none": NOT_GIVEN, "app": GIVEN, "app with workflows": ""}
# GitHub's rule is not published, and reports differ: whether it compares with the default branch.
REFUSED: dict[tuple[Callable[[Project], Pull], bool], bool] = {
    (other_workflows, True): True,
    (other_workflows, False): False,
    (own_workflow, True): False,  # then the file is as on the default branch
    (own_workflow, False): True,
    (no_workflow, True): False,
    (no_workflow, False): False,
}


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(("make", "compares"), REFUSED)
def test_workflow_files_are_tried_and_their_refusal_is_told_truly(
    project: Project, make: Callable[[Project], Pull], *, compares: bool, token: str
) -> None:
    project.repository.compares_workflows = compares
    if token == "app with workflows":
        project.github.state.tokens["app"].permissions["workflows"] = "write"
    pull = make(project)
    inputs = {} if token == "none" else {"INPUT_CHERRY-PICK-TOKEN": project.github.tokens["app"]}
    done = project.say(pull, f"/cherry-pick {RELEASE}", **inputs)
    assert done.code == 0, done.log
    if not (REFUSED[make, compares] and TOKENS[token]):
        assert len(project.opened()) == 1
        return
    assert project.opened() == []
    told = summary(project, pull)
    assert f"the workflow files of `{RELEASE}` differ from those of the default branch, or the pick changes" in told
    assert TOKENS[token] in told
    assert "`workflows: write`" in told
    assert thumbs(project, pull) == [{"eyes", "-1"}]


def test_a_token_with_workflows_finishes_what_was_refused(project: Project) -> None:
    pull = other_workflows(project)
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    assert project.opened() == []
    project.github.state.tokens["app"].permissions["workflows"] = "write"
    token = {"INPUT_CHERRY-PICK-TOKEN": project.github.tokens["app"]}
    assert project.say(pull, f"/cherry-pick retry {RELEASE}", **token).code == 0
    assert len(project.opened()) == 1


CHECKED = ("build",)
# What is required and allowed; whether it is merged at once, waits for its merge, or what the summary says.
MERGES = {
    "nothing is required": ((), True, "squash", "", "merged"),
    "a check is required": (CHECKED, True, "squash", "", "waits"),
    "the setting is off": ((), False, "squash", "", "Allow auto-merge"),
    "off, and a check required": (CHECKED, False, "squash", "", "Settings → General → Pull Requests"),
    "another way to merge": ((), True, "rebase", "", "Squash merges are not allowed"),
    "a check has failed": ((), True, "squash", "failure", "not required has failed or still runs"),
    "a check still runs": ((), True, "squash", "pending", "in unstable status"),
}


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", MERGES)
def test_auto_merge_is_never_lost_in_silence(project: Project, case: str) -> None:
    """https://github.com/peter-evans/enable-pull-request-automerge/issues/343."""
    required, allowed, method, check, expected = MERGES[case]
    configure(project.github, "cherry_pick: {auto_merge: squash}\n")
    repository, pull = project.repository, merged(project)
    repository.required, repository.auto_merge, repository.methods = {*required}, allowed, {method}
    if check:  # it begins as soon as there is a pull request
        project.github.state.tokens["github-token"].permissions["pull_requests"] = "read"
        assert project.say(pull, f"/cherry-pick {RELEASE}").code == 2
        project.github.state.tokens["github-token"].permissions["pull_requests"] = "write"
        _set(project, check)
        done = project.say(pull, "/cherry-pick retry")
    else:
        done = project.say(pull, f"/cherry-pick {RELEASE}")
    [made], told = project.opened(), summary(project, pull)
    state = "merged" if made.merged_at else "waits" if made.auto_merge else "open"
    assert state == (expected if expected in ("merged", "waits") else "open"), done.log
    assert f"#{made.number}" in told
    assert ("does not merge by itself" in told) is (state == "open")
    if state == "open":
        assert expected in told
        assert f"#{made.number}, a pick onto {RELEASE}" in done.log
    assert done.code == 0, done.log


def _set(project: Project, state: str) -> None:
    """A status of what was pushed."""
    [branch] = [name for name in project.repository.branches if name.startswith("automated")]
    github = project.github.state
    made = Status(github.next_id(), "build", state, github.person("maintainer"), github.now())
    github.add_status(project.github.repository, project.repository.branches[branch], made)


def test_only_what_was_pushed_is_merged_at_once(project: Project) -> None:
    """Somebody pushes between the refusal and the merge."""
    configure(project.github, "cherry_pick: {auto_merge: squash}\n")
    project.repository.auto_merge = True
    pull = merged(project)
    project.github.state.faults.add(Fault("status", method="PUT", path="*/merge", status=409))
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert not made.merged_at
    assert "does not merge by itself" in summary(project, pull)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_only_what_was_pushed_is_handed_to_auto_merge(project: Project) -> None:
    """GitHub refuses it for any other head: the sandbox does, and this is what it is told."""
    configure(project.github, "cherry_pick: {auto_merge: squash}\n")
    project.repository.auto_merge, project.repository.required = True, {*CHECKED}
    assert project.say(merged(project), f"/cherry-pick {RELEASE}").code == 0
    [made], asked = project.opened(), [json.loads(each.body) for each in project.github.requests if AUTO in each.body]
    assert [each["variables"]["sha"] for each in asked] == [made.head_sha]
    assert made.auto_merge


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_merge_whose_answer_was_lost_is_looked_for(project: Project, when: str) -> None:
    configure(project.github, "cherry_pick: {auto_merge: squash}\n")
    project.repository.auto_merge = True
    pull = merged(project)
    project.github.state.faults.add(Fault("status", method="PUT", path="*/merge", status=502, when=when))  # type: ignore[arg-type]
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 3
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert made.merged_at
    assert "does not merge by itself" not in summary(project, pull)
    assert [write.action for write in project.github.writes].count("merge") == 1


STEPS = {
    "labels": ("POST", "/repos/*/labels", "add labels"),
    "milestone and assignee": ("PATCH", "/repos/*/issues/*", "change an issue"),
    "review": ("POST", "/repos/*/requested_reviewers", "request a review"),
    "auto-merge": ("PUT", "*/merge", "merge"),
}


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_that_is_refused_is_said(project: Project, step: str) -> None:
    """A kind: none of what is done with the new pull request is refused in silence."""
    method, path, what = STEPS[step]
    configure(project.github, "cherry_pick: {auto_merge: squash}\n")
    project.repository.auto_merge = True
    pull = merged(project, author="reviewer")
    project.github.state.faults.add(Fault("status", method=method, path=path, status=422))
    done: Run = project.say(pull, f"/cherry-pick {RELEASE}")
    assert done.code == 0, done.log
    [made] = project.opened()
    line = f"#{made.number}, a pick onto {RELEASE}: GitHub refused to {what} (422)"
    assert line in done.log
    assert line in done.summary
    assert line in done.outputs["failures"][0]


def test_a_refused_command_says_so_on_the_pull_request_it_was_given_on(project: Project) -> None:
    """And nobody else's: one summary, no further comment."""
    project.repository.actions_pulls = False
    pull = merged(project)
    project.say(pull, f"/cherry-pick {RELEASE}")
    assert len(bodies(project.github, pull.number)) == 2
