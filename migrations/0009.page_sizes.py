"""How large the pages of each repository's lists may be: what GitHub has answered last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import add_column, drop_column

if TYPE_CHECKING:
    from yoyo import step

__depends__ = {"0008.sweeps"}
__transactional__ = False

SIZES = "varchar(255) DEFAULT NULL"  # JSON: a size for each kind of list, and until when they count

steps = [step(add_column("mm_sweeps", "page_sizes", SIZES), drop_column("mm_sweeps", "page_sizes"))]
