"""The REST calls that are imitated: a table of them at the end, and a function for each."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from starlette.routing import compile_path

from sandbox import access, checks, compare, issues, lines, people, pulls, refs, shapes, workflows
from sandbox.answers import Answer, RefusedError, answer, invalid, not_found, refuse
from sandbox.calls import Call, paged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.records import Request, Token
    from sandbox.state import State

SEARCHES = 30  # a minute
READS = ("GET", "HEAD", "OPTIONS")
MOVED = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"
# How the paths of GitHub's calls begin, and how they go on after /repos/OWNER/NAME.
FIRST = frozenset(
    """
    advisories agents app app-manifests applications apps assignments classrooms codes_of_conduct credentials emojis
    enterprises events feeds gists gitignore installation issues licenses markdown marketplace_listing meta networks
    notifications octocat organizations orgs rate_limit repos repositories search teams user users versions zen
    """.split()
) | {""}
OF_REPOSITORY = frozenset(
    """
    actions activity agents assignees attestations autolinks automated-security-fixes branches check-runs check-suites
    code-quality code-scanning code-security-configuration codeowners codespaces collaborators comments commits
    community compare contents contributors copilot dependabot dependency-graph deployments dispatches environments
    events forks generate git hash-algorithm hooks immutable-releases import installation interaction-limits
    invitations issue-types issues keys labels languages license merge-upstream merges milestones notifications pages
    private-vulnerability-reporting properties pulls readme releases rules rulesets secret-scanning
    security-advisories stacks stargazers stats statuses subscribers subscription tags tarball teams topics traffic
    transfer vulnerability-alerts zipball
    """.split()
)
RAW = ("application/vnd.github.raw", "application/vnd.github.v3.raw")


def get_repository(call: Call) -> Answer:
    call.need("metadata=read")
    mine = access.permissions(call.token, call.repo)
    rights = {"admin": False, "push": mine.get("contents") == "write", "pull": True}
    whole = {"permissions": rights, "network_count": 0, "subscribers_count": 0}
    return answer(200, {**shapes.repository(call.state, call.repo), **whole})


def get_contents(call: Call) -> Answer:
    """https://docs.github.com/en/rest/repos/contents#get-repository-content."""
    call.need("contents=read")
    ref, path = call.query.get("ref", ""), call.values["path"].strip("/")
    files = call.repo.files(ref)
    if files is None:
        raise refuse(404, f"No commit found for the ref {ref}", call.docs)
    if path in files:
        return _file(call, path, files[path])
    inside = [name for name in files if not path or name.startswith(f"{path}/")]
    if not inside:
        raise not_found(call.docs)
    return answer(200, _folder(call, path, inside, files))


def _file(call: Call, path: str, content: bytes) -> Answer:
    if call.headers.get("accept", "").partition("+")[0] in RAW:
        return Answer(200, content, {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"})
    encoded = {"content": base64.encodebytes(content).decode(), "encoding": "base64"}
    return answer(200, {**_entry(call, path, "file", content), **encoded})


def _folder(call: Call, path: str, inside: list[str], files: Mapping[str, bytes]) -> list[Any]:
    start = f"{path}/" if path else ""
    names = dict.fromkeys(start + name.removeprefix(start).partition("/")[0] for name in inside)
    return [_entry(call, name, "file" if name in files else "dir", files.get(name, b"")) for name in names]


def _entry(call: Call, path: str, kind: str, content: bytes) -> dict[str, Any]:
    repo, branch = call.repo, call.query.get("ref") or call.repo.default_branch
    url = f"{call.state.api}/repos/{repo.full_name}/contents/{quote(path)}?ref={quote(branch)}"
    page = f"{call.state.url}/{repo.full_name}/{'blob' if kind == 'file' else 'tree'}/{branch}/{quote(path)}"
    sha = shapes.blob_sha(content)
    git_url = f"{call.state.api}/repos/{repo.full_name}/git/blobs/{sha}"
    return {
        "type": kind,
        "size": len(content),
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git_url,
        "html_url": page,
        "download_url": None,
        "_links": {"self": url, "git": git_url, "html": page},
    }


def get_issue(call: Call) -> Answer:
    call.need("issues=read")  # also when it is a pull request
    return answer(200, shapes.issue(call.state, call.repo, call.item))


def list_comments(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/comments#list-issue-comments."""
    call.need(*access.of_item(call.item, "read"))
    write = partial(shapes.comment, call.state, call.repo, call.item)
    return paged(call, call.state.list_comments(call.item), write)


def create_comment(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/comments#create-an-issue-comment."""
    call.need(*access.of_item(call.item, "write"))
    body = issues.body_of_comment(call)
    if call.item.locked and call.repo.role(call.token.login) not in shapes.WRITERS:
        raise refuse(403, "Unable to create comment because issue is locked.", "articles/locking-conversations/")
    made = call.state.add_comment(call.repo.full_name, call.item.number, call.token.login, body)
    written = shapes.comment(call.state, call.repo, call.item, made)
    return answer(201, written, Location=written["url"])


def list_labels(call: Call) -> Answer:
    call.need(*access.of_item(call.item, "read"))
    return paged(call, call.item.labels, partial(shapes.label, call.state, call.repo))


def add_labels(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue (an object, or the list itself)."""
    call.need(*access.of_item(call.item, "write"))
    data = call.json()
    names = data if isinstance(data, list) else call.field("labels", list)
    names = [name.get("name") if isinstance(name, dict) else name for name in names]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise invalid(call.docs, "Label", "Name can't be blank")
    call.state.add_labels(call.repo.full_name, call.item.number, names)
    return answer(200, [shapes.label(call.state, call.repo, each) for each in call.item.labels])


def remove_label(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/labels#remove-a-label-from-an-issue."""
    call.need(*access.of_item(call.item, "write"))
    if call.state.remove_label(call.repo.full_name, call.item.number, call.values["label"]) is None:
        raise refuse(404, "Label does not exist", call.docs)
    return answer(200, [shapes.label(call.state, call.repo, each) for each in call.item.labels])


def remove_all_labels(call: Call) -> Answer:
    """https://docs.github.com/en/rest/issues/labels#remove-all-labels-from-an-issue."""
    call.need(*access.of_item(call.item, "write"))
    for label in list(call.item.labels):
        call.state.remove_label(call.repo.full_name, call.item.number, label.name)
    return Answer(204, b"")


def get_rate_limit(call: Call) -> Answer:
    if not call.state.variant.limits:  # https://github.com/actions/stale/issues/1227
        raise refuse(404, "Rate limiting is not enabled.", call.docs)
    rates = {resource: access.rate(call.token, resource) for resource in ("core", "graphql")}
    search = {**rates["core"], "limit": SEARCHES, "used": 0, "remaining": SEARCHES}
    return answer(200, {"resources": {**rates, "search": search}, "rate": rates["core"]})


REPO = "/repos/{owner}/{name}"
ISSUE = REPO + "/issues/{number:int}"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("GET", "/rate_limit", get_rate_limit, "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user"),
    ("GET", REPO, get_repository, "repos/repos#get-a-repository"),
    ("GET", REPO + "/contents/{path:path}", get_contents, "repos/contents#get-repository-content"),
    ("GET", ISSUE, get_issue, "issues/issues#get-an-issue"),
    ("GET", ISSUE + "/comments", list_comments, "issues/comments#list-issue-comments"),
    ("POST", ISSUE + "/comments", create_comment, "issues/comments#create-an-issue-comment"),
    ("GET", ISSUE + "/labels", list_labels, "issues/labels#list-labels-for-an-issue"),
    ("POST", ISSUE + "/labels", add_labels, "issues/labels#add-labels-to-an-issue"),
    ("DELETE", ISSUE + "/labels", remove_all_labels, "issues/labels#remove-all-labels-from-an-issue"),
    ("DELETE", ISSUE + "/labels/{label:path}", remove_label, "issues/labels#remove-a-label-from-an-issue"),
)
ALL = (
    *TABLE,
    *issues.TABLE,
    *pulls.TABLE,
    *lines.TABLE,
    *checks.TABLE,
    *people.TABLE,
    *refs.TABLE,
    *compare.TABLE,
    *workflows.TABLE,
)
ROUTES = [(method, *compile_path(path)[::2], handler, f"rest/{docs}") for method, path, handler, docs in ALL]


def handle(state: State, token: Token, request: Request, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Answer one call. Raises RefusedError."""
    method, path = "GET" if request.method == "HEAD" else request.method, _by_name(state, request.path)
    for verb, regex, convertors, handler, docs in ROUTES:
        if verb == method and (match := regex.match(path)):
            values = {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
            query = {name: value[-1] for name, value in parse_qs(request.query).items()}
            call = Call(state, token, path, query, headers, raw, docs, values)
            _redirect_if_moved(call, request)
            return handler(call)
    if not _is_githubs(path):
        raise not_found()
    raise refuse(501, f"The sandbox does not imitate {method} {path}")


def _is_githubs(path: str) -> bool:
    """Whether GitHub has calls that begin like this; what does not exist is 404 there, and here, too.

    No path of GitHub's ends with a slash: https://github.com/actions/github-script/issues/394.
    """
    if path != "/" and path.endswith("/"):
        return False
    first, *rest = path.strip("/").split("/")
    return first in FIRST and (first != "repos" or len(rest) < 3 or rest[2] in OF_REPOSITORY)


def _by_name(state: State, path: str) -> str:
    """Turn /repositories/ID/… into /repos/OWNER/NAME/…."""
    start, _, rest = path.removeprefix("/repositories/").partition("/")
    if not path.startswith("/repositories/") or not start.isdecimal():
        return path
    repo = state.repositories.get(int(start))
    if repo is None:
        raise not_found()
    return f"/repos/{repo.full_name}" + (f"/{rest}" if rest else "")


def _redirect_if_moved(call: Call, request: Request) -> None:
    """https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects."""
    full_name = f"{call.values.get('owner')}/{call.values.get('name')}"
    repo = call.state.moved(full_name)
    if repo is None or call.state.repository(full_name) or not access.permissions(call.token, repo):
        return
    rest = quote(call.path.removeprefix(f"/repos/{full_name}"))
    url = f"{call.state.api}/repositories/{repo.id}{rest}" + (f"?{request.query}" if request.query else "")
    status, message = (301, "Moved Permanently") if request.method in READS else (307, "Temporary Redirect")
    raise RefusedError(answer(status, {"message": message, "url": url, "documentation_url": MOVED}, Location=url))
