"""A repository to pick in: a clone in which tests commit as people do, and what the sandbox and real git make of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox import payloads
from tests.histories import History
from tests.scene import deliver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.records import Pull, Repository
    from tests.harness import Bot, Run

RELEASE = "release-10.5"
LINES = "".join(f"line {number}\n" for number in range(40))
FILES = {"app.py": LINES, "docs/guide.md": LINES.replace("line", "text"), "run.sh": "#!/bin/sh\n" + LINES}


@dataclass
class Project:
    """`main` has one commit more than the release branch when a pull request is opened.

    GITHUB_TOKEN may open pull requests here, which new repositories do not allow.
    """

    github: Sandbox
    bot: Bot
    clone: Path
    release: str = RELEASE
    _count: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clone.mkdir()
        self.github.state.tokens["maintainer"].permissions["workflows"] = "write"
        self.repository.actions_pulls = True
        self.history = History(self.clone, "project", "", [])
        login = "x-access-token:" + self.github.tokens["maintainer"]
        url = f"{self.github.server_url.replace('://', f'://{login}@')}/{self.github.repository}"
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("remote", "add", "origin", url)
        self.git("fetch", "--quiet", "origin", "main")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        self.write(FILES)
        self.commit("Files")
        self.git("push", "--quiet", "origin", "main", f"main:refs/heads/{self.release}")
        self.write({"other.txt": "only on main\n"})
        self.commit("More on main")
        self.git("push", "--quiet", "origin", "main")

    def git(self, *words: str, stdin: str = "") -> str:
        return self.history.git(*words, stdin=stdin).strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    def commit(self, message: str) -> str:
        return self.history.commit(message)

    def change(self, text: str, at: int = 20, name: str = "app.py") -> None:
        """Change a line of a file."""
        lines = (self.clone / name).read_bytes().split(b"\n")
        lines[at] = text.encode()
        (self.clone / name).write_bytes(b"\n".join(lines))

    def on(self, branch: str, act: Callable[[], object], message: str = "Change") -> str:
        """Commit to a branch of the server."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", "work", f"origin/{branch}")
        act()
        sha = self.commit(message)
        self.git("push", "--quiet", "origin", f"work:refs/heads/{branch}")
        return sha

    def pull(self, *acts: Callable[[], object], author: str = "newcomer", branch: str = "") -> Pull:
        """Open a pull request with a commit for each of `acts`."""
        self._count.append(1)
        branch = branch or f"topic-{len(self._count)}"
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", branch, "origin/main")
        for number, act in enumerate(acts, 1):
            act()
            self.commit(f"Step {number}\n\nCo-authored-by: Zoë <zoe@example.com>\n")
        self.git("push", "--quiet", "origin", branch)
        return self.github.state.add_pull(self.github.repository, f"Topic {len(self._count)}", author, head=branch)

    def merge(self, pull: Pull, method: str = "squash") -> Pull:
        message = f"{pull.title} (#{pull.number})"
        self.github.state.merge(self.github.repository, pull.number, method, message, "maintainer")
        return pull

    def say(self, pull: Pull, body: str, by: str = "maintainer", **variables: str) -> Run:
        """Comment on it, and have the bot answer."""
        return deliver(self.bot, self.said(pull, body, by), **variables)

    def said(self, pull: Pull, body: str, by: str = "maintainer") -> Any:
        return payloads.comment_created(self.github.state, self.github.repository, pull.number, by, body)

    @property
    def repository(self) -> Repository:
        found = self.github.state.repository(self.github.repository)
        assert found
        return found

    def opened(self, target: str = "") -> list[Pull]:
        """What picks have opened, the oldest first."""
        wanted = (target or self.release,)
        return [
            each for each in self.repository.pulls() if each.base_ref in wanted and each.head_ref.startswith("auto")
        ]

    def tree(self, ref: str) -> str:
        self.git("fetch", "--quiet", "origin", ref)
        return self.git("rev-parse", "FETCH_HEAD^{tree}")

    def picked_by_git(self, tip: str, commits: list[str]) -> str:
        """The tree that real `git cherry-pick -x` makes of these commits on `tip`."""
        self.git("fetch", "--quiet", "origin", tip, *commits)
        self.git("checkout", "--quiet", "--detach", tip)
        for commit in commits:
            parents = self.git("rev-list", "--no-walk", "--parents", commit).split()[1:]
            self.git("cherry-pick", "-x", *(("-m", "1") if len(parents) > 1 else ()), commit)
        return self.git("rev-parse", "HEAD^{tree}")
