"""Welcome people who open a pull request.

You see: one comment on a pull request of somebody without write access; never on one of a bot. `USERNAME` is
replaced by their login. With `first_time_only` it is only on the first pull request that somebody opens here.

```yaml
welcome:
  message: "Hello @USERNAME, thanks for your pull request!"
  first_time_only: true
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.config import Message, Section
from mattermod_action.effects import Comment
from mattermod_action.events import PullRequestSeen
from mattermod_action.facts import at_least
from mattermod_action.texts import addressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts


class Config(Section):
    message: Message
    first_time_only: bool = False


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if event.is_beginning and not pull.author_is_bot:
            if at_least(facts.role(pull.repository, pull.author), "write"):
                return
            if not config.first_time_only or facts.is_first(pull):
                yield Comment(subject=pull, text=addressed(config.message, pull.author), once=("welcome",))
