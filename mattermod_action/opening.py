"""The pull request of a pick: its words, its labels, and who is asked to look at it."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from mattermod_action import refusals, texts
from mattermod_action.errors import Refused
from mattermod_action.facts import at_least
from mattermod_action.picks import CONFLICTS_CONTEXT
from mattermod_action.ports import NewPull, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mattermod_action.events import PullRequest
    from mattermod_action.picks import Row, Rule, Source
    from mattermod_action.together import Together
    from mattermod_action.world import World

TITLE = 256  # characters; GitHub takes no longer one
SHOWN = 20  # paths
BY_HAND = (
    "\n\nThe conflicts in {paths} were resolved by hand, in a branch that I have not pushed. "
    "Whoever pushed it should not be the one who approves this."
)
HAS_CONFLICTS = Status(CONFLICTS_CONTEXT, "failure", "There are conflict markers in its files", "")


class Opening:
    """Opens what was picked of one pull request. A row that has a `reason` has conflicts in its files."""

    def __init__(self, world: World, rule: Rule, source: Source, together: Together) -> None:
        self._world, self._rule, self._source, self._together = world, rule, source, together

    def open(self, row: Row, by_hand: Sequence[str] = ()) -> tuple[int, str]:
        """Return the number, and who has opened it. Raises Refused, Unsure.

        Where there are no drafts, one with conflicts is opened all the same: its status is red. Of files that a person
        has changed (`by_hand`) it says so: whoever pushed them is not its author, and could approve it.
        """
        hint = BY_HAND.format(paths=", ".join(map(texts.quoted, by_hand[:SHOWN]))) if by_hand else ""
        try:
            return self._open(row, hint, draft=row.has_conflicts)
        except Refused as refusal:
            if not row.has_conflicts or "draft" not in str(refusal).casefold():
                raise
            return self._open(row, hint, draft=False)

    def _open(self, row: Row, hint: str, *, draft: bool) -> tuple[int, str]:
        pull = self._source.pull
        words = {
            "number": str(pull.number),
            "branch": row.target,
            "title": self._source.title,
            "author": texts.addressed("USERNAME", pull.author),
            **self._together.words(row, self._source),
        }
        hint = self._together.listed(row, self._source) + hint
        title, body = texts.filled(self._rule.title, words), texts.filled(self._rule.body, words, quote="title branch")
        new = NewPull(title[:TITLE], body + hint, row.head_ref, row.target, draft)
        return self._world.picking.open_pull(pull.repository, new)

    def steps(self, row: Row) -> Iterator[Callable[[], object]]:
        """What is done to it, each by itself; all of it may be done again. Each raises Refused, and says of what."""
        github, source, conflicts = self._world.github, self._source, row.has_conflicts
        pull = self._opened(row)
        people = self._people()
        if conflicts:
            yield partial(github.set_status, pull.repository, row.head_sha, HAS_CONFLICTS)
        if labels := self._labels(self._together.labels(row, source), conflicts=conflicts):
            yield partial(github.add_labels, pull, labels)
        if people or source.pull.milestone_number:
            yield partial(github.prepare_pull, pull, source.pull.milestone_number, people)
        if people:
            yield partial(github.request_review, pull, (), people)

    def merge(self, row: Row) -> None:
        """Have GitHub merge it when it is ready; where nothing is left to wait for, it is merged at once.

        Raises Refused, unless it is merged already, as by an attempt whose answer was lost.
        """
        if not self._rule.auto_merge or row.has_conflicts or row.note:
            return
        pull = self._opened(row)
        try:
            self._merge(pull, row.head_sha)
        except Refused:
            found = self._world.picking.pull(pull.repository, pull.number)
            if found is None or not found.merged:
                raise

    def _merge(self, pull: PullRequest, sha: str) -> None:
        """Only what was pushed is merged: of a branch that was found there, GitHub's refusal is the answer."""
        github, method = self._world.picking, self._rule.auto_merge
        try:
            github.auto_merge(pull, method, sha)
        except Refused as refusal:
            if not sha or refusals.find(str(refusal)) is not refusals.READY:
                raise
            github.merge(pull, sha, method)

    def _opened(self, row: Row) -> PullRequest:
        number = row.pull_number or 0
        return replace(self._source.pull, number=number, labels=(), url=self.page(number))

    def _labels(self, others: Sequence[str], *, conflicts: bool) -> list[str]:
        patterns = [pattern.casefold() for pattern in self._rule.copy_labels]
        mine = (*self._source.pull.labels, *others)
        copied = [label for label in mine if any(fnmatchcase(label.casefold(), each) for each in patterns)]
        warned = [self._rule.conflict_label] if conflicts else []
        return list(dict.fromkeys([*self._rule.labels, *warned, *copied]))

    def _people(self) -> list[str]:
        """The author, if they may write, else whoever approved first."""
        pull, facts = self._source.pull, self._world.facts
        if not pull.author_is_bot and at_least(facts.role(pull.repository, pull.author), "write"):
            return [pull.author]
        return [login for login in self._source.approvals if login != pull.author and not login.endswith("[bot]")][:1]

    def page(self, number: int) -> str:
        return f"{self._source.pull.url.rpartition('/')[0]}/{number}"
