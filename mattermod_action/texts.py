"""Putting words from outside into our own: a login where a message has a place for one, a path, a list of either."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mattermod_action.events import GHOST

if TYPE_CHECKING:
    from collections.abc import Sequence

_USERNAME = re.compile(r"(?<![A-Za-z0-9_])USERNAME(?![A-Za-z0-9_])")
QUOTED = 100  # characters of a name that are shown
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")  # Enterprise Managed Users have a _


def addressed(message: str, login: str) -> str:
    """Replace `USERNAME`, where it stands as a word of its own, by the login."""
    safe = login if _LOGIN.fullmatch(login) else GHOST
    return _USERNAME.sub(safe, message)


def quoted(text: str, most: int = QUOTED) -> str:
    """As code, out of which no mention, link or HTML comes; nobody needs all of what is longer than a name."""
    plain = " ".join(text.replace("`", chr(0x2CB)).split())
    return f"`{plain[:most]}`"


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns is the whole path: `*` stops at a slash, `**` does not."""
    from wcmatch import glob

    return bool(glob.globmatch(path, patterns, flags=glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE))
