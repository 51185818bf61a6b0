"""Running the bot on an event: as a process of its own, in the image, or in an example workflow under act."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Event = dict[str, Any]  # name and payload
    Start = Callable[[Event, Mapping[str, str]], "Ran"]

MATTERMOD = Path(sys.executable).with_name("mattermod")
IMAGE = "mattermod-action"


@dataclass(frozen=True)
class Ran:
    """A run that is over. `code` is the action's exit code; under act it is act's own, 0 or 1."""

    code: int
    log: str


def in_process(event: Event, variables: Mapping[str, str]) -> Ran:
    """Run it as the runner would, with these variables and no others."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], **variables, **_described(event, Path(home))}
        return _finish([MATTERMOD, "run"], env)


def in_image(event: Event, variables: Mapping[str, str]) -> Ran:
    """Run the image that `make image` builds; values reach it by its environment, not by the command's words."""
    with tempfile.TemporaryDirectory() as home:
        given = {**variables, **_described(event, Path(home))}
        names = [word for name in given for word in ("--env", name)]
        places = [word for place in (home, variables["GITHUB_WORKSPACE"]) for word in ("--volume", f"{place}:{place}")]
        command = ["docker", "run", "--rm", "--network", "host", *places, *names, IMAGE]
        return _finish(command, {**os.environ, **given})


def under_act(event: Event, variables: Mapping[str, str]) -> Ran:
    """Run workflows-examples/labels.yml, where pull requests are waited for by `pull_request_target`."""
    from sandbox.act import Act

    home = Path(variables["GITHUB_WORKSPACE"]) / "act"
    passed = {name: value for name, value in variables.items() if name.endswith("_URL") or name.startswith("MATTERMOD")}
    name = "pull_request_target" if event["name"] == "pull_request" else event["name"]
    act = Act(home, passed, {"GITHUB_TOKEN": variables["GITHUB_TOKEN"]})
    ran = act.run(name, event["payload"])
    return Ran(ran.code, ran.log)


def _described(event: Event, home: Path) -> dict[str, str]:
    file = home / "event.json"
    file.write_text(json.dumps(event["payload"]))
    return {"GITHUB_EVENT_NAME": event["name"], "GITHUB_EVENT_PATH": str(file)}


def _finish(command: Sequence[str | Path], env: Mapping[str, str]) -> Ran:
    ran = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return Ran(ran.returncode, ran.stdout)


HOW: dict[str, Start] = {"process": in_process, "image": in_image, "act": under_act}
