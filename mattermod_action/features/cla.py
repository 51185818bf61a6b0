"""Check that whoever opened a pull request has signed the contributor licence agreement.

You see: a commit status on the head. It is success when the login is in the list at `signed_url` ("LOGIN
authorized") or among the exceptions ("LOGIN excluded"), and error otherwise ("LOGIN needs to sign the CLA"), with a
link to the list. It is set when a pull request is opened, reopened or pushed to, for a merge queue, and by
`/check-cla`, which everybody may give. With `message` somebody who has not signed is told so in a comment, once.

With `everyone` the authors and co-authors of all commits must have signed. A comment lists the commits whose e-mail
address belongs to no account, since nobody can be found for them in the list. A commit with more than 20 authors is
an error, since not all of them can be read.

The list is text or CSV, read over https; a login stands in the first column. Where it cannot be read, or has lost half
of its names within a day, the status is an error that says so, and the next sweep tries again. Where GitHub does not
say who made the commits, or the branch moved meanwhile, the status is pending, and while the list takes longer than
three seconds.

```yaml
cla:
  signed_url: https://example.org/signed.csv
  context: cla/mattermost
  excluded: [dependabot]
  message: "@USERNAME, please sign our agreement, and then comment `/check-cla`."
  everyone: true
```
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from mattermod_action.commands import Command
from mattermod_action.config import Context, Message, Section
from mattermod_action.effects import Comment, SetStatus
from mattermod_action.errors import FactUnavailable, NotYet, Offline, Refused
from mattermod_action.events import GHOST, RESUMED, Awaited, Commanded, MergeGroupSeen, PullRequestSeen
from mattermod_action.gates import judged, why
from mattermod_action.texts import addressed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, PullRequest
    from mattermod_action.gates import Verdict
    from mattermod_action.ports import Authorship, Facts

COMMANDS = {"check-cla": ("read", "checks again whether the author has signed")}
LOOPBACK = ("127.0.0.1", "localhost")
SOON = 3.0  # seconds; what takes longer is worth a status that says so
CHECKED = ("opened", "reopened", "synchronize", RESUMED)
EXCLUDED, SIGNED = "{login} excluded", "{login} authorized"
UNSIGNED, UNSIGNED_MANY = "{login} needs to sign the CLA", "{login} need to sign the CLA"
UNLINKED = "{count} of the commits belong to no account"
CHECKING = ("pending", "The list of signatures is being read")
UNKNOWN = ("error", "The list of signatures cannot be read")
WHOSE = (
    "The e-mail addresses of these commits belong to no account, so it cannot be checked whether their authors have "
    "signed. Add the address to an account ({server}/settings/emails), or commit with one that is there."
)
SHOWN = 50  # commits in that comment


def _https(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise ValueError("must be an https address")
    return url


class _ListError(FactUnavailable):
    """The list cannot be read."""


class Config(Section):
    signed_url: Annotated[str, AfterValidator(_https)]
    context: Context = "cla/mattermost"
    excluded: tuple[str, ...] = ()
    message: Message | None = None
    everyone: bool = False

    def excludes(self, login: str) -> bool:
        return login.casefold() in {name.casefold() for name in self.excluded}


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    about = event.event if isinstance(event, Awaited) else event
    match about:
        case PullRequestSeen(pull) if pull.is_open and about.action in CHECKED:
            yield from _checked(event, pull, pull.sha, config, facts)
        case MergeGroupSeen(sha=sha) if about.number and (queued := facts.pull(about.repository, about.number)):
            yield from _checked(event, queued, sha, config, facts)
        case Commanded(given, Command(name="check-cla")):
            asked = facts.pull(given.repository, given.subject.number)
            if asked is None or not asked.is_open:
                raise Refused("the pull request is closed")
            yield from _checked(event, asked, asked.sha, config, facts)


def _checked(event: Event, pull: PullRequest, sha: str, config: Config, facts: Facts) -> Iterator[Effect]:
    """The verdict, or that it takes its time; what was said to be pending must not stay so."""

    def read() -> Iterator[Effect]:
        try:
            yield from _verdict(event, pull, sha, config, facts)
        except NotYet:
            yield replace(_status(pull, sha, config, CHECKING), then=Awaited(event))

    yield from judged(read, lambda error: _status(pull, sha, config, _unknown(error)))


def _unknown(error: Exception) -> Verdict:
    return UNKNOWN if isinstance(error, _ListError) else why(error)


def _signed(event: Event, config: Config, facts: Facts) -> frozenset[str]:
    """Wait for the list only when everything else was seen to."""
    try:
        return facts.signed(config.signed_url, None if isinstance(event, Awaited) else SOON)
    except (NotYet, Offline):
        raise
    except FactUnavailable as error:
        raise _ListError(str(error)) from error


def _verdict(event: Event, pull: PullRequest, sha: str, config: Config, facts: Facts) -> Iterator[Effect]:
    """Nobody is authorized for want of a name: a deleted account has signed nothing."""
    works = facts.authors(pull) if config.everyone else ()
    people = dict.fromkeys([pull.author, *(work.login for work in works if work.login)])
    asked = [login for login in people if not config.excludes(login)]
    signed = _signed(event, config, facts) if asked else frozenset()
    unsigned = [login for login in asked if login == GHOST or login.casefold() not in signed]
    nobodys = [work for work in works if not work.login]
    if unsigned:
        text = (UNSIGNED if len(unsigned) == 1 else UNSIGNED_MANY).format(login=", ".join(unsigned))
    elif nobodys:
        text = UNLINKED.format(count=len({work.sha for work in nobodys}))
    else:
        text = (SIGNED if pull.author in asked else EXCLUDED).format(login=pull.author)
    yield _status(pull, sha, config, ("error" if unsigned or nobodys else "success", text))
    if unsigned and config.message:
        yield Comment(subject=pull, text=addressed(config.message, pull.author), once=("unsigned",))
    elif nobodys:  # one comment at a time
        yield _list_of(pull, nobodys)


def _list_of(pull: PullRequest, works: list[Authorship]) -> Comment:
    parts = urlsplit(pull.url)
    said = WHOSE.format(server=f"{parts.scheme}://{parts.netloc}")
    lines = [f"- {work.sha[:10]} {quoted(work.email)}" for work in works[:SHOWN]]
    once = ("nobodys", *sorted({work.email for work in works}))
    return Comment(subject=pull, text="\n".join([said, "", *lines]), once=once, cause="CLA")


def _status(pull: PullRequest, sha: str, config: Config, verdict: Verdict) -> SetStatus:
    """A `verdict` is a state and what is said of it."""
    state, text = verdict
    context, url = config.context, config.signed_url
    return SetStatus(
        subject=pull,
        sha=sha,
        context=context,
        state=state,
        description=text,
        url=url,
        judges=state != "pending",
        cause="CLA",
    )
