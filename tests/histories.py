"""Seeded histories of everything that git tracks, pushed to the sandbox; and what real git makes of a pick in them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

FILES = ("README.md", "src/app.py", "src/lib/deep.py", "docs/a b.txt", "CHANGELOG.md", "data.bin", "dos.txt", "ü/ñ.txt")
TRAILERS = ("", "\n\nCo-authored-by: Zoë <zoe@example.com>", "\n\nSigned-off-by: A <a@example.com>", "\n\nSome text.")
DESCRIBED = "--format=%T%x00%an <%ae> %ad%x00%B"


@dataclass
class Expected:
    """What `git cherry-pick -x` did: the commits that it made, or the paths in conflict, or git's own failure."""

    commits: list[str]
    conflicts: tuple[str, ...]
    failed: str = ""


@dataclass
class History:
    """A clone, the tip of the branch `release` in it, and commits of `main` to pick onto that."""

    clone: Path
    name: str
    tip: str
    picks: list[str]

    def cherry_picked(self) -> Expected:
        """Each commit by itself, so that one that is there already can be left out."""
        self.git("checkout", "--quiet", "--detach", self.tip)
        for pick in self.picks:
            mainline = ("-m", "1") if len(self.git("rev-list", "--no-walk", "--parents", pick).split()) > 2 else ()
            done = self.try_git("cherry-pick", "-x", *mainline, pick)
            if done.returncode:
                if conflicts := self.git("diff", "--name-only", "-z", "--diff-filter=U").split("\0")[:-1]:
                    return Expected([], tuple(conflicts))
                if "cherry-pick is now empty" not in done.stdout + done.stderr:
                    return Expected([], (), failed=done.stderr)
                self.git("cherry-pick", "--skip")
        return Expected(self.described("HEAD"), ())

    def described(self, ref: str) -> list[str]:
        """Tree, author and message of each commit that a branch, here or on the server, has on top of the tip."""
        if ref != "HEAD":
            self.git("fetch", "--quiet", "origin", f"refs/heads/{ref}")
            ref = "FETCH_HEAD"
        return self.git("log", "--reverse", DESCRIBED, f"{self.tip}..{ref}").split("\n\n\n")

    def git(self, *words: str, stdin: str = "") -> str:
        done = self.try_git(*words, stdin=stdin)
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout} {done.stderr}"
        return done.stdout

    def try_git(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words],
            cwd=self.clone,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.clone),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_EDITOR": "true",
            **{f"GIT_{role}_NAME": f"{role} Ä" for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": f"{role}@example.com" for role in ("AUTHOR", "COMMITTER")},
            "GIT_AUTHOR_DATE": "1750000000 +0530",
        }

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--file=-", "--cleanup=verbatim", stdin=message)
        return self.git("rev-parse", "HEAD").strip()


def begun(github: Sandbox, place: Path) -> History:
    """An empty clone that may push to the sandbox."""
    place.mkdir(parents=True)
    history = History(place, place.name, "", [])
    history.git("init", "--quiet", "--initial-branch", "begun")
    login = "x-access-token:" + github.tokens["maintainer"]
    history.git("remote", "add", "origin", f"{github.server_url.replace('://', f'://{login}@')}/{github.repository}")
    return history


def grown(github: Sandbox, place: Path, chance: random.Random) -> History:
    """A common beginning, some commits on `release`, some on `main`, and the last of those to pick."""
    history = begun(github, place)
    _begin(place, chance)
    history.commit("Begin")
    for branch, count in ((f"release-{place.name}", chance.randrange(3)), (f"trunk-{place.name}", chance.randrange(3))):
        history.git("checkout", "--quiet", "-b", branch, "begun")
        for _ in range(count):
            _change(history, chance)
    picks = [_change(history, chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    if chance.random() < 0.2:
        picks = [_merged(history, chance)]
    if chance.random() < 0.15:
        _pick_early(history, picks)
    history.git("push", "--quiet", "origin", f"release-{place.name}", f"trunk-{place.name}")
    history.tip = history.git("rev-parse", f"release-{place.name}").strip()
    history.picks = picks
    return history


def _merged(history: History, chance: random.Random) -> str:
    """A true merge of a branch of two commits."""
    trunk = history.git("branch", "--show-current").strip()
    history.git("checkout", "--quiet", "-b", f"topic-{history.name}", "HEAD")
    _change(history, chance)
    _change(history, chance)
    history.git("checkout", "--quiet", trunk)
    history.git("merge", "--quiet", "--no-ff", "-m", "Merge topic", f"topic-{history.name}")
    return history.git("rev-parse", "HEAD").strip()


def _pick_early(history: History, picks: list[str]) -> None:
    """The release branch has the first of them already, if that applies."""
    trunk = history.git("branch", "--show-current").strip()
    history.git("checkout", "--quiet", f"release-{history.name}")
    if len(picks) > 1 and history.try_git("cherry-pick", picks[0]).returncode:
        history.try_git("cherry-pick", "--abort")
    history.git("checkout", "--quiet", "--force", trunk)


def _begin(place: Path, chance: random.Random) -> None:
    for name in FILES:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(name, chance))
    if chance.random() < 0.5:
        (place / ".gitattributes").write_text("CHANGELOG.md merge=union\n*.txt text eol=crlf\n*.bin binary\n")
    if chance.random() < 0.5:
        (place / "src/lib/.gitattributes").write_text("deep.py merge=union\n")
    (place / "link").symlink_to("README.md")


def _content(name: str, chance: random.Random) -> bytes:
    if name.endswith(".bin"):
        return chance.randbytes(300)
    end = "\r\n" if name == "dos.txt" else "\n"
    return "".join(f"{name} line {number} {chance.random()}{end}" for number in range(30)).encode()


def _change(history: History, chance: random.Random) -> str:
    for _ in range(chance.choice((1, 1, 2, 3))):
        chance.choice(CHANGES)(history, chance)
    return history.commit(f"Change {chance.random()}\n\nBody  \nof it.{chance.choice(TRAILERS)}\n")


def _edit(history: History, chance: random.Random) -> None:
    """Change a line, insert one, or take some out."""
    path = _some_file(history, chance)
    lines = path.read_bytes().splitlines(keepends=True)
    at = chance.randrange(len(lines) + 1)
    lines[at : at + chance.randrange(3)] = [f"new {chance.random()}\n".encode()] * chance.randrange(3)
    path.write_bytes(b"".join(lines))


def _add(history: History, chance: random.Random) -> None:
    path = history.clone / f"new/{chance.randrange(3)}/file{chance.randrange(3)}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_content(path.name, chance))


def _delete(history: History, chance: random.Random) -> None:
    _some_file(history, chance).unlink()


def _rename(history: History, chance: random.Random) -> None:
    path = _some_file(history, chance)
    place = history.clone / f"moved/{chance.randrange(2)}"
    place.mkdir(parents=True, exist_ok=True)
    path.rename(place / path.name)


def _mode(history: History, chance: random.Random) -> None:
    path = _some_file(history, chance)
    path.chmod(0o755 if path.stat().st_mode & 0o100 == 0 else 0o644)


def _link(history: History, chance: random.Random) -> None:
    link = history.clone / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(f"target-{chance.randrange(5)}")


def _submodule(history: History, chance: random.Random) -> None:
    sha = f"{chance.randrange(3):040x}".replace("0", "a")
    history.git("update-index", "--add", "--cacheinfo", f"160000,{sha},vendor/lib")
    (history.clone / "vendor/lib").mkdir(parents=True, exist_ok=True)


def _lfs(history: History, chance: random.Random) -> None:
    (history.clone / "big.dat").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{chance.randbytes(32).hex()}\nsize 12\n"
    )


def _some_file(history: History, chance: random.Random) -> Path:
    """Not one that says how others are checked out: `git cherry-pick` takes those for changed."""
    listed = history.git("ls-files", "-z").split("\0")[:-1]
    tracked = [name for name in listed if name != "link" and not name.endswith(".gitattributes")]
    there = [path for name in tracked if (path := history.clone / name).is_file() and not path.is_symlink()]
    return chance.choice(there)


CHANGES: tuple[Callable[[History, random.Random], None], ...] = (
    _edit, _edit, _edit, _add, _delete, _rename, _mode, _link, _submodule, _lfs,
)  # fmt: skip
