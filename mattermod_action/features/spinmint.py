"""Give a pull request a test server of its own, a *spinmint*, for as long as it is needed.

You see: one comment, which is brought up to date as the server waits for its build, is set up, is ready and ends, with
its address, its commit, when it ends, and how to keep or end it; and a second one some hours before its time is over.

- The label `label` on an open pull request launches a server with the commit that the label was put on, and taking it
  off ends the server, as closing the pull request does. `upgrade_label` does the same with `upgrade_script`.
- `/spinmint` launches one with the newest commit, or says how things stand; on a pull request from a fork it has to
  name the commit that you have looked at, with all of its digits: `/spinmint COMMIT`. Short names will do on branches
  of this repository, to which only people with write access push. `/spinmint extend 24h` keeps it longer (also `90m`,
  `2d`), up to `longest_hours` after it was asked for, and `/spinmint destroy` ends it.

Whoever asks must have write access, then and when the server is launched, and be no bot, unless `bots` names it. Of a
fork nothing is launched unless `forks` says `allowed`, and there its author's own label does not count. A push changes
nothing: the server stays with its commit. `limits` says how many servers may be there at once, of the repository, of
all repositories of its owner that share the database, and of one person, and how many the repository may launch in a
day.

It is launched when the status or check run named `build` of that commit has a build of Jenkins that succeeded
(`jenkins-credentials`), or with `build_by: github` as soon as it is green. Then EC2 starts `image` with `script`, a
file beside this configuration, which gets what it needs as variables: `$SPINMINT_SHA`, `$SPINMINT_NUMBER`,
`$SPINMINT_BRANCH`, `$SPINMINT_BUILD_NUMBER` and more, see [the page on test servers](../spinmint.md). Its name is that
of its instance below `dns_suffix`. It is ready when `ready_path` answers with `ready_status`; what does not within
`boot_minutes` is launched once more. What is launched is what the configuration says then: if that has changed since a
server was asked for, ask again.

`message`, `done`, `failed`, `destroyed` and `expired` are what the comment says; `SPINMINT_LINK`, `INSTANCE_ID` and
`INTERNAL_IP` stand for what they name, `USERNAME` for the author's login. A `password` for its administrator is made up
for each server and kept in its `place`, below `prefix`; `profile` is the instance profile by which the server reads it.

```yaml
spinmint:
  label: "Setup Test Server"
  build: continuous-integration/jenkins/branch
  image: ami-0123456789abcdef0
  instance_type: t3.large
  subnet: subnet-0123456789abcdef0
  security_groups: [sg-0123456789abcdef0]
  zone: Z0123456789ABCDEFGHIJ
  dns_suffix: test.example.com
  script: spinmint/setup.sh
```

It needs `database-url`, `aws-region`, and AWS's permission: [infra](../../infra/README.md). The workflows to copy are
[spinmint.yml](../../workflows-examples/spinmint.yml) and
[spinmint-expiry.yml](../../workflows-examples/spinmint-expiry.yml), without which nothing ends in time but by itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mattermod_action.commands import Command
from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import (
    AdvanceServer,
    Comment,
    DestroyServer,
    ExtendServer,
    LaunchServer,
    OnServer,
    Reap,
    TellServer,
)
from mattermod_action.errors import Passed, Refused
from mattermod_action.events import (
    RESUMED,
    Awaited,
    ChecksChanged,
    Commanded,
    PullRequest,
    PullRequestSeen,
    ReapDue,
    ServerChanged,
    ServerDue,
    Tick,
    gone,
    label_cause,
    unlabel_cause,
)
from mattermod_action.labellers import does_not_count
from mattermod_action.server_words import status, warning
from mattermod_action.servers import (
    ASKED,
    CLOSED,
    GONE,
    READY,
    UNLABELED,
    WAITING_BUILD,
    Limits,
    Order,
    Terms,
    fields_of_order,
    key,
    password_name,
)
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event, Subject
    from mattermod_action.ports import Facts
    from mattermod_action.servers import Row

COMMANDS = {
    "spinmint": ("write", "launches a test server; `extend 24h`, `destroy` and `status` are about the one there is")
}
KEPT = frozenset(COMMANDS)
USAGE = "say `/spinmint`, and after it `extend 24h`, `destroy`, `status` or the commit to launch"
NONE = "there is no test server"
CLOSED_PULL = "the pull request is closed"
FORKS = "it is from a fork, and `spinmint.forks` does not allow that"
NAME_IT = "it is from a fork: name the commit that you have looked at, `/spinmint {sha}` if it is that"
# Two commits that begin alike are found in a second, and in a fork a stranger may push either of them.
WHOLE = "it is from a fork: name all digits of the commit that you have looked at, `/spinmint {sha}` if it is that"
OTHER_BASE = "its base branch was changed after the label was put on"
OTHER_HEAD = "its newest commit is another one"
NOTHING = "There was no test server."
NOT_LAUNCHED = "The label {label} launches no test server: {reason}."
MISSED = (
    "Nobody saw to the label {label}, or the run that did has died, and there is no test server. "
    "To ask for one, take it off and put it on again."
)
QUIET = timedelta(minutes=5)  # after which no run can still be about to launch what the label asks for
_SHA = re.compile(r"[0-9a-f]{7,64}")
_TIME = re.compile(r"(\d{1,4})(m|h|d)")
SECONDS = {"m": 60, "h": 3_600, "d": 86_400}


def _form(pattern: str, what: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"is no {what}")
        return text

    return AfterValidator(check)


def _below(path: str) -> str:
    """S-20: nothing outside the folder of the configuration."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", path) or ".." in path.split("/"):
        raise ValueError("must be a file in the folder of this configuration, or below it")
    return path


def _context(text: str) -> str:
    if not text.strip() or "\n" in text:
        raise ValueError("must be the name of a status or check run")
    return text


def _some_of_them(groups: tuple[str, ...]) -> tuple[str, ...]:
    if not groups:
        raise ValueError("must name at least one")
    return groups


Group = Annotated[str, _form(r"sg-[0-9a-f]{8,17}", "security group: sg-…")]
File = Annotated[str, AfterValidator(_below)]
Hours = Annotated[int, Field(ge=1, le=720)]
Count = Annotated[int, Field(ge=0, le=1_000)]


class LimitsOf(Section):
    repository: Count = 5
    organisation: Count = 20
    user: Count = 2
    launches: Count = 20

    @property
    def limits(self) -> Limits:
        return Limits(**self.model_dump())


class Password(Section):
    place: Literal["ssm", "secrets-manager"]
    prefix: Annotated[str, _form(r"[\w.-]+(/[\w.-]+){0,4}", "path of names, such as mattermod/spinmint")]
    profile: Annotated[str, _form(r"[\w+=,.@-]{1,128}", "name of an instance profile")]


class Config(Section):
    label: Label
    upgrade_label: Label | None = None
    build: Annotated[str, AfterValidator(_context)]
    build_by: Literal["jenkins", "github"] = "jenkins"
    image: Annotated[str, _form(r"ami-[0-9a-f]{8,17}", "image of EC2: ami-…")]
    instance_type: Annotated[str, _form(r"[a-z0-9-]+\.[a-z0-9-]+", "type of an instance, such as t3.large")]
    subnet: Annotated[str, _form(r"subnet-[0-9a-f]{8,17}", "subnet: subnet-…")]
    security_groups: Annotated[tuple[Group, ...], AfterValidator(_some_of_them)]
    zone: Annotated[str, _form(r"[A-Z0-9]{1,32}", "hosted zone, which has capital letters and digits")]
    dns_suffix: Annotated[
        str, _form(r"[a-z0-9-]+(\.[a-z0-9-]+)+", "name below which servers are named: test.example.com")
    ]
    script: File
    upgrade_script: File | None = None
    key_name: str = ""
    tag: Annotated[str, _form(r"[\w-]{1,100}", "value of a tag: letters, digits, _ and -")] = "spinmint"
    hours: Hours = 72
    longest_hours: Hours = 168
    warn_hours: Annotated[int, Field(ge=0, le=720)] = 4
    build_hours: Annotated[int, Field(ge=1, le=24)] = 4
    boot_minutes: Annotated[int, Field(ge=1, le=120)] = 20
    https: bool = False
    ready_path: Annotated[str, _form(r"/[!-~]*", "path, such as /")] = "/"
    ready_status: Annotated[int, Field(ge=100, le=599)] = 200
    password: Password | None = None
    limits: LimitsOf = LimitsOf()
    forks: Literal["refused", "allowed"] = "refused"
    bots: tuple[str, ...] = ()
    message: Message = "A test server will be launched for this pull request."
    upgrade_message: Message = "A test server that is upgraded will be launched for this pull request."
    done: Message = "The test server is ready: SPINMINT_LINK"
    upgrade_done: Message = "The test server that was upgraded is ready: SPINMINT_LINK"
    failed: Message = "There is no test server: it failed."
    destroyed: Message = "The test server was destroyed."
    expired: Message = "The time of the test server was over, and it was destroyed."

    @model_validator(mode="after")
    def _is_whole(self) -> Config:
        if self.upgrade_label and not self.upgrade_script:
            raise ValueError("must have `upgrade_script` with `upgrade_label`")
        if self.longest_hours < self.hours:
            raise ValueError("must have `longest_hours` of at least `hours`")
        return self

    @property
    def terms(self) -> Terms:
        return Terms(tag=self.tag, zone=self.zone, suffix=self.dns_suffix, section=self)

    @property
    def messages(self) -> dict[str, str]:
        names = ("message", "upgrade_message", "done", "upgrade_done", "failed", "destroyed", "expired")
        return {name: getattr(self, name) for name in names}

    def order(self, pull: PullRequest, label: str) -> Order:
        return replace(self.blank(label), branch=pull.ref, author=pull.author, url=pull.url)

    def blank(self, label: str) -> Order:
        upgrade = bool(label and self.upgrade_label and label.casefold() == self.upgrade_label.casefold())
        script = (self.upgrade_script if upgrade else None) or self.script
        password = self.password
        asked = {"label": label, "upgrade": upgrade}
        secret = {
            "password_in": password.place if password else "",
            "password_prefix": password.prefix if password else "",
            "instance_profile": password.profile if password else "",
        }
        return Order(**{**fields_of_order(self), **secret, **asked, "script": script, "password": ""})


def follow(event: Event, config: Config, facts: Facts) -> Iterator[Event]:  # noqa: ARG001  # as every `follow`
    """A sweep looks at every server, and then waits for those that come up; checks that are over wake what waits."""
    match event:
        case Tick(repository):
            yield ReapDue(repository)
            for row in facts.due_servers(repository):
                pull = facts.pull(row.repository, row.number)
                yield ServerDue(pull or gone(row.repository, row.number, row.order.url, facts.now()), row)
        case Awaited(Tick(repository)):
            for row in facts.due_servers(repository):
                if row.live and row.state not in (WAITING_BUILD, READY):
                    yield from _patiently(row, facts)
        case ChecksChanged(repository, sha):
            for row in facts.due_servers(repository):
                if row.sha == sha and row.state == WAITING_BUILD:
                    yield from _patiently(row, facts)


def _patiently(row: Row, facts: Facts) -> Iterator[Event]:
    if pull := facts.pull(row.repository, row.number):
        yield ServerDue(pull, row, patient=True)


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    """Whatever is wished for a server is done by the configuration of now."""
    for effect in _planned(event, config, facts):
        yield replace(effect, terms=config.terms) if isinstance(effect, OnServer) else effect


def _planned(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if not pull.is_open:
            yield from _destroyed(pull, facts, CLOSED)
        case PullRequestSeen(pull):
            yield from _seen(event, pull, config, facts)
        case Commanded(command=Command(name="spinmint", args=args)):
            yield from _commanded(event, args, config, facts)
        case ReapDue(repository):
            subject = gone(repository, 0, "", facts.now())
            yield Reap(
                subject=subject, tag=config.tag, zone=config.zone, suffix=config.dns_suffix, cause="the schedule"
            )
        case ServerDue():
            yield from _due(event, config)
        case ServerChanged():
            yield from _changed(event, config, facts)


def _labels(config: Config) -> list[str]:
    return [label for label in (config.label, config.upgrade_label) if label]


def _seen(event: PullRequestSeen, pull: PullRequest, config: Config, facts: Facts) -> Iterator[Effect]:
    for label in _labels(config):
        if event.lost(label):
            yield from _destroyed(pull, facts, UNLABELED, label)
        elif event.action == RESUMED and pull.carries(label):
            yield from _missed(event, pull, label, facts)
        elif (event.label or "").casefold() == label.casefold():
            yield from _asked(event, pull, label, config, facts)


def _destroyed(pull: PullRequest, facts: Facts, reason: str, label: str = "") -> Iterator[Effect]:
    """Of one that has ended already a run may have died before it said so."""
    if any(row.live or not row.told for row in facts.servers(pull)):
        cause = unlabel_cause(label) if label else reason
        yield DestroyServer(subject=pull, reason=reason, label=label, cause=cause)


def _asked(event: PullRequestSeen, pull: PullRequest, label: str, config: Config, facts: Facts) -> Iterator[Effect]:
    """Whoever put it on counts, and whoever has started this run once more."""
    request = ("label", label.casefold(), event.at.isoformat())
    reason = _refusal(event, pull, config, facts)
    if reason and not any(row.key == key(pull, *request) for row in facts.servers(pull)):
        yield _no(pull, label, request, reason)
        return
    yield LaunchServer(
        subject=pull,
        order=config.order(pull, label),
        limits=config.limits.limits,
        sha=event.sha,
        by=event.sender,
        request=request,
        cause=label_cause(label),
    )


def _refusal(event: PullRequestSeen, pull: PullRequest, config: Config, facts: Facts) -> str:
    if pull.from_fork and config.forks == "refused":
        return FORKS
    if pull.base_ref != event.base:
        return OTHER_BASE
    for login in (event.sender, *facts.actors()):
        is_bot = event.sender_is_bot and login == event.sender
        reason = does_not_count(pull, login, config.bots, facts, is_bot=is_bot, key="spinmint.bots")
        if reason:
            return reason
    return ""


def _no(pull: PullRequest, label: str, request: tuple[str | int, ...], reason: str) -> Comment:
    text = NOT_LAUNCHED.format(label=quoted(label), reason=reason)
    return Comment(subject=pull, text=text, once=("no server", *request), cause=label_cause(label))


def _missed(event: PullRequestSeen, pull: PullRequest, label: str, facts: Facts) -> Iterator[Effect]:
    """A sweep launches nothing: which commit the label was put on, and by whom, it can only guess."""
    if facts.now() - event.at < QUIET:
        raise Passed("somebody is at the pull request; the next sweep looks again")
    if not facts.servers(pull):
        text, once = MISSED.format(label=quoted(label)), ("missed", label.casefold(), pull.sha)
        yield Comment(subject=pull, text=text, once=once, cause=label_cause(label))


def _commanded(event: Commanded, args: tuple[str, ...], config: Config, facts: Facts) -> Iterator[Effect]:
    """Raise Refused for what is no request at all."""
    given, cause = event.given, "/spinmint"
    rows = facts.servers(given.subject)
    live = next((row for row in rows if row.live), None)
    match args:
        case ("destroy",):
            _some(live)
            yield DestroyServer(subject=given.subject, reason=ASKED, cause=cause)
        case ("extend", time) if seconds := _seconds(time):
            _some(live)
            yield ExtendServer(subject=given.subject, seconds=seconds, comment=given.comment_id, cause=cause)
        case ("status",) | () if live or args:
            text = status(_as_configured(rows[-1], given.subject, config), config.messages) if rows else NOTHING
            yield Comment(subject=given.subject, text=text, once=("status", given.comment_id), cause=cause)
        case () | (_,) if _SHA.fullmatch("".join(args) or "0000000"):
            yield from _launched(event, "".join(args), config, facts)
        case _:
            raise Refused(USAGE)


def _some(row: Row | None) -> None:
    if row is None:
        raise Refused(NONE)


def _seconds(text: str) -> int:
    found = _TIME.fullmatch(text)
    return int(found[1]) * SECONDS[found[2]] if found else 0


def _launched(event: Commanded, sha: str, config: Config, facts: Facts) -> Iterator[Effect]:
    """A comment does not say which commit its author has seen: of a fork, where anybody can push, it has to."""
    given = event.given
    pull = facts.pull(event.repository, given.subject.number)
    if pull is None or not pull.is_open:
        raise Refused(CLOSED_PULL)
    if pull.from_fork and config.forks == "refused":
        raise Refused(FORKS)
    if pull.from_fork and not sha:
        raise Refused(NAME_IT.format(sha=pull.sha))
    if not pull.sha.startswith(sha):
        raise Refused(OTHER_HEAD)
    if pull.from_fork and sha != pull.sha:
        raise Refused(WHOLE.format(sha=pull.sha))
    yield LaunchServer(
        subject=pull,
        order=config.order(pull, ""),
        limits=config.limits.limits,
        sha=pull.sha,
        by=given.author,
        request=("comment", given.comment_id),
        cause="/spinmint",
    )


def _due(event: ServerDue, config: Config) -> Iterator[Effect]:
    row, cause = event.row, "the schedule"
    if reason := _why_not(event):
        label = row.order.label if reason == UNLABELED else ""
        yield DestroyServer(subject=event.subject, reason=reason, label=label, cause=cause, patient=event.patient)
        return
    if _ends_soon(row, config):
        once = ("ends soon", row.key, str(row.expires_at))
        text = warning(_as_configured(row, event.subject, config))
        yield Comment(subject=event.subject, text=text, once=once, cause="its end")
    yield AdvanceServer(subject=event.subject, cause=cause, patient=event.patient)


def _why_not(event: ServerDue) -> str:
    """Say why a server that is there should not be."""
    row, pull = event.row, event.subject
    if not row.live:
        return ""
    if not isinstance(pull, PullRequest):
        return GONE
    if not pull.is_open:
        return CLOSED
    return UNLABELED if row.order.label and not pull.carries(row.order.label) else ""


def _ends_soon(row: Row, config: Config) -> bool:
    if row.state != READY or row.expires_at is None or row.is_over(row.read_at):
        return False
    return row.expires_at - row.read_at <= timedelta(hours=min(config.warn_hours, config.hours / 2))


def _as_configured(row: Row, subject: Subject, config: Config) -> Row:
    """What is said of a server is by the configuration, and of people by GitHub: a row may hold anything."""
    wanted = config.blank(row.order.label if row.order.label in _labels(config) else "")
    named = password_name(row, wanted.password_prefix) if row.order.password and wanted.password_in else ""
    order = replace(wanted, author=subject.author, password=named, launched=row.order.launched)
    return replace(row, order=order)


def _changed(event: ServerChanged, config: Config, facts: Facts) -> Iterator[Effect]:
    """What is so is told first, and then gone on with: nothing is waited for in silence."""
    subject = event.subject
    if event.reason:
        if event.label and isinstance(subject, PullRequest):
            yield _no(subject, event.label, event.request, event.reason)
        return
    for row in facts.servers(subject):
        if not row.told:
            text, once = status(_as_configured(row, subject, config), config.messages), ("server", row.key)
            yield TellServer(subject=subject, text=text, once=once, cause="its test server", row=row)
    if event.asked:
        yield AdvanceServer(subject=subject, cause="its test server")
