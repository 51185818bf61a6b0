"""Plain PyGithub, as its documentation shows it, against the sandbox: what people do most, and what GitHub refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github import Auth, Github, GithubException, UnknownObjectException

from tests.sandbox.openapi import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from github.Repository import Repository

    from sandbox import Sandbox

ALLOWED = ("contents", "issues", "pull_requests", "statuses", "checks", "actions", "workflows", "members")
SCENARIO = {
    "repositories": {
        "octo-org/hello": {
            "permissions": {"maintainer": "admin", "reviewer": "write", "helper": "triage"},
            "labels": ["bug", "2: Dev Review"],
            "milestones": ["v1", "v2"],
            "files": {
                "README.md": "# hello\n",
                "list.txt": "one\ntwo\nthree\n",
                ".github/workflows/x.yml": "on: push\n",
            },
            "branches": {"topic": {"list.txt": "one\ntwo\nthree\nfour\n"}, "other": {"list.txt": "one\ntwo\nTHREE\n"}},
            "pulls": [{"number": 7, "title": "From a fork", "author": "newcomer", "head": "newcomer/hello:patch"}],
            "issues": [{"number": 5, "title": "A question", "author": "reporter", "labels": ["bug"]}],
        }
    },
    "organisations": {"octo-org": {"members": ["maintainer"], "teams": {"core": ["reviewer"]}}},
    "tokens": {
        "maintainer": {
            "login": "maintainer",
            "permissions": dict.fromkeys(ALLOWED, "write"),
        },
        "github-token": {"permissions": {"contents": "read", "issues": "write", "pull_requests": "write"}},
    },
}


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with checked(SCENARIO, requests=False) as running:  # PyGithub sends a bare list of labels, which GitHub takes
        yield running


def client(github: Sandbox, name: str = "maintainer") -> Github:
    return Github(
        auth=Auth.Token(github.tokens[name]),
        base_url=github.url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


@pytest.fixture
def repo(github: Sandbox) -> Repository:
    return client(github).get_repo("octo-org/hello")


def test_repository_and_contents(repo: Repository) -> None:
    assert (repo.full_name, repo.default_branch) == ("octo-org/hello", "main")
    assert repo.get_contents("README.md").decoded_content == b"# hello\n"  # type: ignore[union-attr]  # a file
    assert [branch.name for branch in repo.get_branches()] == ["main", "other", "topic"]
    with pytest.raises(UnknownObjectException):
        repo.get_contents("missing.txt")


def test_issues(repo: Repository) -> None:
    assert [issue.number for issue in repo.get_issues(state="open")] == [7, 5]
    assert [issue.number for issue in repo.get_issues(labels=["BUG"])] == [5]
    made = repo.create_issue("Title", body="Body", labels=["bug"])
    assert [label.name for label in made.labels] == ["bug"]
    made.edit(state="closed", title="Done", milestone=repo.get_milestones()[0])
    assert (made.state, made.title, made.milestone.title) == ("closed", "Done", "v1")


def test_comments(repo: Repository) -> None:
    issue = repo.get_issue(5)
    comment = issue.create_comment("Hello")
    comment.edit("Hello again")
    comment.create_reaction("+1")
    assert [each.body for each in issue.get_comments()] == ["Hello again"]
    comment.delete()
    assert issue.get_comments().totalCount == 0


def test_labels_and_assignees(repo: Repository) -> None:
    issue = repo.get_issue(5)
    issue.add_to_labels("2: dev review", "new one")
    assert [label.name for label in issue.get_labels()] == ["bug", "2: Dev Review", "new one"]
    issue.remove_from_labels("BUG")
    issue.add_to_assignees("reviewer", "stranger")
    assert [person.login for person in repo.get_issue(5).assignees] == ["reviewer"]
    repo.create_label("another", "ff0000")
    with pytest.raises(GithubException, match="already_exists"):
        repo.create_label("Another", "ff0000")


def test_labels_of_a_repository(repo: Repository) -> None:
    label = repo.create_label("old", "ff0000")
    label.edit("young", "00ff00", "A word")
    assert (label.name, label.color, label.description) == ("young", "00ff00", "A word")
    assert repo.get_label("YOUNG").name == "young"
    repo.get_issue(5).add_to_labels("young")
    label.delete()
    assert [each.name for each in repo.get_issue(5).labels] == ["bug"]
    repo.get_issue(5).delete_labels()
    assert repo.get_issue(5).labels == []


def test_locks(repo: Repository) -> None:
    issue = repo.get_issue(5)
    issue.lock("resolved")
    assert (repo.get_issue(5).locked, repo.get_issue(5).active_lock_reason) == (True, "resolved")
    issue.unlock()
    assert not repo.get_issue(5).locked


def test_reviews_are_changed_and_dismissed_once(repo: Repository) -> None:
    pull = repo.get_pull(7)
    review = pull.create_review(event="APPROVE", body="Fine")
    review.edit("Better")
    assert [each.body for each in pull.get_reviews()] == ["Better"]
    review.dismiss("Old")
    assert [each.state for each in pull.get_reviews()] == ["DISMISSED"]
    with pytest.raises(GithubException, match="Can not dismiss a dismissed pull request review"):
        review.dismiss("Old")


def test_comments_on_lines_come_in_reviews(repo: Repository) -> None:
    pull = repo.create_pull(base="main", head="topic", title="Four")
    comment = pull.create_review_comment("Why?", repo.get_commit(pull.head.sha), "list.txt", line=4)
    comment.edit("Ah")
    assert [(each.body, each.path) for each in pull.get_review_comments()] == [("Ah", "list.txt")]
    assert [(each.id, each.state) for each in pull.get_reviews()] == [(comment.pull_request_review_id, "COMMENTED")]
    comment.delete()
    assert pull.get_review_comments().totalCount == 0


def test_a_pull_request_moves_to_another_base(repo: Repository) -> None:
    pull = repo.create_pull(base="main", head="topic", title="Four")
    pull.edit(base="other")
    assert repo.get_pull(pull.number).base.ref == "other"
    with pytest.raises(GithubException, match="Proposed base branch 'nowhere' was not found"):
        pull.edit(base="nowhere")


def test_a_check_run_is_ended_later(repo: Repository, github: Sandbox) -> None:
    sha = github.state.repositories[repo.id].branches["topic"]
    run = repo.create_check_run("build", sha, status="queued")
    run.edit(status="in_progress")
    run.edit(conclusion="failure")
    assert (repo.get_check_run(run.id).status, repo.get_check_run(run.id).conclusion) == ("completed", "failure")


def test_a_query_and_its_errors(repo: Repository) -> None:
    asked = 'query { repository(owner: "octo-org", name: "hello") { issue(number: %d) { title } } }'
    _, answer = repo.requester.graphql_query(asked % 5, {})
    assert answer["data"]["repository"]["issue"] == {"title": "A question"}
    with pytest.raises(GithubException, match="Could not resolve to a Issue with the number of 404"):
        repo.requester.graphql_query(asked % 404, {})


def test_what_is_known_is_not_sent_again(repo: Repository, github: Sandbox) -> None:
    held = client(github).get_repo("octo-org/hello")
    used = github.state.tokens["maintainer"].used["core"]
    assert held.update() is False  # 304 by its ETag
    assert github.state.tokens["maintainer"].used["core"] == used
    assert repo.requester.rate_limiting[1] == 1_000


def test_a_pull_request_is_opened_reviewed_and_merged(repo: Repository, github: Sandbox) -> None:
    pull = repo.create_pull(base="main", head="topic", title="Four", body="Because")
    known = [pull.mergeable, *(repo.get_pull(pull.number).mergeable for _ in range(2))]
    assert known == [None, None, True]  # worked out late, as on GitHub
    assert [(file.filename, file.status, file.additions) for file in pull.get_files()] == [("list.txt", "modified", 1)]
    pull.create_review_request(reviewers=["reviewer"], team_reviewers=["core"])
    assert [person.login for person in pull.get_review_requests()[0]] == ["reviewer"]
    with pytest.raises(GithubException, match="own pull request"):
        pull.create_review(event="APPROVE")
    with pytest.raises(GithubException, match="Head branch was modified"):
        pull.merge(sha="0" * 40)
    merged = pull.merge(sha=pull.head.sha)
    assert merged.merged
    assert pull.is_merged()
    assert repo.get_contents("list.txt").decoded_content == b"one\ntwo\nthree\nfour\n"  # type: ignore[union-attr]
    assert [write.action for write in github.writes] == ["open_pull", "request_reviewers", "merge"]


@pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_each_way_of_merging_is_gits_own(repo: Repository, github: Sandbox, method: str, parents: int) -> None:
    pull = repo.create_pull(base="main", head="topic", title="Four")
    pull.merge(merge_method=method)
    held = github.state.repositories[repo.id]
    bare = github.state.git.of(held)
    assert len(bare.run("log", "-1", "--format=%P", held.branches["main"]).split()) == parents
    assert bare.run("fsck", "--full", "--no-dangling") == ""


def test_a_conflict_cannot_be_merged(repo: Repository) -> None:
    repo.create_pull(base="main", head="other", title="Shout").merge()
    held = repo.create_pull(base="main", head="topic", title="Four")
    repo.get_pull(held.number)
    assert repo.get_pull(held.number).mergeable is False
    with pytest.raises(GithubException, match="not mergeable"):
        held.merge()
    assert not held.update_branch()


def test_update_branch_merges_the_base(repo: Repository, github: Sandbox) -> None:
    pull = repo.create_pull(base="main", head="topic", title="Four")
    github.state.write_files("octo-org/hello", {"new.txt": "new\n"})
    before = pull.head.sha
    assert not pull.update_branch(expected_head_sha="0" * 40)
    assert pull.update_branch(expected_head_sha=before)
    assert repo.get_pull(pull.number).head.sha != before
    assert not pull.update_branch()


def test_a_pull_request_twice_and_one_of_nothing_are_refused(repo: Repository) -> None:
    repo.create_pull(base="main", head="topic", title="Four")
    with pytest.raises(GithubException, match="already exists"):
        repo.create_pull(base="main", head="topic", title="Again")
    repo.create_git_ref("refs/heads/same", repo.get_git_ref("heads/main").object.sha)
    with pytest.raises(GithubException, match="No commits between"):
        repo.create_pull(base="main", head="same", title="Nothing")


def test_refs(repo: Repository) -> None:
    sha = repo.get_git_ref("heads/main").object.sha
    repo.create_git_ref("refs/heads/new", sha)
    with pytest.raises(GithubException, match="already exists"):
        repo.create_git_ref("refs/heads/new", sha)
    repo.get_git_ref("heads/new").delete()
    with pytest.raises(UnknownObjectException):
        repo.get_git_ref("heads/new")


def test_statuses_add_up(repo: Repository, github: Sandbox) -> None:
    sha = github.state.repositories[repo.id].branches["topic"]
    for state, context, expected in (
        ("pending", "ci", "pending"),
        ("success", "ci", "success"),
        ("failure", "lint", "failure"),
    ):
        repo.requester.requestJsonAndCheck(
            "POST", f"/repos/octo-org/hello/statuses/{sha}", input={"state": state, "context": context}
        )
        _, combined = repo.requester.requestJsonAndCheck("GET", f"/repos/octo-org/hello/commits/{sha}/status")
        assert combined["state"] == expected


def test_a_commit_has_its_files_and_takes_statuses(repo: Repository) -> None:
    commit = repo.get_commit("topic")
    assert ([file.filename for file in commit.files], commit.stats.additions) == (["list.txt"], 1)
    commit.create_status("success", context="ci", description="Good")
    combined = commit.get_combined_status()
    assert (combined.state, [each.context for each in combined.statuses]) == ("success", ["ci"])
    with pytest.raises(GithubException, match="No commit found for SHA: nowhere"):
        repo.get_commit("nowhere")


def test_checks(repo: Repository, github: Sandbox) -> None:
    sha = github.state.repositories[repo.id].branches["topic"]
    repo.create_check_run("build", sha, status="in_progress")
    run = repo.create_check_run("build", sha, conclusion="success")
    assert (run.status, run.conclusion) == ("completed", "success")


def test_people(repo: Repository) -> None:
    levels = {
        login: repo.get_collaborator_permission(login) for login in ("maintainer", "reviewer", "helper", "newcomer")
    }
    assert levels == {"maintainer": "admin", "reviewer": "write", "helper": "read", "newcomer": "read"}
    with pytest.raises(UnknownObjectException):
        repo.get_collaborator_permission("nobody-by-this-name")


def test_the_token_of_a_workflow_may_not_read_members(github: Sandbox) -> None:
    for token, status in (("maintainer", 204), ("github-token", 403)):
        requester = client(github, token).requester
        assert requester.requestJson("GET", "/orgs/octo-org/members/maintainer")[0] == status
    assert client(github).requester.requestJson("GET", "/orgs/octo-org/members/stranger")[0] == 404


def test_dispatches(repo: Repository, github: Sandbox) -> None:
    assert repo.create_repository_dispatch("deploy", {"a": 1})
    assert github.state.repositories[repo.id].dispatches == [("deploy", {"a": 1})]


def test_pages_of_pull_requests(repo: Repository, github: Sandbox) -> None:
    for number in range(35):
        github.state.add_pull("octo-org/hello", f"Pull {number}", "newcomer", head=f"newcomer/hello:{number}")
    assert len({pull.number for pull in repo.get_pulls(state="open")}) == 36


def test_what_an_issue_is_changed_to(repo: Repository, github: Sandbox) -> None:
    """Assignees take the place of those who were there; whoever cannot be one is left out in silence."""
    issue = repo.get_issue(7)
    issue.edit(assignees=["reviewer", "stranger"], milestone=repo.get_milestones()[1])
    assert ([person.login for person in issue.assignees], issue.milestone.title) == (["reviewer"], "v2")
    issue.edit(assignees=["maintainer"])
    assert ([person.login for person in issue.assignees], issue.milestone.title) == (["maintainer"], "v2")
    issue.edit(assignees=[], milestone=None)
    assert not issue.assignees
    assert github.state.item("octo-org/hello", 7).milestone is None
    actions = [write.action for write in github.writes if write.action.endswith("assign")]
    assert actions == ["assign", "unassign", "assign", "unassign"]
    with pytest.raises(GithubException, match="milestone"):
        repo.requester.requestJsonAndCheck("PATCH", "/repos/octo-org/hello/issues/7", input={"milestone": 9})


@pytest.mark.parametrize("body", [" ", "x" * 65_537], ids=["blank", "too-long"])
def test_a_comment_is_not_changed_to_what_it_could_not_be(repo: Repository, body: str) -> None:
    comment = repo.get_issue(5).create_comment("Hello")
    with pytest.raises(GithubException, match="Body"):
        comment.edit(body)
    comment.edit("Hello again")
    assert repo.get_issue(5).get_comment(comment.id).body == "Hello again"


def test_drafts_where_there_are_drafts(repo: Repository, github: Sandbox) -> None:
    held = github.state.repositories[repo.id]
    held.drafts = False
    with pytest.raises(GithubException, match="Draft pull requests are not supported in this repository"):
        repo.create_pull(base="main", head="topic", title="Four", draft=True)
    assert github.writes == []
    held.drafts = True
    assert repo.create_pull(base="main", head="topic", title="Four", draft=True).draft


def test_milestones_by_their_state(repo: Repository, github: Sandbox) -> None:
    github.state.repositories[repo.id].milestones[0].closed_at = github.state.now()
    titles = {state: [each.title for each in repo.get_milestones(state=state)] for state in ("open", "closed", "all")}
    assert titles == {"open": ["v2"], "closed": ["v1"], "all": ["v1", "v2"]}


def test_comparing(repo: Repository) -> None:
    found = repo.compare("main", "topic")
    assert (found.status, found.ahead_by, found.behind_by) == ("ahead", 1, 0)
    assert [commit.commit.message for commit in found.commits] == ["Change files"]
    assert [file.filename for file in found.files] == ["list.txt"]
