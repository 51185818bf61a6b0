"""Who we are in AWS: the runner's token for a role's keys, in memory alone, or what boto3 finds by itself."""

from __future__ import annotations

import json
import logging
import os
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from mattermod_action.adapters import aws_identity
from mattermod_action.adapters.aws import AwsServers
from mattermod_action.adapters.aws_account import PAUSES
from mattermod_action.errors import Down, MattermodError, Mistake
from sandbox import aws
from sandbox.aws import AwsFault, Cloud
from sandbox.faults import Fault
from tests.clouds import Clock, client, leading_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mattermod_action.spinmints import Servers

OIDC = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
ROLE = "AWS_ROLE_ARN"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """As in a step that names a role, of a job with `id-token: write`."""
    with leading_here(clock, monkeypatch) as running:
        for name, value in running.oidc_environment.items():
            monkeypatch.setenv(name, value)
        for name in (*KEYS, "AWS_WEB_IDENTITY_TOKEN_FILE"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.fixture
def servers(cloud: Cloud, clock: Clock) -> Servers:
    assert cloud.url  # the environment leads to it
    return AwsServers(aws.REGION, clock)


def operations(cloud: Cloud) -> list[str]:
    return [call.operation for call in cloud.calls]


def token(cloud: Cloud, audience: str) -> str:
    """Ask the runner as anybody may who has what it gives to the job."""
    url, bearer = (cloud.oidc_environment[name] for name in OIDC)
    asked = Request(f"{url}&audience={audience}", headers={"Authorization": f"bearer {bearer}"})
    return str(json.load(urlopen(asked))["value"])


def assume(cloud: Cloud, **other: str) -> Any:
    """Ask STS as anybody may."""
    session = boto3.Session(region_name=aws.REGION)
    sts = session.client("sts", endpoint_url=cloud.url, config=Config(signature_version=UNSIGNED))
    wanted = {
        "RoleArn": cloud.oidc_environment[ROLE],
        "RoleSessionName": "somebody",
        "WebIdentityToken": "x" * 8,
        **other,
    }
    return sts.assume_role_with_web_identity(**wanted)["Credentials"]


# How it goes


def test_the_runner_vouches_for_the_job(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token."""
    assert servers.servers("mattermod", "spinmint") == []
    servers.keep_password("ssm", "mattermod/pr-7", "password")
    servers.keep_password("secrets-manager", "mattermod/pr-7", "password")
    assert servers.records(cloud.zone, aws.ZONE) == []
    assert operations(cloud)[:3] == ["GetToken", "AssumeRoleWithWebIdentity", "DescribeInstances"]
    assert operations(cloud).count("AssumeRoleWithWebIdentity") == 1
    asked = cloud.calls[1].parameters
    assert (asked["RoleArn"], asked["RoleSessionName"]) == (os.environ[ROLE], "mattermod-action")
    assert asked["DurationSeconds"] == "3600"
    assert clock.slept == []


def test_the_region_asks_its_own_sts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    sts = AwsServers("eu-central-1", clock)._account._anonymous()
    assert sts.meta.endpoint_url == "https://sts.eu-central-1.amazonaws.com"
    assert (sts.meta.config.connect_timeout, sts.meta.config.retries["total_max_attempts"]) == (5, 1)


def test_keys_of_an_hour_expire(servers: Servers, cloud: Cloud, clock: Clock) -> None:
    """The next run asks for new ones."""
    servers.servers("mattermod", "spinmint")
    clock.time += 3600
    with pytest.raises(Down, match="have expired"):
        servers.servers("mattermod", "spinmint")
    with pytest.raises(Down, match="have expired"):
        servers.keep_password("ssm", "mattermod/pr-7", "password")
    with pytest.raises(Down, match="have expired"):
        servers.records(cloud.zone, aws.ZONE)
    assert AwsServers(aws.REGION, clock).servers("mattermod", "spinmint") == []


# When it is done


def test_keys_in_the_environment_come_first(servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a step with aws-actions/configure-aws-credentials leaves them."""
    for name in KEYS:
        monkeypatch.setenv(name, cloud.environment[name])
    servers.servers("mattermod", "spinmint")
    assert operations(cloud) == ["DescribeInstances"]


def test_without_a_role_nobody_is_asked(servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROLE, "")
    with pytest.raises(Mistake, match=r"AWS needs credentials.*`AWS_ROLE_ARN`.*id-token: write"):
        servers.servers("mattermod", "spinmint")
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("other", "asked"),
    [
        ({}, True),
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, False),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, False),
        ({ROLE: ""}, False),
    ],
)
def test_a_role_is_asked_for_where_boto3_is_told_nothing(other: dict[str, str], asked: bool) -> None:  # noqa: FBT001  # a row of a table
    assert aws_identity.is_asked_for({ROLE: "arn", **other}) is asked


@pytest.mark.parametrize("missing", OIDC)
def test_the_permission_that_is_missing_is_named(
    servers: Servers, cloud: Cloud, clock: Clock, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(Mistake, match=r"`AWS_ROLE_ARN` is given.*`id-token: write`"):
        servers.servers("mattermod", "spinmint")
    assert (cloud.calls, clock.slept) == ([], [])


# Whatever goes wrong


@pytest.mark.parametrize("fault", ["status", "reset", "html", "empty", "cut"])
def test_a_runner_that_does_not_answer_is_down(servers: Servers, cloud: Cloud, clock: Clock, fault: Any) -> None:
    cloud.faults.add(Fault(fault, "oidc", times=0))
    with pytest.raises(Down, match="runner"):
        servers.terminate("i-0123456789abcdef0")
    assert operations(cloud) == ["GetToken"] * 4
    assert clock.slept == list(PAUSES)


@pytest.mark.parametrize("service", ["oidc", "sts"])
def test_once_they_answer_it_goes_on(servers: Servers, cloud: Cloud, clock: Clock, service: str) -> None:
    cloud.faults.add(Fault("status", service, times=3))
    servers.servers("mattermod", "spinmint")
    assert clock.slept == list(PAUSES)


@pytest.mark.parametrize(
    "fault",
    [
        AwsFault("status", "sts", code="IDPCommunicationError", times=0),
        AwsFault("status", "sts", code="Throttling", times=0),
        AwsFault("status", "sts", code="ServiceUnavailable", times=0),
        Fault("reset", "sts", times=0),
        Fault("empty", "sts", times=0, when="after"),
    ],
    ids=["of GitHub's keys", "limit", "5xx", "no answer", "an empty answer"],
)
def test_an_sts_that_does_not_answer_is_down(servers: Servers, cloud: Cloud, clock: Clock, fault: Fault) -> None:
    cloud.faults.add(fault)
    with pytest.raises(Down, match="sts:AssumeRoleWithWebIdentity"):
        servers.servers("mattermod", "spinmint")
    assert operations(cloud) == ["GetToken", *["AssumeRoleWithWebIdentity"] * 4]
    assert clock.slept == list(PAUSES)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidIdentityToken"])
def test_s12_a_job_that_is_not_trusted_is_told_where(servers: Servers, cloud: Cloud, clock: Clock, code: str) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html."""
    cloud.faults.add(AwsFault("status", "sts", code=code))
    with pytest.raises(Mistake, match=rf"the role of `AWS_ROLE_ARN` \({code}\): see infra/trust-policy\.json"):
        servers.servers("mattermod", "spinmint")
    assert clock.slept == []


def test_s12_another_role_is_not_given(servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROLE, cloud.oidc_environment[ROLE].replace("mattermod", "administrator"))
    with pytest.raises(Mistake, match=r"AccessDenied.*infra/trust-policy\.json"):
        servers.servers("mattermod", "spinmint")


@pytest.mark.parametrize("url", ["http://example.com/?a=b", "ftp://127.0.0.1/", "http://169.254.169.254/?a=b", "no"])
def test_s_a_token_is_asked_for_over_https_alone(
    servers: Servers, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(OIDC[0], url)
    with pytest.raises(Mistake, match=OIDC[0]):
        servers.servers("mattermod", "spinmint")
    assert cloud.calls == []


# What is said


def secrets(cloud: Cloud) -> list[str]:
    """What was sent and given so far that nobody may see."""
    sent = [parse_qs(call.body)["WebIdentityToken"][0] for call in cloud.calls if call.service == "sts"]
    return [cloud.oidc_environment[OIDC[1]], *sent, *cloud.aws.identity.given]


@pytest.mark.parametrize(
    "trouble", ["", "AccessDenied", "InvalidIdentityToken", "InternalError", "InvalidParameterValue"]
)
def test_s_neither_token_nor_keys_are_in_a_text(
    servers: Servers, cloud: Cloud, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    """Whatever AWS repeats, whatever boto3 would log, and in no environment that a child would have."""
    caplog.set_level(logging.DEBUG)
    told = ""
    if trouble:
        message = f"{token(cloud, 'sts.amazonaws.com')} canary"
        cloud.faults.add(AwsFault("status", "sts", code=trouble, message=message, times=0))
        with pytest.raises(MattermodError) as error:
            servers.servers("mattermod", "spinmint")
        told = "".join(traceback.format_exception(error.value)) + repr(error.value)
        assert "canary" not in told
    else:
        servers.servers("mattermod", "spinmint")
        assert len(secrets(cloud)) == 5
    account: Any = vars(servers)["_account"]
    environment = {name: value for name, value in os.environ.items() if name not in OIDC}
    seen = told + caplog.text + repr(vars(servers)) + repr(vars(account)) + str(environment)
    assert [each for each in secrets(cloud) if each in seen] == []


def test_s_a_broken_answer_with_keys_is_in_no_text(servers: Servers, cloud: Cloud) -> None:
    cloud.faults.add(Fault("cut", "sts", times=0, when="after"))
    with pytest.raises(Down) as error:
        servers.servers("mattermod", "spinmint")
    told = "".join(traceback.format_exception(error.value))
    assert cloud.aws.identity.given
    assert [each for each in secrets(cloud) if each in told] == []


def test_s_a_bearer_that_is_no_header_is_not_shown(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OIDC[1], "canary\nof the runner")
    with pytest.raises(Down, match="ValueError") as error:
        servers.servers("mattermod", "spinmint")
    assert "canary" not in "".join(traceback.format_exception(error.value))


# The judge is judged


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return error.value.response["Error"]["Code"]


def test_sts_believes_only_the_runner(cloud: Cloud, clock: Clock) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html."""
    assert refused(lambda: assume(cloud)) == "InvalidIdentityToken"
    other = token(cloud, "example.com")
    assert refused(lambda: assume(cloud, WebIdentityToken=other)) == "InvalidIdentityToken"
    right = token(cloud, "sts.amazonaws.com")
    assert assume(cloud, WebIdentityToken=right)["AccessKeyId"].startswith("ASIA")
    clock.time += 300
    assert refused(lambda: assume(cloud, WebIdentityToken=right)) == "ExpiredTokenException"


def test_keys_are_good_only_with_their_session(cloud: Cloud) -> None:
    given = assume(cloud, WebIdentityToken=token(cloud, "sts.amazonaws.com"))
    ec2 = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], "another", aws.REGION).client(
        "ec2", endpoint_url=cloud.url
    )
    assert refused(ec2.describe_instances) == "AuthFailure"


def test_the_runner_gives_a_token_to_its_job_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OIDC[1], "another")
    with pytest.raises(Down, match=r"the runner gives no token for AWS \(401\)"):
        aws_identity.token(os.environ)
    assert urlsplit(cloud.url).hostname == "127.0.0.1"


def test_what_else_sts_can_do_is_not_imitated(cloud: Cloud) -> None:
    assert refused(client(cloud, "sts").get_caller_identity) == "NotImplemented"


def test_t22_s05_what_the_runner_and_sts_give_is_hidden_before_its_use(cloud: Cloud, clock: Clock) -> None:
    """And a server's password, which is sent to AWS alone."""
    hidden: list[str] = []
    calls: list[int] = []

    def hide(values: Iterable[str]) -> None:
        hidden.extend(values)
        calls.append(len(operations(cloud)))

    servers = AwsServers(aws.REGION, clock, hide=hide)
    servers.servers("mattermod", "spinmint")
    token_of_job, *keys = hidden
    assert token_of_job.count(".") == 2
    assert len(keys) == 3
    assert keys[0].startswith("ASIA")
    servers.keep_password("ssm", "a/b", "a-password")
    assert hidden[-1] == "a-password"
    assert calls == [1, 2, len(operations(cloud)) - 1]
