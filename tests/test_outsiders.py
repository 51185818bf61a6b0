"""What people without write access find on their pull requests: guarded paths, remarks on lines, a first welcome."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.faults import Fault
from tests.scene import bodies, run, statuses, texts

if TYPE_CHECKING:
    from sandbox import Sandbox
    from tests.harness import Bot

CONFIG = """
protected_paths:
  paths: [".github/**", "build/*.sh"]
  repositories: {Hello: ["**/go.mod"], octo-org/other: ["**"]}
  excluded: ["dependabot[bot]"]
diff_review:
  rules:
    - {text: "mlog.Error(", message: "@USERNAME, why?", paths: ["**/*.go"]}
welcome: {message: "Hello @USERNAME!", first_time_only: true}
label_messages:
  pull_requests: [{label: Waiting, when: unlabeled, message: "On it, @USERNAME."}]
"""
CONTEXT = "merge/protected-paths"
OPTIONS = {"MATTERMOD_CLOCK_SKIPS": "true"}


@pytest.fixture(autouse=True)
def configured(github: Sandbox) -> None:
    files = {".github/mattermod.yml": CONFIG, "build/a.sh": "#!/bin/sh\necho one\necho two\necho three\n"}
    github.state.write_files(github.repository, files)
    github.state.tokens["github-token"].permissions |= {"statuses": "write"}


def opened(github: Sandbox, files: dict[str, str], author: str = "newcomer") -> Any:
    head = f"topic-{uuid.uuid4().hex}"
    pull = github.state.add_pull(github.repository, "New", author, files=files, head=head)
    return payloads.about(github.state, github.repository, pull.number, "opened", author)


def pushed(github: Sandbox, number: int, files: dict[str, str]) -> Any:
    github.state.add_commit(github.repository, number, files)
    return payloads.about(github.state, github.repository, number, "synchronize", "newcomer")


def remarks(github: Sandbox, number: int) -> list[tuple[str, int, str]]:
    pull = github.state.pull(github.repository, number)
    said = texts(pull.line_comments)
    return [(each.path, each.line, text) for each, text in zip(pull.line_comments, said, strict=True)]


TOUCHED = [
    ({".github/workflows/x.yml": "on: push\n"}, ".github/workflows/x.yml"),
    ({"server/go.mod": "module x\n"}, "server/go.mod"),
    ({"build/b.sh": "echo b\n", "build/c.sh": "echo c\n"}, "build/b.sh, build/c.sh"),
]


@pytest.mark.parametrize(("files", "named"), TOUCHED, ids=["hidden", "of this repository", "two"])
def test_guarded_paths(bot: Bot, github: Sandbox, files: dict[str, str], named: str) -> None:
    event = opened(github, files)
    for _ in range(2):
        run(bot, event)
    number = event["number"]
    assert statuses(github, number)[CONTEXT] == ("failure", f"Changes protected paths: {named}")
    told = [body for body in bodies(github, number) if "changes to these paths" in body]
    assert len(told) == 1
    assert all(f"- `{path}`" in told[0] for path in files)


def test_mm61_a_file_that_is_renamed_away_is_guarded(bot: Bot, github: Sandbox) -> None:
    """MM-61: fails when only the new name is looked at."""
    github.state.write_files(github.repository, {"one.sh": "#!/bin/sh\necho one\necho two\necho three\n"}, branch="x")
    pull = github.state.add_pull(github.repository, "Away", "newcomer", head="away", files={})
    repository = github.state.repository(github.repository)
    assert repository
    files = {name: text for name, text in repository.files("main").items() if name != "build/a.sh"}  # type: ignore[union-attr]
    moved = {**files, "elsewhere/a.sh": b"#!/bin/sh\necho one\necho two\necho three\n"}
    sha = repository.objects.commit(moved, [repository.branches["main"]], "Move", github.state.now(), "newcomer")
    repository.commits[sha] = moved
    pull.head_sha = repository.branches["away"] = sha
    run(bot, payloads.about(github.state, github.repository, pull.number, "opened", "newcomer"))
    assert statuses(github, pull.number)[CONTEXT] == ("failure", "Changes protected paths: build/a.sh")


@pytest.mark.parametrize(
    ("author", "files"),
    [
        ("reviewer", {".github/x": "x\n"}),
        ("dependabot[bot]", {".github/x": "x\n"}),
        ("newcomer", {"build/deep/a.sh": "x\n", "github/x": "x\n"}),
    ],
    ids=["writer", "excluded", "other paths"],
)
def test_what_is_free(bot: Bot, github: Sandbox, author: str, files: dict[str, str]) -> None:
    event = opened(github, files, author)
    run(bot, event)
    assert statuses(github, event["number"])[CONTEXT] == ("success", "No protected path is changed")


def test_the_status_follows_the_files(bot: Bot, github: Sandbox) -> None:
    """A new base may make a pull request out of other files, for which the same commit stands."""
    number = opened(github, {"build/b.sh": "echo b\n"})["number"]
    run(bot, payloads.about(github.state, github.repository, number, "reopened", "newcomer"))
    assert statuses(github, number)[CONTEXT] == ("failure", "Changes protected paths: build/b.sh")
    pull, repository = github.state.pull(github.repository, number), github.state.repository(github.repository)
    assert repository
    repository.branches["next"], pull.base_ref = pull.head_sha, "next"
    run(bot, payloads.about(github.state, github.repository, number, "edited", "newcomer"))
    assert statuses(github, number)[CONTEXT] == ("success", "No protected path is changed")


def test_what_is_not_required_is_said_where_it_was_wrong(bot: Bot, github: Sandbox) -> None:
    config = "protected_paths: {paths: ['.github/**'], required: false}\n"
    github.state.write_files(github.repository, {".github/mattermod.yml": config})
    for author in ("reviewer", "newcomer"):
        number = opened(github, {"free": "x\n"}, author)["number"]
        for action in ("opened", "edited"):
            run(bot, payloads.about(github.state, github.repository, number, action, author))
        assert CONTEXT not in statuses(github, number)


GO = "package a\n\nfunc a() {\n\tmlog.Error(1)\n\tmlog.Error(2)\n}\n"


def test_a_line_is_remarked_on_once(bot: Bot, github: Sandbox) -> None:
    event = opened(github, {"a.go": GO, "a.txt": "mlog.Error(\n"})
    number = event["number"]
    for payload in (event, event, pushed(github, number, {"b.go": GO})):
        run(bot, payload)
    assert remarks(github, number) == [("a.go", 4, "@newcomer, why?")]


def test_a_line_that_was_there_is_left_alone(bot: Bot, github: Sandbox) -> None:
    github.state.write_files(github.repository, {"a.go": GO})
    event = opened(github, {"a.go": GO.replace("package a", "package b").replace("(2)", "(2) // again")})
    run(bot, event)
    assert remarks(github, event["number"]) == [("a.go", 5, "@newcomer, why?")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_f07_a_remark_whose_answer_is_lost_is_made_once(bot: Bot, github: Sandbox, when: Any) -> None:
    """F07: fails when what was sent is not looked for among the comments on lines."""
    event = opened(github, {"a.go": GO})
    github.state.faults.add(Fault("status", "POST", "*/pulls/*/comments", when=when, status=502))
    run(bot, event, **OPTIONS)
    assert remarks(github, event["number"]) == [("a.go", 4, "@newcomer, why?")]


def test_a_remark_survives_the_loss_of_the_embedded_store(bot: Bot, github: Sandbox) -> None:
    event = opened(github, {"a.go": GO})
    run(bot, event)
    for file in bot.home.glob(".mattermod/*"):
        file.unlink()
    run(bot, event)
    assert len(remarks(github, event["number"])) == 1


def test_a_welcome_is_for_the_first_pull_request(bot: Bot, github: Sandbox) -> None:
    github.state.add_issue(github.repository, "A question", "fresh")
    first, second = (opened(github, {f"f{number}": "x\n"}, "fresh") for number in range(2))
    run(bot, second)
    assert bodies(github, second["number"]) == []
    github.state.repositories[github.state.repository(github.repository).id].items.pop(second["number"])  # type: ignore[union-attr]
    run(bot, first)
    assert bodies(github, first["number"]) == ["Hello @fresh!"]


def test_a_label_that_goes_is_answered_once(bot: Bot, github: Sandbox) -> None:
    number = opened(github, {"f": "x\n"}, "reviewer")["number"]
    for label in ("other", "waiting", "waiting"):
        for change in (payloads.labeled, payloads.unlabeled):
            run(bot, change(github.state, github.repository, number, label, "maintainer"))
    assert bodies(github, number) == ["On it, @reviewer."]
