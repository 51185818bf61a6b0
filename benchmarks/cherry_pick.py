"""What a cherry-pick costs, from an empty directory to the pushed branch: ours beside two others, in the same run.

The others are a full clone, as the original makes it, and shallow fetches into a worktree, as korthout/backport-action
does. The server is on loopback: a network would add to each its requests' latencies and its bytes' time.
"""

from __future__ import annotations

import base64
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.big_recipe import RELEASES
from benchmarks.big_repository import BigRepository, Pick, big_repository, off, run_git
from benchmarks.git_server import GitServer, Traffic, serve
from mattermod_action.adapters.git import Git
from mattermod_action.events import Repository
from mattermod_action.picks import Clean
from mattermod_action.world import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPOSITORY = Repository(id=1, owner="octo-org", name="big")
TOKEN, WHO, ADDRESS = "x", "Mattermod", "mattermod@example.com"  # the server takes any
TARGETS = list(RELEASES)
TARGET = TARGETS[0]  # the newest
OURS, CLONE, SHALLOW, THREE, MOVED = "ours", "full clone", "shallow", "ours, 3 targets", "ours, target moved"
ROUNDS = 3
CLONES = 2  # it takes longest, and moves least

# Of ours, what others need; and what it may need at all.
BYTES_OF_CLONE, BYTES_OF_SHALLOW, BYTES_OF_FLOOR = 1 / 500, 1 / 50, 30
WALL_OF_CLONE, WALL_OF_SHALLOW, WALL_MOVED = 1 / 20, 1 / 12, 2
REQUESTS, REQUESTS_PER_TARGET, DISK_BYTES = 8, 2, 2_000_000


@dataclass(frozen=True)
class Run:
    """What one run took, and the tree of each branch that it pushed."""

    seconds: float
    received: int
    sent: int
    requests: int
    disk: int
    trees: tuple[str, ...]


@dataclass
class Trial:
    """A copy of the big repository, on its server, and room for clients."""

    server: GitServer
    origin: BigRepository
    scratch: Path
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def measure(self, case: str, way: str, do: Callable[[Client], list[str]]) -> None:
        """Run `do` in an empty directory; it returns the branches that it pushed."""
        tip = self.origin.git("rev-parse", f"refs/heads/{TARGET}")
        with tempfile.TemporaryDirectory(dir=self.scratch) as home, self.server.counting() as traffic:
            client = Client(Path(home), f"{self.server.url}/{REPOSITORY.full_name}")
            started = time.perf_counter()
            branches = do(client)
            seconds = time.perf_counter() - started - client.paused
            self.runs.setdefault((case, way), []).append(self._run(client, seconds, traffic, branches))
        self._undo(branches, tip)

    def _undo(self, branches: list[str], tip: str) -> None:
        """Take off what was pushed, objects too: who negotiates in the same second would find its commit there."""
        for branch in branches:
            self.origin.git("update-ref", "-d", f"refs/heads/{branch}")
        self.origin.git("update-ref", f"refs/heads/{TARGET}", tip)
        for loose in self.origin.path.glob("objects/??"):
            shutil.rmtree(loose)

    def _run(self, client: Client, seconds: float, traffic: Traffic, branches: list[str]) -> Run:
        trees = tuple(self.origin.git("rev-parse", f"refs/heads/{branch}^{{tree}}") for branch in branches)
        disk = client.disk or _disk(client.home)
        return Run(seconds, traffic.received, traffic.sent, len(traffic.requests), disk, trees)

    def median(self, case: str, way: str, what: str) -> float:
        return float(statistics.median(getattr(run, what) for run in self.runs[case, way]))

    def ours(self, pick: Pick, targets: Sequence[str], move: str = "") -> Callable[[Client], list[str]]:
        """Pick as the bot does; `move` is a target that gets another commit between fetch and push."""
        tips = {target: self.origin.git("rev-parse", f"refs/heads/{target}") for target in targets}
        git = Git(self.server.url, TOKEN, f"{WHO} <{ADDRESS}>", RealClock())

        def do(client: Client) -> list[str]:
            with client.as_temporary(), git.fetched(REPOSITORY, list(tips.values()), [pick.sha]) as work:
                with client.pause():
                    self._move(move)
                picked = {f"{_branch(pick)}-{target}": work.pick(tip, [pick.sha]) for target, tip in tips.items()}
                shas = {branch: merged.sha for branch, merged in picked.items() if isinstance(merged, Clean)}
                if len(shas) < len(tips) or any(refused := work.push(shas).values()):
                    raise RuntimeError(f"{pick.name}: {picked}, {list(refused)}")
                with client.pause():
                    client.disk = _disk(client.home)
            return list(shas)

        return do

    def _move(self, target: str) -> None:
        """Add a commit to a branch, which removes a file that no pick changes."""
        if target:
            ref = f"refs/heads/{target}"
            tree = run_git(self.origin.path, "ls-tree", ref).decode().splitlines(keepends=True)
            less = next(line for line in tree if " blob " in line)
            made = self.origin.git("mktree", stdin="".join(line for line in tree if line != less))
            identity = ("-c", f"user.name={WHO}", "-c", f"user.email={ADDRESS}")
            commit = self.origin.git(*identity, "commit-tree", "-p", ref, "-m", "Moved", made)
            self.origin.git("update-ref", ref, commit)


@dataclass
class Client:
    """A directory that is empty at first, and git in it."""

    home: Path
    url: str
    disk: int = 0
    paused: float = 0.0  # seconds that are not the run's but the bench's

    @contextmanager
    def pause(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.paused += time.perf_counter() - started

    @contextmanager
    def as_temporary(self) -> Iterator[None]:
        before, tempfile.tempdir = tempfile.tempdir, str(self.home)
        try:
            yield
        finally:
            tempfile.tempdir = before

    def git(self, *words: str) -> None:
        """Run git with the token in a header, as actions/checkout has it."""
        basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        options = {"user.name": WHO, "user.email": ADDRESS, "http.extraHeader": f"Authorization: Basic {basic}"}
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *given, *words], cwd=self.home, env=env, check=True, capture_output=True)


def full_clone(pick: Pick) -> Callable[[Client], list[str]]:
    """Clone everything, check the target out, pick and push: the original's `cherry-pick.sh`."""

    def do(client: Client) -> list[str]:
        client.git("clone", "--quiet", client.url, ".")
        client.git("checkout", "--quiet", "-b", _branch(pick), f"origin/{TARGET}")
        return _pick_and_push(client, pick)

    return do


def shallow(pick: Pick) -> Callable[[Client], list[str]]:
    """Fetch shallowly what actions/checkout and then backport-action fetch, with a worktree of everything."""

    def do(client: Client) -> list[str]:
        fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
        client.git("init", "--quiet", ".")
        client.git("remote", "add", "origin", client.url)
        client.git(*fetch, "--depth=1", "origin", "+refs/heads/main:refs/remotes/origin/main")
        client.git("checkout", "--quiet", "--force", "-B", "main", "refs/remotes/origin/main")
        client.git(*fetch, "--depth=2", "origin", f"refs/pull/{pick.pull}/head")
        client.git(*fetch, "--depth=2", "origin", pick.sha)
        client.git(*fetch, "--depth=1", "origin", f"+refs/heads/{TARGET}:refs/remotes/origin/{TARGET}")
        client.git("switch", "--quiet", "--create", _branch(pick), f"origin/{TARGET}")
        return _pick_and_push(client, pick)

    return do


def _pick_and_push(client: Client, pick: Pick) -> list[str]:
    client.git("cherry-pick", "-x", pick.sha)
    client.git("push", "--quiet", "origin", f"HEAD:refs/heads/{_branch(pick)}")
    return [_branch(pick)]


def run() -> dict[str, Any]:
    """Return the figures of each way, the goals beside what was measured, and those that are missed."""
    big = big_repository()
    if wrong := off(sizes := big.sizes()):
        return {"big repository": sizes, "problems": wrong}
    with tempfile.TemporaryDirectory(dir=big.path.parent) as scratch:
        origin = big.copy(Path(scratch) / "origin.git")
        with serve({REPOSITORY.full_name: origin.path}) as server:
            trial = Trial(server, origin, Path(scratch))
            for pick in big.picks.values():
                _measure(trial, pick)
            goals = [goal for pick in big.picks.values() for goal in _goals(trial, pick)]
            return {
                "big repository": sizes,
                "ways": {f"{case}: {way}": _row(trial, case, way) for case, way in trial.runs},
                "goals": {goal.name: goal.row for goal in goals},
                "problems": [goal.missed for goal in goals if not goal.held],
            }


def _measure(trial: Trial, pick: Pick) -> None:
    """Take turns, so that noise hits every way alike."""
    for number in range(ROUNDS):
        trial.measure(pick.name, OURS, trial.ours(pick, [TARGET]))
        trial.measure(pick.name, SHALLOW, shallow(pick))
        trial.measure(pick.name, THREE, trial.ours(pick, TARGETS))
        trial.measure(pick.name, MOVED, trial.ours(pick, [TARGET], move=TARGET))
        if number < CLONES:
            trial.measure(pick.name, CLONE, full_clone(pick))


@dataclass(frozen=True)
class Goal:
    """What was measured may be `most` at the most. A part of something else is said as 1/N."""

    name: str
    most: float
    measured: float

    @property
    def held(self) -> bool:
        return self.measured <= self.most

    @property
    def row(self) -> dict[str, str]:
        return {"at most": _said(self.most), "measured": _said(self.measured), "held": "yes" if self.held else "NO"}

    @property
    def missed(self) -> str:
        return f"{self.name}: {_said(self.measured)}, at most {_said(self.most)} is the goal"


def _goals(trial: Trial, pick: Pick) -> list[Goal]:
    def of(what: str, way: str = OURS) -> float:
        return trial.median(pick.name, way, what)

    further = (of("requests", THREE) - of("requests")) / (len(TARGETS) - 1)
    wanted = trial.runs[pick.name, CLONE][0].trees[0]
    others = [run for way in (OURS, SHALLOW, THREE, MOVED, CLONE) for run in trial.runs[pick.name, way]]
    goals = {
        "bytes of a full clone's": (BYTES_OF_CLONE, of("received") / of("received", CLONE)),
        "bytes of the shallow way's": (BYTES_OF_SHALLOW, of("received") / of("received", SHALLOW)),
        "bytes, times the floor": (BYTES_OF_FLOOR, of("received") / floor(trial.origin, pick)),
        "wall of a full clone's": (WALL_OF_CLONE, of("seconds") / of("seconds", CLONE)),
        "wall of the shallow way's": (WALL_OF_SHALLOW, of("seconds") / of("seconds", SHALLOW)),
        "wall when the target moves, times": (WALL_MOVED, of("seconds", MOVED) / of("seconds")),
        "requests": (REQUESTS, max(run.requests for run in trial.runs[pick.name, OURS])),
        "requests when the target moves": (REQUESTS, max(run.requests for run in trial.runs[pick.name, MOVED])),
        "requests for each further target": (REQUESTS_PER_TARGET, further),
        "disk MB": (DISK_BYTES / 1e6, max(run.disk for run in trial.runs[pick.name, OURS]) / 1e6),
        "trees other than the full clone's": (0, sum(run.trees[0] != wanted for run in others)),
    }
    return [Goal(f"{pick.name}: {name}", *figures) for name, figures in goals.items()]


def floor(origin: BigRepository, pick: Pick) -> int:
    """Return the bytes of a pack with the picked commit, the trees on the changed paths and the changed blobs."""
    listed = origin.git("rev-list", "--objects", "--no-object-names", pick.sha, f"^{pick.sha}^")
    return len(run_git(origin.path, "pack-objects", "--stdout", "-q", "--no-reuse-delta", stdin=listed))


def _row(trial: Trial, case: str, way: str) -> dict[str, str]:
    runs = trial.runs[case, way]
    same = {run.trees[0] for run in runs} == {trial.runs[case, CLONE][0].trees[0]}
    return {
        "wall s": _spread([run.seconds for run in runs]),
        "received MB": _spread([run.received / 1e6 for run in runs]),
        "sent MB": _spread([run.sent / 1e6 for run in runs]),
        "requests": _spread([run.requests for run in runs]),
        "disk MB": _spread([run.disk / 1e6 for run in runs]),
        "same tree": "yes" if same else "NO",
    }


def _spread(values: Sequence[float]) -> str:
    """The median, and from least to most where they differ."""
    low, middle, high = (f"{value:.3g}" for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def _said(figure: float) -> str:
    return f"1/{1 / figure:.0f}" if 0 < figure < 0.1 else f"{figure:.3g}"


def _branch(pick: Pick) -> str:
    return f"automated-cherry-pick-of-{pick.pull}"


def _disk(home: Path) -> int:
    """Return the bytes that all files under it take on disk, and the directories."""
    return sum(512 * path.lstat().st_blocks for path in home.rglob("*"))
