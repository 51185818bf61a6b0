"""The state file in the workspace of a runner that stays: it belongs to whoever owns the workspace.

A workspace may also hold what a pull request brought: no symbolic link in it is followed, and a state file that a
commit has, or that is of another account, is not believed.

A container action is root, and the next `actions/checkout` is not: what belongs to root it cannot delete
(https://github.com/actions/runner/issues/434).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite makes beside it: https://www.sqlite.org/tempfiles.html
TRACKED = (
    "input `state`: {path} is part of the commit that is checked out, whose author may have made it: delete it there, "
    "or name another file"
)
FOREIGN = "input `state`: {path} belongs to another account: delete it, or name another file"
SIGNATURE, USUAL = b"DIRC", b"\0\0\0\2"  # https://git-scm.com/docs/index-format
LINKED = "input `state`: {path} leads through a file or a symbolic link, which is not followed in the workspace"


def prepare(path: Path, workspace: Path | None) -> None:
    """Make the folders and the file, and give them to the workspace's owner. Raises Mistake and OSError.

    A file outside of the workspace is its owner's own business.
    """
    inside = Path(os.path.relpath(path, workspace)) if workspace else None
    if workspace is None or inside is None or os.pardir in inside.parts:
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    if _is_tracked(workspace, inside):
        raise Mistake(TRACKED.format(path=path))
    *folders, name = inside.parts
    with _opened(workspace, os.O_DIRECTORY) as top:
        _give(path, top, folders, name, os.fstat(top))


def _give(path: Path, above: int, folders: list[str], name: str, owner: os.stat_result) -> None:
    if not folders:
        for each in (name, *(name + suffix for suffix in BESIDE)):
            _give_file(path, above, each, owner, make=each == name)
        return
    with suppress(FileExistsError):
        os.mkdir(folders[0], dir_fd=above)
    with _unlinked(path), _opened(folders[0], os.O_DIRECTORY | os.O_NOFOLLOW, above) as folder:
        _own(folder, owner)
        _give(path, folder, folders[1:], name, owner)


def _give_file(path: Path, folder: int, name: str, owner: os.stat_result, *, make: bool) -> None:
    """Make the file itself; SQLite says better than we do why one cannot be made or read."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_CREAT if make else 0)
    try:
        with _unlinked(path), _opened(name, flags, folder) as file:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Mistake(LINKED.format(path=path))
            if os.fstat(file).st_uid not in (0, os.geteuid(), owner.st_uid):
                raise Mistake(FOREIGN.format(path=path))
            _own(file, owner)
    except OSError:
        return


def _entry(index: bytes, name: bytes) -> bytes:
    """How an index names a path: after its length, where it is of the usual version, and with a zero after it."""
    length = bytes([len(name) & 0xFF]) if index[len(SIGNATURE) :].startswith(USUAL) else b""
    return length + name + b"\0"


def _is_tracked(workspace: Path, inside: Path) -> bool:
    """Whether the index of a checkout that holds it names it, or a folder of it, which may be a submodule.

    Git is not asked: in a folder that others may have written its configuration runs what they like.
    """
    for above in inside.parents:
        index = workspace / above / ".git" / "index"
        below = inside.relative_to(above)
        with suppress(OSError):
            found = index.read_bytes()
            names = {*map(str, below.parents), *(f"{below}{suffix}" for suffix in ("", *BESIDE))} - {"."}
            if found.startswith(SIGNATURE) and any(_entry(found, name.encode()) in found for name in names):
                return True
    return False


@contextmanager
def _opened(name: str | Path, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | flags, 0o666, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _unlinked(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Mistake(LINKED.format(path=path)) from error
        raise


def _own(descriptor: int, owner: os.stat_result) -> None:
    """Only what is root's is given away, and only by root; a file with another name elsewhere is left alone."""
    found = os.fstat(descriptor)
    if os.geteuid() or found.st_uid or not owner.st_uid or (stat.S_ISREG(found.st_mode) and found.st_nlink > 1):
        return
    with suppress(OSError):  # a file system that has no owners
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
