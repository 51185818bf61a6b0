"""What one commit has and another has not: https://docs.github.com/en/rest/commits/commits#compare-two-commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import pulls, shapes
from sandbox.answers import Answer, answer, not_found, refuse
from sandbox.calls import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.bare import Bare
    from sandbox.calls import Call

COMMITS = 250  # in an answer that was not asked for by the page
FILES = 300
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without a file, which git knows always
STATUS = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}


def compare(call: Call) -> Answer:
    """Compare the head with what it has in common with the base; both by anything that git knows a commit by."""
    call.need("contents=read")
    names = call.values["basehead"].partition("...")[::2]
    bare = call.state.git.of(call.repo)
    base, head = (bare.resolve(name) for name in names)
    if not base or not head:
        raise not_found(call.docs)
    common = bare.common(base, head)
    if not common:
        raise refuse(404, f"No common ancestor between {names[0]} and {names[1]}.", call.docs)
    ahead, behind = bare.history(head, base), bare.history(base, head)
    is_paged = bool({"page", "per_page"} & call.query.keys())
    shown, headers = page_of(call, ahead) if is_paged else (ahead[-COMMITS:], {})
    written = {
        **_links(call, base, head),
        "base_commit": _commits(call, bare, [base])[0],
        "merge_base_commit": _commits(call, bare, [common])[0],
        "status": STATUS[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": _commits(call, bare, shown),
    }
    if call.query.get("page", "1") == "1":  # further pages are of commits only
        written["files"] = [pulls.change(call, head, each) for each in bare.changed(common, head)[:FILES]]
    return answer(200, written, **headers)


def get_commit(call: Call) -> Answer:
    """Compare it with its first parent: https://docs.github.com/en/rest/commits/commits#get-a-commit."""
    call.need("contents=read")
    bare = call.state.git.of(call.repo)
    sha = bare.resolve(call.values["ref"])
    if not sha:
        raise refuse(422, f"No commit found for SHA: {call.values['ref']}", call.docs)
    [commit] = bare.log("--no-walk", sha)
    parent = commit.parents[0] if commit.parents else EMPTY
    files = [pulls.change(call, sha, each) for each in bare.changed(parent, sha)]
    added, deleted = (sum(each[name] for each in files) for name in ("additions", "deletions"))
    stats = {"total": added + deleted, "additions": added, "deletions": deleted}
    return answer(200, {**shapes.commit(call.state, call.repo, commit), "stats": stats, "files": files})


def _commits(call: Call, bare: Bare, shas: list[str]) -> list[dict[str, Any]]:
    found = bare.log("--no-walk=unsorted", *shas) if shas else []
    return [shapes.commit(call.state, call.repo, each) for each in found]


def _links(call: Call, base: str, head: str) -> dict[str, str]:
    page = f"{call.state.url}/{call.repo.full_name}/compare/{base}...{head}"
    kinds = {"html_url": "", "permalink_url": "", "diff_url": ".diff", "patch_url": ".patch"}
    url = f"{call.state.api}/repos/{call.repo.full_name}/compare/{base}...{head}"
    return {"url": url, **{name: f"{page}{end}" for name, end in kinds.items()}}


TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", "/repos/{owner}/{name}/commits/{ref}", get_commit, "commits/commits#get-a-commit"),
    ("GET", "/repos/{owner}/{name}/compare/{basehead:path}", compare, "commits/commits#compare-two-commits"),
)
