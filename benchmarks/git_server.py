"""Git's own `http-backend` on loopback, counting what goes over the wire: https://git-scm.com/docs/git-http-backend.

Requests and answers of any size are passed on in pieces. As on GitHub, who pushes has to say who he is.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, TYPE_CHECKING, Any

from sandbox.bare import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 16
SERVICE = re.compile(r"/(?P<name>[^/]+/[^/]+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)")


@dataclass
class Traffic:
    """What a client asked and got: all bytes of the connections, headers too. `sent` is by the client."""

    requests: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0


class GitServer(ThreadingHTTPServer):
    """Serves `repositories`: OWNER/NAME → a bare one. One client at a time, else nobody knows whose bytes they are."""

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.traffic, self.lock = repositories, Traffic(), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def counting(self) -> Iterator[Traffic]:
        """Count anew, for one run."""
        self.traffic = Traffic()
        yield self.traffic


@contextmanager
def serve(repositories: dict[str, Path]) -> Iterator[GitServer]:
    with GitServer(repositories) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer would wait 40 ms for an acknowledgement
    server: GitServer
    rfile: Any
    wfile: Any

    def setup(self) -> None:
        super().setup()
        self.rfile = _Counted(self.rfile, self.server, "sent")
        self.wfile = _Counted(self.wfile, self.server, "received")

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        with self.server.lock:
            self.server.traffic.requests.append(f"{self.command} {self.path}")
        path, _, query = self.path.partition("?")
        found = SERVICE.fullmatch(path)
        with tempfile.TemporaryFile() as body:
            self._read_body(body)
            if not found or found["name"] not in self.server.repositories:
                self._short(404)
            elif "git-receive-pack" in self.path and "authorization" not in self.headers:
                self._short(401)
            else:
                repository = self.server.repositories[found["name"]]
                self._run(self._variables(repository, found["what"], query), body)

    def _short(self, status: int) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _read_body(self, body: IO[bytes]) -> None:
        """Put it into a file, from where the program reads it at its own pace."""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self._copy(size, body)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self._copy(int(self.headers.get("content-length", 0)), body)
        body.seek(0)

    def _copy(self, size: int, to: IO[bytes]) -> None:
        while size and (piece := self.rfile.read(min(size, CHUNK))):
            to.write(piece)
            size -= len(piece)

    def _variables(self, repository: Path, what: str, query: str) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(repository.parent),
            "PATH_INFO": f"/{repository.name}/{what}",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "REQUEST_METHOD": self.command,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "REMOTE_USER": "bench",
        }

    def _run(self, variables: dict[str, str], body: IO[bytes]) -> None:
        """Run the CGI program and pass its answer on."""
        command = ["git", "http-backend"]
        with subprocess.Popen(command, env=variables, stdin=body, stdout=subprocess.PIPE, bufsize=CHUNK) as running:
            answer: Any = running.stdout
            headers = dict(_headers(answer)) or {"Status": "500 it died"}
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in [*headers.items(), ("Transfer-Encoding", "chunked")]:
                self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(CHUNK):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")


def _headers(answer: IO[bytes]) -> Iterator[tuple[str, str]]:
    while line := answer.readline().decode().strip():
        name, _, value = line.partition(": ")
        yield name, value


class _Counted:
    """A connection's file of which every byte is counted."""

    def __init__(self, file: Any, server: GitServer, counter: str) -> None:
        self._file, self._server, self._counter = file, server, counter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        return self._count(self._file.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._count(self._file.readline(size))

    def write(self, data: bytes) -> int:
        return int(self._file.write(self._count(data)))

    def _count(self, data: bytes) -> bytes:
        with self._server.lock:
            traffic = self._server.traffic
            setattr(traffic, self._counter, getattr(traffic, self._counter) + len(data))
        return data
