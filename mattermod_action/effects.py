"""What to do about it: frozen wishes that features yield and adapters carry out.

A `Once` effect passes through the ledger and happens at most once in the life of its subject.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mattermod_action.events import OPENED, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMENT_LIMIT = 65_536  # characters; GitHub answers 422 beyond it
MARKER = "<!-- mattermod:v1:{feature}:{key:.16} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """An effect that happens at most once.

    `once` tells it from the feature's other effects on the same subject; it must not contain texts that an
    editor may polish later. `cause` is what made it due: on an item that was never seen before only what the
    event itself is about is answered (`events.is_news`). `feature` is filled in by `settle`.
    """

    subject: Subject
    once: tuple[str | int, ...]
    cause: str = OPENED
    feature: str = ""

    @property
    def key(self) -> str:
        """64 hexadecimal digits; the primary key of the ledger."""
        identity = [self.subject.repository.id, self.subject.number, self.feature, *self.once]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    @property
    def marker(self) -> str:
        """The invisible line by which we find our own comment again."""
        return marker(self.feature, self.key)


def marker(feature: str, key: str) -> str:
    return MARKER.format(feature=feature, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Once):
    text: str

    @property
    def body(self) -> str:
        return f"{self.text}\n\n{self.marker}"


Effect = Comment


def settle(planned: Iterable[tuple[str, Effect]]) -> list[Effect]:
    """Stamp each effect with its feature and drop what is wished twice; the order of wishing stays."""
    settled: dict[str, Effect] = {}
    for feature, effect in planned:
        stamped = replace(effect, feature=feature)
        settled.setdefault(stamped.key, stamped)
    return list(settled.values())
