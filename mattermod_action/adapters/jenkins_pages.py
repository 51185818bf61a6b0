"""What a link to Jenkins leads to: a build, a job, or an item of the queue, as CI posts it in a commit status.

    https://ci.example.com/job/server/job/feature%252Fx/12/display/redirect?page=changes
    https://ci.example.com/blue/organizations/jenkins/server/detail/feature%2Fx/12/pipeline
    https://ci.example.com/queue/item/101/

https://www.jenkins.io/doc/book/using/remote-access-api/ https://plugins.jenkins.io/display-url-api/
Anybody who may set a status can write such a link. It is only believed in what it says of a configured server, no part
of it reaches another one, and no mistake repeats it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from mattermod_action.adapters.jenkins_servers import INPUT, origin
from mattermod_action.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.adapters.jenkins_servers import Server

LONGEST = 2_000  # characters of a link
HOST_SHOWN = 100  # characters of a foreign server's name that are shown
NO_PAGE = "the link of a build leads to no build, job or item of the queue of a Jenkins"
_LINK = re.compile(rf"[!-~]{{1,{LONGEST}}}")  # printable, and no white space
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
# What no name of a job has; in the names of branches Jenkins percent-encodes it.
# https://javadoc.jenkins.io/jenkins/model/Jenkins.html#checkGoodName(java.lang.String)
_NO_NAME = re.compile(r"[?*/\\!@#$^&|<>\[\]:;]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What may follow a job's own address and still be about its newest build.
_OF_JOB = ((), ("lastBuild",), ("display", "redirect"))


@dataclass(frozen=True, slots=True)
class Page:
    """A build (`job` and `number`), a job (without `number`) or an item of the queue (`item`) on a server.

    `job` is the path through the folders as python-jenkins wants it: in a name a slash is written %2F. Where the link
    leaves open which job it is, `other` is what it leads to if not here.
    """

    server: Server
    job: str = ""
    number: int | None = None
    item: int | None = None
    other: Page | None = field(default=None, compare=False)

    @property
    def url(self) -> str:
        if self.item is not None:
            return f"{self.server.url}/queue/item/{self.item}/"
        path = "/job/".join(quote(name, safe="") for name in self.job.split("/"))
        return f"{self.server.url}/job/{path}/" + (f"{self.number}/" if self.number else "")


def page(link: str, servers: Sequence[Server]) -> Page:
    """Find out what a link leads to. Raises Mistake."""
    if not servers:
        raise Mistake(f"no account on a Jenkins: give the {INPUT}")
    server, path = _on(link, servers)
    return inside(server, path)


def inside(server: Server, path: str) -> Page:
    """Find out what a path below the server's own address leads to. Raises Mistake."""
    parts = _parts(path)
    match parts:
        case ["queue", "item", number, *_] if _NUMBER.fullmatch(number):
            return Page(server, item=int(number))
        case ["blue", "organizations", _, project, "detail", branch, number, *_] if _NUMBER.fullmatch(number):
            first, second = (Page(server, job, int(number)) for job in _pipelines(project, branch))
            return replace(first, other=second)
    job, rest = _job(parts)
    if job and rest and _NUMBER.fullmatch(rest[0]):
        return Page(server, job, int(rest[0]))
    if not job or tuple(rest) not in _OF_JOB:
        raise Mistake(NO_PAGE)
    return Page(server, job)


def _on(link: str, servers: Sequence[Server]) -> tuple[Server, str]:
    """Return the server that a link leads to, and the path there."""
    if not _LINK.fullmatch(link):
        raise Mistake(f"{NO_PAGE}: it has more than {LONGEST} characters, or some that no link has")
    try:
        parts = urlsplit(link)
        start = origin(parts)
    except ValueError:
        raise Mistake(NO_PAGE) from None
    for server in sorted(servers, key=lambda server: len(server.url), reverse=True):
        if "@" not in parts.netloc and f"{start}{parts.path}/".startswith(f"{server.url}/"):
            return server, f"{start}{parts.path}".removeprefix(server.url)
    raise Mistake(f"the link of a build leads to {_shown(parts.hostname)}, which is no server of the {INPUT}")


def _shown(host: str | None) -> str:
    return host[:HOST_SHOWN] if host and re.fullmatch(r"[a-z0-9.:-]+", host) else "somewhere"


def _parts(path: str) -> list[str]:
    """Split a path and decode each part once, as the server does. Raises Mistake for what could lead out of it."""
    try:
        parts = [unquote(part, errors="strict") for part in path.removeprefix("/").removesuffix("/").split("/")]
    except UnicodeDecodeError:
        raise Mistake(NO_PAGE) from None
    for part in parts:
        plain = unquote(part)  # what a branch is called, and what a proxy that decodes once more would see
        if {"", ".", ".."} & {*re.split(r"[/\\]", plain)} or _CONTROL.search(plain):
            raise Mistake(NO_PAGE)
    return parts


def _job(parts: list[str]) -> tuple[str, list[str]]:
    """Return the job at the beginning of a path, and the rest; views are ways to look at jobs, not places."""
    names = []
    while len(parts) > 1 and parts[0] in ("job", "view"):
        kind, name, *parts = parts
        names += [_named(name)] if kind == "job" else []
    return "/".join(names), parts


def _pipelines(project: str, branch: str) -> tuple[str, str]:
    """The jobs that BlueOcean may show, the likelier first: a branch of a multibranch project, or a job of its own.

    The second is shown with the name that somebody gave it to be shown, which mostly is its own again.
    """
    job = "/".join(_named(name) for name in project.split("/"))
    inner = f"{job}/{_named(branch)}"
    return (job, inner) if job.split("/")[-1] == _named(branch) else (inner, job)


def _named(name: str) -> str:
    return _NO_NAME.sub(lambda found: f"%{ord(found[0]):02X}", name)
