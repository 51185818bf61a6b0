"""What is written is read back as it was, by the columns that are named, and only by who has the newer snapshot."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.adapters.prune import prune
from mattermod_action.adapters.sqlite import SQLiteStore
from mattermod_action.approvals import Approval
from mattermod_action.effects import NoteApproval
from mattermod_action.errors import Mistake
from mattermod_action.world import RealClock
from tests.stores.contract import ISSUE, PULL, wish

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.sql import SqlStore
    from mattermod_action.events import Subject

LONG_AGO = timedelta(days=400)
DAYS = timedelta(days=100)
NOW = RealClock().now()


@pytest.fixture(params=["sqlite", "mysql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    if request.param == "mysql":
        return MySQLStore(request.getfixturevalue("database"), RealClock())
    return SQLiteStore(tmp_path / "state.sqlite", RealClock())


def read(store: SqlStore, table: str, *columns: str) -> tuple[Any, ...]:
    [row] = store.execute(f"SELECT {', '.join(columns)} FROM {table}", {})[1]
    return row


WIDEST: dict[str, Any] = {
    "ref": "\U0001f389" * 255,
    "sha": "f" * 64,
    "labels": tuple(f"label {number} \U0001f389" for number in range(100)),
    "milestone_title": "é" * 255,
    "milestone_number": 2**31 - 1,
    "url": "https://github.com/" + "x" * 2_000,
    "author": "a" * 128,
    "merged": True,
    "draft": True,
    "maintainer_can_modify": True,
}


def test_mm66_each_column_is_read_back_as_it_was_written(store: SqlStore) -> None:
    """MM-66, MM-68: with the longest values that GitHub allows."""
    pull: Any = replace(PULL, **WIDEST)
    store.look(pull, ["x"])
    store.remember(pull)
    assert read(
        store, "PullRequests", "RepoOwner", "RepoName", "Number", "Username", "FullName", "Ref", "Sha", "State", "URL"
    ) == (
        pull.repository.owner, pull.repository.name, pull.number, pull.author, pull.head, pull.ref, pull.sha, "open",
        pull.url,
    )  # fmt: skip
    labels, merged, modify, number, title = read(
        store, "PullRequests", "Labels", "Merged", "MaintainerCanModify", "MilestoneNumber", "MilestoneTitle"
    )
    assert (json.loads(labels), merged, modify) == (list(pull.labels), 1, 1)
    assert (number, title) == (pull.milestone_number, pull.milestone_title)


def test_mm64_an_older_snapshot_changes_no_column(store: SqlStore) -> None:
    newest: Any = replace(PULL, updated_at=PULL.updated_at + timedelta(seconds=5), sha="new", labels=("B",))
    store.look(newest, ["x"])
    for each in (newest, PULL):
        store.remember(each)
    assert read(store, "PullRequests", "Sha", "Labels") == ("new", '["B"]')


def test_mm64_columns_that_are_not_ours_stay(database: Any) -> None:
    """BuildStatus and its like are the original's; an update of ours leaves them alone."""
    store = MySQLStore(database, RealClock())
    store.look(PULL, ["x"])
    store.remember(PULL)
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE PullRequests SET BuildStatus = 'in_progress', BuildLink = 'https://ci/1'")
    store.remember(replace(PULL, updated_at=PULL.updated_at + timedelta(seconds=5)))
    assert read(store, "PullRequests", "BuildStatus", "BuildLink") == ("in_progress", "https://ci/1")


def answered(store: SqlStore, subject: Subject, state: str) -> None:
    """An item as it is after its comment was posted, all of it long ago."""
    old = replace(subject, updated_at=RealClock().now() - LONG_AGO, state=state)
    effect = wish(subject=old)
    store.look(old, [effect.key])
    store.remember(old)
    store.note([effect], "confirmed", old.updated_at)
    store.execute("UPDATE mm_ledger SET updated_at = :at", {"at": old.updated_at})


@pytest.mark.parametrize("subject", [PULL, ISSUE], ids=["pull", "issue"])
def test_what_was_closed_long_ago_is_pruned(store: SqlStore, subject: Subject) -> None:
    answered(store, subject, "closed")
    done = prune(store, RealClock(), DAYS)
    assert (done.items, done.rows) == (1, 1)
    known = store.look(subject, [wish(subject=subject).key])
    assert (known.seen_at, known.entries) == (None, {})  # unseen: nothing of it is answered again


@pytest.mark.parametrize(
    ("state", "age"), [("open", LONG_AGO), ("closed", timedelta(days=99))], ids=["open", "closed not long ago"]
)
def test_what_lives_is_kept(store: SqlStore, state: str, age: timedelta) -> None:
    answered(store, PULL, "closed")
    store.execute("UPDATE PullRequests SET State = :state, UpdatedAt = :at", {"state": state, "at": NOW - age})
    assert prune(store, RealClock(), DAYS).items == 0
    assert wish().key in store.look(PULL, [wish().key]).entries


def test_what_is_unfinished_is_kept(store: SqlStore) -> None:
    answered(store, PULL, "closed")
    store.execute("UPDATE mm_ledger SET state = 'intent'", {})
    assert prune(store, RealClock(), DAYS).rows == 0
    assert wish().key in store.look(PULL, [wish().key]).entries


def test_rows_of_the_original_are_kept(store: SqlStore) -> None:
    answered(store, PULL, "closed")
    store.execute("UPDATE PullRequests SET UpdatedAt = NULL", {})
    assert prune(store, RealClock(), DAYS).items == 0
    assert read(store, "PullRequests", "Number") == (PULL.number,)


def test_its_approvals_go_with_what_is_pruned(store: SqlStore) -> None:
    answered(store, PULL, "closed")
    approval = Approval("a" * 40, "main", NOW - LONG_AGO)
    store.note_approval(
        NoteApproval(subject=PULL, label="Ready", by="maintainer", approval=approval, feature="auto_merge")
    )
    prune(store, RealClock(), DAYS)
    assert store.approval(PULL, "auto_merge", "Ready") == approval  # written just now
    store.execute("UPDATE mm_approvals SET updated_at = :at", {"at": NOW - LONG_AGO})
    answered(store, PULL, "closed")
    prune(store, RealClock(), DAYS)
    assert store.approval(PULL, "auto_merge", "Ready") is None


def test_too_short_a_time_is_a_mistake(store: SqlStore) -> None:
    with pytest.raises(Mistake, match="after 35 days"):
        prune(store, RealClock(), timedelta(days=34))
