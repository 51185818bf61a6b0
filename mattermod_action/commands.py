"""The grammar of slash commands: `/name argument…` at the start of a line, as a reader sees the comment.

What stands in code, quotes, headings, tables, links or HTML is no command: a CommonMark parser (pulldown-cmark,
in linear time) decides that, since people quote commands and paste logs. https://spec.commonmark.org/0.31.2/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action.events import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIAS = "mattermod"  # `/mattermod help` is `/help`
MOST = 20  # commands in one comment
LONGEST = 1_000  # characters of one command that are read
# What a line may be in and still be a command; anything else is a quotation of some kind.
BLOCKS = frozenset({"Paragraph", "List", "Item"})
PLAIN = BLOCKS | {"Emphasis", "Strong", "Strikethrough"}
LINE_ENDS = ("SoftBreak", "HardBreak")
_NAME = re.compile(r"/([a-z][a-z0-9-]{0,39})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Command:
    """`name` without its slash, `args` by white space; `by_alias` when it was written as `/mattermod name`."""

    name: str
    args: tuple[str, ...] = ()
    by_alias: bool = False


def parse(body: str) -> tuple[Command, ...]:
    """Return the commands of a comment, in their order, each once."""
    if not COMMAND_LINE.search(body):
        return ()
    found = (_command(line) for line in _lines(body))
    return tuple(dict.fromkeys(command for command in found if command))[:MOST]


def added(before: str, after: str) -> tuple[Command, ...]:
    """Return the commands that an edit put into a comment."""
    old = set(parse(before))
    return tuple(command for command in parse(after) if command not in old)


def _command(line: str) -> Command | None:
    match = _NAME.match(line)
    if not match:
        return None
    name, args = match[1], line[match.end() : LONGEST].split()
    if name != ALIAS:
        return Command(name, tuple(args))
    asked, *rest = args or ["help"]
    return Command(asked.lower(), tuple(rest), by_alias=True) if _NAME.fullmatch(f"/{asked.lower()}") else None


def _lines(body: str) -> Iterator[str]:
    """Yield what stands at the start of a line and begins with a slash, as text, up to the end of the line."""
    from pyromark import Options, events

    inside: list[str] = []
    line, starts, after = "", False, ""
    for event in events(body, options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH):
        kind, content = next(iter(event.items())) if isinstance(event, dict) else (event, None)
        if kind == "Start":
            inside.append(_name(content))
            # The first words of a list's item stand after its mark, not at the start of a line.
            starts = inside[-1] == "Paragraph" and after != "Item"
        elif kind == "End":
            inside.pop()
        if kind in LINE_ENDS or (kind in ("Start", "End") and _name(content) in BLOCKS):
            yield from _ended(line)
            line, starts = "", starts or kind in LINE_ENDS
        elif kind in ("Text", "Code"):
            if line or (starts and kind == "Text" and PLAIN.issuperset(inside)):
                line += str(content)
            starts = False
        after = inside[-1] if kind == "Start" else ""
    yield from _ended(line)


def _name(content: Any) -> str:
    """`Paragraph`, or of `{"Heading": …}` the key."""
    return next(iter(content)) if isinstance(content, dict) else str(content)


def _ended(line: str) -> Iterator[str]:
    if line.startswith("/"):
        yield line
