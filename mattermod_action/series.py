"""The words of a series: `/cherry-pick release-10.5 with #12 #15`, and the branch that is made for it.

A row has no room for its members. It names the comment that asks, and that is read again.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from mattermod_action.errors import Refused
from mattermod_action.picks import PREFIX, head_ref
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.events import PullRequest, Repository, Subject

WITH, RETRY = "with", "retry"
MOST = 10  # pull requests beside the one that is asked on
FILLERS = ("and", "&", "+", ",")
LONGEST = 250  # characters of the name of a branch; its column and a file of git's have some more
NO_MEMBER = "{name} is not a pull request of this repository: write numbers after `with`, such as `#12`"
NO_MEMBERS = "name the pull requests to pick together with this one, such as `with #12 #15`"
TOO_MANY = f"a series has at most {MOST} pull requests beside this one"
_NUMBER = re.compile(r"(?:(?:PR|pull)?#|!)?([1-9]\d{0,9})", re.IGNORECASE)
_FULL = re.compile(r"(?:https?://[^/\s]+/)?([\w.-]+/[\w.-]+)(?:#|/(?:pull|issues)/)([1-9]\d{0,9})(?:[/?#]\S*)?")
_MADE = re.compile(re.escape(PREFIX) + r"\d{1,10}--with((?:-\d{1,10}){1,10})--")


def is_series(args: Sequence[str]) -> bool:
    """Whether it asks for more than the pull request that it is given on."""
    return any(arg.casefold() == WITH for arg in args)


def targets_of(args: tuple[str, ...]) -> tuple[str, ...]:
    """The words before `with`. Asking to retry a series is asking for it."""
    words = args[: _with(args)]
    return words[1:] if words[:1] == (RETRY,) else words


def members_of(args: Sequence[str], subject: Subject) -> tuple[int, ...]:
    """The numbers after `with`, each once, without that of the subject itself; () for no series. Raises Refused."""
    if not is_series(args):
        return ()
    words = [word for arg in args[_with(args) + 1 :] for word in re.split(r"[,;]", arg)]
    named = [word.rstrip(".!?") for word in words if word and word.casefold() not in FILLERS]
    numbers = dict.fromkeys(_number(name, subject.repository) for name in named)
    members = tuple(number for number in numbers if number != subject.number)
    if not members:
        raise Refused(NO_MEMBERS)
    if len(members) > MOST:
        raise Refused(TOO_MANY)
    return members


def _with(args: Sequence[str]) -> int:
    return next(at for at, arg in enumerate(args) if arg.casefold() == WITH)


def _number(name: str, repository: Repository) -> int:
    if found := _NUMBER.fullmatch(name):
        return int(found[1])
    found = _FULL.fullmatch(name.strip("<>"))
    if found is None or found[1].casefold() != repository.full_name.casefold():
        raise Refused(NO_MEMBER.format(name=quoted(name)))
    return int(found[2])


def branch(pull: PullRequest, target: str, members: Sequence[int]) -> str:
    """Name the branch of a pick. That of an ordinary one has no two dashes after the number."""
    name = head_ref(pull, target)
    if not members:
        return name
    begin = f"{PREFIX}{pull.number}--with-{'-'.join(map(str, sorted(members)))}--"
    rest = name.removeprefix(f"{PREFIX}{pull.number}-")
    return begin + (rest if len(begin + rest) <= LONGEST else hashlib.sha256(rest.encode()).hexdigest()[:10])


def named_in(head: str) -> tuple[int, ...]:
    """The members that a branch is named after; () for an ordinary one."""
    found = _MADE.match(head)
    return tuple(map(int, found[1].split("-")[1:])) if found else ()
