"""From the command, the label and the merge to the pull requests, comments and rows that are there afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from sandbox.records import Review
from tests.picks import RELEASE, Project
from tests.scene import bodies, deliver, run, statuses

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot

pytestmark = [
    pytest.mark.everywhere(
        "test_s03_mm42_mm46_a_command_on_a_merged_pull_request_opens_one_and_says_so",
        "test_mm19_mm44_label_and_milestone_at_the_merge_before_the_clean_up_takes_the_label",
        "test_a_token_of_its_own_pushes_and_opens",
        "test_mm35_mm40_a_conflict_is_told_with_all_that_it_takes",
    ),
    pytest.mark.one_store,
]
APPROVED, DONE = "CherryPick/Approved", "CherryPick/Done"
CONFIG = """
cherry_pick: {}
label_cleanup: {labels: ["CherryPick/Approved", "2: Dev Review"]}
"""
TICK = {"schedule": "7 * * * *"}
LATER = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": "7200"}
HOSTILE = "x$(touch${IFS}pwned);|&'"


@pytest.fixture
def project(github: Sandbox, bot: Bot, tmp_path: Path) -> Project:
    configure(github, CONFIG)
    github.state.tokens["github-token"].permissions |= {"contents": "write", "statuses": "write"}
    return Project(github, bot, tmp_path / "clone")


def configure(github: Sandbox, config: str) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})


def merged(project: Project, *, at: int = 20, author: str = "newcomer") -> Pull:
    return project.merge(project.pull(lambda: project.change("new", at), author=author))


def approve(project: Project, pull: Pull, *logins: str) -> None:
    state = project.github.state
    for login in logins:
        who = state.person(login)
        made = Review(state.next_id(), who, "APPROVED", "", pull.head_sha, state.now())
        state.review(project.github.repository, pull.number, made)


def labels(pull: Pull) -> list[str]:
    return [label.name for label in pull.labels]


def with_milestone(project: Project, pull: Pull, title: str = "v10.5.0") -> Pull:
    pull.milestone = project.github.state.add_milestone(project.github.repository, title)
    return pull


def closed(project: Project, pull: Pull) -> Any:
    return payloads.about(project.github.state, project.github.repository, pull.number, "closed", "maintainer")


def labeled(project: Project, pull: Pull, by: str = "maintainer") -> Any:
    return payloads.labeled(project.github.state, project.github.repository, pull.number, APPROVED, by)


def summary(project: Project, pull: Pull) -> str:
    """The one comment that has the table."""
    [found] = [each for each in bodies(project.github, pull.number) if each.startswith("| branch |")]
    return found


def test_s03_mm42_mm46_a_command_on_a_merged_pull_request_opens_one_and_says_so(project: Project) -> None:
    pull = with_milestone(project, merged(project, author="reviewer"))
    done = project.say(pull, f"/cherry-pick {RELEASE}")
    assert done.code == 0, done.log
    [made] = project.opened()
    assert made.title == f"Automated cherry pick of #{pull.number}"
    assert made.body == (
        f"Cherry pick of #{pull.number} on `{RELEASE}`.\n\n/cc @reviewer\n\n```release-note\nNONE\n```"
    )
    assert labels(made) == ["AutomatedCherryPick", "Changelog/Not Needed", "Docs/Not Needed"]
    assert (made.milestone, labels(pull)) == (pull.milestone, [DONE])
    assert [who.login for who in made.reviewers] == [who.login for who in made.assignees] == ["reviewer"]
    assert f"| `{RELEASE}` | #{made.number} |" in summary(project, pull)
    assert "It was opened with GITHUB_TOKEN, so its checks wait" in summary(project, pull)
    assert done.outputs["pulls"] == [f"{project.github.server_url}/octo-org/hello/pull/{made.number}"]
    [comment] = [each for each in project.github.state.item("octo-org/hello", pull.number).comments if each.reactions]
    assert {content for content, _ in comment.reactions} == {"eyes", "+1"}


def test_mm38_every_target_gets_a_pull_request_in_the_order_that_was_asked(project: Project) -> None:
    for name in ("release-10.4", "release/10.3"):
        project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/{name}")
    pull = merged(project)
    assert project.say(pull, f"/cherry-pick release-10.4 {RELEASE} release/10.3").code == 0
    [first], [second], [third] = (project.opened(name) for name in ("release-10.4", RELEASE, "release/10.3"))
    assert first.number < second.number < third.number
    for made in (first, second, third):
        assert f"| `{made.base_ref}` | #{made.number} |" in summary(project, pull)
        assert "AutomatedCherryPick" in labels(made)


def test_mm19_mm44_label_and_milestone_at_the_merge_before_the_clean_up_takes_the_label(project: Project) -> None:
    """MM-19, MM-44: and the same event twice more picks nothing twice."""
    pull = with_milestone(project, project.pull(lambda: project.change("new")))
    project.github.state.add_labels(project.github.repository, pull.number, [APPROVED], "maintainer")
    event = closed(project, project.merge(pull))
    for _ in range(3):
        run(project.bot, event)
    assert len(project.opened()) == 1
    assert labels(pull) == [DONE]


def test_mm44_the_label_after_the_merge(project: Project) -> None:
    pull = with_milestone(project, merged(project))
    run(project.bot, labeled(project, pull))
    assert len(project.opened()) == 1
    assert labels(pull) == [DONE]


def test_mm44_the_milestone_after_label_and_merge(project: Project) -> None:
    configure(project.github, "cherry_pick: {}\n")
    pull = merged(project)
    run(project.bot, labeled(project, pull))
    assert "it has no milestone" in bodies(project.github, pull.number)[-1]
    with_milestone(project, pull)
    event = payloads.about_milestone(project.github.state, project.github.repository, pull.number, None, "maintainer")
    run(project.bot, event)
    assert len(project.opened()) == 1


@pytest.mark.parametrize(
    ("by", "reason"),
    [("stranger", "@stranger has no write access here"), ("robot[bot]", "robot[bot] is a bot that is not among")],
)
def test_whose_label_counts(project: Project, by: str, reason: str) -> None:
    pull = with_milestone(project, merged(project))
    event = labeled(project, pull, by)
    for _ in range(2):
        run(project.bot, event)
    assert project.opened() == []
    [told] = bodies(project.github, pull.number)
    assert reason in told


def test_a_milestone_that_stands_for_no_branch(project: Project) -> None:
    pull = with_milestone(project, merged(project), "Some day")
    run(project.bot, labeled(project, pull))
    assert "no branch is configured for the milestone `Some day`" in bodies(project.github, pull.number)[-1]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_mm32_asked_before_the_merge_and_done_at_it(project: Project) -> None:
    pull = project.pull(lambda: project.change("new"))
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    assert "will be picked when this is merged" in summary(project, pull)
    assert project.opened() == []
    run(project.bot, closed(project, project.merge(pull)))
    [made] = project.opened()
    assert f"| #{made.number} |" in summary(project, pull)


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_mm32_a_merge_that_nobody_saw_is_seen_by_a_sweep(project: Project) -> None:
    pull = project.pull(lambda: project.change("new"))
    project.say(pull, f"/cherry-pick {RELEASE}")
    project.merge(pull)
    assert project.bot.run("schedule", TICK | {"repository": closed(project, pull)["repository"]}, **LATER).code == 0
    [made] = project.opened()
    assert f"| #{made.number} |" in summary(project, pull)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_without_a_database_nothing_is_promised(project: Project) -> None:
    pull = project.pull(lambda: project.change("new"))
    project.say(pull, f"/cherry-pick {RELEASE}")
    assert "without `database-url` nothing is kept until then" in summary(project, pull)


def test_closed_without_being_merged(project: Project) -> None:
    pull = project.pull(lambda: project.change("new"))
    payloads.closed(project.github.state, project.github.repository, pull.number)
    project.say(pull, f"/cherry-pick {RELEASE}")
    assert "not picked: it was closed without being merged" in summary(project, pull)


def test_status_and_retry(project: Project) -> None:
    pull = merged(project)
    project.say(pull, "/cherry-pick release-10.4")
    assert "there is no such branch" in summary(project, pull)
    project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/release-10.4")
    project.say(pull, "/cherry-pick release-10.4")
    [made] = project.opened("release-10.4")
    assert f"| `release-10.4` | #{made.number} |" in summary(project, pull)
    project.say(pull, "/cherry-pick status")
    assert (
        bodies(project.github, pull.number)[-1]
        == f"| branch | cherry-pick |\n| --- | --- |\n| `release-10.4` | #{made.number} |\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "name the branches to pick it onto"),
        ("--upload-pack=touch", "`--upload-pack=touch` is no name of a branch"),
        ("a..b", "`a..b` is no name of a branch"),
        (" ".join(f"b{number}" for number in range(21)), "these are more than 20 branches"),
    ],
)
def test_s19_what_is_no_request(project: Project, words: str, said: str) -> None:
    pull = merged(project)
    assert project.say(pull, f"/cherry-pick {words}").code == 0
    assert said in bodies(project.github, pull.number)[-1]
    assert project.opened() == []


def test_only_writers_may(project: Project) -> None:
    pull = merged(project)
    project.say(pull, f"/cherry-pick {RELEASE}", by="stranger")
    assert project.opened() == []
    assert "is for people with write access" in bodies(project.github, pull.number)[-1]


@pytest.mark.parametrize(
    ("author", "approvals", "expected"),
    [
        ("maintainer", (), ["maintainer"]),
        ("newcomer", (), []),
        ("newcomer", ("reviewer",), ["reviewer"]),
        ("newcomer", ("stranger", "maintainer", "reviewer"), ["maintainer"]),
    ],
    ids=["a writer", "nobody approved", "one approved", "several"],
)
def test_mm31_who_is_asked_to_review(
    project: Project, author: str, approvals: tuple[str, ...], expected: list[str]
) -> None:
    pull = merged(project, author=author)
    approve(project, pull, *approvals)
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert [who.login for who in made.reviewers] == [who.login for who in made.assignees] == expected


def test_copied_labels_own_words_and_automatic_merge(project: Project) -> None:
    configure(
        project.github,
        "cherry_pick: {labels: [Pick], copy_labels: ['kind/*'], title: '{title} ({branch})', auto_merge: squash}\n",
    )
    project.repository.auto_merge, project.repository.required = True, {"build"}
    pull = merged(project)
    project.github.state.add_labels(project.github.repository, pull.number, ["Kind/Bug", "Other"])
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert labels(made) == ["Pick", "Kind/Bug"]
    assert made.title == f"{pull.title} ({RELEASE})"
    assert made.auto_merge


def test_a_token_of_its_own_pushes_and_opens(project: Project) -> None:
    pull = merged(project)
    done = project.say(
        pull, f"/cherry-pick {RELEASE}", **{"INPUT_CHERRY-PICK-TOKEN": project.github.tokens["maintainer"]}
    )
    assert done.code == 0, done.log
    [made] = project.opened()
    assert made.author
    assert made.author.login == "maintainer"
    assert "checks wait" not in summary(project, pull)


def conflicting(project: Project) -> Pull:
    project.on(RELEASE, lambda: project.change("different"), "On the release")
    project.on("main", lambda: project.change("before"), "Prepare (#3)")
    return merged(project)


def test_mm35_mm40_a_conflict_is_told_with_all_that_it_takes(project: Project) -> None:
    """MM-35, MM-40: the files, the lines, who changed them before, and commands that work when they are typed."""
    pull = conflicting(project)
    done = project.say(pull, f"/cherry-pick {RELEASE}")
    assert done.code == 0, done.log
    told = bodies(project.github, pull.number)[-2]
    assert told.startswith(f"**`{RELEASE}` conflicts** in `app.py`.")
    assert "<<<<<<< target\ndifferent\n=======\nnew\n>>>>>>> picked" in told
    assert "Prepare (#3)" in told
    assert (labels(pull), project.opened()) == ([], [])
    recipe = (
        told.split("```sh\n")[1]
        .split("\n```")[0]
        .replace("# solve", "git checkout --theirs app.py; git add app.py\n# solve")
    )
    typed = subprocess.run(
        ["bash", "-c", recipe], cwd=project.clone, env=project.history.environment, capture_output=True, check=False
    )
    assert typed.returncode == 0, typed.stderr
    project.say(pull, f"/cherry-pick retry {RELEASE}")
    [made] = project.opened()
    assert f"| `{RELEASE}` | #{made.number} |" in summary(project, pull)


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("failure", 0), ("refusal", 0), ("conflict", 4)])
def test_a_conflict_is_red_where_that_is_asked(project: Project, fail_on: str, code: int) -> None:
    done = project.say(conflicting(project), f"/cherry-pick {RELEASE}", **{"INPUT_FAIL-ON": fail_on})
    assert done.code == code, done.log


@pytest.mark.parametrize(("fail_on", "code"), [("never", 0), ("failure", 4), ("refusal", 4), ("conflict", 4)])
def test_a_failure_is_red_where_that_is_asked(project: Project, fail_on: str, code: int) -> None:
    done = project.say(merged(project), "/cherry-pick nowhere", **{"INPUT_FAIL-ON": fail_on})
    assert done.code == code, done.log


@pytest.mark.parametrize("drafts", [True, False], ids=["", "without drafts"])
def test_a_conflict_as_a_draft_that_a_push_turns_green(project: Project, *, drafts: bool) -> None:
    configure(project.github, "cherry_pick: {conflicts: draft, conflict_label: Conflicts}\n")
    project.repository.drafts = drafts
    pull = conflicting(project)
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert (made.draft, "Conflicts" in labels(made)) == (drafts, True)
    assert statuses(project.github, made.number)["cherry-pick/conflicts"][0] == "failure"
    assert f"#{made.number}, a draft with conflicts" in summary(project, pull)
    for text, state in (("<<<<<<< still", "failure"), ("solved", "success")):
        project.git("fetch", "--quiet", "origin", made.head_ref)
        project.git("checkout", "--quiet", "-B", "solving", "FETCH_HEAD")
        project.write({"app.py": f"{text}\n"})
        project.commit("Solve")
        project.git("push", "--quiet", "origin", f"solving:refs/heads/{made.head_ref}")
        state_of = project.github.state
        event = payloads.about(state_of, project.github.repository, made.number, "synchronize", "maintainer")
        run(project.bot, event)
        assert statuses(project.github, made.number)["cherry-pick/conflicts"][0] == state
    assert "Conflicts" not in labels(made)


def test_s19_hostile_names_stay_text(project: Project) -> None:
    """Branches may be called almost anything; neither a shell nor Markdown nor another workflow is to run that."""
    target = f"release-{HOSTILE}"
    project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/{target}")
    pull = project.merge(project.pull(lambda: project.change("new"), branch=f"topic-`id`{HOSTILE}"))
    pull.title = "@octo-org/everybody `x` <img src=x> ${{ github.token }}"
    done = project.say(pull, f"/cherry-pick {target}")
    assert done.code == 0, done.log
    [made] = project.opened(target)
    assert set(made.head_ref) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-./_")
    assert not list(project.clone.parent.rglob("pwned"))


def test_mm36_the_branch_has_the_number_of_the_pull_request(project: Project) -> None:
    """Two branches of the same name never meet."""
    made = []
    for at in (5, 30):
        pull = project.merge(project.pull(partial(project.change, "new", at), branch=f"patch-{at}"))
        assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
        made.append(project.opened()[-1].head_ref)
        assert made[-1] == f"automated-cherry-pick-of-{pull.number}-patch-{at}-{RELEASE}"
    assert len(set(made)) == 2


def test_no_permission_to_push_is_one_line(project: Project) -> None:
    project.github.state.tokens["github-token"].permissions["contents"] = "read"
    pull = merged(project)
    done = deliver(project.bot, project.said(pull, f"/cherry-pick {RELEASE}"))
    assert done.code == 2
    assert "may not push to octo-org/hello (403): give the job `contents: write`" in done.log
    assert project.opened() == []


def test_mm41_nothing_is_left_of_one_pick_for_the_next(project: Project) -> None:
    scratch = project.clone.parent / "scratch"
    scratch.mkdir()
    for at in (5, 30):
        done = project.say(merged(project, at=at), f"/cherry-pick {RELEASE}", TMPDIR=str(scratch))
        assert done.code == 0, done.log
        assert list(scratch.iterdir()) == []
    assert len(project.opened()) == 2


def test_mm45_one_step_that_is_refused_leaves_no_other_undone(project: Project) -> None:
    """Labels are refused on the new pull request; whoever reviews is asked all the same, and the original is done."""
    pull = merged(project, author="reviewer")
    project.github.state.faults.add(Fault("status", method="POST", path="/repos/*/labels", status=422))
    assert project.say(pull, f"/cherry-pick {RELEASE}").code == 0
    [made] = project.opened()
    assert (labels(made), labels(pull)) == ([], [DONE])
    assert [who.login for who in made.reviewers] == ["reviewer"]


def test_the_done_label_that_could_not_be_put_on_is_put_on_by_the_next_run(project: Project) -> None:
    pull = merged(project)
    event = project.said(pull, f"/cherry-pick {RELEASE}")
    path = f"/repos/*/issues/{pull.number}/labels"
    project.github.state.faults.add(Fault("status", method="POST", path=path, status=502, times=0))
    assert deliver(project.bot, event).code == 3
    assert labels(pull) == []
    project.github.state.faults.clear()
    run(project.bot, event)
    assert labels(pull) == [DONE]
    assert len(project.opened()) == 1
    assert f"| #{project.opened()[0].number} |" in summary(project, pull)


SPY = """#!/bin/sh
env >> {seen}
exec {git} "$@"
"""


def test_s08_git_runs_in_an_environment_of_its_own(project: Project, tmp_path: Path) -> None:
    """Nothing of the runner's reaches it, and no configuration, hook or helper of the machine has a say."""
    program, hook, seen = tmp_path / "bin/git", tmp_path / "hooks/pre-push", tmp_path / "seen"
    for path, text in ((program, SPY.format(seen=seen, git=shutil.which("git"))), (hook, "#!/bin/sh\nexit 1\n")):
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hook.parent}\n[protocol]\n\tallow = never\n")
    hostile = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "ACTIONS_RUNTIME_TOKEN": "canary",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://canary.example.com",
        "GIT_DIR": "/nowhere",
        "GIT_CONFIG_PARAMETERS": "'protocol.allow'='never'",
        "GIT_ASKPASS": "/nowhere",
        "GIT_SSH_COMMAND": "false",
    }
    done = project.say(merged(project), f"/cherry-pick {RELEASE}", **hostile)
    assert done.code == 0, done.log
    assert len(project.opened()) == 1
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert {"GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT"} <= names
    ours = r"GIT_(DIR|WORK_TREE|TERMINAL_PROMPT|LITERAL_PATHSPECS|CONFIG_\w+)|HOME|LC_ALL|PATH|SSL_CERT_FILE"
    of_the_shell = {"OLDPWD", "PWD", "SHLVL", "_"}
    assert {name for name in names - of_the_shell if not re.fullmatch(ours, name)} == set()
    assert "canary" not in seen.read_text()
