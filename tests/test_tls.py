"""The sockets with a deadline verify certificates and names as those of the libraries do."""

from __future__ import annotations

import http.server
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from mattermod_action.adapters import plain_http
from mattermod_action.adapters.limited_requests import limit
from tests.sandbox.tls import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving(place: Path, name: str) -> Iterator[str]:
    """Answer on loopback with a certificate for `name`, by an authority of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates(place, (name,)))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}/"
        server.shutdown()


def by_requests(url: str) -> int:
    session = requests.Session()
    limit(session)
    return session.get(url, timeout=5).status_code


def by_plain_http(url: str) -> int:
    connection, target = plain_http.open_url(url)
    connection.request("GET", target)
    return connection.getresponse().status


CLIENTS = pytest.mark.parametrize("ask", [by_requests, by_plain_http])


@pytest.fixture(autouse=True)
def fresh_context() -> Iterator[None]:
    """The context of plain_http is made once, with the authorities of then."""
    plain_http._context.cache_clear()  # no run changes its authorities
    yield
    plain_http._context.cache_clear()  # as above


@CLIENTS
@pytest.mark.parametrize(("name", "trusted", "taken"), [
    ("localhost", True, True), ("localhost", False, False), ("other.example", True, False),
], ids=["ours", "an unknown authority", "another name"])  # fmt: skip
def test_t03_a_deadline_takes_no_check_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], int], name: str, *, trusted: bool, taken: bool
) -> None:
    with serving(tmp_path, name) as url:
        if trusted:
            for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
                monkeypatch.setenv(variable, str(tmp_path / "authority.pem"))
        if taken:
            assert ask(url) == 204
            return
        with pytest.raises((ssl.SSLError, requests.exceptions.SSLError)):
            ask(url)
