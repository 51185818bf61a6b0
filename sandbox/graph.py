"""GraphQL: the part of GitHub's schema that we query, by its real names, executed by graphql-core.

https://docs.github.com/en/graphql/reference and, for limits,
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

import http.client
import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    REMOVE,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    TypeDefinitionNode,
    Visitor,
    build_ast_schema,
    execute_sync,
    parse,
    validate,
    visit,
)

from sandbox import access, cost
from sandbox.answers import Answer, answer, refuse
from sandbox.graph_changes import mutations
from sandbox.graph_fields import Viewer, queries
from sandbox.variants import GITHUB_COM, VARIANTS

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLResolveInfo, GraphQLSchema, Node
    from graphql.language.visitor import VisitorAction

    from sandbox.graph_pages import Json
    from sandbox.records import Token
    from sandbox.state import State
    from sandbox.variants import Variant

    Info = GraphQLResolveInfo[Any]

DOCUMENT = parse((Path(__file__).parent / "schema.graphql").read_text())
TIMED_OUT = b'{"data":null,"errors":[{"message":"Something went wrong while executing your query."}]}'
# One name for two types in two fragments, such as the `state` of an issue and of a pull request: GitHub takes it from
# its own command line (https://github.com/cli/cli/issues/12476), as the library that it is made of still does
# (https://graphql-ruby.org/api-doc/2.5.11/GraphQL/Schema.html#allow_legacy_invalid_return_type_conflicts-class_method).
TOLERATED = "they return conflicting types"
_UNKNOWN_FIELD = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")


def handle(state: State, token: Token, raw: bytes) -> Answer:
    """Answer a query; what is wrong with one is said under `errors`, with status 200, as GitHub does."""
    query, variables, operation = _asked(raw)
    try:
        document = _checked(query, state.variant)
        access.check_scopes(token, SCHEMA, document)
        viewer = Viewer(state, token, cost.of(document, variables, operation))
        if state.variant.limits:
            access.spend_points(token, viewer.cost.points)
    except RefusedQueryError as refused:
        return answer(200, {"errors": refused.errors})
    except GraphQLError as error:
        return answer(200, {"errors": [_error(error)]})
    result = execute_sync(
        schema(state.variant),
        document,
        {**queries(viewer), **mutations(viewer)},
        variable_values=variables,
        operation_name=operation,
        field_resolver=_field,
        type_resolver=lambda value, _info, _type: str(value["__typename"]),
    )
    if viewer.is_too_much() and state.heavy and state.heavy.how != http.client.OK:
        return Answer(state.heavy.how, TIMED_OUT)
    found = {} if result.data is None and result.errors else {"data": result.data}
    return answer(200, {**found, **({"errors": [_error(each) for each in result.errors]} if result.errors else {})})


@cache
def schema(variant: Variant) -> GraphQLSchema:
    """What this kind of GitHub knows of it."""
    return build_ast_schema(visit(DOCUMENT, _Without(variant.lacks)))


class _Without(Visitor):
    """Takes out the fields and values that are named TYPE.NAME in `lacks`."""

    def __init__(self, lacks: frozenset[str]) -> None:
        super().__init__()
        self._lacks = lacks

    def enter(self, node: Node, _key: object, _parent: object, _path: object, above: list[Node]) -> VisitorAction:
        if not isinstance(node, FieldDefinitionNode | EnumValueDefinitionNode):
            return None
        kind = next((each.name.value for each in reversed(above) if isinstance(each, TypeDefinitionNode)), "")
        return REMOVE if f"{kind}.{node.name.value}" in self._lacks else None


SCHEMA = schema(VARIANTS[GITHUB_COM])


def _field(source: Json, info: Info, **arguments: Any) -> Any:
    """Everything here is a dict, and what takes long to make in it is a callable."""
    value = source.get(info.field_name)
    return value(info, **arguments) if callable(value) else value


def is_write(raw: bytes) -> bool:
    return bool(re.search(rb'"query"\s*:\s*"\s*mutation\b', raw))


def _asked(raw: bytes) -> tuple[str, Json, str | None]:
    try:
        data = json.loads(raw)
    except ValueError:
        raise refuse(400, "Problems parsing JSON", "graphql") from None
    data = data if isinstance(data, dict) else {}
    return str(data.get("query") or ""), data.get("variables") or {}, data.get("operationName")


class RefusedQueryError(Exception):
    def __init__(self, errors: list[Json]) -> None:
        super().__init__(errors)
        self.errors = errors


@lru_cache(maxsize=64)
def _checked(query: str, variant: Variant) -> DocumentNode:
    """Parse and validate; a client sends the same few texts again and again."""
    if not query:
        raise RefusedQueryError([{"message": "A query attribute must be specified and must be a string."}])
    try:
        document = parse(query, no_location=False)
    except GraphQLError as error:
        raise RefusedQueryError([_error(error)]) from error
    found = validate(schema(variant), document)
    if errors := [each for each in found if TOLERATED not in each.message]:
        raise RefusedQueryError([{"path": _place(document, each), **_error(each)} for each in errors])
    return document


class _Path(Visitor):
    """Walks a document until it is at a node, and then knows the way there."""

    def __init__(self, wanted: Node | None) -> None:
        super().__init__()
        self.wanted, self.way, self.found = wanted, list[str](), list[str]()

    def enter(self, node: Node, *_: Any) -> None:
        self.way.append(_step(node))
        if node is self.wanted:
            self.found = [step for step in self.way if step]

    def leave(self, *_: Any) -> None:
        self.way.pop()


def _place(document: DocumentNode, error: GraphQLError) -> list[str]:
    """Say where in the query the mistake is, as GitHub does: the operation, then each field by its alias or name."""
    walk = _Path(error.nodes[0] if error.nodes else None)
    visit(document, walk)
    return walk.found


def _step(node: Node) -> str:
    if isinstance(node, OperationDefinitionNode):
        return f"{node.operation.value} {node.name.value}" if node.name else node.operation.value
    if isinstance(node, FragmentDefinitionNode):
        return f"fragment {node.name.value}"
    if isinstance(node, InlineFragmentNode):
        return f"... on {node.type_condition.name.value}" if node.type_condition else "..."
    return (node.alias or node.name).value if isinstance(node, FieldNode) else ""


def _error(error: GraphQLError) -> Json:
    """Write an error as GitHub does: `type` at the top, and its own words for a field that does not exist."""
    written: Json = {"message": error.message}
    if unknown := _UNKNOWN_FIELD.match(error.message):
        name, kind = unknown.groups()
        written = {"message": f"Field '{name}' doesn't exist on type '{kind}'"}
        written["extensions"] = {"code": "undefinedField", "typeName": kind, "fieldName": name}
    written["locations"] = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    typed = {"type": error.extensions["type"]} if error.extensions and "type" in error.extensions else {}
    return {**typed, **({"path": error.path} if error.path else {}), **written}
