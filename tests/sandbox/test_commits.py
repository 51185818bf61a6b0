"""Commits, branches and what they have to do with pull requests, as GraphQL and the comparison tell of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.sandbox.test_news import titles
from tests.sandbox.test_sandbox import REPO, call, graphql

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Pull, Repository

METHODS = ("merge", "squash", "rebase")


@pytest.fixture
def held(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


def ask(github: Sandbox, fields: str, token: str | None = None) -> Any:
    """What the repository has of these fields."""
    answer = graphql(github, f'{{ repository(owner: "octo-org", name: "hello") {{ {fields} }} }}', token)
    assert "errors" not in answer, answer
    return answer["data"]["repository"]


def refusal(github: Sandbox, query: str, token: str | None = None) -> tuple[str, str]:
    [error] = graphql(github, query, token)["errors"]
    return error.get("type", ""), error["message"]


def opened(github: Sandbox, head: str = "topic") -> Pull:
    """A pull request of two commits."""
    pull = github.state.add_pull(github.repository, f"About {head}", "newcomer", head=head)
    github.state.add_commit(github.repository, pull.number, message="One more\n\nIt was needed.")
    return pull


def merged(github: Sandbox, pull: Pull, method: str) -> str:
    path, token = f"{REPO}/pulls/{pull.number}/merge", github.tokens["maintainer"]
    status, answer, _ = call(github, "PUT", path, {"merge_method": method}, token)
    assert status == 200
    return str(answer["sha"])


def messages(nodes: list[Any]) -> list[str]:
    return [node["messageHeadline"] for node in nodes]


MERGED = """merged mergedAt mergedBy { login } isCrossRepository autoMergeRequest { mergeMethod }
  mergeCommit { oid message committedDate author { name } parents(first: 5) { totalCount nodes { oid } } }"""


@pytest.mark.parametrize(
    ("method", "author"), [("merge", "maintainer"), ("squash", "newcomer"), ("rebase", "newcomer")]
)
def test_a_merge_says_by_whom_when_and_with_which_commit(
    github: Sandbox, held: Repository, method: str, author: str
) -> None:
    pull, before = opened(github), held.branches["main"]
    fields = f"pullRequest(number: {pull.number}) {{ {MERGED} }}"
    nothing = {"merged": False, "mergedAt": None, "mergedBy": None, "mergeCommit": None, "autoMergeRequest": None}
    assert ask(github, fields)["pullRequest"] == {**nothing, "isCrossRepository": False}
    github.state.offset = timedelta(days=3)
    sha = merged(github, pull, method)
    told = ask(github, fields)["pullRequest"]
    made = told["mergeCommit"]
    assert (told["merged"], told["mergedBy"], made["oid"]) == (True, {"login": "maintainer"}, sha)
    assert made["committedDate"] == told["mergedAt"]  # also when the clock is the simulated one
    assert made["author"] == {"name": author}
    parents = [node["oid"] for node in made["parents"]["nodes"]]
    assert made["parents"]["totalCount"] == len(parents)
    assert {"merge": parents == [before, pull.head_sha], "squash": parents == [before], "rebase": len(parents) == 1}[
        method
    ]


def test_a_pull_request_of_a_fork_crosses_repositories(github: Sandbox) -> None:
    for name in ("newcomer/hello", None):
        github.state.pull(github.repository, github.pull).head_repository = name
        assert ask(github, "pullRequest(number: 7) { isCrossRepository }")["pullRequest"]["isCrossRepository"]


def test_a_commit_tells_its_message_its_author_and_its_dates(github: Sandbox, held: Repository) -> None:
    held.branches["other"] = github.state.write_files(
        github.repository,
        {"x.txt": "x\n"},
        "other",
        "Headline\n\nBody.\n\nCo-authored-by: B <b@example.com>",
        "reviewer",
    )
    at = github.state.git.of(held).log("-1", "other")[0].author.at
    date = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    fields = """oid message messageHeadline authoredDate committedDate author { name email date user { login } }
      authors(first: 5) { nodes { name email } }"""
    expected = {
        "oid": held.branches["other"],
        "message": "Headline\n\nBody.\n\nCo-authored-by: B <b@example.com>",
        "messageHeadline": "Headline",
        "authoredDate": date,
        "committedDate": date,
        "author": {
            "name": "reviewer",
            "email": "reviewer@users.noreply.example",
            "date": date,
            "user": {"login": "reviewer"},
        },
        "authors": {
            "nodes": [
                {"name": "reviewer", "email": "reviewer@users.noreply.example"},
                {"name": "B", "email": "b@example.com"},
            ]
        },
    }
    for name in ("other", "refs/heads/other", held.branches["other"], held.branches["other"][:12]):
        found = ask(github, f'object(expression: "{name}") {{ __typename ... on Commit {{ {fields} }} }}')["object"]
        assert found == {"__typename": "Commit", **expected}


@pytest.mark.parametrize("name", ["nowhere", "0" * 40, "", "--all", "main^{tree}", "main\\nmain", "nowhere:README.md"])
def test_what_is_no_commit_is_null(github: Sandbox, name: str) -> None:
    assert ask(github, f'object(expression: "{name}") {{ oid }}') == {"object": None}


HISTORY = 'object(expression: "main") { ... on Commit { history(%s) { totalCount nodes { messageHeadline } %s } } }'


def test_a_history_is_gits_own_by_path_and_by_time(github: Sandbox) -> None:
    state, repo = github.state, github.repository
    days = {}
    for number, path in enumerate(("a/x.txt", "b.txt", "a/y.txt", "[a]/x.txt")):
        state.offset = timedelta(days=number + 1)
        state.write_files(repo, {path: "1\n"}, message=f"Add {path}")
        days[path] = state.now().isoformat()

    def found(asked: str) -> list[str]:
        return messages(ask(github, HISTORY % (asked, ""))["object"]["history"]["nodes"])

    assert found("first: 4") == ["Add [a]/x.txt", "Add a/y.txt", "Add b.txt", "Add a/x.txt"]
    assert found('first: 9, path: "a"') == ["Add a/y.txt", "Add a/x.txt"]
    assert found('first: 9, path: "[a]/x.txt"') == ["Add [a]/x.txt"]  # a name, not a pattern
    assert found('first: 9, path: "missing"') == []
    assert found(f'first: 9, since: "{days["a/y.txt"]}"') == ["Add [a]/x.txt", "Add a/y.txt"]
    assert found(f'first: 9, since: "{days["b.txt"]}", path: "a"') == ["Add a/y.txt"]


def test_a_history_has_pages_and_its_cost(github: Sandbox) -> None:
    for number in range(5):
        github.state.write_files(github.repository, {"n.txt": str(number)}, message=f"Commit {number}")
    info, cursor, seen = "pageInfo { endCursor hasNextPage }", "", []
    for _ in range(3):
        history = ask(github, HISTORY % (f'first: 2, path: "n.txt"{cursor}', info))["object"]["history"]
        seen += messages(history["nodes"])
        cursor = f', after: "{history["pageInfo"]["endCursor"]}"'
    assert (seen, history["pageInfo"]["hasNextPage"]) == ([f"Commit {number}" for number in (4, 3, 2, 1, 0)], False)
    inside = "nodes { parents(first: 2) { totalCount } associatedPullRequests(first: 5) { totalCount } }"
    query = (
        '{ rateLimit { nodeCount } repository(owner: "octo-org", name: "hello") { object(expression: "main") { '
        f"... on Commit {{ history(first: 50) {{ {inside} }} }} }} }} }}"
    )
    assert graphql(github, query)["data"]["rateLimit"]["nodeCount"] == 50 + 50 * 2 + 50 * 5


@pytest.mark.parametrize("asked", ['first: 1, since: "yesterday"', "since: null"])
def test_a_history_that_github_would_refuse(github: Sandbox, asked: str) -> None:
    query = f'{{ repository(owner: "octo-org", name: "hello") {{ {HISTORY % (asked, "")} }} }}'
    assert graphql(github, query)["errors"]


def pulls_of(github: Sandbox, sha: str) -> list[int]:
    inside = "associatedPullRequests(first: 5) { nodes { number } }"
    fields = f'object(expression: "{sha}") {{ ... on Commit {{ {inside} }} }}'
    return [node["number"] for node in ask(github, fields)["object"]["associatedPullRequests"]["nodes"]]


@pytest.mark.parametrize("method", METHODS)
def test_what_a_merge_brought_leads_to_its_pull_request(github: Sandbox, held: Repository, method: str) -> None:
    pull, onto = opened(github), held.branches["main"]
    bare = github.state.git.of(held)
    own = bare.history(pull.head_sha, onto)
    assert [pulls_of(github, sha) for sha in own] == [[pull.number]] * 2  # open, and not on the default branch
    merged(github, pull, method)
    brought = bare.history(held.branches["main"], onto)
    assert len(brought) == {"merge": 3, "squash": 1, "rebase": 2}[method]
    assert [pulls_of(github, sha) for sha in {*brought, *own}] == [[pull.number]] * len({*brought, *own})
    assert pulls_of(github, onto) == []


def test_an_open_pull_request_is_told_only_of_what_the_default_branch_does_not_have(
    github: Sandbox, held: Repository
) -> None:
    first = opened(github)
    held.branches["second"] = first.head_sha
    second = github.state.add_pull(github.repository, "Two", "reviewer", head="second")
    assert pulls_of(github, first.head_sha) == [first.number, second.number]
    merged(github, first, "merge")
    assert pulls_of(github, first.head_sha) == [first.number]
    sha = github.state.add_commit(github.repository, second.number)
    assert pulls_of(github, sha) == [second.number]
    github.state.change_item(github.repository, second.number, {"state": "closed"})
    assert pulls_of(github, sha) == []


def test_a_ref_by_its_name(github: Sandbox, held: Repository) -> None:
    held.branches["release/1.0"] = held.branches["main"]
    fields = "name prefix target { oid ... on Commit { messageHeadline } }"
    target = {"oid": held.branches["main"], "messageHeadline": "Change files"}
    for name in ("refs/heads/release/1.0", "heads/release/1.0", "release/1.0"):
        found = ask(github, f'ref(qualifiedName: "{name}") {{ {fields} }}')["ref"]
        assert found == {"name": "release/1.0", "prefix": "refs/heads/", "target": target}
    for name in ("refs/heads/nowhere", "refs/tags/main", ""):
        assert ask(github, f'ref(qualifiedName: "{name}") {{ name }}')["ref"] is None


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ('refPrefix: "refs/heads/", first: 9', ["Release-3", "main", "release/1.0", "release/2.0"]),
        ('refPrefix: "refs/heads/", query: "release", first: 9', ["Release-3", "release/1.0", "release/2.0"]),
        ('refPrefix: "refs/heads/", query: "release", first: 1', ["Release-3"]),
        ('refPrefix: "refs/heads/release/", last: 1', ["2.0"]),
        ('refPrefix: "refs/tags/", first: 9', []),
    ],
)
def test_refs_by_what_is_in_their_names(github: Sandbox, held: Repository, asked: str, names: list[str]) -> None:
    held.branches |= dict.fromkeys(("release/2.0", "release/1.0", "Release-3"), held.branches["main"])
    found = ask(github, f"refs({asked}) {{ nodes {{ name target {{ oid }} }} }}")["refs"]["nodes"]
    assert found == [{"name": name, "target": {"oid": held.branches["main"]}} for name in names]


def test_pull_requests_by_head_and_the_newest_first(github: Sandbox) -> None:
    made = [opened(github, head).number for head in ("one", "two", "three")]

    def found(asked: str) -> tuple[list[int], Any]:
        told = ask(github, f"pullRequests({asked}) {{ nodes {{ number }} pageInfo {{ endCursor hasNextPage }} }}")
        return [node["number"] for node in told["pullRequests"]["nodes"]], told["pullRequests"]["pageInfo"]

    assert found('first: 5, headRefName: "two"')[0] == [made[1]]
    assert found('first: 5, headRefName: "nowhere"')[0] == []
    newest = "orderBy: {field: CREATED_AT, direction: DESC}"
    page, info = found(f"first: 2, {newest}")
    assert (page, info["hasNextPage"]) == (made[:0:-1], True)
    opened(github, "four")  # and the next page stays the next page
    assert found(f'first: 5, {newest}, after: "{info["endCursor"]}"')[0] == [made[0], github.pull]
    assert found(f"last: 1, {newest}")[0] == [github.pull]


CODE = (
    'object(expression: "main") { oid }',
    'ref(qualifiedName: "main") { name }',
    'refs(refPrefix: "refs/heads/", first: 1) { totalCount }',
)


@pytest.mark.parametrize("fields", [*CODE, "pullRequest(number: 7) { mergeCommit { oid } }"])
def test_the_code_is_for_who_may_read_it(github: Sandbox, held: Repository, fields: str) -> None:
    held.private = True
    del github.state.tokens["github-token"].permissions["contents"]
    query = f'{{ repository(owner: "octo-org", name: "hello") {{ {fields} }} }}'
    assert refusal(github, query) == ("FORBIDDEN", "Resource not accessible by integration")


def test_pull_requests_of_a_commit_are_for_who_may_read_them(github: Sandbox, held: Repository) -> None:
    held.private = True
    del github.state.tokens["github-token"].permissions["pull_requests"]
    inside = '{ object(expression: "main") { ... on Commit { associatedPullRequests(first: 1) { totalCount } } } }'
    query = f'{{ repository(owner: "octo-org", name: "hello") {inside} }}'
    assert refusal(github, query) == ("FORBIDDEN", "Resource not accessible by integration")


def enable(github: Sandbox, pull: Pull, method: str = "") -> str:
    number = ask(github, f"pullRequest(number: {pull.number}) {{ id }}")["pullRequest"]["id"]
    return (
        f'mutation {{ enablePullRequestAutoMerge(input: {{pullRequestId: "{number}"{method}}}) {{ '
        "pullRequest { autoMergeRequest { enabledAt mergeMethod } } } }"
    )


@pytest.mark.parametrize(("method", "kept"), [("", "MERGE"), (", mergeMethod: SQUASH", "SQUASH")])
def test_an_automatic_merge_is_noted(github: Sandbox, held: Repository, method: str, kept: str) -> None:
    held.auto_merge, held.required, pull = True, {"build"}, opened(github)
    answer = graphql(github, enable(github, pull, method), github.tokens["app"])
    request = answer["data"]["enablePullRequestAutoMerge"]["pullRequest"]["autoMergeRequest"]
    assert request["mergeMethod"] == kept
    assert request["enabledAt"].endswith("Z")
    told = call(github, "GET", f"{REPO}/pulls/{pull.number}")[1]["auto_merge"]
    assert (told["enabled_by"]["login"], told["merge_method"]) == ("mattermod-app[bot]", kept.lower())
    assert (pull.state, [write.action for write in github.writes]) == ("open", ["auto_merge"])
    assert titles(github.state.events) == ["pull_request auto_merge_enabled"]


@pytest.mark.parametrize(
    ("checks", "required", "status"),
    [
        ((), (), "clean"),
        (("success",), ("build",), "clean"),
        (("failure",), (), "unstable"),
        (("pending",), (), "unstable"),
    ],
)
def test_no_automatic_merge_of_what_can_be_merged_at_once(
    github: Sandbox, held: Repository, checks: tuple[str, ...], required: tuple[str, ...], status: str
) -> None:
    held.auto_merge, held.required, pull = True, {*required}, opened(github)
    for state in checks:
        payload = {"state": state, "context": "build"}
        assert call(github, "POST", f"{REPO}/statuses/{pull.head_sha}", payload, github.tokens["app"])[0] == 201
    message = f"Pull request Pull request is in {status} status"
    assert refusal(github, enable(github, pull), github.tokens["app"]) == ("UNPROCESSABLE", message)
    assert pull.auto_merge is None


def test_an_automatic_merge_is_refused(github: Sandbox, held: Repository) -> None:
    app, pull = github.tokens["app"], opened(github)
    query = enable(github, pull)
    message = "Pull request Auto merge is not allowed for this repository"
    assert refusal(github, query, app) == ("UNPROCESSABLE", message)
    held.auto_merge = True
    assert refusal(github, query) == ("FORBIDDEN", "Resource not accessible by integration")  # it may not write code
    held.methods = {"squash"}
    assert refusal(github, query, app) == ("UNPROCESSABLE", "Merge commits are not allowed on this repository.")
    held.methods, pull.state = {"merge"}, "closed"
    assert refusal(github, query, app)[0] == "UNPROCESSABLE"
    held.methods, pull.state = {"merge"}, "open"
    del github.state.tokens["app"].permissions["pull_requests"]
    assert refusal(github, query, app)[0] == "FORBIDDEN"
    assert (pull.auto_merge, github.writes) == (None, [])


def compared(github: Sandbox, base: str, head: str, query: str = "") -> Any:
    status, answer, _ = call(github, "GET", f"{REPO}/compare/{quote(base, safe='')}...{quote(head, safe='')}{query}")
    return answer if status == 200 else (status, answer["message"])


def test_a_comparison_is_from_what_both_have(github: Sandbox, held: Repository) -> None:
    fork = held.branches["main"]
    pull = opened(github, "release/1.0")
    github.state.write_files(github.repository, {"new.txt": "new\n"}, message="On main")
    main = held.branches["main"]
    found = compared(github, "main", "release/1.0")
    assert (found["status"], found["ahead_by"], found["behind_by"], found["total_commits"]) == ("diverged", 2, 1, 2)
    assert (found["base_commit"]["sha"], found["merge_base_commit"]["sha"]) == (main, fork)
    assert [each["commit"]["message"].partition("\n")[0] for each in found["commits"]] == [pull.title, "One more"]
    assert [each["author"]["login"] for each in found["commits"]] == ["newcomer", "newcomer"]
    assert found["commits"][0]["parents"][0]["sha"] == fork
    assert [(each["filename"], each["status"]) for each in found["files"]] == [(f"change-{pull.number}.txt", "added")]


@pytest.mark.parametrize(
    ("base", "head", "status"), [("main", "topic", "ahead"), ("topic", "main", "behind"), ("main", "main", "identical")]
)
def test_how_two_commits_stand(github: Sandbox, held: Repository, base: str, head: str, status: str) -> None:
    opened(github)
    for names in ((base, head), (held.branches[base], held.branches[head])):
        found = compared(github, *names)
        assert (found["status"], bool(found["commits"])) == (status, status == "ahead")


def test_a_comparison_has_pages(github: Sandbox) -> None:
    pull = opened(github)
    for _ in range(3):
        github.state.add_commit(github.repository, pull.number)
    first, last = (compared(github, "main", "topic", f"?per_page=2&page={page}") for page in (1, 3))
    assert [len(each["commits"]) for each in (first, last)] == [2, 1]
    assert last["commits"][0]["sha"] == pull.head_sha
    assert [each["total_commits"] for each in (first, last)] == [5, 5]
    assert [len(each.get("files", ())) for each in (first, last)] == [1, 0]  # files are on the first page only


def test_a_comparison_that_cannot_be(github: Sandbox, held: Repository) -> None:
    bare = github.state.git.of(held)
    bare.publish()
    held.branches["orphan"] = bare.run("commit-tree", "main^{tree}", "-m", "Alone").strip()
    assert compared(github, "main", "orphan") == (404, "No common ancestor between main and orphan.")
    assert pulls_of(github, "orphan") == []
    assert compared(github, "main", "nowhere") == (404, "Not Found")
    assert call(github, "GET", f"{REPO}/compare/main")[0] == 404
    held.private = True
    del github.state.tokens["github-token"].permissions["contents"]
    assert compared(github, "main", "main") == (403, "Resource not accessible by integration")
