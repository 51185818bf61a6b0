"""Real bare repositories, written to disk when git is asked for them, and merges made by git itself.

Partial clones and any commit by its sha are served; protected branches and, without the permission `workflows`,
branches with other workflow files than the default branch are refused.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.objects import NOREPLY

if TYPE_CHECKING:
    from sandbox.records import Repository

CONFIG = """[core]
\tbare = true
\trepositoryformatversion = 0
[gc]
\tauto = 0
[http]
\treceivepack = true
[receive]
\thideRefs = refs/pull
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
"""
WORKFLOWS = ".github/workflows"
WITHOUT_WORKFLOWS = "refusing to allow a GitHub App to create or update workflow {file} without {name} permission"
# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches
# Which rule GitHub has for workflow files is not published: SANDBOX_DEFAULT names the branch to compare with, if any.
HOOK = """#!/bin/sh
case " $SANDBOX_PROTECTED " in
  *" $1 "*) echo "GH006: Protected branch update failed for $1." >&2; exit 1;;
esac
test -n "$SANDBOX_WORKFLOWS" && exit 0
case "$3" in 0000000000*) exit 0;; esac
files() { git ls-tree -r "$1" -- .github/workflows; }
if [ -n "$SANDBOX_DEFAULT" ]; then
  test "$(files "$3")" = "$(files "$SANDBOX_DEFAULT")" && exit 0
else
  test -z "$(git rev-list "$3" --not --all -- .github/workflows)" && exit 0
fi
echo "refusing to allow a GitHub App to create or update workflow \\`.github/workflows/x.yml\\` without" \
  "\\`workflows\\` permission" >&2
exit 1
"""
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "GitHub",
    "GIT_AUTHOR_EMAIL": "noreply@example.com",
    "GIT_COMMITTER_NAME": "GitHub",
    "GIT_COMMITTER_EMAIL": "noreply@example.com",
}


# What is told of a commit, each part ended by a NUL, which no part can hold.
FORMAT = "%x00".join(
    (
        "%H %T %P",
        *(f"%{who}n%x00%{who}e%x00%{who}I" for who in "ac"),
        "%(trailers:key=Co-authored-by,valueonly,separator=%x01)",
        "%B",
    )
)
PARTS = FORMAT.count("%x00") + 1


class ConflictError(Exception):
    """The two sides do not merge."""


@dataclass(frozen=True)
class Identity:
    """Who made a commit, and when."""

    name: str
    email: str
    at: datetime

    @classmethod
    def of(cls, login: str, at: datetime) -> Identity:
        """`login` may also be "NAME <ADDRESS>"."""
        name, _, address = login.rstrip(">").partition(" <")
        return cls(name, address or f"{name.removesuffix('[bot]')}@{NOREPLY}", at)

    def variables(self, role: str) -> dict[str, str]:
        """Return what tells git that it is they; `role` is AUTHOR or COMMITTER."""
        who = {"NAME": self.name, "EMAIL": self.email, "DATE": self.at.isoformat()}
        return {f"GIT_{role}_{name}": text for name, text in who.items()}


@dataclass(frozen=True)
class Commit:
    """A commit as git tells it; `authors` are its author and those whom its trailers name."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Identity
    committer: Identity
    authors: tuple[Identity, ...]
    message: str


class Bare:
    """One repository on disk; `publish` before git reads it, `fetch` after git wrote to it."""

    def __init__(self, root: Path, repository: Repository) -> None:
        self._repository = repository
        self._published: dict[str, str] = {}
        self._histories: dict[tuple[str, str], list[str]] = {}
        self.path = root / repository.owner / f"{repository.name}.git"
        for folder in ("objects", "refs/heads", "refs/pull", "hooks"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        (self.path / "config").write_text(CONFIG)
        (self.path / "HEAD").write_text(f"ref: refs/heads/{repository.default_branch}\n")
        (self.path / "hooks/update").write_text(HOOK)
        (self.path / "hooks/update").chmod(0o755)

    def publish(self) -> None:
        """Write what the state holds: objects, branches, and a ref for the head of each pull request."""
        self._repository.objects.write(self.path / "objects")
        refs = {f"refs/heads/{name}": sha for name, sha in self._repository.branches.items()}
        refs |= {f"refs/pull/{pull.number}/head": pull.head_sha for pull in self._repository.pulls()}
        for name, sha in refs.items() - self._published.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{sha}\n")
        self._published = refs

    def forget(self, branch: str) -> None:
        (self.path / "refs/heads" / branch).unlink(missing_ok=True)

    def fetch(self) -> dict[str, str]:
        """Take over the branches that were pushed; return those that changed."""
        lines = self.run("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines)
        changed = {name: sha for name, sha in found.items() if self._repository.branches.get(name) != sha}
        for sha in changed.values():
            self._load(sha)
        self._repository.branches = found
        self._published |= {f"refs/heads/{name}": sha for name, sha in found.items()}
        return changed

    def merge(
        self,
        base: str,
        head: str,
        message: str,
        author: Identity,
        *,
        at: datetime | None = None,
        parents: tuple[str, ...] | None = None,
    ) -> str:
        """Return the sha of a commit that merges `head` into `base`, with both for parents unless told.

        It is GitHub who commits it, `at` the time of the author's unless told.
        """
        tree = self.merged_tree(base, head)
        both = parents or (base, head)
        given = [word for parent in both for word in ("-p", parent)]
        more = {**author.variables("AUTHOR"), "GIT_COMMITTER_DATE": (at or author.at).isoformat()}
        sha = self.run("commit-tree", tree, *given, "-m", message, more=more).strip()
        self._load(sha)
        return sha

    def merged_tree(self, base: str, head: str) -> str:
        """Return the tree that a merge of the two has. Raises ConflictError."""
        self.publish()
        try:
            return self.run("merge-tree", "--write-tree", base, head).split()[0]
        except subprocess.CalledProcessError as error:
            raise ConflictError from error

    def workflows(self, tree: str) -> str:
        """Return the workflow files of a commit or tree, as git lists them."""
        return self.run("ls-tree", "-r", tree, "--", WORKFLOWS)

    def merges(self, base: str, head: str) -> bool:
        """Whether git merges the two by itself."""
        self.publish()
        return (
            subprocess.run(
                [*self._git, "merge-tree", "--write-tree", base, head],
                env=ENVIRONMENT,
                capture_output=True,
                check=False,
            ).returncode
            == 0
        )

    def is_merged(self, base: str, head: str) -> bool:
        """Whether `base` has all of `head`."""
        return self.common(base, head) == head

    def history(self, head: str, base: str = "") -> list[str]:
        """Return the commits of `head` that `base` does not have, oldest first; both are shas, so it stays so."""
        if (head, base) not in self._histories:
            self.publish()
            found = self.run("rev-list", "--reverse", head, *([f"^{base}"] if base else [])).split()
            self._histories[head, base] = found
        return self._histories[head, base]

    def resolve(self, name: str) -> str:
        """Return the sha of the commit that git knows by a name: a branch, a ref, a sha or its beginning, `main~2`."""
        self.publish()
        first, *more = name.splitlines() or [""]
        words = self.run("cat-file", "--batch-check", stdin=f"{first}^{{commit}}\n".encode()).split()
        return words[0] if words[1:2] == ["commit"] and not more else ""

    def log(self, *words: str) -> list[Commit]:
        """Return the commits that `git log` lists for these words, in its order."""
        self.publish()
        parts = self.run("--literal-pathspecs", "log", "-z", f"--format=tformat:{FORMAT}", *words).split("\0")
        return [_commit(parts[start : start + PARTS]) for start in range(0, len(parts) - 1, PARTS)]

    def common(self, one: str, other: str) -> str:
        """Return the newest commit that both have, "" if they have none."""
        self.publish()
        try:
            return self.run("merge-base", one, other).strip()
        except subprocess.CalledProcessError:
            return ""

    def changed(self, base: str, head: str) -> list[Change]:
        """Return each file that differs, in git's order; a file that was renamed is one of them."""
        raw = self.run("diff-tree", "-r", "-M", "-z", "--raw", "--no-abbrev", base, head).split("\0")[:-1]
        patches = f"\n{self.run('diff-tree', '-r', '-M', '-p', '--no-color', base, head)}".split("\ndiff --git ")
        texts = iter(patches[1:])
        return [_change(entry, texts) for entry in _entries(iter(raw))]

    def diff(self, base: str, head: str) -> str:
        return self.run("diff", "--no-color", base, head)

    def pick(self, base: str, shas: list[str], at: datetime) -> str:
        """Return the last of commits that repeat `shas` on top of `base`, as "rebase and merge" does.

        Who made the originals stays their author.
        """
        for told in self.log("--no-walk=unsorted", *shas) if shas else ():
            # git 2.39's merge-tree knows no --merge-base: a commit of the base's files on the original's parent is one.
            parent = told.parents[0]
            stand_in = self.run("commit-tree", f"{base}^{{tree}}", "-p", parent, "-m", "stand-in").strip()
            base = self.merge(stand_in, told.sha, told.message, told.author, at=at, parents=(base,))
        return base

    @property
    def _git(self) -> list[str]:
        return ["git", "-C", str(self.path), "-c", "core.quotepath=false"]

    def run(self, *words: str, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> str:
        """Run git and return what it prints; bytes that are no UTF-8 survive as surrogates."""
        return self.read(*words, stdin=stdin, more=more).decode(errors="surrogateescape")

    def read(self, *words: str, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        env = {**ENVIRONMENT, **(more or {})}
        return subprocess.run([*self._git, *words], env=env, input=stdin, check=True, capture_output=True).stdout

    def commit(self, tip: str, files: Mapping[str, bytes], message: str, at: datetime, by: str) -> str:
        """Commit files on top of `tip`, whose other files keep their modes, links and submodules."""
        who = Identity.of(by, at)
        identity = {**who.variables("AUTHOR"), **who.variables("COMMITTER")}
        with tempfile.TemporaryDirectory() as home:
            index = {"GIT_INDEX_FILE": f"{home}/index"}
            self.run("read-tree", tip, more=index)
            for path, content in files.items():
                blob = self.run("hash-object", "-w", "--stdin", stdin=content).strip()
                mode = (self.run("ls-files", "--stage", "--", path, more=index).split() or ["100644"])[0]
                self.run("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", more=index)
            tree = self.run("write-tree", more=index).strip()
        sha = self.run("commit-tree", tree, "-p", tip, "-m", message, more=identity).strip()
        self._load(sha)
        return sha

    def _load(self, sha: str) -> None:
        if sha not in self._repository.commits:
            self._repository.commits[sha] = OnDisk(self, sha)


class OnDisk(Mapping[str, bytes]):
    """The files of a commit that git made: listed when first asked for, each read when it is needed."""

    def __init__(self, bare: Bare, sha: str) -> None:
        self._bare, self._sha = bare, sha

    @cached_property
    def _blobs(self) -> dict[str, str]:
        """Path to blob; a submodule has none."""
        lines = self._bare.run("ls-tree", "-r", "-z", self._sha).split("\0")[:-1]
        split = ((*info.split(), path) for info, _, path in (line.partition("\t") for line in lines))
        return {path: blob for _, kind, blob, path in split if kind == "blob"}

    def __getitem__(self, path: str) -> bytes:
        return self._bare.read("cat-file", "blob", self._blobs[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)


def _commit(parts: list[str]) -> Commit:
    """Read one commit of FORMAT."""
    names, *people, trailers, message = parts
    sha, tree, *parents = names.split(" ")
    author, committer = (
        Identity(name, email, datetime.fromisoformat(at)) for name, email, at in (people[:3], people[3:])
    )
    others = (each.rpartition("<") for each in trailers.split("\1") if each)
    together = (Identity(name.strip(), email.rstrip(">").strip(), author.at) for name, _, email in others)
    given = tuple(each for each in parents if each)
    return Commit(sha, tree, given, author, committer, (author, *together), message.rstrip("\n"))


@dataclass(frozen=True)
class Change:
    """What happened to a file between two commits. `kind` is git's letter (A, D, M, R, T), `patch` "" if binary."""

    kind: str
    path: str
    previous: str
    blob: str
    patch: str

    @property
    def added(self) -> int:
        return self._lines("+")

    @property
    def deleted(self) -> int:
        return self._lines("-")

    def _lines(self, sign: str) -> int:
        return sum(line.startswith(sign) for line in self.patch.split("\n"))


def _entries(words: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """Read `:modes blobs letter`, path and, after a rename or copy, the new path."""
    for info in words:
        _, _, old, new, kind = info.split()
        first = next(words)
        yield kind[0], next(words) if kind[0] in "RC" else first, first, old if kind == "D" else new


def _change(entry: tuple[str, ...], texts: Iterator[str]) -> Change:
    """A file that became a link, or the reverse, has two texts: it goes, and it comes."""
    kind, path, previous, blob = entry
    text = next(texts) + (next(texts) if kind == "T" else "")
    _, found, hunks = text.partition("\n@@ ")
    return Change(kind, path, previous if kind == "R" else "", blob, f"@@ {hunks}".rstrip("\n") if found else "")


class Git:
    """All repositories, in a folder that goes with the sandbox."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._bare: dict[int, Bare] = {}

    @property
    def home(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        return Path(self._folder.name)

    def of(self, repository: Repository) -> Bare:
        if repository.id not in self._bare:
            self._bare[repository.id] = Bare(self.home, repository)
        return self._bare[repository.id]

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
