"""The engine of cherry-picks against git's own `cherry-pick -x` on a full clone: the same trees, messages, authors."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.git import Git, Work
from mattermod_action.adapters.git_process import GitProcess
from mattermod_action.errors import Down, Refused
from mattermod_action.events import Repository
from mattermod_action.picks import Clean, Conflict
from mattermod_action.world import RealClock
from tests.histories import History, begun, grown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

BOT = "mattermod <mattermod@example.com>"
MANY = [pytest.param(range(start, start + 50), marks=pytest.mark.soak) for start in range(100, 1_100, 50)]


@contextmanager
def fetched(github: Sandbox, tip: str, picks: list[str]) -> Iterator[Work]:
    with Git(github.url, github.tokens["maintainer"], BOT, RealClock()).fetched(where(github), [tip], picks) as work:
        yield work


@pytest.mark.parametrize("seeds", [range(12), *MANY], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_pick_is_what_git_cherry_pick_makes_of_it(github: Sandbox, tmp_path: Path, seeds: range) -> None:
    """Histories with renames, modes, links, binaries, attributes, submodules and CRLF, one or several commits."""
    outcomes = set()
    for seed in seeds:
        history = grown(github, tmp_path / str(seed), random.Random(seed))  # noqa: S311  # a seed makes it repeatable
        expected = history.cherry_picked()
        if expected.failed:
            assert "Assertion" in expected.failed, expected.failed  # git 2.39 has a bug of its own
            with fetched(github, history.tip, history.picks) as work, pytest.raises(Refused, match="Assertion"):
                work.pick(history.tip, history.picks)
            continue
        with fetched(github, history.tip, history.picks) as work:
            found = work.pick(history.tip, history.picks)
            if isinstance(found, Clean):
                outcomes.add("clean" if found.sha else "known")
                assert expected.conflicts == (), seed
                assert work.push({f"picked-{seed}": found.sha or history.tip}) == {f"picked-{seed}": ""}
                assert history.described(f"picked-{seed}") == expected.commits, seed
            else:
                assert isinstance(found, Conflict)
                outcomes.add("conflict")
                assert set(found.paths) == set(expected.conflicts), seed
    assert len(seeds) < 12 or {"clean", "conflict"} <= outcomes, outcomes


def test_mm39_a_git_that_hangs_is_stopped_with_all_that_it_has_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        git = GitProcess(tmp_path, server, Repository(1, "octo-org", "hello"), "x")
        git.ask("init", "--quiet", "--template=")
        with pytest.raises(Down, match=r"`git fetch` took more than 1 s"):
            git.run("fetch", "origin", within=1)
        time.sleep(0.5)  # for what was killed to be gone
        assert not [line for line in _commands() if server in line]


def _commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_text())
    return found


SURROUNDINGS = {"the same": "line 19\n", "changed meanwhile": "line nineteen\n"}


def commits(history: History, before: str) -> tuple[str, str, str]:
    """A change of a line, the same where the line before it is another, and another change of the same file."""
    text = "".join(f"line {number}\n" for number in range(40))
    for branch, base in (("own", text), ("rebased", text.replace("line 19\n", before))):
        history.git("checkout", "--quiet", "--orphan", branch)
        for content in (base, base.replace("line 20\n", "changed\n")):
            (history.clone / "a.txt").write_text(content)
            history.commit("Change")
    (history.clone / "a.txt").write_text(base)
    other = history.commit("Change")
    return history.git("rev-parse", "own").strip(), history.git("rev-parse", "rebased^").strip(), other


def where(github: Sandbox) -> Repository:
    repository = github.state.repository(github.repository)
    assert repository
    return Repository(repository.id, repository.owner, repository.name)


@pytest.mark.parametrize("around", SURROUNDINGS)
def test_mm33_a_commit_is_known_again_after_it_was_rebased(github: Sandbox, tmp_path: Path, around: str) -> None:
    """And another change of the same file is not taken for it."""
    history = begun(github, tmp_path / "x")
    own, rebased, other = commits(history, SURROUNDINGS[around])
    history.git("push", "--quiet", "origin", "own", "rebased")
    git = Git(github.url, github.tokens["maintainer"], BOT, RealClock())
    with git.fetched(where(github), [own], [rebased], [own, other]) as work:
        assert work.matches([rebased], [own])
        assert not work.matches([rebased], [other])
        assert not work.matches([rebased], [own, own])


@pytest.mark.parametrize("folder", ["repository/config", "repository/HEAD", "worktree", "repository/objects/info"])
def test_s19_a_folder_is_never_taken_for_one_of_ours(github: Sandbox, tmp_path: Path, folder: str) -> None:
    """Attributes are written to disk under the names that they have, which are anybody's."""
    history = begun(github, tmp_path / "x")
    file = history.clone / folder / "list.txt"
    file.parent.mkdir(parents=True)
    (file.parent / ".gitattributes").write_text("*.txt merge=union\n")
    file.write_text("one\n")
    history.commit("Begin")
    made = []
    for branch, line in (("release-u", "theirs"), ("trunk-u", "ours")):
        history.git("checkout", "--quiet", "-b", branch, "begun")
        file.write_text(f"one\n{line}\n")
        made.append(history.commit("Change"))
    history.git("push", "--quiet", "origin", "release-u", "trunk-u")
    with fetched(github, made[0], made[1:]) as work:
        found = work.pick(made[0], made[1:])
    assert isinstance(found, Clean)
    assert found.sha
