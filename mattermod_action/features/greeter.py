"""Call the people who look after new contributors.

You see: on a pull request of somebody without write access a review is requested from a team, and labels are put
on. Bots are left out. The team must have access to the repository. GITHUB_TOKEN cannot see teams: give `org-token` the
token of an App with `members: read` and `pull-requests: write` ([what each token can do](../tokens.md)).

```yaml
greeter:
  team: community
  labels: ["Contributor"]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.config import Label, Section
from mattermod_action.effects import AddLabels, RequestReview
from mattermod_action.events import PullRequestSeen
from mattermod_action.facts import at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts


class Config(Section):
    team: str = ""
    labels: tuple[Label, ...] = ()


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if event.is_beginning and not pull.author_is_bot:
            if at_least(facts.role(pull.repository, pull.author), "write"):
                return
            if config.labels:
                yield AddLabels(subject=pull, labels=config.labels)
            if config.team:
                yield RequestReview(subject=pull, teams=(config.team,), once=("team", config.team))
