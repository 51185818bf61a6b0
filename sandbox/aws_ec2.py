"""EC2 before moto: tokens, lives that go by the clock, and what a new or an old instance is to other calls."""

from __future__ import annotations

import binascii
import copy
import re
from base64 import b64decode
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason
from moto.ec2.utils import filter_dict_attribute_mapping

from sandbox import aws_switch
from sandbox.aws_answers import AwsError, xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.ec2.models import EC2Backend
    from moto.ec2.models.instances import Instance

    from sandbox.answers import Answer
    from sandbox.aws import Aws, Call, Delays, Fate

EC2_XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"
USER_DATA_LIMIT = 16_384
TOKEN_LIMIT = 64
TAG_KEY = re.compile(r"(?!(?:\.|\.\.|_index)$)[0-9A-Za-z\-_+=,.@:]{1,255}")

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}


@dataclass
class Life:
    """What becomes of one instance, and when."""

    born: float
    address: str | None
    fate: Fate
    switch: aws_switch.Switch | None = None
    ended: float | None = None
    stopped: bool = False

    def state(self, now: float, delays: Delays) -> str:
        if self.stopped:
            return "stopped"
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


class Ec2:
    """The instances of one account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.lives: dict[str, Life] = {}
        self.launches: dict[tuple[str, str], Launch] = {}
        # moto raises NotImplementedError for this filter, though it keeps the token with the instance.
        filter_dict_attribute_mapping.setdefault("client-token", "client_token")

    def answer(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        backend = ec2_backends[self.aws.account][call.region]
        self.age(backend)
        if call.operation == "RunInstances":
            return self._run(call, environ, raw, fate)
        with self._visible_only(backend):
            reply = self.aws.ask_moto(environ, raw)
        if call.operation == "TerminateInstances" and reply.status == 200:
            reply.body = self._terminated(backend, reply.body)
        return reply

    def age(self, backend: EC2Backend) -> None:
        """Let every instance be what its time says. A public address is there only while it runs."""
        for instance in backend.all_instances():
            life = self.lives[instance.id]
            self._end_itself(backend, instance, life)
            life.stopped = instance.instance_state.name == "stopped"
            if life.stopped:
                life.switch = None  # user data is run at the first start alone
            else:
                self._show(instance, life)

    def _show(self, instance: Instance, life: Life) -> None:
        name = life.state(self.aws.now(), self.aws.delays)
        instance.instance_state.name, instance.instance_state.code = name, STATES[name]
        instance.nics[0].public_ip = life.address if name == "running" else None
        if name == "terminated" and life.fate == "dies":
            instance.state_reason = StateReason(
                "Server.InternalError: Internal error on launch", "Server.InternalError"
            )

    def _end_itself(self, backend: EC2Backend, instance: Instance, life: Life) -> None:
        """Let the instance be shut down from inside, if its time has come; that ends it or only stops it.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html
        """
        up, now = life.born + self.aws.delays.pending, self.aws.now()
        if life.switch is None or life.state(now, self.aws.delays) != "running":
            return
        due = life.switch.due(up, backend.tags[instance.id].get(aws_switch.TAG, ""))
        if now < due:
            return
        life.switch = None
        if instance.instance_initiated_shutdown_behavior == "terminate":
            life.ended = due
        else:
            instance.stop()
        why = "Client.InstanceInitiatedShutdown"
        instance.state_reason = StateReason(f"{why}: Instance initiated shutdown", why)

    def states(self) -> dict[str, str]:
        """Return what each instance that was ever made is now."""
        for backend in ec2_backends[self.aws.account].values():
            self.age(backend)
        return {name: life.state(self.aws.now(), self.aws.delays) for name, life in self.lives.items()}

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
        life, now = self.lives[instance], self.aws.now()
        return (
            now >= life.born + self.aws.delays.visible
            and life.dead_for(now, self.aws.delays) < self.aws.delays.forgotten
        )

    def _run(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html.

        Instances belong to the token once they are there; a launch that was refused leaves it free.
        """
        _check_user_data(call.parameters.get("UserData", ""))
        _check_tags(call.parameters)
        token = call.parameters.get("ClientToken", "")
        if len(token) > TOKEN_LIMIT or not token.isascii():
            raise AwsError("InvalidParameterValue", f"A client token has at most {TOKEN_LIMIT} ASCII characters.")
        # Doc: all must be the same, "other than the Region or Availability Zone".
        free = {"ClientToken", "Placement.AvailabilityZone"}
        wanted = {name: value for name, value in call.parameters.items() if name not in free}
        launch = self._earlier((call.region, token)) if token else None
        if launch is None:
            reply = self.aws.ask_moto(environ, raw)
            if reply.status != 200:
                return reply
            launch = self._born(call.region, wanted, reply.body, fate)
            self.launches[call.region, token] = launch
        elif launch.parameters != wanted:
            raise AwsError("IdempotentParameterMismatch")
        return self._describe_launch(call, launch, environ)

    def _earlier(self, key: tuple[str, str]) -> Launch | None:
        launch, now = self.launches.get(key), self.aws.now()
        if launch is None:
            return None
        dead = min(self.lives[each].dead_for(now, self.aws.delays) for each in launch.instances)
        return launch if dead < self.aws.delays.token else None

    def _born(self, region: str, wanted: dict[str, str], body: bytes, fate: Fate) -> Launch:
        made = re.findall(r"<instanceId>(i-\w+)</instanceId>", body.decode())
        backend = ec2_backends[self.aws.account][region]
        for instance in (backend.get_instance(each) for each in made):
            nic = instance.nics[0]
            address = None if fate == "no-address" else nic.public_ip
            # Or else moto would give it another address when it is started.
            nic.public_ip_auto_assign = nic.public_ip_auto_assign and address is not None
            self.lives[instance.id] = life = Life(self.aws.now(), address, fate, _switch(wanted))
            if life.born >= aws_switch.CALENDAR:  # else it counts from another moment than moto
                instance.launch_time = datetime.fromtimestamp(life.born, UTC).replace(tzinfo=None)
        self.age(backend)
        return Launch(wanted, made)

    def _describe_launch(self, call: Call, launch: Launch, environ: dict[str, Any]) -> Answer:
        """Answer a RunInstances, a repeated one too, by what its instances are now."""
        asked = {f"InstanceId.{number}": each for number, each in enumerate(launch.instances, 1)}
        form = {"Action": "DescribeInstances", "Version": call.parameters["Version"], **asked}
        text = self.aws.ask_moto(environ, urlencode(form).encode()).body.decode()
        [reservation] = re.findall(r"<reservationSet><item>(.*)</item></reservationSet>", text, re.DOTALL)
        inner = f"<requestId>sandbox</requestId>{reservation}"
        return xml(200, f'<RunInstancesResponse xmlns="{EC2_XMLNS}">{inner}</RunInstancesResponse>')

    def _terminated(self, backend: EC2Backend, body: bytes) -> bytes:
        """Begin the end of those that moto has terminated; a second time changes nothing, and says so."""

        def tell(found: re.Match[str]) -> str:
            life, now = self.lives[found[1]], self.aws.now()
            life.stopped = False
            if life.ended is None and life.dead_for(now, self.aws.delays) < 0:
                life.ended = now
            name = life.state(now, self.aws.delays)
            state = f"<code>{STATES[name]}</code><name>{name}</name>"
            return f"<instanceId>{found[1]}</instanceId><currentState>{state}</currentState>"

        pattern = r"<instanceId>(i-\w+)</instanceId><currentState>.*?</currentState>"
        told = re.sub(pattern, tell, body.decode())
        self.age(backend)
        return told.encode()


def _check_user_data(encoded: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: 16 KB, in raw form, before base64."""
    try:
        size = len(b64decode(encoded, validate=True))
    except binascii.Error:
        raise AwsError("InvalidUserData.Malformed") from None
    if size > USER_DATA_LIMIT:
        raise AwsError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")


def _switch(parameters: dict[str, str]) -> aws_switch.Switch | None:
    return aws_switch.read(b64decode(parameters.get("UserData", "")), tags_shown=_shows_tags(parameters))


def _shows_tags(parameters: dict[str, str]) -> bool:
    return parameters.get("MetadataOptions.InstanceMetadataTags") == "enabled"


def _check_tags(parameters: dict[str, str]) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html: what keys have to be there."""
    kinds = {name.removesuffix("ResourceType"): kind for name, kind in parameters.items() if "ResourceType" in name}
    for start in [start for start, kind in kinds.items() if kind == "instance" and _shows_tags(parameters)]:
        for name, key in parameters.items():
            if re.fullmatch(rf"{re.escape(start)}Tag\.\d+\.Key", name) and not TAG_KEY.fullmatch(key):
                raise AwsError("InvalidParameterValue", f"'{key}' is not a valid tag key.")
