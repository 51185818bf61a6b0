"""One run: event → plan → settle → carry out → outcome events.

A feature that fails never stops the others, and neither does one effect the next.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mattermod_action import events
from mattermod_action.effects import Comment, Enqueue, Ensure, Merge, Once, PostChat, Recheck, ReviewComment
from mattermod_action.errors import Down, Limited, Overtaken, Refused, Stopped
from mattermod_action.events import (
    OPENED,
    RESUMED,
    Awaited,
    CommandEnded,
    CommandGiven,
    IssueSeen,
    MergeConsidered,
    MergeEnded,
    Posted,
    PullRequestSeen,
    RunFailed,
    Tick,
)
from mattermod_action.hands import Ensurer, Hands, check_need
from mattermod_action.ledger import BASELINE, CONFIRMED, Ledger, Outcome
from mattermod_action.planning import Plan, follow_ups, make_plan
from mattermod_action.report import safe

if TYPE_CHECKING:
    from mattermod_action.config import Config
    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, Repository, Seen
    from mattermod_action.ports import Known, Unfinished
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
FOLLOWED_FOR = timedelta(minutes=5)  # a run begins nothing more of what follows its event after that
_Seen = (PullRequestSeen, IssueSeen)
_Resumed = (*_Seen, MergeConsidered)  # what a sweep comes back to


class Bot:
    """Carries out what the features wish for, in one world."""

    def __init__(self, config: Config, world: World, report: Report) -> None:
        self._config, self._world, self._report = config, world, report

    @cached_property
    def _ledger(self) -> Ledger[Once]:
        return Ledger(self._world.store, self._world.clock, uuid.uuid4().hex, Hands(self._world))

    @cached_property
    def _ensurer(self) -> Ensurer:
        return Ensurer(self._world)

    def run(self, event: Event) -> None:
        """Handle the event and what follows from it; what goes wrong is in the report, and in the chat, if any."""
        try:
            self.handle(event)
            self._follow(event)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  # becomes an exit code, after the chat was told
            self._report.problem(error)
        if self._report.errors:
            self._tell_chat(event.repository)

    def _tell_chat(self, repository: Repository) -> None:
        """It must not fail because of what it tells."""
        lines, now = tuple(self._report.errors), self._world.clock.now()
        try:
            self.handle(RunFailed(repository, lines, self._world.inputs.run_url, now))
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  # a warning, since the failure itself is red already
            self._report.problem(error, "chat", parked=True)

    def _follow(self, event: Event) -> None:
        """Handle, each by itself, what follows from the event, with what the event has changed in place."""
        todo = self._turned(follow_ups(event, self._config, self._world.facts))
        until = self._world.clock.now() + FOLLOWED_FOR
        for count, each in enumerate(todo):
            if self._world.clock.now() > until:
                self._report.row("sweep", f"{len(todo) - count} pull requests", "are left to the next sweep")
                return
            self._alone(each)

    def rehearse(self, event: Event) -> None:
        """Plan on the event and on what follows from it, and do nothing."""
        first = self._rehearsed(event)
        then = [self._rehearsed(each) for each in follow_ups(event, self._config, self._world.facts)]
        self._report.plan = {**first, **({"then": then} if then else {})}

    def _rehearsed(self, event: Event) -> dict[str, Any]:
        plan = self.plan(event)
        for effect in plan.effects:
            self._report.row(effect.feature, effect.cause, f"would {said(effect, done=True)}")
        return plan.as_json(event)

    def _turned(self, todo: list[Event]) -> list[Event]:
        """Begin with another one each minute, so that no sweep that runs out of time leaves the same ones behind."""
        start = int(self._world.clock.now().timestamp() // 60) % len(todo) if todo else 0
        return todo[start:] + todo[:start]

    def _alone(self, event: Event) -> None:
        try:
            self.handle(event)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  # one pull request's failure never stops the next
            self._report.problem(error, type(event).__name__)

    def handle(self, event: Event, depth: int = 0) -> Plan:
        """Plan on `event`, carry the plan out, and plan on what came of it. Raises Down when state is unknown."""
        if isinstance(event, Tick):
            self._resume(event)
        event, plan = self._believe(event)
        self._park(event, plan)
        if not plan.effects:
            return plan
        event, plan, known = self._compare(event, plan)
        due = self._due(event, plan, known)
        outcomes: list[Event | None] = [self._carry_out(effect, event, known, plan) for effect in due]
        if isinstance(event, CommandGiven):
            over = [each for each in plan.accepted if each not in plan.unfinished]
            outcomes += [CommandEnded(event, each, tuple(plan.accepted[each])) for each in over]
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
        for feature, reason in plan.skipped:
            if feature in plan.silent and feature not in dict(plan.errors):
                self._report.row(feature, "could not be checked", safe(reason))
        if self._report.plan is None:
            self._report.plan, self._report.idle = plan.as_json(event), plan.why_not()
        return plan

    def _park(self, event: Event, plan: Plan) -> None:
        """What could not be checked is left to the sweep, or to whoever starts the run once more."""
        bugs = dict(plan.errors)
        event = event.event if isinstance(event, Awaited) else event
        for name, reason in plan.skipped if not isinstance(event, CommandGiven) else ():
            if name not in plan.silent or name in bugs:
                continue
            if isinstance(event, _Seen) and self._world.durable:
                self._ledger.park(Recheck(subject=event.subject, feature=name, once=("recheck",), cause="unchecked"))
            else:
                self._report.problem(Down(f"{name}: {reason}"))

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
        keys = [effect.key for effect in plan.effects if isinstance(effect, Once)]
        return self._world.store.look(plan.effects[0].subject, keys)

    def _due(self, event: Event, plan: Plan, known: Known) -> list[Effect]:
        """Put what was there before us into the baseline, remember the snapshot, and return the rest."""
        if not plan.effects:
            return []
        store = self._world.store
        old = [each for each in plan.effects if isinstance(each, Once) and self._is_old(event, each, known)]
        due = [effect for effect in plan.effects if effect not in old and not _is_past(event, effect, known)]
        if isinstance(event, _Seen):
            if old:
                store.note(old, BASELINE, event.subject.updated_at)
                for effect in old:
                    self._report.row(effect.feature, effect.cause, RESULTS[BASELINE])
            if known.seen_at is None or event.subject.updated_at >= known.seen_at:
                store.remember(event.subject)
        if isinstance(event, PullRequestSeen) and event.action == OPENED and self._is_untouched(known):
            self._ensurer.new_commit(event.repository, event.subject.sha)
        return due if store.durable else self._without_posted(due, known)

    def _is_untouched(self, known: Known) -> bool:
        """Whether no run of ours was here: none in the store, nor an earlier attempt whose store is lost."""
        return not known.seen_at and self._world.first_attempt

    def _is_old(self, event: Event, effect: Once, known: Known) -> bool:
        return not known.seen_at and not self._asked_at(event, effect)

    def _without_posted(self, due: list[Effect], known: Known) -> list[Effect]:
        """The embedded store may have been lost with its runner: believe the markers on GitHub as well.

        The chat has none: a run that is started once more says nothing there.
        """
        unknown = [effect for effect in due if isinstance(effect, Comment) and effect.key not in known.entries]
        kinds = {isinstance(effect, ReviewComment) for effect in unknown}
        found = [self._world.github.markers(unknown[0].subject, on_lines=kind) for kind in sorted(kinds)]
        markers = {marker: url for each in found for marker, url in each.items()}
        posted = [effect for effect in unknown if effect.marker in markers]
        for effect in posted:
            self._world.store.note([effect], CONFIRMED, effect.subject.updated_at, markers[effect.marker])
            self._tell(effect, Outcome("known", markers[effect.marker]))
        said = [] if self._world.first_attempt else [each for each in due if isinstance(each, PostChat)]
        return [effect for effect in due if effect not in (*posted, *said)]

    def _asked_at(self, event: Event, effect: Once) -> datetime | None:
        """When this very event asked for `effect`; None when the effect only follows from what is there."""
        if self._config.backfill or not isinstance(event, _Seen):
            return datetime.min  # noqa: DTZ901  # naive UTC, as everywhere
        return event.at if event.is_news(effect.cause) else None

    def _carry_out(self, effect: Effect, event: Event, known: Known, plan: Plan) -> Event | None:
        try:
            if effect.need and not (isinstance(effect, Once) and _is_done(known, effect)):
                check_need(self._world, effect.subject.repository, effect.need)
            if isinstance(effect, Ensure):
                self._ensure(effect)
                return effect.then
            outcome = self._ledger.carry_out(effect, known.entries.get(effect.key), self._asked_at(event, effect))
        except Stopped:
            raise
        except Refused as refusal:
            self._refuse(effect, refusal, plan)
            return _no_merge(effect, refusal)
        except Exception as error:  # noqa: BLE001  # one effect's failure never stops the next
            self._fail(effect, error, event, plan)
            return None
        self._tell(effect, outcome)
        return _came_of(effect, outcome)

    def _ensure(self, effect: Ensure) -> None:
        """Say what was written, or that there was nothing to write."""
        changed = self._ensurer.ensure(effect)
        self._report.row(effect.feature, effect.cause, said(effect, done=changed))

    def _fail(self, effect: Effect, error: Exception, event: Event, plan: Plan) -> None:
        """What a sweep goes on with may wait for it; everything else has to be started once more, and is red."""
        resumes = self._world.store.durable and isinstance(effect, Once) and isinstance(event, _Resumed)
        expendable = isinstance(effect, Once) and effect.expendable
        parked = expendable or (isinstance(error, Limited) and resumes)
        plan.silent.add(effect.feature)
        if effect.command:
            plan.unfinished.add(effect.command)
        self._report.row(effect.feature, effect.cause, "parked" if parked and not expendable else "failed")
        self._report.problem(error, effect.feature, parked=parked)

    def _refuse(self, effect: Effect, refusal: Refused, plan: Plan) -> None:
        """GitHub's no to a command is told to whoever gave it, everybody else finds it in the report."""
        self._report.row(effect.feature, effect.cause, "refused")
        if effect.command:
            plan.accepted[effect.command].append(str(refusal))
        else:
            self._report.problem(refusal, effect.feature)

    def _tell(self, effect: Once, outcome: Outcome) -> None:
        if not isinstance(effect, Comment):
            self._report.row(effect.feature, effect.cause, said(effect, done=outcome.what == "posted"))
            return
        if outcome.what in ("posted", "found"):
            self._report.comments.append(outcome.url)
        self._report.row(effect.feature, effect.cause, RESULTS[outcome.what], outcome.url)


def said(effect: Effect, *, done: bool) -> str:
    """Name an effect that has no page of its own: `add labels a, b`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(effect).__name__).lower()
    details = [getattr(effect, name, ()) for name in ("labels", "label", "context", "state", "content", "teams")]
    flat = [text for each in details for text in (each if isinstance(each, tuple) else (each,)) if text]
    return f"{words} {', '.join(flat)}".strip() + ("" if done else ": so already")


def _came_of(effect: Once, outcome: Outcome) -> Event | None:
    """What a run has done is an event of its own; what an earlier one has done was."""
    if outcome.what not in ("posted", "found"):
        return None
    match effect:
        case Merge():
            return MergeEnded(effect.subject, effect.sha, isinstance(effect, Enqueue))
        case Comment():
            return Posted(effect.subject, effect.feature, outcome.url)
    return None


def _no_merge(effect: Effect, refusal: Refused) -> MergeEnded | None:
    """GitHub's no to a merge is told; what has only changed meanwhile is looked at again."""
    if not isinstance(effect, Merge) or isinstance(refusal, Overtaken):
        return None
    return MergeEnded(effect.subject, effect.sha, isinstance(effect, Enqueue), str(refusal))


def _is_past(event: Event, effect: Effect, known: Known) -> bool:
    """What only one moment of an item calls for is gone on with where it has a row, and not begun by a sweep."""
    resumed = isinstance(event, _Seen) and event.action == RESUMED
    return resumed and events.is_momentary(effect.cause) and effect.key not in known.entries


def _is_done(known: Known, effect: Once) -> bool:
    entry = known.entries.get(effect.key)
    return entry is not None and entry.state == CONFIRMED
