"""Where GitHub has who asked for something: a comment, and the events of a label.

https://docs.github.com/en/rest/issues/comments#get-an-issue-comment
https://docs.github.com/en/graphql/reference/objects#issuecomment (editor, which REST does not tell)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.candidates import LABELINGS, login, time
from mattermod_action.events import GHOST
from mattermod_action.origins import Labeling, Said

if TYPE_CHECKING:
    from collections.abc import Mapping

EDITOR = "query ($node: ID!) { node(id: $node) { ... on IssueComment { editor { __typename login } } } }"
LABELED = f"""
query ($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{ {LABELINGS} }} }}
}}
"""


def said(comment: Mapping[str, Any], editor: str) -> Said:
    who = comment["user"] or {}
    return Said(
        number=int(str(comment["issue_url"]).rpartition("/")[2]),
        author=str(who.get("login") or GHOST),
        is_bot=who.get("type") == "Bot",
        body=str(comment["body"] or ""),
        at=time(comment["created_at"]),
        editor=editor,
    )


def is_edited(comment: Mapping[str, Any]) -> bool:
    return bool(comment["updated_at"] != comment["created_at"])


def editor_of(data: Mapping[str, Any]) -> str:
    """Who edited it last; "" where nobody has, and it only looks so."""
    editor = (data["node"] or {}).get("editor")
    return login(editor) if editor else ""


def labelings(node: Mapping[str, Any]) -> list[Labeling]:
    """The newest first."""
    found = (each for each in reversed(node["timelineItems"]["nodes"]) if each and each.get("label"))
    return [
        Labeling(
            each["label"]["name"],
            login(each["actor"]) if each["actor"] else "",
            bool(each["actor"]) and each["actor"]["__typename"] == "Bot",
            time(each["createdAt"]),
        )
        for each in found
    ]
