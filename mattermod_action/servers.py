"""What a test server is: its states, its row, and what it is launched with. Nothing here asks or writes anything."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.events import Repository, Subject

# The states of a row.
REQUESTED, WAITING_BUILD, LAUNCHING, BOOTING, DNS, READY = (
    "requested", "waiting_build", "launching", "booting", "dns", "ready",
)  # fmt: skip
DESTROYING, DESTROYED, FAILED, REFUSED = "destroying", "destroyed", "failed", "refused"
# Which may follow which; docs/spinmint.md draws it. From `destroying` a server that did not come up is launched anew.
NEXT = {
    REQUESTED: (WAITING_BUILD, DESTROYING),
    WAITING_BUILD: (LAUNCHING, FAILED, DESTROYING),
    LAUNCHING: (BOOTING, FAILED, DESTROYING),
    BOOTING: (DNS, DESTROYING),
    DNS: (READY, DESTROYING),
    READY: (DESTROYING,),
    DESTROYING: (DESTROYED, REFUSED, FAILED, LAUNCHING),
    DESTROYED: (),
    FAILED: (),
    REFUSED: (),
}
LIVE = tuple(state for state, following in NEXT.items() if following)
RUNNING = (BOOTING, DNS, READY)  # with an instance that is wanted

# Why one is destroyed; every other reason of a row that is being destroyed is that of a failure.
CLOSED, UNLABELED, ASKED, EXPIRED, GONE = "closed", "unlabeled", "asked", "expired", "gone"
ENDINGS = (CLOSED, UNLABELED, ASKED, EXPIRED, GONE)
RELAUNCH = "relaunch"  # it is launched once more, because it did not come up

HOST = "{instance}.{suffix}"
KEY_TAG = "mattermod-key"  # of an instance: the key of its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a server is launched with, frozen in its row when it is asked for, whatever the configuration says later.

    The first part is the section `spinmint` of the configuration. `label` is the one that it was asked for with, "" for
    a command; `url` the page of the pull request. Then what is known when it is launched: the build, and what EC2 was
    given, of which `user_data` is in base64. `heeded` are comments whose request to extend it was carried out.
    """

    tag: str
    image: str
    instance_type: str
    subnet: str
    security_groups: tuple[str, ...]
    key_name: str
    zone: str
    dns_suffix: str
    script: str
    build: str
    build_by: str
    hours: int
    longest_hours: int
    build_hours: int
    boot_minutes: int
    https: bool
    ready_path: str
    ready_status: int
    password_in: str
    password_prefix: str
    instance_profile: str
    bots: tuple[str, ...] = ()
    label: str = ""
    upgrade: bool = False
    branch: str = ""
    author: str = ""
    url: str = ""
    build_number: int = 0
    user_data: str = ""
    password: str = ""
    launched: str = ""
    heeded: tuple[int, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=True)


def order(text: str) -> Order:
    """Read what a row has; what a newer version has put there besides is left out."""
    known = {field.name for field in fields(Order)}
    given: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in known}
    tuples: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Order(**tuples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many servers may be there at once, and how many of a repository may be asked for within 24 hours."""

    repository: int
    organisation: int
    user: int
    launches: int


class Addresses(NamedTuple):
    """Those of an instance, "" where it has none, and the changes, with spaces between them, that gave it its name."""

    public: str = ""
    private: str = ""
    ipv6: str = ""
    changes: str = ""

    def __str__(self) -> str:
        return ",".join(self)

    def by_kind(self) -> dict[str, str]:
        """Those that its name leads to, by the kind of the record."""
        return {kind: address for kind, address in (("A", self.public), ("AAAA", self.ipv6)) if address}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server, from its being asked for to its end. All times are UTC, naive, and the database's.

    `since` is when it came into its state, `read_at` when it was read. `reason` is why it is being destroyed, or has
    failed. `told` is whether its comment shows it as it is. `generation` counts the servers of a pull request, and
    `attempts` how often this one was launched.
    """

    key: str
    repository: Repository
    number: int
    state: str
    live: bool
    generation: int
    sha: str
    requested_by: str
    order: Order
    token: str
    build_url: str
    instance_id: str
    address: str
    expires_at: datetime | None
    attempts: int
    reason: str
    created_at: datetime
    since: datetime
    read_at: datetime
    told: bool

    @property
    def host(self) -> str:
        return HOST.format(instance=self.instance_id, suffix=self.order.dns_suffix) if self.instance_id else ""

    @property
    def link(self) -> str:
        return f"{'https' if self.order.https else 'http'}://{self.host}" if self.host else ""

    @property
    def addresses(self) -> Addresses:
        return Addresses(*self.address.split(",")) if self.address else Addresses()

    @property
    def is_up(self) -> bool:
        return self.state == READY

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class Mark:
    """A status or a check run of a commit: `state` is success, failure or pending, `url` leads to what set it."""

    state: str
    url: str
    at: datetime | None


def key(subject: Subject, *request: str | int) -> str:
    """Name a server by what asked for it, so that the same request, delivered again, asks for nothing new."""
    identity = ["server", subject.repository.id, subject.number, *request]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def fields_of_order(section: Any) -> dict[str, Any]:
    """What of a section of the configuration goes into an order."""
    return {field.name: getattr(section, field.name) for field in fields(Order) if hasattr(section, field.name)}
