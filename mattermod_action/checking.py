"""What a configuration says of a repository, held against what is there: `mattermod check-config --online`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mattermod_action.branches import branches_of, nearest
from mattermod_action.errors import Mistake, Refused
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mattermod_action.events import Repository
    from mattermod_action.features.cherry_pick import Config
    from mattermod_action.ports import GitHub

OFF = "`cherry_pick` is off: nothing of it is looked up"
NONE_OPEN = "there are no open milestones in {repository}"
STANDS = "milestone {title}: {branches}"
FOR_NONE = "no branch, by `cherry_pick.milestones`"
MISSING = "{what}: there is no branch {branch}{near}"
UNREADABLE = "{repository} cannot be read: {reason}"


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    wrong: bool = False


def check(config: Config | None, github: GitHub, repository: Repository) -> list[Line]:
    """Say which milestone stands for which branches, and which of these are not there. Raises Mistake and Down."""
    if config is None:
        return [Line(OFF)]
    try:
        milestones, branches = github.milestones(repository), github.all_branches(repository)
    except Refused as refusal:
        raise Mistake(UNREADABLE.format(repository=repository.full_name, reason=refusal)) from refusal
    nothing = [] if milestones else [Line(NONE_OPEN.format(repository=repository.full_name))]
    return [*nothing, *_of_milestones(config, milestones, branches), *_of_names(config, branches)]


def _of_milestones(config: Config, milestones: Sequence[str], branches: Sequence[str]) -> Iterator[Line]:
    for title in milestones:
        targets = branches_of(title, config.milestones)
        there = [target for target in targets if target in branches]
        what = f"milestone {quoted(title)}"
        if there or not targets:
            yield Line(STANDS.format(title=quoted(title), branches=", ".join(map(quoted, there)) or FOR_NONE))
        yield from (_missing(what, target, branches) for target in targets if target not in there)


def _of_names(config: Config, branches: Sequence[str]) -> Iterator[Line]:
    """Names in which no number is left open, where the file has them: the defaults are not everybody's."""
    given = config.milestones if "milestones" in config.model_fields_set else {}
    names = dict.fromkeys(name for each in given.values() for name in each if "{" not in name)
    yield from (_missing("cherry_pick.milestones", name, branches) for name in names if name not in branches)


def _missing(what: str, branch: str, branches: Sequence[str]) -> Line:
    return Line(MISSING.format(what=what, branch=quoted(branch), near=nearest(branch, branches)), wrong=True)
