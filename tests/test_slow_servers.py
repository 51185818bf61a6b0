"""Whatever a server at any port does, or does not, whoever asks it comes to an end: an answer, or an error of ours."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mattermod_action import shares
from mattermod_action.adapters import aws_identity, cla_list
from mattermod_action.adapters.aws import AwsServers
from mattermod_action.adapters.contents import Contents
from mattermod_action.adapters.database_url import Database
from mattermod_action.adapters.github_requests import Requests
from mattermod_action.adapters.jenkins import JenkinsBuilds
from mattermod_action.adapters.jenkins_servers import Server
from mattermod_action.adapters.mattermost import Webhooks
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.adapters.web import PlainWeb
from mattermod_action.errors import Down, Late, MattermodError
from mattermod_action.figures import Calls
from mattermod_action.world import SkippingClock
from tests.slow import ANSWERS, KILO, OK, ending, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.slow import Answer, Slow

PACE = 0.01  # of the deadlines
LIMIT = 25.0  # seconds; the longest is four attempts at 0.28, and the machine may be busy
MEMORY = 400_000  # KiB that this process may grow by, in which many are asked at once


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("KEY_ID", "a"), ("ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{'SECRET_' if value == 'b' else 'ACCESS_'}{name}", value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shares.hurry(PACE)
    yield
    shares.hurry(1.0)


def github(slow: Slow) -> Requests:
    return Requests(slow.url, "token", SkippingClock(), Calls())


def aws(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", slow.url)
    return AwsServers("us-east-1", SkippingClock())


def mysql(slow: Slow) -> Database:
    return Database("127.0.0.1", slow.port, "u", "d", "p")


def jenkins(slow: Slow) -> Any:
    return JenkinsBuilds([Server(slow.url, "u", "t")], SkippingClock()).build(f"{slow.url}/job/a/1/")


def identity(slow: Slow) -> str:
    return aws_identity.token({aws_identity.ADDRESS: f"{slow.url}/?a=b", aws_identity.BEARER: "x"})


FEW = ("says nothing", "headers drip", "body drips", "body without end", "closes in the middle", "noise")
A_FEW = {name: ANSWERS[name] for name in FEW}  # making a client of AWS takes a second
PORTS: dict[str, Callable[[Slow], Any]] = {
    "a test server": lambda slow: PlainWeb().answers(f"{slow.url}/", 200),
    "a CLA list": lambda slow: cla_list.fetch(f"{slow.url}/signed.csv", SkippingClock()),
    "a file": lambda slow: Contents(slow.url, "token", SkippingClock(), Calls()).read("o/r", "f"),
    "a file by query": lambda slow: Contents(slow.url, "token", SkippingClock(), Calls()).ask("o/r", "f"),
    "GitHub": lambda slow: github(slow)._read(lambda: github(slow)._json("GET", "/x"), "p"),
    "GitHub's lists": lambda slow: list(github(slow)._pages("/x", "items", "p")),
    "GitHub's GraphQL": lambda slow: github(slow)._read(lambda: github(slow)._data("query { a }", {}), "p"),
    "a write to GitHub": lambda slow: github(slow)._write("POST", "/x", {"a": 1}, "it", "p", shows="id"),
    "Jenkins": jenkins,
    "the chat": lambda slow: Webhooks({"": f"{slow.url}/hook"}).post("text", "", ""),
    "the runner": identity,
    "MySQL": lambda slow: MySQLStore(mysql(slow), SkippingClock()).execute("SELECT 1", {}),
}


def begun(port: Callable[[Slow], Any], answer: Answer) -> threading.Thread:
    """Ask in the background, so that what has no end ends no test."""

    def ask() -> None:
        with served(answer) as slow, contextlib.suppress(MattermodError):
            port(slow)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def endless(threads: dict[str, threading.Thread]) -> list[str]:
    """Return those that have not ended within the limit."""
    ends = time.monotonic() + LIMIT
    for thread in threads.values():
        thread.join(max(0.0, ends - time.monotonic()))
    return [name for name, thread in threads.items() if thread.is_alive()]


@pytest.mark.parametrize("port", PORTS)
def test_t03_t07_every_answer_ends(port: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert endless({name: begun(PORTS[port], each) for name, each in ANSWERS.items()}) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


@pytest.mark.parametrize("name", A_FEW)
def test_t03_aws_ends_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, since what leads there is in the environment."""
    assert endless({name: begun(lambda slow: aws(slow, monkeypatch).is_in_sync("C1"), A_FEW[name])}) == []


CHUNKS = st.sampled_from(
    [OK, b"\r\n", b"\r\n\r\n", b"z", KILO, b"{", b"5\r\n", b"Content-Length: 9\r\n", b"\x00\xff\n", b""]
)
SCRIPTS = st.tuples(st.lists(st.tuples(CHUNKS, st.sampled_from([0.0, 0.0, 0.02, 0.2])), max_size=12), st.booleans())


def scripted(steps: list[tuple[bytes, float]], *, forever: bool) -> Answer:
    def answer(client: Any) -> None:
        while True:
            for chunk, pause in steps:
                client.sendall(chunk)
                time.sleep(pause)
            if not forever or not any(chunk for chunk, _ in steps):
                return

    return answer


@pytest.mark.soak
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PORTS)), SCRIPTS)
def test_t03_t07_any_answer_ends(port: str, script: tuple[list[tuple[bytes, float]], bool]) -> None:
    assert endless({port: begun(PORTS[port], scripted(script[0], forever=script[1]))}) == []


def test_half_of_a_configuration_is_none() -> None:
    """The other half may be what protects something."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nlabel_messages: {}\n"
    with served(ending(said)) as slow, pytest.raises(Down, match="IncompleteRead"):
        Contents(slow.url, "token", SkippingClock(), Calls()).read("o/r", "f")


@pytest.mark.parametrize("port", [name for name in PORTS if name not in ("a CLA list", "the runner", "MySQL")])
def test_t07_nothing_is_asked_when_the_share_is_over(port: str) -> None:
    """The database is: what was done is noted whenever that was."""
    with served(ANSWERS["a page"]) as slow, shares.share(-1), pytest.raises(Late):
        PORTS[port](slow)
    assert slow.begun == 0


def test_a_migration_may_take_its_time() -> None:
    """Without a time-out for reading there is no deadline but that of the connection."""
    with served(ANSWERS["says nothing"]) as slow, pytest.raises(Exception, match=r"timed out|in time|Lost"):
        connect(mysql(slow), read_timeout=None)
