"""What tests of features do and look at: an event goes to the bot, and GitHub then holds something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox import payloads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox import Sandbox
    from sandbox.records import Comment
    from tests.harness import Bot, Run


def deliver(bot: Bot, payload: Any, **variables: str) -> Run:
    """Deliver an event as the examples' workflows would; however it ends, it ends without a trace."""
    name = payloads.name(payload)
    done = bot.run("pull_request_target" if name == "pull_request" else name, payload, **variables)
    assert "Traceback" not in done.log
    return done


def run(bot: Bot, payload: Any, **variables: str) -> Run:
    """The same, and it ends well."""
    done = deliver(bot, payload, **variables)
    assert done.code == 0, done.log
    return done


def texts(comments: Iterable[Comment]) -> list[str]:
    """Without our markers."""
    return [unmarked(each.body) for each in comments]


def unmarked(body: str) -> str:
    return re.sub(r"\A<!-- mattermod:.* -->\n\n", "", body)


def bodies(github: Sandbox, number: int) -> list[str]:
    return texts(github.state.item(github.repository, number).comments)


def statuses(github: Sandbox, number: int) -> dict[str, tuple[str, str]]:
    """The newest of each context at the head."""
    repository = github.state.repository(github.repository)
    assert repository
    sha = github.state.pull(github.repository, number).head_sha
    return {each.context: (each.state, each.description) for each in repository.statuses.get(sha, ())}
