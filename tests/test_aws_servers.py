"""Test servers: what AWS then holds, and what each fault of it comes to."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends

from mattermod_action.adapters import aws_errors
from mattermod_action.adapters.aws import CONSOLE_SHOWN, UNSEEN_PAUSES, AwsServers
from mattermod_action.adapters.aws_account import PAUSES
from mattermod_action.errors import Down, Limited, MattermodError, Mistake, Overtaken, Refused, Unsure
from mattermod_action.spinmints import ENDS_TAG, SERVER_TAG, Launch, Record
from sandbox import aws
from sandbox.aws import AwsFault, Cloud, Delays
from sandbox.faults import Fault
from tests.clouds import Clock, client, leading_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.spinmints import Servers

DELAYS = Delays(visible=10, pending=30, shutting_down=20, insync=60)
HOST = f"pr-7.{aws.ZONE}"
SCRIPT = b"#!/bin/sh\nshutdown -h +60\necho CANARY-OF-USER-DATA \xff\n"
TAGS = ((SERVER_TAG, "spinmint"), ("Name", "Spinmint-pr-7"))
ALL_TAGS = (SERVER_TAG, "mattermod-key", ENDS_TAG, "Name", "Created", "PRNumber", "RepoName")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with leading_here(clock, monkeypatch, replace(DELAYS)) as running:
        yield running


@pytest.fixture
def servers(cloud: Cloud, clock: Clock) -> Servers:
    assert cloud.url  # the environment leads to it
    return AwsServers(aws.REGION, clock, page=5)


def wanted(cloud: Cloud, name: str = "pr-7-1", **other: Any) -> Launch:
    launch = Launch(
        token=name,
        image=cloud.image,
        instance_type="t3.micro",
        subnet=cloud.subnet,
        security_groups=(cloud.security_group,),
        user_data=SCRIPT,
        tags=TAGS,
    )
    return replace(launch, **other)


def running(servers: Servers, cloud: Cloud, clock: Clock) -> str:
    made = servers.launch(wanted(cloud))
    clock.time += DELAYS.pending
    return made


def by_hand(cloud: Cloud, action: str, name: str = HOST, *values: str, **other: Any) -> None:
    held = {"TTL": 60, "ResourceRecords": [{"Value": value} for value in values], "Type": "A", **other}
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": {"Name": name, **held}}]}
    client(cloud, "route53").change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch=batch)


def operations(cloud: Cloud) -> list[str]:
    return [call.operation for call in cloud.calls]


# What is launched


def test_s17_what_is_launched_is_closed(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html."""
    made, ec2 = running(servers, cloud, clock), client(cloud, "ec2")
    [group] = ec2.describe_instances(InstanceIds=[made])["Reservations"]
    [instance] = group["Instances"]
    metadata = instance["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    assert metadata["InstanceMetadataTags"] == "enabled"
    assert {"KeyName", "IamInstanceProfile"} & instance.keys() == set()
    assert (instance["ImageId"], instance["InstanceType"]) == (cloud.image, "t3.micro")
    assert (instance["SubnetId"], instance["SecurityGroups"][0]["GroupId"]) == (cloud.subnet, cloud.security_group)
    attribute = "instanceInitiatedShutdownBehavior"
    told = ec2.describe_instance_attribute(InstanceId=made, Attribute=attribute)
    assert told["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    data = ec2.describe_instance_attribute(InstanceId=made, Attribute="userData")["UserData"]["Value"]
    assert b64decode(data) == SCRIPT


def test_s17_its_disk_is_encrypted_and_goes_with_it(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made, ec2 = running(servers, cloud, clock), client(cloud, "ec2")
    [group] = ec2.describe_instances(InstanceIds=[made])["Reservations"]
    [disk] = group["Instances"][0]["BlockDeviceMappings"]
    [volume] = ec2.describe_volumes()["Volumes"]
    assert (volume["Encrypted"], volume["VolumeType"], disk["Ebs"]["DeleteOnTermination"]) == (True, "gp3", True)
    [image] = ec2.describe_images(ImageIds=[cloud.image])["Images"]
    assert disk["DeviceName"] == image["RootDeviceName"]
    assert volume["Size"] == image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]


def test_s12_all_that_comes_with_it_is_tagged_at_birth(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """A network interface has no tags in moto, so that this is seen in what was asked for."""
    made, ec2 = running(servers, cloud, clock), client(cloud, "ec2")
    tags = [{"Key": name, "Value": value} for name, value in TAGS]
    assert ec2.describe_volumes()["Volumes"][0]["Tags"] == tags
    server = servers.server(made)
    assert server
    assert server.tags == TAGS
    [launch] = [call.parameters for call in cloud.calls if call.operation == "RunInstances"]
    kinds = [launch[f"TagSpecification.{number}.ResourceType"] for number in (1, 2, 3)]
    assert kinds == ["instance", "volume", "network-interface"]
    assert [launch[f"TagSpecification.{number}.Tag.1.Key"] for number in (1, 2, 3)] == [SERVER_TAG] * 3
    assert "CreateTags" not in operations(cloud)


def test_a_key_is_there_only_when_it_is_given(servers: Servers, cloud: Cloud) -> None:
    client(cloud, "ec2").create_key_pair(KeyName="mine")
    servers.launch(wanted(cloud, key_name="mine"))
    assert cloud.calls[-1].parameters["KeyName"] == "mine"


def test_a_server_has_a_role_only_when_one_is_given(servers: Servers, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html."""
    iam_backends[cloud.aws.account]["aws"].create_instance_profile("mine", "/", [])
    servers.launch(wanted(cloud, instance_profile="mine"))
    assert cloud.calls[-1].parameters["IamInstanceProfile.Name"] == "mine"
    servers.launch(wanted(cloud, "other"))
    assert not [name for name in cloud.calls[-1].parameters if name.startswith("IamInstanceProfile")]


def test_a_role_that_there_is_not_is_a_mistake() -> None:
    message = "Value (none) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    assert type(said("InvalidParameterValue", message)) is Mistake


def test_tags_that_a_server_cannot_read_itself_are_refused(servers: Servers, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html."""
    with pytest.raises(Refused, match="'PR Number' is not a valid tag key"):
        servers.launch(wanted(cloud, tags=(*TAGS, ("PR Number", "7"))))
    assert servers.launch(wanted(cloud, tags=tuple((name, "7") for name in ALL_TAGS))) in cloud.instances


def test_s16_user_data_has_a_limit_before_anything_is_sent(servers: Servers, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html."""
    with pytest.raises(Mistake, match=r"has 16385 bytes, and EC2 takes 16384"):
        servers.launch(wanted(cloud, user_data=b"\xff" * 16_385))
    assert cloud.calls == []
    assert servers.launch(wanted(cloud, user_data=b"\xff" * 16_384)) in cloud.instances


# A token is one server


def test_r09_the_same_launch_is_the_same_server(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    other_process = AwsServers(aws.REGION, clock)
    assert servers.launch(wanted(cloud)) == other_process.launch(wanted(cloud)) == next(iter(cloud.instances))
    assert servers.launch(wanted(cloud, "pr-7-2")) in cloud.instances
    assert len(cloud.instances) == 2


@pytest.mark.parametrize("other", [{"instance_type": "t3.large"}, {"user_data": b"#!/bin/sh\n"}, {"tags": TAGS[:1]}])
def test_r09_a_token_that_was_used_otherwise_is_refused(servers: Servers, cloud: Cloud, other: dict[str, Any]) -> None:
    servers.launch(wanted(cloud))
    with pytest.raises(Refused, match="IdempotentParameterMismatch"):
        servers.launch(wanted(cloud, **other))
    assert len(cloud.instances) == 1


@pytest.mark.parametrize("kind", ["reset", "cut", "empty"])
def test_f14_a_launch_whose_answer_is_lost_is_repeated(servers: Servers, cloud: Cloud, kind: Any) -> None:
    cloud.faults.add(Fault(kind, "ec2", "RunInstances", when="after"))
    made = servers.launch(wanted(cloud))
    assert list(cloud.instances) == [made]
    assert operations(cloud) == ["DescribeImages", "RunInstances", "RunInstances"]


def test_f14_a_launch_that_times_out_is_repeated(cloud: Cloud, clock: Clock) -> None:
    cloud.faults.add(Fault("timeout", "ec2", "RunInstances", when="after"))
    cloud.faults.add(Fault("timeout", "ec2", "DescribeImages"))
    made = AwsServers(aws.REGION, clock, read_timeout=1).launch(wanted(cloud))
    assert list(cloud.instances) == [made]
    assert [each.fault for each in cloud.calls if each.operation == "RunInstances"][:1] == ["timeout"]


def test_f14_a_launch_that_nobody_answers_may_be_repeated_by_another_run(
    servers: Servers, cloud: Cloud, clock: Clock
) -> None:
    cloud.faults.add(Fault("reset", "ec2", "RunInstances", when="after", times=4))
    with pytest.raises(Unsure, match=r"did not answer ec2:RunInstances \(ConnectionClosedError\)"):
        servers.launch(wanted(cloud))
    assert list(cloud.instances) == [AwsServers(aws.REGION, clock).launch(wanted(cloud))]


# A server as it is


def test_a_server_is_read_as_it_is(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made = servers.launch(wanted(cloud))
    clock.time += DELAYS.visible
    pending = servers.server(made)
    clock.time += DELAYS.pending
    up = servers.server(made)
    assert pending
    assert up
    assert (pending.instance_id, pending.state, pending.public_ipv4) == (made, "pending", "")
    assert (up.state, up.public_ipv4.count("."), up.private_ipv4[:5], up.ipv6) == ("running", 3, "10.0.", "")
    assert up.launched_at.tzinfo is None


def test_a_server_may_have_an_ipv6_address(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made = running(servers, cloud, clock)
    cloud.aws.ec2.get_instance(made).nics[0].ipv6_addresses.append("2001:db8::7")
    server = servers.server(made)
    assert server
    assert server.ipv6 == "2001:db8::7"


def test_f14_a_new_server_is_waited_for(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html."""
    made = servers.launch(wanted(cloud))
    server = servers.server(made, launched_just_now=True)
    assert server
    assert server.state == "pending"
    assert sum(clock.slept) >= DELAYS.visible


def test_f14_a_new_server_that_stays_unseen_is_not_gone(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    cloud.aws.delays.visible = 1000
    made = servers.launch(wanted(cloud))
    with pytest.raises(Down, match="does not show the new server yet"):
        servers.server(made, launched_just_now=True)
    assert clock.slept == [*UNSEEN_PAUSES]
    servers.terminate(made)
    assert cloud.instances[made] != "terminated"


def test_a_server_that_nobody_knows_is_gone(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made = running(servers, cloud, clock)
    servers.terminate(made)
    clock.time += DELAYS.shutting_down
    ended = servers.server(made)
    assert ended
    assert ended.state == "terminated"
    clock.time += DELAYS.forgotten
    assert servers.server(made) is None
    assert servers.console(made) == ""
    servers.terminate(made)


def test_f14_a_server_dies_in_pending(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    cloud.faults.add(AwsFault("lag", "ec2", "RunInstances", fate="dies"))
    dead = servers.server(running(servers, cloud, clock))
    assert dead
    assert (dead.state, dead.reason) == ("terminated", "Server.InternalError: Internal error on launch")


def test_mm86_a_server_without_a_public_address_says_so(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    cloud.faults.add(AwsFault("lag", "ec2", "RunInstances", fate="no-address"))
    server = servers.server(running(servers, cloud, clock))
    assert server
    assert (server.state, server.public_ipv4) == ("running", "")


def test_mm91_all_servers_of_a_tag_are_found(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """On pages of five; neither those of others, nor those that ended, nor what a wildcard would take in."""
    made = {servers.launch(wanted(cloud, f"pr-{number}")) for number in range(12)}
    servers.launch(wanted(cloud, "others", tags=((SERVER_TAG, "spin*"),)))
    clock.time += DELAYS.pending
    ended = min(made)
    servers.terminate(ended)
    assert {each.state for each in servers.servers(SERVER_TAG, "spinmint")} == {"running", "shutting-down"}
    clock.time += DELAYS.shutting_down
    before = len(cloud.calls)
    assert {each.instance_id for each in servers.servers(SERVER_TAG, "spinmint")} == made - {ended}
    assert operations(cloud)[before:] == ["DescribeInstances"] * 3
    assert len(servers.servers(SERVER_TAG, "spin*")) == 1
    assert servers.servers("Name", "nobody") == []


def test_the_end_of_the_console_is_read(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    text = servers.console(running(servers, cloud, clock))
    assert text.startswith("Linux version")
    assert len(text) <= CONSOLE_SHOWN


# Its end


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("status", "ec2", "TerminateInstances", code="Unavailable"),
        Fault("status", "ec2", "TerminateInstances", status=502),  # a page of HTML
        Fault("reset", "ec2", "TerminateInstances", when="after"),
        Fault("empty", "ec2", "TerminateInstances", when="after"),
    ],
    ids=["AWS", "something before it", "no answer", "an empty answer"],
)
def test_f14_a_termination_may_be_repeated(servers: Servers, cloud: Cloud, clock: Clock, fault: Fault) -> None:
    made = running(servers, cloud, clock)
    cloud.faults.add(fault)
    with pytest.raises(Unsure):
        servers.terminate(made)
    assert operations(cloud).count("TerminateInstances") == 1
    servers.terminate(made)
    servers.terminate(made)
    clock.time += DELAYS.shutting_down
    assert cloud.instances == {made: "terminated"}


def test_mm81_a_server_that_is_not_seen_yet_is_ended_all_the_same(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made = servers.launch(wanted(cloud))
    assert servers.server(made, launched_just_now=True)
    servers.terminate(made)
    clock.time += DELAYS.shutting_down
    assert cloud.instances == {made: "terminated"}


@pytest.mark.parametrize("value", ["1", "1893456000"])
def test_a_tag_is_given_and_given_again(servers: Servers, cloud: Cloud, clock: Clock, value: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html."""
    made = running(servers, cloud, clock)
    for moment in ("1", value, value):
        servers.set_tag(made, ENDS_TAG, moment)
    server = servers.server(made)
    assert server
    assert dict(server.tags) == {**dict(TAGS), ENDS_TAG: value}


def test_nobody_tags_a_server_that_is_gone(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    made = running(servers, cloud, clock)
    servers.terminate(made)
    servers.set_tag(made, ENDS_TAG, "1")
    clock.time += DELAYS.shutting_down + DELAYS.forgotten
    servers.set_tag(made, ENDS_TAG, "2")
    servers.set_tag(UNKNOWN, ENDS_TAG, "2")
    assert operations(cloud).count("CreateTags") == 3


def test_a_server_ends_itself_when_its_script_says_so(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html."""
    made = running(servers, cloud, clock)
    clock.time += 3599
    assert cloud.instances == {made: "running"}
    clock.time += 1 + DELAYS.shutting_down
    server = servers.server(made)
    assert server
    assert (server.state, server.public_ipv4) == ("terminated", "")
    assert server.reason == "Client.InstanceInitiatedShutdown: Instance initiated shutdown"


# Its name


def test_mm87_a_name_leads_to_one_address(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    by_hand(cloud, "CREATE", HOST, "192.0.2.8", "192.0.2.9")
    change = servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    servers.set_record(cloud.zone, HOST, "2001:db8::1", "AAAA", 30)
    assert cloud.records == {(f"{HOST}.", "A"): ("192.0.2.1",), (f"{HOST}.", "AAAA"): ("2001:db8::1",)}
    assert "/" not in change
    assert servers.is_in_sync(change) is False
    clock.time += DELAYS.insync
    assert servers.is_in_sync(change) is True


def test_f15_a_change_is_never_in_sync(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    cloud.faults.add(AwsFault("lag", "route53", "ChangeResourceRecordSets", fate="never-insync"))
    change = servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    clock.time += 1_000_000
    assert servers.is_in_sync(change) is False


def test_records_are_listed_below_a_suffix_alone(servers: Servers, cloud: Cloud) -> None:
    """On pages of five; aliases, names of others, other kinds and the suffix itself are nobody's servers."""
    names = {f"i-{number}.{aws.ZONE}" for number in range(12)}
    for name in names:
        servers.set_record(cloud.zone, name, "192.0.2.1", "A", 30)
    servers.set_record(cloud.zone, aws.ZONE, "192.0.2.1", "A", 30)
    servers.set_record(cloud.zone, f"i-0.{aws.ZONE}", "2001:db8::1", "AAAA", 30)
    by_hand(cloud, "CREATE", f"text.{aws.ZONE}", '"A"', Type="TXT")
    by_hand(cloud, "CREATE", f"shared.{aws.ZONE}", "192.0.2.1", SetIdentifier="one", Weight=1)
    alias = {"HostedZoneId": cloud.zone, "DNSName": aws.ZONE, "EvaluateTargetHealth": False}
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": f"alias.{aws.ZONE}", "Type": "A", "AliasTarget": alias}}
    client(cloud, "route53").change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch={"Changes": [change]})
    before = len(cloud.calls)
    found = servers.records(cloud.zone, aws.ZONE)
    assert {each.name for each in found} == {f"{name}." for name in names}
    assert len(found) == 13
    assert operations(cloud)[before:] == ["ListResourceRecordSets"] * 4
    assert servers.records(cloud.zone, "example.org") == []
    assert Record(name=f"i-0.{aws.ZONE}.", address="2001:db8::1", kind="AAAA", ttl=30) in found


def test_mm88_a_record_is_deleted_as_it_is_listed(servers: Servers, cloud: Cloud) -> None:
    servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    by_hand(cloud, "UPSERT", HOST, "192.0.2.8", "192.0.2.9", TTL=300)
    [record] = servers.records(cloud.zone, aws.ZONE)
    assert (record.ttl, {record.address, *record.more}) == (300, {"192.0.2.8", "192.0.2.9"})
    assert servers.delete_record(cloud.zone, record) != ""
    assert cloud.records == {}
    assert servers.delete_record(cloud.zone, record) == ""


def test_f15_a_record_was_changed_since_it_was_listed(servers: Servers, cloud: Cloud) -> None:
    servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    [record] = servers.records(cloud.zone, aws.ZONE)
    by_hand(cloud, "UPSERT", HOST, "192.0.2.9")
    with pytest.raises(Overtaken):
        servers.delete_record(cloud.zone, record)
    assert cloud.records == {(f"{HOST}.", "A"): ("192.0.2.9",)}


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete"])
def test_r10_route53_is_given_time(servers: Servers, cloud: Cloud, clock: Clock, code: str) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests."""
    cloud.faults.add(AwsFault("status", "route53", "ChangeResourceRecordSets", code=code, times=3))
    servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    assert clock.slept == list(PAUSES)
    cloud.faults.add(AwsFault("status", "route53", "ChangeResourceRecordSets", code=code, times=4))
    with pytest.raises(Limited, match=code) as error:
        servers.set_record(cloud.zone, HOST, "192.0.2.2", "A", 30)
    assert error.value.retry_after > 0
    assert cloud.records == {(f"{HOST}.", "A"): ("192.0.2.1",)}


@pytest.mark.parametrize("kind", ["reset", "status", "html", "empty"])
def test_f15_a_change_that_nobody_answers_is_sent_once(servers: Servers, cloud: Cloud, clock: Clock, kind: Any) -> None:
    cloud.faults.add(Fault(kind, "route53", "ChangeResourceRecordSets", when="after"))
    with pytest.raises(Unsure):
        servers.set_record(cloud.zone, HOST, "192.0.2.1", "A", 30)
    assert operations(cloud) == ["ChangeResourceRecordSets"]
    assert clock.slept == []
    assert len(servers.records(cloud.zone, aws.ZONE)) == 1


# Whatever goes wrong

UNKNOWN = "i-0123456789abcdef0"
READS: dict[str, Callable[[Servers, Cloud], object]] = {
    "ec2:DescribeImages": lambda servers, cloud: servers.launch(wanted(cloud)),
    "ec2:DescribeInstances": lambda servers, _: servers.servers(SERVER_TAG, "spinmint"),
    "ec2:GetConsoleOutput": lambda servers, _: servers.console(UNKNOWN),
    "route53:ListResourceRecordSets": lambda servers, cloud: servers.records(cloud.zone, aws.ZONE),
}
WRITES: dict[str, Callable[[Servers, Cloud], object]] = {
    "ec2:CreateTags": lambda servers, _: servers.set_tag(UNKNOWN, ENDS_TAG, "1"),
    "ec2:TerminateInstances": lambda servers, _: servers.terminate(UNKNOWN),
    "route53:ChangeResourceRecordSets": lambda servers, cloud: servers.set_record(cloud.zone, HOST, "::1", "AAAA", 30),
}
LAUNCH = {"ec2:RunInstances": READS["ec2:DescribeImages"]}
CHANGE: dict[str, Callable[[Servers, Cloud], object]] = {
    "route53:GetChange": lambda servers, _: servers.is_in_sync("C0"),
}
TROUBLES: dict[str, dict[str, Any]] = {
    "throttled": {"kind": "status", "code": "RequestLimitExceeded"},
    "5xx": {"kind": "status", "code": "InternalError"},
    "html": {"kind": "status", "status": 502},
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut", "when": "after"},
}


def strike(cloud: Cloud, clock: Clock, permission: str, **fault: Any) -> None:
    """From here on only calls and pauses that come of this fault are counted."""
    cloud.faults.clear()
    cloud.calls.clear()
    clock.slept.clear()
    service, _, operation = permission.partition(":")
    cloud.faults.add(AwsFault(method=service, path=operation, **{"times": 0, **fault}))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_reads_are_tried_four_times(servers: Servers, cloud: Cloud, clock: Clock, trouble: str) -> None:
    for permission, read in (READS | CHANGE).items():
        strike(cloud, clock, permission, **TROUBLES[trouble])
        with pytest.raises(Down, match=permission) as error:
            read(servers, cloud)
        assert type(error.value) is (Limited if trouble == "throttled" else Down)
        assert operations(cloud) == [permission.partition(":")[2]] * 4
        assert clock.slept == list(PAUSES)


def test_reads_go_on_once_aws_answers(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    for permission, read in READS.items():
        strike(cloud, clock, permission, kind="status", code="InternalError", times=3)
        read(servers, cloud)
        assert clock.slept == list(PAUSES)


@pytest.mark.parametrize("trouble", ["5xx", "html", "reset", "cut"])
def test_writes_that_may_be_done_are_not_repeated(servers: Servers, cloud: Cloud, clock: Clock, trouble: str) -> None:
    for permission, write in WRITES.items():
        strike(cloud, clock, permission, **TROUBLES[trouble])
        with pytest.raises(Unsure):
            write(servers, cloud)
        assert operations(cloud) == [permission.partition(":")[2]]


def test_f14_whoever_asks_too_often_is_told_how_long_to_wait(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    for permission, write in (LAUNCH | WRITES).items():
        strike(cloud, clock, permission, **TROUBLES["throttled"], times=4)
        with pytest.raises(Limited, match="RequestLimitExceeded") as error:
            write(servers, cloud)
        assert error.value.retry_after == aws_errors.WAIT
        assert (cloud.instances, cloud.records) == ({}, {})


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AuthFailure", "InvalidClientTokenId"])
def test_f14_a_permission_that_is_missing_is_named(servers: Servers, cloud: Cloud, clock: Clock, code: str) -> None:
    for permission, ask in (READS | LAUNCH | WRITES | CHANGE).items():
        strike(cloud, clock, permission, kind="status", code=code)
        with pytest.raises(Mistake, match=f"{permission}.*{code}"):
            ask(servers, cloud)
        assert clock.slept == []


def test_f14_ec2_has_no_room(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    cloud.faults.add(AwsFault("status", "ec2", "RunInstances", code="InsufficientInstanceCapacity"))
    with pytest.raises(Refused, match="not enough capacity"):
        servers.launch(wanted(cloud))
    assert operations(cloud) == ["DescribeImages", "RunInstances"]
    assert clock.slept == []
    assert servers.launch(wanted(cloud)) in cloud.instances


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"image": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"subnet": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"security_groups": ("sg-0123456789abcdef0",)}, "InvalidGroup.NotFound"),
    ],
)
def test_what_the_configuration_names_wrongly_is_named(
    servers: Servers, cloud: Cloud, other: dict[str, Any], code: str
) -> None:
    with pytest.raises(Mistake, match=code):
        servers.launch(wanted(cloud, **other))
    assert cloud.instances == {}


def test_a_zone_that_is_not_there_is_a_mistake(servers: Servers) -> None:
    with pytest.raises(Mistake, match="NoSuchHostedZone"):
        servers.records("Z0", aws.ZONE)


# Who we are, and where


@pytest.mark.parametrize("left", [(), ("AWS_ACCESS_KEY_ID",)], ids=["nothing", "half of it"])
def test_credentials_that_are_missing_are_asked_for(
    servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    for name in {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} - set(left):
        monkeypatch.delenv(name)
    with pytest.raises(Mistake, match=r"`aws-region`.*`AWS_ROLE_ARN`.*id-token: write"):
        servers.launch(wanted(cloud))
    assert cloud.calls == []


@pytest.mark.parametrize("region", ["", "no region"])
def test_a_region_is_needed(cloud: Cloud, clock: Clock, region: str) -> None:
    with pytest.raises(Mistake, match="`aws-region`"):
        AwsServers(region, clock).server(UNKNOWN)
    assert cloud.calls == []


def test_wrong_credentials_are_a_mistake(servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER")
    with pytest.raises(Mistake, match="does not accept the credentials"):
        servers.records(cloud.zone, aws.ZONE)


def test_an_aws_that_is_not_there_is_down(servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for ask in (lambda: servers.terminate(UNKNOWN), lambda: servers.launch(wanted(cloud))):
        with pytest.raises(Down, match="cannot be reached") as error:
            ask()
        assert not isinstance(error.value, Unsure)


def test_boto3_neither_waits_for_long_nor_tries_again(clock: Clock) -> None:
    config = AwsServers(aws.REGION, clock)._ec2.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert config.retries["total_max_attempts"] == 1


# What is said


def said(code: str, message: str, status: int = 400) -> MattermodError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuse() -> None:
        raise ClientError(answer, "RunInstances")

    with pytest.raises(MattermodError) as error:
        aws_errors.call(refuse, "ec2:RunInstances", Unsure)
    return error.value


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "ExpiredToken", "InvalidParameterValue", "AccessDenied"])
def test_s_aws_repeats_secrets_and_we_do_not(code: str) -> None:
    """SignatureDoesNotMatch repeats the signed headers, with the session token among them."""
    secret = "FwoGZXIvYXdzEPT//////////wEaDCANARY+OF/SESSION=TOKEN1234567890"
    error = said(code, f"The Canonical String should have been 'POST\nx-amz-security-token:{secret}\n'")
    assert "CANARY" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredToken", Down),  # the next run has new ones
        ("RequestExpired", Down),
        ("SignatureDoesNotMatch", Mistake),
        ("VcpuLimitExceeded", Refused),
        ("InstanceLimitExceeded", Refused),
        ("InvalidParameterValue", Refused),
        ("Throttling", Limited),
        ("TooManyUpdates", Limited),
        ("LimitExceededException", Refused),
        ("ParameterLimitExceeded", Refused),
        ("ParameterNotFound", aws_errors.Missing),
        ("ResourceNotFoundException", aws_errors.Missing),
        ("ResourceExistsException", aws_errors.Existing),
    ],
)
def test_each_code_has_its_kind(code: str, kind: type[MattermodError]) -> None:
    assert type(said(code, "why")) is kind


def test_s12_the_permission_that_aws_names_is_the_one_that_is_missing() -> None:
    message = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ec2:CreateTags on resource: y"
    assert "may not ec2:CreateTags here" in str(said("UnauthorizedOperation", message, 403))


def test_s12_the_role_for_servers_is_allowed_by_a_policy_of_its_own() -> None:
    """However long what AWS says before it is: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html."""
    user = f"arn:aws:sts::123456789012:assumed-role/{'a/' * 100}mattermod-action"
    message = f"You are not authorized. User: {user} is not authorized to perform: iam:PassRole on resource: y"
    told = str(said("UnauthorizedOperation", message, 403))
    assert "may not iam:PassRole here" in told
    assert told.endswith("see infra/iam-policy-passwords.json")


def test_s16_user_data_is_in_no_text(servers: Servers, cloud: Cloud) -> None:
    launch = wanted(cloud)
    assert "CANARY" not in repr(launch)
    servers.launch(launch)
    with pytest.raises(Refused) as error:
        servers.launch(replace(launch, user_data=launch.user_data * 2))
    assert "CANARY" not in repr(error.value)
