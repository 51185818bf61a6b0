"""5,000 configurations that went wrong: always exit code 2, a line a mistake, and no call but the one that reads.

`make test` takes the first of them, `make soak` all. Red when `_compose` only knows the library's own errors, when
`_visible` shows every key as it is, or when a bot is made before the configuration is checked and asks for anything.
"""

from __future__ import annotations

import random
import re
import signal
from typing import TYPE_CHECKING

import pytest

from mattermod_action import job
from mattermod_action.config import ConfigErrors, load
from sandbox import payloads
from tests.config.mutants import mutant
from tests.harness import Bot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Sandbox

CHUNK, CHUNKS, FEW, PROCESSES = 100, 50, 2, 12
LINE = re.compile(r"\.github/c\.\w+:(?P<line>\d+): [^\s].*")


def is_wrong(text: str, name: str) -> bool:
    """Raise whatever else than ConfigErrors comes of it."""
    try:
        load(text, name)
    except ConfigErrors:
        return True
    return False


@pytest.fixture
def own_signals() -> Iterator[None]:
    """What a job does with signals ends with it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def write(github: Sandbox, seed: int) -> tuple[str, bytes]:
    """Put the mutant on the default branch; return its path."""
    name, raw = mutant(random.Random(seed), is_wrong)  # noqa: S311  # repeatable, not secret
    github.state.write_files(github.repository, {f".github/{name}": raw})
    return f".github/{name}", raw


def judge(github: Sandbox, code: int, log: str, raw: bytes) -> None:
    lines = [line for line in log.splitlines() if " on octo-org/hello#" not in line]
    assert code == 2
    assert lines
    assert len(set(lines)) == len(lines)
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, line
        assert line.isprintable(), line
        assert 1 <= int(match["line"]) <= len(re.split(rb"[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9]", raw)) + 1, line
    assert [(call.method, call.path.rpartition("/contents/")[0]) for call in github.requests] == [
        ("GET", "/repos/octo-org/hello")
    ]


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize(
    "chunk", [pytest.param(each, marks=[pytest.mark.soak] if each >= FEW else []) for each in range(CHUNKS)]
)
def test_a_wrong_configuration_is_said_and_nothing_is_done(
    github: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    chunk: int,
) -> None:
    """The seed of one that fails is its number."""
    event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    for name, value in Bot(github.url, github.token, tmp_path).environment("pull_request_target", event).items():
        monkeypatch.setenv(name, value)
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        path, raw = write(github, seed)
        monkeypatch.setenv("INPUT_CONFIG", path)
        github.requests.clear()
        code, log = job.run(), "".join(capfd.readouterr())
        try:
            judge(github, code, log, raw)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}\n{log}") from error


@pytest.mark.parametrize("seed", range(PROCESSES))
def test_so_it_is_of_a_whole_process(bot: Bot, github: Sandbox, seed: int) -> None:
    """On both stores, neither of which is asked."""
    event = payloads.labeled(github.state, github.repository, github.pull, "2: Dev Review", "maintainer")
    bot.inputs["config"], raw = write(github, seed)
    github.requests.clear()
    ran = bot.run("pull_request_target", event)
    judge(github, ran.code, ran.log, raw)
