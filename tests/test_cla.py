"""Who has signed: the list that is read, the commits that are looked at, and what is said meanwhile."""

from __future__ import annotations

import uuid
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from tests import servers
from tests.harness import Bot
from tests.scene import bodies, deliver
from tests.sweeps import query

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.signatures import Signatures

CONTEXT = "cla/mattermost"
UNKNOWN = ("error", "The list of signatures cannot be read")
CONFIG = """
cla:
  signed_url: {url}
  excluded: ["dependabot[bot]"]
  message: "@USERNAME, please sign."
  everyone: true
"""
DAY = 86_400  # seconds
SWEEP = {"repository": {"id": 0, "full_name": "octo-org/hello"}}


@pytest.fixture(autouse=True)
def configured(github: Sandbox, signatures: Signatures) -> None:
    github.state.write_files(github.repository, {".github/mattermod.yml": CONFIG.format(url=signatures.url)})
    github.state.tokens["github-token"].permissions |= {"statuses": "write"}


def verdicts(github: Sandbox, number: int) -> list[tuple[str, str]]:
    """Everything that was ever said of the head, in its order."""
    repository = github.state.repository(github.repository)
    assert repository
    sha = github.state.pull(github.repository, number).head_sha
    return [(each.state, each.description) for each in repository.statuses.get(sha, ()) if each.context == CONTEXT]


def opened(github: Sandbox, author: str = "reviewer") -> Any:
    return payloads.opened_pull(github.state, github.repository, "New", (), author, head=f"topic-{uuid.uuid4().hex}")


def pushed(github: Sandbox, number: int, by: str = "", message: str = "More") -> Any:
    github.state.add_commit(github.repository, number, by=by, message=message)
    return payloads.about(github.state, github.repository, number, "synchronize", "reviewer")


def test_whoever_has_not_signed_is_told_once(bot: Bot, github: Sandbox) -> None:
    event = opened(github, "newcomer")
    number = event["number"]
    for _ in range(2):
        assert deliver(bot, event).code == 0
    assert deliver(bot, payloads.comment_created(github.state, github.repository, number, "x", "/check-cla")).code == 0
    assert verdicts(github, event["number"]) == [("error", "newcomer needs to sign the CLA")]
    assert bodies(github, event["number"]) == ["@newcomer, please sign.", "/check-cla"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"by": "signed-one"}, ("success", "reviewer authorized")),
        ({"by": "stranger"}, ("error", "stranger needs to sign the CLA")),
        (
            {"message": "M\n\nCo-authored-by: S <stranger@users.noreply.example>"},
            ("error", "stranger needs to sign the CLA"),
        ),
        ({"by": "S <s@example.org>"}, ("error", "1 of the commits belong to no account")),
        ({"by": "D <49699333+dependabot[bot]@users.noreply.github.com>"}, ("success", "reviewer authorized")),
        ({"by": "E <1+elsewhere@users.noreply.github.com>"}, ("error", "elsewhere needs to sign the CLA")),
    ],
    ids=["signed", "unsigned", "co-author", "nobody's", "bot", "hidden address"],
)
def test_mm57_every_author_is_asked_for(
    bot: Bot, github: Sandbox, more: dict[str, str], expected: tuple[str, str]
) -> None:
    """MM-57: fails when only the pull request's author is looked up."""
    github.state.person("stranger")
    github.state.person("signed-one")
    number = opened(github)["number"]
    assert deliver(bot, pushed(github, number, **more)).code == 0
    assert verdicts(github, number) == [expected]


def test_commits_of_no_account_are_listed_once(bot: Bot, github: Sandbox) -> None:
    """Neither their names nor their addresses can say anything to anybody."""
    number = opened(github)["number"]
    deliver(bot, opened(github))  # a pull request that was never seen is only looked at
    event = pushed(github, number, by="@everyone <`@octo-org/core`@x>")
    deliver(bot, {**event, "action": "opened"})
    deliver(bot, event)
    [body] = bodies(github, number)
    sha = github.state.pull(github.repository, number).head_sha
    assert body.endswith(f"- {sha[:10]} `\u02cb@octo-org/core\u02cb@x`")


def test_mm08_the_hundred_and_first_commit_is_looked_at(bot: Bot, github: Sandbox) -> None:
    """MM-08: fails when only the first page is read."""
    github.state.person("stranger")
    number = opened(github)["number"]
    for _ in range(100):
        github.state.add_commit(github.repository, number)
    deliver(bot, pushed(github, number, by="stranger"))
    assert verdicts(github, number) == [("error", "stranger needs to sign the CLA")]


def test_what_takes_long_is_said_to_be_pending(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    signatures.pause = 4.0
    number = opened(github)["number"]
    assert deliver(bot, pushed(github, number)).code == 0
    assert [state for state, _ in verdicts(github, number)] == ["pending", "success"]
    assert signatures.asked == 1


def test_mm53_pending_does_not_stay(bot: Bot, github: Sandbox, signatures: Signatures) -> None:
    """MM-53: the list takes long, and then it is none. Fails when only a verdict takes the place of pending."""
    signatures.pause, signatures.status = 4.0, 404
    number = opened(github)["number"]
    deliver(bot, pushed(github, number))
    assert [state for state, _ in verdicts(github, number)] == ["pending", "error"]
    assert verdicts(github, number)[-1][1] == "The list of signatures cannot be read"


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest/meta-data", "https://metadata.google.internal/list"])
def test_s20_where_machines_learn_secrets_nobody_is_asked(bot: Bot, github: Sandbox, url: str) -> None:
    """S-20: a configuration may name it. Red when `plain_http.FORBIDDEN` is left out."""
    config = f"cla: {{signed_url: '{url}'}}\n"
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    event = opened(github)
    assert "the list of signatures cannot be read: it leads to where machines learn secrets" in deliver(bot, event).log
    assert verdicts(github, event["number"]) == [UNKNOWN]


class TestShared:
    """With the shared database, which remembers lists and has rows for the sweep."""

    @pytest.fixture
    def bot(self, github: Sandbox, database: Database, tmp_path: Path) -> Bot:
        return Bot(github.url, github.token, tmp_path, servers.url(database))

    def test_a_list_is_read_from_its_server_each_time(self, bot: Bot, github: Sandbox, signatures: Signatures) -> None:
        for _ in range(3):
            event = opened(github)
            assert deliver(bot, event).code == 0
            assert verdicts(github, event["number"]) == [("success", "reviewer authorized")]
        assert (signatures.asked, signatures.told) == (3, 3)
        signatures.body += "newcomer\n"
        event = opened(github, "newcomer")
        deliver(bot, event)
        assert verdicts(github, event["number"]) == [("success", "newcomer authorized")]

    def test_mm54_a_list_that_lost_half_is_not_believed_for_a_day(
        self, bot: Bot, github: Sandbox, signatures: Signatures
    ) -> None:
        """MM-54: fails when a list is believed whatever was in it before."""
        deliver(bot, opened(github))
        whole, signatures.body = signatures.body, "somebody\n"
        event = opened(github)
        for _ in range(2):
            assert "has 1 names, and had 2" not in deliver(bot, event).log  # 2 of which half are left
        signatures.body = "\n".join([whole, *(f"more-{number}" for number in range(8))])
        deliver(bot, opened(github))
        signatures.body = "somebody\n"
        event = opened(github, "more-1")
        assert "has 1 names, and had 10" in deliver(bot, event).log
        assert verdicts(github, event["number"]) == [UNKNOWN]
        deliver(bot, event, MATTERMOD_CLOCK_OFFSET=str(DAY + 60))
        assert verdicts(github, event["number"]) == [UNKNOWN, ("error", "more-1 needs to sign the CLA")]

    def test_a_sweep_tries_again_until_it_is_known(self, bot: Bot, github: Sandbox, signatures: Signatures) -> None:
        signatures.status = 404
        event = opened(github)
        assert deliver(bot, event).code == 0
        for expected in ([], [("success", "reviewer authorized")], [("success", "reviewer authorized")]):
            assert bot.run("schedule", SWEEP, MATTERMOD_CLOCK_OFFSET="60").code == 0
            assert verdicts(github, event["number"]) == [UNKNOWN, *expected]
            signatures.status = 200
        assert signatures.asked == 3  # and not once it was known

    def test_a_sweep_whose_verdict_could_not_be_set_is_not_the_last(
        self, bot: Bot, github: Sandbox, signatures: Signatures
    ) -> None:
        signatures.status = 404
        event = opened(github)
        deliver(bot, event)
        signatures.status = 200
        github.state.faults.add(Fault("status", "POST", "*/statuses/*", status=502, times=0))
        assert bot.run("schedule", SWEEP, MATTERMOD_CLOCK_OFFSET="60").code == 3
        github.state.faults.clear()
        assert bot.run("schedule", SWEEP, MATTERMOD_CLOCK_OFFSET="120").code == 0
        assert verdicts(github, event["number"]) == [UNKNOWN, ("success", "reviewer authorized")]

    def test_t02d_a_row_of_anybodys_signs_for_nobody(
        self, bot: Bot, github: Sandbox, database: Database, signatures: Signatures
    ) -> None:
        """Red where the names that are stored are believed. The list's server says that nothing has changed."""
        event = opened(github, "newcomer")
        deliver(bot, event)
        names = zlib.compress(b"newcomer\nreviewer\nsigned-one").hex()
        query(database, f"UPDATE mm_lists SET etag = '{signatures.etag}', names = X'{names}'")
        deliver(bot, pushed(github, event["number"], by="newcomer"))
        assert verdicts(github, event["number"]) == [("error", "newcomer needs to sign the CLA")]
