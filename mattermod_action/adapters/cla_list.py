"""The list of those who signed: text or CSV over https, one login in each line (or in the first of its columns).

What is not plausibly that list (another status, HTML, nothing in it, too much of it, half of it gone, or too late)
raises FactUnavailable: whoever asked keeps the verdict it had, since a list that cannot be read says nothing about
anybody. Who has signed is read from its server each time. The database knows only how many had: otherwise whoever can
write a row there could sign for everybody.
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
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mattermod_action import __version__
from mattermod_action.adapters import deadlines
from mattermod_action.adapters.plain_http import NotAllowedError, body_of, open_url
from mattermod_action.errors import Down, FactUnavailable, Mistake, NotYet

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.ports import Clock, Store
    from mattermod_action.world import World

PAUSES = (0.5, 2.0, None)  # seconds before the next attempt
PATIENCE = 20.0  # seconds for all attempts together
LONGEST = 40.0  # seconds for whoever waits for all of it, which has ended by then
LARGEST = 4_194_304  # bytes, unpacked; a hundred thousand logins are a third of that
HEADERS = 65_536  # bytes that may come besides
ASKED = {"User-Agent": f"mattermod-action/{__version__}", "Accept-Encoding": "gzip"}
GZIP = 16  # beside zlib's own: https://docs.python.org/3/library/zlib.html#zlib.decompressobj
LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,99})(?:\[bot\])?", re.IGNORECASE)
TEXT = ("text/plain", "text/csv", "application/csv", "application/octet-stream", "")
HEADINGS = ("login", "user", "username", "name", "github", "account")  # what the first line may be instead of somebody
MISTRUST = timedelta(days=1)  # for which a list that has lost half of its names is not believed
FRESH = timedelta(hours=1)  # for which nobody needs to know that a list was read again


@dataclass(frozen=True, slots=True)
class Known:
    """How many names a list had, and when it was read."""

    count: int
    read_at: datetime


class Reading:
    """A list that is being read, in the background, so that whoever waits for it may say so after a while."""

    def __init__(self, url: str, world: World) -> None:
        self._url, self._clock = url, world.clock
        self._memory = None if world.inputs.dry_run or not world.durable else Memory(world.store, url)
        self._known = self._memory.recall() if self._memory else None
        self._result: frozenset[str] | Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)  # a run that ends need not wait for it
        self._thread.start()

    def names(self, seconds: float | None) -> frozenset[str]:
        """Return the logins, case-folded. Raises NotYet after `seconds`, and FactUnavailable."""
        self._thread.join(LONGEST if seconds is None else seconds)
        if self._result is None:
            still = "the list of signatures is still being read"
            raise FactUnavailable(still) if seconds is None else NotYet(still)
        if isinstance(self._result, Exception):
            raise self._result
        names, known, now = self._result, self._known, self._clock.now()
        if known and len(names) * 2 < known.count and now - known.read_at < MISTRUST:
            raise FactUnavailable(f"the list of signatures has {len(names)} names, and had {known.count}")
        if self._memory and (not known or len(names) != known.count or now - known.read_at > FRESH):
            self._memory.keep(names, now)
        return names

    def _read(self) -> None:
        """End by itself: everything that it waits for does."""
        try:
            self._result = fetch(self._url, self._clock)
        except Exception as error:  # noqa: BLE001  # it is raised where the names are asked for
            self._result = error


class Memory:
    """What the shared database knows of a list. Where it cannot be asked, nothing is known: that is not its use.

    Versions that know an ETag fetch the list again where there is none.
    """

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._key = store, hashlib.sha256(url.encode()).hexdigest()

    def recall(self) -> Known | None:
        with contextlib.suppress(Mistake, Down, zlib.error, ValueError, TypeError):  # anybody may have written the row
            if row := self._store.recall(self._key):
                _, names, read_at = row
                return Known(_unpacked(zlib.decompressobj(), names).count(b"\n") + 1, read_at)
        return None

    def keep(self, names: frozenset[str], read_at: datetime) -> None:
        packed = zlib.compress("\n".join(sorted(names)).encode())
        with contextlib.suppress(Mistake, Down):
            self._store.keep(self._key, "", packed, read_at)


def fetch(url: str, clock: Clock) -> frozenset[str]:
    """Read the list. Raises FactUnavailable."""
    with deadlines.answer(PATIENCE, len(PAUSES) * (LARGEST + HEADERS)):
        return _fetch(url, clock)


def _fetch(url: str, clock: Clock) -> frozenset[str]:
    reason = ""
    for pause in PAUSES:
        try:
            text = _get(url)
        except (OSError, http.client.HTTPException, zlib.error) as error:
            reason = f"the list of signatures cannot be read ({type(error).__name__})"
        else:
            return logins(text)
        if pause is not None:
            clock.sleep(pause)
    raise FactUnavailable(reason)


def logins(text: str) -> frozenset[str]:
    """Read the first column; a heading is nobody. Raises FactUnavailable when there is nobody."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if row]
    except csv.Error:  # a field of over 131,072 characters, as a stray quote makes one
        raise FactUnavailable("the list of signatures is no list") from None
    first, *others = [row[0].strip().removeprefix("@").casefold() for row in rows] or [""]
    names = others if first in HEADINGS else [first, *others]
    found = frozenset(name for name in names if LOGIN.fullmatch(name))
    if not found or "<html" in text[:1_000].casefold():
        raise FactUnavailable("the list of signatures is empty, or no list")
    return found


def _get(url: str) -> str:
    try:
        connection, target = open_url(url)
        with contextlib.closing(connection):
            connection.request("GET", target, headers=ASKED)
            return _text(connection.getresponse())
    except NotAllowedError as error:
        raise FactUnavailable(f"the list of signatures cannot be read: {error}") from None


def _text(answer: http.client.HTTPResponse) -> str:
    kind_of = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().casefold()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise http.client.HTTPException(str(answer.status))
    if answer.status != http.client.OK or kind_of not in TEXT:
        raise FactUnavailable(f"the list of signatures cannot be read ({answer.status} {kind_of})")
    body = body_of(answer, LARGEST)
    match (answer.headers.get("Content-Encoding") or "identity").strip().casefold():
        case "gzip" | "x-gzip":
            packer = zlib.decompressobj(wbits=zlib.MAX_WBITS | GZIP)
            body = _unpacked(packer, body)
            if not packer.eof and len(body) <= LARGEST:
                raise zlib.error("it ends in the middle")
        case "identity":
            pass
        case _:
            raise FactUnavailable("the list of signatures cannot be read (packed in another way than gzip)")
    if len(body) > LARGEST:
        raise FactUnavailable(f"the list of signatures is larger than {LARGEST} bytes")
    return body.decode("utf-8", errors="replace")


def _unpacked(packer: Any, body: bytes) -> bytes:
    """Unpack no more than can be a list; what is longer shows by its length. Raises zlib.error."""
    return bytes(packer.decompress(body, LARGEST + 1))
