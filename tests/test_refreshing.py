"""A pick keeps up: its summary says when its branch has moved on, and `/cherry-pick refresh` makes it anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from tests.picks import RELEASE, Project
from tests.scene import bodies, run
from tests.test_cherry_pick import LATER, TICK, configure, labels, merged, project, summary

if TYPE_CHECKING:
    from sandbox.records import Pull

__all__ = ["project"]
pytestmark = pytest.mark.one_store
REFRESH = "/cherry-pick refresh"


def picked(project: Project, at: int = 20) -> tuple[Pull, Pull]:
    """A merged pull request, and its pick."""
    pull = merged(project, at=at)
    project.say(pull, f"/cherry-pick {RELEASE}")
    [made] = project.opened()
    return pull, made


def moved(project: Project, text: str = "moved", at: int = 20) -> str:
    """The release branch changes a line; at 20 it is the one that the pick changes."""
    return project.on(RELEASE, lambda: project.change(text, at), "On the release")


def edited(project: Project, made: Pull) -> None:
    """Something happens to the pull request of the pick."""
    run(
        project.bot,
        payloads.about(project.github.state, project.github.repository, made.number, "edited", "maintainer"),
    )


def sweep(project: Project) -> None:
    swept = project.bot.run("schedule", TICK, **LATER)
    assert swept.code == 0, swept.log


def cell(project: Project, pull: Pull) -> str:
    """What the summary says of the branch."""
    [line] = [line for line in summary(project, pull).splitlines() if line.startswith("| `")]
    return line.split(" | ")[1].removesuffix(" |")


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_se30_an_event_on_a_pick_that_conflicts_by_now_tells_so(project: Project) -> None:
    pull, made = picked(project)
    made.mergeable_reads = 0  # GitHub has worked it out
    edited(project, made)
    assert cell(project, pull) == f"#{made.number}"
    moved(project)
    edited(project, made)
    assert cell(project, pull) == (
        f"#{made.number}, which conflicts with the branch by now: `{REFRESH} {RELEASE}` makes it anew"
    )


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_se38_a_sweep_finds_what_conflicts_by_now_and_what_does_not_any_more(project: Project) -> None:
    """Nothing is written where nothing has changed."""
    pull, made = picked(project)
    writes = len(project.github.writes)
    sweep(project)
    assert len(project.github.writes) == writes
    moved(project)
    sweep(project)
    assert "which conflicts with the branch by now" in cell(project, pull)
    moved(project, "line 20")
    sweep(project)
    assert cell(project, pull) == f"#{made.number}"
    project.merge(made)
    sweep(project)
    assert cell(project, pull) == f"#{made.number}, merged"


@pytest.mark.parametrize("names", ["", f" {RELEASE}"])
def test_se31_a_pick_stands_on_the_new_tip_after_refresh(project: Project, names: str) -> None:
    """The same pull request, with the commits that a pick onto the new tip gives, and nothing else."""
    pull, made = picked(project)
    tip = moved(project, at=2)
    old = made.head_sha
    said = project.said(pull, REFRESH + names)
    for _ in range(2):
        run(project.bot, said)
    assert made.head_sha != old
    assert project.opened() == [made]
    assert project.tree(made.head_ref) == project.picked_by_git(tip, [str(pull.merge_sha)])
    assert cell(project, pull) == f"#{made.number}"
    assert project.git("rev-list", "--count", f"{tip}..{made.head_sha}") == "1"


def test_se32_nothing_is_pushed_where_the_branch_has_not_moved(project: Project) -> None:
    pull, made = picked(project)
    old = made.head_sha
    assert project.say(pull, REFRESH).code == 0
    assert made.head_sha == old


def push(project: Project, made: Pull, message: str = "More", *, name: str = "more.txt") -> None:
    project.on(made.head_ref, lambda: project.write({name: "more\n"}), message)


def amend(project: Project, made: Pull) -> None:
    """The same files, with another message."""
    project.git("fetch", "--quiet", "origin", made.head_ref)
    project.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    project.git("commit", "--quiet", "--amend", "-m", "Better")
    project.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{made.head_ref}")


@pytest.mark.parametrize("act", [push, amend])
def test_se33_what_somebody_else_has_pushed_is_not_replaced(project: Project, act: Any) -> None:
    pull, made = picked(project)
    moved(project, at=2)
    act(project, made)
    theirs = project.repository.branches[made.head_ref]
    project.say(pull, REFRESH)
    assert project.repository.branches[made.head_ref] == theirs
    assert f"somebody else has pushed to `{made.head_ref}`" in bodies(project.github, pull.number)[-1]


def test_se34_one_that_conflicts_anew_stays_and_says_where(project: Project) -> None:
    pull, made = picked(project)
    moved(project)
    old = made.head_sha
    project.say(pull, f"{REFRESH} {RELEASE}")
    assert made.head_sha == old
    assert cell(project, pull) == (
        f"#{made.number}, which conflicts with the branch by now; picked anew it conflicts in `app.py`: "
        "merge the branch into it, and solve that"
    )


def test_se35_a_draft_that_has_no_conflict_any_more_is_green(project: Project) -> None:
    """What it needed came to the branch by itself."""
    configure(project.github, "cherry_pick: {conflicts: draft, conflict_label: Conflicts}\n")
    first = merged(project)
    pull = project.merge(project.pull(partial(project.change, "newer")))
    project.say(pull, f"/cherry-pick {RELEASE}")
    [made] = project.opened()
    assert "Conflicts" in labels(made)
    moved(project, "new")
    project.say(pull, REFRESH)
    assert "Conflicts" not in labels(made)
    assert project.tree(made.head_ref) == project.picked_by_git(
        project.repository.branches[RELEASE], [str(pull.merge_sha)]
    )
    assert cell(project, pull) == f"#{made.number}"
    assert first.number != pull.number


@pytest.mark.parametrize("what", ["never asked", "closed", "merged"])
def test_se36_what_is_not_open_is_not_made_anew(project: Project, what: str) -> None:
    pull, made = picked(project)
    moved(project, at=2)
    if what == "merged":
        project.merge(made)
    if what == "closed":
        project.github.state.change_item(project.github.repository, made.number, {"state": "closed"})
    old = project.repository.branches[made.head_ref]
    target = "cloud" if what == "never asked" else RELEASE
    project.say(pull, f"{REFRESH} {target}")
    assert f"no pull request of a cherry-pick onto `{target}` is open" in bodies(project.github, pull.number)[-1]
    assert project.repository.branches[made.head_ref] == old


def test_se37_a_series_is_made_anew_as_a_series(project: Project) -> None:
    one = merged(project)
    two = project.merge(project.pull(partial(project.change, "newer")))
    project.say(two, f"/cherry-pick {RELEASE} with #{one.number}")
    [made] = project.opened()
    tip = moved(project, at=2)
    project.say(two, REFRESH)
    shas = [str(each.merge_sha) for each in (one, two)]
    assert project.tree(made.head_ref) == project.picked_by_git(tip, shas)
    assert project.opened() == [made]
