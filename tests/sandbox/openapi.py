"""What the sandbox answers, and what is asked of it, held against GitHub's OpenAPI descriptions (@octokit/openapi)."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

import sandbox
from sandbox.variants import GITHUB_COM, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox import Sandbox
    from sandbox.records import Request

FOLDER = Path(__file__).parents[2] / ".cache/npm/node_modules/@octokit/openapi/generated"
# Answers that any operation may give, whatever its description lists.
ALWAYS = frozenset({301, 304, 307, 401, 403, 404, 410, 422, 429, 501})
NOT_REST = re.compile(r"/graphql|/_sandbox/.*|/[^/]+/[^/]+/(info/refs|git-(upload|receive)-pack)")


@contextmanager
def checked(scenario: Any = None, *, requests: bool = True, variant: str = GITHUB_COM) -> Iterator[Sandbox]:
    """Run a sandbox, and hold all that was said (or, without `requests`, the answers) against its description."""
    with sandbox.serve(scenario, variant=variant) as running:
        yield running
    found = sorted(set(problems(running.requests, variant)))
    found = [problem for problem in found if requests or ": request: " not in problem]
    assert not found, "\n".join(found)


def problems(requests: Iterable[Request], variant: str = GITHUB_COM) -> list[str]:
    """Say what is wrong with requests and with their answers; those that a fault struck are left out."""
    rest = (request for request in requests if not request.fault and not NOT_REST.fullmatch(request.path))
    about = description(VARIANTS[variant].description)
    return [f"{request.method} {request.path}: {problem}" for request in rest for problem in about.problems(request)]


def operation(method: str, path: str) -> tuple[str, str] | None:
    return description(VARIANTS[GITHUB_COM].description).operation(method, path)


@cache
def description(name: str) -> Description:
    return Description(name)


class Description:
    """What one kind of GitHub says of its REST API."""

    def __init__(self, name: str) -> None:
        self.uri, self.whole = f"urn:{name}", _load(FOLDER / f"{name}.json")
        paths = self.whole["paths"].items()
        self.templates = [(_pattern(template), template, frozenset(methods)) for template, methods in paths]
        empty: Registry[Any] = Registry()
        self.registry: Registry[Any] = empty.with_resource(self.uri, DRAFT202012.create_resource(self.whole))
        self.operation, self.validator, self._at = cache(self._operation), cache(self._validator), cache(self._find)

    def problems(self, request: Request) -> Iterator[str]:
        found = self.operation("GET" if request.method == "HEAD" else request.method, request.path)
        if found is None:
            if request.status not in ALWAYS:
                yield "GitHub has no such call"
            return
        path, method = found
        described = self.whole["paths"][path][method]
        if request.status < 400:  # a refused request may be wrong: that is what was tried
            yield from self._query(request, described)
            yield from self._body(request, described, f"{self.uri}#/paths/{_pointer(path)}/{method}")
        yield from self._answer(request, described, f"{self.uri}#/paths/{_pointer(path)}/{method}")

    def _operation(self, method: str, path: str) -> tuple[str, str] | None:
        """Find the operation of a call; of several templates that match the one with the most fixed parts counts."""
        path = re.sub(r"^/repositories/\d+", "/repos/o/r", path)
        verb = method.lower()
        found = [template for pattern, template, verbs in self.templates if verb in verbs and pattern.fullmatch(path)]
        return (min(found, key=lambda each: (each.count("{"), -len(each))), verb) if found else None

    def _query(self, request: Request, described: dict[str, Any]) -> Iterator[str]:
        parameters = [self._resolved(each) for each in described.get("parameters", ())]
        known = {each["name"] for each in parameters if each["in"] == "query"}
        for name, _ in parse_qsl(request.query):
            if name not in known:
                yield f"has no query parameter {name}"

    def _body(self, request: Request, described: dict[str, Any], place: str) -> Iterator[str]:
        content = described.get("requestBody", {}).get("content", {})
        if request.body and "application/json" in content:
            where = f"{place}/requestBody/content/application~1json/schema"
            yield from (f"request: {problem}" for problem in self.against(where, json.loads(request.body)))
        elif request.body and not content:
            yield "takes no body"

    def _answer(self, request: Request, described: dict[str, Any], place: str) -> Iterator[str]:
        key = next((each for each in described["responses"] if each == str(request.status)), None)
        if key is None:
            if request.status not in ALWAYS:
                yield f"does not answer {request.status}"
            return
        content = self._resolved(described["responses"][key]).get("content", {})
        if not request.kind.startswith("application/json") or "application/json" not in content:
            return
        reference = described["responses"][key].get("$ref")
        where = f"{self.uri}{reference}" if reference else f"{place}/responses/{key}"
        # GitHub repeats the status in the body of a refusal, of which the description of 422 does not know.
        body = json.loads(request.answer)
        refusal = isinstance(body, dict) and request.status >= 400
        shown = {name: body[name] for name in body if name != "status"} if refusal else body
        yield from self.against(f"{where}/content/application~1json/schema", shown)

    def against(self, where: str, value: Any) -> Iterator[str]:
        """Validate, and refuse keys that the description does not know: it never says that there may be no others."""
        for error in self.validator(where).iter_errors(value):
            yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        yield from self._strange({"$ref": where}, value, "")

    def _validator(self, where: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": where}, registry=self.registry)

    def _strange(self, schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
        if isinstance(value, list):
            for inner in self._variants(schema):
                if "items" in inner and value:
                    yield from self._strange(inner["items"], value[0], f"{path}[]")
                    return
        if not isinstance(value, dict):
            return
        known: dict[str, list[dict[str, Any]]] = {}
        for inner in self._variants(schema):
            if inner.get("additionalProperties"):
                return
            for name, each in inner.get("properties", {}).items():
                known.setdefault(name, []).append(each)
        if known:
            yield from (f"{path}.{name}: GitHub has no such key" for name in value.keys() - known.keys())
            for name in value.keys() & known.keys():
                yield from self._strange({"anyOf": known[name]}, value[name], f"{path}.{name}")

    def _variants(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        schema = self._resolved(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for inner in schema.get(word, ()):
                yield from self._variants(inner)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._at(schema["$ref"].removeprefix(self.uri))
        return schema

    def _find(self, pointer: str) -> dict[str, Any]:
        found: Any = self.whole
        for part in pointer.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")]
        return dict(found)


def _load(file: Path) -> dict[str, Any]:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type of that name."""
    if not file.exists():
        raise RuntimeError("GitHub's description is not there: run `scripts/fetch-npm`")
    loaded: dict[str, Any] = json.loads(file.read_text())
    label = loaded["components"]["schemas"]["pull-request-simple"]["properties"]["labels"]["items"]
    label["properties"]["description"]["nullable"] = True  # as `label`, which these are, has it
    _understand_nullable(loaded)
    return loaded


def _pattern(template: str) -> re.Pattern[str]:
    """`{path}`, `{ref}` and `{basehead}` span slashes, as GitHub's do; nothing else does."""
    parts = re.split(r"(\{\w+\})", template)
    wide = {"{path}": ".+", "{ref}": ".+", "{name}": ".+", "{basehead}": ".+"}
    return re.compile("".join(wide.get(part, "[^/]+") if part.startswith("{") else re.escape(part) for part in parts))


def _pointer(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


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
