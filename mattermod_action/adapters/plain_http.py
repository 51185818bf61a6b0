"""HTTP with nothing but the standard library, for what most runs need and for what is not GitHub."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mattermod_action.adapters.deadlines import dial, limited

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

# Seconds to connect, and again for each read, each more than the ten after which GitHub ends a request; and for all of
# an answer, which is less than the ledger's lease.
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
TIMEOUT, WHOLE = 14, 28.0
PORTS = {"https": 443, "http": 80}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Where a cloud's machines learn secrets about themselves: no address in a configuration may lead there.
FORBIDDEN = re.compile(r"metadata\b", re.IGNORECASE)
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (fd00:ec2::254)
# https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
# https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata (100.100.100.200)
# https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm (link-local, and 192.0.0.192 in older)
# https://cloud.google.com/compute/docs/metadata/querying-metadata (fd20:ce::254)
METADATA = tuple(map(ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::/32", "168.63.129.16/32",
                                  "100.100.100.200/32", "192.0.0.192/32")))  # fmt: skip
# An IPv4 address is the last 32 bits: https://www.rfc-editor.org/rfc/rfc6052#section-2.1, and "compatible" ones.
EMBEDDING = tuple(map(ip_network, ("64:ff9b::/96", "::/96")))


class NotAllowedError(ValueError):
    """An address that is not asked; the message says why, without it."""


def allowed(url: str) -> SplitResult:
    """Split an address that may be asked. Raises NotAllowedError."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is none
    except ValueError:
        raise NotAllowedError("it is no address") from None
    if parts.hostname:
        _check_name(parts.hostname)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise NotAllowedError("only https addresses are asked")
    if not parts.hostname:
        raise NotAllowedError("it names no server")
    return parts


def check_address(text: str) -> None:
    """Refuse an address, as it is connected to, that may tell a machine's secrets. Raises NotAllowedError."""
    address = ip_address(text.partition("%")[0])
    if any(each in network for each in _meant(address) for network in METADATA if each.version == network.version):
        raise NotAllowedError("it leads to where machines learn secrets about themselves")


def _check_name(host: str) -> None:
    """A name is checked again by what it leads to; a proxy alone sees to that where there is one."""
    try:
        plain = (host if host.isascii() else host.encode("idna").decode()).partition("%")[0].rstrip(".")
        numeric = socket.getaddrinfo(plain, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except UnicodeError:
        raise NotAllowedError("it is no address") from None
    except OSError:  # a name, and not a spelling of an address
        numeric = []
    if FORBIDDEN.match(plain):
        raise NotAllowedError("it leads to where machines learn secrets about themselves")
    for *_, address in numeric:
        check_address(str(address[0]))


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """An address and what it stands for in IPv4."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    last = IPv4Address(int(address) & 0xFFFF_FFFF) if any(address in network for network in EMBEDDING) else None
    return [address, *(each for each in (*inner, last) if each)]


def open_url(url: str) -> tuple[http.client.HTTPConnection, str]:
    """Return a connection that has still to be made, and what to ask of it. No redirect is followed.

    The address that its name leads to is checked, too: making the connection may raise NotAllowedError.
    """
    parts = allowed(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return connect(parts.scheme, parts.netloc, check=check_address), target


def is_same_server(url: str, other: str) -> bool:
    """Whether a token that was given for one may be sent to the other: scheme, host and port are the same."""
    try:
        ours, theirs = ((each.scheme, each.hostname, each.port) for each in (urlsplit(url), urlsplit(other)))
    except ValueError:
        return False
    usual = PORTS.get(ours[0])
    return ours[:2] == theirs[:2] and (ours[2] or usual) == (theirs[2] or usual)


def connect(scheme: str, netloc: str, *, check: Callable[[str], object] = lambda _: None) -> http.client.HTTPConnection:
    """Return a connection that has still to be made, through the proxy that the environment names."""
    proxy = urlsplit(os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY") or "")
    if scheme == "https" and proxy.netloc and not _bypassed(netloc):
        connection = _made(scheme, proxy.netloc.rpartition("@")[2], lambda _: None)
        connection.set_tunnel(netloc)
        return connection
    return _made(scheme, netloc, check)


def _made(scheme: str, netloc: str, check: Callable[[str], object]) -> http.client.HTTPConnection:
    connection = (
        http.client.HTTPConnection(netloc, timeout=TIMEOUT)
        if scheme == "http"
        else http.client.HTTPSConnection(netloc, timeout=TIMEOUT, context=_context())
    )
    return with_deadline(connection, check)


def with_deadline(
    connection: http.client.HTTPConnection, check: Callable[[str], object] = lambda _: None
) -> http.client.HTTPConnection:
    """Have it end with the answer's deadline (deadlines.py)."""
    connection._create_connection = partial(_dial, check)  # type: ignore[attr-defined]  # noqa: SLF001  # no other way
    return connection


def _dial(check: Callable[[str], object], address: tuple[str, int], timeout: float, *_: Any) -> socket.socket:
    return dial(*address, timeout, check=check)


def body_of(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Read it, but no more than one byte over `most`. Raises IncompleteRead for half of what was announced."""
    body = answer.read(most + 1)
    if answer.length and len(body) <= most:
        raise http.client.IncompleteRead(b"", answer.length)
    return body


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])  # as http.client itself does
    return limited(context)


def _bypassed(netloc: str) -> bool:
    host = netloc.partition(":")[0]
    names = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    return any(name and (name == "*" or host.endswith(name.strip().lstrip("."))) for name in names)
