"""Answers that are not what was promised: of another shape, type, size or encoding; and all that is made of them.

GitHub's real answers, as the sandbox gives them, are kept, and one of them is spoilt in each case: whatever a value is
read for, it is another one day.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.github import PyGithubGitHub
from mattermod_action.adapters.github_errors import Answered
from mattermod_action.adapters.github_requests import understood
from mattermod_action.adapters.jenkins import JenkinsBuilds

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from mattermod_action.adapters.jenkins_servers import Server
    from mattermod_action.figures import Calls
    from mattermod_action.ports import Clock

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
# What a value is replaced by.
OTHERS: list[Any] = [
    None, True, False, 0, 1, -1, 2**63, 10**400, 0.5, 1e308, float("inf"), float("nan"), "", "0", "-1", "x", "1e9",
    "\x00", "\ud800", "\u2028", "é" * 300, "x" * 300_000, "::error::x", "##[error]x", "<!--", "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "https://example.org/", "../..", "octo-org/hello", [], [None],
    [[]], [0], ["x"], [{}], {}, {"": None}, {"nodes": None}, {"login": 0}, {"errors": 1}, {"message": ["x"]}, DEEP,
]  # fmt: skip
BODIES: list[bytes] = [
    b"", b"null", b"0", b"[]", b"{", b"<html>", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"errors": 1}', b'{"data": 1}',
    b'{"errors": [null, 1, "x", {"type": {}}]}', b'{"data": {"repository": []}}', b"[" * 100_000, b"9" * 10_000,
    b'{"message": {"a": 1}}', b'{"a": "\\ud800"}', b"x" * 2_000_000,
    b'{"data": {"repository": {"object": {"text": 1}}}}',
]  # fmt: skip
STATUSES = (200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 0, 999)
HEADERS: list[dict[str, str]] = [
    {}, {"retry-after": "0"}, {"retry-after": "9" * 400}, {"retry-after": "٣"}, {"retry-after": "-1"}, {"link": "<"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 30},
    {"link": '<https://example.org/?page=x>; rel="next"'},
]  # fmt: skip


def spoilt(value: Any, dice: random.Random) -> Any:
    """Return a copy in which some of it is something else, is missing, or is there too often."""
    found = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        found = _spoil(found, dice)
    return found


def _spoil(value: Any, dice: random.Random) -> Any:
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.15:  # as often as that
        return copy.deepcopy(dice.choice(OTHERS))
    place = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
    match dice.randrange(8):
        case 0:
            del value[place]
        case 1 if isinstance(value, list):
            value.extend([value[place]] * 300)
        case _:
            value[place] = _spoil(value[place], dice)
    return value


@understood
class GarbledGitHub(PyGithubGitHub):
    """Asks the sandbox what it has not asked yet, and spoils what the one question gets whose turn it is."""

    kept: dict[str, Answered] = {}  # noqa: RUF012  # for all of them

    def __init__(
        self, api_url: str, token: str, bots: tuple[str, ...], clock: Clock, calls: Calls, **more: Any
    ) -> None:
        super().__init__(api_url, token, bots, clock, calls, **more)
        self.dice: random.Random | None = None
        self.turn, self._spoilt, self._asked = 0, dict[str, Answered](), list[str]()

    def _sent(self, verb: str, address: str, body: object) -> Answered:
        key = json.dumps([verb, address, body], sort_keys=True, default=str)
        if key not in self.kept:
            self.kept[key] = super()._sent(verb, address, body)
        if self.dice is None:
            return self.kept[key]
        if key not in self._asked:
            self._asked.append(key)
        if self._asked.index(key) != self.turn:
            return self.kept[key]
        return self._spoilt.setdefault(key, self._garbled(self.kept[key], self.dice))

    @staticmethod
    def _garbled(answered: Answered, dice: random.Random) -> Answered:
        if dice.random() < 0.1:  # as often as that
            return Answered(dice.choice(STATUSES), dice.choice(HEADERS), dice.choice([answered.data, *OTHERS]))
        return Answered(answered.status, answered.headers, spoilt(answered.data, dice))


@understood
class EndlessGitHub(GarbledGitHub):
    """Says of each page that there is another one, after the same cursor."""

    def _sent(self, verb: str, address: str, body: object) -> Answered:
        query: Any = body
        first = {name: None if value == "x" else value for name, value in query["variables"].items()}
        answered = super()._sent(verb, address, {**query, "variables": first})
        return Answered(answered.status, answered.headers, _endless(answered.data))


def _endless(value: Any) -> Any:
    if isinstance(value, list):
        return [_endless(each) for each in value]
    if not isinstance(value, dict):
        return value
    more = {"hasNextPage": True, "hasPreviousPage": True, "endCursor": "x", "startCursor": "x"}
    return {name: more.get(name, _endless(each)) for name, each in value.items()}


BUILD = {
    "building": False,
    "result": "SUCCESS",
    "number": 7,
    "timestamp": 1_700_000_000_000,
    "url": "https://ci/job/x/7/",
}
QUEUED = {"cancelled": False, "executable": {"number": 7, "url": "https://ci/job/x/7/"}, "why": "it waits"}
JOB = {"nextBuildNumber": 8, "inQueue": False, "queueItem": QUEUED, "lastBuild": {"number": 7}}


class GarbledBuilds(JenkinsBuilds):
    """Each answer is an object, as what asks sees to; what is in it is anything."""

    def __init__(self, servers: Sequence[Server], clock: Clock, dice: random.Random) -> None:
        super().__init__(servers, clock)
        self._dice = dice

    def _ask(self, server: Server, request: Any) -> dict[str, Any] | None:  # noqa: ARG002  # as the other
        answer = request(self)
        return answer if isinstance(answer, dict) else None

    def _one(self, known: Any) -> Any:
        return spoilt(known, self._dice) if self._dice.random() < 0.5 else known  # as often as that

    def get_build_info(self, *_: Any) -> Any:
        return self._one(BUILD)

    def get_queue_item(self, *_: Any) -> Any:
        return self._one(QUEUED)

    def get_job_info(self, *_: Any) -> Any:
        return self._one(JOB)

    def get_whoami(self, *_: Any) -> Any:
        return self._one({"id": "robot"})
