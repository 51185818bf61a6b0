"""A description of GitHub's, and JSON held against it: for the answers of its API, and for its webhooks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = Path(__file__).parents[2] / ".cache/npm/node_modules"
URI = "urn:github"


@dataclass
class Description:
    """One OpenAPI file; `mend` corrects it before anything is held against it."""

    path: Path
    mend: Callable[[dict[str, Any]], None] = lambda _: None
    _validators: dict[str, Draft202012Validator] = field(default_factory=dict, repr=False)
    _found: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    @cached_property
    def root(self) -> dict[str, Any]:
        if not self.path.exists():
            raise RuntimeError("GitHub's description is not there: run `scripts/fetch-npm`")
        loaded: dict[str, Any] = json.loads(self.path.read_text())
        self.mend(loaded)
        return loaded

    @cached_property
    def registry(self) -> Registry[Any]:
        empty: Registry[Any] = Registry()
        filled: Registry[Any] = empty.with_resource(URI, DRAFT202012.create_resource(self.root))
        return filled

    def against(self, pointer: str, value: Any) -> Iterator[str]:
        """Validate, and refuse keys that the description does not know: it never says that there may be no others."""
        yield from self.validate(pointer, value)
        yield from self._strange({"$ref": URI + pointer}, value, "")

    def validate(self, pointer: str, value: Any) -> Iterator[str]:
        for error in self._validator(pointer).iter_errors(value):
            yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._at(schema["$ref"].removeprefix(URI))
        return schema

    def _validator(self, pointer: str) -> Draft202012Validator:
        if pointer not in self._validators:
            self._validators[pointer] = Draft202012Validator({"$ref": URI + pointer}, registry=self.registry)
        return self._validators[pointer]

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
        schema = self.resolved(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for inner in schema.get(word, ()):
                yield from self._variants(inner)

    def _at(self, pointer: str) -> dict[str, Any]:
        if pointer not in self._found:
            found: Any = self.root
            for part in pointer.removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")]
            self._found[pointer] = found
        return self._found[pointer]
