"""Bring a pull request's branch up to date, by `/update-branch`.

You see: the base branch is merged into the pull request, as the button on the page does; where that cannot be, the
comment's thumb goes down and a comment says why. The author of the pull request may do it, and whoever has write
access.

With GITHUB_TOKEN the checks of the new commit wait until somebody with write access approves the workflows in the
merge box; with the token of an App as `github-token` they start by themselves. Where the base brings changes to
workflow files, the token needs `workflows: write`, which GITHUB_TOKEN cannot have. Neither kind may write to a fork:
branches there take the token of a person ([what each token can do](../tokens.md)).

```yaml
update_branch: {}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.commands import Command
from mattermod_action.config import Section
from mattermod_action.effects import UpdateBranch
from mattermod_action.errors import Refused
from mattermod_action.events import Commanded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.ports import Facts

COMMANDS = {"update-branch": ("author", "merges the base branch into this pull request")}
CLOSED, GONE = "the pull request is closed", "the pull request is gone"
FORK = "the branch is in a fork, and its owner does not allow edits by maintainers"


class Config(Section):
    pass


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case Commanded(given, Command(name="update-branch")):
            pull = _checked(facts.pull(given.repository, given.subject.number))
            yield UpdateBranch(
                subject=pull, sha=pull.sha, once=("update-branch", given.comment_id), cause="/update-branch"
            )


def _checked(pull: PullRequest | None) -> PullRequest:
    """Raise Refused with what is in the way."""
    if pull is None:
        raise Refused(GONE)
    if not pull.is_open:
        raise Refused(CLOSED)
    if pull.from_fork and not pull.maintainer_can_modify:
        raise Refused(FORK)
    return pull
