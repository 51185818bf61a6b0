"""What tests of sweeps share: repositories, labels that came while nobody listened, and what has to be said of them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.mysql import connect
from tests import servers
from tests.harness import Bot
from tests.scene import texts

if TYPE_CHECKING:
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from tests.harness import Run

FILE = ".github/mattermod.yml"
DEV, QA, HELP = "2: Dev Review", "3: QA Review", "Help Wanted"
CONFIG = """
label_messages:
  pull_requests: [{label: "2: Dev Review", message: "Look"}, {label: "3: QA Review", message: "Test"}]
  issues: [{label: "Help Wanted", message: "Say so"}]
"""
CENTRAL = "sweep: {repositories: [octo-org/*]}\n"
ANSWERS = {DEV: "Look", QA: "Test", HELP: "Say so"}
SKIPS = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time: for one run at a time only
Item = tuple[str, int]


def query(database: Database, sql: str) -> list[Any]:
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@dataclass
class Organisation:
    """Repositories of octo-org that the first one sweeps, and what has to stand on their items."""

    bot: Bot
    github: Sandbox
    database: Database
    minutes: int = 0
    wanted: dict[Item, list[str]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def add(self, name: str, pulls: int, issues: int, config: str = CONFIG) -> str:
        """Make a repository with so many open items; without `config` it has no file."""
        place, state = f"octo-org/{name}", self.github.state
        state.add_repository(place).permissions.update(maintainer="write")
        if config:
            state.write_files(place, {FILE: config})
        for nth in range(pulls):
            self.wanted[place, state.add_pull(place, f"Pull {nth}", "reviewer", head=f"me/{name}:{nth}").number] = []
        for nth in range(issues):
            self.wanted[place, state.add_issue(place, f"Issue {nth}", "reporter").number] = []
        return place

    def add_pull(self, place: str, *labels: str) -> int:
        """Open a pull request while nobody listens."""
        number = self.github.state.add_pull(place, "New", "reviewer", head=f"me/fork:{len(self.wanted)}").number
        self.wanted[place, number] = []
        for each in labels:
            self.label(place, number, each)
        return number

    def label(self, place: str, number: int, label: str = "") -> None:
        """Put a label on while nobody listens; it has to be answered."""
        is_pull = any(each.number == number for each in self._at(place).pulls())
        label = label or (DEV if is_pull else HELP)
        self.github.state.add_labels(place, number, [label], "maintainer")
        self.wanted[place, number].append(ANSWERS[label])

    def sweep(self, *, code: int = 0, **variables: str) -> Run:
        """Sweep a quarter of an hour after the last time."""
        done = self.bot.run("schedule", {}, **{**SKIPS, **self.later(), **variables})
        self.runs.append(done)
        assert "Traceback" not in done.log, done.log
        assert done.code == code, done.log
        return done

    def later(self) -> dict[str, str]:
        self.minutes += 15
        return {"MATTERMOD_CLOCK_OFFSET": str(60 * self.minutes)}

    def bodies(self, place: str, number: int) -> list[str]:
        return texts(self.github.state.item(place, number).comments)

    def assert_wanted(self) -> None:
        """Exactly these messages, each once."""
        found = {item: sorted(self.bodies(*item)) for item in self.wanted}
        assert found == {item: sorted(answers) for item, answers in self.wanted.items()}

    def assert_answered(self) -> None:
        """And another sweep writes nothing."""
        self.assert_wanted()
        writes = len(self.github.writes)
        self.sweep()
        assert len(self.github.writes) == writes

    def _at(self, place: str) -> Any:
        return self.github.state.repository(place)


def organisation(github: Sandbox, database: Database, home: Path) -> Organisation:
    """The first repository is swept as well, and has no item of its own."""
    state = github.state
    state.write_files(github.repository, {FILE: CENTRAL + CONFIG})
    token = state.tokens["github-token"]
    token.repositories, token.limit = (), 1_000_000  # as of an App that is installed everywhere
    for number in list(state.repository(github.repository).items):  # type: ignore[union-attr]  # it is there
        state.change_item(github.repository, number, {"state": "closed"})
    return Organisation(Bot.of(github, home, servers.url(database)), github, database)
