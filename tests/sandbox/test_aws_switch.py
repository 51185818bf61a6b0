"""The judge is judged: servers that end themselves do so when their user data says, and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import aws, aws_switch
from sandbox.aws import Cloud, Delays
from tests.clouds import Clock, client

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAYS = Delays(visible=10, pending=30, shutting_down=20)
BORN = 1_800_000_000.0  # in 2027
UP = BORN + DELAYS.pending
HOUR = 3600.0
SCRIPT = "#!/bin/sh\nset -eu\nshutdown -h +60\necho hello\n"
FOLLOWS = f"{SCRIPT}curl http://169.254.169.254/latest/meta-data/{aws_switch.READS_TAG}\n"


@pytest.fixture
def clock() -> Clock:
    return Clock(BORN)


@pytest.fixture
def cloud(clock: Clock) -> Iterator[Cloud]:
    with aws.serve(clock, DELAYS) as running:
        yield running


def launch(cloud: Cloud, script: str, *, tag: str = "", **other: Any) -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": aws_switch.TAG, "Value": tag}]}] if tag else []
    wanted = {
        "ImageId": cloud.image,
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": cloud.subnet,
        "UserData": script,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"InstanceMetadataTags": "enabled"},
        "TagSpecifications": tags,
        **other,
    }
    return str(client(cloud, "ec2").run_instances(**wanted)["Instances"][0]["InstanceId"])


def move(cloud: Cloud, made: str, moment: float | str) -> None:
    value = moment if isinstance(moment, str) else str(int(moment))
    client(cloud, "ec2").create_tags(Resources=[made], Tags=[{"Key": aws_switch.TAG, "Value": value}])


def state(cloud: Cloud, clock: Clock, moment: float) -> str:
    clock.time = moment
    [found] = cloud.instances.values()
    return found


@pytest.mark.parametrize("script", [SCRIPT, SCRIPT.replace("shutdown", "/sbin/shutdown"), FOLLOWS])
def test_a_server_ends_itself_after_its_minutes(cloud: Cloud, clock: Clock, script: str) -> None:
    launch(cloud, script)
    assert state(cloud, clock, UP + HOUR - 1) == "running"
    assert state(cloud, clock, UP + HOUR) == "shutting-down"
    assert state(cloud, clock, UP + HOUR + DELAYS.shutting_down) == "terminated"


def test_what_ended_at_night_is_terminated_since_then(cloud: Cloud, clock: Clock) -> None:
    """Whoever looks later sees the same: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html."""
    made = launch(cloud, SCRIPT)
    clock.time = UP + HOUR + DELAYS.shutting_down + DELAYS.forgotten
    assert client(cloud, "ec2").describe_instances()["Reservations"] == []
    assert cloud.instances == {made: "terminated"}


@pytest.mark.parametrize(
    "script",
    ["", "#!/bin/sh\n", "#!/bin/sh\n# shutdown -h +60\n", "\n" * aws_switch.FIRST_LINES + SCRIPT, "shutdown now\n"],
)
def test_who_does_not_say_so_runs_on(cloud: Cloud, clock: Clock, script: str) -> None:
    launch(cloud, script, tag="1")
    assert state(cloud, clock, UP + 1000 * HOUR) == "running"


@pytest.mark.parametrize("moment", [UP + 10, UP + HOUR / 2, UP + 5 * HOUR])
def test_the_tag_moves_the_end_both_ways(cloud: Cloud, clock: Clock, moment: float) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html: it is shown while it runs."""
    made = launch(cloud, FOLLOWS, tag=str(int(UP + HOUR)))
    clock.time = UP
    move(cloud, made, moment)
    assert state(cloud, clock, moment - 1) == "running"
    assert state(cloud, clock, moment) == "shutting-down"


def test_the_end_may_be_moved_again_and_again_but_not_afterwards(cloud: Cloud, clock: Clock) -> None:
    made = launch(cloud, FOLLOWS)
    for hours in range(1, 4):
        clock.time = UP + hours * HOUR - 1
        move(cloud, made, UP + (hours + 1) * HOUR)
    assert state(cloud, clock, UP + 4 * HOUR) == "shutting-down"
    move(cloud, made, UP + 9 * HOUR)
    assert state(cloud, clock, UP + 4 * HOUR + DELAYS.shutting_down) == "terminated"


def test_a_tag_of_the_past_ends_it_once_it_runs(cloud: Cloud, clock: Clock) -> None:
    launch(cloud, FOLLOWS, tag="1")
    assert state(cloud, clock, UP - 1) == "pending"
    assert state(cloud, clock, UP) == "shutting-down"


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", " "])
def test_a_tag_that_is_no_moment_is_none(cloud: Cloud, clock: Clock, value: str) -> None:
    launch(cloud, FOLLOWS, tag=value)
    assert state(cloud, clock, UP + HOUR - 1) == "running"
    assert state(cloud, clock, UP + HOUR) == "shutting-down"


@pytest.mark.parametrize(
    ("script", "other"),
    [
        (SCRIPT, {}),
        (FOLLOWS, {"MetadataOptions": {"InstanceMetadataTags": "disabled"}}),
        (FOLLOWS, {"MetadataOptions": {}}),
    ],
    ids=["does not read it", "is not shown it", "was not asked to be shown it"],
)
def test_who_cannot_see_the_tag_does_not_follow_it(cloud: Cloud, clock: Clock, script: str, other: Any) -> None:
    launch(cloud, script, tag=str(int(UP + 9 * HOUR)), **other)
    assert state(cloud, clock, UP + HOUR) == "shutting-down"


def test_by_a_clock_that_does_not_count_from_1970_the_minutes_count(cloud: Cloud, clock: Clock) -> None:
    clock.time = 1000.0
    launch(cloud, FOLLOWS, tag=str(int(UP)))
    assert state(cloud, clock, 1000 + DELAYS.pending + HOUR - 1) == "running"
    assert state(cloud, clock, 1000 + DELAYS.pending + HOUR) == "shutting-down"


def test_whoever_is_only_stopped_is_there_until_ended(cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html."""
    made = launch(cloud, SCRIPT, InstanceInitiatedShutdownBehavior="stop")
    assert state(cloud, clock, UP + HOUR) == "stopped"
    ec2 = client(cloud, "ec2")
    ec2.start_instances(InstanceIds=[made])
    assert state(cloud, clock, UP + 9 * HOUR) == "running"


def test_who_is_ended_before_ends_once(cloud: Cloud, clock: Clock) -> None:
    made = launch(cloud, SCRIPT)
    clock.time = UP + 60
    client(cloud, "ec2").terminate_instances(InstanceIds=[made])
    assert state(cloud, clock, UP + 60 + DELAYS.shutting_down) == "terminated"
    assert state(cloud, clock, UP + HOUR) == "terminated"
