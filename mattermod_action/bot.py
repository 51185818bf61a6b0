"""One event: plan → settle → carry out → outcome events.

A feature that fails never stops the others, and neither does one effect the next.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mattermod_action import events
from mattermod_action.effects import (
    AddLabels,
    Comment,
    Ensure,
    KeptComment,
    Once,
    OnServer,
    Pick,
    PostChat,
    Reap,
    Recheck,
    RemoveLabel,
    ReviewComment,
    SetStatus,
)
from mattermod_action.errors import Down, Limited, Overtaken, Refused
from mattermod_action.events import (
    OPENED,
    RESUMED,
    Awaited,
    CommandGiven,
    CommandsEnded,
    Ended,
    GrownOld,
    HeadMade,
    IssueSeen,
    LabelsMade,
    MergeConsidered,
    PickEnded,
    PullRequest,
    PullRequestSeen,
    ServerChanged,
)
from mattermod_action.features import GATES
from mattermod_action.hands import Ensurer, Hands, check_need
from mattermod_action.ledger import BASELINE, CONFIRMED, Ledger, Outcome
from mattermod_action.lines import safe
from mattermod_action.planning import Plan, make_plan

if TYPE_CHECKING:
    from mattermod_action.config import Config
    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, Seen, Subject
    from mattermod_action.ports import Known
    from mattermod_action.report import Report
    from mattermod_action.world import World

ARRIVES = (0.5, 1.0, 2.0, 4.0)  # seconds between looks for a head that GitHub is making
DEPTH = 5  # how deep outcomes may cause effects that have outcomes
RESULTS = {
    "posted": "comment posted",
    "found": "comment found, posted by a run that died",
    "edited": "comment brought up to date",
    "doubled": "comment posted by another run at the same time, ours is deleted",
    "unchecked": "comment posted; another run may have posted it, too",
    "known": "nothing new, the comment is there",
    "baseline": "nothing, it was there before this action was",
    "dropped": "nothing, it is not called for any more",
}
_Seen = (PullRequestSeen, IssueSeen)
_Resumed = (*_Seen, MergeConsidered, PickEnded, ServerChanged)  # what a sweep comes back to


class Bot:
    """Carries out what the features wish for, in one world."""

    def __init__(self, config: Config, world: World, report: Report) -> None:
        self._config, self._world, self._report = config, world, report
        self._relabeled: dict[int, LabelsMade] = {}  # by the plan that is carried out, and by number

    @cached_property
    def _hands(self) -> Hands:
        return Hands(self._world)

    @cached_property
    def ledger(self) -> Ledger[Once]:
        return Ledger(self._world.store, self._world.clock, uuid.uuid4().hex, self._hands)

    @cached_property
    def _ensurer(self) -> Ensurer:
        return Ensurer(self._world)

    def handle(self, event: Event, depth: int = 0) -> Plan:
        """Plan on `event`, carry the plan out, and plan on what came of it. Raises Down when state is unknown."""
        self._world.aliases = self._config.commands.aliases
        event, plan = self._believe(event)
        self._ensurer.look_anew()
        self._park(event, plan)
        if not plan.effects:
            return plan
        event, plan, known = self._compare(event, plan)
        due = self._due(event, plan, known)
        outcomes: list[Event | None] = [self._carry_out(effect, event, known, plan) for effect in due]
        self._settle([effect for effect in due if isinstance(effect, Once)], event, plan)
        if isinstance(event, CommandGiven):
            outcomes.append(_ended(event, plan))
        outcomes += self._relabeled.values()
        self._relabeled = {}
        for outcome in outcomes:
            if outcome and depth < DEPTH:
                plan.failures.extend(self.handle(outcome, depth + 1).failures)
        return plan

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
        event = event.event if isinstance(event, Awaited) else event
        for name, reason in plan.unchecked:
            if isinstance(event, _Seen) and self._world.durable:
                self.ledger.park(Recheck(subject=event.subject, feature=name, once=("recheck",), cause="unchecked"))
            else:
                self._report.problem(Down(f"{name}: {reason}"))

    def _believe(self, event: Event) -> tuple[Event, Plan]:
        """A re-run may come weeks later, so what its payload says is not believed."""
        if isinstance(event, HeadMade):
            return self._arrived(event)
        if isinstance(event, _Seen) and not event.missed and event.action != RESUMED and not self._world.first_attempt:
            return self._live(event)
        return event, self.plan(event)

    def _arrived(self, made: HeadMade) -> tuple[Event, Plan]:
        """Plan on the head that this run has made, as on a push, since GITHUB_TOKEN's pushes are no events."""
        reason = "the new head of the branch is not there yet"
        try:
            pull = self._new_head(made)
        except Down as error:
            pull, reason = made.subject, str(error)
        if pull is None:
            return made, Plan([])
        event = PullRequestSeen("synchronize", None, pull.updated_at, pull, sha=pull.sha)
        if pull.sha == made.sha:
            on = [name for name in GATES if getattr(self._config, name) is not None]
            return event, Plan([], unchecked=[(name, reason) for name in on])
        self._ensurer.new_commit(made.repository, pull.sha)
        return event, self.plan(event)

    def _new_head(self, made: HeadMade) -> PullRequest | None:
        """GitHub makes it after its answer, which is 202.

        https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch
        """
        pull = self._world.github.pull(made.repository, made.subject.number)
        for pause in ARRIVES:
            if pull is None or pull.sha != made.sha:
                break
            self._world.clock.sleep(pause)
            pull = self._world.github.pull(made.repository, made.subject.number)
        return pull

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
        """Put what was there before us into the baseline, remember the snapshot, and return the rest.

        What a sweep has found is remembered by it, once it is done: a run that dies before that leaves it to be found.
        """
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
            if not event.missed and (known.seen_at is None or event.subject.updated_at >= known.seen_at):
                self._remember(event.subject)
        if isinstance(event, PullRequestSeen) and event.action == OPENED and self._is_untouched(event, known):
            self._ensurer.new_commit(event.repository, event.subject.sha)
        return due if store.durable else self._without_posted(due, known)

    def _remember(self, subject: Subject) -> None:
        """What the database cannot keep is said, and stops nothing."""
        try:
            self._world.store.remember(subject)
        except Refused as refusal:
            self._report.problem(refusal)

    def _is_untouched(self, event: Seen, known: Known) -> bool:
        """Whether no run of ours was here: none in the store, nor a sweep, nor an attempt whose store is lost."""
        return not known.seen_at and not event.missed and self._world.first_attempt

    def _is_old(self, event: Event, effect: Once, known: Known) -> bool:
        return not known.seen_at and not self._asked_at(event, effect)

    def _without_posted(self, due: list[Effect], known: Known) -> list[Effect]:
        """The embedded store may have been lost with its runner: believe the markers on GitHub as well.

        The chat has none: a run that is started once more says nothing there.
        """
        unknown = [effect for effect in due if isinstance(effect, Comment) and effect.key not in known.entries]
        kinds = {isinstance(effect, ReviewComment) for effect in unknown}
        found = [self._world.github.markers(unknown[0].subject, on_lines=kind) for kind in sorted(kinds)]
        markers = {marker: comments for each in found for marker, comments in each.items()}
        posted = [effect for effect in unknown if effect.marker in markers]
        for effect in posted:
            there, on_lines = markers[effect.marker], isinstance(effect, ReviewComment)
            self._hands.delete_copies(effect.subject, there, on_lines=on_lines)
            self._world.store.note([effect], CONFIRMED, effect.subject.updated_at, there[0].url)
            self._tell(effect, Outcome("known", there[0].url))
        told = [] if self._world.first_attempt else [each for each in due if isinstance(each, PostChat)]
        # A kept comment may have to say something else.
        over = [effect for effect in posted if not isinstance(effect, KeptComment)]
        return [effect for effect in due if effect not in (*over, *told)]

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
                return self._ensured(effect, event, plan)
            outcome = self.ledger.carry_out(effect, known.entries.get(effect.key), self._asked_at(event, effect))
            if isinstance(effect, KeptComment) and self.ledger.fresh(effect):
                outcome = self.ledger.settle(effect)[effect.key]  # what is kept has to be the one that stays
        except Refused as refusal:
            self._refuse(effect, refusal, plan)
            return None if isinstance(refusal, Overtaken) else effect.ended("", done=False, reason=str(refusal))
        except Exception as error:  # noqa: BLE001  # one effect's failure never stops the next
            self._fail(effect, error, event, plan)
            return None
        if isinstance(effect, KeptComment):
            changed = self._hands.keep(effect, outcome, is_all=effect.feature not in plan.silent)
            outcome = Outcome("edited", outcome.url) if changed else outcome
        if not self.ledger.fresh(effect):
            self._tell(effect, outcome)
        if outcome.what == BASELINE:
            return None
        return effect.ended(outcome.url, done=outcome.what in ("posted", "found"))

    def _settle(self, effects: list[Once], event: Event, plan: Plan) -> None:
        """Without a shared database: see that no other run has posted the same, and say what came of each comment."""
        fresh = [(effect, outcome) for effect in effects if (outcome := self.ledger.fresh(effect))]
        if not fresh:
            return
        settled: dict[str, Outcome] = {}
        try:
            settled = self.ledger.settle()
        except Exception as error:  # noqa: BLE001  # the comments are there, and what comes after them is due
            self._fail(fresh[0][0], error, event, plan)
        for effect, posted in fresh:
            self._tell(effect, settled.get(effect.key, Outcome("unchecked", posted.url)))

    def _ensured(self, effect: Ensure, event: Event, plan: Plan) -> Event | None:
        if isinstance(effect, Pick):
            return self._pick(effect, event, plan)
        if isinstance(effect, OnServer):
            return self._keep(effect, event, plan)
        if isinstance(effect, Reap):
            self._reap(effect)
        else:
            self._ensure(effect)
        return effect.ended("", done=True)

    def _pick(self, effect: Pick, event: Event, plan: Plan) -> Event:
        """What stops it half-way is a failure of this run; what has come of it until then is told all the same."""
        from mattermod_action import triggers
        from mattermod_action.picking import Picker  # most runs pick nothing

        picker = Picker
        if effect.anew:
            from mattermod_action.refreshing import Refresher as picker  # noqa: N813  # one name for each
        elif effect.withdrawn:
            from mattermod_action.withdrawing import Withdrawer as picker  # noqa: N813  # one name for each
        ended = picker(self._world, effect, triggers.labels(self._config)).go()
        self._report.picked(effect.feature, ended)
        if effect.command and (ended.failed or ended.undone):
            plan.failed[effect.command] = ended.partly
        if ended.error:
            self._fail(effect, ended.error, event, plan)
        return ended

    def _keep(self, effect: OnServer, event: Event, plan: Plan) -> Event:
        """The same for a test server."""
        from mattermod_action.keeping import Keeper  # most runs have none

        changed = Keeper(self._world, effect).go()
        self._report.served(effect.feature, effect.cause, changed)
        if changed.error:
            self._fail(effect, changed.error, event, plan)
        return changed

    def _reap(self, effect: Reap) -> None:
        from mattermod_action.reaping import Reaper

        Reaper(self._world, effect, lambda what, result: self._report.row(effect.feature, what, result)).go()

    def _ensure(self, effect: Ensure) -> None:
        """Say what was written, or that there was nothing to write."""
        changed = self._ensurer.ensure(effect)
        if changed and isinstance(effect, (AddLabels, RemoveLabel)) and isinstance(effect.subject, PullRequest):
            was = effect.subject
            made = self._relabeled.get(was.number, LabelsMade(was, was.labels))
            now = replace(made.subject, labels=effect.relabeled(made.subject.labels))
            self._relabeled[was.number] = replace(made, subject=now)
        done = self._ensurer.judged(effect) if changed and isinstance(effect, SetStatus) else effect
        self._report.row(effect.feature, effect.cause, said(done, done=changed))

    def _fail(self, effect: Effect, error: Exception, event: Event, plan: Plan) -> None:
        """What a sweep goes on with may wait for it; everything else has to be started once more, and is red."""
        expendable = isinstance(effect, Once) and effect.expendable
        resumable = isinstance(effect, Once) and effect.resumable and isinstance(event, _Resumed)
        resumable = resumable or isinstance(effect, (Pick, OnServer, Reap))  # which the next sweep does again
        resumable = resumable or isinstance(event, GrownOld)  # which each sweep finds anew
        if isinstance(effect, Ensure) and not resumable and isinstance(event, _Seen) and self._world.durable:
            once = ("recheck", effect.feature)
            self.ledger.park(Recheck(subject=effect.subject, feature=effect.feature, once=once, cause="unfinished"))
            resumable = event.action == RESUMED or event.missed
        parked = expendable or (isinstance(error, Limited) and self._world.store.durable and resumable)
        plan.silent.add(effect.feature)
        plan.failures.extend([] if expendable else [error])
        if effect.command:
            plan.unfinished.add(effect.command)
        self._report.row(effect.feature, effect.cause, "parked" if parked and not expendable else "failed")
        self._report.problem(error, effect.feature, parked=parked)

    def _refuse(self, effect: Effect, refusal: Refused, plan: Plan) -> None:
        """GitHub's no to a command is told to whoever gave it, everybody else finds it in the report."""
        reason = " ".join(str(refusal).split()) if effect.command else ""  # any other is a problem of the report's
        self._report.row(effect.feature, effect.cause, f"refused: {reason}" if reason else "refused")
        if effect.command:
            plan.accepted[effect.command].append(str(refusal))
        else:
            self._report.problem(refusal, effect.feature)

    def _tell(self, effect: Once, outcome: Outcome) -> None:
        if not isinstance(effect, Comment):
            self._report.row(effect.feature, effect.cause, _said_once(effect, outcome.what))
            return
        if outcome.what in ("posted", "found", "unchecked"):
            self._report.comments.append(outcome.url)
        self._report.row(effect.feature, effect.cause, RESULTS[outcome.what], outcome.url)


def said(effect: Effect, *, done: bool) -> str:
    """Name an effect that has no page of its own: `add labels a, b`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(effect).__name__).lower()
    details = [getattr(effect, name, ()) for name in ("labels", "label", "context", "state", "content", "teams")]
    flat = [text for each in details for text in (each if isinstance(each, tuple) else (each,)) if text]
    return f"{words} {', '.join(flat)}".strip() + ("" if done else ": so already")


def _said_once(effect: Once, what: str) -> str:
    """Say that an earlier run has done it, which says nothing of what has become of it since."""
    return said(effect, done=True) + ("" if what == "posted" else ": done before")


def _ended(given: CommandGiven, plan: Plan) -> CommandsEnded:
    """Say what came of each command; of one that failed nothing is said, since starting again goes on."""
    over = [each for each in plan.accepted if each not in plan.unfinished]
    ended = tuple(
        Ended(each, tuple(plan.accepted[each]), each in plan.failed, partly=plan.failed.get(each, False))
        for each in over
    )
    return CommandsEnded(given, ended, tuple(plan.answers))


def _is_past(event: Event, effect: Effect, known: Known) -> bool:
    """What only one moment of an item calls for is gone on with where it has a row, and not begun by a sweep."""
    resumed = isinstance(event, _Seen) and event.action == RESUMED and not event.is_news(effect.cause)
    return resumed and events.is_momentary(effect.cause) and effect.key not in known.entries


def _is_done(known: Known, effect: Once) -> bool:
    entry = known.entries.get(effect.key)
    return entry is not None and entry.state == CONFIRMED
