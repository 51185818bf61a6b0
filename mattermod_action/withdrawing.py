"""Picks that are taken back before the merge: by `/cherry-pick cancel`, or with the comment that asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.asking import must_write
from mattermod_action.errors import Refused
from mattermod_action.pick_reasons import GONE, WAITS, WITHDRAWN
from mattermod_action.picking import Picker
from mattermod_action.picks import QUEUED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.picks import Row

MADE = "#{number} is there already: close it, if it is not wanted"


class Withdrawer(Picker):
    """Takes back what was asked for and not begun. What is opened already is a person's to close."""

    def _ask(self, by: str, origin: Sequence[str | int]) -> None:
        """Nothing new is asked for."""

    def _is_anything_to_do(self) -> bool:
        return bool(self._waiting() or self._made_already()) and self._is_unheeded()

    def _go_on(self) -> None:
        source = self._look()
        if source is None:
            raise Refused(GONE)
        if self._effect.by:
            must_write(self._world, source.pull, self._effect.by, self._rule.bots)
        for row in self._waiting():
            self._move(row, REFUSED, reason=WITHDRAWN)
        self._failed.clear()  # that is what was asked for
        self._note_heeded()
        if made := self._made_already():
            raise Refused("; ".join(MADE.format(number=row.pull_number) for row in made))

    def _undone(self) -> list[Row]:
        """That it is not picked is what was asked for."""
        return []

    def _waiting(self) -> list[Row]:
        rows = self._named(self._effect.targets)
        return [row for row in rows if row.state == QUEUED or (row.state == REFUSED and row.reason == WAITS)]

    def _made_already(self) -> list[Row]:
        """Only whoever asks to cancel is told of them."""
        return [row for row in self._named(self._effect.targets) if row.pull_number and self._effect.by]
