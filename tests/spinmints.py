"""A GitHub, a Jenkins, an AWS and the bot by one clock: what a test server is tried in."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox import aws, jenkins, payloads, web
from sandbox.aws import Delays
from sandbox.jenkins import Script
from sandbox.records import Status
from tests.scene import texts
from tests.test_faults import Trial, assert_clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.aws import Cloud
    from sandbox.jenkins import Jenkins
    from sandbox.records import Comment, Pull
    from tests.harness import Bot, Run

LABEL, UPGRADE = "Setup Test Server", "Setup Upgrade Server"
CONTEXT, JOB = "ci/jenkins", "octo-org/hello"
SETUP = '#!/bin/sh\necho "$SPINMINT_BRANCH" > /etc/branch\n'
HOUR, DAY = 3_600.0, 86_400.0
# `sleep` of the bot jumps ahead by its own clock alone, so that whatever it waits for has come true, or comes later.
AT_ONCE = Delays(visible=0, pending=0, shutting_down=0, insync=0)


def config(cloud: Cloud, **more: Any) -> str:
    lines = {
        "label": LABEL, "build": CONTEXT, "image": cloud.image, "instance_type": "t3.micro", "subnet": cloud.subnet,
        "security_groups": [cloud.security_group], "zone": cloud.zone, "dns_suffix": aws.ZONE, "script": "setup.sh",
        **more,
    }  # fmt: skip
    return "spinmint:\n" + "".join(f"  {name}: {value!r}\n".replace("True", "true") for name, value in lines.items())


@dataclass
class Scene(Trial):
    """`offset` is what the clock of everything is ahead of ours, in seconds."""

    cloud: Cloud = field(init=False)
    builds: Jenkins = field(init=False)
    web: web.Web = field(init=False)
    offset: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset

    def configure(self, **more: Any) -> None:
        files = {".github/mattermod.yml": config(self.cloud, **more), ".github/setup.sh": SETUP}
        self.github.state.write_files(self.github.repository, files)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MATTERMOD_CLOCK_SKIPS": "true",
            "MATTERMOD_CLOCK_OFFSET": str(self.offset),
            **self.cloud.environment,
            **self.web.environment,
            "INPUT_AWS-REGION": aws.REGION,
            "INPUT_JENKINS-CREDENTIALS": f"{self.builds.url} {jenkins.USER} {jenkins.API_TOKEN}",
        }

    def pull(self, author: str = "reviewer", **more: Any) -> Pull:
        event = payloads.opened_pull(self.github.state, self.github.repository, "Topic", [], author, **more)
        return self.github.state.pull(self.github.repository, event["number"])

    def built(self, pull: Pull, *scripts: Script, state: str = "success") -> str:
        """Have Jenkins build it, and say so at its commit; return the link."""
        name = f"{JOB}/{pull.number}"
        job = self.builds.jobs.get(name) or self.builds.add_job(name, *(scripts or (Script(runs=0),)))
        job.builds.append(jenkins.Build(len(job.builds) + 1, self.now(), job.next_script(), {}))
        link = f"{self.builds.url}/job/{name.replace('/', '/job/')}/{len(job.builds)}/"
        self.mark(pull, state, link)
        return link

    def mark(self, pull: Pull, state: str, link: str = "", context: str = CONTEXT) -> None:
        github = self.github.state
        at = github.now() + timedelta(seconds=self.offset)
        status = Status(github.next_id(), context, state, github.person("ci"), at, target_url=link)
        github.add_status(self.github.repository, pull.head_sha, status)

    def labeled(self, pull: Pull, label: str = LABEL, by: str = "maintainer") -> Any:
        return payloads.labeled(self.github.state, self.github.repository, pull.number, label, by)

    def unlabeled(self, pull: Pull, label: str = LABEL, by: str = "maintainer") -> Any:
        return payloads.unlabeled(self.github.state, self.github.repository, pull.number, label, by)

    def said(self, pull: Pull, body: str, by: str = "maintainer") -> Any:
        return payloads.comment_created(self.github.state, self.github.repository, pull.number, by, body)

    def deliver(self, event: Any, bot: Bot | None = None, /, **variables: str) -> Run:
        name = payloads.name(event)
        kind = "pull_request_target" if name == "pull_request" else name
        run = (bot or self.bot).run(kind, event, **{**self.environment, **variables})
        assert_clean(run)
        return run

    def sweep(self, bot: Bot | None = None, /, **variables: str) -> Run:
        run = (bot or self.bot).run("schedule", {}, **{**self.environment, **variables})
        assert_clean(run)
        return run

    def pass_time(self, seconds: float) -> None:
        self.offset += seconds
        self.github.state.offset = timedelta(seconds=self.offset)

    # What the world then holds

    def rows(self, pull: Pull | None = None) -> list[tuple[str, ...]]:
        """State and reason of each server, the oldest first."""
        where = f"WHERE number = {pull.number:d}" if pull else ""
        return [
            tuple(row) for row in self.query(f"SELECT state, reason FROM mm_servers {where} ORDER BY created_at, k")
        ]

    def states(self, pull: Pull) -> list[str]:
        return [state for state, _ in self.rows(pull)]

    def alive(self) -> list[str]:
        return [name for name, state in self.cloud.instances.items() if state in ("pending", "running")]

    def names(self) -> list[str]:
        return [name for name, _ in self.cloud.records]

    def listed(self) -> list[str]:
        """The instances in the original's table."""
        return [instance for (instance,) in self.query("SELECT InstanceId FROM Spinmint ORDER BY InstanceId")]

    def comments(self, pull: Pull) -> list[Comment]:
        found = self.github.state.item(self.github.repository, pull.number).comments
        return [each for each in found if each.author and each.author.login == "github-actions[bot]"]

    def bodies(self, pull: Pull) -> list[str]:
        return texts(self.comments(pull))

    def calls(self) -> list[str]:
        return [call.operation for call in self.cloud.calls]

    def assert_whole(self) -> None:
        """I2, I3, I4: every server has a row that is up, every such row a server, and names are those of servers."""
        sql = "SELECT instance_id FROM mm_servers WHERE live = 1 AND instance_id <> ''"
        noted = {instance for (instance,) in self.query(sql)}
        assert set(self.alive()) <= noted
        named = {name.partition(".")[0] for name in self.names()}
        assert named <= noted, (named, noted)
        up = "SELECT instance_id FROM mm_servers WHERE state = 'ready'"
        assert {instance for (instance,) in self.query(up)} <= set(self.alive()) & named
        assert (
            self.query(
                "SELECT number FROM mm_servers WHERE live = 1 GROUP BY owner, repository, number HAVING COUNT(*) > 1"
            )
            == []
        )


@contextmanager
def scene(bot: Bot, github: Any, database: Any) -> Iterator[Scene]:
    made = Scene(bot, github, database)
    with ExitStack() as stack:
        made.cloud = stack.enter_context(aws.serve(made.now, AT_ONCE))
        made.builds = stack.enter_context(jenkins.serve(made.now))
        made.web = stack.enter_context(web.serve(made.cloud))
        github.state.tokens["github-token"].permissions |= {"checks": "read", "statuses": "read", "contents": "read"}
        made.configure()
        yield made
