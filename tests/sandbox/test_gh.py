"""GitHub's command line (Debian's `gh`) against the sandbox, which is api.github.com for it, through a TLS proxy."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import tls
from tests.sandbox.openapi import checked
from tests.sandbox.test_octokit import REPO, scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox

    Gh = Callable[..., subprocess.CompletedProcess[str]]

LIST = "number,title,state,author,labels,headRefName,baseRefName,isDraft,isCrossRepository,mergeable,reviewDecision"
VIEW = "number,title,comments,reviews,files,commits,headRefOid,mergeStateStatus,additions,deletions,statusCheckRollup"


@pytest.fixture(scope="module")
def github() -> Iterator[Sandbox]:
    with checked(scenario()) as running:
        running.state.url = running.state.address = "https://api.github.com"  # what links in answers begin with
        yield running


@pytest.fixture(scope="module")
def gh(github: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gh]:
    home = tmp_path_factory.mktemp("gh")
    with tls.served(f"http://127.0.0.1:{_port(github)}", home) as proxy:

        def run(*words: str, by: str = "maintainer") -> subprocess.CompletedProcess[str]:
            env = {"PATH": os.environ["PATH"], "HOME": str(home), "GH_TOKEN": github.tokens[by], **proxy.environment}
            env |= {"GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1", "GH_CONFIG_DIR": str(home / "gh")}
            return subprocess.run(["gh", *words], env=env, capture_output=True, text=True, check=False, cwd=home)

        version = run("--version").stdout.split()[2]
        if not version.startswith("2.23."):
            pytest.skip(f"gh {version} asks for other fields than Debian's 2.23, for which the sandbox is made")
        yield run
        assert set(proxy.asked) == {"api.github.com:443"}  # nobody wanted to go anywhere else


def _port(github: Sandbox) -> int:
    return int(github.url.rpartition(":")[2])


def shown(ran: subprocess.CompletedProcess[str]) -> Any:
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_a_repository_and_what_is_not_there(gh: Gh) -> None:
    assert gh("api", f"repos/{REPO}", "--jq", ".full_name").stdout == f"{REPO}\n"
    assert gh("api", "repos/octo-org/old-name", "--jq", ".full_name").stdout == f"{REPO}\n"
    missing = gh("api", f"repos/{REPO}/issues/404")
    assert (missing.returncode, missing.stderr) == (1, "gh: Not Found (HTTP 404)\n")
    assert json.loads(missing.stdout)["status"] == "404"


def test_all_pages(gh: Gh) -> None:
    ran = gh("api", f"repos/{REPO}/issues/6/comments", "--paginate", "--jq", ".[].id")
    assert len(set(ran.stdout.split())) == 120


def test_a_comment_is_written_and_refused(gh: Gh, github: Sandbox) -> None:
    path = f"repos/{REPO}/issues/5/comments"
    assert gh("api", path, "-f", "body=By gh", "--jq", ".body").stdout == "By gh\n"
    assert [comment.body for comment in github.state.item(REPO, 5).comments] == ["By gh"]
    refused = gh("api", f"repos/{REPO}/labels", "-f", "name=BUG", "-f", "color=ff0000")
    assert (refused.returncode, refused.stderr) == (1, "gh: Validation Failed (HTTP 422)\n")
    denied = gh("api", f"repos/{REPO}/statuses/{'0' * 40}", "-f", "state=success", by="github-token")
    assert denied.stderr == "gh: Resource not accessible by integration (HTTP 403)\n"


def test_a_query_and_a_field_that_does_not_exist(gh: Gh) -> None:
    asked = 'query={ repository(owner: "octo-org", name: "hello") { issue(number: 5) { %s } } }'
    assert shown(gh("api", "graphql", "-f", asked % "title"))["data"]["repository"]["issue"] == {"title": "A question"}
    refused = gh("api", "graphql", "-f", asked % "colour")
    assert (refused.returncode, refused.stderr) == (1, "gh: Field 'colour' doesn't exist on type 'Issue'\n")


def test_pull_requests_are_listed(gh: Gh) -> None:
    table = gh("pr", "list", "-R", REPO)
    assert table.stdout.split("\t")[:4] == ["7", "From a fork", "newcomer:patch", "OPEN"]
    [pull] = shown(gh("pr", "list", "-R", REPO, "--json", LIST))
    assert pull == {
        "number": 7,
        "title": "From a fork",
        "state": "OPEN",
        "labels": [],
        "isDraft": False,
        "headRefName": "patch",
        "baseRefName": "main",
        "isCrossRepository": True,
        "mergeable": "UNKNOWN",
        "reviewDecision": "",
        "author": pull["author"],
    }
    assert pull["author"]["login"] == "newcomer"
    assert shown(gh("pr", "list", "-R", REPO, "--state", "merged", "--json", "number")) == []


def test_a_pull_request_is_viewed(gh: Gh, github: Sandbox) -> None:
    pull = shown(gh("pr", "view", "7", "-R", REPO, "--json", VIEW))
    held = github.state.pull(REPO, 7)
    assert (pull["headRefOid"], [each["oid"] for each in pull["commits"]]) == (held.head_sha, [held.head_sha])
    assert pull["files"] == [{"path": "change-7.txt", "additions": 1, "deletions": 0}]
    assert (pull["mergeStateStatus"], pull["additions"], pull["statusCheckRollup"]) == ("UNKNOWN", 1, [])


def test_issues_and_labels_are_listed(gh: Gh) -> None:
    table = gh("issue", "list", "-R", REPO)
    assert [line.split("\t")[0] for line in table.stdout.splitlines()] == ["6", "5"]
    listed = shown(gh("issue", "list", "-R", REPO, "--author", "reporter", "--json", "number,state,labels"))
    assert [(each["number"], [label["name"] for label in each["labels"]]) for each in listed] == [(6, []), (5, ["bug"])]
    assert [line.split("\t")[0] for line in gh("label", "list", "-R", REPO).stdout.splitlines()] == [
        "bug",
        "2: Dev Review",
    ]


def test_all_comments_of_an_issue(gh: Gh) -> None:
    found = shown(gh("issue", "view", "6", "-R", REPO, "--json", "comments,title"))
    assert [each["body"] for each in found["comments"]] == [f"No. {number}" for number in range(120)]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("pr", "view", "7"), "repository.pullRequest.projectCards"),
        (("issue", "view", "5"), "repository.issue.projectCards"),
        (("issue", "list", "--json", "number,projectCards", "--limit", "1"), "repository.issues.nodes.0.projectCards"),
    ],
)
def test_what_github_no_longer_tells_is_refused_as_by_github(gh: Gh, words: tuple[str, ...], place: str) -> None:
    """This gh asks for the cards of projects as they once were: https://github.com/cli/cli/issues/12476."""
    refused = gh(*words, "-R", REPO)
    notice = "see: https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/."
    assert refused.returncode == 1
    assert refused.stderr == (
        f"GraphQL: Projects (classic) is being deprecated in favor of the new Projects experience, {notice} ({place})\n"
    )
