"""Why there is no test server, as rows and comments say it; `told` has the reasons that a comment may show.

A row may hold any text, whoever wrote it: what is not one of these is not posted.
"""

from __future__ import annotations

import re
from functools import cache

from mattermod_action.servers import ENDINGS, RELAUNCH
from mattermod_action.texts import quoted

BUILD_BAD = {
    "failed": "the build has failed",
    "unstable": "the build is unstable: some of its tests have failed",
    "aborted": "the build was aborted, or nothing was built",
    "gone": "Jenkins does not know the build any more",
    "red": "the check that it is to be launched after is not green",
}
BUILD_LATE = "there was no build of its commit within {hours} h"
LAUNCH_LATE = "it could not be launched within an hour"
NOT_LAUNCHED = "AWS did not launch it: the log of the run says why"
NO_BUILD = "its build cannot be read: the log of the run says why"
NO_SCRIPT = "its setup script cannot be used: the log of the run says why"
NO_ADDRESS = "it got no public address: does its subnet give any?"
DIED = "it ended by itself while it was being set up"
NOT_READY = "it was not ready within {minutes} minutes"
NOT_ALLOWED = "{login} has no write access here any more"
CHANGED = "the configuration has changed since it was asked for, or its row in the database has: ask again"
NOT_ASKED = "GitHub's record does not show who asked for it, or for which commit: ask again"
FORKS = "it is from a fork, and `spinmint.forks` does not allow that"
OTHER = "an earlier run has noted why, and its log says it"
UNASKED = (CHANGED, NOT_ASKED, FORKS)  # of what was refused, beside NOT_ALLOWED

_FORMS = (
    *BUILD_BAD.values(), BUILD_LATE, LAUNCH_LATE, NOT_LAUNCHED, NO_BUILD, NO_SCRIPT, NO_ADDRESS, DIED, NOT_READY,
    CHANGED, NOT_ASKED, FORKS, *ENDINGS, RELAUNCH,
)  # fmt: skip


@cache
def _known() -> list[re.Pattern[str]]:
    """Only who has a reason to tell pays for it."""
    return [re.compile(re.sub(r"\\\{\w+\\\}", r"\\d{1,4}", re.escape(form))) for form in _FORMS]


def told(reason: str, login: str) -> str:
    """Return the reason, if it is one of ours."""
    is_ours = reason == NOT_ALLOWED.format(login=quoted(login)) or any(known.fullmatch(reason) for known in _known())
    return reason if is_ours or not reason else OTHER
