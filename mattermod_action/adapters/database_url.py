"""Understand `database-url`: a URL, or the DSN that the original's Go driver reads.

Go's form: https://github.com/go-sql-driver/mysql#dsn-data-source-name. Mistakes show nothing of it: where a part of it
ends is just what a mistake leaves open, and any of it may be the password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from mattermod_action.inputs import Inputs

INPUT = "input `database-url`"
FORMS = "give mysql://user:password@host:3306/database or user:password@tcp(host:3306)/database"
DEFAULT_PORT = 3306
LONGEST = 4_096  # characters of a DSN

_URL = re.compile(
    r"mysql://(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?(?P<address>[^/?#]*)(?P<rest>.*)", re.DOTALL
)
_DSN = re.compile(r"(?:(?P<user>[^:]*?)(?::(?P<password>.*))?@)?(?P<net>\w*)(?:\((?P<address>[^)]*)\))?(?P<rest>/.*)?")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::(?P<port>.*))?")
_NAME = re.compile(r"[^/?#\s`\x00]{1,64}")  # https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html

# Options of Go's driver (and of URLs) that mean nothing here: what they ask for is always or never so.
MEANINGLESS = frozenset(
    """
    allowAllFiles allowCleartextPasswords allowFallbackToPlaintext allowNativePasswords allowOldPasswords charset
    checkConnLiveness clientFoundRows collation columnsWithAlias compress connectionAttributes interpolateParams loc
    maxAllowedPacket multiStatements parseTime readTimeout rejectReadOnly serverPubKey sql_mode timeout
    timeTruncate writeTimeout
    """.split()
)
TLS = {"": "verify", "true": "verify", "false": "verify", "skip-verify": "insecure", "preferred": "insecure"}
NOT_CHECKED = "`database-url` says tls=skip-verify or preferred: the server's certificate is not checked"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the shared state is. `tls` is verify or insecure; `ca` a path or a PEM text, "" for the system's."""

    host: str
    port: int
    user: str
    name: str
    password: str = field(repr=False)
    tls: str = "verify"
    ca: str = ""

    @property
    def is_loopback(self) -> bool:
        """A name that only looks like an address, such as 127.db.example.com, is somebody's."""
        try:
            return self.host.casefold() == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False


def database_from(given: Inputs) -> tuple[Database | None, tuple[str, ...]]:
    """Return the database that the inputs name, None for the embedded one, and warnings. Raises Mistake."""
    if not given.database_url:
        return None, ()
    return parse(given.database_url, given.database_ca, given.database_tls)


def parse(url: str, ca: str = "", tls: str = "verify", name: str = INPUT) -> tuple[Database, tuple[str, ...]]:
    """Raises Mistake: one line that starts with `name`, which says where the URL stands."""
    try:
        return _parse(url, ca, tls)
    except _WrongError as wrong:
        raise Mistake(f"{name} {wrong}: {FORMS}") from None  # a chained trace would show the URL


class _WrongError(ValueError):
    """What is wrong, without the subject of the sentence."""


def _parse(url: str, ca: str, tls: str) -> tuple[Database, tuple[str, ...]]:
    if not url.strip():
        raise _WrongError("is empty")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise _WrongError("holds white space or a control character; write it as %20 and so on")
    parts = _parts(url)
    host, port = _address(parts["address"] or "")
    name, options = _rest(parts["rest"] or "")
    asked = _tls(options)
    if not parts["user"]:
        raise _WrongError("names no user")
    checked = "insecure" if "insecure" in (asked, tls) else "verify"
    database = Database(host, port, parts["user"], name, parts["password"] or "", checked, ca)
    return database, (NOT_CHECKED,) if asked == "insecure" and not database.is_loopback else ()


def _parts(url: str) -> dict[str, str]:
    scheme, separator, _ = url.partition("://")
    if separator and "@" not in scheme and "(" not in scheme:
        if scheme in ("sqlite", "sqlite3", "file"):
            raise _WrongError("names a SQLite file, which is the input `state`; leave `database-url` out")
        if not (found := _URL.fullmatch(url)):
            raise _WrongError("starts with another scheme, and only mysql:// is understood")
        parts = found.groupdict(default="")
        return {**parts, "user": _decoded(parts["user"]), "password": _decoded(parts["password"])}
    found = _DSN.fullmatch(url) if len(url) <= LONGEST else None
    if not found or found["rest"] is None:
        raise _WrongError(
            "is in neither form, or lacks the / before the database; a password goes percent-encoded into a URL"
        )
    if found["net"] == "unix":
        raise _WrongError("names a Unix socket, which no container of an action can reach: use tcp(host:3306)")
    if found["net"] != "tcp" or not found["address"]:
        raise _WrongError("names no tcp(host:3306)")
    return found.groupdict(default="")


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _WrongError("has a % that starts no percent-encoding: write it as %25")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise _WrongError("is percent-encoded, but not in UTF-8") from error


def _address(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise _WrongError(
            "has an address that is not host:port; in a URL, @ : / and # of a password are %40 %3A %2F and %23"
        )
    if not found["host"]:
        raise _WrongError("names no host")
    port = found["port"]
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):  # noqa: PLR2004  # ports are 16 bits
        raise _WrongError("has a port that is not a number from 1 to 65535")
    return found["host"].strip("[]"), int(port or DEFAULT_PORT)


def _rest(rest: str) -> tuple[str, dict[str, str]]:
    path, _, query = rest.partition("?")
    name = _decoded(path.removeprefix("/"))
    if not name:
        raise _WrongError("names no database after the host")
    if "#" in rest or not _NAME.fullmatch(name):
        raise _WrongError("has no valid database name after the host")
    return name, _options(query)


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise _WrongError("has options that are not name=value after the ?") from error
    for name, _ in pairs:
        if name not in MEANINGLESS and name != "tls":
            raise _WrongError(
                "has an unknown option after the ?; TLS is set by the inputs `database-tls` and `database-ca`"
            )
    return dict(pairs)


def _tls(options: dict[str, str]) -> str:
    value = options.get("tls", "")
    if value not in TLS:
        raise _WrongError(
            "has an unknown value of tls: give the certificate of your authority as the input `database-ca`"
        )
    return TLS[value]
