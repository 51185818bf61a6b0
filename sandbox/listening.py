"""A server on loopback, in a thread of its own: what the sandbox's GitHub, Jenkins and chat have in common."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive

HOST = "127.0.0.1"


@contextmanager
def listen(application: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve for as long as the `with` lasts; yield the address. Port 0 is a free one."""
    listener = socket.create_server((HOST, port), backlog=512)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=_run, args=(loop, application, listener, ready), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def read(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


class Protocol(H11Protocol):
    """uvicorn's HTTP, with the connection within reach of the application: some faults happen to it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        # asyncio leaves Nagle's algorithm on for a listener that was made without naming TCP: 40 ms a request.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        application = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, "transport": transport}, receive, send)

        self.app = cast("Any", with_transport)


def _run(
    loop: asyncio.AbstractEventLoop, application: ASGIApp, listener: socket.socket, ready: threading.Event
) -> None:
    """Serve until the loop is stopped, then drop what still runs: a hanging answer must not hold anybody up."""
    asyncio.set_event_loop(loop)
    config = uvicorn.Config(cast("Any", application), log_config=None, access_log=False, lifespan="off", ws="none")
    server_state = ServerState()
    make = loop.create_server(lambda: Protocol(config, server_state, {}, loop), sock=listener)
    server = loop.run_until_complete(make)
    loop.call_soon(ready.set)
    loop.run_forever()
    server.close()
    for connection in list(server_state.connections):
        connection.transport.abort()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
