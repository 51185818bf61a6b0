"""What is wished for the test server of a pull request, carried out by one run at a time, and gone on with.

A wish is noted in the row before anything is done about it, and noted once. Whoever comes next goes on from there:
between two steps the lease is free, so that nobody who wants it destroyed has to wait for somebody who waits.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from mattermod_action import servers
from mattermod_action.advancing import Steps
from mattermod_action.effects import AdvanceServer, DestroyServer, ExtendServer, LaunchServer, OnServer
from mattermod_action.errors import Down, Refused
from mattermod_action.events import ServerChanged
from mattermod_action.leases import acquire
from mattermod_action.servers import DESTROYING, ENDINGS, RUNNING, Terms
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.events import Repository
    from mattermod_action.leases import Lease
    from mattermod_action.servers import Row
    from mattermod_action.world import World

LEASE = 150.0  # seconds; more than any one step takes (adapters/aws.py: a launch that is repeated)
PATIENCE = 160.0  # seconds to wait for another run that is at the same pull request
COUNTING = "servers"  # the lease under which servers are counted
DAY = 86_400.0  # seconds
NAMED = 10  # of more servers only the number is said

NOT_KEPT = "test servers need `database-url`: what is known of them must outlive this run"
OTHER = "there is a test server of commit {sha:.7} already: destroy it first (`/spinmint destroy`)"
ENDING = "the test server before is being destroyed: ask again in a minute"
FULL = "{count} of {most} test servers {where} are taken: {holders}"
OFTEN = "{count} of {most} test servers that this repository may ask for in 24 hours were asked for"
REPOSITORY, ORGANISATION, USER = "of this repository", "of {owner}", "of {login}"
NONE = "there is no test server that could be kept longer"
LONGEST = "it may be kept until {until:%Y-%m-%d %H:%M} UTC at the longest"


class Keeper:
    """Does one of the wishes of effects.py."""

    def __init__(self, world: World, effect: OnServer) -> None:
        self._world, self._effect, self._subject, self._store = world, effect, effect.subject, world.store
        self._terms = effect.terms or Terms(tag="", zone="", suffix="")
        self._owner = uuid.uuid4().hex
        self._memory: dict[str, Any] = {}
        self._log: list[str] = []
        self._key = ""

    def go(self) -> ServerChanged:
        """Note it and go on. Raises Refused when it is not to be done at all."""
        error: Exception | None = None
        asked = isinstance(self._effect, LaunchServer)
        self._note(self._effect)
        try:
            if not asked:
                self._advance()
        except Refused as refusal:  # nobody was asked to do anything that could be refused
            error = Down(str(refusal))
        except Exception as problem:  # noqa: BLE001  # what has come of it so far is told all the same
            error = problem
        row = self._row(self._key) if self._key else None
        return ServerChanged(self._subject, row=row, asked=asked, log=tuple(self._log), error=error)

    @singledispatchmethod
    def _note(self, effect: OnServer) -> None:
        raise NotImplementedError(type(effect).__name__)

    @_note.register
    def _(self, effect: AdvanceServer) -> None: ...

    @_note.register
    def _(self, effect: LaunchServer) -> None:
        if not self._world.durable:
            raise Refused(NOT_KEPT)
        key = servers.key(self._subject, *effect.request)
        found = self._row(key) or self._same(effect)
        if found is None:
            self._insert(key, effect)
            found = self._row(key) or self._same(effect)
        if found is None:
            raise Down("another run was quicker, and has ended already: run again")
        self._key = found.key
        if found.key == key:
            self._world.heard[key] = effect

    def _row(self, key: str) -> Row | None:
        """Read a row of this very pull request."""
        return next((row for row in self._store.servers_of(self._subject) if row.key == key), None)

    def _insert(self, key: str, effect: LaunchServer) -> None:
        """Those that are there are counted by one run at a time, until it has added its own."""
        lease = acquire(self._store, self._world.clock, COUNTING, self._owner, patience=PATIENCE)
        try:
            if reason := self._is_full(effect):
                raise Refused(reason)
            lease.check()
            self._store.ask_server(key, effect, lease)
        finally:
            lease.give_back()

    def _same(self, effect: LaunchServer) -> Row | None:
        """The server that is there, if it is what is asked for."""
        row = self._live()
        if row and row.state == DESTROYING:
            raise Refused(ENDING)
        if row and row.sha != effect.sha:
            raise Refused(OTHER.format(sha=row.sha))
        return row

    def _is_full(self, effect: LaunchServer) -> str:
        """Say which limit is reached, and by what."""
        mine, limits, live = effect.subject.repository, effect.limits, self._store.live_servers()
        asked = self._store.launched_since(mine, DAY)
        if asked >= limits.launches:
            return OFTEN.format(count=asked, most=limits.launches)
        ours = [row for row in live if row.repository.owner.casefold() == mine.owner.casefold()]
        theirs = [row for row in ours if row.requested_by.casefold() == effect.by.casefold()]
        counted = (
            (REPOSITORY, [row for row in live if row.repository.id == mine.id], limits.repository),
            (ORGANISATION.format(owner=mine.owner), ours, limits.organisation),
            (USER.format(login=quoted(effect.by)), theirs, limits.user),
        )
        full = (_full(where, rows, most, mine.id) for where, rows, most in counted if len(rows) >= most)
        return next(full, "")

    @_note.register
    def _(self, effect: DestroyServer) -> None:
        with self._held() as lease:
            row = self._live()
            if row is None or (effect.label and row.order.label.casefold() != effect.label.casefold()):
                return
            self._key = row.key
            if row.state != DESTROYING or row.reason not in ENDINGS:
                self._steps(row, lease).end(effect.reason)

    @_note.register
    def _(self, effect: ExtendServer) -> None:
        with self._held() as lease:
            row = self._live()
            if row is None or row.expires_at is None or row.state not in RUNNING:
                raise Refused(NONE)
            self._key = row.key
            if effect.comment in row.order.heeded:
                return
            until, longest = row.expires_at + timedelta(seconds=effect.seconds), row.created_at + self._terms.longest
            if until > longest:
                raise Refused(LONGEST.format(until=longest))
            order = replace(row.order, heeded=(*row.order.heeded, effect.comment))
            self._steps(row, lease).move(row.state, order=order, expires_at=until)

    def _advance(self) -> None:
        """Go on as long as it is worth waiting for; what is left then is parked in the row."""
        clock, pause = self._world.clock, 0.0
        while True:
            row = self._live()
            if row is None:
                return
            self._key = row.key
            with self._held() as lease:
                row = self._row(row.key)
                pause = self._steps(row, lease).go() if row else 0.0
            if not self._is_worth_it(pause):
                return
            clock.sleep(pause)

    def _is_worth_it(self, pause: float) -> bool:
        until = self._world.clock.now() + timedelta(seconds=min(pause, DAY))
        return self._effect.patient and until <= self._world.waits_until

    def _steps(self, row: Row, lease: Lease) -> Steps:
        return Steps(self._world, row, lease, self._memory, self._log, terms=self._terms)

    def _live(self) -> Row | None:
        return next((row for row in self._store.servers_of(self._subject) if row.live), None)

    @contextmanager
    def _held(self) -> Iterator[Lease]:
        """One run at a time is at one pull request. Raises Down when another one keeps it."""
        name = lease_of(self._subject.repository, self._subject.number)
        lease = acquire(self._store, self._world.clock, name, self._owner, patience=PATIENCE, ttl=LEASE)
        try:
            yield lease
        finally:
            lease.give_back()


def lease_of(repository: Repository, number: int) -> str:
    """Name the lease of a pull request, whose holder alone does anything about its server."""
    return f"server {repository.id} {number}"


def _full(where: str, rows: list[Row], most: int, mine: int) -> str:
    """Name those of this repository: whoever may read it need not know of others, and nobody is called."""
    ours = sorted(row.number for row in rows if row.repository.id == mine)
    others = len(rows) - len(ours)
    parts = [f"#{number}" for number in ours[:NAMED]]
    parts += [f"{len(ours) - NAMED} more here"] if len(ours) > NAMED else []
    parts += [f"{others} in other repositories"] if others else []
    return FULL.format(count=len(rows), most=most, where=where, holders=", ".join(parts))
