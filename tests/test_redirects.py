"""A token goes to the server that it was given for: the same scheme, host and port, and to no other by a redirect."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.contents import Contents
from mattermod_action.adapters.github import PyGithubGitHub
from mattermod_action.adapters.plain_http import is_same_server
from mattermod_action.errors import MattermodError
from mattermod_action.figures import Calls
from mattermod_action.world import SkippingClock
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "ghs_canary"
API = "https://api.github.com/repos/a/b"


@pytest.mark.parametrize(
    ("moved", "is_followed"),
    [
        ("https://api.github.com/repositories/1", True),
        ("https://api.github.com:443/repositories/1", True),
        ("https://API.GitHub.com/repositories/1", True),
        ("http://api.github.com/repositories/1", False),
        ("http://api.github.com:443/repositories/1", False),
        ("https://api.github.com:8443/repositories/1", False),
        ("https://api.github.com.example.com/", False),
        ("https://api.github.com@example.com/", False),
        ("https://example.com/?https://api.github.com/", False),
        ("ftp://api.github.com/", False),
        ("//api.github.com/repositories/1", False),
        ("/repositories/1", False),
        ("https://api.github.com:x/", False),
        ("https://[::1/", False),
        ("", False),
    ],
)
def test_t17_a_redirect_is_followed_to_the_same_server_only(moved: str, *, is_followed: bool) -> None:
    assert is_same_server(API, moved) == is_followed


class Moving(http.server.BaseHTTPRequestHandler):
    """Sends everybody to `server.to`, and notes with which token they came."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.tokens.append(self.headers.get("Authorization", ""))
        self.send_response(server.status)
        self.send_header("Location", server.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  # the name that the library calls

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def moving(status: int, to: str) -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moving) as server:
        server.status, server.to, server.tokens = status, to, []  # type: ignore[attr-defined]  # for the handler
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t17_no_client_takes_its_token_to_another_server(status: int) -> None:
    with moving(404, "") as other, moving(status, f"http://127.0.0.1:{other.server_port}/x") as github:
        api, clock = f"http://127.0.0.1:{github.server_port}", SkippingClock()
        with pytest.raises(MattermodError):
            Contents(api, TOKEN, clock, Calls()).read("a/b", "x.yml")
        with pytest.raises(MattermodError):
            Contents(api, TOKEN, clock, Calls()).ask("a/b", "x.yml")
        client, subject = PyGithubGitHub(api, TOKEN, (), clock, Calls()), pull_seen().subject
        for ask in (
            lambda: client.pull(subject.repository, 7),
            lambda: client.comment(subject, "Hello"),
            lambda: client.markers(subject),
        ):
            with pytest.raises(MattermodError):
                ask()
        assert github.tokens
        assert other.tokens == []
