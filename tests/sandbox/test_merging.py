"""What a merge depends on is shown as GitHub shows it: attempts, suites, teams, queues, and who asks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphql import parse

from mattermod_action.adapters.candidates import LABELED
from sandbox import cost, deliveries, payloads, queue, suites
from sandbox.records import ACTIONS, CheckRun, CheckSuite, Status
from tests.sandbox.test_sandbox import REPO, call, graphql

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Pull, Repository

FIELDS = """
  reviewRequests(first: 9) { nodes { requestedReviewer { __typename ... on Team { slug } ... on User { login } } } }
  mergeStateStatus isInMergeQueue
  statusCheckRollup { state contexts(first: 9) { totalCount nodes {
    ... on CheckRun { name conclusion startedAt completedAt checkSuite { app { slug } workflowRun { event } } }
  } } }
  commits(last: 1) { nodes { commit { checkSuites(first: 9) { nodes {
    status conclusion app { slug } workflowRun { workflow { name } } checkRuns(first: 9) { totalCount }
  } } } } }
"""
WORKFLOW = "on: [push, pull_request]\njobs: {build: {}}\n"


def repository(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


@pytest.fixture
def pull(github: Sandbox) -> Pull:
    github.state.tokens["github-token"].permissions |= {"contents": "write", "checks": "read", "actions": "read"}
    found = github.state.pull(github.repository, github.pull)
    found.mergeable_reads = 0
    return found


def asked(github: Sandbox, token: str = "") -> Any:
    place = 'repository(owner: "octo-org", name: "hello")'
    query = f"{{ viewer {{ login }} {place} {{ pullRequest(number: 7) {{ {FIELDS} }} }} }}"
    return graphql(github, query, token or github.token)


def shown(github: Sandbox, token: str = "") -> Any:
    answer = asked(github, token)
    assert "errors" not in answer
    return answer["data"]["repository"]["pullRequest"]


def check(github: Sandbox, pull: Pull, conclusion: str | None, suite: int = 0, app: str = "ci") -> CheckRun:
    status, now = "completed" if conclusion else "queued", github.state.now()
    made = CheckRun(github.state.next_id(), "build", pull.head_sha, status, conclusion, now, now, app=app, suite=suite)
    github.state.add_check(github.repository, made)
    return made


def run(github: Sandbox, pull: Pull, conclusion: str | None = None, workflow: str = "CI") -> CheckSuite:
    status = "completed" if conclusion else "queued"
    made = CheckSuite(github.state.next_id(), pull.head_sha, status, conclusion, github.state.now(), ACTIONS, workflow)
    repository(github).suites.append(made)
    return made


def test_a_team_is_null_and_an_error_beside_the_rest(github: Sandbox, pull: Pull) -> None:
    """https://github.com/cli/cli/issues/14317, https://github.com/dust-tt/dust/pull/29467."""
    github.state.request_reviewers(github.repository, pull.number, ["reviewer"], ["core"])
    answer = asked(github)
    found = answer["data"]["repository"]["pullRequest"]["reviewRequests"]["nodes"]
    assert [each["requestedReviewer"] for each in found] == [{"__typename": "User", "login": "reviewer"}, None]
    [error] = answer["errors"]
    assert (error["type"], error["message"]) == ("FORBIDDEN", "Resource not accessible by integration")
    assert error["path"] == ["repository", "pullRequest", "reviewRequests", "nodes", 1, "requestedReviewer"]
    github.state.tokens["app"].permissions |= {"actions": "read"}
    assert shown(github, github.tokens["app"])["reviewRequests"]["nodes"][1]["requestedReviewer"]["slug"] == "core"


@pytest.mark.parametrize(("scopes", "refused"), [(("repo",), True), (("repo", "read:org"), False), (None, False)])
def test_a_classic_token_without_the_scope_gets_nothing(
    github: Sandbox, pull: Pull, scopes: tuple[str, ...] | None, *, refused: bool
) -> None:
    """https://github.com/cli/cli/issues/812, https://github.com/cli/cli/issues/11245."""
    assert not pull.teams
    github.state.tokens["maintainer"].scopes = scopes
    github.state.tokens["maintainer"].permissions |= {"checks": "read"}
    answer = asked(github, github.tokens["maintainer"])
    assert ("data" not in answer) == refused
    assert [each["type"] for each in answer.get("errors", ())] == ["INSUFFICIENT_SCOPES"] * refused


def test_a_rollup_lists_every_attempt_and_the_newest_counts(github: Sandbox, pull: Pull) -> None:
    """https://github.com/lewagon/wait-on-check-action/pull/156, https://github.com/erwins-enkel/shepherd/pull/1388."""
    for conclusion in ("failure", "success"):
        check(github, pull, conclusion, run(github, pull, conclusion).id, ACTIONS)
    rollup = shown(github)["statusCheckRollup"]
    assert [each["conclusion"] for each in rollup["contexts"]["nodes"]] == ["FAILURE", "SUCCESS"]
    assert rollup["state"] == "SUCCESS"
    assert shown(github)["mergeStateStatus"] == "CLEAN"
    path = f"{REPO}/commits/{pull.head_sha}/check-runs"
    assert call(github, "GET", path)[1]["total_count"] == 2  # the newest of each suite
    check(github, pull, "failure", run(github, pull, "failure", "Other").id, ACTIONS)
    assert shown(github)["mergeStateStatus"] == "UNSTABLE"


def test_a_list_has_the_newest_attempt_of_each_suite(github: Sandbox, pull: Pull) -> None:
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference."""
    for conclusion in ("failure", "success"):
        check(github, pull, conclusion)
    path = f"{REPO}/commits/{pull.head_sha}/check-runs"
    assert [each["conclusion"] for each in call(github, "GET", path)[1]["check_runs"]] == ["success"]
    assert call(github, "GET", f"{path}?filter=all")[1]["total_count"] == 2


def test_whose_workflow_it_is_takes_a_permission_of_its_own(github: Sandbox, pull: Pull) -> None:
    """https://github.com/ag-grid/ag-charts/pull/7916."""
    check(github, pull, "success", run(github, pull, "success").id, ACTIONS)
    del github.state.tokens["github-token"].permissions["actions"]
    answer = asked(github)
    assert {each["type"] for each in answer["errors"]} == {"FORBIDDEN"}
    assert {each["path"][-1] for each in answer["errors"]} == {"workflowRun"}
    [node] = answer["data"]["repository"]["pullRequest"]["statusCheckRollup"]["contexts"]["nodes"]
    assert node["checkSuite"] == {"app": {"slug": "github-actions"}, "workflowRun": None}


WHO: list[tuple[str, str, bool]] = [  # who opens it, where its branch is, and whether its runs wait for an approval
    ("newcomer", "newcomer/hello:x", True),
    ("reviewer", "reviewer/hello:x", False),
    ("newcomer", "topic", False),
    ("github-actions[bot]", "topic", True),
    ("mattermod-app[bot]", "topic", False),
]


@pytest.mark.parametrize(("by", "head", "held"), WHO)
@pytest.mark.parametrize("moment", ["opened", "pushed to", "reopened"])
def test_runs_that_wait_for_an_approval_are_in_no_rollup(
    github: Sandbox, pull: Pull, by: str, head: str, moment: str, *, held: bool
) -> None:
    """https://docs.github.com/en/actions/concepts/security/github_token, https://github.com/apache/magpie/pull/112."""
    del repository(github).items[pull.number]
    if moment == "opened":
        github.state.write_files(github.repository, {".github/workflows/ci.yml": WORKFLOW})
    with github.state.deed(by):
        made = github.state.open_pull(github.repository, "New", by, head=head, number=7, mergeable_reads=0)
        if moment == "pushed to":
            github.state.add_commit(github.repository, 7, {".github/workflows/ci.yml": WORKFLOW})
        elif moment == "reopened":
            made.head_sha = github.state.write_files(github.repository, {".github/workflows/ci.yml": WORKFLOW}, "topic")
            for state in ("closed", "open"):
                github.state.change_item(github.repository, 7, {"state": state})
    made.mergeable_reads = 0
    suites_of(github, held=held)
    assert shown(github)["mergeStateStatus"] == "UNSTABLE"
    if held:
        deliveries.carry_out(github.state, {"do": "approve-workflows", "repository": github.repository, "number": 7})
        suites_of(github, held=False)


def suites_of(github: Sandbox, *, held: bool) -> None:
    """The one suite waits for an approval, and has nothing to show, or is queued, with its job."""
    node = shown(github)
    [suite] = node["commits"]["nodes"][0]["commit"]["checkSuites"]["nodes"]
    assert suite == {
        "status": "COMPLETED" if held else "QUEUED",
        "conclusion": "ACTION_REQUIRED" if held else None,
        "app": {"slug": "github-actions"},
        "workflowRun": {"workflow": {"name": ".github/workflows/ci.yml"}},
        "checkRuns": {"totalCount": 0 if held else 1},
    }
    assert (node["statusCheckRollup"] is None) == held


def test_an_app_has_a_suite_whether_it_checks_anything_or_not(github: Sandbox, pull: Pull) -> None:
    """https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks#about-check-suites."""
    check(github, pull, "failure")
    idle = CheckSuite(github.state.next_id(), pull.head_sha, "queued", None, github.state.now(), "idle-app")
    repository(github).suites.append(idle)
    nodes = shown(github)["commits"]["nodes"][0]["commit"]["checkSuites"]["nodes"]
    assert [(each["app"]["slug"], each["status"], each["checkRuns"]["totalCount"]) for each in nodes] == [
        ("ci", "COMPLETED", 1),
        ("idle-app", "QUEUED", 0),
    ]
    assert [suites.is_held(each) for each in suites.of(repository(github), pull.head_sha)] == [False, False]


ENQUEUE = 'mutation {{ enqueuePullRequest(input: {{pullRequestId: "{}"}}) {{ mergeQueueEntry {{ position }} }} }}'


def enqueued(github: Sandbox, pull: Pull, who: str) -> list[str]:
    repository(github).queues, repository(github).required = {"main"}, {"ci"}
    now = github.state.now()
    github.state.add_status(
        github.repository, pull.head_sha, Status(1, "ci", "success", github.state.person("ci"), now)
    )
    token = github.tokens[who]
    node = graphql(
        github,
        f'{{ repository(owner: "octo-org", name: "hello") {{ pullRequest(number: {pull.number}) {{ id }} }} }}',
        token,
    )
    done = graphql(github, ENQUEUE.format(node["data"]["repository"]["pullRequest"]["id"]), token)
    assert "errors" not in done
    return [deliveries.title(each) for each in github.state.events]


def test_a_group_of_github_token_gets_no_checks_and_is_put_out(github: Sandbox, pull: Pull) -> None:
    """https://github.com/loopdive/js2/pull/1790, https://github.com/projectbluefin/dakota/pull/1233."""
    assert enqueued(github, pull, "github-token") == []
    github.state.offset += timedelta(minutes=59)
    queue.turn(github.state)
    assert (pull.queued, github.state.events) == (True, [])
    call(github, "POST", "/_sandbox/clock", {"seconds": 60})
    assert not pull.queued
    assert not pull.merged_at
    [event] = github.state.events
    assert (deliveries.title(event), event["payload"]["reason"]) == ("pull_request dequeued", "CI_TIMEOUT")


ENDS = {"success": (["dequeued", "closed"], "MERGE"), "failure": (["dequeued"], "CI_FAILURE")}


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize("who", ["app", "maintainer"])
def test_a_group_of_anybody_else_asks_for_its_checks(github: Sandbox, pull: Pull, who: str, state: str) -> None:
    actions, reason = ENDS[state]
    assert enqueued(github, pull, who) == ["pull_request enqueued", "merge_group checks_requested"]
    group = pull.group
    assert group
    made = Status(2, "ci", state, github.state.person("ci"), github.state.now())
    assert github.state.events[-1]["payload"]["merge_group"]["head_sha"] == group.sha
    github.state.add_status(github.repository, group.sha, made)
    github.state.events.clear()
    queue.turn(github.state)
    assert [each["payload"]["action"] for each in github.state.events] == actions
    assert github.state.events[0]["payload"]["reason"] == reason
    assert bool(pull.merged_at) == (state == "success")
    assert group.branch not in repository(github).branches


def test_what_conflicts_cannot_be_put_into_a_queue(github: Sandbox, pull: Pull) -> None:
    repository(github).queues = {"main"}
    github.state.write_files(github.repository, {f"change-{pull.number}.txt": "other\n"})
    asked = {"do": "enqueue", "repository": github.repository, "number": pull.number}
    assert str(deliveries.carry_out(github.state, asked)).startswith("ConflictError")
    assert not pull.queued


def test_auto_merge_that_is_called_off_says_so(github: Sandbox, pull: Pull) -> None:
    place = {"repository": github.repository, "number": pull.number}
    for deed, action in (("auto-merge", "auto_merge_enabled"), ("no-auto-merge", "auto_merge_disabled")):
        done = deliveries.carry_out(github.state, {"do": deed, **place})
        assert [deliveries.title(each) for each in done if isinstance(each, dict)] == [f"pull_request {action}"]
    assert github.state.events[-1]["payload"]["reason"]


def test_who_asks_is_told_with_the_suffix_of_a_bot(github: Sandbox, pull: Pull) -> None:
    """https://github.com/PSModule/GitHub/pull/154, https://github.com/fullsend-ai/fullsend/pull/1953."""
    assert not pull.merged_at
    logins = {"github-token": "github-actions[bot]", "app": "mattermod-app[bot]", "maintainer": "maintainer"}
    assert {name: asked(github, github.tokens[name])["data"]["viewer"]["login"] for name in logins} == logins


def test_pre_receive_hooks_are_shown(github: Sandbox, pull: Pull) -> None:
    assert not pull.merged_at
    repository(github).hooks = True
    assert shown(github)["mergeStateStatus"] == "HAS_HOOKS"


def test_what_a_page_of_labelled_pull_requests_costs() -> None:
    """One for each 14: three more of 100 than without the suites and the parents of each head."""
    assert [cost.of(parse(LABELED), {"size": size, "each": 100}).points for size in (14, 25, 100)] == [1, 2, 8]


def test_a_group_is_what_merge_queues_are_asked_about(github: Sandbox, pull: Pull) -> None:
    assert enqueued(github, pull, "app")
    told = payloads.checks_requested(github.state, github.repository, pull.number, "maintainer")["merge_group"]
    assert told["head_ref"].endswith(f"/pr-{pull.number}-{told['base_sha']}")
