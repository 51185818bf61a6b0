"""The life of a test server by the two workflows that users copy, each step a run of act with the real image.

GitHub, Jenkins, AWS and what the servers answer are the sandbox's, the database is a MariaDB, and all go by one clock.
AWS's keys are those that its STS gives for a token of the runner; the account of the database has a password.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends

from mattermod_action.adapters.mysql import connect
from sandbox import aws, jenkins, payloads
from sandbox.jenkins import Script
from tests import servers
from tests.harness import Bot
from tests.migrations.test_migrations import content
from tests.spinmints import HOUR, Scene, scene
from tests.test_aws_passwords import kept
from tests.test_pull_request_life import permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox
    from sandbox.act import Act, Ran
    from sandbox.records import Pull

MINUTE = 60.0
BOOTS = 12 * MINUTE  # longer than a run waits
DATABASE_PASSWORD = "canary-of-the-database-9d1e"
ROLE = "AWS_ROLE_ARN"
SECRETS_SHOWN = "--insecure-secrets"  # act would hide what leaks


@dataclass
class Stage:
    """The scene, and act for it. `logs` has what every run has printed, its summary among it."""

    scene: Scene
    act: Callable[[str], Act]
    database_url: str
    logs: list[str] = field(default_factory=list)

    def run(self, workflow: str, name: str, payload: Any) -> Ran:
        """Both workflows have the same permissions, and nothing beyond them."""
        scene, run = self.scene, self.act(workflow)
        scene.github.state.tokens["github-token"].permissions = {"metadata": "read", **permissions(workflow)}
        role = scene.cloud.oidc_environment
        run.variables = {**run.variables, **self._clock, **role, **scene.web.environment}
        run.variables.pop(ROLE)  # the workflow has it from where its users put it
        run.secrets = {
            "GITHUB_TOKEN": scene.github.token,
            "MATTERMOD_DATABASE_URL": self.database_url,
            "MATTERMOD_JENKINS_CREDENTIALS": f"{scene.builds.url} {jenkins.USER} {jenkins.API_TOKEN}",
        }
        run.options = (SECRETS_SHOWN, "--var", f"SPINMINT_ROLE={role[ROLE]}")
        ran = run.run(name, payload)
        assert ran.code == 0, ran.log
        self.logs.append(ran.log)
        return ran

    @property
    def _clock(self) -> dict[str, str]:
        return {"MATTERMOD_CLOCK_SKIPS": "true", "MATTERMOD_CLOCK_OFFSET": str(self.scene.offset)}

    def deliver(self, event: Any) -> Ran:
        name = payloads.name(event)
        return self.run("spinmint.yml", "pull_request_target" if name == "pull_request" else name, event)

    def status(self, pull: Pull) -> Ran:
        """Tell of the newest one."""
        github = self.scene.github
        repository = github.state.repository(github.repository)
        assert repository
        made = repository.statuses[pull.head_sha][-1]
        return self.deliver(payloads.status(github.state, github.repository, pull.head_sha, made.id, "ci"))

    def sweep(self, seconds: float) -> Ran:
        self.scene.pass_time(seconds)
        github = self.scene.github
        around = payloads.opened(github.state, github.repository, github.pull)
        return self.run("spinmint-expiry.yml", "schedule", {"schedule": "", "repository": around["repository"]})

    def world(self, pull: Pull) -> tuple[list[tuple[str, ...]], list[str], list[str], list[str]]:
        """Rows, instances that run, their names, and those in the original's table."""
        scene = self.scene
        return scene.rows(pull), scene.alive(), scene.names(), scene.listed()

    def until(self, pull: Pull) -> list[datetime]:
        return [row for (row,) in self.scene.query(f"SELECT expires_at FROM mm_servers WHERE number = {pull.number:d}")]

    def password(self, pull: Pull) -> str:
        """What the server reads where its user data says. Raises ClientError when it is forgotten."""
        return str(kept(self.scene.cloud, "ssm", f"spinmint/{self.scene.github.repository}/{pull.number}/1"))

    def ends(self) -> float:
        """When the server ends itself, as its tag says it."""
        [instance] = self.scene.alive()
        tags = self.scene.cloud.aws.ec2.tags[instance]
        return float(tags["mattermod-ends"])


@pytest.fixture
def account(database: Database) -> str:
    """The address with an account that may do what docs/operating.md gives it, and has a password."""
    user = f"runs_{database.name[-8:]}"
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{DATABASE_PASSWORD}'")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database.name}.* TO '{user}'@'%'")
    return f"mysql://{user}:{DATABASE_PASSWORD}@{database.host}:{database.port}/{database.name}"


@pytest.fixture
def stage(
    act: Callable[[str], Act], github: Sandbox, database: Database, account: str, tmp_path: Path
) -> Iterator[Stage]:
    bot = Bot(github.url, github.token, tmp_path, servers.url(database))
    with scene(bot, github, database) as made:
        iam_backends[made.cloud.aws.account][aws.PARTITION].create_instance_profile("spinmint", "/", [])
        made.web.boots = BOOTS
        made.configure(password={"place": "ssm", "prefix": "spinmint", "profile": "spinmint"})
        yield Stage(made, act, account)


def test_s09_a_server_from_its_label_to_its_end(stage: Stage, database: Database) -> None:
    """S-09: no secret is told while it waits, is set up, is ready, is kept longer, is warned of and is ended."""
    pull = stage.scene.pull()
    waits_for_its_build(stage, pull)
    instance = is_set_up_when_its_build_is_posted(stage, pull)
    is_ready_when_jenkins_wakes_us(stage, pull, instance)
    password = stage.password(pull)
    stays_when_somebody_pushes(stage, pull)
    is_kept_longer(stage, pull)
    is_warned_of(stage, pull)
    is_ended(stage, pull, instance)
    assert_nothing_is_told([*secrets(stage), password], stage, pull, database)


def waits_for_its_build(stage: Stage, pull: Pull) -> None:
    ran = stage.deliver(stage.scene.labeled(pull))
    assert stage.world(pull) == ([("waiting_build", "")], [], [], [])
    assert (ran.outputs["spinmint-state"], ran.outputs["spinmint-url"]) == ("waiting_build", "")
    [body] = stage.scene.bodies(pull)
    assert body.startswith("A test server will be launched for this pull request.")
    assert "| test server | waits for its build |" in body


def is_set_up_when_its_build_is_posted(stage: Stage, pull: Pull) -> str:
    """While it is built no job is started. What takes longer than one run waits is left in the row."""
    scene = stage.scene
    scene.pass_time(HOUR / 2)
    link = scene.built(pull, Script(runs=5 * MINUTE), state="pending")
    assert not stage.status(pull).started
    scene.pass_time(HOUR / 4)
    scene.mark(pull, "success", link)
    ran = stage.status(pull)
    assert ran.started, ran.log
    [instance] = scene.alive()
    assert stage.world(pull) == ([("dns", "")], [instance], [f"{instance}.{aws.ZONE}."], [instance])
    assert "| test server | is being set up |" in scene.bodies(pull)[0]
    assert ran.outputs["failures"] == []
    return instance


def is_ready_when_jenkins_wakes_us(stage: Stage, pull: Pull, instance: str) -> None:
    scene, github = stage.scene, stage.scene.github
    scene.pass_time(HOUR / 4)
    stage.deliver(payloads.dispatched(github.state, github.repository, "mattermod-sweep", {}, "ci"))
    assert stage.world(pull) == ([("ready", "")], [instance], [f"{instance}.{aws.ZONE}."], [instance])
    [body] = scene.bodies(pull)
    assert f"| address | http://{instance}.{aws.ZONE} |" in body
    assert f"| commit | {pull.head_sha} |" in body
    scene.assert_whole()


def stays_when_somebody_pushes(stage: Stage, pull: Pull) -> None:
    """The workflow does not even ask for that event; act starts it all the same, and it changes nothing."""
    scene, github = stage.scene, stage.scene.github
    before, bodies = stage.world(pull), scene.bodies(pull)
    ran = stage.deliver(payloads.synchronize(github.state, github.repository, pull.number, "reviewer"))
    assert ran.started
    assert (stage.world(pull), scene.bodies(pull)) == (before, bodies)


def is_kept_longer(stage: Stage, pull: Pull) -> None:
    """Its row says so, its comment, and its tag, by which it moves its own end."""
    scene, before = stage.scene, stage.ends()
    [was] = stage.until(pull)
    assert not stage.deliver(scene.said(pull, "how long is it there?")).started
    stage.deliver(scene.said(pull, "/spinmint extend 24h"))
    [until] = stage.until(pull)
    assert until - was == timedelta(days=1)
    assert stage.ends() - before == 24 * HOUR
    assert f"| ends | {until:%Y-%m-%d %H:%M} UTC |" in scene.bodies(pull)[0]


def is_warned_of(stage: Stage, pull: Pull) -> None:
    """Once, some hours before."""
    for seconds in (93 * HOUR, HOUR / 4):
        stage.sweep(seconds)
    [_, warning] = [body for body in stage.scene.bodies(pull) if not body.startswith("/")]
    assert warning.startswith("@maintainer, the test server http://")
    assert "`/spinmint extend 24h` keeps it longer" in warning
    assert stage.scene.states(pull) == ["ready"]


def is_ended(stage: Stage, pull: Pull, instance: str) -> None:
    """With its name and its password; and then there is nothing left to do."""
    stage.sweep(4 * HOUR)
    assert stage.world(pull) == ([("destroyed", "expired")], [], [], [])
    assert stage.scene.cloud.instances == {instance: "terminated"}
    assert stage.scene.bodies(pull)[0].startswith("The time of the test server was over, and it was destroyed.")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        stage.password(pull)
    writes = len(stage.scene.github.writes)
    stage.sweep(HOUR / 4)
    assert len(stage.scene.github.writes) == writes


def secrets(stage: Stage) -> list[str]:
    identity = stage.scene.cloud.aws.identity
    basic = b64encode(f"{jenkins.USER}:{jenkins.API_TOKEN}".encode()).decode()
    return [DATABASE_PASSWORD, jenkins.API_TOKEN, basic, identity.bearer, *identity.given, stage.scene.github.token]


def assert_nothing_is_told(secrets: list[str], stage: Stage, pull: Pull, database: Database) -> None:
    github = stage.scene.github
    page = requests.get(f"{github.url}/{github.repository}/pull/{pull.number}", timeout=10).text
    said = {"log": "\n".join(stage.logs), "page": page, "rows": json.dumps(content(database), default=str)}
    assert all(secrets)
    assert [place for place, text in said.items() for secret in secrets if secret in text] == []
    assert "| spinmint |" in said["log"]  # summaries are part of it
