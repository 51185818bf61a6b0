"""The pull request of a pick: its words, its labels, and who is asked to look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from mattermod_action import refusals, texts
from mattermod_action.errors import Refused
from mattermod_action.facts import at_least
from mattermod_action.picks import CONFLICTS_CONTEXT, original_of
from mattermod_action.ports import NewPull, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mattermod_action.events import PullRequest
    from mattermod_action.picks import Row, Rule, Source
    from mattermod_action.together import Together
    from mattermod_action.world import World

TITLE = 256  # characters; GitHub takes no longer one
HAS_CONFLICTS = Status(CONFLICTS_CONTEXT, "failure", "There are conflict markers in its files", "")


def is_bot(login: str) -> bool:
    return login.endswith("[bot]") or not login


def topic(template: str, source: Source) -> str:
    """Return the title without what the template has put around it, where the pull request is a pick itself.

    Its own base and the number of its original are what the template had to fill in, so that nothing else is cut off.
    """
    pull = source.pull
    number = "" if pull.from_fork else str(original_of(pull.ref) or "")
    words = {
        "branch": re.escape(pull.base_ref),
        "number": number or "(?!)",
        "author": r"@?\S+",
        "title": "(.+)",
    }
    parts = re.split(r"\{(branch|number|author|title)\}", template)
    pattern = "".join(words[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    found = re.fullmatch(pattern.strip(), source.title) if parts.count("title") == 1 else None
    return found[1] if found else source.title


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done to a new pull request; where it is refused, its parts are tried `alone`."""

    what: str
    do: Callable[[], object]
    alone: Sequence[Step] = ()


def _together(what: str, do: Callable[[], object], alone: Sequence[Step]) -> Step:
    """One request for all of them, which GitHub refuses for one of them."""
    return Step(what, do, alone) if len(alone) > 1 else replace(alone[0], do=do)


class Opening:
    """Opens what was picked of one pull request. A row that has a `reason` has conflicts in its files."""

    def __init__(
        self, world: World, rule: Rule, source: Source, together: Together, triggers: Collection[str] = ()
    ) -> None:
        self._world, self._rule, self._source, self._triggers = world, rule, source, triggers
        self._together = together
        self.authors: dict[str, str] = {}  # who has opened what, by the branch

    def open(self, row: Row, hint: str = "") -> tuple[int, str]:
        """Return the number, and who has opened it. Raises Refused, Unsure.

        Where there are no drafts, one with conflicts is opened all the same: its status is red. `hint` is what there is
        to say of this one in particular.
        """
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
            "title": topic(self._rule.title, self._source),
            "author": texts.addressed("USERNAME", self._whose(row)),
            **self._together.words(row, self._source),
        }
        hint = self._together.listed(row, self._source) + hint
        title, body = texts.filled(self._rule.title, words), texts.filled(self._rule.body, words, quote="title branch")
        new = NewPull(title[:TITLE], body + hint, row.head_ref, row.target, draft)
        number, author = self._world.picking.open_pull(pull.repository, new)
        self.authors[row.target] = author
        return number, author

    def steps(self, row: Row) -> Iterator[Step]:
        """What is done to it, each by itself; all of it may be done again. Each raises Refused."""
        github, pull = self._world.github, self._opened(row)
        if row.has_conflicts:
            yield Step("its status", partial(github.set_status, pull.repository, row.head_sha, HAS_CONFLICTS))
        if labels := self._labels(self._together.labels(row, self._source), conflicts=row.has_conflicts):
            yield Step("its labels", partial(github.add_labels, pull, labels))
        yield from self._owned(row, pull)

    def _owned(self, row: Row, pull: PullRequest) -> Iterator[Step]:
        """Nobody is asked to review what they have opened themselves, since GitHub refuses that."""
        github, people, milestone = self._world.github, self._people(row), self._source.pull.milestone_number
        alone = [Step("its milestone", partial(github.prepare_pull, pull, milestone, ()))] if milestone else []
        alone += [Step("its assignee", partial(github.prepare_pull, pull, None, people))] if people else []
        if alone:
            yield _together("its milestone", partial(github.prepare_pull, pull, milestone, people), alone)
        if others := [login for login in people if login != self._author(row)]:
            yield Step(f"a review by {others[0]}", partial(github.request_review, pull, (), others))

    def _author(self, row: Row) -> str:
        found = (each.author for each in self._source.pulls if each.number == row.pull_number)
        return self.authors.get(row.target) or next(found, "")

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
        free = [label for label in mine if label.casefold() not in self._triggers]
        copied = [label for label in free if any(fnmatchcase(label.casefold(), each) for each in patterns)]
        warned = [self._rule.conflict_label] if conflicts else []
        return list(dict.fromkeys([*self._rule.labels, *warned, *copied]))

    def _whose(self, row: Row) -> str:
        """Who is told of it: the author, or for a bot's pull request whoever asked for the pick."""
        pull = self._source.pull
        return row.requested_by if pull.author_is_bot and not is_bot(row.requested_by) else pull.author

    def _people(self, row: Row) -> list[str]:
        """The author, if they may write, else whoever approved first; for a bot's pull request whoever asked."""
        pull, facts = self._source.pull, self._world.facts
        if not pull.author_is_bot and at_least(facts.role(pull.repository, pull.author), "write"):
            return [pull.author]
        asked = [row.requested_by] if pull.author_is_bot else []
        return [login for login in (*asked, *self._source.approvals) if login != pull.author and not is_bot(login)][:1]

    def page(self, number: int) -> str:
        return f"{self._source.pull.url.rpartition('/')[0]}/{number}"
