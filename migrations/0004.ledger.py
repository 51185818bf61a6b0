"""Our own first version: the ledger, the moment of a snapshot, and columns wide enough for what GitHub allows.

A ref may have 255 bytes, a SHA-256 has 64 digits, and a check run's status is `in_progress`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import DIGEST, add_column, create_table, drop_column, drop_table, keep, widen

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0003.spinmint"}
__transactional__ = False

LEDGER = {
    "k": DIGEST,
    "repository_id": "bigint NOT NULL",
    "repository": "varchar(255) NOT NULL",
    "number": "int NOT NULL",
    "feature": "varchar(64) NOT NULL",
    "kind": "varchar(32) NOT NULL",
    "cause": "varchar(255) NOT NULL",
    "state": "varchar(16) NOT NULL",
    "owner": "varchar(64) NOT NULL",
    "fence": "bigint NOT NULL",
    "lease_until": "datetime(6) DEFAULT NULL",
    "seen_at": "datetime(6) DEFAULT NULL",
    "sent_at": "datetime(6) DEFAULT NULL",
    "result": "varchar(2083) NOT NULL",
    "created_at": "datetime(6) NOT NULL",
    "updated_at": "datetime(6) NOT NULL",
}

steps = [
    step(create_table("mm_ledger", LEDGER, ("k",)), drop_table("mm_ledger")),
    step(add_column("PullRequests", "UpdatedAt", "datetime(6) DEFAULT NULL"), drop_column("PullRequests", "UpdatedAt")),
    step(add_column("Issues", "UpdatedAt", "datetime(6) DEFAULT NULL"), drop_column("Issues", "UpdatedAt")),
    step(widen("PullRequests", "Ref", 255), keep),
    step(widen("PullRequests", "Sha", 64), keep),
    step(widen("PullRequests", "BuildStatus", 20), keep),
]
