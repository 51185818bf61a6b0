"""AWS on loopback: moto, and before it what moto leaves out although a caller can trip over it.

    with aws.serve(now=clock) as cloud:
        cloud.faults.add(aws.AwsFault("status", path="RunInstances", code="RequestLimitExceeded"))
        cloud.faults.add(Fault("timeout", "ec2", "RunInstances", when="after"))

A fault's `method` is the service, its `path` the operation; the runner's tokens are `GetToken` of `oidc`. Time is what
`now` says, so that a test can move it. Each `serve` has an account of its own, and so never meets another one's
instances.
"""

from __future__ import annotations

import io
import os
import re
import select
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.route53.models import route53_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from sandbox import aws_identity, aws_route53, strikes
from sandbox.answers import Answer
from sandbox.aws_answers import AwsError, error
from sandbox.aws_ec2 import Ec2
from sandbox.aws_passwords import Passwords
from sandbox.aws_route53 import Route53
from sandbox.faults import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moto.ec2.models import EC2Backend
    from moto.route53.models import FakeZone

HOST, REGION, PARTITION = "127.0.0.1", "us-east-1", "aws"
KEY, SECRET = aws_identity.KEY, aws_identity.SECRET
ZONE = "test.example.com"
BACKENDS: tuple[dict[str, Any], ...] = (
    ec2_backends, iam_backends, route53_backends, secretsmanager_backends, ssm_backends, sts_backends,
)  # fmt: skip
Fate = Literal[
    "",
    "dies",  # of RunInstances: pending, then terminated
    "no-address",  # of RunInstances: runs without a public address
    "never-insync",  # of ChangeResourceRecordSets: pending for ever
]


@dataclass(frozen=True, slots=True)
class AwsFault(Fault):
    """A fault with an error of AWS's own (kind "status", `code` one of ERRORS), or with a `fate` (kind "lag").

    A `message` stands in place of the usual one. A fate lets the call succeed, and befalls what it has made.
    """

    code: str = ""
    message: str = ""
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
    secret_gone: float = 1.0  # until the name of a secret that was deleted is free


@dataclass
class Call:
    """One request. `parameters` are EC2's or STS's form; `body` is what was sent; `fault` is what struck it."""

    service: str
    operation: str
    region: str
    path: str
    parameters: dict[str, str]
    body: str
    status: int = 0
    fault: str = ""


class Aws:
    """One account: its services, faults, the record of calls. One call at a time changes it."""

    _accounts = count(100_000_000_001)

    def __init__(self, now: Callable[[], float] = time.monotonic, delays: Delays | None = None) -> None:
        self.now, self.delays = now, delays or Delays()
        self.account = str(next(self._accounts))
        self.faults, self.calls = Faults(), list[Call]()
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.Lock()
        self.machines, self.identity = Ec2(self), aws_identity.Identity(self)
        passwords = Passwords(self).answer
        self._services: dict[str, Callable[[Call, dict[str, Any], bytes, Fate], Answer]] = {
            "ec2": self.machines.answer,
            "route53": Route53(self).answer,
            "ssm": passwords,
            "secretsmanager": passwords,
            "sts": self.identity.sts,
            "oidc": self.identity.token,
        }

    @property
    def ec2(self) -> EC2Backend:
        return ec2_backends[self.account][REGION]

    def zone(self, zone: str) -> FakeZone | None:
        return route53_backends[self.account][PARTITION].zones.get(zone.removeprefix("/hostedzone/"))

    def answer(self, environ: dict[str, Any], raw: bytes) -> tuple[Answer, Fault | None]:
        """Return the answer, disfigured already, and the fault that still has to happen to the connection."""
        with self.lock:
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
        return error(call.service, code, getattr(fault, "message", "")) if code else strikes.disfigure(reply, fault)

    def _carry_out(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        try:
            self.identity.check(call, environ)
            return self._services.get(call.service, _unknown)(call, environ, raw, fate)
        except AwsError as refused:
            return error(call.service, refused.code, refused.message)
        except NotImplementedError as missing:
            return error(call.service, "NotImplemented", f"not in the sandbox: {call.operation} {missing}")

    def ask_moto(self, environ: dict[str, Any], raw: bytes) -> Answer:
        own = {"HTTP_X_MOTO_ACCOUNT_ID": self.account, "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw)}
        reply = Response.from_app(self.moto, {**environ, **own})
        return Answer(reply.status_code, reply.get_data(), {"Content-Type": reply.content_type or "text/xml"})


def _unknown(call: Call, _environ: dict[str, Any], _raw: bytes, _fate: Fate) -> Answer:
    raise NotImplementedError(call.service)


def _read_call(environ: dict[str, Any], raw: bytes) -> Call:
    """Tell service and region by the signature, as AWS itself does: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    path, body = environ["PATH_INFO"], raw.decode(errors="replace")
    form = dict(parse_qsl(body, keep_blank_values=True)) if "x-www-form" in environ.get("CONTENT_TYPE", "") else {}
    region, service = scope.groups() if scope else (REGION, _unsigned(path, form))
    return Call(service, _operation(environ, service, form), region, path, form, body)


def _unsigned(path: str, form: dict[str, str]) -> str:
    if path == aws_identity.TOKEN_PATH:
        return "oidc"
    if form.get("Action") == "AssumeRoleWithWebIdentity":
        return "sts"
    return "route53" if path.startswith("/2013-04-01/") else "ec2"


def _operation(environ: dict[str, Any], service: str, form: dict[str, str]) -> str:
    """Each protocol has it at another place: the form, a header, or method and path."""
    if service == "oidc":
        return "GetToken"
    target = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    return form.get("Action") or target or aws_route53.operation(environ["REQUEST_METHOD"], environ["PATH_INFO"])


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
    def oidc_environment(self) -> dict[str, str]:
        """The same without a key: what a step has whose job has `id-token: write`, and that names a role."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ROLE_ARN": self.aws.identity.role,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}{aws_identity.TOKEN_PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.aws.identity.bearer,
        }

    @property
    def instances(self) -> dict[str, str]:
        """The state of every instance that was ever made, seen from behind: without lag."""
        with self.aws.lock:
            return self.aws.machines.states()

    def shown_instances(self) -> list[dict[str, Any]]:
        """Return every instance as the sandbox's page shows it."""
        born, state = {name: life.born for name, life in self.aws.machines.lives.items()}, self.instances
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
        held = aws_route53.records(zone) if zone else {}
        return {key[:2]: values for key, (_, values) in held.items() if key[1] not in ("NS", "SOA")}


@contextmanager
def serve(now: Callable[[], float] = time.monotonic, delays: Delays | None = None, port: int = 0) -> Iterator[Cloud]:
    """Run them on loopback for as long as the `with` lasts."""
    aws = Aws(now, delays)
    server = make_server(HOST, port, _Application(aws), threaded=True, request_handler=_Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield _furnish(aws, f"http://{HOST}:{server.port}")
    finally:
        server.shutdown()
        thread.join()
        for backends in BACKENDS:
            backends.pop(aws.account, None)


def _furnish(aws: Aws, url: str) -> Cloud:
    vpc = aws.ec2.create_vpc("10.0.0.0/16")
    subnet = aws.ec2.create_subnet(vpc.id, "10.0.0.0/24", availability_zone=f"{REGION}a")
    subnet.map_public_ip_on_launch = True
    group = aws.ec2.create_security_group("sandbox", "for test servers", vpc_id=vpc.id)
    zone = route53_backends[aws.account][PARTITION].create_hosted_zone(f"{ZONE}.", private_zone=False)
    return Cloud(url, aws, subnet.id, group.id, next(iter(aws.ec2.amis)), zone.resource_id)
