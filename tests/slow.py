"""Servers that do not answer as servers should: slowly, endlessly, hardly, or with more than anybody asked for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[socket.socket], None]

PAUSE = 0.03  # seconds between two bytes that drip
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
KILO = b"z" * 1_024


def silent(client: socket.socket) -> None:
    """Say nothing, for as long as somebody listens."""
    client.recv(1_000_000)
    while client.recv(65_536):
        pass


def dripping(what: bytes) -> Answer:
    def answer(client: socket.socket) -> None:
        for byte in what:
            client.sendall(bytes([byte]))
            time.sleep(PAUSE)
        while True:
            client.sendall(b"z")
            time.sleep(PAUSE)

    return answer


def endless(first: bytes, again: bytes) -> Answer:
    def answer(client: socket.socket) -> None:
        client.sendall(first)
        while True:
            client.sendall(again * 64)

    return answer


def ending(what: bytes) -> Answer:
    return lambda client: client.sendall(what)


def bomb(client: socket.socket) -> None:
    """A gigabyte, in a megabyte."""
    client.sendall(OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(64):
        client.sendall(packer.compress(bytes(16_777_216)))
    client.sendall(packer.flush())


def circling(client: socket.socket) -> None:
    """Lead to where it is."""
    where = f"Location: http://127.0.0.1:{client.getsockname()[1]}/x\r\nContent-Length: 0\r\n\r\n"
    client.sendall(b"HTTP/1.1 301 Moved Permanently\r\n" + where.encode())


ANSWERS: dict[str, Answer] = {
    "says nothing": silent,
    "status drips": dripping(OK),
    "headers drip": dripping(OK + b"X-Slow: "),
    "body drips": dripping(OK + b"Content-Length: 100000\r\n\r\n"),
    "chunks drip": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
    "headers without end": endless(OK, b"X-More: " + KILO + b"\r\n"),
    "a header without end": endless(OK + b"X-Long: ", KILO),
    "body without end": endless(OK + b"\r\n", KILO),
    "chunks without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + KILO + b"\r\n"),
    "continue without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "closes in the middle": ending(OK + b"Content-Length: 100\r\n\r\n{"),
    "closes at once": ending(b""),
    "noise": ending(bytes(range(256)) * 64),
    "a bomb": bomb,
    "leads in a circle": circling,
    "leads elsewhere": ending(b"HTTP/1.1 301 Moved Permanently\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
    "a page": ending(OK + b"Content-Length: 15\r\n\r\n<html>no</html>"),
}


@dataclass
class Slow:
    """A running server; `begun` is how many answers were."""

    answer: Answer
    url: str = ""
    port: int = 0
    begun: int = 0
    open: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.begun += 1
            self.open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self.answer is not silent:
                client.settimeout(0.2)  # PyMySQL waits for the server to speak first
                with contextlib.suppress(TimeoutError):
                    client.recv(1_000_000)
                client.settimeout(30)
            self.answer(client)


@contextlib.contextmanager
def served(answer: Answer) -> Iterator[Slow]:
    """Run it for as long as the `with` lasts."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        slow = Slow(answer, f"http://127.0.0.1:{port}", port)
        threading.Thread(target=slow.serve, args=(listener,), daemon=True).start()
        try:
            yield slow
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for client in slow.open:
                client.close()
