"""A sweep in the step summary: what came of each repository, what it has cost, and how picks and test servers stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.figures import CORE, POINTS
from mattermod_action.report import cell
from mattermod_action.sweeping import DONE, LEFT, NO_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from mattermod_action.figures import Calls
    from mattermod_action.picks import Standing
    from mattermod_action.servers import Row
    from mattermod_action.sweeps import Tally

ALL_IN_FULL = 10  # repositories; of more only those that have something to say have a line
LINES = 200  # that a table has: a summary may have 1 MiB
NAMED = 500  # that are named in a line
# https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#step-isolation-and-limits
HEAD = (
    "| repository | outcome | looked at | changed | failed | REST calls | queries | points | time | last complete |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n"
)
OTHERS = "\n{count} other repositories had nothing new ({items} items looked at).\n"
MORE = "\n{count} more are not shown.\n"
WAITING = "\nLeft to the next sweep: {names}\n"
TOTAL = (
    "\nTogether: {repositories} repositories, {items} items, "
    "{rest} REST calls, {queries} queries, {points} points{left}.\n"
)
PICKS = (
    "\n**Cherry-picks of {repository}**\n\n"
    "| branch | asked | opened | merged | under way | missing |\n| --- | --: | --: | --: | --: | --: |\n"
)
SERVERS = "\n**Test servers of {repository}**\n\n| pull request | state | age | ends |\n| --- | --- | --: | --- |\n"


def summary(tallies: Sequence[Tally], calls: Calls, now: datetime) -> str:
    """Those that are left to the next sweep are named in a line, and the others have a table."""
    left = [each for each in tallies if _is_waiting(each)]
    begun = [each for each in tallies if not _is_waiting(each)]
    is_short = len(begun) <= ALL_IN_FULL
    shown = [each for each in begun if is_short or _has_something_to_say(each)]
    others = [each for each in begun if not is_short and not _has_something_to_say(each)]
    return "".join([
        "\n**Sweep**\n\n",
        _table(HEAD, [_line(each, now) for each in shown]),
        OTHERS.format(count=len(others), items=sum(each.looked_at for each in others)) if others else "",
        WAITING.format(names=_named(left, now)) if left else "",
        _total(tallies, calls),
    ])  # fmt: skip


def picks(repository: str, standings: Iterable[Standing]) -> str:
    lines = [
        f"| {cell(each.target)} | {each.asked} | {each.opened} | {each.merged} | {each.under_way} | {each.missing} |\n"
        for each in standings
    ]
    return _table(PICKS.format(repository=cell(repository)), lines) if lines else ""


def servers(repository: str, rows: Iterable[Row]) -> str:
    """`created_at`, `expires_at` and `read_at` are all the database's."""
    lines = [
        f"| #{each.number} | {cell(each.state)} | {_age(each.read_at - each.created_at)} | {_end(each)} |\n"
        for each in rows
    ]
    return _table(SERVERS.format(repository=cell(repository)), lines) if lines else ""


def _is_waiting(tally: Tally) -> bool:
    return tally.outcome == LEFT and not tally.looked_at


def _has_something_to_say(tally: Tally) -> bool:
    return bool(tally.changed or tally.failed) or tally.outcome not in (DONE, NO_CONFIG)


def _table(head: str, lines: Sequence[str]) -> str:
    more = MORE.format(count=len(lines) - LINES) if len(lines) > LINES else ""
    return head + "".join(lines[:LINES]) + more if lines else ""


def _line(tally: Tally, now: datetime) -> str:
    counts = (tally.looked_at, tally.changed, tally.failed, tally.rest, tally.queries, tally.points)
    times = (f"{tally.seconds:.1f} s", _last(tally, now))
    return f"| {' | '.join([cell(tally.repository), cell(tally.outcome), *map(str, counts), *times])} |\n"


def _named(left: Sequence[Tally], now: datetime) -> str:
    names = [f"{cell(each.repository)} ({_last(each, now)})" for each in left[:NAMED]]
    return ", ".join(names) + (f" and {len(left) - NAMED} more" if len(left) > NAMED else "")


def _last(tally: Tally, now: datetime) -> str:
    """When it was swept to its end before this sweep."""
    return f"{_age(now - tally.last)} ago" if tally.last else "never"


def _total(tallies: Sequence[Tally], calls: Calls) -> str:
    left = [f"{calls.left[name][0]} of {calls.left[name][1]} {name}" for name in (CORE, POINTS) if name in calls.left]
    return TOTAL.format(
        repositories=len(tallies),
        items=sum(each.looked_at for each in tallies),
        rest=calls.rest,
        queries=calls.queries,
        points=sum(each.points for each in tallies),
        left=f", with {' and '.join(left)} left of the hour's" if left else "",
    )


def _age(passed: timedelta) -> str:
    """In the two greatest units: minutes are enough."""
    minutes = max(0, int(passed.total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _end(row: Row) -> str:
    if row.expires_at is None:
        return ""
    left = row.expires_at - row.read_at
    return f"in {_age(left)}" if row.expires_at > row.read_at else "now"
