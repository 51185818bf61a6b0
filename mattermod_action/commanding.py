"""From a comment to the commands that count: who answers each, who may give it, what is said of the rest.

Roles are read live, and nobody who is not known to have one has it. A refusal is explained once to each person on a
pull request; after that a reaction has to do, so that strangers cannot make the bot talk.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action.effects import Comment, Need, React
from mattermod_action.events import Answer
from mattermod_action.facts import at_least
from mattermod_action.features import FEATURES
from mattermod_action.source import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.commands import Command
    from mattermod_action.effects import Effect
    from mattermod_action.events import CommandGiven, CommandsEnded
    from mattermod_action.ports import Facts

    Accepted = tuple[Command, "Offer | None", React, list[Answer]]

HELP = "help"
NAME = "commands"  # what its effects have for a feature
AUTHOR = "author"  # the level of who opened the pull request, or whoever may write
REFUSED = "@{login}, `/{command}` is for {who}. (This is said once; later there is only a reaction.)"
UNKNOWN = "@{login}, there is no command `{command}` here{hint}. `/mattermod help` lists them."
NOT_NOW = "few requests are left in this hour, which are for gates and for people with write access"
CAUSE = 100  # characters of the commands that a report names
WHO = {
    "read": "everybody",
    AUTHOR: "the author of the pull request and for people with write access",
    "triage": "people with triage access to this repository",
    "write": "people with write access to this repository",
    "maintain": "maintainers of this repository",
    "admin": "administrators of this repository",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that is enabled: the feature that answers it, and the level it asks for."""

    feature: str
    level: str
    about: str


def offers(config: Any) -> dict[str, Offer]:
    """Return the commands that are enabled by this configuration."""
    found: dict[str, Offer] = {}
    for name in (name for name in FEATURES if getattr(config, name) is not None):
        commands = getattr(importlib.import_module(f"mattermod_action.features.{name}"), "COMMANDS", {})
        for command, (level, about) in commands.items():
            found[command] = Offer(name, config.commands.levels.get(command, level), about)
    return found


def has_time(given: CommandGiven, facts: Facts) -> bool:
    """Whether there are requests left for it: the last quarter of an hour's is for gates and for writers."""
    return not facts.is_scarce() or at_least(facts.role(given.repository, given.author), "write")


def accept(given: CommandGiven, config: Any, facts: Facts) -> Iterator[Accepted]:
    """Yield each command that is ours, with its offer if it may be given, and what is done about it at once."""
    if given.author.casefold() in {login.casefold() for login in config.commands.blocked_bots}:
        return
    known = offers(config)
    for command in given.commands:
        offer = known.get(command.name)
        if command.by_alias and command.name == HELP:
            yield command, None, _react(given, "eyes"), [_help(given, known, facts)]
        elif offer is None:
            if command.by_alias:
                yield command, None, _react(given, "-1"), [_unknown(given, command, known)]
        elif may(given, offer.level, facts):
            yield command, offer, _react(given, "eyes"), []
        else:
            yield command, None, _react(given, "-1"), [_refusal(given, command, offer)]


def may(given: CommandGiven, level: str, facts: Facts) -> bool:
    """Whoever wrote the comment, and whoever runs it again, must both have the level."""
    return all(_has(given, login, level, facts) for login in (given.author, *facts.actors()))


def _has(given: CommandGiven, login: str, level: str, facts: Facts) -> bool:
    if level == "read":
        return True
    if level == AUTHOR and login.casefold() == given.subject.author.casefold():
        return True
    return at_least(facts.role(given.repository, login), "write" if level == AUTHOR else level)


def need(given: CommandGiven, level: str) -> Need | None:
    """What is asked once more right before a side effect."""
    if level == "read" or (level == AUTHOR and given.author.casefold() == given.subject.author.casefold()):
        return None
    return Need(given.author, "write" if level == AUTHOR else level)


def ended(event: CommandsEnded) -> Iterator[Effect]:
    """A thumb for each outcome, and one comment with all that there is to say: the same once to each person."""
    given = event.given
    for each in event.ended:
        yield _react(given, "-1" if each.reasons or each.failed else "+1")
    answers = {answer.key: answer for answer in (*event.answers, *_reasons(event))}
    if answers:
        keys = sorted(answers, key=repr)
        once = keys[0] if len(keys) == 1 else ("answers", *map(repr, keys))
        commands = dict.fromkeys(f"/{each.name}" for each in given.commands)
        text = "\n\n".join(answer.text for answer in answers.values())
        yield Comment(subject=given.subject, text=text, once=once, feature=NAME, cause=" ".join(commands)[:CAUSE])


def _reasons(event: CommandsEnded) -> Iterator[Answer]:
    """What was said besides the command is no part of the key, unless a reason repeats it."""
    author = event.given.author
    for each in event.ended:
        if each.reasons:
            key = ("reasons", author.casefold(), each.command.name, *each.reasons)
            yield Answer(key, f"@{author}, `/{each.command.name}`: {' '.join(each.reasons)}")


def _react(given: CommandGiven, content: str) -> React:
    return React(
        subject=given.subject,
        comment_id=given.comment_id,
        content=content,
        once=("react", given.comment_id, content),
        feature=NAME,
        cause=f"comment {given.comment_id}",
    )


def _refusal(given: CommandGiven, command: Command, offer: Offer) -> Answer:
    text = REFUSED.format(login=given.author, command=command.name, who=WHO[offer.level])
    return Answer(("refused", given.author.casefold()), text)


def _help(given: CommandGiven, known: dict[str, Offer], facts: Facts) -> Answer:
    """What is enabled here, and what of it whoever asks may do: once to each person, until that is another."""
    mine = {name: "yes" if may(given, offer.level, facts) else "no" for name, offer in known.items()}
    rows = [f"| `/{name}` | {offer.about} | {WHO[offer.level]} | {mine[name]} |" for name, offer in known.items()]
    head = ["| command | what it does | who may give it | you |", "| --- | --- | --- | --- |"]
    text = "\n".join([*head, *rows]) if rows else "No commands are enabled in this repository."
    return Answer(("help", given.author.casefold(), *(f"{name} {may_i}" for name, may_i in mine.items())), text)


def _unknown(given: CommandGiven, command: Command, known: dict[str, Offer]) -> Answer:
    """Once to each person, like a refusal."""
    text = UNKNOWN.format(login=given.author, command=command.name, hint=suggestion(command.name, list(known)))
    return Answer(("unknown", given.author.casefold()), text)
