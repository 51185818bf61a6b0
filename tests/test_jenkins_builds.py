"""How a build stands, whatever its Jenkins does, and that nothing but its Jenkins is ever asked."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import subprocess
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from mattermod_action.adapters.jenkins import LOOKS, PAUSES, TIMEOUT, JenkinsBuilds
from mattermod_action.adapters.jenkins_pages import Page
from mattermod_action.adapters.jenkins_servers import Server
from mattermod_action.errors import Down, Mistake
from mattermod_action.spinmints import Build
from sandbox import jenkins
from sandbox.faults import Fault
from sandbox.jenkins import API_TOKEN, USER, Jenkins, Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.answers import Answer
    from sandbox.faults import Kind

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = 60.0  # seconds
BRIEF, SHORT = 0.3, 1.0  # seconds of real time in which a server cannot, and surely can answer
ATTEMPTS = len(PAUSES) + 1
BRANCH = "mattermost/server/feature%2Fx"


class Clock:
    """Time that passes when somebody sleeps, for us and for the server alike."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START.replace(tzinfo=None) + self.offset

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.offset += timedelta(seconds=seconds)

    def __call__(self) -> float:
        return (START + self.offset).timestamp()


class Ci:
    """A Jenkins with our reader of it."""

    def __init__(self, server: Jenkins, clock: Clock) -> None:
        self.server, self.clock = server, clock
        self.account = Server(server.url, USER, API_TOKEN)
        self.builds = JenkinsBuilds((self.account,), clock)

    def post(self, path: str, query: str = "") -> Answer:
        headers = {"authorization": f"Basic {b64encode(f'{USER}:{API_TOKEN}'.encode()).decode()}"}
        return self.server.answer("POST", unquote(path), query, headers, b"")

    def ask_for_build(self, name: str) -> str:
        """Return the page of the item of the queue."""
        path = Page(self.account, name).url.removeprefix(self.server.url)
        return self.post(f"{path}build").headers["Location"]

    def starts(self, name: str, *scripts: Script) -> str:
        """Have a job built once, and return the build's page."""
        self.server.add_job(name, *scripts)
        self.ask_for_build(name)
        return Page(self.account, name, 1).url

    def fails(self, kind: Kind, path: str = "*", times: int = 0, **more: Any) -> None:
        self.server.faults.add(Fault(kind, "GET", path, times=times, **more))

    def waiting_only(self, seconds: float) -> JenkinsBuilds:
        return JenkinsBuilds((self.account,), self.clock, seconds)


@pytest.fixture
def ci() -> Iterator[Ci]:
    clock = Clock()
    with jenkins.serve(clock) as server:
        yield Ci(server, clock)


# How it stands


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("SUCCESS", "success"),
        ("UNSTABLE", "unstable"),
        ("FAILURE", "failed"),
        ("NOT_BUILT", "aborted"),
        ("ABORTED", "aborted"),
    ],
)
def test_f16_mm96_every_result(ci: Ci, result: Any, state: str) -> None:
    url = ci.starts(BRANCH, Script(result=result, runs=600))
    assert ci.builds.build(url) == Build("running", 1, url, started=ci.clock.now())
    ci.clock.sleep(600)
    assert ci.builds.build(f"{url}console") == Build(state, 1, url, started=START.replace(tzinfo=None))
    assert ci.clock.slept == [600]


def test_f16_from_the_queue_to_a_result(ci: Ci) -> None:
    ci.server.add_job("server", Script(queued=30, runs=60))
    item = ci.ask_for_build("server")
    url = f"{ci.server.url}/job/server/1/"
    assert ci.builds.build(item) == Build("waiting", None, item, "Waiting for next available executor")
    ci.clock.sleep(31)
    assert ci.builds.build(item).state == "running"
    ci.clock.sleep(60)
    assert ci.builds.build(item) == ci.builds.build(url)
    assert (ci.builds.build(url).state, ci.builds.build(url).url) == ("success", url)


def test_f16_taken_out_of_the_queue(ci: Ci) -> None:
    ci.server.add_job("server", Script(queued=300))
    item = ci.ask_for_build("server")
    number = item.rstrip("/").rpartition("/")[2]
    ci.post("/queue/cancelItem", f"id={number}")
    assert ci.builds.build(item) == Build("aborted", None, item)


def test_an_item_that_the_queue_has_forgotten(ci: Ci) -> None:
    ci.server.add_job("server", Script(runs=10))
    item = ci.ask_for_build("server")
    ci.clock.sleep(400)
    assert ci.builds.build(item) == Build(
        "gone", None, item, "the queue has forgotten it, or what it became was deleted"
    )


def test_a_job_stands_as_its_newest_build(ci: Ci) -> None:
    ci.server.add_job("server", Script(runs=60), Script(result="FAILURE", queued=30, runs=60))
    url = f"{ci.server.url}/job/server/"
    assert ci.builds.build(url) == Build("waiting", None, url, "the job has no build yet")
    ci.ask_for_build("server")
    assert ci.builds.build(f"{url}lastBuild/").state == "running"
    ci.clock.sleep(60)
    assert ci.builds.build(url).state == "success"
    ci.ask_for_build("server")
    assert ci.builds.build(url) == Build("waiting", None, url, "it is in the queue")
    ci.clock.sleep(90)
    assert (ci.builds.build(url).state, ci.builds.build(url).number) == ("failed", 2)


def test_f16_a_restart_aborts_what_runs_and_keeps_what_waits(ci: Ci) -> None:
    url = ci.starts("server", Script(runs=600), Script(queued=120))
    item = ci.ask_for_build("server")
    ci.server.restart()
    ci.fails("status", times=ATTEMPTS, status=503)
    with pytest.raises(Down, match="answers 503"):
        ci.builds.build(url)
    assert ci.builds.build(url).state == "aborted"
    assert ci.builds.build(item).state == "waiting"


# What is not there


def looks(ci: Ci) -> int:
    return len([path for _, path in ci.server.requests if path == "/job/server/1/api/json"])


def test_r11_gone_is_believed_after_three_looks_over_a_minute(ci: Ci) -> None:
    url = ci.starts("server", Script(runs=5, vanishes=True))
    assert ci.builds.build(url).state == "running"
    ci.clock.sleep(6)
    before, ci.server.requests[:] = ci.clock.now(), []
    assert ci.builds.build(url) == Build("gone", 1, url, "the build was deleted")
    assert looks(ci) == 3
    assert (ci.clock.now() - before).total_seconds() >= MINUTE
    assert sum(LOOKS) >= MINUTE


@pytest.mark.parametrize("times", [1, 2])
def test_r11_a_404_that_passes_is_nothing(ci: Ci, times: int) -> None:
    url = ci.starts("server", Script(runs=600))
    ci.fails("status", "/job/*", times, status=404)
    assert ci.builds.build(url).state == "running"
    assert ci.clock.slept == list(LOOKS[:times])


def test_f16_a_job_made_anew_counts_from_one(ci: Ci) -> None:
    ci.server.add_job("server")
    for _ in range(3):
        ci.ask_for_build("server")
    url = f"{ci.server.url}/job/server/3/"
    first = ci.builds.build(url)
    ci.clock.sleep(120)
    ci.starts("server")
    assert ci.builds.build(url) == Build("gone", 3, url, "the job has not come to this number: it was made anew")
    for _ in range(2):
        ci.ask_for_build("server")
    again = ci.builds.build(url)  # another build, which only its beginning tells
    assert again.started
    assert first.started
    assert again.started - first.started > timedelta(seconds=120)


def test_f16_a_job_that_is_gone(ci: Ci) -> None:
    url = f"{ci.server.url}/job/nothing/1/"
    assert ci.builds.build(url) == Build("gone", 1, url, "there is no such job, or the account may not see it")


def test_a_404_of_a_proxy_is_not_jenkins(ci: Ci) -> None:
    url = ci.starts("server")
    ci.fails("status", status=404)
    with pytest.raises(Down, match="knows of nothing"):
        ci.builds.build(url)


def test_r11_what_fails_while_it_is_looked_for_is_down_and_not_gone(ci: Ci) -> None:
    url = ci.starts("server")
    ci.fails("status", "/job/*", 2, status=404)
    ci.fails("status", "/job/*", 0, occurrence=3, status=502)
    with pytest.raises(Down, match="answers 502"):
        ci.builds.build(url)


def test_a_folder_is_no_job(ci: Ci) -> None:
    ci.server.add_job(BRANCH)
    with pytest.raises(Mistake, match="a folder of Jenkins"):
        ci.builds.build(f"{ci.server.url}/job/mattermost/job/server/")
    gone = ci.builds.build(f"{ci.server.url}/job/mattermost/job/server/1/")
    assert (gone.state, gone.why) == ("gone", "there is no such job, or the account may not see it")


@pytest.mark.parametrize(
    ("job", "link"),
    [
        ("server/feature%2Fx", "server/detail/feature%2Fx"),
        ("server", "server/detail/server"),
        ("server", "server/detail/Our%20Server"),  # as somebody wanted it to be shown
        ("server/server", "server/detail/server"),  # a branch that is called as its project
    ],
)
def test_blueocean_leaves_open_which_job_it_is(ci: Ci, job: str, link: str) -> None:
    url = ci.starts(job, Script(runs=60, vanishes=True))
    link = f"{ci.server.url}/blue/organizations/jenkins/{link}/1/pipeline"
    assert ci.builds.build(link) == Build("running", 1, url, started=ci.clock.now())
    assert not ci.clock.slept
    ci.clock.sleep(60)
    assert ci.builds.build(link).state == "gone"


# What is no answer

ODD: list[tuple[Kind, dict[str, Any], str]] = [
    ("status", {"status": 500}, "answers 500"),
    ("status", {"status": 502}, "answers 502"),
    ("status", {"status": 503}, "answers 503"),
    ("status", {"status": 429}, "answers 429"),
    ("status", {"status": 302}, "answers 302"),
    ("html", {}, "no JSON"),
    ("truncated", {}, "no JSON"),
    ("empty", {}, "no JSON"),
    ("cut", {}, "does not answer"),
    ("reset", {}, "does not answer"),
    ("timeout", {}, "does not answer"),
    ("drip", {"seconds": 2.5}, "does not answer"),  # in ten pieces: no pause between two is too long
]
SILENT = ("timeout", "drip")


@pytest.mark.parametrize(("kind", "how", "said"), ODD, ids=str)
def test_f16_r11_what_is_no_answer_is_down(ci: Ci, kind: Kind, how: dict[str, Any], said: str) -> None:
    url = ci.starts("server")
    ci.server.requests.clear()
    ci.fails(kind, **how)
    with pytest.raises(Down, match=said):
        ci.waiting_only(BRIEF if kind in SILENT else TIMEOUT).build(url)
    assert ci.clock.slept == list(PAUSES)
    assert looks(ci) == ATTEMPTS


@pytest.mark.parametrize(("kind", "how", "said"), ODD, ids=str)
def test_f16_what_passes_is_nothing(ci: Ci, kind: Kind, how: dict[str, Any], said: str) -> None:
    del said
    url = ci.starts("server")
    ci.fails(kind, times=ATTEMPTS - 1, **how)
    assert ci.waiting_only(SHORT if kind in SILENT else TIMEOUT).build(url).state == "running"


def test_f16_nobody_there(ci: Ci) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    builds = JenkinsBuilds((replace(ci.account, url=f"http://127.0.0.1:{port}"),), ci.clock)
    with pytest.raises(Down, match=f"127.0.0.1:{port} does not answer"):
        builds.build(f"http://127.0.0.1:{port}/job/x/1/")


@pytest.mark.parametrize(("status", "said"), [(401, "does not accept the account"), (403, "read builds")])
def test_an_account_that_may_not_is_a_mistake(ci: Ci, status: int, said: str) -> None:
    url = ci.starts("server")
    ci.fails("status", status=status)
    with pytest.raises(Mistake, match=f"input `jenkins-credentials`: Jenkins at .* {said}.* \\({status}\\)"):
        ci.builds.build(url)
    assert not ci.clock.slept


def test_a_wrong_token_is_a_mistake_and_shown_nowhere(ci: Ci, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = ci.starts("server")
    builds = JenkinsBuilds((replace(ci.account, token="wr0ng"),), ci.clock)
    with pytest.raises(Mistake) as raised:
        builds.build(url)
    shown = f"{raised.value} {raised.value!r} {raised.value.__context__!r} {caplog.text} {builds._servers!r}"
    assert "/job/server/1/" in caplog.text
    assert not [secret for secret in ("wr0ng", API_TOKEN, "Basic ") if secret in shown]
    assert all("wr0ng" not in path for _, path in ci.server.requests)


# Who is asked


@contextmanager
def elsewhere(
    status: int, headers: dict[str, str], body: bytes = b"", tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to everything; yield the address and the list of what was asked."""
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any, **_more: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_s20_no_redirect_is_followed(ci: Ci, status: int) -> None:
    """Not even to the same server: it has an address of its own, which is the one to configure."""
    path = "/job/server/1/"
    with elsewhere(status, {"Location": f"{ci.server.url}{path}"}) as (url, asked):
        builds = JenkinsBuilds((replace(ci.account, url=url),), ci.clock)
        with pytest.raises(Down, match=f"sends elsewhere \\({status}\\)"):
            builds.build(url + path)
    assert asked == ["/job/server/1/api/json?depth=0"] * ATTEMPTS
    assert not ci.server.requests


NONSENSE = [
    b"[]", b"{}", b"null", b'{"number": 2, "building": false, "result": "SUCCESS"}', b"[" * 100_000, b'"\xff"',
    b'{"number": 1, "building": "no", "result": null}', b'{"number": 1, "building": false, "result": "BLUE"}',
    b'{"number": 1, "building": false, "result": ["SUCCESS"]}', b" " * 5_000_000 + b'{"number": 1, "building": true}',
]  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:60].decode("latin-1").strip())
def test_an_answer_that_is_about_something_else_is_down(body: bytes) -> None:
    with elsewhere(200, {}, body) as (url, _), pytest.raises(Down, match=r"no JSON|something else"):
        JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/job/server/1/")


@pytest.mark.parametrize(
    "executable",
    ["https://evil.example/x/1/", "https://evil.example/job/../1/", "javascript:alert(1)", "", 7, {"url": "x"}],
)
def test_an_item_that_became_nonsense_is_down(executable: Any) -> None:
    body = json.dumps({"cancelled": False, "executable": {"number": 1, "url": executable}}).encode()
    with elsewhere(200, {}, body) as (url, asked), pytest.raises(Down, match="something else"):
        JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/queue/item/7/")
    assert asked == ["/queue/item/7/api/json?depth=0"]


@pytest.mark.parametrize("timestamp", ["NaN", "Infinity", "1e300", '"now"', "null", "[]"])
def test_a_beginning_that_is_no_time_is_unknown(timestamp: str) -> None:
    body = f'{{"number": 1, "building": false, "result": "SUCCESS", "timestamp": {timestamp}}}'.encode()
    with elsewhere(200, {}, body) as (url, _):
        stands = JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/job/server/1/")
    assert stands == Build("success", 1, f"{url}/job/server/1/")


def test_a_result_that_may_still_change_is_none() -> None:
    """A pipeline is unstable from the first test that fails."""
    with elsewhere(200, {}, b'{"number": 1, "building": true, "result": "UNSTABLE"}') as (url, _):
        assert JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/job/x/1/").state == "running"


def test_why_it_waits_is_one_line_of_bounded_length() -> None:
    body = json.dumps({"inQueue": True, "nextBuildNumber": 1, "queueItem": {"why": "a\n::error::b \t" + "c" * 9_999}})
    with elsewhere(200, {}, body.encode()) as (url, _):
        why = JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/job/x/").why
    assert why.startswith("a ::error::b ccc")
    assert len(why) == 200


def test_an_item_is_followed_to_our_own_server_wherever_jenkins_says_it_is(ci: Ci) -> None:
    """Its links begin with the address that somebody once gave it, which may be another or nobody's."""
    left = {"cancelled": False, "executable": {"number": 1, "url": "https://old.example/jenkins/job/server/1/"}}
    body = json.dumps(left | {"number": 1, "building": True}).encode()  # the answer to both questions
    with elsewhere(200, {}, body) as (url, asked):
        stands = JenkinsBuilds((Server(f"{url}/ci", USER, API_TOKEN),), ci.clock).build(f"{url}/ci/queue/item/7/")
    assert stands == Build("running", 1, f"{url}/ci/job/server/1/")
    assert asked == ["/ci/queue/item/7/api/json?depth=0", "/ci/job/server/1/api/json?depth=0"]


def test_r11_tls_is_checked_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PYTHONHTTPSVERIFY=0 has python-jenkins check nothing."""
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with elsewhere(200, {}, b"{}", tls) as (url, asked), pytest.raises(Down, match="SSLError"):
        JenkinsBuilds((Server(url, USER, API_TOKEN),), Clock()).build(f"{url}/job/server/1/")
    assert not asked
