"""The events that GitHub would send, made from what the sandbox holds at this moment.

A function that is told of a change makes it first, unless it has happened already: GitHub never sends an event
about a label that is not there. What kind of event it is follows from the item: see `name`.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import shapes
from sandbox.state import Pull

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.state import Issue, Item, Repository, State

Payload = dict[str, Any]


def name(payload: Payload) -> str:
    """Return the event's name, as in GITHUB_EVENT_NAME (a workflow may ask for `pull_request_target` instead)."""
    if "comment" in payload:
        return "issue_comment"
    return "pull_request" if "pull_request" in payload else "issues"


def labeled(state: State, repo: str, number: int, label: str, sender: str) -> Payload:
    """`sender` put `label` on."""
    state.add_labels(repo, number, [label])
    about = _about(state, repo, number, "labeled", sender)
    return {**about, "label": _label(state, repo, label)}


def unlabeled(state: State, repo: str, number: int, label: str, sender: str) -> Payload:
    """`sender` took `label` off."""
    state.define_label(repo, label)
    state.remove_label(repo, number, label)
    about = _about(state, repo, number, "unlabeled", sender)
    return {**about, "label": _label(state, repo, label)}


def opened(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The item was opened, by its author unless somebody else is named."""
    return _about(state, repo, number, "opened", sender)


def opened_issue(state: State, repo: str, title: str, labels: Iterable[str], author: str) -> Payload:
    """Open an issue that has these labels from the start, as one from a template has."""
    issue = state.add_issue(repo, title, author)
    state.add_labels(repo, issue.number, labels)
    return opened(state, repo, issue.number)


def opened_pull(
    state: State, repo: str, title: str, labels: Iterable[str], author: str, *, head: str = "topic"
) -> Payload:
    """Open a pull request; `head` is BRANCH, or OWNER/NAME:BRANCH in a fork."""
    pull = state.add_pull(repo, title, author, head=head)
    state.add_labels(repo, pull.number, labels)
    return opened(state, repo, pull.number)


def edited(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The title was edited, to what it was before."""
    return {
        **_about(state, repo, number, "edited", sender),
        "changes": {"title": {"from": state.item(repo, number).title}},
    }


def closed(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    item = state.item(repo, number)
    if item.state != "closed":
        item.state, item.closed_at, item.updated_at = "closed", state.now(), state.now()
    return _about(state, repo, number, "closed", sender)


def synchronize(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The pull request's branch got a new commit."""
    pull = state.item(repo, number)
    if not isinstance(pull, Pull):
        raise TypeError(f"#{number} is an issue")
    before = pull.head_sha
    state.add_commit(repo, number)
    return {**_about(state, repo, number, "synchronize", sender), "before": before, "after": pull.head_sha}


def synchronized(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The branch has its new commit already."""
    return _about(state, repo, number, "synchronize", sender)


def merged(state: State, repo: str, number: int, method: str, sender: str) -> Payload:
    """`sender` merged the pull request. Raises ConflictError."""
    state.merge(repo, number, method, f"Merge pull request #{number}", sender)
    return _about(state, repo, number, "closed", sender)


def commented(state: State, repo: str, number: int, comment: int, sender: str) -> Payload:
    """The comment with this id was written."""
    where, item = _place(state, repo, number)
    made = next(each for each in item.comments if each.id == comment)
    return {
        "action": "created",
        "issue": shapes.issue(state, where, item),
        "comment": shapes.comment(state, where, item, made),
        **_around(state, where, item, sender),
    }


def comment_created(state: State, repo: str, number: int, author: str, body: str) -> Payload:
    """`author` wrote a comment."""
    return commented(state, repo, number, state.add_comment(repo, number, author, body).id, author)


def _label(state: State, repo: str, label: str) -> Payload:
    return shapes.label(state, _repository(state, repo), state.define_label(repo, label))


def _about(state: State, repo: str, number: int, action: str, sender: str | None) -> Payload:
    where, item = _place(state, repo, number)
    around = _around(state, where, item, sender)
    if isinstance(item, Pull):
        return {"action": action, "number": number, "pull_request": shapes.pull(state, where, item), **around}
    return {"action": action, "issue": shapes.issue(state, where, item), **around}


def _around(state: State, repo: Repository, item: Item, sender: str | None) -> Payload:
    person = state.person(sender) if sender else item.author or state.person("ghost")
    return {"repository": shapes.repository(state, repo), "sender": shapes.user(state, person)}


def _place(state: State, full_name: str, number: int) -> tuple[Repository, Issue | Pull]:
    repo = _repository(state, full_name)
    return repo, repo.items[number]


def _repository(state: State, full_name: str) -> Repository:
    repo = state.repository(full_name)
    if repo is None:
        raise KeyError(f"the sandbox has no repository {full_name}")
    return repo
