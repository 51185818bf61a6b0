"""Who asked for a test server or a pick, by GitHub's own record: a row only says where to look.

A row names the comment or the label event that asked for it. Both are read again before anything is launched or pushed:
whoever can write rows cannot write comments in another's name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mattermod_action.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mattermod_action.approvals import Push
    from mattermod_action.commands import Command

LABEL = "label"  # the kind of an origin that is a label event
LONGEST = 255  # characters that the column has
SLACK = timedelta(seconds=60)  # by which the time of an event's snapshot may differ from that of its timeline
SECOND = timedelta(seconds=1)  # GitHub's times are whole seconds
AGAIN = "GitHub's record does not show who asked for this: ask again"
NOT_THEIRS = "the comment that asked for this is not there any more, or says something else: ask again"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The comment with this number, or the event, about this time, that put the label on."""

    comment: int = 0
    label: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A comment as GitHub has it; `number` is the item's, and `editor` who changed it last, "" for nobody."""

    number: int
    author: str
    is_bot: bool
    body: str
    at: datetime
    editor: str = ""

    @property
    def is_own(self) -> bool:
        """Whether a person wrote it, and nobody else had the last word."""
        return not self.is_bot and self.editor.casefold() in ("", self.author.casefold())


@dataclass(frozen=True, slots=True)
class Labeling:
    """Somebody put a label on."""

    label: str
    by: str
    is_bot: bool
    at: datetime


def as_text(request: Sequence[str | int]) -> str | None:
    """Write what a row keeps of the request; None for what does not fit, which is asked for again then."""
    text = json.dumps(list(request), ensure_ascii=False)
    return text if request and len(text) <= LONGEST else None


def origin(text: str | None) -> Origin | None:
    """Read what a row has; None where an older version has written it, or anybody else."""
    try:
        found: Any = json.loads(text or "null")
        match found:
            case ["comment", int(number)] if number > 0 and not isinstance(number, bool):
                return Origin(comment=number)
            case ["label", str(label), str(at)]:
                return Origin(label=label, at=datetime.fromisoformat(at).replace(tzinfo=None))
    except (ValueError, RecursionError):
        pass
    return None


def command_of(
    said: Said | None, number: int, asks: Callable[[Command], bool], aliases: Mapping[str, str] | None = None
) -> Command:
    """Return the command in a comment of this item that asks for it. Raises Refused.

    Its author wrote it, or was the last to edit it: others with write access may edit it as well.
    """
    from mattermod_action import commands

    if said is None or said.number != number or not said.is_own:
        raise Refused(NOT_THEIRS)
    found = next((command for command in commands.parse(said.body, aliases) if asks(command)), None)
    if found is None:
        raise Refused(NOT_THEIRS)
    return found


def labeling_of(found: Sequence[Labeling], wanted: Origin, login: str) -> Labeling:
    """Return the event by which this person put the label on at that time, or at last. Raises Refused."""
    events = [each for each in found if each.label.casefold() == wanted.label.casefold()]
    about = events[:1] if wanted.at is None else [each for each in events if abs(each.at - wanted.at) <= SLACK]
    for each in about:
        if each.by.casefold() == login.casefold():
            return each
    raise Refused(AGAIN)


def is_whole(sha: str) -> bool:
    """Whether it has all the digits of a commit's name."""
    return bool(_COMMIT.fullmatch(sha))


def heads_at(moves: Sequence[Push], at: datetime) -> frozenset[str]:
    """Return what the head of a branch may have been at that time: within a second nobody knows what came first."""
    before = [move for move in moves if move.at < at - SECOND]
    about = [move for move in moves if abs(move.at - at) <= SECOND]
    after = [move for move in moves if move.at > at + SECOND]
    known = {each.after for each in about} | {each.before for each in about}
    if not about and before:
        known = {max(before, key=lambda move: move.at).after}
    elif not about and after:
        known = {min(after, key=lambda move: move.at).before}
    return frozenset(filter(is_whole, known))
