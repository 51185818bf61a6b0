"""What a cherry-pick is: its row, what it is made from, and what comes of it. Nothing here asks or writes anything."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mattermod_action import reading, reverts
from mattermod_action.branches import LONGEST, is_branch
from mattermod_action.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mattermod_action.events import PullRequest
    from mattermod_action.origins import Origin

# The states of a row, in their order, and how it may end.
QUEUED, PICKING, PUSHED, OPENED = "queued", "picking", "pushed", "opened"
FINISHED, CONFLICT, REFUSED, FAILED = "finished", "conflict", "refused", "failed"
GOING = (QUEUED, PICKING, PUSHED, OPENED)
ENDED_BADLY = (CONFLICT, REFUSED, FAILED)
# The `reason` of a row that is finished without the usual pull request.
KNOWN, FOUND = "known", "found"
NOTED = "\n"  # before a note on a pull request; no path has one
BECAME = "\n\n"  # before what has become of a pick's pull request since
MERGED, CLOSED, MOVED, REVERTED = "merged", "closed", "moved", "reverted"
BEHIND = "behind"  # it is open, and conflicts with what its branch has got since
ANEW = (CLOSED, MOVED, REVERTED)  # what leaves a branch without its pick

CONFLICTS_CONTEXT = "cherry-pick/conflicts"  # the status of a draft with conflicts

# Why a push was refused, where that has a sentence of its own.
EXISTS, PROTECTED, WORKFLOWS = "exists", "protected", "workflows"

PREFIX = "automated-cherry-pick-of-"
NAMED = re.compile(rf"(?:revert-\d{{1,10}}-)?{PREFIX}(\d{{1,10}})-")  # GitHub's button names a revert's branch so
TICKED = re.compile(r"^[-*] \[[xX]\] `([0-9a-f]{40,64})`", re.MULTILINE)  # in the list of a draft's description
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
SOURCE_SHOWN = 40  # characters of the name of the pull request's own branch
RANGE = 100  # commits of a pull request that are compared; the most that a page of GraphQL has

BRANCHES_MERGED = 2  # parents of a commit that merges one branch into another

OCTOPUS = "it was merged by {sha:.10} together with other branches, and only a person can say what of that it brought"
MERGES = "its commit {sha:.10} is a merge: pick by hand, or set `cherry_pick.merge_commits` to `skip`"
NOT_ALL = "it was rebased, and its commit {sha:.10} is not among those that came of it: pick by hand"
TOO_MANY = f"it has more than {RANGE} commits and was rebased: pick by hand"
NO_COMMIT = "GitHub does not say by which commit it was merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pull request onto one branch, as noted: `origin` says where GitHub has who asked for it.

    `told` is whether the summary shows it as it is, and `fresh` that this run has given the reason itself.

    `source_sha` is the last commit that is picked, `head_sha` what is pushed as the branch `head_ref`. Of a conflict
    `reason` is the paths, a line each; of a pull request with a `note` it is that, after NOTED. Of a row that is
    finished it ends with what the pull request `became`, after BECAME, and with the note where there are paths, too.
    """

    key: str
    target: str
    state: str
    requested_by: str
    source_sha: str = ""
    head_ref: str = ""
    head_sha: str = ""
    pull_number: int | None = None
    attempts: int = 0
    reason: str = ""
    told: bool = False
    origin: Origin | None = None
    fresh: bool = False

    @property
    def is_going(self) -> bool:
        return self.state in GOING

    @property
    def note(self) -> str:
        """Say what GitHub refused to do with the pull request, "" when it refused nothing that has to be said."""
        head, _, tail = self.reason.partition(BECAME)
        return head.removeprefix(NOTED) if head.startswith(NOTED) else tail.partition(NOTED)[2]

    @property
    def became(self) -> str:
        """Say what its pull request is, if it is not open as it was: MERGED or one of ANEW."""
        return self.reason.partition(BECAME)[2].partition(NOTED)[0] if self.state == FINISHED else ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that conflict."""
        head = self.reason.partition(BECAME)[0]
        return () if head in ("", KNOWN, FOUND) or head.startswith(NOTED) else tuple(head.splitlines())

    @property
    def is_done(self) -> bool:
        """Whether all of it is where it was asked for, or waits for nothing but its review."""
        return self.state == FINISHED and not self.has_conflicts and self.became not in ANEW

    @property
    def has_conflicts(self) -> bool:
        """Whether what is pushed has conflicts in its files."""
        return bool(self.paths)

    def now(self, became: str, note: str = "", *, solved: bool = False) -> str:
        """Return the reason that says so. Paths that conflict are not forgotten before somebody has solved them."""
        head = self.reason.partition(BECAME)[0]
        head = "" if (solved and self.paths) or head.startswith(NOTED) else head
        if note and not head and not became:
            return NOTED + note
        tail = became + (NOTED + note if note else "")
        return head + (BECAME + tail if tail else "")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the picks onto one branch stand.

    `asked` counts all, `opened` those that have a pull request, `merged` those whose pull request was merged, as far as
    a run or a sweep has heard of that. `missing` are those that have ended badly, a draft with conflicts among them.
    """

    target: str
    asked: int
    opened: int
    merged: int
    under_way: int
    missing: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Enough of a commit to know it again after it was rebased."""

    sha: str
    parents: tuple[str, ...]
    headline: str
    email: str
    authored_at: datetime

    def is_like(self, other: Commit) -> bool:
        """Whether it may be the other one, rebased: GitHub keeps author, their date and the message."""
        mine, theirs = ((each.headline, each.email, each.authored_at) for each in (self, other))
        return self.sha == other.sha or mine == theirs


@dataclass(frozen=True, slots=True)
class Existing:
    """A pull request from `head`, a branch of a pick, into `base`; `ours` is that `author` is who this token is of."""

    number: int
    state: str
    head: str
    base: str
    author: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """The pull request of a pick as it is now.

    `shas` are its head and what its base got, `history` the newest commits of its base, the newest first. `commits` are
    its own with their messages, where they were asked for.
    """

    number: int
    state: str
    head: str
    base: str
    from_fork: bool
    labels: tuple[str, ...]
    mergeable: str = ""
    shas: frozenset[str] = frozenset()
    history: tuple[tuple[str, str], ...] = ()
    body: str = ""
    commits: tuple[tuple[Commit, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """As much of a pull request as says whether what is told of it is still so."""

    state: str
    base: str
    mergeable: str

    @property
    def is_unknown(self) -> bool:
        return self.state == "open" and self.mergeable == "UNKNOWN"

    def is_news(self, row: Row) -> bool:
        if self.state != "open" or self.base != row.target:
            return True
        return _fits(row, self.mergeable) != row.became


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pull request with all that picking it depends on, as it was at one moment.

    `merge` is the commit by which it was merged, `history` that commit and what led to it, the newest first, `own` the
    pull request's commits, the oldest first. `tips` has the tip of each target, `branches` of each branch that was made
    for a pick of it, and `pulls` what was opened from those. `opened` are the pull requests of its picks by number, and
    `base_history` the newest commits of its base with their messages, the newest first.
    """

    pull: PullRequest
    title: str
    merge: Commit | None
    history: tuple[Commit, ...]
    own: tuple[Commit, ...]
    own_count: int
    approvals: tuple[str, ...] = ()
    labeller: str = ""
    labeller_is_bot: bool = False
    labeled_at: datetime | None = None
    tips: Mapping[str, str] = field(default_factory=dict)
    branches: Mapping[str, str] = field(default_factory=dict)
    pulls: tuple[Existing, ...] = ()
    opened: Mapping[int, Opened] = field(default_factory=dict)
    base_history: tuple[tuple[str, str], ...] = ()

    def existing(self, head: str, base: str) -> Existing | None:
        """The pull request from `head` that counts: one that was not closed, before one that was."""
        found = [each for each in self.pulls if (each.head, each.base) == (head, base)]
        return min(found, key=lambda each: (each.state == "closed", -each.number), default=None)


@dataclass(frozen=True, slots=True)
class Left:
    """A commit of the pull request that its rebase left out, so that `at`, a commit of the base, has its changes."""

    sha: str
    at: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The commits to pick, the oldest first; `own` are those of the pull request that they repeat, if it is known.

    `left` are commits of a rebased pull request that have no twin on the base.
    """

    picks: tuple[str, ...]
    own: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The pull request's own commits that only their content can tell apart from others."""
        own = self.own if len(self.own) > 1 or self.left else ()
        return (*own, *(each.sha for each in self.left))


@dataclass(frozen=True, slots=True)
class Clean:
    """`sha` is the new tip of the branch, "" when all of it was there already."""

    sha: str


@dataclass(frozen=True, slots=True)
class Hunks:
    """The lines of a file that conflict, between git's markers."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """`pick` is the first commit that conflicts, and `sha` a commit that has the conflict in its files.

    It holds the commits after that as well, up to one that conflicts in its turn: that one and those after it are
    `missing`. `known` are commits whose changes the target has already.
    """

    pick: str
    sha: str
    paths: tuple[str, ...]
    hunks: tuple[Hunks, ...]
    missing: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


Merged = Clean | Conflict


@dataclass(frozen=True, slots=True)
class Touch:
    """A commit on the base branch that touched a file since the target branched; `number` is its pull request's."""

    sha: str
    headline: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """The commits of one pull request of a series; `mainline` is as of Told."""

    number: int
    picks: tuple[str, ...]
    mainline: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What a comment on a conflict has to say; `mainline` is that a merge is picked, against its first parent.

    `needed` are pull requests that were merged before, and without which it conflicts. `parts` are all of a series,
    in their order.
    """

    target: str
    conflict: Conflict
    touches: tuple[Touch, ...]
    picks: tuple[str, ...]
    mainline: bool
    needed: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How picks are made in a repository; each is a key of the section `cherry_pick`, and described there."""

    title: str
    body: str
    labels: tuple[str, ...]
    copy_labels: tuple[str, ...]
    conflict_label: str
    draft: bool
    skip_merges: bool
    auto_merge: str
    bots: tuple[str, ...]
    committer: str
    label: str = ""
    milestones: Mapping[str, Sequence[str]] = field(default_factory=dict)


def choose(source: Source, *, skip_merges: bool) -> Chosen:
    """Say which commits bring what the pull request brought. Raises Refused where nobody can know.

    A merge is picked against its first parent. One commit may be squashed from many, or the last of several that were
    rebased: then those before it are the pull request's own, by author, date and message.
    """
    merge = source.merge
    if merge is None:
        raise Refused(NO_COMMIT)
    if merge.sha in {each.sha for each in source.own}:  # the branch itself was pushed
        return _whole(source, skip_merges=skip_merges)
    if len(merge.parents) > BRANCHES_MERGED:
        raise Refused(OCTOPUS.format(sha=merge.sha))
    if len(merge.parents) == BRANCHES_MERGED:
        return Chosen((merge.sha,))
    return _rebased(source) or Chosen((merge.sha,))


def _whole(source: Source, *, skip_merges: bool) -> Chosen:
    """The pull request's commits stand on the base as they are."""
    if source.own_count > RANGE:
        raise Refused(TOO_MANY)
    for commit in source.own:
        if len(commit.parents) > 1 and not skip_merges:
            raise Refused(MERGES.format(sha=commit.sha))
    return Chosen(tuple(commit.sha for commit in source.own if len(commit.parents) <= 1))


def _rebased(source: Source) -> Chosen | None:
    """The base ends with a twin of each of the pull request's commits, in their order.

    `git rebase` leaves out commits whose changes the base has already (https://git-scm.com/docs/git-rebase, `--empty`
    and `--reapply-cherry-picks`). GitHub does not document whether its own rebase does, so that such commits are no
    part of a pick only where git shows that the base has them (`Chosen.left`).
    """
    own = [commit for commit in source.own if len(commit.parents) <= 1]
    twins = _twins(own, source.history)
    if not twins:
        return None
    if source.own_count > RANGE:
        raise Refused(TOO_MANY)
    at, left = next(iter(twins.values())).parents[:1], []
    for mine in own:
        if mine.sha in twins:
            at = (twins[mine.sha].sha,)
        elif not at:
            raise Refused(NOT_ALL.format(sha=mine.sha))
        else:
            left.append(Left(mine.sha, at[0]))
    return Chosen(tuple(each.sha for each in twins.values()), tuple(twins), tuple(left))


def _twins(own: Sequence[Commit], history: Sequence[Commit]) -> dict[str, Commit]:
    """Find the rebased commit of each own one, the oldest first, as far back as the base has nothing else.

    The base is walked from its newest commit on, and each twin stands before those of later commits.
    """
    found: dict[str, Commit] = {}
    rest = list(own)
    for theirs in history:
        at = next((at for at in reversed(range(len(rest))) if rest[at].is_like(theirs)), None)
        if at is None:
            break
        found[rest[at].sha] = theirs
        rest = rest[:at]
    return dict(reversed(found.items()))


def reverted(source: Source, picks: Sequence[str]) -> str:
    """Return the commit by which its base has reverted it, or ""; as far back as one page of history goes."""
    shas = {*picks, *([source.merge.sha] if source.merge else ())}
    return reverts.find(source.base_history, shas, (source.pull.repository.full_name, source.pull.number))


def lacking(source: Source, number: int, *, skip_merges: bool) -> tuple[str, ...]:
    """Return the commits to pick that the pull request `number` does not have. Raises Refused where nobody can know.

    It has those that a message of its commits names, as `git cherry-pick -x` does, those of which it has a twin, and
    those that are ticked in its description: a person says so of what is not needed.
    """
    picks, draft = choose(source, skip_merges=skip_merges).picks, source.opened.get(number)
    if draft is None or len(picks) == 1:
        return ()
    known = {each.sha: each for each in (*source.history, *source.own)}
    ticked, messages = {*TICKED.findall(draft.body)}, [message for _, message in draft.commits]
    return tuple(
        pick
        for pick in picks
        if pick not in ticked
        and not any(pick in message for message in messages)
        and not (pick in known and any(known[pick].is_like(mine) for mine, _ in draft.commits))
    )


def as_it_is(row: Row, source: Source, conflict_label: str) -> str:
    """Return the reason that a finished row has by what its pull request is now."""
    found = source.opened.get(row.pull_number or 0)
    if found is None or found.head != row.head_ref or found.from_fork:
        return row.reason  # it is not this row's
    became, solved = _became(row, source, found), False
    if became in (MERGED, REVERTED) or (became == "" and conflict_label.casefold() not in found.labels):
        solved = True
    return (
        row.reason if (became, solved and row.has_conflicts) == (row.became, False) else row.now(became, solved=solved)
    )


def _became(row: Row, source: Source, found: Opened) -> str:
    if found.state == MERGED and found.base == row.target:
        place = source.pull.repository.full_name, found.number
        return REVERTED if reverts.find(found.history, found.shas, place) else MERGED
    if found.base != row.target:
        return MOVED
    return CLOSED if found.state == CLOSED else _fits(row, found.mergeable)


def _fits(row: Row, mergeable: str) -> str:
    """Say BEHIND of an open one that conflicts. GitHub does not know it for some time after each push.

    https://docs.github.com/en/graphql/reference/enums#mergeablestate
    """
    if row.paths or mergeable not in ("CONFLICTING", "MERGEABLE"):
        return row.became if row.became == BEHIND else ""
    return BEHIND if mergeable == "CONFLICTING" else ""


def original_of(ref: str) -> int:
    """The number of the pull request of which `ref` is the branch of a pick, or of its revert; 0 for any other."""
    found = NAMED.match(ref)
    return int(found[1]) if found else 0


def believed(row: Row) -> Row:
    """Return a row that was read. Raises ValueError for one that cannot be ours, whoever wrote it."""
    reading.shaped(row.key, reading.KEY, "key")
    reading.one_of(row.state, (*GOING, FINISHED, *ENDED_BADLY), "state")
    reading.shaped(row.requested_by, reading.LOGIN, "requested_by")
    reading.shaped(row.source_sha, reading.SHA, "source_sha")
    reading.shaped(row.head_sha, reading.SHA, "head_sha")
    if not is_branch(reading.short(row.target, LONGEST, "target")):
        raise ValueError("target is not a branch")
    reading.whole(row.pull_number or 1, 1, reading.MOST, "pull_number")
    return row


def head_ref(pull: PullRequest, target: str) -> str:
    """Name the branch of a pick. The number makes it the pull request's own; no script stumbles over the rest."""
    return f"{PREFIX}{pull.number}-{_plain(pull.ref)[:SOURCE_SHOWN].rstrip('./-')}-{_plain(target)}"


def _plain(name: str) -> str:
    """A name of plain characters as it is; of any other what is plain, and six digits that tell it from others."""
    if PLAIN.fullmatch(name):
        return name
    digits = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:6]
    return f"{re.sub(r'[^A-Za-z0-9._/-]+', '-', name).strip('./-')}-{digits}".lstrip("-")


def key(repository_id: int, number: int, target: str) -> str:
    """64 hexadecimal digits; the primary key of the row."""
    return hashlib.sha256(repr((repository_id, number, target)).encode()).hexdigest()
