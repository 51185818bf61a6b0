"""Who moved a branch, and when, by GitHub's own clock.

https://docs.github.com/en/rest/repos/repos#list-repository-activities: not on Enterprise Server before 3.17, nor for a
fork that the token may not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mattermod_action.adapters.candidates import time
from mattermod_action.approvals import Push
from mattermod_action.events import is_full_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mattermod_action.events import PullRequest

NEWEST = 100  # pushes that are read; a label that is older than these approves nothing


def path(pull: PullRequest) -> str:
    """Return where the pushes to its branch are listed, the newest first; "" for a fork that was deleted."""
    ref = quote(f"refs/heads/{pull.ref}", safe="")
    return f"/repos/{pull.head}/activity?ref={ref}&per_page={NEWEST}" if is_full_name(pull.head) and pull.ref else ""


def push(each: Mapping[str, Any]) -> Push:
    by = str((each["actor"] or {}).get("login") or "")
    return Push(str(each["before"]), str(each["after"]), by, time(each["timestamp"]))
