"""How large a page of a list may be: the size that GitHub has answered last, by repository and kind of list.

GitHub ends a query that takes it more than ten seconds or too many resources, and says of neither beforehand where that
is: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#other-resource-limits.
So a page is halved until it is answered, and the next one begins with what was.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 100  # the most that a page of a list may have, in REST and GraphQL
NESTED = 4  # times as many as a page has items is the most that is read at once of a list in each of them
# Kinds of lists: pull requests by label, all that one has, what was done in items, open items, repositories, checks.
LABELED, ONE, ACTIVITY, ITEMS, OWNED, CHECKS = "labeled", "one", "activity", "items", "owned", "checks"
COMMENTED, COMMITTED = "comments", "commits"
# Items with many lists each: 25 are answered where 100 are not (https://github.com/spiceai/spiceai/issues/13762).
FIRST = {LABELED: 25, ONE: 25}
_PAGE = re.compile(r"[?&]page=(\d{1,9})(?!\d)")
KEPT_FOR = timedelta(days=1)  # for which a smaller size is remembered: a repository may have had one bad hour


def smaller(size: int, offset: int = 0) -> int:
    """Return half of it, or less, so that pages of the new size begin at `offset`, too."""
    return next(each for each in range(size // 2, 0, -1) if offset % each == 0)


def has_next(headers: Mapping[str, str], *, is_full: bool) -> bool:
    """A page may be short and not be the last: `Link` says so, and where there is none, only a full one has a next.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers
    """
    link = headers.get("link")
    return 'rel="next"' in link if link else is_full


def pages_after(headers: Mapping[str, str], page: int) -> int:
    """Return how many pages come after this one: 1 where the answer does not say."""
    addresses = (part.partition(">")[0] for part in headers.get("link", "").split(",") if 'rel="last"' in part)
    last = next(filter(None, map(_PAGE.search, addresses)), None)
    return max(1, int(last[1]) - page) if last else 1


@dataclass
class Position:
    """Where a list of numbered pages is read."""

    page: int = 1
    size: int = PAGE

    def shrink(self, size: int) -> int:
        """Go on at the same item, with smaller pages."""
        offset = (self.page - 1) * size
        self.size = smaller(size, offset)
        self.page = offset // self.size + 1
        return self.size


@dataclass
class PageSizes:
    """The sizes that were answered, by repository and kind of list: in this run, and as earlier ones have noted."""

    _sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    def size(self, place: str, kind: str) -> int:
        return self._sizes.get(place.casefold(), {}).get(kind, FIRST.get(kind, PAGE))

    def note(self, place: str, kind: str, size: int) -> None:
        self._sizes.setdefault(place.casefold(), {})[kind] = size
        self._changed.add(place.casefold())

    def recall(self, place: str, noted: str, now: datetime) -> None:
        """Begin with what an earlier run has noted, if that is not too old; a row that anybody wrote harms nobody."""
        try:
            found = json.loads(noted or "{}")
            until, sizes = datetime.fromisoformat(found["until"]), dict(found["sizes"])
            is_fresh = now < until <= now + KEPT_FOR
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if is_fresh:
            known = {kind: size for kind, size in sizes.items() if type(size) is int and 0 < size <= PAGE}
            self._sizes[place.casefold()] = {**known, **self._sizes.get(place.casefold(), {})}

    def news(self, place: str, now: datetime) -> str:
        """Return what is to be noted of a repository, "" where nothing was learned; said once."""
        if place.casefold() not in self._changed:
            return ""
        self._changed.discard(place.casefold())
        return json.dumps({"until": (now + KEPT_FOR).isoformat(), "sizes": self._sizes[place.casefold()]})
