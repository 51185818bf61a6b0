"""A Jenkins on loopback: the part of its JSON API by which python-jenkins starts and follows builds.

    with jenkins.serve(now=clock) as server:
        server.add_job("mattermost/feature%2Fx", Script(result="UNSTABLE", queued=30, runs=600))
        server.faults.add(Fault("status", "GET", "/job/*/api/json", status=502))

What a build will come to is a `Script`, known from the start; time is what `now` says, so that a test can move it.
https://www.jenkins.io/doc/book/using/remote-access-api/
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qsl, quote

from sandbox import strikes
from sandbox.answers import Answer, answer
from sandbox.faults import Faults
from sandbox.listening import listen, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    Route = Callable[["Jenkins", re.Match[str], dict[str, str]], Answer]

USER, API_TOKEN = "mattermod", "the-sandbox-jenkins-token"
QUEUE_KEPT = 300  # seconds that an item is known after its build has ended
CRUMB_FIELD, CRUMB = "Jenkins-Crumb", "c0ffee"
# https://javadoc.jenkins.io/hudson/model/Result.html
Result = Literal["SUCCESS", "UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"]
COLORS = {"SUCCESS": "blue", "UNSTABLE": "yellow", "FAILURE": "red", "NOT_BUILT": "notbuilt", "ABORTED": "aborted"}
JOB = r"/(?P<job>job/[^/]+(?:/job/[^/]+)*)"
VERSION = {"Server": "Jetty(12.0.22)", "X-Jenkins": "2.516.3"}


@dataclass(frozen=True)
class Script:
    """What becomes of a build: seconds in the queue, seconds at work, then the result; then it may vanish."""

    result: Result = "SUCCESS"
    queued: float = 0.0
    runs: float = 60.0
    vanishes: bool = False
    console: str = "Started by user mattermod\n"


@dataclass
class Build:
    """One build, from the moment it was asked for; `number` is given to it when it leaves the queue."""

    queue_id: int
    asked: float
    script: Script
    parameters: dict[str, str]
    number: int = 0
    stopped: float | None = None  # when somebody stopped or cancelled it

    @property
    def started(self) -> float:
        return self.asked + self.script.queued

    @property
    def ends(self) -> float:
        return min(self.started + self.script.runs, self.stopped if self.stopped is not None else float("inf"))

    @property
    def result(self) -> str:
        cut_short = self.stopped is not None and self.stopped < self.started + self.script.runs
        return "ABORTED" if cut_short else self.script.result

    @property
    def cancelled(self) -> bool:
        """Whether it was taken out of the queue."""
        return self.stopped is not None and self.stopped < self.started


@dataclass
class Job:
    """`name` is the path through the folders; in a multibranch job's branches a slash is written %2F."""

    name: str
    scripts: list[Script]  # for the builds to come; the last one stays
    builds: list[Build] = field(default_factory=list)
    next_number: int = 1

    def next_script(self) -> Script:
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]


@dataclass
class Jenkins:
    """A running Jenkins. Unlike the real one it lets nobody read who has no token, as most are set up."""

    now: Callable[[], float] = time.time
    crumbs: bool = False
    url: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    requests: list[tuple[str, str]] = field(default_factory=list)  # method and path, the refused ones too
    _queue_ids: Iterator[int] = field(default_factory=lambda: count(101))

    @property
    def environment(self) -> dict[str, str]:
        return {"JENKINS_URL": self.url, "JENKINS_USER": USER, "JENKINS_API_TOKEN": API_TOKEN}

    def add_job(self, name: str, *scripts: Script) -> Job:
        self.jobs[name] = Job(name, list(scripts) or [Script()])
        return self.jobs[name]

    def restart(self) -> None:
        """What waits in the queue survives a restart, what is at work is aborted."""
        for build in self._builds():
            if build.started <= self.now() < build.ends:
                build.stopped = self.now()

    def shown(self) -> list[dict[str, Any]]:
        """Return every build as the sandbox's page shows it."""
        wanted = ("number", "building", "result", "url")
        there = ((job, self._build(job, build)) for job in self.jobs.values() for build in self._of(job))
        return [{"job": job.name, **{name: build[name] for name in wanted}} for job, build in there]

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], raw: bytes) -> Answer:
        if headers.get("authorization") != f"Basic {b64encode(f'{USER}:{API_TOKEN}'.encode()).decode()}":
            return _page(401, "Invalid password/token for user: mattermod")
        if method == "POST" and self.crumbs and headers.get(CRUMB_FIELD.lower()) != CRUMB:
            return _page(403, "No valid crumb was included in the request")
        for wanted, pattern, respond in self.ROUTES:
            if method == wanted and (found := re.fullmatch(pattern, path)):
                return respond(self, found, dict(parse_qsl(query or raw.decode(), keep_blank_values=True)))
        return _missing()

    def _builds(self) -> Iterator[Build]:
        return (build for job in self.jobs.values() for build in job.builds)

    def _of(self, job: Job) -> list[Build]:
        """Return the builds that have left the queue and not vanished, after numbering those that just left it."""
        gone = [build for build in job.builds if build.started <= self.now() and not build.cancelled]
        for build in gone:
            if not build.number:
                build.number, job.next_number = job.next_number, job.next_number + 1
        return [build for build in gone if not (build.script.vanishes and build.ends <= self.now())]

    def _find(self, found: re.Match[str]) -> Job | None:
        return self.jobs.get(found["job"].removeprefix("job/").replace("/job/", "/"))

    def _find_build(self, found: re.Match[str]) -> tuple[Job, Build] | None:
        job = self._find(found)
        return (
            next(((job, each) for each in self._of(job) if each.number == int(found["number"])), None) if job else None
        )

    # What the routes lead to

    def _root(self, _found: re.Match[str], _query: dict[str, str]) -> Answer:
        return self._folder("")

    def _crumb(self, _found: re.Match[str], _query: dict[str, str]) -> Answer:
        if not self.crumbs:
            return _missing()
        return _ok(
            {"_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumb": CRUMB, "crumbRequestField": CRUMB_FIELD}
        )

    def _me(self, _found: re.Match[str], _query: dict[str, str]) -> Answer:
        return _ok({"_class": "hudson.model.User", "id": USER, "fullName": USER})

    def _start(self, found: re.Match[str], query: dict[str, str]) -> Answer:
        """https://www.jenkins.io/doc/book/using/remote-access-api/#RemoteaccessAPI-Submittingjobs: 201, Location."""
        job = self._find(found)
        if job is None:
            return _missing()
        build = Build(next(self._queue_ids), self.now(), job.next_script(), query)
        job.builds.append(build)
        return Answer(201, b"", {**VERSION, "Location": f"{self.url}/queue/item/{build.queue_id}/"})

    def _show_job(self, found: re.Match[str], _query: dict[str, str]) -> Answer:
        job = self._find(found)
        path = found["job"].removeprefix("job/").replace("/job/", "/")
        return _ok(self._job(job)) if job else self._folder(f"{path}/")

    def _show_build(self, found: re.Match[str], _query: dict[str, str]) -> Answer:
        there = self._find_build(found)
        return _ok(self._build(*there)) if there else _missing()

    def _console(self, found: re.Match[str], _query: dict[str, str]) -> Answer:
        there = self._find_build(found)
        if there is None:
            return _missing()
        _, build = there
        ended = f"Finished: {build.result}\n" if build.ends <= self.now() else ""
        return Answer(
            200, f"{build.script.console}{ended}".encode(), {**VERSION, "Content-Type": "text/plain;charset=utf-8"}
        )

    def _stop(self, found: re.Match[str], _query: dict[str, str]) -> Answer:
        there = self._find_build(found)
        if there is None:
            return _missing()
        job, build = there
        if self.now() < build.ends:
            build.stopped = self.now()
        return Answer(302, b"", {**VERSION, "Location": self._address(job, build)})

    def _item(self, found: re.Match[str], _query: dict[str, str]) -> Answer:
        wanted = int(found["number"])
        for job in self.jobs.values():
            there = self._of(job)
            for build in job.builds:
                if build.queue_id == wanted and self.now() < build.ends + QUEUE_KEPT:
                    return _ok(self._queued(job, build, numbered=build in there))
        return _missing()

    def _cancel(self, _found: re.Match[str], query: dict[str, str]) -> Answer:
        for build in self._builds():
            if str(build.queue_id) == query.get("id") and self.now() < build.started:
                build.stopped = self.now()
        return Answer(204, b"", dict(VERSION))

    # How they look

    def _address(self, job: Job, build: Build | None = None) -> str:
        path = "/".join(f"job/{quote(part, safe='')}" for part in job.name.split("/"))
        return f"{self.url}/{path}/{f'{build.number}/' if build else ''}"

    def _folder(self, path: str) -> Answer:
        inside = [job for job in self.jobs.values() if job.name.startswith(path)]
        if path and not inside:
            return _missing()
        names = {job.name.removeprefix(path).split("/")[0]: job for job in inside}
        jobs = [{"name": name, "url": self._address(Job(path + name, []))} for name in names]
        kind = "com.cloudbees.hudson.plugins.folder.Folder" if path else "hudson.model.Hudson"
        return _ok({"_class": kind, "name": path.rstrip("/").rpartition("/")[2], "jobs": jobs})

    def _job(self, job: Job) -> dict[str, Any]:
        builds = [self._reference(job, each) for each in reversed(self._of(job))]
        ended = [each for each in reversed(self._of(job)) if each.ends <= self.now()]
        waiting = [each for each in job.builds if self.now() < each.started and not each.cancelled]
        at_work = len(ended) < len(builds)
        return {
            "_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob",
            "name": job.name.rpartition("/")[2],
            "fullName": job.name,
            "url": self._address(job),
            "buildable": True,
            "color": (COLORS[ended[0].result] if ended else "notbuilt") + ("_anime" if at_work else ""),
            "builds": builds[:100],
            "firstBuild": builds[-1] if builds else None,
            "lastBuild": builds[0] if builds else None,
            "lastCompletedBuild": self._reference(job, ended[0]) if ended else None,
            "inQueue": bool(waiting),
            "nextBuildNumber": job.next_number,
        }  # fmt: skip

    def _reference(self, job: Job, build: Build) -> dict[str, Any]:
        kind = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
        return {"_class": kind, "number": build.number, "url": self._address(job, build)}

    def _build(self, job: Job, build: Build) -> dict[str, Any]:
        ended = build.ends <= self.now()
        parameters = [
            {"_class": "hudson.model.StringParameterValue", "name": name, "value": value}
            for name, value in build.parameters.items()
        ]
        return {
            **self._reference(job, build),
            "actions": [{"_class": "hudson.model.ParametersAction", "parameters": parameters}] if parameters else [],
            "building": not ended,
            "result": build.result if ended else None,
            "displayName": f"#{build.number}",
            "fullDisplayName": f"{' » '.join(job.name.split('/'))} #{build.number}",
            "id": str(build.number),
            "queueId": build.queue_id,
            "timestamp": int(build.started * 1000),  # milliseconds
            "duration": int((build.ends - build.started) * 1000) if ended else 0,
            "estimatedDuration": int(build.script.runs * 1000),
        }

    def _queued(self, job: Job, build: Build, *, numbered: bool) -> dict[str, Any]:
        left = self.now() >= build.started
        item = {
            "_class": f"hudson.model.Queue${'LeftItem' if left or build.cancelled else 'BuildableItem'}",
            "id": build.queue_id,
            "task": {"name": job.name.rpartition("/")[2], "url": self._address(job)},
            "why": None if left or build.cancelled else "Waiting for next available executor",
            "url": f"queue/item/{build.queue_id}/",
        }
        if left or build.cancelled:
            item |= {"cancelled": build.cancelled, "executable": self._reference(job, build) if numbered else None}
        return item

    ROUTES: ClassVar[list[tuple[str, str, Route]]] = [
        ("GET", r"/api/json|/", _root),
        ("GET", r"/crumbIssuer/api/json", _crumb),
        ("GET", r"/me/api/json", _me),
        ("GET", r"/queue/item/(?P<number>\d+)/api/json", _item),
        ("POST", r"/queue/cancelItem", _cancel),
        ("POST", rf"{JOB}/(?:build|buildWithParameters)", _start),
        ("GET", rf"{JOB}/(?P<number>\d+)/(?:api/json)?", _show_build),
        ("GET", rf"{JOB}/(?P<number>\d+)/consoleText", _console),
        ("POST", rf"{JOB}/(?P<number>\d+)/stop", _stop),
        ("GET", rf"{JOB}/api/json", _show_job),
    ]


def _ok(data: Any) -> Answer:
    made = answer(200, data)
    made.headers.update(VERSION)
    return made


def _page(status: int, text: str) -> Answer:
    body = f"<html><head><title>Error {status}</title></head><body><h2>HTTP ERROR {status} {text}</h2></body></html>"
    return Answer(status, body.encode(), {**VERSION, "Content-Type": "text/html;charset=iso-8859-1"})


def _missing() -> Answer:
    return _page(404, "Not Found")


class _Application:
    """The ASGI application."""

    def __init__(self, jenkins: Jenkins) -> None:
        self.jenkins = jenkins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = await read(receive)
        method, path = scope["method"], scope["path"]
        self.jenkins.requests.append((method, path))
        fault = self.jenkins.faults.strike(method, path)
        reply = strikes.instead(fault, method) if fault and not fault.commits else self._answer(scope, raw)
        if fault is not None:
            reply = strikes.disfigure(reply, fault)
        await strikes.send(reply, fault, scope, receive, send)

    def _answer(self, scope: Scope, raw: bytes) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return self.jenkins.answer(scope["method"], scope["path"], scope["query_string"].decode(), headers, raw)


@contextmanager
def serve(now: Callable[[], float] = time.time, port: int = 0) -> Iterator[Jenkins]:
    """Run a Jenkins on loopback for as long as the `with` lasts."""
    jenkins = Jenkins(now)
    with listen(_Application(jenkins), port) as jenkins.url:
        yield jenkins
