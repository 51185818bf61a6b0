"""Who asks, what the token may, and how much of its hour is left.

https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from typing import TYPE_CHECKING

from graphql import GraphQLError, TypeInfo, TypeInfoVisitor, Visitor, visit

from sandbox.answers import Answer, refuse
from sandbox.records import Pull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import DocumentNode, FieldNode, GraphQLSchema

    from sandbox.records import Item, Repository, Token
    from sandbox.state import State

HOUR = 3_600
PUBLIC = {"metadata": "read", "contents": "read", "issues": "read", "pull_requests": "read"}
LIMITS = "rest/using-the-rest-api/rate-limits-for-the-rest-api"


def authenticate(state: State, header: str) -> Token:
    """Find the token in `Authorization: Bearer T`, `token T` or Basic. Raises 401."""
    scheme, _, value = header.partition(" ")
    if not value:
        raise refuse(401, "Requires authentication")
    secret = _password(value) if scheme.casefold() == "basic" else value.strip()
    for token in state.tokens.values():
        if token.value == secret:
            return token
    raise refuse(401, "Bad credentials")


def _password(value: str) -> str:
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def permissions(token: Token, repo: Repository) -> dict[str, str]:
    """Return what the token may in this repository; {} is that it must not even know of it."""
    mine = not token.repositories or repo.full_name.casefold() in {name.casefold() for name in token.repositories}
    if mine:
        return token.permissions
    return {} if repo.private else PUBLIC


def of_item(item: Item, level: str) -> list[str]:
    """Return the permissions of which one is enough: a pull request is also an issue, but not the reverse."""
    return [f"issues={level}", f"pull_requests={level}"] if isinstance(item, Pull) else [f"issues={level}"]


def allowed(token: Token, repo: Repository, needs: Sequence[str]) -> bool:
    mine = permissions(token, repo)
    return any(_holds(mine, *need.split("=")) for need in needs)


def require(token: Token, repo: Repository, needs: Sequence[str], docs: str) -> None:
    """Raise GitHub's 403, which names in a header what would have been enough (any one of `needs`)."""
    if not allowed(token, repo, needs):
        message = f"Resource not accessible by {token.kind}"
        raise refuse(403, message, docs, X_Accepted_GitHub_Permissions="; ".join(needs))


def reads_members(token: Token) -> bool:
    """Whether it sees the teams of an organisation."""
    return _holds(token.permissions, "members", "read")


def require_of_organisation(token: Token, needs: Sequence[str], docs: str) -> None:
    """Members belong to no repository, so no GITHUB_TOKEN may read them."""
    if not any(_holds(token.permissions, *need.split("=")) for need in needs):
        message = f"Resource not accessible by {token.kind}"
        raise refuse(403, message, docs, X_Accepted_GitHub_Permissions="; ".join(needs))


def _holds(mine: dict[str, str], name: str, level: str) -> bool:
    return mine.get(name) in (("write", "admin") if level == "write" else ("read", "write", "admin"))


def spend(token: Token) -> None:
    """Count one REST request. Raises 403 when the hour's allowance is used up."""
    if not _taken(token, "core", 1):
        raise refuse(403, f"API rate limit exceeded for {token.login}.", f"{LIMITS}#about-primary-rate-limits")


def spend_points(token: Token, points: int) -> None:
    """Count a GraphQL query. Raises GraphQLError when the allowance is used up: GitHub says so with status 200.

    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit
    """
    if not _taken(token, "graphql", points):
        message = f"API rate limit already exceeded for {token.login}."
        raise GraphQLError(message, extensions={"type": "RATE_LIMITED"})


def check_scopes(token: Token, schema: GraphQLSchema, document: DocumentNode) -> None:
    """Refuse a whole query of a classic token that asks for a team's fields without `read:org`.

    https://github.com/cli/cli/issues/812 and https://github.com/cli/cli/issues/11245 have GitHub's words.
    """
    if token.scopes is None or set(token.scopes) & {"read:org", "write:org", "admin:org", "read:discussion"}:
        return
    types = TypeInfo(schema)
    finder = _TeamFields(types)
    visit(document, TypeInfoVisitor(types, finder))
    if finder.found:
        message = (
            f"Your token has not been granted the required scopes to execute this query. The '{finder.found}' field "
            f"requires one of the following scopes: ['read:org', 'read:discussion'], but your token has only been "
            f"granted the: {list(token.scopes)} scopes. Please modify your token's scopes at: "
            "https://github.com/settings/tokens."
        )
        raise GraphQLError(message, extensions={"type": "INSUFFICIENT_SCOPES"})


class _TeamFields(Visitor):
    """The last field of a team that is asked for."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types, self.found = types, ""

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, name = self.types.get_parent_type(), node.name.value
        if parent and parent.name == "Team" and name in ("name", "slug"):
            self.found = name


def _taken(token: Token, resource: str, points: int) -> bool:
    if token.resets_at <= time.time():
        token.used, token.resets_at = {}, time.time() + HOUR
    used = token.used.get(resource, 0)
    if used >= token.limit:
        return False
    token.used[resource] = min(token.limit, used + points)
    return True


def conditional(token: Token, resource: str, reply: Answer, asked: str) -> Answer:
    """Give the answer its ETag; whoever has it already gets 304, which costs nothing.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
    """
    tag = f'W/"{hashlib.sha256(reply.body).hexdigest()}"'
    if asked != tag:
        return Answer(reply.status, reply.body, {**reply.headers, "ETag": tag})
    token.used[resource] = max(0, token.used.get(resource, 0) - 1)
    return Answer(304, b"", {"ETag": tag})


def rate(token: Token, resource: str) -> dict[str, int]:
    used = token.used.get(resource, 0)
    reset = int(token.resets_at or time.time() + HOUR)
    return {"limit": token.limit, "used": used, "remaining": token.limit - used, "reset": reset}


def rate_headers(token: Token | None, resource: str) -> dict[str, str]:
    """Return the headers that every answer carries; nobody in particular has the 60 of an unknown caller."""
    unknown = {"limit": 60, "used": 1, "remaining": 59, "reset": int(time.time() + HOUR)}
    values = rate(token, resource) if token else unknown
    return {
        **{f"X-RateLimit-{name.title()}": str(value) for name, value in values.items()},
        "X-RateLimit-Resource": resource,
    }
