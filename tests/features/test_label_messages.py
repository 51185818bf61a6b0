"""The plan of label_messages: (event, configuration) → effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mattermod_action.config import load
from mattermod_action.effects import Comment
from mattermod_action.facts import NoFacts
from mattermod_action.planning import make_plan
from tests.builders import issue_seen, pull_seen

if TYPE_CHECKING:
    from mattermod_action.events import Event

CONFIG = """
label_messages:
  pull_requests:
    - {label: "2: Dev Review", message: "Thanks @USERNAME"}
    - {label: "Docs", message: "one"}
    - {label: "docs", message: "two"}
  issues:
    - {label: "Help Wanted", message: "Say so, USERNAME."}
"""


def texts(event: Event, config: str = CONFIG) -> list[str]:
    plan = make_plan(event, load(config, "mattermod.yml").config, NoFacts())
    assert not plan.errors
    return [effect.text for effect in plan.effects if isinstance(effect, Comment)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(pull_seen("2: Dev Review"), ["Thanks @alice"], id="one label"),
        pytest.param(pull_seen("2: dev review"), ["Thanks @alice"], id="without case, as on GitHub"),
        pytest.param(pull_seen(), [], id="no label"),
        pytest.param(pull_seen("Other"), [], id="a label without a message"),
        pytest.param(
            pull_seen("Docs", "2: Dev Review"),
            ["Thanks @alice", "one", "two"],
            id="MM-05 every label, in order of the rules",
        ),
        pytest.param(pull_seen("Docs", action="opened"), ["one", "two"], id="present at opened"),
        pytest.param(pull_seen("Docs", action="synchronize"), ["one", "two"], id="level, not edge"),
        pytest.param(pull_seen("Help Wanted"), [], id="a rule for issues is none for pull requests"),
        pytest.param(
            issue_seen("Help Wanted", action="opened"),
            ["Say so, alice."],
            id="MM-10 an issue from a template",
        ),
        pytest.param(issue_seen("Docs"), [], id="a rule for pull requests is none for issues"),
        pytest.param(pull_seen("2: Dev Review", author=None), ["Thanks @ghost"], id="MM-13 a deleted account"),
        pytest.param(pull_seen("2: Dev Review", author="app[bot]"), ["Thanks @app[bot]"], id="a bot's login"),
        pytest.param(
            pull_seen("2: Dev Review", author="a/../@org"),
            ["Thanks @ghost"],
            id="S-21 no login looks like this",
        ),
    ],
)
def test_plan(event: Event, expected: list[str]) -> None:
    assert texts(event) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("USERNAME", "alice"),
        ("@USERNAME, USERNAME!", "@alice, alice!"),
        (
            "USERNAMES MYUSERNAME USERNAME_ _USERNAME USERNAME1",
            "USERNAMES MYUSERNAME USERNAME_ _USERNAME USERNAME1",
        ),
        ("username", "username"),
        ("**USERNAME**", "**alice**"),
    ],
)
def test_mm15_username_is_replaced_as_a_word(message: str, expected: str) -> None:
    config = f"label_messages:\n  issues:\n    - {{label: L, message: '{message}'}}\n"
    assert texts(issue_seen("L"), config) == [expected]


def keys(config: str) -> list[str]:
    return [e.key for e in make_plan(pull_seen("A", "B"), load(config, "c").config, NoFacts()).effects]


def rules(*pairs: tuple[str, str]) -> str:
    lines = "".join(f"    - {{label: {label}, message: {text}}}\n" for label, text in pairs)
    return f"label_messages:\n  pull_requests:\n{lines}"


def test_key_ignores_text_case_and_other_labels_rules() -> None:
    """MM-12: the body's text decides nothing; moving another label's rule moves no key."""
    first, second = keys(rules(("A", "x"), ("B", "y")))
    assert keys(rules(("B", "edited"), ("a", "edited too"))) == [second, first]
    assert keys(rules(("A", "x"), ("A", "x2"), ("B", "y")))[::2] == [first, second]


def test_marker_names_feature_and_key() -> None:
    [effect] = make_plan(pull_seen("A"), load(rules(("A", "x")), "c").config, NoFacts()).effects
    assert isinstance(effect, Comment)
    assert effect.body == f"<!-- mattermod:v1:label_messages:{effect.key[:16]} -->\n\nx"
    assert len(effect.key) == 64
