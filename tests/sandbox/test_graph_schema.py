"""The part of GitHub's GraphQL schema that the sandbox has is a part of GitHub's own (@octokit/graphql-schema)."""

from __future__ import annotations

import ast
import importlib
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLEnumType, NoDeprecatedCustomRule, build_schema, parse, specified_rules, validate

import mattermod_action
from mattermod_action.adapters import activity, members, sources
from mattermod_action.markers import Seals
from sandbox.graph import SCHEMA
from tests import builders
from tests.sandbox.described import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import GraphQLSchema

FILE = MODULES / "@octokit/graphql-schema/schema.graphql"
SOURCE = Path(mattermod_action.__file__).parent
NAMES = sorted(name for name in SCHEMA.type_map if not name.startswith("__"))


@cache
def githubs() -> GraphQLSchema:
    return build_schema(FILE.read_text(), assume_valid=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_type_is_githubs_own(name: str) -> None:
    ours: Any = SCHEMA.type_map[name]
    theirs: Any = githubs().type_map.get(name)
    assert type(ours) is type(theirs), f"GitHub has no such {name}"
    if isinstance(ours, GraphQLEnumType):
        assert ours.values.keys() <= theirs.values.keys()
    for field, mine in getattr(ours, "fields", {}).items():
        assert _signature(mine) <= _signature(theirs.fields[field]), field


# What a timeline may be asked for is what it can show here; of all else a query gets to see each value that GitHub has.
PARTS = ("IssueTimelineItemsItemType", "PullRequestTimelineItemsItemType")
ENUMS = [name for name in NAMES if isinstance(SCHEMA.type_map[name], GraphQLEnumType) and name not in PARTS]


@pytest.mark.parametrize("name", ENUMS)
def test_each_value_that_github_may_answer_with_is_one_of_ours(name: str) -> None:
    ours: Any = SCHEMA.type_map[name]
    theirs: Any = githubs().type_map[name]
    assert ours.values.keys() == theirs.values.keys()


def _signature(field: Any) -> set[str]:
    """The field's type, and each argument with its type."""
    arguments = getattr(field, "args", {})
    return {str(field.type), *(f"{name}: {argument.type}" for name, argument in arguments.items())}


# Texts that are no query by themselves, and all that becomes of them; every other is one of a module's constants.
OPERATION = re.compile(r"\b(query|mutation|subscription)\b\s*\w*\s*[({]")
SUBJECT = builders.pull_seen().subject
OTHER = builders.issue_seen(number=8).subject


class AskedError(Exception):
    """Carries the text that would have been sent."""


def _ask(text: str, _variables: Any) -> Any:
    raise AskedError(text)


def _sent(act: Callable[[], Any]) -> str:
    with pytest.raises(AskedError) as caught:
        act()
    return str(caught.value)


def _activity(*subjects: Any) -> str:
    return activity.Reader("stale", frozenset(), datetime.now(UTC), Seals()).query(subjects)[0]


def _source(count: int, *, comments: bool) -> str:
    targets = [f"release-{number}" for number in range(count)]
    return _sent(
        lambda: sources.source(_ask, SUBJECT, "bug", targets, range(count), comments=comments, commits=comments)
    )


def _touches(count: int) -> str:
    paths = [f"{number}.txt" for number in range(count)]
    return _sent(lambda: sources.touches(_ask, SUBJECT.repository, ("main", "release", "2026-10-05T12:00:00Z"), paths))


def _members(count: int) -> str:
    return _sent(lambda: members.members(_ask, SUBJECT.repository, range(count), 20))


def _fates(count: int) -> str:
    return _sent(lambda: members.fates(_ask, SUBJECT.repository, range(count)))


BUILT: dict[str, list[str]] = {
    "activity.Reader.query": [_activity(SUBJECT), _activity(OTHER), _activity(SUBJECT, OTHER)],
    "sources.SOURCE": [_source(count, comments=comments) for count in (0, 1, 9) for comments in (True, False)],
    "sources.TOUCHES": [_touches(count) for count in (1, 9)],
    "members.MEMBERS": [_members(count) for count in (1, 9)],
    "members.fates": [_fates(count) for count in (1, 9)],
    "github.ITEM": [],  # how three constants begin
}


@cache
def literals() -> dict[str, str]:
    """Return each text that looks like a query by where it stands: MODULE.NAME, or MODULE.CLASS.FUNCTION."""
    return {
        ".".join([path.stem, *place]): text
        for path in sorted(SOURCE.rglob("*.py"))
        for place, text in _texts(ast.parse(path.read_text()), ())
        if OPERATION.search(text)
    }


def _texts(node: ast.AST, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant | ast.JoinedStr):
            parts = child.values if isinstance(child, ast.JoinedStr) else [child]
            yield place, "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
            continue
        name = getattr(child, "name", None) if isinstance(child, ast.ClassDef | ast.FunctionDef) else None
        if isinstance(child, ast.Assign | ast.AnnAssign) and not place:
            name = ast.unparse(child.targets[0] if isinstance(child, ast.Assign) else child.target)
        yield from _texts(child, (*place, name) if name else place)


@cache
def constants() -> dict[str, str]:
    """Return the constants of all modules that look like a query, however they were put together."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        if path.stem not in ("__init__", "__main__"):
            held = vars(importlib.import_module(name)).items()
            found |= {f"{path.stem}.{key}": value for key, value in held if _looks_like_one(value)}
    return found


def _looks_like_one(value: object) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(("query", "mutation")) and bool(OPERATION.search(value))


def texts() -> dict[str, str]:
    """Return every query that is ever sent, by where it stands."""
    built = {f"{place} {number}": text for place, all_of in BUILT.items() for number, text in enumerate(all_of)}
    return {**{place: text for place, text in constants().items() if place not in BUILT}, **built}


def test_every_text_is_seen() -> None:
    """Whoever adds one that is put together while it runs adds to BUILT all that can become of it."""
    assert literals().keys() <= constants().keys() | BUILT.keys()
    assert literals().keys() >= BUILT.keys()
    assert {"github.COMMENTS", "github.THREADS", "census.ITEMS", "marks.QUERY"} < texts().keys()


def test_a_text_that_nobody_knows_is_found() -> None:
    code = 'class A:\n  def b(self):\n    return f"query ($x: Int) {{ {self.y} }}" + "mutation { z }"\n'
    found = [place for place, text in _texts(ast.parse(code), ()) if OPERATION.search(text)]
    assert found == [("A", "b"), ("A", "b")]


@pytest.mark.parametrize("place", texts())
def test_each_query_of_ours_is_one_that_github_takes(place: str) -> None:
    """By the whole of its schema, in which nothing that we ask for is deprecated, and by the sandbox's part of it."""
    document = parse(texts()[place])
    assert validate(githubs(), document, [*specified_rules, NoDeprecatedCustomRule]) == []
    assert validate(SCHEMA, document) == []


def test_what_is_deprecated_is_found() -> None:
    """Of a field and of an argument alike."""
    asked = '{ repository(owner: "o", name: "n") { issue(number: 1) { projectCards(first: 1) { nodes { id } } } } }'
    [problem] = validate(githubs(), parse(asked), [NoDeprecatedCustomRule])
    assert "is deprecated" in problem.message
