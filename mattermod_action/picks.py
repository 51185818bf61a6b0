"""What a cherry-pick is: its row, what it is made from, and what comes of it. Nothing here asks or writes anything."""

from __future__ import annotations

from dataclasses import dataclass

# Why a push was refused, where that has a sentence of its own.
EXISTS, PROTECTED, WORKFLOWS = "exists", "protected", "workflows"


@dataclass(frozen=True, slots=True)
class Clean:
    """`sha` is the new tip of the branch, "" when all of it was there already; `known` are the commits that were."""

    sha: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hunks:
    """The lines of a file that conflict, between git's markers."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """`pick` is the commit that conflicts, and `sha` a commit that has the conflict in its files."""

    pick: str
    sha: str
    paths: tuple[str, ...]
    hunks: tuple[Hunks, ...]


Merged = Clean | Conflict
