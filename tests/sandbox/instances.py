"""Payloads made of a description alone: the least that it allows, and all that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.described import Description

DEEP = 12  # repositories have templates, which are repositories
FORMATS = {"date-time": "2026-10-05T12:00:00Z", "date": "2026-10-05", "email": "someone@example.org"}
ADDRESSES = ("uri", "uri-template", "url")


def instance(described: Description, pointer: str, *, whole: bool, known: dict[str, Any]) -> Any:
    """Make a value; `known` says by its key what a value has to be for a repository to be where it is."""
    return _value(described, {"$ref": f"urn:github{pointer}"}, whole, known, 0)


def _value(described: Description, schema: dict[str, Any], whole: bool, known: dict[str, Any], depth: int) -> Any:  # noqa: FBT001
    schema = described.resolved(schema)
    if "enum" in schema:
        return schema["enum"][0]
    for word in ("oneOf", "anyOf"):
        if word in schema and "properties" not in schema:
            return _value(described, _least(described, schema[word], whole=whole), whole, known, depth)
    kinds = schema.get("type", "object" if "properties" in schema or "allOf" in schema else "null")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "null" in kinds and (not whole or depth > DEEP):
        return None
    kind = next(each for each in [*kinds, "null"] if each != "null" or kinds == ["null"])
    if kind == "object":
        return _object(described, schema, whole, known, depth)
    if kind == "array":
        items = schema.get("items")
        return [_value(described, items, whole, known, depth + 1)] if items and whole and depth <= DEEP else []
    return {"integer": 7, "number": 7, "boolean": False, "null": None}.get(kind, _text(schema))


def _least(described: Description, choices: list[dict[str, Any]], *, whole: bool) -> dict[str, Any]:
    """Choose nothing where nothing may be, and of things the first."""
    resolved = [described.resolved(each) for each in choices]
    nothing = [each for each in resolved if each.get("type") == "null"]
    something = [each for each in resolved if each.get("type") != "null"]
    return (something or nothing)[0] if whole or not nothing else nothing[0]


def _object(described: Description, schema: dict[str, Any], whole: bool, known: dict[str, Any], depth: int) -> Any:  # noqa: FBT001
    made: dict[str, Any] = {}
    for inner in schema.get("allOf", ()):
        made = _both(described, inner, made, _value(described, inner, whole, known, depth) or {})
    wanted = schema.get("properties", {}) if whole and depth <= DEEP else schema.get("required", ())
    for name in wanted:
        inner = schema.get("properties", {}).get(name, {})
        value = _value(described, inner, whole, known, depth + 1)
        is_known = name in known and type(value) is type(known[name])
        made[name] = known[name] if is_known else _time(name) or value if isinstance(value, str) else value
    return made


def _both(described: Description, schema: dict[str, Any], first: dict[str, Any], second: Any) -> dict[str, Any]:
    """The first part knows the types, each further one what they are narrowed to."""
    inner = described.resolved(schema).get("properties", {})
    narrow = {name for name in second if "enum" in described.resolved(inner.get(name, {}))}
    return {**first, **{name: value for name, value in second.items() if name in narrow or first.get(name) is None}}


def _time(name: str) -> str:
    """Not each time has a format."""
    return FORMATS["date-time"] if name.endswith("_at") else ""


def _text(schema: dict[str, Any]) -> str:
    form = schema.get("format", "")
    return "https://example.org/" if form in ADDRESSES else FORMATS.get(form, "text")
