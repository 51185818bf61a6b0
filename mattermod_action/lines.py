"""The one way to standard output: each line is made harmless to the runner, or is a command of ours to it.

Only `re` is imported: an event that is not for us costs one line. Text from outside may try to speak to the runner:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands. A line that begins with `::` is a
command, and so is `##[` wherever it stands in a line:
https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029]")


def say(text: str) -> None:
    """Print one log line."""
    print(safe(text), flush=True)  # noqa: T201  # the one way to standard output


def command(name: str, data: str = "", **properties: str) -> None:
    """Print a command to the runner, whose values cannot end it."""
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    print(f"::{name}{' ' if given else ''}{given}::{_data(data)}", flush=True)  # noqa: T201  # the one way, as above


def safe(text: str) -> str:
    """One line that no runner takes for a command: `::` starts one at a line's start, `##[` anywhere."""
    flat = _UNSAFE.sub(
        lambda found: f"\\x{ord(found[0]):02x}",
        text.replace("\r", "").replace("\n", "\\n").replace("\t", " "),
    )
    flat = flat.replace("##[", "#\u200b#[")
    return f"\u200b{flat}" if flat.lstrip().startswith("::") else flat


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
