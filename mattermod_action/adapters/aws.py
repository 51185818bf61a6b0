"""Test servers in EC2 and their names in Route 53; `aws_account.py` is how they are asked about, and how often."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from mattermod_action.adapters.aws_account import READ_TIMEOUT, Account, nothing
from mattermod_action.adapters.aws_errors import Missing
from mattermod_action.adapters.aws_passwords import place_of
from mattermod_action.errors import Down, Mistake
from mattermod_action.spinmints import USER_DATA_LIMIT, Record, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mattermod_action.adapters.aws_account import Hide
    from mattermod_action.ports import Clock
    from mattermod_action.spinmints import Launch

# Seconds until a new instance is looked for again: EC2 has been seen to need ten.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
UNSEEN_PAUSES = (1.0, 2.0, 4.0, 8.0)
CONSOLE_SHOWN = 8_000  # characters
# The most that a page may have.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
PAGE, RECORDS_PAGE = 1_000, 300
ALIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]
POSITION = ("RecordName", "RecordType", "RecordIdentifier")  # of the next page of records
TAGGED = ("instance", "volume", "network-interface")
ADDRESSES = ("A", "AAAA")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
METADATA = {
    "HttpEndpoint": "enabled",
    "HttpTokens": "required",
    "HttpPutResponseHopLimit": 1,
    "InstanceMetadataTags": "enabled",
}
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html
DISK = {"VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}

T = TypeVar("T")


class AwsServers:
    """The `Servers` port of spinmints.py."""

    def __init__(
        self, region: str, clock: Clock, *, read_timeout: float = READ_TIMEOUT, page: int = PAGE, hide: Hide = nothing
    ) -> None:
        self._account, self._clock, self._page = Account(region, clock, read_timeout, hide), clock, page
        self._hide = hide

    def launch(self, launch: Launch) -> str:
        if (size := len(launch.user_data)) > USER_DATA_LIMIT:
            raise Mistake(f"the server's setup script has {size} bytes, and EC2 takes {USER_DATA_LIMIT}")
        root = self._account.read("ec2:DescribeImages", lambda: self._root(launch.image))

        def run() -> str:
            return str(self._ec2.run_instances(**_wanted(launch, root))["Instances"][0]["InstanceId"])

        return self._account.repeat(Down, "ec2:RunInstances", run)

    def server(self, instance_id: str, *, launched_just_now: bool = False) -> Server | None:
        def read() -> Server:
            found, _ = self._account.read("ec2:DescribeInstances", lambda: self._described(InstanceIds=[instance_id]))
            if not found:
                raise Missing(f"EC2 lists no {instance_id}")
            return found[0]

        return self._seen(read, launched_just_now=launched_just_now)

    def servers(self, tag: str, value: str) -> Sequence[Server]:
        filters = {f"tag:{tag}": [value], "instance-state-name": ALIVE}
        asked = {"Filters": [{"Name": name, "Values": wanted} for name, wanted in filters.items()]}
        found = self._pages("ec2:DescribeInstances", partial(self._described, **asked, MaxResults=self._page))
        # A filter takes * and ? for any characters: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
        return [each for each in found if (tag, value) in each.tags]

    def console(self, instance_id: str) -> str:
        def read() -> Any:
            return self._ec2.get_console_output(InstanceId=instance_id)

        try:
            answer = self._account.read("ec2:GetConsoleOutput", read)
        except Missing:
            return ""
        return str(answer.get("Output") or "")[-CONSOLE_SHOWN:]

    def terminate(self, instance_id: str) -> None:
        def end() -> str:
            ended = self._ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]
            return str(ended[0]["InstanceId"])

        with suppress(Missing):
            self._account.write("ec2:TerminateInstances", end)

    def set_tag(self, instance_id: str, name: str, value: str) -> None:
        def change() -> None:
            self._ec2.create_tags(Resources=[instance_id], Tags=[{"Key": name, "Value": value}])

        with suppress(Missing):
            self._account.write("ec2:CreateTags", change)

    def keep_password(self, place: str, name: str, password: str) -> None:
        self._hide([password])
        place_of(place, self._account).keep(name, password)

    def forget_password(self, place: str, name: str) -> None:
        place_of(place, self._account).forget(name)

    def records(self, zone: str, suffix: str) -> Sequence[Record]:
        below = f".{suffix.strip('.').lower()}."
        size = str(min(self._page, RECORDS_PAGE))
        listed = partial(self._listed, HostedZoneId=zone, MaxItems=size)
        return [each for each in self._pages("route53:ListResourceRecordSets", listed) if each.name.endswith(below)]

    def set_record(self, zone: str, name: str, address: str, kind: str, ttl: int) -> str:
        return self._change(zone, "UPSERT", Record(name=name, address=address, kind=kind, ttl=ttl))

    def delete_record(self, zone: str, record: Record) -> str:
        try:
            return self._change(zone, "DELETE", record)
        except Missing:
            return ""

    def is_in_sync(self, change: str) -> bool:
        return self._account.read(
            "route53:GetChange", lambda: bool(self._route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")
        )

    @cached_property
    def _ec2(self) -> Any:
        return self._account.client("ec2")

    @cached_property
    def _route53(self) -> Any:
        return self._account.client("route53")

    def _root(self, image: str) -> dict[str, Any]:
        """The image's root, as large as it is there, but encrypted, and gone with its instance."""
        found = self._ec2.describe_images(ImageIds=[image])["Images"][0]
        name = found["RootDeviceName"]
        sizes = [each["Ebs"]["VolumeSize"] for each in found["BlockDeviceMappings"] if each["DeviceName"] == name]
        if not sizes:
            raise Mistake(f"the image {image} has no root on EBS, which alone can be encrypted: take another")
        return {"DeviceName": name, "Ebs": {"VolumeSize": sizes[0], **DISK}}

    def _described(self, **asked: Any) -> tuple[list[Server], dict[str, str]]:
        """A page of servers, and what to ask for the next."""
        answer = self._ec2.describe_instances(**asked)
        found = [_server(each) for group in answer["Reservations"] for each in group["Instances"]]
        token = answer.get("NextToken")
        return found, {"NextToken": token} if token else {}

    def _listed(self, **asked: Any) -> tuple[list[Record], dict[str, str]]:
        """A page of records, and what to ask for the next."""
        answer = self._route53.list_resource_record_sets(**asked)
        found = [_record(each) for each in answer["ResourceRecordSets"] if _is_plain(each)]
        following = {f"Start{name}": answer.get(f"Next{name}") for name in POSITION} if answer["IsTruncated"] else {}
        return found, {name: value for name, value in following.items() if value}

    def _change(self, zone: str, action: str, record: Record) -> str:
        values = [{"Value": address} for address in (record.address, *record.more)]
        wanted = {"Name": record.name, "Type": record.kind, "TTL": record.ttl, "ResourceRecords": values}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": wanted}]}

        def send() -> str:
            answer = self._route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
            return str(answer["ChangeInfo"]["Id"]).removeprefix("/change/")

        return self._account.write("route53:ChangeResourceRecordSets", send)

    def _pages(self, permission: str, page: Callable[..., tuple[list[T], dict[str, str]]]) -> Iterator[T]:
        where: dict[str, str] = {}
        while True:
            found, where = self._account.read(permission, partial(page, **where))
            yield from found
            if not where:
                return

    def _seen(self, attempt: Callable[[], T], *, launched_just_now: bool) -> T | None:
        """What EC2 does not know is gone, unless it is so new that it may not be seen yet."""
        for pause in UNSEEN_PAUSES if launched_just_now else ():
            try:
                return attempt()
            except Missing:
                self._clock.sleep(pause)
        try:
            return attempt()
        except Missing as error:
            if launched_just_now:
                raise Down(f"EC2 does not show the new server yet: {error}") from None
            return None


def _wanted(launch: Launch, root: Mapping[str, Any]) -> dict[str, Any]:
    """What RunInstances is told: a pure function of its arguments, or else the token would not fit a second time.

    boto3 encodes the user data with base64. Without an instance profile nothing on the server may act in the account.
    """
    tags = [{"Key": name, "Value": value} for name, value in launch.tags]
    return {
        "ClientToken": launch.token,
        "ImageId": launch.image,
        "InstanceType": launch.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": launch.subnet,
        "SecurityGroupIds": list(launch.security_groups),
        "UserData": launch.user_data,
        "MetadataOptions": METADATA,
        "BlockDeviceMappings": [root],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in TAGGED],
        **({"KeyName": launch.key_name} if launch.key_name else {}),
        **({"IamInstanceProfile": {"Name": launch.instance_profile}} if launch.instance_profile else {}),
    }


def _server(data: Mapping[str, Any]) -> Server:
    return Server(
        instance_id=data["InstanceId"],
        state=data["State"]["Name"],
        public_ipv4=data.get("PublicIpAddress") or "",
        private_ipv4=data.get("PrivateIpAddress") or "",
        ipv6=_ipv6(data),
        launched_at=data["LaunchTime"].astimezone(UTC).replace(tzinfo=None),
        tags=tuple((each["Key"], each["Value"]) for each in data.get("Tags") or ()),
        reason=(data.get("StateReason") or {}).get("Message") or "",
    )


def _ipv6(data: Mapping[str, Any]) -> str:
    """The first address of the first interface that has one."""
    cards = data.get("NetworkInterfaces") or ()
    return next((each["Ipv6Address"] for card in cards for each in card.get("Ipv6Addresses") or ()), "")


def _is_plain(data: Mapping[str, Any]) -> bool:
    return data["Type"] in ADDRESSES and "SetIdentifier" not in data and bool(data.get("ResourceRecords"))


def _record(data: Mapping[str, Any]) -> Record:
    address, *more = [each["Value"] for each in data["ResourceRecords"]]
    return Record(name=data["Name"], address=address, kind=data["Type"], ttl=data["TTL"], more=tuple(more))
