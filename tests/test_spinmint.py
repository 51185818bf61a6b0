"""Test servers, from the event to what GitHub, EC2, Route 53 and the tables then hold."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from moto.iam.models import iam_backends

from mattermod_action.features.spinmint import USAGE
from mattermod_action.server_words import STATES
from sandbox import aws, payloads
from sandbox.aws import Delays
from sandbox.faults import Fault
from sandbox.jenkins import Script
from sandbox.records import CheckRun
from tests.clouds import client
from tests.spinmints import HOUR, LABEL, SETUP, UPGRADE, Scene, config, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox
    from sandbox.records import Pull
    from tests.harness import Bot

NO_WAIT = {"INPUT_WAIT-MINUTES": "0"}
pytestmark = pytest.mark.parametrize("bot", ["mysql"], indirect=True)


@pytest.fixture
def servers(bot: Bot, github: Sandbox, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(bot, github, request.getfixturevalue("database")) as made:
        yield made


def built(servers: Scene, **more: Any) -> Pull:
    pull = servers.pull(**more)
    servers.built(pull)
    return pull


def ready(servers: Scene, label: str = LABEL, **more: Any) -> Pull:
    """A pull request with a server that is up."""
    pull = built(servers, **more)
    run = servers.deliver(servers.labeled(pull, label))
    assert (run.code, servers.states(pull)) == (0, ["ready"]), run.log
    return pull


def instance(servers: Scene) -> dict[str, Any]:
    """The one that is there, as EC2 describes it."""
    [name] = servers.alive()
    [group] = client(servers.cloud, "ec2").describe_instances(InstanceIds=[name])["Reservations"]
    found: dict[str, Any] = group["Instances"][0]
    return found


def user_data(servers: Scene) -> str:
    [name] = servers.alive()
    asked = {"InstanceId": name, "Attribute": "userData"}
    data = client(servers.cloud, "ec2").describe_instance_attribute(**asked)["UserData"]["Value"]
    return b64decode(data).decode()


def variables(servers: Scene) -> dict[str, str]:
    """What the setup script finds."""
    found = re.findall(r"^(SPINMINT_\w+)=.*'([A-Za-z0-9+/=]*)'", user_data(servers), re.MULTILINE)
    return {name: b64decode(value).decode() for name, value in found}


def test_mm84_the_life_of_a_server_a_step_a_run(servers: Scene) -> None:
    """Label, build, launch, boot, name, push, extend, expiry: each is seen by a run of its own."""
    servers.cloud.aws.delays = Delays(visible=0, pending=40, shutting_down=20, insync=60)
    pull, seen = servers.pull(), list[str]()

    def swept(seconds: float) -> None:
        servers.pass_time(seconds)
        run = servers.sweep(**NO_WAIT)
        assert run.code == 0, run.log
        seen.append(servers.states(pull)[-1])

    assert servers.deliver(servers.labeled(pull), **NO_WAIT).code == 0
    assert servers.states(pull) == ["waiting_build"]
    assert "waits for its build" in servers.bodies(pull)[0]
    servers.built(pull, Script(runs=600), state="pending")
    swept(60)
    swept(600)
    assert (seen, len(servers.alive())) == (["waiting_build", "booting"], 1)
    swept(10)
    swept(60)
    [instance] = servers.alive()
    assert seen[2:] == ["booting", "dns"]
    assert servers.names() == [f"{instance}.{aws.ZONE}."]
    swept(70)
    swept(70)
    assert seen[-1] == "ready"
    assert servers.listed() == [instance]
    [body] = servers.bodies(pull)
    assert f"http://{instance}.{aws.ZONE}" in body
    servers.assert_whole()
    servers.deliver(payloads.synchronize(servers.github.state, servers.github.repository, pull.number, "reviewer"))
    servers.deliver(servers.said(pull, "/spinmint extend 24h"))
    swept(73 * HOUR)
    assert (seen[-1], servers.alive()) == ("ready", [instance])
    swept(24 * HOUR)
    swept(70)
    assert (servers.rows(pull), servers.alive(), servers.names()) == ([("destroyed", "expired")], [], [])
    assert servers.listed() == []
    [body, *_] = servers.bodies(pull)
    assert body.startswith("The time of the test server was over")


def test_in_one_run_it_takes_few_calls(servers: Scene) -> None:
    """Label to ready: at most 20 calls of GitHub and 15 of AWS; `make bench ONLY=spinmint` shows how many."""
    pull = built(servers)
    before, calls = len(servers.github.requests), len(servers.calls())
    run = servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["ready"], run.log
    assert len(servers.github.requests) - before <= 20
    assert len(servers.calls()) - calls <= 15


# Who may, and what is launched


def test_what_is_launched_is_the_commit_of_the_label(servers: Scene) -> None:
    """MM-85, S-15: a push before the build is over changes nothing; another label event is needed for it."""
    pull = servers.pull()
    sha = pull.head_sha
    servers.built(pull, Script(runs=600), state="pending")
    servers.deliver(servers.labeled(pull))
    servers.deliver(payloads.synchronize(servers.github.state, servers.github.repository, pull.number, "reviewer"))
    assert servers.github.state.pull(servers.github.repository, pull.number).head_sha != sha
    servers.pass_time(601)
    assert servers.sweep().code == 0
    assert servers.states(pull) == ["ready"]
    assert variables(servers)["SPINMINT_SHA"] == sha
    servers.deliver(servers.said(pull, "/spinmint"))
    assert "status" not in servers.bodies(pull)[-1]
    assert servers.states(pull) == ["ready"]


@pytest.mark.parametrize("by", ["newcomer", "dependabot[bot]", "ci"])
def test_s18_a_label_of_somebody_else_launches_nothing(servers: Scene, by: str) -> None:
    pull = built(servers)
    for _ in range(2):
        assert servers.deliver(event := servers.labeled(pull, by=by)).code == 0
    assert servers.deliver(event).code == 0
    assert (servers.rows(pull), servers.alive()) == ([], [])
    first, *_ = servers.bodies(pull)
    assert first.startswith(f"The label `{LABEL}` launches no test server: ")


def test_s18_a_listed_bot_may(servers: Scene) -> None:
    servers.configure(bots=["dependabot[bot]"])
    pull = built(servers)
    servers.deliver(servers.labeled(pull, by="dependabot[bot]"))
    assert servers.states(pull) == ["ready"]


@pytest.mark.parametrize(("forks", "launched"), [("refused", False), ("allowed", True)])
def test_s18_t04_forks(servers: Scene, forks: str, *, launched: bool) -> None:
    """Refused unless allowed; and then a command has to name the commit, since anybody can push there."""
    servers.configure(forks=forks)
    pull = built(servers, author="newcomer", head="newcomer/hello:topic")
    servers.deliver(servers.said(pull, "/spinmint"))
    assert "it is from a fork" in servers.bodies(pull)[-1]
    servers.deliver(servers.said(pull, "/spinmint 0123456"))
    assert servers.rows(pull) == []
    servers.deliver(servers.said(pull, f"/spinmint {pull.head_sha[:39]}"))
    assert servers.rows(pull) == []
    servers.deliver(servers.said(pull, f"/spinmint {pull.head_sha}"))
    assert servers.states(pull) == (["ready"] if launched else [])
    servers.deliver(servers.said(pull, "/spinmint destroy"))
    servers.deliver(servers.labeled(pull))
    assert servers.states(pull)[1:] == (["ready"] if launched else [])


def test_a_command_launches_and_ends_one(servers: Scene) -> None:
    pull = built(servers)
    assert servers.deliver(servers.said(pull, "/spinmint")).code == 0
    assert servers.states(pull) == ["ready"]
    run = servers.deliver(servers.said(pull, "/spinmint status"))
    assert servers.bodies(pull)[-1] == servers.bodies(pull)[0]
    assert run.code == 0
    servers.deliver(servers.said(pull, "/spinmint destroy"))
    assert (servers.rows(pull), servers.alive(), servers.names()) == ([("destroyed", "asked")], [], [])
    servers.deliver(servers.said(pull, "/spinmint destroy"))
    assert "`/spinmint`: there is no test server." in servers.bodies(pull)[-1]
    servers.assert_whole()


@pytest.mark.parametrize("said", ["/spinmint up", "/spinmint extend", "/spinmint extend long", "/spinmint a b"])
def test_a_command_that_is_none_says_how_it_goes(servers: Scene, said: str) -> None:
    pull = built(servers)
    servers.deliver(servers.said(pull, said))
    assert servers.bodies(pull) == [f"@maintainer, `/spinmint`: {USAGE}."]


def test_s13_whoever_may_not_write_gives_no_command(servers: Scene) -> None:
    pull = ready(servers)
    servers.deliver(servers.said(pull, "/spinmint destroy", by="newcomer"))
    assert (servers.states(pull), len(servers.alive())) == (["ready"], 1)


def test_the_label_off_ends_it_and_on_again_launches_another(servers: Scene) -> None:
    """MM-92: it is said once it is so; whoever closes it then ends nothing twice."""
    pull = ready(servers)
    servers.deliver(servers.unlabeled(pull))
    assert (servers.rows(pull), servers.alive(), servers.names(), servers.listed()) == (
        [("destroyed", "unlabeled")], [], [], [],
    )  # fmt: skip
    assert servers.bodies(pull)[0].startswith("The test server was destroyed.")
    servers.pass_time(60)
    servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["destroyed", "ready"]
    servers.deliver(payloads.closed(servers.github.state, servers.github.repository, pull.number, "maintainer"))
    assert servers.rows(pull)[1:] == [("destroyed", "closed")]
    assert len(servers.bodies(pull)) == 2
    servers.assert_whole()


def test_a_label_that_is_delivered_again_launches_no_other(servers: Scene) -> None:
    """F03: nor weeks later, when the server of that label is gone."""
    pull = built(servers)
    event = servers.labeled(pull)
    servers.deliver(event)
    servers.deliver(servers.said(pull, "/spinmint destroy"))
    servers.pass_time(30 * 24 * HOUR)
    for attempt in ("1", "2"):
        assert servers.deliver(event, GITHUB_RUN_ATTEMPT=attempt).code == 0
    assert (servers.states(pull), servers.alive()) == (["destroyed"], [])


def test_the_label_of_an_upgrade_has_a_script_of_its_own(servers: Scene) -> None:
    servers.configure(
        upgrade_label=UPGRADE, upgrade_script="up/grade.sh", upgrade_done="Upgraded: SPINMINT_LINK", done="Fresh"
    )
    servers.github.state.write_files(servers.github.repository, {".github/up/grade.sh": "#!/bin/sh\necho upgrade\n"})
    pull = ready(servers, UPGRADE)
    assert servers.bodies(pull)[0].startswith("Upgraded: http://i-")
    servers.deliver(servers.unlabeled(pull, LABEL))
    assert servers.states(pull) == ["ready"]
    servers.deliver(servers.unlabeled(pull, UPGRADE))
    assert servers.states(pull) == ["destroyed"]


# What it waits for


def test_a_green_check_of_github_is_enough(servers: Scene) -> None:
    servers.configure(build_by="github", build="build")
    pull, state = servers.pull(), servers.github.state
    servers.deliver(servers.labeled(pull))
    check = CheckRun(state.next_id(), "build", pull.head_sha, "in_progress", None, state.now(), None)
    repository = state.repository(servers.github.repository)
    assert repository
    repository.checks.append(check)
    servers.pass_time(600)
    servers.sweep()
    assert servers.states(pull) == ["waiting_build"]
    check.status, check.conclusion = "completed", "success"
    servers.pass_time(600)
    servers.sweep()
    assert servers.states(pull) == ["ready"]
    assert servers.builds.requests == []


@pytest.mark.parametrize(
    ("conclusions", "state"), [(("failure", "success"), "ready"), (("success", "failure"), "failed")]
)
def test_the_newest_attempt_of_a_check_counts(servers: Scene, conclusions: tuple[str, str], state: str) -> None:
    """GitHub lists both: https://github.com/cli/cli/issues/13563."""
    servers.configure(build_by="github", build="build")
    pull, github = servers.pull(), servers.github.state
    repository = github.repository(servers.github.repository)
    assert repository
    for conclusion in conclusions:
        now = github.now()
        made = CheckRun(github.next_id(), "build", pull.head_sha, "completed", conclusion, now, now)
        repository.checks.append(made)
    servers.deliver(servers.labeled(pull))
    servers.pass_time(600)
    servers.sweep()
    assert servers.states(pull) == [state]


def test_a_check_that_is_red_ends_it(servers: Scene) -> None:
    servers.configure(build_by="github")
    pull = servers.pull()
    servers.mark(pull, "failure")
    servers.deliver(servers.labeled(pull))
    assert servers.rows(pull) == [("failed", "the check that it is to be launched after is not green")]
    assert servers.calls() == []


def test_a_build_that_failed_is_shown_and_red_where_that_is_asked_for(servers: Scene) -> None:
    """Exit 4 of `fail-on`, once: another delivery of the label has nothing new to say."""
    pull = servers.pull()
    link = servers.built(pull, Script(result="FAILURE", runs=0))
    event = servers.labeled(pull)
    codes = [servers.deliver(event, **{"INPUT_FAIL-ON": "failure"}).code for _ in range(2)]
    assert codes == [4, 0]
    [body] = servers.bodies(pull)
    assert (f"| build | `{link}` |" in body, "| why | the build has failed |" in body) == (True, True)


def test_mm98_the_status_of_the_build_wakes_it(servers: Scene) -> None:
    """MM-98: what it says is read, and not believed. A sweep need not be waited for; and Jenkins may call for one."""
    pull, (state, where) = servers.pull(), (servers.github.state, servers.github.repository)
    servers.deliver(servers.labeled(pull), **NO_WAIT)
    servers.built(pull)
    servers.pass_time(60)
    repository = state.repository(where)
    assert repository
    newest = repository.statuses[pull.head_sha][-1]
    run = servers.deliver(payloads.status(state, where, pull.head_sha, newest.id, "ci"))
    assert servers.states(pull) == ["ready"], run.log
    other = servers.pull()
    servers.deliver(servers.labeled(other), **NO_WAIT)
    servers.built(other)
    servers.pass_time(60)
    called = {"action": "mattermod-sweep", "repository": servers.labeled(other)["repository"]}
    run = servers.bot.run("repository_dispatch", called, **servers.environment)
    assert (run.code, servers.states(other)) == (0, ["ready"])


def test_the_status_of_another_commit_reads_no_pull_request(servers: Scene) -> None:
    """Statuses come often, and most of them are about no server."""
    pull, (state, where) = servers.pull(), (servers.github.state, servers.github.repository)
    servers.deliver(servers.labeled(pull), **NO_WAIT)
    other = servers.pull()
    other.head_sha = state.write_files(where, {"other.txt": "other\n"})
    servers.built(other)
    repository = state.repository(where)
    assert repository
    newest, before = repository.statuses[other.head_sha][-1], len(servers.github.requests)
    servers.deliver(payloads.status(state, where, other.head_sha, newest.id, "ci"))
    asked = [each.path for each in servers.github.requests[before:]]
    assert [path for path in asked if "/pulls/" in path] == [], (pull.number, other.number, asked)


def test_no_build_in_time_ends_it(servers: Scene) -> None:
    pull = servers.pull()
    servers.deliver(servers.labeled(pull))
    servers.pass_time(4 * HOUR - 30)
    servers.sweep(**NO_WAIT)
    assert servers.states(pull) == ["waiting_build"]
    servers.pass_time(60)
    servers.sweep(**NO_WAIT)
    assert servers.rows(pull) == [("failed", "there was no build of its commit within 4 h")]
    assert servers.bodies(pull)[0].startswith("There is no test server: it failed.")


def test_r08_a_build_of_two_hours_costs_few_minutes(servers: Scene) -> None:
    """R-08: only the run of the label waits for it; a sweep, each quarter of an hour, looks once."""
    pull, billed, looks = servers.pull(), 0, 0
    servers.built(pull, Script(runs=2 * HOUR), state="pending")
    servers.deliver(servers.labeled(pull))
    while servers.states(pull) == ["waiting_build"]:
        new, looks = len(servers.builds.requests) - looks, len(servers.builds.requests)
        billed += 1 + new // 2  # it looks each half minute, and a minute that has begun is billed
        servers.pass_time(HOUR / 4)
        servers.sweep()
    assert servers.states(pull) == ["ready"]
    assert 10 <= billed <= 15


def test_t22_what_is_never_ready_is_launched_once_more_and_then_fails(servers: Scene) -> None:
    """Both are ended. Their consoles may have a password, and a public repository's log only says how to read them."""
    servers.web.status, logs = 500, ""
    pull = built(servers)
    servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["dns"]
    for _ in range(5):
        servers.pass_time(20 * 60)
        run = servers.sweep()
        logs += run.log
    assert servers.rows(pull) == [("failed", "it was not ready within 20 minutes")]
    assert "aws ec2 get-console-output" in logs
    assert "Linux version" not in logs
    assert (len(servers.cloud.instances), servers.alive(), servers.names()) == (2, [], [])
    assert run.code == 0
    assert servers.listed() == []
    servers.assert_whole()


def test_t22_in_a_private_repository_the_log_has_the_end_of_the_console(servers: Scene) -> None:
    where = servers.github.state.repository(servers.github.repository)
    assert where
    where.private, servers.web.status = True, 500
    pull = built(servers)
    event = servers.labeled(pull)
    servers.deliver(event)
    servers.pass_time(20 * 60)
    run = servers.bot.run("schedule", {"repository": event["repository"]}, **servers.environment)
    assert "Linux version" in run.log
    assert not [body for body in servers.bodies(pull) if "Linux version" in body], "a comment is read by more people"


# Words


def test_messages_have_their_words(servers: Scene) -> None:
    servers.configure(message="Wait, USERNAME", done="SPINMINT_LINK INSTANCE_ID INTERNAL_IP", https=True)
    pull = built(servers)
    servers.configure(message="Wait, USERNAME", done="SPINMINT_LINK INSTANCE_ID INTERNAL_IP")
    run = servers.deliver(servers.labeled(pull))
    [name] = servers.alive()
    private = instance(servers)["PrivateIpAddress"]
    link = f"http://{name}.{aws.ZONE}"
    assert servers.bodies(pull)[0].startswith(f"{link} {name} {private}\n")
    assert (run.outputs["spinmint-url"], run.outputs["spinmint-state"]) == (link, "ready")
    assert f"[test server of #{pull.number}: ready]({link})" in run.summary


def test_its_end_is_warned_of_once_and_put_off(servers: Scene) -> None:
    """A comment of its own, since nobody hears of one that is edited; extended it is warned of once more."""
    pull = ready(servers)
    servers.pass_time(67 * HOUR)
    servers.sweep()
    assert len(servers.bodies(pull)) == 1
    servers.pass_time(2 * HOUR)
    for _ in range(2):
        servers.sweep()
    _, warning = servers.bodies(pull)
    assert warning.startswith("@maintainer, the test server http://i-")
    event = servers.said(pull, "/spinmint extend 1d")
    for _ in range(2):
        servers.deliver(event)
    servers.pass_time(24 * HOUR)
    servers.sweep()
    assert (servers.states(pull), len(servers.bodies(pull))) == (["ready"], 3)
    servers.pass_time(4 * HOUR)
    servers.sweep()
    assert servers.rows(pull) == [("destroyed", "expired")]


def test_nobody_keeps_one_for_ever(servers: Scene) -> None:
    pull = ready(servers)
    servers.deliver(servers.said(pull, "/spinmint extend 97h"))
    assert "it may be kept until 20" in servers.bodies(pull)[-1]
    ends = servers.query("SELECT expires_at FROM mm_servers")
    servers.deliver(servers.said(pull, "/spinmint extend 95h"))
    assert servers.query("SELECT expires_at FROM mm_servers") > ends


def test_s18_limits_say_who_holds_the_slots(servers: Scene) -> None:
    servers.configure(limits={"repository": 1, "organisation": 5, "user": 5, "launches": 5})
    first = ready(servers)
    second = built(servers)
    run = servers.deliver(servers.labeled(second))
    told = f"1 of 1 test servers of this repository are taken: #{first.number}"
    assert told in servers.bodies(second)[0]
    assert run.code == 0
    servers.deliver(servers.said(second, "/spinmint"))
    assert told in servers.bodies(second)[1]
    servers.deliver(servers.unlabeled(first))
    servers.deliver(servers.said(second, "/spinmint"))
    assert servers.states(second) == ["ready"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"organisation": 1}, "1 of 1 test servers of octo-org are taken"),
        ({"user": 1}, "1 of 1 test servers of `maintainer` are taken"),
        ({"launches": 1}, "1 of 1 test servers that this repository may ask for in 24 hours were asked for"),
    ],
)
def test_s18_each_limit_counts(servers: Scene, limits: dict[str, int], told: str) -> None:
    servers.configure(limits=limits)
    ready(servers)
    second = built(servers)
    servers.deliver(servers.labeled(second))
    assert (servers.rows(second), told in servers.bodies(second)[0]) == ([], True)


@pytest.mark.parametrize("limit", ["organisation", "user"])
def test_t11_a_limit_names_no_other_repository_and_calls_nobody(servers: Scene, limit: str) -> None:
    """On a public pull request, in the log and in the summary."""
    servers.configure(limits={limit: 1})
    state, secret = servers.github.state, "octo-org/secret-acquisition"
    state.add_repository(secret, private=True).permissions.update(maintainer="write")
    text = config(servers.cloud, limits={limit: 1})
    state.write_files(secret, {".github/mattermod.yml": text, ".github/setup.sh": SETUP})
    state.tokens["github-token"].repositories = ()
    hush = state.add_pull(secret, "Hush", "maintainer", head="hush")
    servers.deliver(payloads.labeled(state, secret, hush.number, LABEL, "maintainer"), GITHUB_REPOSITORY=secret)
    pull = servers.pull()
    run = servers.deliver(servers.labeled(pull))
    [body] = servers.bodies(pull)
    assert "1 of 1 test servers" in body
    assert "1 in other repositories" in body
    shown = [body, run.log, run.summary, json.dumps(run.outputs)]
    assert [each for each in shown if "secret-acquisition" in each or "@maintainer" in each] == []


def test_it_is_told_before_it_is_waited_for(servers: Scene) -> None:
    pull = servers.pull()
    servers.deliver(servers.labeled(pull))
    assert f"| test server | {STATES['waiting_build']} |" in servers.bodies(pull)[0]


# What comes from outside


HOSTILE = "x$(touch${IFS}pwned)`id`;|&'\"{}"


def test_s16_a_hostile_branch_is_data_everywhere(servers: Scene) -> None:
    """MM-93: in user data it is in base64, in a tag without what tags do not take, and in no name and no comment."""
    pull = ready(servers, head=HOSTILE)
    tags = {each["Key"]: each["Value"] for each in instance(servers)["Tags"]}
    assert variables(servers)["SPINMINT_BRANCH"] == HOSTILE
    assert "pwned" not in user_data(servers)
    assert tags["Name"] == "Spinmint-x__touch__IFS_pwned__id_________"[: len(tags["Name"])]
    assert set(tags) == {"mattermod", "mattermod-key", "mattermod-ends", "Name", "Created", "PRNumber", "RepoName"}
    assert servers.names() == [f"{servers.alive()[0]}.{aws.ZONE}."]
    assert "pwned" not in "".join(servers.bodies(pull))


def test_s17_the_switch_ends_it_when_nobody_else_does(servers: Scene) -> None:
    """The schedule is dead; a sweep that comes at last finds the rest."""
    pull = ready(servers)
    assert user_data(servers).splitlines()[1] == f"shutdown -h +{72 * 60 + 30}"
    servers.pass_time(73 * HOUR)
    assert servers.alive() == []
    servers.sweep()
    assert servers.rows(pull) == [("destroyed", "expired")]
    assert servers.names() == []


def test_names_of_the_originals_servers_are_left_alone(servers: Scene) -> None:
    """They have the form of ours, and neither our tag nor a row; once such a server is gone its name is a stray."""
    ec2, route53 = client(servers.cloud, "ec2"), client(servers.cloud, "route53")
    made = ec2.run_instances(ImageId=servers.cloud.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wanted = {"Name": f"{made}.{aws.ZONE}", "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": wanted}]}
    route53.change_resource_record_sets(HostedZoneId=servers.cloud.zone, ChangeBatch=change)
    servers.pass_time(HOUR)
    servers.sweep()
    assert (servers.alive(), servers.names()) == ([made], [f"{made}.{aws.ZONE}."])
    ec2.terminate_instances(InstanceIds=[made])
    run = servers.sweep()
    assert servers.names() == []
    assert "leads to no server any more: deleted" in run.summary


def test_mm94_a_password_of_its_own_is_kept_elsewhere(servers: Scene) -> None:
    """Never in user data, a comment or the log; and it goes with the server."""
    servers.configure(password={"place": "ssm", "prefix": "mattermod/spinmint", "profile": "spinmint"})
    iam_backends[servers.cloud.aws.account]["aws"].create_instance_profile("spinmint", "/", [])
    pull = built(servers)
    run = servers.deliver(servers.labeled(pull))
    assert servers.states(pull) == ["ready"], run.log
    name = f"/mattermod/spinmint/octo-org/hello/{pull.number}/1"
    ssm = client(servers.cloud, "ssm")
    password = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    assert len(password) >= 20
    assert variables(servers)["SPINMINT_PASSWORD"] == name
    everywhere = [
        user_data(servers),
        run.log,
        run.summary,
        *servers.bodies(pull),
        str(servers.query("SELECT * FROM mm_servers")),
    ]
    assert [text for text in everywhere if password in text] == []
    assert f"`{name}`" in servers.bodies(pull)[0]
    servers.deliver(servers.unlabeled(pull))
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name)


def test_a_script_that_cannot_be_used_is_one_line(servers: Scene) -> None:
    """It is the user's mistake: exit 2, and nothing is launched."""
    servers.github.state.write_files(servers.github.repository, {".github/setup.sh": "#!/bin/sh\n: $SPINMINT_BRNCH\n"})
    pull = built(servers)
    run = servers.deliver(servers.labeled(pull))
    assert (run.code, servers.calls()) == (2, [])
    assert "setup.sh:2: " in run.outputs["failures"][0]
    assert servers.rows(pull) == [("failed", "its setup script cannot be used: the log of the run says why")]


def test_without_the_region_it_is_left_to_another_workflow(servers: Scene) -> None:
    pull = built(servers)
    region = {"INPUT_AWS-REGION": "", "AWS_DEFAULT_REGION": ""}
    run = servers.deliver(servers.labeled(pull), **region)
    assert (run.code, servers.rows(pull), servers.bodies(pull)) == (0, [], [])
    assert "left to a workflow that gives the input `aws-region`" in run.log
    assert servers.sweep(**region).code == 0


def test_without_a_database_nothing_is_promised(servers: Scene) -> None:
    pull = built(servers)
    run = servers.deliver(servers.labeled(pull), **{"INPUT_DATABASE-URL": ""})
    assert (run.code, servers.calls()) == (0, [])
    assert "test servers need `database-url`" in servers.bodies(pull)[0]


def test_a_build_of_another_jenkins_is_the_users_mistake(servers: Scene) -> None:
    pull = servers.pull()
    servers.mark(pull, "success", "https://elsewhere.example.com/job/x/1/")
    run = servers.deliver(servers.labeled(pull))
    assert (run.code, servers.calls()) == (2, [])
    assert servers.rows(pull) == [("failed", "its build cannot be read: the log of the run says why")]
    assert "`jenkins-credentials`" in run.outputs["failures"][0]


def test_a_label_that_has_its_server_is_not_refused_afterwards(servers: Scene) -> None:
    """Delivered again when whoever put it on may not write any more: it has had its answer."""
    pull = built(servers)
    event = servers.labeled(pull)
    servers.deliver(event)
    repository = servers.github.state.repository(servers.github.repository)
    assert repository
    repository.permissions["maintainer"] = "read"
    servers.pass_time(60)
    assert servers.deliver(event).code == 0
    assert (servers.states(pull), len(servers.bodies(pull))) == (["ready"], 1)


def test_an_end_that_was_not_told_is_told_by_the_same_event(servers: Scene) -> None:
    pull = ready(servers)
    event = servers.unlabeled(pull)
    servers.github.state.faults.add(Fault("status", "PATCH", "/repos/*/issues/comments/*", status=502))
    assert servers.deliver(event).code == 3
    assert (servers.states(pull), "**ready**" in servers.bodies(pull)[0]) == (["destroyed"], True)
    servers.pass_time(600)
    assert servers.deliver(event).code == 0
    assert servers.bodies(pull)[0].startswith("The test server was destroyed.")


def test_an_end_that_was_put_off_meanwhile_is_told(servers: Scene) -> None:
    """What a comment says of an end that is another one by now does not count as told."""
    pull = ready(servers)
    servers.github.state.faults.add(Fault("status", "PATCH", "/repos/*/issues/comments/*", status=502))
    assert servers.deliver(servers.said(pull, "/spinmint extend 24h")).code == 3
    before = servers.bodies(pull)[0]
    servers.pass_time(600)
    servers.sweep()
    assert servers.bodies(pull)[0] != before
