"""A list of signatures on loopback, and what it answers."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Signatures:
    """`asked` counts requests, `told` those of them that were answered with the list; `pause` is in seconds."""

    def __init__(self) -> None:
        self.status, self.kind, self.body = 200, "text/csv", "login,name\nreviewer,R\n@Signed-One,S\n"
        self.asked, self.told, self.pause = 0, 0, 0.0
        self.url = ""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body.encode()).hexdigest()}"'

    @contextlib.contextmanager
    def served(self) -> Iterator[Signatures]:
        handler = type("Handler", (_Handler,), {"signatures": self})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/signed.csv"
        try:
            yield self
        finally:
            server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    signatures: Signatures

    def do_GET(self) -> None:
        mine = self.signatures
        mine.asked += 1
        time.sleep(mine.pause)
        known = self.headers.get("If-None-Match") == mine.etag
        self.send_response(304 if known else mine.status)
        self.send_header("Content-Type", mine.kind)
        self.send_header("ETag", mine.etag)
        self.end_headers()
        if not known:
            mine.told += 1
            self.wfile.write(mine.body.encode())

    def log_message(self, *_: Any) -> None:
        pass
