"""One REST call, with what its path means already looked up, and the ways in which GitHub says that it is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sandbox import access
from sandbox.answers import Answer, answer, not_found, refuse
from sandbox.records import Pull

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.records import Issue, Repository, Token
    from sandbox.state import State


@dataclass
class Call:
    """One request, with what its path means already looked up."""

    state: State
    token: Token
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes
    docs: str
    values: dict[str, Any]

    @property
    def repo(self) -> Repository:
        """Raise 404 for a repository that is not there, or that this token must not know of."""
        full_name = f"{self.values['owner']}/{self.values['name']}"
        found = self.state.repository(full_name)
        if found is None or not access.permissions(self.token, found):
            raise not_found(self.docs)
        return found

    @property
    def item(self) -> Issue | Pull:
        """Raise 404, or 410 for an issue that was deleted."""
        repo, number = self.repo, self.values["number"]
        if number in repo.gone:
            raise refuse(410, "This issue was deleted", self.docs)
        if number not in repo.items:
            raise not_found(self.docs)
        return repo.items[number]

    def json(self) -> Any:
        try:
            return json.loads(self.raw or b"null")
        except ValueError:
            raise refuse(400, "Problems parsing JSON", self.docs) from None

    def field(self, name: str, kind: type) -> Any:
        data = self.json()
        if not isinstance(data, dict) or name not in data:
            raise refuse(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.', self.docs)
        if not isinstance(data[name], kind):
            raise refuse(
                422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(data[name])} is not valid.", self.docs
            )
        return data[name]

    @property
    def pull(self) -> Pull:
        """Raise 404 for an issue, too: it is no pull request."""
        item = self.item
        if not isinstance(item, Pull):
            raise not_found(self.docs)
        return item

    def need(self, *needs: str) -> None:
        access.require(self.token, self.repo, needs, self.docs)


def paged(call: Call, things: list[Any], write: Callable[[Any], Any]) -> Answer:
    """https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api."""
    shown, headers = page_of(call, things)
    return answer(200, [write(each) for each in shown], **headers)


def page_of(call: Call, things: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """Return those of the page that is asked for, and the header that leads to the others."""
    size = min(100, max(1, _number(call, "per_page", 30)))
    page, last = max(1, _number(call, "page", 1)), max(1, -(-len(things) // size))
    steps = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = [*(("prev", "first") if page > 1 else ()), *(("next", "last") if page < last else ())]
    links = [f'<{_address(call, steps[name])}>; rel="{name}"' for name in wanted]
    headers = {"Link": ", ".join(links)} if links else {}
    shown = things[(page - 1) * size : page * size]
    return (shown[:-1] if call.state.short_pages and page < last else shown), headers


def _address(call: Call, page: int) -> str:
    """GitHub's links go by the repository's id, so that they outlive its name."""
    rest = call.path.split("/", 4)[4]
    return f"{call.state.api}/repositories/{call.repo.id}/{rest}?{urlencode({**call.query, 'page': page})}"


def _number(call: Call, name: str, default: int) -> int:
    value = call.query.get(name, "")
    return int(value) if value.isdecimal() else default
