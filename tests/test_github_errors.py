"""Each answer of GitHub, and what it means: the table that `github_errors.py` is held against."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mattermod_action.adapters.github_errors import Answered, error_of, is_seen, pause
from mattermod_action.errors import Gone, Limited, MayNot, Mistake, Refused, TooHeavy, Unsure

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
WRONG = "Something went wrong while executing your query. This may be the result of a timeout."
HIDDEN = ["repository", "pullRequests", "nodes", 0, "reviewRequests", "nodes", 0, "requestedReviewer"]


def query(*errors: Any, data: Any = None, **headers: str) -> Answered:
    """An answer of GraphQL: status 200 whatever it says."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answered(200, named, {"data": data, "errors": list(errors)})


def rest(status: int, message: str = "", *errors: Any, **headers: str) -> Answered:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answered(status, named, {"message": message, **({"errors": list(errors)} if errors else {})})


# (answer, kind of error, words that it must hold)
ANSWERS = [
    # Limits, by REST and by GraphQL.
    (rest(403, SECONDARY), Limited, "60 s"),
    (rest(403, SECONDARY, retry_after="7"), Limited, "7 s"),
    (rest(429, "Too many requests"), Limited, "60 s"),
    (rest(403, "API rate limit exceeded for installation."), Limited, "60 s"),
    (rest(403, "You have triggered an abuse detection mechanism."), Limited, "60 s"),
    (query({"message": SECONDARY}), Limited, "60 s"),
    (query({"message": SECONDARY}, retry_after="9"), Limited, "9 s"),
    (query({"type": "RATE_LIMITED", "message": "API rate limit already exceeded"}), Limited, "60 s"),
    (query({"type": "RATE_LIMIT", "message": "API rate limit exceeded"}), Limited, "60 s"),
    (Answered(200, {}, {"message": SECONDARY}), Limited, "60 s"),
    # GitHub ran out of time or resources.
    (rest(502, "Server Error"), TooHeavy, "502"),
    (rest(504), TooHeavy, "504"),
    (Answered(502, {}, {"data": "<html>"}), TooHeavy, "502"),
    (query({"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}), TooHeavy, ""),
    (query({"type": "MAX_NODE_LIMIT_EXCEEDED", "message": "possible nodes"}), TooHeavy, "possible nodes"),
    # Nobody can tell.
    (query({"message": WRONG}), Unsure, "Something went wrong"),
    (query({"message": WRONG}, data={"repository": None}), Unsure, "Something went wrong"),
    (query({"type": "INTERNAL", "message": "Internal"}), Unsure, "Internal"),
    (query({"type": "SERVICE_UNAVAILABLE", "message": "Unavailable"}), Unsure, "Unavailable"),
    (query({"type": "OF_TOMORROW", "message": "Something new"}), Unsure, "Something new"),
    (query("a text"), Unsure, "a text"),
    (query({"type": ["NOT_FOUND"], "message": "odd"}), Unsure, "odd"),
    (query({"message": {"odd": 1}, "extensions": ["code"], "path": "x"}), Unsure, "odd"),
    (query(None), Unsure, ""),
    (query({"type": "NOT_FOUND", "message": "no"}, {"message": WRONG}), Unsure, ""),
    (Answered(200, {}, {"data": "<html>a proxy</html>"}), Unsure, ""),
    (Answered(200, {}, None), Unsure, ""),
    (rest(500, "Server Error"), Unsure, "500"),
    (rest(503, "Unavailable"), Unsure, "503"),
    (rest(408, "Timeout"), Unsure, "408"),
    (rest(418, "Teapot"), Unsure, "418"),
    (Answered(0, {}, None), Unsure, ""),
    (Answered(403, {}, {"data": "<html>your company's proxy</html>"}), Unsure, "403"),
    (Answered(404, {}, {"data": "<html>"}), Unsure, "404"),
    (Answered(422, {}, None), Unsure, "422"),
    # Whoever made the token can mend it.
    (rest(401, "Bad credentials"), Mistake, "(401)"),
    (rest(403, "Resource not accessible by integration"), MayNot, "`issues: write`"),
    (rest(403, "Resource not accessible by personal access token"), Mistake, "`issues: write`"),
    (query({"type": "FORBIDDEN", "message": "Resource not accessible by integration"}), MayNot, "`issues: write`"),
    (query({"type": "FORBIDDEN", "message": "Resource protected by organization SAML enforcement."}), Mistake, "SAML"),
    (query({"type": "INSUFFICIENT_SCOPES", "message": "requires one of: ['read:org']"}), Mistake, "read:org"),
    # There is no such thing.
    (rest(404, "Not Found"), Gone, "Not Found"),
    (rest(410, "This issue was deleted"), Gone, "deleted"),
    (query({"type": "NOT_FOUND", "message": "Could not resolve to a PullRequest"}), Gone, "Could not resolve"),
    # No, with the reason in whichever form.
    (rest(403, "Unable to create comment because issue is locked."), Refused, "locked"),
    (rest(403, "Must have push access to view collaborator permission."), Refused, "push access"),
    (rest(403, "Although you appear to have the correct authorization, an IP allow list"), Refused, "IP allow list"),
    (rest(403, "Repository was archived so is read-only."), Refused, "archived"),
    (rest(405, "Pull Request is not mergeable"), Refused, "not mergeable"),
    (rest(409, "Head branch was modified."), Refused, "modified"),
    (rest(451, "Repository access blocked"), Refused, "blocked"),
    (rest(422, "Validation Failed", "Could not resolve to a node with the global id of 'T_1'."), Refused, "'T_1'"),
    (rest(422, "Validation Failed", {"message": "A pull request already exists"}), Refused, "already exists"),
    (rest(422, "Validation Failed", {"resource": "Label", "field": "name", "code": "missing"}), Refused, "Label name"),
    (rest(422, "Validation Failed", {"resource": "Issue", "code": "strange"}), Refused, "Issue: strange"),
    (rest(422, "Validation Failed", "one", {"message": "two"}), Refused, "one; two"),
    (rest(422, "Validation Failed"), Refused, "Validation Failed"),
    (rest(422, "No", {"message": "why"}), Refused, "No; why"),
    (query({"type": "UNPROCESSABLE", "message": "Pull request is in clean status"}), Refused, "clean status"),
    (query({"type": "STALE_DATA", "message": "Head sha didn't match"}), Refused, "didn't match"),
    (query({"message": "Field 'x' doesn't exist", "extensions": {"code": "undefinedField"}}), Refused, "doesn't exist"),
]  # fmt: skip


@pytest.mark.parametrize(("answered", "kind", "words"), ANSWERS)
def test_each_answer_has_its_error(answered: Answered, kind: type[Exception], words: str) -> None:
    found = error_of(answered, "comment", "`issues: write`")
    assert (type(found), words in str(found)) == (kind, True), found


def test_an_error_names_the_token_that_asked() -> None:
    answered = Answered(401, {}, {"message": "Bad credentials"}, "cherry-pick-token")
    assert str(error_of(answered, "push", "")).startswith("`cherry-pick-token` is not accepted")


@pytest.mark.parametrize(
    "answered", [rest(403, "API rate limit exceeded"), query({"type": "RATE_LIMITED", "message": "x"})]
)
def test_a_used_up_allowance_is_waited_for_until_its_reset(answered: Answered) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1_800)}
    assert 1_790 < pause(Answered(answered.status, headers, answered.data)) <= 1_800


def test_a_success_with_the_last_point_of_the_hour_is_no_limit() -> None:
    assert pause(Answered(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}, {"data": {}})) == 0


FORBIDDEN = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
SEEN = [
    ([], True),
    ([{**FORBIDDEN, "path": HIDDEN}], True),
    ([{**FORBIDDEN, "path": HIDDEN}, {**FORBIDDEN, "path": ["repository", "pullRequest", "author"]}], True),
    ([{"type": "NOT_FOUND", "path": ["repository", "i7"], "message": "Could not resolve"}], True),
    ([{"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve"}], False),
    ([{"type": "NOT_FOUND", "path": HIDDEN, "message": "Could not resolve"}], False),
    ([{**FORBIDDEN, "path": ["repository", "pullRequest", "statusCheckRollup", "contexts"]}], False),
    ([{**FORBIDDEN, "path": ["enqueuePullRequest"]}], False),
    ([{**FORBIDDEN, "path": HIDDEN}, {"message": WRONG}], False),
    ([FORBIDDEN], False),
    ([{"type": "RESOURCE_LIMITS_EXCEEDED", "path": HIDDEN, "message": "x"}], False),
]


@pytest.mark.parametrize(("errors", "seen"), SEEN)
def test_data_stands_where_only_what_is_hidden_is_missing(errors: list[Any], *, seen: bool) -> None:
    assert is_seen(query(*errors, data={"repository": {}})) is seen


@pytest.mark.parametrize("data", [None, [], "text"])
def test_an_answer_without_data_is_not_seen(data: Any) -> None:
    assert not is_seen(query(data=data))
