"""Whether what was read from outside is of the types that our records promise: checked where it comes in, once.

A record is a frozen dataclass. Of the types of its fields only plain ones count: what is in a list is checked for what
any store and any program takes, text that has a UTF-8 form and numbers of 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

LARGEST = 2**63 - 1
PLAIN: dict[str, type] = {
    "str": str, "int": int, "bool": bool, "datetime": datetime, "None": type(None), "tuple": tuple,
}  # fmt: skip
T = TypeVar("T")


def checked(value: T) -> T:
    """Return it as it is. Raises TypeError and ValueError."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError("a number has more than 64 bits")
    elif is_dataclass(value) and not isinstance(value, type):
        _record(value)
    elif isinstance(value, (tuple, list, set, frozenset)):
        for each in value:
            checked(each)
    elif isinstance(value, Mapping):
        for each in value.items():
            checked(each)
    return value


def _record(value: Any) -> None:
    for name, kinds in _promised(type(value)):  # type: ignore[arg-type]  # a class has a hash
        part = getattr(value, name)
        if kinds and not isinstance(part, kinds):
            raise TypeError(f"{type(value).__name__}.{name} is a {type(part).__name__}")
        checked(part)


@cache
def _promised(kind: Any) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """The fields, and for those that have plain types alone, which; in our modules an annotation is a text."""
    return tuple((each.name, _plain(str(each.type))) for each in fields(kind))


def _plain(annotation: str) -> tuple[type, ...]:
    names = [part.partition("[")[0].strip() for part in annotation.split(" | ")]
    return tuple(PLAIN[name] for name in names) if all(name in PLAIN for name in names) else ()
