"""Branches, refs and commits: https://docs.github.com/en/rest/git/refs, https://docs.github.com/en/rest/branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import access, shapes
from sandbox.answers import Answer, answer, not_found, refuse
from sandbox.calls import paged

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.calls import Call
    from sandbox.records import Moved


def list_branches(call: Call) -> Answer:
    call.need("contents=read")
    return paged(call, sorted(call.repo.branches), lambda name: _branch(call, name))


def get_ref(call: Call) -> Answer:
    call.need("contents=read")
    return answer(200, _ref(call, _known(call)))


def create_ref(call: Call) -> Answer:
    call.need("contents=write")
    ref, sha = call.field("ref", str), call.field("sha", str)
    name = ref.removeprefix("refs/heads/")
    if not ref.startswith("refs/heads/") or not name:
        raise refuse(422, "Reference name must start with 'refs/'.", call.docs)
    if name in call.repo.branches:
        raise refuse(422, "Reference already exists", call.docs)
    if sha not in call.repo.commits:
        raise refuse(422, "Object does not exist", call.docs)
    call.state.set_branch(call.repo.full_name, name, sha)
    return answer(201, _ref(call, name))


def delete_ref(call: Call) -> Answer:
    call.need("contents=write")
    name = call.values["ref"]
    if name not in call.repo.branches:
        raise refuse(422, "Reference does not exist", call.docs)
    if name in call.repo.protected:
        raise refuse(422, "Cannot delete this protected branch", call.docs)
    call.state.set_branch(call.repo.full_name, name, None)
    return Answer(204, b"")


def list_activity(call: Call) -> Answer:
    """The newest first: https://docs.github.com/en/rest/repos/repos#list-repository-activities.

    Of a public fork that is no repository of the sandbox nothing but that is imitated.
    """
    if not call.state.lists_activity:
        raise not_found(call.docs)
    full_name = f"{call.values['owner']}/{call.values['name']}"
    known = call.state.repository(full_name)
    names = {name.casefold() for name in (full_name, *(known.old_names if known else ()))}
    moves = [each for each in reversed(call.state.moves) if each.repository.casefold() in names]
    if known or not moves:
        access.require(call.token, call.repo, ["contents=read"], call.docs)
    ref = call.query.get("ref", "").removeprefix("refs/heads/")
    found = [each for each in moves if ref in ("", each.branch)]
    if call.query.get("direction") == "asc":
        found.reverse()
    return paged(call, found, lambda each: _move(call, each))


def _move(call: Call, each: Moved) -> dict[str, Any]:
    return {
        "id": each.id,
        "node_id": shapes.node_id("PSH", each.id),
        "before": each.before,
        "after": each.after,
        "ref": f"refs/heads/{each.branch}",
        "timestamp": shapes.moment(each.at),
        "activity_type": each.kind,
        "actor": each.by and shapes.user(call.state, each.by),
    }


def _known(call: Call) -> str:
    name: str = call.values["ref"]
    if name not in call.repo.branches:
        raise not_found(call.docs)
    return name


def _branch(call: Call, name: str) -> dict[str, Any]:
    sha = call.repo.branches[name]
    url = f"{call.state.api}/repos/{call.repo.full_name}/commits/{sha}"
    return {"name": name, "commit": {"sha": sha, "url": url}, "protected": name in call.repo.protected}


def _ref(call: Call, name: str) -> dict[str, Any]:
    sha, api = call.repo.branches[name], f"{call.state.api}/repos/{call.repo.full_name}/git"
    return {
        "ref": f"refs/heads/{name}",
        "node_id": shapes.node_id("REF", int(sha[:12], 16)),
        "url": f"{api}/refs/heads/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{api}/commits/{sha}"},
    }


REPO = "/repos/{owner}/{name}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", REPO + "/activity", list_activity, "repos/repos#list-repository-activities"),
    ("GET", REPO + "/branches", list_branches, "branches/branches#list-branches"),
    ("GET", REPO + "/git/ref/heads/{ref:path}", get_ref, "git/refs#get-a-reference"),
    ("POST", REPO + "/git/refs", create_ref, "git/refs#create-a-reference"),
    ("DELETE", REPO + "/git/refs/heads/{ref:path}", delete_ref, "git/refs#delete-a-reference"),
)
