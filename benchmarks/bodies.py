"""Comments of 64 KiB that are as hard to read as they can be made: one piece, over and over."""

from __future__ import annotations

import time

from mattermod_action.commands import parse

SIZE = 65_536  # characters; GitHub takes no more
ROUNDS = 7
BUDGET_MS = 50
WORST = [
    "[", "![", "`", "``` \n", "*a ", "**a _b ", "<a\n", '<a href="', "<a '", "<x a='\n", "<?", "<![CDATA[", "<!--",
    "<", "<code>\n", "</code>\n", "<div>\n", "<b>/x</b>\n", "> ", "> /x\n", "- ", "- a\n", "- /x\n", "1. a\n", "# a\n",
    "/a\n\n", "/x\n", "\\/x\n", "&#47;x\n", "\r", "*/x*\n", "~~/x\n", "`/x\n", "|a\n|-\n", "- | -\n",
    "--- | ---\n/x\n", "&amp;", "\t", "a\\\n", "a\\*", "[a]: b\n", "[a][b]\n/x\n", "](", '](x "\n/x\n', "[a](x '\n",
]  # fmt: skip


def worst(piece: str, size: int = SIZE) -> str:
    """Make a comment of `size` characters, a command at its end."""
    return (piece * size)[: size - 20] + "\n\n/check-cla\n"


def milliseconds() -> dict[str, float]:
    """Return what the slowest five take of the processor, the least of some rounds each."""
    taken = {repr(piece): min(_once(worst(piece)) for _ in range(ROUNDS)) for piece in WORST}
    return dict(sorted(taken.items(), key=lambda each: -each[1])[:5])


def _once(body: str) -> float:
    started = time.process_time()
    parse(body)
    return round(1000 * (time.process_time() - started), 1)
