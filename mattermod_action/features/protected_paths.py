"""Guard paths against people without write access.

You see: a pull request of theirs that changes one of these paths, also by renaming it away, gets a commit status that
is a failure and names them, and one comment. With `required` the status is set on every pull request, and for a merge
queue, so that a branch protection rule may require it.

A path is a pattern for the whole of it, in which `*` stops at a slash and `**` does not, as in a workflow's `paths`.
`repositories` adds to `paths` in the repositories that it names, for a file that serves many.

```yaml
protected_paths:
  paths: [".github/**", "go.mod", "**/package-lock.json"]
  repositories:
    server: ["build/*.sh"]
  excluded: ["dependabot[bot]"]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mattermod_action.config import Context, Message, Pattern, Section
from mattermod_action.effects import Comment, SetStatus
from mattermod_action.events import RESUMED, MergeGroupSeen, PullRequestSeen
from mattermod_action.facts import FILES_LISTED, at_least
from mattermod_action.texts import addressed, matches, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest, Repository
    from mattermod_action.ports import Facts

CHECKED = ("opened", "reopened", "synchronize", "edited", "ready_for_review", RESUMED)
UNTOUCHED, TOUCHED = "No protected path is changed", "Changes protected paths: {paths}"
MESSAGE = "@USERNAME, changes to these paths are made by people with write access:"
SHOWN = 20  # paths that the comment names
TOO_MANY = "(more files than GitHub lists)"


class Config(Section):
    paths: tuple[Pattern, ...] = ()
    repositories: dict[str, tuple[Pattern, ...]] = Field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    message: Message = MESSAGE
    context: Context = "merge/protected-paths"
    required: bool = False

    def patterns(self, repository: Repository) -> list[str]:
        """What is guarded in one repository, which is named with or without its owner."""
        names = {repository.name.casefold(), repository.full_name.casefold()}
        more = [path for name, paths in self.repositories.items() if name.casefold() in names for path in paths]
        return [*self.paths, *more]


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open and event.action in CHECKED:
            touched = _touched(pull, config, facts)
            if touched or config.required or event.action == "edited":  # an edit may have changed the base
                yield _status(pull, pull.sha, config, touched)
            if touched:
                listed = "\n".join(f"- {quoted(path)}" for path in touched[:SHOWN])
                text = f"{addressed(config.message, pull.author)}\n\n{listed}"
                yield Comment(subject=pull, text=text, once=("touched",), cause="protected paths")
        case MergeGroupSeen(repository, sha, number) if config.required and number:
            if queued := facts.pull(repository, number):
                yield _status(queued, sha, config, [])


def _touched(pull: PullRequest, config: Config, facts: Facts) -> list[str]:
    """The paths that are guarded, of whoever may not change them."""
    patterns = config.patterns(pull.repository)
    free = {login.casefold() for login in config.excluded}
    if not patterns or pull.author.casefold() in free or at_least(facts.role(pull.repository, pull.author), "write"):
        return []
    files = facts.files(pull)
    changed = dict.fromkeys(path for file in files for path in (file.path, file.previous) if path)
    found = [path for path in changed if matches(path, patterns)]
    return found or ([TOO_MANY] if len(files) >= FILES_LISTED else [])


def _status(pull: PullRequest, sha: str, config: Config, touched: list[str]) -> SetStatus:
    return SetStatus(
        subject=pull,
        sha=sha,
        context=config.context,
        state="failure" if touched else "success",
        description=TOUCHED.format(paths=", ".join(touched)) if touched else UNTOUCHED,
        correcting=not touched and not config.required,
        cause="protected paths",
    )
