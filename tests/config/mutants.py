"""Configurations that were right until something was done to them: to their data, to their text, or to their bytes."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from mattermod_action.legacy import KNOWN, PLACES, RULES
from tests.config.test_legacy import EQUAL

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

NATIVE = (Path(__file__).parents[2] / "sandbox/scenarios/everything.yml").read_text()
DATA = YAML(typ="safe", pure=True).load(NATIVE)
# The original's file: what its keys have in the tests of each, and text in all others.
ORIGINAL = dict.fromkeys(sorted(KNOWN - RULES.keys() - PLACES.keys()), "")
for given, _ in EQUAL.values():
    ORIGINAL |= given
ROUNDS = 40  # by which a file is wrong: three in four are after the first
VALUES: list[Any] = [
    None, True, 0, 7, -1.5, 1e400, "", " ", "text", "y", "2020-01-01", "a\nb", "\x00", "\x07", "\u2028", "x" * 5_000,
    "x" * 70_000, [], [[]], [None], {}, {"": 1}, {"label": "a"}, {"x": {"y": [1]}}, [1, "a", {}], [7] * 50,
]  # fmt: skip
LINES = [
    "\tlabels: [a]", "<<: *a", "? [a, b]", ": x", "- x", "1: x", "null: x", "~: x", "2020-01-01: x", "1.5: x",
    "!!int x: y", "x: !!python/object/apply:os.system ['true']", "x: !!binary aGVsbG8=", "x: !!set {a}", "x: .nan",
    "x: 2020-01-01", "x: &a [*a]", "---", "...", "%YAML 9.9", "%YAML 1.9",
    "x: 'open", 'x: "\\q"', "x: [", "x: {a", "x: |",
    "x: *nowhere", "welcome: {}", "cla: {}", "update_branch: []", "&a x: *a", "wellcome: {message: a}",
    "commands: {levels: {x: king}}", "@x: y", "`x: y", "x: y: z", "\u00a0x: y", "\ufeffx: y", "x: 0x", "x: 1__0",
    "cherry_pick: {milestones: {'{x}': [a]}}", "cherry_pick: {milestones: {a: ['{major}', '..']}}",
    "x: 0o9", "x: 1e999999999", "x: " + "9" * 5_000, "x: " + "[" * 900,
    "\n".join(["a: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 5)}]" for n in range(1, 20))]),
]  # fmt: skip


def mutant(dice: random.Random, wrong: Callable[[str, str], bool]) -> tuple[str, bytes]:
    """Return a file's name and bytes: what is still right has more done to it, until it is `wrong`."""
    name, data = _start(dice)
    data = _data(dice, data)
    text = _written(name, data)
    for _ in range(ROUNDS):
        if wrong(text, name):
            return name, _bytes(dice, text)
        if dice.random() < 0.5:
            data = _data(dice, data)
            text = _written(name, data)
        else:
            text = _text(dice, text)
    raise AssertionError(f"still right: {text}")


def _start(dice: random.Random) -> tuple[str, Any]:
    """Return a file's name and what is in it: the native form as YAML or JSON, or the original's."""
    name, data = dice.choice([("c.yml", DATA), ("c.yml", DATA), ("c.json", DATA), ("c.json", ORIGINAL)])
    return name, copy.deepcopy(data)


def _data(dice: random.Random, data: Any) -> Any:
    """Do one thing to one place of the data."""
    path = dice.choice(_paths(data)) or (dice.choice(list(data)),)
    return _at(dice, copy.deepcopy(data), path)


def _at(dice: random.Random, data: Any, path: tuple[Any, ...]) -> Any:
    *way, last = path
    inner = data
    for part in way:
        inner = inner[part]
    match dice.choice(["drop", "rename", "value", "value", "value", "wrap", "key"]):
        case "drop":
            del inner[last]
        case "rename" if isinstance(inner, dict):
            inner[_renamed(dice, str(last))] = inner.pop(last)
        case "key" if isinstance(inner[last], dict):
            inner[last][dice.choice(["x", "labels", "Label", "\u2603", ""])] = dice.choice(VALUES)
        case "wrap":
            inner[last] = dice.choice([[inner[last]], {"x": inner[last]}, _deep(inner[last])])
        case _:
            inner[last] = dice.choice(VALUES)
    return data


def _deep(value: Any) -> Any:
    for _ in range(30):
        value = [value]
    return value


def _renamed(dice: random.Random, key: str) -> str:
    at = dice.randrange(len(key) + 1)
    return dice.choice(
        [key[:at] + key[at + 1 :], key.upper(), f"{key}s", f"{key[:at]} {key[at:]}", "", "a\nb", "\x1b[31m", "\x85"]
    )


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(each for key, value in inner for each in _paths(value, (*path, key)))]


def _text(dice: random.Random, text: str) -> str:
    """Do one thing to one line or one character of the text."""
    lines = text.split("\n")
    at, place = dice.randrange(len(lines)), dice.randrange(len(text) + 1)
    made: dict[str, Callable[[], str]] = {
        "insert": lambda: "\n".join([*lines[:at], dice.choice(LINES), *lines[at:]]),
        "twice": lambda: "\n".join([*lines[:at], lines[at], *lines[at:]]),
        "gone": lambda: "\n".join([*lines[:at], *lines[at + 1 :]]),
        "indent": lambda: "\n".join([*lines[:at], dice.choice([" ", "\t"]) + lines[at], *lines[at + 1 :]]),
        "cut": lambda: text[:place],
        "character": lambda: (
            text[:place] + dice.choice("\x00\t:{}[],&*!|>'\"%@`#-?\u2028\ud800\ufeff\x85") + text[place:]
        ),
        "long": lambda: text + "#" * 300_000,
    }
    return made[dice.choice([*made, "insert", "insert", "character"])]()


def _bytes(dice: random.Random, text: str) -> bytes:
    """Most are UTF-8; some are in another encoding, or hold a byte that is none."""
    raw = text.encode(errors="surrogatepass")
    place = dice.randrange(len(raw) + 1)
    match dice.randrange(20):
        case 0:
            return text.encode("utf-16", errors="replace")
        case 1:
            return raw[:place] + bytes([dice.randrange(128, 256)]) + raw[place:]
    return raw


def _written(name: str, data: Any) -> str:
    if name.endswith(".json"):
        return json.dumps(data, indent=2)
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(data, stream)
    return stream.getvalue()
