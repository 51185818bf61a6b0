"""Read a YAML or JSON file into plain data, knowing the line of every key and collecting all mistakes.

YAML is 1.2 as ruamel.yaml resolves it; the tree it composes is walked here, because its own constructors stop at
the first duplicate key and forget the lines.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Path = tuple[str | int, ...]

LARGEST = 262_144  # characters
DEEPEST = 20  # levels; no section is half as deep
DIGITS = 300
MOST = 20_000  # nodes, each use of an alias counted, so that aliases of aliases cannot explode
TEXT = "tag:yaml.org,2002:str"


class Unreadable(Exception):
    """The file stops making sense at `line`."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Source:
    """`data` as read, `lines` from a key's path to its line, `mistakes` as (line, path, message)."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[tuple[int, Path, str]] = field(default_factory=list)
    is_json: bool = False

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str, *, must_be_json: bool = False) -> Source:
    """Raise Unreadable when there is no data to go on with. What is not JSON may still be YAML unless it must be."""
    if len(text) > LARGEST:
        raise Unreadable(1, f"is larger than {LARGEST} characters")
    if not text.strip():
        raise Unreadable(1, "is empty: give at least one section, such as `label_messages:`")
    is_json = must_be_json or text.lstrip().startswith("{")
    try:
        data = _json(text) if is_json else None
    except Unreadable:
        if must_be_json:
            raise
        is_json = False
    source = Source(is_json=is_json)
    if is_json:
        text = text.replace("\t", " ")  # in valid JSON a tab is white space, which YAML does not take everywhere
    _Walk(source).visit(_compose(text), ())
    if is_json:
        source.data = data
    return source


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_int)
    except json.JSONDecodeError as error:
        raise Unreadable(error.lineno, f"is not JSON: {error.msg}") from error
    except ValueError as error:
        raise Unreadable(1, f"is not JSON: {_plain(str(error))}") from error
    except RecursionError as error:
        raise Unreadable(1, f"is nested more than {DEEPEST} levels deep") from error


def _compose(text: str) -> Node | None:
    try:
        return YAML(typ="rt", pure=True).compose(text)  # type: ignore[no-any-return]  # the library has no types here
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(
            mark.line + 1 if mark else 1, f"is not YAML: {_plain(error.problem or error.context)}"
        ) from error
    except RecursionError as error:
        raise Unreadable(1, f"is nested more than {DEEPEST} levels deep") from error
    except Exception as error:  # the library stumbles over some texts, such as `%YAML 1.9`
        known = isinstance(error, (YAMLError, ValueError))
        raise Unreadable(1, f"is not YAML: {_plain(str(error) if known else None)}") from error


def _plain(problem: str | None) -> str:
    return " ".join((problem or "it cannot be parsed").split())[:200]


def suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f', did you mean "{close[0]}"?' if close else ""


class _Walk:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._count = 0

    def visit(self, node: Node | None, path: Path) -> None:
        self._source.data = None if node is None else self._value(node, path)

    def _value(self, node: Node, path: Path) -> Any:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > MOST:
            raise Unreadable(line, f"has more than {MOST} values; aliases count each time they are used")
        if len(path) > DEEPEST:
            raise Unreadable(line, f"is nested more than {DEEPEST} levels deep")
        self._source.lines.setdefault(path, line)
        match node:
            case MappingNode():
                return self._mapping(node, path)
            case SequenceNode():
                return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
            case _:
                return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or key.tag != TEXT:
                shown = key.value[:40] if isinstance(key, ScalarNode) else "a list or mapping"
                self._source.mistakes.append((line, path, f"a key must be text, found {shown!r}"))
                continue
            here = (*path, key.value)
            if key.value in found:
                first = self._source.lines[here]
                self._source.mistakes.append((line, here, f"is given twice, first in line {first}"))
                continue
            self._source.lines[here] = line
            found[key.value] = self._value(value, here)
        return found

    def _scalar(self, node: Node, path: Path) -> Any:
        tag = node.tag or ""
        kind = tag.rpartition(":")[2] if tag.startswith("tag:yaml.org,2002:") else ""
        try:
            return SCALARS[kind](node.value)
        except (KeyError, ValueError):
            line = node.start_mark.line + 1
            shown = f"{node.value[:40]!r} is a {kind}" if kind else f"the tag {tag[:40]!r} is"
            self._source.mistakes.append((line, path, f"{shown} not understood here; put text in quotes"))
            return ""


def _int(text: str, base: int = 10) -> int:
    """Of a number with more digits nothing can even be said: Python does not write it."""
    if len(text) > DIGITS:
        raise ValueError(f"a number has more than {DIGITS} digits")
    return int(text, base)


SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.casefold() == "true",
    "int": lambda text: _int(text.replace("_", ""), 0),
    "float": float,
}
