"""Keys that GitHub takes and that act and actionlint refuse: looked at here, and then left out for the two.

`queue` of a concurrency group: https://github.blog/changelog/2026-05-07-github-actions-concurrency-groups-now-allow-larger-queues
`deployment` of an environment:
https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/control-deployments#using-environments-without-deployments
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE = re.compile(r"^ +queue: .*$", re.MULTILINE)
DEPLOYMENT = re.compile(r", deployment: (?:true|false)(?=\})")


def without(workflow: str) -> str:
    """Return the workflow without them; every other line keeps its place."""
    return DEPLOYMENT.sub("", QUEUE.sub("", workflow))


def mistakes(workflow: str) -> list[str]:
    """Say what GitHub would refuse of these keys, since no linter looks at them any more."""
    document = YAML(typ="safe", pure=True).load(workflow)
    parts = [document, *document["jobs"].values()]
    return [mistake for part in parts for mistake in (*_of_group(part), *_of_environment(part))]


def _of_group(part: dict[str, Any]) -> Iterator[str]:
    group = part.get("concurrency")
    if not isinstance(group, dict) or "queue" not in group:
        return
    if group["queue"] not in ("single", "max"):
        yield f"queue is {group['queue']!r}: give single or max"
    if group["queue"] == "max" and group.get("cancel-in-progress", False) is not False:
        yield "queue: max is not allowed with cancel-in-progress"


def _of_environment(part: dict[str, Any]) -> Iterator[str]:
    environment = part.get("environment")
    if isinstance(environment, dict) and not isinstance(environment.get("deployment", True), bool):
        yield f"deployment is {environment['deployment']!r}: give true or false"
