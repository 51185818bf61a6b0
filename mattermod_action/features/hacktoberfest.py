"""Label what is opened in October.

You see: pull requests of people without write access get a label while Hacktoberfest lasts. Months are those of the
day on which the pull request was opened, in UTC.

```yaml
hacktoberfest:
  label: "Hacktoberfest"
  months: [10]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mattermod_action.config import Label, Section
from mattermod_action.effects import AddLabels
from mattermod_action.events import PullRequestSeen
from mattermod_action.facts import at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts


class Config(Section):
    label: Label = "Hacktoberfest"
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = (10,)


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if event.is_beginning and pull.created_at.month in config.months:
            if not pull.author_is_bot and not at_least(facts.role(pull.repository, pull.author), "write"):
                yield AddLabels(subject=pull, labels=(config.label,))
