"""Root no longer than it has to be.

GitHub starts an action's container as root, and says not to change that with USER, since another account could not
write to the workspace:
https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
So the run itself becomes whoever owns the workspace, as the runner's other steps are, and can change nothing of its own
code. It stays root where that account is root, or may not write the files in which a step leaves its outputs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE = "MATTERMOD_IMAGE"  # set by the Dockerfile: elsewhere whoever starts us has chosen an account
WRITTEN = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
OWNER_WRITES, OTHERS_WRITE = 0o200, 0o002


def drop(env: Mapping[str, str]) -> None:
    """Become the owner of the workspace, for good, if root may be left."""
    if env.get(IMAGE) != "true" or os.geteuid():
        return
    with suppress(OSError):
        owner = os.stat(env.get("GITHUB_WORKSPACE") or ".")  # noqa: PTH116  # pathlib is not worth its import
        if owner.st_uid and all(_may_write(path, owner) for path in map(env.get, WRITTEN) if path):
            os.setgroups([])
            os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
            os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)


def _may_write(path: str, owner: os.stat_result) -> bool:
    file = os.stat(path)  # noqa: PTH116  # the same
    mine = file.st_uid == owner.st_uid and file.st_mode & OWNER_WRITES
    return bool(mine or file.st_mode & OTHERS_WRITE)
