"""What a person does in the sandbox, and the runs of the bot that it leads to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox import news, queue, runs, suites
from sandbox.answers import Answer, answer
from sandbox.bare import ConflictError
from sandbox.records import Review

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.news import Event
    from sandbox.records import Comment
    from sandbox.state import State

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def act(state: State, raw: bytes) -> Answer:
    """Do what a person does: {"do": "label", "repository": …, "number": 7, "text": "bug", "by": "maintainer"}."""
    try:
        done = carry_out(state, json.loads(raw))
    except ValueError as error:
        done = str(error)
    return answer(422, {"message": done}) if isinstance(done, str) else answer(201, done)


def carry_out(state: State, data: Mapping[str, Any]) -> list[Event] | str:
    """Do it, and keep the events that GitHub would send. Returns those, or one line that says why not."""
    by = data.get("by") or "maintainer"
    try:
        place = (data["repository"], int(data["number"]))
        with state.deed(by) as changes:
            ACTS[data["do"]](state, *place, data.get("text", ""), by)
    except (KeyError, TypeError, ValueError, ConflictError) as error:
        return f"{type(error).__name__}: {error}"
    events = news.of(state, changes)
    state.send(events)
    return events


def _merge(state: State, repo: str, number: int, method: str, by: str) -> None:
    pull = state.pull(repo, number)
    if pull.state != "open":
        raise ValueError(f"#{number} is closed")
    state.merge(repo, number, method or "merge", f"Merge pull request #{number}", by)


def _review(state: State, repo: str, number: int, verdict: str, by: str) -> None:
    """`verdict` is APPROVED, CHANGES_REQUESTED or COMMENTED, in any case."""
    sha = state.pull(repo, number).head_sha
    review = Review(state.next_id(), state.person(by), verdict.upper(), "", sha, state.now())
    state.review(repo, number, review)


def _latest_comment(state: State, repo: str, number: int) -> Comment:
    comments = state.item(repo, number).comments
    if not comments:
        raise ValueError(f"#{number} has no comment")
    return comments[-1]


def _dismiss(state: State, repo: str, number: int, _text: str, _by: str) -> None:
    """Take back what the latest review said."""
    reviews = state.pull(repo, number).reviews
    if not reviews:
        raise ValueError(f"#{number} has no review")
    state.dismiss(repo, number, reviews[-1])


def _label_renamed(state: State, repo: str, _number: int, text: str, _by: str) -> None:
    """`text` is OLD=NEW."""
    old, _, new = text.partition("=")
    state.change_label(repo, state.define_label(repo, old), {"name": new})


def _milestone(state: State, repo: str, number: int, title: str, _by: str) -> None:
    """Move to the milestone of this title, which is made if there is none; "" is none."""
    held = state.repository(repo)
    known = {each.title: each for each in held.milestones} if held else {}
    chosen = (known.get(title) or state.add_milestone(repo, title)).number if title else None
    state.change_item(repo, number, {"milestone": chosen})


def _enqueue(state: State, repo: str, number: int, *_: str) -> None:
    held = state.repository(repo)
    if held is None:
        raise KeyError(repo)
    queue.join(state, held, state.pull(repo, number))


ACTS: dict[str, Callable[[State, str, int, str, str], object]] = {
    "label": lambda state, repo, number, text, _: state.add_labels(repo, number, [text]),
    "unlabel": lambda state, repo, number, text, _: state.remove_label(repo, number, text),
    "comment": lambda state, repo, number, text, by: state.add_comment(repo, number, by, text),
    "merge": _merge,
    "close": lambda state, repo, number, *_: state.change_item(repo, number, {"state": "closed"}),
    "reopen": lambda state, repo, number, *_: state.change_item(repo, number, {"state": "open"}),
    "title": lambda state, repo, number, text, _: state.change_item(repo, number, {"title": text}),
    "body": lambda state, repo, number, text, _: state.change_item(repo, number, {"body": text}),
    "base": lambda state, repo, number, text, _: state.change_item(repo, number, {"base": text}),
    "milestone": _milestone,
    "lock": lambda state, repo, number, *_: state.lock_item(repo, number),
    "unlock": lambda state, repo, number, *_: state.unlock_item(repo, number),
    "delete": lambda state, repo, number, *_: state.delete(repo, number),
    "edit-comment": lambda state, repo, number, text, _: state.change_comment(
        repo, number, _latest_comment(state, repo, number), text
    ),
    "delete-comment": lambda state, repo, number, *_: state.delete_comment(
        repo, number, _latest_comment(state, repo, number)
    ),
    "rename-label": _label_renamed,
    "delete-label": lambda state, repo, _, text, __: state.delete_label(repo, state.define_label(repo, text)),
    "dismiss": _dismiss,
    "unrequest": lambda state, repo, number, text, _: state.remove_reviewers(repo, number, [text], []),
    "unassign": lambda state, repo, number, text, _: state.unassign(repo, number, [text]),
    "push": lambda state, repo, number, *_: state.add_commit(repo, number),
    "approve-workflows": lambda state, repo, number, *_: suites.approve(state, repo, number),
    "enqueue": _enqueue,
    "dequeue": lambda state, repo, number, *_: state.dequeue(repo, number, "MANUAL"),
    "auto-merge": lambda state, repo, number, text, by: state.enable_auto_merge(repo, number, text or "merge", by),
    "no-auto-merge": lambda state, repo, number, *_: state.disable_auto_merge(repo, number),
    "draft": lambda state, repo, number, *_: state.set_draft(repo, number, draft=True),
    "ready": lambda state, repo, number, *_: state.set_draft(repo, number, draft=False),
    "review": _review,
    "request": lambda state, repo, number, text, _: state.request_reviewers(repo, number, [text], []),
    "assign": lambda state, repo, number, text, _: state.assign(repo, number, [text]),
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
            state.runs.append({"title": title(event), "code": ran.code, "log": ran.log})


def title(event: Event) -> str:
    """Name an event as a person does: `pull_request labeled`."""
    return f"{event['name']} {event['payload'].get('action', '')}".strip()


def here(workspace: str, offset: float) -> dict[str, str]:
    """Return what a run needs to know of the place where it is, and of the simulated clock."""
    return {"GITHUB_WORKSPACE": workspace, "MATTERMOD_CLOCK_OFFSET": str(offset)}


def move_clock(state: State, raw: bytes) -> Answer:
    """Let time pass: {"seconds": 259200}."""
    state.offset += timedelta(seconds=float(json.loads(raw)["seconds"]))
    queue.turn(state)
    return answer(200, {"offset": state.offset.total_seconds()})


def seconds(text: str) -> float:
    """Read +72h, 90m, 30s or 3d. Raises ValueError."""
    number, unit = text.removeprefix("+")[:-1], text[-1:]
    if unit not in UNITS:
        raise ValueError(f"{text!r} is no time: give a number and one of {', '.join(UNITS)}, such as +72h")
    return float(number) * UNITS[unit]
