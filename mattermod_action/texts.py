"""Putting words from outside into our own: a login where a message has a place for one, a path, a list of either."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mattermod_action import shares
from mattermod_action.events import GHOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_USERNAME = re.compile(r"(?<![A-Za-z0-9_])USERNAME(?![A-Za-z0-9_])")
_CODE = re.compile(r"(`[^`]*`)")
_MENTION = re.compile(r"(?<!\w)@([A-Za-z0-9][\w/-]*)")
QUOTED = 100  # characters of a name that are shown
_WORKFLOW_URL = re.compile(r"(?<![A-Za-z0-9_])WORKFLOW_URL(?![A-Za-z0-9_])")
_EMOJI = re.compile("([\U00010000-\U0010ffff])[\u200d\ufe0f]*")
_WORD = re.compile(r"\{([a-z]+)\}")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")  # Enterprise Managed Users have a _


def addressed(message: str, login: str) -> str:
    """Replace `USERNAME`, where it stands as a word of its own, by the login."""
    safe = login if _LOGIN.fullmatch(login) else GHOST
    return _USERNAME.sub(safe, message)


def quoted(text: str, most: int = QUOTED) -> str:
    """As code, out of which no mention, link or HTML comes; nobody needs all of what is longer than a name."""
    plain = " ".join(text.replace("`", chr(0x2CB)).split())
    return f"`{plain[:most]}`"


def harmless(text: str) -> str:
    """A reason that was kept in a row, in a table: its code stays, all else becomes no mention, link or HTML."""
    parts = _CODE.split(" ".join(text.split()))
    shown = [
        part if at % 2 else _MENTION.sub(r"`\1`", part.replace("<", "&lt;").replace("[", "\\["))
        for at, part in enumerate(parts)
    ]
    return "".join(shown).replace("|", "\\|")


def without_emoji(text: str) -> str:
    """Give characters above U+FFFF their names: a commit status refuses them, and two labels may differ by one.

    https://github.com/ouzi-dev/commit-status-updater/issues/527
    """
    if not _EMOJI.search(text):
        return text
    import unicodedata

    return _EMOJI.sub(lambda found: f":{unicodedata.name(found[1], 'symbol').lower()}:", text)


def cell(text: str) -> str:
    """The same in a table."""
    return quoted(text).replace("|", "\\|")


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns is the whole path: `*` stops at a slash, `**` does not. Raises Late."""
    from mattermod_action.globs import compiled

    for pattern in patterns:
        shares.check()  # there may be thousands of either
        if compiled(pattern).fullmatch(path):
            return True
    return False


def linked(message: str, url: str) -> str:
    """Replace `WORKFLOW_URL`, where it stands as a word of its own, by an address that was checked."""
    return _WORKFLOW_URL.sub(lambda _: url, message)


def filled(template: str, words: Mapping[str, str], quote: str = "") -> str:
    """Replace each `{word}`; those that `quote` names, which are written by anybody, become code."""
    return _WORD.sub(lambda found: _word(found, words, quote.split()), template)


def _word(found: re.Match[str], words: Mapping[str, str], quote: list[str]) -> str:
    word = words.get(found[1], found[0])
    return quoted(word) if found[1] in quote else word


def fenced(text: str, language: str = "") -> str:
    """A block of code that nothing in it ends."""
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def folded(title: str, text: str) -> str:
    """Shown when somebody wants to see it."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
