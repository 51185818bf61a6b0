"""Seeded histories of pull requests with test servers, while schedules, runs and AWS fail for hours and days."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO

from mattermod_action.servers import KEY_TAG
from sandbox import aws, payloads
from sandbox.aws import AwsFault, Delays
from sandbox.faults import Fault
from sandbox.jenkins import Script
from tests.cut import PHASES, Cut, Proxy, http_request
from tests.spinmints import AT_ONCE, DAY, HOUR, LABEL
from tests.test_faults import address, assert_clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws_ec2 import Life
    from sandbox.records import Pull
    from tests.harness import Bot
    from tests.spinmints import Scene

# What of the bot runs: each event, the schedule, both or neither. Runs may be killed, and AWS may fail.
MODES = {
    "whole": ("events", "sweeps"),
    "no sweeps": ("events",),
    "sweeps only": ("sweeps",),
    "dead": (),
    "killed": ("events", "sweeps", "kills"),
    "killed, and no sweeps": ("events", "kills"),
    "faulty": ("events", "sweeps", "faults"),
}
SLOW = Delays(visible=20, pending=40, shutting_down=30, insync=50)
BEFORE: Any = "before"
AFTER: Any = "after"
TROUBLES = (
    (AwsFault("status", "ec2", times=0, code="RequestLimitExceeded"),),
    (AwsFault("status", "route53", times=0, code="Throttling"),),
    (Fault("status", "*", times=0, status=503),),
    (Fault("reset", "ec2", "RunInstances", when=AFTER, times=4),),
    (Fault("reset", "ec2", "TerminateInstances", when=BEFORE, times=0),),
    (Fault("reset", "ec2", "TerminateInstances", when=AFTER, times=0),),
    (Fault("reset", "ec2", "CreateTags", when=BEFORE, times=0),),
    (Fault("reset", "route53", "ChangeResourceRecordSets", when=AFTER, times=4),),
    (AwsFault("status", "ec2", "RunInstances", times=0, code="InsufficientInstanceCapacity"),),
    (AwsFault("status", "ec2", "TerminateInstances", times=0, code="UnauthorizedOperation"),),
    (AwsFault("lag", "ec2", "RunInstances", fate="dies"),),
    (AwsFault("lag", "ec2", "RunInstances", fate="no-address"),),
    (AwsFault("lag", "route53", "ChangeResourceRecordSets", fate="never-insync"),),
)
LEAST, MOST = 10, 25  # steps
ENDING = "TerminateInstances"
CHANGING = ("RunInstances", "TerminateInstances", "CreateTags", "ChangeResourceRecordSets")
GRACE = HOUR  # after the time of a server is over, in which it must have ended whatever is dead
SWEEPS = 14  # after which everything has come to rest
SETTLED = ("ready", "waiting_build", "destroyed", "failed", "refused")


@dataclass
class History:
    """One of them. `steps` is what happened, told when something does not hold."""

    scene: Scene
    dice: random.Random
    mode: str = "whole"
    pulls: list[Pull] = field(default_factory=list)
    late: list[Any] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def go(self, count: int) -> None:
        self._begin()
        for _ in range(count):
            self._step()
        self._end()

    def _begin(self) -> None:
        self.scene.github.state.tokens["github-token"].used.clear()  # an hour passes in a second
        self.scene.cloud.aws.delays = self.dice.choice([AT_ONCE, AT_ONCE, SLOW])
        hours = self.dice.choice([1, 72, 72])
        self.scene.configure(hours=hours, limits={"user": 3})
        self.pulls = [self.scene.pull() for _ in range(self.dice.choice([1, 1, 2, 3]))]
        self._say(f"{len(self.pulls)} pull requests, {hours} h, delays of {self.scene.cloud.aws.delays.pending} s")
        for pull in self.pulls:
            if self.dice.random() < 0.8:
                self.scene.built(pull)
            if self.dice.random() < 0.7:
                self._labeled(pull)

    def _step(self) -> None:
        if self.dice.random() < 0.3:
            self._change_mode(self.dice.choice(list(MODES)))
        pull = self.dice.choice(self.pulls)
        self.dice.choice([act for act, can in self._acts(pull) if can])(pull)
        if self.scene.states(pull)[-1:] == ["launching"] and self.dice.random() < 0.5:
            self._destroyed(pull)  # what a run that died has launched, nobody knows of
        self._pass(self.dice.choice([5.0, math.exp(self.dice.uniform(math.log(60), math.log(DAY)))]))
        if "sweeps" in MODES[self.mode]:
            self._sweep()
        self._check()

    def _change_mode(self, mode: str) -> None:
        self.mode = mode
        self.scene.cloud.faults.clear()
        if "faults" in MODES[mode]:
            trouble = self.dice.choice(TROUBLES)
            self.scene.cloud.faults.add(*trouble)
            self._say(f"from here on: {trouble}")
        else:
            self._say(f"from here on: {mode}")

    def _acts(self, pull: Pull) -> list[tuple[Callable[[Pull], None], bool]]:
        labeled, is_open = _carries(pull), pull.state == "open"
        act = [
            (self._labeled, not labeled),
            (self._labeled, not labeled and is_open),
            (self._unlabeled, labeled),
            (self._pushed, is_open),
            (self._closed, is_open),
            (self._reopened, not is_open),
            (self._reopened, not is_open),
            (self._extended, True),
            (self._asked, True),
            (self._destroyed, True),
            (self._built, True),
            (self._not_built, True),
            (self._died, bool(self.scene.alive())),
            (self._changed_by_hand, bool(self.scene.names())),
            (self._came_late, bool(self.late)),
            (lambda _: None, True),
        ]
        return [(each, can) for each, can in act]

    # What people, Jenkins and AWS do

    def _labeled(self, pull: Pull) -> None:
        self._deliver(f"#{pull.number} labeled", self.scene.labeled(pull))

    def _unlabeled(self, pull: Pull) -> None:
        self._deliver(f"#{pull.number} unlabeled", self.scene.unlabeled(pull))

    def _pushed(self, pull: Pull) -> None:
        event = payloads.synchronize(self.scene.github.state, self.scene.github.repository, pull.number, "reviewer")
        self._deliver(f"#{pull.number} pushed", event)

    def _closed(self, pull: Pull) -> None:
        event = payloads.closed(self.scene.github.state, self.scene.github.repository, pull.number, "maintainer")
        self._deliver(f"#{pull.number} closed", event)

    def _reopened(self, pull: Pull) -> None:
        state, place = self.scene.github.state, self.scene.github.repository
        state.change_item(place, pull.number, {"state": "open"})
        self._deliver(f"#{pull.number} reopened", payloads.about(state, place, pull.number, "reopened", "maintainer"))

    def _extended(self, pull: Pull) -> None:
        self._deliver(f"#{pull.number} extended", self.scene.said(pull, "/spinmint extend 24h"))

    def _asked(self, pull: Pull) -> None:
        self._deliver(f"#{pull.number} asked for", self.scene.said(pull, "/spinmint"))

    def _destroyed(self, pull: Pull) -> None:
        self._deliver(f"#{pull.number} destroyed", self.scene.said(pull, "/spinmint destroy"))

    def _built(self, pull: Pull) -> None:
        self._say(f"#{pull.number} built")
        self.scene.built(pull, Script(runs=0))

    def _not_built(self, pull: Pull) -> None:
        self._say(f"#{pull.number} not built")
        self.scene.builds.jobs.pop(f"octo-org/hello/{pull.number}", None)
        self.scene.built(pull, Script("FAILURE", runs=0), state="failure")

    def _died(self, _pull: Pull) -> None:
        instance = self.dice.choice(self.scene.alive())
        self._say(f"{instance} dies")
        self._lives[instance].ended = self.scene.now()

    def _changed_by_hand(self, _pull: Pull) -> None:
        """Its address is another one, or it is gone, or there is one that leads nowhere."""
        zone = self.scene.cloud.aws.zone(self.scene.cloud.zone)
        assert zone
        ours = [each for each in zone.rrsets if each.type == "A"]
        record, way = self.dice.choice(ours), self.dice.choice(["changed", "deleted", "copied"])
        self._say(f"{record.name} is {way} by hand")
        if way == "changed":
            record.records = ["192.0.2.1"]
        elif way == "deleted":
            zone.rrsets.remove(record)
        else:
            like = {"Name": f"i-{self.dice.getrandbits(32):08x}.{aws.ZONE}.", "Type": "A", "TTL": record.ttl}
            zone.rrsets.append(type(record)({**like, "ResourceRecords": list(record.records)}))

    def _came_late(self, _pull: Pull) -> None:
        event = self.late.pop(self.dice.randrange(len(self.late)))
        self._run(f"{event.get('action')} of #{_number(event)}, which comes late", event, GITHUB_RUN_ATTEMPT="2")

    # What runs

    def _deliver(self, what: str, event: Any) -> None:
        if "events" not in MODES[self.mode] or self.dice.random() < 0.1:
            self._say(f"{what}, unheard")
            self.late.append(event)
            return
        self._run(what, event)
        if self.dice.random() < 0.1:
            self.late.append(event)

    def _sweep(self) -> None:
        self._run("a sweep", None)

    def _run(self, what: str, event: Any, **variables: str) -> None:
        """The time that it waits, by its own clock, passes for everybody afterwards: where that is soon enough."""
        is_slow = self.scene.cloud.aws.delays is SLOW
        minutes = 0 if is_slow else self.dice.choice([0, 0, 0, 5])
        given = {**self.scene.environment, "INPUT_WAIT-MINUTES": str(minutes), **variables}
        name = payloads.name(event) if event else "schedule"
        kind = "pull_request_target" if name == "pull_request" else name
        if "kills" in MODES[self.mode] and self.dice.random() < 0.7:
            code = self._killed(kind, event or {}, given)
        elif self.dice.random() < 0.1:
            code = self._overtaken(kind, event or {}, given)
        else:
            run = self.scene.bot.run(kind, event or {}, **given)
            assert_clean(run)
            code = str(run.code)
        self._say(f"{what}: {code}, {self._shown()}")
        self._pass(max(60 * minutes, self._waited()))

    def _waited(self) -> float:
        """How far its clock is ahead stands in the leases that it gave back; what is held by a run that died ends."""
        [(latest,)] = self.scene.query("SELECT MAX(lease_until) FROM mm_leases")
        return latest.replace(tzinfo=UTC).timestamp() - self.scene.now() if latest else 0.0

    def _killed(self, kind: str, event: Any, given: dict[str, str]) -> str:
        """At a random request to GitHub, AWS or the database, or at one of the first that change something in AWS."""
        wire, phase = self.dice.choice(["http", "sql", "aws", "changes", "changes"]), self.dice.choice(PHASES)
        cut = Cut(self.dice.randint(1, 2 if wire == "changes" else 12), phase)
        with ExitStack() as stack:
            bot: Bot = self.scene.bot
            if wire in ("aws", "changes"):
                read = http_request if wire == "aws" else changing_request
                proxy = Proxy(address(self.scene.cloud.url), read, cut)
                stack.enter_context(closing(proxy))
                given = {**given, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
            else:
                bot = stack.enter_context(self.scene.wired(wire, cut))
            run = bot.kill(kind, event, cut, **given)
        assert_clean(run)
        return f"{run.code}, killed {cut.phase} its request {cut.at} by {wire}"

    def _overtaken(self, kind: str, event: Any, given: dict[str, str]) -> str:
        """A pull request is closed meanwhile, unheard: nothing is launched for it that was not when it was read."""
        pull, launched = self.dice.choice(self.pulls), list[int]()

        def close() -> bytes:
            payloads.closed(self.scene.github.state, self.scene.github.repository, pull.number, "maintainer")
            launched.append(len(self._born(pull)))
            return b""

        cut = Cut(self.dice.randint(1, 12), act=close)
        with self.scene.wired("http", cut) as bot:
            run = bot.run(kind, event, **given)
        assert_clean(run)
        code = f"{run.code}, #{pull.number} closed at its request {cut.at}"
        if any(name.endswith(f"/pulls/{pull.number}") for name in cut.names[cut.at - 1 :]):
            assert launched == [len(self._born(pull))], f"{code}: launched after that"
        return code

    # What holds

    def _check(self) -> None:
        """I2 and I3, and that no server outlives its time, whoever is dead: what is ended has ended when it says.

        What we end has no name any more by then, or the name could lead to somebody else's server.
        """
        ended = {call.parameters["InstanceId.1"] for call in self.scene.cloud.calls if call.operation == ENDING}
        assert not ended & {name.partition(".")[0] for name in self.scene.names()}, "ended before its name was deleted"
        rows = self._rows()
        alive = set(self.scene.alive())
        owners = Counter(rows[self._key(name)][0] for name in alive)
        assert max(owners.values(), default=0) <= 1, f"two servers of a pull request: {owners}"
        for name, life in self._lives.items():
            _, live, expires = rows[self._key(name)]
            until = life.ended if life.ended is not None else self.scene.now()
            assert life.fate == "dies" or (expires and until <= expires + GRACE), f"{name} lives {until - expires} s"
            assert live or name not in alive, f"{name} is alive, and its row is not"

    def _end(self) -> None:
        """All is well again, and nobody asks for anything more."""
        self._change_mode("whole")
        self._settle()
        self.scene.assert_whole()
        alive = self.scene.alive()
        assert sorted(alive) == self.scene.listed(), "the original's table has others"
        assert {name.partition(".")[0] for name in self.scene.names()} <= set(alive), "a name leads nowhere"
        for number, label in self.scene.query("SELECT number, parameters FROM mm_servers WHERE live = 1"):
            pull = self.scene.github.state.pull(self.scene.github.repository, number)
            assert pull.state == "open", f"#{number} is closed"
            assert _carries(pull) or not json.loads(label)["label"], f"#{number} has no label"
        self._assert_told()
        self._close_all()

    def _assert_told(self) -> None:
        """I1: each server has one comment, which tells it as it is."""
        assert self.scene.query("SELECT number, state FROM mm_servers WHERE comment_id IS NULL") == []
        for pull in self.pulls:
            marks = Counter(each.body.partition("\n")[0] for each in self.scene.comments(pull))
            assert max(marks.values(), default=0) <= 1, f"#{pull.number}: {marks}"

    def _close_all(self) -> None:
        """So that the next history begins with nothing: whoever closes them is not heard."""
        for pull in self.pulls:
            payloads.closed(self.scene.github.state, self.scene.github.repository, pull.number, "maintainer")
        self._say("all are closed, unheard")
        live = "SELECT number FROM mm_servers WHERE live = 1 OR comment_id IS NULL"
        self._sweep_until(lambda _: not self.scene.query(live))
        assert (self.scene.alive(), self.scene.names(), self.scene.listed()) == ([], [], [])

    def _settle(self) -> None:
        """Sweep until everything has come to rest, and one sweep more has changed nothing (I10)."""
        settled = f"SELECT state FROM mm_servers WHERE state NOT IN ({', '.join(map(repr, SETTLED))})"
        self._sweep_until(lambda changed: changed == 0 and not self.scene.query(settled))

    def _sweep_until(self, is_enough: Callable[[int], bool]) -> None:
        """`is_enough` hears how much the sweep before has changed."""
        changed = 1
        for _ in range(SWEEPS):
            if is_enough(changed):
                return
            self._pass(600)
            before = changes(self.scene)
            self._sweep()
            self._check()
            changed = changes(self.scene) - before
        raise AssertionError(f"{SWEEPS} sweeps did not bring it to rest")

    @property
    def _lives(self) -> dict[str, Life]:
        return self.scene.cloud.aws.machines.lives

    def _key(self, instance: str) -> str:
        return str(self.scene.cloud.aws.ec2.tags[instance][KEY_TAG])

    def _born(self, pull: Pull) -> list[str]:
        """The servers that were ever launched for it."""
        rows = self._rows()
        return [name for name in self._lives if rows[self._key(name)][0] == pull.number]

    def _rows(self) -> dict[str, tuple[int, bool, float]]:
        """Number, whether it is live and when its time is over, by key."""
        ends = "TIMESTAMPDIFF(SECOND, '1970-01-01', expires_at)"
        found = self.scene.query(f"SELECT k, number, live, {ends} FROM mm_servers")
        return {key: (number, bool(live), float(expires or 0)) for key, number, live, expires in found}

    def _shown(self) -> str:
        """The rows of its pull requests, and the servers that are alive."""
        rows = {pull.number: self.scene.rows(pull) for pull in self.pulls}
        return f"{rows}, alive {self.scene.alive()}"

    def _pass(self, seconds: float) -> None:
        if seconds:
            self._say(f"+{seconds:.0f} s")
            self.scene.pass_time(seconds)

    def _say(self, text: str) -> None:
        self.steps.append(text)


def changing_request(source: BinaryIO) -> tuple[bytes, str]:
    """Read one request to AWS; only those that change something have a name."""
    request, name = http_request(source)
    changes_it = any(b"Action=" + each.encode() in request for each in CHANGING) or name.startswith("POST /2013")
    return request, name if changes_it else ""


def changes(scene: Scene) -> int:
    """How often something was changed in GitHub and in AWS."""
    return len(scene.github.writes) + sum(1 for each in scene.calls() if each in CHANGING)


def _carries(pull: Pull) -> bool:
    return LABEL in {label.name for label in pull.labels}


def _number(event: Any) -> int:
    return int((event.get("pull_request") or event["issue"])["number"])


def lived(scene: Scene, seed: int, most: int = MOST) -> None:
    """Live through one, or its first steps. What does not hold is told with all that happened before."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    history = History(scene, dice)
    try:
        history.go(min(dice.randint(LEAST, MOST), most))
    except AssertionError as error:
        told = "\n".join(history.steps)
        raise AssertionError(f"history {seed}:\n{told}\n{error}") from error
