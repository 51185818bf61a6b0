"""Which features react to which action, and how: every action of the three events, with everything switched on.

The pull request is an outsider's, opened in October, carries one label of each kind, and is merged when it is closed.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.bot import said
from mattermod_action.config import load
from mattermod_action.events import Ignored, MergeConsidered, Shown
from mattermod_action.facts import NoFacts
from mattermod_action.features import FEATURES
from mattermod_action.parsing import parse
from mattermod_action.planning import follow_ups, make_plan
from mattermod_action.ports import ChangedFile
from tests.builders import item, payload

if TYPE_CHECKING:
    from mattermod_action.events import PullRequest, Repository, Subject
    from mattermod_action.picks import Row

CONFIG = """
label_messages:
  pull_requests: [{label: Docs, message: Hello}]
  issues: [{label: Docs, message: Hello}]
block_merge: {labels: [Block]}
cla: {signed_url: "https://example.org/signed"}
welcome: {message: Welcome}
greeter: {team: core, labels: [Contributor]}
hacktoberfest: {}
update_branch: {}
auto_assign: {team: core}
cherry_pick: {label: Docs, milestones: {v1: [release-1]}}
protected_paths: {paths: ["guarded/**"]}
diff_review: {rules: [{text: "panic(", message: Why}]}
translations: {bot: alice, message: New}
chat: {}
auto_merge: {label: Docs}
label_workflow: {rules: [{label: Docs, workflow: build.yml}]}
stale: {days: 30}
label_cleanup: {labels: [Block], issues: true}
spinmint: {label: Docs, build: ci, image: ami-01234567, instance_type: t3.large, subnet: subnet-01234567,
  security_groups: [sg-01234567], zone: Z1, dns_suffix: test.example.com, script: setup.sh, forks: allowed}
"""
ANSWER, BLOCKED, CLA = (
    "label_messages: comment",
    "block_merge: set status merge/blocked, pending",
    ("cla: set status cla/mattermost, error"),
)
CLEAN = "label_cleanup: remove label Block"
PICK = "cherry_pick: pick Docs"
GUARDED = ["protected_paths: set status merge/protected-paths, failure", "protected_paths: comment"]
REVIEW = "diff_review: review comment"
STATE = [ANSWER, BLOCKED]
# An empty list is an event in which nothing is due; None is one that is ignored, with a line that says so.
GOLDEN: dict[str, dict[str, list[str] | None]] = {
    "pull_request": {
        "opened": [
            ANSWER,
            BLOCKED,
            CLA,
            "welcome: comment",
            "greeter: add labels Contributor, Hacktoberfest",
            "greeter: request review core",
            *GUARDED,
            REVIEW,
            "translations: post chat",
        ],
        "reopened": [ANSWER, BLOCKED, CLA, *GUARDED],
        "synchronize": [ANSWER, BLOCKED, CLA, *GUARDED, REVIEW],
        "ready_for_review": [*STATE, *GUARDED, REVIEW],
        "edited": [*STATE, *GUARDED],
        "labeled": [*STATE, "label_workflow: dispatch Docs", "spinmint: launch server"],
        "unlabeled": STATE,
        "closed": [ANSWER, PICK, CLEAN, "spinmint: destroy server"],
        "milestoned": STATE,
        "converted_to_draft": STATE,
        "dequeued": STATE,
        "auto_merge_disabled": STATE,
        **dict.fromkeys(
            "assigned auto_merge_enabled demilestoned enqueued locked "
            "review_request_removed review_requested unassigned unlocked".split()
        ),
    },
    "issues": {
        "opened": [ANSWER],
        "reopened": [ANSWER],
        "edited": [ANSWER],
        "labeled": [ANSWER],
        "unlabeled": [ANSWER],
        "closed": [ANSWER, CLEAN],
        **dict.fromkeys(
            "assigned deleted demilestoned locked milestoned pinned transferred typed unassigned unlocked unpinned "
            "untyped".split()
        ),
    },
    "issue_comment": {
        "created": [
            "commands: react eyes",
            "update_branch: update branch",
            "auto_assign: request review core",
            "cherry_pick: pick",
            CLA,
            "spinmint: destroy server",
        ],
        "edited": [],
        "deleted": [],
    },
}


class Facts(NoFacts):
    """An outsider's pull request, commented on by a maintainer."""

    def __init__(self, pull: PullRequest) -> None:
        self._pull = pull

    def role(self, repository: Repository, login: str) -> str:  # noqa: ARG002  # the port's signature
        return "admin" if login == "carol" else "read"

    def pull(self, repository: Repository, number: int) -> PullRequest | None:  # noqa: ARG002  # the port's signature
        return self._pull

    def picks(self, subject: Subject) -> list[Row]:  # noqa: ARG002  # the port's signature
        return []

    def servers(self, subject: Subject) -> list[Any]:  # noqa: ARG002  # the port's signature
        return [SimpleNamespace(live=True, told=True, key="")]

    def files(self, pull: PullRequest) -> list[ChangedFile]:  # noqa: ARG002  # the port's signature
        return [ChangedFile("guarded/a.go", patch="@@ -1,2 +1,3 @@\n one\n+panic(1)\n two")]

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:  # noqa: ARG002  # the port's signature
        return frozenset({"somebody-else"})


def given(event: str, action: str) -> dict[str, Any]:
    state = "closed" if action == "closed" else "open"
    about = {
        **item("Docs", "Block"),
        "state": state,
        "merged": action == "closed",
        "milestone": {"number": 1, "title": "v1"},
        "created_at": "2026-10-05T12:00:00Z",
        "maintainer_can_modify": True,
    }
    if event == "issues":
        return payload("issue", action, about, "Docs")
    if event == "pull_request":
        return payload("pull_request", action, about, "Docs")
    body = "/update-branch\n/autoassign\n/cherry-pick release-1\n/check-cla\n/spinmint destroy"
    comment = {"id": 1, "body": body, "user": {"login": "carol", "type": "User"}}
    made = payload("issue", action, {**about, "pull_request": {"url": "x"}})
    return {**made, "comment": comment, "changes": {"body": {"from": body}}}


CASES = [(event, action) for event, actions in GOLDEN.items() for action in actions]


@pytest.mark.parametrize(("event", "action"), CASES)
def test_golden(event: str, action: str) -> None:
    seen = parse(event, given(event, action))
    expected = GOLDEN[event][action]
    if expected is None:
        assert isinstance(seen, Ignored)
        assert seen.reason
        return
    assert not isinstance(seen, Ignored)
    pull: Any = parse("pull_request", given("pull_request", "opened"))
    plan = make_plan(seen, load(CONFIG, "c.yml").config, Facts(pull.subject))
    assert not plan.errors
    assert [f"{effect.feature}: {said(effect, done=True)}".strip() for effect in plan.effects] == expected


def test_everything_is_switched_on_and_reacts_to_something() -> None:
    config = load(CONFIG, "c.yml").config
    assert all(getattr(config, name) is not None for name in FEATURES)
    lines = [line for actions in GOLDEN.values() for each in actions.values() for line in each or ()]
    silent = set(FEATURES) - {line.partition(":")[0] for line in lines}
    # The first's label goes along with greeter's; the second tells of failures, the third plans on what follows, and
    # the last on what a sweep finds.
    assert silent == {"hacktoberfest", "chat", "auto_merge", "stale"}


@pytest.mark.parametrize("action", [action for action, lines in GOLDEN["pull_request"].items() if lines is not None])
def test_golden_what_follows(action: str) -> None:
    """An open pull request with the label is looked at by itself, after what the event called for."""
    seen: Any = parse("pull_request", given("pull_request", action))
    then, errors = follow_ups(seen, load(CONFIG, "c.yml").config, Facts(seen.subject))
    pushed = action in ("opened", "synchronize", "auto_merge_disabled")
    out = "dequeued" if action == "dequeued" else ""
    assert not errors
    sha = seen.subject.sha
    shown = Shown("carol", sha, "", seen.at, labeled=True) if action == "labeled" else None
    asked = MergeConsidered(seen.subject, pushed=pushed, out=out, patient=True, shown=shown)
    assert then == ([] if action == "closed" else [asked])
