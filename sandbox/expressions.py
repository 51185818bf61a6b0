"""GitHub's expressions, as far as the `if:` of the example workflows uses them.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions

Values of different types are compared as numbers, texts without regard to case. `&&` and `||` give one of their
operands. A missing property is null, and `.*` gives what each element of a list has. act is the real engine's stand-in
(tests/e2e/test_workflows.py).
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+)|([A-Za-z_][\w-]*)|(&&|\|\||==|!=|\.\*|[!().,\[\]]))")
LITERALS = {"null": None, "true": True, "false": False}


class Filtered(list[Any]):
    """The list that `.*` gives: a property of it is that of each element."""


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return its value. Raises ValueError for what is no expression, or uses more of the language."""
    parser = _Parser([*_tokens(expression)], context)
    value = parser.either()
    if parser.tokens:
        raise ValueError(f"what follows is not understood: {parser.tokens[:3]}")
    return value


def is_true(value: Any) -> bool:
    """Falsy are false, 0, -0, '' and null; lists and objects are not, even empty ones."""
    return isinstance(value, (list, dict)) or bool(value)


@cache  # an `if:` is asked about thousands of events
def _tokens(expression: str) -> tuple[str, ...]:
    found, at, text = [], 0, expression.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not understood: {text[at:][:20]}")
        found.append(match[0].strip())
        at = match.end()
    return tuple(found)


class _Parser:
    def __init__(self, tokens: list[str], context: Mapping[str, Any]) -> None:
        self.tokens, self._context = tokens, context

    def either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value if is_true(value) else other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            other = self._compared()
            value = other if is_true(value) else value
        return value

    def _compared(self) -> Any:
        value = self._denied()
        while self.tokens and self.tokens[0] in ("==", "!="):
            wanted = self.tokens.pop(0) == "=="
            value = _equal(value, self._denied()) is wanted
        return value

    def _denied(self) -> Any:
        return not is_true(self._denied()) if self._take("!") else self._value()

    def _value(self) -> Any:
        word = self.tokens.pop(0) if self.tokens else ""
        if word == "(":
            value = self.either()
            self._expect(")")
        elif word.startswith("'"):
            value = word[1:-1].replace("''", "'")
        elif word.isdecimal():
            value = int(word)
        elif word in LITERALS:
            value = LITERALS[word]
        elif self._take("("):
            value = self._called(word)
        else:
            value = self._context.get(word)
        return self._within(value)

    def _called(self, name: str) -> Any:
        given = [] if self.tokens[:1] == [")"] else [self.either()]
        while self._take(","):
            given.append(self.either())
        self._expect(")")
        if name not in FUNCTIONS:
            raise ValueError(f"no such function here: {name}")
        return FUNCTIONS[name](*given)

    def _within(self, value: Any) -> Any:
        while self.tokens and self.tokens[0] in (".", ".*", "["):
            word = self.tokens.pop(0)
            if word == ".*":
                value = Filtered(value.values() if isinstance(value, dict) else value or [])
            elif word == ".":
                value = _property(value, self.tokens.pop(0))
            else:
                value = _element(value, self.either())
                self._expect("]")
        return value

    def _take(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        self.tokens.pop(0)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"{token} is missing before {self.tokens[:3]}")


def _property(value: Any, name: str) -> Any:
    if isinstance(value, Filtered):
        return Filtered(each[name] for each in value if isinstance(each, dict) and name in each)
    return value.get(name) if isinstance(value, dict) else None


def _element(value: Any, index: Any) -> Any:
    if isinstance(value, list):
        return value[index] if isinstance(index, int) and 0 <= index < len(value) else None
    return _property(value, str(index))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if isinstance(one, (list, dict)) or isinstance(other, (list, dict)):
        return one is other
    if type(one) is type(other):
        return bool(one == other)
    return _number(one) == _number(other)


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_equal(each, what) for each in where)
    return _text(what).casefold() in _text(where).casefold()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startsWith": lambda text, start: _text(text).casefold().startswith(_text(start).casefold()),
    "format": lambda text, *given: re.sub(r"\{(\d+)\}", lambda found: _text(given[int(found[1])]), text),
    "fromJSON": json.loads,
}
