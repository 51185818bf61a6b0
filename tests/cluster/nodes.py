"""A Galera cluster of three MariaDB servers on loopback, each of which can be killed, cut off and brought back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql

from mattermod_action.adapters.database_url import Database
from mattermod_action.adapters.mysql import connect
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
SIZE = 3
START = 120.0  # seconds a node may take to be sent all data and be in step with the others
# A node answers with what it has, which may be milliseconds behind; after this it first waits for what the others have.
CAUSAL = "SET SESSION wsrep_sync_wait = 7"
# As root rsync would write as `nobody`, so the servers run as the user that Debian's package has made for them.
USER = "mysql" if os.geteuid() == 0 else ""
SMALL = (
    "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--max-connections=300", "--skip-log-bin",
    "--bind-address=127.0.0.1", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
)  # fmt: skip


@dataclass
class Node:
    """One server. `ports` are those for clients, for the group, and for what a node that joins is sent in two ways."""

    home: Path
    ports: tuple[int, int, int, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Database:
        return Database("127.0.0.1", self.ports[0], "root", "mysql", "")

    def ask(self, sql: str, *, latest: bool = False) -> list[tuple[Any, ...]]:
        """Return rows as the node has them; as the cluster has them when `latest`."""
        with contextlib.closing(connect(self.database)) as connection, connection.cursor() as cursor:
            if latest:
                cursor.execute(CAUSAL)
            cursor.execute(sql)
            return list(cursor.fetchall())

    def is_in_step(self) -> bool:
        """Say whether it is one of the majority, and has what the others have."""
        with contextlib.suppress(pymysql.MySQLError):
            status = dict(self.ask("SHOW STATUS LIKE 'wsrep\\_%'"))
            return (status["wsrep_ready"], status["wsrep_local_state_comment"]) == ("ON", "Synced")
        return False

    def cut_off(self, *, back: bool = False) -> None:
        """Let nothing through between it and the others, clients excepted; `back` joins it again."""
        self.ask(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={0 if back else 1}'")

    def kill(self) -> None:
        """End it at once (kill -9), and what it may have started to receive data."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):  # it had ended
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Cluster:
    nodes: list[Node] = field(default_factory=list)

    def new_database(self) -> list[Database]:
        """Create an empty one; return it as each node has it."""
        name = servers.Server(self.nodes[0].database).new_database().name
        for node in self.nodes:
            node.ask("SELECT 1", latest=True)
        return [replace(node.database, name=name) for node in self.nodes]

    def start(self, node: Node, *, first: bool = False) -> None:
        """Start it and wait until it is in step; only the `first` begins a cluster."""
        group = ",".join(f"127.0.0.1:{each.ports[1]}" for each in self.nodes)
        client, port, increments, data = node.ports
        provider = f"gmcast.listen_addr=tcp://127.0.0.1:{port};ist.recv_addr=127.0.0.1:{increments};gcache.size=32M"
        options = [
            "--wsrep-on=ON", f"--wsrep-provider={PROVIDER}", f"--wsrep-provider-options={provider}",
            "--wsrep-cluster-name=mattermod", f"--wsrep-cluster-address=gcomm://{group}",
            "--wsrep-node-address=127.0.0.1", "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address=127.0.0.1:{data}", *(["--wsrep-new-cluster"] if first else []),
        ]  # fmt: skip
        files = [f"--socket={node.home}/s", f"--pid-file={node.home}/pid", f"--port={client}"]
        with (node.home / "log").open("ab") as log:
            command = [_binary(), *_common(node.home), *files, *SMALL, *options]
            node.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_for(node)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start three nodes. The first makes the data; it is sent to the others, as it is to any node that joins."""
    with tempfile.TemporaryDirectory(prefix="galera-") as home:
        _give(Path(home))
        made = Cluster([Node(Path(home, str(number)), _ports()) for number in range(SIZE)])
        try:
            for node in made.nodes:
                node.home.mkdir()
                _give(node.home)
                _install(node.home)
                made.start(node, first=node is made.nodes[0])
            yield made
        finally:
            for node in made.nodes:
                node.kill()


def wait_for(node: Node) -> None:
    """Wait until it is in step. Raises RuntimeError with the end of its log."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and node.process and node.process.poll() is None:
        if node.is_in_step():
            return
        time.sleep(0.1)
    raise RuntimeError(f"a node did not join: {(node.home / 'log').read_text(errors='replace')[-3000:]}")


def _binary() -> str:
    binary = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not binary or not PROVIDER.exists():
        raise RuntimeError("no Galera: run `make cluster-test`, which installs it")
    return binary


def _common(home: Path) -> list[str]:
    return ["--no-defaults", f"--datadir={home}/data", f"--tmpdir={home}", *([f"--user={USER}"] if USER else [])]


def _install(home: Path) -> None:
    install = ["mariadb-install-db", *_common(home), "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)


def _give(place: Path) -> None:
    if USER:
        shutil.chown(place, USER)


def _ports() -> tuple[int, int, int, int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        client, group, increments, data = (int(listener.getsockname()[1]) for listener in listeners)
    return client, group, increments, data
