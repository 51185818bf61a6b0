"""Runs of one item that start at the same instant on runners of their own, without a database: one comment is left.

Each run has a workspace of its own, so that nothing but GitHub tells one of the other. GitHub's answers take as long as
on github.com.
"""

from __future__ import annotations

import random
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from tests.cut import Cut, Proxy, http_request
from tests.harness import Bot
from tests.picks import RELEASE, Project
from tests.scene import bodies, texts
from tests.test_faults import address

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from tests.harness import Run

DEV = "2: Dev Review"
LATENCY, SPREAD = 0.15, 0.5  # seconds that github.com takes for an answer, and between the starts of two runners
NOW = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
POST, DELETE = "/repos/*/issues/*/comments", "/repos/*/issues/comments/*"
MESSAGE = "Thanks @newcomer, a developer will look at this within two days."
REVIEW = """
diff_review: {rules: [{text: "TODO", message: "Later is never"}]}
"""


@pytest.fixture
def slow(github: Sandbox) -> Sandbox:
    github.state.latency = LATENCY
    github.state.tokens["github-token"].limit = 1_000_000
    return github


def runner(github: Sandbox, home: Path, name: object) -> Bot:
    return Bot(github.url, github.token, home / str(name))


def opened_and_labeled(github: Sandbox) -> list[Any]:
    """What GitHub sends in one second when a pull request is opened with a label."""
    opened = payloads.opened_pull(github.state, github.repository, "With a label", [DEV], "newcomer")
    return [opened, payloads.labeled(github.state, github.repository, opened["number"], DEV, "newcomer")]


def at_once(github: Sandbox, home: Path, events: list[Any], gaps: list[float]) -> list[Run]:
    """Start a run for each event, each after its gap, on runners that know nothing of each other."""
    started = []
    for number, (event, gap) in enumerate(zip(events, gaps, strict=True)):
        time.sleep(gap)
        bot = runner(github, home, f"{event['number']}-{number}")
        name = payloads.name(event)
        started.append((bot, bot.start("pull_request_target" if name == "pull_request" else name, event)))
    return [bot.finish(process) for bot, process in started]


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_opened_and_labeled_at_once_leave_one_comment(slow: Sandbox, tmp_path: Path, seed: int) -> None:
    """Six starts in `make test` and 200 in `make soak`, 0 to 500 ms apart, either event first."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    for trial in range(6 if seed == 1 else 200):
        events, gap = opened_and_labeled(slow), SPREAD * chance.random() if trial else 0.0
        events = events[:: chance.choice((1, -1))]
        runs = at_once(slow, tmp_path, events, [0.0, gap])
        logs = "\n".join(run.log for run in runs)
        assert [run.code for run in runs] == [0, 0], logs
        assert bodies(slow, events[0]["number"]) == [MESSAGE], f"trial {trial}, gap {gap}: {logs}"


def test_three_at_once_leave_the_oldest(slow: Sandbox, tmp_path: Path) -> None:
    """One says which comment is there, the others that theirs is deleted; all three are green."""
    events = [*opened_and_labeled(slow)]
    runs = at_once(slow, tmp_path, [*events, events[1]], [0.0, 0.0, 0.0])
    assert [run.code for run in runs] == [0] * 3
    posted = [write.detail["id"] for write in slow.writes if write.action == "comment"]
    left = [comment.id for comment in slow.state.item(slow.repository, events[0]["number"]).comments]
    assert left == [min(posted)]
    told = [url for run in runs for url in run.outputs["comments"]]
    assert [url.rpartition("-")[2] for url in told] == [str(left[0])]
    assert sum("posted by another run at the same time" in run.summary for run in runs) == len(posted) - 1


def test_remarks_on_lines_are_left_once(slow: Sandbox, tmp_path: Path) -> None:
    slow.state.write_files(slow.repository, {".github/mattermod.yml": REVIEW})
    pull = slow.state.add_pull(slow.repository, "New", "newcomer", files={"a.py": "x = 1  # TODO\n"}, head="topic")
    event = payloads.about(slow.state, slow.repository, pull.number, "opened", "newcomer")
    runs = at_once(slow, tmp_path, [event] * 3, [0.0] * 3)
    assert [run.code for run in runs] == [0] * 3, "\n".join(run.log for run in runs)
    assert texts(pull.line_comments) == ["Later is never"]


@pytest.mark.long
def test_what_is_kept_is_the_comment_that_stays(slow: Sandbox, tmp_path: Path) -> None:
    """One command, delivered twice at once: one pick, one pull request, and one table that says so."""
    slow.state.write_files(slow.repository, {".github/mattermod.yml": "cherry_pick: {}\n"})
    permissions = {"contents": "write", "pull_requests": "write", "statuses": "write", "workflows": "write"}
    slow.state.tokens["github-token"].permissions |= permissions
    project = Project(slow, runner(slow, tmp_path, "unused"), tmp_path / "clone")
    pull = project.merge(project.pull(lambda: project.change("picked")))
    said = project.said(pull, f"/cherry-pick {RELEASE}")
    events = [{**said, "number": pull.number}] * 2
    runs = at_once(slow, tmp_path, events, [0.0, 0.0])
    logs = "\n".join(run.log for run in runs)
    assert len(project.opened()) == 1, logs
    [told] = [body for body in bodies(slow, pull.number) if not body.startswith("/")]
    assert f"#{project.opened()[0].number}" in told, logs


def posted_by(bot: Bot, event: Any, **variables: str) -> Run:
    return bot.run("pull_request_target", event, **{**NOW, **variables})


def unseen(github: Sandbox, home: Path, event: Any, reads: int) -> Run:
    """A run whose comment is missing from the next `reads` lists: two are its own."""
    github.state.faults.add(Fault("lag", "POST", POST, reads=reads))
    return posted_by(runner(github, home, "first"), event)


def test_a_list_that_lags_is_looked_at_again(github: Sandbox, tmp_path: Path) -> None:
    """The second run cannot know of the first when it posts, and its own comment is not in the list either."""
    _, event = opened_and_labeled(github)
    assert unseen(github, tmp_path, event, reads=3).code == 0
    github.state.faults.add(Fault("lag", "POST", POST, reads=1))
    second = posted_by(runner(github, tmp_path, "second"), event)
    assert second.code == 0, second.log
    assert [write.action for write in github.writes] == ["comment", "comment", "delete_comment"]
    assert bodies(github, event["number"]) == [MESSAGE]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("status", "DELETE", DELETE, status=502), 3),
        (Fault("reset", "DELETE", DELETE), 3),
        (Fault("reset", "DELETE", DELETE, when="after"), 3),
        (Fault("secondary-limit", "DELETE", DELETE, retry_after="90"), 3),
        (Fault("status", "POST", "/graphql", status=502, occurrence=2, times=4), 3),
    ],
    ids=["bad gateway", "reset", "lost answer", "rate limit", "no list"],
)
@pytest.mark.parametrize(
    "home",
    [pytest.param("second", id="with its file"), pytest.param("third", id="without its file", marks=pytest.mark.soak)],
)
def test_a_deletion_that_fails_is_said_and_made_up_for(
    github: Sandbox, tmp_path: Path, fault: Fault, code: int, home: str
) -> None:
    """Exit 3; the job started once more leaves one of the two, whether its runner has kept the file or not."""
    _, event = opened_and_labeled(github)
    assert unseen(github, tmp_path, event, reads=3).code == 0
    github.state.faults.add(fault)
    failed = posted_by(runner(github, tmp_path, "second"), event)
    assert failed.code == code, failed.log
    assert "comment posted; another run may have posted it, too" in failed.log
    assert len(failed.outputs["comments"]) == 1
    github.state.faults.clear()
    later = {"MATTERMOD_CLOCK_OFFSET": "60", "GITHUB_RUN_ATTEMPT": "2"}
    again = posted_by(runner(github, tmp_path, home), event, **later)
    assert again.code == 0, again.log
    assert bodies(github, event["number"]) == [MESSAGE]


def test_a_comment_that_is_gone_is_deleted(github: Sandbox, tmp_path: Path) -> None:
    """Somebody has deleted it before."""
    _, event = opened_and_labeled(github)
    unseen(github, tmp_path, event, reads=3)
    github.state.faults.add(Fault("status", "DELETE", DELETE, status=404, when="after"))
    second = posted_by(runner(github, tmp_path, "second"), event)
    assert second.code == 0, second.log
    assert bodies(github, event["number"]) == [MESSAGE]


@pytest.mark.parametrize("first_dies", [True, False])
def test_a_run_that_dies_before_it_looks(github: Sandbox, tmp_path: Path, *, first_dies: bool) -> None:
    """Kill -9 between post and look: the oldest stays, and a copy that the dead run has left goes with the next run."""
    _, event = opened_and_labeled(github)
    github.state.faults.add(Fault("lag", "POST", POST, reads=1 if first_dies else 3))
    first, second = (runner(github, tmp_path, name) for name in ("first", "second"))
    look = 4  # the configuration, the markers, the comment, and the look
    for bot, dies in ((first, first_dies), (second, not first_dies)):
        cut = Cut(look if dies else 0)
        proxy = Proxy(address(github.url), http_request, cut)
        with closing(proxy):
            wired = replace(bot, api_url=f"http://127.0.0.1:{proxy.port}")
            run = wired.kill("pull_request_target", event, cut, **NOW)
        assert (run.code < 0) is dies, run.log
    numbers = [write.detail["id"] for write in github.writes if write.action == "comment"]
    left = [comment.id for comment in github.state.item(github.repository, event["number"]).comments]
    assert left == (numbers[:1] if first_dies else numbers)
    again = posted_by(runner(github, tmp_path, "again"), event, GITHUB_RUN_ATTEMPT="2")
    assert again.code == 0, again.log
    assert [comment.id for comment in github.state.item(github.repository, event["number"]).comments] == numbers[:1]


def test_with_a_database_nothing_is_looked_at_again(bot: Bot, github: Sandbox) -> None:
    _, event = opened_and_labeled(github)
    assert bot.run("pull_request_target", event).code == 0
    queries = [request for request in github.requests if request.path == "/graphql"]
    assert len(queries) == (0 if bot.database_url else 2)


def test_a_quotation_is_not_taken_for_a_copy(github: Sandbox, tmp_path: Path) -> None:
    """Another workflow's account is ours as well, and may repeat what we say, marker and all, with words of its own."""
    _, event = opened_and_labeled(github)
    posted_by(runner(github, tmp_path, "first"), event)
    [ours] = github.state.item(github.repository, event["number"]).comments
    github.state.add_comment(github.repository, event["number"], "github-actions[bot]", f"As was said:\n{ours.body}")
    assert posted_by(runner(github, tmp_path, "again"), event, GITHUB_RUN_ATTEMPT="2").code == 0
    assert len(bodies(github, event["number"])) == 2
