"""`/cherry-pick release-10.5 with #12 #15`: several merged pull requests onto one branch, as one pull request."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.errors import Refused
from mattermod_action.members import Member, in_order, joined
from mattermod_action.picks import RANGE, Chosen, Commit, Source, head_ref
from mattermod_action.series import MOST, NO_MEMBERS, branch, is_series, members_of, named_in, targets_of
from tests.builders import pull_seen
from tests.cut import Cut
from tests.pick_trials import NOW, Picks
from tests.picks import RELEASE, Project
from tests.scene import bodies, run
from tests.test_cherry_pick import DONE, LATER, TICK, closed, configure, labels, project, summary

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot

__all__ = ["project"]
pytestmark = pytest.mark.one_store
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PULL = pull_seen(number=20).subject
WHERE = PULL.repository.full_name


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("with #12 #15", (12, 15)),
        ("With #15 #12", (15, 12)),
        ("with 12, 15", (12, 15)),
        ("with #12,#15", (12, 15)),
        ("with #12 and #15.", (12, 15)),
        ("with #12 & 15;", (12, 15)),
        ("with PR#12 !15", (12, 15)),
        (f"with https://github.com/{WHERE}/pull/12 {WHERE}#15", (12, 15)),
        (f"with <https://github.com/{WHERE.upper()}/pull/12/files#diff-1> {WHERE}#15", (12, 15)),
        (f"with https://github.com/{WHERE}/issues/15", (15,)),
        ("with #12 #12 12", (12,)),
        ("with #20 #12", (12,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_se10_what_is_read_as_a_pull_request(text: str, members: tuple[int, ...]) -> None:
    args = ("release-1", "release-2", *text.split())
    assert is_series(args)
    assert (targets_of(args), members_of(args, PULL)) == (("release-1", "release-2"), members)
    assert targets_of(("retry", *args)) == ("release-1", "release-2")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("with", NO_MEMBERS),
        ("with #20", NO_MEMBERS),
        ("with and ,", NO_MEMBERS),
        ("with care", "`care` is not a pull request of this repository"),
        ("with #0", "`#0` is not a pull request"),
        ("with #12345678901", "`#12345678901` is not a pull request"),
        ("with octo-org/other#12", "`octo-org/other#12` is not a pull request of this repository"),
        ("with https://github.com/octo-org/other/pull/12", "is not a pull request of this repository"),
        ("with #12 @everyone", "`@everyone` is not a pull request"),
        ("with " + " ".join(map(str, range(100, 101 + MOST))), f"at most {MOST} pull requests"),
    ],
)
def test_se11_what_is_none_is_refused(text: str, line: str) -> None:
    with pytest.raises(Refused, match=line.replace(".", r"\.")):
        members_of(("release-1", *text.split()), PULL)


@pytest.mark.parametrize("args", [(), ("release-1",), ("retry",), ("release-1", "#12")])
def test_se12_without_the_word_it_is_no_series(args: tuple[str, ...]) -> None:
    assert not is_series(args)
    assert members_of(args, PULL) == ()


def test_se13_a_branch_for_each_set_of_them_and_never_that_of_an_ordinary_pick() -> None:
    sets = [(), (12,), (12, 15), (1, 215), (121, 5), tuple(range(10**9, 10**9 + MOST))]
    targets = ["release-1", "with-12", "-with-12-release-1".strip("-"), "x" * 200]
    refs = ["topic", "15-topic", "with-12-topic", "--with-12-x", "-with-12", "ü"]
    made: dict[tuple[str, str, tuple[int, ...]], str] = {}
    for ref in refs:
        pull = replace(PULL, ref=ref)
        made |= {(ref, target, each): branch(pull, target, each) for target in targets for each in sets}
        assert all(branch(pull, target, ()) == head_ref(pull, target) for target in targets)
    assert len(set(made.values())) == len(made)
    assert all(len(name) <= 255 for name in made.values())
    assert all(named_in(name) == tuple(sorted(each)) for (_, _, each), name in made.items())
    assert branch(PULL, "release-1", (15, 12)) == branch(PULL, "release-1", (12, 15))


def member(number: int, seconds: int, *after: int, own: int = 1) -> Member:
    """Merged at that time, by one commit on top of those of `after`."""
    commits = [Commit(f"{each:040}", ("0",), f"Title {each}", "", NOON) for each in (number, *after)]
    mine = tuple(Commit(f"{number}{each:030}", ("0",), "Mine", "", NOON) for each in range(min(own, RANGE)))
    pull = replace(PULL, number=number, merged=True, state="closed")
    source = Source(pull=pull, title="", merge=commits[0], history=tuple(commits), own=mine, own_count=own)
    return Member(source, NOON + timedelta(seconds=seconds))


def test_se14_they_follow_each_other_as_their_merges_do() -> None:
    """By time, and within a second, as of a merge queue, by what each merge has in its history."""
    members = [member(9, 0), member(3, 5, 9), member(7, 5, 3, 9), member(5, 5, 7, 3, 9), member(1, 8)]
    for shuffled in permutations(members):
        assert [each.number for each in in_order(shuffled)] == [9, 3, 7, 5, 1]


def test_se15_one_that_was_not_read_to_its_beginning_is_picked_only_if_it_was_squashed() -> None:
    squashed = member(1, 0, own=RANGE + 1)
    assert squashed.chosen(skip_merges=False).picks == (f"{1:040}",)
    merge = squashed.source.merge
    assert merge
    pushed = replace(squashed, source=replace(squashed.source, own=(*squashed.source.own[1:], merge)))
    with pytest.raises(Refused):
        pushed.chosen(skip_merges=False)


def test_se16_what_has_to_be_compared_stays_beside_its_own() -> None:
    one, two, rebased = Chosen(("a",)), Chosen(("b",), ("x",)), Chosen(("c", "d"), ("y", "z"))
    assert joined([one, two]) == Chosen(("a", "b"))
    assert joined([one, rebased, two]) == Chosen(("a", "c", "d", "b"), ("a", "y", "z", "b"))


def stacked(project: Project, *texts: str, method: str = "squash") -> list[Pull]:
    """Merged pull requests, each of which changes the line that the one before has changed."""
    return [project.merge(project.pull(partial(project.change, text)), method) for text in texts]


def numbers(pulls: list[Pull]) -> str:
    return " ".join(f"#{pull.number}" for pull in pulls)


@pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
def test_se17_several_become_one_pull_request(project: Project, method: str) -> None:
    """In the order of their merges, whatever the order they were named in; and asking twice is asking once."""
    configure(project.github, "cherry_pick: {copy_labels: ['area/*']}\n")
    one, two, three = stacked(project, "one", "two", "three", method=method)
    project.github.state.add_labels(project.github.repository, one.number, ["area/api"], "maintainer")
    commits = [str(pull.merge_sha) for pull in (one, two, three)]
    tip = project.repository.branches[RELEASE]
    said = project.said(three, f"/cherry-pick {RELEASE} with {numbers([two, one])}")
    for _ in range(2):
        run(project.bot, said)
    [made] = project.opened()
    assert project.tree(made.head_ref) == project.picked_by_git(tip, commits)
    assert made.title == f"Automated cherry pick of #{one.number}, #{two.number}, #{three.number}"
    shown = [f"#{each.number} `{each.title}`" for each in (one, two, three)]
    assert "Picked together, in the order of their merges:\n\n- " + "\n- ".join(shown) in made.body
    assert "/cc @newcomer\n" in made.body
    assert "area/api" in labels(made)
    line = f"| `{RELEASE}` with #{one.number} #{two.number} | #{made.number} |"
    assert line in summary(project, three)
    assert (labels(three), labels(two), bodies(project.github, two.number)) == ([DONE], [], [])


def test_se18_one_that_is_there_already_adds_nothing(project: Project) -> None:
    one, two = stacked(project, "one", "two")
    project.on(RELEASE, lambda: project.change("one"), "By hand")
    project.say(two, f"/cherry-pick {RELEASE} with #{one.number}")
    [made] = project.opened()
    project.git("fetch", "--quiet", "origin", RELEASE, made.head_ref)
    commits = project.git("log", "--format=%s", f"origin/{RELEASE}..{made.head_sha}")
    assert commits == f"{two.title} (#{two.number})"


def not_merged(project: Project) -> str:
    return f"#{project.pull(lambda: project.change('x', 1)).number}"


def not_merged_and_closed(project: Project) -> str:
    pull = project.pull(lambda: project.change("x", 1))
    project.github.state.change_item(project.github.repository, pull.number, {"state": "closed"})
    return f"#{pull.number}"


def an_issue(project: Project) -> str:
    return f"#{project.github.state.add_issue(project.github.repository, 'Broken', 'newcomer').number}"


def of_another_base(project: Project) -> str:
    project.git("push", "--quiet", "origin", "origin/main:refs/heads/next")
    pull = project.pull(lambda: project.change("x", 1))
    pull.base_ref = "next"
    return f"#{project.merge(pull).number}"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (not_merged, "{name} is not merged yet: ask to `retry` when it is"),
        (not_merged_and_closed, "{name} was closed without being merged"),
        (an_issue, "{name} is not a pull request of this repository"),
        (lambda _: "#9999", "{name} is not a pull request of this repository"),
        (of_another_base, "{name} was merged into `next`, not into `main`"),
    ],
    ids=["open", "closed", "issue", "none", "other base"],
)  # fmt: skip
def test_se19_one_that_cannot_be_picked_stops_all_of_it(project: Project, member: Any, reason: str) -> None:
    [pull], name = stacked(project, "one"), member(project)
    project.say(pull, f"/cherry-pick {RELEASE} with {name}")
    assert f"| not picked: {reason.format(name=name)} |" in summary(project, pull)
    assert (project.opened(), labels(pull)) == ([], [])


def test_se20_retry_picks_the_same_series_by_the_comment_that_asked(project: Project) -> None:
    other = project.pull(lambda: project.change("x", 1))
    [pull] = stacked(project, "one")
    project.say(pull, f"/cherry-pick {RELEASE} with #{other.number}")
    assert project.opened() == []
    project.merge(other)
    project.say(pull, "/cherry-pick retry")
    [made] = project.opened()
    assert made.title == f"Automated cherry pick of #{pull.number}, #{other.number}"


def test_se21_the_first_conflict_is_named_and_a_larger_series_takes_its_place(project: Project) -> None:
    """What the first one was asked for is not picked any more: one pull request comes of it."""
    one, two, three = stacked(project, "one", "two", "three")
    far = project.merge(project.pull(lambda: project.change("far", 1)))
    project.say(three, f"/cherry-pick {RELEASE}")
    project.say(three, f"/cherry-pick {RELEASE} with {numbers([two, far])}")
    told = bodies(project.github, three.number)[-1]
    order = f"Of #{two.number}, #{three.number} and #{far.number}, picked in this order, #{two.number} is the first"
    assert order in told
    project.say(three, f"/cherry-pick {RELEASE} with {numbers([two, one])}")
    [made] = project.opened()
    assert f"| `{RELEASE}` with #{one.number} #{two.number} | #{made.number} |" in summary(project, three)
    project.say(three, f"/cherry-pick {RELEASE} with {numbers([two, one])}")
    assert len(project.opened()) == 1


def test_se22_a_pick_that_is_open_is_closed_by_a_person_first(project: Project) -> None:
    one, two = stacked(project, "one", "two")
    far = project.merge(project.pull(lambda: project.change("far", 1)))
    project.say(far, f"/cherry-pick {RELEASE}")
    [made] = project.opened()
    said = len(bodies(project.github, far.number))
    project.say(far, f"/cherry-pick {RELEASE} with {numbers([one, two])}")
    [_, answer] = bodies(project.github, far.number)[said:]
    assert f"#{made.number} is open from `{made.head_ref}` already" in answer
    assert len(project.opened()) == 1
    project.github.state.change_item(project.github.repository, made.number, {"state": "closed"})
    project.say(far, f"/cherry-pick {RELEASE} with {numbers([one, two])}")
    [_, series] = project.opened()
    assert f"#{series.number} |" in summary(project, far)


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_se23_before_the_merge_it_is_kept(project: Project) -> None:
    one, two = stacked(project, "one", "two")
    pull = project.pull(lambda: project.change("three"))
    project.say(pull, f"/cherry-pick {RELEASE}")
    project.say(pull, f"/cherry-pick {RELEASE} with {numbers([one, two])}")
    run(project.bot, closed(project, project.merge(pull)))
    [made] = project.opened()
    assert made.title == f"Automated cherry pick of #{one.number}, #{two.number}, #{pull.number}"


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_se24_a_comment_that_is_gone_asks_for_nothing(project: Project) -> None:
    [one] = stacked(project, "one")
    pull = project.pull(lambda: project.change("two"))
    project.say(pull, f"/cherry-pick {RELEASE} with #{one.number}")
    pull.comments = [each for each in pull.comments if not each.body.startswith("/")]
    project.merge(pull)
    project.bot.run("schedule", TICK, **LATER)
    assert project.opened() == []


@pytest.fixture
def picks(bot: Bot, github: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Picks:
    return Picks(bot, github, request.getfixturevalue("database")).prepare(tmp_path / "clone")


MANY = [pytest.param(at, marks=pytest.mark.soak) for at in range(1, 45) if at not in (20, 24, 28)]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("at", [20, 24, 28, *MANY])
def test_se26_f01_kill_9_at_a_request_leaves_one_pull_request(picks: Picks, at: int) -> None:
    """The request was carried out, and not answered; then a sweep goes on, and it is delivered once more."""
    one, two = picks.merged(), picks.merged()
    event = picks.project.said(two, f"/cherry-pick {RELEASE} with #{one.number}")
    cut = Cut(at, "during")
    with picks.wired("http", cut) as bot:
        bot.kill("issue_comment", event, cut, **NOW, **picks.clock)
    picks.pass_time()
    picks.sweep()
    picks.deliver(event, GITHUB_RUN_ATTEMPT="2")
    [made] = picks.project.opened()
    assert made.title == f"Automated cherry pick of #{one.number}, #{two.number}"
    assert f"with #{one.number} | #{made.number} |" in summary(picks.project, two)
