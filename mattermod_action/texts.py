"""Putting words from outside into our own: a login where a message has a place for one."""

from __future__ import annotations

import re

from mattermod_action.events import GHOST

_USERNAME = re.compile(r"(?<![A-Za-z0-9_])USERNAME(?![A-Za-z0-9_])")
QUOTED = 100  # characters of a name that are shown
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")  # Enterprise Managed Users have a _


def addressed(message: str, login: str) -> str:
    """Replace `USERNAME`, where it stands as a word of its own, by the login."""
    safe = login if _LOGIN.fullmatch(login) else GHOST
    return _USERNAME.sub(safe, message)


def quoted(text: str) -> str:
    """Show a name from outside as it is: nobody is called by it, and no markup of it works."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain[:QUOTED]}`"
