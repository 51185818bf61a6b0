"""The REST calls about pull requests: opened, changed, reviewed, merged by git itself.

https://docs.github.com/en/rest/pulls
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox import access, readiness, shapes
from sandbox.answers import Answer, answer, invalid, not_found, refuse
from sandbox.bare import WITHOUT_WORKFLOWS, WORKFLOWS, ConflictError
from sandbox.calls import page_of, paged
from sandbox.records import Pull, Review

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.bare import Change
    from sandbox.calls import Call

DIFF = ("application/vnd.github.diff", "application/vnd.github.v3.diff")
MOST_LINES = 20_000
MOST_FILES = 3_000  # https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
REVIEWS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def get_pull(call: Call) -> Answer:
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request; asked for as a diff, it is one."""
    call.need("pull_requests=read")
    pull = call.pull
    if call.headers.get("accept", "").partition("+")[0] in DIFF:
        text = call.state.git.of(call.repo).diff(_fork_point(call, pull), pull.head_sha)
        return Answer(200, text.encode(errors="surrogateescape"), {"Content-Type": "application/vnd.github.diff"})
    written = answer(200, whole(call, pull))
    pull.mergeable_reads = max(0, pull.mergeable_reads - 1)
    return written


def list_pulls(call: Call) -> Answer:
    """Filter by `state`, `base` and `head` (OWNER:BRANCH); the newest first, unless asked otherwise."""
    call.need("pull_requests=read")
    state, base, head = (call.query.get(name, "") for name in ("state", "base", "head"))
    found = [
        pull
        for pull in call.repo.pulls()
        if (state or "open") in ("all", pull.state)
        and base in ("", pull.base_ref)
        and head in ("", f"{(pull.head_repository or '').partition('/')[0]}:{pull.head_ref}")
    ]
    newest_first = call.query.get("direction", "desc") == "desc"
    found.sort(key=lambda pull: pull.number, reverse=newest_first)
    around = shapes.repository(call.state, call.repo)
    return paged(call, found, lambda pull: simple(call, pull, around))


def open_pull(call: Call) -> Answer:
    call.need("pull_requests=write")
    if call.token.is_actions and not call.repo.actions_pulls:
        raise refuse(403, "GitHub Actions is not permitted to create or approve pull requests.", call.docs)
    title, base, head = (call.field(name, str) for name in ("title", "base", "head"))
    data, repo = call.json(), call.repo
    ref = head.removeprefix(f"{repo.owner}:")
    if base not in repo.branches or (":" not in ref and ref not in repo.branches):
        raise invalid(call.docs, "PullRequest", f"No such branch: {base if base not in repo.branches else ref}")
    if any((pull.head_ref, pull.base_ref, pull.state) == (ref, base, "open") for pull in repo.pulls()):
        raise invalid(call.docs, "PullRequest", f"A pull request already exists for {repo.owner}:{ref}.")
    if ":" not in ref and not call.state.git.of(repo).history(repo.branches[ref], repo.branches[base]):
        raise invalid(call.docs, "PullRequest", f"No commits between {base} and {ref}")
    if data.get("draft") and not repo.drafts:
        raise refuse(422, "Draft pull requests are not supported in this repository.", call.docs)
    more = {"body": data.get("body") or "", "draft": bool(data.get("draft")), "base": base}
    pull = call.state.open_pull(repo.full_name, title, call.token.login, head=ref, **more)
    return answer(201, whole(call, pull), Location=f"{call.state.api}/repos/{repo.full_name}/pulls/{pull.number}")


def change_pull(call: Call) -> Answer:
    """Another base must be there: https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request."""
    call.need("pull_requests=write")
    data = call.json() or {}
    if data.get("base") not in (None, *call.repo.branches):
        error = {"resource": "PullRequest", "field": "base", "code": "invalid"}
        errors = [{**error, "message": f"Proposed base branch '{data['base']}' was not found"}]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    call.state.change_item(call.repo.full_name, call.pull.number, data)
    return answer(200, whole(call, call.pull))


def merge_pull(call: Call) -> Answer:
    """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request."""
    call.need("contents=write")
    pull, data = call.pull, call.json() or {}
    if pull.state != "open" or pull.draft:
        raise refuse(405, "Pull Request is not mergeable", call.docs)
    if data.get("sha") not in (None, pull.head_sha):
        raise refuse(409, "Head branch was modified. Review and try the merge again.", call.docs)
    method = data.get("merge_method", "merge")
    if refusal := readiness.refusal(call.state, call.repo, pull, method):
        raise refuse(405, refusal, call.docs)
    if files := _workflow_files(call):
        raise refuse(403, WITHOUT_WORKFLOWS.format(file=files[0], name="workflows"), call.docs)
    message = data.get("commit_title") or f"{pull.title} (#{pull.number})"
    try:
        sha = call.state.merge(call.repo.full_name, pull.number, method, message, call.token.login)
    except ConflictError:
        raise refuse(405, "Pull Request is not mergeable", call.docs) from None
    return answer(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _workflow_files(call: Call) -> list[str]:
    """Those that the merge would change, for a token that may not: the status is not published, the words are.

    https://github.com/chdsbd/kodiak/issues/853
    """
    if access.allowed(call.token, call.repo, ["workflows=write"]):
        return []
    return [name for each in changes(call, call.pull) if (name := each["filename"]).startswith(f"{WORKFLOWS}/")]


def is_merged(call: Call) -> Answer:
    call.need("contents=read")
    if call.pull.merged_at is None:
        raise refuse(404, "Not Found", call.docs)
    return Answer(204, b"")


def update_branch(call: Call) -> Answer:
    """An App must also write the head: https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch."""
    call.need("pull_requests=write")
    pull, repo = call.pull, call.repo
    if call.token.kind == "integration":
        call.need(*(["contents=write"] if pull.head_repository == repo.full_name else []))  # it is in no fork
    if (call.json() or {}).get("expected_head_sha") not in (None, pull.head_sha):
        raise refuse(422, "expected head sha didn't match current head ref.", call.docs)
    bare = call.state.git.of(repo)
    if bare.is_merged(pull.head_sha, repo.branches[pull.base_ref]):
        raise refuse(422, "There are no new commits on the base branch.", call.docs)
    try:
        if _brings_workflows(call):
            raise refuse(422, WITHOUT_WORKFLOWS.format(file=f"{WORKFLOWS}/x.yml", name="workflows"), call.docs)
        call.state.update_branch(repo.full_name, pull.number)
    except ConflictError:
        raise refuse(422, "merge conflict between base and head", call.docs) from None
    url = f"{call.state.api}/repos/{repo.full_name}/pulls/{pull.number}"
    return answer(202, {"message": "Updating pull request branch.", "url": url})


def _brings_workflows(call: Call) -> bool:
    """Whether bringing the branch up to date takes `workflows`: the merge changes files, or they differ from main's.

    GitHub publishes neither the rule nor the status of its answer.
    """
    pull, repo, bare = call.pull, call.repo, call.state.git.of(call.repo)
    if access.allowed(call.token, repo, ["workflows=write"]) or not repo.compares_workflows:
        return False
    merged = bare.merged_tree(pull.head_sha, repo.branches[pull.base_ref])
    return len({bare.workflows(each) for each in (pull.head_sha, merged, repo.branches[repo.default_branch])}) > 1


def list_files(call: Call) -> Answer:
    call.need("pull_requests=read")
    shown, headers = page_of(call, changes(call, call.pull)[:MOST_FILES])
    return answer(200, _as_far_as_shown(shown), **headers)


def _as_far_as_shown(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Past so many lines of a page a file has neither a patch nor a count, and nothing says so.

    https://github.com/orgs/community/discussions/213491
    """
    lines, shown = 0, []
    for each in files:
        lines += each.get("patch", "").count("\n") + 1
        bare = {name: value for name, value in each.items() if name != "patch"}
        shown.append(each if lines <= MOST_LINES else {**bare, "additions": 0, "deletions": 0, "changes": 0})
    return shown


def list_reviews(call: Call) -> Answer:
    call.need("pull_requests=read")
    return paged(call, call.pull.reviews, lambda each: _review(call, each))


def create_review(call: Call) -> Answer:
    call.need("pull_requests=write")
    event, pull = call.field("event", str), call.pull
    if event not in REVIEWS:
        raise invalid(call.docs, "PullRequestReview", "Event is not included in the list")
    body = str(call.json().get("body") or "")
    me = call.state.person(call.token.login)
    if event == "APPROVE" and call.token.is_actions and not call.repo.actions_pulls:
        errors = ["GitHub Actions is not permitted to approve pull requests."]
        raise refuse(422, "Unprocessable Entity", call.docs, errors=errors)
    if event == "APPROVE" and pull.author is me:
        errors = ["Review Can not approve your own pull request"]
        raise refuse(422, "Unprocessable Entity", call.docs, errors=errors)
    review = Review(call.state.next_id(), me, REVIEWS[event], body, pull.head_sha, call.state.now())
    call.state.review(call.repo.full_name, pull.number, review)
    return answer(200, _review(call, review))


def get_review(call: Call) -> Answer:
    call.need("pull_requests=read")
    return answer(200, _review(call, _known_review(call)))


def change_review(call: Call) -> Answer:
    call.need("pull_requests=write")
    review = _known_review(call)
    call.state.change_review(call.repo.full_name, call.pull.number, review, call.field("body", str))
    return answer(200, _review(call, review))


def dismiss_review(call: Call) -> Answer:
    """Only what blocks or approves can be dismissed, and once: https://github.com/MorrisonCole/pr-lint-action/issues/155."""
    call.need("pull_requests=write")
    review = _known_review(call)
    call.field("message", str)
    if review.state in ("COMMENTED", "DISMISSED"):
        errors = [f"Can not dismiss a {review.state.lower()} pull request review"]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    call.state.dismiss(call.repo.full_name, call.pull.number, review)
    return answer(200, _review(call, review))


def _known_review(call: Call) -> Review:
    found = next((each for each in call.pull.reviews if each.id == call.values["id"]), None)
    if found is None:
        raise not_found(call.docs)
    return found


def list_requested(call: Call) -> Answer:
    call.need("pull_requests=read")
    return answer(200, _requested(call, call.pull))


def request_reviewers(call: Call) -> Answer:
    """Authors cannot review their own: https://docs.github.com/en/rest/pulls/review-requests."""
    call.need("pull_requests=write")
    data, pull = call.json() or {}, call.pull
    names = data.get("reviewers", [])
    if pull.author and pull.author.login in names:
        raise refuse(422, "Review cannot be requested from pull request author.", call.docs)
    strangers = [name for name in names if name not in call.repo.permissions]
    if strangers:
        raise refuse(422, f"Reviews may only be requested from collaborators. {strangers[0]} is not one.", call.docs)
    teams = data.get("team_reviewers", [])
    if teams and not access.reads_members(call.token):
        unseen = shapes.team(call.state, call.repo, teams[0])["node_id"]
        errors = [f"Could not resolve to a node with the global id of '{unseen}'."]
        raise refuse(422, "Validation Failed", call.docs, errors=errors)
    call.state.request_reviewers(call.repo.full_name, pull.number, names, teams)
    return answer(201, simple(call, pull))


def remove_reviewers(call: Call) -> Answer:
    call.need("pull_requests=write")
    data, pull = call.json() or {}, call.pull
    call.state.remove_reviewers(
        call.repo.full_name, pull.number, data.get("reviewers", []), data.get("team_reviewers", [])
    )
    return answer(200, simple(call, pull))


def whole(call: Call, pull: Pull) -> dict[str, Any]:
    """Write one pull request with what GitHub works out late: null until it was asked for once."""
    files = changes(call, pull)
    is_known = pull.mergeable_reads == 0 and pull.state == "open"
    bare, base = call.state.git.of(call.repo), call.repo.branches[pull.base_ref]
    mergeable = bare.merges(base, pull.head_sha) if is_known else None
    return {
        **shapes.pull(call.state, call.repo, pull),
        "requested_teams": [_without_parent(shapes.team(call.state, call.repo, name)) for name in pull.teams],
        "mergeable": mergeable,
        "mergeable_state": {None: "unknown", True: "clean", False: "dirty"}[mergeable],
        "commits": len(bare.history(pull.head_sha, base)) or 1,
        "additions": sum(each["additions"] for each in files),
        "deletions": sum(each["deletions"] for each in files),
        "changed_files": len(files),
    }


def _without_parent(team: dict[str, Any]) -> dict[str, Any]:
    """Where one pull request is told alone, its teams are told more shortly than in a list."""
    return {name: value for name, value in team.items() if name != "parent"}


def simple(call: Call, pull: Pull, around: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write a pull request as lists have it, `around` being the repository that all of a list are in."""
    return shapes.simple_pull(call.state, call.repo, pull, around)


def changes(call: Call, pull: Pull) -> list[dict[str, Any]]:
    """Compare the head with what it has in common with its base."""
    bare = call.state.git.of(call.repo)
    return [change(call, pull.head_sha, each) for each in bare.changed(_fork_point(call, pull), pull.head_sha)]


def _fork_point(call: Call, pull: Pull) -> str:
    return call.state.git.of(call.repo).common(call.repo.branches[pull.base_ref], pull.head_sha)


STATUS = {"A": "added", "D": "removed", "R": "renamed"}


def change(call: Call, head: str, each: Change) -> dict[str, Any]:
    """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files, where a renamed file has both names."""
    page = f"{call.state.url}/{call.repo.full_name}"
    return {
        "sha": each.blob,
        "filename": each.path,
        "status": STATUS.get(each.kind, "modified"),
        "additions": each.added,
        "deletions": each.deleted,
        "changes": each.added + each.deleted,
        "blob_url": f"{page}/blob/{head}/{quote(each.path)}",
        "raw_url": f"{page}/raw/{head}/{quote(each.path)}",
        "contents_url": f"{call.state.api}/repos/{call.repo.full_name}/contents/{quote(each.path)}?ref={head}",
        **({"previous_filename": each.previous} if each.previous else {}),
        **({"patch": each.patch} if each.patch else {}),
    }


def _review(call: Call, review: Review) -> dict[str, Any]:
    return shapes.review(call.state, call.repo, call.pull, review)


def _requested(call: Call, pull: Pull) -> dict[str, Any]:
    return {
        "users": [shapes.user(call.state, person) for person in pull.reviewers],
        "teams": [shapes.team(call.state, call.repo, name) for name in pull.teams],
    }


PULLS = "/repos/{owner}/{name}/pulls"
PULL = PULLS + "/{number:int}"
REVIEW = PULL + "/reviews/{id:int}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", PULLS, list_pulls, "pulls/pulls#list-pull-requests"),
    ("POST", PULLS, open_pull, "pulls/pulls#create-a-pull-request"),
    ("GET", PULL, get_pull, "pulls/pulls#get-a-pull-request"),
    ("PATCH", PULL, change_pull, "pulls/pulls#update-a-pull-request"),
    ("GET", PULL + "/merge", is_merged, "pulls/pulls#check-if-a-pull-request-has-been-merged"),
    ("PUT", PULL + "/merge", merge_pull, "pulls/pulls#merge-a-pull-request"),
    ("PUT", PULL + "/update-branch", update_branch, "pulls/pulls#update-a-pull-request-branch"),
    ("GET", PULL + "/files", list_files, "pulls/pulls#list-pull-requests-files"),
    ("GET", PULL + "/reviews", list_reviews, "pulls/reviews#list-reviews-for-a-pull-request"),
    ("POST", PULL + "/reviews", create_review, "pulls/reviews#create-a-review-for-a-pull-request"),
    ("GET", REVIEW, get_review, "pulls/reviews#get-a-review-for-a-pull-request"),
    ("PUT", REVIEW, change_review, "pulls/reviews#update-a-review-for-a-pull-request"),
    ("PUT", REVIEW + "/dismissals", dismiss_review, "pulls/reviews#dismiss-a-review-for-a-pull-request"),
    (
        "GET",
        PULL + "/requested_reviewers",
        list_requested,
        "pulls/review-requests#get-all-requested-reviewers-for-a-pull-request",
    ),
    (
        "POST",
        PULL + "/requested_reviewers",
        request_reviewers,
        "pulls/review-requests#request-reviewers-for-a-pull-request",
    ),
    (
        "DELETE",
        PULL + "/requested_reviewers",
        remove_reviewers,
        "pulls/review-requests#remove-requested-reviewers-from-a-pull-request",
    ),
)
