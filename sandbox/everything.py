"""GitHub, Jenkins, chat and AWS together, by one clock: what `python -m sandbox up` and `make demo` start."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox import chat, jenkins
from sandbox.serving import Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.aws import Cloud
    from sandbox.state import State


@dataclass
class Everything:
    """The running services; `environment` has the addresses and keys of all of them."""

    github: Sandbox
    jenkins: jenkins.Jenkins
    chat: chat.Chat
    aws: Cloud | None

    @property
    def environment(self) -> dict[str, str]:
        cloud = self.aws.environment if self.aws else {}
        return {**self.github.environment, **self.jenkins.environment, **self.chat.environment, **cloud}


@contextmanager
def serve_all(
    scenario: Path | str | dict[str, Any] | State | None = None, port: int = 0, *, aws: bool = True
) -> Iterator[Everything]:
    """Run them for as long as the `with` lasts; `port` is GitHub's. AWS is slow to start: moto is large."""
    with ExitStack() as stack:
        github = stack.enter_context(serve(scenario, port))
        builds = stack.enter_context(jenkins.serve(lambda: github.state.now().timestamp()))
        for name, scripts in github.state.jobs.items():
            builds.add_job(name, *(jenkins.Script(**script) for script in scripts))
        running = Everything(github, builds, stack.enter_context(chat.serve()), None)
        if aws:
            running.aws = stack.enter_context(_cloud(github.state))
        _show(running)
        yield running


@contextmanager
def _cloud(state: State) -> Iterator[Cloud]:
    from sandbox.aws import serve as serve_aws

    with serve_aws(now=lambda: state.now().timestamp()) as running:
        yield running


def _show(running: Everything) -> None:
    beside = running.github.state.beside
    if running.aws:
        beside["Instances"], beside["DNS records"] = running.aws.shown_instances, running.aws.shown_records
    beside["Builds"] = running.jenkins.shown
    beside["Chat"] = lambda: [{"text": text} for text in running.chat.texts]


def on_stop() -> threading.Event:
    """Return what Ctrl-C and SIGTERM set from now on, also where a shell's `&` had turned SIGINT off."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
