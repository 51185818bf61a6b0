"""Labels by which people ask for something: the bot puts none of them on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def labels(config: Any) -> frozenset[str]:
    """Return them as they compare: those that make a feature act, and those that say what it has done."""
    return frozenset(label.casefold() for label in _labels(config) if label)


def _labels(config: Any) -> Iterator[str | None]:
    if picks := config.cherry_pick:
        yield from (picks.label, picks.done_label, picks.conflict_label)
    if merge := config.auto_merge:
        yield merge.label
    if servers := config.spinmint:
        yield from (servers.label, servers.upgrade_label)
    if workflows := config.label_workflow:
        yield from (rule.label for rule in workflows.rules)
