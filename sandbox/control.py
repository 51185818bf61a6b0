"""What only a sandbox has, under /_sandbox and without a token: its state, the record of calls, faults.

GET  /_sandbox/state      repositories, items, comments
GET  /_sandbox/writes     changes made over HTTP
GET  /_sandbox/requests   every request
POST /_sandbox/act        what a person does: put a label on, comment, merge (deliveries.py)
POST /_sandbox/clock      let time pass
DELETE /_sandbox/events   take the events that wait
GET, POST, DELETE /_sandbox/faults   those that wait; add one, or a list of them (faults.py); drop them all
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox import deliveries, faults, shapes
from sandbox.answers import Answer, answer
from sandbox.records import Pull
from sandbox.state import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.records import Item, Person, Repository
    from sandbox.state import State

PREFIX = "/_sandbox/"


def handle(state: State, method: str, path: str, raw: bytes) -> Answer:
    key = f"{method} {path.removeprefix(PREFIX)}"
    with state.lock:
        return TABLE[key](state, raw) if key in TABLE else answer(404, {"message": f"no {method} {path} here"})


def _clear_faults(state: State, _raw: bytes) -> Answer:
    state.faults.clear()
    return answer(200, [])


def _add_faults(state: State, raw: bytes) -> Answer:
    try:
        data = json.loads(raw)
        state.faults.add(*(faults.from_json(each) for each in (data if isinstance(data, list) else [data])))
    except (ValueError, TypeError) as error:
        return answer(422, {"message": str(error)})
    return answer(201, state.faults.waiting())


def snapshot(state: State) -> dict[str, Any]:
    repositories = {repo.full_name: _repository(state, repo) for repo in state.repositories.values()}
    return {"repositories": repositories, "beside": {title: show() for title, show in state.beside.items()}}


def _repository(state: State, repo: Repository) -> dict[str, Any]:
    items = {number: _item(state, repo, item) for number, item in repo.items.items()}
    return {
        "id": repo.id,
        "files": sorted(repo.files() or {}),
        "labels": [label.name for label in repo.labels.values()],
        "pulls": {number: items[number] for number, item in repo.items.items() if isinstance(item, Pull)},
        "issues": {number: items[number] for number, item in repo.items.items() if not isinstance(item, Pull)},
    }


def _item(state: State, repo: Repository, item: Item) -> dict[str, Any]:
    return {
        "title": item.title,
        "author": _login(item.author),
        "state": item.state,
        "locked": item.locked,
        "labels": [label.name for label in item.labels],
        "updated_at": shapes.moment(item.updated_at),
        "url": shapes.item_page(state, repo, item),
        "comments": [{"id": each.id, "author": _login(each.author), "body": each.body} for each in item.comments],
    }


def _login(person: Person | None) -> str | None:
    return person.login if person else None


TABLE: dict[str, Callable[[State, bytes], Answer]] = {
    "GET state": lambda state, _: answer(200, snapshot(state)),
    "GET writes": lambda state, _: answer(200, [plain(write) for write in state.writes]),
    "GET requests": lambda state, _: answer(200, [plain(request) for request in state.requests]),
    "GET faults": lambda state, _: answer(200, state.faults.waiting()),
    "POST faults": _add_faults,
    "DELETE faults": _clear_faults,
    "POST act": deliveries.act,
    "POST clock": deliveries.move_clock,
    "DELETE events": lambda state, _: deliveries.take(state),
}
