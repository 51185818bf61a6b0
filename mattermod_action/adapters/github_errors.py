"""Class GitHub's answers: what each says about the request, as one of our errors. Nothing here asks anything.

An answer that nobody can class counts as unknown (`Unsure`), never as a refusal: a refusal is final, and an unknown
outcome is read back first.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mattermod_action.errors import Gone, Limited, MattermodError, MayNot, Mistake, Refused, TooHeavy, Unsure

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
SECONDARY_WAIT = 60.0  # seconds
LONGEST = 300  # characters of a reason
UNAUTHORIZED, FORBIDDEN, SERVER_ERROR = 401, 403, 500
LIMITS = (200, 403, 429)  # "the response status will be 200 or 403"; 429 is documented for REST
OVERLOADED = (502, 504)  # GitHub ends whatever takes it ten seconds
GONE = (404, 410)
# GitHub answers with these to a request that it has understood and not carried out.
REFUSALS = (400, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 422, 423, 424, 451)
# Types of GraphQL errors by which GitHub refuses; a name that is not here, or none, may be a fault of its own.
# https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
QUERY_REFUSALS = frozenset({
    "BRANCH_PROTECTION_RULE_VIOLATION", "EXCESSIVE_PAGINATION", "FORBIDDEN", "INVALID_CURSOR_ARGUMENTS",
    "INVALID_PAGINATION", "LOCKED", "MISSING_PAGINATION_BOUNDARIES", "NOT_FOUND", "REPOSITORY_RULE_VIOLATION",
    "STALE_DATA", "UNAUTHENTICATED", "UNPROCESSABLE", "VALIDATION",
})  # fmt: skip
TOO_HEAVY = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"})
# Fields that a token may be kept from seeing while all the rest is there; without them we wait, or ask a person.
# https://github.com/cli/cli/issues/14317: a team that is asked for a review, for a token without `members: read`.
UNSEEN = frozenset({"actor", "author", "headRepository", "requestedReviewer", "user"})
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
CODES = {
    "already_exists": "{what} already exists",
    "invalid": "{what} is not valid",
    "missing": "{what} does not exist",
    "missing_field": "{what} is missing",
}
_ALIAS = re.compile(r"i\d+")
MAIN_INPUT = "github-token"  # of the inputs that are tokens, the one that every run has
JOB_NEEDS = "give the job {permission} under `permissions:`, or the App whose token it is (see docs/tokens.md)"
APP_NEEDS = "the App or the person that it is of needs {permission} (see docs/tokens.md)"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of GitHub: its status, its headers in lower case, its JSON; `token` is the input that asked."""

    status: int
    headers: Mapping[str, str]
    data: Any
    token: str = MAIN_INPUT
    errors: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = self.data.get("errors") if isinstance(self.data, dict) else None
        object.__setattr__(self, "errors", tuple(found) if isinstance(found, list) else ())

    @property
    def message(self) -> str:
        return str(self.data.get("message") or "") if isinstance(self.data, dict) else ""

    @property
    def types(self) -> frozenset[str]:
        return frozenset(str(each.get("type") or "") for each in self.errors if isinstance(each, dict))

    @property
    def reason(self) -> str:
        """All that GitHub says of why, in whichever of its forms."""
        said = [text for text in map(_said, self.errors) if text]
        general = self.message if self.message and not (said and self.message == "Validation Failed") else ""
        whole = "; ".join(dict.fromkeys(filter(None, [general, *said])))
        return (whole or "no reason given")[:LONGEST]


def is_seen(answered: Answered) -> bool:
    """Whether the data of a query stands, though some of it is hidden from this token."""
    data = answered.data.get("data") if isinstance(answered.data, dict) else None
    return isinstance(data, dict) and all(map(_is_only_hidden, answered.errors))


def error_of(answered: Answered, what: str, permission: str) -> MattermodError:
    """Return what an answer other than the wished one means for a request to do `what`, which takes `permission`."""
    from mattermod_action import refusals  # most runs are refused nothing

    if error := _not_now(answered):
        return error
    if known := refusals.find(answered.reason):
        return known.error(what, answered.status, answered.reason, answered.token, permission)
    return _not_allowed(answered, what, permission) or _refused(answered, what)


def _not_now(answered: Answered) -> MattermodError | None:
    """A limit, or an answer that leaves open what became of the request."""
    if wait := pause(answered):
        return Limited(f"GitHub's rate limit is reached; it asks to wait {wait:.0f} s", wait)
    if answered.status in OVERLOADED or answered.types & TOO_HEAVY:
        certain = bool(answered.types & TOO_HEAVY)
        return TooHeavy(f"GitHub could not answer so much at once ({_name(answered)})", certain=certain)
    is_known = answered.status == UNAUTHORIZED or _is_refusal(answered)
    return None if is_known else Unsure(f"GitHub answered {_name(answered)}")


def _not_allowed(answered: Answered, what: str, permission: str) -> Mistake | None:
    """A token that has expired, or has too few permissions: whoever made it can mend it."""
    token, said = f"`{answered.token}`", answered.reason
    if answered.status == UNAUTHORIZED:
        return Mistake(f"{token} is not accepted by GitHub (401): it is wrong or has expired")
    if "INSUFFICIENT_SCOPES" in answered.types:
        return Mistake(f"{token} lacks a scope: {said}")
    if "not accessible" in said:
        is_main = answered.token == MAIN_INPUT
        cure = (JOB_NEEDS if is_main else APP_NEEDS).format(permission=permission)
        return MayNot(f"{token} may not {what} here", cure, main=is_main)
    # Single sign-on, an IP allow list or a suspension: a read that is refused says nothing about what is there.
    is_closed = answered.status == FORBIDDEN and what.startswith("read")
    return Mistake(f"{token} may not {what} here: {said}") if is_closed or "FORBIDDEN" in answered.types else None


def _refused(answered: Answered, what: str) -> Refused:
    is_gone = answered.status in GONE or answered.types == {"NOT_FOUND"}
    return (Gone if is_gone else Refused)(f"GitHub refused to {what} ({answered.status}): {answered.reason}")


def pause(answered: Answered) -> float:
    """Seconds to wait when this is a rate limit, primary or secondary, as REST or GraphQL says it; else 0."""
    if answered.status not in LIMITS:
        return 0
    headers, said = answered.headers, answered.reason.casefold()
    is_limit = "rate limit" in said or "RATE_LIMITED" in answered.types or "abuse detection" in said
    if answered.status == LIMITS[0] and not is_limit:
        return 0
    if str(headers.get("retry-after", "")).isdecimal():
        return max(1.0, float(headers["retry-after"]))
    if headers.get("x-ratelimit-remaining") == "0" and str(headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    return SECONDARY_WAIT if is_limit or answered.status == LIMITS[-1] else 0


def _is_refusal(answered: Answered) -> bool:
    """A page of HTML, or an error without a type or with an unknown one, is nobody's word."""
    if answered.errors and answered.status < REFUSALS[0]:
        return all(map(_is_known, answered.errors))
    return answered.status in REFUSALS and bool(answered.message or answered.errors)


def _is_known(error: Any) -> bool:
    """A query that GitHub does not understand has a `code` in place of a type."""
    if not isinstance(error, dict):
        return False
    more = error.get("extensions")
    has_code = isinstance(more, dict) and bool(more.get("code"))
    return str(error.get("type")) in {*QUERY_REFUSALS, "INSUFFICIENT_SCOPES"} or ("type" not in error and has_code)


def _is_only_hidden(error: Any) -> bool:
    """Or gone: an item that is asked for among others, as `iNUMBER`, is null, and the others stand."""
    path = error.get("path") if isinstance(error, dict) else None
    if not isinstance(path, list) or not path:
        return False
    last = str(path[-1])
    gone = error.get("type") == "NOT_FOUND" and bool(_ALIAS.fullmatch(last))
    return gone or (last in UNSEEN and error.get("type") == "FORBIDDEN")


def _said(error: Any) -> str:
    """An error is a text, has a text, or names a field and a code."""
    if not isinstance(error, dict):
        return str(error or "")
    if error.get("message"):
        return str(error["message"])
    what = " ".join(str(error[name]) for name in ("resource", "field") if error.get(name))
    return CODES.get(str(error.get("code")), "{what}: {code}").format(what=what, code=error.get("code")) if what else ""


def _name(answered: Answered) -> str:
    """The status, or what a query's errors say, of which the status says nothing."""
    return str(answered.status) if answered.status >= REFUSALS[0] else answered.reason
