"""One deadline for the whole of an answer, and a cap on its bytes, whichever library asks.

A socket's time-out is for one read: a server that sends a byte every few seconds keeps within it for days. The sockets
here look at the deadline of the answer that is being waited for, in each of their operations. So http.client, urllib3
(requests, PyGithub, python-jenkins, boto3) and PyMySQL get it by getting such a socket.
https://docs.python.org/3/library/socket.html#socket.socket.settimeout
https://docs.python.org/3/library/ssl.html#ssl.SSLContext.sslsocket_class
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from mattermod_action import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 33_554_432  # bytes of an answer that is read as a whole: a page of a hundred full texts is a third of that
T = TypeVar("T")


class TooMuchError(OSError):
    """The answer has more bytes than anybody needs."""


class _Limit:
    """How much time and how many bytes are left of an answer."""

    __slots__ = ("_ends", "_most")

    def __init__(self, seconds: float, most: int) -> None:
        self._ends, self._most = shares.end(seconds), most

    def left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not there in time")
        return left

    def count(self, size: int) -> None:
        self._most -= size
        if self._most < 0:
            raise TooMuchError("the answer is too large")


_ANSWER: ContextVar[_Limit | None] = ContextVar("answer", default=None)


@contextmanager
def answer(seconds: float, most: int = LARGEST, *, shared: bool = True) -> Iterator[None]:
    """Give everything that is asked inside, from the look-up of a name to the last byte, so many seconds in all.

    Raises Late when the repository's share is over (shares.py), unless it is not `shared`. Inside, sockets raise
    TimeoutError and TooMuchError.
    """
    if shared:
        shares.check()
    before = _ANSWER.set(_Limit(seconds, most))
    try:
        yield
    finally:
        _ANSWER.reset(before)


def _within(sock: socket.socket, act: Callable[[], T]) -> T:
    """Do it for as long as the socket's own time-out and the answer's deadline both allow."""
    limit, own = _ANSWER.get(), sock.gettimeout()
    if limit is None:
        return act()
    left = limit.left()
    sock.settimeout(left if own is None else min(own, left))
    try:
        done = act()
    finally:
        sock.settimeout(own)
    return done


def _counted(size: int) -> int:
    if limit := _ANSWER.get():
        limit.count(size)
    return size


class LimitedSocket(socket.socket):
    """A socket whose operations end with the answer's deadline."""

    def connect(self, *args: Any) -> None:
        return _within(self, lambda: super(LimitedSocket, self).connect(*args))

    def recv_into(self, *args: Any) -> int:
        return _counted(_within(self, lambda: super(LimitedSocket, self).recv_into(*args)))

    def recv(self, *args: Any) -> bytes:
        data = _within(self, lambda: super(LimitedSocket, self).recv(*args))
        _counted(len(data))
        return data

    def send(self, *args: Any) -> int:
        return _within(self, lambda: super(LimitedSocket, self).send(*args))

    def sendall(self, *args: Any) -> None:
        return _within(self, lambda: super(LimitedSocket, self).sendall(*args))


class LimitedTls(LimitedSocket, ssl.SSLSocket):
    """The same with TLS; `ssl.SSLContext.sslsocket_class` makes them."""

    def do_handshake(self, *args: Any) -> None:
        return _within(self, lambda: super(LimitedTls, self).do_handshake(*args))


def limited(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have the connections of this context end with the answer's deadline, too."""
    context.sslsocket_class = LimitedTls
    return context


def dial(
    host: str, port: int, timeout: float | None = None, *, check: Callable[[str], object] = lambda _: None
) -> LimitedSocket:
    """Connect to the first of a host's addresses that answers; `check` sees each before, and may raise."""
    failed: OSError = OSError("the name has no address")
    for family, kind, protocol, address in _looked_up(host.strip("[]"), port, timeout):
        check(address[0])
        connection = LimitedSocket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


def _looked_up(host: str, port: int, timeout: float | None) -> list[tuple[Any, Any, int, Any]]:
    """Look a name up in the background, since nothing ends that before its time."""
    limit, ended = _ANSWER.get(), list[Any]()

    def look() -> None:
        try:
            ended.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            ended.append(error)

    thread = threading.Thread(target=look, daemon=True)  # a run that ends need not wait for it
    thread.start()
    left = limit.left() if limit else timeout
    thread.join(left if timeout is None or left is None else min(left, timeout))
    if not ended:
        raise TimeoutError("the name was not found in time")
    if isinstance(ended[0], OSError):
        raise ended[0]
    if isinstance(ended[0], UnicodeError):
        raise OSError("it is not a name of a host")
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in ended[0]]
