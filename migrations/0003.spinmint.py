"""The number at which the original drops Spinmint; here it makes sure that the table is there.

So a database of the original at any of its versions ends up with the same tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import create_table, keep

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0002.milestones"}
__transactional__ = False

SPINMINT = {
    "InstanceId": "varchar(128) NOT NULL",
    "RepoOwner": "varchar(255) DEFAULT NULL",
    "RepoName": "varchar(255) DEFAULT NULL",
    "Number": "int DEFAULT NULL",
    "CreatedAt": "bigint DEFAULT NULL",
}

steps = [step(create_table("Spinmint", SPINMINT, ("InstanceId",)), keep)]
