"""Lists that are read from elsewhere, as they were last: so that an unchanged one is not fetched again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import DIGEST, create_table, drop_table

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0005.machines"}
__transactional__ = False

LISTS = {
    "k": DIGEST,  # of the address
    "etag": "varchar(255) NOT NULL",
    "names": "mediumblob NOT NULL",  # a line each, compressed
    "read_at": "datetime(6) NOT NULL",
}

steps = [step(create_table("mm_lists", LISTS, ("k",)), drop_table("mm_lists"))]
