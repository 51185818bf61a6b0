"""One account of AWS in one region: its clients, with boto3's own retries off, and how often each request is made.

boto3 would wait 60 s for an answer, five times. Here reads are repeated after short pauses, and so is what a token
makes safe; any other write only when AWS says that it has not been carried out.
"""

from __future__ import annotations

import logging
import os
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from mattermod_action.adapters import aws_identity, deadlines
from mattermod_action.adapters.aws_errors import ASSUME, call
from mattermod_action.errors import Down, Late, Limited, Mistake, Refused, Unsure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mattermod_action.ports import Clock

    Hide = Callable[[Iterable[str]], None]  # before a secret's first use

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 20.0  # seconds
PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt

T = TypeVar("T")


def nothing(_: Iterable[str]) -> None: ...


class Account:
    """Whose account it is and where AWS is, boto3 and `aws_identity` read from the environment."""

    def __init__(self, region: str, clock: Clock, read_timeout: float = READ_TIMEOUT, hide: Hide = nothing) -> None:
        self._hide = hide
        self._region, self._clock, self._read_timeout = region, clock, read_timeout
        self.client = cache(self._client)

    def read(self, permission: str, request: Callable[[], T]) -> T:
        return self.repeat(Down, permission, request, Down)

    def write(self, permission: str, request: Callable[[], T]) -> T:
        return self.repeat(Limited, permission, request)

    def repeat(self, on: type[Down], permission: str, request: Callable[[], T], unanswered: type[Down] = Unsure) -> T:
        """Make a request up to four times, as long as it ends with `on`; who we are is found out before, and once."""
        call(lambda: self._session, permission, Down)
        return self._repeat(on, permission, request, unanswered)

    def _repeat(self, on: type[Down], permission: str, request: Callable[[], T], unanswered: type[Down]) -> T:
        """What AWS says of a later attempt says nothing of one that it has not answered."""
        lost: Unsure | None = None
        for pause in PAUSES:
            try:
                return self._once(permission, request, unanswered)
            except Late:
                raise
            except on as error:
                lost = error if isinstance(error, Unsure) else lost
                self._clock.sleep(pause)
            except (Mistake, Refused) as error:
                raise lost or error from None
        return self._once(permission, request, unanswered)

    def _once(self, permission: str, request: Callable[[], T], unanswered: type[Down]) -> T:
        with deadlines.answer(CONNECT_TIMEOUT + self._read_timeout):
            return call(request, permission, unanswered)

    def _client(self, service: str) -> Any:
        return self._session.client(service, config=self._config())

    def _config(self, **more: Any) -> Any:
        from botocore.config import Config

        _limit()
        # What is sent and answered, passwords and keys too, is what botocore tells on the level below.
        logging.getLogger("botocore").setLevel(logging.INFO)
        return Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=self._read_timeout,
            retries={"total_max_attempts": 1},  # `max_attempts` would count what comes after the first
            **more,
        )

    @cached_property
    def _session(self) -> Any:
        import boto3

        if not self._region:
            raise Mistake("no region of AWS: give the input `aws-region`")
        return boto3.Session(region_name=self._region, **self._keys())

    def _keys(self) -> dict[str, Any]:
        """The keys of the role that the runner vouches for; nothing where boto3 is to find some by itself."""
        if not aws_identity.is_asked_for(os.environ):
            return {}
        token = self._asked(lambda: aws_identity.token(os.environ))
        self._hide([token])
        role, sts = os.environ[aws_identity.ROLE], self._anonymous()
        keys = self._asked(lambda: aws_identity.keys(sts, role, token))
        self._hide(keys.values())
        return keys

    def _asked(self, request: Callable[[], T]) -> T:
        return self._repeat(Down, ASSUME, request, Down)

    def _anonymous(self) -> Any:
        """A client of STS, which learns from the token alone who asks."""
        import boto3
        from botocore import UNSIGNED

        session = boto3.Session(region_name=self._region)
        return session.client("sts", config=self._config(signature_version=UNSIGNED))


@cache
def _limit() -> None:
    """Have botocore's connections end with the answer's deadline; its own pools make them."""
    from botocore import awsrequest

    from mattermod_action.adapters.limited_requests import Limited

    for pool in (awsrequest.AWSHTTPConnectionPool, awsrequest.AWSHTTPSConnectionPool):
        kind = pool.ConnectionCls
        pool.ConnectionCls = type(f"Limited{kind.__name__}", (Limited, kind), {})
