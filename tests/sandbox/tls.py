"""A proxy on loopback that is github.com for whoever trusts its certificate, and leads nowhere else.

    with tls.served(github.url, tmp_path) as proxy:
        subprocess.run(["gh", "api", "..."], env={**proxy.environment, ...})

It understands CONNECT to the hosts that it has certificates for, takes off the TLS, and passes on what is said to the
sandbox. Any other host is refused and remembered.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HOSTS = ("api.github.com",)
AUTHORITY = "sandbox authority"
SIZE = 65_536


@dataclass
class Proxy:
    """`asked` has each host and port that somebody wanted to be led to."""

    url: str
    authority: Path
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "SSL_CERT_FILE": str(self.authority)}


@contextmanager
def served(url: str, place: Path) -> Iterator[Proxy]:
    """Lead to `url` for as long as the `with` lasts; keys and certificates are kept in `place`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates(place, HOSTS))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}", place / "authority.pem")
        threading.Thread(target=_accept, args=(listener, proxy, context, url), daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, proxy: Proxy, context: ssl.SSLContext, url: str) -> None:
    with suppress(OSError):  # it was closed: that is the end
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_lead, args=(connection, proxy, context, url), daemon=True).start()


def _lead(connection: socket.socket, proxy: Proxy, context: ssl.SSLContext, url: str) -> None:
    with connection, suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(SIZE)
        method, target, *_ = head.decode().split()
        proxy.asked.append(target)
        if method != "CONNECT" or target.partition(":")[0] not in HOSTS:
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        there = urlsplit(url)
        with (
            context.wrap_socket(connection, server_side=True) as near,
            socket.create_connection((there.hostname or "", there.port or 0)) as far,
        ):
            back = threading.Thread(target=_pour, args=(far, near), daemon=True)
            back.start()
            _pour(near, far)
            back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(SIZE):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def certificates(place: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Make an authority and, by it, the certificate of the hosts. Returns this one's file, and its key's."""
    authority, host = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate((AUTHORITY,), authority, authority, ca=True)
    leaf = _certificate(hosts, host, authority, ca=False)
    (place / "authority.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (place / "host.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (place / "host.key").write_bytes(host.private_bytes(*form))
    return place / "host.pem", place / "host.key"


def _certificate(
    names: Sequence[str], key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        called = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        built = built.add_extension(called, critical=False)
    return built.sign(signer, hashes.SHA256())
