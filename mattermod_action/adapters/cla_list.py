"""The list of those who signed: text or CSV over https, one login in each line (or in the first of its columns).

What is not plausibly that list (another status, HTML, nothing in it, too much of it) raises FactUnavailable:
whoever asked keeps the verdict it had, since a list that cannot be read says nothing about anybody.
"""

from __future__ import annotations

import csv
import http.client
import io
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mattermod_action import __version__
from mattermod_action.adapters.plain_http import connect
from mattermod_action.errors import FactUnavailable

if TYPE_CHECKING:
    from mattermod_action.ports import Clock

PAUSES = (0.5, 2.0, None)  # seconds before the next attempt
LARGEST = 4_194_304  # bytes; a hundred thousand logins are a third of that
LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,99})(?:\[bot\])?", re.IGNORECASE)
TEXT = ("text/plain", "text/csv", "application/csv", "application/octet-stream", "")
HEADINGS = ("login", "user", "username", "name", "github", "account")  # what the first line may be instead of somebody
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FORBIDDEN = re.compile(r"169\.254\.|metadata\b|\[?fe80:", re.IGNORECASE)


def read(url: str, clock: Clock) -> frozenset[str]:
    """Return the logins, case-folded. Raises FactUnavailable."""
    reason = ""
    for pause in PAUSES:
        try:
            return logins(_get(url))
        except (OSError, http.client.HTTPException) as error:
            reason = f"the list of signatures cannot be read ({type(error).__name__})"
        if pause is not None:
            clock.sleep(pause)
    raise FactUnavailable(reason)


def logins(text: str) -> frozenset[str]:
    """Read the first column; a heading is nobody. Raises FactUnavailable when there is nobody."""
    rows = (row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if row)
    first, *others = [row[0].strip().removeprefix("@").casefold() for row in rows] or [""]
    names = others if first in HEADINGS else [first, *others]
    found = frozenset(name for name in names if LOGIN.fullmatch(name))
    if not found or "<html" in text[:1_000].casefold():
        raise FactUnavailable("the list of signatures is empty, or no list")
    return found


def _get(url: str) -> str:
    parts = urlsplit(url)
    if FORBIDDEN.match(parts.hostname or "") or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise FactUnavailable("the list of signatures is only read over https")
    connection = connect(parts.scheme, parts.netloc)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": f"mattermod-action/{__version__}"})
        answer = connection.getresponse()
        kind_of = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().casefold()
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            raise http.client.HTTPException(str(answer.status))
        if answer.status != http.client.OK or kind_of not in TEXT:
            raise FactUnavailable(f"the list of signatures cannot be read ({answer.status} {kind_of})")
        body = answer.read(LARGEST + 1)
    finally:
        connection.close()
    if len(body) > LARGEST:
        raise FactUnavailable(f"the list of signatures is larger than {LARGEST} bytes")
    return body.decode("utf-8", errors="replace")
