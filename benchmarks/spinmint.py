"""How many calls of GitHub's API and of AWS the life of a test server costs, and how long each run takes here.

In the sandbox AWS does at once what it is asked for, so that nothing is polled twice. What is polled costs, for each
look, a call of GitHub's while the build is waited for, and up to three of AWS's while it boots and is named.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from sandbox import payloads
from tests import servers
from tests.harness import Bot
from tests.spinmints import scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.spinmints import Scene

ALL = (20, 15)  # calls of GitHub's and of AWS's from the label to the server that is ready


@dataclass
class Life:
    """What is counted; `problems` make the benchmark fail."""

    scene: Scene
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, title: str, act: Callable[[], Any], state: str, budget: tuple[int, int] | None = None) -> None:
        github, aws = len(self.scene.github.requests), len(self.scene.calls())
        began = time.perf_counter()
        act()
        seconds = time.perf_counter() - began
        calls = (len(self.scene.github.requests) - github, len(self.scene.calls()) - aws)
        ended = self.scene.rows()[-1][0]
        if ended != state:
            self.problems.append(f"{title}: {ended}, and not {state}")
        if budget and (calls[0] > budget[0] or calls[1] > budget[1]):
            self.problems.append(f"{title}: {calls} calls of {budget}")
        shown = f"{budget[0]} and {budget[1]}" if budget else None
        self.rows[title] = {"GitHub": calls[0], "AWS": calls[1], "budget": shown, "s": round(seconds, 2)}


def run() -> dict[str, Any]:
    """Return the table; `problems` make the benchmark fail."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.server(home)).migrated()
        github = stack.enter_context(sandbox.serve())
        bot = Bot(github.url, github.token, home / "bot", servers.url(database))
        life = Life(stack.enter_context(scene(bot, github, database)))
        _live(life)
    return {"calls": life.rows, "problems": life.problems}


def _live(life: Life) -> None:
    here = life.scene
    first = here.pull()
    here.built(first)
    here.deliver(here.labeled(first))  # the first run pays for what all share: it reads AWS's descriptions
    here.deliver(here.unlabeled(first))
    pull = here.pull()
    here.built(pull)
    label = here.labeled(pull)
    life.count("label to ready", lambda: here.deliver(label), "ready", ALL)
    life.count("the label delivered again", lambda: here.deliver(label), "ready")
    here.pass_time(600)
    life.count("a sweep with one server", here.sweep, "ready")
    said = here.said(pull, "/spinmint extend 24h")
    life.count("/spinmint extend 24h", lambda: here.deliver(said), "ready")
    closed = payloads.closed(here.github.state, here.github.repository, pull.number, "maintainer")
    life.count("closed to destroyed", lambda: here.deliver(closed), "destroyed")
    here.pass_time(600)
    life.count("a sweep with nothing to do", here.sweep, "destroyed")
