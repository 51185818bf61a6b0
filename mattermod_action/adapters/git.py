"""Cherry-picks without a clone: what a pick needs is fetched, merged by git in memory, and pushed.

A bare repository in a temporary directory gets the commits and their trees (`blob:none`), then exactly the blobs of
the changed paths, in one fetch each. `git merge-tree` does what `git cherry-pick` does, without a worktree.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mattermod_action.adapters.git_process import REMOTE, TRANSFER, GitProcess
from mattermod_action.errors import Down, Unsure
from mattermod_action.picks import EXISTS, PROTECTED, WORKFLOWS, Clean, Conflict, Hunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mattermod_action.events import Repository
    from mattermod_action.picks import Merged
    from mattermod_action.ports import Clock

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SUBMODULE = "160000"
NO_BLOB = (SUBMODULE, "000000")
ATTRIBUTES = ".gitattributes"
TARGET, PICKED = "target", "picked"  # the names of the two sides in conflict markers
HUNK = re.compile(rb"^<{7} .*?^>{7} [^\n]*$", re.MULTILINE | re.DOTALL)
HUNKS_SHOWN = 8_000  # bytes of each file's conflicts
_REFUSED = re.compile(r"^!\t[^:\t]*:refs/heads/([^\t]+)\t(.*)$", re.MULTILINE)
# What a push is refused for, by what git or GitHub says of it.
REASONS = (
    (re.compile(r"stale info|already exists|fetch first|non-fast-forward"), EXISTS),
    (re.compile(r"`?workflows?`? (?:permission|scope)", re.IGNORECASE), WORKFLOWS),
    (re.compile(r"GH006|GH013|protected branch|rule violations", re.IGNORECASE), PROTECTED),
)
OBJECTS_ONLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--recurse-submodules=no")


class Git:
    """The `Git` port of ports.py. `identity` is NAME <ADDRESS>, the committer of what is picked."""

    def __init__(self, server_url: str, token: str, identity: str, clock: Clock) -> None:
        self._server, self._token, self._identity, self._clock = server_url, token, identity, clock

    @contextmanager
    def fetched(
        self, repository: Repository, tips: Sequence[str], picks: Sequence[str], own: Sequence[str] = ()
    ) -> Iterator[Work]:
        """Fetch tips of branches, and the commits to pick onto them; `own` are commits that these are compared with."""
        committer = f"{self._identity} {int(self._clock.now().timestamp())} +0000"
        with tempfile.TemporaryDirectory(prefix="mattermod-", ignore_cleanup_errors=True) as home:
            work = Work(Path(home), GitProcess(Path(home), self._server, repository, self._token), committer)
            work.fetch([*tips, *picks, *own], picks, tips)
            yield work


class Work:
    """One repository on disk, for as long as the picks of one pull request take."""

    def __init__(self, home: Path, git: GitProcess, committer: str) -> None:
        self._home, self._git, self._committer = home, git, committer
        self._changes = cache(self._read_changes)  # a method's cache would outlive its run
        self._files = cache(self._read_files)
        self._tree = cache(self._read_tree)

    def fetch(self, commits: Sequence[str], picks: Sequence[str], tips: Sequence[str]) -> None:
        """Fetch the commits, each with its parents, and their trees; then the blobs that merging takes."""
        self._git.ask("init", "--quiet", "--template=")
        self._transfer(commits, "--depth=2")
        steps = [self._changes(pick) for pick in picks]
        blobs: set[str] = set()
        for files in map(self._files, dict.fromkeys(tips)):
            blobs |= _blobs(files, steps)
        if blobs:
            self._transfer(sorted(blobs), config={"fetch.negotiationAlgorithm": "noop"})

    def pick(self, tip: str, picks: Sequence[str]) -> Merged:
        """Repeat the changes of these commits on `tip`, one after the other; stop at the first that conflicts."""
        self._lay_out_attributes(tip, picks)
        head, known = tip, []
        for pick in picks:
            tree, conflicts = self._merge(head, pick)
            if conflicts:
                sha = self._commit(tree, head, pick)
                return Conflict(pick, sha, tuple(conflicts), tuple(self._hunks(tree, conflicts)))
            if tree == self._tree(head):
                known.append(pick)
            else:
                head = self._commit(tree, head, pick)
        return Clean(head if head != tip else "", tuple(known))

    def push(self, branches: Mapping[str, str]) -> dict[str, str]:
        """Create these branches, together; return why each that was refused was, and of all others "".

        Its lease expects nothing, so that a push can only create. Negotiation (`push.negotiate`) finds what the server
        has when the target has moved on meanwhile; without it the whole tree would be sent. Raises Unsure, Mistake.
        """
        leases = [f"--force-with-lease=refs/heads/{name}:" for name in branches]
        specs = [f"{sha}:refs/heads/{name}" for name, sha in branches.items()]
        options = ["--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no", *leases]
        done = self._git.run("push", *options, "--end-of-options", REMOTE, *specs, within=TRANSFER)
        refused = dict(_REFUSED.findall(done.out.decode(errors="replace")))
        if done.code and not refused:
            try:
                self._git.fail("push to", done, remote=True)
            except Down as error:
                raise Unsure(str(error)) from error
        return {name: _reason(refused[name], done.err) if name in refused else "" for name in branches}

    def matches(self, ones: Sequence[str], others: Sequence[str]) -> bool:
        """Whether two rows of commits make the same changes: by their blobs, their patch-ids, or at least their paths.

        A patch-id holds the lines around a change, so it is another one where those have changed meanwhile.
        https://git-scm.com/docs/git-patch-id
        """
        return len(ones) == len(others) and all(
            self._changes(one) == self._changes(other)
            or self._patch_id(one) == self._patch_id(other)
            or self._changes(one).keys() == self._changes(other).keys()
            for one, other in zip(ones, others, strict=True)
        )

    def _transfer(self, shas: Iterable[str], *options: str, config: Mapping[str, str] | None = None) -> None:
        words = [*OBJECTS_ONLY, "--filter=blob:none", *options, "--stdin", "--end-of-options", REMOTE]
        wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
        done = self._git.run("fetch", *words, stdin=wanted, within=TRANSFER, config=config)
        if done.code:
            self._git.fail("fetch from", done, remote=True)

    def _merge(self, head: str, pick: str) -> tuple[str, list[str]]:
        """Return the merged tree, and the paths that conflict in it.

        Git before 2.40 cannot be told the base of a merge, so three commits are made up that have the wanted one.
        """
        base = self._made_up(self._tree(self._before(pick)))
        ours, theirs = (self._made_up(self._tree(side), base) for side in (head, pick))
        names = f"update refs/tags/{TARGET} {ours}\nupdate refs/tags/{PICKED} {theirs}\n"
        self._git.ask("update-ref", "--stdin", stdin=names)
        done = self._git.run("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", TARGET, PICKED)
        if done.code not in (0, 1):
            self._git.fail("merge in", done)
        tree, *paths = done.out.decode(errors="surrogateescape").rstrip("\0").split("\0")
        return tree, paths

    def _commit(self, tree: str, parent: str, pick: str) -> str:
        """Make the commit anew, as `git cherry-pick -x` does; author, date and encoding stay byte for byte."""
        head, _, message = self._git.read("cat-file", "commit", pick).partition(b"\n\n")
        kept = {line.partition(b" ")[0]: line for line in head.split(b"\n")}
        new = [f"tree {tree}".encode(), f"parent {parent}".encode(), kept[b"author"]]
        new += [f"committer {self._committer}".encode(), *filter(None, [kept.get(b"encoding")])]
        content = b"\n".join([*new, b"", self._message(message, pick)])
        return self._git.ask("hash-object", "-t", "commit", "-w", "--stdin", stdin=content).strip()

    def _message(self, message: bytes, pick: str) -> bytes:
        """Where it ends with trailers, such as `Co-authored-by:`, the line is one more of them."""
        text = b"\n".join(line.rstrip() for line in message.strip().split(b"\n"))
        asked = ("interpret-trailers", "--only-trailers", "--only-input", "--no-divider")
        gap = b"\n" if self._git.read(*asked, stdin=text + b"\n") else b"\n\n"
        return text + gap + f"(cherry picked from commit {pick})\n".encode()

    def _hunks(self, tree: str, paths: Iterable[str]) -> Iterator[Hunks]:
        """The lines between conflict markers, as much of them as anybody reads."""
        files = self._files(tree)
        for path in (path for path in paths if path in files):
            content = self._git.read("cat-file", "blob", files[path])
            if found := b"\n".join(HUNK.findall(content)):
                yield Hunks(path, found[:HUNKS_SHOWN].decode(errors="replace"))

    def _lay_out_attributes(self, tip: str, picks: Sequence[str]) -> None:
        """Write the target's attributes where git looks for them, and nothing of another target's."""
        for old in self._home.glob(f"**/{ATTRIBUTES}"):
            old.unlink()
        files = self._files(tip)
        for path in _attributes({path for pick in picks for path in self._changes(pick)}) & files.keys():
            place = self._home / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._git.read("cat-file", "blob", files[path]))

    def _read_changes(self, sha: str) -> dict[str, tuple[str, str]]:
        """Each path with its blob before and after, "" where there is none; of a merge, what it brought."""
        options = ("-r", "-z", "--no-renames", "--raw", "--no-abbrev")
        fields = self._git.ask("diff-tree", *options, self._before(sha), sha).split("\0")[:-1]
        return {path: _sides(info) for info, path in zip(fields[::2], fields[1::2], strict=True)}

    def _read_files(self, tree: str) -> dict[str, str]:
        """Each path with its blob."""
        entries = (entry.partition("\t") for entry in self._git.ask("ls-tree", "-r", "-z", tree).split("\0")[:-1])
        return {path: info.split()[2] for info, _, path in entries if not info.startswith(SUBMODULE)}

    def _read_tree(self, name: str) -> str:
        return self._git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{tree}}").split()[-1]

    def _before(self, sha: str) -> str:
        """What a commit changed: its first parent, or nothing."""
        parents = self._git.ask("rev-list", "--no-walk", "--parents", sha).split()[1:]
        return parents[0] if parents else EMPTY_TREE

    def _made_up(self, tree: str, *parents: str) -> str:
        header = "".join(f"parent {parent}\n" for parent in parents)
        nobody = "nobody <nobody@example.com> 0 +0000"
        content = f"tree {tree}\n{header}author {nobody}\ncommitter {nobody}\n\n"
        return self._git.ask("hash-object", "-t", "commit", "-w", "--stdin", stdin=content).strip()

    def _patch_id(self, sha: str) -> str:
        patch = self._git.read("diff-tree", "-p", "--no-color", "--no-ext-diff", self._before(sha), sha)
        return (self._git.ask("patch-id", "--stable", stdin=patch).split() or [""])[0]


def _blobs(files: Mapping[str, str], steps: Sequence[Mapping[str, tuple[str, str]]]) -> set[str]:
    """Name what has to be there to merge the steps into these files, and to push the result.

    Where the target's file is what the step began with, the step's own is taken, and nobody looks into either.
    """
    paths = {path for step in steps for path in step}
    wanted = {files[path] for path in _attributes(paths) & files.keys()}
    now = {path: files.get(path, "") for path in paths}
    for step in steps:
        for path, (before, after) in step.items():
            wanted |= {after} if now[path] == before else {before, now[path], after}
            now[path] = after
    return wanted - {""}


def _attributes(paths: Iterable[str]) -> set[str]:
    """The files that may say how these paths are merged."""
    return {str(folder / ATTRIBUTES) for path in paths for folder in PurePosixPath(path).parents}


def _sides(info: str) -> tuple[str, str]:
    old_mode, new_mode, before, after, _ = info.removeprefix(":").split()
    return "" if old_mode in NO_BLOB else before, "" if new_mode in NO_BLOB else after


def _reason(said: str, all_of_it: str) -> str:
    """One of the reasons that have a name, or git's own words for this branch."""
    text = f"{said}\n{all_of_it}"
    return next((name for pattern, name in REASONS if pattern.search(text)), said[:300])
