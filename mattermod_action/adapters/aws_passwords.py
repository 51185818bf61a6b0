"""Passwords of test servers, in Parameter Store or in Secrets Manager: what only the server itself shall read.

No password is in a text of ours: what AWS says of these calls is not shown (`aws_errors.py`). What boto3 cannot read as
JSON it takes for an empty answer, and so each answer has to have what it always has.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from mattermod_action.adapters.aws_errors import Existing, Missing
from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from mattermod_action.adapters.aws_account import Account


class Place(Protocol):
    def keep(self, name: str, password: str) -> None: ...

    def forget(self, name: str) -> None: ...


def place_of(name: str, account: Account) -> Place:
    """Raises Mistake for a place that there is not."""
    match name:
        case "ssm":
            return Parameters(account)
        case "secrets-manager":
            return Secrets(account)
    raise Mistake(f"passwords are kept in `ssm` or in `secrets-manager`, not in `{name}`")


class Parameters:
    """Parameter Store, which encrypts with the account's own key. Names that have a slash begin with one.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def _ssm(self) -> Any:
        return self._account.client("ssm")

    def keep(self, name: str, password: str) -> None:
        wanted = {"Name": _path(name), "Value": password, "Type": "SecureString", "Overwrite": True}
        self._account.write("ssm:PutParameter", lambda: self._ssm.put_parameter(**wanted)["Version"])

    def forget(self, name: str) -> None:
        with suppress(Missing):
            self._account.write("ssm:DeleteParameter", lambda: self._ssm.delete_parameter(Name=_path(name)))


class Secrets:
    """Secrets Manager. A name that was deleted is free a moment later, until which AWS is asked again.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def _secretsmanager(self) -> Any:
        return self._account.client("secretsmanager")

    def keep(self, name: str, password: str) -> None:
        """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html."""

        def make() -> str:
            return str(self._secretsmanager.create_secret(Name=name, SecretString=password)["ARN"])

        def change() -> str:
            return str(self._secretsmanager.put_secret_value(SecretId=name, SecretString=password)["ARN"])

        try:
            self._account.write("secretsmanager:CreateSecret", make)
        except Existing:
            self._account.write("secretsmanager:PutSecretValue", change)

    def forget(self, name: str) -> None:
        def end() -> str:
            return str(self._secretsmanager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)["ARN"])

        with suppress(Missing):
            self._account.write("secretsmanager:DeleteSecret", end)


def _path(name: str) -> str:
    return f"/{name}" if "/" in name else name
