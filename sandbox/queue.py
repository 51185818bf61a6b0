"""Merge queues: a group for each pull request that is put in, its checks, and what becomes of it.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox import news, readiness
from sandbox.bare import ConflictError, Identity
from sandbox.records import Queued

if TYPE_CHECKING:
    from sandbox.records import Pull, Repository
    from sandbox.state import State

BOT = "github-merge-queue[bot]"
TITLE = "Merge pull request #{}"
TIMEOUT = timedelta(minutes=60)  # GitHub's own default for checks to report
# https://docs.github.com/en/webhooks/webhook-events-and-payloads?actionType=dequeued#pull_request
# A timeline has words of its own, which GitHub does not list: people report `failed_checks` and `merged`.
WORDS = {
    "CI_FAILURE": "failed_checks",
    "CI_TIMEOUT": "timed_out",
    "MERGE": "merged",
    "MERGE_CONFLICT": "merge_conflict",
}
FAILED, LATE, CONFLICT = "CI_FAILURE", "CI_TIMEOUT", "MERGE_CONFLICT"


def join(state: State, repo: Repository, pull: Pull, by: str = "") -> None:
    """Put it in, with a group of its own: what the base would be with it. Raises ConflictError."""
    tip, now = repo.branches[pull.base_ref], state.now()
    sha = state.git.of(repo).merge(tip, pull.head_sha, TITLE.format(pull.number), Identity.of(BOT, now))
    branch = f"gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{tip}"
    state.enqueue(repo.full_name, pull.number, Queued(now, branch, sha, state.person(by) if by else pull.author))


def turn(state: State) -> None:
    """Merge what is green, and put out what is red or has waited for too long: all that happens by itself."""
    with state.deed(BOT) as changes:
        for repo in state.repositories.values():
            for pull in repo.pulls():
                if pull.queued and pull.group:
                    _turn(state, repo, pull, pull.group)
    state.events += news.of(state, changes)


def _turn(state: State, repo: Repository, pull: Pull, group: Queued) -> None:
    states = {readiness.state_of(each) for each in readiness.counted(repo, group.sha)}
    if repo.required <= readiness.green(repo, group.sha):
        try:
            state.merge(repo.full_name, pull.number, "merge", TITLE.format(pull.number), BOT)
        except ConflictError:
            state.dequeue(repo.full_name, pull.number, CONFLICT)
    elif states & {"failure", "error"}:
        state.dequeue(repo.full_name, pull.number, FAILED)
    elif state.now() - group.at >= TIMEOUT:
        state.dequeue(repo.full_name, pull.number, LATE)
