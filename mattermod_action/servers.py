"""What a test server is: its states, its row, and what it is launched with. Nothing here asks or writes anything."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mattermod_action import reading

if TYPE_CHECKING:
    from datetime import datetime

    from mattermod_action.events import PullRequest, Repository, Subject
    from mattermod_action.origins import Origin

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


LONGEST_HOURS, LONGEST_BUILD, LONGEST_BOOT = 720, 24, 120  # that a configuration may give: hours, hours, minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a server is launched with, noted in its row when it is asked for.

    The first part is the section `spinmint` of the configuration as it was then. Nothing is launched by it: that is
    derived anew from the configuration and from GitHub, and where DECIDING fields differ, nothing is launched at all.
    `label` is the one that it was asked for with, "" for a command; `url` the page of the pull request. Then what is
    known when it is launched: the build, and of what EC2 was given the digest (`user_data`). `heeded` are comments
    whose request to extend it was carried out.
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


# What decides what runs, and who may read or reach it.
DECIDING = (
    "tag", "image", "instance_type", "subnet", "security_groups", "key_name", "zone", "dns_suffix", "script", "build",
    "build_by", "password_in", "password_prefix", "instance_profile", "upgrade",
)  # fmt: skip
_NUMBERS = {
    "hours": (1, LONGEST_HOURS), "longest_hours": (1, LONGEST_HOURS), "build_hours": (1, LONGEST_BUILD),
    "boot_minutes": (1, LONGEST_BOOT), "ready_status": (100, 599), "build_number": (0, reading.MOST),
}  # fmt: skip
_LISTS = ("security_groups", "bots", "heeded")
_LONGEST_TEXT, _LONGEST_LIST, _DIGEST = 4_096, 1_000, 64  # characters, entries, characters


def order(text: str) -> Order:
    """Read what a row has; what a newer version has put there besides is left out. Raises ValueError, TypeError."""
    known = {field.name: str(field.type) for field in fields(Order)}
    found = reading.typed(json.loads(text), dict, "parameters")
    return Order(**{name: _checked(name, known[name], value) for name, value in found.items() if name in known})


def _checked(name: str, kind: str, value: Any) -> Any:
    if name in _LISTS:
        of = int if name == "heeded" else str
        return tuple(reading.typed(each, of, name) for each in reading.typed(value, list, name)[:_LONGEST_LIST])
    if name in _NUMBERS:
        return reading.whole(value, *_NUMBERS[name], name)
    if kind == "bool":
        return reading.typed(value, bool, name)
    if name == "launched":
        return reading.shaped(value, reading.MOMENT, name)
    if name == "user_data":  # of which an older version kept all, and so is none that we would launch
        return reading.typed(value, str, name)[:_DIGEST]
    return reading.short(value, _LONGEST_TEXT, name)


class Section(Protocol):
    """What the section `spinmint` of the configuration says now."""

    @property
    def label(self) -> str: ...
    @property
    def upgrade_label(self) -> str | None: ...
    @property
    def bots(self) -> tuple[str, ...]: ...
    @property
    def forks(self) -> str: ...
    @property
    def longest_hours(self) -> int: ...
    def blank(self, label: str) -> Order:
        """What is ordered with this label, without anything of a pull request."""

    def order(self, pull: PullRequest, label: str) -> Order:
        """The same with what there is to say of the pull request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Where servers and their names are, by the configuration of now; without a `section` none is launched.

    So it is with servers of other repositories, which are only ended.
    """

    tag: str
    zone: str
    suffix: str
    section: Section | None = None

    def host(self, instance: str) -> str:
        return HOST.format(instance=instance, suffix=self.suffix)

    @property
    def longest(self) -> timedelta:
        return timedelta(hours=self.section.longest_hours if self.section else LONGEST_HOURS)


def password_name(row: Row, prefix: str) -> str:
    """Where the password of a server's administrator is kept."""
    return f"{prefix}/{row.repository.full_name}/{row.number}/{row.generation}"


def differs(row: Row, wanted: Order) -> bool:
    """Whether a row asks for anything but what the configuration says."""
    return any(getattr(row.order, name) != getattr(wanted, name) for name in DECIDING)


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
    origin: Origin | None = None

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


def believed(row: Row) -> Row:
    """Return a row that was read, with its times cut to what can be. Raises ValueError for one that cannot be ours.

    None of it is authority, whoever wrote it: it says where to look.
    """
    reading.shaped(row.key, reading.KEY, "key")
    reading.shaped(row.repository.full_name, reading.NAME, "repository")
    reading.whole(row.number, 1, reading.MOST, "number")
    reading.one_of(row.state, NEXT, "state")
    reading.shaped(row.sha, reading.SHA, "commit")
    reading.shaped(row.requested_by, reading.LOGIN, "requested_by")
    reading.shaped(row.token, reading.TOKEN, "token")
    reading.shaped(row.build_url, reading.ADDRESS, "build_url")
    reading.shaped(row.instance_id, reading.INSTANCE, "instance_id")
    *addresses, changes = reading.typed(row.addresses, Addresses, "address")
    for each in addresses:
        reading.address(each)
    reading.shaped(changes, reading.CHANGES, "address")
    created = reading.earlier(row.created_at, row.read_at)
    expires = reading.until(row.expires_at, reading.after(created, timedelta(hours=LONGEST_HOURS)))
    live = row.live and row.state in LIVE
    since = reading.earlier(row.since, row.read_at)
    return replace(row, live=live, created_at=created, since=since, expires_at=expires)


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
