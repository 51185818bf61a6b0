"""Cherry-picks without a clone: what a pick needs is fetched, merged by git in memory, and pushed.

A bare repository in a temporary directory gets the commits and their trees (`blob:none`), then exactly the blobs of
the changed paths, in one fetch each. `git merge-tree` does what `git cherry-pick` does, without a worktree.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mattermod_action.adapters.git_process import REMOTE, TRANSFER, GitProcess
from mattermod_action.adapters.work_folder import work_folder
from mattermod_action.errors import Down, Refused, Unsure
from mattermod_action.picks import EXISTS, PROTECTED, WORKFLOWS, Clean, Conflict, Hunks
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mattermod_action.events import Repository
    from mattermod_action.picks import Merged
    from mattermod_action.ports import Clock

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SUBMODULE = "160000"
NO_BLOB = (SUBMODULE, "000000")
ATTRIBUTES = ".gitattributes"
TARGET, PICKED = "target", "picked"  # the names of the two sides in conflict markers
NOBODY = b"author nobody <nobody@example.com> 0 +0000\ncommitter nobody <nobody@example.com> 0 +0000\n\n"
PARENTS = 2  # of a merge of two
AT_ONCE = 200  # paths that one process is given
OURS, THEIRS = b"<<<<<<< ", b">>>>>>> "  # what the first and the last line of a conflict begin with
HUNKS_SHOWN = 8_000  # bytes of each file's conflicts
HUNKS_FILES, HUNKS_LARGEST = 50, 4_194_304  # files whose conflicts are looked for, and bytes of each
SYMLINK = "120000"
ATTRIBUTES_LARGEST = 1_048_576  # bytes of a file of attributes; none has a thousandth of it
_REFUSED = re.compile(r"^!\t[^:\t]*:refs/heads/([^\t]+)\t(.*)$", re.MULTILINE)
# What a push is refused for, by what git or GitHub says of it.
REASONS = (
    (re.compile(r"stale info|already exists|fetch first|non-fast-forward"), EXISTS),
    (re.compile(r"`?workflows?`? (?:permission|scope)", re.IGNORECASE), WORKFLOWS),
    (re.compile(r"GH006|GH013|protected branch|rule violations", re.IGNORECASE), PROTECTED),
)
NOTHING_KNOWN = {"fetch.negotiationAlgorithm": "noop"}
FETCHES_NOTHING = {"protocol.http.allow": "never", "protocol.https.allow": "never"}  # what is missing stays so
TRIED_BLOBS = 1_000  # files that a search for prerequisites reads
OBJECTS_ONLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--recurse-submodules=no")


def _nobody_else() -> None:
    """Nothing has to be held where nobody else is at it."""


class Git:
    """The `Git` port of ports.py. `identity` is NAME <ADDRESS>, the committer of what is picked.

    `hold` is called before everything that may take long, and raises Down when somebody else has taken over.
    """

    def __init__(
        self, server_url: str, token: str, identity: str, clock: Clock, hold: Callable[[], None] = _nobody_else
    ) -> None:
        self._server, self._token, self._identity, self._clock = server_url, token, identity, clock
        self._hold = hold

    @contextmanager
    def fetched(
        self, repository: Repository, tips: Sequence[str], picks: Sequence[str], own: Sequence[str] = ()
    ) -> Iterator[Work]:
        """Fetch tips of branches, and the commits to pick onto them; `own` are commits that these are compared with."""
        committer = f"{self._identity} {int(self._clock.now().timestamp())} +0000"
        with work_folder() as home:
            git = GitProcess(home, self._server, repository, self._token)
            work = Work(git, committer, self._hold)
            work.fetch([*tips, *picks, *own], picks, tips)
            yield work

    def is_merge(self, repository: Repository, sha: str, before: str, forked: Callable[[str], str]) -> bool:
        """Whether `sha` is what git itself makes of `before` and another commit, without a conflict.

        A signature of GitHub's does not show that: it signs what was resolved by hand in its editor as well.
        """
        with work_folder() as home:
            git = GitProcess(home, self._server, repository, self._token)
            return Work(git, "", self._hold).is_merge(sha, before, forked)


@dataclass(frozen=True)
class _Commit:
    tree: str
    parents: tuple[str, ...]
    content: bytes


class Work:
    """One repository on disk, for as long as the picks of one pull request take."""

    def __init__(self, git: GitProcess, committer: str, hold: Callable[[], None]) -> None:
        self._git, self._committer, self._hold = git, committer, hold
        self._commits: dict[str, _Commit] = {}
        self._changes = cache(self._read_changes)  # a method's cache would outlive its run

    def fetch(self, commits: Sequence[str], picks: Sequence[str], tips: Sequence[str]) -> None:
        """Fetch the commits, each with its parents, and their trees; then the blobs that merging takes."""
        self._begin()
        self._transfer(commits, "--depth=2")
        self._read_commits(commits)
        steps = [self._changes(pick) for pick in picks]
        paths = {path for step in steps for path in step}
        blobs: set[str] = set()
        for tip in dict.fromkeys(tips):
            files = self._files(tip, paths | _attributes(paths))
            blobs |= _blobs({path: files.get(path, "") for path in paths}, steps)
            blobs |= {files[path] for path in _attributes(paths) & files.keys()}
        if blobs:
            self._transfer(sorted(blobs), config=NOTHING_KNOWN)

    def is_merge(self, sha: str, before: str, forked: Callable[[str], str]) -> bool:
        """See `Git.is_merge`. No attributes are laid out, so that what only they merge is a conflict here."""
        self._begin()
        self._transfer([sha], "--depth=2")
        self._read_commits([sha])
        others = [parent for parent in self._commits[sha].parents if parent != before]
        common = forked(others[0]) if len(others) == 1 and len(self._commits[sha].parents) == PARENTS else ""
        if not common:
            return False
        self._transfer([common], "--depth=1")
        self._read_commits([before, others[0]])
        sides = (self._write(self._commits[each].tree, common) for each in (before, others[0]))
        tree, *conflicts = self._merged(*sides)
        return not conflicts and tree == self._commits[sha].tree

    def pick(self, tip: str, picks: Sequence[str]) -> Merged:
        """Repeat the changes of these commits on `tip`, one after the other.

        What follows a commit that conflicts is repeated on the files with the conflict, up to a second one, so that
        whoever solves the first one gets all the rest.
        """
        self._lay_out_attributes(tip, picks)
        head = tip
        known: list[str] = []
        for at, pick in enumerate(picks):
            tree, conflicts = self._merge(head, pick)
            if conflicts:
                sha = self._commit(tree, head, pick)
                found = Conflict(pick, sha, tuple(conflicts), tuple(self._hunks(tree, conflicts)), (), tuple(known))
                return self._gone_on(found, picks[at + 1 :])
            if tree == self._commits[head].tree:
                known.append(pick)
            else:
                head = self._commit(tree, head, pick)
        return Clean(head if head != tip else "")

    def _gone_on(self, found: Conflict, later: Sequence[str]) -> Conflict:
        """Repeat what follows a commit that conflicts, as far as git can."""
        head, known = found.sha, [*found.known]
        for at, pick in enumerate(later):
            with suppress(Refused):  # git may stumble over files with conflicts, and what it cannot do is missing
                tree, conflicts = self._merge(head, pick)
                if not conflicts:
                    same = tree == self._commits[head].tree
                    known += [pick] if same else []
                    head = head if same else self._commit(tree, head, pick)
                    continue
            return replace(found, sha=head, known=tuple(known), missing=tuple(later[at:]))
        return replace(found, sha=head, known=tuple(known))

    def holds(self, at: str, pick: str) -> bool:
        """Whether the changes of `pick` are in the files of the commit `at` already."""
        self._read_commits([at])
        changes = self._changes(pick)
        now = self._files(at, changes)
        if blobs := _blobs({path: now.get(path, "") for path in changes}, [changes]):
            self._transfer(sorted(blobs), config={"fetch.negotiationAlgorithm": "noop"})
        self._lay_out_attributes(at, [pick])
        tree, conflicts = self._merge(at, pick)
        return not conflicts and tree == self._commits[at].tree

    def differing(self, one: str, other: str) -> frozenset[str]:
        if self._commits[one].tree == self._commits[other].tree:
            return frozenset()
        options = ("-r", "-z", "--no-renames", "--name-only")
        return frozenset(self._git.ask("diff-tree", *options, one, other).split("\0")[:-1])

    def changed(self, picks: Sequence[str]) -> frozenset[str]:
        return frozenset(path for pick in picks for path in self._changes(pick))

    def trial(self, tip: str, commits: Sequence[str], within: float) -> Trial:
        """Fetch in two requests what any of these may need, and nothing after that, however a merge comes out."""
        self._transfer(commits, "--depth=2", config=NOTHING_KNOWN, within=within)
        self._read_commits(commits)
        steps = [self._changes(commit) for commit in commits]
        paths = {path for step in steps for path in step}
        files = self._files(tip, paths | _attributes(paths))
        blobs = {*files.values(), *(blob for step in steps for sides in step.values() for blob in sides)} - {""}
        if len(blobs) > TRIED_BLOBS:
            raise Refused(f"more than {TRIED_BLOBS} files would have to be read")
        self._transfer(sorted(blobs), config=NOTHING_KNOWN, within=within)
        self._lay_out_attributes(tip, commits)
        return Trial(self, self._commits[tip].tree)

    def tried(self, tree: str, commit: str) -> str:
        """See `Trial.onto`. A merge that would need more than was fetched is none: no request is made for it."""
        base = self._before(commit)
        theirs = commit
        if base == EMPTY_TREE:
            base = self._write(EMPTY_TREE)
            theirs = self._write(self._commits[commit].tree, base)
        ours = self._write(tree, base)
        words = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
        done = self._git.run(*words, config=FETCHES_NOTHING)
        return "" if done.code else done.out.decode().rstrip("\0")

    def push(self, branches: Mapping[str, str]) -> dict[str, str]:
        """Create these branches, together; return why each that was refused was, and of all others "".

        Its lease expects nothing, so that a push can only create. Negotiation (`push.negotiate`) finds what the server
        has when the target has moved on meanwhile; without it the whole tree would be sent. Raises Unsure, Mistake.
        """
        return self._pushed(branches, [f"--force-with-lease=refs/heads/{name}:" for name in branches])

    def replace(self, branch: str, old: str, new: str) -> str:
        """Its lease expects the old commit: what somebody pushes meanwhile stays. Raises Unsure, Mistake."""
        return self._pushed({branch: new}, [f"--force-with-lease=refs/heads/{branch}:{old}"])[branch]

    def _pushed(self, branches: Mapping[str, str], leases: Sequence[str]) -> dict[str, str]:
        specs = [f"{sha}:refs/heads/{name}" for name, sha in branches.items()]
        options = ["--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no", *leases]
        self._graft()
        self._hold()
        done = self._git.run("push", *options, "--end-of-options", REMOTE, *specs, within=TRANSFER)
        refused = dict(_REFUSED.findall(done.out.decode(errors="replace")))
        if done.code and not refused:
            try:
                self._git.fail("push to", done, remote=True)
            except Down as error:
                raise Unsure(str(error)) from error
        return {name: _reason(refused[name], done.err) if name in refused else "" for name in branches}

    def _begin(self) -> None:
        self._git.ask("init", "--quiet", "--template=")

    def _graft(self) -> None:
        """Have the edge of what was fetched be the beginning here, and be no news to the server.

        Who pushes from a shallow repository tells its edge, and the server then goes through all its refs and history,
        which takes longer than all else in a push. A git that knows no grafts any more pushes the same, slowly.
        https://git-scm.com/docs/gitrepository-layout (info/grafts)
        """
        repository = self._git.repository
        if (repository / "shallow").exists():
            (repository / "info").mkdir(exist_ok=True)
            (repository / "shallow").rename(repository / "info/grafts")

    def matches(self, ones: Sequence[str], others: Sequence[str]) -> bool:
        """Whether two rows of commits make the same changes to the same files.

        Where blobs differ, since the files do, patch-ids say it; of the changed lines alone, so that those around them
        may have changed meanwhile. https://git-scm.com/docs/git-patch-id
        """
        return len(ones) == len(others) and all(
            self._changes(one) == self._changes(other)
            or (
                self._changes(one).keys() == self._changes(other).keys()
                and self._patch_id(one) == self._patch_id(other)
            )
            for one, other in zip(ones, others, strict=True)
        )

    def _transfer(
        self, shas: Iterable[str], *options: str, config: Mapping[str, str] | None = None, within: float = TRANSFER
    ) -> None:
        words = [*OBJECTS_ONLY, "--filter=blob:none", *options, "--stdin", "--end-of-options", REMOTE]
        wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
        self._hold()
        done = self._git.run("fetch", *words, stdin=wanted, within=max(0.0, within), config=config)
        if done.code:
            self._git.fail("fetch from", done, remote=True)

    def _merge(self, head: str, pick: str) -> tuple[str, list[str]]:
        """Return the merged tree, and the paths that conflict in it.

        Git before 2.40 cannot be told the base of a merge, so one of the two sides is made up that has it for a parent.
        """
        base = next(iter(self._commits[pick].parents), "") or self._write(EMPTY_TREE)
        theirs = pick if self._commits[pick].parents else self._write(self._commits[pick].tree, base)
        sides = {TARGET: self._write(self._commits[head].tree, base), PICKED: theirs}
        tree, *paths = self._merged(*sides.values())
        if paths:  # once more, for markers with names that people understand
            names = "".join(f"update refs/tags/{name} {sha}\n" for name, sha in sides.items())
            self._git.ask("update-ref", "--stdin", stdin=names)
            tree, *paths = self._merged(*sides)
        return tree, paths

    def _merged(self, ours: str, theirs: str) -> list[str]:
        done = self._git.run("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
        if done.code not in (0, 1):
            self._git.fail("merge in", done)
        return done.out.decode(errors="surrogateescape").rstrip("\0").split("\0")

    def _commit(self, tree: str, parent: str, pick: str) -> str:
        """Make the commit anew, as `git cherry-pick -x` does; author, date and encoding stay byte for byte."""
        head, _, message = self._commits[pick].content.partition(b"\n\n")
        kept = {line.partition(b" ")[0]: line for line in head.split(b"\n")}
        lines = [kept[b"author"], f"committer {self._committer}".encode(), *filter(None, [kept.get(b"encoding")])]
        return self._write(tree, parent, content=b"\n".join([*lines, b"", self._message(message, pick)]))

    def _message(self, message: bytes, pick: str) -> bytes:
        """Where it ends with trailers, such as `Co-authored-by:`, the line is one more of them."""
        text = b"\n".join(line.rstrip() for line in message.strip().split(b"\n"))
        gap = b"\n" if b"\n\n" in text and self._has_trailers(text) else b"\n\n"
        return text + gap + f"(cherry picked from commit {pick})\n".encode()

    def _has_trailers(self, text: bytes) -> bool:
        asked = ("interpret-trailers", "--only-trailers", "--only-input", "--no-divider")
        return bool(self._git.read(*asked, stdin=text + b"\n"))

    def _write(self, tree: str, *parents: str, content: bytes = NOBODY) -> str:
        """Write a commit, of nobody unless it is said."""
        head = "".join([f"tree {tree}\n", *(f"parent {parent}\n" for parent in parents)]).encode()
        sha = self._git.ask("hash-object", "-t", "commit", "-w", "--stdin", stdin=head + content).strip()
        self._commits[sha] = _Commit(tree, parents, head + content)
        return sha

    def _hunks(self, tree: str, paths: Sequence[str]) -> Iterator[Hunks]:
        """The lines between conflict markers, as much of them as anybody reads."""
        files = self._files(tree, sorted(paths)[:HUNKS_FILES])
        sizes = self._sizes(files.values())
        for path, blob in files.items():
            content = self._git.read("cat-file", "blob", blob) if sizes.get(blob, 0) <= HUNKS_LARGEST else b""
            if found := b"\n".join(hunks(content)):
                yield Hunks(path, found[:HUNKS_SHOWN].decode(errors="replace"))

    def _lay_out_attributes(self, tip: str, picks: Sequence[str]) -> None:
        """Write the target's attributes where git looks for them, and nothing of another target's.

        What is no file there has no attributes: git itself follows no link to them.
        https://git-scm.com/docs/gitattributes#_notes
        """
        shutil.rmtree(self._git.worktree)
        self._git.worktree.mkdir()
        wanted = _attributes({path for pick in picks for path in self._changes(pick)})
        files = self._files(tip, wanted, links=False)
        sizes = self._sizes(files.values())
        for path, blob in files.items():
            if sizes.get(blob, 0) > ATTRIBUTES_LARGEST:
                raise Refused(f"{quoted(path)} has more than {ATTRIBUTES_LARGEST} bytes")
            self._lay_out(path, blob)

    def _lay_out(self, path: str, blob: str) -> None:
        """Raise Refused for names that a tree may have, and a folder not."""
        place = self._git.worktree / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._git.read("cat-file", "blob", blob))
        except OSError as error:
            raise Refused(f"{quoted(path)} cannot be written ({type(error).__name__})") from error

    def _sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        wanted = list(dict.fromkeys(blobs))
        if not wanted:
            return {}
        out = self._git.ask("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin="\n".join([*wanted, ""]))
        return {blob: int(size) for blob, size in map(str.split, out.splitlines()) if size.isdecimal()}

    def _read_commits(self, shas: Iterable[str]) -> None:
        """All in one: `SHA commit SIZE`, and on the next line its content."""
        wanted = list(dict.fromkeys(shas))
        out, at = self._git.read("cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in wanted)), 0
        for sha in wanted:
            head, _, rest = out[at:].partition(b"\n")
            size = int(head.split()[2])
            self._commits[sha] = _parsed(rest[:size])
            at += len(head) + size + 2

    def _read_changes(self, sha: str) -> dict[str, tuple[str, str]]:
        """Each path with its blob before and after, "" where there is none; of a merge, what it brought."""
        options = ("-r", "-z", "--no-renames", "--raw", "--no-abbrev")
        fields = self._git.ask("diff-tree", *options, self._before(sha), sha).split("\0")[:-1]
        return {path: _sides(info) for info, path in zip(fields[::2], fields[1::2], strict=True)}

    def _files(self, tree: str, paths: Iterable[str], *, links: bool = True) -> dict[str, str]:
        """Those of these paths that are files there, or symbolic links, each with its blob."""
        found: dict[str, str] = {}
        for some in _batches(sorted(paths)):
            entries = self._git.ask("ls-tree", "-z", tree, "--", *some).split("\0")[:-1]
            split = ((*info.split(), path) for info, _, path in (entry.partition("\t") for entry in entries))
            files = ((mode, blob, path) for mode, kind, blob, path in split if kind == "blob")
            found |= {path: blob for mode, blob, path in files if links or mode != SYMLINK}
        return found

    def _before(self, sha: str) -> str:
        """What a commit changed: its first parent, or nothing."""
        return next(iter(self._commits[sha].parents), EMPTY_TREE)

    def _patch_id(self, sha: str) -> str:
        patch = self._git.read("diff-tree", "-p", "-U0", "--no-color", "--no-ext-diff", self._before(sha), sha)
        return (self._git.ask("patch-id", "--stable", stdin=patch).split() or [""])[0]


class Trial:
    """The `Trial` port of ports.py."""

    def __init__(self, work: Work, start: str) -> None:
        self._work, self.start = work, start

    def onto(self, tree: str, commits: Sequence[str]) -> str:
        for commit in commits:
            if tree:
                tree = self._work.tried(tree, commit)
        return tree


def hunks(content: bytes) -> Iterator[bytes]:
    """What stands between the markers of conflicts, in one walk, until more is found than anybody is shown."""
    text, at, found = b"\n" + content, 0, 0
    while found <= HUNKS_SHOWN:
        start = text.find(b"\n" + OURS, at)
        last = text.find(b"\n" + THEIRS, start + 1) if start >= 0 else -1
        if last < 0:
            return
        at = text.find(b"\n", last + 1)
        at = len(text) if at < 0 else at
        found += at - start
        yield text[start + 1 : min(at, start + 1 + HUNKS_SHOWN)]


def _parsed(content: bytes) -> _Commit:
    lines = [line.split(b" ") for line in content.partition(b"\n\n")[0].split(b"\n")]
    parents = tuple(words[1].decode() for words in lines if words[0] == b"parent")
    return _Commit(lines[0][1].decode(), parents, content)


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """What fits into the arguments of a process."""
    for start in range(0, len(paths), AT_ONCE):
        yield paths[start : start + AT_ONCE]


def _blobs(now: dict[str, str], steps: Sequence[Mapping[str, tuple[str, str]]]) -> set[str]:
    """Name what has to be there to merge the steps into files that are `now` these, and to push the result.

    Where the target's file is what the step began with, the step's own is taken, and nobody looks into either.
    """
    wanted: set[str] = set()
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
    return next((name for pattern, name in REASONS if pattern.search(text)), quoted(said, 300))
