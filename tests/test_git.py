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
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox

BOT = "mattermod <mattermod@example.com>"
MANY = [pytest.param(range(start, start + 50), marks=pytest.mark.soak) for start in range(100, 1_100, 50)]


@contextmanager
def fetched(github: Sandbox, tip: str, picks: list[str]) -> Iterator[Work]:
    repository = github.state.repository(github.repository)
    assert repository
    where = Repository(repository.id, repository.owner, repository.name)
    with Git(github.url, github.tokens["maintainer"], BOT, RealClock()).fetched(where, [tip], picks) as work:
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


REBASED = {
    "the same lines": (lambda text: text, True),
    "lines around it have changed": (lambda text: text.replace("line 18\n", "line eighteen\n"), True),
}


def commits(history: History, change: Callable[[str], str]) -> tuple[str, str, str]:
    """A change, the same on another base, and something else."""
    text = "".join(f"line {number}\n" for number in range(40))
    made = []
    for branch, base in (("own", text), ("rebased", change(text))):
        history.git("checkout", "--quiet", "--orphan", branch)
        for content in (base, base.replace("line 20\n", "changed\n")):
            (history.clone / "a.txt").write_text(content)
            sha = history.commit("Change")
        made.append(sha)
    (history.clone / "b.txt").write_text("other\n")
    return made[0], made[1], history.commit("Other")


@pytest.mark.parametrize("case", REBASED)
def test_mm33_a_commit_is_known_again_after_it_was_rebased(github: Sandbox, tmp_path: Path, case: str) -> None:
    change, expected = REBASED[case]
    history = begun(github, tmp_path / "x")
    own, rebased, other = commits(history, change)
    history.git("push", "--quiet", "origin", "own", "rebased")
    repository = github.state.repository(github.repository)
    assert repository
    where = Repository(repository.id, repository.owner, repository.name)
    with Git(github.url, github.tokens["maintainer"], BOT, RealClock()).fetched(
        where, [own], [rebased], [own, other]
    ) as work:
        assert work.matches([rebased], [own]) is expected
        assert not work.matches([rebased], [other])
