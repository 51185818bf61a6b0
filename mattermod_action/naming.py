"""Which branches the words of a command name, however people write them.

`release-10.5, origin/release-10.4.` names two. A branch whose own name looks like that is written `refs/heads/NAME`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERBS = frozenset(("status", "retry", "refresh", "cancel", "help"))
FILLERS = frozenset(("to", "onto", "into", "and", "&", "+"))
REMOTES = ("origin/", "upstream/")
HEADS = "refs/heads/"
_OPENING, _CLOSING = "<([{`'\"@*", ".,:;!?>)]}`'\"*"
_PLAIN = re.compile(r"[\w./#+-]+")
_SEPARATOR = re.compile(r"[,;]")
_PAGE = re.compile(r"https?://[^/\s]+/[^/\s]+/[^/\s]+/(?:tree|commits|blob)/(.+)")  # of a branch


def branches(args: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order of the words. What only joins them counts where there is nothing else."""
    words = [word for arg in args for word in _words(arg)]
    named = [word for word in words if word.casefold() not in FILLERS]
    return tuple(dict.fromkeys(filter(None, map(_branch, named or words))))


def spoken(args: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a command, of which the first may be a verb in any case, with a mark of punctuation behind it."""
    verb = args[0].rstrip(_CLOSING).casefold() if args else ""
    return (verb, *args[1:]) if verb in VERBS else args


def _words(arg: str) -> Iterator[str]:
    """A comma parts two branches, and what people put around a name is none of it, unless that has odder characters."""
    parts = [part for each in _SEPARATOR.split(arg) if (part := each.lstrip(_OPENING).rstrip(_CLOSING))]
    if _PAGE.fullmatch(arg.lstrip(_OPENING).rstrip(_CLOSING)) or all(map(_PLAIN.fullmatch, parts)):
        yield from parts
    else:
        yield arg


def _branch(word: str) -> str:
    page = _PAGE.fullmatch(word)
    name = unquote(re.split("[?#]", page[1])[0]) if page else word
    if name.startswith(HEADS):
        return name.removeprefix(HEADS)
    name = name.removeprefix("refs/remotes/")
    for remote in REMOTES:
        name = name.removeprefix(remote)
    return name
