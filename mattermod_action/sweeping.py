"""What a schedule does: every open item of every repository in its scope is compared with what is stored.

What nobody listened to is found so: items that were opened, labelled, pushed to or closed meanwhile are planned on by
the same features, once. A repository that is swept for the first time is only written down: of what was there before
nothing is answered, unless `backfill` says so. Each page is noted when it is done, so that a sweep that stops is
continued.

Each repository has its share of the time, and each item of its repository's; what is noted before it begins keeps
whatever kills a sweep from killing the next (turns.py).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

from mattermod_action import events, shares
from mattermod_action.effects import Once
from mattermod_action.errors import Late, Limited, MattermodError, Mistake
from mattermod_action.events import PullRequest, Repository, Tick
from mattermod_action.facts import NoFacts
from mattermod_action.leases import take
from mattermod_action.ledger import BASELINE
from mattermod_action.planning import look_over, looks_over, make_plan
from mattermod_action.sweeps import Place, Progress, Swept, Tally
from mattermod_action.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mattermod_action.events import Event, Seen, Subject
    from mattermod_action.leases import Lease
    from mattermod_action.planning import Plan
    from mattermod_action.running import Run
    from mattermod_action.sweeps import Page, Stored
    from mattermod_action.world import World

LEASE = 300.0  # seconds that a page may take, with all that follows from it
LEAST = timedelta(seconds=60)  # that a repository has, however many there are
GRACE = timedelta(seconds=120)  # for what was begun in time; then nothing more is asked for that repository
ITEM = 60.0  # seconds after which nothing more is asked for an item that was found changed
TOLERATED = timedelta(hours=1)  # by which a database's clock may be ahead of a runner's
TENTH = 0.1
GONE_AT_ONCE = 200  # items that are not open any more, and are looked at by one sweep
NOTHING = Place()
MISSED = "missed"  # the part of a sweep that finds what nobody listened to
# What comes of a repository.
DONE, LEFT, HELD, FAILED = "done", "left to the next sweep", "another sweep is at it", "failed"
NO_CONFIG, ARCHIVED = "has no configuration", "is archived"
UNLISTED = "is not listed: it is archived, has another name or owner, or is gone, or `github-token` may not see it"


class Sweep:
    """One sweep; `run_with` makes a run of another configuration."""

    def __init__(self, world: World, scope: Scope, run_with: Callable[[Any], Run]) -> None:
        self._world, self._scope, self._run_with = world, scope, run_with
        self._until = world.clock.now() + scope.lasts
        self.tallies: list[Tally] = []
        self.is_short = False  # of points
        self.limit: Limited | None = None  # of GitHub, which ends it

    def go(self, home: Repository, config: Any) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what is to be done for each repository, by its name, those that were not swept for longest first."""
        found = self._listed(home)
        for nth, each in enumerate(found):
            self.tallies.append(Tally(each.full_name))
            if self.limit or self.is_short or self._world.clock.now() > self._until:
                self.tallies[-1].outcome = LEFT
            else:
                mine = config if each.full_name.casefold() == home.full_name.casefold() else None
                until = self._share_of(len(found) - nth)
                yield each.full_name, lambda each=each, mine=mine, until=until: self._sweep(each, mine, until)  # type: ignore[misc]  # called at once

    def _share_of(self, repositories: int) -> datetime:
        """Divide what is left; what one does not need is there for those after it."""
        now = self._world.clock.now()
        return now + max(min(LEAST, self._scope.lasts), (self._until - now) / repositories)

    def _listed(self, home: Repository) -> list[Repository]:
        try:
            found = self._scope.repositories(self._world, home)
        except Limited as limit:
            self.limit = limit
            return []
        self.tallies += [Tally(name, outcome=UNLISTED) for name in self._scope.missing(found)]
        return found

    def _sweep(self, place: Repository, config: Any, until: datetime) -> None:
        """One at a time; another sweep that is at it is left to it."""
        tally, began = self.tallies[-1], self._world.clock.now()
        lease = take(self._world.store, f"sweep {place.full_name.casefold()}", ttl=LEASE)
        if lease is None:
            tally.outcome = HELD
            return
        try:
            if place.id:
                self._world.store.note_attempt(place)
            with shares.share((until + GRACE - began).total_seconds()):
                tally.outcome = self._held(place, config, lease, until)
        except Late:
            tally.outcome = LEFT
        except Limited as limit:  # its place is kept, and so is what it has not done
            self.limit, tally.outcome = limit, LEFT
        finally:
            self._note_page_sizes(place)
            tally.outcome = tally.outcome or FAILED
            tally.seconds = (self._world.clock.now() - began).total_seconds()
            lease.give_back()

    def _note_page_sizes(self, place: Repository) -> None:
        """A repository whose pages were too large is read by smaller ones from now on, also where none was answered."""
        news = self._world.github.page_sizes.news(place.full_name, self._world.clock.now())
        if news and place.id:
            with suppress(MattermodError):  # the next sweep learns it anew
                self._world.store.note_page_sizes(place, news)

    def _held(self, place: Repository, config: Any, lease: Lease, until: datetime) -> str:
        """Return what came of it."""
        progress = self._world.store.progress(place) if place.id else None
        if progress:
            self._world.github.page_sizes.recall(place.full_name, progress.page_sizes, self._world.clock.now())
            progress = progress if self._world.sweeps(MISSED) else None
        after = progress.place if progress else NOTHING
        one: OfRepository | None = None
        for page in self._world.github.open_items(place, self._world.inputs.config, after):
            if one is None:
                one = self._begin(page, config, until, continued=after != NOTHING)
                if one is None:
                    return ARCHIVED if page.is_archived else NO_CONFIG
            lease.check()
            one.compare(page)
            if not one.reads_on:
                break
            if self._is_over(page, until) and not page.after.is_end:
                return LEFT
        if one:
            one.end(complete=after == NOTHING)
        return DONE

    def _begin(self, page: Page, config: Any, until: datetime, *, continued: bool) -> OfRepository | None:
        """A repository of others has its own configuration, or is left alone."""
        from mattermod_action.config import load

        file, here = self._world.inputs.config, page.repository
        if page.is_archived or (config is None and page.configuration is None):
            return None
        if config is None:
            try:
                config = _without_chat(load(page.configuration or "", file).config)
            except Mistake as mistake:
                raise Mistake("\n".join(f"{here.full_name}: {line}" for line in str(mistake).splitlines())) from mistake
        progress = self._started(here, continued=continued)
        if progress is None:
            return None
        run = self._run_with(config)
        note = partial(self._world.store.note_busy, here)
        run.turn = Turn(progress.busy_with, progress.read_at, note, partial(run.leave_out, here))
        run.until = until
        return OfRepository(run, here, progress, self.tallies[-1])

    def _started(self, here: Repository, *, continued: bool) -> Progress | None:
        """What is known of a repository stays known when it gets another name or owner."""
        store = self._world.store
        known = store.progress(here)
        if not self._world.sweeps(MISSED) or (continued and known is None):
            return known or Progress(NOTHING, None, None, self._world.clock.now(), here.full_name)
        if known and known.repository.casefold() != here.full_name.casefold():
            store.rename(known.repository, here)
        if not continued:
            store.begin_sweep(here)
        return store.progress(here)

    def foresee(self, home: Repository, config: Any) -> Iterator[tuple[Run, Event]]:
        """Yield what would be planned on; nothing is noted anywhere."""
        for each in self._listed(home):
            self.tallies.append(Tally(each.full_name))
            mine = config if each.full_name.casefold() == home.full_name.casefold() else None
            one: OfRepository | None = None
            for page in self._world.github.open_items(each, self._world.inputs.config, NOTHING):
                one = one or self._begin(page, mine, self._until, continued=True)
                if one is None:
                    break
                for event in one.foresee(page):
                    yield one.run, event

    def _is_over(self, page: Page, until: datetime) -> bool:
        kept = self._scope.reserve or page.points_limit * TENTH
        self.is_short = self.is_short or (page.points_left is not None and page.points_left < kept)
        return self.is_short or self._world.clock.now() > until


class OfRepository:
    """What a sweep does in one repository."""

    def __init__(self, run: Run, here: Repository, progress: Progress, tally: Tally) -> None:
        self.run, self._here, self._tally = run, here, tally
        self._world, self._config, self._store = run.world, run.config, run.world.store
        self._due: list[Event] = []
        self._began = progress.started_at or progress.read_at
        self._world.last_swept[here.full_name.casefold()] = progress.completed_at
        self._is_first = progress.completed_at is None
        self._labels: set[str] = set()
        self._limit: Limited | None = None
        self._missed = self._world.sweeps(MISSED)
        self._has_begun = False

    @property
    def reads_on(self) -> bool:
        """Whether more than the first page is of use."""
        return self._missed or looks_over(self._config)

    def compare(self, page: Page) -> None:
        """Raises Limited when GitHub has stopped us: then the page is not done."""
        self._labels |= {label.casefold() for pull in page.pulls for label in pull.labels}
        self._tally.points += page.points
        for items in (page.pulls, page.issues):
            self._tally.looked_at += len(items)
            if self._missed:
                self._compare(items)
            self._due += look_over(items, self._config, self._world.facts)
        if self._limit:
            raise self._limit
        self.run.turn.end()
        if self._missed and not page.after.is_end:  # of that the end is noted, once it is reached
            self._store.note_sweep(self._here, page.after)

    def _compare(self, items: Sequence[Subject]) -> None:
        stored = self._store.stored(items)
        seen = self._news(items, stored)
        if self._only_writes_down:
            self._write_down([item for item in items if not _is_known(stored, item)])
        order = self.run.turn.last([f"#{event.subject.number}" for event in seen])
        failed = {seen[at].subject.number for at in order if not self._is_done(seen[at])}
        self._tally.changed += len(seen)
        self._tally.failed += len(failed)
        other = [item for item in items if not _is_known(stored, item) or _is_newer(item, stored[item.number])]
        self._store.remember_all([item for item in other if item.number not in failed])
        self._store.mark_swept(items, self._began)

    @property
    def _only_writes_down(self) -> bool:
        return self._is_first and not self._config.backfill

    def _news(self, items: Sequence[Subject], stored: dict[int, Stored]) -> list[Seen]:
        new = [] if self._only_writes_down else [_opened(item) for item in items if not _is_known(stored, item)]
        known = [item for item in items if _is_known(stored, item)]
        changed = [item for item in known if _is_newer(item, stored[item.number])]
        return new + [_changed(item, stored[item.number]) for item in changed]

    def foresee(self, page: Page) -> Iterator[Event]:
        for items in (page.pulls, page.issues):
            yield from self._news(items, self._store.stored(items)) if self._missed else ()
            yield from look_over(items, self._config, self._world.facts)

    def _is_done(self, event: Seen) -> bool:
        """Handle it, and say whether all of it went well: what did not is found again by the next sweep."""
        plans: list[Plan] = []
        self._try(lambda: plans.append(self.run.bot.handle(event)), event.subject.number)
        for failure in plans[0].failures if plans else ():
            self._limit = failure if isinstance(failure, Limited) and not self._is_items(failure) else self._limit
        return bool(plans) and plans[0].is_done

    def _try(self, act: Callable[[], None], number: int) -> None:
        """One item's failure stops no other; but once GitHub has stopped us, nothing more is asked of it."""
        if self._limit is None and self._has_begun and self._world.clock.now() > self.run.until:
            self._limit = Late()
        if self._limit is None:
            self._has_begun = True  # one at least, or a slow repository would never come to its end
            where = f"{self._here.full_name}#{number}"
            self.run.turn.take(f"#{number}", lambda: self.run.alone(lambda: self._unless_limited(act), where))

    def _unless_limited(self, act: Callable[[], None]) -> None:
        try:
            with shares.share(ITEM):
                act()
        except Limited as limit:
            if not self._is_items(limit):
                self._limit = limit

    def _is_items(self, limit: Limited) -> bool:
        """Whether an item alone has taken too long, and the next has its turn."""
        return isinstance(limit, Late) and self._world.clock.now() <= self.run.until

    def _write_down(self, items: Iterable[Subject]) -> None:
        """Of what was there before, nothing is said later on; what features would have to ask for is not asked."""
        old = [effect for item in items for effect in self._wishes(item)]
        if old:
            self._store.note(old, BASELINE, max(effect.subject.updated_at for effect in old))

    def _wishes(self, item: Subject) -> list[Once]:
        plan = make_plan(events.resumed(item), self._config, NoFacts())
        return [effect for effect in plan.effects if isinstance(effect, Once)]

    def end(self, *, complete: bool) -> None:
        """What is not open any more is looked at by itself; then what a schedule does besides. Raises Limited."""
        if complete:
            self._world.open_labels[self._here.id] = frozenset(self._labels)
        missed = self._store.unswept(self._here, self._began, GONE_AT_ONCE) if self._missed else []
        for number in missed:
            self._try(lambda number=number: self._gone(number), number)  # type: ignore[misc]  # called at once
        if self._limit:
            raise self._limit
        if self._missed:
            self._store.end_sweep(self._here)
        self.run.tick(Tick(self._here), self._due)
        self.run.turn.end()

    def _gone(self, number: int) -> None:
        item = self._world.github.item(self._here, number)
        if item is None or item.number != number:  # deleted, or transferred to where it has another number
            self._store.retire(self._here, number)
        elif item.state == "open":
            self._store.mark_swept([item], self._began)
        elif self._is_done(events.caught_up(item, "closed")):
            self._store.remember_all([item])


def _without_chat(config: Any) -> Any:
    """Its own runs have an address of a chat, if any: this run's is of whoever runs the sweep."""
    return config.model_copy(update={"chat": None, "translations": None})


def _is_known(stored: dict[int, Stored], item: Subject) -> bool:
    return item.number in stored and stored[item.number].seen_at is not None


def _is_newer(item: Subject, row: Stored) -> bool:
    """GitHub's times are whole seconds, in each of which more than one thing may happen."""
    if row.seen_at is None or item.updated_at < row.seen_at:
        return False
    same = set(item.labels) == set(row.labels) and getattr(item, "sha", "") == row.sha
    return item.updated_at > row.seen_at or not same


def _opened(item: Subject) -> Seen:
    return events.caught_up(item, events.OPENED)


def _changed(item: Subject, row: Stored) -> Seen:
    """What its labels have lost and got is news; and a push, which asks for more than that."""
    before, now = ({label.casefold(): label for label in labels} for labels in (row.labels, item.labels))
    news = [events.label_cause(label) for label in now.keys() - before.keys()]
    news += [events.unlabel_cause(label) for label in before.keys() - now.keys()]
    pushed = isinstance(item, PullRequest) and row.sha not in ("", item.sha)
    return events.caught_up(item, "synchronize" if pushed else events.RESUMED, tuple(news))


def _turn_of(swept: Swept, latest: datetime) -> datetime:
    """When it had its last turn, also where that was cut short; a time that has not come yet says nothing."""
    times = [at for at in (swept.attempted_at, swept.completed_at) if at and at <= latest]
    return max(times, default=datetime.min)  # noqa: DTZ901  # naive UTC, as everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which repositories are swept: by patterns of OWNER/NAME (`!` takes out again); of these one shard of several.

    Nothing new is begun after it `lasts` so long, nor when fewer of the hour's points are left than `reserve`, or, if
    that is 0, than a tenth of them.
    """

    patterns: tuple[str, ...] = ()
    shard: tuple[int, int] = (1, 1)
    lasts: timedelta = timedelta(minutes=10)
    reserve: int = 0

    def repositories(self, world: World, home: Repository) -> list[Repository]:
        found = list(self._listed(world)) if self.patterns else [home]
        mine = [each for each in found if self.is_mine(each.full_name)]
        if not world.is_private:  # whoever reads the log of a public repository need not know of private ones
            names = {each.full_name for each in mine if each.private}
            world.hidden.names |= {name for name in names if name.casefold() != home.full_name.casefold()}
        swept = world.store.last_swept([each.id for each in mine])
        never = Swept(None, None)
        world.last_swept |= {each.full_name.casefold(): swept.get(each.id, never).completed_at for each in mine}
        latest = world.clock.now() + TOLERATED
        return sorted(mine, key=lambda each: (_turn_of(swept.get(each.id, never), latest), each.id))

    def _listed(self, world: World) -> Iterator[Repository]:
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        owners = {pattern.partition("/")[0].casefold(): pattern.partition("/")[0] for pattern in wanted}
        for owner in owners.values():
            for each in world.github.owned(owner):
                if self._takes(each.full_name):
                    yield each

    def missing(self, found: Sequence[Repository]) -> list[str]:
        """Which of those that are named without a wildcard are not among those that were found."""
        names = {each.full_name.casefold() for each in found}
        plain = [pattern for pattern in self.patterns if not set(pattern) & set("!*?[")]
        return [name for name in plain if self._takes(name) and self.is_mine(name) and name.casefold() not in names]

    def _takes(self, full_name: str) -> bool:
        """The last pattern that fits decides."""
        takes, name = False, full_name.casefold()
        for pattern in self.patterns:
            if fnmatchcase(name, pattern.removeprefix("!").casefold()):
                takes = not pattern.startswith("!")
        return takes

    def is_mine(self, full_name: str) -> bool:
        nth, of = self.shard
        return crc32(full_name.casefold().encode()) % of == nth - 1
