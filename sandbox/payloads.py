"""The events that GitHub would send, made from what the sandbox holds at this moment.

A function that is told of a change makes it first, unless it has happened already: GitHub never sends an event
about a label that is not there. What kind of event it is follows from the item: see `name`.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sandbox import shapes
from sandbox.records import Issue, LineComment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.bare import Commit
    from sandbox.records import Item, Label, Milestone, Pull, Repository
    from sandbox.state import State

Payload = dict[str, Any]
Maker = TypeVar("Maker", bound="Callable[..., Payload]")


def _sent(make: Maker) -> Maker:
    """Count what this makes among the events that were sent: its caller is the one who hands it out."""

    @wraps(make)
    def made(state: State, *given: Any, **more: Any) -> Payload:
        payload = make(state, *given, **more)
        state.sent.append({"name": name(payload), "payload": payload})
        return payload

    return cast("Maker", made)


def name(payload: Payload) -> str:
    """Return the event's name, as in GITHUB_EVENT_NAME (a workflow may ask for `pull_request_target` instead)."""
    if "comment" in payload and "pull_request" in payload:
        return "pull_request_review_comment"
    return next((kind for field, kind in BY_FIELD.items() if field in payload), "issues")


BRANCHES_TOLD = (
    10  # the most that a status tells of: https://docs.github.com/en/webhooks/webhook-events-and-payloads#status
)
BY_FIELD = {  # the first that a payload has tells what it is
    "comment": "issue_comment",  # or one on a line: that has a pull request, too
    "review": "pull_request_review",
    "pull_request": "pull_request",
    "check_suite": "check_suite",
    "check_run": "check_run",
    "merge_group": "merge_group",
    "workflow_run": "workflow_run",
    "client_payload": "repository_dispatch",
    "inputs": "workflow_dispatch",
    "context": "status",
    "issue": "issues",
    "label": "label",
}


@_sent
def labeled(state: State, repo: str, number: int, label: str, sender: str) -> Payload:
    """`sender` put `label` on."""
    state.add_labels(repo, number, [label], sender)
    return about_label(state, repo, number, label, sender, action="labeled")


@_sent
def unlabeled(state: State, repo: str, number: int, label: str, sender: str) -> Payload:
    """`sender` took `label` off."""
    state.define_label(repo, label)
    state.remove_label(repo, number, label, sender)
    return about_label(state, repo, number, label, sender, action="unlabeled")


def about_label(state: State, repo: str, number: int, label: str, sender: str, *, action: str) -> Payload:
    """The label was put on or taken off."""
    return {**about(state, repo, number, action, sender), "label": _label(state, repo, label)}


def about_milestone(state: State, repo: str, number: int, was: Milestone | None, sender: str) -> Payload:
    """The item is in another milestone than before, or in none."""
    where, item = _place(state, repo, number)
    action = "milestoned" if item.milestone else "demilestoned"
    around = about(state, repo, number, action, sender)
    return {**around, "milestone": shapes.milestone(state, where, item.milestone or was)}


@_sent
def opened(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The item was opened, by its author unless somebody else is named."""
    return about(state, repo, number, "opened", sender)


@_sent
def opened_issue(state: State, repo: str, title: str, labels: Iterable[str], author: str) -> Payload:
    """Open an issue that has these labels from the start, as one from a template has."""
    issue = state.add_issue(repo, title, author)
    state.add_labels(repo, issue.number, labels)
    return opened(state, repo, issue.number)


@_sent
def opened_pull(
    state: State, repo: str, title: str, labels: Iterable[str], author: str, *, head: str = "topic"
) -> Payload:
    """Open a pull request; `head` is BRANCH, or OWNER/NAME:BRANCH in a fork."""
    pull = state.add_pull(repo, title, author, head=head)
    state.add_labels(repo, pull.number, labels)
    return opened(state, repo, pull.number)


@_sent
def edited(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The title was edited, to what it was before."""
    return {
        **about(state, repo, number, "edited", sender),
        "changes": {"title": {"from": state.item(repo, number).title}},
    }


@_sent
def closed(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    item = state.item(repo, number)
    if item.state != "closed":
        item.state, item.closed_at, item.updated_at = "closed", state.now(), state.now()
    return about(state, repo, number, "closed", sender)


@_sent
def synchronize(state: State, repo: str, number: int, sender: str | None = None) -> Payload:
    """The pull request's branch got a new commit."""
    before = state.pull(repo, number).head_sha
    after = state.add_commit(repo, number, pusher=sender or "")
    return {**about(state, repo, number, "synchronize", sender), "before": before, "after": after}


def reviewed(state: State, repo: str, number: int, review: int, sender: str, *, action: str = "submitted") -> Payload:
    """The review with this id was handed in, changed or dismissed."""
    where, pull = _repository(state, repo), state.pull(repo, number)
    made = next(each for each in pull.reviews if each.id == review)
    written = shapes.review(state, where, pull, made)
    return {
        "action": action,
        "review": {**written, "state": made.state.lower()},
        "pull_request": shapes.simple_pull(state, where, pull),
        **_around(state, where, pull, sender),
    }


def commented_on_line(
    state: State, repo: str, number: int, comment: int, sender: str, *, action: str = "created"
) -> Payload:
    """The comment with this id on a line was written, edited or deleted."""
    where, pull = _repository(state, repo), state.pull(repo, number)
    made = next((each for each in pull.line_comments if each.id == comment), None) or state.deleted[comment]
    if not isinstance(made, LineComment):
        raise TypeError(f"{comment} is on no line")
    return {
        "action": action,
        "pull_request": shapes.simple_pull(state, where, pull),
        "comment": shapes.line_comment(state, where, pull, made),
        **_around(state, where, pull, sender),
    }


def checks_requested(state: State, repo: str, number: int, sender: str) -> Payload:
    """The group of a pull request in a merge queue asks for its checks."""
    where, pull = _repository(state, repo), state.pull(repo, number)
    if pull.group is None:
        raise KeyError(f"#{number} is in no merge queue")
    sha, who = pull.group.sha, {"name": sender, "email": f"{sender}@example.org"}
    commit = {
        "id": sha,
        "tree_id": sha,
        "message": f"Merge pull request #{number}",
        "timestamp": shapes.moment(pull.group.at),
        "author": who,
        "committer": who,
    }
    group = {
        "head_sha": sha,
        "head_ref": f"refs/heads/{pull.group.branch}",
        "base_sha": pull.group.branch.rpartition("-")[2],
        "base_ref": f"refs/heads/{pull.base_ref}",
        "head_commit": commit,
    }
    return {"action": "checks_requested", "merge_group": group, **_around(state, where, None, sender)}


def status(state: State, repo: str, sha: str, number: int, sender: str) -> Payload:
    """The commit got this status. Told are branches that contain it, with their heads; none has a fork's commit."""
    where = _repository(state, repo)
    made = next(each for each in where.statuses[sha] if each.id == number)
    api = f"{state.api}/repos/{where.full_name}/commits"
    return {
        "id": made.id,
        "sha": sha,
        "name": where.full_name,
        "target_url": made.target_url or None,
        "context": made.context,
        "description": made.description or None,
        "state": made.state,
        "commit": shapes.commit(state, where, _commit(state, where, sha)),
        "branches": [
            {"name": name, "commit": {"sha": tip, "url": f"{api}/{tip}"}, "protected": name in where.protected}
            for name, tip in where.branches.items()
            if tip == sha or (sha in where.commits and state.git.of(where).is_merged(tip, sha))
        ][:BRANCHES_TOLD],
        "created_at": shapes.moment(made.created_at),
        "updated_at": shapes.moment(made.created_at),
        **_around(state, where, None, sender),
    }


def check_run(state: State, repo: str, number: int, sender: str, *, action: str) -> Payload:
    """The check run with this id was created or completed."""
    where = _repository(state, repo)
    made = next(each for each in where.checks if each.id == number)
    return {"action": action, "check_run": shapes.check_run(state, where, made), **_around(state, where, None, sender)}


def suite_is_over(state: State, repo: str, sha: str) -> bool:
    """Whether each check run of the commit, the newest of its name, has a conclusion."""
    newest = {each.name: each for each in _repository(state, repo).checks if each.sha == sha}
    return all(each.conclusion for each in newest.values())


def check_suite(state: State, repo: str, sha: str, sender: str) -> Payload:
    """All check runs of the commit are over."""
    where = _repository(state, repo)
    newest = {each.name: each for each in where.checks if each.sha == sha}
    worst = [each.conclusion for each in newest.values() if each.conclusion not in ("success", "neutral", "skipped")]
    last = max(newest.values(), key=lambda each: each.id)
    api = f"{state.api}/repos/{where.full_name}/check-suites/{last.id}"
    pulls = [pull for pull in where.pulls() if pull.head_sha == sha and pull.head_repository == where.full_name]
    suite = {
        "id": last.id,
        "node_id": shapes.node_id("CS", last.id),
        "head_branch": next((name for name, tip in where.branches.items() if tip == sha), None),
        "head_sha": sha,
        "status": "completed",
        "conclusion": worst[0] if worst else "success",
        "url": api,
        "before": None,
        "after": sha,
        "pull_requests": [shapes.pull_link(state, where, pull) for pull in pulls],
        "app": shapes.app(state),
        "head_commit": shapes.head_commit(_commit(state, where, sha)),
        "created_at": shapes.moment(last.started_at),
        "updated_at": shapes.moment(last.completed_at),
        "latest_check_runs_count": len(newest),
        "check_runs_url": f"{api}/check-runs",
    }
    return {"action": "completed", "check_suite": suite, **_around(state, where, None, sender)}


def dispatched(state: State, repo: str, kind: str, client_payload: Payload, sender: str) -> Payload:
    """Somebody called for an event of their own."""
    where = _repository(state, repo)
    around = _around(state, where, None, sender)
    installed = {"id": where.id, "node_id": shapes.node_id("MDIz", where.id)}
    told = {"branch": where.default_branch, "client_payload": client_payload, "installation": installed}
    return {"action": kind, **told, **around}


def workflow_dispatched(state: State, repo: str, file: str, asked: Payload, sender: str) -> Payload:
    """Somebody started a workflow by hand, or by the API."""
    ref = asked["ref"] if asked["ref"].startswith("refs/") else f"refs/heads/{asked['ref']}"
    around = _around(state, _repository(state, repo), None, sender)
    return {"inputs": asked["inputs"], "ref": ref, "workflow": f".github/workflows/{file}", **around}


@_sent
def workflow_ended(state: State, repo: str, number: int, conclusion: str) -> Payload:
    """The run with this id is over."""
    state.end_run(repo, number, conclusion)
    return about_run(state, repo, number, action="completed")


def about_run(state: State, repo: str, number: int, *, action: str) -> Payload:
    """The run with this id was asked for, or is over."""
    where = _repository(state, repo)
    run = next(each for each in where.runs if each.id == number)
    written, home = shapes.workflow_run(state, where, run), shapes.lite_repository(state, where)
    commit = shapes.head_commit(_commit(state, where, written["head_sha"]))
    return {
        "action": action,
        "workflow_run": {**written, "head_commit": commit, "repository": home, "head_repository": home},
        "workflow": shapes.workflow(state, where, run),
        **_around(state, where, None, run.actor.login),
    }


def commented(state: State, repo: str, number: int, comment: int, sender: str, *, action: str = "created") -> Payload:
    """The comment with this id was written, edited or deleted."""
    where, item = _place(state, repo, number)
    there = [each for each in item.comments if each.id == comment]
    made = there[0] if there else state.deleted[comment]
    return {
        "action": action,
        "issue": shapes.issue(state, where, item),
        "comment": shapes.comment(state, where, item, made),
        **_around(state, where, item, sender),
    }


@_sent
def comment_created(state: State, repo: str, number: int, author: str, body: str) -> Payload:
    """`author` wrote a comment."""
    return commented(state, repo, number, state.add_comment(repo, number, author, body).id, author)


def label_defined(state: State, repo: str, label: Label, sender: str, *, action: str) -> Payload:
    """The repository has another label, no longer has it, or it was changed."""
    where = _repository(state, repo)
    return {"action": action, "label": shapes.label(state, where, label), **_around(state, where, None, sender)}


def person(state: State, login: str) -> Payload | None:
    return shapes.user(state, state.person(login))


def team(state: State, repo: str, slug: str) -> Payload:
    return shapes.team(state, _repository(state, repo), slug)


def _commit(state: State, repo: Repository, sha: str) -> Commit:
    return state.git.of(repo).log("--no-walk", sha)[0]


def _label(state: State, repo: str, label: str) -> Payload:
    return shapes.label(state, _repository(state, repo), state.define_label(repo, label))


def about(state: State, repo: str, number: int, action: str, sender: str | None) -> Payload:
    """Write the event `action` about an item, whatever kind it is of."""
    where, item = _place(state, repo, number)
    around = _around(state, where, item, sender)
    if not isinstance(item, Issue):
        return {"action": action, "number": number, "pull_request": shapes.pull(state, where, item), **around}
    return {"action": action, "issue": shapes.issue(state, where, item), **around}


def _around(state: State, repo: Repository, item: Item | None, sender: str | None) -> Payload:
    who = state.person(sender) if sender else (item and item.author) or state.person("ghost")
    return {"repository": shapes.repository(state, repo), "sender": shapes.user(state, who)}


def _place(state: State, full_name: str, number: int) -> tuple[Repository, Issue | Pull]:
    repo = _repository(state, full_name)
    return repo, repo.items[number] if number in repo.items else repo.gone[number]


def _repository(state: State, full_name: str) -> Repository:
    repo = state.repository(full_name)
    if repo is None:
        raise KeyError(f"the sandbox has no repository {full_name}")
    return repo
