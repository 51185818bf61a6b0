"""One step of a test server after the other: what each state waits for, and what is done about it then.

Where a row stands it is taken up again, by whichever run: each step looks first at what AWS, Jenkins and GitHub have,
and whatever it does may be done again. Nothing is slept here: a step says how long to wait, and lets go of the lease.

A row is a note, and no authority: what is launched is derived anew from the configuration and from GitHub, and only
servers are touched whose own tags in EC2 say that they are of this row.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from calendar import timegm
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from mattermod_action import reading
from mattermod_action.asking import is_traceable, must_be_asked_for, must_write
from mattermod_action.errors import Down, Mistake, Overtaken, Refused
from mattermod_action.server_reasons import (
    BUILD_BAD,
    BUILD_LATE,
    CHANGED,
    DIED,
    FORKS,
    LAUNCH_LATE,
    NO_ADDRESS,
    NO_BUILD,
    NO_SCRIPT,
    NOT_ALLOWED,
    NOT_ASKED,
    NOT_LAUNCHED,
    NOT_READY,
    UNASKED,
)
from mattermod_action.servers import (
    BOOTING,
    CLOSED,
    DESTROYED,
    DESTROYING,
    DNS,
    ENDINGS,
    EXPIRED,
    FAILED,
    GONE,
    KEY_TAG,
    LAUNCHING,
    LIVE,
    LONGEST_BUILD,
    NEXT,
    READY,
    REFUSED,
    RELAUNCH,
    REQUESTED,
    UNLABELED,
    WAITING_BUILD,
    Addresses,
    differs,
    password_name,
)
from mattermod_action.setup_script import user_data
from mattermod_action.spinmints import ENDS_TAG, SERVER_TAG, Build, Launch
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.events import PullRequest
    from mattermod_action.leases import Lease
    from mattermod_action.servers import Mark, Order, Row, Section, Terms
    from mattermod_action.spinmints import Server
    from mattermod_action.world import World

    Step = Callable[["Steps"], float | None]

# Seconds until the next look.
BUILD_PAUSE, BOOT_PAUSE, SYNC_PAUSE, WEB_PAUSE, END_PAUSE = 30.0, 5.0, 5.0, 10.0, 5.0
NOTHING_TO_WAIT_FOR = math.inf
LAUNCHES = 2  # how often a server is launched that does not come up
LAUNCH_HOURS = 1  # after which nobody tries to launch it any more
ADDRESS_SECONDS = 120  # that a server may run without a public address
UNSEEN_SECONDS = 60  # for which EC2 may not list a server that it has launched
SYNC_SECONDS = 180  # for which the end of a server waits until its name is forgotten
GRACE_MINUTES = 30  # after its time is over, until a server ends itself: by then a sweep should have ended it
SKEW = timedelta(minutes=10)  # how far Jenkins' clock may be off GitHub's
TTL = 30  # seconds, of a record
ALIVE = ("pending", "running")
OVER = ("shutting-down", "terminated")  # one that was stopped is not
PASSWORD_BYTES = 18
TAG_VALUE = 255  # characters
SSM = "ssm"  # where a password is kept as a parameter
BUILT = "built"  # what a run remembers of a row: the build that it has read itself
WAITING = "waiting"  # the state of a build that is not there yet
_NO_TAG = re.compile(r"[^\w .+=:/@-]")

CONSOLE = "why it did not come up is in its console: `aws ec2 get-console-output --latest --instance-id {instance}`"


class Steps:
    """Brings one row on, which the lease of its pull request is held for. `memory` outlives it, and one run at most."""

    def __init__(
        self, world: World, row: Row, lease: Lease, memory: dict[str, Any], log: list[str], *, terms: Terms
    ) -> None:
        self._world, self.row, self._lease, self._memory, self._log = world, row, lease, memory, log
        self._terms = terms
        self._store, self._servers = world.store, world.servers
        self._read_at = world.clock.now()

    def go(self) -> float:
        """Move it on until it has to wait, and say for how many seconds."""
        while self.row.live:
            pause = self._step()
            if pause is not None:
                return pause
        return NOTHING_TO_WAIT_FOR

    def _step(self) -> float | None:
        if self.row.state != DESTROYING and self._is_over():
            return self.end(EXPIRED)
        return self._STEPS[self.row.state](self)

    def _is_over(self) -> bool:
        """Whether its time is, or the longest that the configuration allows."""
        row = self.row
        return row.is_over(self._now) or (row.expires_at is not None and self._is_late(row.created_at, self._longest))

    @property
    def _longest(self) -> timedelta:
        """Some more than that, since it is counted from when it was asked for."""
        return self._terms.longest + timedelta(hours=LONGEST_BUILD)

    @property
    def _now(self) -> datetime:
        """The database's clock."""
        return self.row.read_at + (self._world.clock.now() - self._read_at)

    def _is_late(self, since: datetime, longest: timedelta | None = None, **time: float) -> bool:
        return self._now - since > (longest or timedelta(**time))

    def move(self, state: str, **changes: Any) -> float | None:
        """Return None: there is nothing to wait for. Raises Down when somebody else has taken over."""
        if state not in (self.row.state, *NEXT[self.row.state]):
            raise ValueError(f"{state} does not follow {self.row.state}")
        if state not in LIVE:  # what was launched is of no use any more, and large
            changes["order"] = replace(self.row.order, user_data="")
        if not self._store.move_server(self.row, state, self._lease, changes):
            raise Down("another run took over, because this one was paused for too long")
        self._read_at = self._world.clock.now()
        found = self._store.server(self.row.key) or replace(self.row, state=state, live=False)
        self.row = replace(found, repository=self.row.repository, number=self.row.number)
        return None

    def end(self, reason: str) -> float | None:
        return self.move(DESTROYING, reason=reason)

    def _requested(self) -> float | None:
        return self.move(WAITING_BUILD)

    def _waiting_build(self) -> float | None:
        row, wanted = self.row, self._wanted(self.row)
        hours = wanted.build_hours if wanted else row.order.build_hours
        if self._is_late(row.created_at, hours=hours):
            return self.move(FAILED, reason=BUILD_LATE.format(hours=hours))
        if wanted is None:
            return NOTHING_TO_WAIT_FOR
        if reason := self._is_odd(wanted):
            return self._refuse(reason)
        build = self._build(wanted)
        if build.state == "success":
            return self._prepare(wanted, build)
        bad = BUILD_BAD.get(build.state)
        return self.move(FAILED, reason=bad, build_url=build.url) if bad else BUILD_PAUSE

    def _wanted(self, row: Row) -> Order | None:
        """Return what the configuration says of such a server, None where it has no say."""
        section = self._terms.section
        return section.blank(row.order.label) if section else None

    def _build(self, wanted: Order) -> Build:
        """Read how the build of this very commit stands."""
        mark = self._world.github.mark(self.row.repository, self.row.sha, wanted.build)
        if mark is None or (wanted.build_by == "jenkins" and not mark.url):
            return Build(WAITING, None, "")
        if wanted.build_by == "jenkins":
            return self._by_jenkins(mark)
        state = {"success": "success", "pending": WAITING}.get(mark.state, "red")
        return Build(state, 0, _address(mark.url))

    def _by_jenkins(self, mark: Mark) -> Build:
        """The link is that of the newest build of this very commit."""
        try:
            build = self._world.builds.build(mark.url)
        except Mistake as mistake:
            self._give_up(NO_BUILD, mistake)
        if build.why:
            self._note(f"Jenkins: the build is {build.state}: {build.why}")
        return replace(build, state="gone") if _is_another(build, mark) else build

    def _prepare(self, wanted: Order, build: Build) -> float | None:
        """Note that it is being launched, with what has to be the same if that is repeated."""
        row, now = self.row, self._now
        expires = row.expires_at or now + timedelta(hours=wanted.hours)
        old, launched = row.order, now.isoformat(" ", "seconds")
        order = replace(wanted, branch=old.branch, author=old.author, url=old.url, heeded=old.heeded)
        order = replace(order, build_number=build.number or 0, launched=launched)
        again = {"attempts": row.attempts + 1, "instance_id": "", "address": "", "reason": ""}
        token = f"{row.key[:48]}-{row.attempts + 1}"
        self._memory[BUILT] = (row.key, build)
        return self.move(LAUNCHING, order=order, build_url=build.url, expires_at=expires, token=token, **again)

    def _refuse(self, reason: str) -> float | None:
        """Launch nothing; and what a run that died may have launched is looked for, and ended."""
        self._note(reason)
        return self.end(reason)

    def _give_up(self, reason: str, mistake: Mistake) -> NoReturn:
        """Nothing but another configuration would help."""
        self._note(str(mistake))
        self.move(DESTROYING if self.row.order.user_data else FAILED, reason=reason)
        raise mistake

    def _launching(self) -> float | None:
        section = self._terms.section
        if section is None:
            return NOTHING_TO_WAIT_FOR
        wanted = section.blank(self.row.order.label)
        if reason := self._is_odd(wanted):
            return self._refuse(reason)
        if self._is_late(self.row.since, hours=LAUNCH_HOURS):
            return self.end(LAUNCH_LATE)
        build = self._built(wanted)
        if build.state != "success":
            return BUILD_PAUSE if build.state == WAITING else self._refuse(CHANGED)
        script = self._script(wanted)
        pull = self._world.github.pull(self.row.repository, self.row.number)
        if self._withdrawn(pull, section) or pull is None:
            return None
        return self._launch(self._derived(pull, section, build), script)

    def _is_odd(self, wanted: Order) -> str:
        """Say what of the row itself is in the way, before anything is asked for it."""
        row = self.row
        if differs(row, wanted) or (row.state == LAUNCHING and not row.order.launched):
            return CHANGED
        return "" if is_traceable(self._world, row) else NOT_ASKED

    def _script(self, wanted: Order) -> str:
        try:
            return self._world.file_text(self.row.repository.full_name, wanted.script)
        except Mistake as mistake:
            self._give_up(NO_SCRIPT, mistake)

    def _withdrawn(self, pull: PullRequest | None, section: Section) -> bool:
        """Look once more, right before it costs something: whoever asked for it must want it, and may, still."""
        row = self.row
        if pull is None or not pull.is_open:
            self.end(GONE if pull is None else CLOSED)
        elif row.order.label and not pull.carries(row.order.label):
            self.end(UNLABELED)
        elif reason := self._why_not(pull, section):
            self._refuse(reason)
        return self.row.state != LAUNCHING

    def _why_not(self, pull: PullRequest, section: Section) -> str:
        """Say why it is not launched, "" when it is: the row alone is no reason to."""
        row = self.row
        if pull.from_fork and section.forks != "allowed":
            return FORKS
        try:
            must_be_asked_for(self._world, row, pull, section)
        except Refused:
            return NOT_ASKED
        try:
            must_write(self._world, pull, row.requested_by, section.bots)
        except Refused:
            return _not_allowed(row)
        return ""

    def _built(self, wanted: Order) -> Build:
        """Return the build that this run has read itself, or read it now."""
        key, build = self._memory.get(BUILT, ("", None))
        return build if build and key == self.row.key else self._build(wanted)

    def _derived(self, pull: PullRequest, section: Section, build: Build) -> Row:
        """Return the row as it has to be: of what is in it only times and the number of the attempt are taken."""
        row, order = self.row, section.order(pull, self.row.order.label)
        password = password_name(row, order.password_prefix) if order.password_in else ""
        order = replace(order, launched=row.order.launched, heeded=row.order.heeded)
        order = replace(order, build_number=build.number or 0, password=password)
        token = f"{row.key[:48]}-{max(row.attempts, 1)}"
        return replace(row, order=order, build_url=build.url, token=token)

    def _launch(self, wanted: Row, script: str) -> float | None:
        """Note the digest of what is sent before it is sent: whoever repeats it sends the same, or ends it."""
        try:
            launch = _launch(wanted, _user_data(wanted, script), self._terms.tag)
        except Mistake as mistake:
            self._give_up(NO_SCRIPT, mistake)
        digest, frozen = _digest(launch), self.row.order.user_data
        if frozen and frozen != digest:
            return self._refuse(CHANGED)
        if not frozen:
            self._freeze(wanted, digest)
        self._lease.check()
        is_first = not frozen
        try:
            return self.move(BOOTING, instance_id=self._servers.launch(launch))
        except (Mistake, Refused) as error:
            self._note(str(error))
            self.move(FAILED if is_first else DESTROYING, reason=NOT_LAUNCHED)
            if isinstance(error, Mistake):
                raise
            return None

    def _freeze(self, wanted: Row, digest: str) -> None:
        order = wanted.order
        if order.password:
            self._servers.keep_password(order.password_in, order.password, secrets.token_urlsafe(PASSWORD_BYTES))
        order = replace(order, user_data=digest)
        self.move(LAUNCHING, order=order, build_url=wanted.build_url, token=wanted.token)

    def _booting(self) -> float | None:
        row, server = self.row, self._seen()
        if server is None or server.state not in ALIVE:
            return self._died(server)
        self._store.list_instance(row)
        if server.state == "running" and server.public_ipv4:
            return self.move(DNS, address=str(Addresses(server.public_ipv4, server.private_ipv4, server.ipv6)))
        if server.state == "running" and self._is_late(row.since, seconds=ADDRESS_SECONDS):
            return self.end(NO_ADDRESS)
        return self._unless_late(BOOT_PAUSE)

    def _seen(self) -> Server | None:
        """EC2 may not know one that it has launched just now. What is not ours is not there for us."""
        if not self.row.instance_id:
            return None
        just_now = self.row.state != READY and not self._is_late(self.row.since, seconds=UNSEEN_SECONDS)
        server = self._servers.server(self.row.instance_id, launched_just_now=just_now)
        return server if server and self._is_ours(server) else None

    def _is_ours(self, server: Server) -> bool:
        """Only EC2's own tags say so, which nobody can put on after the launch."""
        return {(KEY_TAG, self.row.key), (SERVER_TAG, self._terms.tag)} <= set(server.tags)

    def _died(self, server: Server | None) -> float | None:
        if server and server.reason:
            self._note(f"{self.row.instance_id}: AWS says: {server.reason}")
        return self._launch_anew(DIED)

    def _note(self, line: str) -> None:
        """Say it in the run's log, once in a run, however often it is found."""
        if (line := f"#{self.row.number}: {line}") not in self._log:
            self._log.append(line)

    def _unless_late(self, pause: float) -> float | None:
        minutes = self.row.order.boot_minutes
        if not self._is_late(self.row.since, minutes=minutes):
            return pause
        self._note(CONSOLE.format(instance=self.row.instance_id))
        if self._world.is_private:  # images print passwords to it
            self._log += self._servers.console(self.row.instance_id).splitlines()
        return self._launch_anew(NOT_READY.format(minutes=minutes))

    def _launch_anew(self, reason: str) -> float | None:
        """Once; and what did not come up is ended first."""
        self._note(f"{self.row.instance_id}: {reason}")
        return self.end(RELAUNCH if self.row.attempts < LAUNCHES else reason)

    def _dns(self) -> float | None:
        server = self._seen()
        if server is None or server.state not in ALIVE:
            return self._died(server)
        if not self._is_named(server):
            return self._unless_late(SYNC_PAUSE)
        if not self._answers():
            return self._unless_late(WEB_PAUSE)
        return self.move(READY)

    def _answers(self) -> bool:
        order = self._wanted(self.row) or self.row.order
        page = f"{'https' if order.https else 'http'}://{self._host}{order.ready_path}"
        return self._world.web.answers(page, order.ready_status)

    @property
    def _host(self) -> str:
        return self._terms.host(self.row.instance_id)

    def _is_named(self, server: Server) -> bool:
        """Give it its name, and say whether all of Route 53 knows that."""
        known = Addresses(server.public_ipv4, server.private_ipv4, server.ipv6, self.row.addresses.changes)
        if not known.changes:
            known = known._replace(changes=" ".join(self._name(known)))
            self.move(DNS, address=str(known))
        return all(map(self._servers.is_in_sync, known.changes.split()))

    def _name(self, known: Addresses) -> Iterator[str]:
        for kind, address in known.by_kind().items():
            self._lease.check()
            yield self._servers.set_record(self._terms.zone, f"{self._host}.", address, kind, TTL)

    def _ready(self) -> float | None:
        """It may have ended by itself; and one that was extended by a run that died does not know of it."""
        row, server = self.row, self._seen()
        if server is None or server.state not in ALIVE:
            return self.end(GONE)
        if dict(server.tags).get(ENDS_TAG) != ends_at(row):
            self._servers.set_tag(row.instance_id, ENDS_TAG, ends_at(row))
        return NOTHING_TO_WAIT_FOR

    def _destroying(self) -> float | None:
        """First its name, which must never lead to somebody else's server, then the server, then what is noted."""
        row = self.row
        server = self._servers.server(row.instance_id) if row.instance_id else None
        is_ours = server is not None and self._is_ours(server)
        if not row.instance_id or (server and server.state not in OVER and not is_ours):
            return self._find_it()
        if self._is_named_still() and not self._is_late(row.since, seconds=SYNC_SECONDS):
            return SYNC_PAUSE
        self._lease.check()
        if is_ours:
            self._servers.terminate(row.instance_id)
            server = self._servers.server(row.instance_id)
        if self._is_there(server):
            return END_PAUSE
        self._store.unlist_instance(row.instance_id)
        return self._ended()

    def _is_there(self, server: Server | None) -> bool:
        """What EC2 does not know may be so new that it is not shown yet, and then nothing has ended it either."""
        return server.state not in OVER if server else not self._is_late(self.row.since, seconds=UNSEEN_SECONDS)

    def _find_it(self) -> float | None:
        """Of a run that died nobody knows whether it has launched it, and EC2 may not show it yet."""
        row = self.row
        if not row.instance_id and not row.order.user_data:  # nothing was sent
            return self._ended()
        for each in self._servers.servers(SERVER_TAG, self._terms.tag):
            if (KEY_TAG, row.key) in each.tags and each.state not in OVER:
                return self.move(DESTROYING, instance_id=each.instance_id)
        return self._ended() if self._is_late(row.since, seconds=UNSEEN_SECONDS) else END_PAUSE

    def _is_named_still(self) -> bool:
        """Take its name away as it is listed, and say whether name servers may still know it."""
        changes = self._memory.setdefault(f"no names {self.row.instance_id}", [])
        overtaken = False
        for record in self._servers.records(self._terms.zone, self._terms.suffix):
            if record.name == f"{self._host}.":
                self._lease.check()
                try:
                    changes.append(self._servers.delete_record(self._terms.zone, record))
                except Overtaken:  # by hand: the next look sees what it is now
                    overtaken = True
        changes[:] = [each for each in changes if each and not self._servers.is_in_sync(each)]
        return overtaken or bool(changes)

    def _ended(self) -> float | None:
        row, wanted = self.row, self._wanted(self.row)
        if wanted and wanted.password_in:
            self._servers.forget_password(wanted.password_in, password_name(row, wanted.password_prefix))
        if row.reason == RELAUNCH and row.is_over(self._now):
            return self.move(DESTROYED, reason=EXPIRED)
        if row.reason == RELAUNCH and wanted:
            return self._prepare(wanted, Build("success", row.order.build_number, row.build_url))
        if row.reason in ENDINGS:
            return self.move(DESTROYED)
        return self.move(REFUSED if row.reason in (_not_allowed(row), *UNASKED) else FAILED)

    _STEPS: ClassVar[dict[str, Step]] = {
        REQUESTED: _requested,
        WAITING_BUILD: _waiting_build,
        LAUNCHING: _launching,
        BOOTING: _booting,
        DNS: _dns,
        READY: _ready,
        DESTROYING: _destroying,
    }


def ends_at(row: Row) -> str:
    """When it ends itself, as its tag says it: some time after its time is over."""
    return str(timegm(((row.expires_at or row.read_at) + timedelta(minutes=GRACE_MINUTES)).timetuple()))


def _is_another(build: Build, mark: Mark) -> bool:
    """A job that was made anew counts from 1 again: what began after the link was posted is not what it leads to."""
    return build.started is not None and mark.at is not None and build.started > mark.at + SKEW


def _not_allowed(row: Row) -> str:
    return NOT_ALLOWED.format(login=quoted(row.requested_by))


def _password_there(order: Order) -> str:
    """What the server calls it: names of parameters begin with a slash there."""
    is_parameter = order.password_in == SSM
    return f"/{order.password}" if is_parameter and order.password else order.password


def _address(url: str) -> str:
    """An address that a row may keep; anybody who may set a status chooses it."""
    return url if reading.ADDRESS.fullmatch(url) else ""


def _user_data(row: Row, script: str) -> bytes:
    order = row.order
    values = {
        "SPINMINT_NUMBER": str(row.number),
        "SPINMINT_SHA": row.sha,
        "SPINMINT_BRANCH": order.branch,
        "SPINMINT_REPOSITORY": row.repository.full_name,
        "SPINMINT_AUTHOR": order.author,
        "SPINMINT_BUILD_NUMBER": str(order.build_number or ""),
        "SPINMINT_BUILD_URL": row.build_url,
        "SPINMINT_DNS_SUFFIX": order.dns_suffix,
        "SPINMINT_PASSWORD": _password_there(order),
    }
    launched = datetime.fromisoformat(order.launched)  # not now: repeated it has to be the same
    ends = (row.expires_at or launched).replace(microsecond=0)
    minutes = math.ceil((ends - launched).total_seconds() / 60)
    return user_data(script, order.script, values, max(minutes, 0) + GRACE_MINUTES)


def _digest(launch: Launch) -> str:
    """Of all that EC2 is given, the user data among it."""
    given = repr(replace(launch, user_data=b"")).encode() + launch.user_data
    return hashlib.sha256(given).hexdigest()


def _launch(row: Row, data: bytes, tag: str) -> Launch:
    order = row.order
    return Launch(
        token=row.token,
        image=order.image,
        instance_type=order.instance_type,
        subnet=order.subnet,
        security_groups=order.security_groups,
        key_name=order.key_name,
        instance_profile=order.instance_profile,
        user_data=data,
        tags=(
            (SERVER_TAG, tag),
            (KEY_TAG, row.key),
            (ENDS_TAG, ends_at(row)),
            ("Name", _NO_TAG.sub("_", f"Spinmint-{order.branch}")[:TAG_VALUE]),
            ("Created", order.launched),
            ("PRNumber", str(row.number)),
            ("RepoName", row.repository.name),
        ),
    )
