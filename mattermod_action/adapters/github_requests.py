"""Requests to GitHub through PyGithub, with its own retries and pauses off: a repeated POST would be a second comment.

PyGithub retries POST on 5xx and time-outs and sleeps 0.25 s before each request and 1 s before each write
(`GithubRetry`, `Consts.DEFAULT_SECONDS_BETWEEN_*`). Here reads are retried, writes are a single attempt,
and writes are paced only when there are many. `github_errors.py` says what each answer means.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import requests
import urllib3
from github import Auth, Github, GithubException
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass
from urllib3.exceptions import NewConnectionError

from mattermod_action import __version__
from mattermod_action.adapters import deadlines
from mattermod_action.adapters.github_errors import MAIN_INPUT, Answered, error_of, is_seen, pause
from mattermod_action.adapters.github_pages import NESTED, PAGE, PageSizes, Position, has_next, pages_after, smaller
from mattermod_action.adapters.limited_requests import TooLargeError, cap, limit
from mattermod_action.adapters.plain_http import TIMEOUT, WHOLE
from mattermod_action.errors import Down, Late, Limited, Scarce, TooHeavy, Unsure
from mattermod_action.figures import ERRORS, GRAPHQL, NO_ANSWER, OK
from mattermod_action.shapes import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mattermod_action.figures import Calls
    from mattermod_action.ports import Clock

    Ask = Callable[[str, dict[str, Any]], dict[str, Any]]  # a query and its variables to its `data`

READ_PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt of a read
READ_PATIENCE = 60.0  # seconds that reads may wait for a rate limit, in one run
FREE_WRITES = 20  # then a pause before each: GitHub allows about 80 content-creating requests a minute
WRITE_PAUSE = 0.75  # seconds
REDIRECTS = ("Moved Permanently", "Permanent Redirect", "Temporary Redirect")  # what GitHub says of one
LIST = "items"  # under which a list without a name of its own is read

T = TypeVar("T")
# What code that reads an answer stumbles over when it is not of the documented shape: half of the JSON, HTML, a null or
# a number where data should be, a redirect to itself.
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
PAGES = 10_000  # that no list has
UNREADABLE = "GitHub's answer cannot be read"


class NotDone(Exception):  # it is an answer
    """GitHub answered, and not as it was asked to."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(answered.reason)
        self.answered = answered


class _Limited:
    """A connection of the library's whose answers end, and have no more bytes than are wanted."""

    session: requests.Session

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        limit(self.session)
        cap(self.session)


class _Http(_Limited, HTTPRequestsConnectionClass):
    pass


class _Https(_Limited, HTTPSRequestsConnectionClass):
    pass


class Requests:
    """Requests of one token, which is that of the input `name`; every failure is one of ours."""

    def __init__(self, api_url: str, token: str, clock: Clock, calls: Calls, *, name: str = MAIN_INPUT) -> None:
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
        # The public way to name them (`injectConnectionClasses`) makes a new connection for each request.
        kind = _Http if api_url.startswith("http:") else _Https
        self._requester._Requester__connectionClass = kind  # type: ignore[attr-defined]  # noqa: SLF001  # see above
        self._clock, self._calls, self._name = clock, calls, name
        self._writes = 0
        self._patience = READ_PATIENCE
        self.page_sizes = PageSizes()
        self.public: Callable[[Any], Any] = lambda body: body  # takes out of a text what nobody may see

    def _pages(self, path: str, name: str, permission: str, *, spares: bool = False) -> Iterator[dict[str, Any]]:
        """Read a list to its end, whose pages have it as `name`."""
        for page in self._each_page(path, name, permission, spares=spares):
            yield from page

    def _each_page(
        self, path: str, name: str, permission: str, *, spares: bool = False
    ) -> Iterator[list[dict[str, Any]]]:
        """The same, a page at a time; `spares` is to stop where too few requests are left for others. Raises Scarce."""
        at, more, left = Position(), True, 0

        def read(size: int) -> tuple[list[dict[str, Any]], bool, int]:
            headers, data = self._answered("GET", f"{path}{'&' if '?' in path else '?'}per_page={size}&page={at.page}")
            items = _named(data)[name]
            return items, has_next(headers, is_full=len(items) >= size), pages_after(headers, at.page)

        while more:
            if spares and at.page > 1 and not self._calls.spares(left):
                raise Scarce("the list is long, and the token has few requests left in this hour")
            items, more, left = self._shrinking(read, permission, at.size, at.shrink)
            yield items
            at.page += 1
            if at.page > PAGES:
                raise Unsure(UNREADABLE)

    def _paged(self, place: str, kind: str, permission: str) -> Ask:
        """Make a function that asks for pages of `$size`, and of lists in their items for pages of `$each`."""
        before: list[object] = []

        def ask(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            goes_on(before, (query, dict(variables)))

            def read(size: int) -> dict[str, Any]:
                return self._data(query, {**variables, "size": size, "each": min(PAGE, NESTED * size)})

            return self._sized(place, kind, permission, read)

        return ask

    def _sized(self, place: str, kind: str, permission: str, ask: Callable[[int], T], most: int = PAGE) -> T:
        """Begin with the size that was answered last, here and for this kind of list, of which `most` are left."""

        def shrink(size: int) -> int:
            self.page_sizes.note(place, kind, smaller(size))
            return smaller(size)

        return self._shrinking(ask, permission, min(most, self.page_sizes.size(place, kind)), shrink)

    def _shrinking(self, ask: Callable[[int], T], permission: str, size: int, shrink: Callable[[int], int]) -> T:
        """Ask for less for as long as GitHub cannot answer so much; `shrink` says how much less, and notes it."""
        pauses = iter(READ_PAUSES)
        while size > 1:
            try:
                return self._read(partial(ask, size), permission, shrinks=True)
            except TooHeavy as error:
                size, wait = shrink(size), 0.0 if error.certain else next(pauses, None)
                if wait is None:
                    raise Down(str(error)) from error
                self._clock.sleep(wait)
        return self._read(partial(ask, size), permission)

    def _data(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the `data` of a query, without what is hidden from this token."""
        asked = {"query": query, "variables": variables}
        _, data = self._counted("POST", GRAPHQL, self._requester.graphql_url, asked)
        return dict(data["data"])

    def _read(self, request: Callable[[], T], permission: str, *, shrinks: bool = False) -> T:
        """Ask up to four times. Raises TooHeavy at once where a smaller question can be asked instead."""
        for wait in (*READ_PAUSES, None):
            try:
                return self._call(request, "read", permission)
            except Limited as limit:
                if wait is None or limit.retry_after > self._patience:
                    raise
                self._patience -= limit.retry_after
                self._clock.sleep(limit.retry_after)
            except Late:
                raise
            except Down as error:
                if shrinks and isinstance(error, TooHeavy):
                    raise
                if wait is None:
                    raise Down(str(error)) from error  # an unsure read is only a read that failed
                self._clock.sleep(wait)
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
        public = self.public(body)
        data = self._call(lambda: self._json(verb, path, public), what, permission)
        if shows and shows not in data:
            raise Unsure(f"GitHub's answer does not show that it did {what}")
        return data

    def _json(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        return _named(self._answered(verb, path, body)[1])

    def _answered(self, verb: str, path: str, body: object = None) -> tuple[Mapping[str, str], Any]:
        return self._counted(verb, path, path, body)

    def _counted(self, verb: str, path: str, address: str, body: object) -> tuple[Mapping[str, str], Any]:
        """Send one request, note what came of it, and return headers and JSON. Raises NotDone."""
        began, outcome = time.monotonic(), NO_ANSWER
        try:
            with deadlines.answer(WHOLE):
                answered = self._sent(verb, address, body)
            outcome = _outcome(answered, is_query=path == GRAPHQL)
        finally:
            self._calls.note(verb, path, outcome, time.monotonic() - began)
            self._calls.note_left(path, *self._requester.rate_limiting)
        if outcome != OK:
            self._calls.limited += bool(pause(answered))
            raise NotDone(answered)
        return answered.headers, answered.data

    def _sent(self, verb: str, address: str, body: object) -> Answered:
        """The library tells the status of failures alone, and follows the redirects of reads.

        A write to a repository that has another name by now was not carried out: it is sent to where GitHub says.
        """
        try:
            headers, data = self._requester.requestJsonAndCheck(verb, address, input=body)
            if moved := _moved(data, self._requester.base_url):
                headers, data = self._requester.requestJsonAndCheck(verb, moved, input=body)
        except GithubException as error:
            return Answered(error.status or 0, _lower(error.headers), error.data, self._name)
        return Answered(http.client.OK, _lower(headers), data, self._name)

    def _call(self, request: Callable[[], T], what: str, permission: str) -> T:
        """The one boundary at which the library's errors become ours."""
        try:
            return request()
        except NotDone as error:
            raise error_of(error.answered, what, permission) from error
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TooLargeError) as error:
            raise TooHeavy("GitHub did not answer in time, or too much") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if _never_sent(error):
                raise Down("GitHub cannot be reached") from error
            raise Unsure(f"GitHub did not answer ({type(error).__name__})") from error
        except MISSHAPEN as error:
            raise Unsure(UNREADABLE) from error


def goes_on(before: list[object], asked: object) -> None:
    """Raise Unsure where a list leads back to a page that was read: it has no end."""
    if asked in before:
        raise Unsure(UNREADABLE)
    before.append(asked)


def understood(client: type[T]) -> type[T]:
    """Have every question that a class asks end in an answer or in one of our errors, whatever shape GitHub's has."""
    for name, method in list(vars(client).items()):
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(client, name, _understood(method))
    return client


def _understood(method: FunctionType) -> Callable[..., Any]:
    @wraps(method)
    def asked(*given: Any, **more: Any) -> Any:
        with _reading():
            found = checked(method(*given, **more))
        return _each(found) if isinstance(found, Generator) else found

    return asked


def _each(found: Iterator[T]) -> Iterator[T]:
    """What is made of each is not in here: a fault of its own is not GitHub's."""
    while True:
        with _reading():
            try:
                each = checked(next(found))
            except StopIteration:
                return
        yield each


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except MISSHAPEN as error:
        raise Unsure(UNREADABLE) from error


def _outcome(answered: Answered, *, is_query: bool) -> str:
    """GraphQL says with a success what went wrong: its data stands if only what is hidden from the token is missing."""
    if answered.status != http.client.OK:
        return str(answered.status)
    return ERRORS if is_query and not is_seen(answered) else OK


def _moved(data: Any, base: str) -> str:
    """Return the path that a redirect leads to, "" for what is none, and for one that leads to another server.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
    """
    if not isinstance(data, dict) or data.get("message") not in REDIRECTS:
        return ""
    url = str(data.get("url") or "")
    return url.removeprefix(base) if url.startswith(f"{base}/") else ""


def _named(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {LIST: data} if isinstance(data, list) else {}


def _lower(headers: Mapping[str, Any] | None) -> dict[str, str]:
    return {name.casefold(): str(value) for name, value in (headers or {}).items()}


def _never_sent(error: Exception) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)  # refused, or the name was not resolved
