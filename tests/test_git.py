"""The engine of cherry-picks against git's own `cherry-pick -x` on a full clone: the same trees, messages, authors."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action.adapters.git import HUNKS_SHOWN, Git, Work, hunks
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


ODD = {
    "a folder": {"d/.gitattributes/.gitattributes": ("100644", "* text\n")},
    "a folder of folders": {"d/.gitattributes/.gitattributes/x/.gitattributes": ("100644", "* text\n")},
    "a link out of here": {"d/.gitattributes": ("120000", "/etc/passwd")},
    "a link to a folder": {"d/.gitattributes": ("120000", "..")},
    "a link in the path": {".gitattributes": ("120000", "d")},
    "a submodule": {"d/.gitattributes": ("160000", "")},
    "noise": {"d/.gitattributes": ("100644", "\x00\x01\xff * = - !\n" * 50)},
    "an empty file": {".gitattributes": ("100644", ""), "d/.gitattributes": ("100644", "")},
}


def grafted(history: History, parent: str, files: dict[str, tuple[str, str]]) -> str:
    """Commit a tree that has these besides what there is, also what no folder can have."""
    history.git("read-tree", parent or "--empty")
    for path, (mode, text) in files.items():
        data = history.git("hash-object", "-w", "--stdin", stdin=text).strip()
        history.git("update-index", "--add", "--cacheinfo", f"{mode},{parent if mode == '160000' else data},{path}")
    tree = history.git("write-tree").strip()
    return history.git("commit-tree", "-m", "Odd", *(["-p", parent] if parent else []), tree).strip()


def odd_pick(github: Sandbox, history: History, tips: list[dict[str, tuple[str, str]]], folder: str) -> list[object]:
    """Pick a change of a file in that folder onto each tip, one after the other, in one piece of work."""
    (history.clone / "first").write_text("x\n")
    base = history.commit("Begin")
    before = grafted(history, base, {f"{folder}/f": ("100644", "one\n")})
    pick = grafted(history, before, {f"{folder}/f": ("100644", "two\n")})
    onto = [grafted(history, before, {**files, "more": ("100644", str(nth))}) for nth, files in enumerate(tips)]
    refs = [f"{sha}:refs/heads/odd-{nth}" for nth, sha in enumerate([pick, *onto])]
    history.git("push", "--quiet", "origin", *refs)
    git = Git(github.url, github.tokens["maintainer"], BOT, RealClock())
    found: list[object] = []
    with git.fetched(where(github), onto, [pick]) as work:
        for tip in onto:
            try:
                found.append(work.pick(tip, [pick]))
            except Refused as refusal:
                found.append(str(refusal))
    return found


@pytest.mark.parametrize("shape", ODD)
def test_t18_attributes_that_are_no_file_are_none(github: Sandbox, tmp_path: Path, shape: str) -> None:
    """On the first target and, after another's, on the second. Red without `links=False` or with what was there."""
    history = begun(github, tmp_path / "x")
    plain = {"d/.gitattributes": ("100644", "* text\n"), ".gitattributes": ("100644", "* text\n")}
    found = odd_pick(github, history, [plain, ODD[shape], plain], "d")
    assert [type(each) for each in found] == [Clean] * 3, found


def test_t18_a_folder_of_attributes_is_left_behind_by_no_target(github: Sandbox, tmp_path: Path) -> None:
    """Red where only files are removed that another target has left."""
    inside = {"d/.gitattributes/.gitattributes": ("100644", "* text\n")}
    found = odd_pick(github, begun(github, tmp_path / "x"), [inside, {}, inside], "d/.gitattributes")
    assert [type(each) for each in found] == [Clean] * 3, found


def test_t18_a_link_has_no_attributes(github: Sandbox, tmp_path: Path) -> None:
    """What it leads to would otherwise be read as the attributes themselves. Red without `links=False`."""
    history = begun(github, tmp_path / "x")
    onto = {"d/.gitattributes": ("120000", "f merge=union"), "d/f": ("100644", "other\n")}
    [found] = odd_pick(github, history, [onto], "d")
    assert isinstance(found, Conflict)


@pytest.mark.parametrize(
    ("files", "folder", "reason"),
    [
        ({"d/.gitattributes": ("100644", "# much\n" * 200_000)}, "d", "has more than 1048576 bytes"),
        ({f"{'x' * 300}/.gitattributes": ("100644", "* text\n")}, "x" * 300, "cannot be written (OSError)"),
    ],
    ids=["huge", "a name that no folder has"],
)
def test_t18_attributes_that_cannot_be_laid_out_are_refused(
    github: Sandbox, tmp_path: Path, files: dict[str, tuple[str, str]], folder: str, reason: str
) -> None:
    """That target alone: the next is picked."""
    history = begun(github, tmp_path / "x")
    found = odd_pick(github, history, [files, {}], folder)
    assert reason in str(found[0])
    assert isinstance(found[1], Clean)


CONFLICT = b"<<<<<<< target\na\n=======\nb\n>>>>>>> picked"
HUNKS = [
    (b"", []),
    (CONFLICT, [CONFLICT]),
    (b"x\n" + CONFLICT + b" more\ny\n", [CONFLICT + b" more"]),
    (CONFLICT + b"\nx\n" + CONFLICT + b"\n", [CONFLICT, CONFLICT]),
    (b"<<<<<<< a\nno end\n", []),
    (b">>>>>>> a\n" + CONFLICT, [CONFLICT]),
    (b"<<<<<<< a\n" + CONFLICT + b"\n", [b"<<<<<<< a\n" + CONFLICT]),
    (b"<<<<<<<\n>>>>>>>\n", []),
    (b" <<<<<<< a\n>>>>>>> b\n", []),
    (b"<<<<<<< a\r\n>>>>>>> b\r\n", [b"<<<<<<< a\r\n>>>>>>> b\r"]),
]


@pytest.mark.parametrize(("content", "expected"), HUNKS)
def test_t08_what_stands_between_markers_is_found(content: bytes, expected: list[bytes]) -> None:
    assert list(hunks(content)) == expected


@given(st.lists(st.sampled_from([b"<<<<<<< a", b">>>>>>> b", b"=======", b"x", b"", b"<<<<<<<", b" >>>>>>> c"])))
def test_t08_as_an_expression_would(lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    assert list(hunks(content)) == re.findall(rb"^<{7} .*?^>{7} [^\n]*$", content, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "content",
    [
        b"<<<<<<< \n" * 8_000,
        b"<<<<<<< \n" * 110_000,
        CONFLICT + b"\n" + b"<<<<<<< \n" * 110_000,
        b">>>>>>> \n" * 110_000,
        b"<<<<<<< \n" + b">>>>>> \n" * 110_000,
        b"<<<<<<< \n>>>>>>> \n" * 55_000,
        b"\n" * 1_000_000,
        b"<" * 1_000_000,
        b"\n<<<<<<<" * 125_000,
    ],
    ids=range(9),
)
def test_t08_a_megabyte_takes_no_time(content: bytes) -> None:
    began = time.thread_time()
    found = list(hunks(content))
    assert time.thread_time() - began < 0.2
    assert sum(map(len, found)) <= 2 * HUNKS_SHOWN
