"""Every regular expression of the package takes a time that is linear in what anybody may have written.

The table is what stands in the package: an expression that is added is tried, too. What it is tried on is made of its
own parts: beginnings that nearly match, repeated.
"""

from __future__ import annotations

import ast
import gc
import importlib
import pkgutil
import re
import time
from itertools import product, takewhile
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # what an expression is made of; nothing public shows it
from typing import TYPE_CHECKING, Any

import pytest

import mattermod_action

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 65_536  # characters: a comment, and more than any title, name or line has
LIMIT = 0.2  # seconds
SHORTER = {"globs._TOKEN": 4_096, "adapters.database_url._DSN": 4_096}  # of what is longer nothing is read
METHODS = ("search", "match", "fullmatch", "findall", "finditer", "sub", "split")


def expressions() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Each expression that a module keeps, by its name there, with the methods that it is used by."""
    for info in pkgutil.walk_packages(mattermod_action.__path__, "mattermod_action."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        source = Path(str(module.__file__)).read_text()
        for place, pattern, method in _in_place(source):
            yield f"{info.name.removeprefix('mattermod_action.')}.{place}.0.{method}", pattern, method
        for name, value in vars(module).items():
            for nth, each in enumerate(_within(value)):
                used = re.findall(rf"\b{name}\.({'|'.join(METHODS)})\(", source) or ["search"]
                for method in sorted(set(used)):
                    yield f"{info.name.removeprefix('mattermod_action.')}.{name}.{nth}.{method}", each, method


def _in_place(source: str) -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Those that stand where they are used, by their lines."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[ast.Constant(value=pattern), *_]
            ) if method in METHODS:
                yield f"line {node.lineno}", re.compile(pattern), method


def _within(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _within(each)
    elif isinstance(value, dict):
        yield from _within(tuple(value.values()))


def parts(tree: Any) -> list[str]:
    """A text for each part of an expression, which matches it or nearly does."""
    return [text for op, of in tree for text in _part(str(op), of)]


def _part(op: str, of: Any) -> list[str]:  # noqa: PLR0911  # a table
    match op:
        case "LITERAL":
            return [chr(of)]
        case "NOT_LITERAL":
            return ["a" if of != ord("a") else "b"]
        case "IN":
            return [_one(of)]
        case "ANY":
            return ["a"]
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, _, inner = of
            return ["".join(parts(inner)) * max(1, min(low, 64))]
        case "SUBPATTERN":
            return ["".join(parts(of[3]))]
        case "ATOMIC_GROUP":
            return ["".join(parts(of))]
        case "BRANCH":
            return ["".join(parts(of[1][0]))]
        case _:
            return []


def _one(members: Any) -> str:
    """A character of a class."""
    for op, of in members:
        if str(op) == "LITERAL":
            return chr(of)
        if str(op) == "RANGE":
            return chr(of[0])
        if str(op) == "CATEGORY":
            return {"DIGIT": "1", "SPACE": " "}.get(str(of).rpartition("_")[2], "a")
    return "a"


def trials(expression: re.Pattern[Any], size: int, *, pairs: bool) -> Iterator[str]:
    """Beginnings of what it matches, again and again; the characters that it speaks of, and pairs of them."""
    text = expression.pattern if isinstance(expression.pattern, str) else expression.pattern.decode("latin-1")
    found = parts(_parser.parse(text, expression.flags & ~re.UNICODE if isinstance(expression.pattern, bytes) else 0))
    whole = "".join(found)
    beginnings = {whole[:length] for length in range(1, min(len(whole), 24) + 1)}
    characters = sorted({*"".join(found)[:40], *"a 1\n/<`-."})[:24]
    units = beginnings | {*characters} | ({"".join(each) for each in product(characters, repeat=2)} if pairs else set())
    if expression.flags & re.MULTILINE:
        units |= {f"{each}\n" for each in units}
    for unit in sorted(units):
        yield unit * (size // len(unit))
        yield whole + unit * (size // len(unit)) + "\0"


TABLE = {name: (each, method) for name, each, method in expressions()}


SLOW = [
    re.compile(rb"^<{7} .*?^>{7} [^\n]*$", re.MULTILINE | re.DOTALL),  # conflicts, once
    re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+)"),
    re.compile(r"\s+$"),
]


@pytest.mark.parametrize("expression", SLOW, ids=range(3))
def test_what_is_not_linear_is_found(expression: re.Pattern[Any]) -> None:
    """With texts of a quarter, which take seconds, or 16 times as long as they should."""
    longest = 0.0
    for trial in trials(expression, SIZE // 4, pairs=False):
        text: Any = trial if isinstance(expression.pattern, str) else trial.encode("latin-1", "replace")
        began = time.thread_time()
        expression.findall(text)
        longest = max(longest, time.thread_time() - began)
        if longest > LIMIT / 8:
            return
    raise AssertionError(longest)


@pytest.mark.parametrize("name", TABLE)
def test_t08_expressions_are_linear(name: str) -> None:
    assert_linear(name, pairs=False)


@pytest.mark.soak
@pytest.mark.parametrize("name", TABLE)
def test_t08_expressions_are_linear_in_pairs(name: str) -> None:
    assert_linear(name, pairs=True)


def assert_linear(name: str, *, pairs: bool) -> None:
    expression, method = TABLE[name]
    for trial in trials(expression, SHORTER.get(name.rsplit(".", 2)[0], SIZE), pairs=pairs):
        text: Any = trial if isinstance(expression.pattern, str) else trial.encode("latin-1", "replace")
        gc.disable()  # collecting what other tests have left takes longer
        began = time.thread_time()
        found = getattr(expression, method)(*([text[:0]] if method == "sub" else []), text)
        if method == "finditer":  # of tags nothing after one without an end is looked for
            list(takewhile(lambda each: not each.groupdict().get("endless"), found))
        took = time.thread_time() - began
        gc.enable()
        assert took < LIMIT, (expression.pattern, text[:60])
