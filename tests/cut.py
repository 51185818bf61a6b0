"""Proxies that number what a process sends, over HTTP and to MySQL alike, and kill -9 it at one chosen point.

A point has three phases: `before` the request reaches the server, `during` (the server has carried it out, the answer
never arrives) and `after` the answer arrived.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

PHASES = ("before", "during", "after")
COM_QUERY = 3  # https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html
CHUNK = 65_536


@dataclass
class Cut:
    """Kills process `pid` at the `at`-th request, or only breaks its connection; `names` lists all requests."""

    at: int = 0
    phase: str = "before"
    pid: int = 0
    breaks: bool = False
    names: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, name: str) -> bool:
        """Count a request; True when it is the chosen one."""
        with self._lock:
            self.names.append(name)
            return len(self.names) == self.at

    def kill(self) -> None:
        if not self.breaks:
            with contextlib.suppress(ProcessLookupError):  # it had ended
                os.kill(self.pid, signal.SIGKILL)


class Proxy:
    """Listens on a free port of loopback and forwards whole requests to `target`, past `cut`."""

    def __init__(self, target: tuple[str, int], read: Callable[[BinaryIO], tuple[bytes, str]], cut: Cut) -> None:
        self._target, self._read, self._cut = target, read, cut
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._target)
        armed: list[str] = []
        threading.Thread(target=self._answer, args=(server, client, armed), daemon=True).start()
        source = client.makefile("rb")
        with contextlib.suppress(OSError, EOFError), client, server:
            while True:
                request, name = self._read(source)
                if name and self._cut.arrive(name):
                    if self._cut.phase == "before":
                        self._cut.kill()
                        return
                    armed.append(self._cut.phase)
                server.sendall(request)

    def _answer(self, server: socket.socket, client: socket.socket, armed: list[str]) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(CHUNK):
                if armed == ["during"]:
                    self._cut.kill()
                    break
                client.sendall(chunk)
                if armed == ["after"]:
                    self._rest(server, client)
                    self._cut.kill()
                    break
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _rest(server: socket.socket, client: socket.socket) -> None:
        """An HTTP answer comes in two pieces; the process may have hung up already."""
        server.settimeout(0.01)
        with contextlib.suppress(OSError):
            client.sendall(server.recv(CHUNK))


def http_request(source: BinaryIO) -> tuple[bytes, str]:
    """Read one request; its name is method and path."""
    head = b""
    length = 0
    while not head.endswith(b"\r\n\r\n"):
        line = source.readline()
        if not line:
            raise EOFError
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + source.read(length), head.split(b" HTTP/")[0].decode()


def mysql_packet(source: BinaryIO) -> tuple[bytes, str]:
    """Read one packet of the client; a query's name is its first words, everything else has none."""
    head = source.read(4)
    if len(head) < 4:
        raise EOFError
    body = source.read(int.from_bytes(head[:3], "little"))
    is_query = head[3] == 0 and body[:1] == bytes([COM_QUERY])
    return head + body, " ".join(body[1:60].decode(errors="replace").split()[:3]) if is_query else ""
