"""How many calls of GitHub's API each event costs with every feature switched on, and how long the worst comments take.

Calls are counted in the sandbox, REST and GraphQL alike, on both stores; what git asks for cherry-picks is none. The
original's, beside them, were read in its source (mattermost-mattermod at 12977a7), for a repository with a build status
and no more comments than fit on a page; of the schedule, for one pull request and one issue. The floor is what the
outcome needs where the payload is believed and the database asked. A budget is the floor and one, and what safety
costs: reading the configuration, a permission, two reactions on a command, one look at what is, the changed files where
paths are guarded, one look at the head before a verdict on it, and, when there is a comment before a merge and one
after it, the embedded store's second look for markers. Without a shared database a run looks once more after it has
posted (`looks`): see docs/decisions/0001-life-of-a-comment.md.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sandbox
from benchmarks import bodies
from benchmarks.everything import Cost, Trial, signatures, switch_on
from sandbox import payloads
from sandbox.records import Review, Status
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Payload = dict[str, Any]

CONFIG, ROLE, REACTIONS, LIVE, FILES, MARKERS, LOOK = 1, 1, 2, 1, 1, 1, 1
SHARED = "MySQL"
DEV, BLOCK, HELP = "2: Dev Review", "Do Not Merge", "Help Wanted"
BUILD, READY, APPROVED = "Build App", "Ready to Merge", "CherryPick/Approved"
TARGETS = ("release-10.5", "release-10.4", "release-10.3")


@dataclass(frozen=True)
class Case:
    """An event. `golden` are the (event, action) of it in tests/test_golden.py; `original` is None when it has no such.

    `safety` is what its budget has above the floor and one; `budget` is given where one is agreed. `looks` is how many
    calls a run without a shared database makes more: a look after each thing that it posts, and a status that notes
    what a label approves.
    """

    title: str
    make: Callable[[Trial], Payload]
    golden: tuple[str, str]
    original: int | None = None
    floor: int = 0
    safety: int = CONFIG
    agreed: int | None = None
    name: str = ""
    looks: int = 0

    @property
    def budget(self) -> int:
        return self.floor + 1 + self.safety if self.agreed is None else self.agreed


def comment(body: str, by: str = "maintainer", prepare: Callable[[Trial, int], Any] = lambda *_: None) -> Any:
    """Write a comment on a pull request that the bot knows."""

    def make(trial: Trial) -> Payload:
        number = trial.known()
        prepare(trial, number)
        return payloads.comment_created(trial.github.state, trial.github.repository, number, by, body)

    return make


def pull(action: str, label: str = "", labels: tuple[str, ...] = (), sender: str = "maintainer") -> Any:
    """`action` happens to a pull request that the bot knows and that carries `labels`."""

    def make(trial: Trial) -> Payload:
        return _about(trial, trial.known("newcomer", labels), action, label, sender)

    return make


def issue(action: str, label: str = "", labels: tuple[str, ...] = ()) -> Any:
    def make(trial: Trial) -> Payload:
        return _about(trial, trial.known_issue(*labels), action, label, "maintainer")

    return make


def _about(trial: Trial, number: int, action: str, label: str, sender: str) -> Payload:
    place = (trial.github.state, trial.github.repository, number)
    match action:
        case "labeled" | "unlabeled":
            return (payloads.labeled if action == "labeled" else payloads.unlabeled)(*place, label, sender)
        case "synchronize" | "edited":
            return (payloads.synchronize if action == "synchronize" else payloads.edited)(*place, sender)
        case "merged":
            trial.github.state.merge(place[1], number, "merge", f"Merge pull request #{number}", sender)
            return payloads.about(*place, "closed", sender)
        case "closed":
            return payloads.closed(*place, sender)
    return payloads.about(*place, action, sender)


def _base_moves(trial: Trial, number: int) -> None:
    trial.github.state.write_files(trial.github.repository, {f"new-{number}.txt": "new\n"})


def _edited(trial: Trial) -> Payload:
    event = comment("Please")(trial)
    return {**event, "action": "edited", "changes": {"body": {"from": "please"}}}


def _deleted(trial: Trial) -> Payload:
    return {**comment("/check-cla")(trial), "action": "deleted"}


def _merge_group(trial: Trial) -> Payload:
    github, number = trial.github, trial.known("reviewer")
    branch = f"gh-readonly-queue/main/pr-{number}-{'a' * 40}"
    sha = github.state.write_files(github.repository, {"x": str(number)}, branch)
    around = payloads.about(github.state, github.repository, number, "x", "maintainer")
    group = {"head_sha": sha, "head_ref": f"refs/heads/{branch}"}
    return {"action": "checks_requested", "merge_group": group, "repository": around["repository"]}


def _tick(trial: Trial) -> Payload:
    return {"schedule": "7,37 * * * *", "repository": trial.opened()["repository"]}


def _starts(trial: Trial) -> Payload:
    inputs = "{pull: {}, sha: {}, mattermod-key: {}}"
    files = {".github/workflows/build-app.yml": f"on: {{workflow_dispatch: {{inputs: {inputs}}}}}\n"}
    trial.github.state.write_files(trial.github.repository, files)
    return _about(trial, trial.known(), "labeled", BUILD, "maintainer")


def _may_merge(trial: Trial, *, approved: bool = True) -> int:
    """A pull request with the label, which was announced; with everything else that a merge asks for, if `approved`."""
    number, state = trial.known("reviewer"), trial.github.state
    pull = state.pull(trial.github.repository, number)
    pull.mergeable_reads = 0
    if approved:
        by, now = state.person("maintainer"), state.now()
        state.review(trial.github.repository, number, Review(state.next_id(), by, "APPROVED", "", pull.head_sha, now))
    return number


def _merges(trial: Trial) -> Payload:
    return _about(trial, _may_merge(trial), "labeled", READY, "maintainer")


def _waits(trial: Trial) -> Payload:
    return _about(trial, _may_merge(trial, approved=False), "labeled", READY, "maintainer")


def _checks_over(trial: Trial) -> Payload:
    """The label was put on while a check was running."""
    number, state, place = _may_merge(trial), trial.github.state, trial.github.repository
    sha = state.pull(place, number).head_sha
    for result in ("pending", "success"):
        made = Status(state.next_id(), "ci", result, state.person("ci"), state.now())
        state.add_status(place, sha, made)
        if result == "pending":
            trial.run(_about(trial, number, "labeled", READY, "maintainer"))
    return payloads.status(state, place, sha, made.id, "ci")


def _merged(trial: Trial, *labels: str, milestone: str = "") -> int:
    """A pull request of somebody who may write, merged; the branches that picks go to are there."""
    state, place = trial.github.state, trial.github.repository
    branches = trial.github.state.repository(place).branches  # type: ignore[union-attr]  # it is there
    for name in TARGETS:
        if name not in branches:
            state.set_branch(place, name, branches["main"])
    number = trial.known("reviewer", labels)
    if milestone:
        state.change_item(place, number, {"milestone": state.add_milestone(place, milestone).number})
    state.merge(place, number, "squash", f"New (#{number})", "maintainer")
    return number


def _picks(*targets: str) -> Any:
    def make(trial: Trial) -> Payload:
        place = (trial.github.state, trial.github.repository, _merged(trial))
        return payloads.comment_created(*place, "maintainer", f"/cherry-pick {' '.join(targets)}")

    return make


def _by_label(trial: Trial) -> Payload:
    """The label was put on before the merge, by somebody who may."""
    state, place = trial.github.state, trial.github.repository
    number = _merged(trial, DEV, milestone="v10.5.0")
    state.add_labels(place, number, [APPROVED], "maintainer")
    return payloads.about(state, place, number, "closed", "maintainer")


PULL, ISSUE, COMMENT = "pull_request", "issues", "issue_comment"
CASES = [
    # First, before there is anything to do: what the others leave behind is looked at by each sweep.
    Case("schedule, nothing to do", _tick, ("schedule", ""), 6, 0, name="schedule"),
    Case("comment without a command", comment("Looks good"), (COMMENT, "created"), 4, agreed=0),
    Case("comment edited, no command", _edited, (COMMENT, "edited"), 4, agreed=0),
    Case("comment deleted", _deleted, (COMMENT, "deleted"), agreed=1),
    Case("opened by a member", lambda t: t.opened("reviewer"), (PULL, "opened"), 5, 3, CONFIG + ROLE + LOOK),
    Case("opened by an outsider", lambda t: t.opened(), (PULL, "opened"), 10, 6, agreed=11, looks=1),
    Case("pull request labeled, a message", pull("labeled", DEV), (PULL, "labeled"), 3, 1, CONFIG + LIVE, looks=1),
    Case("pull request labeled, blocks", pull("labeled", BLOCK), (PULL, "labeled"), None, 1, CONFIG + LIVE),
    Case("pull request labeled, no message", pull("labeled", "Other"), (PULL, "labeled"), None, 0, CONFIG + LIVE),
    # The run, a comment and the label's end; the pull request is looked at once more right before.
    Case("pull request labeled, a workflow", _starts, (PULL, "labeled"), None, 3, CONFIG + ROLE + 2 * LIVE, looks=1),
    # All that a merge depends on, the comments before and after, the merge; and all of it once more right before.
    Case(
        "pull request labeled, merged", _merges, (PULL, "labeled"), None, 4, CONFIG + ROLE + 2 * LIVE + MARKERS, looks=2
    ),
    Case("pull request labeled, to be merged later", _waits, (PULL, "labeled"), None, 3, CONFIG + ROLE + LIVE, looks=2),
    Case("checks over, merged", _checks_over, ("status", ""), 7, 3, CONFIG + ROLE + LIVE, name="status", looks=1),
    Case("unlabeled, blocked no more", pull("unlabeled", BLOCK, (BLOCK,)), (PULL, "unlabeled"), None, 1, CONFIG + LIVE),
    Case("edited", pull("edited"), (PULL, "edited"), None, 0, CONFIG + ROLE + FILES + LIVE),
    Case(
        "ready for review", pull("ready_for_review"), (PULL, "ready_for_review"), None, 0, CONFIG + ROLE + FILES + LIVE
    ),
    Case("converted to a draft", pull("converted_to_draft"), (PULL, "converted_to_draft"), None, 0, CONFIG + LIVE),
    Case("put out of a merge queue", pull("dequeued"), (PULL, "dequeued"), None, 0, CONFIG + LIVE),
    Case("auto-merge turned off", pull("auto_merge_disabled"), (PULL, "auto_merge_disabled"), None, 0, CONFIG + LIVE),
    Case("reopened", pull("reopened"), (PULL, "reopened"), None, 0, CONFIG + ROLE + FILES + LIVE),
    Case("synchronize", pull("synchronize"), (PULL, "synchronize"), 6, 3, CONFIG + ROLE + FILES + LIVE + LOOK),
    Case("closed, not merged, a clean-up label", pull("closed", "", (DEV,)), (PULL, "closed"), 6, 1),
    Case("closed and merged, a clean-up label", pull("merged", "", (DEV,)), (PULL, "closed"), 6, 1),
    # As by command, and the clean-up label. Asked for are who put the label on and who opened it, the pull request, its
    # comments. The original takes 13, 14 where whoever opened it is no member, and 1 for each clean-up label.
    Case(
        "closed and merged, picked by label", _by_label, (PULL, "closed"), 14, 6, CONFIG + 2 * ROLE + 2 * LIVE, looks=1
    ),
    Case("milestoned", pull("milestoned"), (PULL, "milestoned"), None, 0, CONFIG + LIVE),
    Case("issue opened with a label", lambda t: _issue_with(t, HELP), (ISSUE, "opened"), None, 1, looks=1),
    Case("issue labeled", issue("labeled", HELP), (ISSUE, "labeled"), 3, 1, looks=1),
    Case("issue unlabeled", issue("unlabeled", HELP, (HELP,)), (ISSUE, "unlabeled"), None, 0),
    Case("issue edited", issue("edited"), (ISSUE, "edited"), None, 0),
    Case("issue reopened", issue("reopened"), (ISSUE, "reopened"), None, 0),
    Case("issue closed, a clean-up label", issue("closed", "", (DEV,)), (ISSUE, "closed"), None, 1),
    # And of the new head: it is looked for, role and files are read, it is looked at, and there are three verdicts.
    Case("/update-branch", comment("/update-branch", prepare=_base_moves), (COMMENT, "created"), 5, 5, agreed=6 + 7),
    Case("/check-cla", comment("/check-cla"), (COMMENT, "created"), 6, 2, CONFIG + REACTIONS + LIVE),
    Case("/autoassign", comment("/autoassign"), (COMMENT, "created"), 7, 2, CONFIG + ROLE + REACTIONS),
    Case(
        "/autoassign of a stranger",
        comment("/autoassign", "stranger"),
        (COMMENT, "created"),
        None,
        1,
        CONFIG + ROLE + 1,
        looks=1,
    ),
    Case("/mattermod help", comment("/mattermod help"), (COMMENT, "created"), None, 1, CONFIG + ROLE + 1, looks=1),
    # The pull request, with labels, milestone and people in one, and a review; on the original labels and a comment.
    Case("/cherry-pick onto a branch", _picks(*TARGETS[:1]), (COMMENT, "created"), 11, 5, agreed=12, looks=1),
    Case(
        "/cherry-pick onto three branches", _picks(*TARGETS), (COMMENT, "created"), None, 11, agreed=12 + 2 * 4, looks=1
    ),
    Case("merge group", _merge_group, ("merge_group", "checks_requested"), None, 3, CONFIG + LIVE + LOOK + 1),
]


def _issue_with(trial: Trial, label: str) -> Payload:
    return payloads.opened_issue(trial.github.state, trial.github.repository, "New", [label], "reporter")


@dataclass(frozen=True)
class Counted:
    """One case on one store: the first delivery, and the same event once more."""

    case: Case
    store: str
    first: Cost
    again: Cost

    @property
    def budget(self) -> int:
        return self.case.budget + (0 if self.store == SHARED else self.case.looks)

    @property
    def problems(self) -> list[str]:
        """Say what is over the budget or otherwise wrong, with the calls."""
        found = []
        if len(self.first.calls) > self.budget:
            found.append(f"{len(self.first.calls)} calls, and {self.budget} is the budget: {self.first.calls}")
        if len(self.again.calls) > max(len(self.first.calls), self.budget):
            found.append(f"delivered again it costs {len(self.again.calls)} calls: {self.again.calls}")
        if self.again.writes:
            found.append(f"delivered again it writes: {self.again.calls}")
        if self.first.code or self.again.code:
            found.append(f"exit {self.first.code}, then {self.again.code}: {self.first.log}{self.again.log}")
        return [f"{self.case.title} on {self.store}: {problem}" for problem in found]


def count(case: Case, trial: Trial) -> Counted:
    event = case.make(trial)
    first, again = (trial.run(event, case.name) for _ in range(2))
    return Counted(case, SHARED if trial.database_url else "embedded", first, again)


@contextlib.contextmanager
def trials() -> Iterator[list[Trial]]:
    """A repository with everything switched on, for each of the two stores."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        signed = stack.enter_context(signatures(home / "signed"))
        server = stack.enter_context(servers.server(home))
        made = []
        for url in ("", servers.url(server.migrated())):
            github = stack.enter_context(sandbox.serve())
            switch_on(github, signed)
            github.state.tokens["github-token"].limit = 1_000_000
            made.append(Trial(github, home / ("mysql" if url else "embedded"), url))
        yield made


def run() -> dict[str, Any]:
    """Return the table; `problems` make the benchmark fail."""
    with trials() as stores:
        counted = [[count(case, trial) for trial in stores] for case in CASES]
    slow = bodies.milliseconds()
    late = [
        f"64 KiB of {piece} take {ms} ms of {bodies.BUDGET_MS}" for piece, ms in slow.items() if ms > bodies.BUDGET_MS
    ]
    return {
        "calls": {each[0].case.title: _row(each) for each in counted},
        "64 KiB of the worst, ms": {**slow, "budget": bodies.BUDGET_MS},
        "problems": [problem for each in counted for one in each for problem in one.problems] + late,
    }


def _row(stores: list[Counted]) -> dict[str, Any]:
    case = stores[0].case
    ours = {each.store: len(each.first.calls) for each in stores}
    again = max(len(each.again.calls) for each in stores)
    within = not any(each.problems for each in stores)
    figures = {"delivered again": again, "the original": case.original, "floor": case.floor, "budget": case.budget}
    figures["looks"] = case.looks
    return {**ours, **figures, "within": within}
