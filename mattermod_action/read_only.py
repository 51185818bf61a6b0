"""Why a run's token may only read, as far as its event tells: what a refusal says instead of naming permissions.

GITHUB_TOKEN is cut down for pull requests from forks and for what Dependabot starts, whatever the job's `permissions:`
say, and a re-run keeps what its first attempt had. docs/triggers-and-tokens.md has a row for each case.
https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflows-in-forked-repositories
https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions
"""

from __future__ import annotations

from mattermod_action.events import PullRequest

DEPENDABOT = "dependabot[bot]"
CUT_DOWN = ("pull_request", "pull_request_review", "pull_request_review_comment")
FORK = "on `pull_request` from a fork GITHUB_TOKEN may only read: use `pull_request_target` in the workflow instead"
REVIEW = (
    "on `{event}` of a pull request from a fork GITHUB_TOKEN may only read: leave these out by the job's `if:`, and "
    "let a schedule find them (workflows-examples/auto-merge.yml does both)"
)
STARTED = (
    "Dependabot started this run, so GITHUB_TOKEN may only read unless the job has `permissions:`: use "
    "`pull_request_target`, or name them there"
)
ITS_BASE = (
    "Dependabot started this run, and on `pull_request_target` onto a branch of its own GITHUB_TOKEN may only read: "
    "let somebody else start it, by a label or a command"
)


def why(event_name: str, actor: str, subject: object) -> str:
    """Return "" where the event is not to blame."""
    if not isinstance(subject, PullRequest):
        return ""
    if event_name in CUT_DOWN and subject.from_fork:
        return FORK if event_name == "pull_request" else REVIEW.format(event=event_name)
    if actor.casefold() != DEPENDABOT:
        return ""
    return STARTED if event_name in CUT_DOWN else ITS_BASE if event_name == "pull_request_target" else ""
