"""How large pages are, and what a row may say of it: anybody who writes to the database may have written that."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from mattermod_action.adapters.github_pages import ITEMS, LABELED, ONE, PAGE, PageSizes, Position, has_next, smaller

NOW = datetime(2026, 1, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere
LATER = (NOW + timedelta(hours=1)).isoformat()
PLACE = "octo-org/Hello"


def test_a_size_is_halved_until_one() -> None:
    sizes = [100]
    while sizes[-1] > 1:
        sizes.append(smaller(sizes[-1]))
    assert sizes == [100, 50, 25, 12, 6, 3, 1]


@pytest.mark.parametrize("page", range(1, 8))
def test_numbered_pages_shrink_at_the_same_item(page: int) -> None:
    at = Position(page=page)
    offset, size = (page - 1) * PAGE, PAGE
    while size > 1:
        size = at.shrink(size)
        assert ((at.page - 1) * at.size, at.size) == (offset, size)


@pytest.mark.parametrize(
    ("link", "is_full", "more"),
    [
        ('<x?page=2>; rel="next", <x?page=9>; rel="last"', False, True),
        ('<x?page=1>; rel="prev", <x?page=1>; rel="first"', True, False),
        ("", True, True),
        ("", False, False),
    ],
)
def test_a_next_page(link: str, *, is_full: bool, more: bool) -> None:
    assert has_next({"link": link} if link else {}, is_full=is_full) is more


def test_what_was_noted_is_begun_with_for_a_day() -> None:
    first, second, third = PageSizes(), PageSizes(), PageSizes()
    assert (first.size(PLACE, ITEMS), first.size(PLACE, LABELED), first.size(PLACE, ONE)) == (100, 25, 25)
    assert first.news(PLACE, NOW) == ""
    first.note(PLACE, ITEMS, 12)
    noted = first.news(PLACE, NOW)
    assert len(noted) <= 255
    assert first.news(PLACE, NOW) == ""
    second.recall(PLACE.upper(), noted, NOW + timedelta(hours=23))
    assert second.size(PLACE, ITEMS) == 12
    third.recall(PLACE, noted, NOW + timedelta(hours=25))
    assert third.size(PLACE, ITEMS) == 100


WRONG: list[Any] = [0, -1, 101, 10**9, True, "5", 5.5, None, [], {}]
ODD: list[Any] = [
    "", "null", "[]", "7", "{", "\x00", "[" * 255, {}, {"until": LATER},
    {"sizes": {"items": 5}}, {"until": 7, "sizes": {}},
    {"until": "tomorrow", "sizes": {"items": 5}}, {"until": LATER + "+00:00", "sizes": {"items": 5}},
    {"until": "9999-01-01", "sizes": {"items": 5}}, {"until": LATER, "sizes": [5]}, {"until": LATER, "sizes": "items"},
    *({"until": LATER, "sizes": {"items": size}} for size in WRONG),
]  # fmt: skip


@pytest.mark.parametrize("noted", ODD)
def test_a_row_that_anybody_wrote_harms_nobody(noted: Any) -> None:
    sizes = PageSizes()
    sizes.recall(PLACE, noted if isinstance(noted, str) else json.dumps(noted), NOW)
    assert sizes.size(PLACE, ITEMS) == 100
