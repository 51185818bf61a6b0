"""GitHub as it is: limits and faults with status 200, pages that are too large, roles of an organisation.

Each begins with an event and looks at what GitHub then holds; docs of each are in the table of sandbox/README.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from sandbox.records import Heavy
from tests.scene import bodies, deliver, run, statuses, texts
from tests.sweeps import organisation

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.records import Pull, Repository
    from tests.harness import Bot

SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
EMBEDDED = pytest.mark.parametrize("bot", ["sqlite"], indirect=True)  # which looks for markers by a query
ONE_STORE = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
DEV, MERGE = "2: Dev Review", "Ready to Merge"
QUERY = ("POST", "/graphql")
APP = "helper-app[bot]"


def repository(github: Sandbox) -> Repository:
    found = github.state.repository(github.repository)
    assert found
    return found


def configure(github: Sandbox, config: str) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": config})


def permit(github: Sandbox, **more: str) -> None:
    github.state.tokens["github-token"].permissions |= more


def as_an_app(github: Sandbox, bot: Bot) -> None:
    """Its token is not GITHUB_TOKEN."""
    github.state.tokens["github-token"].login = APP
    bot.inputs["bot-logins"] = APP


def ready(github: Sandbox) -> Pull:
    number = len(repository(github).items)
    pull = github.state.add_pull(
        github.repository, f"New {number}", "reviewer", head=f"topic-{number}", mergeable_reads=0
    )
    github.state.add_labels(github.repository, pull.number, [MERGE], "maintainer")
    return pull


def queries(github: Sandbox) -> int:
    return sum(request.path == "/graphql" for request in github.requests)


# What a query may be answered with status 200, how often, and what comes of it: exit code, comments, a word.
ANSWERED = {
    "failed once": (Fault("query-failed", *QUERY), 0, 1, ""),
    "failed for ever": (Fault("query-failed", *QUERY, times=0), 3, 0, "Something went wrong"),
    "of a type to come": (Fault("query-error", *QUERY, times=0, type="TOMORROW", message="New"), 3, 0, "New"),
    "asked to wait": (Fault("query-pause", *QUERY, retry_after="2"), 0, 1, ""),
    "asked to wait a minute": (Fault("query-pause", *QUERY), 0, 1, ""),
    "asked to wait an hour": (Fault("query-pause", *QUERY, retry_after="3600", times=0), 3, 0, "wait 3600 s"),
    "used up": (Fault("query-limit", *QUERY, seconds=1_800, times=0), 3, 0, "rate limit"),
    "single sign-on": (
        Fault("query-error", *QUERY, times=0, type="FORBIDDEN", message="Resource protected by SAML"),
        2,
        0,
        "Resource protected by SAML",
    ),
    "scopes": (
        Fault("query-error", *QUERY, times=0, type="INSUFFICIENT_SCOPES", message="requires ['read:org']"),
        2,
        0,
        "lacks a scope: requires ['read:org']",
    ),
}


@EMBEDDED
@pytest.mark.parametrize("case", ANSWERED.values(), ids=ANSWERED)
def test_what_a_query_is_answered_with_status_200(bot: Bot, github: Sandbox, case: tuple[Fault, int, int, str]) -> None:
    """Nothing is lost: what was not done ends red, and the next run does it."""
    fault, code, posted, said = case
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    github.state.faults.add(fault)
    done = deliver(bot, event, **SKIPS)
    assert (done.code, len(bodies(github, github.pull))) == (code, posted), done.log
    assert said in done.log
    github.state.faults.clear()
    run(bot, event, **SKIPS)
    assert len(bodies(github, github.pull)) == 1


@EMBEDDED
@pytest.mark.parametrize("kind", ["query-limit", "query-pause"])
def test_an_allowance_that_is_used_up_is_not_asked_again(bot: Bot, github: Sandbox, kind: Any) -> None:
    """It is over in half an hour: GitHub bans whoever goes on asking, and each minute of waiting is billed."""
    github.state.faults.add(Fault(kind, *QUERY, seconds=1_800, retry_after="1800", times=0))
    done = deliver(bot, payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer"), **SKIPS)
    assert (done.code, queries(github)) == (3, 1), done.log


@ONE_STORE
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unknown_answer_to_a_write_is_looked_into(bot: Bot, github: Sandbox, when: Any) -> None:
    """The mutation that puts a pull request into the queue is answered by an error that has no type."""
    as_an_app(github, bot)
    permit(github, contents="write", checks="read", statuses="read")
    configure(github, f'auto_merge: {{label: "{MERGE}", settle_minutes: 0}}\n')
    repository(github).queues = {"main"}
    pull = ready(github)
    github.state.faults.add(Fault("query-failed", *QUERY, occurrence=3, when=when))
    run(bot, payloads.labeled(github.state, github.repository, pull.number, MERGE, "maintainer"), **SKIPS)
    assert pull.queued
    assert [write.action for write in github.writes].count("enqueue") == 1
    assert texts(pull.comments)[-1].startswith("This is in the merge queue now")


@ONE_STORE
@pytest.mark.parametrize("how", [200, 502, 504])
def test_labelled_pull_requests_that_are_too_much_for_one_page(bot: Bot, github: Sandbox, how: int) -> None:
    permit(github, contents="write", checks="read", statuses="read")
    configure(github, f'auto_merge: {{label: "{MERGE}", settle_minutes: 0}}\n')
    pulls = [ready(github) for _ in range(14)]
    github.state.heavy = Heavy(12, how)
    assert bot.run("schedule", {}, **SKIPS).code == 0
    assert [pull.number for pull in pulls if not pull.merged_at] == []


@ONE_STORE
def test_a_repository_that_is_very_slow_is_read_in_the_end(bot: Bot, github: Sandbox) -> None:
    """Each sweep tries a few sizes, and the next one begins where it stopped."""
    permit(github, contents="write", checks="read", statuses="read")
    configure(github, f'auto_merge: {{label: "{MERGE}", settle_minutes: 0}}\n')
    pulls = [ready(github) for _ in range(3)]
    github.state.heavy = Heavy(2, 504)
    bot.variables["GITHUB_REPOSITORY_ID"] = str(repository(github).id)
    codes = [bot.run("schedule", {}, **SKIPS, MATTERMOD_CLOCK_OFFSET=str(900 * nth)).code for nth in range(3)]
    assert codes == [3, 3, 0]
    assert [pull.number for pull in pulls if not pull.merged_at] == []


@pytest.mark.parametrize("how", [200, 502])
def test_pages_of_a_sweep_shrink_and_what_worked_is_remembered(
    github: Sandbox, database: Database, tmp_path: Path, how: int
) -> None:
    """Labels that nobody heard of are answered, and the next sweep begins with pages that GitHub answers."""
    org = organisation(github, database, tmp_path)
    place = org.add("large", 40, 40)
    org.sweep()
    for item in [each for each in sorted(org.wanted) if each[0] == place][::10]:
        org.label(*item)
    github.state.heavy = Heavy(25, how)
    org.sweep()
    org.assert_wanted()
    before = queries(github)
    org.sweep()
    tried = [each for each in github.requests if each.path == "/graphql"][before:]
    pages = [each for each in tried if b"RESOURCE_LIMITS" in each.answer or each.status == 502]
    assert pages == []


@ONE_STORE
def test_old_items_that_are_too_much_for_one_query(bot: Bot, github: Sandbox) -> None:
    """Fewer are asked for each time: the same query would not be answered either."""
    permit(github, contents="read")
    configure(github, "stale: {days: 30, label: inactive}\n")
    for nth in range(12):
        github.state.add_pull(github.repository, f"Old {nth}", "newcomer", head=f"newcomer/hello:{nth}")
    bot.run("schedule", {}, **SKIPS)
    github.state.heavy = Heavy(5)
    github.requests.clear()
    assert bot.run("schedule", {}, **SKIPS, MATTERMOD_CLOCK_OFFSET=str(40 * 86_400)).code == 0
    asked = [each.body for each in github.requests if re.search(r"\bi[0-9]+: ", each.body)]
    assert len(asked) == len(set(asked)) > 1
    carry = [pull.number for pull in repository(github).pulls() if pull.state == "open"]
    assert [n for n in carry if "inactive" not in [label.name for label in repository(github).items[n].labels]] == []


# Roles: what an organisation calls it, the role that it builds on, the level of the command, whether it may.
ROLES = [
    ("Release Engineers", "write", "write", True),
    ("Release Engineers", "write", "maintain", False),
    ("Release Leads", "maintain", "maintain", True),
    ("Guardians", "admin", "admin", True),
    ("Sorters", "triage", "triage", True),
    ("Sorters", "triage", "write", False),
    ("Guests", "read", "triage", False),
]


@ONE_STORE
@pytest.mark.parametrize(("name", "base", "level", "may"), ROLES)
def test_a_role_of_an_organisation_counts_as_the_one_that_it_builds_on(
    bot: Bot, github: Sandbox, name: str, base: str, level: str, *, may: bool
) -> None:
    permit(github, contents="write")
    configure(github, f"update_branch: {{}}\ncommands: {{levels: {{update-branch: {level}}}}}\n")
    repository(github).roles[name] = base
    repository(github).permissions["releaser"] = name
    run(bot, payloads.comment_created(github.state, github.repository, github.pull, "releaser", "/update-branch"))
    refused = any("`/update-branch` is for" in body for body in bodies(github, github.pull))
    assert refused is not may, bodies(github, github.pull)


@ONE_STORE
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "Must have push access to view collaborator permission."),
        (403, "Resource protected by organization SAML enforcement. You must grant your token access to it."),
        (403, "Although you appear to have the correct authorization credentials, there is an IP allow list."),
        (403, "Resource not accessible by integration"),
        (451, "Repository access blocked"),
    ],
)
def test_a_role_that_cannot_be_read_is_a_mistake_of_the_token(
    bot: Bot, github: Sandbox, status: int, reason: str
) -> None:
    """Nobody is told that they may not: nobody knows."""
    permit(github, contents="write")
    configure(github, "update_branch: {}\n")
    github.state.faults.add(Fault("refused", "GET", "*/permission", times=0, status=status, message=reason))
    event = payloads.comment_created(github.state, github.repository, github.pull, "maintainer", "/update-branch")
    done = deliver(bot, event, **SKIPS)
    assert done.code == 2
    assert "github-token" in done.log
    assert [body for body in bodies(github, github.pull) if "write access" in body] == []


@ONE_STORE
@pytest.mark.parametrize("reason", ["Repository access blocked", "This installation has been suspended"])
def test_what_may_not_be_read_is_not_gone(bot: Bot, github: Sandbox, reason: str) -> None:
    """A re-run reads its pull request anew. A refusal says nothing about what is there."""
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    github.state.faults.add(Fault("refused", "GET", "*/pulls/*", message=reason))
    done = deliver(bot, event, GITHUB_RUN_ATTEMPT="2", **SKIPS)
    assert (done.code, reason in done.log, "gone" in done.log) == (2, True, False), done.log


# Labels, and how each is named in a commit status, which takes no character that is four bytes long.
EMOJI = {
    "\U0001f6ab Do Not Merge": ":no entry sign: Do Not Merge",
    "\U0001f6ab": ":no entry sign:",
    "\u26a0\ufe0f Wait": "\u26a0\ufe0f Wait",
    "\U0001f468\u200d\U0001f4bb Dev": ":man::personal computer: Dev",
    "\U0001f1e9\U0001f1ea": ":regional indicator symbol letter d::regional indicator symbol letter e:",
    "\U0010fffd": ":symbol:",
    "Gr\u00fcn \u65e5\u672c": "Gr\u00fcn \u65e5\u672c",
}


@ONE_STORE
@pytest.mark.parametrize(("label", "named"), EMOJI.items())
def test_a_status_names_emoji(bot: Bot, github: Sandbox, label: str, named: str) -> None:
    permit(github, statuses="write")
    configure(github, f'block_merge:\n  labels: ["{label}"]\n')
    event = payloads.labeled(github.state, github.repository, github.pull, label, "maintainer")
    for _ in range(2):
        run(bot, event)
    state, description = statuses(github, github.pull)["merge/blocked"]
    assert (state, named in description) == ("pending", True), description
    assert [write.action for write in github.writes].count("status") == 1


@ONE_STORE
def test_a_page_that_is_short_is_not_the_last(bot: Bot, github: Sandbox) -> None:
    """Of 150 changed files the guarded one is on the second page, and the first one leaves something out."""
    permit(github, statuses="write")
    configure(github, 'protected_paths: {paths: ["z/**"]}\n')
    files = {f"a/{nth:03}.txt": "x\n" for nth in range(150)} | {"z/guarded.txt": "x\n", "z/z.txt": "y\n"}
    pull = github.state.add_pull(github.repository, "Many", "newcomer", head="newcomer/hello:many", files=files)
    github.state.short_pages = True
    run(bot, payloads.opened(github.state, github.repository, pull.number))
    assert statuses(github, pull.number)["merge/protected-paths"][0] == "failure"


@ONE_STORE
@pytest.mark.parametrize("label", [".", ".."])
def test_a_label_is_no_way_to_another_address(bot: Bot, github: Sandbox, label: str) -> None:
    """`DELETE …/labels/.` is, for whatever stands before GitHub, `DELETE …/labels`: all of them."""
    configure(github, f'label_cleanup: {{labels: ["{label}"]}}\n')
    github.state.add_labels(github.repository, github.pull, [label, "Keep"], "maintainer")
    github.state.change_item(github.repository, github.pull, {"state": "closed"})
    event = {**payloads.about(github.state, github.repository, github.pull, "closed", "maintainer")}
    done = deliver(bot, event)
    held = [each.name for each in github.state.item(github.repository, github.pull).labels]
    assert (done.code, "Keep" in held) == (0, True), done.log
    assert "no address" in done.log
    assert [each for each in github.requests if each.method == "DELETE"] == []


# What reading the configuration may be answered: exit code, what is said, how often GitHub was asked for it at most.
CONFIGURED = {
    "a proxy's page": (Fault("html", "GET", "*/contents/*", status=404, times=0), 3, "GitHub answered 404", 4),
    "single sign-on": (
        Fault("refused", "GET", "*/contents/*", times=0, message="Resource protected by SAML"),
        2,
        "Resource protected by SAML",
        1,
    ),
    "no permission": (
        Fault("refused", "GET", "*/contents/*", times=0, message="Resource not accessible by integration"),
        2,
        "give the job `contents: read`",
        1,
    ),
    "used up": (Fault("primary-limit", "GET", "*/contents/*", times=0, seconds=1_800), 3, "rate limit", 1),
    "asked to wait": (Fault("secondary-limit", "GET", "*/contents/*", retry_after="5"), 0, "comment posted", 2),
    "asked to wait for ever": (Fault("secondary-limit", "GET", "*/contents/*", times=0), 3, "rate limit", 2),
    "gone": (Fault("status", "GET", "*/contents/*", status=404, times=0), 2, "not found on the default branch", 1),
}


@ONE_STORE
@pytest.mark.parametrize("case", CONFIGURED.values(), ids=CONFIGURED)
def test_what_reading_the_configuration_is_answered(
    bot: Bot, github: Sandbox, case: tuple[Fault, int, str, int]
) -> None:
    fault, code, said, most = case
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    github.state.faults.add(fault)
    done = deliver(bot, event, **SKIPS)
    asked = sum("/contents/" in request.path for request in github.requests)
    assert (done.code, said in done.log, asked <= most) == (code, True, True), done.log


@ONE_STORE
@pytest.mark.parametrize("kind", ["query-failed", "query-limit", "query-pause", "status", "html"])
def test_a_sweep_reads_its_configuration_by_the_other_way(bot: Bot, github: Sandbox, kind: Any) -> None:
    """The query for it says nothing about the file where it fails."""
    github.state.faults.add(Fault(kind, *QUERY))
    done = bot.run("schedule", {}, **SKIPS)
    assert (done.code, "not found" in done.log) == (0, False), done.log
    assert [request.path for request in github.requests if "/contents/" in request.path] != []


@ONE_STORE
@pytest.mark.parametrize("path", ["../secret.yml", ".github/../../other/contents/x.yml", "./a.yml", "a//b.yml"])
def test_a_path_leads_to_no_other_address(bot: Bot, github: Sandbox, path: str) -> None:
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    bot.inputs["config"] = path
    done = deliver(bot, event)
    assert (done.code, "not a path within the repository" in done.log) == (2, True), done.log
    assert github.requests == []


@ONE_STORE
def test_a_repository_that_is_renamed_meanwhile_gets_its_comment(bot: Bot, github: Sandbox) -> None:
    """Reads are led on by 301, writes by 307."""
    event = payloads.labeled(github.state, github.repository, github.pull, DEV, "maintainer")
    github.state.rename(github.repository, "octo-org/hello-again")
    github.state.tokens["github-token"].repositories = ()
    for _ in range(2):
        run(bot, event)
    assert len(bodies(github, github.pull)) == 1
    assert [request.status for request in github.requests if request.method == "POST"] == [307, 201]
