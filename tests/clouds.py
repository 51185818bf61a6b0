"""What tests of AWS share: a clock for both sides, a way there, and somebody else who looks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from sandbox import aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from sandbox.aws import Cloud, Delays


@dataclass
class Clock:
    """Time of the sandbox and of the adapter; sleeping takes none of ours."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)
    offset: timedelta = timedelta()

    def __call__(self) -> float:
        return self.time

    def now(self) -> datetime:
        return datetime(2026, 1, 1) + timedelta(seconds=self.time)  # noqa: DTZ001  # naive, as the port says

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@contextmanager
def leading_here(clock: Clock, monkeypatch: pytest.MonkeyPatch, delays: Delays | None = None) -> Iterator[Cloud]:
    """Run AWS, to which what a step has in its environment leads."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with aws.serve(clock, delays) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@cache  # it keeps AWS's description of EC2, which takes long to read
def session() -> Any:
    return boto3.Session(aws.KEY, aws.SECRET, region_name=aws.REGION)


def client(cloud: Cloud, service: str) -> Any:
    """Somebody else, who looks or changes things by hand."""
    return session().client(service, endpoint_url=cloud.url, config=Config(retries={"total_max_attempts": 1}))
