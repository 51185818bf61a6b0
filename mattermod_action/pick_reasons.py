"""Why a pick is not made, as rows and comments say it; `is_known` tells our own sentences from any other text.

A row may hold any text, whoever wrote it: what is not one of these is posted as code.
"""

from __future__ import annotations

import re
from functools import cache

from mattermod_action import refusals
from mattermod_action.origins import AGAIN, NOT_THEIRS
from mattermod_action.picks import MERGES, NO_COMMIT, NOT_ALL, OCTOPUS, PROTECTED, TOO_MANY, WORKFLOWS

UNLABELED = "the label was taken off before that"
NOT_MERGED = "it was closed without being merged"
WAITS = "it was closed without being merged; once somebody reopens and merges it, it will be picked"
REVERTED = "{sha:.10} has reverted it on its base: ask to `retry` to pick it all the same"
STILL_THERE = "#{number} was reverted, and its branch {head} is still there: delete it and ask to `retry`"
NOT_KEPT = "it is not merged yet, and without `database-url` nothing is kept until then: ask again afterwards"
GONE = "the pull request is gone"
WITHDRAWN = "it was withdrawn; ask again if it is wanted after all"
SAME = "that is where it was merged"
INTO = "that is the branch into which it will be merged"
MISSING = "there is no such branch"
NOT_THE_PICK = "the branch {head} is there already, and is not what the pick gives: delete it and ask to `retry`"
CLOSED = "#{number} was closed, and its branch {head} is still there: delete it and ask to `retry`"
BY_HAND = "its conflicts were resolved by hand"
CLOSED_AND_GONE = "#{number} was closed, and its branch is gone: ask to `retry`"
NOT_ITS_OWN = "the last commits on its base are not those of the pull request: pick by hand"
# Of a series.
IS_NO_PULL = "#{number} is not a pull request of this repository"
NOT_YET = "#{number} is not merged yet: ask to `retry` when it is"
WITHOUT_MERGE = "#{number} was closed without being merged"
MERGED_ELSEWHERE = "#{number} was merged into {base}, not into {other}"
HAS_ONE = "#{number} is open from {head} already: close it, and ask again"
# Of picks that are made anew.
NOT_OPEN = "no pull request of a cherry-pick onto {target} is open"
NOT_ITS_PICK = "somebody else has pushed to {head}, the branch of #{number}: it is not replaced"
NOTHING_LEFT = "all of #{number} is on its branch by now: close it"
NOT_PUSHED_ANEW = "git was refused to replace {head}, the branch of #{number}: {said}"
CONFLICTS_AGAIN = "picked anew it conflicts in {names}"
SENTENCES = {
    PROTECTED: "a rule of this repository does not let me create the branch {head}. {cure}",
    WORKFLOWS: (
        "the workflow files of {target} differ from those of the default branch, or the pick changes some, and "
        "{whose}. GITHUB_TOKEN cannot have it: give `cherry-pick-token` the token of an App with `workflows: write`, "
        "or of a person with the scope `workflow`, and ask to `retry` (see docs/tokens.md)"
    ),
}
NOT_DONE, MERGING = "not done: ", "its merge"  # before what was refused of a pull request that is open
# Whether a token of its own was given for picks.
WHOSE = {
    True: "the `cherry-pick-token` has no permission `workflows`",
    False: "there is no `cherry-pick-token`, and `github-token` has no permission `workflows`",
}
PUSHED_ALREADY = (
    "{reason}. Its branch {head} is pushed: afterwards `/cherry-pick retry {target}` opens the pull request"
)

_FORMS = (
    UNLABELED, NOT_MERGED, NOT_KEPT, GONE, SAME, INTO, MISSING, MISSING + "; near it: {names}", NOT_THE_PICK, CLOSED,
    BY_HAND, CLOSED_AND_GONE, WAITS, WITHDRAWN, REVERTED, STILL_THERE, NOT_ITS_OWN, AGAIN, NOT_THEIRS, OCTOPUS,
    MERGES, NOT_ALL, TOO_MANY, NO_COMMIT,
    IS_NO_PULL, NOT_YET, WITHOUT_MERGE, MERGED_ELSEWHERE, HAS_ONE, CONFLICTS_AGAIN,
    SENTENCES[PROTECTED].replace("{cure}", refusals.PROTECTED.cure),
    *(SENTENCES[WORKFLOWS].replace("{whose}", whose) for whose in WHOSE.values()),
)  # fmt: skip
# Names are code in all of them.
_NAMED = r"`[^`\n]{0,300}`"
_WORDS = {"number": r"\d{1,10}", "sha": "[0-9a-f]{1,10}", "names": f"{_NAMED}(?:, {_NAMED}){{0,9}}"}


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)[^{}]*\}", form)
    return re.compile("".join(_WORDS.get(part, _NAMED) if at % 2 else re.escape(part) for at, part in enumerate(parts)))


@cache
def _known() -> list[re.Pattern[str]]:
    """Only who has a reason to tell pays for it."""
    return [_pattern(form) for form in _FORMS]


def is_revert(text: str) -> bool:
    """Whether it is the warning that the base has reverted what is to be picked."""
    return _pattern(REVERTED).fullmatch(text) is not None


def is_known(text: str) -> bool:
    return any(known.fullmatch(text) for known in _known())
