"""The original's second version: the milestone of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import add_column, drop_column

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0001.base"}
__transactional__ = False

steps = [
    step(
        add_column("PullRequests", "MilestoneNumber", "int DEFAULT NULL"),
        drop_column("PullRequests", "MilestoneNumber"),
    ),
    step(
        add_column("PullRequests", "MilestoneTitle", "varchar(255) DEFAULT NULL"),
        drop_column("PullRequests", "MilestoneTitle"),
    ),
]
