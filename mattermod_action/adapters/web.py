"""Asking a test server whether it is up, through the proxy that the environment names, if any.

A name without an address, a connection that is refused and a certificate that nobody knows are all "not yet": what is
asked for is public, and nothing of the answer but its status is looked at. What runs there is anybody's code: it has a
few seconds and a few bytes to say so, in all.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from mattermod_action import __version__
from mattermod_action.adapters import deadlines
from mattermod_action.adapters.plain_http import with_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 5.0  # seconds for the whole answer, of which the head alone is read
LARGEST = 65_536  # bytes


class _Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_connection, request)


class _Tls(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_tls_connection, request)


def _connection(host: str, **options: Any) -> http.client.HTTPConnection:
    return with_deadline(http.client.HTTPConnection(host, **options))


def _tls_connection(host: str, **options: Any) -> http.client.HTTPConnection:
    context = deadlines.limited(ssl.create_default_context())
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it may have got none yet
    return with_deadline(http.client.HTTPSConnection(host, context=context, **options))


class PlainWeb:
    """The `Web` port of spinmints.py."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_Stays, _Plain, _Tls)
        self._headers: Mapping[str, str] = {"User-Agent": f"mattermod-action/{__version__}"}

    def answers(self, url: str, status: int) -> bool:
        request = urllib.request.Request(url, headers=dict(self._headers))  # noqa: S310  # http or https: of our own make
        try:
            with (
                deadlines.answer(TIMEOUT, LARGEST),
                self._opener.open(request, timeout=TIMEOUT) as found,
            ):
                return bool(found.status == status)
        except urllib.error.HTTPError as error:
            return error.code == status
        except (OSError, http.client.HTTPException):
            return False
