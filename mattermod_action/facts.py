"""What plans may read beyond their event, read when it is asked for and once in a run."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from mattermod_action.errors import FactUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.adapters.cla_list import Reading
    from mattermod_action.events import MergeGroupSeen, PullRequest, Repository, Subject
    from mattermod_action.merging import Candidate
    from mattermod_action.ports import Authorship, ChangedFile, Clock
    from mattermod_action.world import World

# The most that GitHub lists: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
FILES_LISTED = 3_000
WHOLE_RUN = 86_400.0  # seconds; no run takes as long
# What each role may do includes what those before it may.
ROLES = ("none", "read", "triage", "write", "maintain", "admin")


def at_least(role: str, level: str) -> bool:
    """Whether `role` is `level` or more; a role that is not known is nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(level)


class LiveFacts:
    """The `Facts` port of ports.py, from GitHub as it is now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._roles: dict[tuple[int, str], tuple[str, datetime]] = {}
        self.pull = cache(self._pull)  # a method's cache would outlive its run
        self.pull_of = cache(self._pull_of)
        self.files = cache(self._files)
        self.authors = cache(self._authors)
        self.is_first = cache(self._is_first)
        self._lists: dict[str, Reading] = {}
        self.candidates = cache(self._candidates)
        self._listed: dict[tuple[int, str], Candidate] = {}

    def role(self, repository: Repository, login: str) -> str:
        return self.role_now(repository, login, WHOLE_RUN)

    def role_now(self, repository: Repository, login: str, seconds: float) -> str:
        """The role as it was read at most `seconds` ago."""
        key, now = (repository.id, login.casefold()), self._clock.now()
        role, at = self._roles.get(key, ("", datetime.min))  # noqa: DTZ901  # naive UTC, as everywhere
        if now - at > timedelta(seconds=seconds):
            role = self._world.github.role(repository, login)
            self._roles[key] = (role, now)
        return role

    def actors(self) -> tuple[str, ...]:
        """https://docs.github.com/en/actions/reference/workflows-and-actions/variables (GITHUB_TRIGGERING_ACTOR)."""
        return () if self._world.first_attempt else tuple(filter(None, (self._world.inputs.triggering_actor,)))

    @property
    def _clock(self) -> Clock:
        return self._world.clock

    def _pull(self, subject: Subject) -> PullRequest | None:
        return self._world.github.pull(subject.repository, subject.number)

    def _pull_of(self, group: MergeGroupSeen) -> PullRequest | None:
        return self._world.github.pull(group.repository, group.number)

    def _files(self, pull: PullRequest) -> Sequence[ChangedFile]:
        return self._world.github.files(pull)

    def _candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        found = self._world.github.candidates(repository, label)
        self._listed |= {(each.pull.number, label): each for each in found}
        return found

    def candidate(self, pull: PullRequest, label: str) -> Candidate | None:
        """What a list has said already is believed; what GitHub had not worked out for the list is asked for alone."""
        listed = self._listed.get((pull.number, label))
        if listed and listed.is_known:
            return listed
        return self._world.github.candidate(pull.repository, pull.number, label)

    def _authors(self, pull: PullRequest) -> Sequence[Authorship]:
        return self._world.github.authors(pull)

    def _is_first(self, pull: PullRequest) -> bool:
        return self._world.github.is_first(pull)

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:
        from mattermod_action.adapters.cla_list import Reading

        if url not in self._lists:
            self._lists[url] = Reading(url, self._world)
        return self._lists[url].names(seconds)


class NoFacts:
    """Facts of a plan that is made offline: a feature that needs one is skipped, and says so."""

    def role(self, repository: Repository, login: str) -> str:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to ask who may do what")

    def role_now(self, repository: Repository, login: str, seconds: float) -> str:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to ask who may do what")

    def pull(self, subject: Subject) -> PullRequest | None:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read the pull request")

    def pull_of(self, group: MergeGroupSeen) -> PullRequest | None:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read the pull request")

    def files(self, pull: PullRequest) -> Sequence[ChangedFile]:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read which files are changed")

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read who made the commits")

    def is_first(self, pull: PullRequest) -> bool:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read which pull requests there are")

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read the pull requests")

    def candidate(self, pull: PullRequest, label: str) -> Candidate | None:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs a token, to read the pull request")

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:  # noqa: ARG002  # the port's signature
        raise FactUnavailable("needs the network, to read the list of those who signed")

    def actors(self) -> tuple[str, ...]:
        return ()
