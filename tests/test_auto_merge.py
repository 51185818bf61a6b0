"""Merging by label: from the event to what GitHub then holds, on both stores."""

from __future__ import annotations

import json
import shutil
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import deliveries, payloads, queue, suites
from sandbox.faults import Fault
from sandbox.records import ACTIONS, CheckRun, CheckSuite, Review, Status
from tests.scene import run, texts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from sandbox import Sandbox
    from sandbox.records import Pull, Repository
    from tests.harness import Bot, Run

pytestmark = pytest.mark.one_store
LABEL, WAIT = "Ready to Merge", "Do Not Merge"
CONFIG = """
auto_merge:
  label: "ready to merge"
  settle_minutes: 0
  unless: ["Do Not Merge"]
"""
ANNOUNCED, MERGED = "This will be merged when it is ready.", f"Merged, as the label `{LABEL.lower()}` asks for."
ONE_STORE = pytest.mark.parametrize("bot", ["sqlite"], indirect=True)  # where the store plays no part
SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time


def configure(github: Sandbox, config: str = CONFIG) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    configure(github)
    github.state.tokens["github-token"].permissions |= {
        "contents": "write",
        "checks": "read",
        "statuses": "read",
        "actions": "read",
    }


def repository(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


def opened(github: Sandbox, author: str = "reviewer", **more: Any) -> Pull:
    """A pull request from a branch here, of which GitHub knows whether it merges."""
    number = len(repository(github).items)
    return github.state.add_pull(
        github.repository, f"New {number}", author, head=f"topic-{number}", mergeable_reads=0, **more
    )


def labeled(github: Sandbox, pull: Pull, by: str = "maintainer", label: str = LABEL) -> Any:
    return payloads.labeled(github.state, github.repository, pull.number, label, by)


def ready(github: Sandbox, **more: Any) -> Pull:
    """A pull request that carries the label, put on by the maintainer."""
    pull = opened(github, **more)
    labeled(github, pull)
    return pull


def status(github: Sandbox, pull: Pull, state: str, context: str = "ci") -> Any:
    made = Status(github.state.next_id(), context, state, github.state.person("ci"), github.state.now())
    github.state.add_status(github.repository, pull.head_sha, made)
    return payloads.status(github.state, github.repository, pull.head_sha, made.id, "ci")


def check(github: Sandbox, pull: Pull, conclusion: str | None, name: str = "build") -> Any:
    state, now = "completed" if conclusion else "in_progress", github.state.now()
    made = CheckRun(github.state.next_id(), name, pull.head_sha, state, conclusion, now, now)
    github.state.add_check(github.repository, made)
    return payloads.check_suite(github.state, github.repository, pull.head_sha, "ci")


def reviewed(github: Sandbox, pull: Pull, state: str, by: str = "maintainer") -> Any:
    made = Review(github.state.next_id(), github.state.person(by), state, "", pull.head_sha, github.state.now())
    github.state.review(github.repository, pull.number, made)
    return payloads.reviewed(github.state, github.repository, pull.number, made.id, by)


def as_app(bot: Bot, github: Sandbox, name: str = "app") -> None:
    """From now on the bot has the token of an App, or of a person."""
    bot.token = github.tokens[name]
    github.state.tokens[name].permissions |= {"checks": "read", "actions": "read"}


def of_workflow(
    github: Sandbox, pull: Pull, conclusion: str | None, workflow: str = "CI", status: str = "completed"
) -> CheckSuite:
    """A run of a workflow on the head, without a check run yet; one that has a conclusion is over."""
    status = status if conclusion else "queued"
    made = CheckSuite(github.state.next_id(), pull.head_sha, status, conclusion, github.state.now(), ACTIONS, workflow)
    repository(github).suites.append(made)
    return made


def within(github: Sandbox, suite: CheckSuite, conclusion: str | None, name: str = "build") -> None:
    """An attempt of a check, in that run."""
    status, now = "completed" if conclusion else "in_progress", github.state.now()
    made = CheckRun(github.state.next_id(), name, suite.sha, status, conclusion, now, now, app=ACTIONS, suite=suite.id)
    github.state.add_check(github.repository, made)


def workflow_run(github: Sandbox, pull: Pull) -> Any:
    """The event of a workflow that is over: of its own suites GitHub Actions tells no workflow."""
    about = payloads.about(github.state, github.repository, pull.number, "completed", "reviewer")
    over = {"head_sha": pull.head_sha, "conclusion": "success", "event": "pull_request", "display_title": pull.title}
    return {"action": "completed", "workflow_run": over, "repository": about["repository"], "sender": about["sender"]}


def sweep(bot: Bot, **variables: str) -> Run:
    done = bot.run("schedule", {}, **SKIPS, **variables)
    assert done.code == 0, done.log
    return done


def waits(pull: Pull) -> list[str]:
    """What is said of why it is not merged."""
    return [text.removeprefix("This is not merged yet: ") for text in texts(pull.comments) if text != ANNOUNCED]


def merges(github: Sandbox) -> list[int]:
    return [write.number for write in github.writes if write.action == "merge"]


def test_the_label_merges(bot: Bot, github: Sandbox) -> None:
    pull = opened(github)
    event = labeled(github, pull)
    run(bot, event)
    assert pull.merged_at
    assert texts(pull.comments) == [ANNOUNCED, MERGED]
    writes = len(github.writes)
    assert writes == 3
    # Configuration, the pull request, its labeller's role, and right before the merge the pull request once more.
    reads = [request for request in github.requests if not request.write]
    assert len(reads) <= (4 if bot.database_url else 6)  # the embedded store looks for each comment's marker
    run(bot, event)  # MM-16: redelivered
    assert len(github.writes) == writes


def test_a_pull_request_without_the_label_costs_nothing(bot: Bot, github: Sandbox) -> None:
    pull = opened(github)
    run(bot, labeled(github, pull, label="other"))
    run(bot, reviewed(github, pull, "APPROVED"))
    assert len(github.requests) == 2  # the configuration, twice
    assert github.writes == []


@ONE_STORE
@pytest.mark.parametrize("variables", [{}, {"INPUT_DRY-RUN": "true"}])
def test_a_sweep_that_is_not_asked_to_merge_does_not(bot: Bot, github: Sandbox, variables: dict[str, str]) -> None:
    """Nor says a dry run that it would. Without a database, where nothing but the labels tells what is to be done."""
    pull = ready(github)
    for part, told in [("resume", ""), ("auto-merge", "merge")]:
        done = sweep(bot, INPUT_SWEEP=part, **variables)
        assert ("would merge" in done.log) == bool(told and variables), done.log
        assert bool(pull.merged_at) == bool(told and not variables)


def test_a_sweep_with_nothing_to_merge_reads_once(bot: Bot, github: Sandbox) -> None:
    opened(github)
    sweep(bot)
    assert [request.path for request in github.requests][1:] == ["/graphql"]
    assert github.writes == []


def another_base(github: Sandbox, pull: Pull) -> None:
    github.state.set_branch(github.repository, "dev", repository(github).branches["main"])
    github.state.change_item(github.repository, pull.number, {"base": "dev"})


WHILE_WAITING: dict[str, Callable[[Sandbox, Pull], Any]] = {
    "label removed": lambda github, pull: github.state.remove_label(github.repository, pull.number, LABEL),
    "closed": lambda github, pull: github.state.change_item(github.repository, pull.number, {"state": "closed"}),
    "pushed to": lambda github, pull: github.state.add_commit(github.repository, pull.number),
    "blocked by a label": lambda github, pull: github.state.add_labels(github.repository, pull.number, [WAIT]),
    "made a draft": lambda github, pull: github.state.set_draft(github.repository, pull.number, draft=True),
    "red": lambda github, pull: status(github, pull, "failure"),
    "objected to": lambda github, pull: reviewed(github, pull, "CHANGES_REQUESTED"),
    "given another base": another_base,
    "labelled by another": lambda github, pull: (
        github.state.remove_label(github.repository, pull.number, LABEL),
        labeled(github, pull, "stranger"),
    ),
}


@pytest.mark.parametrize("change", WHILE_WAITING.values(), ids=WHILE_WAITING)
@pytest.mark.parametrize("wait", ["*/comments", "*/merge"], ids=["before", "at the merge"])
def test_mm47_f18_t02_right_before_what_changes_during_a_wait_is_seen(
    bot: Bot, github: Sandbox, change: Callable[[Sandbox, Pull], Any], wait: str
) -> None:
    """MM-47, F18, I6: GitHub asks for a pause between the plan and the merge, and the world goes on.

    Checked by leaving out what `Hands._wanted` compares: all cases fail but "pushed to", which GitHub refuses itself.
    """
    pull = opened(github)
    event = labeled(github, pull)
    github.state.faults.add(Fault("secondary-limit", "*", wait, retry_after="1"))
    _change_while_waiting(github, pull, change, bot, bot.start("pull_request_target", event))


@pytest.mark.parametrize("change", ["label removed", "pushed to", "blocked by a label"])
def test_mm47_f18_what_changes_during_a_wait_of_a_sweep_is_seen(bot: Bot, github: Sandbox, change: str) -> None:
    """MM-47, F18: the same by a schedule, with the label gone right before the merge; GitHub then lets it through."""
    pull = ready(github)
    github.state.faults.add(Fault("secondary-limit", "PUT", "*/merge", retry_after="1"))
    _change_while_waiting(github, pull, WHILE_WAITING[change], bot, bot.start("schedule", {}))


def _change_while_waiting(
    github: Sandbox, pull: Pull, change: Callable[[Sandbox, Pull], Any], bot: Bot, process: subprocess.Popen[str]
) -> None:
    deadline = time.monotonic() + 20
    while not any(request.fault for request in github.requests) and time.monotonic() < deadline:
        time.sleep(0.05)
    change(github, pull)
    done = bot.finish(process)
    assert done.code == 0, done.log
    assert merges(github) == []
    assert "auto_merge: label ready to merge: refused" in done.log
    assert all("could not be merged" not in text for text in texts(pull.comments))


def test_f18_the_role_is_asked_again(bot: Bot, github: Sandbox) -> None:
    """F18: what GitHub said of the labeller's role was old, and the wait for a rate limit is over ten seconds."""
    first, pull = ready(github), opened(github)
    run(bot, labeled(github, first, label="other"))
    github.state.set_draft(github.repository, pull.number, draft=True)
    run(bot, labeled(github, pull, "reviewer"))
    github.state.set_draft(github.repository, pull.number, draft=False)
    repository(github).permissions["reviewer"] = "read"
    merged = len(merges(github))
    github.state.faults.add(
        Fault("stale", "GET", "*/reviewer/permission"),
        Fault("secondary-limit", "PUT", "*/merge", retry_after="20"),
    )
    run(bot, status(github, pull, "success"), **SKIPS)
    assert len(merges(github)) == merged
    assert texts(pull.comments)[-1] == "This could not be merged. @reviewer has no write permission here any more."


def test_mm48_one_comment_for_each_commit_and_reason(bot: Bot, github: Sandbox) -> None:
    """MM-48: checked by putting the time into the comment's key: three comments instead of one."""
    pull = ready(github)
    check(github, pull, None)
    for _ in range(3):
        sweep(bot)
    assert waits(pull) == ["it waits for checks: `build`."]
    assert texts(pull.comments).count(ANNOUNCED) == 1
    run(bot, check(github, pull, "failure"))
    sweep(bot)
    assert waits(pull)[1:] == ["checks failed: `build`."]
    github.state.add_commit(github.repository, pull.number)
    pull.mergeable_reads = 0
    run(bot, check(github, pull, "failure"))
    sweep(bot)
    assert waits(pull)[2:] == ["checks failed: `build`."]
    run(bot, check(github, pull, "success"))
    assert merges(github) == [pull.number]


def draft(github: Sandbox, pull: Pull) -> None:
    github.state.set_draft(github.repository, pull.number, draft=True)


def conflict(github: Sandbox, pull: Pull) -> None:
    github.state.write_files(github.repository, {f"change-{pull.number}.txt": "other\n"})


def requested(github: Sandbox, pull: Pull) -> None:
    github.state.request_reviewers(github.repository, pull.number, ["maintainer"], ["core"])


def requires(github: Sandbox, **rules: Any) -> Repository:
    for name, value in rules.items():
        setattr(repository(github), name, value)
    return repository(github)


REASONS: dict[str, tuple[Callable[[Sandbox, Pull], Any], str]] = {
    "draft": (draft, "it is a draft"),
    "conflict": (conflict, "it conflicts with `main`"),
    "label": (lambda github, pull: labeled(github, pull, label=WAIT.upper()), "it carries the label `Do Not Merge`"),
    "status pending": (lambda github, pull: status(github, pull, "pending"), "it waits for checks: `ci`"),
    "status error": (lambda github, pull: status(github, pull, "error"), "checks failed: `ci`"),
    "check running": (lambda github, pull: check(github, pull, None), "it waits for checks: `build`"),
    "check red": (lambda github, pull: check(github, pull, "timed_out"), "checks failed: `build`"),
    "changes": (
        lambda github, pull: reviewed(github, pull, "CHANGES_REQUESTED"),
        "changes were requested by `maintainer`",
    ),
    "awaited": (requested, "a review is asked of maintainer, a team"),
    "approvals": (
        lambda github, _: configure(github, CONFIG + "  approvals: 2\n"),
        "it has 0 of 2 approvals",
    ),
    "required review": (
        lambda github, _: requires(github, approvals=1),
        "a review that the branch `main` requires is missing",
    ),
    "required check": (
        lambda github, _: requires(github, required={"e2e"}),
        "GitHub says that it is blocked: the branch `main` asks for something else",
    ),
    "behind": (
        lambda github, _: (requires(github, strict=True), github.state.write_files(github.repository, {"a": "b"})),
        "it is behind `main`, which asks for branches that are up to date",
    ),
    "method": (
        lambda github, _: requires(github, methods={"merge", "rebase"}),
        "this repository does not allow the method `squash`: set `auto_merge.method` to `merge` or `rebase`",
    ),
    "names": (
        lambda github, pull: check(github, pull, "failure", "@octo-org/core`<b>"),
        "checks failed: `@octo-org/core\u02cb<b>`",
    ),
}


@ONE_STORE
@pytest.mark.parametrize(("prepare", "reason"), REASONS.values(), ids=REASONS)
def test_mm49_what_is_in_the_way_is_told(
    bot: Bot, github: Sandbox, prepare: Callable[[Sandbox, Pull], Any], reason: str
) -> None:
    """MM-49: checked by leaving out each branch of `obstacles` in turn: its case merges, or is told as blocked."""
    pull = opened(github)
    prepare(github, pull)
    run(bot, labeled(github, pull))
    assert merges(github) == []
    assert texts(pull.comments) == [ANNOUNCED, f"This is not merged yet: {reason}."]


ALLOWED: dict[str, Callable[[Sandbox, Pull], Any]] = {
    "no checks": lambda _github, _pull: None,
    "all green": lambda github, pull: (
        status(github, pull, "success"),
        check(github, pull, "success"),
        check(github, pull, "skipped", "docs"),
        check(github, pull, "neutral", "size"),
    ),
    "red, then green": lambda github, pull: (status(github, pull, "failure"), status(github, pull, "success")),
    "our own job": lambda github, pull: check(github, pull, None, "mattermod"),
    "a stranger's objection": lambda github, pull: reviewed(github, pull, "CHANGES_REQUESTED", "stranger"),
    "an objection that was dismissed": lambda github, pull: (
        reviewed(github, pull, "CHANGES_REQUESTED"),
        reviewed(github, pull, "DISMISSED"),
    ),
    "approved, and commented since": lambda github, pull: (
        requires(github, approvals=1),
        reviewed(github, pull, "APPROVED"),
        reviewed(github, pull, "COMMENTED"),
    ),
}


@ONE_STORE
@pytest.mark.parametrize("prepare", ALLOWED.values(), ids=ALLOWED)
def test_mm49_what_is_in_nobodys_way(bot: Bot, github: Sandbox, prepare: Callable[[Sandbox, Pull], Any]) -> None:
    """MM-49: checked with the original's combined status, of which nothing at all is pending: "no checks" fails."""
    pull = opened(github)
    prepare(github, pull)
    run(bot, labeled(github, pull))
    assert merges(github) == [pull.number]


def test_mm49_approvals_are_those_of_writers(bot: Bot, github: Sandbox) -> None:
    configure(github, CONFIG + "  approvals: 1\n")
    pull = ready(github)
    run(bot, reviewed(github, pull, "APPROVED", "stranger"))
    assert merges(github) == []
    run(bot, reviewed(github, pull, "APPROVED"))
    assert merges(github) == [pull.number]


@pytest.mark.parametrize("conclusion", ["success", "failure"])
def test_mm08_the_101st_check_counts(bot: Bot, github: Sandbox, conclusion: str) -> None:
    """MM-08: checked by reading only the first page: the red one is merged."""
    pull = ready(github)
    for number in range(100):
        check(github, pull, "success", f"check {number}")
    run(bot, check(github, pull, conclusion, "the last"))
    assert bool(merges(github)) == (conclusion == "success")


def test_mm08_the_101st_pull_request_is_swept(bot: Bot, github: Sandbox) -> None:
    for _ in range(100):
        labeled(github, opened(github, draft=True), "maintainer")
    pull = ready(github)
    run(bot, status(github, pull, "success"))
    assert merges(github) == [pull.number]


@pytest.mark.parametrize("event", ["label", "sweep"])
def test_mm50_unknown_is_asked_again(bot: Bot, github: Sandbox, event: str) -> None:
    """MM-50: checked by leaving the loop of `PyGithubGitHub.candidate` at once: nothing is merged."""
    pull = opened(github)
    pull.mergeable_reads = 2
    given = labeled(github, pull)
    if event == "label":
        run(bot, given, **SKIPS)
    else:
        sweep(bot)
    assert merges(github) == [pull.number]


def test_mm50_what_stays_unknown_is_left_in_silence(bot: Bot, github: Sandbox) -> None:
    pull = opened(github)
    pull.mergeable_reads = 100
    run(bot, labeled(github, pull), **SKIPS)
    assert texts(pull.comments) == [ANNOUNCED]
    assert merges(github) == []


@pytest.mark.parametrize("method", ["squash", "merge", "rebase"])
def test_mm51_the_method_is_configured_and_the_message_githubs(bot: Bot, github: Sandbox, method: str) -> None:
    """MM-51: checked by sending a `commit_title`, and by sending `squash` always."""
    configure(github, f"{CONFIG}  method: {method}\n")
    pull = opened(github)
    run(bot, labeled(github, pull))
    [request] = [request for request in github.requests if request.method == "PUT"]
    assert json.loads(request.body) == {"sha": pull.head_sha, "merge_method": method}
    [write] = [write for write in github.writes if write.action == "merge"]
    assert write.detail["method"] == method


def test_mm51_a_refusal_of_github_is_told_once(bot: Bot, github: Sandbox) -> None:
    """What GitHub does not tell beforehand."""
    pull = ready(github)
    repository(github).methods = {"merge", "squash"}
    github.state.faults.add(Fault("status", "PUT", "*/merge", status=422, times=0))
    for _ in range(3):
        sweep(bot)
    assert [text.startswith("This could not be merged. GitHub refused to merge (422)") for text in waits(pull)] == [
        True
    ]


def test_mm52_one_that_fails_holds_up_no_other(bot: Bot, github: Sandbox) -> None:
    """MM-52: checked by letting failures through `Bot._carry_out` and `Bot._alone`: not all others are merged."""
    pulls = [ready(github) for _ in range(4)]
    broken = pulls[1].number
    github.state.faults.add(Fault("status", "POST", f"*/issues/{broken}/comments", status=500, times=0))
    github.state.faults.add(Fault("status", "PUT", f"*/pulls/{broken}/merge", status=500, times=0))
    assert bot.run("schedule", {}, **SKIPS).code == 3
    assert sorted(merges(github)) == [pull.number for pull in pulls if pull.number != broken]
    github.state.faults.clear()
    sweep(bot, MATTERMOD_CLOCK_OFFSET="300")
    assert broken in merges(github)
    assert len(merges(github)) == 4


def test_mm52_a_sweep_that_runs_out_of_time_begins_with_another_next_time(bot: Bot, github: Sandbox) -> None:
    """MM-52: GitHub takes half a minute for each. Checked by leaving out `Run._turned`: the last is never tried."""
    pulls = [ready(github) for _ in range(14)]
    github.state.faults.add(Fault("status", "PUT", "*/merge", status=502, times=0))
    for hour in range(4):
        done = bot.run("schedule", {}, **SKIPS, MATTERMOD_CLOCK_OFFSET=str(hour * (3600 + 5 * 60)))
        assert done.code == 3
        assert "are left to the next sweep" in done.log
    tried = {int(request.path.split("/")[-2]) for request in github.requests if request.method == "PUT"}
    assert tried == {pull.number for pull in pulls}


def test_a_sweep_merges_in_order(bot: Bot, github: Sandbox) -> None:
    """What is urgent first, then by when the label was put on. Checked by leaving out each part of `_turn`."""
    configure(github, f"{CONFIG}  priority_label: hotfix\n")
    pulls = [opened(github) for _ in range(4)]
    for wait, number in ((30, 2), (20, 0), (10, 3), (0, 1)):
        labeled(github, pulls[number])
        _labeled_before(pulls[number], wait)
    labeled(github, pulls[3], label="Hotfix")
    sweep(bot, MATTERMOD_CLOCK_OFFSET="60")
    assert merges(github) == [pulls[number].number for number in (3, 2, 0, 1)]


def _labeled_before(pull: Pull, seconds: int) -> None:
    for each in pull.timeline:
        each.created_at -= timedelta(seconds=seconds)


UPDATING = f"{CONFIG}  update: true\n"


def updates(github: Sandbox) -> list[int]:
    return [write.number for write in github.writes if write.action == "update_branch"]


def behind(github: Sandbox, name: str = "moved.txt") -> None:
    """The base goes on, and asks for branches that have it in them."""
    requires(github, strict=True)
    github.state.write_files(github.repository, {name: "b"})


def test_what_is_behind_is_brought_up_to_date_one_after_the_other(bot: Bot, github: Sandbox) -> None:
    """Checked by leaving out `_busy`, and `is_updated`: the second one is brought up to date in vain."""
    configure(github, UPDATING)
    first, second, third = (ready(github) for _ in range(3))
    behind(github)
    sweep(bot)
    assert (updates(github), merges(github)) == ([first.number], [])
    check(github, first, None)
    first.mergeable_reads = 0
    sweep(bot)
    assert updates(github) == [first.number]
    check(github, first, "success")
    sweep(bot)  # merges the first, and what was behind before is brought up to date with that
    assert (updates(github), merges(github)) == ([first.number, second.number], [first.number])
    assert waits(third) == []
    for _ in range(3):
        second.mergeable_reads = third.mergeable_reads = 0
        sweep(bot)
    assert (len(updates(github)), len(merges(github))) == (3, 3)


def test_what_waits_for_ever_holds_up_the_others_for_two_hours(bot: Bot, github: Sandbox) -> None:
    configure(github, UPDATING)
    stuck = ready(github)
    second = ready(github)
    behind(github)
    sweep(bot)
    check(github, stuck, None)
    stuck.mergeable_reads = 0
    sweep(bot, MATTERMOD_CLOCK_OFFSET="7000")
    assert updates(github) == [stuck.number]
    sweep(bot, MATTERMOD_CLOCK_OFFSET="7400")
    assert updates(github) == [stuck.number, second.number]


NOT_UPDATED: dict[str, Callable[[Sandbox, Pull], Any]] = {
    "draft": draft,
    "red": lambda github, pull: check(github, pull, "failure"),
    "label of a stranger": WHILE_WAITING["labelled by another"],
    "a fork that allows no edits": lambda _github, pull: setattr(pull, "head_repository", "newcomer/hello"),
}


@ONE_STORE
@pytest.mark.parametrize("prepare", NOT_UPDATED.values(), ids=NOT_UPDATED)
def test_what_is_not_brought_up_to_date(bot: Bot, github: Sandbox, prepare: Callable[[Sandbox, Pull], Any]) -> None:
    configure(github, UPDATING)
    pull = ready(github)
    behind(github)
    prepare(github, pull)
    sweep(bot)
    assert updates(github) == []
    assert len(texts(pull.comments)) >= 1


@ONE_STORE
def test_a_branch_that_cannot_be_brought_up_to_date_holds_up_no_other(bot: Bot, github: Sandbox) -> None:
    configure(github, UPDATING)
    broken, second = ready(github), ready(github)
    behind(github)
    github.state.faults.add(Fault("status", "PUT", f"*/{broken.number}/update-branch", status=422, times=0))
    for _ in range(2):
        sweep(bot)
    assert updates(github) == [second.number]
    assert [text[:53] for text in waits(broken)] == ["This could not be brought up to date with `main`. Git"]


LOST: list[tuple[Any, Any, int]] = [
    ("status", "after", 502),
    ("status", "before", 502),
    ("reset", "after", 0),
    ("truncated", "after", 0),
    ("timeout", "before", 0),
]


# What hangs takes ten seconds of real time, whichever of the two it is.
MAY_BE_LOST = [
    pytest.param(queue, *lost, id=f"{'queue' if queue else 'merge'}-{lost[0]} {lost[1]}", marks=marks)
    for queue in (False, True)
    for lost in LOST
    for marks in [pytest.mark.soak if queue and lost[0] == "timeout" else ()]
]


@pytest.mark.long
@pytest.mark.parametrize(("queue", "kind", "when", "code"), MAY_BE_LOST)
def test_f07_an_answer_that_was_lost_is_looked_for(
    bot: Bot, github: Sandbox, kind: Any, when: Any, code: int, *, queue: bool
) -> None:
    """F07: done or not, it ends as merged, once: the 405 of a second attempt is not what is told."""
    if queue:
        requires(github, queues={"main"})
        as_app(bot, github)
    pull = opened(github)
    # The mutation is the third query, after two reads of the pull request; the embedded store looks for markers, too.
    occurrence = 1 if not queue else 3 if bot.database_url else 4
    path = "/graphql" if queue else "*/merge"
    fault = Fault(kind, "*", path, when=when, status=code, seconds=12.0, occurrence=occurrence)
    github.state.faults.add(fault)
    run(bot, labeled(github, pull), **SKIPS)
    assert [request.write for request in github.requests if request.fault] == [True]
    assert [write.action for write in github.writes].count("enqueue" if queue else "merge") == 1
    assert len(texts(pull.comments)) == 2


def test_f07_a_405_of_what_is_merged_is_a_merge(bot: Bot, github: Sandbox) -> None:
    """F07 and F10 together: the merge was made, the answer lost, and three looks showed the state before it.

    Checked by believing the refusal: "could not be merged" is what is told of a merge.
    """
    pull = opened(github)
    third = 3 if bot.database_url else 4  # the embedded store looks for markers, too
    github.state.faults.add(
        Fault("status", "PUT", "*/merge", when="after", status=502),
        Fault("status", "GET", f"*/pulls/{pull.number}", status=404, times=2),
        Fault("stale", "POST", "/graphql", occurrence=third),
    )
    run(bot, labeled(github, pull), **SKIPS)
    assert [request.status for request in github.requests if request.method == "PUT"] == [502, 405]
    assert merges(github) == [pull.number]
    assert texts(pull.comments) == [ANNOUNCED, MERGED]


def test_a_merge_queue_is_used_where_there_is_one(bot: Bot, github: Sandbox) -> None:
    requires(github, queues={"main"}, methods={"rebase"})
    as_app(bot, github)
    pull = opened(github)
    event = labeled(github, pull)
    run(bot, event)
    assert pull.queued
    assert texts(pull.comments) == [
        ANNOUNCED,
        f"This is in the merge queue now, as the label `{LABEL.lower()}` asks for.",
    ]
    run(bot, event)
    sweep(bot)
    assert [write.action for write in github.writes].count("enqueue") == 1
    github.state.dequeue(github.repository, pull.number, "CI_FAILURE")
    for _ in range(2):
        done = sweep(bot)
    assert len(pull.timeline) == 2  # the label, and that
    assert "enqueue" not in done.log  # which it did say of what was not in the queue: "enqueue: so already"
    assert texts(pull.comments)[2:] == [put_out("a check failed there")]
    github.state.remove_label(github.repository, pull.number, LABEL)
    later = {"MATTERMOD_CLOCK_OFFSET": "60"}
    time.sleep(1.1)  # the label is put on in another second
    run(bot, labeled(github, pull), **SKIPS, **later)
    assert pull.queued


def put_out(reason: str, *, returns: bool = False) -> str:
    stays = f"To have it put back, take the label `{LABEL.lower()}` off and put it on again."
    then = "It is put back once, the next time that it is looked at." if returns else stays
    return f"The merge queue has put this out: {reason}. {then}"


def queued(bot: Bot, github: Sandbox) -> Pull:
    """One that the label has put into the queue."""
    requires(github, queues={"main"})
    as_app(bot, github)
    pull = opened(github)
    run(bot, labeled(github, pull))
    assert pull.queued
    return pull


def dequeued(github: Sandbox, pull: Pull, reason: str) -> Any:
    github.state.dequeue(github.repository, pull.number, reason)
    about = payloads.about(github.state, github.repository, pull.number, "dequeued", "github-merge-queue[bot]")
    return {**about, "reason": reason}


# Reasons of the webhook, what is told of each, and whether a pull request is put back for it.
OUT: dict[str, tuple[str, bool]] = {
    "CI_FAILURE": ("a check failed there", False),
    "CI_TIMEOUT": ("its checks did not end in time", True),
    "MANUAL": ("somebody took it out", False),
    "MERGE_CONFLICT": ("it conflicts with what was before it in the queue", False),
    "QUEUE_CLEARED": ("the queue was emptied", True),
    "ROLL_BACK": ("the queue was rolled back", True),
    "UNKNOWN_REMOVAL_REASON": ("GitHub does not say why", False),
    "@everyone `x`": ("GitHub does not say why", False),
}


@ONE_STORE
@pytest.mark.parametrize(("reason", "told"), OUT.items(), ids=OUT)
def test_what_a_queue_puts_out_is_told_and_put_back_once_where_that_is_safe(
    bot: Bot, github: Sandbox, reason: str, told: tuple[str, bool]
) -> None:
    text, returns = told
    pull = queued(bot, github)
    run(bot, dequeued(github, pull, reason))
    sweep(bot)
    assert pull.queued == returns
    if returns:
        run(bot, dequeued(github, pull, reason))
        sweep(bot)
        assert not pull.queued
    said = [each for each in texts(pull.comments) if "put this out" in each]
    assert said == [put_out(text, returns=True)] * returns + [put_out(text)]


@ONE_STORE
def test_a_new_commit_is_put_in_whatever_became_of_the_one_before(bot: Bot, github: Sandbox) -> None:
    pull = queued(bot, github)
    run(bot, dequeued(github, pull, "CI_FAILURE"))
    time.sleep(1.1)
    github.state.add_commit(github.repository, pull.number, by="maintainer")
    pull.mergeable_reads = 0
    sweep(bot)
    assert pull.queued


@pytest.mark.parametrize(("bot", "by"), [("mysql", "event"), ("mysql", "sweep"), ("sqlite", "event")], indirect=["bot"])
def test_a_label_that_is_taken_off_takes_it_out_of_the_queue(bot: Bot, github: Sandbox, by: str) -> None:
    pull = queued(bot, github)
    sweep(bot)
    event = payloads.unlabeled(github.state, github.repository, pull.number, LABEL, "maintainer")
    for hour in range(2):
        if by == "event":
            run(bot, event)
        else:
            sweep(bot, MATTERMOD_CLOCK_OFFSET=str(3600 * hour))
    assert not pull.queued
    assert texts(pull.comments)[2:] == ["This was taken out of the merge queue: the label was taken off."]


@ONE_STORE
def test_what_somebody_else_put_into_the_queue_stays_there(bot: Bot, github: Sandbox) -> None:
    requires(github, queues={"main"})
    as_app(bot, github)
    pull = opened(github, draft=False)
    found = github.state.repository(github.repository)
    assert found
    queue.join(github.state, found, pull, "maintainer")
    labeled(github, pull)
    run(bot, payloads.unlabeled(github.state, github.repository, pull.number, LABEL, "maintainer"))
    assert pull.queued


@ONE_STORE
@pytest.mark.parametrize("case", ["draft", "label", "changes"])
def test_what_people_put_in_its_way_takes_it_out_of_the_queue_until_it_is_gone(
    bot: Bot, github: Sandbox, case: str
) -> None:
    pull = queued(bot, github)
    REASONS[case][0](github, pull)
    sweep(bot)
    assert not pull.queued
    assert f"This was taken out of the merge queue: {REASONS[case][1]}." in texts(pull.comments)
    github.state.set_draft(github.repository, pull.number, draft=False)
    if case == "label":
        github.state.remove_label(github.repository, pull.number, WAIT)
    if case == "changes":
        reviewed(github, pull, "APPROVED")
    sweep(bot)
    assert pull.queued


QUEUE = (
    "This is not merged yet: the branch `main` has a merge queue, and GitHub starts no checks for what GITHUB_TOKEN "
    "puts into one: set the input `github-token` to the token of an App, or of a person, with `contents: write` and "
    "`pull-requests: write`."
)


def test_github_token_puts_nothing_into_a_merge_queue(bot: Bot, github: Sandbox) -> None:
    """Its group starts no workflow, so that the queue puts it out: https://github.com/loopdive/js2/pull/1790."""
    requires(github, queues={"main"}, required={"ci"})
    pull = opened(github)
    status(github, pull, "success")
    event = labeled(github, pull)
    for _ in range(2):
        run(bot, event)
        run(bot, status(github, pull, "success"))
        sweep(bot)
    assert not pull.queued
    assert texts(pull.comments) == [ANNOUNCED, QUEUE]
    as_app(bot, github)
    sweep(bot)
    assert pull.queued


@pytest.mark.parametrize("token", ["app", "maintainer"])
def test_what_an_app_or_a_person_puts_into_a_merge_queue_is_merged(bot: Bot, github: Sandbox, token: str) -> None:
    requires(github, queues={"main"}, required={"ci"})
    as_app(bot, github, token)
    pull = opened(github)
    status(github, pull, "success")
    run(bot, labeled(github, pull))
    assert pull.group
    assert "merge_group checks_requested" in map(deliveries.title, github.state.events)
    made = Status(github.state.next_id(), "ci", "success", github.state.person("ci"), github.state.now())
    github.state.add_status(github.repository, pull.group.sha, made)
    queue.turn(github.state)
    assert pull.merged_at


@ONE_STORE
@pytest.mark.parametrize("conflicts", [False, True])
def test_what_a_merge_queue_puts_out_is_not_put_back_by_that_event(
    bot: Bot, github: Sandbox, *, conflicts: bool
) -> None:
    """Or the two would go on for ever where the file of the store goes with its runner. What is in the way is told."""
    requires(github, queues={"main"}, required={"ci"})
    as_app(bot, github)
    pull = opened(github)
    status(github, pull, "success")
    run(bot, labeled(github, pull))
    assert [write.action for write in github.writes].count("enqueue") == 1
    if conflicts:
        conflict(github, pull)
    github.state.events.clear()
    github.state.offset += timedelta(hours=2)
    queue.turn(github.state)
    [event] = github.state.events
    assert (event["payload"]["action"], event["payload"]["reason"]) == ("dequeued", "CI_TIMEOUT")
    shutil.rmtree(bot.home / ".mattermod")
    run(bot, event["payload"])
    assert not pull.queued
    assert ("it conflicts with `main`." in waits(pull)) == conflicts


@ONE_STORE
def test_a_pull_request_that_becomes_a_draft_is_told_so(bot: Bot, github: Sandbox) -> None:
    pull = ready(github)
    draft(github, pull)
    run(bot, payloads.about(github.state, github.repository, pull.number, "converted_to_draft", "maintainer"))
    assert waits(pull) == ["it is a draft."]
    github.state.set_draft(github.repository, pull.number, draft=False)
    run(bot, payloads.about(github.state, github.repository, pull.number, "ready_for_review", "maintainer"))
    assert merges(github) == [pull.number]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("action", ["auto_merge_enabled", "auto_merge_disabled", "enqueued", "dequeued"])
def test_what_changes_nothing_is_left_alone(bot: Bot, github: Sandbox, action: str) -> None:
    pull = ready(github)
    run(bot, payloads.about(github.state, github.repository, pull.number, action, "maintainer") | {"reason": "MANUAL"})
    assert merges(github) == []


@pytest.mark.parametrize("by", ["event", "status", "sweep"])
def test_a_team_that_is_asked_holds_up_no_other(bot: Bot, github: Sandbox, by: str) -> None:
    """GITHUB_TOKEN may not see which team it is, and is told so beside all else: https://github.com/cli/cli/issues/14317."""
    asked, other = opened(github), opened(github)
    github.state.request_reviewers(github.repository, asked.number, [], ["core"])
    event = labeled(github, asked)
    if by == "event":
        run(bot, event)
    news = labeled(github, other)
    if by == "sweep":
        sweep(bot)
    else:
        run(bot, news if by == "event" else status(github, other, "success"))
    assert merges(github) == [other.number]
    if by == "status":
        run(bot, status(github, asked, "success"))
    assert waits(asked) == ["a review is asked of a team."]
    github.state.remove_reviewers(github.repository, asked.number, [], ["core"])
    sweep(bot)
    assert merges(github) == [other.number, asked.number]


@ONE_STORE
def test_a_team_has_its_name_where_the_token_may_see_it(bot: Bot, github: Sandbox) -> None:
    as_app(bot, github)
    pull = opened(github)
    github.state.request_reviewers(github.repository, pull.number, [], ["core"])
    run(bot, labeled(github, pull))
    assert waits(pull) == ["a review is asked of core."]


@ONE_STORE
def test_a_classic_token_without_a_scope_is_told_which(bot: Bot, github: Sandbox) -> None:
    """GitHub refuses the whole query: https://github.com/cli/cli/issues/812."""
    as_app(bot, github, "maintainer")
    github.state.tokens["maintainer"].scopes = ("repo",)
    done = bot.run("pull_request_target", labeled(github, opened(github)))
    assert done.code == 2, done.log
    assert "['read:org', 'read:discussion']" in done.log
    assert "Traceback" not in done.log


@ONE_STORE
@pytest.mark.parametrize("by", ["label", "workflow_run", "sweep"])
def test_an_attempt_that_was_replaced_holds_nothing_up(bot: Bot, github: Sandbox, by: str) -> None:
    """GitHub lists every run of a workflow on a commit: https://github.com/cli/cli/issues/13563."""
    pull = ready(github)
    within(github, of_workflow(github, pull, "failure"), "failure")
    run(bot, labeled(github, pull))
    assert waits(pull) == ["checks failed: `build`."]
    within(github, of_workflow(github, pull, "success", "Other"), "success")
    sweep(bot)
    assert merges(github) == []
    within(github, of_workflow(github, pull, "success"), "success")
    if by == "sweep":
        sweep(bot)
    else:
        run(bot, labeled(github, pull) if by == "label" else workflow_run(github, pull))
    assert merges(github) == [pull.number]


CI = {".github/workflows/ci.yml": "name: CI\non: {pull_request: }\njobs: {build: {}, test: {name: Test it}}\n"}
HELD = "workflows wait for approval: approve them in the merge box (`CI`)."


@pytest.mark.parametrize("whose", ["a newcomer's fork", "GITHUB_TOKEN"])
def test_workflows_that_nobody_has_approved_yet_are_waited_for(bot: Bot, github: Sandbox, whose: str) -> None:
    """https://github.blog/changelog/2026-06-11-bot-created-pull-requests-can-run-workflows-if-approved."""
    github.state.write_files(github.repository, CI)
    by, head = ("newcomer", "newcomer/hello:x") if "fork" in whose else ("github-actions[bot]", "topic")
    pull = github.state.open_pull(github.repository, "New", by, head=head, mergeable_reads=0)
    run(bot, labeled(github, pull))
    sweep(bot)
    assert merges(github) == []
    assert waits(pull) == [HELD]
    suites.approve(github.state, github.repository, pull.number)
    sweep(bot)
    assert waits(pull)[1:] == ["it waits for checks: `build`, `Test it`."]
    for suite in suites.of(repository(github), pull.head_sha):
        suites.end(github.state, github.repository, suite, "success")
    run(bot, workflow_run(github, pull))
    assert merges(github) == [pull.number]


@ONE_STORE
def test_a_workflow_that_has_not_begun_yet_is_waited_for(bot: Bot, github: Sandbox) -> None:
    """And one whose first job is over, and whose next one GitHub has not queued yet."""
    pull = ready(github)
    suite = of_workflow(github, pull, None)
    sweep(bot)
    within(github, suite, "success", "first")
    sweep(bot)
    assert waits(pull) == ["it waits for checks: `CI`."]
    suites.end(github.state, github.repository, suite, "success")
    run(bot, workflow_run(github, pull))
    assert merges(github) == [pull.number]


@ONE_STORE
@pytest.mark.parametrize("status", ["queued", "requested"])
def test_an_app_that_never_checks_anything_is_not_waited_for(bot: Bot, github: Sandbox, status: str) -> None:
    """Its suite stays as GitHub made it: https://github.com/sourcegraph/sourcegraph-public-snapshot/pull/9058."""
    pull = opened(github)
    idle = CheckSuite(github.state.next_id(), pull.head_sha, status, None, github.state.now(), "idle-app")
    repository(github).suites.append(idle)
    run(bot, labeled(github, pull))
    assert merges(github) == [pull.number]


LABELLERS: dict[str, tuple[str, str, str, str]] = {  # who opened it, where its branch is, who labelled it, why not
    "stranger": ("reviewer", "", "stranger", "@stranger has no write access here"),
    "triage": ("reviewer", "", "helper", "@helper has no write access here"),
    "bot": ("reviewer", "", "renovate[bot]", "renovate[bot] is a bot that is not among `auto_merge.bots`"),
    "author's fork": (
        "reviewer",
        "reviewer/hello:x",
        "reviewer",
        "@reviewer opened this pull request, from a fork",
    ),
    "author": ("reviewer", "", "reviewer", ""),
    "another's fork": ("newcomer", "newcomer/hello:x", "maintainer", ""),
    "listed bot": ("newcomer", "newcomer/hello:x", "trusted[bot]", ""),
}


@pytest.mark.parametrize("case", LABELLERS.values(), ids=LABELLERS)
@pytest.mark.parametrize("by", ["event", "sweep"])
def test_s13_whose_label_counts(bot: Bot, github: Sandbox, case: tuple[str, str, str, str], by: str) -> None:
    """S-13, S-14: checked by leaving `_does_not_count` out: whatever carries the label is merged."""
    author, head, labeller, reason = case
    configure(github, f"{CONFIG}  bots: ['Trusted[bot]']\n")
    repository(github).permissions["helper"] = "triage"
    pull = github.state.add_pull(github.repository, "New", author, head=head or "topic", mergeable_reads=0)
    event = labeled(github, pull, labeller)
    for _ in range(2):
        run(bot, event) if by == "event" else sweep(bot)
    assert bool(merges(github)) == (not reason)
    told = [text for text in texts(pull.comments) if "does not count" in text]
    assert told == ([_again(reason)] if reason else [])


def _again(reason: str) -> str:
    again = "Somebody with write access may take it off and put it on again."
    return f"The label `{LABEL.lower()}` does not count: {reason}. {again}"


def test_the_newest_labelling_counts(bot: Bot, github: Sandbox) -> None:
    pull = ready(github)
    github.state.remove_label(github.repository, pull.number, LABEL)
    run(bot, labeled(github, pull, "stranger"))
    assert merges(github) == []
    labeled(github, pull, "maintainer", "other")
    sweep(bot)
    assert merges(github) == []


def test_a_commit_that_was_pushed_just_now_is_given_time_for_its_checks(bot: Bot, github: Sandbox) -> None:
    pull = ready(github)
    event = payloads.synchronize(github.state, github.repository, pull.number, "reviewer")
    pull.mergeable_reads = 0
    run(bot, event)
    assert merges(github) == []
    assert texts(pull.comments) == [ANNOUNCED]
    run(bot, check(github, pull, "success"))
    assert merges(github) == [pull.number]


def test_what_the_run_itself_sets_is_seen(bot: Bot, github: Sandbox) -> None:
    """The status that blocks goes with its label in the same run, and so does the reason not to merge."""
    github.state.tokens["github-token"].permissions["statuses"] = "write"
    configure(github, f"block_merge: {{labels: ['{WAIT}']}}\n{CONFIG}")
    pull = opened(github)
    run(bot, labeled(github, pull, label=WAIT))
    run(bot, labeled(github, pull))
    assert waits(pull) == [f"it carries the label `{WAIT}`; it waits for checks: `merge/blocked`."]
    run(bot, payloads.unlabeled(github.state, github.repository, pull.number, WAIT, "maintainer"))
    assert merges(github) == [pull.number]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_runs_at_once_merge_once(bot: Bot, github: Sandbox) -> None:
    pull = opened(github)
    event = labeled(github, pull)
    runs = [bot.start("pull_request_target", event) for _ in range(4)]
    assert [bot.finish(each).code for each in runs] == [0] * 4
    assert merges(github) == [pull.number]
    assert texts(pull.comments) == [ANNOUNCED, MERGED]


def test_a_dry_run_says_what_would_be_merged(bot: Bot, github: Sandbox) -> None:
    bot.inputs["dry-run"] = "true"
    pull = opened(github)
    done = run(bot, labeled(github, pull))
    [then] = done.outputs["plan"]["then"]
    assert [effect["effect"] for effect in then["effects"]] == ["Comment", "Merge"]
    assert github.writes == []


def test_f08_points_that_are_used_up_are_no_answer(bot: Bot, github: Sandbox) -> None:
    """F08: GraphQL says so with status 200; that the pull request is gone does not follow."""
    sweep(bot)
    pull, token = opened(github), github.state.tokens["github-token"]
    token.used["graphql"] = token.limit
    event = labeled(github, pull)
    assert bot.run("pull_request_target", event, **SKIPS).code == 3
    token.used.clear()
    run(bot, event)
    assert merges(github) == [pull.number]


@pytest.mark.parametrize("name", ["checks", "statuses"])
def test_s01_a_permission_that_is_missing_is_named(bot: Bot, github: Sandbox, name: str) -> None:
    pull = ready(github)
    repository(github).private = True
    check(github, pull, "success")
    event = status(github, pull, "success")
    github.state.tokens["github-token"].permissions[name] = "none"
    failed = bot.run("status", event)
    assert failed.code == 2, failed.log
    assert f"`{name}: read`" in failed.log


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_review_without_a_ledger_merges_and_says_nothing_of_what_is_in_the_way(bot: Bot, github: Sandbox) -> None:
    """In auto-merge.yml a review has a job without the database; the other job says the rest, and says it once."""
    pull = ready(github)
    status(github, pull, "pending")
    run(bot, reviewed(github, pull, "APPROVED"))
    assert texts(pull.comments) == []
    status(github, pull, "success")
    run(bot, reviewed(github, pull, "APPROVED"))
    assert pull.merged_at
    assert texts(pull.comments) == [MERGED]


SETTLING = CONFIG.replace("settle_minutes: 0", "settle_minutes: 5")
SIX = {"MATTERMOD_CLOCK_OFFSET": "360"}
FIRST = "it waits for its first checks until"


def aged(github: Sandbox, pull: Pull) -> None:
    """It was pushed and opened an hour ago, whatever has happened to it since."""
    pull.created_at -= timedelta(hours=1)
    for moved in github.state.moves:
        moved.at -= timedelta(hours=1)


@pytest.mark.parametrize("by", ["label", "status of ours", "push"])
def test_a_head_without_checks_is_not_merged_before_they_can_have_begun(bot: Bot, github: Sandbox, by: str) -> None:
    """https://github.com/pascalgn/automerge-action/issues/90. What is about documentation only is merged after that."""
    configure(github, SETTLING)
    pull = opened(github)
    event = labeled(github, pull)
    if by == "push":
        aged(github, pull)
        event = payloads.synchronize(github.state, github.repository, pull.number, "reviewer")
        pull.mergeable_reads = 0
    if by == "status of ours":
        made = Status(
            github.state.next_id(),
            "license/cla",
            "success",
            github.state.person("github-actions[bot]"),
            pull.created_at,
        )
        github.state.add_status(github.repository, pull.head_sha, made)
    for _ in range(2):
        run(bot, event)
    assert not pull.merged_at
    told = [text for text in waits(pull) if text.startswith(FIRST)]
    assert len(told) == (by != "push" or not bot.database_url)
    assert all(("nobody looks again" in text) == (not bot.database_url) for text in told)
    sweep(bot, **SIX)
    assert pull.merged_at


@ONE_STORE
@pytest.mark.parametrize("case", ["old push", "no CI", "zero"])
def test_what_need_not_wait_for_first_checks(bot: Bot, github: Sandbox, case: str) -> None:
    configure(github, CONFIG if case == "zero" else SETTLING)
    if case == "no CI":
        for number in range(10):
            github.state.write_files(github.repository, {f"{number}.txt": ""})
    pull = opened(github)
    event = labeled(github, pull)
    if case == "old push":
        aged(github, pull)
    run(bot, event)
    assert pull.merged_at


@ONE_STORE
def test_a_base_whose_pull_requests_had_checks_has_ci(bot: Bot, github: Sandbox) -> None:
    """Many repositories check pull requests only: their base has commits that never had a check."""
    configure(github, SETTLING)
    for number in range(10):
        github.state.write_files(github.repository, {f"{number}.txt": ""})
    before, pull = opened(github), opened(github)
    check(github, before, "success")
    github.state.merge(github.repository, before.number, "squash", "Before", "maintainer")
    run(bot, labeled(github, pull))
    assert not pull.merged_at


@ONE_STORE
@pytest.mark.parametrize("minutes", ["5", "6"])
def test_without_a_database_the_run_itself_waits_if_it_may(bot: Bot, github: Sandbox, minutes: str) -> None:
    configure(github, SETTLING)
    pull = opened(github)
    run(bot, labeled(github, pull), **SKIPS, **{"INPUT_WAIT-MINUTES": minutes})
    assert bool(pull.merged_at) == (minutes == "6")


@ONE_STORE
def test_a_stacked_pull_request_is_merged_after_its_parent(bot: Bot, github: Sandbox) -> None:
    """https://github.com/pascalgn/automerge-action/issues/126."""
    parent = opened(github)
    pull = github.state.add_pull(
        github.repository, "On it", "reviewer", head="on-it", base=parent.head_ref, mergeable_reads=0
    )
    event = labeled(github, pull)
    for _ in range(2):
        run(bot, event)
    assert waits(pull) == [f"it waits for #{parent.number}, whose branch `{parent.head_ref}` is its base."]
    github.state.merge(github.repository, parent.number, "merge", "Parent", "maintainer")
    github.state.change_base_automatically(github.repository, pull.number)
    pull.mergeable_reads = 0
    sweep(bot)
    assert pull.merged_at
