"""What plans may read beyond their event, read when it is asked for and once in a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from mattermod_action.errors import Incomplete, Mistake, Offline, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mattermod_action.adapters.cla_list import Reading
    from mattermod_action.approvals import Approval, Push
    from mattermod_action.events import PullRequest, Repository, Subject
    from mattermod_action.merging import Candidate
    from mattermod_action.picks import Fate, Row
    from mattermod_action.ports import Activity, Authorship, ChangedFile, Clock, Origin
    from mattermod_action.servers import Row as ServerRow
    from mattermod_action.world import World

# The most that GitHub lists: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
FILES_LISTED = 3_000
ASKED_AT_ONCE = 100  # runs of workflows that one sweep asks after
PICKED_AT_ONCE = 50  # pull requests that one sweep goes on picking
PICKS_LOOKED_AT = 50  # open pull requests of picks that a sweep asks for, all in one call
PICKS_WORKED_OUT = 10  # of those which are read by themselves, for GitHub to work out whether they can be merged
PICKS_KEPT_UP = 60 * 86_400.0  # seconds after which what is still open is not asked for any more
SERVED_AT_ONCE = 100  # test servers that one sweep looks at
ASKED_FOR = 7 * 86_400.0  # seconds after which a run that has not ended is asked after no more
WHOLE_RUN = 86_400.0  # seconds; no run takes as long
MERGING = "auto_merge"  # the feature whose label approves a merge
NOBODY = "nobody <nobody@example.com>"  # who commits what is thrown away
T = TypeVar("T")
# What each role may do includes what those before it may.
ROLES = ("none", "read", "triage", "write", "maintain", "admin")


def at_least(role: str, level: str) -> bool:
    """Whether `role` is `level` or more; a role that is not known is nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(level)


class Replayed(Generic[T]):
    """A list that is read once, as far as somebody looks; whatever stops the reading stops everybody who looks on."""

    def __init__(self, source: Iterator[T]) -> None:
        self._source, self._seen = source, list[T]()
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[T]:
        at = 0
        while at < len(self._seen) or self._reads_on():
            yield self._seen[at]
            at += 1

    def _reads_on(self) -> bool:
        if self._error:
            raise self._error
        try:
            self._seen.append(next(self._source))
        except StopIteration:
            return False
        except Exception as error:
            self._error = error
            raise
        return True


class LiveFacts:
    """The `Facts` port of ports.py, from GitHub as it is now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._roles: dict[tuple[int, str], tuple[str, datetime]] = {}
        self._lists: dict[str, Reading] = {}
        self._listed: dict[tuple[int, str], Candidate] = {}
        self.pull = cache(self._pull)  # a method's cache would outlive its run
        self.files = cache(self._files)
        self.authors = cache(self._authors)
        self._statuses = cache(self._read_statuses)
        self.candidates = cache(self._candidates)
        self.pushes = cache(self._pushes)
        self.is_base_merge = cache(self._is_base_merge)
        self.has_checks = cache(self._has_checks)
        self.parent = cache(self._parent)

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

    def origin(self, key: str) -> Origin | None:
        return self._world.store.origin(key)

    def picks(self, subject: Subject) -> Sequence[Row]:
        return self._world.store.picks(subject)

    def lacking(self, pull: PullRequest, *, skip_merges: bool) -> Sequence[str]:
        from mattermod_action.picks import lacking, original_of  # only those who ask pay for it

        original = replace(pull, number=original_of(pull.ref))
        source = self._world.github.source(original, "", (), opened=(pull.number,), commits=True)
        try:
            return lacking(source, pull.number, skip_merges=skip_merges) if source and source.pull.merged else ()
        except Refused as refusal:
            raise Incomplete(str(refusal)) from refusal

    def picks_now(self, subject: Subject, conflict_label: str) -> Sequence[Row]:
        from mattermod_action.picks import as_it_is  # only those who ask pay for it

        rows = self.picks(subject)
        opened = [row.pull_number for row in rows if row.pull_number]
        source = self._world.github.source(subject, "", (), opened=opened) if opened else None
        return [replace(row, reason=as_it_is(row, source, conflict_label)) for row in rows] if source else rows

    def changed_picks(self, repository: Repository) -> Sequence[PullRequest]:
        known = self._world.store.open_picks(repository, PICKS_KEPT_UP, PICKS_LOOKED_AT)
        numbers = [row.pull_number for _, row in known if row.pull_number]
        fates = self._fates(repository, numbers) if numbers else {}
        stale = [number for number, row in known if (fate := fates.get(row.pull_number or 0)) and fate.is_news(row)]
        pulls = (self.pull(repository, number) for number in dict.fromkeys(stale[:PICKED_AT_ONCE]))
        return [pull for pull in pulls if pull]

    def _fates(self, repository: Repository, numbers: Sequence[int]) -> Mapping[int, Fate]:
        """GitHub works out whether one can be merged when it is read by itself.

        https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
        """
        found = self._world.picking.fates(repository, numbers)
        unknown = [number for number, fate in found.items() if fate.is_unknown][:PICKS_WORKED_OUT]
        for number in unknown:
            self._world.github.pull(repository, number)
        return {**found, **self._world.picking.fates(repository, unknown)} if unknown else found

    def due_picks(self, repository: Repository) -> Sequence[PullRequest]:
        due = self._world.store.due_picks(repository, PICKED_AT_ONCE)
        pulls = (self.pull(replace(repository, id=repository_id), number) for repository_id, number in due)
        return [pull for pull in pulls if pull]

    def servers(self, subject: Subject) -> Sequence[ServerRow]:
        return self._world.store.servers_of(subject)

    def due_servers(self, repository: Repository) -> Sequence[ServerRow]:
        return self._world.store.due_servers(repository, SERVED_AT_ONCE)

    def unanswered(self, repository: Repository, feature: str) -> Sequence[Origin]:
        return self._world.store.unanswered(repository, feature, ASKED_AT_ONCE, ASKED_FOR)

    def conclusion(self, url: str) -> str:
        return self._world.github.ended(url)

    def now(self) -> datetime:
        return self._clock.now()

    def actors(self) -> tuple[str, ...]:
        """https://docs.github.com/en/actions/reference/workflows-and-actions/variables (GITHUB_TRIGGERING_ACTOR)."""
        return () if self._world.first_attempt else tuple(filter(None, (self._world.inputs.triggering_actor,)))

    @property
    def _clock(self) -> Clock:
        return self._world.clock

    def _pull(self, repository: Repository, number: int) -> PullRequest | None:
        return self._world.github.pull(repository, number)

    def _files(self, pull: PullRequest) -> Iterable[ChangedFile]:
        return Replayed(self._world.github.files(pull))

    def text_of(self, pull: PullRequest, path: str) -> str | None:
        return self._world.github.text_of(pull, path)

    def is_scarce(self) -> bool:
        return self._world.calls.is_scarce

    def verdict(self, repository: Repository, sha: str, context: str) -> tuple[str, str] | None:
        found = self._statuses(repository, sha).get(context)
        return found[:2] if found else None

    def _read_statuses(self, repository: Repository, sha: str) -> Mapping[str, tuple[str, str, str]]:
        return self._world.github.statuses(repository, sha)

    def _candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        """A sweep has seen all that are open already: what none of them carries is not asked for."""
        seen = self._world.open_labels.get(repository.id)
        if seen is not None and label.casefold() not in seen:
            return ()
        found = self._world.github.candidates(repository, label)
        self._listed |= {(each.pull.number, label): each for each in found}
        return found

    def candidate(self, pull: PullRequest, label: str) -> Candidate | None:
        """What a list has said already is believed; what GitHub had not worked out for the list is asked for alone."""
        listed = self._listed.get((pull.number, label))
        if listed and listed.is_known:
            return listed
        return self._world.github.candidate(pull.repository, pull.number, label)

    def approval(self, pull: PullRequest, label: str) -> Approval | None:
        """Only of a database: a file of a runner may be anybody's. A schema one step older has no such table."""
        if not self._world.durable:
            return None
        try:
            return self._world.store.approval(pull, MERGING, label)
        except Mistake:
            return None

    def noted_at(self, pull: PullRequest, sha: str) -> Approval | None:
        return None if self._world.durable else self._world.github.noted_at(pull.repository, sha)

    def _pushes(self, pull: PullRequest) -> Sequence[Push] | None:
        return self._world.github.pushes(pull)

    def _has_checks(self, repository: Repository, base: str) -> bool:
        return self._world.github.has_checks(repository, base)

    def _parent(self, repository: Repository, base: str) -> int:
        """Most bases are the default branch, which is never stacked, whatever pull request it is the head of."""
        return 0 if base == repository.default_branch else self._world.github.parent(repository, base)

    def waits_until(self) -> datetime:
        return self._world.waits_until

    def _is_base_merge(self, pull: PullRequest, sha: str, before: str) -> bool:
        git = self._world.git(NOBODY, lambda: None)
        try:
            return git.is_merge(
                pull.repository, sha, before, lambda other: self._world.github.forked_at(pull, before, other)
            )
        except Refused:  # a commit that is gone
            return False

    def keeps_a_ledger(self) -> bool:
        return self._world.durable

    def is_updated(self, repository: Repository, base: str) -> bool:
        return (repository.id, base) in self._world.updated

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:
        found = self._world.github.activities(subjects, label)
        return {number: self._with_known(each) for number, each in found.items()}

    def _with_known(self, each: Activity) -> Activity:
        """A marker that does not count by itself counts where a row names its comment."""
        if not any(notice.address for notice in each.notices):
            return each
        known = self._world.store.results(each.subject)
        return replace(each, notices=tuple(one for one in each.notices if not one.address or one.address in known))

    def last_swept(self, repository: Repository) -> datetime | None:
        return self._world.last_swept.get(repository.full_name.casefold())

    def _authors(self, pull: PullRequest) -> Sequence[Authorship]:
        return self._world.github.authors(pull)

    def is_first(self, pull: PullRequest) -> bool:
        return self._world.github.is_first(pull)

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:
        from mattermod_action.adapters.cla_list import Reading

        if url not in self._lists:
            self._lists[url] = Reading(url, self._world)
        return self._lists[url].names(seconds)


class NoFacts:
    """Facts of a plan that is made offline: a feature that needs one is skipped, and says so."""

    def role(self, repository: Repository, login: str) -> str:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to ask who may do what")

    def role_now(self, repository: Repository, login: str, seconds: float) -> str:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to ask who may do what")

    def pull(self, repository: Repository, number: int) -> PullRequest | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the pull request")

    def origin(self, key: str) -> Origin | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what a key stands for")

    def unanswered(self, repository: Repository, feature: str) -> Sequence[Origin]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was started")

    def picks(self, subject: Subject) -> Sequence[Row]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was asked for")

    def lacking(self, pull: PullRequest, *, skip_merges: bool) -> Sequence[str]:  # noqa: ARG002  # the port's signature
        return ()  # asked only after `files`

    def picks_now(self, subject: Subject, conflict_label: str) -> Sequence[Row]:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the pull requests")

    def changed_picks(self, repository: Repository) -> Sequence[PullRequest]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was asked for")

    def due_picks(self, repository: Repository) -> Sequence[PullRequest]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was asked for")

    def servers(self, subject: Subject) -> Sequence[ServerRow]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was asked for")

    def due_servers(self, repository: Repository) -> Sequence[ServerRow]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was asked for")

    def conclusion(self, url: str) -> str:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to ask after a workflow")

    def now(self) -> datetime:
        raise Offline("needs the time")

    def files(self, pull: PullRequest) -> Iterable[ChangedFile]:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read which files are changed")

    def text_of(self, pull: PullRequest, path: str) -> str | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read a file")

    def is_scarce(self) -> bool:
        return False

    def verdict(self, repository: Repository, sha: str, context: str) -> tuple[str, str] | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read what was said of a commit")

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read who made the commits")

    def is_first(self, pull: PullRequest) -> bool:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read which pull requests there are")

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the pull requests")

    def candidate(self, pull: PullRequest, label: str) -> Candidate | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the pull request")

    def approval(self, pull: PullRequest, label: str) -> Approval | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know what was approved")

    def noted_at(self, pull: PullRequest, sha: str) -> Approval | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the statuses")

    def pushes(self, pull: PullRequest) -> Sequence[Push] | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read who pushed")

    def has_checks(self, repository: Repository, base: str) -> bool:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the commits")

    def parent(self, repository: Repository, base: str) -> int:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read which pull requests there are")

    def waits_until(self) -> datetime:
        raise Offline("needs the time")

    def is_base_merge(self, pull: PullRequest, sha: str, before: str) -> bool:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the commits")

    def keeps_a_ledger(self) -> bool:
        return True

    def is_updated(self, repository: Repository, base: str) -> bool:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read the pull request")

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:  # noqa: ARG002  # the port's signature
        raise Offline("needs a token, to read what people have done")

    def last_swept(self, repository: Repository) -> datetime | None:  # noqa: ARG002  # the port's signature
        raise Offline("needs the store, to know when it was swept")

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:  # noqa: ARG002  # the port's signature
        raise Offline("needs the network, to read the list of those who signed")

    def actors(self) -> tuple[str, ...]:
        return ()
