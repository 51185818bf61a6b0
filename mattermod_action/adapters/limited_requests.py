"""What requests and boto3 ask ends with the deadline of deadlines.py, and requests reads no more than is wanted.

Both are built on urllib3, whose pools say of what class their connections are.
https://urllib3.readthedocs.io/en/stable/reference/urllib3.connectionpool.html#urllib3.HTTPConnectionPool.ConnectionCls
https://requests.readthedocs.io/en/latest/user/advanced/#transport-adapters
"""

from __future__ import annotations

import io
import socket
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from mattermod_action.adapters.deadlines import LARGEST, dial, limited


class TooLargeError(requests.RequestException):
    """The answer, unpacked, is larger than anybody needs."""


class Limited(HTTPConnection):
    """A connection of urllib3's that ends with the answer's deadline; to be mixed into others."""

    def _new_conn(self) -> socket.socket:
        """Connect, and say what goes wrong as urllib3 does."""
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            return dial(self.host, self.port, timeout)
        except OSError as error:
            if isinstance(error, socket.gaierror):
                raise NameResolutionError(self.host, self, error) from error
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

    def connect(self) -> None:
        if context := getattr(self, "ssl_context", None):
            limited(context)
        super().connect()


class LimitedHttp(Limited):
    """Without TLS."""


class LimitedHttps(Limited, HTTPSConnection):
    """With TLS."""


class _Http(HTTPConnectionPool):
    ConnectionCls = LimitedHttp


class _Https(HTTPSConnectionPool):
    ConnectionCls = LimitedHttps


class LimitedAdapter(HTTPAdapter):
    """Makes the connections of a session."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=create_urllib3_context(), **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Http, "https": _Https}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=create_urllib3_context(), **options)
        manager.pool_classes_by_scheme = {"http": _Http, "https": _Https}
        return manager


def limit(session: requests.Session) -> None:
    """Have all that this session asks end with the answer's deadline."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, LimitedAdapter())


def cap(session: requests.Session, most: int = LARGEST) -> None:
    """Have this session read no answer that is larger than that when it is unpacked: TooLargeError."""
    session.hooks["response"].append(partial(_read, most))


def _read(most: int, response: requests.Response, **_: Any) -> None:
    body = response.raw.read(most + 1, decode_content=True)
    if len(body) > most:
        response.close()
        raise TooLargeError(f"more than {most} bytes")
    response.raw = io.BytesIO(body)
