"""A GitHub of one pull request, in memory, for thousands of lives of it: what happens, and what must not.

`Hub` has what merging by label asks of the `GitHub` port. Beside each fact it keeps what the label approves, by rules
of its own, and fails when something is merged, or put into a queue, that this does not cover.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.sqlite import SQLiteStore
from mattermod_action.approvals import CONTEXT, NOTED, Approval, BaseChange, Push
from mattermod_action.config import load
from mattermod_action.errors import Refused, Unsure
from mattermod_action.events import ChecksChanged, PullRequestSeen, Reviewed, Tick
from mattermod_action.inputs import read
from mattermod_action.markers import marker_of
from mattermod_action.merging import FAILURE, PENDING, SUCCESS, Attempt, Candidate, Check, Maker, newest
from mattermod_action.ports import Status, Written
from mattermod_action.queueing import Removal
from mattermod_action.report import Report
from mattermod_action.running import Run
from mattermod_action.world import World
from tests.builders import pull_seen

if TYPE_CHECKING:
    import random
    import sqlite3
    from pathlib import Path

    from mattermod_action.events import Event, PullRequest

US, LABEL = "mattermod[bot]", "Ready"
NOWHERE = "0" * 40
CONFIG = 'auto_merge: {{label: "Ready", approvals: {approvals}, unless: ["Hold"]}}'
SETTLE = timedelta(minutes=5)
WRITERS = ("maintainer", "member")
ENDS = ("This is not merged yet", "The merge queue has put", "This could not be merged")
COUNTS = "The label `Ready` does not count"


class Killed(BaseException):
    """The runner died."""


@dataclass
class Hub:
    """The pull request, as GitHub has it. `cut` writes are let through before the run dies, -1 is all."""

    pull: PullRequest
    has_queue: bool
    clock: Clock
    cut: int = -1
    loses_answer: bool = False
    labeler: str = ""
    labeled_at: datetime | None = None
    pushes_: list[Push] = field(default_factory=list)
    changes: list[BaseChange] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    checks: dict[str, list[Check]] = field(default_factory=dict)
    approvals: dict[str, str] = field(default_factory=dict)
    objections: set[str] = field(default_factory=set)
    statuses_: dict[str, Status] = field(default_factory=dict)
    comments: list[tuple[datetime, str]] = field(default_factory=list)
    base_merges: set[tuple[str, str]] = field(default_factory=set)
    queued: str = ""
    wanted: int = 1  # approvals
    # What the label approves, by the rules and not by what the bot knows.
    is_head_approved: bool = False
    bases: set[str] = field(default_factory=set)

    @property
    def pushed_at(self) -> datetime:
        return self.pushes_[0].at

    def update(self, **more: Any) -> None:
        self.pull = replace(self.pull, updated_at=self.clock.now(), **more)

    def _write(self) -> None:
        if self.cut == 0:
            raise Killed
        self.cut -= 1

    def _answer(self) -> None:
        """The answer to a write may be lost, and the runner may die before it has it."""
        if self.cut == 0 and self.loses_answer:
            self.cut = -1
            raise Unsure("the answer was lost")

    # The port.

    def item(self, *_: Any) -> PullRequest:
        return self.pull

    subject = item

    def candidates(self, *_: Any) -> tuple[Candidate, ...]:
        return (self._candidate(),) if self.pull.is_open and self.pull.carries(LABEL) else ()

    def candidate(self, *_: Any) -> Candidate:
        return self._candidate()

    def _candidate(self) -> Candidate:
        since = self.labeled_at
        return Candidate(
            pull=self.pull,
            node="PR",
            base=self.pull.base_ref,
            mergeable="MERGEABLE",
            merge_state="CLEAN",
            methods=("squash",),
            checks=tuple(self.checks.get(self.pull.sha, ())),
            approvals=tuple(self.approvals.items()),
            objections=tuple(sorted(self.objections)),
            has_queue=self.has_queue,
            is_queued=bool(self.queued),
            queued_by_us=self.queued == US,
            labeller=self.labeler,
            labeled_at=since,
            base_changes=tuple(each for each in self.changes if since is None or each.at >= since),
            removals=tuple(each for each in self.removals if since is None or each.at >= since),
            noted=self.noted_at(None, self.pull.sha),
        )

    def noted_at(self, _: Any, sha: str) -> Approval | None:
        status = self.statuses_.get(sha)
        found = NOTED.fullmatch(status.description) if status else None
        at = datetime.fromisoformat(found["at"].removesuffix("Z")) if found else None
        return Approval(sha, found["base"], at) if found and at else None

    def pushes(self, *_: Any) -> list[Push]:
        return list(self.pushes_)

    def role(self, _: Any, login: str) -> str:
        return "write" if login in WRITERS else "read"

    def has_checks(self, *_: Any) -> bool:
        return True

    def parent(self, *_: Any) -> int:
        return 0

    def statuses(self, *_: Any) -> dict[str, Any]:
        return {}

    def markers(self, *_: Any, **__: Any) -> dict[str, list[Written]]:
        found: dict[str, list[Written]] = {}
        for nth, (_at, body) in enumerate(self.comments):
            found.setdefault(marker_of(body) or "", []).append(Written(f"https://x/1#issuecomment-{nth + 1}", body))
        return found

    def comment(self, _: Any, body: str) -> str:
        self._write()
        self.comments.append((self.clock.now(), body))
        self.update()
        self._answer()
        return f"https://x/1#issuecomment-{len(self.comments)}"

    def delete_comment(self, *_: Any, **__: Any) -> None: ...

    def set_status(self, _: Any, sha: str, status: Status) -> None:
        assert status.context == CONTEXT
        self._write()
        self.statuses_[sha] = status

    def remove_label(self, _: Any, label: str) -> None:
        self._write()
        self.update(labels=tuple(each for each in self.pull.labels if each != label))

    def merge(self, _: Any, sha: str, __: str) -> None:
        self._write()
        self.must_be_covered(sha)
        self.update(state="closed", merged=True)
        self._answer()

    def enqueue(self, _: str, sha: str) -> None:
        self._write()
        self.must_be_covered(sha)
        self.queued = US
        self.update()
        self._answer()

    def dequeue(self, _: str) -> None:
        self._write()
        assert self.queued == US, "what somebody else has put in was taken out"
        self.queued = ""
        self.removals.append(Removal(self.clock.now(), "manual", by_us=True))
        self.update()

    def must_be_covered(self, sha: str) -> None:
        if sha != self.pull.sha:
            raise Refused("Head branch was modified. Review and try the merge again.")
        assert self.pull.is_open
        assert self.pull.carries(LABEL)
        assert self.labeler in WRITERS, "the label of somebody without write access has merged"
        assert self.is_head_approved, "a head that the label does not approve"
        assert self.pull.base_ref in self.bases, "a base that the label does not approve"
        assert not self.what_is_in_the_way(), self.what_is_in_the_way()

    def what_is_in_the_way(self) -> list[str]:
        checks = [check.state for check in newest(self.checks.get(self.pull.sha, ()))]
        heads = {self.pull.sha, *(before for sha, before in self.base_merges if sha == self.pull.sha)}
        is_young = not checks and not self.has_queue and self.clock.now() - self.pushed_at < SETTLE
        told = {
            "draft": self.pull.draft,
            "label": self.pull.carries("Hold"),
            "changes": bool(self.objections),
            "approvals": bool(self.wanted) and not set(self.approvals.values()) & heads,
            "checks": bool({FAILURE, PENDING} & set(checks)),
            "first checks": is_young,
        }
        return [name for name, is_so in told.items() if is_so]


@dataclass
class Clock:
    """Time passes only when somebody says so, in the store as well, which has a clock of its own."""

    at: datetime

    @property
    def offset(self) -> timedelta:
        return self.at - datetime.now(UTC).replace(tzinfo=None)

    @offset.setter
    def offset(self, _: timedelta) -> None: ...

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Git:
    """What git says of a merge of the base."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def is_merge(self, _: Any, sha: str, before: str, __: Any) -> bool:
        return (sha, before) in self._hub.base_merges


class Kept(SQLiteStore):
    """A file that no power failure threatens."""

    def _connect(self) -> sqlite3.Connection:
        made = super()._connect()
        made.execute("PRAGMA synchronous = OFF")
        return made


class Durable(Kept):
    """The same statements as on MySQL, in a file that outlives each run."""

    durable = True


def template(home: Path) -> Path:
    """Make a file with all tables in it, which each life copies."""
    store = Kept(home / "template.sqlite", Clock(datetime(2026, 6, 1)))  # noqa: DTZ001  # naive UTC
    store.execute("SELECT 1", {})
    store.close()
    return home / "template.sqlite"


@dataclass
class Life:
    """One of them; `steps` is what happened, told when something does not hold."""

    dice: random.Random
    home: Path
    tables: Path
    steps: list[str] = field(default_factory=list)
    late: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_durable, self.runs = self.dice.random() < 0.5, 0
        self.clock = Clock(datetime(2026, 6, 1, 12))  # noqa: DTZ001  # naive UTC, as everywhere
        seen = pull_seen().subject
        is_fork, now = self.dice.random() < 0.6, self.clock.now()
        sha = self._sha()
        head = "newcomer/hello" if is_fork else seen.repository.full_name
        more: Any = {"sha": sha, "head": head, "base_ref": "main", "created_at": now, "updated_at": now}
        self.hub = Hub(replace(seen, author="newcomer", **more), self.dice.random() < 0.4, self.clock)
        self.hub.pushes_.append(Push(NOWHERE, sha, "newcomer", now))
        self.hub.wanted = self.dice.choice((0, 1))
        self.config = load(CONFIG.format(approvals=self.hub.wanted), "c.yml").config

    def go(self, count: int) -> None:
        self._seen("opened")
        deeds = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        for _ in range(count):
            self.clock.sleep(self.dice.choice((0, 1, 40, 400, 4000)))
            deed = self.dice.choice(deeds)
            self.steps.append(deed.__name__)
            if self.hub.pull.is_open or deed.__name__ in ("do_reopen", "do_sweep"):
                deed()
        self._settle()

    def _settle(self) -> None:
        """Nothing happens any more, and every run comes to its end."""
        for _ in range(4):
            self.clock.sleep(3600)
            self._run(Tick(self.hub.pull.repository), dies=False)
        self.must_have_ended()

    def must_have_ended(self) -> None:
        hub, pull = self.hub, self.hub.pull
        markers = [marker_of(body) for _, body in hub.comments]
        assert len(markers) == len(set(markers)), "something is said twice"
        if not pull.is_open or hub.queued or hub.labeled_at is None:
            return
        said = [(at, body.partition("\n\n")[2]) for at, body in hub.comments]
        whose = [text for _, text in said if text.startswith(COUNTS) and f"@{hub.labeler} " in text]
        then = [text for at, text in said if text.startswith(ENDS) and at >= hub.pushed_at]
        if pull.carries(LABEL):
            assert then if hub.labeler in WRITERS else whose, (hub.labeler, said, hub.what_is_in_the_way())

    # What people do, and what is heard of it.

    def do_label(self) -> None:
        self._label(self.dice.choice(("maintainer", "maintainer", "member", "newcomer")))

    do_label_anew = do_label_once_more = do_label

    def _label(self, by: str) -> None:
        hub = self.hub
        if hub.pull.carries(LABEL):
            self.do_unlabel()
        hub.labeler, hub.labeled_at = by, self.clock.now()
        hub.is_head_approved, hub.bases = True, {hub.pull.base_ref}
        hub.update(labels=(*hub.pull.labels, LABEL))
        self._seen("labeled", label=LABEL, sender=by)

    def do_unlabel(self) -> None:
        if self.hub.pull.carries(LABEL):
            self.hub.update(labels=tuple(each for each in self.hub.pull.labels if each != LABEL))
            self._seen("unlabeled", unlabel=LABEL)

    def do_push(self, *, is_merge: bool = False) -> None:
        hub, before, sha = self.hub, self.hub.pull.sha, self._sha()
        by = self.dice.choice(("newcomer", "maintainer") if hub.pull.from_fork else WRITERS)
        if is_merge:
            hub.base_merges.add((sha, before))
        else:
            hub.is_head_approved &= by in WRITERS
        if hub.queued:  # GitHub puts out what is pushed to
            hub.queued = ""
            hub.removals.append(Removal(self.clock.now(), "manual"))
        hub.pushes_.insert(0, Push(before, sha, by, self.clock.now()))
        hub.update(sha=sha)
        self._seen("synchronize", sender=by, before=before)

    do_force_push = do_push

    def do_merge_the_base(self) -> None:
        self.do_push(is_merge=True)

    def do_retarget(self) -> None:
        self._retarget(automatic=self.dice.random() < 0.3)

    def _retarget(self, *, automatic: bool) -> None:
        hub, before = self.hub, self.hub.pull.base_ref
        after = "dev" if before == "main" else "main"
        if automatic and before in hub.bases:
            hub.bases.add(after)
        hub.changes.append(BaseChange(self.clock.now(), before, after, automatic))
        hub.update(base_ref=after)
        self._seen("edited")

    def do_approve(self) -> None:
        self.hub.approvals["member"] = self.hub.pull.sha
        self.hub.objections.discard("member")
        self._send(Reviewed(self.hub.pull))

    do_approve_again = do_approve

    def do_object(self) -> None:
        self.hub.objections.add("member")
        self.hub.approvals.pop("member", None)
        self._send(Reviewed(self.hub.pull))

    def do_dismiss(self) -> None:
        self.hub.objections.discard("member")
        self.hub.approvals.pop("member", None)
        self._send(Reviewed(self.hub.pull))

    def do_check(self) -> None:
        self._check(self.dice.choice((SUCCESS, SUCCESS, FAILURE, PENDING)))

    def _check(self, state: str) -> None:
        runs = self.hub.checks.setdefault(self.hub.pull.sha, [])
        attempt = Attempt(Maker("github-actions", "CI", "pull_request"), self.clock.now(), number=len(runs) + 1)
        runs.append(Check("build", state, attempt))
        if state != PENDING:
            self._send(ChecksChanged(self.hub.pull.repository, self.hub.pull.sha))

    def do_rerun(self) -> None:
        self._check(SUCCESS)

    def do_draft(self) -> None:
        self.hub.update(draft=not self.hub.pull.draft)
        self._seen("converted_to_draft" if self.hub.pull.draft else "ready_for_review")

    def do_hold(self) -> None:
        on = self.hub.pull.carries("Hold")
        kept = tuple(each for each in self.hub.pull.labels if each != "Hold")
        self.hub.update(labels=kept if on else (*kept, "Hold"))
        self._seen("unlabeled", unlabel="Hold") if on else self._seen("labeled", label="Hold")

    def do_turn_of_the_queue(self) -> None:
        hub = self.hub
        if not hub.queued:
            return
        hub.queued, reason = "", self.dice.choice(("merged", "failed_checks", "timed_out", "manual", "what"))
        hub.removals.append(Removal(self.clock.now(), reason))
        if reason == "merged":
            hub.update(state="closed", merged=True)
        self._seen("dequeued", reason=reason)

    def do_close(self) -> None:
        if self.dice.random() < 0.3:
            self.hub.queued = ""
            self.hub.update(state="closed")
            self._seen("closed")

    def do_reopen(self) -> None:
        if not self.hub.pull.is_open and not self.hub.pull.merged:
            self.hub.update(state="open")
            self._seen("reopened")

    def do_merge_by_hand(self) -> None:
        if self.dice.random() < 0.1:
            self.hub.queued = ""
            self.hub.update(state="closed", merged=True)
            self._seen("closed")

    def do_sweep(self) -> None:
        self._run(Tick(self.hub.pull.repository))

    do_sweep_again = do_sweep

    # What of it the bot hears, and when.

    def _seen(self, action: str, sender: str = "maintainer", **more: Any) -> None:
        pull = self.hub.pull
        made = partial(PullRequestSeen, action, more.pop("label", None), pull.updated_at, pull)
        self._send(made(sender=sender, sha=pull.sha, base=pull.base_ref, **more))

    def _send(self, event: Event) -> None:
        """Now, late, twice, or never."""
        self.late.append(event)
        chance = self.dice.random()
        if chance < 0.15:
            self.late.pop()
        if chance < 0.8:
            due, self.late = self.late, self.late[-1:] if chance > 0.7 else []
            for each in due:
                self._run(each)

    def _run(self, event: Event, *, dies: bool = True) -> None:
        """In a process of its own, as far as it can tell."""
        hub = self.hub
        hub.cut = self.dice.randint(0, 3) if dies and self.dice.random() < 0.2 else -1
        hub.loses_answer = self.dice.random() < 0.5
        self.steps.append(f"  {getattr(event, 'action', type(event).__name__)} at {self.clock.now()}, cut {hub.cut}")
        world, report = self._world(), Report()
        with suppress(Killed):
            try:
                run = Run(self.config, world, report)
                run.tick(event) if isinstance(event, Tick) else run.go(event)
            finally:
                world.close()
        hub.cut = -1
        broken = [error for error in report.errors if "AssertionError" in error or "Traceback" in error]
        assert not broken, broken

    def _world(self) -> World:
        if not self.is_durable and self.dice.random() < 0.5:
            self.runs += 1  # the file was lost with its runner
        world = World(read({"INPUT_GITHUB-TOKEN": "x"}), None)
        if self.is_durable:
            world.database = object()  # type: ignore[assignment]  # there is one
        kind, file = Durable if self.is_durable else Kept, self.home / f"state-{self.runs}.sqlite"
        if not file.exists():
            shutil.copy(self.tables, file)
        store: Any = kind(file, self.clock)
        parts: dict[str, Any] = {"github": self.hub, "clock": self.clock, "store": store}
        world.__dict__.update(parts, git=lambda *_: Git(self.hub))
        return world

    def _sha(self) -> str:
        return f"{self.dice.getrandbits(160):040x}"
