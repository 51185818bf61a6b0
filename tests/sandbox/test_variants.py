"""The kinds of GitHub: where each answers and where it does not, what it limits, and what it does not know."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox import payloads
from sandbox.variants import VARIANTS
from tests.sandbox.openapi import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

SERVERS = [name for name in VARIANTS if name.startswith("ghes-")]
HIDE = 'mutation { minimizeComment(input: {subjectId: "IC_none", classifier: SPAM}) { clientMutationId } }'
LIMITS = "{ rateLimit { cost remaining } viewer { login } }"


@contextmanager
def running(variant: str) -> Iterator[Sandbox]:
    with checked(variant=variant) as github:
        yield github


def ask(github: Sandbox, url: str, body: Any = None, method: str = "") -> tuple[int, Any, http.client.HTTPMessage]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    text = json.dumps(body) if body is not None else None
    headers = {"Authorization": f"Bearer {github.token}"}
    connection.request(method or ("POST" if text else "GET"), parts.path + f"?{parts.query}", text, headers)
    answer = connection.getresponse()
    found = answer.read()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(found) if is_json else found, answer.headers


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_answers_where_a_runner_says_and_nowhere_else(variant: str) -> None:
    """https://docs.github.com/en/enterprise-server@3.17/rest/using-the-rest-api/getting-started-with-the-rest-api."""
    with running(variant) as github:
        named, host = github.variables, github.state.address
        repository = f"repos/{github.repository}"
        assert ask(github, f"{named['GITHUB_API_URL']}/{repository}")[0] == 200
        assert ask(github, named["GITHUB_GRAPHQL_URL"], {"query": LIMITS})[0] == 200
        refs = f"{named['GITHUB_SERVER_URL']}/{github.repository}/info/refs?service=git-upload-pack"
        assert ask(github, refs)[0] == 200
        if variant in SERVERS:
            assert [ask(github, f"{host}/{each}")[0] for each in (repository, "graphql", "api/v3/graphql")] == [404] * 3
        if variant == "ghe.com":
            assert ask(github, f"{named['GITHUB_SERVER_URL']}/{repository}")[0] == 404
            assert ask(github, refs.replace("localhost", "127.0.0.1"))[0] == 404


@pytest.mark.parametrize("variant", VARIANTS)
def test_addresses_in_answers_and_events_are_its_own(variant: str) -> None:
    """Those of pages are the server's, all others the API's."""
    with running(variant) as github:
        event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
        path = f"{github.url}/repos/{github.repository}/issues/{github.pull}"
        for shown in (event["pull_request"], ask(github, path)[1]):
            assert shown["html_url"].startswith(f"{github.server_url}/{github.repository}/")
            assert shown["url"].startswith(f"{github.url}/repos/")
        github.state.rename(github.repository, "octo-org/new")
        status, _, headers = ask(github, path)
        assert (status, headers["Location"].startswith(f"{github.url}/repositories/")) == (301, True)
        assert ask(github, headers["Location"])[0] == 200


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_limited(variant: str) -> None:
    """Nothing on a server: no header, no figures, and more requests than any allowance has."""
    with running(variant) as github:
        github.state.tokens["github-token"].limit = 3
        path, named = f"{github.url}/repos/{github.repository}", github.variables
        status, answer, headers = ask(github, f"{github.url}/rate_limit")
        rate = ask(github, named["GITHUB_GRAPHQL_URL"], {"query": LIMITS})[1]["data"]["rateLimit"]
        many = {ask(github, path)[0] for _ in range(5)}
        if variant in SERVERS:
            assert (status, answer["message"], rate, many) == (404, "Rate limiting is not enabled.", None, {200})
            assert headers["X-RateLimit-Limit"] is None
            assert headers["X-GitHub-Enterprise-Version"] == f"{variant.removeprefix('ghes-')}.0"
        else:
            assert (status, headers["X-RateLimit-Limit"], rate["remaining"], many) == (200, "3", 2, {200, 403})
            assert headers["X-GitHub-Enterprise-Version"] is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_an_older_schema_lacks_is_refused(variant: str) -> None:
    with running(variant) as github:
        [error] = ask(github, github.variables["GITHUB_GRAPHQL_URL"], {"query": HIDE})[1]["errors"]
        assert ("SPAM" in error["message"]) is (variant in SERVERS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_parameter_that_it_does_not_know_is_refused(variant: str) -> None:
    with running(variant) as github:
        github.state.tokens["github-token"].permissions |= {"actions": "write"}
        github.state.write_files(github.repository, {".github/workflows/b.yml": "on: workflow_dispatch\n"})
        url = f"{github.url}/repos/{github.repository}/actions/workflows/b.yml/dispatches"
        status, answer, _ = ask(github, url, {"ref": "main", "return_run_details": True})
        assert (status == 422 and "return_run_details" in answer["message"]) is (variant in SERVERS)
