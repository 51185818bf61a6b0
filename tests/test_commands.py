"""The grammar of commands: what a reader sees as one, and nothing that is quoted in any way."""

from __future__ import annotations

import random
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bodies import SIZE, WORST, worst
from mattermod_action.commands import LONGEST, MOST, Command, added, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CHECK = Command("check-cla")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("/check-cla", [CHECK]),
        ("  /check-cla  ", [CHECK]),
        ("Please\n/check-cla\nthanks", [CHECK]),
        ("Please\r\n/check-cla\r\nthanks", [CHECK]),
        ("/cherry-pick  release-1\trelease-2\nthanks", [Command("cherry-pick", ("release-1", "release-2"))]),
        ("/cherry-pick `release_1` release/1.2", [Command("cherry-pick", ("release_1", "release/1.2"))]),
        ("/check-cla\n/update-branch", [CHECK, Command("update-branch")]),
        ("/check-cla\n\n/check-cla", [CHECK]),
        ("line\\\n/check-cla", [CHECK]),
        ("- item\n\n/check-cla", [CHECK]),
        ("<details>\n\n/check-cla\n\n</details>", [CHECK]),
        ("/mattermod check-cla", [Command("check-cla", (), by_alias=True)]),
        ("/check-cla, please", [Command("check-cla", ("please",))]),
        ("/Check-CLA", [CHECK]),
        ("/check-cla:", [CHECK]),
        ("\ufeff/check-cla", [CHECK]),
        ("/\u200bcheck-cla\u200e", [CHECK]),
        ("\u00a0/check\u00ad-cla\u00a0please", [Command("check-cla", ("please",))]),
        ("/cherrypick x", [Command("cherry-pick", ("x",))]),
        ("/CherryPick: x", [Command("cherry-pick", ("x",))]),
        ("/backport x", [Command("backport", ("x",))]),
        ("/mattermod /Check-cla.", [Command("check-cla", (), by_alias=True)]),
        ("/mattermod", [Command("help", (), by_alias=True)]),
        ("/mattermod Cherry-Pick a b", [Command("cherry-pick", ("a", "b"), by_alias=True)]),
        ("", []),
        ("see /check-cla", []),
        ("/check-clan", [Command("check-clan")]),
        ("/path/to/file", []),
        ("/check-cla/please", []),
        ("/check-cla....", []),
        ("`/check-cla`", []),
        ("a `b\n/check-cla` c", []),
        ("```\n/check-cla\n```", []),
        ("~~~\n/check-cla", []),
        ("    /check-cla", []),
        ("> /check-cla", []),
        ("> quoted\n/check-cla", []),  # goes on with the quotation
        ("- /check-cla", []),
        ("# /check-cla", []),
        ("/check-cla\n===", []),
        ("| /check-cla |\n| --- |", []),
        ("[/check-cla](x)", []),
        ("[a\n/check-cla](x)", []),
        ("![/check-cla](x)", []),
        ("<!--\n/check-cla\n-->", []),
        ("<b>\n/check-cla\n</b>", []),
        ("\\/check-cla", []),
        ("&#47;check-cla", []),
        ("[a]:\n/check-cla", []),
        ("/first\n\\/check-cla\n&#47;check-cla\n<b>/check-cla</b>", [Command("first")]),
        ("a <code>\n/check-cla\n</code>\n/last", [Command("last")]),
        ("<blockquote>\n\n/check-cla\n\n</blockquote>\n\n/last", [Command("last")]),
        ("<div><!--\n\n/check-cla\n\n-->", []),
        ("a <a href='x'>\n/check-cla\n</a>", []),
        ("<a name='x'></a>\n/check-cla", [CHECK]),
        ("text\na | b\n--- | ---\n/check-cla | c", []),
        ("[a](x 'b\n/check-cla \\' c')", []),
        ("\ud800\n/check-cla", [CHECK]),  # half of a surrogate pair
    ],
)
def test_what_is_a_command(body: str, expected: list[Command]) -> None:
    """MM-22, MM-26."""
    assert list(parse(body)) == expected


def test_an_edit_only_gives_what_it_adds() -> None:
    assert added("/check-cla\ntext", "/check-cla\nother text\n/update-branch") == (Command("update-branch"),)
    assert added("no command", "no command, still") == ()


def test_there_is_an_end_to_it() -> None:
    assert len(parse("\n".join(f"/c{number}" for number in range(100)))) == MOST
    [command] = parse("/c " + "a " * LONGEST)
    assert len(command.args) < LONGEST


WRAPS: dict[str, Callable[[str], str]] = {
    "code": lambda body: "````````\n" + body.replace("````````", "") + "\n````````",
    "quote": lambda body: "\n".join(f"> {line}" for line in body.split("\n")),
    "indented": lambda body: "\n".join(f"    {line}" for line in body.split("\n")),
    "comment": lambda body: "<!--\n" + re.sub("-->|--!>|<!-->?", "", body) + "\n-->",
    "pre": lambda body: (
        "<pre>\n" + re.sub("</?(pre|script|style|textarea)", "", body, flags=re.IGNORECASE) + "\n</pre>"
    ),
}
LINES = st.sampled_from(
    ["/check-cla", "/cherry-pick a b", "text", "", "- item", "> quote", "# head", "`", "[a](b)", "***"]
)
BODIES = st.lists(st.one_of(LINES, st.text(max_size=30)), min_size=1, max_size=8).map("\n".join)


@pytest.mark.parametrize("wrap", WRAPS)
@settings(max_examples=1_000, deadline=None)
@given(body=BODIES)
def test_nothing_that_is_quoted_is_a_command(wrap: str, body: str) -> None:
    one_line_ends = re.sub(r"\r\n?", "\n", body)
    assert parse(WRAPS[wrap](one_line_ends)) == ()


@settings(max_examples=500, deadline=None)
@given(body=st.text(max_size=400))
def test_no_body_breaks_it(body: str) -> None:
    parse(f"{body}\n/check-cla\n{body}")


@pytest.mark.parametrize("piece", WORST, ids=repr)
def test_s22_the_worst_comment_is_read_in_linear_time(piece: str) -> None:
    """S-22: four times the length is less than ten times the processor's time, which is noisy; quadratic is sixteen."""

    def seconds(size: int) -> float:
        return min(_timed(worst(piece, size)) for _ in range(5))

    assert seconds(SIZE) < 10 * seconds(SIZE // 4) + 0.01


def _timed(body: str) -> float:
    started = time.process_time()
    parse(body)
    return time.process_time() - started


@pytest.mark.parametrize("piece", WORST, ids=repr)
def test_s22_twice_the_comment_is_twice_the_work(piece: str) -> None:
    """S-22: by no clock, but by lines of Python. Red when each piece looks at those before it."""
    short, long = (_lines_run(worst(piece, size)) for size in (SIZE // 16, SIZE // 8))
    assert long < 2.2 * short + 200


def _lines_run(body: str) -> int:
    """Count what a tracer sees."""
    counted = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal counted
        counted += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        parse(body)
    finally:
        sys.settrace(before)
    return counted


def test_random_mixtures_never_take_long() -> None:
    rng = random.Random(5)  # noqa: S311  # bodies, not secrets
    for _ in range(50):
        body = "".join(rng.choice(WORST) for _ in range(4_000))
        parse(f"{body}\n/check-cla")
