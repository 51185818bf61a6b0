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

import mattermod_action.adapters.github
import mattermod_action.adapters.mysql
import mattermod_action.adapters.sqlite
import mattermod_action.config
import mattermod_action.running  # these are what takes so long to import
from mattermod_action import job

BUG = 70  # no exit code of ours


def serve(path: str) -> None:
    """Fork for each connection. Whoever was forked answers; nobody waits for it here."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mattermod_action.config.model()
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
