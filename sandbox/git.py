"""Git over HTTP, by git's own `http-backend`: https://git-scm.com/docs/git-http-backend."""

from __future__ import annotations

import gzip
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import access
from sandbox.answers import Answer, RefusedError
from sandbox.bare import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.records import Repository, Token
    from sandbox.state import State

SERVICE = re.compile(
    r"/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)"
)


@dataclass
class Request:
    """What a git client sent; `what` is the service's path in the repository."""

    method: str
    what: str
    query: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def pushes(self) -> bool:
        return "git-receive-pack" in (self.what, self.query.removeprefix("service="))

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw


def handle(state: State, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Answer git's request for `target` (path?query), whose path SERVICE matches."""
    path, _, query = target.partition("?")
    found = SERVICE.fullmatch(path)
    if not found:
        raise ValueError(f"not git's: {path}")
    request = Request(method, found["what"], query, headers, raw)
    try:
        token = access.authenticate(state, headers["authorization"]) if "authorization" in headers else None
    except RefusedError:
        return _unauthorized()
    if token and state.current:
        state.current.token = token.name
    repository = state.repository(f"{found['owner']}/{found['name']}")
    return _refusal(repository, token, request) or _serve(state, repository, token, request)


def _refusal(repository: Repository | None, token: Token | None, request: Request) -> Answer | None:
    if token is None and (repository is None or repository.private or request.pushes):
        return _unauthorized()
    if repository is None:
        return Answer(404, b"Repository not found.\n")
    if request.pushes and token and not access.allowed(token, repository, ["contents=write"]):
        return Answer(403, f"remote: Permission to {repository.full_name}.git denied to {token.login}.\n".encode())
    return None


def _serve(state: State, repository: Repository | None, token: Token | None, request: Request) -> Answer:
    assert repository is not None  # noqa: S101  # `_refusal` has answered that
    with state.lock:
        bare = state.git.of(repository)
        bare.publish()
        answer = _backend(
            {**_variables(repository, token), **_cgi(bare.path.parent, bare.path.name, request)}, request.body
        )
        if request.pushes and request.method == "POST":
            state.pushed(repository, bare.fetch(), token.login if token else "")
        return answer


def _variables(repository: Repository, token: Token | None) -> dict[str, str]:
    """What the hook of the repository decides by."""
    may = token is not None and access.allowed(token, repository, ["workflows=write"])
    protected = " ".join(f"refs/heads/{name}" for name in sorted(repository.protected))
    return {
        "SANDBOX_PROTECTED": protected,
        "SANDBOX_WORKFLOWS": "1" if may else "",
        "SANDBOX_DEFAULT": f"refs/heads/{repository.default_branch}" if repository.compares_workflows else "",
        "REMOTE_USER": token.login if token else "",
    }


def _cgi(root: object, name: str, request: Request) -> dict[str, str]:
    return {
        "GIT_PROJECT_ROOT": str(root),
        "PATH_INFO": f"/{name}/{request.what}",
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
    }


def _backend(variables: Mapping[str, str], body: bytes) -> Answer:
    """Run the CGI program and read its answer."""
    env = {**ENVIRONMENT, **variables}
    output = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True).stdout
    head, _, content = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200 OK").split()[0])
    return Answer(status, content, headers)


def _unauthorized() -> Answer:
    return Answer(401, b"Authentication required\n", {"WWW-Authenticate": 'Basic realm="GitHub"'})
