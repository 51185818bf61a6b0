"""The events that the sandbox makes, held against GitHub's description of its webhooks (@octokit/openapi-webhooks)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from tests.sandbox.described import MODULES, Description

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.news import Event

FOLDER = MODULES / "@octokit/openapi-webhooks/generated"
GITHUB_COM = "api.github.com"


def variants() -> list[str]:
    """Return github.com, its enterprise cloud, and each version of GitHub Enterprise Server."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def problems(events: Iterable[Event], variant: str = GITHUB_COM) -> list[str]:
    """Say what GitHub would not send like that."""
    once = {id(event["payload"]): event for event in events}.values()
    return [f"{_title(event)}: {problem}" for event in once for problem in _of(event, variant)]


def _title(event: Event) -> str:
    return f"{event['name']} {event['payload'].get('action', '')}".strip()


def _of(event: Event, variant: str) -> Iterator[str]:
    name, payload = event["name"], event["payload"]
    pointer = kinds(variant).get((name, ANY if name == "repository_dispatch" else payload.get("action", "")))
    if pointer is None:
        yield "GitHub has no such event"
        return
    found = description(variant).against(pointer, payload)
    yield from (problem for problem in found if not any(known.search(problem) for known in KNOWN_BETTER))


# Where this description is behind what GitHub says elsewhere, by what would be found.
KNOWN_BETTER = (
    # Whose account was deleted: `author` may be null in https://docs.github.com/en/graphql/reference/pulls.
    re.compile(r"^pull_request\.user: None is not of type 'object'"),
    # Most people in it have one, as all have in https://docs.github.com/en/rest/users/users#get-a-user.
    re.compile(r"\.user_view_type: GitHub has no such key"),
    # One action's pull request has these and another's has not: https://docs.github.com/en/rest/teams/teams#get-a-team-by-name.
    re.compile(r"\.requested_teams?(\[\])?\.(type|parent|notification_setting): GitHub has no such key"),
    # Not in GitHub Enterprise Server before 3.17: https://docs.github.com/en/rest/commits/commits#get-a-commit.
    re.compile(r"\.verification\.verified_at: GitHub has no such key"),
    # Of a review that is edited alone: https://docs.github.com/en/rest/repos/repos#get-a-repository.
    re.compile(r"\.repo\.(web_commit_signoff_required|has_discussions): GitHub has no such key"),
)
ANY = "sample.collected"  # the one action of `repository_dispatch` that is described: whoever dispatches chooses it


@cache
def kinds(variant: str = GITHUB_COM) -> dict[tuple[str, str], str]:
    """Return where the payload of each (event, action) is described; the action is "" where there is none."""
    found = {}
    for name, each in description(variant).root["webhooks"].items():
        action = each["post"]["operationId"].partition("/")[2].replace("-", "_")
        found[each["post"]["x-github"]["subcategory"], action] = _pointer(name)
    return found


def _pointer(webhook: str) -> str:
    return f"#/webhooks/{webhook}/post/requestBody/content/application~1json/schema"


@cache
def description(variant: str) -> Description:
    return Description(FOLDER / f"{variant}.json")
