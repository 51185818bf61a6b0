"""What the bot asks of everything outside, as protocols, and the records in which it gets its answers.

`world.py` connects them to adapters; nothing here imports one.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import digits
from typing import TYPE_CHECKING, Any, Protocol

from mattermod_action.spinmints import ServerRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from mattermod_action.approvals import Approval, Push
    from mattermod_action.effects import NoteApproval, Once
    from mattermod_action.events import PullRequest, Repository, Subject
    from mattermod_action.members import Member
    from mattermod_action.merging import Candidate
    from mattermod_action.origins import Labeling, Said
    from mattermod_action.picks import Fate, Merged, Row, Source, Standing, Touch
    from mattermod_action.servers import Mark
    from mattermod_action.servers import Row as ServerRow
    from mattermod_action.sweeps import Page, Progress, Stored, Swept
    from mattermod_action.sweeps import Place as SweepPlace

# The newest migration this version ships; a test holds it against the files in migrations/.
SCHEMA = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger row as read: how far one `Once` effect has come.

    `state` is one of
    - baseline: was there before we were; never carried out (`seen_at`: when the snapshot was taken)
    - intent: somebody is about to do it, nothing was sent
    - sent: the request may have reached GitHub (`sent_at`); whoever takes over reads back first
    - confirmed: done, `result` says where
    `held` is true while the lease of `owner` runs, by the database's clock. `fence` grows with every takeover.
    """

    state: str
    owner: str
    fence: int
    held: bool
    seen_at: datetime | None
    sent_at: datetime | None
    result: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a subject and of the effects asked about.

    `seen_at` is the `updated_at` of the newest snapshot we stored, None when we never stored one (a row that
    the original wrote counts as never).
    """

    schema: int
    dirty: bool
    seen_at: datetime | None
    entries: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Taken:
    """The fence of a lease that is now ours; None when `holder` has it."""

    fence: int | None
    holder: str


class Leases(Protocol):
    """Names that one owner at a time may hold, by the database's clock. Each call may raise Mistake or Down."""

    def take_lease(self, name: str, owner: str, ttl: float) -> Taken:
        """Take a lease that nobody holds, for `ttl` seconds, with a fence greater than all before it."""

    def renew_lease(self, name: str, owner: str, fence: int, ttl: float) -> bool:
        """Let it run for `ttl` seconds from now; False when somebody else took it."""

    def end_lease(self, name: str, owner: str, fence: int) -> None:
        """Give it back, if it is still ours."""


LONGEST_NUMBER = 18  # digits


@dataclass(frozen=True, slots=True)
class Written:
    """A comment of ours, as a list shows it."""

    url: str
    body: str

    @property
    def number(self) -> int:
        """GitHub's number of the comment, which ends its address: an older one has a smaller number."""
        return int(self.url[len(self.url.rstrip(digits)) :][-LONGEST_NUMBER:] or 0)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A ledger row that a run left half-way, and that nobody holds."""

    key: str
    repository_id: int
    number: int
    feature: str
    kind: str
    cause: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What the ledger row of a key is about; `note` is what its effect said of itself."""

    key: str
    repository_id: int
    number: int
    feature: str
    kind: str
    note: str
    result: str


class Picks(Protocol):
    """Rows of cherry-picks. Each call may raise Mistake or Down."""

    def ask_picks(self, subject: Subject, targets: Sequence[str], by: str, request: Sequence[str | int] = ()) -> int:
        """Insert rows in the state `queued`; rows that exist stay as they are. Return how many are new.

        `request` is the comment or the label event that asks.
        """

    def picks(self, subject: Subject) -> list[Row]:
        """Read the rows of a pull request, in the order in which they were asked for."""

    def due_picks(self, repository: Repository, limit: int) -> list[tuple[int, int]]:
        """Find pull requests (repository id, number) with rows that are not done, or not told as they are."""

    def open_picks(self, repository: Repository, seconds: float, limit: int) -> list[tuple[int, Row]]:
        """Find rows that are told and whose pull requests are open as far as is known, with whose picks they are.

        The newest first, of those that have changed in the last `seconds`.
        """

    def pick_standings(self, repository: Repository, seconds: float) -> list[Standing]:
        """Count the picks of the last `seconds` onto each branch. Where the repository's id is 0 its name counts."""

    def move_pick(self, row: Row, state: str, fence: int, changes: Mapping[str, Any]) -> bool:
        """Change a row, which is untold then; False when somebody with a greater fence has."""

    def tell_pick(self, row: Row, comment: int, seconds: float) -> bool:
        """Note that this comment tells a row as it is; a sweep need not look at it for `seconds`."""


class Sweeps(Protocol):
    """What sweeps know of items and of themselves. Each call may raise Mistake or Down."""

    def stored(self, subjects: Sequence[Subject]) -> dict[int, Stored]:
        """Read what is stored of items of one kind in one repository, by their numbers; others are left out."""

    def mark_swept(self, subjects: Sequence[Subject], started_at: datetime) -> None:
        """Note that the sweep that began then has seen these."""

    def unswept(self, repository: Repository, started_at: datetime, limit: int) -> list[int]:
        """Find items that are open as far as is stored, and that the sweep which began then has not seen."""

    def retire(self, repository: Repository, number: int) -> None:
        """Note that an item is gone."""

    def rename(self, before: str, repository: Repository) -> None:
        """Move the items of a repository that had the full name `before`."""

    def progress(self, repository: Repository) -> Progress | None:
        """Read how far its sweep has come; None where there never was one."""

    def begin_sweep(self, repository: Repository) -> None:
        """Note that one begins."""

    def note_attempt(self, repository: Repository) -> None:
        """Note that a sweep begins with it, before anything of it is read."""

    def note_busy(self, repository: Repository, what: str) -> None:
        """Note what a sweep is busy with, as text."""

    def note_sweep(self, repository: Repository, place: SweepPlace) -> None:
        """Note how far it has come."""

    def note_page_sizes(self, repository: Repository, sizes: str) -> None:
        """Keep what was learned of how large its pages may be, as text."""

    def end_sweep(self, repository: Repository) -> None:
        """Note that it has come to its end."""

    def last_swept(self, repositories: Sequence[int]) -> dict[int, Swept]:
        """Read when repositories were swept last, by their ids; those that never were are left out."""


class Approvals(Protocol):
    """Notes of what labels approve. Each call may raise Mistake (with a schema older than 10, too) or Down."""

    def approval(self, subject: Subject, feature: str, label: str) -> Approval | None:
        """Read what was noted of a label last."""

    def note_approval(self, effect: NoteApproval) -> None:
        """Note it, unless what a later label event approves is noted already."""


class Store(Approvals, Leases, Picks, ServerRows, Sweeps, Protocol):
    """Shared state. Each method is one statement, committed at once; each may raise Mistake or Down.

    `durable` is False for the embedded store: its loss must cost nothing but a look at the markers.
    """

    durable: bool
    odd: dict[str, str]  # rows that cannot be ours and are left out, and why

    def look(self, subject: Subject, keys: Sequence[str]) -> Known:
        """Read schema version, the subject's row and the ledger rows of `keys`."""

    def entry(self, key: str) -> Entry | None:
        """Read one ledger row."""

    def remember(self, subject: Subject) -> None:
        """Write the subject's row unless a newer snapshot is stored already."""

    def remember_all(self, subjects: Sequence[Subject]) -> None:
        """The same for many of one kind, in one statement."""

    def note(self, effects: Sequence[Once], state: str, seen_at: datetime, result: str = "") -> None:
        """Insert ledger rows in a final `state` (baseline or confirmed); rows that exist stay as they are."""

    def claim(self, effect: Once, owner: str) -> bool:
        """Insert the intent row with fence 1 and a fresh lease; False when a row exists."""

    def take(self, key: str, owner: str, fence: int) -> bool:
        """Become the owner, with `fence` + 1, of a row whose fence is `fence` and whose lease has ended.

        The state stays, except that a baseline row (which nobody holds) becomes intent.
        """

    def send(self, key: str, owner: str, fence: int) -> bool:
        """Fence, renew and mark `sent`, in one; False when the row is no longer ours."""

    def confirm(self, key: str, owner: str, fence: int, result: str) -> bool:
        """Mark `confirmed` with the URL of what was made; False when the row is no longer ours."""

    def release(self, key: str, owner: str, fence: int) -> bool:
        """Back to `intent` with the lease ended: the request was certainly not carried out."""

    def unfinished(self, repository: Repository, limit: int) -> list[Unfinished]:
        """Find rows of this repository (by name, if its id is 0) whose effect is neither done nor being done."""

    def results(self, subject: Subject) -> frozenset[str]:
        """Read what the confirmed rows of an item name: the addresses of our comments, among others."""

    def recall(self, key: str) -> tuple[str, bytes, datetime] | None:
        """Read a list as it was kept: ETag, names, moment."""

    def keep(self, key: str, etag: str, names: bytes, read_at: datetime) -> None:
        """Keep a list for other runs."""

    def forget(self, key: str, owner: str, fence: int) -> bool:
        """Delete a row that is ours and not confirmed: nothing asks for its effect any more."""

    def origin(self, key: str) -> Origin | None:
        """Say what a key stands for."""

    def unanswered(self, repository: Repository, feature: str, limit: int, seconds: float) -> list[Origin]:
        """Find dispatches of the last `seconds` that made a run, oldest first, whose end no comment has told.

        Such a comment has the dispatch's key as its note. Where the repository's id is 0 its name counts.
        """

    def close(self) -> None: ...


class PageSizes(Protocol):
    """How large a page of which list GitHub answers, by repository."""

    def recall(self, place: str, noted: str, now: datetime) -> None:
        """Begin with what an earlier run has noted of the repository `place`."""

    def news(self, place: str, now: datetime) -> str:
        """Return what is to be noted of it, "" for nothing new."""


class GitHub(Protocol):
    """One repository's GitHub. Reads retry; writes are one attempt.

    Raises Mistake (token, permissions, locked), Limited, Unsure (a write whose outcome is unknown), Down.
    """

    @property
    def page_sizes(self) -> PageSizes: ...

    def subject(self, subject: Subject) -> Subject | None:
        """Read a pull request or issue as it is now; None when it is gone."""

    def item(self, repository: Repository, number: int) -> Subject | None:
        """Read whatever has this number; None when it is gone."""

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """Read a pull request; None when it is gone."""

    def comment(self, subject: Subject, body: str) -> str:
        """Post a comment and return its URL."""

    def edit_comment(self, subject: Subject, url: str, body: str) -> bool:
        """Have a comment of ours say this; False when it does so already, is gone, or is not ours by its marker."""

    def react_to_review(self, node: str, content: str) -> None:
        """React to the text of a review, by its node id."""

    def react(self, subject: Subject, comment_id: int, content: str, *, on_line: bool = False) -> None:
        """Put a reaction on a comment; the same one again changes nothing."""

    def request_review(self, subject: Subject, teams: Sequence[str], people: Sequence[str] = ()) -> None:
        """Ask teams and people for a review; those who are asked already stay asked."""

    def update_branch(self, subject: PullRequest, sha: str) -> None:
        """Merge the base into the head, which must still be `sha`. Raises Refused with GitHub's reason."""

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        """Read all open pull requests that carry the label, with what a merge of each depends on."""

    def candidate(self, repository: Repository, number: int, label: str) -> Candidate | None:
        """Read one, whatever it carries, and wait a little for what GitHub has to work out; None when it is gone."""

    def pushes(self, pull: PullRequest) -> Sequence[Push] | None:
        """Read who pushed to its branch, the newest first; None where GitHub does not tell."""

    def has_checks(self, repository: Repository, base: str) -> bool:
        """Say whether one of the last ten commits of a branch had a check; also if it has fewer commits than ten."""

    def parent(self, repository: Repository, base: str) -> int:
        """Return the number of the open pull request whose branch this is, 0 if there is none."""

    def noted_at(self, repository: Repository, sha: str) -> Approval | None:
        """Read what a status of ours at this commit says that a label approves."""

    def forked_at(self, pull: PullRequest, before: str, other: str) -> str:
        """Return what both commits have in common, if `other` is on the base branch; else ""."""

    def merge(self, subject: PullRequest, sha: str, method: str) -> None:
        """Merge the head, which must still be `sha`, with GitHub's own message. Raises Refused with GitHub's reason."""

    def enqueue(self, node: str, sha: str) -> None:
        """Put the pull request with this node id into its merge queue, if its head is still `sha`."""

    def dequeue(self, node: str) -> None:
        """Take the pull request with this node id out of its merge queue."""

    def said(self, repository: Repository, comment: int) -> Said | None:
        """Read a comment by its number, and who has edited it last; None when it is gone."""

    def labelings(self, subject: Subject) -> Sequence[Labeling]:
        """Read who put labels on it, the newest first, as far as one page has them."""

    def fork_point(self, repository: Repository, target: str, sha: str) -> str:
        """Return the commit that both the branch and the commit `sha` have last; "" where there is none."""

    def dispatch_workflow(self, place: Place, ref: str, inputs: Mapping[str, str]) -> str:
        """Start it at `ref` ("": the default branch) and return its run's page, "" where GitHub does not tell."""

    def dispatch_event(self, place: Place, payload: Mapping[str, str]) -> None:
        """Call for an event of this kind."""

    def find_run(self, place: Place, key: str, since: datetime) -> str | None:
        """Find the page of a run that was started since then and has `key` in its title.

        Raises Unsure when there are runs of which nobody can tell what started them.
        """

    def ended(self, url: str) -> str:
        """Return the conclusion of the run that this page shows, "" when there is none yet, or no such run."""

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:
        """Read what people have done about items of one repository, by their numbers; what is gone is left out."""

    def hide_comment(self, comment: str) -> None:
        """Hide the comment with this node id as outdated; one that is gone is no error."""

    def close(self, subject: Subject) -> None:
        """Close it, an issue as not planned."""

    def open_items(self, repository: Repository, file: str, after: SweepPlace) -> Iterator[Page]:
        """Read all open items, a page at a time; the first has the text of the configuration `file`."""

    def owned(self, owner: str) -> Iterator[Repository]:
        """Read the repositories of an owner, without those that are archived."""

    def mark(self, repository: Repository, sha: str, context: str) -> Mark | None:
        """Read the newest status, or check run, of this name at a commit; None when there is none."""

    def source(
        self,
        subject: Subject,
        label: str,
        targets: Sequence[str],
        *,
        opened: Sequence[int] = (),
        comments: bool = False,
        commits: bool = False,
    ) -> Source | None:
        """Read a pull request with all that picking it onto `targets` depends on, None when it is gone.

        `opened` are the numbers of pull requests of its picks; with `commits` theirs are read, too. `label` is the one
        whose labeller is asked for. With `comments` the next look for markers needs no request.
        """

    def branches(self, repository: Repository, like: str) -> Sequence[str]:
        """Read names of branches that have this in them, as far as one page has them."""

    def all_branches(self, repository: Repository) -> Sequence[str]:
        """Read the names of all branches."""

    def milestones(self, repository: Repository) -> Sequence[str]:
        """Read the titles of the open milestones."""

    def touches(self, repository: Repository, target: str, base: str, paths: Sequence[str]) -> Sequence[Touch]:
        """Read what led to the commit `base`, touched the files, and is not on the branch `target`, not even picked."""

    def fates(self, repository: Repository, numbers: Sequence[int]) -> Mapping[int, Fate]:
        """Read how pull requests stand. What is gone is left out."""

    def members(self, repository: Repository, numbers: Sequence[int], most: int) -> Sequence[Member]:
        """Read pull requests, each with at most so many of its commits. Raises Gone when one of them is none."""

    def open_pull(self, repository: Repository, pull: NewPull) -> tuple[int, str]:
        """Open a pull request; return its number and who opened it. Raises Refused with GitHub's reason."""

    def prepare_pull(self, subject: Subject, milestone: int | None, assignees: Sequence[str]) -> None:
        """Set milestone and assignees."""

    def auto_merge(self, subject: Subject, method: str, sha: str) -> None:
        """Have GitHub merge it when it is ready, if its head is still `sha`, unless that is "". Raises Refused."""

    def add_labels(self, subject: Subject, labels: Sequence[str]) -> None:
        """Put labels on in one request."""

    def remove_label(self, subject: Subject, label: str) -> None:
        """Take a label off; one that is not there is no error."""

    def statuses(self, repository: Repository, sha: str) -> Mapping[str, tuple[str, str, str]]:
        """Read the newest status of each context: (state, description, url)."""

    def set_status(self, repository: Repository, sha: str, status: Status) -> None:
        """Set a commit status."""

    def role(self, repository: Repository, login: str) -> str:
        """Read what somebody is in the repository: admin, maintain, write, triage, read or none. Never cached."""

    def files(self, pull: PullRequest) -> Iterator[ChangedFile]:
        """Read what a pull request changes, as far as GitHub lists it. Raises Moved, Scarce."""

    def text_of(self, pull: PullRequest, path: str) -> str | None:
        """Read a file at the head of a pull request, None where it is too large."""

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:
        """Read who made the commits of a pull request, co-authors among them. Raises Moved, Incomplete."""

    def is_first(self, pull: PullRequest) -> bool:
        """Read whether its author has opened no other pull request in the repository."""

    def review_comment(self, subject: Subject, body: str, sha: str, place: tuple[str, int]) -> str:
        """Post a comment on a line (path, number) of a commit and return its URL."""

    def delete_comment(self, subject: Subject, comment: Written, *, on_lines: bool = False) -> None:
        """Delete a comment of ours, on a line or below the description; one that is gone is deleted already."""

    def markers(
        self, subject: Subject, since: datetime | None = None, *, on_lines: bool = False
    ) -> Mapping[str, Sequence[Written]]:
        """Find our own markers in the comments, back to `since`: marker to the comments that have it, the oldest first.

        With `on_lines` in the comments on lines of the diff, otherwise in those below the description.

        Ours is what the token itself wrote or an author in `bot-logins`: anybody can paste a marker. It is on the first
        line, and has a seal where there is a key: of the same account there may be other workflows.
        """


class Work(Protocol):
    """What was fetched for the picks of one pull request."""

    def matches(self, ones: Sequence[str], others: Sequence[str]) -> bool:
        """Whether two rows of commits make the same changes."""

    def pick(self, tip: str, picks: Sequence[str]) -> Merged:
        """Repeat the changes of commits on `tip`."""

    def holds(self, at: str, pick: str) -> bool:
        """Whether the commit `at` has the changes of `pick` already."""

    def differing(self, one: str, other: str) -> frozenset[str]:
        """Name the files that two commits do not have in common."""

    def changed(self, picks: Sequence[str]) -> frozenset[str]:
        """Name the files that these commits change."""

    def trial(self, tip: str, commits: Sequence[str], within: float) -> Trial:
        """Fetch what picking some of these commits on `tip` takes, to try it. Raises Down when that takes longer."""

    def push(self, branches: Mapping[str, str]) -> dict[str, str]:
        """Create branches; return why not for each that was refused, and "" for the others."""

    def replace(self, branch: str, old: str, new: str) -> str:
        """Have a branch that is `old` still be `new`; return why not, "" where it is."""


class Trial(Protocol):
    """Picks that are tried, and never pushed, from the tree `start` on."""

    start: str

    def onto(self, tree: str, commits: Sequence[str]) -> str:
        """Repeat the changes of commits on a tree; return what comes of it, "" where they conflict."""


class Git(Protocol):
    """Git on the server, for picks. Raises Mistake, Refused, Down, and of a push Unsure."""

    def fetched(
        self, repository: Repository, tips: Sequence[str], picks: Sequence[str], own: Sequence[str] = ()
    ) -> AbstractContextManager[Work]:
        """Fetch tips of branches, and the commits to pick onto them; `own` are commits that these are compared with."""

    def is_merge(self, repository: Repository, sha: str, before: str, forked: Callable[[str], str]) -> bool:
        """Whether `sha` is what git itself makes of `before` and another commit, without a conflict.

        `forked` returns what both have in common, "" if that other commit will not do.
        """


class Chat(Protocol):
    """A chat that takes messages. Each is one attempt; raises Mistake, Unsure, Down, Refused."""

    def post(self, text: str, room: str, channel: str) -> None:
        """Post a message to one of its addresses; an empty `channel` is the address's own."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """`previous` is the path that a renamed file had; `patch` is a unified diff.

    `hidden` is that GitHub shows none, so that nobody knows from here what was changed.
    """

    path: str
    previous: str = ""
    patch: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Authorship:
    """Somebody's part in a commit; `login` is "" when the e-mail address belongs to no account."""

    sha: str
    email: str
    login: str


@dataclass(frozen=True, slots=True)
class Place:
    """What is dispatched: the file of a `workflow`, or else an `event`, in a repository, `home` if it is our own."""

    repository: str
    workflow: str
    event: str
    home: bool


@dataclass(frozen=True, slots=True)
class NewPull:
    """A pull request from the branch `head` of the same repository into `base`."""

    title: str
    body: str
    head: str
    base: str
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    context: str
    state: str
    description: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A comment of ours by its node id; `shows` is that nobody has hidden it.

    One that has an `address` counts only if a row names that.
    """

    node: str
    marker: str
    at: datetime
    shows: bool
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An item as it is now, and when people did anything about it last.

    `marked_at` is when the label that was asked about was put on, None where it is not on, or nobody knows; `by_hand`
    that a person did.
    """

    subject: Subject
    active_at: datetime
    marked_at: datetime | None = None
    by_hand: bool = False
    has_milestone: bool = False
    is_assigned: bool = False
    is_locked: bool = False
    notices: tuple[Notice, ...] = ()


class Facts(Protocol):
    """What a plan may read beyond its event. A method raises FactUnavailable where it cannot be read.

    What was read once in a run is not read again.
    """

    def role(self, repository: Repository, login: str) -> str:
        """What somebody is in the repository; the least of it for people who are not known there."""

    def role_now(self, repository: Repository, login: str, seconds: float) -> str:
        """The same, read at most `seconds` ago."""

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        """A pull request as it is now, None when it is gone."""

    def origin(self, key: str) -> Origin | None:
        """What a key of the ledger stands for."""

    def picks(self, subject: Subject) -> Sequence[Row]:
        """What was asked to be picked of a pull request, as it is now."""

    def lacking(self, pull: PullRequest, *, skip_merges: bool) -> Sequence[str]:
        """The commits to pick that this pull request of a pick does not have. Raises Incomplete."""

    def picks_now(self, subject: Subject, conflict_label: str) -> Sequence[Row]:
        """The same, with what has become of the pull requests that were opened."""

    def changed_picks(self, repository: Repository) -> Sequence[PullRequest]:
        """Pull requests of which the pull request of a pick is not any more what its summary says."""

    def due_picks(self, repository: Repository) -> Sequence[PullRequest]:
        """Pull requests of which something that was asked to be picked is not done or not told."""

    def servers(self, subject: Subject) -> Sequence[ServerRow]:
        """The test servers of a pull request, as they are now, the oldest first."""

    def due_servers(self, repository: Repository) -> Sequence[ServerRow]:
        """Test servers that are there, or not told of."""

    def unanswered(self, repository: Repository, feature: str) -> Sequence[Origin]:
        """Workflows that were started, and of which nobody has told how they ended."""

    def conclusion(self, url: str) -> str:
        """How the run that this page shows has ended, "" when it has not."""

    def now(self) -> datetime:
        """The time, UTC and naive."""

    def files(self, pull: PullRequest) -> Iterable[ChangedFile]:
        """What a pull request changes, read as far as somebody looks."""

    def text_of(self, pull: PullRequest, path: str) -> str | None:
        """A file at its head, None where it is too large."""

    def is_scarce(self) -> bool:
        """Whether few requests are left in this hour, so that they are for gates and for writers."""

    def verdict(self, repository: Repository, sha: str, context: str) -> tuple[str, str] | None:
        """The state and the description of a commit's status, None where it has none."""

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:
        """Who made the commits of a pull request."""

    def is_first(self, pull: PullRequest) -> bool:
        """Whether its author has opened no other pull request here."""

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        """All open pull requests that carry the label, with what a merge of each depends on."""

    def candidate(self, pull: PullRequest, label: str) -> Candidate | None:
        """One of them, None when it is gone."""

    def approval(self, pull: PullRequest, label: str) -> Approval | None:
        """What the database has noted that the label of auto_merge approves."""

    def noted_at(self, pull: PullRequest, sha: str) -> Approval | None:
        """What a status of ours at this commit says that it approves; with a database none is set."""

    def pushes(self, pull: PullRequest) -> Sequence[Push] | None:
        """Who pushed to its branch, the newest first; None where GitHub does not tell."""

    def has_checks(self, repository: Repository, base: str) -> bool:
        """Whether one of the last ten commits of a branch had a check; also if it has fewer commits than ten."""
        ...

    def parent(self, repository: Repository, base: str) -> int:
        """The number of the open pull request whose branch this is, 0 if there is none."""
        ...

    def waits_until(self) -> datetime:
        """When this run stops waiting for what takes its time."""

    def is_base_merge(self, pull: PullRequest, sha: str, before: str) -> bool:
        """Whether the commit `sha` is `before` with the base branch in it, as git itself merges the two."""

    def keeps_a_ledger(self) -> bool:
        """Whether later runs know what this one has posted without reading the comments."""
        ...

    def is_updated(self, repository: Repository, base: str) -> bool:
        """Whether this run has merged the branch `base` into a pull request's."""

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:
        """What people have done about items of one repository, by their numbers."""

    def last_swept(self, repository: Repository) -> datetime | None:
        """When the sweep before this one was at its end."""

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:
        """Who signed, case-folded, from the list at `url`. Raises NotYet when that takes more than `seconds`."""

    def actors(self) -> tuple[str, ...]:
        """Who else answers for this run: on a re-run whoever started it again."""


class Clock(Protocol):
    """`now` is UTC and naive, as in the database; `offset` is what simulated time adds to real time."""

    offset: timedelta

    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...
