"""Dying, being stopped and being answered badly at any point of a pick: one pull request, one comment, and no trace."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from mattermod_action.report import forms_of
from sandbox.faults import Fault, When
from tests.cut import PHASES, Cut
from tests.pick_trials import APPROVED, CLEAN, CONFLICTING, NOW, Asked, Picks, name
from tests.test_faults import BROKEN, assert_clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox
    from tests.harness import Bot, Run

FIRST = {
    "sqlite": ("delivered again", "run again", "run again elsewhere"),
    "mysql": ("delivered again", "run again", "swept"),
}


@pytest.fixture
def picks(bot: Bot, github: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Picks:
    database = request.getfixturevalue("database") if bot.database_url else None
    return Picks(bot, github, database).prepare(tmp_path / "clone")


def go_on(asked: Asked, how: str) -> None:
    """Have it brought to its end, once every lease is over."""
    picks = asked.picks
    picks.pass_time()
    if how == "swept":
        assert picks.sweep().code == 0
        if asked.rows():
            return
        asked.assert_nothing()  # it is not known to anybody that it was asked for
    knows = asked.clean == (CLEAN,) or any(label.name == APPROVED for label in asked.pull.labels)
    if how == "run again elsewhere" and knows:  # once the label is off, only the file knows that the comment is missing
        picks.lose_state()
    run = picks.deliver(asked.event, **({} if how == "delivered again" else {"GITHUB_RUN_ATTEMPT": "2"}))
    assert run.code == 0, run.log


def ways(picks: Picks) -> tuple[str, ...]:
    return FIRST["mysql" if picks.database else "sqlite"]


SOAK: Any = pytest.mark.soak
# What is left when a process dies is what the last server has that was asked: `during` at each request and at each
# statement leaves all that can be left on MySQL, `before` what a file has by then. The other phases leave the same.
SHORT = (("mysql", "sql", "during", "command"), ("sqlite", "http", "before", "label"))
WIRES = [
    pytest.param(store, wire, phase, how, marks=() if (store, wire, phase, how) in SHORT else SOAK)
    for store, wire in (("mysql", "http"), ("mysql", "sql"), ("sqlite", "http"))
    for phase in PHASES
    for how in ("command", "label")
]


@pytest.mark.long
@pytest.mark.parametrize(("bot", "wire", "phase", "how"), WIRES, indirect=["bot"])
def test_f01_kill_9_at_every_request(picks: Picks, wire: str, phase: str, how: str) -> None:
    """F01, I1, I5, I10: at the k-th request to GitHub and by git, or statement, for all k; then it is gone on with."""
    for at in itertools.count(1):
        asked, cut = picks.asked(how), Cut(at, phase)
        with picks.wired(wire, cut) as bot:
            run = bot.kill(name(asked.event), asked.event, cut, **NOW, **picks.clock)
        if len(cut.names) < at:
            break
        assert run.code == -signal.SIGKILL or phase == "after", run.log  # after its last answer it may end first
        asked.assert_at_most_once()
        way = ways(picks)[at % 3]
        try:
            go_on(asked, way)
            asked.assert_settled()
        except AssertionError as error:
            raise AssertionError(f"{way} after {cut.names[:at]}: {error}") from error
    assert run.code == 0, run.log
    assert at > 18


GIT = """#!/bin/sh
echo "$1" >> {calls}
test "$(wc -l < {calls})" -eq {at} || exec {git} "$@"
case {when} in
  before) kill -9 $PPID; exit 1;;
  after) {git} "$@"; kill -9 $PPID; exit 1;;
  beside) kill -9 $PPID; exec {git} "$@";;
esac
"""


@dataclass
class Wrapped:
    """A git, first in PATH, that kills who has called it at the `at`-th call: before, after, or while it goes on."""

    home: Path

    def at(self, at: int, when: str = "") -> dict[str, str]:
        self._calls.unlink(missing_ok=True)
        program = self.home / "git"
        self.home.mkdir(exist_ok=True)
        program.write_text(GIT.format(calls=self._calls, at=at, when=when, git=shutil.which("git")))
        program.chmod(0o755)
        return {"PATH": f"{self.home}:{os.environ['PATH']}"}

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().split()

    @property
    def _calls(self) -> Path:
        return self.home / "calls"


@pytest.mark.long
@pytest.mark.parametrize(
    ("bot", "whole"),
    [("sqlite", False), pytest.param("sqlite", True, marks=SOAK), pytest.param("mysql", True, marks=SOAK)],
    indirect=["bot"],
)
@pytest.mark.parametrize("when", ["before", "after", "beside"])
def test_f01_kill_9_at_every_call_of_git(picks: Picks, *, when: str, whole: bool, tmp_path: Path) -> None:
    """F01: those that are no requests, too; unless `whole`, the first of each, and those that go over the network."""
    wrapped = Wrapped(tmp_path / "bin")
    asked = picks.asked()
    assert picks.deliver(asked.event, **wrapped.at(0)).code == 0
    calls = wrapped.calls
    firsts = [
        at
        for at, call in enumerate(calls, 1)
        if call in ("fetch", "push") or (when == "before" and call not in calls[: at - 1])
    ]
    assert len(calls) > 15
    for at in range(1, len(calls) + 1) if whole else firsts:
        asked = picks.asked()
        run = picks.bot.kill(name(asked.event), asked.event, Cut(), **NOW, **picks.clock, **wrapped.at(at, when))
        assert run.code == -signal.SIGKILL, run.log
        go_on(asked, ways(picks)[at % 3])
        asked.assert_settled()


def running(folder: Path) -> list[str]:
    """The processes that work in a repository below this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"={folder}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.one_store
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=SOAK) for seed in range(4, 40))])
def test_f02_a_cancelled_run_stops_with_its_git(picks: Picks, seed: int, tmp_path: Path) -> None:
    """F02, R-05: at a random moment in or after a random request."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    number, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][seed % 2]
    (tmp_path / "tmp").mkdir()
    asked, sent = picks.asked(), []

    def stop() -> None:
        sent.append(time.monotonic())
        process.send_signal(number)

    def later() -> bytes:
        threading.Timer(dice.uniform(0, 0.1), stop).start()
        return b""

    picks.github.state.latency = 0.03
    with picks.wired("http", Cut(dice.randint(4, 20), act=later)) as bot:
        process = bot.start(name(asked.event), asked.event, TMPDIR=str(tmp_path / "tmp"), **NOW)
        run = bot.finish(process)
    assert sent
    assert time.monotonic() - sent[0] < 5
    assert_clean(run)
    assert run.code == code, run.log
    assert running(tmp_path / "tmp") == []
    asked.assert_at_most_once()
    go_on(asked, ways(picks)[seed % 3])
    asked.assert_settled()


@pytest.mark.parametrize("bot", ["mysql"], indirect=True)
@pytest.mark.parametrize("at", [pytest.param(at, marks=() if at in (7, 11, 18, 24) else SOAK) for at in range(1, 30)])
def test_f02_cancelled_in_the_middle_of_a_statement(picks: Picks, at: int) -> None:
    """Nothing more is done, and what the connection has left to say is no answer to what is asked next."""
    asked = picks.asked()

    def stop() -> bytes:
        process.terminate()
        time.sleep(0.2)
        return b""

    with picks.wired("sql", Cut(at, act=stop)) as bot:
        process = bot.start(name(asked.event), asked.event, **NOW)
        run = bot.finish(process)
    assert_clean(run)
    assert run.code == 143, run.log
    asked.assert_at_most_once()
    go_on(asked, ways(picks)[at % 3])
    asked.assert_settled()


@pytest.mark.long
@pytest.mark.one_store
@pytest.mark.parametrize(
    ("how", "count"),
    [
        pytest.param(how, count, marks=() if count == usual else SOAK)
        for how, usual in (("command", 8), ("label", 2), ("label with a conflict", None))
        for count in (2, 4, 8)
    ],
)
def test_f03_the_same_event_in_several_processes(picks: Picks, count: int, how: str) -> None:
    """F03, I1, I5."""
    asked = picks.asked(how)
    processes = [picks.bot.start(name(asked.event), asked.event) for _ in range(count)]
    for run in map(picks.bot.finish, processes):
        assert_clean(run)
        assert run.code == 0, run.log
    asked.assert_settled()


@pytest.mark.one_store
def test_f03_the_same_request_to_try_again_in_several_processes(picks: Picks) -> None:
    """It has the conflict looked at once more, and told once more; on a re-run, too, it is not another request."""
    asked = picks.asked()
    assert picks.deliver(asked.event).code == 0
    again = picks.project.said(asked.pull, f"/cherry-pick retry {CONFLICTING}")
    processes = [picks.bot.start(name(again), again) for _ in range(4)]
    assert {picks.bot.finish(each).code for each in processes} == {0}
    assert len(asked.comments()) == 3
    for attempt in ("1", "2"):
        assert picks.deliver(again, GITHUB_RUN_ATTEMPT=attempt).code == 0
    assert len(asked.comments()) == 3
    assert picks.deliver(picks.project.said(asked.pull, "/cherry-pick retry")).code == 0
    assert len(asked.comments()) == 4


ENDPOINTS = {
    "role": ("GET", "/repos/*/permission"),
    "read": ("POST", "/graphql"),
    "refs": ("GET", "*/info/refs"),
    "compare": ("GET", "/repos/*/compare/*"),
    "fetch": ("POST", "*/git-upload-pack"),
    "push": ("POST", "*/git-receive-pack"),
    "open": ("POST", "/repos/*/pulls"),
    "labels": ("POST", "/repos/*/labels"),
    "prepare": ("PATCH", "/repos/*/issues/*"),
    "review": ("POST", "/repos/*/requested_reviewers"),
    "comment": ("POST", "/repos/*/issues/*/comments"),
}
OFTEN = [fault for fault in BROKEN if fault.status != 504]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("bot", "times", "whole"),
    [
        ("sqlite", 1, False),
        *(pytest.param(store, times, True, marks=SOAK) for store in ("sqlite", "mysql") for times in (1, 0)),
    ],
    indirect=["bot"],
)
def test_f07_f09_broken_answers(picks: Picks, *, endpoint: str, times: int, whole: bool) -> None:
    """F07 and F09: before and after it was carried out, once or for as long as the run takes.

    Unless `whole`, each endpoint is struck by one of the faults, and each fault strikes one of the endpoints.
    """
    method, path = ENDPOINTS[endpoint]
    faults = OFTEN if whole else [OFTEN[[*ENDPOINTS].index(endpoint) % len(OFTEN)]]
    for at, (fault, when) in enumerate(itertools.product(faults, get_args(When))):
        asked = picks.asked()
        picks.github.state.faults.add(replace(fault, method=method, path=path, when=when, times=times))
        run = picks.deliver(asked.event)
        picks.github.state.faults.clear()
        what = f"{fault} {when}: {run.log}"
        assert run.code in (0, 3), what
        asked.assert_at_most_once()
        if run.code:
            go_on(asked, ways(picks)[at % 3])
        try:
            asked.assert_settled()
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error


@pytest.mark.parametrize("endpoint", ["push", "open", "review"])
def test_f07_github_stays_down(picks: Picks, endpoint: str) -> None:
    asked, (method, path) = picks.asked(), ENDPOINTS[endpoint]
    picks.github.state.faults.add(Fault("status", method, path, times=0))
    run = picks.deliver(asked.event)
    assert run.code == 3, run.log
    picks.github.state.faults.clear()
    go_on(asked, "swept" if picks.database else "run again")
    asked.assert_settled()


# Git has no such answers, nothing is kept before the role is known, and without a comparison less is told.
LIMITED = [endpoint for endpoint in ENDPOINTS if endpoint not in ("refs", "fetch", "push", "role", "compare")]


@pytest.mark.parametrize("endpoint", LIMITED)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("secondary-limit", retry_after="3600"), id="secondary"),
        pytest.param(Fault("primary-limit", seconds=3000), id="primary", marks=SOAK),
    ],
)
def test_f08_a_long_limit_parks_the_pick(picks: Picks, endpoint: str, fault: Fault) -> None:
    """Kept in MySQL the run is green, and a sweep goes on; the embedded store goes with its runner: it is red."""
    asked, (method, path) = picks.asked(), ENDPOINTS[endpoint]
    picks.github.state.faults.add(replace(fault, method=method, path=path, times=0))
    run = picks.deliver(asked.event)
    assert run.code == (0 if picks.database else 3), run.log
    assert run.outputs["failures"]
    asked.assert_at_most_once()
    picks.pass_time(30)
    if picks.database:
        assert picks.sweep().code == 0  # it is limited still
    picks.github.state.faults.clear()
    go_on(asked, "swept" if picks.database else "run again")
    asked.assert_settled()


@pytest.mark.long
@pytest.mark.one_store
@pytest.mark.parametrize("fault", [Fault("secondary-limit", retry_after="30"), Fault("too-many")], ids=["30", "none"])
def test_f08_a_short_limit(picks: Picks, fault: Fault) -> None:
    """Waited out where that is sure to be enough, else parked as a long one is."""
    for endpoint in LIMITED:
        asked, (method, path) = picks.asked(), ENDPOINTS[endpoint]
        picks.github.state.faults.add(replace(fault, method=method, path=path))
        run = picks.deliver(asked.event)
        assert run.code in ((0,) if picks.database else (0, 3)), run.log
        go_on(asked, "swept" if picks.database else "run again")
        asked.assert_settled()


@dataclass
class AtPath(Cut):
    """Strikes at the first request for a path, whichever that is."""

    path: str = ""

    def arrive(self, name: str) -> bool:
        first = self.path in name and not any(self.path in each for each in self.names)
        self.names.append(name)
        return first


def at_request(picks: Picks, asked: Asked, path: str, act: Callable[[], object]) -> Run:
    """Deliver it, and do something right before the first request for this path reaches GitHub."""
    done: list[object] = []

    def once() -> bytes:
        done.append(act())
        return b""

    cut = AtPath(act=once, path=path)
    with picks.wired("http", cut) as bot:
        run = picks.deliver(asked.event, bot)
    assert done
    return run


def test_f17_one_branch_is_protected(picks: Picks) -> None:
    """The other one is pushed all the same; when the rule is gone, it can be tried again."""
    asked = picks.asked("label")
    head = f"automated-cherry-pick-of-{asked.pull.number}-{asked.pull.head_ref}-{CLEAN}"
    picks.project.repository.protected.add(head)
    for _ in range(2):
        run = picks.deliver(asked.event)
        assert run.code == 0, run.log
        assert asked.opened().keys() == {"release-10.3"}
        [told] = asked.comments()
        said = f"| `{CLEAN}` | not picked: a rule of this repository does not let me create the branch `{head}`. A rule"
        assert said in told
    picks.project.repository.protected.clear()
    again = picks.project.say(asked.pull, f"/cherry-pick retry {CLEAN}", **NOW)
    assert again.code == 0, again.log
    asked.assert_done()


def test_f17_a_branch_that_was_made_meanwhile(picks: Picks) -> None:
    """Somebody pushes the very branch in between: it stays as it is, and no pull request is opened from it."""
    asked = picks.asked()
    head = f"automated-cherry-pick-of-{asked.pull.number}-{asked.pull.head_ref}-{CLEAN}"
    state, where = picks.github.state, picks.github.repository
    sha = picks.project.on(CLEAN, lambda: picks.project.write({"by-hand.txt": "mine\n"}))
    before = picks.project.git("rev-parse", f"{sha}~1")
    state.set_branch(where, CLEAN, before)
    run = at_request(picks, asked, "git-receive-pack", lambda: state.set_branch(where, head, sha))
    assert run.code == 0, run.log
    assert CLEAN not in asked.opened()
    assert f"the branch `{head}` is there already, and is not what the pick gives" in asked.comments()[-1]
    assert picks.project.repository.branches[head] == sha


@pytest.mark.parametrize("how", ["command", "label"])
def test_f18_whoever_asked_may_not_any_more(picks: Picks, how: str) -> None:
    """The run that noted it dies; when it is gone on with, nothing is picked for who has lost the permission."""
    asked, cut = picks.asked(how), Cut(5 if how == "command" else 6, "before")
    with picks.wired("http", cut) as bot:
        assert bot.kill(name(asked.event), asked.event, cut, **NOW, **picks.clock).code == -signal.SIGKILL
    assert {state for state, _ in asked.rows().values()} == {"queued"}, cut.names
    picks.project.repository.permissions["maintainer"] = "read"
    picks.pass_time()
    run = picks.sweep() if picks.database else picks.deliver(asked.event)
    assert run.code == 0, run.log
    assert (asked.opened(), asked.branches()) == ({}, [])
    if picks.database:
        assert {state for state, _ in asked.rows().values()} == {"refused"}
        assert "has no write permission here any more" in asked.comments()[0]


def test_f18_the_label_is_taken_off_before_it_is_looked_at(picks: Picks) -> None:
    """Whoever took it off knows that nothing is picked, and is not told."""
    asked = picks.asked("label")
    state, where = picks.github.state, picks.github.repository
    run = at_request(picks, asked, "/graphql", lambda: state.remove_label(where, asked.pull.number, APPROVED))
    assert run.code == 0, run.log
    asked.assert_nothing()


@pytest.mark.parametrize("level", ["read", "none"])
def test_f18_whoever_put_the_label_on_may_not(picks: Picks, level: str) -> None:
    asked = picks.asked("label")
    permissions = picks.project.repository.permissions
    run = at_request(picks, asked, "/permission", lambda: permissions.update(maintainer=level))
    assert run.code == 0, run.log
    assert (asked.rows(), asked.opened(), asked.branches()) == ({}, {}, [])


class Watch(threading.Thread):
    """Looks at every process and at every file below a folder, for as long as it runs."""

    def __init__(self, folder: Path, secrets: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.samples = self.gits = self.files = 0
        self.found: list[str] = []
        self._folder, self._secrets, self._over = folder, secrets, threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            # `glob` minds that processes and folders go while it looks.
            paths = (Path("/proc", name, "cmdline") for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208  # as said
            commands = [(path, read(path)) for path in paths]
            names = (Path(place, name) for place, _, names in os.walk(self._folder) for name in names)
            files = [(path, read(path)) for path in names]
            self.samples += 1
            self.gits += any(command.startswith(b"git\0") and self._is_bots(path) for path, command in commands)
            self.files += any(files)
            self.found += [str(path) for path, text in (*commands, *files) if has_any(text, self._secrets)]

    def _is_bots(self, path: Path) -> bool:
        try:
            return (path.parent / "cwd").readlink().is_relative_to(self._folder)
        except OSError:  # it has ended
            return False

    def stop(self) -> None:
        self._over.set()
        self.join()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def has_any(text: bytes, secrets: list[bytes]) -> bool:
    return any(secret in text for secret in secrets)


@pytest.mark.parametrize("kind", ["", "status", "denied", "unknown"])
def test_s09_i9_no_token_is_seen_anywhere(picks: Picks, kind: str, tmp_path: Path) -> None:
    """I9: in no argument and no file while it runs, nor in anything that is left; when git fails, too."""
    tokens = picks.github.state.tokens
    for token in (tokens["github-token"], tokens["app"]):
        token.value = f"canary{uuid.uuid4().hex}"
    bot = replace(picks.bot, token=tokens["github-token"].value, inputs={"cherry-pick-token": tokens["app"].value})
    if kind == "denied":
        tokens["app"].permissions = {**tokens["app"].permissions, "contents": "read"}
    (tmp_path / "tmp").mkdir()
    secrets = [form.encode() for name in ("github-token", "app") for form in forms_of(tokens[name].value)]
    asked, watch = picks.asked(), Watch(tmp_path / "tmp", secrets)
    if kind == "status":
        picks.github.state.faults.add(Fault("status", "POST", "*/git-receive-pack", when="after"))
    if kind == "unknown":
        tokens["app"].value = "another"
    picks.github.state.latency = 0.1
    watch.start()
    run = picks.deliver(asked.event, bot, TMPDIR=str(tmp_path / "tmp"))
    assert watch.is_alive()
    watch.stop()
    assert run.code == {"": 0, "status": 3}.get(kind, 2), run.log
    assert watch.samples >= 20
    assert (watch.gits and watch.files) or kind == "unknown"  # GitHub refuses it before git would
    assert watch.found == []
    said = [
        run.log,
        run.summary,
        repr(run.outputs),
        *asked.comments(),
        *(pull.body for [pull] in asked.opened().values()),
    ]
    assert not any(has_any(text.encode(), secrets) for text in said)
    tables = [picks.query(f"SELECT * FROM {table}") for table in ("mm_picks", "mm_ledger", "mm_leases", "PullRequests")]
    assert tables[1]
    assert not has_any(repr(tables).encode(), secrets)
