"""The grammar of slash commands: `/name argument…` at the start of a line, as a reader sees the comment.

A name may be in any case and have a mark of punctuation behind it. What nobody sees in a text counts for nothing.

What stands in code, quotes, headings, tables, links or HTML is no command: a CommonMark parser (pulldown-cmark,
in linear time) decides that, since people quote commands and paste logs. https://spec.commonmark.org/0.31.2/
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mattermod_action.events import BLANKS, COMMAND_LINE, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALIAS = "mattermod"  # `/mattermod help` is `/help`
SPELLINGS = {"cherrypick": "cherry-pick"}  # other names that always count; a configuration may have more
MOST = 20  # commands in one comment
LONGEST = 1_000  # characters of one command that are read
# What a line may be in and still be a command; anything else is a quotation of some kind.
BLOCKS = frozenset({"Paragraph", "List", "Item"})
PLAIN = BLOCKS | {"Emphasis", "Strong", "Strikethrough"}
LINE_ENDS = ("SoftBreak", "HardBreak")
# Elements of raw HTML in which a command is shown, not given.
QUOTING = frozenset(
    """
    a blockquote code h1 h2 h3 h4 h5 h6 kbd pre q samp script style summary table textarea title tt
    """.split()
)
TABLE = frozenset(" \t|:-")  # the characters of the line between a table's head and its rows
ENDLESS = "<"  # a comment or tag without an end
_TAGS = re.compile(
    r"""<!--(?:-?>|.*?--!?>)
    | <[!?](?!--)[^>]*+>
    | <(?P<closes>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?:[^"'>]|"[^"]*"|'[^']*')*+>
    | (?P<endless><(?:[!?]|/?[a-zA-Z]))""",
    re.DOTALL | re.VERBOSE,
)
_TITLE = re.compile("[\"'(](?<!]\\()")
_SPELT = re.compile(r"^([ \t]*)(?:\\/|&(?:#0*47|#[xX]0*2[fF]|sol);)", re.MULTILINE)
_NAME = re.compile(r"/([a-z][a-z0-9_-]{0,39})[.,:;!?]{0,3}(?=\s|$)", re.IGNORECASE)
_UNSEEN, _BLANK = re.compile(f"[{UNSEEN}]+"), re.compile(f"[{BLANKS}]")


@dataclass(frozen=True, slots=True)
class Command:
    """`name` without its slash, `args` by white space; `by_alias` when it was written as `/mattermod name`."""

    name: str
    args: tuple[str, ...] = ()
    by_alias: bool = False


def parse(body: str, aliases: Mapping[str, str] | None = None) -> tuple[Command, ...]:
    """Return the commands of a comment, in their order, each once; `aliases` are names that stand for others."""
    if not COMMAND_LINE.search(body):
        return ()
    found = (_command(line) for line in dict.fromkeys(_lines(body)))
    meant = (renamed(command, aliases or {}) for command in found if command)
    return tuple(dict.fromkeys(meant))[:MOST]


def renamed(command: Command, aliases: Mapping[str, str]) -> Command:
    return replace(command, name=aliases.get(command.name, command.name))


def added(before: str, after: str) -> tuple[Command, ...]:
    """Return the commands that an edit put into a comment."""
    old = set(parse(before))
    return tuple(command for command in parse(after) if command not in old)


def _command(line: str) -> Command | None:
    match = _NAME.match(line)
    if not match:
        return None
    name, args = _spelt(match), line[match.end() : LONGEST].split()
    if name != ALIAS:
        return Command(name, tuple(args))
    asked, *rest = args or ["help"]
    match = _NAME.fullmatch(f"/{asked.removeprefix('/')}")
    return Command(_spelt(match), tuple(rest), by_alias=True) if match else None


def _spelt(match: re.Match[str]) -> str:
    name = match[1].lower()
    return SPELLINGS.get(name, name)


def _lines(body: str) -> list[str]:
    """Return what stands at the start of a line and begins with a slash, as text, up to the end of the line.

    It is one loop, since 64 KiB may be 65,000 events, and a call for each would take as long again.
    """
    from pyromark import Options, events

    stream: Iterable[Any] = events(_plainly(body), options=Options.ENABLE_STRIKETHROUGH)
    pieces: list[str] = []  # of a block of text; `slashes` are those that begin a line and begin with one
    slashes: list[int] = []
    found: list[str] = []
    html, quotations = _Html(), 0
    starts = marked = False  # whether a line starts here, or words that stand after the mark of a list's item
    for event in stream:
        if isinstance(event, str):
            starts = event in LINE_ENDS
            pieces.append("\n")
            continue
        [(kind, content)] = event.items()
        if kind in ("Text", "Code"):
            if starts and kind == "Text" and content[0] == "/" and not quotations and not html.quotes:
                slashes.append(len(pieces))
            pieces.append(content)
        elif kind in ("Start", "End"):
            name = content if isinstance(content, str) else next(iter(content))
            if name in BLOCKS:
                found += _commanding(pieces, slashes) if slashes else ()
                pieces, slashes = [], []
                starts = kind == "Start" and name == "Paragraph" and not marked
                marked = kind == "Start" and name == "Item"
                continue
            if name not in PLAIN:
                quotations += 1 if kind == "Start" else -1
                if html.block:
                    html.ends_block()
        elif kind in ("Html", "InlineHtml"):
            html.reads(content, part_of_block=kind == "Html")
        starts = marked = False
    return found + _commanding(pieces, slashes)


def _plainly(body: str) -> str:
    """Leave out what nobody sees. Where a slash that is escaped, or spelt as `&#47;`, begins a line, put another."""
    seen = body if body.isascii() else _BLANK.sub(" ", _UNSEEN.sub("", body))
    lines = seen.replace("\r\n", "\n").replace("\r", "\n")
    return _SPELT.sub("\\1\u2215", lines).encode(errors="replace").decode()  # half of a surrogate pair is no character


def _commanding(pieces: list[str], slashes: list[int]) -> list[str]:
    """Leave out the rows of a table, and the title of a link if it has several lines: pulldown-cmark misses such."""
    if len(slashes) == 1 and "\n" not in pieces:
        return ["".join(pieces[slashes[0] :])]
    block = "".join(pieces)
    begin = list(accumulate(map(len, pieces), initial=0))
    end = min(_title(block), _head(block))
    return [block[begin[at] : _end(block, begin[at])] for at in slashes if begin[at] < end]


def _end(block: str, start: int) -> int:
    end = block.find("\n", start)
    return end if end >= 0 else len(block)


def _head(block: str) -> int:
    """Where a table's head begins, which has `--- | ---` below it; the block's end when there is none."""
    if "|" not in block:
        return len(block)
    lines = block.split("\n")
    below = (at for at, line in enumerate(lines) if "|" in line and "-" in line and TABLE.issuperset(line))
    first = next(below, len(lines) + 1)
    return sum(len(line) + 1 for line in lines[: first - 1]) if first else 0


def _title(block: str) -> int:
    """Where in a block the first title of what may be a link begins; its end when there is none."""
    title = _TITLE.search(block, max(block.find("]("), 0)) if "](" in block else None
    return title.start() if title else len(block)


class _Html:
    """Which elements of raw HTML are open that quote what is in them. What never ends stays open."""

    def __init__(self) -> None:
        self.quotes = False
        self._open: Counter[str] = Counter()
        self.block: list[str] = []

    def reads(self, raw: str, *, part_of_block: bool) -> None:
        if part_of_block:
            self.block.append(raw)
        else:
            self._reads(raw)

    def ends_block(self) -> None:
        self._reads("".join(self.block))
        self.block = []

    def _reads(self, raw: str) -> None:
        for found in _TAGS.finditer(raw):
            tag = (found["tag"] or "").lower()
            if found["endless"]:
                self._open[ENDLESS] += 1
                break
            if tag in QUOTING and found["closes"]:
                self._open[tag] = max(self._open[tag] - 1, 0)
            elif tag in QUOTING and (tag != "a" or "href" in found[0].lower()):
                self._open[tag] += 1
        self.quotes = any(self._open.values())
