"""The section `stale`: which items a sweep picks, and (item, activity) → effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.bot import said
from mattermod_action.config import ConfigErrors, load
from mattermod_action.effects import Comment, marker
from mattermod_action.events import GrownOld, Issue, PullRequest, PullRequestSeen
from mattermod_action.facts import NoFacts
from mattermod_action.planning import look_over, make_plan
from mattermod_action.ports import Activity, Notice
from tests.builders import issue_seen, pull_seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mattermod_action.events import Repository, Subject

NOW = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere
BASE = "stale: {days: 30, label: old"
NOTICE, HIDDEN, CLOSING = "notice", "hidden", "closing"


class Facts(NoFacts):
    """A Monday at noon; `found` is what people have done."""

    def __init__(self, *found: Activity, last: datetime | None = None) -> None:
        self._found, self._last, self.asked = {each.subject.number: each for each in found}, last, 0

    def now(self) -> datetime:
        return NOW

    def last_swept(self, repository: Repository) -> datetime | None:  # noqa: ARG002  # the port's signature
        return self._last

    def role(self, repository: Repository, login: str) -> str:  # noqa: ARG002  # the port's signature
        self.asked += 1
        return "write" if login == "carol" else "read"

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:  # noqa: ARG002  # the port's signature
        return {number: each for number, each in self._found.items() if number in {item.number for item in subjects}}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def pull(*labels: str, updated: float = 40, created: float = 100, **more: Any) -> PullRequest:
    found = pull_seen(*labels).subject
    return replace(found, updated_at=ago(updated), created_at=ago(created), **more)


def issue(*labels: str, updated: float = 40, created: float = 100) -> Issue:
    found = issue_seen(*labels).subject
    return replace(found, updated_at=ago(updated), created_at=ago(created))


def notice(days: float, what: str = NOTICE, feature: str = "stale") -> Notice:
    return Notice(f"IC_{what}_{days:g}", marker(feature, f"{what}{days:g}".ljust(16, "0")), ago(days), what != HIDDEN)


def activity(subject: Subject, active: float, marked: float | None = None, **more: Any) -> Activity:
    at = None if marked is None else ago(marked)
    return Activity(subject=subject, active_at=ago(active), marked_at=at, **more)


def effects(each: Activity, more: str = "") -> list[str]:
    facts, config = Facts(each), load(f"{BASE}{', ' + more if more else ''}}}", "c.yml").config
    plan = make_plan(GrownOld(each.subject.repository, (each.subject,)), config, facts)
    assert not plan.errors
    return [effect.once[0] if isinstance(effect, Comment) else said(effect, done=True) for effect in plan.effects]  # type: ignore[misc]  # a comment's is a text


MARK, BACK = ["add labels old", "notice"], ["hide comment", "remove label old"]
END = ["closed", "close item"]


@pytest.mark.parametrize(
    ("each", "more", "expected"),
    [
        pytest.param(activity(pull(), 29.9), "", [], id="not old"),
        pytest.param(activity(pull(), 30), "", MARK, id="old"),
        pytest.param(activity(pull(author="ghost"), 30), "", MARK, id="MM-13 a deleted account"),
        pytest.param(activity(pull(state="closed"), 30), "", [], id="closed meanwhile"),
        pytest.param(activity(pull(), 30, is_locked=True), "", [], id="locked"),
        pytest.param(activity(pull(author="carol"), 30), "", [], id="with write access"),
        pytest.param(activity(pull(author="carol"), 30), "authors: everybody", MARK, id="everybody's"),
        pytest.param(activity(pull(author_is_bot=True), 30), "", [], id="a bot's"),
        pytest.param(activity(pull(author_is_bot=True), 30), "authors: everybody", MARK, id="a bot's, too"),
        pytest.param(activity(pull("Keep"), 30), "exempt_labels: [keep]", [], id="an exempt label"),
        pytest.param(activity(pull(), 30), "only_labels: [Ask]", [], id="without the only label"),
        pytest.param(activity(pull("ask"), 30), "only_labels: [Ask]", MARK, id="with the only label"),
        pytest.param(activity(pull(draft=True), 30), "", MARK, id="a draft"),
        pytest.param(activity(pull(draft=True), 30), "exempt_drafts: true", [], id="an exempt draft"),
        pytest.param(activity(pull(), 30, has_milestone=True), "exempt_milestones: true", [], id="a milestone"),
        pytest.param(activity(pull(), 30, has_milestone=True), "", MARK, id="a milestone that is not exempt"),
        pytest.param(activity(pull(), 30, is_assigned=True), "exempt_assignees: true", [], id="assigned"),
        pytest.param(activity(issue(), 30), "issues: true", MARK, id="an issue"),
        pytest.param(activity(pull(), 30, notices=(notice(0),)), "", MARK[:1], id="only the label is missing"),
        pytest.param(activity(pull("Old"), 30, 0), "", MARK[1:], id="only the comment is missing"),
        pytest.param(activity(pull("Old"), 30, 0, notices=(notice(0),)), "", [], id="nothing is missing"),
        pytest.param(activity(pull("Old"), 30, 0, notices=(notice(40),)), "", MARK[1:], id="an earlier comment"),
        pytest.param(
            activity(pull("Old"), 30, 0, notices=(notice(0, HIDDEN),)), "", MARK[1:], id="a comment that is hidden"
        ),
        pytest.param(
            activity(pull("Old"), 30, 0, notices=(notice(0, feature="cla"),)), "", MARK[1:], id="another feature's"
        ),
        pytest.param(activity(pull("Old"), 1, 2, notices=(notice(2),)), "", BACK, id="MM-62 back"),
        pytest.param(activity(pull("Old"), 2, 1, notices=(notice(1),)), "", BACK, id="activity while it was marked"),
        pytest.param(activity(pull("Old"), 1, 2), "", BACK[1:], id="back without a comment"),
        pytest.param(activity(pull(), 1, notices=(notice(2),)), "", BACK[:1], id="the label is gone already"),
        pytest.param(activity(pull("Old"), 1, 2, notices=(notice(2, HIDDEN),)), "", BACK[1:], id="hidden already"),
        pytest.param(activity(pull("Old"), 40, 35, notices=(notice(35),)), "", [], id="never closed"),
        pytest.param(activity(pull("Old"), 40, 9, notices=(notice(9),)), "close_after_days: 10", [], id="not yet"),
        pytest.param(activity(pull("Old"), 40, 10, notices=(notice(10),)), "close_after_days: 10", END, id="to close"),
        pytest.param(
            activity(pull("Old"), 40, 10, notices=(notice(10), notice(0, CLOSING))),
            "close_after_days: 10",
            END,
            id="it died before it was closed",
        ),
        pytest.param(activity(pull("Old"), 90, 80), "close_after_days: 10", MARK[1:], id="not closed without a word"),
        pytest.param(
            activity(pull("Old", author="carol"), 90, 80, by_hand=True, notices=(notice(60),)),
            "close_after_days: 10",
            [],
            id="of somebody who may write by now",
        ),
        pytest.param(activity(pull("Old"), 5, 1, by_hand=True), "", [], id="by hand, just now"),
        pytest.param(activity(pull("Old"), 30, 1, by_hand=True), "", MARK[1:], id="by hand, and old"),
        pytest.param(activity(pull("Old"), 1, 5, by_hand=True), "", BACK[1:], id="by hand, and back"),
        pytest.param(activity(pull("Old"), 5), "", [], id="nobody knows since when"),
        pytest.param(
            activity(pull("Old", "Keep"), 40, 5, notices=(notice(5),)), "exempt_labels: [keep]", BACK, id="exempt now"
        ),
        pytest.param(activity(pull("Old", "K"), 40, 5, by_hand=True), "exempt_labels: [k]", [], id="exempt by hand"),
    ],
)  # fmt: skip
def test_what_follows(each: Activity, more: str, expected: list[str]) -> None:
    assert effects(each, more) == expected


def test_mm62_once_for_each_time() -> None:
    """The key has the time of the last activity: the same again is known, the next time is news."""
    config = load(f"{BASE}}}", "c.yml").config
    keys = []
    for active in (60, 60, 31):
        each = activity(pull(), active)
        plan = make_plan(GrownOld(each.subject.repository, (each.subject,)), config, Facts(each))
        keys += [effect.key for effect in plan.effects if isinstance(effect, Comment)]
    assert keys[0] == keys[1] != keys[2]


def test_who_the_author_is_is_asked_only_where_something_is_to_be_done() -> None:
    config, item = load(f"{BASE}}}", "c.yml").config, pull("Old")
    facts = Facts(activity(item, 40, 5, notices=(notice(5),)))
    make_plan(GrownOld(item.repository, (item,)), config, facts)
    assert facts.asked == 0


@pytest.mark.parametrize(
    ("action", "sender", "expected"),
    [
        ("synchronize", "alice", BACK),
        ("ready_for_review", "alice", BACK),
        ("reopened", "carol", BACK),
        ("synchronize", "app[bot]", []),
        ("edited", "alice", []),
    ],
)
def test_what_an_event_brings_back(action: str, sender: str, expected: list[str]) -> None:
    """Whatever the commit says of its age."""
    item = pull("Old")
    event = PullRequestSeen(action, None, NOW, item, sender=sender, sender_is_bot=sender.endswith("[bot]"))
    found = Facts(activity(item, 40, 5, notices=(notice(5),)))
    plan = make_plan(event, load(f"{BASE}}}", "c.yml").config, found)
    assert [said(effect, done=True) for effect in plan.effects] == expected


DUE, OTHER, NONE = "due", "other", "none"


@pytest.mark.parametrize(
    ("item", "last", "more", "expected"),
    [
        pytest.param(pull(updated=30), 0.01, "", DUE, id="old"),
        pytest.param(pull(updated=29), 0.01, "", NONE, id="not old, later in the day"),
        pytest.param(pull(updated=29), 1, "", OTHER, id="not old, and the first sweep of the day"),
        pytest.param(pull(updated=29), None, "", OTHER, id="not old, and the first sweep of all"),
        pytest.param(pull(updated=5, created=29), 1, "", NONE, id="opened lately"),
        pytest.param(pull("Old", updated=0.02), 0.01, "", DUE, id="marked, and changed lately"),
        pytest.param(pull("Old", updated=5), 0.01, "", NONE, id="marked, and nothing new"),
        pytest.param(pull("Old", updated=5), 1, "", OTHER, id="marked, once a day"),
        pytest.param(pull("Old", updated=5), 0.01, "close_after_days: 5", DUE, id="to be closed"),
        pytest.param(pull("Old", updated=5), 0.01, "close_after_days: 6", NONE, id="not to be closed yet"),
        pytest.param(pull("Keep"), 1, "exempt_labels: [keep]", NONE, id="exempt"),
        pytest.param(pull("Keep", "Old"), 1, "exempt_labels: [keep]", OTHER, id="exempt by now"),
        pytest.param(pull(), 1, "only_labels: [ask]", NONE, id="without the only label"),
        pytest.param(pull(draft=True), 1, "exempt_drafts: true", NONE, id="a draft"),
        pytest.param(pull(author_is_bot=True), 1, "", NONE, id="a bot's"),
        pytest.param(pull(author_is_bot=True), 1, "authors: everybody", DUE, id="everybody's"),
        pytest.param(issue(), 1, "", NONE, id="an issue"),
        pytest.param(issue("Old"), 1, "", NONE, id="an issue that carries it"),
        pytest.param(issue(), 1, "issues: true", DUE, id="an issue where these are wanted"),
        pytest.param(issue(updated=5), 1, "issues: true", OTHER, id="an issue that a bot has touched"),
    ],
)  # fmt: skip
def test_what_a_sweep_picks(item: Subject, last: float | None, more: str, expected: str) -> None:
    facts = Facts(last=None if last is None else ago(last))
    found = look_over([item], load(f"{BASE}{', ' + more if more else ''}}}", "c.yml").config, facts)
    picked = [each for each in found if isinstance(each, GrownOld)]
    assert ([item.number for each in picked for item in each.subjects] == [7]) is (expected == DUE)
    assert ([item.number for each in picked for item in each.others] == [7]) is (expected == OTHER)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("days: 0", "stale.days: Input should be greater than or equal to 1"),
        ("days: -1", "stale.days: Input should be greater than or equal to 1"),
        ("label: old", "stale.days: is missing"),
        ("days: 1, close_after_days: 0", "stale.close_after_days: Input should be greater than or equal to 1"),
        ("days: 1, authors: strangers", "stale.authors: must be outsiders or everybody"),
        ("days: 1, exempt_labels: [Stale]", "stale: must not have its own `label` among `exempt_labels`"),
        ("days: 1, exempt_label: [a]", 'stale.exempt_label: unknown key, did you mean "exempt_labels"?'),
    ],
)
def test_mm62_a_mistake_is_one_line(text: str, told: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(f"stale: {{{text}}}", "c.yml")
    assert str(caught.value) == f"c.yml:1: {told}"


def test_mm62_days_of_the_original_that_are_not_given_are_off() -> None:
    for text in ('{"StaleComment": "Old"}', '{"DaysUntilStale": 0}', '{"StaleLabel": "old"}'):
        assert load(text, "c.json").config.stale is None
    with pytest.raises(ConfigErrors, match=r"c.json:1: DaysUntilStale: Input should be greater than or equal to 1"):
        load('{"DaysUntilStale": -1}', "c.json")
