"""The events that the sandbox makes, held against GitHub's description of its webhooks (@octokit/openapi-webhooks)."""

from __future__ import annotations

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
    yield from description(variant).against(pointer, payload)


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
