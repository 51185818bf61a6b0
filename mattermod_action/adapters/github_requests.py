"""Requests to GitHub through PyGithub, with its own retries and pauses off: a repeated POST would be a second comment.

PyGithub retries POST on 5xx and time-outs and sleeps 0.25 s before each request and 1 s before each write
(`GithubRetry`, `Consts.DEFAULT_SECONDS_BETWEEN_*`). Here reads are retried, writes are a single attempt,
and writes are paced only when there are many.
"""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import requests
from github import Auth, Github, GithubException
from urllib3.exceptions import NewConnectionError

from mattermod_action import __version__
from mattermod_action.errors import Down, Limited, MayNot, Mistake, Refused, Unsure
from mattermod_action.figures import ERRORS, GRAPHQL, NO_ANSWER, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.figures import Calls
    from mattermod_action.ports import Clock

TIMEOUT = 10  # seconds to connect, and again to read; together less than the ledger's lease
READ_PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt of a read
READ_PATIENCE = 60.0  # seconds that reads may wait for a rate limit, in one run
FREE_WRITES = 20  # then a pause before each: GitHub allows about 80 content-creating requests a minute
WRITE_PAUSE = 0.75  # seconds
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
SECONDARY_WAIT = 60.0
PAGE = 100  # the most that a page of a list may have
LIST = "items"  # under which a list without a name of its own is read
SERVER_ERROR = 500

T = TypeVar("T")


class Requests:
    """Requests of one token, and what it may still spend on waiting; every failure is one of ours."""

    def __init__(self, api_url: str, token: str, clock: Clock, calls: Calls) -> None:
        self._requester = Github(
            auth=Auth.Token(token),
            base_url=api_url,
            timeout=TIMEOUT,
            user_agent=f"mattermod-action/{__version__}",
            per_page=PAGE,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        ).requester
        self._clock, self._calls = clock, calls
        self._writes = 0
        self._patience = READ_PATIENCE

    def _pages(self, path: str, name: str, permission: str) -> Iterator[dict[str, Any]]:
        """Read a list to its end, whose pages have it as `name`."""
        for page in count(1):
            address = f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={page}"
            items = self._field(address, name, permission)
            yield from items
            if len(items) < PAGE:
                return

    def _data(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Of an answer that is no JSON the library makes a text."""
        _, data = self._counted("POST", GRAPHQL, lambda: self._requester.graphql_query(query, variables))
        return dict(data["data"])

    def _read(self, request: Callable[[], T], permission: str) -> T:
        for pause in (*READ_PAUSES, None):
            try:
                return self._call(request, "read", permission)
            except Limited as limit:
                if pause is None or limit.retry_after > self._patience:
                    raise
                self._patience -= limit.retry_after
                self._clock.sleep(limit.retry_after)
            except Down as error:
                if pause is None:
                    raise Down(str(error)) from error  # an unsure read is only a read that failed
                self._clock.sleep(pause)
        raise AssertionError("unreachable: the last pause is None")

    def _field(self, path: str, name: str, permission: str) -> Any:
        """One field of what is read: an answer that lacks it cannot be read."""
        return self._read(lambda: self._json("GET", path)[name], permission)

    def _write(
        self, verb: str, path: str, body: object, what: str, permission: str, *, shows: str = ""
    ) -> dict[str, Any]:
        """Send it once. Raises Unsure when the answer lacks what it `shows` of what was written."""
        self._writes += 1
        if self._writes > FREE_WRITES:
            self._clock.sleep(WRITE_PAUSE)
        data = self._call(lambda: self._json(verb, path, body), what, permission)
        if shows and shows not in data:
            raise Unsure(f"GitHub's answer does not show that it did {what}")
        return data

    def _json(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        _, data = self._counted(verb, path, lambda: self._requester.requestJsonAndCheck(verb, path, input=body))
        return data if isinstance(data, dict) else {LIST: data} if isinstance(data, list) else {}

    def _counted(self, verb: str, path: str, request: Callable[[], T]) -> T:
        """The library tells the status of failures alone, and follows redirects by itself."""
        began, answer = time.monotonic(), NO_ANSWER
        try:
            made, answer = request(), OK
        except GithubException as error:
            answer = ERRORS if path == GRAPHQL and _lists_errors(error.data) else str(error.status or NO_ANSWER)
            self._calls.limited += _is_limit(error)
            raise
        finally:
            self._calls.note(verb, path, answer, time.monotonic() - began)
            self._calls.note_left(path, *self._requester.rate_limiting)
        return made

    def _call(self, request: Callable[[], T], what: str, permission: str) -> T:
        """The one boundary at which the library's errors become ours."""
        try:
            return request()
        except GithubException as error:
            _raise_for(error, what, permission)
        except requests.RequestException as error:
            if _never_sent(error):
                raise Down("GitHub cannot be reached") from error
            raise Unsure(f"GitHub did not answer ({type(error).__name__})") from error
        except (
            ValueError,
            KeyError,
            TypeError,
        ) as error:  # truncated JSON, HTML, a null where data should be
            raise Unsure("GitHub's answer cannot be read") from error


def _raise_for(error: GithubException, what: str, permission: str) -> NoReturn:
    status, message = error.status or 0, _message(error)
    if status == requests.codes.unauthorized:
        raise Mistake("`github-token` is not accepted by GitHub (401): it is wrong or has expired") from error
    if wait := _retry_after(error, message):
        raise Limited(f"GitHub's rate limit is reached; it asks to wait {wait:.0f} s", wait) from error
    if _has_error(error.data, "RATE_LIMITED"):
        raise Limited("GitHub's rate limit for queries is reached", SECONDARY_WAIT) from error
    if "not accessible" in message or _has_error(error.data, "FORBIDDEN"):
        raise MayNot(f"`github-token` may not {what} here", _cure(message, permission)) from error
    if status >= SERVER_ERROR:
        raise Unsure(f"GitHub answered {status}") from error
    raise Refused(f"GitHub refused to {what} ({status}): {_reason(error, message)}") from error


def _cure(message: str, permission: str) -> str:
    """GitHub names the kind of a token, but not whether it is an App's or the job's."""
    if "personal access token" in message:
        return f"give the token {permission}"
    return f"give the job {permission} under `permissions:`, or the App whose token it is"


def _message(error: GithubException) -> str:
    return str(error.data.get("message", "")) if isinstance(error.data, dict) else ""


def _is_limit(error: GithubException) -> bool:
    return bool(_retry_after(error, _message(error))) or _has_error(error.data, "RATE_LIMITED")


def _lists_errors(data: object) -> bool:
    """With status 200, of which the library makes another one."""
    return isinstance(data, dict) and isinstance(data.get("errors"), list)


def _reason(error: GithubException, message: str) -> str:
    """A validation that failed says what of it in its first error."""
    errors = error.data.get("errors") if isinstance(error.data, dict) else None
    first = next((each["message"] for each in errors or () if isinstance(each, dict) and each.get("message")), "")
    return str(first or message or "no reason given")[:200]


def _has_error(data: object, kind: str) -> bool:
    """GraphQL refuses with 200 and a list of errors, of which PyGithub makes an exception."""
    errors = data.get("errors") if isinstance(data, dict) else None
    return any(isinstance(each, dict) and each.get("type") == kind for each in errors or ())


def _retry_after(error: GithubException, message: str) -> float:
    """Seconds to wait when this is a rate limit, primary or secondary; 0 when it is something else."""
    if error.status not in (requests.codes.forbidden, requests.codes.too_many_requests):
        return 0
    headers = {name.casefold(): value for name, value in (error.headers or {}).items()}
    if str(headers.get("retry-after", "")).isdecimal():
        return max(1.0, float(headers["retry-after"]))
    if headers.get("x-ratelimit-remaining") == "0" and str(headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    limited = error.status == requests.codes.too_many_requests or "rate limit" in message.casefold()
    return SECONDARY_WAIT if limited else 0


def _never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)  # refused, or the name was not resolved
