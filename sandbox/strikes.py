"""How a fault reaches the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from sandbox.answers import DOCS, Answer, answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sandbox.faults import Fault

UNICORN = (
    b"<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body><p>Something went wrong.</p></body></html>\n"
)
HTML = "text/html; charset=utf-8"
_RATES = "rest/using-the-rest-api/rate-limits-for-the-rest-api"
_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
LIMITS = {
    "secondary-limit": (403, _SECONDARY, f"{_RATES}#about-secondary-rate-limits"),
    "too-many": (429, _SECONDARY, f"{_RATES}#about-secondary-rate-limits"),
    "primary-limit": (403, "API rate limit exceeded for installation.", f"{_RATES}#about-primary-rate-limits"),
}
# What GitHub says of a query with status 200. An error that has no type is of GitHub's own making, and passes:
# https://github.com/octokit/plugin-retry.js/issues/395, https://github.com/github/gh-gei/issues/666
QUERIES = {
    "query-limit": "API rate limit already exceeded for installation.",
    "query-pause": _SECONDARY,
    "query-failed": (
        "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub "
        "bug. Please include `5A4D:1C2B` when reporting this issue."
    ),
    "query-error": "",
}
SERVER_ERROR = 500
DROPS = 10  # pieces that a dripping answer comes in
SILENT = ("timeout", "reset")


def instead(fault: Fault, method: str) -> Answer:
    """Return what the call would have got, roughly, had it been carried out: only its status is ever seen."""
    return answer(
        {"POST": 201, "DELETE": 204}.get(method, 200),
        {"message": "the sandbox did not carry this out", "fault": fault.kind},
    )


def disfigure(reply: Answer, fault: Fault) -> Answer:
    """Return the answer that is sent in place of `reply`."""
    if fault.kind in QUERIES:
        return _of_query(reply, fault)
    match fault.kind:
        case "status" if 0 < fault.status < SERVER_ERROR:
            return _refusal(reply, fault.status, HTTPStatus(fault.status).phrase)
        case "refused":
            return _refusal(reply, fault.status or 403, fault.message)
        case "status" | "html":
            fallback = SERVER_ERROR if fault.kind == "status" else reply.status
            return Answer(fault.status or fallback, UNICORN, {**reply.headers, "Content-Type": HTML})
        case "truncated" | "empty":
            return Answer(
                reply.status, reply.body[: len(reply.body) // 2 if fault.kind == "truncated" else 0], reply.headers
            )
    return _limited(reply, fault) if fault.kind in LIMITS else reply


def _refusal(reply: Answer, code: int, message: str) -> Answer:
    """GitHub refuses in JSON; pages of HTML come from what stands before it."""
    return Answer(code, answer(code, {"message": message, "status": str(code)}).body, reply.headers)


def _of_query(reply: Answer, fault: Fault) -> Answer:
    """Say with status 200 what went wrong, under `errors`.

    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit
    """
    error = {"message": fault.message or QUERIES[fault.kind]}
    if kind := "RATE_LIMITED" if fault.kind == "query-limit" else fault.type:
        error["type"] = kind
    headers = dict(reply.headers)
    if fault.kind == "query-limit":
        headers |= _used_up(fault)
    if fault.retry_after:
        headers["Retry-After"] = fault.retry_after
    return Answer(200, answer(200, {"errors": [error]}).body, headers)


def _limited(reply: Answer, fault: Fault) -> Answer:
    """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit."""
    code, message, docs = LIMITS[fault.kind]
    said = answer(code, {"message": message, "documentation_url": DOCS + docs, "status": str(code)})
    headers = {**reply.headers, **said.headers}
    if fault.retry_after:
        headers["Retry-After"] = fault.retry_after
    if fault.kind == "primary-limit":
        headers |= _used_up(fault)
    return Answer(code, said.body, headers)


def _used_up(fault: Fault) -> dict[str, str]:
    return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time() + fault.seconds))}


def status(reply: Answer, fault: Fault) -> int:
    """Return the status that the client got to see, 0 if none."""
    return 0 if fault.kind in SILENT else reply.status


async def send(reply: Answer, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
    kind = fault.kind if fault else ""
    if fault and kind == "timeout":
        await _hang(fault.seconds, scope, receive)
    elif kind == "reset":
        await _reset(scope, receive)
    elif kind == "cut":
        await _cut(reply, scope, receive, send)
    elif fault and kind == "drip":
        await _drip(reply, fault.seconds, send)
    else:
        await deliver(reply, send)


async def deliver(reply: Answer, send: Send, *, whole: bool = True) -> None:
    """Send the answer; not `whole` stops half way through the body that its length promises."""
    await _start(reply, send)
    body = reply.body if whole else reply.body[: len(reply.body) // 2]
    await send({"type": "http.response.body", "body": body, "more_body": not whole})


async def _drip(reply: Answer, seconds: float, send: Send) -> None:
    await _start(reply, send)
    step = len(reply.body) // DROPS + 1
    for start in range(0, len(reply.body), step):
        await asyncio.sleep(seconds / DROPS)
        await send({"type": "http.response.body", "body": reply.body[start : start + step], "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _start(reply: Answer, send: Send) -> None:
    always = {"Server": "github.com", "Date": formatdate(usegmt=True)}
    headers = {**always, **reply.headers, "Content-Length": str(len(reply.body))}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})


async def _hang(seconds: float, scope: Scope, receive: Receive) -> None:
    try:
        await asyncio.wait_for(receive(), seconds)  # the client gives up first
    except TimeoutError:
        await _reset(scope, receive)


async def _reset(scope: Scope, receive: Receive) -> None:
    """With no lingering, closing a socket sends RST: what a proxy or a load balancer that dies looks like."""
    transport: asyncio.Transport = scope["transport"]
    raw: socket.socket = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await receive()


async def _cut(reply: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    await deliver(reply, send, whole=False)
    scope["transport"].close()
    await receive()
