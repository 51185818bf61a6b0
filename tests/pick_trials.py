"""Trials of picks that something happens to: a pull request of its own for each, and what must be so in the end."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mattermod_action.features.cherry_pick import CHECKS
from sandbox import payloads
from tests.picks import RELEASE, Project
from tests.scene import texts
from tests.test_faults import Trial, assert_clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.records import Pull
    from tests.harness import Bot, Run

CLEAN, OTHER, CONFLICTING = RELEASE, "release-10.3", "release-10.4"
APPROVED, DONE = "CherryPick/Approved", "CherryPick/Done"
LABELS = {"AutomatedCherryPick", "Changelog/Not Needed", "Docs/Not Needed"}
CONFIG = "cherry_pick: {milestones: {'v{major}.{minor}.{patch}': ['release-{major}.{minor}', release-10.3]}}\n"
MOST = 400  # trials of one project
NOW = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
LEASE = 120  # seconds; a lease is 75


@dataclass
class Picks(Trial):
    """The trial's pull request adds a file, which `CONFLICTING` has already."""

    project: Project = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _clock: int = 0

    def prepare(self, clone: Path) -> Picks:
        state, where = self.github.state, self.github.repository
        state.write_files(where, {".github/mattermod.yml": CONFIG})
        state.tokens["github-token"].permissions |= {"contents": "write"}
        state.add_milestone(where, "v10.5.0")
        state.add_milestone(where, "v10.4.0")
        self.project = Project(self.github, self.bot, clone)
        main = f"main:refs/heads/{CONFLICTING}"
        self.project.git("push", "--quiet", "origin", main, "main~1:refs/heads/release-10.3")
        there = {f"trial-{number}.txt": "there\n" for number in range(MOST)}
        self.project.on(CONFLICTING, lambda: self.project.write(there))
        return self

    def merged(self, author: str = "maintainer") -> Pull:
        name = f"trial-{next(self._numbers)}.txt"
        pull = self.project.pull(lambda: self.project.write({name: "new\n"}), author=author)
        self.github.state.change_item(self.github.repository, pull.number, {"milestone": 1})
        return self.project.merge(pull)

    def asked(self, how: str = "command") -> Asked:
        """Ask for two branches: both are clean, or, unless it is by label alone, one is in conflict."""
        pull = self.merged()
        if how != "command":
            state, where, clean = self.github.state, self.github.repository, how == "label"
            state.change_item(where, pull.number, {"milestone": 1 if clean else 2})
            event = payloads.labeled(state, where, pull.number, APPROVED, "maintainer")
            return Asked(self, pull, event, (CLEAN, OTHER) if clean else (OTHER,), () if clean else (CONFLICTING,))
        event = self.project.said(pull, f"/cherry-pick {CLEAN} {CONFLICTING}")
        return Asked(self, pull, event, (CLEAN,), (CONFLICTING,))

    def deliver(self, event: Any, bot: Bot | None = None, /, **variables: str) -> Run:
        run = (bot or self.bot).run(name(event), event, **NOW, **self.clock, **variables)
        assert_clean(run)
        return run

    def sweep(self) -> Run:
        run = self.bot.run("schedule", {}, **NOW, **self.clock)
        assert_clean(run)
        return run

    def pass_time(self, seconds: int = LEASE) -> None:
        """Enough for every lease to end."""
        self._clock += seconds

    @property
    def clock(self) -> dict[str, str]:
        return {"MATTERMOD_CLOCK_OFFSET": str(self._clock)}

    def lose_state(self) -> None:
        """As an embedded store is lost with its runner."""
        for file in (self.bot.home / ".mattermod").glob("*"):
            file.unlink()


def name(event: Any) -> str:
    kind = payloads.name(event)
    return "pull_request_target" if kind == "pull_request" else kind


@dataclass
class Asked:
    """A pull request, the event that asks for picks of it, and what is to come of that."""

    picks: Picks
    pull: Pull
    event: Any
    clean: tuple[str, ...]
    conflicting: tuple[str, ...]

    def rows(self) -> dict[str, tuple[str, bool]]:
        """The state of each target, and whether it is told."""
        sql = f"SELECT target, state, comment_id FROM mm_picks WHERE number = {self.pull.number:d}"  # a number
        return {bytes(target).decode(): (state, told is not None) for target, state, told in self.picks.query(sql)}

    def comments(self) -> list[str]:
        found = self.picks.github.state.item(self.picks.github.repository, self.pull.number).comments
        return texts(each for each in found if each.author and each.author.login == "github-actions[bot]")

    def opened(self) -> dict[str, list[Pull]]:
        found = [each for each in self.picks.project.repository.pulls() if each.head_ref.startswith(self._prefix)]
        return {target: [each for each in found if each.base_ref == target] for target in {p.base_ref for p in found}}

    def branches(self) -> list[str]:
        return [each for each in self.picks.project.repository.branches if each.startswith(self._prefix)]

    @property
    def _prefix(self) -> str:
        return f"automated-cherry-pick-of-{self.pull.number}-"

    def assert_nothing(self) -> None:
        assert (self.rows(), self.opened(), self.branches(), self.comments()) == ({}, {}, [], [])

    def assert_at_most_once(self) -> None:
        assert all(len(found) == 1 for found in self.opened().values()), self.opened()
        assert len(set(self.comments())) == len(self.comments())

    def assert_done(self) -> None:
        """One pull request for each that is clean, one comment for each that is not, one that says what is so."""
        opened = self.opened()
        assert {target: len(found) for target, found in opened.items()} == dict.fromkeys(self.clean, 1)
        assert len(self.branches()) == len(self.clean)
        for [made] in opened.values():
            assert (made.state, {label.name for label in made.labels}) == ("open", LABELS)
            assert made.milestone, made.number
            assert [each.login for each in (*made.assignees, *made.reviewers)] == ["maintainer", "maintainer"]
            assert self.picks.project.repository.files(made.head_sha) is not None
        self._assert_told({target: found.number for target, [found] in opened.items()})
        states = dict.fromkeys(self.clean, ("finished", True)) | dict.fromkeys(self.conflicting, ("conflict", True))
        assert self.rows() == states

    def _assert_told(self, numbers: dict[str, int]) -> None:
        comments = self.comments()
        for target in self.conflicting:
            [told] = [each for each in comments if each.startswith(f"**`{target}` conflicts** in `trial-")]
            assert "<<<<<<< target\nthere\n=======\nnew\n>>>>>>> picked" in told
            assert "git cherry-pick -x" in told
            comments.remove(told)
        [summary] = comments
        lines = [f"| `{target}` | #{number} |" for target, number in numbers.items()]
        lines += [f"| `{target}` | conflicts, see below |" for target in self.conflicting]
        assert sorted(line for line in summary.splitlines() if line.startswith("| `")) == sorted(lines)
        words = {"were": "It was", "their": "its"} if len(numbers) == 1 else {"were": "They were", "their": "their"}
        assert CHECKS.format(**words) in summary
        labels = {label.name for label in self.pull.labels}
        asked_by_label = {APPROVED} if "label" in self.event else set()
        assert labels == (asked_by_label if self.conflicting else {DONE})

    def assert_settled(self) -> None:
        """All is done, and neither another delivery nor another sweep writes anything."""
        self.assert_done()
        writes = len(self.picks.github.writes)
        again = [self.picks.deliver(self.event), self.picks.deliver(self.event, GITHUB_RUN_ATTEMPT="2")]
        again += [self.picks.sweep()] if self.picks.database else []
        assert {run.code for run in again} == {0}, [run.log for run in again]
        assert {write.action for write in self.picks.github.writes[writes:]} <= {"react"}  # which no sweep does
