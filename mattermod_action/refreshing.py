"""A pick that is made anew, `/cherry-pick refresh`: its branch has moved on, and its pull request may conflict by now.

Its branch is replaced only if it is what was pushed here, commit and files: what a person has pushed is never lost.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mattermod_action import texts
from mattermod_action.asking import must_write
from mattermod_action.errors import Refused
from mattermod_action.opening import Step
from mattermod_action.pick_reasons import CONFLICTS_AGAIN, GONE, NOT_ITS_PICK, NOT_OPEN, NOT_PUSHED_ANEW, NOTHING_LEFT
from mattermod_action.picking import Picker, prove
from mattermod_action.picks import BEHIND, CONFLICTS_CONTEXT, EXISTS, FINISHED, Conflict
from mattermod_action.ports import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.picks import Chosen, Merged, Row, Source
    from mattermod_action.ports import Work

SHOWN = 10  # paths that a row names
SOLVED = "No conflict markers"


class Refresher(Picker):
    """Makes the open pick of one branch anew. Killed at any point it leaves the old one or the new one."""

    def _ask(self, by: str, origin: Sequence[str | int]) -> None:
        """Nothing new is asked for."""

    def _is_anything_to_do(self) -> bool:
        return self._is_unheeded()

    def _go_on(self) -> None:
        """Raise Refused where it has no open pick, or one that is not only ours."""
        source = self._look()
        if source is None:
            raise Refused(GONE)
        must_write(self._world, source.pull, self._effect.by, self._rule.bots)
        for target in self._effect.targets:
            self._renew(self._open_row(target, source), source)
        self._note_heeded()

    def _open_row(self, target: str, source: Source) -> Row:
        row = self._rows.get(target)
        found = source.existing(row.head_ref, target) if row else None
        if row is None or found is None or found.state != "open" or row.state != FINISHED:
            raise Refused(NOT_OPEN.format(target=texts.quoted(target)))
        if found.number != row.pull_number or self._together.head(row, source) != row.head_ref:
            raise Refused(NOT_OPEN.format(target=texts.quoted(target)))
        return row

    def _renew(self, row: Row, source: Source) -> None:
        tip, old = source.tips.get(row.target, ""), source.branches[row.head_ref]
        base = self._github.fork_point(self._subject.repository, row.target, old)
        if not tip or not base or old != row.head_sha:
            raise Refused(self._of(NOT_ITS_PICK, row))
        if base == tip:
            return  # it stands on the branch as it is
        chosen = self._together.chosen(row, source, skip_merges=self._rule.skip_merges)
        git = self._world.git(self._rule.committer, self._hold)
        with git.fetched(self._subject.repository, [base, tip], chosen.picks, [*chosen.compared, old]) as work:
            prove(work, chosen)
            self._replace(row, work, (base, tip, old), chosen)

    def _replace(self, row: Row, work: Work, where: tuple[str, str, str], chosen: Chosen) -> None:
        base, tip, old = where
        made = work.pick(base, chosen.picks)
        if not made.sha or work.differing(made.sha, old):
            raise Refused(self._of(NOT_ITS_PICK, row))
        anew = work.pick(tip, chosen.picks)
        if isinstance(anew, Conflict):
            self._conflicts_again(row, anew)
        elif not anew.sha:
            raise Refused(self._of(NOTHING_LEFT, row))
        else:
            self._push_anew(row, work, old, anew)

    def _conflicts_again(self, row: Row, found: Conflict) -> None:
        """Its pull request stays as it is: the lines that conflict are there for whoever merges the branch into it."""
        note = CONFLICTS_AGAIN.format(names=", ".join(map(texts.quoted, found.paths[:SHOWN])))
        self._move(row, FINISHED, reason=row.now(BEHIND, note))
        self._failed.append(f"{row.target}: {note}")

    def _push_anew(self, row: Row, work: Work, old: str, anew: Merged) -> None:
        refusal = work.replace(row.head_ref, old, anew.sha)
        if refusal == EXISTS:
            raise Refused(self._of(NOT_ITS_PICK, row))
        if refusal:
            raise Refused(self._of(NOT_PUSHED_ANEW, row, said=texts.quoted(refusal)))
        had_conflicts = row.has_conflicts
        self._move(row, FINISHED, head_sha=anew.sha, reason=row.now("", solved=True))
        if had_conflicts:
            self._solved(row, anew.sha)

    def _solved(self, row: Row, sha: str) -> None:
        """A draft that had conflicts has none any more."""
        repository = self._subject.repository
        status = Status(CONFLICTS_CONTEXT, "success", SOLVED, "")
        pull = replace(self._subject, number=row.pull_number or 0)
        steps = (
            Step("its status", partial(self._world.github.set_status, repository, sha, status)),
            Step("its label", partial(self._world.github.remove_label, pull, self._rule.conflict_label)),
        )
        for step in steps:
            self._failed += [f"{row.target}: {undone}" for undone in self._step(row, step)]

    def _of(self, sentence: str, row: Row, **more: str) -> str:
        return sentence.format(number=row.pull_number, head=texts.quoted(row.head_ref), **more)
