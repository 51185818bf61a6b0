"""What follows from an event: every configured feature is asked, or a command's own. Nothing is written."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mattermod_action import commanding
from mattermod_action.effects import SetStatus, settle
from mattermod_action.errors import FactUnavailable, Passed, Refused
from mattermod_action.events import Commanded, CommandGiven, CommandsEnded, Reviewed
from mattermod_action.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.commands import Command
    from mattermod_action.config import Config
    from mattermod_action.effects import Effect
    from mattermod_action.events import Answer, Event, Subject
    from mattermod_action.ports import Facts, Unfinished

NOT_CONFIGURED = "not configured"
NOTHING_DUE = "nothing here calls for it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the features wish for, and which could not say: (feature, reason)."""

    effects: list[Effect]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # the features that were asked and wish for nothing
    silent: set[str] = field(default_factory=set)  # the features that could not say what they wish for
    unchecked: list[tuple[str, str]] = field(default_factory=list)  # those of them that have to be asked again
    answers: list[Answer] = field(default_factory=list)  # to whoever has given commands
    failures: list[Exception] = field(default_factory=list)  # of what was to be carried out
    # Commands of whoever may give them, in their order, each with why it is not carried out.
    accepted: dict[Command, list[str]] = field(default_factory=dict)
    # Of those: not all of it was done, which is said elsewhere, and whether some of it was.
    failed: dict[Command, bool] = field(default_factory=dict)
    unfinished: set[Command] = field(default_factory=set)  # of those: something failed, and starting again goes on

    def why_not(self) -> dict[str, str]:
        """Why nothing came of a feature, those that are off last."""
        reasons = {**dict.fromkeys(self.idle, NOTHING_DUE), **dict(self.skipped)}
        return dict(sorted(reasons.items(), key=lambda each: each[1] == NOT_CONFIGURED))

    @property
    def is_done(self) -> bool:
        """Whether everything was said, and everything is carried out."""
        return not self.errors and not self.failures

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
    if isinstance(event, CommandsEnded):
        plan.effects.extend(settle((commanding.NAME, effect) for effect in commanding.ended(event)))
        return plan
    if isinstance(event, CommandGiven):
        _plan_commands(event, config, facts, plan)
        return plan
    for name in FEATURES:
        section = getattr(config, name)
        if section is None:
            plan.skipped.append((name, NOT_CONFIGURED))
            continue
        mine: list[tuple[str, Effect]] = []
        try:
            mine.extend((name, effect) for effect in _feature(name).plan(event, section, facts))
        except FactUnavailable as error:
            plan.silent.add(name)
            plan.skipped.append((name, str(error)))
            plan.unchecked.extend([] if isinstance(error, Passed) else [(name, str(error))])
        except Exception as error:  # noqa: BLE001  # a feature's bug is reported, and the others go on
            plan.silent.add(name)
            plan.skipped.append((name, f"failed: {type(error).__name__}"))
            plan.errors.append((name, error))
            mine = _unknown(mine)
        wishes += mine
        plan.idle.extend([] if mine or name in plan.silent else [name])
    plan.effects.extend(settle(wishes))
    return plan


def follow_ups(event: Event, config: Config, facts: Facts) -> tuple[list[Event], list[tuple[str, Exception]]]:
    """Ask the features that have a `follow` what is to be looked at by itself, once the event is dealt with.

    Returns that, and what went wrong with which feature.
    """
    found: list[Event] = [event.given] if isinstance(event, Reviewed) and event.given else []
    errors: list[tuple[str, Exception]] = []
    for name in (name for name in FEATURES if getattr(config, name) is not None):
        try:
            found += getattr(_feature(name), "follow", _nothing)(event, getattr(config, name), facts)
        except Exception as error:  # noqa: BLE001  # one feature's failure never stops the next
            errors.append((name, error))
    return found, errors


def look_over(items: Sequence[Subject], config: Config, facts: Facts) -> list[Event]:
    """Ask the features that have a `look_over` which of a page of open items a sweep has to look at once more."""
    found: list[Event] = []
    for name in (name for name in FEATURES if getattr(config, name) is not None):
        if look := getattr(_feature(name), "look_over", None):
            found += look(items, getattr(config, name), facts)
    return found


def looks_over(config: Config) -> bool:
    """Whether any feature that is on does so."""
    on = (name for name in FEATURES if getattr(config, name) is not None)
    return any(hasattr(_feature(name), "look_over") for name in on)


def _nothing(_event: Event, _config: Any, _facts: Facts) -> tuple[Event, ...]:
    return ()


def _plan_commands(given: CommandGiven, config: Config, facts: Facts, plan: Plan) -> None:
    wishes: list[tuple[str, Effect]] = []
    if not commanding.has_time(given, facts):
        plan.silent.add(commanding.NAME)
        plan.skipped.append((commanding.NAME, commanding.NOT_NOW))
        return
    for command, offer, reaction, answers in commanding.accept(given, config, facts):
        wishes.append((commanding.NAME, reaction))
        plan.answers.extend(answers)
        if offer is None:
            continue
        plan.accepted[command] = []
        section = getattr(config, offer.feature)
        more = {"command": command, "need": commanding.need(given, offer.level)}
        mine: list[tuple[str, Effect]] = []
        try:
            planned = _feature(offer.feature).plan(Commanded(given, command), section, facts)
            mine.extend((offer.feature, replace(effect, **more)) for effect in planned)
        except (Refused, FactUnavailable) as refusal:
            plan.accepted[command].append(f"{refusal}.")
            mine = _unknown(mine)
        except Exception as error:  # noqa: BLE001  # a feature's bug is reported, and the others go on
            plan.unfinished.add(command)
            plan.errors.append((offer.feature, error))
            mine = _unknown(mine)
        wishes += mine
    plan.effects.extend(settle(wishes))


def _unknown(wishes: list[tuple[str, Effect]]) -> list[tuple[str, Effect]]:
    """Return what a gate says where it cannot read on."""
    return [wish for wish in wishes if isinstance(wish[1], SetStatus)]


def _feature(name: str) -> Any:
    return importlib.import_module(f"mattermod_action.features.{name}")


def _described(thing: Any, name: str = "event") -> dict[str, Any]:
    """A frozen record as JSON: its class name under `name`, and its fields."""
    return {name: type(thing).__name__, **json.loads(json.dumps(asdict(thing), default=str))}
