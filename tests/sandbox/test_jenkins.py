"""python-jenkins, unmodified, against the sandbox's Jenkins, and a webhook against its chat."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import jenkins as python_jenkins
import pytest
import requests

from sandbox import chat
from sandbox import jenkins as sandbox_jenkins
from sandbox.faults import Fault
from sandbox.jenkins import API_TOKEN, USER, Jenkins, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.faults import Kind

BRANCH = "mattermost/server/feature%2Fx"


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[Jenkins]:
    with sandbox_jenkins.serve(clock) as running:
        yield running


@pytest.fixture
def client(server: Jenkins) -> python_jenkins.Jenkins:
    return python_jenkins.Jenkins(server.url, USER, API_TOKEN, timeout=5)


def test_a_build_from_the_queue_to_its_result(server: Jenkins, client: Any, clock: Clock) -> None:
    server.add_job(BRANCH, Script(queued=30, runs=600))
    item = client.build_job(BRANCH, {"SHA": "abc & def"})
    assert client.get_queue_item(item)["why"] == "Waiting for next available executor"
    assert client.get_job_info(BRANCH)["inQueue"]
    clock.seconds += 31
    number = client.get_queue_item(item)["executable"]["number"]
    build = client.get_build_info(BRANCH, number)
    assert (build["building"], build["result"]) == (True, None)
    assert build["actions"][0]["parameters"] == [
        {"_class": "hudson.model.StringParameterValue", "name": "SHA", "value": "abc & def"}
    ]
    clock.seconds += 600
    build = client.get_build_info(BRANCH, number)
    assert (build["building"], build["result"], build["duration"]) == (False, "SUCCESS", 600_000)
    assert client.get_build_console_output(BRANCH, number).endswith("Finished: SUCCESS\n")
    assert client.get_job_info(BRANCH)["lastCompletedBuild"]["number"] == number


@pytest.mark.parametrize("result", ["UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"])
def test_every_result(server: Jenkins, client: Any, clock: Clock, result: Any) -> None:
    server.add_job("build", Script(result=result))
    client.build_job("build")
    clock.seconds += 61
    assert client.get_build_info("build", 1)["result"] == result


def test_folders_and_branches(server: Jenkins, client: Any) -> None:
    server.add_job(BRANCH)
    server.add_job("mattermost/server/main")
    assert [job["name"] for job in client.get_job_info("mattermost/server")["jobs"]] == ["feature%2Fx", "main"]
    assert [job["name"] for job in client.get_jobs()] == ["mattermost"]
    assert client.get_job_name(BRANCH) == "feature%2Fx"
    url = client.get_job_info(BRANCH)["url"]
    assert url.endswith("/job/mattermost/job/server/job/feature%252Fx/")
    with pytest.raises(python_jenkins.JenkinsException, match="does not exist"):
        client.get_job_info("mattermost/server/feature/x")


def test_an_item_of_the_queue_is_forgotten(server: Jenkins, client: Any, clock: Clock) -> None:
    server.add_job("build", Script(runs=10))
    item = client.build_job("build")
    clock.seconds += 10 + 299
    assert client.get_queue_item(item)["executable"]
    clock.seconds += 2
    with pytest.raises(python_jenkins.JenkinsException, match="does not exist"):
        client.get_queue_item(item)


def test_stopped_and_cancelled(server: Jenkins, client: Any) -> None:
    server.add_job("build", Script(queued=10), Script(), Script(result="FAILURE"))
    cancelled = client.build_job("build")
    client.cancel_queue(cancelled)
    assert client.get_queue_item(cancelled)["cancelled"]
    client.build_job("build")
    assert client.get_build_info("build", 1)["building"]
    client.stop_build("build", 1)
    assert client.get_build_info("build", 1)["result"] == "ABORTED"
    client.build_job("build")
    server.restart()
    assert client.get_build_info("build", 2)["result"] == "ABORTED"
    assert client.get_job_info("build")["nextBuildNumber"] == 3


def test_a_build_vanishes(server: Jenkins, client: Any, clock: Clock) -> None:
    server.add_job("build", Script(runs=5, vanishes=True))
    client.build_job("build")
    assert client.get_build_info("build", 1)["building"]
    clock.seconds += 6
    with pytest.raises(python_jenkins.JenkinsException, match="does not exist"):
        client.get_build_info("build", 1)


def test_who_may(server: Jenkins) -> None:
    server.add_job("build")
    with pytest.raises(python_jenkins.JenkinsException, match=r"401"):
        python_jenkins.Jenkins(server.url, USER, "wrong", timeout=5).get_job_info("build")
    server.crumbs = True
    assert requests.post(f"{server.url}/job/build/build", auth=(USER, API_TOKEN), timeout=5).status_code == 403
    client = python_jenkins.Jenkins(server.url, USER, API_TOKEN, timeout=5)
    assert client.build_job("build")
    assert client.get_whoami()["id"] == USER


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("status", "Possibly authentication failed"),  # what python-jenkins makes of a 500
        ("html", "Could not parse JSON"),
        ("truncated", "Could not parse JSON"),
        ("reset", "Connection"),
        ("cut", "Connection|IncompleteRead"),
        ("timeout", "timed out"),
    ],
)
def test_r11_faults(server: Jenkins, kind: Kind, raised: str) -> None:
    server.add_job("build")
    server.faults.add(Fault(kind, "GET", "/job/build/api/json", when="after"))
    client = python_jenkins.Jenkins(server.url, USER, API_TOKEN, timeout=0.5)
    client.get_whoami()
    with pytest.raises((python_jenkins.JenkinsException, requests.RequestException), match=raised):
        client.get_job_info("build")
    assert client.get_job_info("build")["name"] == "build"


def test_a_bad_gateway_reads_as_a_missing_job(server: Jenkins, client: Any) -> None:
    """R-11: python-jenkins says so, and whoever believes it gives up on a build that is there."""
    server.add_job("build")
    client.get_whoami()
    server.faults.add(Fault("status", "GET", "/job/*", status=502))
    with pytest.raises(python_jenkins.JenkinsException, match="does not exist"):
        client.get_job_info("build")


def test_an_answer_that_is_lost_started_the_build_all_the_same(server: Jenkins, client: Any) -> None:
    server.add_job("build")
    client.get_whoami()
    server.faults.add(Fault("reset", "POST", "/job/build/build", when="after"))
    with pytest.raises(requests.ConnectionError):
        client.build_job("build")
    assert client.get_job_info("build")["lastBuild"]["number"] == 1


def post(url: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, {"Content-Type": kind})  # the sandbox's own
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_chat() -> None:
    with chat.serve() as mattermost:
        assert post(mattermost.webhook, b'{"text": "hello"}') == (200, b"ok")
        form = "application/x-www-form-urlencoded"
        assert post(mattermost.webhook, b"payload=%7B%22text%22%3A+%22by+form%22%7D", form)[0] == 200
        for body, name in ((b"{}", "text"), (b"nonsense", "parse")):
            status, said = post(mattermost.webhook, body)
            assert (status, json.loads(said)["id"]) == (400, f"web.incoming_webhook.{name}.app_error")
        assert post(f"{mattermost.url}/hooks/another", b'{"text": "x"}')[0] == 400
        mattermost.faults.add(Fault("status", "POST", "/hooks/*", status=503))
        assert post(mattermost.webhook, b'{"text": "lost"}')[0] == 503
        assert mattermost.texts == ["hello", "by form"]
