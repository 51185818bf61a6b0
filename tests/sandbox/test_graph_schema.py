"""The part of GitHub's GraphQL schema that the sandbox has is a part of GitHub's own (@octokit/graphql-schema)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLEnumType, build_schema, parse, validate

from mattermod_action.adapters.activity import HIDE, ISSUE, PULL
from mattermod_action.adapters.candidates import ENQUEUE, LABELED, MORE, ONE
from mattermod_action.adapters.github import COMMENTS, COMMITS, THREADS
from sandbox.graph import SCHEMA

if TYPE_CHECKING:
    from graphql import GraphQLSchema

FILE = Path(__file__).parents[2] / ".cache/npm/node_modules/@octokit/graphql-schema/schema.graphql"
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


QUERIES = {
    "comments": COMMENTS,
    "commits": COMMITS,
    "threads": THREADS,
    "labeled": LABELED,
    "one": ONE,
    "more": MORE,
    "enqueue": ENQUEUE,
    "hide": HIDE,
    "activity": f"""query {{ repository(owner: "o", name: "n") {{
        i1: pullRequest(number: 1) {{ ...pull }} i2: issue(number: 2) {{ ...issue }}
    }} }} {PULL} {ISSUE}""",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_each_query_of_ours_is_one_that_github_takes(query: str) -> None:
    assert validate(githubs(), parse(query)) == []
    assert validate(SCHEMA, parse(query)) == []
