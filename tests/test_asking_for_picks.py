"""How people ask for picks, and take that back: by the comment that they write, in what GitHub then holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.records import LineComment, Review
from tests.picks import RELEASE, Project
from tests.scene import bodies, deliver
from tests.test_cherry_pick import configure, merged, summary

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.records import Comment, Pull
    from tests.harness import Bot

pytestmark = pytest.mark.one_store
OTHER = "release-10.4"
ALIASES = "commands: {aliases: {backport: cherry-pick}, ignore: [cherry-tick]}\ncherry_pick: {}\n"


@pytest.fixture
def project(github: Sandbox, bot: Bot, tmp_path: Path) -> Project:
    configure(github, "cherry_pick: {}\n")
    github.state.tokens["github-token"].permissions |= {"contents": "write", "statuses": "write"}
    return Project(github, bot, tmp_path / "clone")


def waiting(project: Project, body: str = f"/cherry-pick {RELEASE}", by: str = "maintainer") -> Pull:
    """An open pull request on which somebody has asked."""
    pull = project.pull(lambda: project.change("new"))
    project.say(pull, body, by)
    return pull


def comment(pull: Pull, begins: str = "/") -> Comment:
    return [each for each in pull.comments if each.body.startswith(begins)][-1]


def thumbs(pull: Pull) -> list[set[str]]:
    return [{content for content, _ in each.reactions} for each in pull.comments if each.body.startswith("/")]


def close_merged(project: Project, pull: Pull) -> Any:
    project.merge(pull)
    return deliver(
        project.bot,
        payloads.about(project.github.state, project.github.repository, pull.number, "closed", "maintainer"),
    )


def deleted(project: Project, pull: Pull, by: str = "maintainer") -> Any:
    """Take the comment away, as its author or anybody with write access may, and have the bot hear of it."""
    gone = comment(pull)
    event = project.said(pull, gone.body, by)
    pull.comments[:] = [each for each in pull.comments if each.id not in (gone.id, event["comment"]["id"])]
    event["comment"]["id"], event["action"] = gone.id, "deleted"
    return deliver(project.bot, event)


@pytest.mark.parametrize(
    "words",
    [
        "/Cherry-Pick {0}",
        "/cherrypick {0}",
        "/cherry-pick: {0}",
        "/cherry-pick to {0}.",
        "/cherry-pick origin/{0}",
        "/cherry-pick `{0}`",
        "\ufeff/cherry-pick\u00a0{0}",
        "Looks good.\n\n  /cherry-pick @{0}, please\u200b",
        "/cherry-pick https://github.com/octo-org/hello/tree/{0}",
    ],
)
def test_what_people_type_is_picked(project: Project, words: str) -> None:
    pull = merged(project)
    project.say(pull, words.format(RELEASE))
    assert [each.base_ref for each in project.opened()] == [RELEASE]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_an_alias_counts_where_it_is_configured_and_when_the_comment_is_read_again(project: Project) -> None:
    pull = waiting(project, f"/backport {RELEASE}")
    assert bodies(project.github, pull.number) == [f"/backport {RELEASE}"], "other bots listen to it"
    configure(project.github, ALIASES)
    project.say(pull, f"/backport {RELEASE}")
    assert "will be picked when this is merged" in summary(project, pull)
    close_merged(project, pull)
    assert [each.base_ref for each in project.opened()] == [RELEASE]


@pytest.mark.parametrize(
    ("body", "by", "said"),
    [
        ("/chery-pick x", "maintainer", "there is no command `/chery-pick` here: did you mean `/cherry-pick`?"),
        ("/cherry_pick x", "maintainer", "there is no command `/cherry_pick` here: did you mean `/cherry-pick`?"),
        ("/cherry pick x", "maintainer", "there is no command `/cherry` here: did you mean `/cherry-pick`?"),
        ("/chery-pick x", "newcomer", "did you mean `/cherry-pick`?"),
        ("/chery-pick x", "stranger", ""),
        ("/cherry-tick x", "maintainer", ""),
        ("/lgtm", "maintainer", ""),
        ("/mattermod lgtm", "maintainer", "there is no command `lgtm` here. `/mattermod help` lists those"),
    ],
)  # fmt: skip
def test_a_near_miss_gets_one_answer(project: Project, body: str, by: str, said: str) -> None:
    """The pull request is the newcomer's."""
    configure(project.github, ALIASES)
    pull = project.pull(lambda: project.change("new"), author="newcomer")
    for _ in range(2):
        assert project.say(pull, body, by).code == 0
    ours = [each for each in bodies(project.github, pull.number) if not each.startswith("/")]
    assert len(ours) == bool(said)
    assert all(said in each for each in ours)
    assert "?." not in "".join(ours)


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize(
    ("branch", "said"),
    [
        ("relase-10.5", f"there is no such branch; near it: `{RELEASE}`"),
        ("main", "that is the branch into which it will be merged"),
        (RELEASE, "will be picked when this is merged"),
    ],
)
def test_a_branch_is_looked_up_before_it_is_promised(project: Project, branch: str, said: str) -> None:
    pull = waiting(project, f"/cherry-pick {branch}")
    assert said in summary(project, pull)
    assert thumbs(pull) == [{"eyes", "+1" if branch == RELEASE else "-1"}]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_a_branch_that_was_made_since_is_promised_when_somebody_asks_again(project: Project) -> None:
    pull = waiting(project, f"/cherry-pick {OTHER}", "maintainer")
    project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/{OTHER}")
    project.say(pull, f"/cherry-pick {OTHER}", "reviewer")
    assert "will be picked when this is merged" in summary(project, pull)
    pull.comments.remove(next(each for each in pull.comments if each.body.startswith("/")))
    close_merged(project, pull)
    assert [each.base_ref for each in project.opened(OTHER)] == [OTHER], summary(project, pull)


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("words", ["cancel", f"cancel {RELEASE}", f"Cancel: {RELEASE}."])
def test_a_request_is_taken_back(project: Project, words: str) -> None:
    pull = waiting(project)
    project.say(pull, f"/cherry-pick {words}", "reviewer")
    assert "it was withdrawn" in summary(project, pull)
    assert "+1" in thumbs(pull)[-1]
    close_merged(project, pull)
    project.say(pull, "/cherry-pick retry")
    assert project.opened() == []


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_what_was_taken_back_may_be_asked_for_again(project: Project) -> None:
    pull = waiting(project)
    project.say(pull, "/cherry-pick cancel")
    project.say(pull, f"/cherry-pick {RELEASE}", "reviewer")
    assert "will be picked when this is merged" in summary(project, pull)
    close_merged(project, pull)
    assert [each.base_ref for each in project.opened()] == [RELEASE]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("cancel", "#{made} is there already: close it, if it is not wanted"),
        ("cancel cloud", "nothing was asked to be picked onto `cloud`"),
    ],
)
def test_what_cannot_be_taken_back_is_said(project: Project, words: str, said: str) -> None:
    pull = merged(project)
    project.say(pull, f"/cherry-pick {RELEASE}")
    project.say(pull, f"/cherry-pick {words}")
    [made] = project.opened()
    assert said.format(made=made.number) in bodies(project.github, pull.number)[-1]
    assert made.state == "open"
    assert "-1" in thumbs(pull)[-1]


def test_a_stranger_takes_nothing_back(project: Project) -> None:
    pull = waiting(project)
    project.say(pull, "/cherry-pick cancel", "stranger")
    assert "withdrawn" not in "".join(bodies(project.github, pull.number))


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_whoever_deletes_the_comment_takes_it_back(project: Project) -> None:
    pull = waiting(project)
    assert deleted(project, pull).code == 0
    assert "it was withdrawn" in summary(project, pull)
    close_merged(project, pull)
    assert project.opened() == []


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_a_comment_that_asked_for_what_is_done_may_go(project: Project) -> None:
    pull = merged(project)
    project.say(pull, f"/cherry-pick {RELEASE}")
    before = bodies(project.github, pull.number)[-1]
    deleted(project, pull)
    assert bodies(project.github, pull.number)[-1] == before


@pytest.mark.parametrize(
    ("asked", "reaction"),
    [
        (RELEASE, "+1"),
        ("nosuch", "-1"),
        (f"{RELEASE} nosuch", "confused"),
        (f"{RELEASE}, {OTHER}", "confused"),
        ("", "-1"),
    ],
)
def test_a_reaction_is_the_truth(project: Project, asked: str, reaction: str) -> None:
    """The other release conflicts."""
    project.git("push", "--quiet", "origin", f"origin/{RELEASE}:refs/heads/{OTHER}")
    project.on(OTHER, lambda: project.change("released", 20), "Release")
    pull = merged(project)
    event = project.said(pull, f"/cherry-pick {asked}")
    for _ in range(2):  # GitHub may deliver it twice
        deliver(project.bot, event)
    assert thumbs(pull) == [{"eyes", reaction}]


@pytest.mark.parametrize("milestone", ["v10.5.0", ""])
def test_alone_it_takes_the_branches_of_the_milestone(project: Project, milestone: str) -> None:
    pull = merged(project)
    if milestone:
        made = project.github.state.add_milestone(project.github.repository, milestone)
        project.github.state.change_item(project.github.repository, pull.number, {"milestone": made.number})
    project.say(pull, "/cherry-pick")
    assert [each.base_ref for each in project.opened()] == ([RELEASE] if milestone else [])
    assert milestone or "name the branches to pick it onto" in bodies(project.github, pull.number)[-1]


def in_review(project: Project, pull: Pull, body: str, by: str = "maintainer") -> tuple[Any, Review]:
    state, place = project.github.state, project.github.repository
    made = Review(state.next_id(), state.person(by), "COMMENTED", body, pull.head_sha, state.now())
    state.review(place, pull.number, made)
    return payloads.reviewed(state, place, pull.number, made.id, by), made


def on_line(project: Project, pull: Pull, body: str, by: str = "maintainer") -> tuple[Any, LineComment]:
    state, place = project.github.state, project.github.repository
    made = LineComment(
        state.next_id(), state.person(by), body, state.now(), state.now(), path="app.py", line=21, sha=pull.head_sha
    )
    state.comment_on_line(place, pull.number, made)
    return payloads.commented_on_line(state, place, pull.number, made.id, by), made


@pytest.mark.parametrize("write", [in_review, on_line])
@pytest.mark.parametrize(
    ("body", "by", "reactions"),
    [
        (f"LGTM\n\n/cherry-pick {RELEASE}", "maintainer", {"eyes", "+1"}),
        ("/cherry-pick nosuch", "maintainer", {"eyes", "-1"}),
        (f"/cherry-pick {RELEASE} with #1", "maintainer", {"eyes", "-1"}),
        (f"/cherry-pick {RELEASE}", "stranger", {"-1"}),
        ("LGTM", "maintainer", set()),
    ],
)
def test_a_command_in_a_review_counts(project: Project, write: Any, body: str, by: str, reactions: set[str]) -> None:
    pull = merged(project)
    event, made = write(project, pull, body, by)
    for _ in range(2):  # GitHub may deliver it twice
        assert deliver(project.bot, event).code == 0
    assert len(project.opened()) == ("+1" in reactions)
    assert {content for content, _ in made.reactions} == reactions


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("write", [in_review, on_line])
def test_what_is_kept_until_the_merge_is_asked_for_in_a_comment(project: Project, write: Any) -> None:
    pull = project.pull(lambda: project.change("new"))
    event, made = write(project, pull, f"/cherry-pick {RELEASE}")
    deliver(project.bot, event)
    assert "give it in a comment" in bodies(project.github, pull.number)[-1]
    assert {content for content, _ in made.reactions} == {"eyes", "-1"}


@pytest.mark.parametrize(("action", "sender", "picked"), [("edited", "maintainer", 1), ("edited", "reviewer", 0)])
def test_what_is_added_to_a_review_counts(project: Project, action: str, sender: str, picked: int) -> None:
    pull = merged(project)
    event, _ = in_review(project, pull, f"/cherry-pick {RELEASE}")
    event |= {"action": action, "sender": {**event["sender"], "login": sender}, "changes": {"body": {"from": "LGTM"}}}
    deliver(project.bot, event)
    assert len(project.opened()) == picked
