"""One run: its event, what earlier runs left half-way, what follows from the event, and what the chat hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zlib import crc32

from mattermod_action import events
from mattermod_action.bot import RESULTS, Bot, said
from mattermod_action.errors import Limited
from mattermod_action.events import Awaited, GrownOld, RunFailed, Tick
from mattermod_action.features import FEATURES
from mattermod_action.inputs import PARTS
from mattermod_action.planning import Plan, follow_ups
from mattermod_action.sweeping import Scope, Sweep
from mattermod_action.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mattermod_action.config import Config
    from mattermod_action.events import Event, Repository, Subject
    from mattermod_action.ports import Unfinished
    from mattermod_action.report import Report
    from mattermod_action.world import World

RESUMED_AT_ONCE = 100  # ledger rows that one sweep goes on with
OLD_AT_ONCE = 100  # items that may have grown old, and are looked at by one sweep, in one query
FOLLOWED_FOR = timedelta(minutes=5)  # a run begins nothing more of what follows its event after that
TOLD_FOR = 90 * 86_400.0  # seconds for which a pick is in the table of its branch
SERVERS_TOLD = 200  # rows of test servers that are read for a table
FOLLOWED_AT_LEAST = timedelta(seconds=60)  # also where the repository's share is over
IN_ORDER_FOR = FOLLOWED_FOR / 2  # then it begins with another one each minute


def wanted(config: Config, world: World, *, in_sweep: bool = True) -> Config:
    """Leave out what other runs see to: parts of a sweep that were not asked for, and test servers without a region."""
    off = {part.replace("-", "_") for part in PARTS if in_sweep and not world.sweeps(part)} & {*FEATURES}
    if not world.inputs.aws_region:
        off.add("spinmint")
    return config.model_copy(update=dict.fromkeys(off))


class Run:
    """What is done about one event, in one world."""

    def __init__(self, config: Config, world: World, report: Report) -> None:
        self.config, self.world, self._report = config, world, report
        self.bot = Bot(config, world, report)
        self.turn = Turn("", world.clock.now(), _nowhere, _nowhere)
        self.until = datetime.max  # noqa: DTZ901  # naive UTC, as everywhere

    def go(self, event: Event) -> None:
        """Handle the event and what follows from it; what goes wrong is in the report, and in the chat, if any."""
        self.alone(lambda: self._handle(event))
        for row, why in self.world.odd_rows.items():
            self._report.row("database", row, f"is left out: {why}")
        if self._report.errors:
            self._tell_chat(event.repository)

    def rehearse(self, event: Event) -> None:
        """Plan on the event and on what follows from it, and do nothing."""
        first, then = self.rehearsed(event), [self.rehearsed(each) for each in self._followed(event)]
        if isinstance(event, Tick) and self.world.durable:
            news = self._new_sweep().foresee(event.repository, self.config)
            then += [run.rehearsed(each) for run, each in news]
        self._report.plan = {**first, **({"then": then} if then else {})}

    def rehearsed(self, event: Event) -> dict[str, Any]:
        plan = self.bot.plan(event)
        for effect in plan.effects:
            self._report.row(effect.feature, effect.cause, f"would {said(effect, done=True)}")
        return plan.as_json(event)

    def _handle(self, event: Event) -> None:
        if not isinstance(event, Tick):
            self.bot.handle(event)
            self._follow(event)
        elif self.world.durable:
            self._sweep(event)
        else:
            self.tick(event)

    def _new_sweep(self) -> Sweep:
        asked = self.config.sweep
        scope = Scope(patterns=asked.repositories, shard=self.world.inputs.shard, reserve=asked.reserve)
        return Sweep(self.world, scope, lambda config: Run(wanted(config, self.world), self.world, self._report))

    def _sweep(self, tick: Tick) -> None:
        sweep = self._new_sweep()
        calls = self.world.calls
        for name, act in sweep.go(tick.repository, self.config):
            rest, queries = calls.rest, calls.queries
            if not self.alone(act, name):
                self._report.row("sweep", name, "failed")
            sweep.tallies[-1].rest, sweep.tallies[-1].queries = calls.rest - rest, calls.queries - queries
        for tally in sweep.tallies:
            tally.last = self.world.last_swept.get(tally.repository.casefold())
        if sweep.limit:
            self._report.problem(sweep.limit, parked=True)
        self._report.swept(sweep.tallies, self.world.clock.now())

    def tick(self, tick: Tick, due: Sequence[Event] = ()) -> None:
        """Go on with what was left half-way, and with what is looked at again and again; `due` was found just now."""
        if self.world.sweeps("resume"):
            self._resume(tick)
        self.turn.take("Tick", lambda: self.bot.handle(tick))
        self._follow(tick, due)
        self._follow(Awaited(tick))  # what there is time for, once everything was looked at
        self.alone(lambda: self._tell_standing(tick.repository), "summary", parked=True)

    def leave_out(self, repository: Repository, what: str, why: str) -> None:
        self._report.row("sweep", f"{repository.full_name} {what}", why)

    def _tell_standing(self, repository: Repository) -> None:
        """From the store alone."""
        config: Any = self.config
        standings = self.world.store.pick_standings(repository, TOLD_FOR) if config.cherry_pick else []
        servers = self.world.store.due_servers(repository, SERVERS_TOLD) if config.spinmint else []
        self._report.stands(repository, standings, [row for row in servers if row.live])

    def _resume(self, tick: Tick) -> None:
        """Go on with what earlier runs left half-way, one item after the other, as it is now."""
        rows = self.world.store.unfinished(tick.repository, RESUMED_AT_ONCE)
        for (repository_id, number), group in groupby(rows, lambda row: (row.repository_id, row.number)):
            repository, mine = replace(tick.repository, id=repository_id), list(group)
            if self.world.clock.now() > self.until:
                self._report.row("sweep", f"what was left of #{number} and others", "is left to the next sweep")
                return
            self.turn.take(f"#{number}", partial(self._resume_alone, repository, number, mine))
        if len(rows) == RESUMED_AT_ONCE:
            self._report.row("sweep", "the rest", "is left to the next sweep")

    def _resume_alone(self, repository: Repository, number: int, rows: list[Unfinished]) -> None:
        if not self.alone(partial(self._resume_item, repository, number, rows), f"#{number}", again=True):
            self._report.row("sweep", f"#{number}", "failed")

    def _resume_item(self, repository: Repository, number: int, rows: list[Unfinished]) -> None:
        subject = self.world.github.item(repository, number)
        plan = self.bot.handle(events.resumed(subject)) if subject else Plan([])
        for row in rows:
            if not plan.may_call_for(row):
                outcome = self.bot.ledger.drop(row, subject)
                self._report.row(row.feature, row.cause, RESULTS[outcome.what], outcome.url)

    def _follow(self, event: Event, due: Sequence[Event] = ()) -> None:
        """Handle, each by itself, what follows from the event, with what the event has changed in place.

        First in the order in which features want it; but those that are first every time may take long every time, and
        fail, so half of the time is for the others.
        """
        began, todo, again = self.world.clock.now(), [*self._followed(event), *self._gathered(due)], _is_swept(event)
        todo = [todo[at] for at in self.turn.last([_named(each) for each in todo])]
        least = max(self.until, began + FOLLOWED_AT_LEAST)
        if left := self._handle_some(todo, min(began + IN_ORDER_FOR, least), again=again):
            left = self._handle_some(self.turned(left), min(began + FOLLOWED_FOR, least), again=again)
        if left:
            self._report.row("sweep", f"{len(left)} of its items", "are left to the next sweep")

    def _handle_some(self, todo: Sequence[Event], until: datetime, *, again: bool) -> Sequence[Event]:
        """Begin nothing more after that time, and return what is left."""
        for count, each in enumerate(todo):
            if self.world.clock.now() > until:
                return todo[count:]
            act = partial(self.alone, partial(self.bot.handle, each), type(each).__name__, again=again)
            self.turn.take(_named(each), act)
        return ()

    def _gathered(self, due: Sequence[Event]) -> list[Event]:
        """Make one of all that may have grown old, and say what of it is left."""
        old = [event for event in due if isinstance(event, GrownOld)]
        rest: list[Event] = [event for event in due if not isinstance(event, GrownOld)]
        if not old:
            return rest
        first = self._any([each for event in old for each in event.subjects])
        subjects = (*first, *self._any([each for event in old for each in event.others]))
        if left := len(subjects[OLD_AT_ONCE:]):
            self._report.row("sweep", f"{left} old items", "are left to the next sweep")
        return [*rest, GrownOld(old[0].repository, subjects[:OLD_AT_ONCE])]

    def _any(self, items: list[Subject]) -> list[Subject]:
        """Of more than one sweep looks at, begin with any, so that each has its turn; time alone may step in rhythm."""
        if len(items) <= OLD_AT_ONCE:
            return items
        start = crc32(str(self.world.clock.now()).encode()) % len(items)
        return items[start:] + items[:start]

    def _followed(self, event: Event) -> list[Event]:
        found, errors = follow_ups(event, self.config, self.world.facts)
        for name, error in errors:
            self._report.problem(error, name, parked=_is_swept(event) and self._is_left(error))
        return found

    def turned(self, todo: Sequence[Event]) -> Sequence[Event]:
        """Begin with another one each minute, so that no sweep that runs out of time leaves the same ones behind."""
        start = int(self.world.clock.now().timestamp() // 60) % len(todo)
        return [*todo[start:], *todo[:start]]

    def _tell_chat(self, repository: Repository) -> None:
        """What fails in it is a warning, since the failure itself is red already."""
        failed = RunFailed(repository, tuple(self._report.errors), self.world.inputs.run_url, self.world.clock.now())
        self.alone(lambda: self.bot.handle(failed), "chat", parked=True)

    def _is_left(self, error: Exception) -> bool:
        """Whether a later sweep does what could not be done."""
        return self.world.durable and isinstance(error, Limited)

    def alone(self, act: Callable[[], object], where: str = "", *, parked: bool = False, again: bool = False) -> bool:
        """Do it, and have what goes wrong in the report, so that the next goes on; say whether all went well.

        What is done `again` by the next sweep may wait for it, when GitHub's rate limit stops this one.
        """
        try:
            act()
        except Exception as error:  # noqa: BLE001  # one thing's failure never stops the next
            self._report.problem(error, where, parked=parked or (again and self._is_left(error)))
            return False
        return True


def _nowhere(*_: object) -> None:
    """Nothing is noted of what only happens once."""


def _named(event: Event) -> str:
    """What is busy when it is: all that is about one item is one."""
    about = event.event if isinstance(event, Awaited) else event
    subject = getattr(about, "subject", None)
    return f"#{subject.number}" if subject else type(about).__name__


def _is_swept(event: Event) -> bool:
    return isinstance(event.event if isinstance(event, Awaited) else event, Tick)
