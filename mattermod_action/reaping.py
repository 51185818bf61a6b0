"""What there is, against what there should be: servers by their tag, names in the zone, and rows, each with the others.

A server that no row has is ended, and a name whose server is gone is deleted. A row whose server is gone finds
that out by itself. Rows of other repositories are only gone on with when nobody else has ended them in time: theirs may
be archived, or have a schedule that fires no more.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from mattermod_action.advancing import OVER, TTL
from mattermod_action.effects import AdvanceServer, DestroyServer
from mattermod_action.errors import MattermodError, Overtaken
from mattermod_action.events import gone
from mattermod_action.keeping import Keeper, lease_of
from mattermod_action.leases import Lease, take
from mattermod_action.servers import (
    DESTROYING,
    EXPIRED,
    HOST,
    KEY_TAG,
    LAUNCHING,
    READY,
    RELAUNCH,
    RUNNING,
    Addresses,
    Terms,
)
from mattermod_action.spinmints import SERVER_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mattermod_action.effects import Reap
    from mattermod_action.servers import Row
    from mattermod_action.spinmints import Record, Server
    from mattermod_action.world import World

    Tell = Callable[[str, str], None]

LEASE = 300.0  # seconds
# A server as new as that is left alone: its row may be in a database that is failing over.
YOUNG = timedelta(minutes=10)
OVERDUE = timedelta(minutes=30)  # after which a server of another repository is ended from here
OTHERS = "another repository's"  # which the readers of this log may not know of
_INSTANCE = re.compile(r"i-[0-9a-f]{8,32}")


class Reaper:
    """Compares once. `tell` hears what was found, and what was done about it."""

    _lease: Lease

    def __init__(self, world: World, effect: Reap, tell: Tell) -> None:
        self._world, self._effect, self._tell = world, effect, tell
        self._servers, self._store = world.servers, world.store
        self._problem: MattermodError | None = None

    def go(self) -> None:
        """Another run that is at it is left to it."""
        lease = take(self._store, f"reaper {self._effect.tag}", ttl=LEASE)
        if lease is None:
            return
        self._lease = lease
        try:
            self._compare()
        finally:
            lease.give_back()
        if self._problem:
            raise self._problem

    def _compare(self) -> None:
        """Rows are read last: each server and each name has had one from before it was there."""
        there = self._servers.servers(SERVER_TAG, self._effect.tag)
        records = self._servers.records(self._effect.zone, self._effect.suffix)
        rows = [row for row in self._store.live_servers() if row.order.tag == self._effect.tag]
        for server in there:
            if self._is_orphan(server, there, rows):
                self._alone(server.instance_id, partial(self._end, server, records))
        self._forget_strays(there, records, rows)
        self._mend_names(there, records, rows)
        for row in rows:
            if row.repository.id != self._effect.subject.repository.id and self._is_here(row) and _is_left(row):
                self._go_on(row)

    def _is_here(self, row: Row) -> bool:
        """Another zone is another configuration's: what is there ends itself, and keeps its name until it is swept."""
        return (row.order.zone, row.order.dns_suffix) == (self._effect.zone, self._effect.suffix)

    def _alone(self, what: str, act: Callable[[], None]) -> None:
        """What AWS refuses keeps nothing else from being done; the run is red for it in the end."""
        try:
            self._lease.check()
            act()
        except MattermodError as error:
            self._tell(what, f"could not be mended: {type(error).__name__}")
            self._problem = self._problem or error

    def _is_orphan(self, server: Server, there: Sequence[Server], rows: Sequence[Row]) -> bool:
        """A row that has another server, which is there, is not that of this one, though it carries the same key."""
        is_new = self._world.clock.now() - server.launched_at < YOUNG
        mine = (row for row in rows if _is_of(server, row))
        others = {each.instance_id for each in there if each.instance_id != server.instance_id}
        is_wanted = any(row.instance_id not in others for row in mine)
        return server.state not in OVER and not is_new and not is_wanted

    def _end(self, server: Server, records: Sequence[Record]) -> None:
        for record in records:
            if self._instance(record) == server.instance_id:
                self._forget(record, "its server has no row")
        self._servers.terminate(server.instance_id)
        self._store.unlist_instance(server.instance_id)
        self._tell(server.instance_id, f"had no row: ended ({_about(server)})")

    def _forget_strays(self, there: Sequence[Server], records: Sequence[Record], rows: Sequence[Row]) -> None:
        """A name of the form that ours have belongs to a server that there is, be it one of the original's."""
        known = {server.instance_id for server in there} | {row.instance_id for row in rows}
        for record in records:
            instance = self._instance(record)
            if instance and instance not in known:
                self._alone(record.name, partial(self._forget_stray, instance, record))

    def _forget_stray(self, instance: str, record: Record) -> None:
        server = self._servers.server(instance)
        if server is None or server.state in OVER:
            self._forget(record, "leads to no server any more")

    def _mend_names(self, there: Sequence[Server], records: Sequence[Record], rows: Sequence[Row]) -> None:
        running = {server.instance_id: server for server in there if server.public_ipv4}
        for row in rows:
            server = running.get(row.instance_id)
            if row.state == READY and server and _is_of(server, row):
                self._alone(self._name(row.instance_id), partial(self._mend, row, server, records))

    def _mend(self, row: Row, server: Server, records: Sequence[Record]) -> None:
        """Somebody has changed it by hand, or the server has another address since."""
        listed = {(record.name, record.kind, record.address, record.more) for record in records}
        name, wanted = self._name(server.instance_id), Addresses(server.public_ipv4, ipv6=server.ipv6).by_kind()
        wrong = [(kind, address) for kind, address in wanted.items() if (name, kind, address, ()) not in listed]
        if wrong and (lease := take(self._store, lease_of(row.repository, row.number), ttl=LEASE)):
            try:
                self._give_back(row, wrong)
            finally:
                lease.give_back()

    def _give_back(self, row: Row, wrong: Sequence[tuple[str, str]]) -> None:
        """Whoever is about to end it has taken the name away: it is given back only to one that is still up."""
        now = self._store.server(row.key)
        if now and now.state == READY:
            for kind, address in wrong:
                self._servers.set_record(self._effect.zone, self._name(row.instance_id), address, kind, TTL)
            self._tell(self._name(row.instance_id), f"did not lead to {row.instance_id}: mended")

    def _forget(self, record: Record, why: str) -> None:
        try:
            self._servers.delete_record(self._effect.zone, record)
        except Overtaken:
            return  # the next sweep sees what it is then
        self._tell(record.name, f"{why}: deleted")

    def _instance(self, record: Record) -> str:
        """Return the instance whose name it is, "" for a name that none of ours has."""
        instance = record.name.partition(".")[0]
        ours = record.name == self._name(instance) and _INSTANCE.fullmatch(instance)
        return instance if ours else ""

    def _name(self, instance: str) -> str:
        return f"{HOST.format(instance=instance, suffix=self._effect.suffix)}."

    def _go_on(self, row: Row) -> None:
        """Nobody is told of what fails here: it is another repository's."""
        subject = gone(row.repository, row.number, row.order.url, self._world.clock.now())
        over = row.state in (LAUNCHING, *RUNNING) or row.reason == RELAUNCH
        terms = Terms(tag=self._effect.tag, zone=self._effect.zone, suffix=self._effect.suffix)
        ending = DestroyServer(subject=subject, reason=EXPIRED, terms=terms)
        effect = ending if over else AdvanceServer(subject=subject, terms=terms)
        try:
            ended = Keeper(self._world, effect).go()
        except MattermodError as error:
            self._tell(OTHERS, f"could not be ended: {type(error).__name__}")
            return
        state = ended.row.state if ended.row else row.state
        failed = f", and {type(ended.error).__name__}" if ended.error else ""
        self._tell(OTHERS, f"its time is over: {state}{failed}")


def _is_of(server: Server, row: Row) -> bool:
    """It carries the key of its row, which nobody can put on after the launch; what the row says is no proof."""
    return (KEY_TAG, row.key) in server.tags


def _is_left(row: Row) -> bool:
    """Whether its own repository would have gone on with it by now."""
    if row.state == DESTROYING and row.reason != RELAUNCH:
        return row.read_at - row.since > OVERDUE
    build_is_late = row.created_at + timedelta(hours=row.order.build_hours)
    return row.read_at - (row.expires_at or build_is_late) > OVERDUE


def _about(server: Server) -> str:
    """Its tags name the repository, which may be another one."""
    return f"launched {server.launched_at:%Y-%m-%d %H:%M} UTC"
