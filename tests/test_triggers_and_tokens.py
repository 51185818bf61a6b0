"""Each case of docs/triggers-and-tokens.yml: the exit code, the line that is said, and what GitHub then holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from sandbox import news, payloads
from sandbox.records import Review, Status, Token, WorkflowRun

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot, Run

FILE = Path(__file__).parents[1] / "docs/triggers-and-tokens.yml"
TABLE: dict[str, Any] = YAML(typ="safe", pure=True).load(FILE.read_text())
CASES: list[dict[str, Any]] = TABLE["cases"]
NOW: Any = {"MATTERMOD_CLOCK_SKIPS": "true"}  # waiting takes no time
MESSAGE = """
label_messages:
  pull_requests: [{label: "2: Dev Review", message: "Look"}]
  issues: [{label: "Help Wanted", message: "Say so"}]
"""
MERGE = "auto_merge: {label: Ready to Merge, settle_minutes: 0}\n"
BLOCK = "block_merge: {labels: [Do Not Merge]}\n"
CONFIGS = dict.fromkeys(("label", "issue", "command"), MESSAGE) | {"group": BLOCK}
ALL = ("actions", "checks", "contents", "issues", "pull_requests", "statuses")
READ = dict.fromkeys(ALL, "read")
PERMISSIONS = {
    "job": READ | dict.fromkeys(("contents", "issues", "pull_requests", "statuses"), "write"),
    "read": READ,
    "restricted": {"contents": "read", "packages": "read"},
    "everything": dict.fromkeys((*ALL, "workflows"), "write"),
    "bad": {},
}
GROUP = {
    "head_ref": "refs/heads/gh-readonly-queue/main/pr-NUMBER-" + "a" * 40,
    "base_ref": "refs/heads/main",
}


@dataclass
class Cell:
    """A case in the sandbox: the pull request that it is about, and who does what."""

    github: Sandbox
    run: dict[str, Any]
    event: str

    def __post_init__(self) -> None:
        self.state, self.where = self.github.state, self.github.repository
        self.by = self.run.get("by", "maintainer")
        config = CONFIGS.get(self.run["does"], MERGE)
        self.state.write_files(self.where, {".github/mattermod.yml": config})
        head = "newcomer/hello:topic" if self.run.get("head") == "fork" else "topic"
        author = "newcomer" if self.run.get("head") == "fork" else "reviewer"
        author = self.by if self.by.startswith("dependabot") else author
        self.pull: Pull = self.state.add_pull(self.where, "New", author, head=head)
        green = Status(self.state.next_id(), "ci", "success", self.state.person("ci"), self.state.now())
        self.state.add_status(self.where, self.pull.head_sha, green)
        if config is MERGE:
            payloads.labeled(self.state, self.where, self.pull.number, "Ready to Merge", "maintainer")
        login, may = self.run.get("login", "github-actions[bot]"), PERMISSIONS[self.run["token"]]
        self.token = Token("case", "sandbox-case", login, {"metadata": "read", **may}, (self.where,))
        self.state.tokens["case"] = self.token

    def payload(self) -> Any:
        place = (self.state, self.where, self.pull.number)
        made = {
            "label": lambda: payloads.labeled(*place, "2: Dev Review", self.by),
            "issue": lambda: payloads.labeled(self.state, self.where, self.github.issue, "Help Wanted", self.by),
            "command": lambda: payloads.comment_created(*place, self.by, "/mattermod help"),
            "review": self._reviewed,
            "group": self._group,
            "ended": self._ended,
        }
        return made.get(self.run["does"], dict)()  # nothing of a schedule, and of the button

    def _reviewed(self) -> Any:
        person, at = self.state.person("reviewer"), self.state.now()
        made = Review(self.state.next_id(), person, "APPROVED", "", self.pull.head_sha, at)
        self.state.review(self.where, self.pull.number, made)
        return payloads.reviewed(self.state, self.where, self.pull.number, made.id, "reviewer")

    def _group(self) -> Any:
        around = payloads.about(self.state, self.where, self.pull.number, "labeled", "maintainer")
        group = {**GROUP, "head_ref": GROUP["head_ref"].replace("NUMBER", str(self.pull.number))}
        group["head_sha"] = self.pull.head_sha
        return {"action": "checks_requested", "merge_group": group, "repository": around["repository"]}

    def _ended(self) -> Any:
        who, at = self.state.person("newcomer"), self.state.now()
        run = WorkflowRun(self.state.next_id(), "ci.yml", "pull_request", "CI", "main", {}, who, at)
        self.state.add_run(self.where, run)
        event = payloads.workflow_ended(self.state, self.where, run.id, "success")
        event["workflow_run"] |= {"head_sha": self.pull.head_sha, "event": "pull_request"}
        return event

    def deliver(self, bot: Bot) -> Run:
        bot.token = "sandbox-none" if self.run["token"] == "bad" else self.token.value  # of the sandbox
        bot.inputs["bot-logins"] = "github-actions[bot], mattermod-app[bot]"
        name, again = re.split(r"[, ]", self.event)[0], self.run.get("again")
        actors = {"GITHUB_ACTOR": self.by, "GITHUB_TRIGGERING_ACTOR": again or self.by}
        name = "pull_request_target" if name == "any" else name
        return bot.run(name, self.payload(), **NOW, **actors, GITHUB_RUN_ATTEMPT="2" if again else "1")

    def held(self) -> set[str]:
        """What was made with the token."""
        return {write.action for write in self.github.writes if write.by == self.token.login}


RUN = [case for case in CASES if "run" in case]


@pytest.mark.parametrize("case", RUN, ids=lambda case: f"{case['who']} · {case['event']} · {case['token']}")
@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_each_case(bot: Bot, github: Sandbox, case: dict[str, Any]) -> None:
    """Where the token may not, one line says so, the run ends with 2, and nothing was written."""
    cell = Cell(github, case["run"], case["event"])
    done = cell.deliver(bot)
    assert "Traceback" not in done.log
    assert done.code == (2 if case["works"] == "no" else 0), done.log
    holds = case["run"].get("holds")
    assert holds in cell.held() if holds else not cell.held(), done.log
    if case["works"] == "no":
        said = [line for line in done.log.splitlines() if "github-token" in line]
        assert case["says"] in said
        assert {line.partition(": ")[2] for line in said} == {case["says"].partition(": ")[2]}  # of each effect
        assert github.writes == []
        assert case["change"]
    elif "says" in case:
        assert case["says"] in done.log


def test_a_rerun_posts_nothing_twice(bot: Bot, github: Sandbox) -> None:
    [case] = [case for case in RUN if case["run"].get("again") and case["works"] == "yes"]
    cell = Cell(github, case["run"], case["event"])
    for _ in range(3):
        assert cell.deliver(bot).code == 0
    assert len(cell.pull.comments) == 1


@pytest.mark.parametrize("action", ["add_labels", "comment", "merge"])
def test_what_github_token_does_starts_no_run(github: Sandbox, action: str) -> None:
    """The case that has no run of its own: an App's deeds are heard, GITHUB_TOKEN's are not."""
    heard = {}
    for login in ("github-actions[bot]", "mattermod-app[bot]"):
        cell = Cell(github, {"does": "label", "token": "job", "head": "same"}, "pull_request_target")
        with github.state.deed(login) as writes:
            if action == "comment":
                github.state.add_comment(cell.where, cell.pull.number, login, "Hello")
            elif action == "merge":
                github.state.merge(cell.where, cell.pull.number, "merge", "M", login)
            else:
                github.state.add_labels(cell.where, cell.pull.number, ["3: QA Review"], login)
        heard[login] = bool(news.of(github.state, writes))
    assert heard == {"github-actions[bot]": False, "mattermod-app[bot]": True}


def test_each_case_has_a_source_and_a_way_out() -> None:
    used = {name for case in CASES for name in case["sources"]}
    assert used == TABLE["sources"].keys()
    assert all(url.startswith("https://") for url in TABLE["sources"].values())
    assert all(case["works"] in ("yes", "no", "no run") for case in CASES)
    assert all("change" in case for case in CASES if case["works"] != "yes")
    assert {case["works"] for case in CASES if "run" not in case} == {"no run"}
