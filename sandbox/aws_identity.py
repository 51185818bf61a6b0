"""Who may enter: the key of the sandbox, and those that STS gives for a token of the runner.

The runner's endpoint for tokens is here, too; STS believes in no others.
https://docs.github.com/en/actions/reference/security/oidc
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sandbox.answers import Answer, answer
from sandbox.aws_answers import AwsError

if TYPE_CHECKING:
    from sandbox.aws import Aws, Call, Fate

KEY, SECRET = "AKIASANDBOX000000000", "the-sandbox-looks-at-no-signature"
TOKEN_PATH = "/oidc/token"  # noqa: S105  # where tokens are, not one
AUDIENCE = "sts.amazonaws.com"
ISSUER = "https://token.actions.githubusercontent.com"
LIFETIME = 300.0  # seconds that a token of the runner is good for
STRANGER = {"ec2": "AuthFailure", "ssm": "UnrecognizedClientException", "secretsmanager": "UnrecognizedClientException"}
EXPIRED = {"ec2": "RequestExpired", "ssm": "ExpiredTokenException", "secretsmanager": "ExpiredTokenException"}


@dataclass(frozen=True, slots=True)
class Lent:
    """Keys for a while."""

    session_token: str
    until: float


class Identity:
    """The tokens and keys that were given out in one account.

    `bearer` is what the runner gives to a job, `given` all keys and session tokens that STS has given out.
    """

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.bearer = secrets.token_urlsafe(16)
        self.role = f"arn:aws:iam::{aws.account}:role/mattermod"
        self.given: list[str] = []
        self._tokens: dict[str, tuple[str, float]] = {}  # audience and end
        self._lent: dict[str, Lent] = {}

    def check(self, call: Call, environ: dict[str, Any]) -> None:
        """Raise AwsError for a key that nobody has. Signatures are not looked at: in real life the key is wrong."""
        found = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if call.service in ("sts", "oidc") or (found and found[1] == KEY):
            return
        lent = self._lent.get(found[1]) if found else None
        if lent is None or environ.get("HTTP_X_AMZ_SECURITY_TOKEN") != lent.session_token:
            raise AwsError(STRANGER.get(call.service, "InvalidClientTokenId"))
        if self.aws.now() >= lent.until:
            raise AwsError(EXPIRED.get(call.service, "ExpiredToken"))

    def token(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        """Answer as the runner does."""
        del call, raw, fate
        if environ.get("HTTP_AUTHORIZATION", "").lower() != f"bearer {self.bearer}".lower():
            return answer(401, {"message": "Unauthorized"})
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        audience = asked.get("audience", ["https://github.com/sandbox"])[0]
        made = _jwt({"iss": ISSUER, "aud": audience, "jti": secrets.token_hex(8)})
        self._tokens[made] = (audience, self.aws.now() + LIFETIME)
        return answer(200, {"count": len(made), "value": made})

    def sts(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        del fate
        if call.operation != "AssumeRoleWithWebIdentity":
            raise NotImplementedError(call.operation)
        self._check_token(call.parameters)
        reply = self.aws.ask_moto(environ, raw)
        if reply.status == 200:
            self._lend(reply.body.decode(), float(call.parameters.get("DurationSeconds", "3600")))
        return reply

    def _check_token(self, parameters: dict[str, str]) -> None:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors."""
        audience, until = self._tokens.get(parameters.get("WebIdentityToken", ""), ("", 0.0))
        if audience != AUDIENCE:
            raise AwsError("InvalidIdentityToken", "Incorrect token audience" if audience else "")
        if self.aws.now() >= until:
            raise AwsError("ExpiredTokenException")
        if parameters.get("RoleArn") != self.role:
            raise AwsError("AccessDenied")

    def _lend(self, body: str, seconds: float) -> None:
        [key] = re.findall(r"<AccessKeyId>(\w+)</AccessKeyId>", body)
        [secret] = re.findall(r"<SecretAccessKey>([^<]+)</SecretAccessKey>", body)
        [session] = re.findall(r"<SessionToken>([^<]+)</SessionToken>", body)
        self.given += [key, secret, session]
        self._lent[key] = Lent(session, self.aws.now() + seconds)


def _jwt(claims: dict[str, str]) -> str:
    head, body = (_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{head}.{body}.{_encoded(secrets.token_bytes(256))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
