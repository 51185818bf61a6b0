"""The one boundary at which the errors of boto3 become ours.

No text of ours holds a secret or user data: of AWS's own words only those are shown that cannot, and nothing in them
that is as long as a key. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from botocore import exceptions
from botocore.parsers import ResponseParserError

from mattermod_action.errors import Down, Limited, Mistake, Overtaken, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

OIDC = "`AWS_ROLE_ARN` in `env:` of the step, and `id-token: write` among the `permissions:` of its job"
ASSUME = "sts:AssumeRoleWithWebIdentity"
# AWS does not say how long; a bucket refills with 2 to 20 requests a second, but others draw from it, too.
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests
WAIT = 30.0  # seconds
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html#API_PutParameter_Errors
THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "PriorRequestNotComplete", "TooManyUpdates"}
STRANGER = {
    "AuthFailure", "IncompleteSignature", "InvalidClientTokenId", "MissingAuthenticationToken",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
NO_ROOM = {
    "InstanceLimitExceeded", "InsufficientAddressCapacity", "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet", "InsufficientHostCapacity", "InsufficientInstanceCapacity",
    "InsufficientVolumeCapacity", "LimitExceededException", "MaxIOPSLimitExceeded", "ParameterLimitExceeded",
    "VcpuLimitExceeded", "VolumeLimitExceeded",
}  # fmt: skip
# What the configuration names, and AWS does not have.
UNKNOWN = (
    "InvalidAMIID.", "InvalidGroup.", "InvalidGroupId.", "InvalidKeyPair.", "InvalidSecurityGroupID.",
    "InvalidSubnetID.", "NoSuchHostedZone",
)  # fmt: skip
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
NOT_TRUSTED = {*DENIED, "IDPRejectedClaim", "InvalidIdentityToken", "RegionDisabledException", "ValidationError"}
ASK_AGAIN = {"IDPCommunicationError"}  # STS could not read GitHub's keys, and "can be retried"
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html#API_DeleteParameter_Errors
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html#API_PutSecretValue_Errors
NOT_THERE = {"InvalidInstanceID.NotFound", "ParameterNotFound", "ResourceNotFoundException"}
# What is sent to these is secret, and nothing that they say is shown.
DISCREET = ("secretsmanager:", "ssm:", "sts:")
# What the policy for passwords allows, and not the one that each role has.
FOR_PASSWORDS = ("iam:", "secretsmanager:", "ssm:")
NO_CREDENTIALS = (
    exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound, exceptions.TokenRetrievalError, exceptions.SSOError,
)  # fmt: skip
NO_REGION = (exceptions.NoRegionError, exceptions.InvalidRegionError)
NEVER_SENT = exceptions.ConnectionError  # of the name, the connection, its encryption or the proxy
NO_ANSWER = (exceptions.HTTPClientError, exceptions.IncompleteReadError)
SERVER_ERROR = 500
SHOWN = 200  # characters of AWS's own words
# So long are secret keys, session tokens, and anything in base64; and whose account it is need not be read by anybody.
_SECRET = re.compile(r"[A-Za-z0-9+/=_-]{40,}|arn:\S+|(?<!\d)\d{12}(?!\d)")
_PERMISSION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")


class Missing(Refused):
    """AWS does not know what was asked about."""


class Existing(Refused):
    """AWS has one of that name."""


def call(request: Callable[[], T], permission: str, unanswered: type[Down]) -> T:
    """Make a request that takes this permission; `unanswered` is raised when nobody knows what came of it."""
    try:
        return request()
    except exceptions.ClientError as error:
        _raise_for(error, permission, unanswered)
    except NO_CREDENTIALS as error:
        raise Mistake(f"AWS needs credentials: give the input `aws-region`, {OIDC}") from error
    except NO_REGION as error:
        raise Mistake("the input `aws-region` is no region of AWS: give one, such as us-east-1") from error
    except NEVER_SENT as error:
        raise Down(f"AWS cannot be reached ({type(error).__name__}): is the input `aws-region` right?") from error
    except NO_ANSWER as error:
        raise unanswered(f"AWS did not answer {permission} ({type(error).__name__})") from error
    except exceptions.BotoCoreError as error:  # its text may repeat what it was given
        raise Mistake(f"{permission} cannot be asked for as it is configured ({type(error).__name__})") from None
    except (ResponseParserError, LookupError, TypeError, ValueError):  # what cannot be read is in its text
        raise unanswered(f"AWS's answer to {permission} cannot be read") from None


def _raise_for(error: exceptions.ClientError, permission: str, unanswered: type[Down]) -> NoReturn:
    code, message, status = _said(error)
    told = "" if permission.startswith(DISCREET) else message
    shown = _shown(told)
    _raise_for_identity(code, told, permission)
    _raise_for_time(code, message, permission)
    if code in NO_ROOM:
        raise Refused(f"AWS has no room for it ({code}){shown}") from None
    if code.startswith(UNKNOWN) or (code == "InvalidParameterValue" and "IAM Instance Profile" in message):
        raise Mistake(f"AWS does not have what the configuration names ({code}){shown}") from None
    if status >= SERVER_ERROR or not code or code.isdecimal() or code in ASK_AGAIN:  # or in none of AWS's words
        raise unanswered(f"AWS answered {permission} with {status} {code}".rstrip()) from None
    _raise_for_state(code, message)
    raise Refused(f"AWS refused {permission} ({code}){shown}") from None


def _raise_for_identity(code: str, message: str, permission: str) -> None:
    """What AWS says of a signature repeats what was signed, and with it the session token: none of that is shown."""
    if permission == ASSUME and code in NOT_TRUSTED:
        told = f"AWS does not give this job the role of `AWS_ROLE_ARN` ({code}): see infra/trust-policy.json"
        raise Mistake(told) from None
    if code in STRANGER:
        raise Mistake(f"AWS does not accept the credentials for {permission} ({code}): they come from {OIDC}") from None
    if code in EXPIRED:
        raise Down(f"AWS's credentials have expired ({code}): the next run gets new ones from {OIDC}") from None
    if code in DENIED:
        named = _PERMISSION.search(message)
        missing = named[1] if named else permission
        beside = missing.startswith(FOR_PASSWORDS)
        policy = "infra/iam-policy-passwords.json" if beside else "infra/iam-policy.json"
        raise Mistake(f"AWS's role may not {missing} here ({code}): see {policy}") from None


def _raise_for_time(code: str, message: str, permission: str) -> None:
    """What has not been carried out, and will be a little later.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    """
    if code in THROTTLED:
        raise Limited(f"AWS limits how often {permission} may be asked for ({code})", WAIT) from None
    if code == "InvalidRequestException" and "deletion" in message:
        raise Limited(f"AWS is still deleting the secret of that name ({code})", WAIT) from None


def _raise_for_state(code: str, message: str) -> None:
    if code in NOT_THERE or (code == "InvalidChangeBatch" and "but it was not found" in message):
        raise Missing(f"AWS does not know it ({code})") from None
    if code == "ResourceExistsException":
        raise Existing(f"AWS has one of that name ({code})") from None
    if code == "InvalidChangeBatch" and "do not match the current values" in message:
        raise Overtaken("the record is no longer as it was listed") from None
    if code == "IdempotentParameterMismatch":
        raise Refused(f"the server's token was used for another launch before ({code})") from None


def _said(error: exceptions.ClientError) -> tuple[str, str, int]:
    """Code, message and status. What answers in AWS's place with HTML has its status for a code, or none."""
    answer: dict[str, Any] = {**error.response}
    said, about = answer.get("Error") or {}, answer.get("ResponseMetadata") or {}
    code, message, status = said.get("Code"), said.get("Message"), about.get("HTTPStatusCode")
    return str(code or ""), str(message or ""), int(status or 0)


def _shown(message: str) -> str:
    """The end of a line, without anything that might be a secret."""
    words = _SECRET.sub("…", " ".join(message.split()))[:SHOWN]
    return f": {words}" if words else ""
