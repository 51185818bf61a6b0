"""What this GitHub holds, as records: people, items, repositories, tokens, and what was done over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

BOT = "[bot]"
GITHUB_TOKEN = "github-actions[bot]"  # noqa: S105  # whose token it is
ACTIONS = "github-actions"  # the App that workflows run as
DEFAULT_COLOR = "ededed"  # what GitHub gives to a label that is created by being used


@dataclass
class Person:
    id: int
    login: str

    @property
    def kind(self) -> str:
        return "Bot" if self.login.endswith(BOT) else "User"


@dataclass
class Label:
    id: int
    name: str
    color: str = DEFAULT_COLOR
    description: str | None = None


@dataclass
class Happening:
    """What a timeline tells; `kind` is GitHub's name of its type, `label` the one that came or went.

    `bases` are the base branch before and after a change of it, `reason` is why a merge queue put it out.
    """

    id: int
    kind: str
    actor: Person | None
    created_at: datetime
    label: Label | None = None
    bases: tuple[str, str] | None = None
    reason: str = ""


@dataclass
class Moved:
    """A branch moved, also one of a fork of which nothing else is known; `kind` is push, force_push and so on.

    `before` or `after` is forty zeros where there was, or is, no such branch.
    """

    id: int
    repository: str
    branch: str
    before: str
    after: str
    by: Person | None
    at: datetime
    kind: str


@dataclass
class Comment:
    """`lag` is how many more times a list is read without this comment in it; a deleted author is None.

    `editor` changed it last, None where nobody has.
    """

    id: int
    author: Person | None
    body: str
    created_at: datetime
    updated_at: datetime
    lag: int = 0
    minimized: str = ""
    editor: Person | None = None
    reactions: dict[tuple[str, str], int] = field(default_factory=dict)  # (content, login) to id


@dataclass(kw_only=True)
class LineComment(Comment):
    """A comment on a line of the new side of a diff, at the commit `sha`; each begins a thread.

    `review` is the id of the review that it is in, `hunk` the diff of its file.
    """

    path: str
    line: int
    sha: str
    review: int = 0
    hunk: str = ""


@dataclass
class Milestone:
    id: int
    number: int
    title: str
    closed_at: datetime | None = None

    @property
    def state(self) -> str:
        return "closed" if self.closed_at else "open"


@dataclass
class Status:
    """A commit status; of those with one context the newest counts."""

    id: int
    context: str
    state: str
    creator: Person
    created_at: datetime
    description: str = ""
    target_url: str = ""


@dataclass
class CheckRun:
    """An attempt of a check; all are kept. `app` is the slug of who made it, `suite` 0 that App's only one."""

    id: int
    name: str
    sha: str
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    details_url: str = ""
    app: str = "ci"
    suite: int = 0


@dataclass
class CheckSuite:
    """The checks of one App, or of one run of a `workflow`, which `event` has started."""

    id: int
    sha: str
    status: str
    conclusion: str | None
    created_at: datetime
    app: str = "ci"
    workflow: str = ""
    event: str = "pull_request"


@dataclass
class Queued:
    """A pull request in a merge queue: since when, the group that it is tried as, and who put it in."""

    at: datetime
    branch: str
    sha: str
    by: Person | None = None


@dataclass
class Organisation:
    """Logins; `teams` by the slug of their name."""

    members: set[str] = field(default_factory=set)
    teams: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Review:
    """`state` is APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED."""

    id: int
    author: Person
    state: str
    body: str
    sha: str
    submitted_at: datetime
    reactions: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Item:
    """What an issue and a pull request share: on GitHub a pull request is an issue with a branch."""

    id: int
    number: int
    title: str
    author: Person | None
    created_at: datetime
    updated_at: datetime
    body: str = ""
    labels: list[Label] = field(default_factory=list)
    timeline: list[Happening] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    locked: bool = False
    lock_reason: str | None = None
    closed_at: datetime | None = None
    milestone: Milestone | None = None
    assignees: list[Person] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)


@dataclass(kw_only=True)
class Issue(Item):
    pass


@dataclass
class AutoMerge:
    """That a pull request is to be merged when it can be; `method` is merge, squash or rebase."""

    by: Person
    method: str
    at: datetime


@dataclass(kw_only=True)
class Pull(Item):
    """`head_repository` is a full name, None when the fork was deleted.

    GitHub works out in the background whether a pull request merges: the first `mergeable_reads` reads say null.
    `merged_onto` is what its base was before it was merged.
    """

    head_repository: str | None
    head_ref: str
    head_sha: str
    base_ref: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: Person | None = None
    merge_sha: str | None = None
    merged_onto: str | None = None
    maintainer_can_modify: bool = False
    mergeable_reads: int = 1
    reviewers: list[Person] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    line_comments: list[LineComment] = field(default_factory=list)
    queued: bool = False  # in the merge queue of its base
    group: Queued | None = None
    auto_merge: AutoMerge | None = None


@dataclass
class WorkflowRun:
    """A run that was started over the API; `inputs` are also the payload of an event. It is over when it has an end."""

    id: int
    file: str
    event: str
    title: str
    ref: str
    inputs: dict[str, Any]
    actor: Person
    created_at: datetime
    conclusion: str | None = None
    ended_at: datetime | None = None


@dataclass(kw_only=True)
class Repository:
    """`old_names` answer with a redirect; `commits` keeps the files of each commit, `branches` points to them.

    The branches of `queues` have a merge queue. Every branch asks for the contexts of `required` and for `approvals`
    of people with write access before a merge, and, if `strict`, that the head has all of it. `hooks` is that it
    has pre-receive hooks. `auto_merge` is whether it may be asked for, `drafts` whether a pull request may be opened as
    one. `actions_pulls` is the setting "Allow GitHub Actions to create and approve pull requests". A token without
    `workflows` may not push a branch whose workflow files differ from the default branch's where `compares_workflows`,
    else no commits that change any. `roles` are an organisation's own, by the name that `permissions` has for them,
    with the role that each builds on.
    """

    id: int
    owner: str
    name: str
    created_at: datetime
    private: bool = False
    fork: bool = False
    archived: bool = False
    default_branch: str = "main"
    gone: dict[int, Issue] = field(default_factory=dict)  # deleted
    old_names: set[str] = field(default_factory=set)
    permissions: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    milestones: list[Milestone] = field(default_factory=list)
    items: dict[int, Issue | Pull] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    objects: Objects = field(default_factory=Objects, repr=False)
    protected: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=lambda: {"merge", "squash", "rebase"})
    queues: set[str] = field(default_factory=set)
    hooks: bool = False
    required: set[str] = field(default_factory=set)
    approvals: int = 0
    strict: bool = False
    auto_merge: bool = False
    drafts: bool = True
    actions_pulls: bool = False
    compares_workflows: bool = True
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    checks: list[CheckRun] = field(default_factory=list)
    suites: list[CheckSuite] = field(default_factory=list)
    dispatches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def role(self, login: str, default: str = "none") -> str:
        """Return the role of a person, or the one that theirs builds on."""
        name = self.permissions.get(login, default)
        return self.roles.get(name, name)

    def pulls(self) -> list[Pull]:
        return [item for item in self.items.values() if isinstance(item, Pull)]

    def files(self, ref: str = "") -> Mapping[str, bytes] | None:
        """Return the files at a branch, a full ref or a commit; None when there is no such thing."""
        name = (ref or self.default_branch).removeprefix("refs/").removeprefix("heads/")
        return self.commits.get(self.branches.get(name, name))


@dataclass
class Token:
    """`repositories` are those it was made for, () is all; elsewhere it reads what is public.

    `limit` is in requests (REST) and points (GraphQL) an hour, counted apart:
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api. `scopes` has what is a classic
    personal access token, and nothing else: GraphQL looks at them before it answers anything.
    """

    name: str
    value: str
    login: str
    permissions: dict[str, str]
    repositories: tuple[str, ...] = ()
    limit: int = 1_000
    scopes: tuple[str, ...] | None = None
    used: dict[str, int] = field(default_factory=dict)
    resets_at: float = 0.0

    @property
    def is_actions(self) -> bool:
        """Whether it is the GITHUB_TOKEN of a job."""
        return self.login == f"github-actions{BOT}"

    @property
    def kind(self) -> str:
        """`integration` (an App, and GITHUB_TOKEN is one) or `personal access token`, as GitHub's messages say."""
        return "integration" if self.login.endswith(BOT) else "personal access token"


@dataclass(frozen=True)
class Heavy:
    """What becomes of a query that finds more than `most` pull requests, or issues.

    `how` is 200 (those past that are null, and an error says why), or 502 or 504 for what took GitHub ten seconds.
    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#other-resource-limits
    """

    most: int
    how: int = 200


@dataclass
class Write:
    """A change that was made over HTTP; `request` is its index in `State.requests`."""

    action: str
    repository: str
    number: int
    by: str
    detail: dict[str, Any]
    request: int


@dataclass
class Request:
    """A request as it came in and what became of it; `status` 0 means that it got no answer."""

    method: str
    path: str
    query: str
    token: str
    write: bool
    body: str
    status: int = 0
    fault: str = ""
    effects: list[Write] = field(default_factory=list)
    answer: bytes = field(default=b"", repr=False)
    kind: str = ""
    at: float = field(default_factory=time.time, repr=False)
