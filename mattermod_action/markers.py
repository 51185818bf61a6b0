"""Which comments are ours: the marker on the first line, and the seal that only the input `marker-key` makes.

A marker is made of public things. Another workflow of the same account (`github-actions[bot]` is everybody's) can be
brought to repeat one with a stranger's words, in the middle, in a quotation, or at the end. So only the first line
counts, which a workflow writes itself, and with keys only a marker that carries a seal. Up to 1.x markers ended a
comment: one of those counts only where the row of its effect names the comment.

An HTML comment that begins a line is a block of its own and ends in the line of its `-->`, so it changes nothing of
what follows: https://spec.commonmark.org/0.31.2/#html-blocks (start condition 2).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mattermod_action.effects import MARKED

if TYPE_CHECKING:
    from mattermod_action.events import Subject

SEAL = 32  # hexadecimal digits, 128 bits
END = " -->"
_LINE = re.compile(rf"({re.escape(MARKED)}\w+:[0-9a-f]{{16}})(?::([0-9a-f]{{{SEAL}}}))?{END}\s*")


@dataclass(frozen=True, slots=True)
class Seals:
    """Makes seals with the newest key, which is the first, and believes those of each. Without keys there are none."""

    keys: tuple[str, ...] = field(default=(), repr=False)

    def sealed(self, subject: Subject, body: str) -> str:
        """Put the seal into the marker with which a body begins."""
        line, _, text = body.partition("\n")
        found = _LINE.fullmatch(line)
        if found is None or not self.keys:
            return body
        return f"{found[1]}:{_seal(self.keys[0], subject, found[1])}{END}\n{text}"

    def marker_in(self, subject: Subject, body: str) -> str:
        """Return the marker of the first line, without its seal; "" where there is none that counts."""
        found = _LINE.fullmatch(body.partition("\n")[0])
        if found is None or (self.keys and not self._is_sealed(subject, found)):
            return ""
        return f"{found[1]}{END}"

    def _is_sealed(self, subject: Subject, found: re.Match[str]) -> bool:
        made = (_seal(key, subject, found[1]) for key in self.keys)
        return found[2] is not None and any(hmac.compare_digest(each, found[2]) for each in made)


def marker_of(body: str) -> str:
    """Return the marker of a comment that a row names: on its first line, sealed or not, or at its end as up to 1.x."""
    found = _LINE.fullmatch(body.partition("\n")[0])
    return f"{found[1]}{END}" if found else at_end(body)


def at_end(body: str) -> str:
    """Return the marker with which a comment ends; it says nothing of who has written it."""
    start = body.rfind(MARKED)
    found = _LINE.fullmatch(body[start:]) if start > 0 else None
    return f"{found[1]}{END}" if found else ""


def _seal(key: str, subject: Subject, marker: str) -> str:
    """Of the item, too: a marker that was copied from another one counts nowhere."""
    of = json.dumps([subject.repository.id, subject.number, marker]).encode()
    return hmac.new(key.encode(), of, hashlib.sha256).hexdigest()[:SEAL]
