"""One step of a test server after the other: what each state waits for, and what is done about it then.

Where a row stands it is taken up again, by whichever run: each step looks first at what AWS, Jenkins and GitHub have,
and whatever it does may be done again. Nothing is slept here: a step says how long to wait, and lets go of the lease.
"""

from __future__ import annotations

import base64
import math
import re
import secrets
from calendar import timegm
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from mattermod_action.effects import Need
from mattermod_action.errors import Down, Mistake, Overtaken, Refused
from mattermod_action.labellers import is_listed
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
    NEXT,
    READY,
    REFUSED,
    RELAUNCH,
    REQUESTED,
    UNLABELED,
    WAITING_BUILD,
    Addresses,
)
from mattermod_action.setup_script import user_data
from mattermod_action.spinmints import ENDS_TAG, SERVER_TAG, Launch
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.leases import Lease
    from mattermod_action.servers import Mark, Order, Row
    from mattermod_action.spinmints import Build, Server
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
UNSENT = "unsent"  # what a run remembers of a row: that nothing was sent yet to launch it
_NO_TAG = re.compile(r"[^\w .+=:/@-]")

BUILD_BAD = {
    "failed": "the build has failed",
    "unstable": "the build is unstable: some of its tests have failed",
    "aborted": "the build was aborted, or nothing was built",
    "gone": "Jenkins does not know the build any more",
}
NOT_GREEN = "the check that it is to be launched after is not green"
BUILD_LATE = "there was no build of its commit within {hours} h"
LAUNCH_LATE = "it could not be launched within an hour"
NOT_LAUNCHED = "AWS did not launch it: the log of the run says why"
NO_BUILD = "its build cannot be read: the log of the run says why"
NO_SCRIPT = "its setup script cannot be used: the log of the run says why"
NO_ADDRESS = "it got no public address: does its subnet give any?"
DIED = "it ended by itself while it was being set up"
NOT_READY = "it was not ready within {minutes} minutes"
CONSOLE = "why it did not come up is in its console: `aws ec2 get-console-output --latest --instance-id {instance}`"
NOT_ALLOWED = "{login} has no write access here any more"


class Steps:
    """Brings one row on, which the lease of its pull request is held for. `memory` outlives it, and one run at most."""

    def __init__(self, world: World, row: Row, lease: Lease, memory: dict[str, Any], log: list[str]) -> None:
        self._world, self.row, self._lease, self._memory, self._log = world, row, lease, memory, log
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
        if self.row.state != DESTROYING and self.row.is_over(self._now):
            return self.end(EXPIRED)
        return self._STEPS[self.row.state](self)

    @property
    def _now(self) -> datetime:
        """The database's clock."""
        return self.row.read_at + (self._world.clock.now() - self._read_at)

    def _is_late(self, since: datetime, **time: float) -> bool:
        return self._now - since > timedelta(**time)

    def move(self, state: str, **changes: Any) -> float | None:
        """Return None: there is nothing to wait for. Raises Down when somebody else has taken over."""
        if state not in (self.row.state, *NEXT[self.row.state]):
            raise ValueError(f"{state} does not follow {self.row.state}")
        if state not in LIVE:  # what was launched is of no use any more, and large
            changes["order"] = replace(self.row.order, user_data="")
        if not self._store.move_server(self.row, state, self._lease, changes):
            raise Down("another run took over, because this one was paused for too long")
        self._read_at = self._world.clock.now()
        self.row = self._store.server(self.row.key) or replace(self.row, state=state, live=False)
        return None

    def end(self, reason: str) -> float | None:
        return self.move(DESTROYING, reason=reason)

    def _requested(self) -> float | None:
        return self.move(WAITING_BUILD)

    def _waiting_build(self) -> float | None:
        row, order = self.row, self.row.order
        if self._is_late(row.created_at, hours=order.build_hours):
            return self.move(FAILED, reason=BUILD_LATE.format(hours=order.build_hours))
        mark = self._world.github.mark(row.repository, row.sha, order.build)
        if mark is None:
            return BUILD_PAUSE
        if order.build_by == "github":
            return self._by_github(mark)
        return self._by_jenkins(mark) if mark.url else BUILD_PAUSE

    def _by_github(self, mark: Mark) -> float | None:
        if mark.state == "success":
            return self._prepare(0, mark.url)
        return BUILD_PAUSE if mark.state == "pending" else self.move(FAILED, reason=NOT_GREEN)

    def _by_jenkins(self, mark: Mark) -> float | None:
        """The link is that of the newest build of this very commit."""
        try:
            build = self._world.builds.build(mark.url)
        except Mistake as mistake:
            self._give_up(NO_BUILD, mistake)
        if build.why:
            self._note(f"Jenkins: the build is {build.state}: {build.why}")
        state = "gone" if _is_another(build, mark) else build.state
        if state == "success":
            return self._prepare(build.number or 0, build.url)
        return self.move(FAILED, reason=BUILD_BAD[state], build_url=build.url) if state in BUILD_BAD else BUILD_PAUSE

    def _prepare(self, number: int, url: str) -> float | None:
        """Freeze what is launched, before anything is: repeated it has to be the same."""
        row, now = self.row, self._now
        expires = row.expires_at or now + timedelta(hours=row.order.hours)
        order = replace(row.order, build_number=number, launched=now.isoformat(" ", "seconds"))
        order = replace(order, password=_password_name(row) if order.password_in else "")
        try:
            data = self._user_data(replace(row, order=order, build_url=url, expires_at=expires), now)
        except Mistake as mistake:
            self._give_up(NO_SCRIPT, mistake)
        if order.password:
            self._servers.keep_password(order.password_in, order.password, secrets.token_urlsafe(PASSWORD_BYTES))
        order = replace(order, user_data=base64.b64encode(data).decode())
        again = {"attempts": row.attempts + 1, "instance_id": "", "address": "", "reason": ""}
        token = f"{row.key[:48]}-{row.attempts + 1}"
        self.move(LAUNCHING, order=order, build_url=url, expires_at=expires, token=token, **again)
        self._memory[UNSENT] = row.key
        return None

    def _give_up(self, reason: str, mistake: Mistake) -> NoReturn:
        """Nothing but another configuration would help."""
        self._note(str(mistake))
        self.move(FAILED, reason=reason)
        raise mistake

    def _user_data(self, row: Row, now: datetime) -> bytes:
        order = row.order
        script = self._world.file_text(row.repository.full_name, order.script)
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
        left = ((row.expires_at or now) - now).total_seconds() / 60
        return user_data(script, order.script, values, math.ceil(left) + GRACE_MINUTES)

    def _launching(self) -> float | None:
        if self._withdrawn():
            return None
        if self._is_late(self.row.since, hours=LAUNCH_HOURS):
            return self.end(LAUNCH_LATE)
        self._lease.check()
        is_first = self._memory.pop(UNSENT, "") == self.row.key
        try:
            return self.move(BOOTING, instance_id=self._servers.launch(_launch(self.row)))
        except (Mistake, Refused) as error:
            self._note(str(error))
            self.move(FAILED if is_first else DESTROYING, reason=NOT_LAUNCHED)
            if isinstance(error, Mistake):
                raise
            return None

    def _withdrawn(self) -> bool:
        """Look once more, right before it costs something: whoever asked for it must want it, and may, still."""
        row, pull = self.row, self._world.github.pull(self.row.repository, self.row.number)
        if pull is None or not pull.is_open:
            self.end(GONE if pull is None else CLOSED)
        elif row.order.label and not pull.carries(row.order.label):
            self.end(UNLABELED)
        elif not self._may_still():
            self.end(_not_allowed(row))
        return self.row.state != LAUNCHING

    def _may_still(self) -> bool:
        from mattermod_action.hands import check_need

        row = self.row
        try:
            if not is_listed(row.requested_by, row.order.bots):
                check_need(self._world, row.repository, Need(row.requested_by, "write"))
        except Refused:
            return False
        return True

    def _booting(self) -> float | None:
        row = self.row
        self._store.list_instance(row)
        server = self._seen()
        if server is None or server.state not in ALIVE:
            return self._died(server)
        if server.state == "running" and server.public_ipv4:
            return self.move(DNS, address=str(Addresses(server.public_ipv4, server.private_ipv4, server.ipv6)))
        if server.state == "running" and self._is_late(row.since, seconds=ADDRESS_SECONDS):
            return self.end(NO_ADDRESS)
        return self._unless_late(BOOT_PAUSE)

    def _seen(self) -> Server | None:
        """EC2 may not know one that it has launched just now."""
        just_now = self.row.state != READY and not self._is_late(self.row.since, seconds=UNSEEN_SECONDS)
        return self._servers.server(self.row.instance_id, launched_just_now=just_now)

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
        row, server = self.row, self._seen()
        if server is None or server.state not in ALIVE:
            return self._died(server)
        if not self._is_named():
            return self._unless_late(SYNC_PAUSE)
        if not self._world.web.answers(row.link + row.order.ready_path, row.order.ready_status):
            return self._unless_late(WEB_PAUSE)
        return self.move(READY)

    def _is_named(self) -> bool:
        """Give it its name, and say whether all of Route 53 knows that."""
        known = self.row.addresses
        if not known.changes:
            known = known._replace(changes=" ".join(self._name(known)))
            self.move(DNS, address=str(known))
        return all(map(self._servers.is_in_sync, known.changes.split()))

    def _name(self, known: Addresses) -> Iterator[str]:
        for kind, address in known.by_kind().items():
            self._lease.check()
            yield self._servers.set_record(self.row.order.zone, f"{self.row.host}.", address, kind, TTL)

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
        if not row.instance_id:
            return self._find_it()
        if self._is_named_still() and not self._is_late(row.since, seconds=SYNC_SECONDS):
            return SYNC_PAUSE
        self._lease.check()
        self._servers.terminate(row.instance_id)
        if self._is_there(self._servers.server(row.instance_id)):
            return END_PAUSE
        self._store.unlist_instance(row.instance_id)
        return self._ended()

    def _is_there(self, server: Server | None) -> bool:
        """What EC2 does not know may be so new that it is not shown yet, and then nothing has ended it either."""
        return server.state not in OVER if server else not self._is_late(self.row.since, seconds=UNSEEN_SECONDS)

    def _find_it(self) -> float | None:
        """Of a run that died nobody knows whether it has launched it, and EC2 may not show it yet."""
        row = self.row
        if not row.token or self._memory.get(UNSENT) == row.key:
            return self._ended()
        for each in self._servers.servers(SERVER_TAG, row.order.tag):
            if (KEY_TAG, row.key) in each.tags and each.state not in OVER:
                return self.move(DESTROYING, instance_id=each.instance_id)
        return self._ended() if self._is_late(row.since, seconds=UNSEEN_SECONDS) else END_PAUSE

    def _is_named_still(self) -> bool:
        """Take its name away as it is listed, and say whether name servers may still know it."""
        row, changes = self.row, self._memory.setdefault(f"no names {self.row.instance_id}", [])
        overtaken = False
        for record in self._servers.records(row.order.zone, row.order.dns_suffix):
            if record.name == f"{row.host}.":
                self._lease.check()
                try:
                    changes.append(self._servers.delete_record(row.order.zone, record))
                except Overtaken:  # by hand: the next look sees what it is now
                    overtaken = True
        changes[:] = [each for each in changes if each and not self._servers.is_in_sync(each)]
        return overtaken or bool(changes)

    def _ended(self) -> float | None:
        row, order = self.row, self.row.order
        if order.password_in:
            self._servers.forget_password(order.password_in, _password_name(row))
        if row.reason == RELAUNCH and row.is_over(self._now):
            return self.move(DESTROYED, reason=EXPIRED)
        if row.reason == RELAUNCH:
            return self._prepare(order.build_number, row.build_url)
        if row.reason in ENDINGS:
            return self.move(DESTROYED)
        return self.move(REFUSED if row.reason == _not_allowed(row) else FAILED)

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


def _password_name(row: Row) -> str:
    return f"{row.order.password_prefix}/{row.repository.full_name}/{row.number}/{row.generation}"


def _password_there(order: Order) -> str:
    """What the server calls it: names of parameters begin with a slash there."""
    is_parameter = order.password_in == SSM
    return f"/{order.password}" if is_parameter and order.password else order.password


def _launch(row: Row) -> Launch:
    order = row.order
    return Launch(
        token=row.token,
        image=order.image,
        instance_type=order.instance_type,
        subnet=order.subnet,
        security_groups=order.security_groups,
        key_name=order.key_name,
        instance_profile=order.instance_profile,
        user_data=base64.b64decode(order.user_data),
        tags=(
            (SERVER_TAG, order.tag),
            (KEY_TAG, row.key),
            (ENDS_TAG, ends_at(row)),
            ("Name", _NO_TAG.sub("_", f"Spinmint-{order.branch}")[:TAG_VALUE]),
            ("Created", order.launched),
            ("PRNumber", str(row.number)),
            ("RepoName", row.repository.name),
        ),
    )
