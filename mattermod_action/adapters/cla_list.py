"""The list of those who signed: text or CSV over https, one login in each line (or in the first of its columns).

What is not plausibly that list (another status, HTML, nothing in it, too much of it, half of it gone) raises
FactUnavailable: whoever asked keeps the verdict it had, since a list that cannot be read says nothing about anybody.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import http.client
import io
import re
import threading
import zlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mattermod_action import __version__
from mattermod_action.adapters.plain_http import NotAllowedError, open_url
from mattermod_action.errors import Down, FactUnavailable, Mistake, NotYet

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.ports import Clock, Store
    from mattermod_action.world import World

PAUSES = (0.5, 2.0, None)  # seconds before the next attempt
LARGEST = 4_194_304  # bytes; a hundred thousand logins are a third of that
LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,99})(?:\[bot\])?", re.IGNORECASE)
TEXT = ("text/plain", "text/csv", "application/csv", "application/octet-stream", "")
HEADINGS = ("login", "user", "username", "name", "github", "account")  # what the first line may be instead of somebody
MISTRUST = timedelta(days=1)  # for which a list that has lost half of its names is not believed
FRESH = timedelta(hours=1)  # for which nobody needs to know that a list was read again


@dataclass(frozen=True, slots=True)
class Known:
    """A list as it was last; without an ETag it is fetched again."""

    names: frozenset[str]
    etag: str
    read_at: datetime


class Reading:
    """A list that is being read, in the background, so that whoever waits for it may say so after a while."""

    def __init__(self, url: str, world: World) -> None:
        self._url, self._clock = url, world.clock
        self._memory = None if world.inputs.dry_run or not world.durable else Memory(world.store, url)
        self._known = self._memory.recall() if self._memory else None
        self._result: Known | Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)  # a run that ends need not wait for it
        self._thread.start()

    def names(self, seconds: float | None) -> frozenset[str]:
        """Return the logins, case-folded. Raises NotYet after `seconds`, and FactUnavailable."""
        self._thread.join(seconds)
        if self._result is None:
            raise NotYet("the list of signatures is still being read")
        if isinstance(self._result, Exception):
            raise self._result
        new, known = self._result, self._known
        if known and len(new.names) * 2 < len(known.names) and new.read_at - known.read_at < MISTRUST:
            raise FactUnavailable(f"the list of signatures has {len(new.names)} names, and had {len(known.names)}")
        if self._memory and (not known or new.names != known.names or new.read_at - known.read_at > FRESH):
            self._memory.keep(new)
        return new.names

    def _read(self) -> None:
        try:
            self._result = fetch(self._url, self._known, self._clock)
        except Exception as error:  # noqa: BLE001  # it is raised where the names are asked for
            self._result = error


class Memory:
    """What the shared database knows of a list. Where it cannot be asked, nothing is known: that is not its use."""

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._key = store, hashlib.sha256(url.encode()).hexdigest()

    def recall(self) -> Known | None:
        with contextlib.suppress(Mistake, Down, zlib.error):  # a schema one step older has no such table
            if row := self._store.recall(self._key):
                etag, names, read_at = row
                return Known(frozenset(zlib.decompress(names).decode().splitlines()), etag, read_at)
        return None

    def keep(self, known: Known) -> None:
        names = zlib.compress("\n".join(sorted(known.names)).encode())
        with contextlib.suppress(Mistake, Down):
            self._store.keep(self._key, known.etag, names, known.read_at)


def fetch(url: str, known: Known | None, clock: Clock) -> Known:
    """Read the list, unless it is the one that is known. Raises FactUnavailable."""
    reason = ""
    for pause in PAUSES:
        try:
            answer = _get(url, known.etag if known else "")
        except (OSError, http.client.HTTPException) as error:
            reason = f"the list of signatures cannot be read ({type(error).__name__})"
        else:
            text, etag = answer or ("", "")
            return (
                replace(known, read_at=clock.now()) if known and not answer else Known(logins(text), etag, clock.now())
            )
        if pause is not None:
            clock.sleep(pause)
    raise FactUnavailable(reason)


def logins(text: str) -> frozenset[str]:
    """Read the first column; a heading is nobody. Raises FactUnavailable when there is nobody."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if row]
    except csv.Error as error:  # a field without an end, a line that ends in two ways
        raise FactUnavailable("the list of signatures is no CSV") from error
    first, *others = [row[0].strip().removeprefix("@").casefold() for row in rows] or [""]
    names = others if first in HEADINGS else [first, *others]
    found = frozenset(name for name in names if LOGIN.fullmatch(name))
    if not found or "<html" in text[:1_000].casefold():
        raise FactUnavailable("the list of signatures is empty, or no list")
    return found


def _get(url: str, etag: str) -> tuple[str, str] | None:
    """Return text and ETag; None when it is still what the ETag stands for."""
    try:
        connection, target = open_url(url)
    except NotAllowedError as error:
        raise FactUnavailable(f"the list of signatures cannot be read: {error}") from None
    try:
        condition = {"If-None-Match": etag} if etag else {}
        connection.request("GET", target, headers={"User-Agent": f"mattermod-action/{__version__}", **condition})
        answer = connection.getresponse()
        if etag and answer.status == http.client.NOT_MODIFIED:
            return None
        return _text(answer), (answer.headers.get("ETag") or "")[:255]
    finally:
        connection.close()


def _text(answer: http.client.HTTPResponse) -> str:
    kind_of = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().casefold()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise http.client.HTTPException(str(answer.status))
    if answer.status != http.client.OK or kind_of not in TEXT:
        raise FactUnavailable(f"the list of signatures cannot be read ({answer.status} {kind_of})")
    body = answer.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise FactUnavailable(f"the list of signatures is larger than {LARGEST} bytes")
    return body.decode("utf-8", errors="replace")
