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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mattermod_action import __version__
from mattermod_action.adapters import deadlines
from mattermod_action.adapters.github_errors import Answered, error_of
from mattermod_action.adapters.github_paths import file_path
from mattermod_action.adapters.plain_http import WHOLE, body_of, connect, is_same_server
from mattermod_action.errors import Down, Gone, Limited, Mistake, Refused
from mattermod_action.figures import GRAPHQL, NO_ANSWER, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mattermod_action.errors import MattermodError
    from mattermod_action.figures import Calls
    from mattermod_action.ports import Clock

PAUSES = (0.5, 1.0, 2.0, None)  # seconds before the next attempt
PATIENCE = 60.0  # seconds to wait for rate limits, in all
LARGEST = 262_144  # bytes; no configuration is larger
DIGITS = 9  # of a number of requests
REDIRECTS = 3  # a renamed repository answers 301 to its new address
QUERY = """
query ($owner: String!, $name: String!, $file: String!) {
  repository(owner: $owner, name: $name) { object(expression: $file) { ... on Blob { text } } }
}
"""
NOT_FOUND = (
    "{path}: not found on the default branch of {repository}: add it, name another file with the input `config`, or "
    "give the job `contents: read`"
)
RAW = "application/vnd.github.raw+json"
VERSION = "x-github-enterprise-version"  # of an answer of Enterprise Server
OLDEST_SERVER = (3, 17)
OLD_SERVER = "GitHub Enterprise Server {} is not supported: upgrade it to {}.{} or later"


# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
RATE = ("x-ratelimit-remaining", "x-ratelimit-limit")


class Reply(NamedTuple):
    """An answer as it came, its headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def error(self, path: str) -> MattermodError:
        """Class an answer that is no file."""
        answered = Answered(self.status, self.headers, _json(self.body))
        return error_of(answered, f"read {path}", "`contents: read`")


class Way(NamedTuple):
    """A request that reads the file, and how it counts."""

    verb: str
    path: str
    request: Callable[[], Reply]

    def go(self, calls: Calls) -> Reply:
        began, answer = time.monotonic(), NO_ANSWER
        try:
            with deadlines.answer(WHOLE):
                reply = self.request()
            answer = OK if reply.status == http.client.OK else str(reply.status)
            calls.note_left(self.path, *(_number(reply.headers.get(name, "")) for name in RATE))
        finally:
            calls.note(self.verb, self.path, answer, time.monotonic() - began)
        return reply


class Contents:
    """The files of one GitHub, read with one token; each request is noted in `calls`.

    An Enterprise Server names its version in each answer.
    """

    def __init__(self, api_url: str, token: str, clock: Clock, calls: Calls) -> None:
        self._api_url, self._token, self._clock, self._calls = api_url, token, clock, calls
        self._version, self._patience = "", PATIENCE

    @property
    def warning(self) -> str:
        """Say that the server is too old; "" when it is not, and for github.com and ghe.com, which have no version."""
        numbers = tuple(int(part) for part in self._version.split(".")[:2] if part.isdecimal())
        is_old = len(numbers) > 1 and numbers < OLDEST_SERVER
        return OLD_SERVER.format(self._version, *OLDEST_SERVER) if is_old else ""

    def read(self, repository: str, path: str) -> str:
        """Return the text of `path` on the default branch. Raises Mistake and Down."""
        return self._patiently(repeat(self._by_rest(repository, path)), repository, path)

    def ask(self, repository: str, path: str) -> str:
        """The same by a query, which draws on another allowance than events do: for whoever comes every few minutes.

        Where that allowance is used up, or the query fails, the other way is left.
        """
        query = Way("POST", GRAPHQL, partial(_answer, self._api_url, self._token, repository, path))
        return self._patiently(chain([query], repeat(self._by_rest(repository, path))), repository, path)

    def _by_rest(self, repository: str, path: str) -> Way:
        address = f"/repos/{repository}/contents/{file_path(path)}"
        return Way("GET", address, partial(_get, f"{self._api_url}{address}", self._token, REDIRECTS))

    def _patiently(self, ways: Iterable[Way], repository: str, path: str) -> str:
        for pause, way in zip(PAUSES, ways, strict=False):
            try:
                reply = way.go(self._calls)
                self._version = reply.headers.get(VERSION, self._version)
            except (OSError, http.client.HTTPException) as error:
                reason = f"GitHub cannot be reached ({type(error).__name__})"
            else:
                if reply.status == http.client.OK:
                    return _text(reply.body, path)
                reason = self._reason(reply.error(path), path, repository)
            if pause is not None:
                self._clock.sleep(pause)
        raise Down(f"{reason}, so {path} could not be read; nothing was done, run again")

    def _reason(self, error: MattermodError, path: str, repository: str) -> str:
        """Say why it is tried again, after the pause that GitHub asks for. Raises what is of no use to try again."""
        if isinstance(error, Limited):
            if error.retry_after > self._patience:
                raise Limited(f"{error}, so {path} could not be read; nothing was done", error.retry_after)
            self._patience -= error.retry_after
            self._clock.sleep(error.retry_after)
        if isinstance(error, Gone):
            raise Mistake(NOT_FOUND.format(path=path, repository=repository))
        if isinstance(error, (Mistake, Refused)):
            raise Mistake(str(error))
        return str(error)


def _get(url: str, token: str, redirects: int) -> Reply:
    parts = urlsplit(url)
    connection = connect(parts.scheme, parts.netloc)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers=_headers(token))
        answer = connection.getresponse()
        moved = answer.headers.get("Location", "")
        if answer.status in (301, 307, 308) and redirects and is_same_server(url, moved):
            return _get(moved, token, redirects - 1)
        return Reply(answer.status, _lower(answer), body_of(answer, LARGEST))
    finally:
        connection.close()


def _answer(api_url: str, token: str, repository: str, path: str) -> Reply:
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
        return _as_a_file(Reply(answer.status, _lower(answer), body_of(answer, 4 * LARGEST)))
    finally:
        connection.close()


def _as_a_file(reply: Reply) -> Reply:
    """Only an answer without errors says that there is no such file: any other leaves it to the other way."""
    data = _json(reply.body)
    if reply.status != http.client.OK or not isinstance(data, dict) or data.get("errors"):
        return reply._replace(status=http.client.BAD_GATEWAY)
    text = _at(data, "data", "repository", "object", "text")
    if isinstance(text, str):
        return reply._replace(body=text.encode())
    return reply._replace(status=http.client.NOT_FOUND, body=b'{"message": "Not Found"}')


def _at(data: Any, *names: str) -> Any:
    """Return what is there, None where there is nothing, or nothing of that shape."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= DIGITS else 0


def _lower(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.casefold(): value for name, value in answer.getheaders()}


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
