"""Names of branches: which are some, and which ones a milestone stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mattermod_action.texts import filled, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST, BYTES = 200, 255  # characters and bytes of the name of a branch; that of its pick is longer
NEAREST, LIKE = 3, 0.5  # names that are said when one is not found, and how like they must be
NUMBERS = ("major", "minor", "patch")
_PLACE = re.compile(r"\{(\w*)\}")
# https://git-scm.com/docs/git-check-ref-format
_NO_REF = re.compile(r"^[-/.]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$|^@?$")


def is_branch(name: str) -> bool:
    return len(name) <= LONGEST and len(name.encode(errors="replace")) <= BYTES and not _NO_REF.search(name)


def milestone_template(text: str) -> str:
    """Check a name in which only the three numbers are left open. Raises ValueError."""
    if unknown := [name for name in _PLACE.findall(text) if name not in NUMBERS]:
        raise ValueError(f"has {{{unknown[0]}}}: only {{major}}, {{minor}} and {{patch}} are numbers of a milestone")
    return text.strip()


def branch_template(text: str) -> str:
    """Check the name of a branch in which numbers are left open. Raises ValueError."""
    if not is_branch(_PLACE.sub("1", milestone_template(text))):
        raise ValueError("is no name of a branch")
    return text.strip()


def check_numbers(milestone: str, branch: str) -> None:
    """Raise ValueError when the branch has a number that the milestone does not give it."""
    if missing := set(_PLACE.findall(branch)) - set(_PLACE.findall(milestone)):
        raise ValueError(f"{branch} has {{{min(missing)}}}, which the milestone {milestone} does not have")


def branches_of(milestone: str, templates: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the branches that a milestone stands for; the first template that fits it counts."""
    for template, branches in templates.items():
        if found := re.fullmatch(_pattern(template), milestone.strip()):
            return tuple(dict.fromkeys(filled(branch, found.groupdict()) for branch in branches))
    return ()


def nearest(name: str, names: Sequence[str]) -> str:
    """Say which of these names may have been meant, "" when none is like it."""
    import difflib  # only what is not found pays for it

    near = difflib.get_close_matches(name, names, NEAREST, cutoff=LIKE)
    return f"; near it: {', '.join(map(quoted, near))}" if near else ""


def _pattern(template: str) -> str:
    """A number that comes twice is the same."""
    parts = _PLACE.split(template)
    return "".join(_number(part, parts[1:at:2]) if at % 2 else re.escape(part) for at, part in enumerate(parts))


def _number(name: str, before: Sequence[str]) -> str:
    return f"(?P={name})" if name in before else f"(?P<{name}>[0-9]{{1,9}})"
