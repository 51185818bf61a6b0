"""What a sweep reads of a repository, and what it knows of it from before. Nothing here asks or writes anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.events import Issue, PullRequest, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a sweep has come in a repository: GitHub's cursors of both lists, and whether each is at its end."""

    pulls: str | None = None
    pulls_end: bool = False
    issues: str | None = None
    issues_end: bool = False

    @property
    def is_end(self) -> bool:
        return self.pulls_end and self.issues_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Up to a hundred open items of each kind; `after` is where to go on.

    `configuration` is the text of the file on the default branch, None where there is none or on a later page. The
    points are those of GraphQL: what this page cost, what is left of the hour's (None on a server without limits), and
    how many an hour has.
    """

    repository: Repository
    is_archived: bool
    configuration: str | None
    pulls: tuple[PullRequest, ...]
    issues: tuple[Issue, ...]
    after: Place
    points: int
    points_left: int | None
    points_limit: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store has of an item: when its newest snapshot was taken, and what that said."""

    seen_at: datetime | None
    labels: tuple[str, ...]
    sha: str


@dataclass(slots=True)
class Tally:
    """What a sweep has done in one repository: how many items it looked at and found changed, and what that took.

    `last` is when one was at its end before this one, None for never or where nobody knows.
    """

    repository: str
    looked_at: int = 0
    changed: int = 0
    failed: int = 0
    points: int = 0
    seconds: float = 0.0
    outcome: str = ""
    rest: int = 0
    queries: int = 0
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the sweep of a repository has come; `completed_at` is when one was at its end last, None for never.

    `repository` is the name that it had when it began, `page_sizes` what adapters have noted of its lists, `busy_with`
    what turns.py has noted.
    """

    place: Place
    started_at: datetime | None
    completed_at: datetime | None
    read_at: datetime
    repository: str
    page_sizes: str = ""
    busy_with: str = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """When a repository was swept to its end, and when a sweep began with it last; None for never."""

    completed_at: datetime | None
    attempted_at: datetime | None
