"""What the sandbox answers, and what is asked of it, held against GitHub's OpenAPI descriptions (@octokit/openapi).

The events that it makes are held against GitHub's description of its webhooks, too (`webhooks.py`).
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import sandbox
from sandbox.variants import GITHUB_COM, VARIANTS
from tests.sandbox import webhooks
from tests.sandbox.described import MODULES, Description

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox import Sandbox
    from sandbox.records import Request

# Answers that any operation may give, whatever its description lists.
ALWAYS = frozenset({301, 304, 307, 401, 403, 404, 410, 422, 429, 501})
NOT_REST = re.compile(r"/graphql|/_sandbox/.*|/[^/]+/[^/]+/(info/refs|git-(upload|receive)-pack)")


@contextmanager
def checked(scenario: Any = None, *, requests: bool = True, variant: str = GITHUB_COM) -> Iterator[Sandbox]:
    """Run a sandbox, and hold all that was said and sent (without `requests`: not asked) against the descriptions."""
    with sandbox.serve(scenario, variant=variant) as running:
        yield running
    events = webhooks.problems(running.state.sent, VARIANTS[variant].description)
    found = sorted({*problems(running.requests, variant), *events})
    found = [problem for problem in found if requests or ": request: " not in problem]
    assert not found, "\n".join(found)


def problems(requests: Iterable[Request], variant: str = GITHUB_COM) -> list[str]:
    """Say what is wrong with requests and with their answers; those that a fault struck are left out."""
    rest = (request for request in requests if not request.fault and not NOT_REST.fullmatch(request.path))
    about = description(VARIANTS[variant].description)
    return [f"{request.method} {request.path}: {problem}" for request in rest for problem in _of(about, request)]


def _of(about: Description, request: Request) -> Iterator[str]:
    found = operation("GET" if request.method == "HEAD" else request.method, request.path, about.path.stem)
    if found is None:
        if request.status not in ALWAYS:
            yield "GitHub has no such call"
        return
    path, method = found
    described, place = about.root["paths"][path][method], f"#/paths/{_pointer(path)}/{method}"
    if request.status < 400:  # a refused request may be wrong: that is what was tried
        yield from _query(about, request, described)
        yield from _body(about, request, described, place)
    yield from _answer(about, request, described, place)


@cache
def operation(method: str, path: str, name: str = "api.github.com") -> tuple[str, str] | None:
    """Find the operation of a call; of several templates that match the one with the most fixed parts counts."""
    path = re.sub(r"^/repositories/\d+", "/repos/o/r", path)
    verb = method.lower()
    found = [each for pattern, each, methods in templates(name) if verb in methods and pattern.fullmatch(path)]
    return (min(found, key=lambda each: (each.count("{"), -len(each))), verb) if found else None


@cache
def templates(name: str) -> list[tuple[re.Pattern[str], str, frozenset[str]]]:
    paths = description(name).root["paths"].items()
    return [(_pattern(template), template, frozenset(methods)) for template, methods in paths]


def _pattern(template: str) -> re.Pattern[str]:
    """`{path}`, `{ref}` and `{basehead}` span slashes, as GitHub's do; nothing else does."""
    parts = re.split(r"(\{\w+\})", template)
    wide = {"{path}": ".+", "{ref}": ".+", "{name}": ".+", "{basehead}": ".+"}
    return re.compile("".join(wide.get(part, "[^/]+") if part.startswith("{") else re.escape(part) for part in parts))


def _query(about: Description, request: Request, described: dict[str, Any]) -> Iterator[str]:
    parameters = [about.resolved(each) for each in described.get("parameters", ())]
    known = {each["name"] for each in parameters if each["in"] == "query"}
    for name, _ in parse_qsl(request.query):
        if name not in known:
            yield f"has no query parameter {name}"


def _body(about: Description, request: Request, described: dict[str, Any], place: str) -> Iterator[str]:
    content = described.get("requestBody", {}).get("content", {})
    if request.body and "application/json" in content:
        where = f"{place}/requestBody/content/application~1json/schema"
        yield from (f"request: {problem}" for problem in about.against(where, json.loads(request.body)))
    elif request.body and not content:
        yield "takes no body"


def _answer(about: Description, request: Request, described: dict[str, Any], place: str) -> Iterator[str]:
    key = next((each for each in described["responses"] if each == str(request.status)), None)
    if key is None:
        if request.status not in ALWAYS:
            yield f"does not answer {request.status}"
        return
    content = about.resolved(described["responses"][key]).get("content", {})
    if not request.kind.startswith("application/json") or "application/json" not in content:
        return
    reference = described["responses"][key].get("$ref")
    where = reference or f"{place}/responses/{key}"
    # GitHub repeats the status in the body of a refusal, of which the description of 422 does not know.
    body = json.loads(request.answer)
    refusal = isinstance(body, dict) and request.status >= 400
    shown = {name: body[name] for name in body if name != "status"} if refusal else body
    yield from about.against(f"{where}/content/application~1json/schema", shown)


def _pointer(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _mend(loaded: dict[str, Any]) -> None:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type of that name.

    A deleted account is null in a pull request that is read alone, as it is in a list of them:
    https://github.com/reviewninja/review.ninja/issues/813.
    """
    schemas = loaded["components"]["schemas"]
    schemas["pull-request"]["properties"]["user"] = schemas["pull-request-simple"]["properties"]["user"]
    label = loaded["components"]["schemas"]["pull-request-simple"]["properties"]["labels"]["items"]
    label["properties"]["description"]["nullable"] = True  # as `label`, which these are, has it
    _understand_nullable(loaded)


def _understand_nullable(node: Any) -> None:
    if isinstance(node, list):
        for each in node:
            _understand_nullable(each)
    elif isinstance(node, dict):
        for each in node.values():
            _understand_nullable(each)
        if node.get("nullable") is True:
            _allow_null(node)


def _allow_null(node: dict[str, Any]) -> None:
    if isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    if "enum" in node and None not in node["enum"]:
        node["enum"] = [*node["enum"], None]
    for word in ("anyOf", "oneOf"):
        if word in node:
            node[word] = [*node[word], {"type": "null"}]
    if "allOf" in node:
        node["anyOf"] = [{"type": "null"}, {"allOf": node.pop("allOf")}]


@cache
def description(name: str = "api.github.com") -> Description:
    """Return that of one kind of GitHub."""
    return Description(MODULES / f"@octokit/openapi/generated/{name}.json", _mend)
