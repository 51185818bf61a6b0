"""Say something about a line that somebody adds.

You see: on a pull request of somebody without write access one review comment for each of these texts, at the first
line that adds it. Lines that were there are left alone, and so are files whose changes GitHub does not show, which the
log says. A text is looked for as it is written; `paths` are patterns as
in `protected_paths`.

```yaml
diff_review:
  rules:
    - text: "mlog.Error("
      message: "@USERNAME, could this be returned instead of logged?"
      paths: ["**/*.go"]
```
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mattermod_action.config import Message, Pattern, Section
from mattermod_action.effects import ReviewComment
from mattermod_action.errors import Passed, Scarce
from mattermod_action.events import OPENED, RESUMED, PullRequestSeen
from mattermod_action.facts import at_least
from mattermod_action.texts import addressed, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.ports import ChangedFile, Facts

CHECKED = (OPENED, "synchronize", "ready_for_review", RESUMED)
UNSEEN = "GitHub shows some files without their changes, so that nobody knows what they add"
HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)")


class Rule(Section):
    text: Annotated[str, Field(min_length=2)]
    message: Message
    paths: tuple[Pattern, ...] = ("**",)


class Config(Section):
    rules: tuple[Rule, ...]


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open and event.action in CHECKED and config.rules:
            if not at_least(facts.role(pull.repository, pull.author), "write"):
                try:
                    yield from _comments(pull, config, facts)
                except Scarce as error:  # a remark is not worth the requests that gates need
                    raise Passed(str(error)) from error


def _comments(pull: PullRequest, config: Config, facts: Facts) -> Iterator[Effect]:
    """Read on until every rule has its line. A file without a patch may add anything."""
    files, unseen = facts.files(pull), False
    for rule in config.rules:
        place = next(((file.path, line) for file in files for line in _where(file, rule)), None)
        unseen = unseen or (not place and any(file.hidden and matches(file.path, rule.paths) for file in files))
        if place:
            text, cause = addressed(rule.message, pull.author), f"added {rule.text}"
            yield ReviewComment(
                subject=pull, text=text, sha=pull.sha, place=place, once=("text", rule.text), cause=cause
            )
    if unseen:
        raise Passed(UNSEEN)


def _where(file: ChangedFile, rule: Rule) -> Iterator[int]:
    """The numbers, in the new file, of the lines that add the text; a line ends with a line feed and nothing else."""
    number = 0
    for line in file.patch.split("\n") if matches(file.path, rule.paths) else ():
        if hunk := HUNK.match(line):
            number = int(hunk[1]) - 1
        elif not line.startswith(("-", "\\")):
            number += 1
            if line.startswith("+") and rule.text in line[1:]:
                yield number
