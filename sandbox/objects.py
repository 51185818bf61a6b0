"""Git's own objects, made in memory, so that every commit has the name that git itself would give it.

A repository that nobody clones never touches the disk. https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

NOREPLY = "users.noreply.example"  # after an account's login, its address
FILE, FOLDER = b"100644", b"40000"


class Objects:
    """What was made, by name; `write` puts on disk what is not there yet."""

    def __init__(self) -> None:
        self._made: dict[str, bytes] = {}
        self._unwritten: set[str] = set()

    def commit(self, files: Mapping[str, bytes], parents: Iterable[str], message: str, at: datetime, by: str) -> str:
        """Return the sha of a commit that holds exactly `files`; `by` is a login, or "NAME <ADDRESS>"."""
        identity = by if "<" in by else f"{by} <{by.removesuffix('[bot]')}@{NOREPLY}>"
        who = f"{identity} {int(at.timestamp())} +0000"
        lines = [f"tree {self.tree(files)}", *(f"parent {parent}" for parent in parents if parent)]
        lines += [f"author {who}", f"committer {who}", "", message]
        return self._add(b"commit", "\n".join(lines).encode() + b"\n")

    def tree(self, files: Mapping[str, bytes]) -> str:
        """Return the sha of a folder, whose own folders are made first."""
        entries: dict[bytes, tuple[bytes, str]] = {}
        inner: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            name, _, rest = path.partition("/")
            if rest:
                inner.setdefault(name, {})[rest] = content
            else:
                entries[name.encode()] = (FILE, self._add(b"blob", content))
        entries |= {name.encode(): (FOLDER, self.tree(inside)) for name, inside in inner.items()}
        # Git sorts a folder as if its name ended with a slash.
        in_order = sorted(entries.items(), key=lambda entry: entry[0] + (b"/" if entry[1][0] == FOLDER else b""))
        return self._add(
            b"tree", b"".join(b"%s %s\0" % (mode, name) + bytes.fromhex(sha) for name, (mode, sha) in in_order)
        )

    def write(self, folder: Path) -> None:
        """Write loose objects below `folder` (a repository's `objects`)."""
        for sha in self._unwritten:
            path = folder / sha[:2] / sha[2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zlib.compress(self._made[sha], 1))
        self._unwritten.clear()

    def _add(self, kind: bytes, body: bytes) -> str:
        whole = b"%s %d\0" % (kind, len(body)) + body
        sha = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        if sha not in self._made:
            self._made[sha] = whole
            self._unwritten.add(sha)
        return sha
