"""What becomes of a pick: each way to merge by each thing that a pull request may hold or meet, on real git over HTTP.

Every cell is judged by what GitHub holds afterwards; trees are compared with those of real `git cherry-pick -x`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.harness import Bot
from tests.picks import LINES, Project
from tests.sandbox.openapi import checked
from tests.scene import bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.records import Pull

pytestmark = pytest.mark.everywhere("test_outcome[root_commit")
METHODS = ("squash", "rebase", "merge")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{digit:064x}\nsize 12\n"
MODULE = "1234567890123456789012345678901234567890"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, variant: str) -> Iterator[Project]:
    """One repository for all cells; each has a folder and a target of its own."""
    home = tmp_path_factory.mktemp("outcomes")
    with checked(variant=variant) as github:
        github.state.write_files(github.repository, {".github/mattermod.yml": "cherry_pick: {}\n"})
        github.state.tokens["github-token"].permissions |= {"contents": "write"}
        github.state.tokens["github-token"].limit = 1_000_000
        made = Project(github, Bot.of(github, home), home / "clone")
        made.repository.compares_workflows = False  # the cells share one default branch; test_pick_tokens.py has both
        yield made


@dataclass
class Cell:
    """A folder on `main` and on a target that has parted from it; `expected` is what its pick has to come to."""

    project: Project
    method: str
    name: str
    target: str = ""
    expected: str = "opened"
    says: str = ""
    acts: list[Callable[[], object]] = field(default_factory=list)
    before: Callable[[Pull], object] = lambda _: None
    after: Callable[[Pull], object] = lambda _: None

    def __post_init__(self) -> None:
        self.target = self.target or f"release-{self.name}-{self.method}"
        self.acts = [lambda: self.change("new"), lambda: self.change("more", "docs.md")]
        self.project.on("main", self._files, "Files")
        self.project.git("push", "--quiet", "origin", f"work:refs/heads/{self.target}")
        self.project.on("main", lambda: self.project.write({f"{self.folder}/other.txt": "main only\n"}), "More")

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.method}"

    def path(self, name: str) -> Path:
        return self.project.clone / self.folder / name

    def _files(self) -> None:
        files = {"app.py": LINES, "docs.md": LINES, "run.sh": LINES, "dos.txt": LINES.replace("\n", "\r\n")}
        self.project.write({f"{self.folder}/{name}": text for name, text in files.items()})

    def change(self, text: str, name: str = "app.py", at: int = 20) -> None:
        self.project.change(text, at, f"{self.folder}/{name}")

    def write(self, name: str, content: bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def on_target(self, act: Callable[[], object]) -> str:
        return self.project.on(self.target, act, "On the target")


def clean(cell: Cell) -> None:
    cell.on_target(lambda: cell.change("elsewhere", at=2))


def conflict(cell: Cell) -> None:
    cell.on_target(lambda: cell.change("different"))
    cell.expected, cell.says = "conflict", f"`{cell.folder}/app.py`"


def empty(cell: Cell) -> None:
    """Somebody made the same changes there."""
    cell.on_target(lambda: [act() for act in cell.acts])
    cell.expected, cell.says = "known", "all of it is there already"


def already_there(cell: Cell) -> None:
    """It was picked by hand."""

    def picked(pull: Pull) -> None:
        commits = _merged_commits(cell, pull)
        cell.project.picked_by_git(cell.project.repository.branches[cell.target], commits)
        cell.project.git("push", "--quiet", "origin", f"HEAD:refs/heads/{cell.target}")

    cell.after, cell.expected, cell.says = picked, "known", "all of it is there already"


def missing_branch(cell: Cell) -> None:
    near = cell.target
    cell.target = cell.target.replace("missing", "misssing")
    cell.expected, cell.says = "refused", f"there is no such branch; near it: `{near}`"


def slashed_branch(cell: Cell) -> None:
    slashed = f"release/{cell.method}/10.5"
    cell.project.git("fetch", "--quiet", "origin", cell.target)
    cell.project.git("push", "--quiet", "origin", f"FETCH_HEAD:refs/heads/{slashed}")
    cell.target = slashed


def protected(cell: Cell) -> None:
    """A rule forbids to create the branch of the pick."""
    cell.before = lambda pull: cell.project.repository.protected.add(_head(cell, pull))
    cell.expected, cell.says = "refused", "a rule of this repository does not let me create the branch"


def existing_branch(cell: Cell) -> None:
    """A person has pushed it, with something else than the pick: it stays as it is, and is not ours."""
    cell.before = lambda pull: _by_hand(cell, pull)
    cell.expected, cell.says = "refused", "is there already, and is not what the pick gives"


def existing_pull(cell: Cell) -> None:
    """And opened a pull request from it."""

    def opened(pull: Pull) -> None:
        _by_hand(cell, pull)
        state, where = cell.project.github.state, cell.project.github.repository
        state.open_pull(where, "By hand", "reviewer", head=_head(cell, pull), base=cell.target, body="", draft=False)

    cell.before, cell.expected, cell.says = opened, "linked", ", which was there already"


def rename(cell: Cell) -> None:
    """The file has another name on the base, and is changed there under that one."""
    cell.project.on("main", lambda: cell.path("app.py").rename(cell.path("named.py")), "Rename")
    cell.acts[0] = lambda: cell.change("new", "named.py")


def binary(cell: Cell) -> None:
    cell.acts[0] = lambda: cell.write("image.png", bytes(range(256)) * 4)


def mode(cell: Cell) -> None:
    cell.acts[0] = lambda: cell.path("run.sh").chmod(0o755)
    cell.on_target(lambda: cell.change("elsewhere", "run.sh", 2))


def submodule(cell: Cell) -> None:
    def add() -> None:
        cell.project.git("update-index", "--add", "--cacheinfo", f"160000,{MODULE},{cell.folder}/vendor")
        cell.path("vendor").mkdir()

    cell.acts[0] = add


def lfs(cell: Cell) -> None:
    """A pointer is a file like any other; nothing is fetched that it points to."""
    cell.acts[0] = lambda: cell.write("big.dat", POINTER.format(digit=7).encode())
    attributes = {f"{cell.folder}/.gitattributes": "*.dat filter=lfs diff=lfs merge=lfs -text\n"}
    for branch in ("main", cell.target):
        cell.project.on(branch, lambda: cell.project.write(attributes), "LFS")


def workflow_file(cell: Cell) -> None:
    cell.acts[0] = lambda: cell.project.write({f".github/workflows/{cell.folder}.yml": "on: push\n"})
    cell.expected, cell.says = "refused", "`github-token` has no permission `workflows`"


def crlf(cell: Cell) -> None:
    cell.acts[0] = lambda: cell.project.change("new\r", 20, f"{cell.folder}/dos.txt")
    cell.on_target(lambda: cell.project.change("elsewhere\r", 2, f"{cell.folder}/dos.txt"))


def root_commit(cell: Cell) -> None:
    """What was merged has no parent: the beginning of another history."""

    def rooted(pull: Pull) -> None:
        if cell.method != "merge":
            cell.project.git("checkout", "--quiet", "--orphan", f"orphan-{pull.number}")
            cell.project.git("rm", "-r", "--quiet", "--force", ".")
            cell.write("beginning.txt", b"first\n")
            pull.merge_sha = cell.project.commit("Begin")
            cell.project.git("push", "--quiet", "origin", f"HEAD:refs/heads/orphan-{pull.number}")

    cell.after = rooted


SITUATIONS = (
    clean, conflict, empty, already_there, missing_branch, slashed_branch, protected, existing_branch, existing_pull,
    rename, binary, mode, submodule, lfs, workflow_file, crlf, root_commit,
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.__name__)
def test_outcome(project: Project, situation: Callable[[Cell], None], method: str) -> None:
    cell = Cell(project, method, situation.__name__.replace("_", "-"))
    situation(cell)
    pull = project.merge(project.pull(*cell.acts), method)
    cell.before(pull)
    cell.after(pull)
    branches, tip = dict(project.repository.branches), project.repository.branches.get(cell.target, "")
    done = project.say(pull, f"/cherry-pick {cell.target}")
    assert done.code == 0, done.log
    CHECKS[cell.expected](cell, pull, tip)
    new = project.repository.branches.keys() - branches.keys()
    assert new == ({_head(cell, pull)} if cell.expected == "opened" else set())
    assert all(project.repository.branches[name] == sha for name, sha in branches.items()), "nothing is overwritten"
    writes = len(project.github.writes)
    assert project.bot.run("issue_comment", project.said(pull, "thanks")).code == 0
    assert len(project.github.writes) == writes


def is_opened(cell: Cell, pull: Pull, tip: str) -> None:
    """With the tree that git makes of it, its authors and messages, and the words and labels that it should have."""
    [made] = cell.project.opened(cell.target)
    commits = _merged_commits(cell, pull)
    head = cell.project.repository.branches[made.head_ref]
    assert cell.project.tree(head) == cell.project.picked_by_git(tip, commits)
    theirs = cell.project.git("log", "--reverse", "--format=%an <%ae> %ad%n%B", f"{tip}..HEAD")
    assert cell.project.git("log", "--reverse", "--format=%an <%ae> %ad%n%B", f"{tip}..{head}") == theirs
    assert all(f"(cherry picked from commit {commit})" in theirs for commit in commits)
    assert made.title == f"Automated cherry pick of #{pull.number}"
    assert [label.name for label in made.labels] == ["AutomatedCherryPick", "Changelog/Not Needed", "Docs/Not Needed"]
    assert f"| `{cell.target}` | #{made.number} |" in bodies(cell.project.github, pull.number)[-1]
    assert "CherryPick/Done" in [label.name for label in pull.labels]


def is_conflict(cell: Cell, pull: Pull, _tip: str) -> None:
    assert not cell.project.opened(cell.target)
    told, summary = bodies(cell.project.github, pull.number)[-2:]
    assert cell.says in told
    assert "<<<<<<< target" in told
    assert "conflicts, see below" in summary
    assert not pull.labels


def is_known(cell: Cell, pull: Pull, _tip: str) -> None:
    assert not cell.project.opened(cell.target)
    assert f"| `{cell.target}` | {cell.says} |" in bodies(cell.project.github, pull.number)[-1]
    assert "CherryPick/Done" in [label.name for label in pull.labels]


def is_refused(cell: Cell, pull: Pull, _tip: str) -> None:
    assert not cell.project.opened(cell.target)
    assert f"| `{cell.target}` | not picked: " in bodies(cell.project.github, pull.number)[-1]
    assert cell.says in bodies(cell.project.github, pull.number)[-1]
    assert not pull.labels


def is_linked(cell: Cell, pull: Pull, _tip: str) -> None:
    [made] = cell.project.opened(cell.target)
    assert made.title == "By hand"
    assert not made.labels
    assert f"| `{cell.target}` | #{made.number}{cell.says} |" in bodies(cell.project.github, pull.number)[-1]


CHECKS = {
    "opened": is_opened,
    "conflict": is_conflict,
    "known": is_known,
    "refused": is_refused,
    "linked": is_linked,
}


def _merged_commits(cell: Cell, pull: Pull) -> list[str]:
    """What the merge brought, as a person would say it."""
    assert pull.merge_sha
    cell.project.git("fetch", "--quiet", "origin", pull.merge_sha)
    count = len(cell.acts) if cell.method == "rebase" and cell.name != "root-commit" else 1
    return cell.project.git("rev-list", "--first-parent", "--reverse", f"-{count}", pull.merge_sha).split()


def _head(cell: Cell, pull: Pull) -> str:
    return f"automated-cherry-pick-of-{pull.number}-{pull.head_ref}-{cell.target}"


def _by_hand(cell: Cell, pull: Pull) -> None:
    cell.project.git("fetch", "--quiet", "origin")
    cell.project.git("checkout", "--quiet", "-B", "hand", f"origin/{cell.target}")
    cell.change("by hand")
    cell.project.commit("By hand")
    cell.project.git("push", "--quiet", "origin", f"hand:refs/heads/{_head(cell, pull)}")
