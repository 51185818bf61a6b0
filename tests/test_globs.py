"""What a pattern of paths means, and that nobody's path or pattern takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcmatch import glob

from mattermod_action import shares
from mattermod_action.config import load
from mattermod_action.errors import Late, Mistake
from mattermod_action.globs import compiled
from mattermod_action.texts import matches

FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE
LIMIT = 0.2  # seconds

# Pattern, paths that it is the whole of, and paths that it is not.
MEANINGS = [
    ("a", "a", "b a/a A aa"),
    ("*", "a .a a.b", "a/b"),
    ("a*", "a ab a.b", "ba a/b"),
    ("*.go", "a.go .go", "a/b.go a.goo"),
    ("**", "a a/b .a/b/c", ""),
    ("**/*.go", "a.go a/b.go a/b/.go", "a.go/b"),
    ("a/**", "a/b a/b/c a/.b", "a b/a ab/c"),
    ("a/**/b", "a/b a/x/b a/x/y/b", "a/xb ab a/b/c"),
    ("a/**/**/b", "a/b a/x/b", "ab"),
    ("**/a/**", "a/b x/a/b x/y/a/b/c", "a x/a xa/b"),
    ("**/a/**/b/**/c", "a/b/c x/a/y/b/z/c", "a/c b/a/c a/b/cc"),
    ("a**b", "ab axb", "a/b a/x/b"),
    ("a/*/b", "a/x/b", "a/b a/x/y/b"),
    ("?", "a -", "ab a/b"),
    ("a?c", "abc a.c", "ac a/c abbc"),
    ("[ab]c", "ac bc", "cc c"),
    ("[!ab]c", "cc", "ac bc a/c"),
    ("[^a]", "b", "a"),
    ("[a-c]x", "ax bx", "dx -x"),
    ("[]a]", "] a", "b"),
    ("[[:digit:]]*", "1 12a", "a1"),
    ("[a/b]", "[a/b]", "a b"),
    ("[a", "[a", "a"),
    ("\\*", "*", "a"),
    ("\\[a]", "[a]", "a"),
    ("a\\b", "ab", "a/b"),
    ("{a,b}", "{a,b}", "a b"),
    ("!a", "!a", "b"),
    ("a//b", "a/b", "a//c ab"),
    ("a/", "", "a a/b"),
    ("*a*b*c", "abc xaxbxc aabbcc abcbc", "acb abcx ab"),
    ("a*bc*d", "abcd abbcbcd", "abd abc"),
]


@pytest.mark.parametrize(("pattern", "whole", "other"), MEANINGS)
def test_t06d_a_pattern_means(pattern: str, whole: str, other: str) -> None:
    assert [path for path in whole.split() if not matches(path, [pattern])] == []
    assert [path for path in other.split() if matches(path, [pattern])] == []


LONE = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
PART = st.text("ab.-][!^\\*", min_size=1, max_size=5).filter(lambda text: text not in {".", ".."})
PATH = st.lists(PART, min_size=1, max_size=5).map("/".join)
SPECIAL = st.sampled_from(["**", "**", "*", "a", "b", "a*", "*b", "?", "[ab]", "[!a]", "[[:alpha:]]*", "*a*b*"])
PART_OF_PATTERN = SPECIAL | st.text("ab.-*?[]!^\\:~|", min_size=1, max_size=6)
# A configuration may not end a pattern with a backslash that has nothing to escape.
PATTERN = st.lists(PART_OF_PATTERN, min_size=1, max_size=6).map("/".join).filter(lambda text: not LONE.search(text))


def agrees(path: str, pattern: str) -> None:
    assert bool(compiled(pattern).fullmatch(path)) == glob.globmatch(path, [pattern], flags=FLAGS), (path, pattern)


@settings(deadline=None)
@given(PATH, PATTERN)
def test_t06d_a_pattern_means_what_wcmatch_makes_of_it(path: str, pattern: str) -> None:
    agrees(path, pattern)


@pytest.mark.soak
@settings(max_examples=50_000, deadline=None)
@given(PATH, PATTERN)
def test_t06d_many_patterns_mean_what_wcmatch_makes_of_them(path: str, pattern: str) -> None:
    agrees(path, pattern)


# Each is tried on a path of 64 KB, which is 16 times as long as Linux admits.
HOSTILE = {
    "**/testdata/**/*.golden": "testdata/",
    "**/src/**/generated/**/*.go": "src/generated/",
    "**/*_test*_test*.go": "_test",
    "*a*a*a*a*a*a*b": "a",
    "**/a/**/b/**": "a/",
    "**/a*a*a/**/a*b/**/*a*a*b": "aaa/",
    "**/a/a/a/a/a/a/b/**": "a/",
    "a/**/a/**/a/**/a/**/a/**/b": "a/",
    "**/[a-z]*[a-z]*[a-z]*1": "abc",
    "**/?*?*?*?*?*?/**/y": "aaaaaa/",
    "*" + "a" * 200 + "*" + "a" * 200 + "b*c": "a",
    "**/" * 500 + "b": "a/",
    "*a" * 1_000 + "b": "a",
}


@pytest.mark.parametrize("path", ["src/" + "generated/src/" * 280 + "x", "testdata/" * 450 + "x"])
def test_t06d_a_path_of_4_kilobytes_takes_no_time(path: str) -> None:
    """The first took five seconds, and there may be thousands."""
    began = time.thread_time()
    assert not matches(path, ["**/src/**/generated/**/*.go", "**/testdata/**/*.golden"])
    assert time.thread_time() - began < LIMIT


@pytest.mark.parametrize("pattern", HOSTILE)
def test_t06d_no_path_takes_long(pattern: str) -> None:
    unit = HOSTILE[pattern]
    path = unit * (65_536 // len(unit)) + "x"
    compiled(pattern)
    began = time.thread_time()
    assert not matches(path, [pattern])
    assert time.thread_time() - began < LIMIT


@pytest.mark.parametrize(("path", "is_one"), [("a\\", False), ("**/\\", False), ("a\\\\\\", False), ("a\\\\", True)])
def test_no_pattern_ends_with_a_lone_backslash(path: str, *, is_one: bool) -> None:
    text = f"protected_paths: {{paths: ['{path}']}}"
    if is_one:
        load(text, "x.yml")
        return
    with pytest.raises(Mistake, match="ends with a backslash"):
        load(text, "x.yml")


def test_t06d_no_pattern_is_longer_than_a_path() -> None:
    with pytest.raises(Mistake, match="is too long: 4097 characters, and no path has more than 4096"):
        load("protected_paths: {paths: ['" + "[" * 4_097 + "']}", "x.yml")
    began = time.thread_time()
    compiled("[" * 4_096)
    assert time.thread_time() - began < 5 * LIMIT


def test_t07_thousands_of_patterns_end_with_the_share() -> None:
    with shares.share(-1), pytest.raises(Late):
        matches("a", ["b"])
