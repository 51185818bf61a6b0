"""Tell a channel about runs that fail.

You see: a message in the chat when a run of this action could not do what it should, with a link to the run; the same
failure once an hour. Its address is the input `mattermost-webhook-url`. A chat that cannot be reached is a warning, and
so is a database that is down: without it nothing would keep every run from saying so.

```yaml
chat:
  footer: "What to do: https://example.org/runbook"
  channel: ops
```
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from mattermod_action.config import Section
from mattermod_action.effects import PostChat
from mattermod_action.events import RunFailed, nobodys
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts

HEAD = "mattermod-action failed in {repository}:"
SHOWN, LONGEST = 10, 500  # failures in one message, and characters of each
NUMBER = re.compile(r"\d+")


class Config(Section):
    footer: str = ""
    channel: str = ""


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case RunFailed(repository=repository, lines=lines, url=url, at=at):
            said = [
                HEAD.format(repository=repository.full_name),
                *(f"- {quoted(line, LONGEST)}" for line in lines[:SHOWN]),
            ]
            text = "\n".join([*said, *filter(None, (url, config.footer))])
            alike = hashlib.sha256(NUMBER.sub("#", "\n".join(lines)).encode()).hexdigest()
            once = ("failed", alike, at.strftime("%Y-%m-%dT%H"))
            yield PostChat(
                subject=nobodys(repository, at), text=text, channel=config.channel, once=once, cause="failure"
            )
