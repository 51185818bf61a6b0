"""What is said about picks: the table of a pull request's, and the comment on one that conflicts."""

from __future__ import annotations

import shlex
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from mattermod_action.pick_reasons import NOT_DONE, is_known
from mattermod_action.picks import (
    BEHIND,
    CLOSED,
    CONFLICT,
    CONFLICTS_CONTEXT,
    ENDED_BADLY,
    FINISHED,
    FOUND,
    KNOWN,
    MERGED,
    MOVED,
    NOTED,
    QUEUED,
    REVERTED,
)  # fmt: skip
from mattermod_action.series import named_in
from mattermod_action.texts import cell, fenced, folded, harmless, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.picks import Conflict, Row, Told, Touch

HEAD = "| branch | cherry-pick |\n| --- | --- |\n"
WAITS, GOES_ON = "will be picked when this is merged", "is being picked"
ALREADY, WAS_FOUND, OPENED = "all of it is there already", "#{number}, which was there already", "#{number}"
DRAFT = "#{number}, a draft with conflicts to solve"
WITH_NOTE = "#{number}, which does not merge by itself: {note}"
BECAME = {
    MERGED: "#{number}, merged",
    CLOSED: "#{number}, closed without being merged: {again} makes it anew",
    MOVED: "#{number}, which has another base now: {again} makes it anew",
    REVERTED: "#{number}, merged and reverted: {again} makes it anew",
    BEHIND: "#{number}, which conflicts with the branch by now: {refresh} makes it anew",
}
CANNOT = "#{number}, which conflicts with the branch by now; {note}: merge the branch into it, and solve that"
CONFLICTS, FAILED = "conflicts, see below", "not picked: {reason}"
CONFLICTED = "**{branch} conflicts** in {paths}.{hunks}{touches}\n\n{how}"
TOUCHED = (
    "\n\nSince {branch} parted from it, these have changed the same files on the base, and may be needed first:\n\n"
)
SERIES = " Of {pulls}, picked in this order, {first} is the first that conflicts."
NEEDED = "\n\nIt does not conflict after {pulls}. {first} picks them together, as one pull request:\n\n{command}"
AT_ONCE, AFTER_CLOSING = "This", "Close #{number}, then this"
BY_HAND = "To finish by hand:"
AFTERWARDS = "Then {command} opens the pull request."
RESOLVED = (
    "\n\nThe conflicts in {paths} were resolved by hand, in a branch that I have not pushed. "
    "Whoever pushed it should not be the one who approves this."
)
PAGE = "\n\n**This has conflicts** in {paths}. To finish it:\n\n{commands}\n\n{green}"
GREEN = "The status `{context}` turns green with the first push that leaves no conflict markers in the files."
GREEN_LIST = (
    "The status `{context}` turns green when no file has conflict markers and each commit of this list is picked, with "
    "`-x`, or ticked:\n\n{commits}\n\nTick a commit that this branch does not need."
)
TO_PICK, IS_THERE = "- [ ] `{sha}`", "- [x] `{sha}`, whose changes {branch} has already"
IN_DRAFT = "The draft #{number} has the conflict in its files."
REASON = 500  # characters of a reason that an earlier run has noted
LINES = "Lines that conflict"
FILES_SHOWN, PATHS_SHOWN, TOUCHES_SHOWN = 5, 20, 20  # of what conflicts in one comment


def table(rows: Sequence[Row]) -> str:
    """A line for each branch, "" when there is none."""
    return HEAD + "".join(f"| {cell(row.target)}{_with(row)} | {_state(row)} |\n" for row in rows) if rows else ""


def conflicts(row: Row) -> bool:
    """Whether it has a comment of its own: given up, or a draft."""
    return row.state == CONFLICT or (row.state == FINISHED and row.has_conflicts and not row.became)


def _state(row: Row) -> str:
    if row.became in BECAME:
        return _became(row)
    if row.state == FINISHED and row.note and not (row.has_conflicts or row.note.startswith(NOT_DONE)):
        return WITH_NOTE.format(number=row.pull_number, note=_shown(row, row.note))
    if row.state == FINISHED:
        text = DRAFT if row.has_conflicts else {KNOWN: ALREADY, FOUND: WAS_FOUND}.get(row.reason, OPENED)
        undone = f"; {NOT_DONE}{_shown(row, row.note.removeprefix(NOT_DONE))}" if row.note else ""
        return text.format(number=row.pull_number) + undone
    if row.state == CONFLICT:
        return CONFLICTS
    if row.state in ENDED_BADLY:
        return FAILED.format(reason=_shown(row, row.reason.partition(NOTED)[0]))
    return WAITS if row.state == QUEUED else GOES_ON


def _shown(row: Row, text: str) -> str:
    """As it is only if this run has found it out, or it is a sentence of ours: a row may hold anything."""
    return harmless(text) if row.fresh or is_known(text) else quoted(text, REASON).replace("|", "\\|")


def conflict(row: Row, told: Told | None) -> str:
    """Files, lines, who else changed them, and what to type; of a draft that an earlier run has opened, less."""
    hunks = touches = ""
    if told and told.conflict.hunks:
        shown = (f"{quoted(each.path)}\n\n{fenced(each.text)}" for each in told.conflict.hunks[:FILES_SHOWN])
        hunks = "\n\n" + folded(LINES, "\n\n".join(shown))
    if told and told.touches:
        lines = sorted({f"- {_change(each)}" for each in told.touches})
        touches = TOUCHED.format(branch=quoted(row.target)) + "\n".join(lines[:TOUCHES_SHOWN])
    if told and told.needed:
        touches += _needed(row, told.needed)
    paths = ", ".join(map(quoted, row.paths[:PATHS_SHOWN]))
    how = IN_DRAFT.format(number=row.pull_number) if row.pull_number or told is None else _by_hand(row, told)
    hunks = _series(told) + hunks
    return CONFLICTED.format(branch=quoted(row.target), paths=paths, hunks=hunks, touches=touches, how=how)


def _became(row: Row) -> str:
    if row.became == BEHIND and row.note:
        return CANNOT.format(number=row.pull_number, note=_shown(row, row.note))
    again, refresh = (quoted(f"/cherry-pick {what} {row.target}", 250) for what in ("retry", "refresh"))
    return BECAME[row.became].format(number=row.pull_number, again=again, refresh=refresh)


def _with(row: Row) -> str:
    return "".join([" with", *(f" #{number}" for number in found)]) if (found := named_in(row.head_ref)) else ""


def _series(told: Told | None) -> str:
    """Which of a series is the first that conflicts."""
    if not told or not told.parts:
        return ""
    numbers = [f"#{part.number}" for part in told.parts]
    first = next(part.number for part in told.parts if told.conflict.pick in part.picks)
    return SERIES.format(pulls=_and(numbers), first=f"#{first}")


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _needed(row: Row, numbers: Sequence[int]) -> str:
    pulls = [f"#{number}" for number in numbers]
    command = fenced(f"/cherry-pick {row.target} with {' '.join(pulls)}")
    first = AFTER_CLOSING.format(number=row.pull_number) if row.pull_number else AT_ONCE
    return NEEDED.format(pulls=_and(pulls), first=first, command=command)


def by_hand(paths: Sequence[str]) -> str:
    """Say on its page that a person has made it: whoever pushed it is not its author, and could approve it."""
    return RESOLVED.format(paths=", ".join(map(quoted, paths[:PATHS_SHOWN]))) if paths else ""


def draft(row: Row, conflict: Conflict | None, picks: Sequence[str]) -> str:
    """Say on its page what conflicts, how it is finished, which commits it lacks, and what turns it green."""
    missing = conflict.missing if conflict else ()
    known = conflict.known if conflict and len(picks) > 1 else ()
    head = shlex.quote(row.head_ref)
    lines = (
        "git fetch origin",
        f"git switch --create {head} --track {shlex.quote(f'origin/{row.head_ref}')}",
        "# solve the conflicts, `git add` the files, and then:",
        "git commit --message 'Solve the conflicts'",
        *([f"git cherry-pick -x {' '.join(missing)}"] if missing else ()),
        f"git push origin {head}",
    )
    listed = [TO_PICK.format(sha=sha) for sha in missing]
    listed += [IS_THERE.format(sha=sha, branch=quoted(row.target)) for sha in known]
    green = GREEN_LIST if listed else GREEN
    return PAGE.format(
        paths=", ".join(map(quoted, row.paths[:PATHS_SHOWN])),
        commands=fenced("\n".join(lines), "sh"),
        green=green.format(context=CONFLICTS_CONTEXT, commits="\n".join(listed)),
    )


def _change(touch: Touch) -> str:
    return f"#{touch.number}" if touch.number else f"{touch.sha:.10} {quoted(touch.headline)}"


def _picking(told: Told) -> tuple[str, ...]:
    """One command, unless a series has merges and other commits, which git picks in no one command."""
    commands = [(part.mainline, " ".join(part.picks)) for part in told.parts] or [(told.mainline, " ".join(told.picks))]
    lines = [
        f"git cherry-pick -x {'-m 1 ' if mainline else ''}{' '.join(picks for _, picks in some)}"
        for mainline, some in groupby(commands, key=itemgetter(0))
    ]
    first, *others = lines
    rest = [line for other in others for line in (other, "git cherry-pick --continue  # if it conflicts, too")]
    return (first, "# solve the conflicts, `git add` the files, and then:", "git cherry-pick --continue", *rest)


def _by_hand(row: Row, told: Told) -> str:
    """The names of branches are whatever people like, and are quoted for a shell."""
    head, target = shlex.quote(row.head_ref), shlex.quote(f"origin/{row.target}")
    lines = (
        "git fetch origin",
        f"git switch --no-track --create {head} {target}",
        *_picking(told),
        f"git push origin {head}",
    )
    again = quoted(f"/cherry-pick retry {row.target}", 250)
    return f"{BY_HAND}\n\n{fenced(chr(10).join(lines), 'sh')}\n\n{AFTERWARDS.format(command=again)}"
