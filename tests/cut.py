"""Proxies that number what a process sends, over HTTP and to MySQL alike, and kill -9 it at one chosen point.

A point has three phases: `before` the request reaches the server, `during` (the server has carried it out, the answer
never arrives) and `after` the answer arrived. Instead of killing it, anything else may be done `before`: see `Cut.act`.
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
    """Kills process `pid` at the `at`-th request, or only breaks its connection; `names` lists all requests.

    With `act` it does that instead, at `times` requests: the bytes that it returns are the answer; when there are none,
    the request goes on. An OSError of it breaks the connection.
    """

    at: int = 0
    phase: str = "before"
    pid: int = 0
    breaks: bool = False
    act: Callable[[], bytes] | None = None
    times: int = 1
    names: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, name: str) -> bool:
        """Count a request; True when it is a chosen one."""
        with self._lock:
            self.names.append(name)
            return self.at <= len(self.names) < self.at + self.times

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
        """Refuse connections from now on."""
        _hang_up(self._server)

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
        with contextlib.suppress(OSError, EOFError):
            while True:
                request, name = self._read(source)
                if not (name and self._cut.arrive(name)) or self._goes_on(client, armed):
                    server.sendall(request)
        _hang_up(client)
        _hang_up(server)

    def _goes_on(self, client: socket.socket, armed: list[str]) -> bool:
        """Do to the chosen request what is to be done before it reaches the server."""
        if self._cut.act:
            if answer := self._cut.act():
                client.sendall(answer)
            return not answer
        if self._cut.phase == "before":
            self._cut.kill()
            raise EOFError
        armed.append(self._cut.phase)
        return True

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
        _hang_up(client)

    @staticmethod
    def _rest(server: socket.socket, client: socket.socket) -> None:
        """An HTTP answer comes in two pieces; the process may have hung up already."""
        server.settimeout(0.01)
        with contextlib.suppress(OSError):
            client.sendall(server.recv(CHUNK))


def _hang_up(connection: socket.socket) -> None:
    """Close it now: merely closed, it stays open for as long as another thread waits for something to come in."""
    with contextlib.suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


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


def mysql_ok(rows: int) -> bytes:
    """Answer that a statement changed `rows` (under 251); the session commits each statement.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html
    """
    body = bytes([0, rows, 0]) + (2).to_bytes(2, "little") + bytes(2)
    return len(body).to_bytes(3, "little") + b"\1" + body


def mysql_error(number: int, state: str, text: str) -> bytes:
    """Make the server's answer to a query that failed.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html
    """
    body = b"\xff" + number.to_bytes(2, "little") + f"#{state}{text}".encode()
    return len(body).to_bytes(3, "little") + b"\x01" + body
