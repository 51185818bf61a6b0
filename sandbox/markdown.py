"""Markdown as GitHub shows it, as far as comments go: CommonMark with tables, `#7` and `@login`; no foreign HTML.

https://github.github.com/gfm/. HTML comments are hidden, a few tags without attributes are let through, the rest is
shown as text: what a hostile title or body holds must not run in the reader's browser.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

    Address = Callable[[int], str]  # of the item with a number, "" if there is none

PASSED = re.compile(r"&lt;(/?(?:details|summary|br|sub|sup|kbd|b|i))&gt;", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
NUMBER = re.compile(r"(?<![\w&/])#([1-9][0-9]{0,8})\b")
LOGIN = re.compile(r"(?<![\w/])@([A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)")


def visible(text: str) -> str:
    """Return the text without HTML comments, which nobody sees."""
    return COMMENT.sub("", text).strip()


def to_html(text: str, address: Address) -> str:
    """Return the HTML of `text`, in which `#7` leads to the address of the item with this number, if there is one."""
    return str(RENDERER.render(text, {"address": address}))


def title_to_html(text: str, address: Address) -> str:
    """Return the HTML of a title, in which there is nothing but `#7` to show."""
    return _linked(escape(text, quote=False), address)


def _linked(escaped: str, address: Address) -> str:
    def link(found: re.Match[str]) -> str:
        there = address(int(found[1]))
        return f'<a href="{escape(there)}">{found[0]}</a>' if there else found[0]

    return NUMBER.sub(link, escaped)


def _html(
    _self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    _env: MutableMapping[str, Any],
) -> str:
    return PASSED.sub(r"<\1>", escape(COMMENT.sub("", tokens[index].content)))


def _text(
    _self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    escaped = escape(tokens[index].content, quote=False)
    return LOGIN.sub(r"<b>@\1</b>", _linked(escaped, env["address"]))


def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name, rule in (("html_block", _html), ("html_inline", _html), ("text", _text)):
        made.add_render_rule(name, rule)
    return made


RENDERER = _renderer()
