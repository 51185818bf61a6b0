"""From a connection to an answer: who asks, the fault that strikes, the call, the record of it.

Requests are answered one after the other on one thread, each as a whole: that is what makes a change atomic.
"""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sandbox import access, control, deliveries, git, graph, news, page, rest, strikes
from sandbox.answers import Answer, RefusedError
from sandbox.listening import listen, read
from sandbox.records import Pull, Request, Token, Write
from sandbox.scenario import load
from sandbox.state import State
from sandbox.variants import GITHUB_COM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from sandbox.faults import Fault


class Application:
    """The ASGI application."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._request_ids = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = await read(receive)
        scope = {**scope, "path": _normal(scope)}
        own = self._own_pages(scope, raw)
        if own is not None:
            if scope["method"] == "POST":
                await asyncio.to_thread(deliveries.deliver_at_once, self.state)
            await strikes.deliver(own, send)
            return
        with self.state.lock:
            reply, fault, request = self._answer(scope, raw)
        await asyncio.sleep(self.state.latency)
        if fault is not None:
            reply = strikes.disfigure(reply, fault)
            request.fault, request.status = fault.kind, strikes.status(reply, fault)
        await strikes.send(reply, fault, scope, receive, send)

    def _own_pages(self, scope: Scope, raw: bytes) -> Answer | None:
        """Answer what GitHub does not have, or has for people: no token, no faults, no record."""
        method, path = scope["method"], scope["path"]
        if page.is_here(method, path):
            return page.handle(self.state, method, path, _headers(scope), raw)
        return control.handle(self.state, method, path, raw) if path.startswith(control.PREFIX) else None

    def _answer(self, scope: Scope, raw: bytes) -> tuple[Answer, Fault | None, Request]:
        headers, method, query = _headers(scope), scope["method"], scope["query_string"].decode()
        there = self.state.variant.path(scope["path"], headers.get("host", ""))
        path = there or scope["path"]
        request = Request(method, path, query, "", _is_write(method, path, raw), raw.decode(errors="replace"))
        self.state.requests.append(request)
        if there is None:
            request.status = HTTPStatus.NOT_FOUND
            return Answer(HTTPStatus.NOT_FOUND, strikes.UNICORN, {"Content-Type": strikes.HTML}), None, request
        fault = self.state.faults.strike(method, path)
        reply = (
            strikes.instead(fault, method) if fault and not fault.commits else self._carry_out(request, headers, raw)
        )
        if fault and fault.kind == "stale":
            reply = self._as_it_was(request, fault.seconds) or reply
        request.status, request.answer = reply.status, reply.body
        request.kind = reply.headers.get("Content-Type", "")
        self.state.send(news.of(self.state, request.effects))
        if fault and (reads := fault.reads or int(fault.kind == "lag")):
            self.state.lag(request.effects, reads)
        return reply, fault, request

    def _carry_out(self, request: Request, headers: dict[str, str], raw: bytes) -> Answer:
        """Every answer, a refusal too, tells its number and what is left of the hour."""
        if git.SERVICE.fullmatch(request.path):
            return self._git(request, headers, raw)
        resource = "graphql" if request.path == "/graphql" else "core"
        token: Token | None = None
        self.state.current = request
        try:
            token = access.authenticate(self.state, headers.get("authorization", ""))
            request.token = token.name
            reply = self._call(token, request, headers, raw)
        except RefusedError as refused:
            reply = refused.answer
        finally:
            self.state.current = None
        if token and request.method == "GET" and reply.status == HTTPStatus.OK:
            reply = access.conditional(token, resource, reply, headers.get("if-none-match", ""))
        reply.headers.update(self._about(token, resource))
        reply.headers["X-GitHub-Request-Id"] = f"5A4D:{next(self._request_ids):06X}"
        return reply

    def _about(self, token: Token | None, resource: str) -> dict[str, str]:
        """https://docs.github.com/en/enterprise-server@3.17/rest/using-the-rest-api/getting-started-with-the-rest-api."""
        variant = self.state.variant
        named = {"X-GitHub-Enterprise-Version": variant.version} if variant.version else {}
        return {**named, **(access.rate_headers(token, resource) if variant.limits else {})}

    def _as_it_was(self, request: Request, seconds: float) -> Answer | None:
        """Find what the same read was last answered; GitHub's replicas may be behind like that."""
        for past in reversed(self.state.requests[:-1]):
            if (past.path, past.query, past.status) == (
                request.path,
                request.query,
                200,
            ) and past.at + seconds > time.time():
                return Answer(past.status, past.answer, {"Content-Type": past.kind})
        return None

    def _git(self, request: Request, headers: dict[str, str], raw: bytes) -> Answer:
        self.state.current = request
        try:
            return git.handle(self.state, request.method, f"{request.path}?{request.query}", headers, raw)
        finally:
            self.state.current = None

    def _call(self, token: Token, request: Request, headers: dict[str, str], raw: bytes) -> Answer:
        if request.path == "/graphql" and request.method == "POST":
            return graph.handle(self.state, token, raw)
        if request.path != "/rate_limit" and self.state.variant.limits:  # asking what is left costs nothing
            access.spend(token)
        return rest.handle(self.state, token, request, headers, raw)


def _normal(scope: Scope) -> str:
    """Take `.` and `..` out of the path, percent-encoded ones too, as what stands before GitHub does.

    https://datatracker.ietf.org/doc/html/rfc3986#section-5.2.4 and, that it is done before anybody looks at the path,
    https://github.com/github/github-mcp-server/issues/3103
    """
    segments = [unquote(part) for part in scope["raw_path"].decode("latin-1").split("/")[1:]]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if kept and segments[-1] in (".", ".."):
        kept.append("")  # what is left is a folder
    return "/" + "/".join(kept)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _is_write(method: str, path: str, raw: bytes) -> bool:
    if path == "/graphql":
        return graph.is_write(raw)
    return method not in rest.READS and not path.endswith("/git-upload-pack")


@dataclass
class Sandbox:
    """A running GitHub, for tests. `url` is its API's address.

    `repository`, `pull` and `issue` are the first of their kind in the scenario.
    """

    url: str
    state: State

    @property
    def server_url(self) -> str:
        """Where its pages and git are."""
        return self.state.url

    @property
    def token(self) -> str:
        return next(iter(self.state.tokens.values())).value

    @property
    def tokens(self) -> dict[str, str]:
        return {name: token.value for name, token in self.state.tokens.items()}

    @property
    def repository(self) -> str:
        return next(iter(self.state.repositories.values())).full_name

    @property
    def pull(self) -> int:
        return self._first(pull=True)

    @property
    def issue(self) -> int:
        return self._first(pull=False)

    @property
    def writes(self) -> list[Write]:
        """The changes made over HTTP, oldest first."""
        return self.state.writes

    @property
    def requests(self) -> list[Request]:
        """Every request, oldest first, those that were refused or struck by a fault too."""
        return self.state.requests

    @property
    def variables(self) -> dict[str, str]:
        """Where it is, in the variables that a runner sets."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_GRAPHQL_URL": f"{self.state.address}{self.state.variant.graphql}",
            "GITHUB_SERVER_URL": self.server_url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """All that a runner sets, and the token."""
        return {**self.variables, "GITHUB_TOKEN": self.token, "GITHUB_REPOSITORY": self.repository}

    def _first(self, *, pull: bool) -> int:
        items = next(iter(self.state.repositories.values())).items.values()
        return next(item.number for item in items if isinstance(item, Pull) is pull)


@contextmanager
def serve(
    scenario: Path | str | dict[str, Any] | State | None = None, port: int = 0, variant: str = GITHUB_COM
) -> Iterator[Sandbox]:
    """Run a GitHub on loopback for as long as the `with` lasts; see scenario.py and variants.py for what may be given.

    A State is of the variant that it was made as.
    """
    state = scenario if isinstance(scenario, State) else load(scenario, variant)
    gc.set_threshold(100_000, 50, 100)  # looking through 50,000 comments for garbage takes longer than an answer
    with listen(Application(state), port) as address:
        state.listens(address)
        yield Sandbox(state.api, state)
