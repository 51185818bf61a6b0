"""A name that one run at a time may hold, by the database's clock.

A lease ends by itself, so a run that died holds nobody up for long; and a run that was paused for too long finds that
its fence is no longer the newest. Ask `Lease.check` right before each side effect: it renews, or says that it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from mattermod_action.errors import Down

if TYPE_CHECKING:
    from collections.abc import Callable

    from mattermod_action.ports import Clock, Leases

TTL = 30.0  # seconds; longer than any single request may take
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between two tries


@dataclass(frozen=True)
class Lease:
    """Held by `owner` until it is given back, or not renewed for `ttl` seconds. `fence` grows with every holder."""

    leases: Leases
    name: str
    owner: str
    fence: int
    ttl: float = TTL

    def check(self) -> None:
        """Renew to now + ttl. Raises Down when somebody else has it."""
        if not self.leases.renew_lease(self.name, self.owner, self.fence, self.ttl):
            raise Down(f"{self.name} was taken over, because this run was paused for too long; nothing more is done")

    def give_back(self) -> None:
        self.leases.end_lease(self.name, self.owner, self.fence)


def take(leases: Leases, name: str, *, ttl: float = TTL) -> Lease | None:
    """Take `name` as somebody new; None when it is held."""
    owner = uuid4().hex
    taken = leases.take_lease(name, owner, ttl)
    return None if taken.fence is None else Lease(leases, name, owner, taken.fence, ttl)


def acquire(
    leases: Leases,
    clock: Clock,
    name: str,
    owner: str,
    *,
    patience: float,
    ttl: float = TTL,
    tell: Callable[[str], None] = lambda _: None,
) -> Lease:
    """Take `name`, waiting up to `patience` seconds; `tell` hears once who holds it. Raises Down."""
    wait = FIRST_WAIT
    holder = ""
    while (taken := leases.take_lease(name, owner, ttl)).fence is None:
        if not holder:
            tell(f"{name} is held by {taken.holder}: waiting")
        holder = taken.holder or holder
        if patience < wait:
            raise Down(f"{name} is held by {holder}, which has not finished in time; run again")
        clock.sleep(wait)
        patience, wait = patience - wait, min(2 * wait, LONGEST_WAIT)
    return Lease(leases, name, owner, taken.fence, ttl)
