"""A chat's incoming webhooks, by the room that each leads to.

https://developers.mattermost.com/integrate/webhooks/incoming/
Whoever knows such an address can post to it, so none is ever shown.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

from mattermod_action.adapters import deadlines
from mattermod_action.adapters.plain_http import WHOLE, NotAllowedError, open_url
from mattermod_action.errors import Down, Mistake, Refused, Unsure

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 65_536  # bytes of an answer, of which the head alone is read
LONGEST = 4_000  # characters; a server cuts or refuses longer ones, depending on its version


class Webhooks:
    """The `Chat` port of ports.py; the address of room "" serves those that have none of their own."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    def post(self, text: str, room: str, channel: str) -> None:
        address = self._addresses.get(room) or self._addresses.get("") or ""
        if not address:
            raise Mistake("no address of a chat: give the input `mattermost-webhook-url`")
        message = {"text": text[:LONGEST], **({"channel": channel} if channel else {})}
        status = _sent(address, json.dumps(message).encode())
        if status >= http.client.INTERNAL_SERVER_ERROR:
            raise Unsure(f"the chat answered {status}")
        if status != http.client.OK:
            raise Refused(f"the chat refused the message ({status}): is `mattermost-webhook-url` right?")


def _sent(address: str, body: bytes) -> int:
    try:
        connection, target = open_url(address)
    except NotAllowedError as error:
        raise Mistake(f"input `mattermost-webhook-url`: {error}") from None
    try:
        with deadlines.answer(WHOLE, LARGEST):
            _connect(connection)
            connection.request("POST", target, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Unsure(f"the chat did not answer ({type(error).__name__})") from None
    finally:
        connection.close()


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except NotAllowedError as error:
        raise Mistake(f"input `mattermost-webhook-url`: {error}") from None
    except OSError as error:
        raise Down(f"the chat cannot be reached ({type(error).__name__})") from None
