"""The judge is judged: EC2 and Route 53 in the sandbox answer boto3 as AWS documents it."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from sandbox import aws
from sandbox.aws import AwsFault, Cloud, Delays
from sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DELAYS = Delays(visible=10, pending=30, shutting_down=20, insync=60)
HOST = f"pr-7.{aws.ZONE}"


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock) -> Iterator[Cloud]:
    with aws.serve(clock, DELAYS) as running:
        yield running


def client(cloud: Cloud, service: str, *, key: str = aws.KEY, **config: Any) -> Any:
    """A client that tries once, so that each test sees the answer itself."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=cloud.url,
        region_name=aws.REGION,
        aws_access_key_id=key,
        aws_secret_access_key=aws.SECRET,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture
def ec2(cloud: Cloud) -> Any:
    return client(cloud, "ec2")


@pytest.fixture
def route53(cloud: Cloud) -> Any:
    return client(cloud, "route53")


def run(ec2: Any, cloud: Cloud, name: str = "pr-7", **more: Any) -> Any:
    wanted = {
        "ImageId": cloud.image,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": cloud.subnet,
        "SecurityGroupIds": [cloud.security_group],
        "ClientToken": name,
        **more,
    }
    [instance] = ec2.run_instances(**wanted)["Instances"]
    return instance


def describe(ec2: Any, **wanted: Any) -> list[Any]:
    return [each for group in ec2.describe_instances(**wanted)["Reservations"] for each in group["Instances"]]


def change(route53: Any, cloud: Cloud, *actions: str, name: str = HOST, value: str = "192.0.2.1", ttl: int = 60) -> Any:
    record = {"Name": name, "Type": "A", "TTL": ttl, "ResourceRecords": [{"Value": value}]}
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action in actions]}
    return route53.change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch=batch)["ChangeInfo"]


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_r09_a_token_makes_its_instance_once(ec2: Any, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html."""
    first, again, other = run(ec2, cloud), run(client(cloud, "ec2"), cloud), run(ec2, cloud, "pr-8")
    assert first["InstanceId"] == again["InstanceId"] != other["InstanceId"]
    assert first["ClientToken"] == "pr-7"
    assert set(cloud.instances) == {first["InstanceId"], other["InstanceId"]}


def test_r09_the_whole_reservation_is_answered_again(ec2: Any, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html."""
    wanted = {"ImageId": cloud.image, "MinCount": 2, "MaxCount": 2, "SubnetId": cloud.subnet, "ClientToken": "two"}
    first, again = ec2.run_instances(**wanted), ec2.run_instances(**wanted)
    assert first["ReservationId"] == again["ReservationId"]
    assert len({each["InstanceId"] for each in first["Instances"] + again["Instances"]}) == 2


@pytest.mark.parametrize(
    "other",
    [{"InstanceType": "t3.large"}, {"UserData": "#!/bin/sh\n"}, {"MaxCount": 2}],
    ids=lambda each: next(iter(each)),
)
def test_r09_other_parameters_with_the_same_token_are_refused(ec2: Any, cloud: Cloud, other: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html."""
    run(ec2, cloud)
    with pytest.raises(ClientError) as error:
        run(ec2, cloud, **other)
    assert refused(error) == (400, "IdempotentParameterMismatch")
    assert len(cloud.instances) == 1


def test_r09_a_token_outlives_its_instance(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html."""
    first = run(ec2, cloud)
    clock.time += DELAYS.pending
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    clock.time += DELAYS.shutting_down + DELAYS.forgotten + 1
    assert describe(ec2) == []
    again = run(ec2, cloud)
    assert (again["InstanceId"], again["State"]["Name"]) == (first["InstanceId"], "terminated")
    clock.time += DELAYS.token
    assert run(ec2, cloud)["InstanceId"] != first["InstanceId"]


def test_r09_clients_that_race_share_an_instance(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html."""
    clients = [client(cloud, "ec2") for _ in range(6)]
    with ThreadPoolExecutor() as pool:
        made = {each["InstanceId"] for each in pool.map(lambda ec2: run(ec2, cloud), clients)}
    assert made == set(cloud.instances)
    assert len(made) == 1


def test_instances_are_found_by_their_token(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html."""
    wanted = run(ec2, cloud)
    run(ec2, cloud, "pr-8")
    clock.time += DELAYS.visible
    by_token = {"Name": "client-token", "Values": ["pr-7", "pr-9"]}
    assert [each["InstanceId"] for each in describe(ec2, Filters=[by_token])] == [wanted["InstanceId"]]
    running = {"Name": "instance-state-name", "Values": ["running"]}
    assert describe(ec2, Filters=[by_token, running]) == []
    clock.time += DELAYS.pending
    assert len(describe(ec2, Filters=[by_token, running])) == 1


def test_user_data_has_a_limit_before_base64(ec2: Any, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html."""
    with pytest.raises(ClientError, match="User data is limited to 16384 bytes") as error:
        run(ec2, cloud, UserData="x" * 16_385)
    assert refused(error) == (400, "InvalidParameterValue")
    assert run(ec2, cloud, UserData="x" * 16_384)["State"]["Name"] == "pending"


def test_a_token_has_at_most_64_characters(ec2: Any, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html."""
    run(ec2, cloud, "x" * 64)
    with pytest.raises(ClientError):
        run(ec2, cloud, "x" * 65)


def test_an_instance_goes_from_pending_to_terminated(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html."""
    made = run(ec2, cloud)
    assert (made["State"], made.get("PublicIpAddress")) == ({"Code": 0, "Name": "pending"}, None)
    clock.time += DELAYS.pending
    [running] = describe(ec2)
    assert (running["State"], bool(running["PublicIpAddress"])) == ({"Code": 16, "Name": "running"}, True)
    [ending] = ec2.terminate_instances(InstanceIds=[made["InstanceId"]])["TerminatingInstances"]
    assert (ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert describe(ec2)[0]["State"]["Name"] == "shutting-down"
    clock.time += DELAYS.shutting_down
    [ended] = describe(ec2)
    assert (ended["State"], ended.get("PublicIpAddress")) == ({"Code": 48, "Name": "terminated"}, None)


def test_i4_terminating_twice_is_no_error(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: it is idempotent."""
    made = [run(ec2, cloud)["InstanceId"]]
    clock.time += DELAYS.pending
    states = []
    for _ in range(2):
        [ending] = ec2.terminate_instances(InstanceIds=made)["TerminatingInstances"]
        states.append((ending["PreviousState"]["Name"], ending["CurrentState"]["Name"]))
        clock.time += DELAYS.shutting_down
    assert states == [("running", "shutting-down"), ("terminated", "terminated")]


@pytest.mark.parametrize("operation", ["describe_instances", "terminate_instances"])
def test_f14_a_new_instance_is_not_seen_at_once(ec2: Any, cloud: Cloud, clock: Clock, operation: str) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html."""
    made = [run(ec2, cloud)["InstanceId"]]
    with pytest.raises(ClientError) as error:
        getattr(ec2, operation)(InstanceIds=made)
    assert refused(error) == (400, "InvalidInstanceID.NotFound")
    assert describe(ec2) == []
    clock.time += DELAYS.visible
    getattr(ec2, operation)(InstanceIds=made)


@pytest.mark.parametrize(
    ("code", "status"),
    [("RequestLimitExceeded", 503), ("InsufficientInstanceCapacity", 500), ("UnauthorizedOperation", 403)],
)
def test_f14_ec2_refuses_in_its_own_words(ec2: Any, cloud: Cloud, code: str, status: int) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html."""
    cloud.faults.add(AwsFault("status", "ec2", "RunInstances", code=code))
    with pytest.raises(ClientError) as error:
        run(ec2, cloud)
    assert refused(error) == (status, code)
    assert cloud.instances == {}
    assert run(ec2, cloud)["InstanceId"] in cloud.instances
    assert [(call.operation, call.fault, call.status) for call in cloud.calls] == [
        ("RunInstances", code, status),
        ("RunInstances", "", 200),
    ]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("timeout", ReadTimeoutError), ("reset", ConnectionClosedError), ("cut", ResponseParserError)],
)
def test_f14_an_answer_is_lost_but_the_instance_is_there(cloud: Cloud, kind: Any, error: type[Exception]) -> None:
    """https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html: this is what the token is for."""
    cloud.faults.add(Fault(kind, "ec2", "RunInstances", when="after"))
    patience: dict[str, Any] = {"read_timeout": 0.2} if kind == "timeout" else {}
    with pytest.raises(error):
        run(client(cloud, "ec2", **patience), cloud)
    again = run(client(cloud, "ec2"), cloud)
    assert list(cloud.instances) == [again["InstanceId"]]
    assert [(call.operation, call.fault) for call in cloud.calls] == [("RunInstances", kind), ("RunInstances", "")]


def test_f14_botocore_tries_again_with_the_same_token(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/boto3/latest/guide/retries.html."""
    cloud.faults.add(AwsFault("status", "ec2", "RunInstances", code="InternalError", when="after"))
    session = boto3.Session(cloud.environment["AWS_ACCESS_KEY_ID"], aws.SECRET, region_name=aws.REGION)
    ec2: Any = session.client("ec2", endpoint_url=cloud.url, config=Config(retries={"total_max_attempts": 2}))
    began = time.monotonic()
    made = ec2.run_instances(ImageId=cloud.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    assert list(cloud.instances) == [made]
    assert [call.status for call in cloud.calls] == [500, 200]
    assert time.monotonic() - began < 5


def test_f14_an_instance_dies_while_pending(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html."""
    cloud.faults.add(AwsFault("lag", "ec2", "RunInstances", fate="dies"))
    assert run(ec2, cloud)["State"]["Name"] == "pending"
    clock.time += DELAYS.pending
    [dead] = describe(ec2)
    assert (dead["State"]["Name"], dead["StateReason"]["Code"]) == ("terminated", "Server.InternalError")


def test_f14_an_instance_has_no_public_address(ec2: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html."""
    cloud.faults.add(AwsFault("lag", "ec2", "RunInstances", fate="no-address"))
    run(ec2, cloud)
    clock.time += DELAYS.pending
    [running] = describe(ec2)
    assert (running["State"]["Name"], running.get("PublicIpAddress")) == ("running", None)


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("status", "ec2", "TerminateInstances", code="Unavailable"),
        Fault("status", "ec2", "TerminateInstances", status=503),  # a page of HTML: its ClientError has no ["Error"]
    ],
    ids=["AWS", "something before it"],
)
def test_f14_a_termination_fails(ec2: Any, cloud: Cloud, clock: Clock, fault: Fault) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#api-error-codes-table-server."""
    made = run(ec2, cloud)["InstanceId"]
    clock.time += DELAYS.pending
    cloud.faults.add(fault)
    with pytest.raises(ClientError) as error:
        ec2.terminate_instances(InstanceIds=[made])
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert cloud.instances == {made: "running"}


@pytest.mark.parametrize("service", ["ec2", "route53"])
def test_s_wrong_credentials_are_refused(cloud: Cloud, service: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#CommonErrors."""
    stranger = client(cloud, service, key="AKIASTRANGER")
    with pytest.raises(ClientError) as error:
        stranger.describe_instances() if service == "ec2" else stranger.list_hosted_zones()
    assert refused(error) in ((401, "AuthFailure"), (403, "InvalidClientTokenId"))


def test_a_change_is_pending_before_it_is_insync(route53: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html."""
    made = change(route53, cloud, "UPSERT")
    assert made["Status"] == "PENDING"
    assert route53.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "PENDING"
    clock.time += DELAYS.insync
    assert route53.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert change(route53, cloud, "UPSERT")["Id"] != made["Id"]
    assert cloud.records == {(f"{HOST}.", "A"): ("192.0.2.1",)}


def test_f15_a_change_is_never_insync(route53: Any, cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html."""
    cloud.faults.add(AwsFault("lag", "route53", "ChangeResourceRecordSets", fate="never-insync"))
    made = change(route53, cloud, "UPSERT")
    clock.time += 1_000_000
    assert route53.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "PENDING"


def test_there_is_no_such_change(route53: Any) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html#API_GetChange_Errors."""
    with pytest.raises(ClientError) as error:
        route53.get_change(Id="C0")
    assert refused(error) == (404, "NoSuchChange")


@pytest.mark.parametrize(
    ("before", "actions", "wrong"),
    [
        ((), ("DELETE",), ({}, "it was not found")),
        (("UPSERT", "DELETE"), ("DELETE",), ({}, "it was not found")),
        (("UPSERT",), ("DELETE", "DELETE"), ({}, "it was not found")),
        (("UPSERT",), ("DELETE",), ({"value": "192.0.2.2"}, "the values provided do not match the current values")),
        (("UPSERT",), ("DELETE",), ({"ttl": 61}, "the values provided do not match the current values")),
        (("UPSERT",), ("CREATE",), ({}, "it already exists")),
    ],
    ids=["never there", "no longer there", "twice", "other value", "other TTL", "made again"],
)
def test_r10_a_batch_that_does_not_fit_is_refused(
    route53: Any, cloud: Cloud, before: tuple[str, ...], actions: tuple[str, ...], wrong: tuple[dict[str, Any], str]
) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html."""
    other, message = wrong
    for action in before:
        change(route53, cloud, action)
    there = cloud.records
    with pytest.raises(ClientError, match=message) as error:
        change(route53, cloud, *actions, **other)
    assert refused(error) == (400, "InvalidChangeBatch")
    assert cloud.records == there


def test_f15_a_record_is_deleted_as_it_is_listed(route53: Any, cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_Change.html."""
    change(route53, cloud, "CREATE")
    change(route53, cloud, "UPSERT", value="192.0.2.9", ttl=300)  # by hand, as it were
    listed = route53.list_resource_record_sets(HostedZoneId=cloud.zone)["ResourceRecordSets"]
    [record] = [each for each in listed if each["Type"] == "A"]
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch=batch)
    assert cloud.records == {}
    change(route53, cloud, "CREATE")
    change(route53, cloud, "DELETE", name=f"{HOST.upper()}.")  # names are without case
    assert cloud.records == {}


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete"])
def test_r10_route53_asks_for_patience(route53: Any, cloud: Cloud, code: str) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests."""
    cloud.faults.add(AwsFault("status", "route53", "ChangeResourceRecordSets", code=code))
    with pytest.raises(ClientError) as error:
        change(route53, cloud, "UPSERT")
    assert refused(error) == (400, code)
    assert cloud.records == {}
    assert change(route53, cloud, "UPSERT")["Status"] == "PENDING"


def test_two_at_once_know_nothing_of_each_other(ec2: Any, cloud: Cloud) -> None:
    run(ec2, cloud)
    with aws.serve() as other:
        assert describe(client(other, "ec2")) == []
        assert other.instances == {}
        assert run(client(other, "ec2"), other)["InstanceId"] not in cloud.instances


def test_what_is_not_imitated_says_so(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as error:
        client(cloud, "sts").get_caller_identity()
    assert refused(error)[0] == 501


def test_the_environment_is_all_that_boto3_needs(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    assert boto3.client("ec2").describe_instances()["Reservations"] == []
    assert [each["Name"] for each in boto3.client("route53").list_hosted_zones()["HostedZones"]] == [f"{aws.ZONE}."]


def test_the_command_starts_it_beside_github(tmp_path: Path) -> None:
    """`python -m sandbox up --aws` writes its variables into the same file."""
    file = tmp_path / "env"
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "up", "--aws", "--env-file", file])
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "GITHUB_API_URL"} <= variables.keys()
