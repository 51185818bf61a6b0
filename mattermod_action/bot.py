"""One run: event → plan → settle → carry out → outcome events.

A feature that fails never stops the others, and neither does one effect the next.
"""

from __future__ import annotations

import importlib
import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mattermod_action import events
from mattermod_action.effects import settle
from mattermod_action.errors import FactUnavailable, Limited, Stopped
from mattermod_action.events import RESUMED, IssueSeen, Posted, PullRequestSeen, Tick
from mattermod_action.features import FEATURES
from mattermod_action.ledger import BASELINE, CONFIRMED, Ledger, Outcome

if TYPE_CHECKING:
    from mattermod_action.config import Config
    from mattermod_action.effects import Comment, Effect
    from mattermod_action.events import Event, Repository, Seen, Subject
    from mattermod_action.ports import Facts, Known, Unfinished
    from mattermod_action.report import Report
    from mattermod_action.world import World

DEPTH = 5  # how deep outcomes may cause effects that have outcomes
RESULTS = {
    "posted": "comment posted",
    "found": "comment found, posted by a run that died",
    "known": "nothing new, the comment is there",
    "baseline": "nothing, it was there before this action was",
    "dropped": "nothing, it is not called for any more",
}
RESUMED_AT_ONCE = 100  # ledger rows that one sweep goes on with
_Seen = (PullRequestSeen, IssueSeen)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the features wish for, and which could not say: (feature, reason)."""

    effects: list[Effect]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)  # the features that could not say what they wish for

    def may_call_for(self, row: Unfinished) -> bool:
        return row.feature in self.silent or row.key in {effect.key for effect in self.effects}

    def as_json(self, event: Event) -> dict[str, Any]:
        return {
            "event": _described(event),
            "effects": [{**_described(effect, "effect"), "key": effect.key} for effect in self.effects],
            "skipped": [{"feature": feature, "reason": reason} for feature, reason in self.skipped],
        }


def make_plan(event: Event, config: Config, facts: Facts) -> Plan:
    """Ask every configured feature what it wishes for. Reads only; never writes."""
    wishes: list[tuple[str, Effect]] = []
    plan = Plan([])
    for name in FEATURES:
        section = getattr(config, name)
        if section is None:
            plan.skipped.append((name, "not configured"))
            continue
        try:
            wishes += [(name, effect) for effect in _feature(name).plan(event, section, facts)]
        except FactUnavailable as error:
            plan.silent.add(name)
            plan.skipped.append((name, str(error)))
        except Exception as error:  # noqa: BLE001  # a feature's bug is reported, and the others go on
            plan.silent.add(name)
            plan.skipped.append((name, f"failed: {type(error).__name__}"))
            plan.errors.append((name, error))
    plan.effects.extend(settle(wishes))
    return plan


class CommentHands:
    """How a comment is posted, and found again by its marker."""

    def __init__(self, world: World) -> None:
        self._world = world

    def do(self, effect: Comment) -> str:
        return self._world.github.comment(effect.subject, effect.body)

    def find(self, subject: Subject, marker: str, since: datetime) -> str | None:
        return self._world.github.markers(subject, since).get(marker)


class Bot:
    """Carries out what the features wish for, in one world."""

    def __init__(self, config: Config, world: World, report: Report) -> None:
        self._config, self._world, self._report = config, world, report

    @cached_property
    def _ledger(self) -> Ledger[Comment]:
        return Ledger(self._world.store, self._world.clock, uuid.uuid4().hex, CommentHands(self._world))

    def handle(self, event: Event, depth: int = 0) -> Plan:
        """Plan on `event`, carry the plan out, and plan on what came of it. Raises Down when state is unknown."""
        if isinstance(event, Tick):
            self._resume(event)
        event, plan = self._believe(event)
        if not plan.effects:
            return plan
        event, plan, known = self._compare(event, plan)
        outcomes = [self._carry_out(effect, event, known) for effect in self._due(event, plan, known)]
        for outcome in outcomes:
            if outcome and depth < DEPTH:
                self.handle(outcome, depth + 1)
        return plan

    def _resume(self, tick: Tick) -> None:
        """Go on with what earlier runs left half-way, one item after the other, as it is now."""
        rows = self._world.store.unfinished(tick.repository, RESUMED_AT_ONCE)
        for (repository_id, number), group in groupby(rows, lambda row: (row.repository_id, row.number)):
            repository = replace(tick.repository, id=repository_id)
            try:
                self._resume_item(repository, number, list(group))
            except Stopped:
                raise
            except Exception as error:  # noqa: BLE001  # one item's failure never stops the next
                self._report.row("sweep", f"#{number}", "failed")
                self._report.problem(error, f"#{number}")
        if len(rows) == RESUMED_AT_ONCE:
            self._report.row("sweep", "the rest", "is left to the next sweep")

    def _resume_item(self, repository: Repository, number: int, rows: list[Unfinished]) -> None:
        subject = self._world.github.item(repository, number)
        plan = self.handle(events.resumed(subject)) if subject else Plan([])
        for row in rows:
            if not plan.may_call_for(row):
                outcome = self._ledger.drop(row, subject)
                self._report.row(row.feature, row.cause, RESULTS[outcome.what], outcome.url)

    def plan(self, event: Event) -> Plan:
        plan = make_plan(event, self._config, self._world.facts)
        for feature, error in plan.errors:
            self._report.problem(error, feature)
        self._report.plan = self._report.plan or plan.as_json(event)
        return plan

    def _believe(self, event: Event) -> tuple[Event, Plan]:
        """A re-run may come weeks later, so what its payload says is not believed."""
        if isinstance(event, _Seen) and event.action != RESUMED and not self._world.first_attempt:
            return self._live(event)
        return event, self.plan(event)

    def _compare(self, event: Event, plan: Plan) -> tuple[Event, Plan, Known]:
        """Read the row; when it is newer than the payload, what GitHub holds now is planned on instead."""
        known = self._look(plan)
        if not (isinstance(event, _Seen) and known.seen_at and event.subject.updated_at < known.seen_at):
            return event, plan, known
        event, plan = self._live(event)
        return event, plan, self._look(plan) if plan.effects else known

    def _live(self, event: Seen) -> tuple[Event, Plan]:
        subject = self._world.github.subject(event.subject)
        if subject is None:
            self._report.row("events", f"#{event.subject.number}", "is gone: nothing to do")
            return event, Plan([])
        event = events.with_subject(event, subject)
        return event, self.plan(event)

    def _look(self, plan: Plan) -> Known:
        return self._world.store.look(plan.effects[0].subject, [effect.key for effect in plan.effects])

    def _due(self, event: Event, plan: Plan, known: Known) -> list[Comment]:
        """Put what was there before us into the baseline, remember the snapshot, and return the rest."""
        if not plan.effects:
            return []
        due = [effect for effect in plan.effects if known.seen_at or self._asked_at(event, effect)]
        store = self._world.store
        if isinstance(event, _Seen):
            if old := [effect for effect in plan.effects if effect not in due]:
                store.note(old, BASELINE, event.subject.updated_at)
            if known.seen_at is None or event.subject.updated_at >= known.seen_at:
                store.remember(event.subject)
        return due if store.durable else self._without_posted(due, known)

    def _without_posted(self, due: list[Comment], known: Known) -> list[Comment]:
        """The embedded store may have been lost with its runner: believe the markers on GitHub as well."""
        unknown = [effect for effect in due if effect.key not in known.entries]
        markers = self._world.github.markers(unknown[0].subject) if unknown else {}
        posted = [effect for effect in unknown if effect.marker in markers]
        for effect in posted:
            self._world.store.note([effect], CONFIRMED, effect.subject.updated_at, markers[effect.marker])
            self._tell(effect, Outcome("known", markers[effect.marker]))
        return [effect for effect in due if effect not in posted]

    def _asked_at(self, event: Event, effect: Comment) -> datetime | None:
        """When this very event asked for `effect`; None when the effect only follows from what is there."""
        if self._config.backfill or not isinstance(event, _Seen):
            return datetime.min  # noqa: DTZ901  # naive UTC, as everywhere
        return event.at if event.is_news(effect.cause) else None

    def _carry_out(self, effect: Comment, event: Event, known: Known) -> Posted | None:
        entry = known.entries.get(effect.key)
        try:
            outcome = self._ledger.carry_out(effect, entry, self._asked_at(event, effect))
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  # one effect's failure never stops the next
            parked = isinstance(error, Limited) and self._world.store.durable
            self._report.row(effect.feature, effect.cause, "parked" if parked else "failed")
            self._report.problem(error, effect.feature, parked=parked)
            return None
        self._tell(effect, outcome)
        done = outcome.what in ("posted", "found")
        return Posted(effect.subject, effect.feature, outcome.url) if done else None

    def _tell(self, effect: Comment, outcome: Outcome) -> None:
        if outcome.what in ("posted", "found"):
            self._report.comments.append(outcome.url)
        self._report.row(effect.feature, effect.cause, RESULTS[outcome.what], outcome.url)


def _feature(name: str) -> Any:
    return importlib.import_module(f"mattermod_action.features.{name}")


def _described(thing: Any, name: str = "event") -> dict[str, Any]:
    """A frozen record as JSON: its class name under `name`, and its fields."""
    return {name: type(thing).__name__, **json.loads(json.dumps(asdict(thing), default=str))}
