"""No secret, and no name of a private repository, is in what anybody may read: canaries at every sink."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.public import STARS, Hidden
from mattermod_action.report import forms_of
from mattermod_action.sweeping import _without_chat
from mattermod_action.texts import harmless
from sandbox import chat, payloads
from sandbox.faults import Fault
from tests.scene import bodies
from tests.sweeps import SKIPS, organisation

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Bot, Run

SECRET, SHORT, NAME = "c4nary-s3cr3t/+ value", "c4n4ry", "octo-org/secret-acquisition"
KEY, TOKEN, HOOK = "canary-of-the-marker-key-0", "canary-of-jenkins-1", "canary-of-the-webhook-2"
ORG, OIDC, AWS, SESSION = "canary-org-token-3", "canary-oidc-token-4", "canary-aws-key-5", "canary-aws-session-6"
CANARIES = [KEY, TOKEN, HOOK, ORG, OIDC, AWS, SESSION]
CONFIG = (
    'update_branch: {}\nblock_merge: {labels: [Docs]}\nlabel_messages: {pull_requests: [{label: Docs, message: "x"}]}\n'
)


TOLD = {"update": "/update-branch", "comment": "/mattermod help"}


@pytest.fixture
def hidden() -> Hidden:
    return Hidden({*forms_of(SECRET), *forms_of(SHORT)}, {NAME})


@pytest.mark.parametrize("form", [*forms_of(SECRET), SECRET.upper()])
def test_t22_a_secret_is_taken_out_in_each_form_at_each_sink(hidden: Hidden, form: str) -> None:
    text = f"before {form} after"
    for sink in (hidden.failure, hidden.shown, hidden.posted):
        assert sink(text) == f"before {STARS} after"


@pytest.mark.parametrize(
    ("text", "failure", "shown", "posted"),
    [
        (SHORT, STARS, SHORT, SHORT),
        (f"{NAME}#7", f"{STARS}#7", f"{STARS}#7", f"{NAME}#7"),
        (f"https://x/{NAME.upper()}/pull/1", f"https://x/{STARS}/pull/1", f"https://x/{STARS}/pull/1", None),
        ("nothing", "nothing", "nothing", "nothing"),
    ],
)
def test_t22_what_is_short_or_a_name_is_hidden_where_it_has_to_be(
    hidden: Hidden, text: str, failure: str, shown: str, posted: str | None
) -> None:
    assert (hidden.failure(text), hidden.shown(text), hidden.posted(text)) == (failure, shown, posted or text)


def test_t22_texts_are_taken_out_of_whatever_is_sent(hidden: Hidden) -> None:
    body = {"body": SECRET, "labels": ["a", SECRET], "number": 7, "draft": True, "x": None}
    assert hidden.posted(body) == {"body": STARS, "labels": ["a", STARS], "number": 7, "draft": True, "x": None}
    assert Hidden().posted(body) == body
    assert SECRET not in repr(hidden)


def said(github: Sandbox, run: Run) -> str:
    """All that anybody may read, without what the runner takes as a command to hide it."""
    where = github.state.repository(github.repository)
    assert where
    log = "\n".join(line for line in run.log.splitlines() if not line.startswith("::add-mask::"))
    items = [[each.body for each in item.comments] for item in where.items.values()]
    statuses = [[(each.description, each.target_url) for each in found] for found in where.statuses.values()]
    return json.dumps([log, run.summary, run.outputs, items, statuses])


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
@pytest.mark.parametrize("verb", ["update", "comment"])
def test_t22_an_answer_that_repeats_our_secrets_shows_none(bot: Bot, github: Sandbox, verb: str) -> None:
    """As a proxy's page of what it was asked, or an error that quotes a header."""
    bot.inputs |= {
        "marker-key": KEY, "jenkins-credentials": f"https://ci.example.com robot {TOKEN}", "org-token": ORG,
        "mattermost-webhook-url": f"https://chat.example.com/hooks/{HOOK}",
    }  # fmt: skip
    bot.variables |= {
        "GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": OIDC, "AWS_SECRET_ACCESS_KEY": AWS,
        "AWS_SESSION_TOKEN": SESSION, "MATTERMOD_CLOCK_SKIPS": "true",
    }  # fmt: skip
    github.state.tokens["github-token"].permissions |= {"contents": "write", "pull_requests": "write"}
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    number = github.state.add_pull(github.repository, "x", "maintainer", head="x").number
    github.state.write_files(github.repository, {"more.txt": "main has moved\n"})
    paths = {"update": ("PUT", "*/update-branch"), "comment": ("POST", "*/comments")}
    method, path = paths[verb]
    github.state.faults.add(
        Fault("refused", method, path, times=0, status=422, message=" ".join([*CANARIES, github.token]))
    )
    command = payloads.comment_created(github.state, github.repository, number, "maintainer", TOLD[verb])
    run = bot.run("issue_comment", command)
    shown = said(github, run)
    assert [canary for canary in [*CANARIES, github.token] if canary in shown] == []
    assert STARS in shown, shown
    assert verb != "update" or any(STARS in body for body in bodies(github, number))


def test_t22_what_a_database_says_of_an_account_is_not_shown(bot: Bot, github: Sandbox, database: Database) -> None:
    bot.database_url = f"mysql://acc0unt:{SHORT}-password@127.0.0.1:{database.port}/{database.name}"
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    run = bot.run("pull_request_target", payloads.opened_pull(github.state, github.repository, "x", ["Docs"], "x"))
    assert run.code == 2
    assert [word for word in ("acc0unt", SHORT, database.name) if word in said(github, run)] == []


@pytest.mark.parametrize("private", [True, False])
def test_t22_a_public_repositorys_sweep_names_no_private_one(
    github: Sandbox, database: Database, tmp_path: Path, *, private: bool
) -> None:
    """Nor does a swept repository speak in the chat of whoever sweeps it."""
    org = organisation(github, database, tmp_path)
    central = '\nsweep: {repositories: ["octo-org/*"]}\n'
    state, home = github.state, github.state.repository(github.repository)
    assert home
    home.private = private
    place = org.add(NAME.partition("/")[2], 1, 1, config="translations: {bot: reviewer, message: x, channel: town}\n")
    secret = state.repository(place)
    assert secret
    secret.private = True
    state.write_files(github.repository, {".github/mattermod.yml": central + "chat: {}\n"})
    with chat.serve() as mattermost:
        org.bot.inputs["mattermost-webhook-url"] = mattermost.webhook
        event = {"repository": {"id": home.id, "full_name": home.full_name, "private": private}}
        for _ in range(2):
            run = org.bot.run("schedule", event, **SKIPS, **org.later())
            assert run.code == 0, run.log
        assert mattermost.messages == []
    assert (NAME in json.dumps([run.log, run.summary, run.outputs])) == private


def test_t22_chat_of_a_swept_repository_is_off() -> None:
    from mattermod_action.config import load

    config = load("chat: {channel: town}\ntranslations: {bot: x, message: y}\nupdate_branch: {}\n", "c.yml").config
    quiet: Any = _without_chat(config)
    assert (quiet.chat, quiet.translations, quiet.update_branch) == (None, None, config.update_branch)


def test_t22_a_repository_is_the_same_whether_it_is_private(github: Sandbox) -> None:
    from tests.builders import pull_seen

    one = pull_seen().subject.repository
    assert replace(one, private=True) == one
    assert github.repository


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("it was not ready within 20 minutes", "it was not ready within 20 minutes"),
        ("`maintainer` has no write access", "`maintainer` has no write access"),
        ("@octo-org/everybody, look: @alice", "`octo-org/everybody`, look: `alice`"),
        ("a@b.example", "a@b.example"),
        ("say `/cherry-pick a|b @x` again", "say `/cherry-pick a\\|b @x` again"),
        ("<img src=x> <!-- x -->", "&lt;img src=x> &lt;!-- x -->"),
        ("![x](https://example.org) [y](z)", "!\\[x](https://example.org) \\[y](z)"),
        ("a | b\n| c | d |\n\n# e", "a \\| b \\| c \\| d \\| # e"),
    ],
)
def test_t22_a_reason_that_a_row_has_is_harmless(reason: str, shown: str) -> None:
    """Whoever may write a row of the shared database does not speak to people in our name."""
    assert harmless(reason) == shown
