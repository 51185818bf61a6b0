"""What is picked together: for each row of a pull request's picks the other pull requests of its series, read anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mattermod_action import commands, series, texts
from mattermod_action.asking import read_comment
from mattermod_action.errors import Gone, Refused
from mattermod_action.members import in_order, joined
from mattermod_action.naming import branches
from mattermod_action.origins import NOT_THEIRS, Origin
from mattermod_action.pick_reasons import HAS_ONE, IS_NO_PULL, MERGED_ELSEWHERE, NOT_YET, WITHOUT_MERGE, is_revert
from mattermod_action.picks import RANGE, Part, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mattermod_action.commands import Command
    from mattermod_action.effects import Pick
    from mattermod_action.events import PullRequest
    from mattermod_action.members import Member
    from mattermod_action.picks import Chosen, Commit, Existing, Row, Source
    from mattermod_action.world import World

IN_ORDER = "\n\nPicked together, in the order of their merges:\n\n{members}"


class Together:
    """The series of one pull request's picks, as far as a run has asked for them."""

    def __init__(self, world: World, effect: Pick) -> None:
        self._world, self._effect = world, effect
        self._found: dict[tuple[int, ...], list[Member]] = {}

    def numbers(self, row: Row, pull: PullRequest) -> tuple[int, ...]:
        """The numbers beside its own, by the comment that the row names. Raises Refused where that cannot be known."""
        effect, comment = self._effect, row.origin.comment if row.origin else 0
        if row.target in effect.targets and comment in (0, *effect.origin[1:]):
            return effect.series
        if not comment:
            return ()
        said = read_comment(self._world, pull, comment)
        if said is None and series.named_in(row.head_ref):
            raise Refused(NOT_THEIRS)
        given = commands.parse(said.body if said else "", self._world.aliases)
        return _members(given, row.target, pull)  # whether it still counts, its asker's check says

    def must_be_free(self, rows: Iterable[Row], *, is_unheeded: Callable[[], bool]) -> None:
        """Raise Refused for a series where a pick is open that was asked for otherwise: nobody closes it but a person.

        What was merged since, or closed, is in no series' way.
        """
        for row in rows if self._effect.series else ():
            if row.target in self._effect.targets and row.pull_number and self.is_news(row) and is_unheeded():
                pull = self._world.picking.pull(self._effect.subject.repository, row.pull_number)
                if pull is not None and pull.is_open:
                    raise Refused(HAS_ONE.format(number=row.pull_number, head=texts.quoted(row.head_ref)))

    def is_news(self, row: Row) -> bool:
        """Whether a series is asked for, and the row is of another request."""
        return bool(self._effect.series) and row.origin != self._origin

    @property
    def _origin(self) -> Origin:
        return Origin(comment=int(self._effect.origin[1]))

    def asked_anew(self, row: Row) -> dict[str, Any]:
        """What of a row is changed by a series that takes the place of what it asked for."""
        if not self.is_news(row):
            return {}
        more = {"head_ref": "", "head_sha": "", "pull_number": None}
        reason = {} if is_revert(row.reason) else {"reason": ""}
        return {**more, **reason, "origin": self._origin, "requested_by": self._effect.by}

    def head(self, row: Row, source: Source) -> str:
        return series.branch(source.pull, row.target, self.numbers(row, source.pull))

    def grouped(self, rows: Iterable[Row], pull: PullRequest) -> Iterator[list[Row]]:
        """Those that pick the same, together."""
        groups: dict[tuple[int, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(self.numbers(row, pull), []).append(row)
        yield from groups.values()

    def chosen(self, row: Row, source: Source, *, skip_merges: bool) -> Chosen:
        """Say which commits are picked, of all in their order. Raises Refused where one of them cannot be picked."""
        if not self.numbers(row, source.pull):
            return choose(source, skip_merges=skip_merges)
        return joined(each.chosen(skip_merges=skip_merges) for each in self.members(row, source))

    def members(self, row: Row, source: Source) -> list[Member]:
        """All of its series in the order of their merges, itself among them; none of a row that is no series."""
        numbers = self.numbers(row, source.pull)
        if numbers and numbers not in self._found:
            found = self._read(source, (source.pull.number, *numbers))
            for each in found:
                _check(each.source.pull, source.pull)
            self._found[numbers] = in_order(found)
        return self._found.get(numbers, [])

    def _read(self, source: Source, numbers: Sequence[int]) -> list[Member]:
        """One query; where one of them is no pull request, each alone, to name it."""
        repository, github = source.pull.repository, self._world.picking
        try:
            return [*github.members(repository, numbers, RANGE)]
        except Gone:
            for number in numbers:
                self._must_be(source, number)
            raise

    def _must_be(self, source: Source, number: int) -> None:
        try:
            self._world.picking.members(source.pull.repository, (number,), 1)
        except Gone as error:
            raise Refused(IS_NO_PULL.format(number=number)) from error

    def parts(self, row: Row, source: Source, *, skip_merges: bool) -> Iterator[Part]:
        for each in self.members(row, source):
            picks, merge = each.chosen(skip_merges=skip_merges).picks, each.source.merge
            yield Part(each.number, picks, merge is not None and len(merge.parents) > 1 and picks == (merge.sha,))

    def other(self, row: Row, source: Source) -> Existing | None:
        """Find an open pull request onto the same branch that a series and an ordinary pick cannot both have."""
        head = self.head(row, source)
        for each in source.pulls:
            is_other = each.head != head and each.base == row.target and each.state == "open"
            if is_other and (series.named_in(each.head) or series.named_in(head)):
                return each
        return None

    def commits(self, row: Row, source: Source) -> Iterator[Commit]:
        for each in self.members(row, source):
            yield from (*each.source.history, *each.source.own)

    def words(self, row: Row, source: Source) -> dict[str, str]:
        """What stands for number and author in the title and the text of its pull request."""
        found = self.members(row, source)
        authors = dict.fromkeys(texts.addressed("USERNAME", each.source.pull.author) for each in found)
        numbers = ", #".join(str(each.number) for each in found)
        return {"number": numbers, "author": " @".join(authors)} if found else {}

    def listed(self, row: Row, source: Source) -> str:
        """GitHub shows on each of these that they were mentioned, so that nobody has to tell them."""
        found = self.members(row, source)
        lines = [f"- #{each.number} {texts.quoted(each.source.title)}" for each in found]
        return IN_ORDER.format(members="\n".join(lines)) if found else ""

    def labels(self, row: Row, source: Source) -> list[str]:
        return [label for each in self.members(row, source) for label in each.source.pull.labels]


def _members(given: Iterable[Command], target: str, pull: PullRequest) -> tuple[int, ...]:
    """The first command of a comment that names the branch counts, as it does for who asks."""
    for command in given:
        if command.name == "cherry-pick" and target in branches(command.args):
            return series.members_of(command.args, pull)
    return ()


def _check(member: PullRequest, asked: PullRequest) -> None:
    if member.is_open:
        raise Refused(NOT_YET.format(number=member.number))
    if not member.merged:
        raise Refused(WITHOUT_MERGE.format(number=member.number))
    if member.base_ref != asked.base_ref:
        base = texts.quoted(member.base_ref)
        raise Refused(MERGED_ELSEWHERE.format(number=member.number, base=base, other=texts.quoted(asked.base_ref)))
