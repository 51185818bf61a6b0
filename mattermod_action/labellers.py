"""Whose labels count when a label acts: people with write access, whom GitHub says to have put it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.facts import at_least

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.events import PullRequest
    from mattermod_action.ports import Facts

NOBODY = "GitHub does not say who put it on"
BOT = "{login} is a bot that is not among `{bots}`"
STRANGER = "@{login} has no write access here"
OWN_FORK = "@{login} opened this pull request, from a fork"


def is_listed(login: str, bots: Sequence[str]) -> bool:
    return login.casefold() in {bot.casefold() for bot in bots}


def does_not_count(pull: PullRequest, login: str, bots: Sequence[str], facts: Facts, *, is_bot: bool, key: str) -> str:
    """Say why whoever put a label on may not act by it, "" when they may. `key` is where `bots` are configured."""
    if not login:
        return NOBODY
    if is_listed(login, bots):
        return ""
    if is_bot:
        return BOT.format(login=login, bots=key)
    if not at_least(facts.role(pull.repository, login), "write"):
        return STRANGER.format(login=login)
    own = login.casefold() == pull.author.casefold()
    return OWN_FORK.format(login=login) if own and pull.from_fork else ""
