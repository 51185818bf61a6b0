"""Block merging by label.

You see: a commit status `merge/blocked` on the head of each open pull request. It is pending while one of the
labels is on the pull request, and success otherwise; require it in a branch protection rule. It follows from the
labels that are there, whatever happened last and whoever put them on, this bot included, and it is set for a merge
queue, too.

A label may have its own text and, with `context`, a status of its own.

```yaml
block_merge:
  labels:
    - "Do Not Merge"
    - {label: "Awaiting Submitter Action", text: "Waiting for the author."}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from mattermod_action.config import Context, Label, Section
from mattermod_action.effects import SetStatus
from mattermod_action.events import LabelsMade, MergeGroupSeen, PullRequestSeen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.ports import Facts

BLOCKED, ALLOWED = "Merge blocked due {label} label", "Merged allowed"


class Rule(Section):
    label: Label
    text: str = ""
    context: Context = ""


def _rule(value: Any) -> Any:
    return {"label": value} if isinstance(value, str) else value


class Config(Section):
    labels: tuple[Annotated[Rule, BeforeValidator(_rule, json_schema_input_type=str | Rule)], ...]
    context: Context = "merge/blocked"


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open:
            yield from _statuses(pull, pull.sha, config)
        case LabelsMade(pull) if pull.is_open and any(event.has_changed(rule.label) for rule in config.labels):
            yield from _statuses(pull, pull.sha, config)
        case MergeGroupSeen(repository, sha, number) if number and (queued := facts.pull(repository, number)):
            yield from _statuses(queued, sha, config)


def _statuses(pull: PullRequest, sha: str, config: Config) -> Iterator[Effect]:
    """One for each context that a rule names; the first rule whose label is there gives its text."""
    for context in dict.fromkeys(rule.context or config.context for rule in config.labels):
        rules = [rule for rule in config.labels if (rule.context or config.context) == context]
        blocking = next((rule for rule in rules if pull.carries(rule.label)), None)
        text = blocking.text or BLOCKED.format(label=blocking.label) if blocking else ALLOWED
        state = "pending" if blocking else "success"
        yield SetStatus(
            subject=pull,
            sha=sha,
            context=context,
            state=state,
            description=text,
            cause="labels",
            judges=not blocking,
            without=tuple(rule.label for rule in rules),
        )
