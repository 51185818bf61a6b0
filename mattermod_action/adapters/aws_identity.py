"""Who we are in AWS, without a key: the runner vouches for the job, and STS gives a role's keys for an hour.

The step names the role in `AWS_ROLE_ARN`, the job has `id-token: write`. Token and keys are in memory and nowhere else.
https://docs.github.com/en/actions/reference/security/oidc
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters import deadlines
from mattermod_action.adapters.aws_errors import OIDC
from mattermod_action.adapters.plain_http import WHOLE, NotAllowedError, open_url
from mattermod_action.errors import Down, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE = "AWS_ROLE_ARN"
# With one of these, boto3 is told by other means who we are.
# https://docs.aws.amazon.com/boto3/latest/guide/credentials.html
OTHERS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
# The runner sets both in jobs with `id-token: write`, for actions in a container, too.
# https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
ADDRESS, BEARER = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
AUDIENCE = "sts.amazonaws.com"
SESSION = "mattermod-action"  # how CloudTrail names what we did
DURATION = 3600  # seconds: what a role allows unless somebody says otherwise
LARGEST = 65_536  # bytes; a token has some thousand


def is_asked_for(environment: Mapping[str, str]) -> bool:
    return bool(environment.get(ROLE)) and not any(environment.get(name) for name in OTHERS)


def token(environment: Mapping[str, str]) -> str:
    """Ask the runner for a token that says which job this is. Raises Mistake and Down."""
    address, bearer = environment.get(ADDRESS), environment.get(BEARER)
    if not address or not bearer:
        raise Mistake(f"`{ROLE}` is given, but the job may not have a token for it: it takes {OIDC}")
    try:
        status, body = _get(f"{address}&audience={AUDIENCE}", bearer)
    except NotAllowedError as error:
        raise Mistake(f"`{ADDRESS}`: {error}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # a ValueError repeats the header
        raise Down(f"the runner gives no token for AWS ({type(error).__name__})") from None
    if status != http.client.OK:
        raise Down(f"the runner gives no token for AWS ({status})")
    return _value(body)


def keys(sts: Any, role: str, web_identity: str) -> dict[str, str]:
    """Exchange the token for the role's keys, as `boto3.Session` takes them."""
    answer = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName=SESSION, WebIdentityToken=web_identity, DurationSeconds=DURATION
    )
    given = answer["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def _get(url: str, bearer: str) -> tuple[int, bytes]:
    connection, target = open_url(url)
    headers = {"Authorization": f"bearer {bearer}", "Accept": "application/json"}
    try:
        with deadlines.answer(WHOLE):
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(LARGEST)
    finally:
        connection.close()


def _value(body: bytes) -> str:
    try:
        found = json.loads(body)["value"]
    except (LookupError, TypeError, ValueError):
        found = None
    if not found or not isinstance(found, str):
        raise Down("the runner's token for AWS cannot be read")
    return found
