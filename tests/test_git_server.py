"""The server that git's traffic is measured on counts every byte, and passes on requests of any kind."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks.git_server import GitServer, serve
from sandbox.bare import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTHORIZED = ("-c", "http.extraHeader=Authorization: Basic eDp4")


def git(*words: str | Path) -> str:
    return subprocess.run(["git", *map(str, words)], env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    git("init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "origin.git")
    git("-C", tmp_path / "origin.git", "config", "http.receivepack", "true")
    with serve({"o/r": tmp_path / "origin.git"}) as running:
        yield running


@pytest.fixture
def work(server: GitServer, tmp_path: Path) -> Path:
    """A clone with a commit of 3 MB that do not compress."""
    home = tmp_path / "work"
    git("clone", "--quiet", f"{server.url}/o/r", home)
    (home / "noise").write_bytes(random.Random(1).randbytes(3_000_000))  # noqa: S311  # a seed is no secret
    git("-C", home, "add", ".")
    git("-C", home, "commit", "--quiet", "-m", "Noise")
    return home


def test_counts_what_is_pushed_and_what_is_cloned(server: GitServer, work: Path, tmp_path: Path) -> None:
    with server.counting() as pushed:
        git("-C", work, *AUTHORIZED, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    with server.counting() as cloned:
        git("clone", "--quiet", f"{server.url}/o/r.git", tmp_path / "clone")
    assert git("-C", tmp_path / "clone", "rev-parse", "HEAD") == git("-C", work, "rev-parse", "HEAD")
    assert 3_000_000 < pushed.sent < 3_050_000
    assert pushed.received < 5_000
    assert 3_000_000 < cloned.received < 3_050_000
    assert cloned.sent < 5_000
    assert [request.split("?")[0] for request in cloned.requests] == [
        "GET /o/r.git/info/refs",
        "POST /o/r.git/git-upload-pack",
        "POST /o/r.git/git-upload-pack",
    ]


def test_nobody_pushes_without_a_name(work: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        git("-C", work, "push", "--quiet", "origin", "HEAD:refs/heads/main")


def test_what_it_does_not_serve_is_not_found(server: GitServer) -> None:
    with pytest.raises(subprocess.CalledProcessError) as told:
        git("ls-remote", f"{server.url}/o/other")
    assert "not found" in told.value.stderr
