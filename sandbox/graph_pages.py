"""Lists of GraphQL, cut into pages, and the errors that a field may end with.

https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphql import GraphQLResolveInfo

    Info = GraphQLResolveInfo[Any]

Json = dict[str, Any]
PAGE = 100  # the most that `first` or `last` may ask for


def typed(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


def check(info: Info, page: Json) -> None:
    """https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#node-limit.

    Whoever only counts needs no page: https://github.com/cli/cli/blob/v2.23.0/api/query_builder.go asks like that.
    """
    name = f"`{info.field_name}` connection"
    asked = {way: page[way] for way in ("first", "last") if page.get(way) is not None}
    if not asked and not _only_counts(info):
        message = f"You must provide a `first` or `last` value to properly paginate the {name}."
        raise typed("MISSING_PAGINATION_BOUNDARIES", message)
    for way, count in asked.items():
        if count > PAGE:
            message = f"Requesting {count} records on the {name} exceeds the `{way}` limit of {PAGE} records."
            raise typed("EXCESSIVE_PAGINATION", message)
        if count < 0:
            raise typed("INVALID_PAGINATION", f"`{way}` on the {name} cannot be less than zero.")


def _only_counts(info: Info) -> bool:
    parts = [part for node in info.field_nodes if node.selection_set for part in node.selection_set.selections]
    return all(isinstance(part, FieldNode) and part.name.value == "totalCount" for part in parts)


def connection(things: list[Any], write: Any, page: Json, sign: int = 1) -> Json:
    """Cut the page out of things that are sorted by id; cursors are made of ids, so growth does not shift them.

    With `sign` -1 they are sorted the other way round.
    """

    def key(thing: Any) -> int:
        return sign * _id(thing)

    low = bisect_right(things, sign * _decode(page["after"]), key=key) if page.get("after") else 0
    high = bisect_left(things, sign * _decode(page["before"]), key=key) if page.get("before") else len(things)
    first, last = page.get("first"), page.get("last")
    end = min(high, low + first) if first is not None else high
    start = max(low, end - last) if last is not None else low
    shown = things[start:end]
    nodes = [write(each) for each in shown]
    info = {
        "startCursor": encode(shown[0].id) if shown else None,
        "endCursor": encode(shown[-1].id) if shown else None,
        "hasPreviousPage": start > 0,
        "hasNextPage": end < len(things),
    }

    def edges(_info: Info) -> list[Json]:
        return [{"cursor": encode(each.id), "node": node} for each, node in zip(shown, nodes, strict=True)]

    return {"edges": edges, "nodes": nodes, "pageInfo": info, "totalCount": len(things)}


@dataclass(frozen=True)
class _Numbered:
    """Something that has no id of its own, with its place in the list, by which pages are cut."""

    id: int
    value: Any


def listed(things: Iterable[Any], write: Callable[[Any], Json], page: Json) -> Json:
    """Cut the page out of a list that stays as it is."""
    return connection([_Numbered(*each) for each in enumerate(things, 1)], lambda each: write(each.value), page)


def _id(thing: Any) -> int:
    return int(thing.id)


def encode(number: int) -> str:
    return base64.b64encode(f"cursor:v2:{number}".encode()).decode()


def _decode(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("cursor:v2:"))
    except (binascii.Error, ValueError):
        raise typed("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from None
