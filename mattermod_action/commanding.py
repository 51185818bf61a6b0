"""From a comment to the commands that count: who answers each, who may give it, what is said of the rest.

Roles are read live, and nobody who is not known to have one has it. A refusal is explained once to each person on a
pull request; after that a reaction has to do, so that strangers cannot make the bot talk.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action.commands import renamed
from mattermod_action.effects import Comment, Need, React
from mattermod_action.events import Answer
from mattermod_action.facts import at_least
from mattermod_action.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mattermod_action.commands import Command
    from mattermod_action.effects import Effect
    from mattermod_action.events import CommandGiven, CommandsEnded, Ended
    from mattermod_action.ports import Facts

    Accepted = tuple[Command, "Offer | None", React, list[Answer]]

HELP = "help"
NAME = "commands"  # what its effects have for a feature
AUTHOR = "author"  # the level of who opened the pull request, or whoever may write
REFUSED = "@{login}, `/{command}` is for {who}. (This is said once; later there is only a reaction.)"
UNKNOWN = "@{login}, there is no command `{command}` here. `/mattermod help` lists those that there are."
NEAR = "@{login}, there is no command `/{command}` here: did you mean `/{near}`?"
MISSPELT = 2  # letters that are missing, too many, wrong or in another order, and one for each three that there are
IN_COMMENT = "@{login}, give `/{command}` in a comment: nobody can look up later who wrote it in a review."
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
    is_kept: bool = False  # whether later runs go on with it, and read the comment again


def offers(config: Any) -> dict[str, Offer]:
    """Return the commands that are enabled by this configuration."""
    found: dict[str, Offer] = {}
    for name in (name for name in FEATURES if getattr(config, name) is not None):
        module = importlib.import_module(f"mattermod_action.features.{name}")
        for command, (level, about) in getattr(module, "COMMANDS", {}).items():
            asked = config.commands.levels.get(command, level)
            found[command] = Offer(name, asked, about, command in getattr(module, "KEPT", ()))
    return found


def has_time(given: CommandGiven, facts: Facts) -> bool:
    """Whether there are requests left for it: the last quarter of an hour's is for gates and for writers."""
    return not facts.is_scarce() or at_least(facts.role(given.repository, given.author), "write")


def accept(given: CommandGiven, config: Any, facts: Facts) -> Iterator[Accepted]:
    """Yield each command that is ours, with its offer if it may be given, and what is done about it at once."""
    if given.author.casefold() in {login.casefold() for login in config.commands.blocked_bots}:
        return
    known = offers(config)
    for each in given.commands:
        command = renamed(each, config.commands.aliases)
        offer = known.get(command.name)
        if command.by_alias and command.name == HELP:
            yield command, None, _react(given, "eyes"), [_help(given, known, facts)]
        elif offer is None:
            near = _near(command, [*known, *config.commands.aliases])
            if command.by_alias or (near and _answers(given, command, config, facts)):
                yield command, None, _react(given, "-1"), [_unknown(given, command, near)]
        elif offer.is_kept and not given.is_kept:
            yield command, None, _react(given, "-1"), [_in_comment(given, command)]
        elif may(given, offer.level, facts):
            yield command, offer, _react(given, "eyes"), []
        else:
            yield command, None, _react(given, "-1"), [_refusal(given, command, offer)]


def _answers(given: CommandGiven, command: Command, config: Any, facts: Facts) -> bool:
    """Whether a misspelt command is answered: another bot may know it, and strangers do not make this one talk."""
    return command.name not in config.commands.ignore and _has(given, given.author, AUTHOR, facts)


def _near(command: Command, known: Sequence[str]) -> str:
    """The command that may have been meant, "" for none; `/cherry pick x` and `/cherry_pick x` are some, too."""
    for name in (command.name, "-".join((command.name, *command.args[:1])).lower()):
        found = [each for each in known if is_misspelt(name.replace("_", "-"), each)]
        if found:
            return found[0]
    return ""


def is_misspelt(word: str, known: str) -> bool:
    """Whether one is the other but for a few letters, by the distance of Damerau and Levenshtein."""
    most = min(MISSPELT, len(known) // 3)
    if abs(len(word) - len(known)) > most:
        return False
    before, row = [0] * (len(known) + 1), list(range(len(known) + 1))
    for i, letter in enumerate(word, 1):
        oldest, before, row = before, row, [i]
        for j, other in enumerate(known, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != other))
            if i > 1 < j and (letter, word[i - 2]) == (known[j - 2], other):
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
    return row[-1] <= most


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
        yield _react(given, _outcome(each))
    answers = {answer.key: answer for answer in (*event.answers, *_reasons(event))}
    if answers:
        keys = sorted(answers, key=repr)
        once = keys[0] if len(keys) == 1 else ("answers", *map(repr, keys))
        commands = dict.fromkeys(f"/{each.name}" for each in given.commands)
        text = "\n\n".join(answer.text for answer in answers.values())
        yield Comment(subject=given.subject, text=text, once=once, feature=NAME, cause=" ".join(commands)[:CAUSE])


def _outcome(ended: Ended) -> str:
    """A thumb goes up only where all of it was done."""
    if ended.partly:
        return "confused"
    return "-1" if ended.reasons or ended.failed else "+1"


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
        place=given.place,
        node=given.node,
        once=("react", given.comment_id, content) if given.is_kept else ("react", *given.request, content),
        feature=NAME,
        cause=f"comment {given.comment_id}",
    )


def _refusal(given: CommandGiven, command: Command, offer: Offer) -> Answer:
    text = REFUSED.format(login=given.author, command=command.name, who=WHO[offer.level])
    return Answer(("refused", given.author.casefold()), text)


def _in_comment(given: CommandGiven, command: Command) -> Answer:
    text = IN_COMMENT.format(login=given.author, command=command.name)
    return Answer(("in comment", given.author.casefold(), command.name), text)


def _help(given: CommandGiven, known: dict[str, Offer], facts: Facts) -> Answer:
    """What is enabled here, and what of it whoever asks may do: once to each person, until that is another."""
    mine = {name: "yes" if may(given, offer.level, facts) else "no" for name, offer in known.items()}
    rows = [f"| `/{name}` | {offer.about} | {WHO[offer.level]} | {mine[name]} |" for name, offer in known.items()]
    head = ["| command | what it does | who may give it | you |", "| --- | --- | --- | --- |"]
    text = "\n".join([*head, *rows]) if rows else "No commands are enabled in this repository."
    return Answer(("help", given.author.casefold(), *(f"{name} {may_i}" for name, may_i in mine.items())), text)


def _unknown(given: CommandGiven, command: Command, near: str) -> Answer:
    """Once to each person, like a refusal."""
    text = (NEAR if near else UNKNOWN).format(login=given.author, command=command.name, near=near)
    return Answer(("unknown", given.author.casefold()), text)
