"""Route 53 before moto: changes that take their time, and batches that have to fit what is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET  # only what a client on loopback sent is read

from sandbox.aws_answers import ROUTE53_XMLNS, AwsError, xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.route53.models import FakeZone

    from sandbox.answers import Answer
    from sandbox.aws import Aws, Call, Fate

OPERATIONS = (
    ("POST", r"/hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
    ("GET", r"/hostedzone/[^/]+/rrset/?", "ListResourceRecordSets"),
    ("GET", r"/change/[^/]+", "GetChange"),
    ("POST", r"/hostedzone/?", "CreateHostedZone"),
    ("GET", r"/hostedzone/?", "ListHostedZones"),
    ("GET", r"/hostedzonesbyname/?", "ListHostedZonesByName"),
    ("GET", r"/hostedzone/[^/]+", "GetHostedZone"),
    ("DELETE", r"/hostedzone/[^/]+", "DeleteHostedZone"),
)


@dataclass
class Change:
    submitted: float
    fate: Fate


class Route53:
    """The zones of one account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.changes: dict[str, Change] = {}

    def answer(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        if call.operation == "GetChange":
            return self._get_change(call.path.rpartition("/")[2])
        if call.operation == "ChangeResourceRecordSets":
            # Names are without case, and Route 53 keeps them in lower case.
            raw = re.sub(rb"<Name>[^<]*</Name>", lambda found: b"<Name>" + found[0][6:-7].lower() + b"</Name>", raw)
            self._check_batch(call.path.split("/")[3], raw)
        reply = self.aws.ask_moto(environ, raw)
        if reply.status in (200, 201):
            reply.body = self._with_change(reply.body, fate)
        return reply

    def _with_change(self, body: bytes, fate: Fate) -> bytes:
        """Give the change that moto answers with a name of its own, and let it be pending."""

        def pend(_: re.Match[bytes]) -> bytes:
            name = f"C{len(self.changes) + 1:013d}"
            self.changes[name] = Change(self.aws.now(), fate)
            return f"<Id>/change/{name}</Id><Status>{self._status(name)}</Status>".encode()

        return re.sub(rb"<Id>/change/\w+</Id><Status>INSYNC</Status>", pend, body)

    def _status(self, name: str) -> str:
        change = self.changes[name]
        waits = change.fate == "never-insync" or self.aws.now() < change.submitted + self.aws.delays.insync
        return "PENDING" if waits else "INSYNC"

    def _get_change(self, name: str) -> Answer:
        """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html."""
        if name not in self.changes:
            raise AwsError("NoSuchChange", f"A change with the ID {name} does not exist.")
        submitted = "<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>"  # nobody asks
        info = f"<Id>/change/{name}</Id><Status>{self._status(name)}</Status>{submitted}"
        return xml(
            200, f'<GetChangeResponse xmlns="{ROUTE53_XMLNS}"><ChangeInfo>{info}</ChangeInfo></GetChangeResponse>'
        )

    def _check_batch(self, zone_id: str, raw: bytes) -> None:
        """Raise InvalidChangeBatch for a batch that does not fit what is there; all of it holds, or nothing.

        moto judges by a journal of all changes there ever were, which forgets deletions: it is set to what is there.
        """
        zone = self.aws.zone(zone_id)
        if zone is None:
            return  # moto says NoSuchHostedZone
        there = records(zone)
        complaints = [told for change in _changes(raw) if (told := _apply(there, *change))]
        if complaints:
            raise AwsError("InvalidChangeBatch", "[" + ", ".join(complaints) + "]")
        zone.rr_changes.clear()
        for each in zone.rrsets:
            zone.rr_changes.append({"Action": "UPSERT", "ResourceRecordSet": {"Name": each.name, "Type": each.type}})


Key = tuple[str, str, str]  # name, type, set identifier
Held = tuple[str, tuple[str, ...]]  # TTL and values


def records(zone: FakeZone) -> dict[Key, Held]:
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


def operation(method: str, path: str) -> str:
    for wanted, pattern, name in OPERATIONS:
        if method == wanted and re.fullmatch(f"/2013-04-01{pattern}", path):
            return name
    return f"{method} {path}"
