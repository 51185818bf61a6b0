"""Servers of Jenkins with an account on each: the input `jenkins-credentials`, or what the original's file has for it.

    https://ci.example.com mattermod 11f0a1b2c3d4e5f60718293a4b5c6d7e8f
    https://build.example.com/jenkins robot 1187a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2

A line a server: its address, the account and an API token of it; empty lines and those that start with # are nothing.
https://www.jenkins.io/doc/book/system-administration/authenticating-scripted-clients/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.plain_http import NotAllowedError, allowed
from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INPUT = "input `jenkins-credentials`"
FORM = "give a line for each server: SERVER_URL USER TOKEN"
KEY = "JenkinsCredentials"  # in the original's file: a name for each server, which only that file uses
TOKEN = "ApiToken"  # noqa: S105  # the key, and no token
KEYS = ("URL", "Username", TOKEN)
WORDS = len(KEYS)
SHORTEST = 4  # characters of a word that may be a secret: without all shorter ones nobody could read a log
SHOWN = 50  # characters of a name that a mistake shows
PARTS = (
    ("address", re.compile(r"[!-~]{1,500}")),  # printable, and no white space
    ("account", re.compile(r"[^\s:\x00-\x1f\x7f]{1,200}")),  # in what is sent a colon ends it
    ("token", re.compile(r"[!-~]{1,500}")),
)


@dataclass(frozen=True, slots=True)
class Server:
    """All its pages are below `url`, which has no slash at the end. The token is never shown."""

    url: str
    user: str
    token: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may see, also as it is sent: the second of them in base64."""
        return self.token, f"{self.user}:{self.token}"


def parse(text: str) -> tuple[Server, ...]:
    """Read the input. Raises Mistake, one line that says which of its lines is wrong, and shows nothing of it."""
    return _distinct((f"{INPUT}, line {number}", words) for number, words in _lines(text))


def from_original(given: Any) -> tuple[Server, ...]:
    """Read the value of `JenkinsCredentials`: `{name: {URL, Username, ApiToken}}`. Raises Mistake.

    A server of which nothing is filled in is none, as in the original's sample file.
    """
    return _distinct(_named(given or {}))


def words_to_hide(text: str) -> Iterator[str]:
    """Find the secrets in the input. Of a line that is a mistake any word may be one."""
    for _, words in _lines(text):
        try:
            yield from _server("", words).secrets
        except Mistake:
            yield from (word for word in words if len(word) >= SHORTEST)


def tokens_to_hide(given: Any) -> Iterator[str]:
    """Find the tokens in what the original's file has, be the rest of it right or not."""
    servers = given.values() if isinstance(given, dict) else ()
    tokens = (server.get(TOKEN) for server in servers if isinstance(server, dict))
    return (token for token in tokens if isinstance(token, str))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number the lines that say something, from 1, and split each at white space."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _named(given: Any) -> Iterator[tuple[str, list[Any]]]:
    if not isinstance(given, dict):
        raise Mistake(f"{KEY}: must be a mapping of names to {', '.join(KEYS)}")
    for name, server in given.items():
        where = f"{KEY}: {str(name)[:SHOWN]!r}"
        if not isinstance(server, dict):
            raise Mistake(f"{where}: must have {', '.join(KEYS)}")
        if any(server.values()):
            yield where, [server.get(key, "") for key in KEYS]


def _distinct(given: Iterable[tuple[str, list[Any]]]) -> tuple[Server, ...]:
    servers: dict[str, Server] = {}
    for where, words in given:
        server = _server(where, words)
        if server.url in servers:
            raise Mistake(f"{where}: this server has an account already")
        servers[server.url] = server
    return tuple(servers.values())


def _server(where: str, words: list[Any]) -> Server:
    if len(words) != WORDS:
        raise Mistake(f"{where}: {FORM}")
    for (what, form), word in zip(PARTS, words, strict=True):
        if not isinstance(word, str) or not form.fullmatch(word):
            raise Mistake(f"{where}: there is no {what}, or it has characters that none has")
    address, user, token = words
    try:
        return Server(_address(address), user, token)
    except NotAllowedError as error:
        raise Mistake(f"{where}: the address cannot be used: {error}") from None


def _address(text: str) -> str:
    """Return it as all others are written, without a default port. Raises NotAllowedError."""
    parts = allowed(text)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise NotAllowedError("it holds more than a server and a path")
    if re.search(r"%|//|/\.\.?(/|$)", parts.path):
        raise NotAllowedError("its path is not plain")
    return f"{origin(parts)}{parts.path.rstrip('/')}"


def origin(parts: Any) -> str:
    """What all addresses of a server begin with; `parts` as urllib splits one. Raises ValueError for a bad port."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")
