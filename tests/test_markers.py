"""Which comments are ours, where another workflow of the same account repeats a stranger's words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action import inputs
from mattermod_action.effects import Comment, marker
from mattermod_action.errors import Mistake
from mattermod_action.markers import Seals, at_end, marker_of
from sandbox import payloads
from sandbox.markdown import to_html
from tests.builders import pull_seen
from tests.scene import bodies, deliver, run, unmarked

if TYPE_CHECKING:
    from sandbox import Sandbox, records
    from tests.harness import Bot

ITEM = pull_seen().subject
ELSEWHERE = replace(ITEM, number=8)
ELSEWHERE_TOO = replace(ITEM, repository=replace(ITEM.repository, id=ITEM.repository.id + 1))
OLD, NEW, FOREIGN = ("k" * 32, "n" * 32, "f" * 32)
OURS = marker("label_messages", "0123456789abcdef")
SIGNED = Seals((OLD,)).sealed(ITEM, OURS).strip()
US = "github-actions[bot]"
SECURITY, SAYS = "Security", "Do not merge before the security team has looked at it."
CONFIG = f'label_messages: {{pull_requests: [{{label: {SECURITY}, message: "{SAYS}"}}]}}\ncherry_pick: {{}}\n'
REPEATED = {
    "middle": "You wrote: hello {marker} there",
    "end": "You wrote: hello {marker}",
    "last line": "You wrote:\n\n{marker}",
    "quoted": "> {marker}\n\nThanks!",
    "in code": "```\n{marker}\n```",
    "after a space": " {marker}\n\nThanks!",
    "after a mark of the byte order": "\ufeff{marker}\n\nThanks!",
    "with more on its line": "{marker} Thanks!\n\nmore",
    "second line": "\n{marker}\n\nThanks!",
    "after a form feed": "\x0c\n{marker}",
}
FIRST = "{marker}\n\nThanks!"


@pytest.mark.parametrize("keys", [(), (OLD,)], ids=["without a key", "with one"])
@pytest.mark.parametrize("shape", REPEATED)
def test_t10_only_the_first_line_is_a_marker(shape: str, keys: tuple[str, ...]) -> None:
    for each in (OURS, SIGNED):
        assert Seals(keys).marker_in(ITEM, REPEATED[shape].format(marker=each)) == ""


@pytest.mark.parametrize(
    ("made", "read", "item", "counts"),
    [
        pytest.param((), (), ITEM, True, id="neither has a key"),
        pytest.param((OLD,), (OLD,), ITEM, True, id="the same key"),
        pytest.param((OLD,), (NEW, OLD), ITEM, True, id="a newer key is first"),
        pytest.param((NEW, OLD), (OLD, NEW), ITEM, True, id="a run that has not heard of the newer one as first"),
        pytest.param((OLD,), (NEW,), ITEM, False, id="the key was taken out of the list"),
        pytest.param((), (OLD,), ITEM, False, id="no seal, and there is a key"),
        pytest.param((FOREIGN,), (OLD,), ITEM, False, id="somebody else's key"),
        pytest.param((OLD,), (), ITEM, True, id="the input was taken away"),
        pytest.param((OLD,), (OLD,), ELSEWHERE, False, id="copied from another item"),
        pytest.param((OLD,), (OLD,), ELSEWHERE_TOO, False, id="copied from another repository"),
    ],
)
def test_t10_a_seal_is_of_one_key_and_one_item(
    made: tuple[str, ...], read: tuple[str, ...], item: Any, *, counts: bool
) -> None:
    body = Seals(made).sealed(ITEM, f"{OURS}\n\nHello")
    assert Seals(read).marker_in(item, body) == (OURS if counts else "")
    assert marker_of(body) == OURS
    assert unmarked(body) == "Hello"


@pytest.mark.parametrize("change", [str.upper, lambda text: text.replace("label_messages", "cherry_pick")])
def test_t10_a_seal_is_of_the_whole_marker(change: Any) -> None:
    assert Seals((OLD,)).marker_in(ITEM, change(SIGNED)) == ""


def test_t10_a_marker_at_the_end_is_known_for_rows_only() -> None:
    old = f"Hello\n\n{OURS}"
    assert (at_end(old), marker_of(old), Seals().marker_in(ITEM, old)) == (OURS, OURS, "")
    assert [
        at_end(text) for text in ("", "Hello", f"{OURS} Hello", f"Hello\n\n{OURS}\n\nmore", "<!-- mattermod:v1:")
    ] == [""] * 5


@pytest.mark.parametrize(
    "text", ["**Hello** @alice", "- one\n- two", "| a |\n| --- |\n| b |", "```\nx\n```", "# Head", "<b>x</b>"]
)
def test_t10_what_follows_the_marker_is_read_as_without_it(text: str) -> None:
    """CommonMark: an HTML comment ends in the line of its `-->`. GitHub shows nothing of it."""
    comment = Comment(subject=ITEM, text=text, once=())
    assert to_html(comment.body, lambda _: "").strip() == to_html(text, lambda _: "").strip()


@pytest.mark.parametrize("value", ["short", f"{OLD} short", "a,b"])
def test_t10_a_key_that_can_be_guessed_is_refused(value: str) -> None:
    with pytest.raises(Mistake, match="marker-key"):
        inputs.read({"INPUT_MARKER-KEY": value})
    assert inputs.read({"INPUT_MARKER-KEY": f"{NEW},\n {OLD}"}).marker_keys == (NEW, OLD)


def of_message(github: Sandbox, number: int) -> str:
    """The marker that our message is going to have: anybody can make it."""
    made = Comment(
        subject=replace(ITEM, number=number), text="", once=(SECURITY.casefold(), 0), feature="label_messages"
    )
    where = github.state.repository(github.repository)
    assert where
    repository = replace(ITEM.repository, id=where.id)
    return replace(made, subject=replace(made.subject, repository=repository)).marker


def security(github: Sandbox) -> tuple[int, Any]:
    number = github.state.add_pull(github.repository, "x", "stranger", head="stranger/hello:x").number
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    return number, payloads.labeled(github.state, github.repository, number, SECURITY, "maintainer")


@pytest.mark.parametrize("shape", ["end", "quoted"])
def test_t10_a_repeated_marker_suppresses_no_message(bot: Bot, github: Sandbox, shape: str) -> None:
    number, event = security(github)
    echo = REPEATED[shape].format(marker=of_message(github, number))
    github.state.add_comment(github.repository, number, US, echo)
    run(bot, event)
    assert bodies(github, number) == [echo, SAYS]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)  # which believes markers where it has no row
@pytest.mark.parametrize("key", ["", OLD])
def test_t10_a_workflow_that_begins_with_a_strangers_words_is_stopped_by_the_key_alone(
    bot: Bot, github: Sandbox, key: str
) -> None:
    bot.inputs["marker-key"] = key
    number, event = security(github)
    github.state.add_comment(github.repository, number, US, FIRST.format(marker=of_message(github, number)))
    done = run(bot, event)
    assert bodies(github, number) == ["Thanks!", SAYS] if key else ["Thanks!"]
    assert key not in done.log.replace(f"::add-mask::{key}", "") or not key


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_t10_with_a_key_our_own_are_found_again_and_after_it_has_changed(bot: Bot, github: Sandbox) -> None:
    number, event = security(github)
    for keys in (OLD, f"{NEW} {OLD}", f"{NEW}\n{OLD}"):
        bot.inputs |= {"marker-key": keys, "state": f".mattermod/{len(keys)}{keys[:1]}.sqlite"}  # each file is lost
        run(bot, event)
    [body] = [each.body for each in github.state.item(github.repository, number).comments]
    assert re.match(r"<!-- mattermod:v1:label_messages:[0-9a-f]{16}:[0-9a-f]{32} -->\n\n", body)


def merged(github: Sandbox) -> int:
    """A merged pull request that may be picked."""
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    number = github.state.add_pull(github.repository, "y", "stranger", head="y", mergeable_reads=0).number
    where = github.state.repository(github.repository)
    assert where
    where.branches["release-1"] = where.branches["main"]
    github.state.merge(github.repository, number, "squash", "y", "maintainer")
    return number


def asked(github: Sandbox, number: int) -> Any:
    return payloads.comment_created(github.state, github.repository, number, "maintainer", "/cherry-pick release-1")


def summary_on(github: Sandbox, number: int) -> records.Comment:
    """The one comment with the table of picks."""
    comments = github.state.item(github.repository, number).comments
    [summary] = [each for each in comments if "| branch |" in each.body]
    return summary


def said(github: Sandbox, number: int, text: str) -> Any:
    return payloads.comment_created(github.state, github.repository, number, "maintainer", text)


def of_summary(github: Sandbox, number: int) -> str:
    where = github.state.repository(github.repository)
    assert where
    subject = replace(ITEM, number=number, repository=replace(ITEM.repository, id=where.id))
    return Comment(subject=subject, text="", once=("summary",), feature="cherry_pick").marker


@pytest.mark.parametrize("shape", ["middle", "last line"])
def test_t10_no_summary_is_written_over_another_workflows_comment(bot: Bot, github: Sandbox, shape: str) -> None:
    number = merged(github)
    report = REPEATED[shape].format(marker=of_summary(github, number))
    github.state.add_comment(github.repository, number, US, report)
    deliver(bot, asked(github, number))
    assert bodies(github, number)[0] == report
    assert any("| branch |" in each for each in bodies(github, number))


@pytest.mark.parametrize("theirs", ["another workflow's", "a stranger's", "a stranger's with our marker"])
def test_t10_a_row_that_names_a_comment_of_somebody_else_changes_nothing_of_it(
    bot: Bot, github: Sandbox, theirs: str
) -> None:
    """Neither a state file that came with a checkout, nor a row that another repository's writer has changed."""
    number = merged(github)
    deliver(bot, asked(github, number))
    comments = github.state.item(github.repository, number).comments
    [summary] = [each for each in comments if "| branch |" in each.body]
    text = f"{of_summary(github, number)}\n\nmine" if "marker" in theirs else "A report."
    summary.body = text
    summary.author = github.state.person("stranger" if "stranger" in theirs else US)
    other = github.state.add_comment(github.repository, number, "maintainer", "/cherry-pick cancel release-1")
    deliver(bot, payloads.comment_created(github.state, github.repository, number, "maintainer", "/cherry-pick retry"))
    assert summary.body == text
    assert other.body == "/cherry-pick cancel release-1"


def test_t10_a_comment_of_an_older_version_is_edited_where_its_row_names_it(bot: Bot, github: Sandbox) -> None:
    number = merged(github)
    deliver(bot, asked(github, number))
    summary = summary_on(github, number)
    summary.body = f"| branch | as it was |\n\n{of_summary(github, number)}"
    deliver(bot, said(github, number, "/cherry-pick retry release-1"))
    assert summary.body.startswith("<!-- mattermod:v1:cherry_pick:")
    assert "as it was" not in summary.body


def test_t10_a_comment_of_a_person_whose_token_we_have_is_ours(bot: Bot, github: Sandbox) -> None:
    """No login of `bot-logins`: only a query says that we are the person."""
    number = merged(github)
    bot.inputs["bot-logins"] = "somebody-else"
    deliver(bot, asked(github, number))
    summary = summary_on(github, number)
    summary.body = f"{of_summary(github, number)}\n\nas it was"
    deliver(bot, said(github, number, "/cherry-pick retry release-1"))
    assert "as it was" not in summary.body
