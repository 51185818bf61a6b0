"""Passwords of test servers: where they are kept, that they can be replaced and deleted, and that no text has one."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.aws import AwsServers
from mattermod_action.adapters.aws_account import PAUSES
from mattermod_action.errors import Limited, MattermodError, Mistake, Refused, Unsure
from sandbox import aws
from sandbox.aws import AwsFault, Cloud, Delays
from sandbox.faults import Fault
from tests.clouds import Clock, client, leading_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.spinmints import Servers

NAME = "mattermod/pr-7"
CANARY = "Canary.1!of-a.pass"  # too short to be taken for a key, and no word of an error code
PLACES = ("ssm", "secrets-manager")
FIRST = {"ssm": "ssm:PutParameter", "secrets-manager": "secretsmanager:CreateSecret"}
LAST = {"ssm": "ssm:DeleteParameter", "secrets-manager": "secretsmanager:DeleteSecret"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with leading_here(clock, monkeypatch, Delays(secret_gone=3)) as running:
        yield running


@pytest.fixture
def servers(cloud: Cloud, clock: Clock) -> Servers:
    assert cloud.url  # the environment leads to it
    return AwsServers(aws.REGION, clock)


def kept(cloud: Cloud, place: str, name: str = NAME) -> Any:
    """What the server that it is for would read."""
    if place == "ssm":
        return client(cloud, "ssm").get_parameter(Name=f"/{name}", WithDecryption=True)["Parameter"]["Value"]
    return client(cloud, "secretsmanager").get_secret_value(SecretId=name)["SecretString"]


def strike(cloud: Cloud, permission: str, **fault: Any) -> None:
    service, _, operation = permission.partition(":")
    cloud.faults.add(AwsFault(method=service, path=operation, **{"kind": "status", **fault}))


def operations(cloud: Cloud) -> list[str]:
    return [call.operation for call in cloud.calls]


@pytest.mark.parametrize("place", PLACES)
def test_a_password_is_kept_and_replaced(servers: Servers, cloud: Cloud, place: str) -> None:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html."""
    for password in ("first", "second", "second"):
        servers.keep_password(place, NAME, password)
        assert kept(cloud, place) == password


def test_a_parameter_is_encrypted(servers: Servers, cloud: Cloud) -> None:
    servers.keep_password("ssm", NAME, CANARY)
    parameter = client(cloud, "ssm").get_parameter(Name=f"/{NAME}")
    assert parameter["Parameter"]["Type"] == "SecureString"
    assert parameter["Parameter"]["Value"] != CANARY


@pytest.mark.parametrize("place", PLACES)
def test_a_password_is_forgotten_and_its_name_is_free(servers: Servers, cloud: Cloud, clock: Clock, place: str) -> None:
    """Secrets Manager needs a moment: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html."""
    servers.keep_password(place, NAME, "first")
    servers.forget_password(place, NAME)
    servers.forget_password(place, NAME)
    with pytest.raises(Exception, match="NotFound"):
        kept(cloud, place)
    servers.keep_password(place, NAME, "second")
    assert kept(cloud, place) == "second"
    assert sum(clock.slept) >= (3 if place == "secrets-manager" else 0)


def test_a_secret_that_is_being_deleted_for_long_is_limited(servers: Servers, cloud: Cloud) -> None:
    cloud.aws.delays.secret_gone = 60
    servers.keep_password("secrets-manager", NAME, "first")
    servers.forget_password("secrets-manager", NAME)
    with pytest.raises(Limited, match="still deleting"):
        servers.keep_password("secrets-manager", NAME, "second")


@pytest.mark.parametrize("place", PLACES)
def test_forgetting_what_is_not_there_is_no_error(servers: Servers, place: str) -> None:
    servers.forget_password(place, "mattermod/nobody")


def test_a_place_that_there_is_not_is_a_mistake(servers: Servers, cloud: Cloud) -> None:
    with pytest.raises(Mistake, match="`ssm` or in `secrets-manager`"):
        servers.keep_password("vault", NAME, CANARY)
    with pytest.raises(Mistake, match="`ssm` or in `secrets-manager`"):
        servers.forget_password("", NAME)
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("place", "code"),
    [("ssm", "TooManyUpdates"), ("ssm", "ThrottlingException"), ("secrets-manager", "ThrottlingException")],
)
def test_whoever_asks_too_often_is_given_time(
    servers: Servers, cloud: Cloud, clock: Clock, place: str, code: str
) -> None:
    strike(cloud, FIRST[place], code=code, times=3)
    servers.keep_password(place, NAME, "first")
    assert clock.slept == list(PAUSES)
    strike(cloud, LAST[place], code=code, times=4)
    with pytest.raises(Limited, match=code):
        servers.forget_password(place, NAME)
    assert kept(cloud, place) == "first"


@pytest.mark.parametrize("place", PLACES)
def test_a_lost_answer_may_be_asked_for_again(servers: Servers, cloud: Cloud, place: str) -> None:
    for _ in range(2):
        cloud.faults.add(Fault("reset", "*", FIRST[place].partition(":")[2], when="after"))
        with pytest.raises(Unsure):
            servers.keep_password(place, NAME, "first")
    servers.keep_password(place, NAME, "first")
    assert kept(cloud, place) == "first"
    cloud.faults.add(Fault("reset", "*", LAST[place].partition(":")[2], when="after"))
    with pytest.raises(Unsure):
        servers.forget_password(place, NAME)
    servers.forget_password(place, NAME)


@pytest.mark.parametrize("place", PLACES)
def test_s12_a_permission_that_is_missing_is_named(servers: Servers, cloud: Cloud, clock: Clock, place: str) -> None:
    for permission in (FIRST[place], LAST[place]):
        strike(cloud, permission, code="AccessDeniedException")
    with pytest.raises(Mistake, match=rf"{FIRST[place]} .*infra/iam-policy-passwords\.json"):
        servers.keep_password(place, NAME, CANARY)
    with pytest.raises(Mistake, match=rf"{LAST[place]} .*infra/iam-policy-passwords\.json"):
        servers.forget_password(place, NAME)
    assert clock.slept == []


CODES = (
    "AccessDeniedException", "ExpiredTokenException", "InternalError", "InvalidParameterValue",
    "InvalidRequestException", "NoSuchChange", "ThrottlingException", "UnrecognizedClientException",
)  # fmt: skip
REPEATED = f"not authorized to perform: it:is-{CANARY} deletion IAM Instance Profile"
ANSWERS: dict[str, dict[str, Any]] = {
    **{code: {"code": code, "message": REPEATED} for code in CODES},
    "html": {"status": 502},
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut", "when": "after"},
}


@pytest.mark.parametrize("trouble", ANSWERS)
@pytest.mark.parametrize("place", PLACES)
def test_s_no_password_is_in_a_text(
    servers: Servers, cloud: Cloud, caplog: pytest.LogCaptureFixture, place: str, trouble: str
) -> None:
    """Whatever AWS repeats, and whatever boto3 would log about it."""
    caplog.set_level(logging.DEBUG)
    strike(cloud, FIRST[place], times=0, **ANSWERS[trouble])
    with pytest.raises(MattermodError) as error:
        servers.keep_password(place, NAME, CANARY)
    told = "".join(traceback.format_exception(error.value)) + repr(error.value) + caplog.text
    assert CANARY in cloud.calls[-1].body
    assert CANARY not in told
    assert CANARY not in repr(vars(servers))


def test_s_what_boto3_itself_refuses_is_not_shown(servers: Servers, cloud: Cloud) -> None:
    wrong: Any = [CANARY]
    for place in PLACES:
        with pytest.raises(Mistake, match="cannot be asked for as it is configured") as error:
            servers.keep_password(place, NAME, wrong)
        assert CANARY not in "".join(traceback.format_exception(error.value))
    assert cloud.calls == []


def test_what_cannot_be_kept_is_refused_without_a_word_of_aws(servers: Servers, cloud: Cloud) -> None:
    strike(cloud, "ssm:PutParameter", code="InvalidParameterValue", message=f"{CANARY} is not valid")
    with pytest.raises(Refused, match=r"^AWS refused ssm:PutParameter \(InvalidParameterValue\)$"):
        servers.keep_password("ssm", NAME, CANARY)
