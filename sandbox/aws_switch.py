"""Servers that end themselves: what user data says of that, read as the server itself would.

A line `shutdown -h +MINUTES` among the first ones ends the server that long after it began to run. Where the user data
also reads the tag `mattermod-ends` from the instance's metadata, the tag's value (seconds since 1970) is the end
instead, as long as it is a number. That holds only where the sandbox's clock counts from 1970: by any other clock such
a moment means nothing, and the minutes alone count.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAG = "mattermod-ends"
READS_TAG = f"tags/instance/{TAG}"
FIRST_LINES = 20
CALENDAR = 1_000_000_000.0  # seconds: a clock that is past this, in 2001, counts from 1970
_SHUTDOWN = re.compile(r"^\s*(?:/\S+/)?shutdown -h \+(\d+)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Switch:
    minutes: int
    follows_tag: bool

    def due(self, up: float, tag: str) -> float:
        """Return when the server ends, by the sandbox's clock. `up` is when it began to run, `tag` "" for none."""
        if self.follows_tag and re.fullmatch(r"[0-9]+", tag) and up >= CALENDAR:
            return max(up, float(tag))
        return up + 60.0 * self.minutes


def read(user_data: bytes, *, tags_shown: bool) -> Switch | None:
    """Return the switch that this user data is; without tags in its metadata, a server sees none."""
    text = user_data.decode(errors="replace")
    found = _SHUTDOWN.search("\n".join(text.splitlines()[:FIRST_LINES]))
    return Switch(int(found[1]), tags_shown and READS_TAG in text) if found else None
