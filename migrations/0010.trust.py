"""Approvals of a commit and a base, the comment or label that asked for work, and what a sweep is busy with.

Each is a note: what it asks for is read anew from GitHub before anything is merged, launched or picked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import DIGEST, add_column, create_table, drop_column, drop_table

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0009.page_sizes"}
__transactional__ = False

APPROVALS = {
    "k": DIGEST,  # of the repository's number, the item's, the feature and the label
    "repository_id": "bigint NOT NULL",
    "repository": "varchar(255) NOT NULL",
    "number": "int NOT NULL",
    "feature": "varchar(64) NOT NULL",
    "label": "varchar(255) NOT NULL",
    "head_sha": "varchar(64) NOT NULL",
    "base_ref": "varchar(255) NOT NULL",
    "approved_by": "varchar(128) NOT NULL",
    "approved_at": "datetime(6) NOT NULL",  # of the label event
    "updated_at": "datetime(6) NOT NULL",
}
ORIGIN = "varchar(255) DEFAULT NULL"  # JSON: the comment, or the label event, that asked
BUSY = "varchar(255) DEFAULT NULL"  # the item that was begun last, NULL once it has ended

steps = [
    step(create_table("mm_approvals", APPROVALS, ("k",)), drop_table("mm_approvals")),
    step(add_column("mm_picks", "origin", ORIGIN), drop_column("mm_picks", "origin")),
    step(add_column("mm_servers", "origin", ORIGIN), drop_column("mm_servers", "origin")),
    step(add_column("mm_sweeps", "attempted_at", "datetime(6) DEFAULT NULL"), drop_column("mm_sweeps", "attempted_at")),
    step(add_column("mm_sweeps", "busy_with", BUSY), drop_column("mm_sweeps", "busy_with")),
]
