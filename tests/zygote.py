"""A process that has imported what a run needs, and makes each run by a fork: a process of its own without the wait.

It takes a connection for each run, with a line of JSON (`env` and the file `log`), answers with the number of its
process, waits for another line to begin, and answers with the exit code.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any

import boto3
import botocore.loaders

import mattermod_action.adapters.aws
import mattermod_action.adapters.github
import mattermod_action.adapters.jenkins
import mattermod_action.adapters.mysql
import mattermod_action.adapters.sqlite
import mattermod_action.adapters.web
import mattermod_action.config
import mattermod_action.keeping
import mattermod_action.reaping
import mattermod_action.running  # these are what takes so long to import
from mattermod_action import job

BUG = 70  # no exit code of ours


def warm() -> None:
    """Keep AWS's description of its services, which every run would read from disk, and parse, anew."""
    kept: dict[str, Any] = {}
    load = botocore.loaders.JSONFileLoader.load_file

    def load_once(self: Any, file_path: str) -> Any:
        if file_path not in kept:
            kept[file_path] = load(self, file_path)
        return kept[file_path]

    botocore.loaders.JSONFileLoader.load_file = load_once  # type: ignore[method-assign]  # it says the same
    for service in ("ec2", "route53"):
        boto3.Session("", "", region_name="us-east-1").client(service)


def serve(path: str) -> None:
    """Fork for each connection. Whoever was forked answers; nobody waits for it here."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mattermod_action.config.model()
    warm()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)  # noqa: T201  # whoever has started us reads it
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> None:
    code = BUG
    try:
        lines = connection.makefile()
        asked = json.loads(lines.readline())
        connection.sendall(str(os.getpid()).encode())
        lines.readline()
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(asked["env"])
        time.tzset()
        code = job.run()
    except BaseException:  # noqa: BLE001  # as Python itself ends with a trace
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
