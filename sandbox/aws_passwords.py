"""Parameter Store and Secrets Manager before moto: the name of a secret that was deleted is not free at once.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.aws_answers import AwsError

if TYPE_CHECKING:
    from sandbox.answers import Answer
    from sandbox.aws import Aws, Call, Fate

OPERATIONS = {
    "ssm": ("PutParameter", "GetParameter", "DeleteParameter"),
    "secretsmanager": ("CreateSecret", "PutSecretValue", "GetSecretValue", "DeleteSecret"),
}
SCHEDULED = "You can't create this secret because a secret with this name is already scheduled for deletion."


class Passwords:
    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self._free: dict[str, float] = {}  # from when on a name that was deleted is free

    def answer(self, call: Call, environ: dict[str, Any], raw: bytes, fate: Fate) -> Answer:
        del fate
        if call.operation not in OPERATIONS[call.service]:
            raise NotImplementedError(call.service)
        asked = json.loads(raw)
        if call.operation == "CreateSecret" and self.aws.now() < self._free.get(asked["Name"], 0.0):
            raise AwsError("InvalidRequestException", SCHEDULED)
        reply = self.aws.ask_moto(environ, raw)
        if call.operation == "DeleteSecret" and reply.status == 200:
            self._free[asked["SecretId"]] = self.aws.now() + self.aws.delays.secret_gone
        return reply
