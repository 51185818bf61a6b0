"""What a merge depends on, as GitHub works it out: conflicts, checks, reviews, and what the branch asks for.

https://docs.github.com/en/graphql/reference/pulls (MergeStateStatus, PullRequestReviewDecision)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import suites
from sandbox.records import CheckRun, Pull, Repository, Review, Status

if TYPE_CHECKING:
    from sandbox.state import State

WRITERS = ("admin", "maintain", "write")
OPINIONS = ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
KINDS = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
# What a check run's conclusion counts as; one that is not over has none.
GREEN = ("success", "neutral", "skipped")


def contexts(repo: Repository, sha: str) -> list[Status | CheckRun]:
    """Return the newest status of each context and every attempt of each check run, by their age."""
    statuses = {each.context: each for each in repo.statuses.get(sha, ())}
    runs = (each for each in repo.checks if each.sha == sha)
    return sorted([*statuses.values(), *runs], key=lambda each: each.id)


def counted(repo: Repository, sha: str) -> list[Status | CheckRun]:
    """Leave out the attempts that a newer one has taken the place of: of the same name, App, workflow and event."""
    found: dict[tuple[str, ...], Status | CheckRun] = {_identity(repo, each): each for each in contexts(repo, sha)}
    return list(found.values())


def _identity(repo: Repository, each: Status | CheckRun) -> tuple[str, ...]:
    if isinstance(each, Status):
        return "status", each.context
    suite = suites.of_run(repo, each)
    return "check", each.name, suite.app, suite.workflow, suite.event


def state_of(each: Status | CheckRun) -> str:
    if isinstance(each, Status):
        return each.state
    if each.conclusion is None:
        return "pending"
    return "success" if each.conclusion in GREEN else "failure"


def opinions(repo: Repository, pull: Pull, *, writers_only: bool) -> list[Review]:
    """Return the newest review of each person that approved, asked for changes, or was dismissed."""
    newest = {each.author.login: each for each in pull.reviews if each.state in OPINIONS}
    found = (each for each in newest.values() if not writers_only or repo.role(each.author.login) in WRITERS)
    return sorted(found, key=lambda each: each.id)


def decision(repo: Repository, pull: Pull) -> str | None:
    """Say what the reviews come to; nothing where none are required."""
    if not repo.approvals:
        return None
    states = [each.state for each in opinions(repo, pull, writers_only=True)]
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    return "APPROVED" if states.count("APPROVED") >= repo.approvals else "REVIEW_REQUIRED"


def mergeable(state: State, repo: Repository, pull: Pull) -> str:
    """It is worked out in the background, and only once somebody has read the pull request by REST."""
    if pull.state != "open" or pull.mergeable_reads:
        return "UNKNOWN"
    return "MERGEABLE" if state.git.of(repo).merges(repo.branches[pull.base_ref], pull.head_sha) else "CONFLICTING"


def merge_state(state: State, repo: Repository, pull: Pull) -> str:
    merges = mergeable(state, repo, pull)
    if merges != "MERGEABLE":
        return "UNKNOWN" if merges == "UNKNOWN" else "DIRTY"
    return settled(state, repo, pull)


def settled(state: State, repo: Repository, pull: Pull) -> str:
    """The same of one that merges."""
    if pull.draft:
        return "DRAFT"
    if missing(repo, pull):
        return "BLOCKED"
    if repo.strict and not state.git.of(repo).is_merged(pull.head_sha, repo.branches[pull.base_ref]):
        return "BEHIND"
    if any(map(suites.is_held, suites.of(repo, pull.head_sha))):
        return "UNSTABLE"
    green = all(state_of(each) == "success" for each in counted(repo, pull.head_sha))
    return ("HAS_HOOKS" if repo.hooks else "CLEAN") if green else "UNSTABLE"


def missing(repo: Repository, pull: Pull) -> str:
    """Say what the branch asks for and does not have, "" when it has all."""
    if awaited := sorted(repo.required - green(repo, pull.head_sha)):
        return f'Required status check "{awaited[0]}" is expected.'
    if decision(repo, pull) in ("CHANGES_REQUESTED", "REVIEW_REQUIRED"):
        return f"At least {repo.approvals} approving review is required by reviewers with write access."
    return ""


def green(repo: Repository, sha: str) -> set[str]:
    """Return the names of what is green; of two with one name, such as of two workflows, the newest counts here."""
    newest = {_name(each): each for each in counted(repo, sha)}
    return {name for name, each in newest.items() if state_of(each) == "success"}


def refusal(state: State, repo: Repository, pull: Pull, method: str) -> str:
    """Say why the merge of an open pull request is refused, "" when it is not."""
    if method not in repo.methods:
        return f"{KINDS[method]} are not allowed on this repository."
    if pull.base_ref in repo.queues:
        return "Changes must be made through the merge queue"
    if repo.strict and merge_state(state, repo, pull) == "BEHIND":
        return "Head branch is out of date"
    return missing(repo, pull)


def _name(each: Status | CheckRun) -> str:
    return each.context if isinstance(each, Status) else each.name
