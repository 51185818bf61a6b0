"""Whatever comes from outside: a result, a line with exit 2 or 3, or "could not be checked"; never a trace, and soon.

`make test` tries some 2,000 cases, `make soak` a hundred times as many.
"""

from __future__ import annotations

import inspect
import json
import random
import resource
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mattermod_action import commands, config, inputs, job, shapes, source
from mattermod_action.adapters import aws_errors, cla_list, contents, database_url, jenkins_servers
from mattermod_action.adapters.github import PyGithubGitHub
from mattermod_action.adapters.github_errors import Answered, error_of
from mattermod_action.errors import Down, FactUnavailable, MattermodError, Unsure
from mattermod_action.figures import Calls
from mattermod_action.markers import Seals, at_end, marker_of
from mattermod_action.parsing import parse
from mattermod_action.ports import ChangedFile, NewPull, Place, Status, Written
from mattermod_action.report import BUG, Report
from mattermod_action.running import Run, wanted
from mattermod_action.sweeping import NOTHING
from mattermod_action.world import SkippingClock, World
from sandbox import payloads
from tests.builders import item, payload, pull_seen
from tests.garbled import BODIES, HEADERS, OTHERS, STATUSES, EndlessGitHub, GarbledBuilds, GarbledGitHub, spoilt
from tests.hostile import HOSTILE, hostile
from tests.sandbox.openapi import checked
from tests.test_golden import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox import Sandbox

ALL: Any = YAML(typ="safe", pure=True).load(CONFIG)
ORIGINAL: Any = {
    "PrLabels": [{"Label": "a", "Message": "b"}], "IssueLabels": [{"Label": "a", "Message": "b"}], "DaysUntilStale": 30,
    "BlockListPathsGlobal": ["a/**"], "SignedCLAURL": "https://example.org/x", "DataSource": "u:p@tcp(h:3306)/d",
    "JenkinsCredentials": {"ci": {"URL": "https://ci.example.org", "Username": "u", "ApiToken": "t"}},
    "MattermostWebhookURL": "https://chat.example.org/x", "Username": "bot", "StaleLabel": "old",
}  # fmt: skip
LONGEST = 1.0  # seconds that one case may take
MOST = 200 * 1024  # KiB that all of them may add
SLOW = 10  # times as long on a machine that others use as well
SUBJECT = pull_seen("Docs").subject

few = settings(max_examples=120, deadline=None, suppress_health_check=[*HealthCheck])
some = settings(max_examples=5_000, deadline=None, suppress_health_check=[*HealthCheck])
many = settings(max_examples=15_000, deadline=None, suppress_health_check=[*HealthCheck])
seeds = st.integers(0, 2**32)


@contextmanager
def bounded() -> Iterator[None]:
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - began < LONGEST * SLOW
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST


def texts(dice: random.Random) -> str:
    """Of what is hostile, of what is known to be written there, and of both."""
    known = [
        "mysql://u:p@h:3306/d?tls=true", "u:p@tcp(h:3306)/d", "/cherry-pick a b", "/spinmint extend 24h", "```", "> ",
        "@@ -1,3 +1,4 @@\n+a\n-b\n\\ No newline", "label_messages:\n  pull_requests: [{label: a, message: b}]", "---\n",
        '{"PrLabels": [{"Label": "a", "Message": "b"}]}', "login,name\nalice,x\n", '"', "\\", "&a [*a, *a]",
        "https://ci.example.com robot 1234567890abcdef", "<!-- mattermod:v1:cla:0123456789abcdef -->", "9" * 5_000,
        "stale: {days: 1}", "? ", "- ", ": ", "\ufeff", "%YAML 1.9\n", "1e999", "0x", "~", "!!python/x", "\t",
        "<<: *a", "\x85", "2026-01-01",
    ]  # fmt: skip
    return "".join(dice.choice([*known, hostile(dice), dice.choice(HOSTILE)]) for _ in range(dice.randint(1, 6)))


def event(dice: random.Random) -> Any:
    kind = dice.choice(["pull_request", "issues", "issue_comment", "merge_group", "repository_dispatch", "schedule",
                        "pull_request_review", "check_suite", "workflow_run", "status"])  # fmt: skip
    body = payload("pull_request" if kind != "issues" else kind, dice.choice(["labeled", "opened", "x"]), item("Docs"))
    body |= {"comment": {"id": 1, "body": "/check-cla", "user": {"login": "a"}}, "label": {"name": "Docs"},
             "merge_group": {"head_sha": "a" * 40, "head_ref": "gh-readonly-queue/main/pr-7-a"}, "issue": item("Docs"),
             "client_payload": {"key": "a" * 64, "conclusion": "success"}, "review": {"state": "approved"},
             "check_suite": {"head_sha": "a" * 40, "pull_requests": [{"number": 7}]}, "sha": "a" * 40}  # fmt: skip
    return job.parse(kind, spoilt(body, dice), "octo-org/hello", 1)


def settings_of(dice: random.Random) -> Any:
    names = ["database-url", "wait-minutes", "shard", "sweep", "version", "confirm", "marker-key", "fail-on", "state"]
    env = {f"INPUT_{name.upper()}": texts(dice) for name in dice.sample(names, 2)}
    odd = dice.choice(["GITHUB_RUN_ATTEMPT", "GITHUB_REPOSITORY_ID", "MATTERMOD_FORMAT", "MATTERMOD_CLOCK_OFFSET"])
    return inputs.read({**env, odd: texts(dice), "GITHUB_API_URL": dice.choice(["http://localhost", texts(dice)])})


def diff(dice: random.Random) -> Any:
    from mattermod_action.features import diff_review

    rule = diff_review.Rule(text="panic(", message="x")
    return list(diff_review._where(ChangedFile("a.go", "", texts(dice) + "\n+panic("), rule))


def answered(dice: random.Random) -> Any:
    data = spoilt({"message": "x", "errors": [{"type": "NOT_FOUND", "path": ["a"], "message": "m"}], "data": {}}, dice)
    answer = Answered(dice.choice(STATUSES), dice.choice(HEADERS), dice.choice([data, *OTHERS]))
    return error_of(answer, "read", "`x`"), answer.reason


def file_of(dice: random.Random) -> Any:
    reply = contents.Reply(dice.choice(STATUSES), dice.choice(HEADERS), dice.choice(BODIES))
    found = contents._as_a_file(reply)
    return found.error("x") if found.status != 200 else contents._text(found.body, "x")  # OK


CI = jenkins_servers.parse("https://ci.example.com robot 1234567890abcdef")
LINKS = ["/job/x/7/", "/job/x/", "/queue/item/7/", "/job/x/lastBuild/", "/job/a/job/b/7/"]


def build(dice: random.Random) -> Any:
    return GarbledBuilds(CI, SkippingClock(), dice).build("https://ci.example.com" + dice.choice([*LINKS, texts(dice)]))


def said_by_aws(dice: random.Random) -> Any:
    """The library makes the shape; code and words are AWS's, or of whatever answers in its place."""
    codes = ["InvalidParameterValue", "UnauthorizedOperation", "Throttling", "InvalidChangeBatch", texts(dice)]
    about: Any = {"Error": {"Code": dice.choice(codes), "Message": texts(dice)}, "ResponseMetadata": {}}
    about["ResponseMetadata"]["HTTPStatusCode"] = dice.choice(STATUSES)

    def refuse() -> None:
        raise ClientError(about, "RunInstances")

    return aws_errors.call(refuse, "ec2:RunInstances", Unsure)


PARSERS: dict[str, Callable[[random.Random], Any]] = {
    "event": event,
    "inputs": settings_of,
    "configuration": lambda dice: config.load(texts(dice), "c.yml"),
    "original's": lambda dice: config.load('{"PrLabels": ' + texts(dice), "c.json"),
    "spoilt configuration": lambda dice: config.load(json.dumps(spoilt(ALL, dice)), "c.yml"),
    "spoilt original's": lambda dice: config.load(json.dumps(spoilt(ORIGINAL, dice)), "c.json"),
    "source": lambda dice: source.read(texts(dice)),
    "commands": lambda dice: commands.parse(texts(dice)),
    "added commands": lambda dice: commands.added(texts(dice), texts(dice)),
    "dsn": lambda dice: database_url.parse(texts(dice)),
    "jenkins": lambda dice: jenkins_servers.parse(texts(dice)),
    "list": lambda dice: cla_list.logins(texts(dice)),
    "diff": diff,
    "markers": lambda dice: (at_end(text := texts(dice)), marker_of(text), Seals(("k" * 32,)).marker_in(SUBJECT, text)),
    "answer": answered,
    "file": file_of,
    "build": build,
    "aws": said_by_aws,
}
HEAVY = ("spoilt configuration", "spoilt original's")  # a configuration is long
OURS = (MattermodError, FactUnavailable, config.ConfigErrors, source.Unreadable)


def tried(act: Callable[[], Any]) -> None:
    with bounded():
        try:
            repr(act())
        except OURS:
            return


@pytest.mark.parametrize("parser", PARSERS)
@few
@given(seed=seeds)
def test_t20_fuzz_a_parser_gives_a_result_or_a_line(parser: str, seed: int) -> None:
    tried(lambda: PARSERS[parser](random.Random(seed)))  # noqa: S311  # repeatable


@pytest.mark.soak
@pytest.mark.parametrize("parser", [each for each in PARSERS if each not in HEAVY])
@many
@given(seed=seeds)
def test_t20_fuzz_a_parser_gives_a_result_or_a_line_many(parser: str, seed: int) -> None:
    tried(lambda: PARSERS[parser](random.Random(seed)))  # noqa: S311  # repeatable


@pytest.mark.soak
@pytest.mark.parametrize("parser", HEAVY)
@some
@given(seed=seeds)
def test_t20_fuzz_a_configuration_gives_a_result_or_a_line_many(parser: str, seed: int) -> None:
    tried(lambda: PARSERS[parser](random.Random(seed)))  # noqa: S311  # repeatable


class GarbledWorld(World):
    """A world whose GitHub spoils the `turn`th of its different answers."""

    dice: random.Random
    turn = -1

    def _github(self, token: str, **more: str) -> Any:
        given = self.inputs
        made = GarbledGitHub(given.api_url, token, given.bot_logins, self.clock, self.calls, **more)
        made.dice, made.turn = self.dice, self.turn
        return made


@pytest.fixture(scope="module")
def github() -> Iterator[Sandbox]:
    with checked() as running:
        running.state.tokens["github-token"].permissions |= dict.fromkeys(
            ("contents", "issues", "pull_requests", "statuses", "actions", "checks"), "write"
        )
        GarbledGitHub.kept.clear()
        yield running


@pytest.fixture(scope="module")
def lived(github: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return Lived(github, tmp_path_factory.mktemp("lives"))


class Lived:
    """Runs in which everything is switched on that needs GitHub alone."""

    def __init__(self, github: Sandbox, home: Path) -> None:
        self.home, state, where = home, github.state, github.repository
        off = {"spinmint", "cherry_pick", "cla"}
        text = json.dumps({name: section for name, section in ALL.items() if name not in off})
        self.config = config.load(text, "c.yml").config
        number = state.add_pull(where, "x", "stranger", head="stranger/hello:x", files={"a.go": "panic(\n"}).number
        state.add_comment(where, number, "stranger", "Hello")
        events = [
            payloads.labeled(state, where, number, "Docs", "maintainer"),
            payloads.about(state, where, number, "opened", "stranger"),
            payloads.comment_created(state, where, number, "maintainer", "/update-branch\n/check-cla\n/mattermod help"),
            payloads.about(state, where, number, "synchronize", "stranger"),
            payloads.closed(state, where, number, "maintainer"),
        ]
        self.events = [parse(payloads.name(each), json.loads(json.dumps(each)), where, 1) for each in events]
        self.events.append(parse("schedule", {}, where, state.repository(where).id))  # type: ignore[union-attr]  # it is there
        self.subject: Any = self.events[0].subject  # type: ignore[union-attr]  # a pull request
        self.given = inputs.read(
            {**github.variables, "INPUT_GITHUB-TOKEN": github.token, "GITHUB_WORKSPACE": str(home)}
        )
        for each in self.events:
            self.live(each, 0, -1, home / "first.sqlite")
        self.live(parse("schedule", {}, where, 1), 0, -1, home / "empty.sqlite")

    def live(self, event: Any, seed: int, turn: int, state: Path) -> Report:
        world, report = GarbledWorld(replace(self.given, state=state), None), Report()
        world.__dict__["clock"] = SkippingClock()
        world.dice, world.turn = random.Random(seed), turn  # noqa: S311  # repeatable
        Run(wanted(self.config, world), world, report).go(event)
        world.close()
        return report

    def tried(self, nth: int, seed: int, turn: int) -> None:
        state = self.home / "one.sqlite"
        shutil.copyfile(self.home / ("first.sqlite" if seed % 2 else "empty.sqlite"), state)
        with bounded():
            report = self.live(self.events[nth % len(self.events)], seed, turn, state)
        assert BUG not in report.codes, report.failures


@few
@given(nth=st.integers(0, 5), seed=seeds, turn=st.integers(0, 12))
def test_t20_fuzz_a_run_ends_well_whatever_github_answers(lived: Lived, nth: int, seed: int, turn: int) -> None:
    lived.tried(nth, seed, turn)


@pytest.mark.soak
@some
@given(nth=st.integers(0, 5), seed=seeds, turn=st.integers(0, 12))
def test_t20_fuzz_a_run_ends_well_whatever_github_answers_many(lived: Lived, nth: int, seed: int, turn: int) -> None:
    lived.tried(nth, seed, turn)


REPOSITORY = SUBJECT.repository
THERE = Place("octo-org/hello", "build.yml", "", home=True)
EVENT = Place("octo-org/hello", "", "build", home=True)
MOMENT = SUBJECT.updated_at
QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "subject": lambda github, pull: github.subject(pull),
    "item": lambda github, pull: github.item(pull.repository, pull.number),
    "pull": lambda github, pull: github.pull(pull.repository, pull.number),
    "comment": lambda github, pull: github.comment(pull, "x"),
    "edit": lambda github, pull: github.edit_comment(pull, "https://x/#issuecomment-1", "x"),
    "review comment": lambda github, pull: github.review_comment(pull, "x", pull.sha, ("a.go", 1)),
    "react": lambda github, pull: github.react(pull, 1, "+1"),
    "react to review": lambda github, _: github.react_to_review("PRR_1", "+1"),
    "review": lambda github, pull: github.request_review(pull, ["core"]),
    "update": lambda github, pull: github.update_branch(pull, pull.sha),
    "candidates": lambda github, pull: github.candidates(pull.repository, "Docs"),
    "candidate": lambda github, pull: github.candidate(pull.repository, pull.number, "Docs"),
    "merge": lambda github, pull: github.merge(pull, pull.sha, "squash"),
    "enqueue": lambda github, pull: github.enqueue("PR_1", pull.sha),
    "dequeue": lambda github, _: github.dequeue("PR_1"),
    "has checks": lambda github, pull: github.has_checks(pull.repository, "main"),
    "parent": lambda github, pull: github.parent(pull.repository, "topic"),
    "fates": lambda github, pull: github.fates(pull.repository, [7]),
    "members": lambda github, pull: github.members(pull.repository, [7, 8], 20),
    "activities": lambda github, pull: github.activities([pull], "stale"),
    "hide": lambda github, _: github.hide_comment("IC_1"),
    "close": lambda github, pull: github.close(pull),
    "open items": lambda github, pull: [*github.open_items(pull.repository, "x.yml", NOTHING)],
    "owned": lambda github, _: [*github.owned("octo-org")],
    "mark": lambda github, pull: github.mark(pull.repository, pull.sha, "ci"),
    "dispatch": lambda github, _: github.dispatch_workflow(THERE, "main", {}),
    "event": lambda github, _: github.dispatch_event(EVENT, {}),
    "run": lambda github, _: github.find_run(THERE, "a" * 64, MOMENT),
    "ended": lambda github, _: github.ended("https://github.com/octo-org/hello/actions/runs/1"),
    "source": lambda github, pull: github.source(pull, "Docs", ["release-1"], comments=True),
    "branches": lambda github, pull: github.branches(pull.repository, "release"),
    "all branches": lambda github, pull: github.all_branches(pull.repository),
    "milestones": lambda github, pull: github.milestones(pull.repository),
    "touches": lambda github, pull: github.touches(pull.repository, "main", pull.sha, ["a.go"]),
    "open": lambda github, pull: github.open_pull(pull.repository, NewPull("x", "x", "x", "main", draft=False)),
    "prepare": lambda github, pull: github.prepare_pull(pull, 1, ["maintainer"]),
    "auto merge": lambda github, pull: github.auto_merge(pull, "squash", pull.sha),
    "label": lambda github, pull: github.add_labels(pull, ["x"]),
    "unlabel": lambda github, pull: github.remove_label(pull, "x"),
    "statuses": lambda github, pull: github.statuses(pull.repository, pull.sha),
    "status": lambda github, pull: github.set_status(pull.repository, pull.sha, Status("x", "success", "x", "")),
    "role": lambda github, pull: github.role(pull.repository, "maintainer"),
    "files": lambda github, pull: [*github.files(pull)],
    "authors": lambda github, pull: github.authors(pull),
    "text": lambda github, pull: github.text_of(pull, "a.go"),
    "pushes": lambda github, pull: github.pushes(pull),
    "noted": lambda github, pull: github.noted_at(pull.repository, pull.sha),
    "forked": lambda github, pull: github.forked_at(pull, pull.sha, "main"),
    "said": lambda github, pull: github.said(pull.repository, 1),
    "labelings": lambda github, pull: github.labelings(pull),
    "fork point": lambda github, pull: github.fork_point(pull.repository, "main", pull.sha),
    "first": lambda github, pull: github.is_first(pull),
    "delete": lambda github, pull: github.delete_comment(pull, Written("https://x/#issuecomment-1", "x")),
    "markers": lambda github, pull: github.markers(pull),
    "markers on lines": lambda github, pull: github.markers(pull, on_lines=True),
}


def asked(lived: Lived, question: str, seed: int, turn: int) -> None:
    world = GarbledWorld(lived.given, None)
    world.__dict__["clock"] = SkippingClock()
    world.dice, world.turn = random.Random(seed), turn  # noqa: S311  # repeatable
    tried(lambda: QUESTIONS[question](world.github, lived.subject))


def test_each_question_of_the_port_is_among_those_that_are_fuzzed() -> None:
    asked_for = {name for name, each in vars(PyGithubGitHub).items() if callable(each) and not name.startswith("_")}
    source_of = "".join(inspect.getsource(each) for each in QUESTIONS.values())
    assert {name for name in asked_for if f"github.{name}(" not in source_of} == set()


@few
@given(question=st.sampled_from([*QUESTIONS]), seed=seeds, turn=st.integers(0, 2))
def test_t20_fuzz_a_question_to_github_gives_a_result_or_an_error_of_ours(
    lived: Lived, question: str, seed: int, turn: int
) -> None:
    asked(lived, question, seed, turn)


@pytest.mark.soak
@many
@given(question=st.sampled_from([*QUESTIONS]), seed=seeds, turn=st.integers(0, 2))
def test_t20_fuzz_a_question_to_github_gives_a_result_or_an_error_of_ours_many(
    lived: Lived, question: str, seed: int, turn: int
) -> None:
    asked(lived, question, seed, turn)


MISFITS: dict[str, Any] = {
    "number": "7", "labels": ["a"], "milestone_number": "1", "draft": None, "author": 7, "updated_at": "2026-01-01",
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_t20_a_record_has_what_it_promises(name: str) -> None:
    with pytest.raises(TypeError, match=f"PullRequest.{name} is a"):
        shapes.checked([replace(SUBJECT, **{name: MISFITS[name]})])
    assert shapes.checked(SUBJECT) is SUBJECT


@pytest.mark.parametrize(
    "value", [("\ud800",), {"\ud800": 1}, [10**30], {1: [{-(2**64)}]}, replace(SUBJECT, ref="\ud800")]
)
def test_t20_a_record_has_nothing_that_no_store_takes(value: Any) -> None:
    with pytest.raises(ValueError, match=r"surrogates|64 bits"):
        shapes.checked(value)


@pytest.mark.parametrize("question", ["markers", "markers on lines", "authors", "open items", "owned", "candidates"])
def test_t20_a_list_that_leads_back_has_an_end(lived: Lived, question: str) -> None:
    given = lived.given
    github = EndlessGitHub(given.api_url, given.token, given.bot_logins, SkippingClock(), Calls())
    with pytest.raises(Down, match="cannot be read"):
        QUESTIONS[question](github, lived.subject)
