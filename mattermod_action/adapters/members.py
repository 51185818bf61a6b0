"""Several pull requests in one query, each with what picking it depends on.

https://docs.github.com/en/graphql/reference/objects#pullrequest
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mattermod_action.adapters import candidates, sources
from mattermod_action.members import Member
from mattermod_action.picks import Fate, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.adapters.candidates import Ask, Json
    from mattermod_action.events import Repository

# A page costs a point for a hundred connections, of which each commit's parents are one.
# https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
MEMBERS = """
query ($owner: String!, $name: String!, $most: Int!{variables}) {{
  repository(owner: $owner, name: $name) {{ databaseId nameWithOwner {members} }}
}}
fragment member on PullRequest {{
  {pull}
  title mergedAt
  mergeCommit {{ {commit} history(first: $most) {{ nodes {{ {commit} }} }} }}
  commits(last: $most) {{ totalCount nodes {{ commit {{ {commit} }} }} }}
}}
"""


FATES = "{name}: pullRequest(number: ${name}) {{ state baseRefName mergeable }}"


def fates(ask: Ask, repository: Repository, numbers: Sequence[int]) -> dict[int, Fate]:
    """Read how these pull requests stand. Raises Gone when one is none any more."""
    asked = {f"number{at}": number for at, number in enumerate(numbers)}
    variables = "".join(f", ${name}: Int!" for name in asked)
    fields = " ".join(FATES.format(name=name) for name in asked)
    query = (
        f"query ($owner: String!, $name: String!{variables}) "
        f"{{ repository(owner: $owner, name: $name) {{ {fields} }} }}"
    )
    found = ask(query, {"owner": repository.owner, "name": repository.name, **asked})["repository"]
    return {number: _fate(found[name]) for name, number in asked.items()}


def _fate(node: Json) -> Fate:
    return Fate(node["state"].lower(), node["baseRefName"], node["mergeable"])


def members(ask: Ask, repository: Repository, numbers: Sequence[int], most: int) -> list[Member]:
    """Read these pull requests, each with at most so many of its commits. Raises Gone when one is none."""
    asked = {f"number{at}": number for at, number in enumerate(numbers)}
    query = MEMBERS.format(
        variables="".join(f", ${name}: Int!" for name in asked),
        members=" ".join(f"{name}: pullRequest(number: ${name}) {{ ...member }}" for name in asked),
        pull=candidates.PULL,
        commit=sources.COMMIT,
    )
    where = {"owner": repository.owner, "name": repository.name}
    found = ask(query, {**where, "most": most, **asked})["repository"]
    return [_member(found, found[name]) for name in asked]


def _member(place: Json, node: Json) -> Member:
    source = Source(
        pull=candidates.pull(candidates.repository(place), node), title=node["title"], **sources.brought(node)
    )
    return Member(source, datetime.fromisoformat(node["mergedAt"]) if node["mergedAt"] else None)
