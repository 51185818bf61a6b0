"""Somebody who may write any row of the shared database, and worlds in which they do, at any time.

What may be launched, opened and changed there is what GitHub's record asks for, whatever stands in the rows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pymysql

from mattermod_action.adapters.mysql import connect
from mattermod_action.servers import KEY_TAG
from mattermod_action.spinmints import SERVER_TAG
from sandbox import aws, payloads
from tests import clouds
from tests.cut import Cut
from tests.spinmints import LABEL, SETUP, config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.records import Pull
    from tests.harness import Run
    from tests.picks import Project
    from tests.spinmints import Scene

HEARD = 0.7  # of the worlds, in which the stranger's push is heard of before anything else
CANARY = "canary-of-a-row"
BLOCK, MERGE = "Do Not Merge", "Merge It"
MESSAGE = "Thank you for the label."
MORE = f"""
cherry_pick: {{auto_merge: squash}}
block_merge: {{labels: ["{BLOCK}"]}}
protected_paths: {{paths: ["guarded/**"]}}
auto_merge: {{label: "{MERGE}"}}
label_messages: {{pull_requests: [{{label: "Hello", message: "{MESSAGE}"}}]}}
label_workflow: {{rules: [{{label: "Run It", event: run-it}}]}}
stale: {{days: 30, label: stale, comment: "Old"}}
"""
CLA = "cla: {{signed_url: '{url}', context: cla/worlds}}\n"
TABLES = (
    "mm_servers", "mm_servers", "mm_servers", "mm_picks", "mm_picks", "mm_picks", "mm_ledger", "mm_leases", "mm_sweeps",
    "mm_approvals", "mm_lists", "PullRequests", "Issues", "Spinmint", "mm_schema",
)  # fmt: skip
SERVER_STATES = ("requested", "waiting_build", "launching", "booting", "dns", "ready", "destroying", "destroyed", "x")
PICK_STATES = ("queued", "picking", "pushed", "opened", "finished", "conflict", "refused", "failed", "y")
TIMES = ("1000-01-01", "2026-12-01", "9999-12-31 23:59:59.999999", None)
TEXTS = (
    "", CANARY, f"@maintainer {CANARY}", f"[{CANARY}](http://evil.example)", "x" * 250, "../../orgs/x", "\0\n", "{}",
    "[]", "null", '{"a": 1}', "\U0001f389" * 40, f"\n{CANARY}", "' OR 1=1 --", "::error::" + CANARY,
)  # fmt: skip
NUMBERS = (-1, 0, 1, 7, 8, 9, 2**31 - 1)
LOGINS = ("maintainer", "reviewer", "stranger", "newcomer", "nobody-in-particular", "github-actions[bot]", "a/../b")


def ordered(scene: Scene, **changes: Any) -> str:
    """The order that the configuration gives, but for these changes."""
    cloud = scene.cloud
    order = {
        "tag": "spinmint", "image": cloud.image, "instance_type": "t3.micro", "subnet": cloud.subnet,
        "security_groups": [cloud.security_group], "key_name": "", "zone": cloud.zone, "dns_suffix": aws.ZONE,
        "script": "setup.sh", "build": "ci/jenkins", "build_by": "jenkins", "hours": 72, "longest_hours": 168,
        "build_hours": 4, "boot_minutes": 20, "https": False, "ready_path": "/", "ready_status": 200,
        "password_in": "", "password_prefix": "", "instance_profile": "", "bots": [], "label": "", "upgrade": False,
        "branch": "x", "author": "x", "url": "", "build_number": 1, "user_data": "", "password": "",
        "launched": "2026-12-01 00:00:00", "heeded": [],
    }  # fmt: skip
    return json.dumps({**order, **changes})


@dataclass
class Writer:
    """Has the account that every repository has, and knows all that is public."""

    scene: Scene
    dice: random.Random
    pulls: list[Pull] = field(default_factory=list)
    foreign: str = ""

    def execute(self, sql: str, *values: Any) -> None:
        """What the database refuses is its writer's own affair."""
        assert self.scene.database
        with closing(connect(self.scene.database)) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(sql, values)
            except (pymysql.MySQLError, UnicodeError):
                return

    def insert(self, table: str, **columns: Any) -> None:
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", *columns.values())  # a test's

    def server(self, pull: Pull, key: str, **columns: Any) -> None:
        """A row that only differs by these columns from one of ours."""
        where = self.scene.github.state.repository(self.scene.github.repository)
        assert where
        row = {
            "k": key, "owner": where.owner.encode(), "repository": where.name.encode(), "number": pull.number,
            "live": 1, "repository_id": where.id, "generation": 1, "sha": pull.head_sha, "requested_by": "maintainer",
            "parameters": ordered(self.scene), "client_token": key[:50], "build_url": "", "instance_id": "",
            "address": "", "state": "launching", "lease_owner": "", "fence": 0, "attempts": 1, "reason": "",
            **columns,
        }  # fmt: skip
        now = datetime.fromtimestamp(self.scene.now(), UTC).replace(tzinfo=None)
        self.insert("mm_servers", **{"created_at": now, "updated_at": now, **row})

    def pick(self, pull: Pull, key: str, target: str, **columns: Any) -> None:
        where = self.scene.github.state.repository(self.scene.github.repository)
        assert where
        row = {
            "k": key, "repository_id": where.id, "repository": where.full_name, "number": pull.number,
            "target": target.encode(), "requested_by": "maintainer", "position": 0, "source_sha": "", "head_ref": "",
            "head_sha": "", "state": "queued", "lease_owner": "", "fence": 0, "attempts": 0, "reason": "", **columns,
        }  # fmt: skip
        self.insert("mm_picks", **{**row, "created_at": "2026-12-01", "updated_at": "2026-12-01"})

    @cached_property
    def columns(self) -> dict[str, list[tuple[str, str]]]:
        assert self.scene.database
        sql = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '{}'"
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in self.scene.query(sql.format(self.scene.database.name)):
            found.setdefault(table, []).append((column, kind))
        return found

    def anything(self) -> None:
        """One row inserted, changed or deleted."""
        inserts = [self._insert_server, self._insert_pick, self._insert_approval]
        self.dice.choice([*inserts, self._change, self._change, self._change, self._delete])()

    def _key(self) -> str:
        return f"{self.dice.getrandbits(256):064x}"

    def _origin(self) -> str | None:
        comments = [each.id for pull in self.pulls for each in pull.comments]
        label = json.dumps(["label", LABEL.casefold(), "2026-12-01T12:00:00"])
        return self.dice.choice([None, label, *(json.dumps(["comment", each]) for each in comments)])

    def _insert_server(self) -> None:
        pull = self.dice.choice(self.pulls)
        changes: dict[str, Any] = self.dice.choice([
            {}, {"image": "ami-0bad0bad0bad0bad0"}, {"script": "evil.sh"}, {"label": LABEL}, {"user_data": "f" * 64},
            {"zone": "ZEVIL"}, {"dns_suffix": "evil.example"}, {"bots": ["nobody-in-particular"]}, {"launched": ""},
        ])  # fmt: skip
        self.server(
            pull,
            self._key(),
            state=self.dice.choice(SERVER_STATES),
            requested_by=self.dice.choice(LOGINS),
            origin=self._origin(),
            parameters=ordered(self.scene, **changes),
            instance_id=self.dice.choice(["", self.foreign]),
            sha=self.dice.choice([pull.head_sha, "b" * 40]),
            reason=self.dice.choice(TEXTS),
        )

    def _insert_pick(self) -> None:
        pull = self.dice.choice(self.pulls)
        self.pick(
            pull,
            self._key(),
            self.dice.choice(["release-10.5", "main"]),
            state=self.dice.choice(PICK_STATES),
            requested_by=self.dice.choice(LOGINS),
            origin=self._origin(),
            pull_number=self.dice.choice([None, 1, self.dice.choice(self.pulls).number]),
            head_sha=self.dice.choice(["", self.dice.choice(self.pulls).head_sha]),
            reason=self.dice.choice(TEXTS),
        )

    def _insert_approval(self) -> None:
        """Of whatever the head is, by somebody who may merge."""
        where = self.scene.github.state.repository(self.scene.github.repository)
        pull = self.dice.choice(self.pulls)
        assert where
        identity = [where.id, pull.number, "auto_merge", MERGE.casefold()]
        self.insert(
            "mm_approvals",
            k=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
            repository_id=where.id,
            repository=where.full_name,
            number=pull.number,
            feature="auto_merge",
            label=MERGE,
            head_sha=pull.head_sha,
            base_ref=pull.base_ref,
            approved_by="maintainer",
            approved_at=self.dice.choice(TIMES[:3]),
            updated_at="2026-12-01",
        )

    def _change(self) -> None:
        table = self.dice.choice(TABLES)
        column, kind = self.dice.choice(self.columns[table])
        sql = f"UPDATE {table} SET {column} = %s ORDER BY RAND({self.dice.randint(0, 999)}) LIMIT 2"  # a test's
        self.execute(sql, self._value(column, kind))

    def _value(self, column: str, kind: str) -> Any:
        if "time" in kind:
            return self.dice.choice(TIMES)
        if "int" in kind:
            return self.dice.choice([*NUMBERS, *(pull.number for pull in self.pulls)])
        comments = [each.id for pull in self.pulls for each in pull.comments]
        known: dict[str, Sequence[Any]] = {
            "k": [self._key()], "state": (*SERVER_STATES, *PICK_STATES, "confirmed", "sent", "intent", "baseline"),
            "requested_by": LOGINS, "approved_by": LOGINS, "origin": [self._origin()], "instance_id": [self.foreign],
            "sha": [pull.head_sha for pull in self.pulls], "head_sha": [pull.head_sha for pull in self.pulls],
            "parameters": [ordered(self.scene, script="evil.sh"), ordered(self.scene, label=LABEL)],
            "result": [f"https://x/x/x/issues/1#issuecomment-{each}" for each in comments],
        }  # fmt: skip
        return self.dice.choice([*known.get(column, ()), *known.get(column, ()), *TEXTS])

    def _delete(self) -> None:
        table = self.dice.choice(TABLES)
        self.execute(f"DELETE FROM {table} ORDER BY RAND({self.dice.randint(0, 999)}) LIMIT 2")  # a test's


@dataclass
class World:
    """Some pull requests, what people ask for in them, and the writer."""

    scene: Scene
    project: Project
    dice: random.Random
    foreign: str
    steps: list[str] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    _pushed: Any = None
    asked: set[int] = field(default_factory=set)  # pull requests of which a server may be launched
    picked: set[int] = field(default_factory=set)  # and that may be picked onto the release branch

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.scene, self.dice, self.pulls, self.foreign)

    def live(self, steps: int) -> None:
        self._begin()
        for _ in range(steps):
            self._step()
        self._end()

    @cached_property
    def _book(self) -> list[str]:
        return [column for column, _ in self.writer.columns["mm_schema"]]

    def _begin(self) -> None:
        self._schema = self.scene.query(f"SELECT {', '.join(self._book)} FROM mm_schema")  # a test's
        self.scene.github.state.tokens["github-token"].used.clear()
        self._launched = len(self.scene.calls())
        self._opened = len(self.project.opened())
        open_one = self.scene.pull("reviewer", head=f"topic-{self.dice.getrandbits(32):x}")
        self.scene.built(open_one)
        self.pulls.append(open_one)
        self.scene.said(open_one, "Thank you, I shall look at it", by="maintainer")
        self.scene.said(open_one, "/spinmint", by="stranger")
        self.pulls += self.merged
        self.pulls.append(self._labeled_and_pushed())
        self._kept = {pull.number: (pull.merged_at, pull.base_ref) for pull in self.pulls}
        if self.dice.random() < HEARD:
            self._run(self._pushed)

    def _labeled_and_pushed(self) -> Pull:
        """A stranger's fork, which changes what is guarded; it carries labels, and was pushed to after these."""
        state, place = self.scene.github.state, self.scene.github.repository
        head = f"stranger/hello:evil-{self.dice.getrandbits(32):x}"
        pull = state.add_pull(place, "Fix a typo", "stranger", head=head, mergeable_reads=0)
        for label in (MERGE, BLOCK) if self.dice.random() < 0.5 else (MERGE,):
            payloads.labeled(state, place, pull.number, label, "maintainer")
        self.scene.pass_time(5)
        state.add_commit(place, pull.number, {"guarded/x": "x\n"}, by="stranger")
        pull.mergeable_reads = 0
        self._pushed = payloads.about(state, place, pull.number, "synchronize", "stranger")
        return pull

    @cached_property
    def merged(self) -> list[Pull]:
        """One pull request is picked in many worlds: what git makes of it is always the same."""
        found = [each for each in self.project.repository.pulls() if each.title.startswith("Topic") and each.merged_at]
        return found[-1:]

    def _step(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.writer.anything()
        if self.dice.random() < 0.4:
            self._ask()
        if self.dice.random() < 0.3:
            self._run(None, Cut(self.dice.randint(1, 30), act=self._meanwhile))
        else:
            self._run(None)

    def _ask(self) -> None:
        """Somebody who may asks for something, and the bot hears it, or only sees it later."""
        pull = self.dice.choice(self.pulls)
        if pull.merged_at:
            event = self.project.said(pull, "/cherry-pick release-10.5")
            self.picked.add(pull.number)
        elif pull is self.pulls[-1]:
            event = self._pushed
        else:
            event = self.scene.said(pull, "/spinmint")
            self.asked.add(pull.number)
        if self.dice.random() < 0.7:
            self._run(event)

    def _meanwhile(self) -> bytes:
        self.writer.anything()
        return b""

    def _run(self, event: Any, cut: Cut | None = None) -> None:
        name = payloads.name(event) if event else "schedule"
        given = {**self.scene.environment, "INPUT_WAIT-MINUTES": "0"}
        bot = self.scene.bot
        if cut:
            with self.scene.wired("http", cut) as wired:
                self._judge(name, wired.run(name, event or {}, **given))
        else:
            self._judge(name, bot.run(name, event or {}, **given))
        self.scene.pass_time(400)

    def _judge(self, name: str, run: Run) -> None:
        self.steps.append(f"{name}: {run.code}")
        assert run.code in (0, 2, 3, 4), run.log
        assert "Traceback" not in run.log, run.log
        self._check_servers()
        self._check_pulls()
        self._check_words()

    def _check_servers(self) -> None:
        for call in self.scene.cloud.calls[self._launched :]:
            if call.operation == "RunInstances":
                self._check_launch(call.parameters)
            if call.operation in ("TerminateInstances", "CreateTags"):
                assert self.foreign not in call.parameters.values(), call
        assert self.foreign in self.scene.alive()
        assert any(name.startswith(self.foreign) for name in self.scene.names())

    def _check_launch(self, given: dict[str, str]) -> None:
        tags = {value: given[name.replace("Key", "Value")] for name, value in given.items() if name.endswith("Key")}
        assert int(tags["PRNumber"]) in self.asked, f"nobody asked for #{tags['PRNumber']}"
        data = base64.b64decode(given["UserData"]).decode()
        assert base64.b64encode(SETUP.encode()).decode() in data
        pull = next(each for each in self.pulls if each.number == int(tags["PRNumber"]))
        assert base64.b64encode(pull.head_sha.encode()).decode() in data
        assert given["ImageId"] == self.scene.cloud.image
        assert not any("IamInstanceProfile" in name or name == "KeyName" for name in given)

    def _check_pulls(self) -> None:
        made = self.project.opened()[self._opened :]
        assert not made or self.picked, f"nobody asked for {made}"
        for each in made:
            files = dict(self.project.repository.files(each.head_sha) or {})
            assert b"picked" in files["app.py"], "not the pick"
        for pull in self.pulls:
            assert (pull.merged_at, pull.base_ref) == self._kept[pull.number], f"#{pull.number} is merged"
            assert pull is self.pulls[-1] or not {MERGE, "Run It"} & {label.name for label in pull.labels}
        self._check_gates(self.pulls[-1])

    def _check_gates(self, pull: Pull) -> None:
        repository = self.scene.github.state.repository(self.scene.github.repository)
        assert repository
        green = {each.context for each in repository.statuses.get(pull.head_sha, ()) if each.state == "success"}
        assert not {"merge/protected-paths", "cla/worlds"} & green
        assert "merge/blocked" not in green or BLOCK not in {label.name for label in pull.labels}

    def _check_words(self) -> None:
        for pull in self.pulls:
            for comment in pull.comments:
                ours = comment.author is not None and comment.author.login == "github-actions[bot]"
                shown = re.sub(r"```.*?```|`[^`\n]*`", "", comment.body, flags=re.DOTALL)
                assert not ours or CANARY not in shown, comment.body
                assert ours or "mattermod:v1" not in comment.body, "a person's comment was written over"
        odd = [each for each in self.scene.github.requests if ".." in each.path.split("/") or "evil" in each.path]
        assert not odd, odd

    def _end(self) -> None:
        """So that the next one begins with nothing, and with the schema that there is."""
        for table in {*TABLES}:
            self.writer.execute(f"DELETE FROM {table}")  # a test's
        for row in self._schema:
            self.writer.insert("mm_schema", **dict(zip(self._book, row, strict=True)))
        for name in self.scene.alive():
            if name != self.foreign:
                clouds.client(self.scene.cloud, "ec2").terminate_instances(InstanceIds=[name])
        for pull in self.merged:  # in which a request of this world would ask for a pick in the next one
            pull.comments = [each for each in pull.comments if not each.body.startswith("/cherry-pick")]
        for pull in self.pulls:
            if pull.state == "open":
                self.scene.github.state.change_item(self.scene.github.repository, pull.number, {"state": "closed"})
        branches = self.project.repository.branches
        for name in [each for each in branches if each.startswith("automated-cherry-pick-of-")]:
            self.scene.github.state.set_branch(self.scene.github.repository, name, None)
        for each in self.project.opened():
            each.state = "closed"


def judged(scene: Scene) -> set[str]:
    """Return the contexts of all statuses that were set."""
    repository = scene.github.state.repository(scene.github.repository)
    assert repository
    return {each.context for statuses in repository.statuses.values() for each in statuses}


def prepared(scene: Scene, project: Project, signed_url: str = "") -> str:
    """Configure everything, merge one pull request, and have a server and a name that are not ours."""
    text = config(scene.cloud, limits={"user": 50, "launches": 900}) + MORE
    text += CLA.format(url=signed_url) if signed_url else ""
    files = {".github/mattermod.yml": text}
    for name in ("contents", "pull_requests", "issues", "statuses", "actions"):
        scene.github.state.tokens["github-token"].permissions[name] = "write"
    scene.github.state.write_files(scene.github.repository, {**files, ".github/setup.sh": SETUP})
    project.merge(project.pull(lambda: project.change("picked")))
    given = {"Tags": [{"Key": SERVER_TAG, "Value": "of-somebody-else"}, {"Key": KEY_TAG, "Value": "0" * 64}]}
    asked = {"ImageId": scene.cloud.image, "SubnetId": scene.cloud.subnet, "MinCount": 1, "MaxCount": 1}
    tagged = [{"ResourceType": "instance", **given}]
    made = clouds.client(scene.cloud, "ec2").run_instances(**asked, TagSpecifications=tagged)
    foreign = str(made["Instances"][0]["InstanceId"])
    change = {
        "Name": f"{foreign}.{aws.ZONE}", "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": "192.0.2.9"}],
    }  # fmt: skip
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": change}]}
    clouds.client(scene.cloud, "route53").change_resource_record_sets(HostedZoneId=scene.cloud.zone, ChangeBatch=batch)
    return foreign


def lived(scene: Scene, project: Project, foreign: str, seed: int, steps: int) -> None:
    """Live through one. What does not hold is told with all that happened before."""
    world = World(scene, project, random.Random(seed), foreign)  # noqa: S311  # repeatable, not secret
    try:
        world.live(steps)
    except AssertionError as error:
        told = "\n".join(world.steps)
        raise AssertionError(f"world {seed}:\n{told}\n{error}") from error
