"""What test servers answer: an HTTP proxy on loopback that knows their names, as long as Route 53 has them.

    with web.serve(cloud) as servers:
        os.environ["http_proxy"] = servers.url

A server answers 200 once it has run for `boots` seconds, 503 until then; a name that leads nowhere is 502, as proxies
say it. `status` has all of them answer something else.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.answers import answer
from sandbox.listening import listen
from sandbox.strikes import deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from sandbox.aws import Cloud

NOWHERE, BOOTING, UP = 502, 503, 200


@dataclass
class Web:
    """The running proxy. `asked` has each address that was asked for."""

    cloud: Cloud
    boots: float = 0.0
    status: int = UP
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"http_proxy": self.url, "no_proxy": "127.0.0.1,localhost"}

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode()
        self.asked.append(f"http://{host}{urlsplit(scope['path']).path}")
        await deliver(answer(self._answers(host), {}), send)

    def _answers(self, host: str) -> int:
        for address in self.cloud.records.get((f"{host}.", "A"), ()):
            for name, life in self.cloud.aws.machines.lives.items():
                if life.address == address and self.cloud.instances[name] == "running":
                    age = self.cloud.aws.now() - life.born - self.cloud.aws.delays.pending
                    return self.status if age >= self.boots else BOOTING
        return NOWHERE


@contextmanager
def serve(cloud: Cloud, port: int = 0) -> Iterator[Web]:
    """Run it for as long as the `with` lasts."""
    web = Web(cloud)
    with listen(web, port) as web.url:
        yield web
