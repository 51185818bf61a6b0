"""The judge is judged: the sandbox refuses, pages, limits and breaks as GitHub is documented to."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from tests.sandbox.openapi import checked

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox

LONGEST = 65_536
REPO = "/repos/octo-org/hello"


def call(
    github: Sandbox, method: str, path: str, body: Any = None, token: str | None = None
) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {github.token if token is None else token}"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(text) if is_json else text, answer.headers


def graphql(github: Sandbox, query: str, token: str | None = None) -> Any:
    status, answer, _ = call(github, "POST", "/graphql", {"query": query}, token)
    assert status == 200
    return answer


def comments_path(github: Sandbox) -> str:
    return f"{REPO}/issues/{github.pull}/comments"


def test_a_comment_stands_in_every_list(github: Sandbox) -> None:
    status, made, _ = call(github, "POST", comments_path(github), {"body": "Hello"})
    assert (status, made["body"], made["user"]["login"]) == (201, "Hello", "github-actions[bot]")
    assert [each["id"] for each in call(github, "GET", comments_path(github))[1]] == [made["id"]]
    query = (
        '{ repository(owner: "octo-org", name: "hello") { issueOrPullRequest(number: %d) { ... on PullRequest {'
        " comments(last: 1) { nodes { databaseId body viewerDidAuthor author { login } } } } } } }"
    )
    [node] = graphql(github, query % github.pull)["data"]["repository"]["issueOrPullRequest"]["comments"]["nodes"]
    assert node == {
        "databaseId": made["id"],
        "body": "Hello",
        "viewerDidAuthor": True,
        "author": {"login": "github-actions"},  # REST says github-actions[bot]
    }
    assert [write.action for write in github.writes] == ["comment"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"body": "x" * LONGEST}, 201),
        ({"body": "x" * (LONGEST + 1)}, 422),
        ({"body": " "}, 422),
        ({}, 422),
        ({"body": 1}, 422),
    ],
    ids=["longest", "longer", "blank", "none", "number"],
)
def test_what_a_comment_may_be(github: Sandbox, body: dict[str, Any], status: int) -> None:
    assert call(github, "POST", comments_path(github), body)[0] == status
    assert len(github.writes) == (status == 201)


def test_a_locked_conversation_is_for_writers(github: Sandbox) -> None:
    github.state.item(github.repository, github.pull).locked = True
    status, answer, _ = call(github, "POST", comments_path(github), {"body": "x"})
    assert (status, answer["message"]) == (403, "Unable to create comment because issue is locked.")
    assert call(github, "POST", comments_path(github), {"body": "x"}, github.tokens["maintainer"])[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "/contents/README.md", "contents"),
        ("GET", "/pulls/7", "pull_requests"),
        ("GET", "/issues/5", "issues"),
        ("POST", "/issues/5/comments", "issues"),
        ("POST", "/issues/5/labels", "issues"),
    ],
)
def test_s01_outside_its_permissions_a_token_may_nothing(
    github: Sandbox, method: str, path: str, permission: str
) -> None:
    body = {"body": "x"} if path.endswith("comments") else {"labels": ["x"]} if method == "POST" else None
    assert call(github, method, REPO + path, body)[0] in (200, 201)
    repository = github.state.repository(github.repository)
    assert repository
    repository.private = True  # what is public is anybody's to read
    del github.state.tokens["github-token"].permissions[permission]
    status, answer, headers = call(github, method, REPO + path, body)
    assert (status, answer["message"]) == (403, "Resource not accessible by integration")
    assert permission in headers["X-Accepted-GitHub-Permissions"]


def test_a_token_that_reads_cannot_write(github: Sandbox) -> None:
    token = github.tokens["fork-read-only"]
    assert call(github, "GET", f"{REPO}/issues/5", token=token)[0] == 200
    assert call(github, "POST", f"{REPO}/issues/5/comments", {"body": "x"}, token)[0] == 403
    assert github.writes == []


def test_no_token_and_a_wrong_one_are_401(github: Sandbox) -> None:
    for token in ("", "wrong"):
        assert call(github, "GET", REPO, token=token)[0] == 401


def test_labels_compare_without_case_and_come_into_being(github: Sandbox) -> None:
    path = f"{REPO}/issues/{github.pull}/labels"
    call(github, "POST", path, {"labels": ["2: dev review", "Brand New"]})
    assert [each["name"] for each in call(github, "GET", path)[1]] == ["2: Dev Review", "Brand New"]
    assert call(github, "DELETE", f"{path}/brand%20new")[0] == 200
    assert call(github, "DELETE", f"{path}/brand%20new")[0] == 404


def test_f11_pages_are_linked(github: Sandbox) -> None:
    for number in range(205):
        github.state.add_comment(github.repository, github.pull, "reviewer", str(number))
    seen: list[str] = []
    path = f"{comments_path(github)}?per_page=100"
    while path:
        _, page, headers = call(github, "GET", path)
        seen += [each["body"] for each in page]
        links = {
            part.split('rel="')[1].rstrip('"'): part.split(">")[0].strip(" <")
            for part in headers.get("Link", "").split(",")
            if part
        }
        path = links.get("next", "").removeprefix(github.url)
    assert seen == [str(number) for number in range(205)]
    assert len(call(github, "GET", comments_path(github))[1]) == 30


def test_a_renamed_repository_redirects(github: Sandbox) -> None:
    github.state.rename(github.repository, "octo-org/hullo")
    status, _, headers = call(github, "GET", f"{REPO}/issues/5")
    assert status == 301
    assert call(github, "GET", headers["Location"].removeprefix(github.url))[1]["number"] == 5
    assert call(github, "POST", f"{REPO}/issues/5/comments", {"body": "x"})[0] == 307


def test_what_is_gone_and_what_never_was(github: Sandbox) -> None:
    gone = github.issue
    github.state.delete(github.repository, gone)
    assert call(github, "GET", f"{REPO}/issues/{gone}")[0] == 410
    assert call(github, "GET", f"{REPO}/issues/999")[0] == 404
    assert call(github, "GET", f"{REPO}/contents/missing.yml")[0] == 404
    assert call(github, "GET", "/repos/octo-org/other")[0] == 404


def test_contents_are_base64_and_folders_are_lists(github: Sandbox) -> None:
    assert call(github, "GET", f"{REPO}/contents/.github/mattermod.yml")[1]["encoding"] == "base64"
    assert [each["name"] for each in call(github, "GET", f"{REPO}/contents/.github")[1]] == ["mattermod.yml"]


def test_an_hour_has_an_end(github: Sandbox) -> None:
    github.state.tokens["github-token"].limit = 2
    answers = [call(github, "GET", REPO) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 403]
    assert "API rate limit exceeded" in answers[2][1]["message"]
    assert answers[1][2]["X-RateLimit-Remaining"] == "0"


@pytest.mark.parametrize(
    "query",
    [
        "{ repository(owner: 1) { id } }",
        '{ repository(owner: "octo-org", name: "hello") { nonsense } }',
        '{ repository(owner: "octo-org", name: "hello") { issue(number: 5) { comments { nodes { id } } } } }',
        '{ repository(owner: "octo-org", name: "hello") { issue(number: 5) { comments(last: 101) { totalCount } } } }',
    ],
    ids=["argument", "field", "no-page", "page-too-large"],
)
def test_a_query_that_github_would_refuse_is_refused(github: Sandbox, query: str) -> None:
    assert graphql(github, query)["errors"]


def test_what_is_not_imitated_says_so(github: Sandbox) -> None:
    status, answer, _ = call(github, "GET", f"{REPO}/releases")
    assert (status, answer["message"]) == (501, "The sandbox does not imitate GET /repos/octo-org/hello/releases")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "kind", ["status", "html", "empty", "truncated", "secondary-limit", "primary-limit", "too-many"]
)
def test_a_fault_strikes_once_and_makes_the_change_or_not(github: Sandbox, kind: Any, when: Any) -> None:
    github.state.faults.add(Fault(kind, "POST", "/repos/*/comments", when=when))
    try:
        status = call(github, "POST", comments_path(github), {"body": "x"})[0]
    except json.JSONDecodeError:
        status = 201
    assert status == {"status": 500, "secondary-limit": 403, "primary-limit": 403, "too-many": 429}.get(kind, 201)
    assert len(github.writes) == (when == "after")
    assert call(github, "POST", comments_path(github), {"body": "x"})[0] == 201


@pytest.mark.parametrize("kind", ["reset", "cut", "timeout"])
def test_a_connection_that_breaks(github: Sandbox, kind: Any) -> None:
    github.state.faults.add(Fault(kind, "POST", "/repos/*/comments", seconds=0.1, when="after"))
    with pytest.raises((OSError, http.client.HTTPException)):
        call(github, "POST", comments_path(github), {"body": "x"})
    assert len(github.writes) == 1


def test_f10_a_new_comment_lags(github: Sandbox) -> None:
    github.state.faults.add(Fault("lag", "POST", "/repos/*/comments", reads=2))
    call(github, "POST", comments_path(github), {"body": "x"})
    assert [len(call(github, "GET", comments_path(github))[1]) for _ in range(3)] == [0, 0, 1]


def test_faults_over_http(github: Sandbox) -> None:
    assert (
        call(github, "POST", "/_sandbox/faults", {"kind": "status", "method": "GET", "path": REPO, "status": 503})[0]
        == 201
    )
    assert call(github, "POST", "/_sandbox/faults", {"kind": "earthquake"})[0] == 422
    assert call(github, "GET", REPO)[0] == 503
    assert call(github, "GET", REPO)[0] == 200


def test_an_etag_saves_a_request(github: Sandbox) -> None:
    path = f"{REPO}/issues/{github.issue}"
    _, _, headers = call(github, "GET", path)
    left = headers["X-RateLimit-Remaining"]
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=10)
    connection.request(
        "GET", path, headers={"Authorization": f"Bearer {github.token}", "If-None-Match": headers["ETag"]}
    )
    answer = connection.getresponse()
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (304, left)
    github.state.add_comment(github.repository, github.issue, "reviewer", "new")
    assert call(github, "GET", path)[2]["ETag"] != headers["ETag"]


def test_f10_a_stale_read_shows_what_was(github: Sandbox) -> None:
    path = f"{REPO}/issues/{github.issue}"
    call(github, "GET", path)
    github.state.add_labels(github.repository, github.issue, ["new"])
    github.state.faults.add(Fault("stale", "GET", path, seconds=60))
    assert [call(github, "GET", path)[1]["labels"] == [] for _ in range(2)] == [True, False]


def test_f09_an_answer_that_drips_is_whole(github: Sandbox) -> None:
    github.state.faults.add(Fault("drip", "GET", REPO, seconds=0.1))
    started = time.monotonic()
    assert call(github, "GET", REPO)[1]["full_name"] == github.repository
    assert time.monotonic() - started >= 0.09


def test_simultaneous_changes_are_all_kept(github: Sandbox) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: call(github, "POST", comments_path(github), {"body": str(number)}), range(100)))
    bodies = [each.body for each in github.state.item(github.repository, github.pull).comments]
    assert sorted(bodies, key=int) == [str(number) for number in range(100)]


def test_payloads_are_events_that_github_could_send(github: Sandbox) -> None:
    event = payloads.labeled(github.state, github.repository, github.pull, "New", "maintainer")
    assert event["label"]["name"] == "New"
    assert event["label"] in event["pull_request"]["labels"]
    assert payloads.name(event) == "pull_request"
    assert github.writes == []  # what happened on GitHub is not what was written by us


def test_a_query_costs_what_github_says_it_costs(github: Sandbox) -> None:
    """One request for each connection of each parent, all pages full, divided by 100."""
    query = """query($pulls: Int = 50) { rateLimit { cost nodeCount remaining resetAt }
      repository(owner: "octo-org", name: "hello") { issues(first: 100) { nodes { comments(first: 50) { nodes { id } }
        labels(first: 60) { nodes { id } } } } pullRequests(first: $pulls) { ...page } } }
      fragment page on PullRequestConnection { nodes { labels(first: 10) { nodes { id } } } }"""
    rate = graphql(github, query)["data"]["rateLimit"]
    requests, nodes = 1 + 100 + 100 + 1 + 50, 100 + 100 * 50 + 100 * 60 + 50 + 50 * 10
    assert (rate["cost"], rate["nodeCount"]) == (round(requests / 100), nodes)
    assert rate["remaining"] == github.state.tokens["github-token"].limit - rate["cost"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rate["resetAt"])


def test_a_query_that_may_return_too_much_is_refused(github: Sandbox) -> None:
    query = """{ repository(owner: "octo-org", name: "hello") { pullRequests(first: 100) { nodes {
      comments(first: 100) { nodes { id } } a: comments(first: 100) { nodes { id } } } }
      x: issues(first: 100) { nodes { %s } } } }"""
    many = " ".join(f"c{number}: comments(first: 100) {{ nodes {{ id }} }}" for number in range(50))
    [error] = graphql(github, query % many)["errors"]
    assert error["type"] == "MAX_NODE_LIMIT_EXCEEDED"


def test_points_that_are_used_up_are_told_with_status_200(github: Sandbox) -> None:
    github.state.tokens["github-token"].limit = 1
    assert "data" in graphql(github, "{ rateLimit { used } }")
    [error] = graphql(github, "{ rateLimit { used } }")["errors"]
    assert error["type"] == "RATE_LIMITED"


def test_up_writes_its_address_and_stops_when_told(tmp_path: Path) -> None:
    file = tmp_path / "env"
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "up", "--no-aws", "--env-file", file], stdout=subprocess.PIPE, text=True
    )
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
        shown = subprocess.run(
            [sys.executable, "-m", "sandbox", "state"],
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    github = {"GITHUB_API_URL", "GITHUB_GRAPHQL_URL", "GITHUB_SERVER_URL", "GITHUB_TOKEN", "GITHUB_REPOSITORY"}
    assert set(variables) == github | {"JENKINS_URL", "JENKINS_USER", "JENKINS_API_TOKEN", "CHAT_WEBHOOK_URL"}
    assert "octo-org/hello pull #7 Say hello in Finnish" in shown
    assert process.returncode == 0


def test_a_hanging_answer_holds_nobody_up() -> None:
    with checked() as github:
        github.state.faults.add(Fault("timeout", "GET", "*", seconds=3600))
        with pytest.raises(TimeoutError):
            _hang(github)
        started = time.monotonic()
    assert time.monotonic() - started < 5


def _hang(github: Sandbox) -> None:
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=0.2)
    connection.request("GET", REPO)
    connection.getresponse()


def test_a_pull_request_is_read_as_a_diff(github: Sandbox) -> None:
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {github.token}", "Accept": "application/vnd.github.diff"}
    connection.request("GET", f"{REPO}/pulls/{github.pull}", headers=headers)
    text = connection.getresponse().read().decode()
    assert text.startswith("diff --git a/change-7.txt b/change-7.txt\nnew file mode 100644\n")
    assert "\n+Say hello in Finnish\n" in text


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, 201), ({"line": 9}, 422), ({"path": "other.txt"}, 422), ({"commit_id": "0" * 40}, 422), ({"body": 1}, 422)],
    ids=["in the diff", "another line", "another file", "another commit", "no text"],
)
def test_a_line_is_commented_on_where_the_diff_shows_it(github: Sandbox, change: dict[str, Any], status: int) -> None:
    pull = github.state.pull(github.repository, github.pull)
    place = {"commit_id": pull.head_sha, "path": f"change-{pull.number}.txt", "line": 1, "side": "RIGHT"}
    path = f"{REPO}/pulls/{pull.number}/comments"
    assert call(github, "POST", path, {"body": "Why?", **place, **change})[0] == status
    assert len(pull.line_comments) == (status == 201)
    github.state.tokens["github-token"].permissions["pull_requests"] = "read"
    assert call(github, "POST", path, {"body": "Why?", **place})[0] == 403


@pytest.mark.parametrize(
    ("permissions", "conversation", "line"),
    [
        ({"issues": "write", "pull_requests": "read"}, 204, 403),
        ({"issues": "read", "pull_requests": "write"}, 204, 204),
        ({"issues": "read", "pull_requests": "read"}, 403, 403),
    ],
)
def test_a_comment_is_deleted_once(github: Sandbox, permissions: dict[str, str], conversation: int, line: int) -> None:
    """One that is gone is 404; what a comment takes, its deletion takes."""
    pull = github.state.pull(github.repository, github.pull)
    place = {"commit_id": pull.head_sha, "path": f"change-{pull.number}.txt", "line": 1, "side": "RIGHT"}
    said = call(github, "POST", f"{REPO}/issues/{pull.number}/comments", {"body": "Hello"})[1]
    remark = call(github, "POST", f"{REPO}/pulls/{pull.number}/comments", {"body": "Why?", **place})[1]
    github.state.tokens["github-token"].permissions |= permissions
    for path, status in ((f"issues/comments/{said['id']}", conversation), (f"pulls/comments/{remark['id']}", line)):
        assert call(github, "DELETE", f"{REPO}/{path}")[0] == status
        assert call(github, "DELETE", f"{REPO}/{path}")[0] == (404 if status == 204 else status)
    assert len(pull.line_comments) == (line != 204)


def test_issues_are_listed_by_who_made_them(github: Sandbox) -> None:
    made = github.state.add_issue(github.repository, "Mine", "somebody")
    found = call(github, "GET", f"{REPO}/issues?creator=Somebody&state=all")[1]
    assert [each["number"] for each in found] == [made.number]


NOT_PERMITTED = "GitHub Actions is not permitted to create or approve pull requests."
MAY_NOT_APPROVE = ["GitHub Actions is not permitted to approve pull requests."]


@pytest.mark.parametrize(
    ("token", "allowed", "status"), [("github-token", 0, 403), ("github-token", 1, 201), ("app", 0, 201)]
)
def test_github_actions_opens_pull_requests_where_a_setting_lets_it(
    github: Sandbox, token: str, allowed: int, status: int
) -> None:
    """The words: https://github.com/danielroe/uppt/issues/11."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.actions_pulls = bool(allowed)
    github.state.write_files(github.repository, {"new.txt": "new\n"}, "topic")
    made = {"title": "New", "head": "topic", "base": "main"}
    got, answer, _ = call(github, "POST", f"{REPO}/pulls", made, github.tokens[token])
    assert got == status, answer
    assert answer.get("message") == (NOT_PERMITTED if status == 403 else None)


@pytest.mark.parametrize(
    ("token", "allowed", "status"), [("github-token", 0, 422), ("github-token", 1, 200), ("app", 0, 200)]
)
def test_github_actions_approves_where_a_setting_lets_it(
    github: Sandbox, token: str, allowed: int, status: int
) -> None:
    """The words: https://github.com/cpp-linter/cpp-linter/pull/51. It may comment all the same."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.actions_pulls = bool(allowed)
    path = f"{REPO}/pulls/{github.pull}/reviews"
    got, answer, _ = call(github, "POST", path, {"event": "APPROVE"}, github.tokens[token])
    assert got == status, answer
    assert answer.get("errors") == (MAY_NOT_APPROVE if status == 422 else None)
    assert call(github, "POST", path, {"event": "COMMENT", "body": "Hm"}, github.tokens[token])[0] == 200


@pytest.mark.parametrize(("token", "status"), [("github-token", 422), ("app", 201), ("maintainer", 422)])
def test_a_token_that_sees_no_team_asks_none_for_a_review(github: Sandbox, token: str, status: int) -> None:
    """https://github.com/actions/github-script/issues/572: the errors are texts. People may be asked all the same."""
    path = f"{REPO}/pulls/{github.pull}/requested_reviewers"
    got, answer, _ = call(github, "POST", path, {"team_reviewers": ["core"]}, github.tokens[token])
    assert got == status, answer
    if status == 422:
        [error] = answer["errors"]
        assert error.startswith("Could not resolve to a node with the global id of 'T_")
    assert call(github, "POST", path, {"reviewers": ["reviewer"]}, github.tokens[token])[0] == 201


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{REPO}/./issues/5", 200),
        (f"{REPO}/pulls/../issues/5", 200),
        (f"{REPO}/pulls/%2e%2E/issues/%2e/5", 200),
        (f"/../..{REPO}/issues/5", 200),
        (f"{REPO}/contents/docs/../README.md", 200),
        ("/repos/octo-org/secret/../hello", 200),
        (f"{REPO}/issues/5/..", 404),  # which is the list with a slash
        (f"{REPO}/issues/5/labels/.", 404),
        (f"{REPO}/issues/", 404),
        (f"{REPO}/...", 404),
        (f"{REPO}/wishes", 404),
        ("/wishes", 404),
        (f"{REPO}/releases", 501),  # which GitHub has
        (f"{REPO}/issues/404", 404),
    ],
)
def test_a_path_is_read_as_by_a_proxy_before_github(github: Sandbox, path: str, status: int) -> None:
    """https://datatracker.ietf.org/doc/html/rfc3986#section-5.2.4."""
    found, answer, headers = call(github, "GET", path)
    assert found == status
    assert headers["X-RateLimit-Limit"] == "1000"
    if status == 404:
        assert answer == {**answer, "message": "Not Found", "status": "404"}
        assert answer["documentation_url"].startswith("https://docs.github.com/rest")
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=10)
    connection.request("HEAD", path, headers={"Authorization": f"Bearer {github.token}"})
    head = connection.getresponse()
    assert (head.status, head.read()) == (status, b"")
    assert head.headers["Content-Type"] == headers["Content-Type"]


def test_a_label_that_is_a_dot_cannot_be_taken_off_by_its_path(github: Sandbox) -> None:
    """The path of `.` is that of all labels, with a slash."""
    github.state.add_labels(github.repository, github.pull, [".", "..", "x"])
    for name in (".", "..", "%2e", "%2e%2e"):
        assert call(github, "DELETE", f"{REPO}/issues/7/labels/{name}")[0] == 404
    assert [label.name for label in github.state.item(github.repository, 7).labels] == [".", "..", "x"]
    assert call(github, "DELETE", f"{REPO}/issues/7/labels")[0] == 204
    assert github.state.item(github.repository, 7).labels == []
