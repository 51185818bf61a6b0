"""Events and payloads as small as a test can read them."""

from __future__ import annotations

from typing import Any

from mattermod_action import parsing
from mattermod_action.events import IssueSeen, PullRequestSeen

NOON = "2026-01-01T12:00:00Z"
REPOSITORY = {"id": 77, "full_name": "octo-org/hello", "default_branch": "main"}


def item(*labels: str, author: str | None = "alice", at: str = NOON, number: int = 7) -> dict[str, Any]:
    """What a pull request and an issue have in common; `author` None is a deleted account."""
    return {
        "number": number,
        "user": author and {"login": author, "type": "User"},
        "labels": [{"name": label} for label in labels],
        "state": "open",
        "html_url": f"https://github.com/octo-org/hello/pull/{number}",
        "created_at": NOON,
        "updated_at": at,
    }


def payload(kind: str, action: str, data: dict[str, Any], label: str | None = None) -> dict[str, Any]:
    extra: dict[str, Any] = {"label": {"name": label}} if label else {}
    head = {"head": {"ref": "topic", "sha": "a" * 40, "repo": {"full_name": "alice/hello"}}}
    body = {**data, **head} if kind == "pull_request" else data
    return {
        "action": action,
        kind: body,
        "repository": REPOSITORY,
        "sender": {"login": "carol", "type": "User"},
        **extra,
    }


def pull_seen(*labels: str, action: str = "labeled", label: str | None = None, **more: Any) -> PullRequestSeen:
    seen = parsing.parse("pull_request", payload("pull_request", action, item(*labels, **more), label))
    assert isinstance(seen, PullRequestSeen)
    return seen


def issue_seen(*labels: str, action: str = "labeled", label: str | None = None, **more: Any) -> IssueSeen:
    seen = parsing.parse("issues", payload("issue", action, item(*labels, **more), label))
    assert isinstance(seen, IssueSeen)
    return seen
