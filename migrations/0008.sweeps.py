"""How far the sweep of each repository has come, and what it has seen, so that it is continued and not begun anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import add_column, create_table, drop_column, drop_table

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0007.pick_index"}
__transactional__ = False

SWEEPS = {
    "repository_id": "bigint NOT NULL",
    "repository": "varchar(255) NOT NULL",
    "place": "varchar(2083) NOT NULL",  # GitHub's cursors, "" at the beginning
    "started_at": "datetime(6) DEFAULT NULL",  # of the sweep that is under way, or was last
    "completed_at": "datetime(6) DEFAULT NULL",  # of the last that came to its end
}

steps = [
    step(create_table("mm_sweeps", SWEEPS, ("repository_id",)), drop_table("mm_sweeps")),
    step(add_column("PullRequests", "SweptAt", "datetime(6) DEFAULT NULL"), drop_column("PullRequests", "SweptAt")),
    step(add_column("Issues", "SweptAt", "datetime(6) DEFAULT NULL"), drop_column("Issues", "SweptAt")),
]
