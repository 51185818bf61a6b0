"""What the chat is told: translations once, failures once an hour, and never a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import chat, payloads
from sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from tests.harness import Bot, Run

CONFIG = """
translations: {bot: Weblate, message: "New: PR_URL!", channel: l10n}
chat: {footer: "See the runbook."}
label_messages:
  pull_requests: [{label: Docs, message: Hello}]
"""
OPTIONS = {"MATTERMOD_CLOCK_SKIPS": "true"}
HOUR = 3_600  # seconds


@pytest.fixture
def mattermost() -> Iterator[chat.Chat]:
    with chat.serve() as running:
        yield running


@pytest.fixture(autouse=True)
def configured(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG})
    bot.inputs = {"mattermost-webhook-url": mattermost.webhook}
    bot.variables = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "7", **OPTIONS}


def opened(github: Sandbox, author: str, *labels: str) -> Any:
    return payloads.opened_pull(github.state, github.repository, "New", labels, author)


def run(bot: Bot, payload: Any, **variables: str) -> Run:
    done = bot.run("pull_request_target", payload, **variables)
    assert "Traceback" not in done.log
    assert chat.KEY not in done.log + done.summary + str(done.outputs)
    return done


def test_translations_are_announced_once(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    event = opened(github, "weblate")
    for _ in range(2):
        assert run(bot, event).code == 0
    assert run(bot, opened(github, "newcomer")).code == 0
    assert mattermost.messages == [{"text": f"New: {event['pull_request']['html_url']}!", "channel": "l10n"}]


def test_a_run_that_is_started_once_more_announces_nothing(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    """Not even when its store was lost with its runner."""
    event = opened(github, "weblate")
    run(bot, event)
    for file in bot.home.glob(".mattermod/*"):
        file.unlink()
    run(bot, event, GITHUB_RUN_ATTEMPT="2")
    assert len(mattermost.messages) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["status", "reset"])
def test_better_lost_than_twice(bot: Bot, github: Sandbox, mattermost: chat.Chat, when: Any, kind: Any) -> None:
    """The chat does not say what it has taken. A warning is all that comes of it."""
    mattermost.faults.add(Fault(kind, "POST", "/hooks/*", when=when, status=502 if kind == "status" else 0))
    event = opened(github, "weblate")
    done = run(bot, event)
    assert done.code == 0
    assert "the chat" in done.log
    run(bot, event, MATTERMOD_CLOCK_OFFSET="120")
    assert len(mattermost.messages) <= 1


def failing(bot: Bot, github: Sandbox, **variables: str) -> Run:
    """GitHub takes no comments."""
    github.state.faults.add(Fault("status", "POST", "*/comments", status=502, times=0))
    done = run(bot, opened(github, "newcomer", "Docs"), **variables)
    github.state.faults.clear()
    return done


def test_failures_are_told_once_an_hour(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    assert failing(bot, github).code == 3
    assert mattermost.texts == [
        (
            "mattermod-action failed in octo-org/hello:\n"
            "- `GitHub does not say whether it carried out the request; the next run looks again`\n"
            "https://github.com/octo-org/hello/actions/runs/7\n"
            "See the runbook."
        )
    ]
    failing(bot, github)
    assert len(mattermost.texts) == 1
    failing(bot, github, MATTERMOD_CLOCK_OFFSET=str(HOUR))
    assert len(mattermost.texts) == 2


def test_t22_a_secret_in_a_configured_text_is_not_told(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    key = "a-key-that-was-pasted-into-a-footer"
    text = CONFIG.replace("See the runbook.", f"Ask with {key}.")
    github.state.write_files(github.repository, {".github/mattermod.yml": text})
    bot.inputs["marker-key"] = key
    assert failing(bot, github).code == 3
    assert mattermost.texts[0].endswith("Ask with ***.")


def test_the_failure_decides_and_not_the_chat(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    mattermost.faults.add(Fault("status", "POST", "/hooks/*", status=404, times=0))
    assert failing(bot, github).code == 3
    bot.inputs = {"mattermost-webhook-url": "ftp://example.org/hooks/x"}
    done = failing(bot, github)
    assert done.code == 3
    assert "input `mattermost-webhook-url`: only https addresses are asked" in done.log
    bot.inputs = {}
    assert "give the input `mattermost-webhook-url`" in failing(bot, github).log


def test_what_went_well_is_not_told(bot: Bot, github: Sandbox, mattermost: chat.Chat) -> None:
    assert run(bot, opened(github, "newcomer", "Docs")).code == 0
    assert mattermost.messages == []


@pytest.mark.parametrize("room", ["MattermostWebhookURL", "TranslationsMattermostWebhookURL"])
def test_an_originals_file_brings_its_addresses(bot: Bot, github: Sandbox, mattermost: chat.Chat, room: str) -> None:
    """With a warning that they are secrets; what the input says of the same room goes first."""
    file = {
        "TranslationsBot": "weblate",
        "TranslationsMattermostMessage": "New",
        "MattermostWebhookURL": "https://example.invalid/hooks/other",
        room: mattermost.webhook,
    }
    github.state.write_files(github.repository, {"config.json": json.dumps(file)})
    bot.inputs = {"config": "config.json"}
    event = opened(github, "weblate")
    done = run(bot, event)
    assert mattermost.texts == [f"New\n{event['pull_request']['html_url']}"]
    assert f"{room} is a secret and stands in the configuration file" in done.log
