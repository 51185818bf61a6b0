"""The judge of the judge: each kind of mistake in an answer or a request is found."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.rest import ALL, FIRST, OF_REPOSITORY
from tests.sandbox.openapi import description, operation, problems
from tests.sandbox.test_sandbox import call, comments_path

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Request


@pytest.fixture
def made(github: Sandbox) -> Request:
    """A comment that was made, with nothing wrong."""
    call(github, "POST", comments_path(github), {"body": "Hello"})
    [request] = github.requests
    assert problems([request]) == []
    return request


def changed(request: Request, **body: Any) -> Request:
    data = {**json.loads(request.answer), **body}
    return replace(request, answer=json.dumps({name: value for name, value in data.items() if value != ...}).encode())


def test_a_missing_key_is_found(made: Request) -> None:
    assert "'html_url' is a required property" in "\n".join(problems([changed(made, html_url=...)]))


def test_an_extra_key_is_found(made: Request) -> None:
    assert problems([changed(made, colour="red")]) == [f"POST {made.path}: .colour: GitHub has no such key"]


def test_an_extra_key_far_inside_is_found(made: Request) -> None:
    user = {**json.loads(made.answer)["user"], "shoe_size": 43}
    assert problems([changed(made, user=user)]) == [f"POST {made.path}: .user.shoe_size: GitHub has no such key"]


def test_a_wrong_type_is_found(made: Request) -> None:
    assert "'seven' is not of type 'integer'" in "\n".join(problems([changed(made, id="seven")]))


def test_an_answer_that_the_call_never_gives_is_found(made: Request) -> None:
    assert problems([replace(made, status=204)]) == [f"POST {made.path}: does not answer 204"]


def test_a_parameter_that_does_not_exist_is_found(made: Request) -> None:
    assert problems([replace(made, query="per_pag=100")]) == [f"POST {made.path}: has no query parameter per_pag"]


def test_a_request_that_is_wrong_is_found(made: Request) -> None:
    assert "request: body: 1 is not of type 'string'" in "\n".join(problems([replace(made, body='{"body": 1}')]))


def test_a_call_that_does_not_exist_is_found(made: Request) -> None:
    assert problems([replace(made, path="/repos/o/r/wishes")]) == ["POST /repos/o/r/wishes: GitHub has no such call"]


def test_no_test_starts_a_github_whose_answers_are_not_checked() -> None:
    """`openapi.checked` is the way; `serve_all` is for pages, which GitHub does not describe."""
    files = Path(__file__).parents[1].rglob("*.py")
    starting = {path.name for path in files if re.search(r"with sandbox\.serve\(", path.read_text())}
    assert starting == {"openapi.py"}


def test_what_github_does_not_have_is_known() -> None:
    """What it has and the sandbox does not imitate is answered 501, everything else 404."""
    paths = [path.strip("/").split("/") for path in description().root["paths"]]
    assert {first for first, *_ in paths} == FIRST
    assert {path[3] for path in paths if path[0] == "repos" and len(path) > 3} == OF_REPOSITORY


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _, _ in ALL])
def test_each_call_that_is_imitated_is_one_of_githubs(method: str, path: str) -> None:
    filled = path.replace("{number:int}", "7").replace("{id:int}", "7").replace(":path}", "}")
    assert operation(method, filled.replace("{", "").replace("}", "")) is not None
