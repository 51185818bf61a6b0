"""Announce the pull requests of a translations bot.

You see: a message in the chat when the bot opens a pull request, with its address. The chat's address is the input
`mattermost-webhook-url`. `PR_URL` in the message is replaced by the address of the pull request, which otherwise
follows it.

```yaml
translations:
  bot: weblate
  message: "New translations: PR_URL"
  channel: localization
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.config import Message, Section
from mattermod_action.effects import PostChat
from mattermod_action.events import PullRequestSeen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts

ROOM, PLACE = "translations", "PR_URL"


class Config(Section):
    bot: str
    message: Message
    channel: str = ""


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case PullRequestSeen(pull) if event.is_beginning and pull.author.casefold() == config.bot.casefold():
            said = config.message if PLACE in config.message else f"{config.message}\n{PLACE}"
            text = said.replace(PLACE, pull.url)
            yield PostChat(subject=pull, text=text, room=ROOM, channel=config.channel, once=("announced",))
