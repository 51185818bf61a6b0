"""A seeded repository as big as mattermost-server: 50,000 commits, 7,200 files, 10,000 pull requests.

Streamed into `git fast-import`, packed once with a bitmap index as a server has it, and kept in `.cache/bench` under
the number of its recipe. What came of it is measured before anything is measured with it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.big_recipe import DEPTH, PICKS, RECIPE, Recipe, Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

CACHE = Path(__file__).parents[1] / ".cache/bench"
UNSAFE = ("-c", "core.fsync=none")  # what is lost in a crash is made again
WHOLE = ("--window=0", "--no-reuse-delta")  # each object compressed by itself
# What the sizes have to be, whatever git and zlib made of it.
RANGES: dict[str, tuple[float, float]] = {
    "commits": (50_000, 60_000),
    "files": (7_000, 8_000),
    "directories": (1_000, 1_200),
    "refs": (10_000, 15_000),
    "pack MB": (250, 400),
    "tip MB": (60, 90),
    "one commit's trees KB": (250, 350),
    "text deflates": (3, 5),
}
CONFIG = """[core]
	repositoryformatversion = 0
	bare = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[uploadpackfilter "tree"]
	maxDepth = 0
[receive]
	hideRefs = refs/pull
	autogc = false
[http]
	receivepack = true
[gc]
	auto = 0
"""


@dataclass(frozen=True)
class Pick:
    """A squash merge on main, `sha`, of `pull`, which changes `files` files."""

    name: str
    sha: str
    pull: int
    files: int


@dataclass(frozen=True)
class BigRepository:
    """Where it is. It is shared and kept: copy it before anything is pushed to it."""

    path: Path

    def git(self, *arguments: str, stdin: str = "") -> str:
        return run_git(self.path, *arguments, stdin=stdin).decode().rstrip("\n")

    def copy(self, to: Path) -> BigRepository:
        """Copy it within a moment: packs are linked, since git replaces files and never writes into them."""
        shutil.copytree(self.path, to, copy_function=lambda old, new: Path(new).hardlink_to(old))
        return BigRepository(to)

    @cached_property
    def picks(self) -> dict[str, Pick]:
        return {name: self._pick(name, *where) for name, where in PICKS.items()}

    def _pick(self, name: str, files: int, before: int) -> Pick:
        sha, subject = self.git("log", "-1", "--format=%H %s", f"main~{before}").split(" ", 1)
        return Pick(name, sha, int(subject.rpartition("#")[2].rstrip(")")), files)

    def sizes(self) -> dict[str, float]:
        """Measure what RANGES speaks of."""
        listed = [line.split() for line in self.git("ls-tree", "-r", "-t", "-l", "main").splitlines()]
        blobs = [(oid, int(size)) for _, kind, oid, size, *_ in listed if kind == "blob"]
        trees = [oid for _, kind, oid, *_ in listed if kind == "tree"]
        sample = blobs[::10]
        return {
            "commits": int(self.git("rev-list", "--count", "main")),
            "files": len(blobs),
            "directories": len(trees),
            "refs": len(self.git("for-each-ref", "--format=%(refname)").splitlines()),
            "pack MB": round(sum(pack.stat().st_size for pack in self.path.glob("objects/pack/*.pack")) / 1e6, 1),
            "tip MB": round(sum(size for _, size in blobs) / 1e6, 1),
            "one commit's trees KB": round(self._packed([*trees, "main^{tree}"]) / 1e3, 1),
            "text deflates": round(sum(size for _, size in sample) / self._packed([oid for oid, _ in sample]), 2),
        }

    def _packed(self, names: Iterable[str]) -> int:
        """Return the bytes of these objects, each compressed by itself."""
        oids = self.git("rev-parse", *names)
        return len(run_git(self.path, "pack-objects", "--stdout", "-q", *WHOLE, stdin=oids))


def off(sizes: dict[str, float]) -> list[str]:
    """Say which sizes are not what they have to be."""
    return [
        f"the big repository's {name} is {sizes[name]}, not {low:g} to {high:g}"
        for name, (low, high) in RANGES.items()
        if not low <= sizes[name] <= high
    ]


def run_git(directory: Path, *arguments: str, stdin: str = "") -> bytes:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, input=stdin.encode(), check=True, stdout=subprocess.PIPE).stdout


def big_repository() -> BigRepository:
    """Return it, made when this recipe's is not there yet."""
    home = CACHE / f"big-repository-{RECIPE}.git"
    if not home.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            made = Path(scratch) / "made.git"
            _make(made)
            made.rename(home)
    return BigRepository(home)


def _make(path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    (path / "config").write_text(CONFIG)
    shutil.rmtree(path / "hooks")
    command = ["git", "-C", str(path), *UNSAFE, "fast-import", "--quiet", "--done", f"--depth={DEPTH}"]
    importing = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert importing.stdin is not None  # noqa: S101  # it is a pipe
    with importing.stdin as stream:
        Writer(stream, Recipe()).write()
    if importing.wait():
        raise RuntimeError(f"git fast-import: exit {importing.returncode}")
    run_git(path, *UNSAFE, "pack-refs", "--all")
    # Deltas stay as they were imported: without a window none is looked for.
    run_git(path, *UNSAFE, "repack", "-a", "-d", "-q", "--window=0", "--write-bitmap-index")
    run_git(path, *UNSAFE, "commit-graph", "write", "--reachable", "--no-progress")
