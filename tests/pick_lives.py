"""Random lives of a pull request that somebody wants picked, and what must be so at the end of each.

People ask, take it back, close, reopen and merge; the pick's own pull request is closed, opened again, merged, and its
branch deleted; events come twice, runs die, sweeps go by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mattermod_action.pick_reasons import WAITS
from sandbox import payloads
from tests.cut import PHASES, Cut
from tests.pick_trials import NOW, name
from tests.picks import RELEASE
from tests.scene import texts

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sandbox.records import Comment, Pull
    from tests.pick_trials import Picks

MISSING = "release-9.9"
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)
DAY = 86_400  # seconds, after which everything that waits is looked at
ASKED_FIRST = 0.7  # of the lives
REQUESTS = 40  # to GitHub and git, at one of which a run may die
NUMBER = re.compile(r"#(\d+)")


@dataclass
class Life:
    """`wanted` is whether GitHub's record asks for a pick, and `touched` whether people have changed what was made."""

    picks: Picks
    dice: random.Random
    pull: Pull
    steps: list[str] = field(default_factory=list)
    asking: list[Comment] = field(default_factory=list)
    wanted: bool = False
    touched: bool = False

    def live(self, steps: int) -> None:
        for nth in range(steps):
            act = self._ask if not nth and self.dice.random() < ASKED_FIRST else self.dice.choice(self._acts)
            self.steps.append(act.__name__.removeprefix("_"))
            act()
            self._check()
        self._settle()

    @cached_property
    def _acts(self) -> list[Callable[[], None]]:
        return [
            self._ask, self._ask, self._ask_for_none, self._retry, self._cancel, self._delete, self._close,
            self._reopen, self._merge, self._merge, self._close_pick, self._reopen_pick, self._delete_branch,
            self._merge_pick, self._sweep,
        ]  # fmt: skip

    def _say(self, words: str, by: str = "maintainer") -> Comment:
        event = self.picks.project.said(self.pull, f"/cherry-pick {words}", by)
        self._deliver(event)
        return next(each for each in self.pull.comments if each.id == event["comment"]["id"])

    def _deliver(self, event: Any) -> None:
        """Once or twice, and now and then the run dies."""
        if self.dice.random() < 0.2:
            cut = Cut(self.dice.randint(1, REQUESTS), self.dice.choice(PHASES))
            with self.picks.wired("http", cut) as bot:
                bot.kill(name(event), event, cut, **NOW, **self.picks.clock)
            self.picks.pass_time()
        for _ in range(1 if self.dice.random() < 0.8 else 2):
            self.picks.deliver(event)

    def _about(self, pull: Pull, action: str) -> None:
        self._deliver(
            payloads.about(self.picks.github.state, self.picks.github.repository, pull.number, action, "maintainer")
        )

    def _ask(self) -> None:
        self.wanted = True
        self.asking.append(self._say(RELEASE, self.dice.choice(["maintainer", "reviewer"])))

    def _ask_for_none(self) -> None:
        self._say(MISSING)

    def _retry(self) -> None:
        self._say("retry")

    def _cancel(self) -> None:
        self._say(self.dice.choice(["cancel", f"cancel {RELEASE}"]))
        self.wanted = self.wanted and bool(self._made("open") or self._made("closed"))  # which a person has to close

    def _delete(self) -> None:
        """All that asks is taken away, and the bot hears of the last one, or of none."""
        if not self.asking or self.pull.merged_at:
            return
        self.wanted = False
        for gone in self.asking:
            event = self.picks.project.said(self.pull, gone.body)
            self.pull.comments[:] = [
                each for each in self.pull.comments if each.id not in (gone.id, event["comment"]["id"])
            ]
            event["comment"]["id"], event["action"] = gone.id, "deleted"
            if self.dice.random() < 0.7:
                self._deliver(event)
        self.asking = []

    def _change(self, pull: Pull, state: str) -> None:
        self.picks.github.state.change_item(self.picks.github.repository, pull.number, {"state": state})
        if self.dice.random() < 0.8:
            self._about(pull, "closed" if state == "closed" else "reopened")

    def _close(self) -> None:
        if self.pull.state == "open":
            self._change(self.pull, "closed")

    def _reopen(self) -> None:
        if self.pull.state == "closed" and not self.pull.merged_at:
            self._change(self.pull, "open")

    def _merge(self) -> None:
        if self.pull.state == "open":
            self.picks.project.merge(self.pull)
            if self.dice.random() < 0.8:
                self._about(self.pull, "closed")

    def _close_pick(self) -> None:
        for each in self._made("open"):
            self.touched = True
            self._change(each, "closed")

    def _reopen_pick(self) -> None:
        for each in [each for each in self._made("closed") if not each.merged_at and self._branch(each)][:1]:
            if not self._made("open"):
                self._change(each, "open")

    def _delete_branch(self) -> None:
        for each in self._made("closed"):
            if self._branch(each) and not self._made("open"):
                self.touched = True
                self.picks.github.state.set_branch(self.picks.github.repository, each.head_ref, None)

    def _merge_pick(self) -> None:
        for each in self._made("open"):
            self.touched = True
            self.picks.project.merge(each)
            self._about(each, "closed")

    def _sweep(self) -> None:
        self.picks.pass_time()
        self.picks.sweep()

    def _branch(self, pull: Pull) -> str:
        return self.picks.project.repository.branches.get(pull.head_ref, "")

    def _made(self, state: str) -> list[Pull]:
        prefix = f"automated-cherry-pick-of-{self.pull.number}-"
        found = [each for each in self.picks.project.repository.pulls() if each.head_ref.startswith(prefix)]
        return [each for each in found if each.state == state]

    def _check(self) -> None:
        """At every moment."""
        assert len(self._made("open")) <= 1, "two are open"
        assert self.pull.merged_at or not self._made("open"), "picked before the merge"

    def _settle(self) -> None:
        """Everything has been heard of, and the world stands still."""
        for _ in range(2):
            self.picks.pass_time(DAY)
            self._sweep()
        self._check()
        made, rows = [*self._made("open"), *self._made("closed")], self._rows()
        assert len(rows) == len(dict(rows)), "a branch has two lines"
        assert not made or self.asking, "nobody has asked for it"
        told = dict(rows).get(RELEASE, "")
        assert bool(told) == self._was_asked, f"said is {told!r}"
        if self.wanted and self.pull.merged_at and not self.touched:
            assert [each.state for each in made] == ["open"], told
            one = made[0]
            assert f"#{one.number}" in told
        elif self.wanted and self.pull.state == "open":
            assert told in ("will be picked when this is merged", f"not picked: {WAITS}"), told
        elif not self.wanted:
            assert not self._made("open"), "it was taken back"
        if numbers := NUMBER.findall(told):
            assert int(numbers[0]) in [each.number for each in made]

    @property
    def _was_asked(self) -> bool:
        return any(f"_{step}" == "_ask" for step in self.steps)

    def _rows(self) -> list[tuple[str, str]]:
        summaries = [each for each in texts(self.pull.comments) if each.startswith("| branch | cherry-pick |")]
        assert len(summaries) <= 1, "two summaries"
        return [(found[1], found[2]) for each in summaries for found in ROW.finditer(each)]
