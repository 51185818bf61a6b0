"""A configuration is right, or each mistake in it is one line with file, line, key and cure."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action.config import ConfigErrors, load
from mattermod_action.features import FEATURES

LINE = re.compile(r"c\.\w+:\d+: \S.*")
NUMBERS = "only {major}, {minor} and {patch} are numbers of a milestone"
MILESTONES = "cherry_pick:\n  milestones:\n"
FIRST = "label_messages.pull_requests[0]"
RULES = "label_messages:\n  pull_requests:\n"


def complaints(text: str, name: str) -> list[str]:
    try:
        load(text, name)
    except ConfigErrors as error:
        return str(error).splitlines()
    return []


def mistakes(text: str, name: str = "c.yml") -> list[str]:
    lines = complaints(text, name)
    assert lines
    assert all(map(LINE.fullmatch, lines)), lines
    return lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c.yml:1: is empty: give at least one section, such as `label_messages:`"]),
        ("hello\n", ["c.yml:1: must be a mapping, found text"]),
        ("- a\n", ["c.yml:1: must be a mapping, found a list"]),
        ("label_mesages: {}\n", ['c.yml:1: label_mesages: unknown key, did you mean "label_messages"?']),
        ("label_messages: []\n", ["c.yml:1: label_messages: must be a mapping, found a list"]),
        ("label_messages: {}\nlabel_messages: {}\n", ["c.yml:2: label_messages: is given twice, first in line 1"]),
        (f"{RULES}    - message: x\n", [f"c.yml:3: {FIRST}.label: is missing"]),
        (f"{RULES}    - label: x\n", [f"c.yml:3: {FIRST}.message: is missing"]),
        (f"{RULES}    - a\n", [f"c.yml:3: {FIRST}: must be a mapping, found text"]),
        (
            f"{RULES}    - {{label: 1, message: x}}\n",
            [f"c.yml:3: {FIRST}.label: must be text, found a number"],
        ),
        (
            f"{RULES}    - {{label: '', message: x}}\n",
            [f"c.yml:3: {FIRST}.label: must not be empty"],
        ),
        (
            f"{RULES}    - label: a\n      message: {'x' * 70_000}\n",
            [f"c.yml:4: {FIRST}.message: is too long: 70000 characters, and a comment has room for 65336"],
        ),
        ("backfill: maybe\n", ["c.yml:1: backfill: must be true or false, found text"]),
        ("label_messages:\n\t- a\n", ["c.yml:2: is not YAML: found character '\\t' that cannot start any token"]),
        ("a: 1\n---\nb: 2\n", ["c.yml:2: is not YAML: but found another document"]),
        ("%YAML 1.9\n---\na: 1\n", ["c.yml:1: is not YAML: it cannot be parsed"]),
        (
            f"{MILESTONES}    v{{majr}}: [a]\n",
            [f"c.yml:3: cherry_pick.milestones.v{{majr}}: has {{majr}}: {NUMBERS}"],
        ),
        (
            f"{MILESTONES}    v{{major}}: [a, 'r-{{minor}}']\n",
            ["c.yml:2: cherry_pick.milestones: r-{minor} has {minor}, which the milestone v{major} does not have"],
        ),
        (f"{MILESTONES}    a: [b, c..d]\n", ["c.yml:3: cherry_pick.milestones.a[1]: is no name of a branch"]),
        ("cherry_pick: {committer: me}\n", ["c.yml:1: cherry_pick.committer: must be NAME <ADDRESS>"]),
        ('{"a\\nb": 1}', [r"c.yml:1: 'a\nb': unknown key"]),
        ('{"": 2}', ["c.yml:1: '': unknown key"]),
        ('{"\\u001b[31m": 3}', [r"c.yml:1: '\x1b[31m': unknown key"]),
        ("[" * 900, ["c.yml:1: is nested more than 20 levels deep"]),
    ],
)
def test_native(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", ["c.json:1: must be a mapping, found a list"]),
        ('{"PrLabels": [}', ["c.json:1: is not JSON: Expecting value"]),
        ('{\n"PrLabelz": []\n}', ['c.json:2: PrLabelz: unknown key, did you mean "PrLabels"?']),
        ('{"PrLabels": [], "PrLabels": []}', ["c.json:1: PrLabels: is given twice, first in line 1"]),
        ('{"PrLabels": {}}', ["c.json:1: PrLabels: must be a list, found a mapping"]),
        (
            '{"IssueLabels": [\n{"Label": "a", "Mesage": "b"}]}',
            [
                'c.json:2: IssueLabels[0].Mesage: unknown key, did you mean "Message"?',
                "c.json:2: IssueLabels[0].Message: is missing",
            ],
        ),
        ('{"PrLabels":' + "[" * 100_000, ["c.json:1: is nested more than 20 levels deep"]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_legacy(text: str, expected: list[str]) -> None:
    """The original's file, and its mistakes in the original's keys."""
    assert mistakes(text, "c.json") == expected


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        "label_mesages: {}\n"
        "label_messages:\n"
        "  pull_requests:\n"
        "    - {label: a}\n"
        "    - {message: b}\n"
        "    - {label: '', message: c}\n"
        "    - {label: x, message: y, colour: z}\n"
    )
    assert [line.split(":")[1] for line in mistakes(text)] == ["1", "4", "5", "6", "7"]


def test_s22_an_alias_bomb_is_one_line() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert len(mistakes("\n".join(lines))) < 20


def test_s22_no_tag_makes_an_object() -> None:
    with pytest.raises(ConfigErrors):
        load("label_messages: !!python/object/apply:os.system ['true']\n", "c.yml")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_right_or_one_line_a_mistake(text: str) -> None:
    for name in ("c.yml", "c.json"):
        assert all(map(LINE.fullmatch, complaints(text, name)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["label_messages", "PrLabels", "pull_requests", "label", "Label", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_shape_is_right_or_one_line_a_mistake(shape: Any) -> None:
    for name in ("c.yml", "c.json"):
        assert all(map(LINE.fullmatch, complaints(json.dumps(shape), name)))


def test_legacy_and_native_are_one_model() -> None:
    rules = [("2: Dev Review", "Thanks USERNAME."), ("2: dev review", "Second."), ("QA", "Line\nand line")]
    legacy = {
        "PrLabels": [{"Label": label, "Message": message} for label, message in rules],
        "IssueLabels": [{"Label": "", "Message": ""}, {"Label": "Help", "Message": "m"}],
    }
    native = {
        "label_messages": {
            "pull_requests": [{"label": label, "message": message} for label, message in rules],
            "issues": [{"label": "Help", "message": "m"}],
        },
        "update_branch": {},  # which the original always does, as this:
        "cherry_pick": {},
    }
    assert load(json.dumps(legacy), "c.json").config == load(json.dumps(native), "c.yml").config
    assert load(json.dumps(native), "c.json").config == load("{# flow style\n" + json.dumps(native)[1:], "c.yml").config


def test_legacy_secrets_are_named_and_never_shown() -> None:
    text = json.dumps(
        {"GithubAccessToken": "hunter2", "DataSource": "u:hunter2@tcp(h:3306)/d", "Username": "mattermod"}
    )
    loaded = load(text, "c.json")
    assert loaded.bot_logins == ("mattermod",)
    assert loaded.database_url == "u:hunter2@tcp(h:3306)/d"
    warnings = "\n".join(loaded.warnings)
    assert "GithubAccessToken is a secret" in warnings
    assert "the input `database-url`" in warnings
    assert "hunter2" not in warnings


def test_legacy_keys_that_do_nothing_are_named() -> None:
    loaded = load('{"ListenAddress": ":8086", "GithubEmail": "a@b.c"}', "c.json")
    assert loaded.warnings == ("not needed here: ListenAddress", "not used by this version: GithubEmail")


@pytest.mark.parametrize("name", FEATURES)
def test_the_example_of_each_feature_is_right(name: str) -> None:
    page = importlib.import_module(f"mattermod_action.features.{name}").__doc__ or ""
    [example] = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "\njobs:" not in text]
    assert getattr(load(example, "c.yml").config, name) is not None
