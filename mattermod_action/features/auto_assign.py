"""Ask a team for a review, by `/autoassign`.

You see: a review is requested from the team. People with write access may do it. The team must have access to the
repository. GITHUB_TOKEN cannot see teams: give `org-token` the token of an App with `members: read` and
`pull-requests: write` ([what each token can do](../tokens.md)).

```yaml
auto_assign:
  team: core-reviewers
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.commands import Command
from mattermod_action.config import Section
from mattermod_action.effects import RequestReview
from mattermod_action.errors import Refused
from mattermod_action.events import Commanded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts

COMMANDS = {"autoassign": ("write", "asks the team for a review")}


class Config(Section):
    team: str


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case Commanded(given, Command(name="autoassign")):
            if given.subject.state != "open":
                raise Refused("the pull request is closed")
            once = ("autoassign", given.comment_id)
            yield RequestReview(subject=given.subject, teams=(config.team,), once=once, cause="/autoassign")
