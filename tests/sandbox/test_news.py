"""Each change makes the events that GitHub would send: done by a person, or over the API with a person's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import deliveries, payloads
from sandbox.records import CheckRun, Review, Status
from tests.sandbox.test_sandbox import REPO, call, graphql

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.state import State

PULL, ISSUE = "/pulls/7", "/issues/5"
LINE = {"body": "Why?", "path": "change-7.txt", "line": 1}
DEEDS = [
    ("label", "there", []),
    ("label", "THERE", []),
    ("label", "2: Dev Review", ["pull_request labeled"]),
    ("label", "new", ["label created", "pull_request labeled"]),
    ("unlabel", "there", ["pull_request unlabeled"]),
    ("unlabel", "not there", []),
    ("rename-label", "there=here", ["label edited"]),
    ("delete-label", "there", ["label deleted", "pull_request unlabeled", "issues unlabeled"]),
    ("comment", "Hello", ["issue_comment created"]),
    ("edit-comment", "Hello", ["issue_comment edited"]),
    ("delete-comment", "", ["issue_comment deleted"]),
    ("merge", "squash", ["pull_request closed"]),
    ("close", "", ["pull_request closed"]),
    ("reopen", "", []),
    ("title", "Another", ["pull_request edited"]),
    ("body", "Another", ["pull_request edited"]),
    ("base", "release", ["pull_request edited"]),
    ("base", "main", []),
    ("milestone", "v1", ["pull_request milestoned"]),
    ("milestone", "", []),
    ("lock", "", ["pull_request locked"]),
    ("unlock", "", ["pull_request unlocked"]),
    ("push", "", ["pull_request synchronize"]),
    ("approve-workflows", "", []),
    ("auto-merge", "", ["pull_request auto_merge_enabled"]),
    ("no-auto-merge", "", ["pull_request auto_merge_disabled"]),
    ("enqueue", "", ["pull_request enqueued", "merge_group checks_requested"]),
    ("dequeue", "", ["pull_request dequeued"]),
    ("draft", "", ["pull_request converted_to_draft"]),
    ("ready", "", []),
    ("review", "approved", ["pull_request_review submitted"]),
    ("dismiss", "", ["pull_request_review dismissed"]),
    ("request", "reviewer", ["pull_request review_requested"]),
    ("unrequest", "maintainer", ["pull_request review_request_removed"]),
    ("unrequest", "reviewer", []),
    ("assign", "reviewer", ["pull_request assigned"]),
    ("unassign", "maintainer", ["pull_request unassigned"]),
    ("unassign", "reviewer", []),
]
OF_ISSUES = [
    ("label", "2: Dev Review", ["issues labeled"]),
    ("unlabel", "there", ["issues unlabeled"]),
    ("close", "", ["issues closed"]),
    ("title", "Another", ["issues edited"]),
    ("body", "Another", ["issues edited"]),
    ("milestone", "v1", ["issues milestoned"]),
    ("lock", "", ["issues locked"]),
    ("unlock", "", ["issues unlocked"]),
    ("assign", "reviewer", ["issues assigned"]),
    ("delete", "", ["issues deleted"]),
]
# Of a pull request: what it takes to be told of once more, after the first.
AFTERWARDS = [
    ([("close", ""), ("reopen", "")], ["pull_request closed", "pull_request reopened"]),
    ([("draft", ""), ("ready", "")], ["pull_request converted_to_draft", "pull_request ready_for_review"]),
    ([("milestone", "v1"), ("milestone", "")], ["pull_request milestoned", "pull_request demilestoned"]),
]
AFTERWARDS_OF_ISSUES = [
    ([("close", ""), ("reopen", "")], ["issues closed", "issues reopened"]),
    ([("milestone", "v1"), ("milestone", "")], ["issues milestoned", "issues demilestoned"]),
    ([("assign", "reviewer"), ("unassign", "reviewer")], ["issues assigned", "issues unassigned"]),
]


def prepare(state: State, repo: str, pull: int, issue: int) -> str:
    """Something of everything is there, so that it can be changed and taken away. Returns the pull request's head."""
    for number in (issue, pull):
        state.add_labels(repo, number, ["there"])
    held = state.pull(repo, pull)
    held.reviewers, held.assignees = [state.person("maintainer")], [state.person("maintainer")]
    state.add_comment(repo, pull, "reviewer", "Hi")
    review = Review(state.next_id(), state.person("reviewer"), "APPROVED", "Fine", held.head_sha, state.now())
    state.review(repo, pull, review)
    state.write_files(repo, {"release.txt": "yes\n"}, "release")
    return held.head_sha


@pytest.fixture
def head(github: Sandbox) -> str:
    for permission in ("checks", "actions"):
        github.state.tokens["maintainer"].permissions[permission] = "write"
    return prepare(github.state, github.repository, github.pull, github.issue)


def act(github: Sandbox, deed: str, text: str, number: int = 0) -> list[Any]:
    asked = {"do": deed, "repository": github.repository, "number": number or github.pull, "text": text}
    done = deliveries.carry_out(github.state, {**asked, "by": "reviewer"})
    assert isinstance(done, list), done
    return done


def titles(events: list[Any]) -> list[str]:
    return [deliveries.title(event) for event in events]


@pytest.mark.parametrize(("deed", "text", "expected"), DEEDS, ids=[f"{deed}-{text}" for deed, text, _ in DEEDS])
@pytest.mark.usefixtures("head")
def test_what_a_person_does_makes_its_events(github: Sandbox, deed: str, text: str, expected: list[str]) -> None:
    events = act(github, deed, text)
    assert titles(events) == expected
    assert github.state.events == events
    assert all(event["payload"]["sender"]["login"] == "reviewer" for event in events)
    assert github.writes == []  # nothing of it was done over HTTP


@pytest.mark.parametrize(("deed", "text", "expected"), OF_ISSUES, ids=[f"{deed}-{text}" for deed, text, _ in OF_ISSUES])
@pytest.mark.usefixtures("head")
def test_what_a_person_does_to_an_issue(github: Sandbox, deed: str, text: str, expected: list[str]) -> None:
    assert titles(act(github, deed, text, github.issue)) == expected


@pytest.mark.parametrize(("deeds", "expected"), AFTERWARDS)
def test_what_a_person_takes_back(github: Sandbox, deeds: list[tuple[str, str]], expected: list[str]) -> None:
    assert [title for deed in deeds for title in titles(act(github, *deed))] == expected


@pytest.mark.parametrize(("deeds", "expected"), AFTERWARDS_OF_ISSUES)
def test_what_a_person_takes_back_of_an_issue(
    github: Sandbox, deeds: list[tuple[str, str]], expected: list[str]
) -> None:
    assert [title for deed in deeds for title in titles(act(github, *deed, github.issue))] == expected


def test_every_deed_is_in_the_table() -> None:
    assert {deed for deed, *_ in DEEDS + OF_ISSUES} == set(deliveries.ACTS)


@pytest.mark.usefixtures("head")
def test_what_changes_says_from_what(github: Sandbox) -> None:
    branches = dict(github.state.repositories[1_000_001].branches)
    for deed, text, changes in (
        ("base", "release", {"base": {"ref": {"from": "main"}, "sha": {"from": branches["main"]}}}),
        ("base", "main", {"base": {"ref": {"from": "release"}, "sha": {"from": branches["release"]}}}),
        ("body", "New", {"body": {"from": "Because the list had no Finnish yet."}}),
        ("rename-label", "there=here", {"name": {"from": "there"}}),
    ):
        [event] = act(github, deed, text)
        assert event["payload"]["changes"] == changes


@pytest.mark.usefixtures("head")
def test_a_label_that_is_deleted_is_not_named_where_it_was(github: Sandbox) -> None:
    """https://github.com/octokit/webhooks/issues/639."""
    events = act(github, "delete-label", "there")
    assert [event["payload"].get("label", {}).get("name") for event in events] == ["there", None, None]
    assert github.state.pull(github.repository, github.pull).labels == []


Call = tuple[str, str, Any, list[str]]  # method, path, body, and the events that follow
CALLS: list[Call] = [
    ("POST", "/issues/7/labels", {"labels": ["a", "2: Dev Review"]}, ["label created", *["pull_request labeled"] * 2]),
    ("DELETE", "/issues/7/labels/there", None, ["pull_request unlabeled"]),
    ("POST", "/labels", {"name": "a"}, ["label created"]),
    ("PATCH", "/labels/there", {"new_name": "here"}, ["label edited"]),
    ("DELETE", "/labels/there", None, ["label deleted", "pull_request unlabeled", "issues unlabeled"]),
    ("POST", "/issues", {"title": "New", "labels": ["a"]}, ["issues opened", "label created", "issues labeled"]),
    ("PATCH", ISSUE, {"state": "closed", "title": "New"}, ["issues closed", "issues edited"]),
    ("PATCH", ISSUE, {"state": "open"}, []),
    ("PUT", f"{ISSUE}/lock", {"lock_reason": "spam"}, ["issues locked"]),
    ("DELETE", f"{ISSUE}/lock", None, ["issues unlocked"]),
    ("PATCH", PULL, {"state": "closed"}, ["pull_request closed"]),
    ("PATCH", PULL, {"base": "release"}, ["pull_request edited"]),
    ("POST", "/pulls", {"title": "New", "base": "main", "head": "release"}, ["pull_request opened"]),
    ("PUT", "/pulls/7/merge", {}, ["pull_request closed"]),
    ("POST", "/pulls/7/reviews", {"event": "APPROVE"}, ["pull_request_review submitted"]),
    ("PUT", "/pulls/7/reviews/REVIEW", {"body": "New"}, ["pull_request_review edited"]),
    ("PUT", "/pulls/7/reviews/REVIEW/dismissals", {"message": "Old"}, ["pull_request_review dismissed"]),
    (
        "POST",
        "/pulls/7/comments",
        {**LINE, "commit_id": "HEAD"},
        ["pull_request_review submitted", "pull_request_review_comment created"],
    ),
    ("POST", "/pulls/7/requested_reviewers", {"reviewers": ["reviewer"]}, ["pull_request review_requested"]),
    ("POST", "/pulls/7/requested_reviewers", {"team_reviewers": ["core"]}, ["pull_request review_requested"]),
    ("DELETE", "/pulls/7/requested_reviewers", {"reviewers": ["maintainer"]}, ["pull_request review_request_removed"]),
    ("POST", "/issues/7/assignees", {"assignees": ["reviewer", "nobody"]}, ["pull_request assigned"]),
    ("POST", "/statuses/HEAD", {"state": "success", "context": "ci"}, ["status"]),
    (
        "POST",
        "/check-runs",
        {"name": "a", "head_sha": "HEAD", "conclusion": "failure"},
        ["check_run created", "check_run completed", "check_suite completed"],
    ),
    ("POST", "/check-runs", {"name": "a", "head_sha": "HEAD", "status": "in_progress"}, ["check_run created"]),
    ("POST", "/dispatches", {"event_type": "deploy"}, ["repository_dispatch deploy", "workflow_run requested"]),
    ("POST", "/actions/workflows/x.yml/dispatches", {"ref": "main"}, ["workflow_dispatch", "workflow_run requested"]),
]
IDS = [f"{method} {path} {number}" for number, (method, path, *_) in enumerate(CALLS)]


def send(github: Sandbox, made: Call, head: str, who: str = "maintainer") -> list[str]:
    method, path, body, _ = made
    repository = github.state.repository(github.repository)
    assert repository
    repository.actions_pulls, github.state.tokens[who].permissions["members"] = True, "read"
    workflow = {".github/workflows/x.yml": "on: [workflow_dispatch, repository_dispatch]\n"}
    github.state.write_files(github.repository, workflow)
    body = {name: head if value == "HEAD" else value for name, value in body.items()} if body is not None else None
    review = github.state.pull(github.repository, github.pull).reviews[-1].id
    path = path.replace("HEAD", head).replace("REVIEW", str(review))
    status, answer, _ = call(github, method, REPO + path, body, github.tokens[who])
    assert status < 300, answer
    return titles(github.state.events)


@pytest.mark.parametrize("made", CALLS, ids=IDS)
def test_what_is_done_over_the_api_makes_its_events(github: Sandbox, head: str, made: Call) -> None:
    assert send(github, made, head) == made[-1]


@pytest.mark.parametrize("made", CALLS, ids=IDS)
def test_s03_by_the_token_of_a_workflow_only_dispatches_do(github: Sandbox, head: str, made: Call) -> None:
    """https://docs.github.com/en/actions/concepts/security/github_token#when-github_token-triggers-workflow-runs."""
    github.state.tokens["github-token"].permissions = github.state.tokens["maintainer"].permissions
    assert send(github, made, head, "github-token") == (made[-1][:1] if "dispatches" in made[1] else [])


def test_comments_are_edited_and_deleted(github: Sandbox) -> None:
    made = github.state.add_comment(github.repository, github.pull, "reviewer", "one")
    path = f"{REPO}/issues/comments/{made.id}"
    call(github, "PATCH", path, {"body": "two"}, github.tokens["maintainer"])
    call(github, "DELETE", path, token=github.tokens["maintainer"])
    assert titles(github.state.events) == ["issue_comment edited", "issue_comment deleted"]
    edited, deleted = (event["payload"] for event in github.state.events)
    assert edited["changes"] == {"body": {"from": "one"}}
    assert (edited["comment"]["body"], edited["sender"]["login"]) == ("two", "maintainer")
    assert deleted["comment"]["id"] == made.id


def test_a_branch_that_is_updated_says_from_where(github: Sandbox, head: str) -> None:
    github.state.write_files(github.repository, {"new.txt": "new\n"})
    assert call(github, "PUT", f"{REPO}{PULL}/update-branch", {}, github.tokens["maintainer"])[0] == 202
    [event] = github.state.events
    assert deliveries.title(event) == "pull_request synchronize"
    now = event["payload"]["pull_request"]["head"]["sha"]
    assert (event["payload"]["before"], event["payload"]["after"]) == (head, now)


def test_a_draft_is_made_ready_over_graphql(github: Sandbox) -> None:
    pull = github.state.pull(github.repository, github.pull)
    asked = '{ repository(owner: "octo-org", name: "hello") { pullRequest(number: 7) { id isDraft } } }'
    node = graphql(github, asked)["data"]["repository"]["pullRequest"]["id"]
    for mutation, draft, action in (
        ("convertPullRequestToDraft", True, "converted_to_draft"),
        ("markPullRequestReadyForReview", False, "ready_for_review"),
    ):
        change = f'mutation {{ {mutation}(input: {{pullRequestId: "{node}"}}) {{ pullRequest {{ isDraft }} }} }}'
        answer = graphql(github, change, github.tokens["maintainer"])
        assert answer["data"][mutation]["pullRequest"]["isDraft"] is pull.draft is draft
        assert deliveries.title(github.state.events[-1]) == f"pull_request {action}"


def test_a_comment_on_a_line_is_edited_and_deleted(github: Sandbox, head: str) -> None:
    made = call(github, "POST", f"{REPO}{PULL}/comments", {**LINE, "commit_id": head}, github.tokens["maintainer"])[1]
    path = f"{REPO}/pulls/comments/{made['id']}"
    call(github, "PATCH", path, {"body": "Ah"}, github.tokens["maintainer"])
    call(github, "DELETE", path, token=github.tokens["maintainer"])
    review, *comments = github.state.events
    assert review["payload"]["review"]["id"] == made["pull_request_review_id"]
    assert [event["payload"]["action"] for event in comments] == ["created", "edited", "deleted"]
    assert comments[1]["payload"]["changes"] == {"body": {"from": "Why?"}}


def test_a_check_run_is_completed_later(github: Sandbox, head: str) -> None:
    asked = {"name": "a", "head_sha": head, "status": "queued"}
    made = call(github, "POST", f"{REPO}/check-runs", asked, github.tokens["maintainer"])[1]
    path = f"{REPO}/check-runs/{made['id']}"
    for body in ({"status": "in_progress"}, {"conclusion": "success"}):
        status, changed, _ = call(github, "PATCH", path, body, github.tokens["maintainer"])
        assert status == 200
    assert (changed["status"], changed["conclusion"]) == ("completed", "success")
    assert titles(github.state.events) == ["check_run created", "check_run completed", "check_suite completed"]


def told(github: Sandbox, sha: str, event: str) -> Any:
    by, now = github.state.person("reviewer"), github.state.now()
    if event == "status":
        made = Status(github.state.next_id(), "ci", "success", by, now)
        github.state.add_status(github.repository, sha, made)
        written = payloads.status(github.state, github.repository, sha, made.id, "reviewer")
        return [branch["name"] for branch in written["branches"]]
    check = CheckRun(github.state.next_id(), "build", sha, "completed", "success", now, now)
    github.state.add_check(github.repository, check)
    return payloads.check_suite(github.state, github.repository, sha, "reviewer")["check_suite"]["head_branch"]


def test_what_is_told_of_a_commits_branches(github: Sandbox) -> None:
    """A status has all branches that contain the commit, up to ten; a fork's commit is in none of ours."""
    state, place = github.state, github.repository
    own = state.add_pull(place, "Own", "reviewer", head="topic").head_sha
    fork = state.add_pull(place, "Fork", "newcomer", head="newcomer/hello:topic").head_sha
    found = state.repository(place)
    assert found
    tip = found.branches["main"]
    assert (told(github, own, "status"), told(github, own, "suite")) == (["topic"], "topic")
    assert (told(github, fork, "status"), told(github, fork, "suite")) == ([], None)
    assert told(github, tip, "suite") == "main"
    assert {"main", "topic"} <= {*told(github, tip, "status")}
    state.write_files(place, {"more.txt": "more\n"}, "topic")
    assert told(github, own, "status") == ["topic"]  # overtaken, and still in the branch
    for number in range(12):
        state.set_branch(place, f"later-{number}", tip)
    assert len(told(github, tip, "status")) == 10
