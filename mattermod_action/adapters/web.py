"""Asking a test server whether it is up, through the proxy that the environment names, if any.

A name without an address, a connection that is refused and a certificate that nobody knows are all "not yet": what is
asked for is public, and nothing of the answer but its status is looked at.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from mattermod_action import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 5.0  # seconds


class _Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


class PlainWeb:
    """The `Web` port of spinmints.py."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it may have got none yet
        self._opener = urllib.request.build_opener(_Stays, urllib.request.HTTPSHandler(context=context))
        self._headers: Mapping[str, str] = {"User-Agent": f"mattermod-action/{__version__}"}

    def answers(self, url: str, status: int) -> bool:
        request = urllib.request.Request(url, headers=dict(self._headers))  # noqa: S310  # http or https: of our own make
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return bool(answer.status == status)
        except urllib.error.HTTPError as error:
            return error.code == status
        except (OSError, http.client.HTTPException):
            return False
