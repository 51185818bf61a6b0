"""Each change makes the events that GitHub would send: done by a person, or over the API with a person's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import deliveries, payloads
from sandbox.records import CheckRun, Status
from tests.sandbox.test_sandbox import REPO, call, graphql
from tests.test_real_payloads import examples

if TYPE_CHECKING:
    from sandbox import Sandbox

PULL, ISSUE = "/pulls/7", "/issues/5"
DEEDS = [
    ("label", "bug", ["pull_request labeled"]),
    ("unlabel", "there", ["pull_request unlabeled"]),
    ("unlabel", "not there", []),
    ("label", "THERE", []),
    ("comment", "Hello", ["issue_comment created"]),
    ("merge", "squash", ["pull_request closed"]),
    ("close", "", ["pull_request closed"]),
    ("reopen", "", []),
    ("title", "Another", ["pull_request edited"]),
    ("milestone", "v1", ["pull_request milestoned"]),
    ("push", "", ["pull_request synchronize"]),
    ("draft", "", ["pull_request converted_to_draft"]),
    ("ready", "", []),
    ("review", "approved", ["pull_request_review submitted"]),
    ("request", "reviewer", ["pull_request review_requested"]),
    ("assign", "reviewer", ["pull_request assigned"]),
]


@pytest.fixture
def head(github: Sandbox) -> str:
    github.state.add_labels(github.repository, github.pull, ["there"])
    for permission in ("checks", "actions"):
        github.state.tokens["maintainer"].permissions[permission] = "write"
    return github.state.pull(github.repository, github.pull).head_sha


def act(github: Sandbox, deed: str, text: str) -> list[Any]:
    asked = {"do": deed, "repository": github.repository, "number": github.pull, "text": text, "by": "reviewer"}
    done = deliveries.carry_out(github.state, asked)
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


def test_every_deed_is_in_the_table() -> None:
    assert {deed for deed, _, _ in DEEDS} == set(deliveries.ACTS)


Call = tuple[str, str, Any, list[str]]  # method, path, body, and the events that follow
CALLS: list[Call] = [
    ("POST", "/issues/7/labels", {"labels": ["a", "b"]}, ["pull_request labeled", "pull_request labeled"]),
    ("DELETE", "/issues/7/labels/there", None, ["pull_request unlabeled"]),
    ("POST", "/issues", {"title": "New", "labels": ["a"]}, ["issues opened", "issues labeled"]),
    ("PATCH", ISSUE, {"state": "closed", "title": "New"}, ["issues closed", "issues edited"]),
    ("PATCH", ISSUE, {"state": "open"}, []),
    ("PATCH", PULL, {"state": "closed"}, ["pull_request closed"]),
    ("PUT", "/pulls/7/merge", {}, ["pull_request closed"]),
    ("POST", "/pulls/7/reviews", {"event": "APPROVE"}, ["pull_request_review submitted"]),
    ("POST", "/pulls/7/requested_reviewers", {"reviewers": ["reviewer"]}, ["pull_request review_requested"]),
    ("POST", "/pulls/7/requested_reviewers", {"team_reviewers": ["core"]}, ["pull_request review_requested"]),
    ("POST", "/issues/7/assignees", {"assignees": ["reviewer", "nobody"]}, ["pull_request assigned"]),
    ("POST", "/statuses/HEAD", {"state": "success", "context": "ci"}, ["status"]),
    ("POST", "/check-runs", {"name": "a", "head_sha": "HEAD", "conclusion": "failure"}, ["check_suite completed"]),
    ("POST", "/check-runs", {"name": "a", "head_sha": "HEAD", "status": "in_progress"}, []),
    ("POST", "/dispatches", {"event_type": "deploy"}, ["repository_dispatch deploy"]),
    ("POST", "/actions/workflows/x.yml/dispatches", {"ref": "main"}, ["workflow_dispatch"]),
]
IDS = [f"{method} {path} {number}" for number, (method, path, *_) in enumerate(CALLS)]


def send(github: Sandbox, made: Call, head: str, who: str = "maintainer") -> list[str]:
    method, path, body, _ = made
    github.state.write_files(github.repository, {".github/workflows/x.yml": "on: workflow_dispatch\n"})
    body = {name: head if value == "HEAD" else value for name, value in body.items()} if body is not None else None
    status, answer, _ = call(github, method, REPO + path.replace("HEAD", head), body, github.tokens[who])
    assert status < 300, answer
    return titles(github.state.events)


@pytest.mark.parametrize("made", CALLS, ids=IDS)
def test_what_is_done_over_the_api_makes_its_events(github: Sandbox, head: str, made: Call) -> None:
    assert send(github, made, head) == made[-1]


@pytest.mark.parametrize("made", CALLS, ids=IDS)
def test_s03_by_the_token_of_a_workflow_only_dispatches_do(github: Sandbox, head: str, made: Call) -> None:
    """https://docs.github.com/en/actions/concepts/security/github_token#when-github_token-triggers-workflow-runs."""
    github.state.tokens["github-token"].permissions = github.state.tokens["maintainer"].permissions
    assert send(github, made, head, "github-token") == (made[-1] if "dispatches" in made[1] else [])


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


@pytest.mark.parametrize(("deed", "text", "expected"), [each for each in DEEDS if each[2]])
@pytest.mark.usefixtures("head")
def test_no_event_has_a_field_that_githubs_do_not_have(
    github: Sandbox, deed: str, text: str, expected: list[str]
) -> None:
    [event] = act(github, deed, text)
    theirs = [each for each in examples()[event["name"]] if each["action"] == event["payload"]["action"]]
    assert expected
    known = {key for each in theirs or examples()[event["name"]] for key in each} | {"changes", "milestone"}
    assert set(event["payload"]) <= known


@pytest.mark.parametrize("made", CALLS[-5:], ids=IDS[-5:])
def test_events_about_commits_have_the_types_of_githubs(github: Sandbox, head: str, made: Call) -> None:
    assert send(github, made, head) == made[-1]
    for event in github.state.events:
        theirs = examples()[event["name"]]
        for key, value in event["payload"].items():
            assert type(value) in {type(each.get(key)) for each in theirs} or key in ("inputs", "client_payload"), key
        inner = event["payload"].get("check_suite", {})
        for key, value in inner.items():
            assert type(value) in {type(each["check_suite"].get(key)) for each in theirs} | {type(None)}, key


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
