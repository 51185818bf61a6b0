"""What may be seen by whoever reads a comment, a log or a summary: one function takes out what may not.

`Hidden` belongs to one run. It learns each secret before its first use, in the forms in which it may turn up, and the
names that the readers of this log need not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

STARS = "***"
# Characters of a secret: a shorter one may be a word that our texts use for something else.
SHORTEST, SHORTEST_IN_TEXTS = 4, 8


@dataclass
class Hidden:
    """The forms of secrets, and names of private repositories that the log of a public one does not have."""

    forms: set[str] = field(default_factory=set, repr=False)
    names: set[str] = field(default_factory=set, repr=False)

    def failure(self, line: str) -> str:
        """Of a failure anything may be in its reason, so nothing is too short to be hidden."""
        return _without(line, {*_long(self.forms, SHORTEST), *self.names})

    def shown(self, text: str) -> str:
        """A line of the log, the summary, an output."""
        return _without(text, {*_long(self.forms, SHORTEST_IN_TEXTS), *self.names})

    def posted(self, value: Any) -> Any:
        """All texts that are sent to GitHub or to a chat: their own repositories' names stay."""
        match value:
            case str():
                return _without(value, _long(self.forms, SHORTEST_IN_TEXTS))
            case dict():
                return {name: self.posted(each) for name, each in value.items()}
            case list():
                return [self.posted(each) for each in value]
        return value


def _long(forms: Iterable[str], shortest: int) -> set[str]:
    return {form for form in forms if len(form) >= shortest}


def _without(text: str, forms: set[str]) -> str:
    """The longest first, so that nothing is left of one that begins with another; names are the same in any case."""
    if not forms:
        return text
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.sub(pattern, STARS, text, flags=re.IGNORECASE)
