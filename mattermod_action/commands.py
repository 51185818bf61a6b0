"""The grammar of slash commands: `/name argument…` at the start of a line, as a reader sees the comment.

What stands in code, quotes, headings, tables, links or HTML is no command: a CommonMark parser (pulldown-cmark,
in linear time) decides that, since people quote commands and paste logs. https://spec.commonmark.org/0.31.2/
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mattermod_action.events import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIAS = "mattermod"  # `/mattermod help` is `/help`
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
    found = (_command(line) for line in dict.fromkeys(_lines(body)))
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


def _lines(body: str) -> list[str]:
    """Return what stands at the start of a line and begins with a slash, as text, up to the end of the line."""
    from pyromark import Options, events

    page = _Page()
    options = Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH
    stream: Iterable[Any] = events(_plainly(body), options=options)
    for event in stream:
        if isinstance(event, str):
            page.reads_other(event, "")
            continue
        [(kind, content)] = event.items()
        if kind == "Text":
            page.reads(content)
        elif kind in ("Start", "End"):
            name = content if isinstance(content, str) else next(iter(content))
            (page.opens if kind == "Start" else page.closes)(name)
        else:
            page.reads_other(kind, content)
    page.ends_block()
    return page.found


def _plainly(body: str) -> str:
    """Where a slash that is escaped, or spelt as `&#47;`, begins a line, put one that is no slash."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    return _SPELT.sub("\\1\u2215", lines).encode(errors="replace").decode()  # half of a surrogate pair is no character


class _Page:
    """What has been read of a block of text, a piece for each event, and what is open around it.

    `found` are the lines that are commands, of the blocks that have ended.
    """

    __slots__ = ("_after_mark", "_commands", "_fresh", "_html", "_line", "_pieces", "_quotations", "found")

    def __init__(self) -> None:
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._line = 0
        self._commands: set[int] = set()  # lines that begin with a slash
        self._fresh = self._after_mark = False  # at the start of a line; after the mark of a list's item
        self._quotations = 0
        self._html = _Html()

    def reads(self, text: str) -> None:
        if self._fresh and text[0] == "/" and not self._quotations and not self._html.quotes():
            self._commands.add(self._line)
        self._pieces.append(text)
        self._fresh = self._after_mark = False

    def reads_other(self, kind: str, content: str) -> None:
        self._fresh, self._after_mark = kind in LINE_ENDS, False
        if self._fresh:
            self._pieces.append("\n")
            self._line += 1
        elif kind == "Code":
            self._pieces.append(content)
        elif kind in ("Html", "InlineHtml"):
            self._html.reads(content, part_of_block=kind == "Html")

    def opens(self, name: str) -> None:
        """The first words of a list's item stand after its mark, not at the start of a line."""
        self._fresh = name == "Paragraph" and not self._after_mark
        self._after_mark = name == "Item"
        if name not in PLAIN:
            self._quotations += 1
        elif name in BLOCKS:
            self.ends_block()

    def closes(self, name: str) -> None:
        self._fresh = self._after_mark = False
        if name in BLOCKS:
            self.ends_block()
        elif name not in PLAIN:
            self._quotations -= 1
            self._html.ends_block()

    def ends_block(self) -> None:
        """Keep those of its lines that are commands, and forget it."""
        if self._commands:
            self.found += _commanding("".join(self._pieces), self._commands)
        if self._pieces:
            self._pieces, self._line, self._commands = [], 0, set()


def _commanding(block: str, commands: set[int]) -> list[str]:
    """Leave out what pulldown-cmark misses: a table inside a paragraph, a link whose title has several lines."""
    if "\n" not in block:
        return [block]
    lines, end = block.split("\n"), _title(block)
    last = _head(lines) if "|" in block else len(lines)
    starts = accumulate((len(line) + 1 for line in lines), initial=0)
    return [lines[at] for at, start in zip(range(last), starts, strict=False) if at in commands and start < end]


def _head(lines: list[str]) -> int:
    """Which line is a table's head, and has `--- | ---` below it; their number when there is none."""
    below = (at for at, line in enumerate(lines) if "|" in line and "-" in line and TABLE.issuperset(line))
    return next(below, len(lines) + 1) - 1


def _title(block: str) -> int:
    """Where in a block the first title of what may be a link begins; its end when there is none."""
    title = _TITLE.search(block, max(block.find("]("), 0)) if "](" in block else None
    return title.start() if title else len(block)


class _Html:
    """Which elements of raw HTML are open that quote what is in them. What never ends stays open."""

    __slots__ = ("_block", "_open")

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._block: list[str] = []

    def quotes(self) -> bool:
        return any(self._open.values())

    def reads(self, raw: str, *, part_of_block: bool) -> None:
        if part_of_block:
            self._block.append(raw)
        else:
            self._reads(raw)

    def ends_block(self) -> None:
        if self._block:
            self._reads("".join(self._block))
            self._block = []

    def _reads(self, raw: str) -> None:
        for found in _TAGS.finditer(raw):
            tag = ENDLESS if found["endless"] else (found["tag"] or "").lower()
            if tag in QUOTING and found["closes"]:
                self._open[tag] = max(self._open[tag] - 1, 0)
            elif tag in QUOTING and (tag != "a" or "href" in found[0].lower()):
                self._open[tag] += 1
            elif tag == ENDLESS:
                self._open[tag] += 1
                return
