"""Patterns of paths, in a time that is linear in the path: `*` stops at a slash, `**` as a part of its own does not.

A pattern becomes one regular expression that never goes back: between two stars the first place that fits is the right
one, because what stands there has a fixed length, and so it is between two `**`.
https://docs.python.org/3/library/re.html#regular-expression-syntax ((?>...) and *+)
A pattern means what wcmatch makes of it with the flags GLOBSTAR, DOTGLOB, FORCEUNIX and CASE, for paths as git has
them: without empty parts, `.` and `..`. Two slashes count as one.
https://facelessuser.github.io/wcmatch/glob/
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby

ANY_DEPTH = "**"
_NEVER = re.compile(r"(?!)")
_CLASS = r"\[:(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
_TOKEN = re.compile(
    rf"(?P<bracket>\[[!^]?+(?:{_CLASS}|[\[\]-])?+(?:{_CLASS}|\\.|[^\]\\]){{0,255}}+\])"
    r"|(?P<stars>\*+)|(?P<one>\?)|\\?(?P<plain>.?)",
    re.DOTALL,
)
_TRANSLATED = re.compile(r"\^\(\?s:x(.*)\[/\]\*\?\)\$", re.DOTALL)


@lru_cache(maxsize=4_096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return an expression whose `fullmatch` says whether the pattern is the whole path."""
    parts = [part for part in pattern.split("/") if part]
    if not parts or pattern.startswith("/") or (pattern.endswith("/") and parts[-1] != ANY_DEPTH):
        return _NEVER  # no path of git's begins or ends with a slash
    blocks = ["/".join(map(_part, block)) for is_any, block in groupby(parts, ANY_DEPTH.__eq__) if not is_any]
    if ANY_DEPTH not in parts:
        return re.compile(blocks[0])
    first = f"{blocks.pop(0)}/" if parts[0] != ANY_DEPTH else ""
    last = f"(?:[^/]++/)*{blocks.pop()}" if parts[-1] != ANY_DEPTH else ".+"
    return re.compile("".join([first, *(f"(?>(?:[^/]++/)*?{block}/)" for block in blocks), last]), re.DOTALL)


def _part(text: str) -> str:
    """What stands between two slashes, in pieces between stars."""
    first, *others = _pieces(text)
    if not others:
        return first
    *middle, last = others
    return "".join([first, *(f"(?>[^/]*?{piece})" for piece in middle if piece), f"[^/]*{last}"])


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for token in _TOKEN.finditer(text):
        if token["stars"]:
            pieces.append("")
        else:
            pieces[-1] += _one(token)
    return pieces


def _one(token: re.Match[str]) -> str:
    """One character."""
    if token["bracket"]:
        return _bracket(token["bracket"])
    return "[^/]" if token["one"] else re.escape(token["plain"])


def _bracket(text: str) -> str:
    """`[a-z]`, `[!a]`, `[[:alpha:]]`: its rules have corners, and wcmatch knows them."""
    from wcmatch import glob

    translated = glob.translate(f"x{text}", flags=glob.FORCEUNIX | glob.CASE)[0][0]
    found = _TRANSLATED.fullmatch(translated)
    if not found:
        raise AssertionError(translated)
    return found[1]
