"""Take labels off when a pull request or an issue is closed.

You see: these labels go when the item is closed or merged; all others stay. Issues are left alone unless `issues`
says otherwise. What else a closed pull request's labels call for is planned from the same labels, before they go.

```yaml
label_cleanup:
  labels: ["Work in Progress", "2: Dev Review"]
  issues: true
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.config import Label, Section
from mattermod_action.effects import RemoveLabel
from mattermod_action.events import IssueSeen, PullRequestSeen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts


class Config(Section):
    labels: tuple[Label, ...]
    issues: bool = False


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case PullRequestSeen(subject) if subject.state == "closed":
            pass
        case IssueSeen(subject) if subject.state == "closed" and config.issues:
            pass
        case _:
            return
    for label in config.labels:
        if subject.carries(label):
            yield RemoveLabel(subject=subject, label=label, cause="closed")
