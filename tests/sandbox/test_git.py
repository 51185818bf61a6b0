"""Plain git against the sandbox: clones, partial fetches, pushes, and what is refused."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.test_sandbox import REPO, call

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox

ME = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(*words: str, at: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", **ME}
    if token:
        env |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {token}",
        }
    return subprocess.run(["git", *words], cwd=at, env=env, capture_output=True, text=True, check=False)


def clone(github: Sandbox, at: Path, *options: str) -> Path:
    done = git("clone", *options, f"{github.url}/{github.repository}.git", "clone", at=at)
    assert done.returncode == 0, done.stderr
    return at / "clone"


def commit(work: Path, name: str, text: str) -> str:
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    (work / name).write_text(text)
    git("add", ".", at=work)
    assert git("commit", "-m", f"Change {name}", at=work).returncode == 0
    return git("rev-parse", "HEAD", at=work).stdout.strip()


def test_a_clone_has_the_files_and_the_shas_of_the_api(github: Sandbox, tmp_path: Path) -> None:
    work = clone(github, tmp_path)
    repository = github.state.repository(github.repository)
    assert repository
    assert git("rev-parse", "HEAD", at=work).stdout.strip() == repository.branches["main"]
    assert (work / ".github/mattermod.yml").read_text().startswith("label_messages:")
    assert git("fsck", "--full", at=work).returncode == 0


def test_the_head_of_a_pull_request_from_a_fork_can_be_fetched(github: Sandbox, tmp_path: Path) -> None:
    work = clone(github, tmp_path)
    assert git("fetch", "origin", f"refs/pull/{github.pull}/head", at=work).returncode == 0
    [pull] = github.state.repositories[1_000_001].pulls()
    assert git("rev-parse", "FETCH_HEAD", at=work).stdout.strip() == pull.head_sha


def test_any_commit_is_fetched_by_its_sha_without_blobs(github: Sandbox, tmp_path: Path) -> None:
    sha = github.state.write_files(github.repository, {"new.txt": "new\n"}, "topic")
    git("init", "--bare", "bare", at=tmp_path)
    url = f"{github.url}/{github.repository}"
    done = git("fetch", "--depth=1", "--filter=blob:none", url, sha, at=tmp_path / "bare")
    assert done.returncode == 0, done.stderr
    assert git("cat-file", "-t", sha, at=tmp_path / "bare").stdout == "commit\n"


def test_a_push_moves_the_branch_and_the_pull_request(github: Sandbox, tmp_path: Path) -> None:
    pull = github.state.add_pull(github.repository, "Topic", "newcomer", head="topic")
    work = clone(github, tmp_path, "--branch", "topic")
    sha = commit(work, "more.txt", "more\n")
    done = git("push", "origin", "topic", at=work, token=github.tokens["maintainer"])
    assert done.returncode == 0, done.stderr
    repository = github.state.repository(github.repository)
    assert repository
    assert repository.branches["topic"] == pull.head_sha == sha
    assert (repository.files("topic") or {})["more.txt"] == b"more\n"
    assert [write.action for write in github.writes] == ["push", "synchronize"]


@pytest.mark.parametrize("token", ["", "github-token", "fork-read-only"])
def test_a_push_needs_contents_write(github: Sandbox, tmp_path: Path, token: str) -> None:
    work = clone(github, tmp_path)
    commit(work, "more.txt", "more\n")
    done = git("push", "origin", "HEAD:refs/heads/new", at=work, token=github.tokens.get(token, ""))
    assert done.returncode != 0
    assert github.writes == []


def test_a_protected_branch_is_refused(github: Sandbox, tmp_path: Path) -> None:
    repository = github.state.repository(github.repository)
    assert repository
    repository.protected.add("main")
    work = clone(github, tmp_path)
    commit(work, "more.txt", "more\n")
    done = git("push", "origin", "main", at=work, token=github.tokens["maintainer"])
    assert "GH006: Protected branch update failed" in done.stderr
    assert github.writes == []


def test_s03_a_workflow_file_needs_the_permission_for_it(github: Sandbox, tmp_path: Path) -> None:
    work = clone(github, tmp_path)
    commit(work, ".github/workflows/new.yml", "on: push\n")
    done = git("push", "origin", "HEAD:refs/heads/new", at=work, token=github.tokens["maintainer"])
    assert "without `workflows` permission" in done.stderr
    github.state.tokens["maintainer"].permissions["workflows"] = "write"
    assert git("push", "origin", "HEAD:refs/heads/new", at=work, token=github.tokens["maintainer"]).returncode == 0


FILE = ".github/workflows/new.yml"


def on_main(github: Sandbox) -> None:
    github.state.write_files(github.repository, {FILE: "on: push\n"})


# Whether it compares with the default branch, what is pushed as a new branch, and whether it is refused.
PUSHES = [
    (True, False, "plain.txt", False),
    (True, True, "plain.txt", True),  # it changes no workflow file, and has not that of `main`
    (True, True, FILE, False),  # it brings the file as it is on `main`
    (True, False, FILE, True),
    (False, True, "plain.txt", False),
    (False, False, FILE, True),
]


@pytest.mark.parametrize(("compares", "ahead", "name", "refused"), PUSHES)
def test_workflow_files_are_compared_with_the_default_branch_or_by_commits(
    github: Sandbox, tmp_path: Path, *, compares: bool, ahead: bool, name: str, refused: bool
) -> None:
    """GitHub publishes no rule: https://github.com/DataDog/datadog-agent/pull/49532."""
    repository = github.state.repository(github.repository)
    assert repository
    repository.compares_workflows = compares
    work = clone(github, tmp_path)
    if ahead:
        on_main(github)
    commit(work, name, "on: push\n")
    done = git("push", "origin", "HEAD:refs/heads/new", at=work, token=github.tokens["maintainer"])
    assert ("without `workflows` permission" in done.stderr) is refused
    assert ("new" in repository.branches) is not refused


@pytest.mark.parametrize(
    ("compares", "permission", "status"), [(True, "", 422), (True, "write", 202), (False, "", 202)]
)
def test_a_branch_is_not_brought_up_to_date_with_workflow_files(
    github: Sandbox, *, compares: bool, permission: str, status: int
) -> None:
    """https://github.com/chdsbd/kodiak/issues/853; which status GitHub gives is not published."""
    repository = github.state.repository(github.repository)
    assert repository
    pull = github.state.add_pull(github.repository, "New", "maintainer", head="topic", files={"a.txt": "a\n"})
    repository.compares_workflows = compares
    on_main(github)
    if permission:
        github.state.tokens["app"].permissions["workflows"] = permission
    path = f"{REPO}/pulls/{pull.number}/update-branch"
    got, answer, _ = call(github, "PUT", path, {}, github.tokens["app"])
    assert got == status, answer
    assert ("without workflows permission" in answer["message"]) is (status != 202)


def test_f17_a_push_that_is_no_fast_forward_is_refused(github: Sandbox, tmp_path: Path) -> None:
    work = clone(github, tmp_path)
    github.state.write_files(github.repository, {"theirs.txt": "first\n"})
    commit(work, "ours.txt", "second\n")
    assert "rejected" in git("push", "origin", "main", at=work, token=github.tokens["maintainer"]).stderr


def test_a_private_repository_asks_for_a_token(github: Sandbox, tmp_path: Path) -> None:
    repository = github.state.repository(github.repository)
    assert repository
    repository.private = True
    url = f"{github.url}/{github.repository}.git"
    assert git("ls-remote", url, at=tmp_path).returncode != 0
    assert git("ls-remote", url, at=tmp_path, token=github.token).returncode == 0


def test_modes_links_and_submodules_survive(github: Sandbox, tmp_path: Path) -> None:
    """What was pushed stays what it is, also under a commit that is made here on top of it."""
    work = clone(github, tmp_path)
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    (work / "link").symlink_to("run.sh")
    (work / "bin").write_bytes(b"\0\xff")
    tip = git("rev-parse", "HEAD", at=work).stdout.strip()
    git("update-index", "--add", "--cacheinfo", f"160000,{tip},module", at=work)
    git("add", "run.sh", "link", "bin", at=work)
    git("commit", "--quiet", "--message=Kinds", at=work)
    assert git("push", "origin", "HEAD:refs/heads/kinds", at=work, token=github.tokens["maintainer"]).returncode == 0
    repository = github.state.repository(github.repository)
    assert repository
    new = {"run.sh": b"#!/bin/sh\n", "link": b"run.sh", "bin": b"\0\xff"}
    assert dict(repository.files("kinds") or {}) == {**(repository.files() or {}), **new}
    sha = github.state.write_files(github.repository, {"new.txt": "new\n", "run.sh": "#!/bin/bash\n"}, "kinds")
    lines = github.state.git.of(repository).run("ls-tree", "-r", sha).splitlines()
    modes = {path: info.split()[0] for info, _, path in (line.partition("\t") for line in lines)}
    assert [modes[name] for name in ("run.sh", "link", "module", "new.txt")] == ["100755", "120000", "160000", "100644"]


def test_mm61_a_file_that_is_renamed_away_is_listed_with_its_old_name(github: Sandbox, tmp_path: Path) -> None:
    lines = "".join(f"line {number}\n" for number in range(20))
    github.state.write_files(github.repository, {"old.txt": lines, "gone.txt": "x\n", "picture.png": b"\0\1"})
    work = clone(github, tmp_path)
    git("mv", "old.txt", "ä new.txt", at=work)
    git("rm", "--quiet", "gone.txt", at=work)
    (work / "ä new.txt").write_text(f"{lines}more\n")
    (work / "picture.png").write_bytes(b"\0\2")
    commit(work, "y.txt", " \ndiff --git a b\n")
    git("push", "origin", "HEAD:refs/heads/moved", at=work, token=github.tokens["maintainer"])
    asked = {"title": "Moved", "head": "moved", "base": "main"}
    _, pull, _ = call(github, "POST", f"{REPO}/pulls", asked, github.tokens["maintainer"])
    _, files, _ = call(github, "GET", f"{REPO}/pulls/{pull['number']}/files")
    told = ("status", "previous_filename", "additions", "deletions")
    assert {file["filename"]: tuple(file.get(name) for name in told) for file in files} == {
        "gone.txt": ("removed", None, 0, 1),
        "picture.png": ("modified", None, 0, 0),
        "y.txt": ("added", None, 2, 0),
        "ä new.txt": ("renamed", "old.txt", 1, 0),
    }
    patches = {file["filename"]: file.get("patch") for file in files}
    assert patches["ä new.txt"] == "@@ -18,3 +18,4 @@ line 16\n line 17\n line 18\n line 19\n+more"
    assert patches["picture.png"] is None
    assert (pull["changed_files"], pull["additions"], pull["deletions"]) == (4, 3, 1)
