"""The turns of items and of repositories in sweeps: what is noted before it begins, and what comes last."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action import turns
from mattermod_action.errors import Down, Late
from mattermod_action.sweeping import TOLERATED, _turn_of
from mattermod_action.sweeps import Swept
from mattermod_action.turns import LEFT_OUT, LEFT_OUT_FOR, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 12, 1, 10)  # noqa: DTZ001  # naive UTC, as everywhere
COLUMN = 255  # characters of busy_with


class Notes:
    """What was noted, told and done."""

    def __init__(self, noted: str = "", now: datetime = NOW) -> None:
        self.noted, self.now = [noted], now
        self.told: list[tuple[str, str]] = []
        self.done: list[str] = []
        self.turn = Turn(noted, now, self.noted.append, lambda *what: self.told.append(what))

    def take(self, name: str, act: Callable[[], object] | None = None) -> bool:
        return self.turn.take(name, act or (lambda: self.done.append(name)))

    def after(self, hours: float = 0.0) -> Notes:
        """Return what the next sweep is like."""
        return Notes(self.noted[-1], self.now + timedelta(hours=hours))


def hanging() -> None:
    """Take seconds, as an expression that backtracks does; a signal ends it."""
    re.fullmatch("(a|a)*b", "a" * 25)


def test_t07_what_begins_is_noted_before_it_does() -> None:
    notes, seen = Notes(), list[str]()
    notes.take("#1", lambda: seen.append(notes.noted[-1]))
    notes.take("#2", lambda: seen.append(notes.noted[-1]))
    assert seen == ["#1", "#2"]
    notes.turn.end()
    assert notes.noted == ["", "#1", "#2", ""]
    notes.turn.end()
    assert notes.noted == ["", "#1", "#2", ""]  # nothing is written twice


def test_a_quiet_sweep_notes_nothing() -> None:
    notes = Notes()
    notes.turn.end()
    assert notes.noted == [""]


def test_t07_what_a_sweep_was_killed_at_comes_last_and_is_done() -> None:
    """F01: a runner that dies is not the item's fault."""
    notes = Notes("#2")
    assert notes.turn.last(["#1", "#2", "#3", "#2"]) == [0, 2, 1, 3]
    assert [notes.take(name) for name in ("#1", "#2")] == [True, True]
    assert notes.done == ["#1", "#2"]
    notes.turn.end()
    assert notes.noted[-1] == ""
    assert notes.told == []


def test_t07_an_item_stops_one_sweep_at_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is killed; then an alarm ends what hangs, and it is left out for an hour. Red without the alarm."""
    monkeypatch.setattr(turns, "GUARDED", 0.2)
    second = Notes("#2")
    assert second.take("#2", hanging)
    assert second.take("#3")
    second.turn.end()
    assert second.told == [("#2", LEFT_OUT)]
    third = second.after(0.25)
    assert third.turn.last(["#2", "#1"]) == [1, 0]
    assert not third.take("#2", hanging)
    assert third.take("#1")
    assert third.told == [("#2", LEFT_OUT)]
    third.turn.end()
    fourth = third.after(2)
    assert fourth.take("#2", hanging)  # under an alarm again
    assert fourth.take("#1")
    fourth.turn.end()
    fifth = fourth.after(2)
    assert fifth.take("#2")
    fifth.turn.end()
    assert fifth.noted[-1] == ""


def test_t07_an_alarm_that_is_taken_for_a_failure_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "GUARDED", 0.1)
    monkeypatch.setattr(turns, "AGAIN", 0.1)

    def swallows() -> None:
        for _ in range(3):
            try:
                hanging()
            except Late:
                continue

    notes = Notes("#2")
    assert notes.take("#2", swallows)
    assert notes.told == [("#2", LEFT_OUT)]


def test_what_fails_under_an_alarm_fails_as_always() -> None:
    def fails() -> None:
        raise Down("no")

    notes = Notes("#2")
    with pytest.raises(Down, match="no"):
        notes.take("#2", fails)
    assert notes.take("#1")


def test_a_part_of_an_item_is_no_item() -> None:
    notes = Notes("#2")
    notes.take("#2", lambda: notes.take("#2"))
    assert notes.done == ["#2"]
    assert notes.noted == ["#2", "#2\n#2 20000101T0000"]


LINES = st.lists(
    st.sampled_from(["", "#1", "#2", "#1 20261201T0945", "#3 20991231T2359", "x" * 300, "# #", "\0é", " "])
)


@given(LINES.map("\n".join) | st.text())
def test_t07_whatever_is_noted_only_makes_items_wait(noted: str) -> None:
    """Anybody may have written the row: no more than `KEPT` items wait, for no longer than an hour from now."""
    for hours in (0.0, 30.0):
        notes = Notes(noted, NOW + timedelta(hours=hours))
        for name in ("#1", "#2", "#7"):
            assert notes.take(name) or (name, LEFT_OUT) in notes.told
        assert "#7" in notes.done or "#7" in noted
        notes.turn.end()
        assert all(len(each) <= COLUMN for each in notes.noted[1:])


OLD, NEW, AHEAD = (NOW - timedelta(days=2), NOW - timedelta(hours=1), NOW + timedelta(days=400))
TURNS = {
    "never": Swept(None, None),
    "tried and failed": Swept(None, NEW),
    "ended": Swept(OLD, OLD),
    "ended once, and tried since": Swept(OLD, NEW),
    "by a version that notes no attempts": Swept(NEW, None),
    "forged": Swept(None, AHEAD),
    "forged in part": Swept(OLD, AHEAD),
}
EARLIER = [
    ("never", "ended"),
    ("never", "tried and failed"),
    ("ended", "tried and failed"),
    ("ended", "ended once, and tried since"),
    ("ended", "by a version that notes no attempts"),
    ("forged", "ended"),
    ("forged in part", "tried and failed"),
]


@pytest.mark.parametrize(("first", "second"), EARLIER)
def test_t07_whoever_had_no_turn_for_longest_comes_first(first: str, second: str) -> None:
    """Also where that turn was cut short; a time that has not come yet is nobody's."""
    latest = NOW + TOLERATED
    assert _turn_of(TURNS[first], latest) < _turn_of(TURNS[second], latest)


def test_left_out_is_an_hour() -> None:
    assert [LEFT_OUT_FOR, "an hour" in LEFT_OUT] == [timedelta(hours=1), True]
    assert turns.KEPT * (turns.LONGEST + 15) + turns.LONGEST <= COLUMN
