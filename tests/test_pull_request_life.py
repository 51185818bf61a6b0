"""From the event to the statuses, labels, requests and reactions that GitHub then holds, on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from sandbox import payloads
from sandbox.act import EXAMPLES
from sandbox.faults import Fault
from sandbox.records import ACTIONS, CheckRun, CheckSuite
from tests.scene import bodies, run, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox
    from sandbox.records import Token
    from tests.harness import Bot
    from tests.signatures import Signatures

pytestmark = pytest.mark.one_store
ISSUE = 5  # of the scenario
CONFIG = """
block_merge:
  labels: ["Do Not Merge", {{label: "Wait", text: "Waiting."}}]
cla:
  signed_url: {url}
  excluded: [dependabot]
welcome: {{message: "Hello @USERNAME!"}}
greeter: {{team: core, labels: [Contributor]}}
hacktoberfest: {{months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}}
update_branch: {{}}
auto_assign: {{team: core}}
protected_paths: {{paths: ["guarded/**"]}}
diff_review: {{rules: [{{text: "panic(", message: "Why?"}}]}}
translations: {{bot: weblate, message: "New"}}
chat: {{}}
auto_merge: {{label: Ready, settle_minutes: 0}}
cherry_pick: {{conflicts: draft}}
label_workflow: {{rules: [{{label: Build, workflow: build.yml}}, {{label: Load, event: load}}]}}
label_cleanup: {{labels: ["Work in Progress", "Do Not Merge"], issues: true}}
commands: {{blocked_bots: [naughty]}}
"""


@pytest.fixture(autouse=True)
def configured(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    """GITHUB_TOKEN sees no team, so `org-token` is that of an App."""
    bot.inputs["org-token"] = github.tokens["app"]
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG.format(url=signatures.url)})
    token = github.state.tokens["github-token"]
    token.permissions |= {"statuses": "write", "contents": "write"}
    repository = github.state.repository(github.repository)
    assert repository
    repository.permissions["helper"], repository.actions_pulls = "triage", True


def opened(github: Sandbox, author: str = "newcomer", labels: tuple[str, ...] = (), head: str = "topic") -> Any:
    return payloads.opened_pull(github.state, github.repository, "New", labels, author, head=head)


def labels(github: Sandbox, number: int) -> set[str]:
    return {label.name for label in github.state.item(github.repository, number).labels}


BLOCKED, ALLOWED = ("pending", "Merge blocked due Do Not Merge label"), ("success", "Merged allowed")


def test_an_outsiders_pull_request_is_looked_after(bot: Bot, github: Sandbox) -> None:
    event = opened(github)
    number = event["number"]
    run(bot, event)
    assert bodies(github, number) == ["Hello @newcomer!"]
    assert statuses(github, number) == {
        "merge/blocked": ALLOWED,
        "cla/mattermost": ("error", "newcomer needs to sign the CLA"),
        "merge/protected-paths": ("success", "No protected path is changed"),
    }
    assert labels(github, number) == {"Contributor", "Hacktoberfest"}
    assert github.state.pull(github.repository, number).teams == ["core"]
    writes = len(github.writes)
    assert len([request for request in github.requests if request.path != "/graphql"]) <= 11
    run(bot, event)  # MM-16: redelivered
    assert len(github.writes) == writes


def test_a_members_pull_request_costs_a_status_for_each_gate(bot: Bot, github: Sandbox) -> None:
    event = opened(github, "reviewer")
    run(bot, event)
    assert [write.action for write in github.writes] == ["status", "status", "status"]
    assert statuses(github, event["number"])["cla/mattermost"] == ("success", "reviewer authorized")


def test_mm59_bots_are_not_welcomed(bot: Bot, github: Sandbox) -> None:
    event = opened(github, "dependabot[bot]")
    run(bot, event)
    assert bodies(github, event["number"]) == []


def test_mm04_opened_with_a_blocking_label_is_blocked(bot: Bot, github: Sandbox) -> None:
    event = opened(github, "reviewer", ("do not merge",))
    run(bot, event)
    assert statuses(github, event["number"])["merge/blocked"] == BLOCKED


def test_mm02_mm03_blocked_until_the_last_blocking_label_goes(bot: Bot, github: Sandbox) -> None:
    """MM-02: putting a label on blocks. MM-03: taking one of two off does not unblock."""
    number = opened(github, "reviewer")["number"]
    seen = []
    for change, label in (
        (payloads.labeled, "Do Not Merge"),
        (payloads.labeled, "Wait"),
        (payloads.unlabeled, "Do Not Merge"),
        (payloads.unlabeled, "Wait"),
    ):
        run(bot, change(github.state, github.repository, number, label, "maintainer"))
        seen.append(statuses(github, number)["merge/blocked"])
    assert seen == [BLOCKED, BLOCKED, ("pending", "Waiting."), ALLOWED]


def test_i7_the_same_status_is_not_set_again(bot: Bot, github: Sandbox) -> None:
    number = opened(github, "reviewer")["number"]
    for _ in range(2):
        run(bot, payloads.labeled(github.state, github.repository, number, "harmless", "maintainer"))
    assert [write.action for write in github.writes] == ["status"]


def test_mm19_closed_takes_labels_off_once_each(bot: Bot, github: Sandbox) -> None:
    """MM-20: also the hundredth, and one that is gone already is no error."""
    event = opened(github, "reviewer", (*(f"l{number}" for number in range(40)), "Work in Progress"))
    number = event["number"]
    run(bot, payloads.closed(github.state, github.repository, number, "maintainer"))
    assert "Work in Progress" not in labels(github, number)
    assert len(labels(github, number)) == 40
    assert [write.action for write in github.writes] == ["remove_label"]


def queued(github: Sandbox) -> Any:
    """A merge group of one pull request."""
    number = opened(github, "reviewer")["number"]
    branch = f"gh-readonly-queue/main/pr-{number}-{'a' * 40}"
    sha = github.state.write_files(github.repository, {"x": "y"}, branch)
    group = {"head_sha": sha, "head_ref": f"refs/heads/{branch}"}
    around = payloads.about(github.state, github.repository, number, "x", "maintainer")
    return {"action": "checks_requested", "merge_group": group, "repository": around["repository"]}


def test_merge_groups_are_answered(bot: Bot, github: Sandbox) -> None:
    event = queued(github)
    sha = event["merge_group"]["head_sha"]
    assert bot.run("merge_group", event).code == 0
    repository = github.state.repository(github.repository)
    assert repository
    assert {each.context: each.state for each in repository.statuses[sha]} == {
        "merge/blocked": "success",
        "cla/mattermost": "success",
        "merge/protected-paths": "success",
    }


UNREADABLE = [
    (404, "text/plain", "reviewer"),
    (200, "text/html", "<html>reviewer</html>"),
    (200, "text/plain", ""),
    (500, "", ""),
]


@pytest.mark.parametrize("answer", UNREADABLE, ids=["404", "html", "empty", "500"])
def test_mm54_a_list_that_cannot_be_read_says_nothing_about_anybody(
    bot: Bot, github: Sandbox, signatures: Signatures, answer: tuple[int, str, str]
) -> None:
    """MM-53, MM-54: neither pending for ever nor "needs to sign", and not silence either."""
    signatures.status, signatures.kind, signatures.body = answer
    event = opened(github, "reviewer")
    done = bot.run("pull_request_target", event, MATTERMOD_CLOCK_SKIPS="true")
    assert done.code == (0 if bot.database_url else 3)  # the embedded store has no row for a sweep to find
    assert statuses(github, event["number"])["cla/mattermost"] == ("error", "The list of signatures cannot be read")
    assert statuses(github, event["number"])["merge/blocked"] == ALLOWED  # MM-17: the others go on
    assert "list of signatures" in done.log + done.summary


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("signed-one", ("success", "signed-one authorized")),
        ("Signed-ONE", ("success", "Signed-ONE authorized")),
        ("Dependabot", ("success", "Dependabot excluded")),
        ("login", ("error", "login needs to sign the CLA")),  # the list's heading is nobody
        ("stranger", ("error", "stranger needs to sign the CLA")),
    ],
)
def test_mm56_logins_compare_without_case(bot: Bot, github: Sandbox, author: str, expected: tuple[str, str]) -> None:
    event = opened(github, author)
    run(bot, event)
    assert statuses(github, event["number"])["cla/mattermost"] == expected


def test_mm55_a_deleted_account_has_signed_nothing(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    """MM-55: nor is an empty line of the list anybody's name."""
    signatures.body += "\n,\n"
    event = opened(github, "reviewer")
    github.state.pull(github.repository, event["number"]).author = None
    event["pull_request"]["user"] = None
    run(bot, event)
    assert statuses(github, event["number"])["cla/mattermost"][0] == "error"


def commented(github: Sandbox, body: str, author: str = "maintainer", number: int = 0) -> Any:
    return payloads.comment_created(github.state, github.repository, number or github.pull, author, body)


def reactions(github: Sandbox, comment: int) -> set[str]:
    for repository in github.state.repositories.values():
        for item in repository.items.values():
            for each in item.comments:
                if each.id == comment:
                    return {content for content, _ in each.reactions}
    raise AssertionError(comment)


def behind(github: Sandbox, author: str = "newcomer") -> int:
    """A pull request whose base has moved on."""
    number = int(opened(github, author)["number"])
    github.state.write_files(github.repository, {"new.txt": "new\n"})
    return number


@pytest.mark.parametrize("author", ["newcomer", "maintainer"])
def test_update_branch(bot: Bot, github: Sandbox, author: str) -> None:
    number = behind(github)
    before = github.state.pull(github.repository, number).head_sha
    event = commented(github, "Please\r\n/update-branch", author, number)
    run(bot, event)
    assert github.state.pull(github.repository, number).head_sha != before
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}
    assert len(github.requests) <= 13  # of these six judge the new head
    writes = len(github.writes)
    run(bot, event)
    assert len(github.writes) == writes


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda github, number: payloads.closed(github.state, github.repository, number), "the pull request is closed"),
        (lambda github, number: github.state.update_branch(github.repository, number), "no new commits on the base"),
        (
            lambda github, number: github.state.write_files(github.repository, {f"change-{number}.txt": "other\n"}),
            "merge conflict between base and head",
        ),
    ],
    ids=["closed", "up to date", "conflict"],
)
def test_mm29_each_reason_is_named(bot: Bot, github: Sandbox, prepare: Any, reason: str) -> None:
    """MM-29, MM-30: the thumb is that of the outcome."""
    number = behind(github)
    prepare(github, number)
    event = commented(github, "/update-branch", "maintainer", number)
    run(bot, event)
    [body] = bodies(github, number)[1:]
    assert body.startswith("@maintainer, `/update-branch`: ")
    assert reason in body
    assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}


@pytest.mark.parametrize("author", ["newcomer", "maintainer"])
def test_workflow_files_that_the_base_brings_name_the_token_that_may(bot: Bot, github: Sandbox, author: str) -> None:
    """https://github.com/chdsbd/kodiak/issues/853: tried, and told truly; with the permission it is done."""
    number = behind(github)
    github.state.write_files(github.repository, {".github/workflows/new.yml": "on: push\n"})
    event = commented(github, "/update-branch", author, number)
    run(bot, event)
    [body] = bodies(github, number)[1:]
    assert "without workflows permission" in body
    assert "`github-token` has no permission for that" in body
    assert "an App with `workflows: write`" in body
    assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}
    github.state.tokens["github-token"].permissions["workflows"] = "write"
    event = commented(github, "/update-branch\nagain", author, number)
    run(bot, event)
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}


def test_where_github_compares_no_workflow_files_the_branch_is_updated(bot: Bot, github: Sandbox) -> None:
    """Nothing is refused beforehand."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.compares_workflows = False
    number = behind(github)
    github.state.write_files(github.repository, {".github/workflows/new.yml": "on: push\n"})
    event = commented(github, "/update-branch", "newcomer", number)
    run(bot, event)
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}


NO_TEAMS = ("`{token}` cannot see the organisation's teams", "`members: read`", "GITHUB_TOKEN never can")


@pytest.mark.parametrize("token", ["github-token", "org-token"])
def test_a_team_that_no_token_sees_is_told_with_the_cure(bot: Bot, github: Sandbox, token: str) -> None:
    """https://github.com/actions/github-script/issues/572: of the command in a comment, of the greeter in the log."""
    bot.inputs["org-token"] = {"github-token": "", "org-token": github.tokens["maintainer"]}[token]
    event = commented(github, "/autoassign")
    run(bot, event)
    [body] = bodies(github, github.pull)[1:]
    assert "Could not resolve to a node with the global id of 'T_" in body
    assert [text for text in NO_TEAMS if text.format(token=token) not in body] == []
    assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}
    event = opened(github)
    done = run(bot, event)
    assert [text for text in NO_TEAMS if text.format(token=token) not in done.log] == []
    assert labels(github, event["number"]) == {"Contributor", "Hacktoberfest"}
    assert github.state.pull(github.repository, event["number"]).teams == []


def test_only_team_reviews_are_asked_with_org_token(bot: Bot, github: Sandbox) -> None:
    event = opened(github)
    run(bot, event)
    by = {write.action: write.by for write in github.writes}
    assert {action for action, login in by.items() if login == "mattermod-app[bot]"} == {"request_reviewers"}


def test_an_org_token_that_is_wrong_is_named(bot: Bot, github: Sandbox) -> None:
    bot.inputs["org-token"] = "wrong"
    done = bot.run("issue_comment", commented(github, "/autoassign"))
    assert done.code == 2
    assert "`org-token` is not accepted by GitHub (401)" in done.log


def test_mm29_a_fork_that_allows_no_edits(bot: Bot, github: Sandbox) -> None:
    event = commented(github, "/update-branch")
    run(bot, event)
    assert "does not allow edits by maintainers" in bodies(github, github.pull)[1]


def test_mm29_a_fork_that_this_token_may_not_write(bot: Bot, github: Sandbox) -> None:
    """MM-29: neither GITHUB_TOKEN nor an App may; a person's token may."""
    github.state.pull(github.repository, github.pull).maintainer_can_modify = True
    github.state.write_files(github.repository, {"new.txt": "new\n"})
    event = commented(github, "/update-branch")
    run(bot, event)
    assert "may not write to the fork" in bodies(github, github.pull)[1]
    assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}
    bot.token = github.tokens["maintainer"]
    event = commented(github, "Again\n/update-branch")
    run(bot, event)
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}


@pytest.mark.parametrize("author", ["stranger", "helper"])
def test_mm24_mm25_strangers_are_told_once(bot: Bot, github: Sandbox, author: str) -> None:
    """MM-24: who may not is refused. MM-25: and cannot make the bot talk."""
    events = [commented(github, f"/autoassign\n{number}", author) for number in range(3)]
    for event in events:
        run(bot, event)
        assert reactions(github, event["comment"]["id"]) == {"-1"}
    told = [body for body in bodies(github, github.pull) if "is for people with write access" in body]
    assert len(told) == 1
    assert github.state.pull(github.repository, github.pull).teams == []


def test_mm27_the_role_is_read_live(bot: Bot, github: Sandbox) -> None:
    repository = github.state.repository(github.repository)
    assert repository
    event = commented(github, "/autoassign", "reviewer")
    repository.permissions["reviewer"] = "read"
    run(bot, event)
    assert github.state.pull(github.repository, github.pull).teams == []


def test_mm27_the_role_is_read_again_right_before_the_effect(bot: Bot, github: Sandbox) -> None:
    """MM-27: it was judged by what GitHub said then; a rate limit was waited for, and it is no longer so."""
    repository = github.state.repository(github.repository)
    assert repository
    run(bot, commented(github, "/mattermod help", "reviewer"))
    repository.permissions["reviewer"] = "read"
    github.state.faults.add(
        Fault("stale", "GET", "*/reviewer/permission"),
        Fault("secondary-limit", "POST", "*/reactions", retry_after="20"),
    )
    event = commented(github, "/autoassign", "reviewer")
    run(bot, event, MATTERMOD_CLOCK_SKIPS="true")
    assert github.state.pull(github.repository, github.pull).teams == []
    assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}
    assert "has no write permission here any more" in bodies(github, github.pull)[-1]


def test_s04_whoever_runs_it_again_must_be_allowed_too(bot: Bot, github: Sandbox) -> None:
    event = commented(github, "/autoassign")
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="stranger")
    assert github.state.pull(github.repository, github.pull).teams == []
    event = commented(github, "/autoassign\nagain")
    run(bot, event, GITHUB_RUN_ATTEMPT="2", GITHUB_TRIGGERING_ACTOR="maintainer")
    assert github.state.pull(github.repository, github.pull).teams == ["core"]


def test_bots_that_are_blocked_command_nothing(bot: Bot, github: Sandbox) -> None:
    repository = github.state.repository(github.repository)
    assert repository
    repository.permissions["naughty"] = "admin"
    run(bot, commented(github, "/autoassign", "Naughty"))
    assert github.writes == []


def test_check_cla_is_for_everybody(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    event = commented(github, "/check-cla", "stranger")
    run(bot, event)
    assert statuses(github, github.pull)["cla/mattermost"][0] == "error"
    signatures.body += "newcomer,N\n"
    run(bot, commented(github, "I have.\n\n/check-cla", "newcomer"))
    assert statuses(github, github.pull)["cla/mattermost"] == ("success", "newcomer authorized")


@pytest.mark.parametrize("author", ["maintainer", "stranger"])
def test_help_says_what_you_may(bot: Bot, github: Sandbox, author: str) -> None:
    run(bot, commented(github, "/mattermod help", author))
    [_, body] = bodies(github, github.pull)
    yes = "yes" if author == "maintainer" else "no"
    assert (
        f"| `/autoassign` | asks the team for a review | people with write access to this repository | {yes} |" in body
    )
    assert "| `/check-cla` | checks again whether the author has signed | everybody | yes |" in body


def test_mm25_a_reason_is_given_once_to_each_person(bot: Bot, github: Sandbox) -> None:
    """MM-25: of a command that is for everybody; the thumb goes down each time."""
    payloads.closed(github.state, github.repository, github.pull)
    for number in range(3):
        event = commented(github, f"/check-cla\n{number}", "stranger")
        run(bot, event)
        assert reactions(github, event["comment"]["id"]) == {"eyes", "-1"}
    assert len([body for body in bodies(github, github.pull) if "the pull request is closed" in body]) == 1


def test_mm25_help_is_given_once_to_each_person(bot: Bot, github: Sandbox) -> None:
    """MM-25: and again when what they may do has changed."""
    repository = github.state.repository(github.repository)
    assert repository
    for number in range(3):
        run(bot, commented(github, f"/mattermod help\n{number}", "stranger"))
    assert len(bodies(github, github.pull)) == 3 + 1
    repository.permissions["stranger"] = "write"
    run(bot, commented(github, "/mattermod help", "stranger"))
    assert "| yes |" in bodies(github, github.pull)[-1].splitlines()[-1]


def test_an_unknown_command_is_only_answered_by_name(bot: Bot, github: Sandbox) -> None:
    run(bot, commented(github, "/var is full\n/approve"))
    assert github.writes == []
    run(bot, commented(github, "/mattermod autoasign"))
    assert "did you mean `/autoassign`?" in bodies(github, github.pull)[-1]


def test_mm23_an_edit_gives_what_it_adds_when_it_is_the_authors(bot: Bot, github: Sandbox) -> None:
    made = commented(github, "/autoassign now")
    edited = {**made, "action": "edited", "changes": {"body": {"from": "/autoassign"}}}
    assert bot.run("issue_comment", {**edited, "sender": {"login": "reviewer", "type": "User"}}).code == 0
    assert github.requests == []
    assert bot.run("issue_comment", {**edited, "changes": {"body": {"from": "/autoassign now"}}}).code == 0
    assert github.state.pull(github.repository, github.pull).teams == []
    run(bot, edited)
    assert github.state.pull(github.repository, github.pull).teams == ["core"]


def test_mm28_a_comment_without_a_command_costs_nothing(bot: Bot, github: Sandbox) -> None:
    run(bot, commented(github, "Looks good, see `/autoassign`"))
    assert github.requests == []


def test_several_commands_in_one_comment(bot: Bot, github: Sandbox) -> None:
    event = commented(github, "/autoassign\n/check-cla")
    run(bot, event)
    assert github.state.pull(github.repository, github.pull).teams == ["core"]
    assert "cla/mattermost" in statuses(github, github.pull)
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}


LATER = {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": "120"}  # seconds; a lease is 30


def test_mm30_no_thumb_while_it_is_not_over(bot: Bot, github: Sandbox) -> None:
    """MM-30: GitHub is down. The run is red, and started once more it goes on."""
    number = behind(github)
    event = commented(github, "/update-branch", "newcomer", number)
    github.state.faults.add(Fault("status", "PUT", "*/update-branch", status=502, times=0))
    assert bot.run("issue_comment", event, MATTERMOD_CLOCK_SKIPS="true").code == 3
    assert reactions(github, event["comment"]["id"]) == {"eyes"}
    github.state.faults.clear()
    run(bot, event, **LATER)
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}


@pytest.mark.parametrize("kind", ["reset", "status", "truncated"])
def test_mm30_f07_an_answer_that_was_lost_is_looked_for(bot: Bot, github: Sandbox, kind: Any) -> None:
    """MM-30, F07: the branch was updated, and GitHub's answer did not arrive."""
    number = behind(github)
    event = commented(github, "/update-branch", "newcomer", number)
    github.state.faults.add(Fault(kind, "PUT", "*/update-branch", when="after", status=502 if kind == "status" else 0))
    run(bot, event, MATTERMOD_CLOCK_SKIPS="true")
    assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}
    assert [write.action for write in github.writes].count("update_branch") == 1
    assert bodies(github, number) == ["/update-branch"]  # and no reason why not


@pytest.mark.parametrize(
    ("path", "body"), [("*/statuses/*", ""), ("*/requested_reviewers", "/autoassign")], ids=["status", "command"]
)
def test_f08_what_no_sweep_goes_on_with_is_red(bot: Bot, github: Sandbox, path: str, body: str) -> None:
    """Only what has a row that a sweep goes on with may be green while a rate limit holds it up."""
    github.state.faults.add(Fault("secondary-limit", "POST", path, retry_after="3600", times=0))
    event = commented(github, body) if body else opened(github, "reviewer")
    name = "issue_comment" if body else "pull_request_target"
    assert bot.run(name, event).code == 3
    github.state.faults.clear()
    run(bot, event, **LATER)
    if body:
        assert reactions(github, event["comment"]["id"]) == {"eyes", "+1"}
    else:
        assert statuses(github, event["number"])["merge/blocked"] == ALLOWED


def permissions(example: str, nth: int = 0) -> dict[str, str]:
    """What a job of an example has, as a token names it."""
    jobs = YAML(typ="safe").load((EXAMPLES / example).read_text())["jobs"]
    return {name.replace("-", "_"): level for name, level in [*jobs.values()][nth]["permissions"].items()}


def private(github: Sandbox) -> Token:
    """Make the repository one that only shows what a token may see."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.private = True
    return github.state.tokens["github-token"]


def closed_issue(github: Sandbox) -> Any:
    github.state.add_labels(github.repository, ISSUE, ["Work in Progress"])
    return payloads.closed(github.state, github.repository, ISSUE, "maintainer")


def ready(github: Sandbox) -> Any:
    """A pull request that may be merged, and has a green check run."""
    number = int(opened(github, "reviewer")["number"])
    pull = github.state.pull(github.repository, number)
    pull.mergeable_reads = 0
    now, next_id = github.state.now(), github.state.next_id
    suite = CheckSuite(next_id(), pull.head_sha, "completed", "success", now, ACTIONS, "CI")
    repository = github.state.repository(github.repository)
    assert repository
    repository.suites.append(suite)
    run = CheckRun(next_id(), "build", pull.head_sha, "completed", "success", now, now, app=ACTIONS, suite=suite.id)
    github.state.add_check(github.repository, run)
    return payloads.labeled(github.state, github.repository, number, "Ready", "maintainer")


def build(github: Sandbox, label: str = "Build") -> Any:
    github.state.write_files(github.repository, {".github/workflows/build.yml": "on: workflow_dispatch\n"})
    return payloads.labeled(github.state, github.repository, github.pull, label, "maintainer")


def picked(github: Sandbox) -> Any:
    """A command on what was merged; it conflicts on the branch, and becomes a draft."""
    files, place = github.state.write_files, github.repository
    files(place, {"app.txt": "one\n"})
    files(place, {"app.txt": "another\n"}, "release")
    number = github.state.add_pull(place, "New", "newcomer", head="change", files={"app.txt": "two\n"}).number
    github.state.merge(place, number, "squash", "New", "maintainer")
    return commented(github, "/cherry-pick release", number=number)


NEEDS: dict[tuple[str, str], tuple[Callable[[Sandbox], Any], str]] = {
    ("pull-request.yml", "contents"): (opened, "`contents: read`"),
    ("pull-request.yml", "issues"): (closed_issue, "`issues: write`"),
    ("pull-request.yml", "pull_requests"): (opened, "`pull-requests: write`"),
    ("pull-request.yml", "statuses"): (opened, "`statuses: write`"),
    ("auto-merge.yml", "contents"): (ready, "`contents: write`"),
    ("auto-merge.yml", "actions"): (ready, "`actions: read`"),
    ("auto-merge.yml", "checks"): (ready, "`checks: read`"),
    ("auto-merge.yml", "issues"): (closed_issue, "`issues: write`"),
    ("auto-merge.yml", "pull_requests"): (opened, "`pull-requests: write`"),
    ("auto-merge.yml", "statuses"): (opened, "`statuses: write`"),
    ("comments.yml", "contents"): (
        lambda github: commented(github, "/update-branch", number=behind(github)),
        "`contents: write`",
    ),
    ("comments.yml", "issues"): (lambda github: commented(github, "/autoassign"), "`issues: write`"),
    ("comments.yml", "pull_requests"): (lambda github: commented(github, "/autoassign"), "`pull-requests: write`"),
    ("label-workflow.yml", "actions"): (build, "`actions: write`"),
    ("label-workflow.yml", "contents"): (lambda github: build(github, "Load"), "`contents: write`"),
    ("label-workflow.yml", "issues"): (closed_issue, "`issues: write`"),
    ("label-workflow.yml", "pull_requests"): (opened, "`pull-requests: write`"),
    ("label-workflow.yml", "statuses"): (opened, "`statuses: write`"),
    **{
        ("cherry-pick.yml", name): (picked, f"`{name.replace('_', '-')}: write`")
        for name in permissions("cherry-pick.yml")
    },
    ("comments.yml", "statuses"): (lambda github: commented(github, "/check-cla"), "`statuses: write`"),
}


def test_s01_each_permission_of_the_examples_is_tried() -> None:
    examples = ("pull-request.yml", "auto-merge.yml", "comments.yml", "label-workflow.yml", "cherry-pick.yml")
    assert {*NEEDS} == {(example, name) for example in examples for name in permissions(example)}


@pytest.mark.parametrize(("example", "name"), NEEDS)
def test_s01_each_permission_is_needed(bot: Bot, github: Sandbox, example: str, name: str) -> None:
    """S-01, S-02: one level less of one permission is one line with the cure, and the cure is enough."""
    make, cure = NEEDS[example, name]
    token = private(github)
    given = {"members": "read", **permissions(example)}  # as an App's token, which sees teams
    bot.inputs["org-token"] = ""
    token.permissions = {"metadata": "read", **given, name: {"write": "read", "read": "none"}[given[name]]}
    event = make(github)
    kind = payloads.name(event)
    failed = bot.run("pull_request_target" if kind == "pull_request" else kind, event)
    assert failed.code == 2, failed.log
    assert cure in failed.log
    assert "Traceback" not in failed.log
    token.permissions = {"metadata": "read", **given}
    run(bot, event)


GROUPS = [(example, name) for example in ("pull-request.yml", "label-workflow.yml") for name in permissions(example, 1)]


@pytest.mark.parametrize(("example", "name"), GROUPS)
def test_s01_each_permission_of_a_job_for_merge_groups_is_needed(
    bot: Bot, github: Sandbox, example: str, name: str
) -> None:
    event, token = queued(github), private(github)
    given = permissions(example, 1)
    token.permissions = {"metadata": "read", **given, name: {"write": "read", "read": "none"}[given[name]]}
    failed = bot.run("merge_group", event)
    assert failed.code == 2, failed.log
    assert f"`{name.replace('_', '-')}: " in failed.log
    token.permissions = {"metadata": "read", **given}
    run(bot, event)


def test_s01_a_status_that_may_not_be_read_names_the_cure(bot: Bot, github: Sandbox) -> None:
    token = private(github)
    token.permissions = {"metadata": "read", **permissions("pull-request.yml"), "statuses": "none"}
    event = payloads.labeled(github.state, github.repository, github.pull, "Wait", "maintainer")
    failed = bot.run("pull_request_target", event)
    assert failed.code == 2, failed.log
    assert "may not read here: give the job `statuses: write`" in failed.log


def test_s21_nobody_is_called_by_a_strangers_words(bot: Bot, github: Sandbox) -> None:
    """S-21, MM-25: what follows `/mattermod` may be anything, and is answered once to each person."""
    for name in ("`@octo-org/core", "@maintainer", "<img>", "one", "two"):
        run(bot, commented(github, f"/mattermod {name}", "stranger"))
    [body] = [body for body in bodies(github, github.pull) if "there is no command" in body]
    assert "`one`" in body


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_a_run_whose_state_was_lost_reads_before_it_sets(bot: Bot, github: Sandbox) -> None:
    """A runner's file goes with it; a re-run finds the statuses that its first attempt has set."""
    event = opened(github, "reviewer")
    run(bot, event)
    for file in (bot.home / ".mattermod").iterdir():
        file.unlink()
    run(bot, event, GITHUB_RUN_ATTEMPT="2")
    assert [write.action for write in github.writes] == ["status", "status", "status"]
