"""What was asked to be picked of one pull request is found without reading what was asked of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import add_index, drop_index

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0006.lists"}
__transactional__ = False

steps = [
    step(
        add_index("mm_picks", "mm_picks_item", ("repository_id", "number")),
        drop_index("mm_picks", "mm_picks_item"),
    ),
]
