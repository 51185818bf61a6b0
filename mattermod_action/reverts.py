"""Reverts, found in the messages of a branch: what `git revert` and GitHub's button write.

https://git-scm.com/docs/git-revert writes "This reverts commit SHA.", and the button "Reverts OWNER/NAME#NUMBER", which
a squash takes over as its message:
https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/reverting-a-pull-request
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

COMMITS = re.compile(r"\bThis reverts commit ([0-9a-f]{7,40})\b")
PULLS = re.compile(r"^Reverts (?:([\w.-]+/[\w.-]+))?#(\d{1,10})\b", re.MULTILINE)
OWN = re.compile(r"\(#(\d{1,10})\)$")  # the number of its own pull request, at the end of a squash's first line


def find(history: Sequence[tuple[str, str]], shas: Collection[str], pull: tuple[str, int]) -> str:
    """Return the commit that has reverted one of `shas` or the pull request (its repository and number), or "".

    `history` has commits and their messages, the newest first. A revert that was reverted in its turn is none.
    """
    void: set[str] = set()
    for sha, message in history:
        if sha in shas:
            return ""
        number = OWN.search(message.partition("\n")[0])
        if (number and number[1] in void) or _is_among(sha, void):
            continue
        commits, pulls = set(COMMITS.findall(message)), _pulls(message, pull[0])
        if str(pull[1]) in pulls or any(_is_among(each, commits) for each in shas):
            return sha
        void |= commits | pulls
    return ""


def _pulls(message: str, repository: str) -> set[str]:
    named = ((place or repository, number) for place, number in PULLS.findall(message))
    return {number for place, number in named if place.casefold() == repository.casefold()}


def _is_among(sha: str, named: Collection[str]) -> bool:
    """Whether one of these names it, which may be shorter."""
    return any(sha.startswith(each) for each in named if len(each) >= len("abcdef0"))
