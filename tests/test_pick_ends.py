"""What becomes of a pick after it was opened, and of what was asked for meanwhile: from the event to the world."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sandbox import payloads
from tests.picks import RELEASE, Project
from tests.scene import run, statuses
from tests.test_cherry_pick import (
    APPROVED,
    DONE,
    approve,
    closed,
    configure,
    labeled,
    labels,
    merged,
    project,
    summary,
    with_milestone,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.records import Pull

__all__ = ["project"]  # the fixture
pytestmark = pytest.mark.one_store
ASK, RETRY = f"/cherry-pick {RELEASE}", f"/cherry-pick retry {RELEASE}"


def happened(project: Project, pull: Pull, action: str) -> None:
    run(project.bot, payloads.about(project.github.state, project.github.repository, pull.number, action, "maintainer"))


def end(project: Project, made: Pull, *, delete: bool = True) -> None:
    """Close it without merging it."""
    project.github.state.change_item(project.github.repository, made.number, {"state": "closed"})
    if delete:
        project.github.state.set_branch(project.github.repository, made.head_ref, None)
    happened(project, made, "closed")


def revert(project: Project, branch: str) -> None:
    """Revert the last commit of a branch."""
    project.git("fetch", "--quiet", "origin")
    project.git("checkout", "--quiet", "-B", "revert", f"origin/{branch}")
    project.git("revert", "--no-edit", "HEAD")
    project.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")


def retarget(project: Project, made: Pull) -> None:
    project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/release-10.4")
    project.github.state.change_item(project.github.repository, made.number, {"base": "release-10.4"})
    made.base_ref = "release-10.4"
    happened(project, made, "edited")


def merge(project: Project, made: Pull) -> None:
    happened(project, project.merge(made), "closed")


def merge_and_revert(project: Project, made: Pull) -> None:
    merge(project, made)
    revert(project, RELEASE)
    project.github.state.set_branch(project.github.repository, made.head_ref, None)


ENDS: dict[str, tuple[Callable[[Project, Pull], None], str, str, int, int]] = {
    # what happens: what the table says then, and after /cherry-pick status; picks after asking again, after retry
    "closed, its branch deleted": (end, "#{made}, closed without being merged: ", "", 2, 2),
    "another base": (retarget, "#{made}, which has another base now: ", "", 1, 1),
    "merged and reverted": (merge_and_revert, "#{made}, merged |", "#{made}, merged and reverted: ", 1, 2),
}


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", ENDS)
def test_what_became_of_it_is_told_and_it_is_made_anew(project: Project, case: str) -> None:
    happens, told, status, asked, retried = ENDS[case]
    pull = merged(project)
    project.say(pull, ASK)
    [made] = project.opened()
    happens(project, made)
    assert told.format(made=made.number) in summary(project, pull)
    project.say(pull, "/cherry-pick status")
    said = project.github.state.item(project.github.repository, pull.number).comments[-1].body
    assert (status or told).format(made=made.number) in said
    project.say(pull, ASK)
    assert len(project.opened()) == asked
    project.say(pull, RETRY)
    assert len(project.opened()) == retried


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_pick_that_was_closed_and_whose_branch_is_there_says_what_to_do(project: Project) -> None:
    pull = merged(project)
    project.say(pull, ASK)
    [made] = project.opened()
    end(project, made, delete=False)
    assert labels(pull) == [], "it is not done any more"
    project.say(pull, ASK)
    assert f"#{made.number} was closed, and its branch `{made.head_ref}` is still there: delete it" in summary(
        project, pull
    )
    project.github.state.set_branch(project.github.repository, made.head_ref, None)
    project.say(pull, RETRY)
    assert len(project.opened()) == 2
    assert labels(pull) == [DONE]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_pick_that_was_closed_and_opened_again_is_open(project: Project) -> None:
    pull = merged(project)
    project.say(pull, ASK)
    [made] = project.opened()
    end(project, made, delete=False)
    project.github.state.change_item(project.github.repository, made.number, {"state": "open"})
    happened(project, made, "reopened")
    assert f"| #{made.number} |" in summary(project, pull)
    assert labels(pull) == [DONE]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_the_label_once_more_makes_what_was_closed_anew(project: Project) -> None:
    pull = with_milestone(project, merged(project))
    run(project.bot, labeled(project, pull))
    [made] = project.opened()
    end(project, made)
    run(project.bot, labeled(project, pull))
    assert len(project.opened()) == 2


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_a_request_survives_close_and_reopen(project: Project) -> None:
    pull = project.pull(lambda: project.change("new"))
    project.say(pull, ASK)
    project.github.state.change_item(project.github.repository, pull.number, {"state": "closed"})
    project.say(pull, RETRY)
    assert "not picked: it was closed without being merged; once somebody reopens" in summary(project, pull)
    project.github.state.change_item(project.github.repository, pull.number, {"state": "open"})
    happened(project, pull, "reopened")
    assert "will be picked when this is merged" in summary(project, pull)
    run(project.bot, closed(project, project.merge(pull)))
    assert len(project.opened()) == 1


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_what_its_base_has_reverted_is_picked_only_after_a_warning(project: Project) -> None:
    pull = merged(project)
    revert(project, "main")
    project.say(pull, ASK)
    assert "has reverted it on its base: ask to `retry`" in summary(project, pull)
    assert project.opened() == []
    project.say(pull, ASK)
    assert project.opened() == []
    project.say(pull, RETRY)
    assert len(project.opened()) == 1


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_what_was_reverted_and_put_back_is_picked(project: Project) -> None:
    pull = merged(project)
    revert(project, "main")
    revert(project, "main")
    project.say(pull, ASK)
    assert len(project.opened()) == 1


def series(project: Project, *later: Callable[[], object]) -> Pull:
    """Three commits or more, rebased, of which the second conflicts."""
    configure(project.github, "cherry_pick: {conflicts: draft}\n")
    project.on(RELEASE, lambda: project.change("released", 20), "Release")
    first = lambda: project.write({"first.txt": "one\n"})  # noqa: E731
    return project.merge(project.pull(first, lambda: project.change("new", 20), *later), "rebase")


def push_to(project: Project, made: Pull, act: Callable[[], object]) -> str:
    """Push to the branch of a draft as a person does; return what its status is then."""
    project.git("fetch", "--quiet", "origin")
    project.git("checkout", "--quiet", "-B", "solve", f"origin/{made.head_ref}")
    act()
    project.git("push", "--quiet", "origin", f"HEAD:refs/heads/{made.head_ref}")
    happened(project, made, "synchronize")
    return statuses(project.github, made.number)["cherry-pick/conflicts"][0]


def solve(project: Project) -> None:
    text = (project.clone / "app.py").read_text()
    (project.clone / "app.py").write_text(re.sub(r"<{7}.*?>{7}[^\n]*\n", "solved\n", text, flags=re.DOTALL))
    project.commit("Solved")


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_draft_has_what_comes_after_the_conflict(project: Project) -> None:
    pull = series(project, lambda: project.write({"third.txt": "three\n"}))
    project.say(pull, ASK)
    [made] = project.opened()
    project.git("fetch", "--quiet", "origin")
    names = project.git("ls-tree", "-r", "--name-only", f"origin/{made.head_ref}").split()
    assert {"first.txt", "third.txt"} <= {*names}
    assert "**This has conflicts** in `app.py`." in made.body
    assert "turns green with the first push that leaves no conflict markers" in made.body
    assert labels(pull) == []
    assert push_to(project, made, lambda: solve(project)) == "success"
    assert labels(pull) == [DONE]
    assert f"| #{made.number} |" in summary(project, pull)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_draft_names_what_it_lacks_and_is_not_green_before_that_is_there(project: Project) -> None:
    pull = series(
        project,
        lambda: project.change("newer", 20),
        lambda: project.write({"fourth.txt": "four\n"}),
    )
    project.say(pull, ASK)
    [made] = project.opened()
    project.git("fetch", "--quiet", "origin")
    third, fourth = project.git("rev-parse", f"{pull.merge_sha}~1", f"{pull.merge_sha}").split()
    assert f"- [ ] `{third}`\n- [ ] `{fourth}`" in made.body
    assert f"git cherry-pick -x {third} {fourth}" in made.body
    assert push_to(project, made, lambda: solve(project)) == "failure"
    assert labels(pull) == []
    pick = ("cherry-pick", "-x", "-X", "theirs", third)
    assert push_to(project, made, lambda: project.git(*pick)) == "failure"
    made.body = made.body.replace(f"- [ ] `{fourth}`", f"- [x] `{fourth}`")
    happened(project, made, "edited")
    assert statuses(project.github, made.number)["cherry-pick/conflicts"][0] == "success"
    assert labels(pull) == [DONE]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_the_pick_of_a_bots_pull_request_is_whose_who_asked_for_it(project: Project) -> None:
    pull = merged(project, author="dependabot[bot]")
    approve(project, pull, "reviewer")
    project.say(pull, ASK)
    [made] = project.opened()
    assert [who.login for who in made.assignees] == [who.login for who in made.reviewers] == ["maintainer"]
    assert "/cc @maintainer\n" in made.body


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_labels_that_ask_for_something_are_not_copied(project: Project) -> None:
    configure(
        project.github,
        'cherry_pick: {copy_labels: ["*"], labels: []}\nauto_merge: {label: Ready}\n'
        "label_workflow: {rules: [{label: Build It, workflow: build.yml}]}\n",
    )
    pull = merged(project)
    every = [APPROVED, DONE, "Conflicts", "ready", "BUILD IT", "Area/Web"]
    project.github.state.add_labels(project.github.repository, pull.number, every)
    project.say(pull, ASK)
    [made] = project.opened()
    assert labels(made) == ["Area/Web"]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("known", [True, False], ids=["on the base", "nowhere"])
def test_what_a_rebase_left_out_is_on_the_base_or_nothing_is_picked(project: Project, *, known: bool) -> None:
    pull = project.pull(*(partial(project.write, {f"{name}.txt": name}) for name in ("first", "second", "third")))
    project.on("main", lambda: project.write({"third.txt" if known else "other.txt": "third"}), "Meanwhile")
    project.git("fetch", "--quiet", "origin")
    project.git("checkout", "--quiet", "-B", "rebased", pull.head_ref)
    project.git("rebase", "--quiet", "origin/main")
    if not known:
        project.git("reset", "--quiet", "--hard", "HEAD~1")
    project.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    now, state = project.github.state.now(), project.github.state
    pull.merge_sha, pull.merged_onto = project.git("rev-parse", "HEAD"), project.repository.branches[RELEASE]
    pull.state, pull.merged_at, pull.closed_at, pull.merged_by = "closed", now, now, state.person("maintainer")
    project.say(pull, ASK)
    assert (len(project.opened()), "is not among those that came of it" in summary(project, pull)) == (
        (1, False) if known else (0, True)
    )
