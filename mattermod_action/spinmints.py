"""What is asked of test servers and of the builds that run on them: ports and records, as ports.py has all others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mattermod_action.effects import LaunchServer
    from mattermod_action.events import Repository, Subject
    from mattermod_action.leases import Lease
    from mattermod_action.servers import Row

# The tag that marks a server as ours; `infra/iam-policy.json` lets nobody launch or end one without it.
SERVER_TAG = "mattermod"
USER_DATA_LIMIT = 16_384  # bytes, before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
# The moment at which a server ends itself, whole seconds since 1970 in UTC. It reads it again and again from its
# metadata, so that another value moves the end.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
ENDS_TAG = "mattermod-ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One server to launch. The same `token` with the same rest is the same server, with another rest an error.

    `token` has at most 64 ASCII characters. `key_name` is "" for no key, as it should be. `user_data` is run by the
    image as root and can be read by everybody on the server: no secrets. That the server ends itself stands in there.
    `instance_profile` is the name of one whose role the server has, "" for none. The server can read its own `tags`,
    and so their names have only letters, digits and `+ - = . , _ : @`, and are neither a dot or two nor `_index`.
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    """

    token: str
    image: str
    instance_type: str
    subnet: str
    security_groups: tuple[str, ...]
    key_name: str = ""
    instance_profile: str = ""
    user_data: bytes = field(repr=False)  # no trace of ours may show it
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server as EC2 describes it; an address that it does not have (yet) is "".

    `state` is one of pending, running, shutting-down, terminated, stopping, stopped; a public address is there only
    while it runs, if its subnet gives one. `launched_at` is UTC and naive. `reason` is EC2's, of the last change.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
    """

    instance_id: str
    state: str
    public_ipv4: str
    private_ipv4: str
    ipv6: str
    launched_at: datetime
    tags: tuple[tuple[str, str], ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record set of A or AAAA (`kind`) exactly as Route 53 lists it, as a deletion has to repeat it.

    `name` ends with a dot, `ttl` is in seconds, `more` are further addresses that somebody added by hand.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
    """

    name: str
    address: str
    kind: str
    ttl: int
    more: tuple[str, ...] = ()


class Servers(Protocol):
    """Disposable test servers in EC2, and their names in Route 53.

    Each method may raise Mistake (credentials, permissions, what the configuration names), Refused with AWS's reason,
    Limited (not carried out) and Down. What writes may raise Unsure: it may have been carried out, and may be repeated.
    """

    def launch(self, launch: Launch) -> str:
        """Launch a server and return its instance id; repeating it is safe, and returns the same, even one that ended.

        Raises Mistake before anything is sent when the user data has more than 16,384 bytes, and Refused when EC2 has
        no room for it, the account's limit is reached, or the token was used for something else.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
        """

    def server(self, instance_id: str, *, launched_just_now: bool = False) -> Server | None:
        """Read a server; None when it is gone. For about an hour EC2 still lists one that is terminated.

        EC2 may not know a new one for some seconds. With `launched_just_now` that is waited for, and then Down.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
        https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
        """

    def servers(self, tag: str, value: str) -> Sequence[Server]:
        """Read all that carry the tag and are not terminated; one of the last seconds may be missing.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
        """

    def console(self, instance_id: str) -> str:
        """Read the end of what it wrote to its console, minutes old perhaps; "" when there is nothing or it is gone.

        Whatever runs on the server wrote this: it is not to be trusted, and shown in a log at the most.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
        """

    def terminate(self, instance_id: str) -> None:
        """Have it ended, which takes a while; one that is gone, or not seen yet, is no error.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
        """

    def set_tag(self, instance_id: str, name: str, value: str) -> None:
        """Give the server this tag, or this value of it; one that is gone, or not seen yet, is no error.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
        """

    def keep_password(self, place: str, name: str, password: str) -> None:
        """Keep a password in `place`, "ssm" or "secrets-manager"; one that is kept by that name is replaced.

        `name` is a path such as mattermod/pr-7, which does not begin with a slash: Parameter Store has one before it.
        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
        """

    def forget_password(self, place: str, name: str) -> None:
        """Delete a password for good; one that is not there is no error.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
        """

    def records(self, zone: str, suffix: str) -> Sequence[Record]:
        """Read the A and AAAA records of names below `suffix` in the hosted zone, all of them.

        Aliases and record sets that share a name by a policy are left out: we make none of these.
        https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
        """

    def set_record(self, zone: str, name: str, address: str, kind: str, ttl: int) -> str:
        """Have the name lead to this address alone, whatever it led to; return the change's id. `ttl` is in seconds.

        https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
        """

    def delete_record(self, zone: str, record: Record) -> str:
        """Delete a record as it was listed; return the change's id, "" when there is none of that name.

        Raises Overtaken when it is no longer as it was listed.
        https://docs.aws.amazon.com/Route53/latest/APIReference/API_Change.html
        """

    def is_in_sync(self, change: str) -> bool:
        """Whether all of Route 53's name servers know of the change, which takes about a minute.

        https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
        """


@dataclass(frozen=True, slots=True)
class Build:
    """How a build stands.

    `state` is one of
    - waiting: it is in the queue, or its job has none yet; `why` is Jenkins' reason, in words from outside
    - running: it has a number and no result, or one that is not its last
    - success, unstable (built, with tests that fail) and failed: its result
    - aborted: stopped, cancelled in the queue, lost in a restart, or superseded: ended without being built
    - gone: the server has no such build, for the reason that `why` gives
    `number` is None as long as none was given. `url` is its page, below the configured address of the server. `started`
    is when it left the queue, UTC and naive, by Jenkins' clock, None where that is unknown: a job that was made anew
    counts from 1 again, so what started after its link was posted is another build with the same number.
    """

    state: str
    number: int | None
    url: str
    why: str = ""
    started: datetime | None = None


class Builds(Protocol):
    """Builds on servers of CI; nothing is written there."""

    def build(self, url: str) -> Build:
        """Read how the build that this page shows stands; of a job the newest, of an item of the queue what it became.

        `url` may come from anybody. Raises Mistake for one that leads to no build of a configured server, and for
        credentials; Down when the server does not answer, or not as a Jenkins that is up does. That something is gone
        is only believed after three looks over at least 60 s of the clock: proxies and restarts say so, too.
        """


class Web(Protocol):
    """Asks a test server whether it is up."""

    def answers(self, url: str, status: int) -> bool:
        """Whether what is there answers with this status within seconds. Nothing is followed, sent or believed."""


class ServerRows(Protocol):
    """Rows of test servers. Each call may raise Mistake or Down."""

    def ask_server(self, key: str, effect: LaunchServer, lease: Lease) -> None:
        """Insert a row in the state `requested`, if the lease, under which others were counted, is still ours.

        Nothing is inserted when it is not, or there is a row of this key, or a live one of this pull request.
        """

    def server(self, key: str) -> Row | None:
        """Read one row."""

    def servers_of(self, subject: Subject) -> list[Row]:
        """Read the rows of a pull request, the oldest first; of these at most one is live."""

    def live_servers(self) -> list[Row]:
        """Read the rows of all servers that are there or are to be, in all repositories."""

    def launched_since(self, repository: Repository, seconds: float) -> int:
        """Count those that were asked for in the last `seconds`."""

    def due_servers(self, repository: Repository, limit: int) -> list[Row]:
        """Read the rows of a repository that are live, or not told as they ended. Where its id is 0 its name counts."""

    def move_server(self, row: Row, state: str, lease: Lease, changes: Mapping[str, Any]) -> bool:
        """Change a row, which is untold then; False when it is not as it was read, or the lease is another's."""

    def tell_server(self, row: Row, comment: int) -> None:
        """Note that this comment tells a row as it is, unless it has changed since it was read."""

    def list_instance(self, row: Row) -> None:
        """Put an instance that exists into the original's table."""

    def unlist_instance(self, instance_id: str) -> None:
        """Take it out again."""
