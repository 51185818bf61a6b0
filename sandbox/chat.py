"""A chat on loopback that takes what incoming webhooks post and keeps it.

    with chat.serve() as mattermost:
        post(mattermost.webhook, {"text": "hello"})
        assert mattermost.texts == ["hello"]

https://developers.mattermost.com/integrate/webhooks/incoming/
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sandbox import strikes
from sandbox.answers import Answer, answer
from sandbox.faults import Faults
from sandbox.listening import listen, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

KEY = "s4ndb0xwebh00kk3yf0rch4tm3ss"  # in the address, which is why a webhook's address is a secret


@dataclass
class Chat:
    """A running chat; `messages` are the payloads that were taken."""

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)

    @property
    def webhook(self) -> str:
        return f"{self.url}/hooks/{KEY}"

    @property
    def environment(self) -> dict[str, str]:
        return {"CHAT_WEBHOOK_URL": self.webhook}

    @property
    def texts(self) -> list[str]:
        return [message.get("text", "") for message in self.messages]

    def answer(self, method: str, path: str, kind: str, raw: bytes) -> Answer:
        if method != "POST" or path != f"/hooks/{KEY}":
            return _no("web.incoming_webhook.invalid.app_error", "Invalid webhook.")
        try:
            message = json.loads(parse_qs(raw.decode())["payload"][0] if kind.startswith("application/x-www") else raw)
            said = bool(message.get("text") or message.get("attachments"))
        except (ValueError, KeyError, AttributeError):
            return _no("web.incoming_webhook.parse.app_error", "Unable to parse incoming data.")
        if not said:
            return _no("web.incoming_webhook.text.app_error", "No text specified.")
        self.messages.append(message)
        return Answer(200, b"ok", {"Content-Type": "text/plain"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks for it."""
        raw, headers = await read(receive), dict(scope["headers"])
        method, path, kind = scope["method"], scope["path"], headers.get(b"content-type", b"").decode("latin-1")
        fault = self.faults.strike(method, path)
        struck = fault is not None and not fault.commits
        reply = strikes.instead(fault, method) if fault and struck else self.answer(method, path, kind, raw)
        await strikes.send(strikes.disfigure(reply, fault) if fault else reply, fault, scope, receive, send)


def _no(name: str, message: str) -> Answer:
    """https://github.com/mattermost/mattermost/blob/master/server/channels/web/webhook.go."""
    return answer(400, {"id": name, "message": message, "status_code": 400})


@contextmanager
def serve(port: int = 0) -> Iterator[Chat]:
    """Run a chat on loopback for as long as the `with` lasts."""
    chat = Chat()
    with listen(chat, port) as chat.url:
        yield chat
