"""From a change to the event that GitHub would send for it, and from the event to a run of the bot.

What GITHUB_TOKEN does starts no workflow, so its changes make no event.
https://docs.github.com/en/actions/concepts/security/github_token#when-github_token-triggers-workflow-runs
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox import payloads, runs
from sandbox.answers import Answer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.state import State, Write

Event = dict[str, Any]  # name and payload
GITHUB_TOKEN = "github-actions[bot]"  # noqa: S105  # whose token it is
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def of(state: State, write: Write) -> Event | None:
    """Return the event that this change makes, None when it makes none that anybody here reads."""
    make = AFTER.get(write.action)
    if make is None or write.by == GITHUB_TOKEN:
        return None
    payload = make(state, write)
    return {"name": payloads.name(payload), "payload": payload}


AFTER: dict[str, Callable[[State, Write], Event]] = {
    "add_label": lambda state, write: payloads.labeled(
        state, write.repository, write.number, write.detail["name"], write.by
    ),
    "remove_label": lambda state, write: payloads.unlabeled(
        state, write.repository, write.number, write.detail["name"], write.by
    ),
    "comment": lambda state, write: payloads.commented(
        state, write.repository, write.number, write.detail["id"], write.by
    ),
    "open_pull": lambda state, write: payloads.opened(state, write.repository, write.number, write.by),
    "open_issue": lambda state, write: payloads.opened(state, write.repository, write.number, write.by),
    "merge": lambda state, write: payloads.closed(state, write.repository, write.number, write.by),
    "synchronize": lambda state, write: payloads.synchronized(state, write.repository, write.number, write.by),
}


def act(state: State, raw: bytes) -> Answer:
    """Do what a person does: {"do": "label", "repository": …, "number": 7, "text": "bug", "by": "maintainer"}."""
    try:
        done = carry_out(state, json.loads(raw))
    except ValueError as error:
        done = str(error)
    return answer(422, {"message": done}) if isinstance(done, str) else answer(201, done)


def carry_out(state: State, data: Mapping[str, Any]) -> Event | str:
    """Do it, and keep the event that GitHub would send. Returns that, or one line that says why not."""
    try:
        place = (data["repository"], int(data["number"]))
        payload = ACTS[data["do"]](state, *place, data.get("text", ""), data.get("by", "maintainer"))
    except (KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    event = {"name": payloads.name(payload), "payload": payload}
    state.events.append(event)
    return event


ACTS: dict[str, Callable[[State, str, int, str, str], Event]] = {
    "label": payloads.labeled,
    "unlabel": payloads.unlabeled,
    "comment": lambda state, repo, number, text, by: payloads.comment_created(state, repo, number, by, text),
    "merge": lambda state, repo, number, text, by: payloads.merged(state, repo, number, text or "merge", by),
    "close": lambda state, repo, number, _, by: payloads.closed(state, repo, number, by),
    "push": lambda state, repo, number, _, by: payloads.synchronize(state, repo, number, by),
}


def take(state: State) -> Answer:
    """Hand out the waiting events and forget them; the bot's own state stays in `workspace` between runs."""
    waiting, state.events = state.events, []
    workspace = str(state.git.home)
    return answer(200, {"events": waiting, "offset": state.offset.total_seconds(), "workspace": workspace})


def attach(state: State, variables: Mapping[str, str], run: runs.Start = runs.in_process) -> None:
    """From now on the bot runs on what a person does as soon as it is done."""
    state.bot = lambda event: run(event, {**variables, **here(str(state.git.home), state.offset.total_seconds())})


def deliver_at_once(state: State) -> None:
    """Run the attached bot, if there is one, on the events that wait."""
    with state.lock:
        waiting, state.events = (state.events, []) if state.bot else ([], state.events)
    for event in waiting:
        ran = state.bot(event) if state.bot else None
        if ran:
            title = f"{event['name']} {event['payload']['action']}"
            state.runs.append({"title": title, "code": ran.code, "log": ran.log})


def here(workspace: str, offset: float) -> dict[str, str]:
    """Return what a run needs to know of the place where it is, and of the simulated clock."""
    return {"GITHUB_WORKSPACE": workspace, "MATTERMOD_CLOCK_OFFSET": str(offset)}


def move_clock(state: State, raw: bytes) -> Answer:
    """Let time pass: {"seconds": 259200}."""
    from datetime import timedelta

    state.offset += timedelta(seconds=float(json.loads(raw)["seconds"]))
    return answer(200, {"offset": state.offset.total_seconds()})


def seconds(text: str) -> float:
    """Read +72h, 90m, 30s or 3d. Raises ValueError."""
    number, unit = text.removeprefix("+")[:-1], text[-1:]
    if unit not in UNITS:
        raise ValueError(f"{text!r} is no time: give a number and one of {', '.join(UNITS)}, such as +72h")
    return float(number) * UNITS[unit]
