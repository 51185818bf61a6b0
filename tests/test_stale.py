"""What grows stale, comes back and is closed: months of sweeps, by the clock of the bot and of GitHub alike."""

from __future__ import annotations

import contextlib
import signal
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.github import PyGithubGitHub
from mattermod_action.adapters.mysql import connect
from mattermod_action.events import Issue, Repository
from mattermod_action.figures import Calls
from mattermod_action.world import RealClock
from sandbox import payloads
from sandbox.faults import Fault
from sandbox.records import Pull, Review
from tests import servers
from tests.cut import Cut, Proxy, http_request
from tests.harness import Bot
from tests.sandbox.openapi import checked
from tests.scene import texts
from tests.test_faults import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.state import State
    from tests.harness import Run

    Deed = Callable[[State, str, int], object]

BOT, US = "dependabot[bot]", "github-actions[bot]"
STALE, OTHER, EXEMPT = "Inactive", "2: Dev Review", "Help Wanted"
NOTICE, CLOSING = "Is this still wanted, newcomer?", "Closed."
CONFIG = """
stale:
  days: 30
  label: inactive
  comment: "Is this still wanted, USERNAME?"
  close_comment: Closed.
"""
MORE = """
  close_after_days: 60
  issues: true
  exempt_labels: ["help wanted"]
  exempt_drafts: true
  exempt_milestones: true
  exempt_assignees: true
"""
DAY = 86_400


@dataclass
class Scene:
    """`day` is what the clock of everything is ahead by."""

    github: Sandbox
    bot: Bot
    day: float = 0.0

    @property
    def state(self) -> State:
        return self.github.state

    def configure(self, config: str) -> None:
        self.state.write_files(self.github.repository, {".github/mattermod.yml": config})

    def on(self, day: float) -> None:
        self.day = day
        self.state.offset = timedelta(days=day)

    @property
    def clock(self) -> dict[str, str]:
        return {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": str(self.day * DAY)}

    def sweep(self, **variables: str) -> Run:
        """A sweep of all parts, that ends well."""
        done = self.bot.run("schedule", {}, **self.clock, **variables)
        assert "Traceback" not in done.log
        assert done.code == 0, done.log
        return done

    def pull(self, author: str = "newcomer", **more: Any) -> Pull:
        number = len(self.repository.items) + 100
        return self.state.add_pull(self.github.repository, f"New {number}", author, head=f"topic-{number}", **more)

    @property
    def repository(self) -> Any:
        return self.state.repository(self.github.repository)

    def do(self, item: Any, deed: Deed) -> None:
        deed(self.state, self.github.repository, item.number)

    def seen(self, item: Any) -> str:
        """What GitHub holds: `L` the label, of our comments `h` one that is hidden, `n` and `c` others, `x` closed."""
        ours = [each for each in item.comments if each.author and each.author.login == US]
        label = "L" if any(each.name.casefold() == "inactive" for each in item.labels) else ""
        shown = "".join(sorted("h" if each.minimized else "c" if CLOSING in each.body else "n" for each in ours))
        return f"{label}{shown}{'x' if item.state == 'closed' else ''}" or "-"


@pytest.fixture
def bot(github: Sandbox, database: Database, tmp_path: Path) -> Bot:
    return Bot(github.url, github.token, tmp_path, servers.url(database))


@pytest.fixture
def scene(bot: Bot, github: Sandbox) -> Scene:
    made = Scene(github, bot)
    for item in list(made.repository.items.values()):
        item.state = "closed"
    made.configure(CONFIG)
    return made


def comment(by: str = "newcomer") -> Deed:
    return lambda state, place, number: state.add_comment(place, number, by, "Well")


def review(by: str) -> Deed:
    def act(state: State, place: str, number: int) -> None:
        sha = state.pull(place, number).head_sha
        state.review(place, number, Review(state.next_id(), state.person(by), "COMMENTED", "", sha, state.now()))

    return act


def push(by: str = "newcomer") -> Deed:
    return lambda state, place, number: state.add_commit(place, number, by=by)


def force_push(by: str = "newcomer") -> Deed:
    return lambda state, place, number: state.force_push(place, number, by)


def label(name: str, by: str = "maintainer") -> Deed:
    return lambda state, place, number: state.add_labels(place, number, [name], by)


def unlabel(name: str, by: str = "maintainer") -> Deed:
    return lambda state, place, number: state.remove_label(place, number, name, by)


def ready(state: State, place: str, number: int) -> None:
    state.set_draft(place, number, draft=False)


def reopen(state: State, place: str, number: int) -> None:
    for name in ("closed", "open"):
        state.change_item(place, number, {"state": name})


def reopen_at_last(state: State, place: str, number: int) -> None:
    state.change_item(place, number, {"state": "open"})


def milestone(state: State, place: str, number: int) -> None:
    state.change_item(place, number, {"milestone": 1})


def assign(state: State, place: str, number: int) -> None:
    state.assign(place, number, ["maintainer"])


@dataclass
class Row:
    """An item that is opened on day 0, what is done to it on which day, and what there is after each sweep.

    `seen` has words for DAYS; of a word that stays only the first is written.
    """

    seen: str
    deeds: dict[int, Deed] = field(default_factory=dict)
    kind: str = "pull"
    author: str = "newcomer"
    draft: bool = False

    def open(self, scene: Scene) -> Any:
        if self.kind == "issue":
            return scene.state.add_issue(scene.github.repository, "New", self.author)
        return scene.pull(self.author, draft=self.draft)

    def expected(self) -> list[str]:
        words: list[str] = []
        for word in self.seen.split():
            words.append(words[-1] if word == "." else word)
        return words


STATEMENTS = 24  # more than the sweep has that marks one pull request
REPEATED = (31, 40, 92, 105)  # days on which there is a second sweep
DAYS = (0, 10, 29, 31, 40, 62, 72, 92, 105, 120)
ROWS = {
    #                                 0 10 29 31  40 62 72 92  105 120
    "nothing happens":           Row("- .  .  Ln  .  .  .  Lcnx .  ."),
    "an issue":                  Row("- .  .  Ln  .  .  .  Lcnx .  .", kind="issue"),
    "a comment before":          Row("- .  .  .   .  Ln .  .   .   .", {20: comment()}),
    "a comment of another":      Row("- .  .  .   .  Ln .  .   .   .", {20: comment("maintainer")}),
    "a comment on the issue":    Row("- .  .  Ln  h  .  Lhn .  .   .", {40: comment()}, kind="issue"),
    "a comment of a bot":        Row("- .  .  Ln  .  .  .  Lcnx .  .", {20: comment(BOT)}),
    "a bot that never rests":    Row("- .  .  Ln  .  .  .  Lcnx .  .", {day: comment(BOT) for day in range(3, 121, 3)}),
    "a bot on the issue":        Row("- .  .  Ln  .  .  .  Lcnx .  .", {20: comment(BOT), 41: comment(BOT)}, "issue"),
    "a comment after":           Row("- .  .  Ln  h  .  Lhn .  .   .", {40: comment()}),
    "comments again and again":  Row("- .  .  Ln  h  .  Lhn hh .  Lhhn", {40: comment(), 90: comment()}),
    "a bot after":               Row("- .  .  Ln  .  .  .  Lcnx .  .", {40: comment(BOT), 62: comment(BOT)}),
    "a review before":           Row("- .  .  .   .  Ln .  .   .   .", {20: review("reviewer")}),
    "a review after":            Row("- .  .  Ln  h  .  Lhn .  .   .", {40: review("reviewer")}),
    "a review of a bot":         Row("- .  .  Ln  .  .  .  Lcnx .  .", {20: review(BOT), 40: review(BOT)}),
    "a push before":             Row("- .  .  .   .  Ln .  .   .   .", {20: push()}),
    "a push after":              Row("- .  .  Ln  h  .  Lhn .  .   .", {40: push()}),
    "a push of a bot":           Row("- .  .  Ln  .  .  .  Lcnx .  .", {20: push(BOT)}),
    "a forced push before":      Row("- .  .  .   .  Ln .  .   .   .", {20: force_push()}),
    "a forced push after":       Row("- .  .  Ln  h  .  Lhn .  .   .", {40: force_push()}),
    "closed and reopened":       Row("- .  .  .   .  Ln .  .   .   .", {20: reopen}),
    "reopened after all":        Row("- .  .  Ln  .  .  .  Lcnx hh .", {105: reopen_at_last}),
    "a label":                   Row("- .  .  .   .  Ln .  .   .   .", {20: label(OTHER)}),
    "a label that goes":         Row("- .  .  Ln  h  .  Lhn .  .   .", {0: label(OTHER), 40: unlabel(OTHER)}),
    "a label of a bot":          Row("- .  .  Ln  .  .  .  Lcnx .  .", {20: label(OTHER, BOT), 40: label("4", BOT)}),
    "by hand":                   Row("- L  .  Ln  .  .  .  Lcnx .  .", {10: label(STALE)}),
    "by hand, and a comment":    Row("- L  -  .   .  Ln .  .   .   .", {10: label(STALE), 20: comment()}),
    "by hand, and a bot":        Row("- L  .  Ln  .  .  .  Lcnx .  .", {10: label(STALE), 20: comment(BOT)}),
    "taken off by hand":         Row("- .  .  Ln  h  .  Lhn .  .   .", {40: unlabel(STALE)}),
    "an exempt label":           Row("- .  .  .   .  .  .  .   .   .", {0: label(EXEMPT)}),
    "an exempt label after":     Row("- .  .  Ln  h  .  .  .   .   .", {40: label(EXEMPT)}),
    "an exempt label of a bot":  Row("- .  .  Ln  h  .  .  .   .   .", {40: label(EXEMPT, BOT)}),
    "a draft":                   Row("- .  .  .   .  .  .  .   .   .", draft=True),
    "a draft that is ready":     Row("- .  .  .   .  .  Ln .   .   .", {40: ready}, draft=True),
    "a milestone":               Row("- .  .  .   .  .  .  .   .   .", {0: milestone}),
    "a milestone after":         Row("- .  .  Ln  h  .  .  .   .   .", {40: milestone}),
    "assigned":                  Row("- .  .  .   .  .  .  .   .   .", {0: assign}),
    "assigned, an issue":        Row("- .  .  .   .  .  .  .   .   .", {0: assign}, kind="issue"),
    "by a maintainer":           Row("- .  .  .   .  .  .  .   .   .", author="maintainer"),
    "by a bot":                  Row("- .  .  .   .  .  .  .   .   .", author=BOT),
}  # fmt: skip


@pytest.fixture(scope="module")
def months(mysql_server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """What was seen of each row after each sweep; one right after that writes nothing."""
    with checked() as github:
        bot = Bot(github.url, github.token, tmp_path_factory.mktemp("months"), servers.url(mysql_server.migrated()))
        scene = Scene(github, bot)
        scene.configure(CONFIG + MORE)
        scene.state.add_milestone(github.repository, "v1")
        items = {name: row.open(scene) for name, row in ROWS.items()}
        seen: dict[str, list[str]] = {name: [] for name in ROWS}
        for before, day in zip((-1, *DAYS), DAYS, strict=False):
            _live(scene, items, range(before + 1, day + 1))
            scene.sweep()
            if day in REPEATED:
                writes = len(github.writes)
                scene.on(day + 0.02)
                scene.sweep()
                assert len(github.writes) == writes, github.writes[writes:]
            for name, item in items.items():
                seen[name].append(scene.seen(item))
        for name, item in items.items():
            seen[name].append(str(getattr(item, "state_reason", None)))
        yield seen


def _live(scene: Scene, items: dict[str, Any], days: range) -> None:
    for day in days:
        scene.on(day)
        for name, row in ROWS.items():
            if deed := row.deeds.get(day):
                scene.do(items[name], deed)


@pytest.mark.parametrize("name", ROWS)
def test_mm62_120_days(months: dict[str, list[str]], name: str) -> None:
    """Once for each time that it grows stale, back with what people do, and with nothing else."""
    assert dict(zip(DAYS, months[name], strict=False)) == dict(zip(DAYS, ROWS[name].expected(), strict=True))


def test_an_issue_is_closed_as_not_planned(months: dict[str, list[str]]) -> None:
    assert (months["an issue"][-1], months["nothing happens"][-1]) == ("not_planned", "None")


def test_what_is_said(scene: Scene) -> None:
    pull = scene.pull()
    scene.configure(CONFIG + MORE)
    for day in (0, 31, 92):
        scene.on(day)
        scene.sweep()
    assert texts(pull.comments) == [NOTICE, CLOSING]


def test_a_push_takes_it_off_at_once(scene: Scene) -> None:
    """When the commit was made says nothing: it may have lain about for long."""
    pull = scene.pull()
    scene.on(31)
    scene.sweep()
    assert scene.seen(pull) == "Ln"
    scene.on(0)
    event = payloads.synchronize(scene.state, scene.github.repository, pull.number, "newcomer")
    scene.on(32)
    event["pull_request"]["updated_at"] = f"{scene.state.now():%Y-%m-%dT%H:%M:%SZ}"
    done = scene.bot.run("pull_request_target", event, **scene.clock)
    assert (done.code, scene.seen(pull)) == (0, "h"), done.log


def test_reads_of_a_sweep(scene: Scene) -> None:
    """A page of a hundred each, and one more; besides it the configuration, and who one author is."""
    pulls = [scene.pull() for _ in range(40)]
    scene.on(20)
    for _ in range(210):
        scene.pull("reviewer")
    scene.on(31)
    before = len(scene.github.requests)
    scene.sweep()
    reads = [each.path for each in scene.github.requests[before:] if not each.write]
    assert reads.count("/graphql") <= 1 + ceil(250 / 100) + 1
    assert len([path for path in reads if path != "/graphql"]) == 1, reads
    assert {scene.seen(pull) for pull in pulls} == {"Ln"}
    scene.on(31.02)
    before, writes = len(scene.github.requests), len(scene.github.writes)
    scene.sweep()
    assert len(scene.github.writes) == writes
    assert len(scene.github.requests) - before <= 1 + ceil(250 / 100) + 1


@pytest.mark.soak
def test_what_one_sweep_leaves_the_next_ones_do(scene: Scene) -> None:
    pulls = [scene.pull() for _ in range(130)]
    scene.on(31)
    assert "sweep: 30 old items: are left to the next sweep" in scene.sweep().log
    for turn in range(1, 4):
        scene.on(31 + turn / 50)
        scene.sweep()
    assert {scene.seen(pull) for pull in pulls} == {"Ln"}


def test_what_a_rate_limit_held_up_the_next_sweep_does(scene: Scene) -> None:
    pull = scene.pull()
    scene.on(31)
    scene.state.faults.add(Fault("secondary-limit", "POST", "/repos/*/comments", retry_after="3600"))
    scene.sweep()
    assert scene.seen(pull) == "L"
    scene.on(31.02)
    scene.sweep()
    assert scene.seen(pull) == "Ln"


# The writes of three sweeps, each with what is there when all is done: what dies in between is mended by the next one.
LIVES: dict[str, tuple[tuple[int, ...], Deed | None, str]] = {
    "marked": ((31,), None, "Ln"),
    "revived": ((31, 40), comment(), "h"),
    "closed": ((31, 92), None, "Lcnx"),
}
KILLED = [pytest.param(life, marks=[pytest.mark.soak] if life == "closed" else []) for life in LIVES]


@pytest.mark.parametrize("phase", ["before", "during"])
@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("life", KILLED)
def test_mm62_killed_and_swept_again(scene: Scene, life: str, write: int, phase: str) -> None:
    """One label and one comment, whichever write it dies at."""
    days, deed, expected = LIVES[life]
    pull = scene.pull()
    scene.configure(CONFIG + "  close_after_days: 60\n")
    scene.on(0)
    scene.sweep()
    for day in days[:-1]:
        scene.on(day)
        scene.sweep()
    scene.on(days[-1])
    if deed:
        scene.do(pull, deed)
    _die(scene, write, phase)
    scene.on(days[-1] + 0.02)
    scene.sweep()
    assert scene.seen(pull) == expected
    writes = len(scene.github.writes)
    scene.on(days[-1] + 0.04)
    scene.sweep()
    assert len(scene.github.writes) == writes


@pytest.mark.soak
@pytest.mark.parametrize("phase", ["before", "during"])
@pytest.mark.parametrize("at", range(1, STATEMENTS + 1))
def test_mm62_killed_at_a_statement(scene: Scene, database: Database, at: int, phase: str) -> None:
    """The same for each statement of the sweep that marks it."""
    pull = scene.pull()
    scene.sweep()
    scene.on(31)
    cut = Cut(at, phase)
    with Trial(scene.bot, scene.github, database).wired("mysql", cut) as wired:
        assert wired.kill("schedule", {}, cut, **scene.clock).code == (-signal.SIGKILL if len(cut.names) >= at else 0)
    for turn in range(1, 3):
        scene.on(31 + turn / 50)
        scene.sweep()
    assert scene.seen(pull) == "Ln"


def _die(scene: Scene, write: int, phase: str) -> None:
    """Be killed at one of the requests that change something."""
    cut, before = Cut(_nth(scene, write), phase), _writes(scene)
    host, port = scene.github.url.removeprefix("http://").split(":")
    with closing(Proxy((host, int(port)), http_request, cut)) as proxy:
        wired = Bot(f"http://127.0.0.1:{proxy.port}", scene.bot.token, scene.bot.home, scene.bot.database_url)
        assert wired.kill("schedule", {}, cut, **scene.clock).code == -signal.SIGKILL
    assert _writes(scene) - before == write - (phase == "before")


def _writes(scene: Scene) -> int:
    return sum(each.write for each in scene.github.requests)


def _nth(scene: Scene, write: int) -> int:
    """Configuration, page, activity; who the author is, unless it is revived; then the writes."""
    reviving = any(each.body == "Well" for item in scene.repository.items.values() for each in item.comments)
    return (3 if reviving else 4) + write


def test_mm63_what_nobody_has_told_of_grows_stale_too(scene: Scene) -> None:
    """The list is GitHub's: no row is needed, and none is there when only this part is swept."""
    pull = scene.pull()
    scene.on(31)
    scene.sweep(INPUT_SWEEP="stale")
    assert scene.seen(pull) == "Ln"


def test_mm63_what_is_gone_is_retired(scene: Scene, database: Database) -> None:
    issue = scene.state.add_issue(scene.github.repository, "New", "newcomer")
    scene.sweep()
    scene.state.delete(scene.github.repository, issue.number)
    scene.on(0.02)
    scene.sweep()
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT State FROM Issues WHERE Number = {issue.number}")
        assert list(cursor.fetchall()) == [("closed",)]
    before = len(scene.github.requests)
    scene.on(0.04)
    scene.sweep()
    assert not [each for each in scene.github.requests[before:] if f"/issues/{issue.number}" in each.path]


def test_mm63_what_goes_while_it_is_asked_for_hides_nothing(scene: Scene) -> None:
    """GitHub answers a query that names something which is gone with an error."""
    place = scene.repository
    repository = Repository(place.id, place.owner, place.name)
    numbers = [scene.state.add_issue(scene.github.repository, f"{nth}", "newcomer").number for nth in range(5)]
    for number in (numbers[1], numbers[4]):
        scene.state.delete(scene.github.repository, number)
    now = scene.state.now().replace(tzinfo=None)
    asked = [
        Issue(repository=repository, number=number, author="x", labels=(), state="open", url="", updated_at=now)
        for number in numbers
    ]
    github = PyGithubGitHub(scene.github.url, scene.github.token, (US,), RealClock(), Calls())
    assert [*github.activities(asked, "inactive")] == [numbers[0], numbers[2], numbers[3]]
