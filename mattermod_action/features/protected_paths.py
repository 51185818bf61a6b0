"""Guard paths against people without write access.

You see: a commit status on every open pull request, and for a merge queue, which a branch protection rule can require.
It is a failure where somebody without write access changes one of these paths, also by renaming it away; one comment
then names them. With `required: false` the status is left out where nothing is wrong.

The author counts where nobody else could push: the branch is in this repository, or in a fork of the author's own. A
branch in anybody else's fork is judged whoever opened the pull request, and `excluded` does not help there.

The status is pending where GitHub does not say what is changed, and says why: an answer failed, the branch moved
meanwhile, or the list is long while the token has few requests left in the hour. The next push or sweep judges again.
GitHub lists at most 3,000 files: beyond that the status is a failure.

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

from itertools import islice
from typing import TYPE_CHECKING

from pydantic import Field

from mattermod_action.config import Context, Message, Pattern, Section
from mattermod_action.effects import Comment, SetStatus
from mattermod_action.events import RESUMED, MergeGroupSeen, PullRequestSeen
from mattermod_action.facts import FILES_LISTED, at_least
from mattermod_action.gates import judged, why
from mattermod_action.texts import addressed, matches, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest, Repository
    from mattermod_action.gates import Verdict
    from mattermod_action.ports import Facts

CHECKED = ("opened", "reopened", "synchronize", "edited", "ready_for_review", RESUMED)
UNTOUCHED, TOUCHED = "No protected path is changed", "Changes protected paths: {paths}"
MESSAGE = "@USERNAME, changes to these paths are made by people with write access:"
SHOWN = 20  # paths that the comment names
PAGE = 100  # files that GitHub lists at once
TOO_MANY = "(more files than GitHub lists)"


class Config(Section):
    paths: tuple[Pattern, ...] = ()
    repositories: dict[str, tuple[Pattern, ...]] = Field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    message: Message = MESSAGE
    context: Context = "merge/protected-paths"
    required: bool = True

    def patterns(self, repository: Repository) -> list[str]:
        """What is guarded in one repository, which is named with or without its owner."""
        names = {repository.name.casefold(), repository.full_name.casefold()}
        more = [path for name, paths in self.repositories.items() if name.casefold() in names for path in paths]
        return [*self.paths, *more]


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open and event.action in CHECKED:
            yield from judged(
                lambda: _verdict(event, pull, config, facts),
                lambda error: _status(pull, pull.sha, config, why(error)),
            )
        case MergeGroupSeen(repository, sha, number) if config.required and number:
            if queued := facts.pull(repository, number):
                yield from judged(
                    lambda: _of_group(queued, sha, config, facts),
                    lambda error: _status(queued, sha, config, why(error)),
                )


def _verdict(event: PullRequestSeen, pull: PullRequest, config: Config, facts: Facts) -> Iterator[Effect]:
    touched = _touched(pull, config, facts)
    if touched or config.required or event.action == "edited":  # an edit may have changed the base
        yield _status(pull, pull.sha, config, _said(touched))
    if touched:
        listed = "\n".join(f"- {quoted(path)}" for path in touched[:SHOWN])
        text = f"{addressed(config.message, pull.author)}\n\n{listed}"
        yield Comment(subject=pull, text=text, once=("touched",), cause="protected paths")


def _of_group(queued: PullRequest, sha: str, config: Config, facts: Facts) -> Iterator[Effect]:
    """A merge queue builds a commit of the head, of which it was said already what is to be said: else look."""
    known = facts.verdict(queued.repository, queued.sha, config.context)
    verdict = known if known and known[0] in ("success", "failure") else _said(_touched(queued, config, facts))
    yield _status(queued, sha, config, verdict)


def _touched(pull: PullRequest, config: Config, facts: Facts) -> list[str]:
    """The paths that are guarded, of whoever may not change them, as far as the first page of files that has some."""
    patterns = config.patterns(pull.repository)
    if not patterns or _is_free(pull, config, facts):
        return []
    files, count = iter(facts.files(pull)), 0
    while page := [*islice(files, PAGE)]:
        changed = dict.fromkeys(path for file in page for path in (file.path, file.previous) if path)
        if found := [path for path in changed if matches(path, patterns)]:
            return found
        count += len(page)
    return [TOO_MANY] if count >= FILES_LISTED else []


def _is_free(pull: PullRequest, config: Config, facts: Facts) -> bool:
    """Whether nobody has pushed but people who may change everything, or are excluded.

    Into a branch of the repository itself only people with write access push. Into a fork its owner does, and whom the
    owner lets in; whoever opened the pull request is another one, perhaps, and so are all later pushes.
    """
    owner = pull.head.partition("/")[0]
    if pull.from_fork and owner.casefold() != pull.author.casefold():
        return False
    if pull.author.casefold() in {login.casefold() for login in config.excluded}:
        return True
    return at_least(facts.role(pull.repository, pull.author), "write")


def _said(touched: list[str]) -> Verdict:
    return ("failure", TOUCHED.format(paths=", ".join(touched))) if touched else ("success", UNTOUCHED)


def _status(pull: PullRequest, sha: str, config: Config, verdict: Verdict) -> SetStatus:
    state, text = verdict
    return SetStatus(
        subject=pull,
        sha=sha,
        context=config.context,
        state=state,
        description=text,
        correcting=state == "success" and not config.required,
        judges=state != "pending",
        cause="protected paths",
    )
