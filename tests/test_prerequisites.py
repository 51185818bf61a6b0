"""Where a pick conflicts: the fewest pull requests that were merged before, and with which it does not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from benchmarks.git_server import serve
from mattermod_action.adapters.git import Git
from mattermod_action.errors import Refused
from mattermod_action.events import Repository
from mattermod_action.picks import EXISTS, Clean, Conflict
from mattermod_action.prerequisites import Search
from mattermod_action.world import RealClock
from tests.histories import History
from tests.picks import RELEASE, Project
from tests.scene import bodies
from tests.test_cherry_pick import configure, merged, project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.records import Pull

__all__ = ["project"]
pytestmark = pytest.mark.one_store
FAR = "".join(f"far {number}\n" for number in range(9))
BOT = "mattermod <mattermod@example.com>"


def search(wanted: str, before: str = "", *, idle: str = "", most: int = 10_000) -> tuple[Search, list[str]]:
    """A set fits with all of one of `wanted`; of `before` each pair is a change that needs another; `idle` do nothing.

    Changes are digits, and a tree is those that it has.
    """
    tried: list[str] = []

    def step(tree: str, change: int) -> str:
        tried.append(f"{tree}+{change}")
        missing = any(pair[1] == str(change) and pair[0] not in tree for pair in before.split())
        return "" if missing else tree if str(change) in idle else "".join(sorted(tree + str(change)))

    found = Search(
        "=", step, lambda tree: any({*each} <= {*tree} for each in wanted.split()), lambda: len(tried) >= most
    )
    return found, tried


@pytest.mark.parametrize(
    ("wanted", "before", "idle", "expected"),
    [
        ("2", "", "", (2,)),
        ("13", "", "", (1, 3)),
        ("2 13", "", "", (2,)),
        ("13 2", "", "", (2,)),
        ("3", "13", "", (1, 3)),
        ("4", "13 34", "", (1, 3, 4)),
        ("12", "x1", "", ()),
        ("3", "x1 x2", "", (3,)),
        ("9", "", "", ()),
        ("13", "", "2", (1, 3)),
        ("1234", "", "", (1, 2, 3, 4)),
        ("2", "32", "", ()),
    ],
    ids=lambda value: str(value) or "-",
)
def test_se01_the_fewest_with_which_it_fits(wanted: str, before: str, idle: str, expected: tuple[int, ...]) -> None:
    """An earlier change comes before a later one, and neither one that conflicts nor one that is idle is in a set."""
    assert search(wanted, before, idle=idle)[0].fewest([1, 2, 3, 4]) == expected


@pytest.mark.parametrize("wanted", ["9 0123", "0123 45678", "12 9 345", "01 56789"])
def test_se02_no_larger_set_where_a_smaller_one_does(wanted: str) -> None:
    found = search(wanted)[0].fewest([*range(10)])
    assert len(found) == min(map(len, wanted.split()))
    assert "".join(map(str, found)) in wanted.split()


def test_se03_what_was_found_by_the_end_of_its_time_counts() -> None:
    """Each of the five is needed; sets of two and more are not all tried by then."""
    assert search("12679", most=80)[0].fewest([*range(10)]) == (1, 2, 6, 7, 9)
    assert search("12679", most=5)[0].fewest([*range(10)]) == ()


def test_se04_the_same_tree_is_tried_once() -> None:
    found, tried = search("9 8")
    assert found.fewest([1, 2, 3, 4, 5]) == ()
    assert len(tried) == len(set(tried))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[tuple[History, str]]:
    """`main` has four commits on one file, and `release` changes a line far away; and a server of it, which counts."""
    clone = History(tmp_path / "clone", "origin", "", [])
    clone.clone.mkdir()
    clone.git("init", "--quiet", "--initial-branch", "main")
    clone.git("config", "uploadpack.allowFilter", "true")
    clone.git("config", "uploadpack.allowAnySHA1InWant", "true")
    shas = []
    for number, text in enumerate(["a\nb\nc\n", "a\nB\nc\n", "a\nB\nC\n", "new\n", "a\nBB\nCC\n"]):
        name = "other" if text == "new\n" else "file"
        (clone.clone / name).write_text(FAR + text)
        shas.append(clone.commit(f"Step {number}"))
    clone.git("checkout", "--quiet", "-b", "release", shas[0])
    (clone.clone / "file").write_text("release" + FAR + "a\nb\nc\n")  # so that each takes a merge of contents
    clone.tip, clone.picks = clone.commit("On the release"), shas[1:]
    clone.git("checkout", "--quiet", "main")
    with serve({"o/r": clone.clone / ".git"}) as server:
        yield clone, server.url


def test_se05_trying_takes_four_requests_and_gives_what_a_pick_gives(history: tuple[History, str]) -> None:
    clone, url = history
    first, second, other, last = clone.picks
    repository = Repository(1, "o", "r")
    with serve({"o/r": clone.clone / ".git"}) as server:
        git = Git(server.url, "token", BOT, RealClock())
        with git.fetched(repository, [clone.tip], [last]) as work:
            assert isinstance(work.pick(clone.tip, [last]), Conflict)
            with server.counting() as traffic:
                trial = work.trial(clone.tip, clone.picks, 60)
                assert [bool(trial.onto(trial.start, each)) for each in ([first], [other], [second], [last])] == [
                    True, True, False, False,
                ]  # fmt: skip
                found = trial.onto(trial.start, [first, second, last])
                assert len(traffic.requests) <= 4, traffic.requests
    with Git(url, "token", BOT, RealClock()).fetched(repository, [clone.tip], [first, second, last]) as work:
        picked = work.pick(clone.tip, [first, second, last])
        assert isinstance(picked, Clean)
        assert work.trial(picked.sha, [first], 60).start == found


def test_se27_a_branch_is_replaced_only_while_it_is_what_was_looked_at(history: tuple[History, str]) -> None:
    clone, url = history
    first, _, other, _ = clone.picks
    clone.git("config", "http.receivepack", "true")
    clone.git("branch", "made", first)
    with Git(url, "token", BOT, RealClock()).fetched(Repository(1, "o", "r"), [clone.tip], [other]) as work:
        picked = work.pick(clone.tip, [other])
        assert work.replace("made", other, picked.sha) == EXISTS
        assert clone.git("rev-parse", "made").strip() == first
        assert work.replace("made", first, picked.sha) == ""
        assert clone.git("rev-parse", "made").strip() == picked.sha


def test_se06_too_much_to_read_is_not_read(history: tuple[History, str], monkeypatch: pytest.MonkeyPatch) -> None:
    clone, url = history
    monkeypatch.setattr("mattermod_action.adapters.git.TRIED_BLOBS", 2)
    git, picks = Git(url, "token", BOT, RealClock()), clone.picks[-1:]
    with git.fetched(Repository(1, "o", "r"), [clone.tip], picks) as work, pytest.raises(Refused):
        work.trial(clone.tip, clone.picks, 60)


def conflict_of(project: Project, pull: Pull, said: str = f"/cherry-pick {RELEASE}") -> str:
    done = project.say(pull, said)
    assert done.code == 0, done.log
    return [each for each in bodies(project.github, pull.number) if "conflicts** in" in each][-1]


@pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
def test_se07_the_pull_requests_that_are_missing_are_named_with_the_command(project: Project, method: str) -> None:
    """Two are missing, one after the other; the third touches the same file, and is not needed."""
    needed = [project.merge(project.pull(partial(project.change, text)), method) for text in ("one", "two")]
    project.merge(project.pull(lambda: project.change("far away", at=2)), method)
    told = conflict_of(project, project.merge(project.pull(lambda: project.change("three", at=20)), method))
    first, second = (each.number for each in needed)
    assert f"It does not conflict after #{first} and #{second}." in told
    assert f"/cherry-pick {RELEASE} with #{first} #{second}\n" in told


def test_se08_a_conflict_that_none_of_them_makes_away_with_names_none(project: Project) -> None:
    """A change of the release branch itself; and one that was pushed without a pull request."""
    project.merge(project.pull(lambda: project.change("earlier", at=2)))
    project.on(RELEASE, lambda: project.change("different"), "On the release")
    assert "It does not conflict after" not in conflict_of(project, merged(project))


def test_se09_a_draft_names_them_too(project: Project) -> None:
    configure(project.github, "cherry_pick: {conflicts: draft}\n")
    needed = merged(project)
    told = conflict_of(project, project.merge(project.pull(lambda: project.change("newer"))))
    assert f"/cherry-pick {RELEASE} with #{needed.number}\n" in told


@pytest.mark.parametrize("conflicts", ["comment", "draft"])
def test_se25_the_command_does_what_it_says(project: Project, conflicts: str) -> None:
    """In one pull request, with all of them in their order; a draft is closed first, as it says."""
    configure(project.github, f"cherry_pick: {{conflicts: {conflicts}}}\n")
    merged(project)
    pull = project.merge(project.pull(lambda: project.change("newer")))
    told = conflict_of(project, pull)
    drafts = project.opened()
    assert [f"Close #{each.number}, then this picks" in told for each in drafts] == [True] * (conflicts == "draft")
    for each in drafts:
        project.github.state.change_item(project.github.repository, each.number, {"state": "closed"})
    project.say(pull, told.split("as one pull request:\n\n```\n")[1].split("\n```")[0])
    [made] = project.opened()[len(drafts) :]
    assert not made.draft
    project.git("fetch", "--quiet", "origin", made.head_ref)
    assert "newer" in project.git("show", "FETCH_HEAD:app.py")
