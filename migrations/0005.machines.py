"""Work that outlives a run: leases, cherry-picks and test servers, each a row that any later run goes on with.

A `live` of 1 is unique with its (owner, repository, number); a server that is gone has NULL there, and of those
there may be any number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import (
    DIGEST,
    NAME,
    add_index,
    create_leases,
    create_table,
    drop_index,
    drop_table,
    keep,
)

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0004.ledger"}
__transactional__ = False

# What every machine has: who moves it now, and when it is due to be moved on.
MACHINE = {
    "state": "varchar(16) NOT NULL",
    "due_at": "datetime(6) DEFAULT NULL",
    "lease_owner": "varchar(64) NOT NULL",
    "fence": "bigint NOT NULL",
    "lease_until": "datetime(6) DEFAULT NULL",
    "attempts": "int NOT NULL DEFAULT 0",
    "reason": "varchar(2083) NOT NULL",
    "created_at": "datetime(6) NOT NULL",
    "updated_at": "datetime(6) NOT NULL",
}
PICKS = {
    "k": DIGEST,
    "repository_id": "bigint NOT NULL",
    "repository": "varchar(255) NOT NULL",
    "number": "int NOT NULL",
    "target": NAME,
    "requested_by": "varchar(128) NOT NULL",
    "position": "int NOT NULL",
    "source_sha": "varchar(64) NOT NULL",
    "head_ref": "varchar(255) NOT NULL",
    "head_sha": "varchar(64) NOT NULL",
    "pull_number": "int DEFAULT NULL",
    "comment_id": "bigint DEFAULT NULL",
    **MACHINE,
}
SERVERS = {
    "k": DIGEST,
    "owner": NAME,
    "repository": NAME,
    "number": "int NOT NULL",
    "live": "tinyint(1) DEFAULT NULL",
    "repository_id": "bigint NOT NULL",
    "generation": "int NOT NULL",
    "sha": "varchar(64) NOT NULL",
    "requested_by": "varchar(128) NOT NULL",
    "parameters": "mediumtext NOT NULL",
    "client_token": "varchar(64) NOT NULL",
    "build_url": "varchar(2083) NOT NULL",
    "instance_id": "varchar(128) NOT NULL",
    "address": "varchar(255) NOT NULL",
    "comment_id": "bigint DEFAULT NULL",
    "expires_at": "datetime(6) DEFAULT NULL",
    **MACHINE,
}

steps = [
    step(create_leases, keep),  # `migrate` itself holds one of them
    step(
        add_index("mm_ledger", "mm_ledger_unfinished", ("repository_id", "state")),
        drop_index("mm_ledger", "mm_ledger_unfinished"),
    ),
    step(create_table("mm_picks", PICKS, ("k",)), drop_table("mm_picks")),
    step(
        create_table("mm_servers", SERVERS, ("k",), ("owner", "repository", "number", "live")),
        drop_table("mm_servers"),
    ),
]
