"""Builds of Jenkins, read through python-jenkins.

It says "does not exist" of a 502 and of maintenance, "authentication failed" of a 500, follows redirects to wherever
they lead, and waits for ever. So status and body of every answer are judged here, before it sees them, in a time of
our own, and no word of its exceptions is believed.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jenkins
import requests
import urllib3

from mattermod_action import __version__
from mattermod_action.adapters import deadlines
from mattermod_action.adapters.jenkins_pages import inside, page
from mattermod_action.adapters.jenkins_servers import INPUT
from mattermod_action.adapters.limited_requests import limit
from mattermod_action.errors import Down, Mistake
from mattermod_action.spinmints import Build

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mattermod_action.adapters.jenkins_pages import Page
    from mattermod_action.adapters.jenkins_servers import Server
    from mattermod_action.ports import Clock

    Call = Callable[[jenkins.Jenkins], Any]

TIMEOUT = 10.0  # seconds for one request, from the name's look-up to the last byte
PAUSES = (2.0, 8.0)  # seconds before the second and the third attempt
LOOKS = (30.0, 30.0)  # seconds before the second and the third look for what is not there
LARGEST = 4_194_304  # bytes of an answer
WHY_SHOWN = 200  # characters of Jenkins' reason
# https://javadoc.jenkins.io/hudson/model/Result.html; a build that a newer one has superseded ends as NOT_BUILT.
STATES = {
    "SUCCESS": "success",
    "UNSTABLE": "unstable",
    "FAILURE": "failed",
    "NOT_BUILT": "aborted",
    "ABORTED": "aborted",
}
REFUSED = {
    HTTPStatus.UNAUTHORIZED: "does not accept the account: its token is wrong or has expired",
    HTTPStatus.FORBIDDEN: "does not let the account read builds",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class _MissingError(Exception):
    """The server says that it has no such thing."""


class _OddError(Exception):
    """An answer that says nothing about a build, or none; the text goes on after the server's name."""


class JenkinsBuilds:
    """The `Builds` port of spinmints.py; `timeout` is in real seconds, all other waiting is the clock's."""

    def __init__(self, servers: Sequence[Server], clock: Clock, timeout: float = TIMEOUT) -> None:
        self._servers, self._clock, self._timeout = servers, clock, timeout

    def build(self, url: str) -> Build:
        there = page(url, self._servers)
        found = self._look(there)
        for pause in LOOKS:
            if found is None:
                self._clock.sleep(pause)
                found = self._look(there)
        return found or Build("gone", there.number, there.url, self._why_gone(there))

    def _look(self, there: Page) -> Build | None:
        """Read how it stands; None when the server says that there is no such thing."""
        if there.item is not None:
            return self._queued(there, there.item)
        found = self._newest(there) if there.number is None else self._numbered(there, there.number)
        return found or (self._look(there.other) if there.other else None)

    def _numbered(self, there: Page, number: int) -> Build | None:
        data = self._ask(there.server, lambda client: client.get_build_info(there.job, number))
        if data is None:
            return None
        building, result = data.get("building"), data.get("result")
        if not isinstance(building, bool) or data.get("number") != number or result not in (None, *STATES):
            raise _nonsense(there.server)
        state = "running" if building or result is None else STATES[result]
        return Build(state, number, replace(there, number=number).url, started=_moment(data))

    def _newest(self, there: Page) -> Build | None:
        """What waits in the queue is newer than all that has a number."""
        data = self._job(there)
        if data is None:
            return None
        if not _has_builds(data):
            raise Mistake("the link of a build leads to a folder of Jenkins, and not to a job")
        if data.get("inQueue"):
            return Build("waiting", None, there.url, _why(data.get("queueItem")) or "it is in the queue")
        last = data.get("lastBuild")
        if last is None:
            return Build("waiting", None, there.url, "the job has no build yet")
        return self._numbered(there, _number(last, there.server))

    def _queued(self, there: Page, item: int) -> Build | None:
        data = self._ask(there.server, lambda client: client.get_queue_item(item))
        if data is None:
            return None
        if data.get("cancelled"):
            return Build("aborted", None, there.url)
        if data.get("executable") is None:
            return Build("waiting", None, there.url, _why(data) or "it is leaving the queue")
        return self._look(_left(data["executable"], there.server))

    def _job(self, there: Page) -> dict[str, Any] | None:
        return self._ask(there.server, lambda client: client.get_job_info(there.job))

    def _why_gone(self, there: Page) -> str:
        """Say what is gone. Raises Down where something that is no Jenkins may have said so (a proxy's own 404)."""
        job = self._job(there) if there.item is None else None
        if job is None and self._ask(there.server, lambda client: client.get_whoami()) is None:
            raise Down(f"Jenkins at {_host(there.server)} knows of nothing (404), not even of the account")
        if there.item is not None:
            return "the queue has forgotten it, or what it became was deleted"
        if job is None or not _has_builds(job):
            return "there is no such job, or the account may not see it"
        if there.number is not None and _number(job, there.server, "nextBuildNumber") <= there.number:
            return "the job has not come to this number: it was made anew"
        return "the build was deleted"

    def _ask(self, server: Server, call: Call) -> dict[str, Any] | None:
        """Read an object; None for a 404. Raises Mistake, and Down after the last attempt."""
        reason = ""
        for pause in (*PAUSES, None):
            try:
                with deadlines.answer(self._timeout):
                    return _answer(server, self._timeout, call)
            except _MissingError:
                return None
            except _OddError as odd:
                reason = str(odd)
            if pause is not None:
                self._clock.sleep(pause)
        raise Down(f"Jenkins at {_host(server)} {reason}")


def _answer(server: Server, timeout: float, call: Call) -> dict[str, Any]:
    """Make one request. Raises Mistake, _MissingError, _OddError."""
    client = jenkins.Jenkins(server.url, server.user, server.token, timeout=timeout)
    client.crumb = False  # only what changes something needs one
    with client._session as session:  # noqa: SLF001  # nothing else of it shows an answer's status
        limit(session)
        session.headers["User-Agent"] = f"mattermod-action/{__version__}"
        session.verify = True  # whatever PYTHONHTTPSVERIFY says
        session.stream = True  # so that nothing is read before it is judged
        session.hooks["response"].append(lambda response, **_: _judge(response, server))
        try:
            answer: dict[str, Any] = call(client)
        except (requests.RequestException, urllib3.exceptions.HTTPError, jenkins.JenkinsException) as error:
            raise _OddError(f"does not answer ({type(error).__name__})") from None
        return answer


def _judge(response: requests.Response, server: Server) -> None:
    """Raise unless it is an object in JSON. A hook: a redirect comes here before it is followed."""
    status = response.status_code
    if status in REFUSED:
        raise Mistake(f"{INPUT}: Jenkins at {_host(server)} {REFUSED[HTTPStatus(status)]} ({status})")
    if status == HTTPStatus.NOT_FOUND:
        raise _MissingError
    if response.is_redirect:
        raise _OddError(f"sends elsewhere ({status}): is this its own address?")
    if status != HTTPStatus.OK:
        raise _OddError(f"answers {status}")
    body = response.raw.read(LARGEST, decode_content=True)  # what is cut off there is no JSON any more
    if not _is_object(body):
        raise _OddError("answers something that is no JSON, or too much of it")
    response.raw, response.encoding = io.BytesIO(body), "utf-8"


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _left(item: Any, server: Server) -> Page:
    """The build that an item has become; where Jenkins believes to be in its links does not count."""
    link = item.get("url") if isinstance(item, dict) else None
    path = re.search(r"/job/[^?#]*", link) if isinstance(link, str) else None
    try:
        return inside(server, path[0] if path else "")
    except Mistake:
        raise _nonsense(server) from None


def _has_builds(job: dict[str, Any]) -> bool:
    """Whether it is a job; a folder, as a multibranch project is one, is read from the same place."""
    return "nextBuildNumber" in job


def _number(data: Any, server: Server, key: str = "number") -> int:
    number = data.get(key) if isinstance(data, dict) else None
    if not isinstance(number, int) or number <= 0:
        raise _nonsense(server)
    return number


def _moment(data: dict[str, Any]) -> datetime | None:
    try:
        return EPOCH + timedelta(milliseconds=data["timestamp"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _why(data: Any) -> str:
    """Jenkins' reason, in one line: it has names of people's machines and jobs in it."""
    why = data.get("why") if isinstance(data, dict) else None
    return " ".join(why.split())[:WHY_SHOWN] if isinstance(why, str) else ""


def _nonsense(server: Server) -> Down:
    return Down(f"Jenkins at {_host(server)} answers with something else than was asked for")


def _host(server: Server) -> str:
    return urlsplit(server.url).netloc
