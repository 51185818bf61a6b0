"""Answer a label with a message.

You see: one comment for each label that a pull request or an issue carries and that has a message here.
Taking the label off and putting it on again posts nothing new, nor does editing a message. Labels that were
there before this action was installed stay unanswered.

`USERNAME` in a message is replaced by the login of whoever opened the pull request or issue, where it stands
as a word of its own. Label names compare without case, as on GitHub. A label may have several messages, and one with
`when: unlabeled` is posted when the label is taken off, once as well.

```yaml
label_messages:
  pull_requests:
    - label: "2: Dev Review"
      message: "Thanks @USERNAME, a developer will look at this within two days."
    - label: "Awaiting Submitter Action"
      when: unlabeled
      message: "Thank you @USERNAME, we look at it again."
  issues:
    - label: "Help Wanted"
      message: "If you would like to work on this, say so below."
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import Comment
from mattermod_action.events import IssueSeen, PullRequestSeen, label_cause, unlabel_cause
from mattermod_action.texts import addressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, Seen
    from mattermod_action.ports import Facts


class Rule(Section):
    label: Label
    message: Message
    when: Literal["labeled", "unlabeled"] = "labeled"

    def text(self, login: str) -> str:
        return addressed(self.message, login)


class Config(Section):
    pull_requests: tuple[Rule, ...] = ()
    issues: tuple[Rule, ...] = ()


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:  # noqa: ARG001  # every plan is asked alike
    match event:
        case PullRequestSeen(_):
            yield from _answers(event, config.pull_requests)
        case IssueSeen(_):
            yield from _answers(event, config.issues)


def _answers(event: Seen, rules: tuple[Rule, ...]) -> Iterator[Effect]:
    position: dict[tuple[str, str], int] = {}
    for rule in rules:
        label, subject = rule.label.casefold(), event.subject
        kind = (label, rule.when)
        nth = position[kind] = position.get(kind, -1) + 1  # among this label's rules, so that others may move
        if rule.when == "labeled" and subject.carries(label):
            yield Comment(subject=subject, text=rule.text(subject.author), once=(label, nth), cause=label_cause(label))
        elif rule.when == "unlabeled" and event.lost(label):
            cause = unlabel_cause(label)
            yield Comment(subject=subject, text=rule.text(subject.author), once=(label, nth, "off"), cause=cause)
