"""Parts of addresses that others have chosen: a name never becomes a way to another address.

Whatever stands between us and GitHub resolves `.` and `..`, also as `%2E`, before the request gets there:
https://datatracker.ietf.org/doc/html/rfc3986#section-5.2.4 and https://url.spec.whatwg.org/#double-dot-path-segment.
"""

from __future__ import annotations

from urllib.parse import quote

from mattermod_action.errors import Mistake, Refused

DOTS = (".", "..")


def segment(name: str) -> str:
    """Quote a name as one part of a path. Raises Refused where no address can hold it."""
    if name in ("", *DOTS):
        raise Refused(f"GitHub's API has no address for the name {name!r}")
    return quote(name, safe="")


def file_path(path: str) -> str:
    """Quote the path of a file in a repository. Raises Mistake for one that leads elsewhere."""
    parts = path.split("/")
    if not path or set(parts) & {"", *DOTS}:
        raise Mistake(f"{path!r} is not a path within the repository: leave out `.`, `..` and empty parts")
    return "/".join(quote(part, safe="") for part in parts)
