"""`mattermod prune`: forget items that have been closed for long.

An item is first made unseen, so that whatever happens to it meanwhile finds an item that was never looked at, of which
nothing is answered again; then its ledger rows and approvals go, then its own row. What is unfinished stays, and so
does every row of the original's, which says of no item how old it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from mattermod_action.adapters.sql import SqlStore
    from mattermod_action.ports import Clock

WHILE_CLOSED, EVER = "State = 'closed' AND", ""
TABLES = ("PullRequests", "Issues")
BATCH = 500  # items looked up at a time
# A run may be started once more for 30 days, with the payload it had:
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
SHORTEST = 35  # days
FINISHED = "AND state IN ('confirmed', 'baseline')"
APPROVED = 10  # the schema that has approvals
ITEM = "RepoOwner = :owner AND RepoName = :name AND Number = :number"


@dataclass
class Pruned:
    items: int = 0
    rows: int = 0


def prune(store: SqlStore, clock: Clock, older_than: timedelta, which: str = WHILE_CLOSED) -> Pruned:
    """Delete what was closed and not touched for `older_than`. Raises Mistake when that is too short, and Down.

    `EVER` has what is open as well, which the embedded store may lose at any time.
    """
    if older_than.days < SHORTEST:
        raise Mistake(f"items can be pruned after {SHORTEST} days: until then an old run may be started once more")
    done = Pruned()
    before = clock.now() - older_than
    for table in TABLES:
        for item in _items(store, table, which, before):
            _prune(store, table, which, {**item, "before": before}, done)
    return done


def _items(store: SqlStore, table: str, which: str, before: object) -> Iterator[dict[str, Any]]:
    sql = f"""
        SELECT RepoOwner, RepoName, Number FROM {table} WHERE {which} UpdatedAt < :before
        ORDER BY RepoOwner, RepoName, Number LIMIT {BATCH}
        """  # noqa: S608  # constants of this file
    while rows := store.execute(sql, {"before": before})[1]:
        yield from ({"owner": owner, "name": name, "number": number} for owner, name, number in rows)


def _prune(store: SqlStore, table: str, which: str, item: dict[str, Any], done: Pruned) -> None:
    unseen = f"UPDATE {table} SET UpdatedAt = NULL WHERE {ITEM} AND {which} UpdatedAt < :before"  # noqa: S608  # constants of this file
    store.execute(unseen, item)
    rows = f"""
        DELETE FROM mm_ledger WHERE repository = :repository AND number = :number AND updated_at < :before
        {FINISHED}
        AND NOT EXISTS (SELECT 1 FROM {table} WHERE {ITEM} AND UpdatedAt IS NOT NULL)
        """  # noqa: S608  # constants of this file
    named = {**item, "repository": f"{item['owner']}/{item['name']}"}
    done.rows += store.execute(rows, named)[0]
    if store.schema >= APPROVED:
        store.execute(rows.replace("mm_ledger", "mm_approvals").replace(FINISHED, ""), named)
    gone = f"DELETE FROM {table} WHERE {ITEM} AND {which} UpdatedAt IS NULL"  # noqa: S608  # constants of this file
    done.items += store.execute(gone, item)[0]
