"""Whether what a row asks for was asked for: by this run's own event, or else by GitHub's record, read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.effects import Need
from mattermod_action.errors import Refused
from mattermod_action.labellers import is_listed
from mattermod_action.origins import AGAIN, Origin, command_of, heads_at, is_whole, labeling_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mattermod_action.commands import Command
    from mattermod_action.events import PullRequest
    from mattermod_action.origins import Said
    from mattermod_action.servers import Row, Section
    from mattermod_action.world import World


def must_be_asked_for(world: World, row: Row, pull: PullRequest, section: Section) -> None:
    """Check that whoever the row names asked for this server, with this commit. Raises Refused."""
    if not _is_heard(world, row):
        _check_record(world, row, pull, section)


def is_traceable(world: World, row: Row) -> bool:
    """Whether there is anything by which GitHub can be asked who wants this server."""
    return row.key in world.heard or row.origin is not None or bool(row.order.label)


def must_write(world: World, pull: PullRequest, login: str, bots: Sequence[str]) -> None:
    """Ask for the role of now, which bots that are listed need not have. Raises Refused."""
    from mattermod_action.hands import check_need

    if not is_listed(login, bots):
        check_need(world, pull.repository, Need(login, "write"))


def must_count(pull: PullRequest, login: str, bots: Sequence[str], *, is_bot: bool) -> None:
    """Of labels those of bots that are not listed count for nothing, and in a fork its author's. Raises Refused."""
    is_own = pull.from_fork and login.casefold() == pull.author.casefold()
    if not login or (not is_listed(login, bots) and (is_bot or is_own)):
        raise Refused(AGAIN)


def read_comment(world: World, pull: PullRequest, comment: int) -> Said | None:
    """Read it once in a run."""
    key = (pull.repository.id, comment)
    if key not in world.said:
        world.said[key] = world.github.said(pull.repository, comment)
    return world.said[key]


def _is_heard(world: World, row: Row) -> bool:
    """Whether this run has noted the request itself. A row that has changed since is another's. Raises Refused."""
    heard = world.heard.get(row.key)
    if heard is None:
        return False
    noted = (heard.sha, heard.by.casefold(), heard.order.label)
    if noted != (row.sha, row.requested_by.casefold(), row.order.label):
        raise Refused(AGAIN)
    return True


def _check_record(world: World, row: Row, pull: PullRequest, section: Section) -> None:
    by_comment = row.origin is not None and row.origin.comment
    at, named = (_by_comment if by_comment else _by_label)(world, row, pull, section)
    if not _is_commit(world, row.sha, pull, at, named):
        raise Refused(AGAIN)


def _by_comment(world: World, row: Row, pull: PullRequest, section: Section) -> tuple[datetime, str]:
    """Return when it was, and the commit that the comment names."""
    del section
    said = read_comment(world, pull, row.origin.comment if row.origin else 0)
    command = command_of(said, pull.number, _asks_for_server, world.aliases)
    if said is None or said.author.casefold() != row.requested_by.casefold() or row.order.label:
        raise Refused(AGAIN)
    return said.at, "".join(command.args)


def _asks_for_server(command: Command) -> bool:
    return command.name == "spinmint" and all(_is_hexadecimal(each) for each in command.args) and len(command.args) <= 1


def _is_hexadecimal(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")


def _by_label(world: World, row: Row, pull: PullRequest, section: Section) -> tuple[datetime, str]:
    """Of a label it counts who put it on, as when it was put on. An older version has noted no event."""
    label, labels = row.order.label, [section.label, section.upgrade_label or section.label]
    origin = row.origin or Origin(label=label)
    if origin.label.casefold() != label.casefold() or label not in labels:
        raise Refused(AGAIN)
    event = labeling_of(world.github.labelings(pull), origin, row.requested_by)
    must_count(pull, event.by, section.bots, is_bot=event.is_bot)
    return event.at, ""


def _is_commit(world: World, sha: str, pull: PullRequest, at: datetime, named: str) -> bool:
    """Whether that is the commit that was asked for: the one that was named, or the head at that time.

    On a branch of this repository, to which only people with write access push, the head of now will do as well.
    """
    if named and not sha.startswith(named):
        return False
    if is_whole(named) or (sha == pull.sha and not pull.from_fork):
        return True
    heads = heads_at(world.facts.pushes(pull) or (), at)
    return heads == {sha} or (sha in heads and not pull.from_fork)


def may_pick(world: World, pull: PullRequest, origin: Origin, asks: Callable[[Command], bool]) -> str:
    """Return who asked for a pick by this comment. Raises Refused."""
    said = read_comment(world, pull, origin.comment)
    command_of(said, pull.number, asks, world.aliases)
    return said.author if said else ""
