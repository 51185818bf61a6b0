"""Check that whoever opened a pull request has signed the contributor licence agreement.

You see: a commit status on the head. It is success when the login is in the list at `signed_url` ("LOGIN
authorized") or among the exceptions ("LOGIN excluded"), and error otherwise ("LOGIN needs to sign the CLA"), with a
link to the list. It is set when a pull request is opened, reopened or pushed to, and by `/check-cla`, which
everybody may give.

The list is text or CSV, read over https; a login stands in the first column. A list that cannot be read changes no
status: the run says so, and the next one tries again.

```yaml
cla:
  signed_url: https://example.org/signed.csv
  context: cla/mattermost
  excluded: [dependabot]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from mattermod_action.commands import Command
from mattermod_action.config import Section
from mattermod_action.effects import SetStatus
from mattermod_action.errors import Refused
from mattermod_action.events import GHOST, Commanded, MergeGroupSeen, PullRequestSeen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.ports import Facts

COMMANDS = {"check-cla": ("read", "checks again whether the author has signed")}
LOOPBACK = ("127.0.0.1", "localhost")
EXCLUDED, SIGNED, UNSIGNED = "{login} excluded", "{login} authorized", "{login} needs to sign the CLA"


def _https(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise ValueError("must be an https address")
    return url


class Config(Section):
    signed_url: Annotated[str, AfterValidator(_https)]
    context: str = "cla/mattermost"
    excluded: tuple[str, ...] = ()


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if pull.is_open and event.action in ("opened", "reopened", "synchronize"):
            yield _verdict(pull, pull.sha, config, facts)
        case MergeGroupSeen(sha=sha) if event.number and (queued := facts.pull_of(event)):
            yield _verdict(queued, sha, config, facts)
        case Commanded(given, Command(name="check-cla")):
            asked = facts.pull(given.subject)
            if asked is None or not asked.is_open:
                raise Refused("the pull request is closed")
            yield _verdict(asked, asked.sha, config, facts)


def _verdict(pull: PullRequest, sha: str, config: Config, facts: Facts) -> SetStatus:
    """Nobody is authorized for want of a name: a deleted account has signed nothing."""
    login = pull.author
    state, text = "error", UNSIGNED
    if login.casefold() in {name.casefold() for name in config.excluded}:
        state, text = "success", EXCLUDED
    elif login != GHOST and login.casefold() in facts.signed(config.signed_url):
        state, text = "success", SIGNED
    return SetStatus(
        subject=pull,
        sha=sha,
        context=config.context,
        state=state,
        description=text.format(login=login),
        url=config.signed_url,
        cause="CLA",
    )
