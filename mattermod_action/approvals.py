"""Approvals by label: each is of one commit and one base branch, and `Verdict` says whether it still is.

Decided from GitHub's own record: when the label was put on, the changes of the base since then, and the pushes to the
branch (who pushed, and when, by the server's clock). Dates and authors of commits are whatever their author likes. What
an earlier run has noted saves the question who pushed; why a note is no authority is in docs/decisions/0011-trust.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mattermod_action.facts import at_least
from mattermod_action.labellers import is_listed
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mattermod_action.events import Shown
    from mattermod_action.merging import Candidate
    from mattermod_action.ports import Facts

ALWAYS, NEVER, WRITERS = "always", "never", "writers"  # values of `keep_on_push`
SLACK = timedelta(seconds=5)  # by which the times of an event and of the timeline may differ
PATIENCE = timedelta(minutes=5)  # for which GitHub may not list a push yet, or its event may not have come

# The commit status that notes an approval where there is no database.
CONTEXT = "mattermod/approval"
NOTE = "Approved at {at:%Y-%m-%dT%H:%M:%SZ} for {base}"
NOTED = re.compile(r"Approved at (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) for (?P<base>\S+)")
BASE = "the base branch was changed from {before} to {after} after the label was put on"
STRANGER = "@{login}, who has no write access here, pushed the commit {sha} after the label was put on"
BOT = "{login}, a bot that is not among `auto_merge.bots`, pushed the commit {sha} after the label was put on"
ANY = "the commit {sha} was pushed after the label was put on, and `auto_merge.keep_on_push` is `never`"
UNKNOWN = "GitHub does not say who pushed the commit {sha}, or whether that was before the label was put on"


@dataclass(frozen=True, slots=True)
class Approval:
    """The head and the base branch that a label, put on at `at`, approves."""

    head: str
    base: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved from one commit to another; `by` is "" where nobody knows, `at` GitHub's own time."""

    before: str
    after: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BaseChange:
    """A pull request got another base branch. GitHub makes an automatic change when the old base is merged or renamed.

    https://docs.github.com/en/graphql/reference/objects#automaticbasechangesucceededevent
    """

    at: datetime
    before: str
    after: str
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the label approves the head and the base as they are. `void` is why it does not any more.

    Neither is so while GitHub may not have listed a push yet. `note` is what is worth noting for later runs.
    """

    stands: bool = False
    void: str = ""
    note: Approval | None = None
    by_row: bool = False  # whether a row of the database has a part in it


@dataclass(frozen=True, slots=True)
class Terms:
    """What a label is to approve: `keep` is `keep_on_push`, `bots` are those whose labels and pushes count."""

    label: str
    keep: str = WRITERS
    bots: tuple[str, ...] = ()


def judge(found: Candidate, shown: Shown | None, terms: Terms, facts: Facts) -> Verdict:
    """Compare what the label was put on with what would be merged. `shown` is what the event itself shows."""
    return _Case(found, shown, terms, facts).verdict()


def confirm(found: Candidate, verdict: Verdict, terms: Terms, facts: Facts) -> Verdict:
    """Judge once more without rows, before a merge: whoever can write rows approves nothing by that.

    Only people with write access push to branches of this repository, so only forks are asked about. Where GitHub does
    not list the pushes to a fork that is there, the row is all there is.
    """
    pull = found.pull
    if not verdict.by_row or not pull.from_fork or (pull.head and facts.pushes(pull) is None):
        return verdict
    return _Case(found, None, terms, facts, believes_rows=False).verdict()


@dataclass(frozen=True, slots=True)
class _Case:
    found: Candidate
    shown: Shown | None
    terms: Terms
    facts: Facts
    believes_rows: bool = True

    def verdict(self) -> Verdict:
        found, noted, keep = self.found, self._noted(), self.terms.keep
        if changed := another_base(found, noted):
            return Verdict(void=changed)
        if keep == ALWAYS or (noted and noted.head == found.pull.sha):
            return self._stands(noted)
        listed = self.facts.pushes(found.pull)
        if listed is None and keep == WRITERS and not found.pull.from_fork:
            return self._stands(noted)  # only people with write access push to branches of this repository
        noted = noted or (self._noted_before() if listed is None else None)
        pushes = pushes_since(found, noted, self._with_shown(listed or ()))
        if pushes is None:
            return self._unknown(noted, is_listed=listed is not None)
        reason = next(filter(None, map(self._against, pushes)), "")
        return Verdict(void=reason) if reason else self._stands(noted)

    def _noted(self) -> Approval | None:
        """What the label was put on, or a head that an earlier run has found to be as good."""
        known = self._trusted()
        if not self.believes_rows or (known and known.head == self.found.pull.sha):
            return known
        row = self.facts.approval(self.found.pull, self.terms.label)
        return row if row and row.at == self.found.labeled_at else known

    def _trusted(self) -> Approval | None:
        """The same as this event shows it, or a status of ours; both are GitHub's word."""
        found, at = self.found, self.found.labeled_at
        shown = _of_label(self.shown, found.labeller, at)
        seen = Approval(shown.head, shown.base, at) if shown and at else None
        if seen and seen.head == found.pull.sha:
            return seen
        return found.noted if found.noted and found.noted.at == at else seen

    def _noted_before(self) -> Approval | None:
        """Of a push that only its event tells of, the commit before may have the note."""
        before = self.shown.before if self.shown else ""
        note = self.facts.noted_at(self.found.pull, before) if before else None
        return note if note and note.at == self.found.labeled_at else None

    def _stands(self, noted: Approval | None) -> Verdict:
        """Note it if that is news."""
        pull, at = self.found.pull, self.found.labeled_at
        by_row = noted is not None and noted != self._trusted()
        is_old = noted is not None and noted.head == pull.sha and (by_row or noted == self.found.noted)
        note = None if is_old or at is None else Approval(pull.sha, self.found.base, at)
        return Verdict(stands=True, note=note, by_row=by_row)

    def _with_shown(self, listed: Sequence[Push]) -> Sequence[Push]:
        """GitHub may list a push later than it tells of it."""
        shown, head = self.shown, self.found.pull.sha
        is_new = shown and shown.before and shown.head == head and all(push.after != head for push in listed)
        return (Push(shown.before, head, shown.by, datetime.max), *listed) if shown and is_new else listed  # noqa: DTZ901  # naive UTC, as everywhere

    def _unknown(self, noted: Approval | None, *, is_listed: bool) -> Verdict:
        """Wait for what may still come, and note what is known already: the label, or a push on what it approves."""
        pull = self.found.pull
        if (noted or is_listed) and self.facts.now() - pull.updated_at < PATIENCE:
            return Verdict(note=self._moved(noted) if noted else None)
        return Verdict(void=UNKNOWN.format(sha=_short(pull.sha)))

    def _moved(self, noted: Approval) -> Approval | None:
        shown = self.shown
        if _of_label(shown, self.found.labeller, noted.at):
            return noted
        if shown is None or shown.before != noted.head or self.terms.keep == NEVER:
            return None
        is_kept = not self._against_whom(shown.by, shown.head)
        return Approval(shown.head, noted.base, noted.at) if is_kept else None

    def _against(self, push: Push) -> str:
        """Say why a push takes the approval away, "" when it does not."""
        reason = (
            ANY.format(sha=_short(push.after)) if self.terms.keep == NEVER else self._against_whom(push.by, push.after)
        )
        return "" if reason and self.facts.is_base_merge(self.found.pull, push.after, push.before) else reason

    def _against_whom(self, login: str, sha: str) -> str:
        if not login:
            return UNKNOWN.format(sha=_short(sha))
        if is_listed(login, self.terms.bots):
            return ""
        if login.casefold().endswith("[bot]"):
            return BOT.format(login=login, sha=_short(sha))
        may_write = at_least(self.facts.role(self.found.pull.repository, login), "write")
        return "" if may_write else STRANGER.format(login=login, sha=_short(sha))


def another_base(found: Candidate, noted: Approval | None) -> str:
    """Say that the base is not the one that the label approves. GitHub's automatic changes are followed."""
    later = [each for each in found.base_changes if found.labeled_at is None or each.at >= found.labeled_at]
    first = later[0].before if later else found.base
    for start in dict.fromkeys((first, noted.base if noted else first)):
        if found.base not in _followed(start, later):
            return BASE.format(before=quoted(start), after=quoted(found.base))
    return ""


def _followed(start: str, changes: Iterable[BaseChange]) -> set[str]:
    """The base that was approved, and what GitHub has made of it."""
    bases = {start}
    for change in changes:
        if change.automatic and change.before in bases:
            bases.add(change.after)
    return bases


def pushes_since(found: Candidate, noted: Approval | None, pushes: Sequence[Push]) -> list[Push] | None:
    """The pushes that the label does not approve, the newest first; None when not all are known.

    GitHub's times are whole seconds: a push in the second of the label may have come after it.
    """
    head, since = found.pull.sha, list[Push]()
    for push in pushes:
        if noted and head == noted.head:
            return since
        if push.after != head:
            if since:
                return None
            continue  # a push that the pull request does not show yet
        if found.labeled_at and push.at < found.labeled_at:
            return since
        since.append(push)
        head = push.before
    return since if noted and head == noted.head else None


def _of_label(shown: Shown | None, labeller: str, at: datetime | None) -> Shown | None:
    """The event that shows this very labelling; one of an earlier labelling that comes late shows nothing of it."""
    if shown is None or at is None or not shown.labeled or shown.by.casefold() != labeller.casefold():
        return None
    return shown if at <= shown.at + SLACK else None


def reviewed_before(found: Candidate, facts: Facts) -> tuple[str, ...]:
    """Commits with approving reviews than which the head has nothing but the base more."""
    pull = found.pull
    asked = {sha for _, sha in found.approvals} & set(found.parents) if len(found.parents) > 1 else set()
    return tuple(sha for sha in sorted(asked) if facts.is_base_merge(pull, pull.sha, sha))


def _short(sha: str) -> str:
    return f"`{sha[:10]}`"
