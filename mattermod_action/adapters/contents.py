"""Read one file of a repository's default branch with nothing but the standard library.

Most events match nothing in the configuration, and reading it is all they cost: PyGithub takes longer to
import than this takes to answer.
https://docs.github.com/en/rest/repos/contents#get-repository-content
"""

from __future__ import annotations

import http.client
import json
import time
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from mattermod_action import __version__
from mattermod_action.adapters.plain_http import connect
from mattermod_action.errors import Down, Mistake
from mattermod_action.figures import GRAPHQL, NO_ANSWER, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mattermod_action.figures import Calls
    from mattermod_action.ports import Clock

PAUSES = (0.5, 1.0, 2.0, None)  # seconds before the next attempt
LARGEST = 262_144  # bytes; no configuration is larger
REDIRECTS = 3  # a renamed repository answers 301 to its new address
QUERY = """
query ($owner: String!, $name: String!, $file: String!) {
  repository(owner: $owner, name: $name) { object(expression: $file) { ... on Blob { text } } }
}
"""
RAW = "application/vnd.github.raw+json"
VERSION = "X-GitHub-Enterprise-Version"
OLDEST_SERVER = (3, 17)
OLD_SERVER = "GitHub Enterprise Server {} is not supported: upgrade it to 3.17 or later"


class Way(NamedTuple):
    """A request that reads the file, and how it counts."""

    verb: str
    path: str
    request: Callable[[], tuple[int, bytes]]

    def go(self, calls: Calls) -> tuple[int, bytes]:
        began, answer = time.monotonic(), NO_ANSWER
        try:
            status, body = self.request()
            answer = OK if status == http.client.OK else str(status)
        finally:
            calls.note(self.verb, self.path, answer, time.monotonic() - began)
        return status, body


class Contents:
    """The files of one GitHub, read with one token; each request is noted in `calls`.

    An Enterprise Server names its version in each answer, which `heard` keeps.
    """

    def __init__(self, api_url: str, token: str, clock: Clock, calls: Calls) -> None:
        self._api_url, self._token, self._clock, self._calls = api_url, token, clock, calls
        self.heard: list[str] = []

    @property
    def warning(self) -> str:
        """Say that the server is too old; "" when it is not, and for github.com and ghe.com, which have no version."""
        version = next(filter(None, self.heard), "")
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        return OLD_SERVER.format(version) if len(numbers) > 1 and numbers < OLDEST_SERVER else ""

    def read(self, repository: str, path: str) -> str:
        """Return the text of `path` on the default branch. Raises Mistake and Down."""
        return self._patiently(repeat(self._by_rest(repository, path)), repository, path)

    def ask(self, repository: str, path: str) -> str:
        """The same by a query, which draws on another allowance than events do: for whoever comes every few minutes.

        Where that allowance is used up, or the query fails, the other way is left.
        """
        query = Way("POST", GRAPHQL, partial(_answer, self._api_url, self._token, repository, path, self.heard))
        return self._patiently(chain([query], repeat(self._by_rest(repository, path))), repository, path)

    def _by_rest(self, repository: str, path: str) -> Way:
        address = f"/repos/{repository}/contents/{quote(path)}"
        ask = partial(_get, f"{self._api_url}{address}", self._token, self.heard, REDIRECTS)
        return Way("GET", address, ask)

    def _patiently(self, ways: Iterable[Way], repository: str, path: str) -> str:
        for pause, way in zip(PAUSES, ways, strict=False):
            try:
                status, body = way.go(self._calls)
            except (OSError, http.client.HTTPException) as error:
                reason = f"GitHub cannot be reached ({type(error).__name__})"
            else:
                if status == http.client.OK:
                    return _text(body, path)
                reason = _reason(status, body, path, repository)
            if pause is not None:
                self._clock.sleep(pause)
        raise Down(f"{reason}, so {path} could not be read; nothing was done, run again")


def _reason(status: int, body: bytes, path: str, repository: str) -> str:
    """Why it is tried again. Raises Mistake where that is of no use."""
    if b"rate limit" in body:  # in the 403 or 429 of both kinds of limit
        return "GitHub asks for a pause (rate limit)"
    _raise_for(status, path, repository)
    return f"GitHub answered {status}"


def _get(url: str, token: str, heard: list[str], redirects: int) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = connect(parts.scheme, parts.netloc)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers=_headers(token))
        answer = connection.getresponse()
        moved = answer.headers.get("Location", "")
        # The token goes to the host it was given for and nowhere else.
        if answer.status in (301, 307, 308) and redirects and urlsplit(moved).netloc == parts.netloc:
            return _get(moved, token, heard, redirects - 1)
        heard.append(answer.headers.get(VERSION, ""))
        return answer.status, answer.read(LARGEST + 1)
    finally:
        connection.close()


def _answer(api_url: str, token: str, repository: str, path: str, heard: list[str]) -> tuple[int, bytes]:
    """Ask for a blob, and say what came of it as the other way would.

    https://docs.github.com/en/graphql/reference/objects#blob; on GitHub Enterprise Server the address ends otherwise:
    https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint
    """
    owner, _, name = repository.partition("/")
    variables = {"owner": owner, "name": name, "file": f"HEAD:{path}"}
    parts = urlsplit(f"{api_url.removesuffix('/v3')}/graphql")
    connection = connect(parts.scheme, parts.netloc)
    try:
        query = json.dumps({"query": QUERY, "variables": variables})
        connection.request("POST", parts.path, query, {**_headers(token), "Content-Type": "application/json"})
        answer = connection.getresponse()
        heard.append(answer.headers.get(VERSION, ""))
        return _as_a_file(answer.status, answer.read(4 * LARGEST))
    finally:
        connection.close()


def _as_a_file(status: int, body: bytes) -> tuple[int, bytes]:
    if status != http.client.OK:
        return status, body
    try:
        data = json.loads(body)
        kinds = {each.get("type") for each in data.get("errors") or ()}
        blob = ((data.get("data") or {}).get("repository") or {}).get("object") or {}
    except (ValueError, AttributeError) as error:
        raise http.client.HTTPException from error
    if "RATE_LIMITED" in kinds:
        return http.client.TOO_MANY_REQUESTS, b"rate limit"
    if "FORBIDDEN" in kinds:
        return http.client.FORBIDDEN, b""
    text = blob.get("text")
    return (http.client.OK, text.encode()) if isinstance(text, str) else (http.client.NOT_FOUND, b"")


def _headers(token: str) -> dict[str, str]:
    agent = {"Accept": RAW, "User-Agent": f"mattermod-action/{__version__}"}
    return {**agent, "Authorization": f"Bearer {token}"} if token else agent


def _text(body: bytes, path: str) -> str:
    if len(body) > LARGEST:
        raise Mistake(f"{path}:1: is larger than {LARGEST} bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Mistake(f"{path}:1: is not UTF-8 (byte {error.start})") from error


def _raise_for(status: int, path: str, repository: str) -> None:
    match status:
        case 401:
            raise Mistake("`github-token` is not accepted by GitHub (401): it is wrong or has expired")
        case 404:
            raise Mistake(
                f"{path}: not found on the default branch of {repository}: add it, name another file with the "
                "input `config`, or give the job `contents: read`"
            )
        case 403:
            raise Mistake(f"{path}: `github-token` may not read it: give the job `contents: read`")
