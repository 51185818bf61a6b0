"""How many jobs the events of one working day start, by the `if:` of the example workflows.

The day is made up, in the proportions of a big repository: 140 pushes to branches of pull requests, of which 45 are of
forks, 30 merges into the default branch and 10 into release branches. Each commit gets 6 statuses (pending first),
suites of 2 Apps and a run of CI. A fifth of the pushes is overtaken by the next one before its checks
are over. 40 pull requests are open, of which 6 carry the label; one, labelled too, brings the default branch to a
release branch.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from sandbox import expressions

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parent.parent / "workflows-examples"
REPOSITORY, DEFAULT, RELEASES = "octo-org/hello", "main", ("release-10.5", "release-10.4")
STATUSES, APPS = 6, 2
PUSHES, FROM_FORKS, MERGES, TO_RELEASES, OVERTAKEN = 140, 45, 30, 10, 5
PULLS, LABELED, NIGHTLY, GROUPS, REVIEWS = 40, 6, 4, 12, 60
# The conditions of the examples before they looked at branches.
BEFORE = {
    "auto-merge.yml": (
        "(github.event_name != 'status' || github.event.state != 'pending') && (github.event_name != "
        "'pull_request_review' || github.event.pull_request.head.repo.full_name == github.repository)"
    ),
    "spinmint.yml": "github.event_name != 'status' || github.event.state != 'pending'",
}
HEARS = {
    "auto-merge.yml": ("status", "check_suite", "workflow_run", "pull_request_review"),
    "spinmint.yml": ("status",),
}
ROW = "| `{workflow}` | `{event}` | {sent:,} | {before:,} | {after:,} |"


@dataclass(frozen=True)
class Sent:
    """An event; `matters` is that it is about the head of an open pull request that carries the label."""

    name: str
    payload: dict[str, Any]
    matters: bool = False
    about: str = ""  # what kind of commit it is of


@dataclass
class Day:
    seed: int = 1
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311  # no secret
        for number in range(PUSHES):
            self._push(number)
        for number in range(MERGES):
            self._commit(self._sha(), "a merge", DEFAULT, (DEFAULT, *self._branches(number % 2)))
        for number in range(TO_RELEASES):
            self._commit(self._sha(), "a release", RELEASES[number % 2], RELEASES[number % 2 : number % 2 + 1])
        self._commit(self._sha(), "from the default branch", DEFAULT, (DEFAULT,), matters=True)
        for _ in range(NIGHTLY):
            self._run(self._sha(), "a schedule", DEFAULT, "schedule")
        for number in range(GROUPS):
            branch = f"gh-readonly-queue/{DEFAULT}/pr-{number}-{self._sha()}"
            self._suites(sha := self._sha(), "a merge group", branch)
            self._run(sha, "a merge group", branch, "merge_group")
        for number in range(REVIEWS):
            self._review(number)

    def _sha(self) -> str:
        return f"{self._chance.getrandbits(160):040x}"

    def _branches(self, count: int) -> tuple[str, ...]:
        return tuple(f"topic-{self._chance.randrange(1_000)}" for _ in range(count))

    def _push(self, number: int) -> None:
        """Forks have no branches here, and may be pushed to at their own default branch."""
        fork, pull, overtaken = number < FROM_FORKS, number % PULLS, number % OVERTAKEN == 0
        branch = DEFAULT if fork and number % 3 == 0 else f"topic-{pull}"
        kind = "a fork" if fork else "overtaken" if overtaken else "a branch"
        names = () if fork else (branch, *self._branches(number % 11 if number % 7 == 0 else 0))
        matters = pull < LABELED and not overtaken
        self._commit(self._sha(), kind, branch, names, fork=fork, overtaken=overtaken, matters=matters)

    def _commit(
        self,
        sha: str,
        kind: str,
        branch: str,
        names: tuple[str, ...],
        *,
        fork: bool = False,
        overtaken: bool = False,
        matters: bool = False,
    ) -> None:
        tip = self._sha() if overtaken else sha
        branches = [{"name": name, "commit": {"sha": tip if name == branch else self._sha()}} for name in names]
        for number in range(STATUSES):
            for state in ("pending", self._chance.choice(("success", "success", "failure"))):
                payload = {"sha": sha, "state": state, "context": f"ci/{number}", "branches": branches[:10]}
                self._send("status", payload, kind, matters=matters and state != "pending")
        self._suites(sha, kind, None if fork else branch, matters=matters)
        event = "pull_request" if fork or branch.startswith("topic-") else "push"
        self._run(sha, kind, branch, event, fork=fork, matters=matters)

    def _suites(self, sha: str, kind: str, branch: str | None, *, matters: bool = False) -> None:
        for _ in range(APPS):
            suite: dict[str, Any] = {
                "head_sha": sha,
                "head_branch": branch,
                "conclusion": "success",
                "pull_requests": [],
            }
            self._send("check_suite", {"action": "completed", "check_suite": suite}, kind, matters=matters)

    def _run(self, sha: str, kind: str, branch: str, event: str, *, fork: bool = False, matters: bool = False) -> None:
        head = {"full_name": "newcomer/hello" if fork else REPOSITORY}
        run = {"head_sha": sha, "head_branch": branch, "event": event, "head_repository": head, "pull_requests": []}
        self._send("workflow_run", {"action": "completed", "workflow_run": run}, kind, matters=matters)

    def _review(self, number: int) -> None:
        """One of a pull request from a fork comes with a token that may only read: nothing can be done about it."""
        fork, pull = number % 4 == 0, number % PULLS
        labels = [{"name": name} for name in (["Ready to Merge"] if pull < LABELED else ["Docs"] if pull % 3 else [])]
        head = {"repo": {"full_name": "newcomer/hello" if fork else REPOSITORY}}
        payload = {"action": "submitted", "pull_request": {"labels": labels, "head": head}}
        self._send(
            "pull_request_review", payload, "a fork" if fork else "a branch", matters=pull < LABELED and not fork
        )

    def _send(self, name: str, payload: dict[str, Any], about: str, *, matters: bool = False) -> None:
        around = {"repository": {"full_name": REPOSITORY, "default_branch": DEFAULT}}
        self.sent.append(Sent(name, {**payload, **around}, matters, about))


def condition(workflow: str) -> str:
    """The condition under which one of an example's jobs starts, which exclude each other."""
    jobs = YAML(typ="safe", pure=True).load((EXAMPLES / workflow).read_text())["jobs"].values()
    return " || ".join(f"({job['if']})" for job in jobs)


def starts(expression: str, sent: Sent) -> bool:
    github = {"event_name": sent.name, "event": sent.payload, "repository": REPOSITORY}
    return expressions.is_true(expressions.evaluate(expression, {"github": github}))


def table() -> str:
    """Make the table of docs/operating.md."""
    return "\n".join(
        ["| workflow | event | sent | jobs by state alone | jobs now |", "| --- | --- | ---: | ---: | ---: |", *_rows()]
    )


def _rows() -> Iterator[str]:
    sent = Day().sent
    for workflow, names in HEARS.items():
        now = condition(workflow)
        heard = [each for each in sent if each.name in names]
        counts = [
            Counter(each.name for each in heard if starts(expression, each)) for expression in (BEFORE[workflow], now)
        ]
        every = Counter(each.name for each in heard)
        for name in names:
            yield ROW.format(
                workflow=workflow, event=name, sent=every[name], before=counts[0][name], after=counts[1][name]
            )
        totals = [sum(each.values()) for each in (every, *counts)]
        yield ROW.format(workflow=workflow, event="all", sent=totals[0], before=totals[1], after=totals[2])
