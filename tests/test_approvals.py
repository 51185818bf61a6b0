"""A label approves one commit and one base: from the event to what GitHub then holds, on both stores."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from sandbox import payloads
from sandbox.records import CheckRun, Review, Status
from tests.scene import run, texts

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Pull, Repository
    from tests.harness import Bot, Run

pytestmark = pytest.mark.one_store
BOTH = pytest.mark.parametrize("bot", ["sqlite", "mysql"], indirect=True)  # where notes are kept apart
LABEL = "Ready to Merge"
CONFIG = 'auto_merge: {label: "Ready to Merge", settle_minutes: 0}\nupdate_branch: {}\n'
FORK = "stranger/hello:topic"
SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
LATER = {"MATTERMOD_CLOCK_OFFSET": "600"}  # by then GitHub lists every push


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    configure(github, CONFIG)
    permissions = {"contents": "write", "checks": "read", "statuses": "write", "actions": "read"}
    github.state.tokens["github-token"].permissions |= permissions


def configure(github: Sandbox, config: str) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})


def repository(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


def opened(github: Sandbox, head: str = FORK, **more: Any) -> Pull:
    """A stranger's pull request, which GitHub knows to merge."""
    more = {"mergeable_reads": 0, "maintainer_can_modify": True, **more}
    return github.state.add_pull(github.repository, "Fix a typo", "stranger", head=head, **more)


def labeled(github: Sandbox, pull: Pull) -> Any:
    return payloads.labeled(github.state, github.repository, pull.number, LABEL, "maintainer")


def check(github: Sandbox, pull: Pull, conclusion: str | None) -> Any:
    state, now = "completed" if conclusion else "in_progress", github.state.now()
    made = CheckRun(github.state.next_id(), "build", pull.head_sha, state, conclusion, now, now)
    github.state.add_check(github.repository, made)
    return payloads.check_suite(github.state, github.repository, pull.head_sha, "ci")


def waiting(bot: Bot, github: Sandbox, **more: Any) -> Pull:
    """A stranger's pull request with the maintainer's label, which a run has seen while a check was running."""
    pull = opened(github, **more)
    check(github, pull, None)
    run(bot, labeled(github, pull))
    assert not pull.merged_at
    return pull


def pushed(github: Sandbox, pull: Pull, by: str = "stranger", *, force: bool = False) -> Any:
    """One more commit, of which GitHub knows that it merges; and its event."""
    before = pull.head_sha
    if force:
        github.state.force_push(github.repository, pull.number, by)
    else:
        github.state.add_commit(github.repository, pull.number, {"backdoor.sh": "curl\n"}, by=by)
    pull.mergeable_reads = 0
    event = payloads.about(github.state, github.repository, pull.number, "synchronize", by)
    return {**event, "before": before, "after": pull.head_sha}


def edited(github: Sandbox, pull: Pull) -> Any:
    return payloads.edited(github.state, github.repository, pull.number, "stranger")


def sweep(bot: Bot, **variables: str) -> Run:
    done = bot.run("schedule", {}, **SKIPS, **variables)
    assert done.code == 0, done.log
    return done


def asked(github: Sandbox) -> int:
    """How many times GitHub was asked who pushed."""
    return sum(request.path.endswith("/activity") for request in github.requests)


def void(pull: Pull) -> list[str]:
    """The reasons for which the label was taken off."""
    start = f"The label `{LABEL}` was taken off, and nothing was merged: "
    found = [text.removeprefix(start).partition(". ")[0] for text in texts(pull.comments) if text.startswith(start)]
    assert not found or LABEL not in [label.name for label in pull.labels]
    return found


def no_access(pull: Pull, login: str = "stranger") -> str:
    pushed = f"pushed the commit `{pull.head_sha[:10]}` after the label was put on"
    return f"@{login}, who has no write access here, {pushed}"


@BOTH
@pytest.mark.parametrize(("by", "force"), [("push", False), ("edit", False), ("sweep", True)])
def test_t01_a_stranger_merges_nothing_by_an_old_label(bot: Bot, github: Sandbox, by: str, *, force: bool) -> None:
    """Whether the run on the push comes, or only the event of an edit, or none. Also in `proof_01`."""
    pull = waiting(bot, github)
    push = pushed(github, pull, force=force)
    if by == "sweep":
        sweep(bot)
    else:
        run(bot, push if by == "push" else edited(github, pull))
    assert void(pull) == [no_access(pull)]
    run(bot, edited(github, pull))
    sweep(bot)
    assert not pull.merged_at
    assert len(void(pull)) == 1
    run(bot, labeled(github, pull))  # somebody has looked at it
    assert pull.merged_at


@pytest.mark.parametrize("push", [False, True])
def test_t01_a_label_that_no_run_has_seen(bot: Bot, github: Sandbox, *, push: bool) -> None:
    """As after the takeover from an older version: GitHub's record decides."""
    pull = opened(github)
    labeled(github, pull)
    if push:
        pushed(github, pull)
    sweep(bot)
    assert bool(pull.merged_at) == (not push)
    assert len(void(pull)) == push
    assert asked(github) == 1


@pytest.mark.parametrize(("bot", "lists"), [("mysql", True), ("sqlite", False)], indirect=["bot"])
def test_t01_a_writers_push_moves_the_approval_along(bot: Bot, github: Sandbox, *, lists: bool) -> None:
    """A maintainer's edit of a fork's branch. Enterprise Server before 3.17 has the event only."""
    github.state.lists_activity = lists
    pull = waiting(bot, github)
    for _ in range(2):
        event = pushed(github, pull, "maintainer")
        check(github, pull, None)
        for _ in range(2):
            run(bot, event)
    assert void(pull) == []
    count = asked(github)
    run(bot, check(github, pull, "success"))
    assert pull.merged_at
    # A row is no authority: right before the merge of a fork's commit GitHub is asked.
    assert asked(github) - count == bool(bot.database_url)


@BOTH
def test_t01_where_github_does_not_tell_who_pushed(bot: Bot, github: Sandbox) -> None:
    github.state.lists_activity = False
    kept, lost, late = (waiting(bot, github, head=f"stranger/hello:{name}") for name in ("kept", "lost", "late"))
    run(bot, pushed(github, lost))
    pushed(github, late)
    sweep(bot, **LATER)
    assert void(lost) == [no_access(lost)]
    unknown = f"GitHub does not say who pushed the commit `{late.head_sha[:10]}`, or whether that was before the label"
    assert void(late) == [f"{unknown} was put on"]
    run(bot, check(github, kept, "success"))
    assert [bool(each.merged_at) for each in (kept, lost, late)] == [True, False, False]


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_t01_only_a_status_of_our_own_account_counts(bot: Bot, github: Sandbox) -> None:
    """Everybody with write access can set one of that name; so can other Apps."""
    github.state.lists_activity = False
    pull = waiting(bot, github)
    [noted] = [each for each in repository(github).statuses[pull.head_sha] if each.context == "mattermod/approval"]
    pushed(github, pull)
    forged = Status(
        github.state.next_id(),
        noted.context,
        "success",
        github.state.person("maintainer"),
        github.state.now(),
        noted.description,
    )
    github.state.add_status(github.repository, pull.head_sha, forged)
    sweep(bot, **LATER)
    assert not pull.merged_at
    assert len(void(pull)) == 1


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_t01_a_row_alone_approves_nothing(bot: Bot, github: Sandbox) -> None:
    """Whoever can write rows of the database that many repositories share notes the stranger's push as approved."""
    other, pull = waiting(bot, github, head="stranger/hello:other"), waiting(bot, github)
    pushed(github, pull)
    check(github, other, "success")
    with closing(_connection(bot)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE mm_approvals SET head_sha = %s", (pull.head_sha,))
        cursor.execute("SET sql_mode = ''")
        cursor.execute("UPDATE mm_approvals SET approved_at = '0000-00-00' WHERE number = %s", (other.number,))
    sweep(bot)
    assert other.merged_at  # a row that is no row is none
    assert not pull.merged_at
    assert void(pull) == [no_access(pull)]


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
def test_t01_a_schema_one_step_older_has_no_table_for_it(bot: Bot, github: Sandbox) -> None:
    """Then a status notes it, as without a database."""
    with closing(_connection(bot)) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE mm_approvals")
    pull = waiting(bot, github)
    assert [each.context for each in repository(github).statuses[pull.head_sha]] == ["mattermod/approval"]
    run(bot, pushed(github, pull, "maintainer"))
    run(bot, check(github, pull, "success"))
    assert pull.merged_at


def _connection(bot: Bot) -> Any:
    from mattermod_action.adapters.database_url import parse

    found, _ = parse(bot.database_url)
    return pymysql.connect(
        host=found.host, port=found.port, user=found.user, password=found.password, database=found.name, autocommit=True
    )


def _branch(github: Sandbox, name: str) -> None:
    github.state.set_branch(github.repository, name, repository(github).branches["main"])


def _switch(github: Sandbox, pull: Pull, by: str) -> Any:
    github.state.change_item(github.repository, pull.number, {"base": "main"}, by)
    pull.mergeable_reads = 0
    changes = {"base": {"ref": {"from": "dev"}, "sha": {"from": pull.head_sha}}}
    return {**payloads.about(github.state, github.repository, pull.number, "edited", by), "changes": changes}


@pytest.mark.parametrize(
    ("by", "seen"), [("stranger", "event"), ("maintainer", "sweep"), ("stranger", "label by sweep")]
)
def test_t02_another_base_takes_the_label_off(bot: Bot, github: Sandbox, by: str, seen: str) -> None:
    """Labelled for `dev`, switched to `main`: nobody has approved that, whoever has done it."""
    _branch(github, "dev")
    if seen == "label by sweep":
        pull = opened(github, base="dev")
        labeled(github, pull)
    else:
        pull = waiting(bot, github, base="dev")
    event = _switch(github, pull, by)
    check(github, pull, "success")
    if seen == "event":
        run(bot, event)
    else:
        sweep(bot)
    assert not pull.merged_at
    assert void(pull) == ["the base branch was changed from `dev` to `main` after the label was put on"]


def test_t02_githubs_own_change_of_the_base_is_followed(bot: Bot, github: Sandbox) -> None:
    """The parent of a stack was merged, and its branch deleted."""
    parent = github.state.add_pull(github.repository, "Parent", "reviewer", head="parent")
    pull = waiting(bot, github, base="parent")
    github.state.merge(github.repository, parent.number, "merge", "Parent", "maintainer")
    github.state.change_base_automatically(github.repository, pull.number)
    pull.mergeable_reads = 0
    run(bot, check(github, pull, "success"))
    assert (pull.base_ref, void(pull), bool(pull.merged_at)) == ("main", [], True)


def _merged_base(github: Sandbox, pull: Pull, more: dict[str, bytes]) -> Any:
    """The stranger has merged the base, by GitHub's button or by hand, and has added `more` to it."""
    where, state, before = repository(github), github.state, pull.head_sha
    state.write_files(github.repository, {"moved.txt": "moved\n"})
    bare, tip = state.git.of(where), where.branches["main"]
    files = {**where.commits[before], **where.commits[tip], **more}
    if more:
        sha = where.objects.commit(files, [before, tip], "Merge branch 'main'", state.now(), "stranger")
        where.commits[sha] = files
        bare.publish()
        state._move_head(where, pull, sha, "stranger")
    else:
        with state.deed("stranger"):
            state.update_branch(github.repository, pull.number)
    pull.mergeable_reads = 0
    event = payloads.about(state, github.repository, pull.number, "synchronize", "stranger")
    return {**event, "before": before, "after": pull.head_sha}


@pytest.mark.parametrize("more", [{}, {"backdoor.sh": b"curl\n"}, {"README.md": b"Evil\n"}])
def test_t01_a_merge_of_the_base_keeps_the_approval(bot: Bot, github: Sandbox, more: dict[str, bytes]) -> None:
    """If it has what git itself makes of the two, and nothing else. Reviews of the commit before count then, too."""
    configure(github, 'auto_merge: {label: "Ready to Merge", settle_minutes: 0, approvals: 1}\n')
    pull = waiting(bot, github)
    review(github, pull)
    run(bot, _merged_base(github, pull, more))
    run(bot, check(github, pull, "success"))
    assert bool(pull.merged_at) == (not more)
    assert void(pull) == ([no_access(pull)] if more else [])


def test_t01_an_update_that_a_stranger_asks_for_keeps_the_approval(bot: Bot, github: Sandbox) -> None:
    bot.token = github.tokens["maintainer"]
    github.state.tokens["maintainer"].permissions |= {"checks": "read", "actions": "read"}
    pull = waiting(bot, github)
    github.state.write_files(github.repository, {"moved.txt": "moved\n"})
    run(bot, payloads.comment_created(github.state, github.repository, pull.number, "stranger", "/update-branch"))
    pull.mergeable_reads = 0
    run(bot, check(github, pull, "success"))
    assert (void(pull), bool(pull.merged_at)) == ([], True)


def review(github: Sandbox, pull: Pull, state: str = "APPROVED") -> Any:
    by = github.state.person("maintainer")
    made = Review(github.state.next_id(), by, state, "", pull.head_sha, github.state.now())
    github.state.review(github.repository, pull.number, made)
    return payloads.reviewed(github.state, github.repository, pull.number, made.id, "maintainer")


def test_t01_reviews_count_by_their_commit(bot: Bot, github: Sandbox) -> None:
    """A writer's push keeps the label, and not what others have said of the commit before."""
    configure(github, 'auto_merge: {label: "Ready to Merge", settle_minutes: 0, approvals: 1}\n')
    pull = waiting(bot, github)
    review(github, pull)
    run(bot, pushed(github, pull, "maintainer"))
    run(bot, check(github, pull, "success"))
    assert texts(pull.comments)[-1] == "This is not merged yet: it has 0 of 1 approvals of its newest commit."
    run(bot, review(github, pull))
    assert pull.merged_at


KEEP: dict[str, tuple[str, str, bool]] = {
    "never, a writer": ("never", "maintainer", False),
    "always, a stranger": ("always", "stranger", True),
}


@pytest.mark.parametrize(("keep", "by", "merged"), KEEP.values(), ids=KEEP)
def test_what_is_kept_of_pushes_is_configured(bot: Bot, github: Sandbox, keep: str, by: str, *, merged: bool) -> None:
    configure(github, f'auto_merge: {{label: "Ready to Merge", settle_minutes: 0, keep_on_push: {keep}}}\n')
    pull = waiting(bot, github)
    run(bot, pushed(github, pull, by))
    run(bot, check(github, pull, "success"))
    assert bool(pull.merged_at) == merged
    assert bool(void(pull)) == (not merged)
