"""Everything outside, for one run: the one place that connects the ports to adapters, on first use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mattermod_action.errors import Mistake
from mattermod_action.figures import Calls
from mattermod_action.public import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.effects import LaunchServer
    from mattermod_action.inputs import Inputs
    from mattermod_action.origins import Said
    from mattermod_action.ports import Chat, Clock, Facts, Git, GitHub, Store
    from mattermod_action.spinmints import Builds, Servers, Web

# Events of which nobody but a writer chooses the commit that may be checked out.
OWN_TREE = ("schedule", "workflow_dispatch", "repository_dispatch")


@dataclass
class RealClock:
    offset: timedelta = field(default_factory=timedelta)
    slept: float = 0.0  # seconds, for whatever reason

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) + self.offset

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(seconds)


@dataclass
class SkippingClock(RealClock):
    """Jumps ahead instead of sleeping: for trials of one run at a time."""

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.offset += timedelta(seconds=seconds)


@dataclass
class World:
    """Everything outside, for one run. Nothing is imported or connected before it is used."""

    inputs: Inputs
    database: Database | None
    webhooks: tuple[tuple[str, str], ...] = ()  # addresses that only an original's file knows, by room
    jenkins: Any = None  # servers of Jenkins that only an original's file knows
    open_labels: dict[int, frozenset[str]] = field(default_factory=dict)  # of open pull requests, where all were seen
    updated: set[tuple[int, str]] = field(default_factory=set)  # bases that this run has merged into a branch
    heard: dict[str, LaunchServer] = field(default_factory=dict)  # requests of this run's own event, by their rows
    aliases: Mapping[str, str] = field(default_factory=dict)  # of commands, in the repository that is looked at
    said: dict[tuple[int, int], Said | None] = field(default_factory=dict)  # comments that were read again

    calls: Calls = field(default_factory=Calls)
    hidden: Hidden = field(default_factory=Hidden)
    hide: Callable[[Iterable[str]], None] = lambda _: None  # has nobody see these, from now on
    is_private: bool = False  # whether only those see the log who may see the repository, as far as the event tells
    server_warning: str = ""  # about GitHub itself
    last_swept: dict[str, datetime | None] = field(default_factory=dict)  # by names in lower case, before this sweep

    @cached_property
    def facts(self) -> Facts:
        from mattermod_action.facts import LiveFacts

        return LiveFacts(self)

    @property
    def first_attempt(self) -> bool:
        return self.inputs.run_attempt == 1

    @cached_property
    def clock(self) -> Clock:
        kind = SkippingClock if self.inputs.clock_skips else RealClock
        return kind(self.inputs.clock_offset)

    @property
    def waited(self) -> float:
        """Seconds that this run has spent on waiting."""
        return self.clock.slept if isinstance(self.clock, RealClock) else 0.0

    def sweeps(self, part: str) -> bool:
        """Whether this part of a sweep is wanted; all are where none is named."""
        return not self.inputs.sweep or part.replace("_", "-") in self.inputs.sweep

    @property
    def durable(self) -> bool:
        """Whether the store outlives its runner."""
        return self.database is not None

    @cached_property
    def store(self) -> Store:
        if self.database is not None:
            from mattermod_action.adapters.mysql import MySQLStore

            return MySQLStore(self.database, self.clock)
        from mattermod_action.adapters.sqlite import SQLiteStore

        return SQLiteStore(self.inputs.state, self.clock, self.inputs.workspace)

    @cached_property
    def github(self) -> GitHub:
        return self._github(self._token)

    @cached_property
    def picking(self) -> GitHub:
        """GitHub for cherry-picks: with a token of its own, what it opens starts workflows."""
        if not self.inputs.pick_token:
            return self.github
        return self._github(self.inputs.pick_token, name="cherry-pick-token")

    @cached_property
    def teams(self) -> GitHub:
        """GitHub for what is about teams, which GITHUB_TOKEN cannot see."""
        if not self.inputs.org_token:
            return self.github
        return self._github(self.inputs.org_token, name="org-token")

    def _github(self, token: str, **more: str) -> GitHub:
        from mattermod_action.adapters.github import PyGithubGitHub

        given, calls = self.inputs, self.calls
        made = PyGithubGitHub(
            given.api_url, token, given.bot_logins, self.clock, calls, marker_keys=given.marker_keys, **more
        )
        made.public = self.hidden.posted
        return made

    def git(self, committer: str, hold: Callable[[], None]) -> Git:
        from mattermod_action.adapters.git import Git

        return Git(self.inputs.server_url, self.inputs.pick_token or self._token, committer, self.clock, hold)

    @cached_property
    def chat(self) -> Chat:
        from mattermod_action.adapters.mattermost import Webhooks

        return Webhooks({"": self.inputs.webhook_url, **dict(self.webhooks)})

    @cached_property
    def servers(self) -> Servers:
        from mattermod_action.adapters.aws import AwsServers

        return AwsServers(self.inputs.aws_region, self.clock, hide=self.hide)

    @cached_property
    def builds(self) -> Builds:
        from mattermod_action.adapters import jenkins_servers
        from mattermod_action.adapters.jenkins import JenkinsBuilds

        given, named = self.inputs.jenkins_credentials, self.jenkins
        return JenkinsBuilds(jenkins_servers.parse(given) or jenkins_servers.from_original(named), self.clock)

    @cached_property
    def web(self) -> Web:
        from mattermod_action.adapters.web import PlainWeb

        return PlainWeb()

    @cached_property
    def waits_until(self) -> datetime:
        """When this run stops waiting for what takes its time, by its clock."""
        return self.clock.now() + timedelta(minutes=self.inputs.wait_minutes)

    def file_text(self, repository: str, name: str) -> str:
        """The text of a file that the configuration names, from the folder that the configuration is in."""
        path = (PurePosixPath(self.inputs.config).parent / name).as_posix()
        if self.inputs.config_from == "workspace":
            return self._workspace_file(path)
        return self._github_file(repository, path)

    def config_text(self, repository: str, *, by_query: bool = False) -> str:
        """The configuration file's text: from the default branch through the API, or from the workspace."""
        if self.inputs.config_from == "workspace":
            return self._workspace_file(self.inputs.config)
        return self._github_file(repository, self.inputs.config, by_query=by_query)

    def _github_file(self, repository: str, path: str, *, by_query: bool = False) -> str:
        from mattermod_action.adapters.contents import Contents

        files = Contents(self.inputs.api_url, self._token, self.clock, self.calls)
        text = (files.ask if by_query else files.read)(repository, path)
        self.server_warning = files.warning
        return text

    @property
    def odd_rows(self) -> dict[str, str]:
        """Rows of the database that cannot be ours, and why."""
        return self.store.odd if "store" in self.__dict__ else {}

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()

    @property
    def _token(self) -> str:
        if not self.inputs.token:
            raise Mistake("no token: give the input `github-token` (or GITHUB_TOKEN in the environment)")
        return self.inputs.token

    def _workspace_file(self, name: str) -> str:
        root = self.inputs.workspace.resolve()
        if self.inputs.event_name not in OWN_TREE:
            raise Mistake(
                f"input `config-from` is `workspace`, which on {self.inputs.event_name} may hold a pull request's own "
                f"tree: leave it out, so that the default branch decides (it is for {', '.join(OWN_TREE)})"
            )
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise Mistake(
                f"{name} is outside the workspace: the input `config`, and what its file names, must be in it"
            )
        return read_text(path, name)


def read_text(path: Path, name: str) -> str:
    """Read a UTF-8 file that the user named. Raises Mistake with `name` in it."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Mistake(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{name}:1: is not UTF-8 (byte {error.start})") from error
