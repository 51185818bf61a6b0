"""Putting words from outside into our own: a login where a message has a place for one."""

from __future__ import annotations

import re

from mattermod_action.events import GHOST

_USERNAME = re.compile(r"(?<![A-Za-z0-9_])USERNAME(?![A-Za-z0-9_])")
_WORKFLOW_URL = re.compile(r"(?<![A-Za-z0-9_])WORKFLOW_URL(?![A-Za-z0-9_])")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")  # Enterprise Managed Users have a _


def addressed(message: str, login: str) -> str:
    """Replace `USERNAME`, where it stands as a word of its own, by the login."""
    safe = login if _LOGIN.fullmatch(login) else GHOST
    return _USERNAME.sub(safe, message)


def linked(message: str, url: str) -> str:
    """Replace `WORKFLOW_URL`, where it stands as a word of its own, by an address that was checked."""
    return _WORKFLOW_URL.sub(lambda _: url, message)
