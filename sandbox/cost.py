"""What a GraphQL query costs, by GitHub's rule: a request for each connection of each parent, all pages taken as full.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    VariableNode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, SelectionNode, SelectionSetNode, ValueNode

NODES = 500_000  # that one query may ask for
WAYS = ("first", "last")


@dataclass
class Cost:
    """`points` of the hour's allowance, and the most `nodes` that can come back."""

    requests: int = 0
    nodes: int = 0

    @property
    def points(self) -> int:
        return max(1, round(self.requests / 100))


def of(document: DocumentNode, variables: Mapping[str, Any], operation: str | None = None) -> Cost:
    """Add up what the operation asks for. Raises GraphQLError when it may return too much."""
    made = _Counter(document, variables, operation)
    if made.cost.nodes > NODES:
        message = f"This query requests up to {made.cost.nodes:,} possible nodes which exceeds the maximum limit of"
        raise GraphQLError(f"{message} {NODES:,}.", extensions={"type": "MAX_NODE_LIMIT_EXCEEDED"})
    return made.cost


class _Counter:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any], operation: str | None) -> None:
        self.cost = Cost()
        parts = document.definitions
        self.fragments = {each.name.value: each for each in parts if isinstance(each, FragmentDefinitionNode)}
        for each in parts:
            if isinstance(each, OperationDefinitionNode) and operation in (None, each.name and each.name.value):
                defaults = {one.variable.name.value: one.default_value for one in each.variable_definitions or ()}
                self.given: dict[str, Any] = {**defaults, **variables}
                self._add(each.selection_set, 1)

    def _add(self, selections: SelectionSetNode | None, parents: int) -> None:
        for each in selections.selections if selections else ():
            self._add_one(each, parents)

    def _add_one(self, each: SelectionNode, parents: int) -> None:
        if isinstance(each, FragmentSpreadNode):
            self._add(self.fragments[each.name.value].selection_set, parents)
            return
        page = self._page(each) if isinstance(each, FieldNode) else 0
        if page:
            self.cost.requests += parents
            self.cost.nodes += parents * page
        self._add(getattr(each, "selection_set", None), parents * (page or 1))

    def _page(self, field: FieldNode) -> int:
        """Return how many nodes a connection is asked for, 0 when this is none."""
        asked = (self._number(each.value) for each in field.arguments or () if each.name.value in WAYS)
        return max(asked, default=0)

    def _number(self, value: ValueNode | int | None) -> int:
        if isinstance(value, VariableNode):
            value = self.given.get(value.name.value)
        return int(value.value) if isinstance(value, IntValueNode) else value if isinstance(value, int) else 0
