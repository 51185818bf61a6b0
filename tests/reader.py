"""What a reader sees of a comment, by other means than ours: markdown-it renders it, html.parser reads the page.

It is the judge of the grammar of commands, so nothing here is shared with `commands.py`.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

# Elements whose text is code, a quotation, a link, a heading or a table. `raw` stands around blocks of HTML.
QUOTING = frozenset(
    """
    a blockquote code h1 h2 h3 h4 h5 h6 img kbd pre q raw samp script style summary table textarea title tt
    """.split()
)
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
FILTERED = re.compile(r"<(?=(?:script|style|textarea|title)\b)", re.IGNORECASE)  # GitHub shows these tags as text
COMMENT = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
BEGINS = re.compile(r"(?:^|\n|\r)[ \t]*/([a-z][a-z0-9_-]{0,39})", re.IGNORECASE)
NAME = re.compile(r"[ \t]*/([a-z][a-z0-9_-]{0,39})[.,:;!?]{0,3}(?=\s|<|$)", re.IGNORECASE)


class _Renderer(RendererHTML):
    def html_block(self, tokens: Any, idx: int, options: Any, env: Any) -> str:
        return f"<raw>{super().html_block(tokens, idx, options, env)}</raw>"


# Tables and strikethrough are GitHub's, not CommonMark's; both parsers have them switched on.
_MARKDOWN = MarkdownIt("commonmark", renderer_cls=_Renderer).enable(["table", "strikethrough"])


def seen(body: str) -> set[str]:
    """Return the names that begin a line which a reader sees as plain text, outside of what is quoted in any way."""
    page = _Page()
    page.feed(FILTERED.sub("&lt;", COMMENT.sub("", _MARKDOWN.render(body))))
    page.close()
    return page.names & set(BEGINS.findall(body))


class _Page(HTMLParser):
    """`names` are those that stand at the start of a line and in none of the quoting elements."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._open: list[str] = []
        self._starts = self._in_mark = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self._open.append(tag if tag != "a" or "href" in dict(attrs) else "anchor")
        self._in_mark = tag == "li" or (self._in_mark and tag == "p")
        self._starts = tag == "br" or (tag == "p" and not self._in_mark)

    def handle_endtag(self, tag: str) -> None:
        self._starts = False
        self._in_mark = self._in_mark and tag != "li"
        tag = "anchor" if tag == "a" and "a" not in self._open else tag
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag)]

    def handle_data(self, data: str) -> None:
        for number, line in enumerate(data.split("\n")):
            self._starts = self._starts or (number > 0 and not self._in_mark)
            match = NAME.match(line)
            if match and self._starts and not QUOTING.intersection(self._open):
                self.names.add(match[1])
            if line.strip():
                self._starts = self._in_mark = False
