"""HTTP with nothing but the standard library, for what most runs need and for what is not GitHub."""

from __future__ import annotations

import http.client
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

# Seconds to connect, and again to read: together less than the ledger's lease, and each more than the ten after which
# GitHub ends a request. https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
TIMEOUT = 14
PORTS = {"https": 443, "http": 80}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Where a cloud's machines learn secrets about themselves: no address in a configuration may lead there.
FORBIDDEN = re.compile(r"169\.254\.|metadata\b|\[?fe80:", re.IGNORECASE)


class NotAllowedError(ValueError):
    """An address that is not asked; the message says why, without it."""


def allowed(url: str) -> SplitResult:
    """Split an address that may be asked. Raises NotAllowedError."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is none
    except ValueError:
        raise NotAllowedError("it is no address") from None
    if FORBIDDEN.match(parts.hostname or ""):
        raise NotAllowedError("it leads to where machines learn secrets about themselves")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise NotAllowedError("only https addresses are asked")
    if not parts.hostname:
        raise NotAllowedError("it names no server")
    return parts


def open_url(url: str) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection that has still to be made, and what to ask of it. No redirect is followed."""
    parts = allowed(url)
    return connect(parts.scheme, parts.netloc), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_same_server(url: str, other: str) -> bool:
    """Whether a token that was given for one may be sent to the other: scheme, host and port are the same."""
    try:
        ours, theirs = ((each.scheme, each.hostname, each.port) for each in (urlsplit(url), urlsplit(other)))
    except ValueError:
        return False
    usual = PORTS.get(ours[0])
    return ours[:2] == theirs[:2] and (ours[2] or usual) == (theirs[2] or usual)


def connect(scheme: str, netloc: str) -> http.client.HTTPConnection:
    """Return a connection that has still to be made, through the proxy that the environment names."""
    kind = http.client.HTTPConnection if scheme == "http" else http.client.HTTPSConnection
    proxy = urlsplit(os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY") or "")
    if scheme == "https" and proxy.netloc and not _bypassed(netloc):
        connection = kind(proxy.netloc.rpartition("@")[2], timeout=TIMEOUT)
        connection.set_tunnel(netloc)
        return connection
    return kind(netloc, timeout=TIMEOUT)


def _bypassed(netloc: str) -> bool:
    host = netloc.partition(":")[0]
    names = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    return any(name and (name == "*" or host.endswith(name.strip().lstrip("."))) for name in names)
