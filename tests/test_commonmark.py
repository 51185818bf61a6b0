"""No command comes out of code, quotes, HTML or links: CommonMark's own examples, and 10,000 bodies of such things.

What those are is said by other parsers than ours (`reader.py`). The examples are those of CommonMark 0.31.2, from npm.
Red when PLAIN takes in BlockQuote or Link, when `_Html.quotes` or `_title` finds none, when `_plainly`
changes nothing, or when `TABLE` is empty.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mattermod_action.commands import parse
from tests.reader import seen

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = Path(__file__).parents[1] / ".cache/npm/node_modules/commonmark-spec/spec.txt"
EXAMPLE = re.compile(r"^`{32} example\n(.*?)^\.\n.*?^`{32}$", re.DOTALL | re.MULTILINE)
EXAMPLES = 652
# Examples in variants of which markdown-it leaves the specification; GitHub's parser reads them as ours does.
DIFFERENT = {
    193: "a line after a definition goes on with its paragraph, so its indentation makes no code",
    201: "`<bar>(` is no destination with a title: white space is missing, so nothing is defined",
    502: "a backslash does not take the end of a line into a link's destination",
}
BODIES, CHUNK = 10_000, 1_000
OURS = re.compile(r"/(first|c\d+)")


def examples() -> list[str]:
    if not SPEC.exists():
        raise RuntimeError("CommonMark's examples are not there: run `make test`, which fetches them")
    return [text.replace("→", "\t") for text in EXAMPLE.findall(SPEC.read_text())]


def variants(text: str) -> Iterator[str]:
    """Yield the example, and then with a command before, in, around and after each of its lines and words."""
    yield text
    lines = text.split("\n")
    for at, line in enumerate(lines[:-1]):
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        for new in (f"/c{at} {line}", f"{indent}/c{at} {bare}", f"/c{at}\n{line}", f"{line}\n/c{at}"):
            yield "\n".join([*lines[:at], new, *lines[at + 1 :]])
    for space in re.finditer(r"(?<=\S) (?=\S)", text):
        yield f"{text[: space.start()]}\n/c{space.start()} {text[space.end() :]}"
    for word in re.finditer(r"[A-Za-z]+", text):
        for new in (f"\n/c{word.start()}\n", f"/c{word.start()} "):
            yield text[: word.start()] + new + text[word.end() :]


def names(found: set[str], body: str) -> set[str]:
    """A name that runs on, as in `/c1~~x`, is still the name that was put there."""
    put = OURS.findall(body)
    return {max((each for each in put if name.startswith(each)), key=len, default=name) for name in found}


def differences(body: str) -> tuple[set[str], set[str]]:
    """Return the commands that no reader sees, and those that only a reader sees."""
    ours, theirs = names({command.name for command in parse(body)}, body), names(seen(body), body)
    return ours - theirs, theirs - ours


@pytest.mark.parametrize("part", range(4))
def test_mm22_no_example_of_commonmark_commands(part: int) -> None:
    """MM-22: and what it shows as plain text does: nearly all of it, since a botched link or table commands nothing."""
    everything = examples()
    assert len(everything) == EXAMPLES
    told = missed = 0
    for number, text in enumerate(everything, 1):
        for variant in variants(text) if number % 4 == part else ():
            body = f"/first\n\n{variant}"
            unseen, only_seen = differences(body)
            assert not unseen or number in DIFFERENT, f"example {number}: {body!r}: {unseen}"
            told, missed = told + 1, missed + len(only_seen)
    assert told > 2_500
    assert missed < 0.01 * told


PIECES = [
    "/{n}", "/{n} a b", "text", "text /{n}", "`/{n}`", "``a `\n/{n}``", "`a", "```\n/{n}\n```", "```",
    "~~~ x\n/{n}\n~~~", "    /{n}", "\t/{n}", "> /{n}", "> a\n/{n}", ">\n/{n}", "- /{n}", "- a\n/{n}", "- a\n  /{n}",
    "-\n  /{n}", "1. a\n\n   /{n}", "# /{n}", "/{n}\n===", "/{n}\n---", "---", "\na | b\n--- | ---\n/{n} | c\n\n",
    "\n| /{n} |\n| --- |\n| /{n} |\n\n", "[/{n}](x)", "[a\n/{n}](x)", "[a](x\n/{n})", "[a](x 't\n/{n} \\' y')",
    "![a\n/{n}](x 'y')", "[a][b\n/{n}]", "[b]: x\n\n", "[b]: /{n} 'x'\n\n", "[c]:\n/{n}\n'x'\n\n",
    "[b]: x '\n/{n}\n'\n\n",
    "<https://a.b/{n}>", "<!-- a\n/{n}\n-->", "<!--", "-->", "<!-- /{n} -->/{n}", "<div>\n/{n}\n</div>", "<div>",
    "</div>", "<details>\n\n/{n}\n\n</details>", "<pre>\n\n/{n}\n</pre>", "<pre>", "</pre>", "<code>\n/{n}</code>",
    "a <code>\n/{n}\n</code>", "</code>", "a <b>\n/{n}\n</b>", "<b>/{n}</b>", "<blockquote>", "</blockquote>",
    "<blockquote>\n\n/{n}", "a <a href='x'>\n/{n}\n</a>", "a <a x\n/{n}>", "<a name='x'></a>", "<?a\n/{n}\n?>",
    "<![CDATA[\n/{n}\n]]>", "<script>\n/{n}\n</script>", "<style>", "*a\n/{n}*", "**/{n}**", "**a", "_/{n}_ b",
    "~~/{n}~~", "~~a\n/{n}~~", "\\/{n}", "&#47;{n}", "a\\\n/{n}", "a  \n/{n}", "\\", "<table><tr><td>\n\n/{n}\n",
    "</table>", "<h1>\n\n/{n}\n\n</h1>", "<img alt='\n/{n}'>", "<x", "'>", '"', "](", "[", "]", "(", ")", "`", "``",
    "*", "<", ">", "|", "=", "\x00", "é/{n}", "\u2028/{n}", "\r/{n}", "- - /{n}", "* * *",
    "+ a\n\n  > /{n}\n  b\n  /{n}",
    "1) a", "   /{n}", "  - a\n\n      /{n}", "[^1] a\n/{n}", "$$\n/{n}\n$$", "<kbd>\n/{n}\n</kbd>", "<summary>",
    "</summary>", "a <q>b\n/{n}", "<textarea>\n/{n}\n</textarea>",
]  # fmt: skip
PREFIXES = ["", "", "", "", "> ", "- ", "  ", "    ", "1. ", "> > ", "* > "]


def body(seed: int) -> str:
    """Make a comment of up to eight things, some of them inside of others, each command with a name of its own."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    pieces = [_nested(dice) + dice.choice(["\n", "\n", "\n\n", " ", ""]) for _ in range(dice.randint(1, 8))]
    parts = "".join(pieces).split("{n}")
    return "/first\n\n" + "".join(f"{part}c{at}" for at, part in enumerate(parts[:-1])) + parts[-1]


def _nested(dice: random.Random) -> str:
    prefix = dice.choice(PREFIXES)
    following = dice.choice([prefix, " " * len(prefix), ""])
    first, *rest = dice.choice(PIECES).split("\n")
    return "\n".join([prefix + first, *(following + line for line in rest)])


@pytest.mark.parametrize("chunk", range(BODIES // CHUNK))
def test_mm22_no_body_commands_out_of_what_it_quotes(chunk: int) -> None:
    """MM-22: the seed of a body that fails is its number."""
    missed = shown = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        unseen, only_seen = differences(body(seed))
        assert not unseen, f"seed {seed}: {body(seed)!r}: {unseen}"
        shown, missed = shown + len(seen(body(seed))), missed + len(only_seen)
    assert shown > CHUNK
    assert missed < 0.05 * shown  # ours is the stricter of the two
