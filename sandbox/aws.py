"""EC2 and Route 53 on loopback: moto, and before it what moto leaves out although a caller can trip over it.

    with aws.serve(now=clock) as cloud:
        cloud.faults.add(aws.AwsFault("status", path="RunInstances", code="RequestLimitExceeded"))
        cloud.faults.add(Fault("timeout", "ec2", "RunInstances", when="after"))

A fault's `method` is the service, its `path` the operation. Time is what `now` says, so that a test can move it. Each
`serve` has an account of its own, and so never meets another one's instances.
"""

from __future__ import annotations

import binascii
import copy
import io
import os
import re
import select
import socket
import struct
import threading
import time
from base64 import b64decode
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET  # only what a client on loopback sent is read
from xml.sax.saxutils import escape

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.route53.models import route53_backends
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from sandbox import strikes
from sandbox.answers import Answer
from sandbox.faults import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moto.ec2.models import EC2Backend
    from moto.route53.models import FakeZone

HOST, REGION, PARTITION = "127.0.0.1", "us-east-1", "aws"
KEY, SECRET = "AKIASANDBOX000000000", "the-sandbox-looks-at-no-signature"
ZONE = "test.example.com"
EC2_XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"
ROUTE53_XMLNS = "https://route53.amazonaws.com/doc/2013-04-01/"
USER_DATA_LIMIT = 16_384
TOKEN_LIMIT = 64

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}

# Code: status and message. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html#API_ChangeResourceRecordSets_Errors
ERRORS = {
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "IdempotentParameterMismatch": (
        400,
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    ),
    "InsufficientInstanceCapacity": (500, "There is not enough capacity to fulfil this request."),
    "InternalError": (500, "An internal error has occurred."),
    "InvalidChangeBatch": (400, "The batch of changes is not valid."),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "InvalidParameterValue": (400, "A parameter has a value that is not valid."),
    "InvalidUserData.Malformed": (400, "Invalid BASE64 encoding of user data."),
    "NoSuchChange": (404, "A change with the specified change ID does not exist."),
    "NotImplemented": (501, "This is not in the sandbox."),
    "PriorRequestNotComplete": (400, "The request was rejected because Route 53 was still processing a prior request."),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "ServiceUnavailable": (503, "The service is unavailable. Please try again shortly."),
    "Throttling": (400, "Rate exceeded"),
    "UnauthorizedOperation": (403, "You are not authorized to perform this operation."),
    "Unavailable": (503, "The server is overloaded and can't handle the request."),
}

ROUTE53_OPERATIONS = (
    ("POST", r"/hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
    ("GET", r"/hostedzone/[^/]+/rrset/?", "ListResourceRecordSets"),
    ("GET", r"/change/[^/]+", "GetChange"),
    ("POST", r"/hostedzone/?", "CreateHostedZone"),
    ("GET", r"/hostedzone/?", "ListHostedZones"),
    ("GET", r"/hostedzonesbyname/?", "ListHostedZonesByName"),
    ("GET", r"/hostedzone/[^/]+", "GetHostedZone"),
    ("DELETE", r"/hostedzone/[^/]+", "DeleteHostedZone"),
)

Fate = Literal[
    "",
    "dies",  # of RunInstances: pending, then terminated
    "no-address",  # of RunInstances: runs without a public address
    "never-insync",  # of ChangeResourceRecordSets: pending for ever
]


@dataclass(frozen=True, slots=True)
class AwsFault(Fault):
    """A fault with an error of AWS's own (kind "status", `code` one of ERRORS), or with a `fate` (kind "lag").

    A fate lets the call succeed, and befalls what it has made.
    """

    code: str = ""
    fate: Fate = ""


@dataclass
class Delays:
    """Seconds until something that was accepted comes true."""

    visible: float = 2.0  # an instance that was launched, to any other call
    pending: float = 5.0  # to running
    shutting_down: float = 5.0  # to terminated
    insync: float = 5.0
    # "Recently terminated instances might appear in the returned results. This interval is usually less than one hour."
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    forgotten: float = 3600.0
    token: float = 24 * 3600.0  # how long a token is valid after termination, at the least


@dataclass
class Call:
    """One request. `parameters` are EC2's form; `body` is what was sent; `fault` is what struck it."""

    service: str
    operation: str
    region: str
    path: str
    parameters: dict[str, str]
    body: str
    status: int = 0
    fault: str = ""


@dataclass
class Life:
    """What becomes of one instance, and when."""

    born: float
    address: str | None
    fate: Fate
    ended: float | None = None

    def state(self, now: float, delays: Delays) -> str:
        if self.ended is not None:
            return "shutting-down" if now < self.ended + delays.shutting_down else "terminated"
        if now < self.born + delays.pending:
            return "pending"
        return "terminated" if self.fate == "dies" else "running"

    def dead_for(self, now: float, delays: Delays) -> float:
        """Return the seconds since it was terminated, a negative number if it is not yet."""
        if self.ended is not None:
            return now - self.ended - delays.shutting_down
        return now - self.born - delays.pending if self.fate == "dies" else -1.0


@dataclass
class Launch:
    """A RunInstances that succeeded: what a repetition with its token is compared with."""

    parameters: dict[str, str]
    instances: list[str]


@dataclass
class Change:
    submitted: float
    fate: Fate


class AwsError(Exception):
    """Ends the handling of a call with one of ERRORS."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


def error(service: str, code: str, message: str = "") -> Answer:
    """Make EC2's or Route 53's own error body.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#api-error-response
    https://docs.aws.amazon.com/Route53/latest/APIReference/requests-rest-responses.html
    """
    status, usual = ERRORS[code]
    said = f"<Code>{code}</Code><Message>{escape(message or usual)}</Message>"
    if service == "ec2":
        return _xml(
            status, f"<Response><Errors><Error>{said}</Error></Errors><RequestID>sandbox</RequestID></Response>"
        )
    sender = "Sender" if status < 500 else "Receiver"
    inner = f"<Error><Type>{sender}</Type>{said}</Error><RequestId>sandbox</RequestId>"
    return _xml(status, f'<ErrorResponse xmlns="{ROUTE53_XMLNS}">{inner}</ErrorResponse>')


def _xml(status: int, text: str) -> Answer:
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), {"Content-Type": "text/xml"})


class Aws:
    """The state of one account: tokens, lives, changes, faults, the record of calls. One call at a time changes it."""

    _accounts = count(100_000_000_001)

    def __init__(self, now: Callable[[], float] = time.monotonic, delays: Delays | None = None) -> None:
        self.now, self.delays = now, delays or Delays()
        self.account = str(next(self._accounts))
        self.faults, self.calls = Faults(), list[Call]()
        self.lives: dict[str, Life] = {}
        self.launches: dict[tuple[str, str], Launch] = {}
        self.changes: dict[str, Change] = {}
        self.moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        # moto raises NotImplementedError for this filter, though it keeps the token with the instance.
        filter_dict_attribute_mapping.setdefault("client-token", "client_token")

    @property
    def ec2(self) -> EC2Backend:
        return ec2_backends[self.account][REGION]

    def zone(self, zone: str) -> FakeZone | None:
        return route53_backends[self.account][PARTITION].zones.get(zone.removeprefix("/hostedzone/"))

    def answer(self, environ: dict[str, Any], raw: bytes) -> tuple[Answer, Fault | None]:
        """Return the answer, disfigured already, and the fault that still has to happen to the connection."""
        with self._lock:
            call = _read_call(environ, raw)
            self.calls.append(call)
            fault = self.faults.strike(call.service, call.operation)
            done = fault is None or fault.commits
            reply = self._carry_out(call, environ, raw, getattr(fault, "fate", "")) if done else Answer(200, b"")
            if fault is not None:
                call.fault = getattr(fault, "code", "") or getattr(fault, "fate", "") or fault.kind
                reply = self._disfigure(call, reply, fault)
            call.status = strikes.status(reply, fault) if fault else reply.status
            return reply, fault

    def _disfigure(self, call: Call, reply: Answer, fault: Fault) -> Answer:
        code = getattr(fault, "code", "")
        return error(call.service, code) if code else strikes.disfigure(reply, fault)

    def _carry_out(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        services = {"ec2": self._ec2, "route53": self._route53}
        try:
            _check_key(call, environ)
            return services.get(call.service, _unknown)(call, environ, raw, fate)
        except AwsError as refused:
            return error(call.service, refused.code, refused.message)
        except NotImplementedError as missing:
            return error(call.service, "NotImplemented", f"not in the sandbox: {call.operation} {missing}")

    def _ask_moto(self, environ: dict[str, Any], raw: bytes) -> Answer:
        own = {"HTTP_X_MOTO_ACCOUNT_ID": self.account, "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw)}
        reply = Response.from_app(self.moto, {**environ, **own})
        return Answer(reply.status_code, reply.get_data(), {"Content-Type": reply.content_type or "text/xml"})

    # EC2

    def _ec2(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        backend = ec2_backends[self.account][call.region]
        self.age(backend)
        if call.operation == "RunInstances":
            return self._run(call, environ, raw, fate)
        with self._visible_only(backend):
            reply = self._ask_moto(environ, raw)
        if call.operation == "TerminateInstances" and reply.status == 200:
            reply.body = self._terminated(backend, reply.body)
        return reply

    def age(self, backend: EC2Backend) -> None:
        """Let every instance be what its time says. A public address is there only while it runs."""
        for instance in backend.all_instances():
            life = self.lives.get(instance.id)
            if life is None or instance.instance_state.name == "stopped":
                continue
            name = life.state(self.now(), self.delays)
            instance.instance_state.name, instance.instance_state.code = name, STATES[name]
            instance.nics[0].public_ip = life.address if name == "running" else None
            if name == "terminated" and life.fate == "dies":
                instance.state_reason = StateReason(
                    "Server.InternalError: Internal error on launch", "Server.InternalError"
                )

    @contextmanager
    def _visible_only(self, backend: EC2Backend) -> Iterator[None]:
        """Hide from moto what other calls than RunInstances do not see: the newest instances, and those long gone.

        https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
        """
        everything = backend.reservations
        shown = OrderedDict()
        for name, reservation in everything.items():
            shown[name] = copy.copy(reservation)
            shown[name].instances = [each for each in reservation.instances if self._is_visible(each.id)]
        backend.reservations = OrderedDict((name, each) for name, each in shown.items() if each.instances)
        try:
            yield
        finally:
            backend.reservations = everything

    def _is_visible(self, instance: str) -> bool:
        life, now = self.lives[instance], self.now()
        return now >= life.born + self.delays.visible and life.dead_for(now, self.delays) < self.delays.forgotten

    def _run(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html.

        Instances belong to the token once they are there; a launch that was refused leaves it free.
        """
        _check_user_data(call.parameters.get("UserData", ""))
        token = call.parameters.get("ClientToken", "")
        if len(token) > TOKEN_LIMIT or not token.isascii():
            raise AwsError("InvalidParameterValue", f"A client token has at most {TOKEN_LIMIT} ASCII characters.")
        # Doc: all must be the same, "other than the Region or Availability Zone".
        free = {"ClientToken", "Placement.AvailabilityZone"}
        wanted = {name: value for name, value in call.parameters.items() if name not in free}
        launch = self._earlier((call.region, token)) if token else None
        if launch is None:
            reply = self._ask_moto(environ, raw)
            if reply.status != 200:
                return reply
            launch = self._born(call.region, wanted, reply.body, fate)
            self.launches[call.region, token] = launch
        elif launch.parameters != wanted:
            raise AwsError("IdempotentParameterMismatch")
        return self._describe_launch(call, launch, environ)

    def _earlier(self, key: tuple[str, str]) -> Launch | None:
        launch, now = self.launches.get(key), self.now()
        if launch is None:
            return None
        dead = min(self.lives[each].dead_for(now, self.delays) for each in launch.instances)
        return launch if dead < self.delays.token else None

    def _born(self, region: str, wanted: dict[str, str], body: bytes, fate: Fate) -> Launch:
        made = re.findall(r"<instanceId>(i-\w+)</instanceId>", body.decode())
        backend = ec2_backends[self.account][region]
        for instance in (backend.get_instance(each) for each in made):
            nic = instance.nics[0]
            address = None if fate == "no-address" else nic.public_ip
            # Or else moto would give it another address when it is started.
            nic.public_ip_auto_assign = nic.public_ip_auto_assign and address is not None
            self.lives[instance.id] = Life(self.now(), address, fate)
        self.age(backend)
        return Launch(wanted, made)

    def _describe_launch(self, call: Call, launch: Launch, environ: dict[str, Any]) -> Answer:
        """Answer a RunInstances, a repeated one too, by what its instances are now."""
        asked = {f"InstanceId.{number}": each for number, each in enumerate(launch.instances, 1)}
        form = {"Action": "DescribeInstances", "Version": call.parameters["Version"], **asked}
        text = self._ask_moto(environ, urlencode(form).encode()).body.decode()
        [reservation] = re.findall(r"<reservationSet><item>(.*)</item></reservationSet>", text, re.DOTALL)
        inner = f"<requestId>sandbox</requestId>{reservation}"
        return _xml(200, f'<RunInstancesResponse xmlns="{EC2_XMLNS}">{inner}</RunInstancesResponse>')

    def _terminated(self, backend: EC2Backend, body: bytes) -> bytes:
        """Begin the end of those that moto has terminated; a second time changes nothing, and says so."""

        def tell(found: re.Match[str]) -> str:
            life, now = self.lives[found[1]], self.now()
            if life.ended is None and life.dead_for(now, self.delays) < 0:
                life.ended = now
            name = life.state(now, self.delays)
            state = f"<code>{STATES[name]}</code><name>{name}</name>"
            return f"<instanceId>{found[1]}</instanceId><currentState>{state}</currentState>"

        pattern = r"<instanceId>(i-\w+)</instanceId><currentState>.*?</currentState>"
        told = re.sub(pattern, tell, body.decode())
        self.age(backend)
        return told.encode()

    # Route 53

    def _route53(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        if call.operation == "GetChange":
            return self._get_change(call.path.rpartition("/")[2])
        if call.operation == "ChangeResourceRecordSets":
            # Names are without case, and Route 53 keeps them in lower case.
            raw = re.sub(rb"<Name>[^<]*</Name>", lambda found: b"<Name>" + found[0][6:-7].lower() + b"</Name>", raw)
            self._check_batch(call.path.split("/")[3], raw)
        reply = self._ask_moto(environ, raw)
        if reply.status in (200, 201):
            reply.body = self._with_change(reply.body, fate)
        return reply

    def _with_change(self, body: bytes, fate: Fate) -> bytes:
        """Give the change that moto answers with a name of its own, and let it be pending."""

        def pend(_: re.Match[bytes]) -> bytes:
            name = f"C{len(self.changes) + 1:013d}"
            self.changes[name] = Change(self.now(), fate)
            return f"<Id>/change/{name}</Id><Status>{self._status(name)}</Status>".encode()

        return re.sub(rb"<Id>/change/\w+</Id><Status>INSYNC</Status>", pend, body)

    def _status(self, name: str) -> str:
        change = self.changes[name]
        waits = change.fate == "never-insync" or self.now() < change.submitted + self.delays.insync
        return "PENDING" if waits else "INSYNC"

    def _get_change(self, name: str) -> Answer:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html."""
        if name not in self.changes:
            raise AwsError("NoSuchChange", f"A change with the ID {name} does not exist.")
        submitted = "<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>"  # nobody asks
        info = f"<Id>/change/{name}</Id><Status>{self._status(name)}</Status>{submitted}"
        return _xml(
            200, f'<GetChangeResponse xmlns="{ROUTE53_XMLNS}"><ChangeInfo>{info}</ChangeInfo></GetChangeResponse>'
        )

    def _check_batch(self, zone_id: str, raw: bytes) -> None:
        """Raise InvalidChangeBatch for a batch that does not fit what is there; all of it holds, or nothing.

        moto judges by a journal of all changes there ever were, which forgets deletions: it is set to what is there.
        """
        zone = self.zone(zone_id)
        if zone is None:
            return  # moto says NoSuchHostedZone
        there = _records(zone)
        complaints = [told for change in _changes(raw) if (told := _apply(there, *change))]
        if complaints:
            raise AwsError("InvalidChangeBatch", "[" + ", ".join(complaints) + "]")
        zone.rr_changes.clear()
        for each in zone.rrsets:
            zone.rr_changes.append({"Action": "UPSERT", "ResourceRecordSet": {"Name": each.name, "Type": each.type}})


Key = tuple[str, str, str]  # name, type, set identifier
Held = tuple[str, tuple[str, ...]]  # TTL and values


def _records(zone: FakeZone) -> dict[Key, Held]:
    return {
        (each.name, str(each.type), each.set_identifier or ""): (
            str(each.ttl or ""),
            tuple(sorted(str(value) for value in each.records or ())),
        )
        for each in zone.rrsets
    }


def _changes(raw: bytes) -> Iterator[tuple[str, Key, Held]]:
    for change in ET.fromstring(raw).iter(f"{{{ROUTE53_XMLNS}}}Change"):  # noqa: S314  # see the import
        text = {each.tag.rpartition("}")[2]: each.text or "" for each in change.iter()}
        values = tuple(sorted(each.text or "" for each in change.iter(f"{{{ROUTE53_XMLNS}}}Value")))
        key = (text["Name"].rstrip(".") + ".", text["Type"], text.get("SetIdentifier", ""))
        yield text["Action"], key, (text.get("TTL", ""), values)


def _apply(there: dict[Key, Held], action: str, key: Key, held: Held) -> str:
    """Change `there`, or return why not.

    "To delete a resource record set, you must specify all the same values that are in the current resource record set."
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_Change.html
    """
    named = f"resource record set [name='{key[0]}', type='{key[1]}']"
    if action == "CREATE" and key in there:
        return f"Tried to create {named} but it already exists"
    if action == "DELETE" and key not in there:
        return f"Tried to delete {named} but it was not found"
    if action == "DELETE" and there.pop(key) != held:
        return f"Tried to delete {named} but the values provided do not match the current values"
    if action != "DELETE":
        there[key] = held
    return ""


def _unknown(call: Call, *_: Any) -> Answer:
    raise NotImplementedError(call.service)


def _check_key(call: Call, environ: dict[str, Any]) -> None:
    """Signatures are not looked at: what is wrong in real life is the key."""
    if f"Credential={KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
        raise AwsError("AuthFailure" if call.service == "ec2" else "InvalidClientTokenId")


def _check_user_data(encoded: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: 16 KB, in raw form, before base64."""
    try:
        size = len(b64decode(encoded, validate=True))
    except binascii.Error:
        raise AwsError("InvalidUserData.Malformed") from None
    if size > USER_DATA_LIMIT:
        raise AwsError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")


def _read_call(environ: dict[str, Any], raw: bytes) -> Call:
    """Tell service and region by the signature, as AWS itself does: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    path, body = environ["PATH_INFO"], raw.decode(errors="replace")
    region, service = scope.groups() if scope else (REGION, "route53" if path.startswith("/2013-04-01/") else "ec2")
    form = dict(parse_qsl(body, keep_blank_values=True)) if service != "route53" else {}
    operation = form.get("Action", "") or _route53_operation(environ["REQUEST_METHOD"], path)
    return Call(service, operation, region, path, form, body)


def _route53_operation(method: str, path: str) -> str:
    for wanted, pattern, name in ROUTE53_OPERATIONS:
        if method == wanted and re.fullmatch(f"/2013-04-01{pattern}", path):
            return name
    return f"{method} {path}"


class _Application:
    """The WSGI application: it reads, lets `Aws` answer, and does to the connection what a fault asks for."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        reply, fault = self.aws.answer(environ, raw)
        if fault is not None and fault.kind in strikes.SILENT:
            _drop(environ["werkzeug.socket"], fault)
        headers = {**reply.headers, "Content-Length": str(len(reply.body))}
        start_response(f"{reply.status} Sandbox", list(headers.items()))
        cut = fault is not None and fault.kind == "cut"
        return [reply.body[: len(reply.body) // 2] if cut else reply.body]


def _drop(connection: socket.socket, fault: Fault) -> None:
    """Hang as long as the fault says or until the client gives up, then reset the connection."""
    if fault.kind == "timeout":
        select.select([connection], [], [], fault.seconds)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())  # a plain close() would wait for the server's own files on it
    raise ConnectionResetError  # which tells the server that there is nobody to answer


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        """Stay silent: `Aws.calls` is the record."""


@dataclass
class Cloud:
    """A running AWS, for tests, and what there is from the start: ids of a subnet, a group, an image and a zone."""

    url: str
    aws: Aws
    subnet: str
    security_group: str
    image: str
    zone: str
    faults: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.faults = self.aws.faults

    @property
    def calls(self) -> list[Call]:
        """Every call over HTTP, oldest first, those that were refused or struck by a fault too."""
        return self.aws.calls

    @property
    def environment(self) -> dict[str, str]:
        """Where it is and who may enter, in the variables that every AWS SDK reads."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
        }

    @property
    def instances(self) -> dict[str, str]:
        """The state of every instance that was ever made, seen from behind: without lag."""
        return {name: life.state(self.aws.now(), self.aws.delays) for name, life in self.aws.lives.items()}

    def shown_instances(self) -> list[dict[str, Any]]:
        """Return every instance as the sandbox's page shows it."""
        born, state = {name: life.born for name, life in self.aws.lives.items()}, self.instances
        now = self.aws.now()
        return [{"instance": name, "state": state[name], "age": f"{(now - born[name]) / 3600:.1f} h"} for name in state]

    def shown_records(self) -> list[dict[str, Any]]:
        """Return the zone's records as the sandbox's page shows them."""
        return [
            {"name": name, "type": kind, "values": ", ".join(values)} for (name, kind), values in self.records.items()
        ]

    @property
    def records(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The values in the zone by name and type, without those that every zone has."""
        zone = self.aws.zone(self.zone)
        held = _records(zone) if zone else {}
        return {key[:2]: values for key, (_, values) in held.items() if key[1] not in ("NS", "SOA")}


@contextmanager
def serve(now: Callable[[], float] = time.monotonic, delays: Delays | None = None, port: int = 0) -> Iterator[Cloud]:
    """Run EC2 and Route 53 on loopback for as long as the `with` lasts."""
    aws = Aws(now, delays)
    server = make_server(HOST, port, _Application(aws), threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield _furnish(aws, f"http://{HOST}:{server.port}")
    finally:
        server.shutdown()
        thread.join()
        for backends in (ec2_backends, route53_backends):
            backends.pop(aws.account, None)


def _furnish(aws: Aws, url: str) -> Cloud:
    vpc = aws.ec2.create_vpc("10.0.0.0/16")
    subnet = aws.ec2.create_subnet(vpc.id, "10.0.0.0/24", availability_zone=f"{REGION}a")
    subnet.map_public_ip_on_launch = True
    group = aws.ec2.create_security_group("sandbox", "for test servers", vpc_id=vpc.id)
    zone = route53_backends[aws.account][PARTITION].create_hosted_zone(f"{ZONE}.", private_zone=False)
    return Cloud(url, aws, subnet.id, group.id, next(iter(aws.ec2.amis)), zone.resource_id)
