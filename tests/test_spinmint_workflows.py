"""What the workflows for test servers may do: each permission is taken away once, and its lack is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import payloads
from sandbox.records import CheckRun
from tests.spinmints import CONTEXT, HOUR, Scene, scene
from tests.test_pull_request_life import permissions, private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot, Run

pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)
ASKED, SWEEP = "spinmint.yml", "spinmint-expiry.yml"
NO_WAIT = {"INPUT_WAIT-MINUTES": "0"}
LEVELS = {"write": "read", "read": "none"}


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        private(github)
        yield made


def labeled(servers: Scene) -> Any:
    """A build that is over, told by a status."""
    pull = servers.pull()
    servers.built(pull)
    return servers.labeled(pull)


def checked(servers: Scene) -> Any:
    """The same, told by a check run."""
    servers.configure(build_by="github")
    pull = servers.pull()
    check(servers, pull)
    return servers.labeled(pull)


def check(servers: Scene, pull: Pull) -> None:
    github = servers.github.state
    now = github.now()
    run = CheckRun(github.next_id(), CONTEXT, pull.head_sha, "completed", "success", now, now)
    github.add_check(servers.github.repository, run)


def asked(servers: Scene) -> Any:
    pull = servers.pull()
    servers.built(pull)
    return servers.said(pull, "/spinmint")


def waits(servers: Scene, tell: Callable[[Scene, Pull], object] = Scene.built, by: str = "jenkins") -> Any:
    """A sweep that finds the build of a server over."""
    servers.configure(build_by=by)
    pull = servers.pull()
    servers.deliver(servers.labeled(pull), **NO_WAIT)
    tell(servers, pull)
    return {}


def warned(servers: Scene) -> Any:
    """A sweep that warns."""
    servers.deliver(labeled(servers))
    servers.pass_time(70 * HOUR)
    return {}


NEEDS: dict[tuple[str, str], tuple[Callable[[Scene], Any], str]] = {
    (ASKED, "contents"): (labeled, "`contents: read`"),
    (ASKED, "issues"): (asked, "`issues: write`"),
    (ASKED, "pull_requests"): (labeled, "`pull-requests: write`"),
    (ASKED, "statuses"): (labeled, "`statuses: read`"),
    (ASKED, "checks"): (checked, "`checks: read`"),
    (ASKED, "id_token"): (labeled, "`id-token: write`"),
    (SWEEP, "contents"): (waits, "`contents: read`"),
    (SWEEP, "issues"): (warned, "`issues: write`"),
    (SWEEP, "pull_requests"): (waits, "`pull-requests: write`"),
    (SWEEP, "statuses"): (waits, "`statuses: read`"),
    (SWEEP, "checks"): (lambda servers: waits(servers, check, "github"), "`checks: read`"),
    (SWEEP, "id_token"): (waits, "`id-token: write`"),
}


def test_s01_each_permission_of_the_examples_is_tried(servers: Scene) -> None:  # noqa: ARG001  # as each of this module
    assert {*NEEDS} == {(example, name) for example in (ASKED, SWEEP) for name in permissions(example)}


def delivered(servers: Scene, event: Any, given: dict[str, str]) -> Run:
    """Run as a job with these permissions does: AWS's keys are for the runner's token, and that takes one of them."""
    servers.github.state.tokens["github-token"].permissions = {"metadata": "read", **given}
    role = dict(servers.cloud.oidc_environment)
    if given["id_token"] != "write":
        role = {name: value for name, value in role.items() if not name.startswith("ACTIONS_ID_TOKEN_REQUEST_")}
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "")
    kind = payloads.name(event) if event else "schedule"
    kind = "pull_request_target" if kind == "pull_request" else kind
    return servers.bot.run(kind, event, **{**servers.environment, **role, **keys})


@pytest.mark.parametrize(("example", "name"), NEEDS)
def test_s01_each_permission_is_needed(servers: Scene, example: str, name: str) -> None:
    """S-01, S-02: one level less of one permission is one line with the cure, and the cure is enough."""
    make, cure = NEEDS[example, name]
    given, token = permissions(example), servers.github.state.tokens["github-token"]
    token.permissions = {"metadata": "read", **given}
    event = make(servers)
    failed = delivered(servers, event, {**given, name: LEVELS[given[name]]})
    assert failed.code == 2, failed.log
    assert cure in failed.log
    assert "Traceback" not in failed.log
    token.permissions = {"metadata": "read", **given}
    again = delivered(servers, labeled(servers) if name == "id_token" else event, given)  # a launch is not tried twice
    assert again.code == 0, again.log
    assert servers.rows()[-1] == ("ready", "")
