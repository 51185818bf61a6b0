"""Gates from the event to the statuses: heads that the bot makes, that move, that are long; whom each event serves."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action import inputs
from mattermod_action.commanding import AUTHOR, offers
from mattermod_action.config import load
from mattermod_action.errors import Mistake
from mattermod_action.world import World
from sandbox import payloads
from sandbox.faults import Fault
from sandbox.records import Status
from tests import servers
from tests.harness import Bot
from tests.scene import bodies, deliver, run, statuses

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.signatures import Signatures

ROOT = Path(__file__).parent.parent
CONTEXT = "merge/protected-paths"
GUARDED = {".github/workflows/ci.yml": "on: push\n"}
ALL = """
update_branch: {{}}
auto_assign: {{team: core}}
block_merge: {{labels: [Wait]}}
protected_paths: {{paths: ['.github/**']}}
cla: {{signed_url: '{url}', everyone: true}}
cherry_pick: {{}}
"""


@pytest.fixture
def bot(github: Sandbox, tmp_path: Path) -> Bot:
    """On the embedded store, where nothing of an earlier run needs to be there."""
    github.state.tokens["github-token"].permissions |= {
        "contents": "write", "checks": "read", "statuses": "write", "issues": "write", "pull_requests": "write",
        "actions": "write",
    }  # fmt: skip
    repository = github.state.repository(github.repository)
    assert repository
    repository.compares_workflows = False
    return Bot.of(github, tmp_path)


def configured(github: Sandbox, config: str) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})


def opened(github: Sandbox, files: dict[str, str], author: str = "stranger", **more: Any) -> Pull:
    more = {"head": f"{author}/hello:x", **more}
    return github.state.add_pull(github.repository, "New", author, files=files, **more)


def about(github: Sandbox, pull: Pull, action: str = "opened", by: str = "stranger") -> Any:
    return payloads.about(github.state, github.repository, pull.number, action, by)


def commented(github: Sandbox, pull: Pull, body: str, by: str = "stranger") -> Any:
    return payloads.comment_created(github.state, github.repository, pull.number, by, body)


def moved(github: Sandbox, pull: Pull, sha: str) -> None:
    repository = github.state.repository(github.repository)
    assert repository
    github.state._move_head(repository, pull, sha)  # a push that no event tells of


def as_person(bot: Bot, github: Sandbox) -> None:
    """Have the bot write with a person's token, which forks need."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.permissions["octo-bot"] = "write"
    github.state.person("octo-bot")
    github.state.tokens["github-token"].login = "octo-bot"
    bot.inputs["bot-logins"] = "octo-bot"


def test_t06a_a_head_that_we_make_is_judged(bot: Bot, github: Sandbox) -> None:
    """By the same run, since GITHUB_TOKEN's pushes are no events; and by their event where a token's are."""
    configured(
        github,
        "update_branch: {}\nprotected_paths: {paths: ['.github/**']}\nauto_merge: {label: Ready, settle_minutes: 0}\n",
    )
    as_person(bot, github)
    pull = opened(github, GUARDED, maintainer_can_modify=True, mergeable_reads=0)
    run(bot, about(github, pull))
    run(bot, payloads.labeled(github.state, github.repository, pull.number, "Ready", "maintainer"))
    first = pull.head_sha
    github.state.write_files(github.repository, {"more.txt": "main has moved\n"})
    run(bot, commented(github, pull, "/update-branch"))
    assert pull.head_sha != first
    assert statuses(github, pull.number)[CONTEXT][0] == "failure"
    assert "sent by ourselves" not in run(bot, about(github, pull, "synchronize", "octo-bot")).log
    made = Status(github.state.next_id(), "ci", "success", github.state.person("ci"), github.state.now())
    github.state.add_status(github.repository, pull.head_sha, made)
    run(bot, payloads.status(github.state, github.repository, pull.head_sha, made.id, "ci"))
    assert not pull.merged_at


def test_t06a_a_push_of_ours_is_judged_like_any_other(bot: Bot, github: Sandbox) -> None:
    """By its event alone: another workflow, or another run, may have made the head."""
    configured(github, "protected_paths: {paths: ['.github/**']}\n")
    as_person(bot, github)
    pull = opened(github, GUARDED)
    run(bot, about(github, pull, "synchronize", "octo-bot"))
    assert statuses(github, pull.number)[CONTEXT][0] == "failure"


@pytest.mark.parametrize(
    ("name", "action", "heard"),
    [
        ("pull_request_target", "opened", True),
        ("pull_request_target", "synchronize", True),
        ("pull_request_target", "closed", True),
        ("pull_request_target", "labeled", False),
        ("pull_request_target", "unlabeled", False),
        ("issues", "labeled", False),
        ("issues", "closed", True),
        ("issue_comment", "created", False),
        ("issue_comment", "edited", False),
        ("merge_group", "checks_requested", True),
        ("status", "", True),
        ("status", "note", False),
    ],
)
def test_t06a_only_our_comments_and_labels_are_skipped(tmp_path: Path, name: str, action: str, *, heard: bool) -> None:
    from mattermod_action.events import Ignored
    from mattermod_action.job import read_event
    from tests.builders import item, payload

    kind = {"issues": "issue", "issue_comment": "issue"}.get(name, "pull_request")
    event = payload(kind, action, {**item(), "pull_request": {}})
    event |= {"context": "mattermod/approval" if action == "note" else "merge/blocked"}
    event |= {"sender": {"login": "Octo-Bot"}, "label": {"name": "x"}, "sha": "a" * 40, "state": "success"}
    event |= {"comment": {"id": 1, "body": "/help"}, "merge_group": {"head_sha": "a" * 40, "head_ref": "x"}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    env = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "INPUT_BOT-LOGINS": "octo-bot"}
    found = read_event(inputs.read(env))
    assert isinstance(found, Ignored) != heard, found


@pytest.mark.parametrize("gate", ["protected_paths", "cla"])
def test_t06b_the_verdict_is_of_the_commit_that_was_looked_at(
    bot: Bot, github: Sandbox, signatures: Signatures, gate: str
) -> None:
    """Push bad, force good before the run, push bad again."""
    context = {"protected_paths": CONTEXT, "cla": "cla/mattermost"}[gate]
    signatures.body = "stranger\n"
    configured(github, ALL.format(url=signatures.url))
    pull = opened(github, GUARDED)
    github.state.person("unsigned")
    bad = github.state.add_commit(github.repository, pull.number, GUARDED | {"x": "x\n"}, by="unsigned")
    event = about(github, pull, "synchronize")
    good = opened(github, {"free.txt": "x\n"}, head="stranger/hello:y").head_sha
    moved(github, pull, good)
    run(bot, event)
    moved(github, pull, bad)
    assert statuses(github, pull.number)[context][0] == "pending"
    run(bot, about(github, pull, "synchronize"))
    assert statuses(github, pull.number)[context][0] in ("failure", "error")


@pytest.mark.parametrize("state", ["failure", "pending"])
def test_t06_where_files_cannot_be_read_no_green_stands(bot: Bot, github: Sandbox, state: str) -> None:
    configured(github, "protected_paths: {paths: ['.github/**']}\n")
    pull = opened(github, {"free.txt": "x\n"})
    run(bot, about(github, pull))
    assert statuses(github, pull.number)[CONTEXT][0] == "success"
    kind, by = {"failure": ("*/pulls/*/files", 403), "pending": ("*/pulls/*/files", 502)}[state]
    github.state.faults.add(Fault("status", "GET", kind, status=by, times=0))
    assert deliver(bot, about(github, pull, "reopened"), MATTERMOD_CLOCK_SKIPS="true").code in (2, 3)
    assert statuses(github, pull.number)[CONTEXT][0] == "pending"
    assert statuses(github, pull.number)[CONTEXT][1].startswith("Not judged: ")


def test_t06e_long_lists_do_not_use_up_the_hour(bot: Bot, github: Sandbox) -> None:
    configured(github, "protected_paths: {paths: ['.github/**']}\n")
    github.state.tokens["github-token"].limit = 60
    pull = opened(github, {f"d/{number}.txt": "x\n" for number in range(3_000)})
    for _ in range(3):
        before = len(github.requests)
        assert deliver(bot, payloads.synchronize(github.state, github.repository, pull.number)).code == 3
        assert len(github.requests) - before <= 5
        assert statuses(github, pull.number)[CONTEXT][0] == "pending"
    other = opened(github, GUARDED, head="stranger/hello:y")
    run(bot, about(github, other))
    assert statuses(github, other.number)[CONTEXT][0] == "failure"


# A stranger's comment: the same command twenty times, in twenty ways → the most calls; all that the bot writes.
COMMANDS = [
    ("/check-cla {}", 8, []),
    ("/update-branch {}", 5, ["is for the author"]),
    ("/autoassign {}", 5, ["is for people with write access"]),
    ("/cherry-pick {}", 5, ["is for people with write access"]),
    ("/mattermod help {}", 5, ["| command |"]),
    ("/mattermod word{}", 4, ["there is no command"]),
    ("/nothing {}", 0, []),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[each[0][:-3] for each in COMMANDS])
def test_t09_one_comment_of_a_strangers_has_one_answer(
    bot: Bot, github: Sandbox, signatures: Signatures, command: tuple[str, int, list[str]]
) -> None:
    """And the same answer is given once: afterwards there is a reaction."""
    body, calls, said = command
    configured(github, ALL.format(url=signatures.url))
    pull = opened(github, {"free.txt": "x\n"}, author="reviewer")
    for turn in range(3):
        text = "\n".join(body.format(f"{turn}{'abcdefghijklmnopqrst'[word]}") for word in range(20))
        event, before = commented(github, pull, text), (len(bodies(github, pull.number)), len(github.requests))
        run(bot, event)
        told = bodies(github, pull.number)[before[0] :]
        assert len(told) == (len(said) if turn == 0 else 0)
        assert all(words in comment for comment, words in zip(told, said, strict=False))
        assert len(github.requests) - before[1] <= calls + 1  # the embedded store looks once more after it has posted


def test_t09_several_commands_have_one_answer(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    configured(github, ALL.format(url=signatures.url))
    pull = opened(github, {"free.txt": "x\n"}, author="reviewer")
    payloads.closed(github.state, github.repository, pull.number)
    text = "/check-cla\n\n/update-branch\n\n/cherry-pick a\n\n/mattermod help\n\n/mattermod nonsense"
    for turn in range(2):
        run(bot, commented(github, pull, f"{text}\n{turn}"))
    told = [body for body in bodies(github, pull.number) if not body.startswith("/")]
    assert len(told) == 1
    for words in ("the pull request is closed", "is for", "| command |", "there is no command"):
        assert words in told[0]


@pytest.mark.parametrize(("by", "answered"), [("stranger", False), ("maintainer", True)])
def test_t09_the_rest_of_an_hour_is_not_for_strangers(bot: Bot, github: Sandbox, by: str, *, answered: bool) -> None:
    configured(github, "auto_assign: {team: core}\nblock_merge: {labels: [Wait]}\n")
    token = github.state.tokens["github-token"]
    pull = opened(github, {"free.txt": "x\n"})
    token.used["core"], token.resets_at = token.limit - token.limit // 5, time.time() + 3_000
    before = len(github.writes)
    log = deliver(bot, commented(github, pull, "/mattermod help", by)).log
    assert (len(github.writes) > before) == answered
    assert ("few requests are left" in log) != answered
    run(bot, about(github, pull))
    assert statuses(github, pull.number)["merge/blocked"][0] == "success"


HERE = ("schedule", "workflow_dispatch", "repository_dispatch")
ELSEWHERE = (
    "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "issue_comment",
    "issues", "merge_group", "push", "status", "check_suite", "workflow_run", "",
)  # fmt: skip


@pytest.mark.parametrize("name", [*HERE, *ELSEWHERE])
def test_t12_a_pull_requests_own_tree_configures_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.yml").write_text("label_messages: {}\n")
    given = inputs.read(
        {
            "GITHUB_EVENT_NAME": name, "GITHUB_WORKSPACE": str(tmp_path), "INPUT_CONFIG": "x.yml",
            "INPUT_CONFIG-FROM": "workspace",
        }
    )  # fmt: skip
    world = World(given, None)
    if name in HERE:
        assert world.config_text("octo-org/hello") == "label_messages: {}\n"
        assert world.file_text("octo-org/hello", "x.yml") == "label_messages: {}\n"
        return
    for read in (world.config_text, lambda place: world.file_text(place, "x.yml")):
        with pytest.raises(Mistake, match="own tree"):
            read("octo-org/hello")


def test_t21_the_twenty_first_author_of_a_commit_is_not_nobody(
    bot: Bot, github: Sandbox, signatures: Signatures
) -> None:
    configured(github, ALL.format(url=signatures.url))
    signatures.body = "reviewer\n" + "".join(f"p{number}\n" for number in range(30))
    pull = opened(github, {"free.txt": "x\n"}, author="reviewer")
    people = [*(f"p{number}" for number in range(19)), "unsigned"]
    for count, state in ((19, "success"), (20, "error")):
        for login in people:
            github.state.person(login)
        by = "".join(f"\nCo-authored-by: {login} <{login}@users.noreply.example>" for login in people[:count])
        github.state.add_commit(github.repository, pull.number, message=f"More\n{by}")
        run(bot, about(github, pull, "synchronize"))
        assert statuses(github, pull.number)["cla/mattermost"][0] == state
    assert "more than 20 authors" in statuses(github, pull.number)["cla/mattermost"][1]


def test_t14_patches_that_github_leaves_out_are_read_or_not_known(bot: Bot, github: Sandbox) -> None:
    """Past 20,000 lines of a page files have no patch; a pick that hides a conflict so stays red."""
    configured(github, "cherry_pick: {conflicts: draft}\n")
    files = {"a.txt": "x\n" * 20_000, "z.txt": "<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> z\n"}
    pull = opened(github, files, author="maintainer", head="automated-cherry-pick-of-1-release")
    event = payloads.labeled(github.state, github.repository, pull.number, "Conflicts", "maintainer")
    run(bot, event)
    assert statuses(github, pull.number)["cherry-pick/conflicts"][0] == "failure"
    github.state.add_commit(github.repository, pull.number, {"z.txt": "x\ny\n"})
    run(bot, about(github, pull, "synchronize", "maintainer"))
    assert statuses(github, pull.number)["cherry-pick/conflicts"][0] == "success"
    assert not github.state.pull(github.repository, pull.number).labels


def test_t06a_a_label_that_we_put_on_blocks(bot: Bot, github: Sandbox) -> None:
    """GITHUB_TOKEN's labels are no events, so the same run says it; and unblocks where it takes one off."""
    config = "greeter: {labels: [Wait]}\nblock_merge: {labels: [Wait]}\nlabel_cleanup: {labels: [Wait]}\n"
    configured(github, config)
    pull = opened(github, {"free.txt": "x\n"})
    run(bot, about(github, pull))
    assert statuses(github, pull.number)["merge/blocked"] == ("pending", "Merge blocked due Wait label")


@pytest.mark.parametrize(("behind", "state"), [(2, "success"), (0, "pending")], ids=["for a while", "for long"])
def test_t06b_a_look_from_before_the_event_says_nothing(bot: Bot, github: Sandbox, behind: int, state: str) -> None:
    """GitHub's replicas lag: a pull request as it was is not one that has changed meanwhile."""
    configured(github, "block_merge: {labels: [Wait]}\n")
    pull = opened(github, {"free.txt": "x\n"})
    run(bot, payloads.labeled(github.state, github.repository, pull.number, "Wait", "maintainer"))
    github.state.add_labels(github.repository, pull.number, ["other"])
    bot.run("pull_request_target", about(github, pull, "opened"), GITHUB_RUN_ATTEMPT="2")  # so that it was read
    time.sleep(1.1)  # times are whole seconds
    event = payloads.unlabeled(github.state, github.repository, pull.number, "Wait", "maintainer")
    github.state.faults.add(Fault("stale", "GET", f"*/pulls/{pull.number}", seconds=60, times=behind))
    done = deliver(bot, event, MATTERMOD_CLOCK_SKIPS="true")
    assert done.code == (0 if behind else 3)
    assert statuses(github, pull.number)["merge/blocked"][0] == state


def test_t09_each_command_that_strangers_may_give_is_counted() -> None:
    """All others cost them a role and a reaction."""
    config = load((ROOT / "sandbox/scenarios/everything.yml").read_text(), "everything.yml").config
    free = {name for name, offer in offers(config).items() if offer.level in ("read", AUTHOR)}
    assert {f"/{name}" for name in free} <= {each[0].split()[0] for each in COMMANDS}


def test_t06_a_command_that_cannot_be_carried_out_leaves_no_green(
    bot: Bot, github: Sandbox, signatures: Signatures
) -> None:
    configured(github, ALL.format(url=signatures.url))
    pull = opened(github, {"free.txt": "x\n"}, author="reviewer")
    run(bot, about(github, pull))
    assert statuses(github, pull.number)["cla/mattermost"][0] == "success"
    signatures.status = 404
    run(bot, commented(github, pull, "/check-cla"))
    assert statuses(github, pull.number)["cla/mattermost"] == ("error", "The list of signatures cannot be read")


@pytest.mark.parametrize(
    ("author", "head"), [("maintainer", "stranger/hello:x"), ("dependabot[bot]", "stranger/hello:x")]
)
def test_t06c_a_fork_of_somebody_else_is_judged(bot: Bot, github: Sandbox, author: str, head: str) -> None:
    """A writer opened it and the stranger pushes on; an excluded bot's name helps no more."""
    configured(github, "protected_paths: {paths: ['.github/**'], excluded: ['dependabot[bot]']}\n")
    pull = opened(github, {"free.txt": "x\n"}, author=author, head=head)
    run(bot, about(github, pull, "opened", author))
    assert statuses(github, pull.number)[CONTEXT][0] == "success"
    github.state.add_commit(github.repository, pull.number, GUARDED, by="stranger")
    run(bot, about(github, pull, "synchronize"))
    assert statuses(github, pull.number)[CONTEXT][0] == "failure"


@pytest.mark.parametrize("fault", ["stale", "status"])
def test_t06a_a_head_that_does_not_come_is_not_forgotten(
    bot: Bot, github: Sandbox, database: Database, fault: Any
) -> None:
    """GitHub makes it after its answer: without a database the run is red, with one the next sweep judges it."""
    configured(github, "update_branch: {}\nprotected_paths: {paths: ['.github/**']}\n")
    bot.database_url = servers.url(database)
    as_person(bot, github)
    pull = opened(github, GUARDED, maintainer_can_modify=True)
    run(bot, about(github, pull))
    github.state.write_files(github.repository, {"more.txt": "main has moved\n"})
    event = commented(github, pull, "/update-branch")
    first = len(github.requests)
    github.state.faults.add(
        Fault(fault, "GET", f"*/pulls/{pull.number}", status=502, seconds=600, times=0, occurrence=2)
    )
    done = deliver(bot, event, MATTERMOD_CLOCK_SKIPS="true")
    assert done.code == 0, done.log
    assert len(github.requests) > first
    assert CONTEXT not in statuses(github, pull.number)
    github.state.faults.clear()
    sweep = {"schedule": "7 * * * *", "repository": event["repository"]}
    assert bot.run("schedule", sweep, MATTERMOD_CLOCK_OFFSET="60").code == 0
    assert statuses(github, pull.number)[CONTEXT][0] == "failure"
