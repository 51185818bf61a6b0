"""The list of those who signed, as any server may answer; which addresses are asked; what a row may say."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action.adapters import plain_http
from mattermod_action.adapters.cla_list import LARGEST, Memory, fetch, logins
from mattermod_action.adapters.deadlines import dial
from mattermod_action.adapters.plain_http import NotAllowedError, allowed, check_address, connect
from mattermod_action.errors import Down, FactUnavailable
from mattermod_action.world import SkippingClock
from tests.slow import ending, served

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 12, 1, 10)  # noqa: DTZ001  # naive UTC, as everywhere
LIST = b"login,name\nreviewer,R\n"


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def read(said: bytes) -> frozenset[str] | str:
    """Return the names, or why there are none."""
    with served(ending(said)) as slow:
        try:
            return fetch(f"{slow.url}/signed.csv", SkippingClock())
        except FactUnavailable as reason:
            return str(reason)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(LIST), frozenset({"reviewer"})),
        (answer(gzip.compress(LIST), "Content-Encoding: gzip"), frozenset({"reviewer"})),
        (answer(LIST, "Content-Encoding: identity"), frozenset({"reviewer"})),
        (answer(LIST, "Content-Encoding: br"), "packed in another way"),
        (answer(b"no", "Content-Encoding: gzip"), "cannot be read (error)"),
        (answer(gzip.compress(LIST)[:-12], "Content-Encoding: gzip"), "cannot be read (error)"),
        (answer(LIST).replace(b"Length: ", b"Length: 1"), "cannot be read (IncompleteRead)"),
        (answer(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip"), f"larger than {LARGEST} bytes"),
        (answer(b"a" * (LARGEST + 1)), f"larger than {LARGEST} bytes"),
        (answer(b"", status="304 Not Modified"), "cannot be read (304 )"),
        (answer(LIST, "Location: /x", status="302 Found"), "cannot be read (302 )"),
        (answer(b"<html>", "Content-Type: text/html"), "cannot be read (200 text/html)"),
        (answer(LIST, status="503 No"), "cannot be read (HTTPException)"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n" + LIST, "cannot be read (HTTPException)"),
        (answer(b'"' + b"x,\n" * 60_000), "is no list"),
        (answer(b'a\n"' + b"y" * 200_000), "is no list"),
        (answer(b"\x00\x00\x00"), "no list"),
        (answer(b"\xff\xfe\xff"), "no list"),
    ],
    ids=range(18),
)
def test_t20_whatever_comes_is_a_list_or_cannot_be_read(said: bytes, expected: frozenset[str] | str | None) -> None:
    found = read(said)
    assert found == expected if not isinstance(expected, str) else expected in str(found)[:200]


@given(st.text() | st.text(',"\n\r\x00a@'))
def test_t20_any_text_is_a_list_or_none(text: str) -> None:
    with contextlib.suppress(FactUnavailable):
        assert logins(text)


# Spellings of 169.254.169.254 and its like, as a configuration may have them.
SECRET = [
    "169.254.169.254", "2852039166", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.16689662",
    "169.254.43518", "0251.254.0xa9.254", "169.254.169.254.", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "[::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]", "[fe80::1%25eth0]", "[FE80::1]",
    "\uff11\uff16\uff19.254.169.254", "169\u3002254\u3002169\u3002254", "169.254.170.2", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "[fd00:ec2::254]", "[fd20:ce::254]", "metadata", "metadata.google.internal",
    "METADATA.google.internal", "\u24dcetadata.google.internal", "169.254.0.1", "169.254.255.255",
]  # fmt: skip
OTHERS = ["example.com", "10.0.0.1", "[2001:db8::1]", "127.0.0.1", "[::1]", "192.168.1.1", "169.253.1.1", "[fd00::1]",
          "my-metadata.example.com", "1.1.1.1"]  # fmt: skip


@pytest.mark.parametrize("host", SECRET)
def test_t19_no_spelling_leads_to_what_machines_keep_secret(host: str) -> None:
    with pytest.raises(NotAllowedError, match=r"learn secrets|no address"):
        allowed(f"https://{host}/latest/meta-data")


@pytest.mark.parametrize("host", OTHERS)
def test_t19_other_hosts_are_asked(host: str) -> None:
    assert allowed(f"https://{host}/list").hostname


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%2", "fd00:ec2::254"])
def test_t19_a_name_is_judged_by_where_it_leads(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address that is connected to, so that no second answer of a name server counts. Nobody is asked."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotAllowedError, match="learn secrets"):
        dial("innocent.example.com", 443, 1.0, check=check_address)
    monkeypatch.undo()
    connection = connect("http", "127.0.0.1:1", check=check_address)
    with pytest.raises(OSError, match="refused"):
        connection.connect()  # loopback is asked, as ever


def test_t19_every_address_of_a_configuration_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def check(address: str) -> None:
        asked.append(address)
        raise NotAllowedError("no")

    monkeypatch.setattr(plain_http, "check_address", check)
    with pytest.raises(FactUnavailable, match="cannot be read: no"):
        fetch("http://127.0.0.1:9/x", SkippingClock())
    assert asked == ["127.0.0.1"]


class Rows:
    """A store of one row, which anybody may have written."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def recall(self, _key: str) -> Any:
        if isinstance(self.row, Exception):
            raise self.row
        return self.row

    def keep(self, _key: str, etag: str, names: bytes, read_at: datetime) -> None:
        self.row = (etag, names, read_at)


BOMB = zlib.compress(bytes(200_000_000), 9)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, None),
        (Down("no"), None),
        (("", zlib.compress(b"a\nb"), NOW), 2),
        (("", b"", NOW), 1),
        (("", b"no", NOW), None),
        (("", BOMB, NOW), 1),
        (("", None, NOW), None),
        (("", "text", NOW), None),
        (("", b"x"), None),
    ],
    ids=range(9),
)
def test_t02d_a_row_says_how_many_there_were_and_nobody_who(row: Any, expected: int | None) -> None:
    known = Memory(Rows(row), "u").recall()  # type: ignore[arg-type]  # no more of a store is used
    assert (known.count if known else None) == expected
    assert known is None or not hasattr(known, "names")


def test_t02d_a_row_of_ours_has_nothing_that_saves_reading() -> None:
    """Versions that know an ETag ask without one."""
    rows = Rows(None)
    Memory(rows, "u").keep(frozenset({"b", "a"}), NOW)  # type: ignore[arg-type]  # no more of a store is used
    assert rows.row == ("", zlib.compress(b"a\nb"), NOW)


def test_the_list_is_asked_for_without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    request: Callable[..., Any] = http.client.HTTPConnection.request

    def noted(*given: Any, **named: Any) -> None:
        seen.append(named)
        request(*given, **named)

    monkeypatch.setattr(http.client.HTTPConnection, "request", noted)
    assert read(answer(LIST)) == frozenset({"reviewer"})
    assert [sorted(each["headers"]) for each in seen] == [["Accept-Encoding", "User-Agent"]]
