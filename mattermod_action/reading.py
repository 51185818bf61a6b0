"""Whether a row of the database can be one that this action has written: whoever shares the database may write any.

Each check raises ValueError. A row that fails one is left out, and named in the log of the run; the others go on.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

KEY = re.compile(r"[0-9a-f]{64}")
SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")  # Enterprise Managed Users have a _
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
INSTANCE = re.compile(r"(?:i-[0-9a-f]{8,32})?")
TOKEN = re.compile(r"[A-Za-z0-9-]{0,64}")
CHANGES = re.compile(r"[A-Za-z0-9 ]{0,200}")  # of Route 53, by their ids
ADDRESS = re.compile(r"(?:https?://[!-~]{1,2000})?")
MOMENT = re.compile(r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?")
MOST = 2**31 - 1  # of a number in a column


def shaped(value: Any, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{what} has another form")
    return value


def short(value: Any, most: int, what: str) -> str:
    """One line of text, no longer than that."""
    if not isinstance(value, str) or len(value) > most or any(each in value for each in "\0\n\r"):
        raise ValueError(f"{what} is not a line of up to {most} characters")
    return value


def whole(value: Any, least: int, most: int, what: str) -> int:
    """A number from `least` to `most`; no database has true or false for one."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{what} is not a number from {least} to {most}")
    return value


def one_of(value: Any, known: Collection[str], what: str) -> str:
    if value not in known:
        raise ValueError(f"{what} is none of ours")
    return str(value)


def typed(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what} is of another type")  # noqa: TRY004  # a row that cannot be read, whatever is wrong
    return value


def address(value: str) -> str:
    """An address of the internet, or none."""
    if value:
        import ipaddress  # only who has servers pays for it

        ipaddress.ip_address(value)
    return value


def earlier(moment: datetime, *limits: datetime) -> datetime:
    """Return the earliest: what lies in the future cannot have happened."""
    return min(moment, *limits)


def until(moment: datetime | None, latest: datetime) -> datetime | None:
    """Cut what ends later than anything of ours."""
    return None if moment is None else min(moment, latest)


def after(moment: datetime, time: timedelta) -> datetime:
    """Add a time that may be longer than there are dates for."""
    try:
        return moment + time
    except OverflowError:
        return datetime.max  # noqa: DTZ901  # naive UTC, as everywhere
