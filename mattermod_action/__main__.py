"""`mattermod`: the job of a workflow (`run`) goes straight to work, everything else is a click command.

click alone takes three times as long to import as Python takes to start, and most runs find out that the event
is not for them.
"""

from __future__ import annotations

import gc
import os
import sys

from mattermod_action.privileges import drop

FEW_COLLECTIONS = 100_000  # objects; importing libraries makes garbage collectors busy and frees nothing


def main() -> None:
    """Be the command `mattermod`."""
    if sys.argv[1:] == ["run"]:
        gc.set_threshold(FEW_COLLECTIONS)
        drop(os.environ)
        from mattermod_action.job import run

        sys.exit(run())
    from mattermod_action.cli import cli

    cli(prog_name="mattermod")


if __name__ == "__main__":
    main()
