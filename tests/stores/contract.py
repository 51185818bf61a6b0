"""What the ledger relies on, asked of every store: by `make test`, `make e2e` (MySQL 9, 5.6), `make cluster-test`."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mattermod_action.approvals import Approval
from mattermod_action.effects import Comment, Dispatch, NoteApproval
from mattermod_action.errors import Down
from mattermod_action.events import PullRequest
from mattermod_action.leases import Lease, acquire
from mattermod_action.ports import SCHEMA, Origin, Taken
from mattermod_action.world import RealClock, SkippingClock
from tests.builders import issue_seen, pull_seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from mattermod_action.events import Subject
    from mattermod_action.ports import Clock, Entry, Store

    Open = Callable[[Clock], Store]

PULL = pull_seen("A").subject
ISSUE = issue_seen("A").subject
LATER = 31.0  # seconds; a lease is 30
TTL = 30.0  # seconds


def wish(label: str = "a", subject: Subject = PULL) -> Comment:
    return Comment(subject=subject, text="Hello", once=(label, 0), cause=f"label {label}", feature="label_messages")


RUN = "https://github.com/octo-org/hello/actions/runs/1"
DAY = 86_400.0  # seconds


def dispatch(label: str = "a", subject: Subject = PULL) -> Dispatch:
    assert isinstance(subject, PullRequest)
    return Dispatch(
        subject=subject,
        label=label,
        nth=0,
        sha=subject.sha,
        base=subject.base_ref,
        at=subject.updated_at,
        target="octo-org/hello",
        once=(label,),
        feature="label_workflow",
    )


def answer(dispatched: Dispatch) -> Comment:
    once = ("ended", dispatched.key)
    return Comment(subject=PULL, text="Done", once=once, cause=dispatched.key, feature="label_workflow")


def confirm(store: Store, effect: Comment | Dispatch, result: str = RUN) -> None:
    store.claim(effect, "one")
    assert store.confirm(effect.key, "one", 1, result)


def entry(store: Store, effect: Comment) -> Entry:
    return store.look(effect.subject, [effect.key]).entries[effect.key]


def newer(subject: Subject, seconds: int, *labels: str) -> Subject:
    return replace(subject, updated_at=subject.updated_at + timedelta(seconds=seconds), labels=labels)


class StoreContract:
    """Subclasses give the fixture `open_store`: call it with a clock for one more connection to the same data."""

    @pytest.fixture
    def store(self, open_store: Open) -> Store:
        return open_store(RealClock())

    @pytest.fixture
    def late(self, open_store: Open) -> Store:
        """The same data, a lease later."""
        return open_store(SkippingClock(timedelta(seconds=LATER)))

    @pytest.mark.parametrize("subject", [PULL, ISSUE], ids=["pull", "issue"])
    def test_nothing_is_known_at_first(self, store: Store, subject: Subject) -> None:
        known = store.look(subject, [wish(subject=subject).key])
        assert (known.schema, known.dirty, known.seen_at, known.entries) == (SCHEMA, False, None, {})

    @pytest.mark.parametrize("subject", [PULL, ISSUE], ids=["pull", "issue"])
    def test_the_newest_snapshot_wins(self, store: Store, subject: Subject) -> None:
        newest = newer(subject, 10, "B")
        for each in (subject, newest, newer(subject, 5, "C")):
            store.remember(each)
        assert store.look(subject, ["x"]).seen_at == newest.updated_at

    def test_a_list_is_kept_as_it_was_last(self, store: Store, late: Store) -> None:
        key, at = "c" * 64, datetime(2026, 1, 2, 3, 4, 5, 678_901)  # noqa: DTZ001  # naive UTC, as everywhere
        assert store.recall(key) is None
        for names in (bytes(range(256)), b"x" * 500_000):
            store.keep(key, '"an etag"', names, at)
            assert late.recall(key) == ('"an etag"', names, at)
        assert store.recall("d" * 64) is None

    def test_t01_the_note_of_the_last_label_event_stays(self, store: Store) -> None:
        """Whatever comes late; and each item and label has its own."""
        noon = datetime(2026, 1, 2, 12)  # noqa: DTZ001  # naive UTC, as everywhere

        def note(head: str, minutes: int, label: str = "Ready", subject: Subject = PULL) -> Approval:
            approval = Approval(head * 40, "main", noon + timedelta(minutes=minutes))
            noted = NoteApproval(subject=subject, label=label, by="maintainer", approval=approval, feature="auto_merge")
            store.note_approval(noted)
            return approval

        assert store.approval(PULL, "auto_merge", "Ready") is None
        note("a", 0)
        moved = note("b", 0)
        assert store.approval(PULL, "auto_merge", "ready") == moved
        later = note("c", 1)
        note("d", 0)
        others = note("e", 2, "other"), note("f", 2, subject=replace(PULL, number=8))
        assert store.approval(PULL, "auto_merge", "READY") == later
        assert store.approval(PULL, "auto_merge", "other") == others[0]
        assert store.approval(replace(PULL, number=8), "auto_merge", "Ready") == others[1]

    def test_subjects_are_told_apart(self, store: Store) -> None:
        store.remember(PULL)
        for other in (
            ISSUE,
            replace(PULL, number=8),
            replace(PULL, repository=replace(PULL.repository, name="Hello2")),
            replace(PULL, repository=replace(PULL.repository, owner="octo")),
        ):
            assert store.look(other, ["x"]).seen_at is None, other

    def test_a_claim_is_won_once(self, store: Store, open_store: Open) -> None:
        assert store.claim(wish(), "one")
        assert not store.claim(wish(), "one")
        assert not open_store(RealClock()).claim(wish(), "two")
        claimed = entry(store, wish())
        assert (claimed.state, claimed.owner, claimed.fence, claimed.held) == ("intent", "one", 1, True)

    def test_keys_are_bytes(self, store: Store) -> None:
        """R-12: a collation must not make one key of two labels."""
        assert all(store.claim(wish(label), "one") for label in ("label", "Label", "label ", "läbel", "label\u0301"))

    def test_from_intent_to_confirmed(self, store: Store) -> None:
        store.claim(wish(), "one")
        assert store.send(wish().key, "one", 1)
        sent = entry(store, wish())
        assert sent.state == "sent"
        assert sent.sent_at is not None
        assert store.confirm(wish().key, "one", 1, "https://github.com/x")
        done = entry(store, wish())
        assert (done.state, done.held, done.result) == ("confirmed", False, "https://github.com/x")

    def test_what_is_confirmed_stays(self, store: Store, late: Store) -> None:
        store.claim(wish(), "one")
        store.send(wish().key, "one", 1)
        store.confirm(wish().key, "one", 1, "https://github.com/x")
        assert not late.take(wish().key, "two", 1)
        assert not store.send(wish().key, "one", 1)
        assert not store.confirm(wish().key, "one", 1, "https://github.com/y")
        assert not store.release(wish().key, "one", 1)
        store.note([wish()], "baseline", PULL.updated_at)
        assert entry(store, wish()).result == "https://github.com/x"

    def test_a_lease_that_runs_is_respected_and_one_that_ended_is_not(self, store: Store, late: Store) -> None:
        store.claim(wish(), "one")
        store.send(wish().key, "one", 1)
        assert not store.take(wish().key, "two", 1)
        assert late.take(wish().key, "two", 1)
        taken = entry(late, wish())
        assert (taken.state, taken.owner, taken.fence, taken.held) == ("sent", "two", 2, True)

    def test_the_fence_stops_whoever_was_paused(self, store: Store, late: Store) -> None:
        store.claim(wish(), "one")
        late.take(wish().key, "two", 1)
        assert not store.send(wish().key, "one", 1)
        assert not store.confirm(wish().key, "one", 1, "")
        assert not store.release(wish().key, "one", 1)
        assert late.send(wish().key, "two", 2)

    def test_a_takeover_needs_the_fence_that_was_read(self, store: Store, late: Store) -> None:
        store.claim(wish(), "one")
        assert late.take(wish().key, "two", 1)
        assert not late.take(wish().key, "three", 1)

    def test_sending_renews_the_lease(self, store: Store, open_store: Open) -> None:
        store.claim(wish(), "one")
        clock = SkippingClock(timedelta(seconds=20))
        assert open_store(clock).send(wish().key, "one", 1)
        clock.sleep(20)
        assert not open_store(clock).take(wish().key, "two", 1)

    def test_what_was_released_can_be_taken_at_once(self, store: Store) -> None:
        store.claim(wish(), "one")
        store.send(wish().key, "one", 1)
        assert store.release(wish().key, "one", 1)
        assert entry(store, wish()).state == "intent"
        assert store.take(wish().key, "two", 1)

    def test_a_baseline_is_nobodys_and_becomes_an_intent_when_taken(self, store: Store) -> None:
        store.note([wish("a"), wish("b")], "baseline", PULL.updated_at)
        noted = entry(store, wish("b"))
        assert (noted.state, noted.held, noted.seen_at) == ("baseline", False, PULL.updated_at)
        assert not store.claim(wish("a"), "one")
        assert store.take(wish("a").key, "one", 0)
        assert entry(store, wish("a")).state == "intent"

    def test_a_note_leaves_what_is_there(self, store: Store) -> None:
        store.claim(wish("a"), "one")
        store.note([wish("a"), wish("b")], "baseline", PULL.updated_at)
        assert [entry(store, wish(label)).state for label in "ab"] == ["intent", "baseline"]

    def test_a_comment_has_as_many_statements_as_decided(self, store: Store) -> None:
        """Schema version, row and entries are one read; then one upsert and three for the comment."""
        statements = count_statements(store)
        known = store.look(PULL, [wish().key])
        store.remember(PULL)
        store.claim(wish(), "one")
        store.send(wish().key, "one", 1)
        store.confirm(wish().key, "one", 1, "https://github.com/x")
        assert known.schema == SCHEMA
        assert len(statements) == 5

    @pytest.mark.parametrize(
        "text", ["é", "\U0001f389", "a'b", 'a"b', "a\\b", "%s", ":k0", "%(k)s", "--", "\u202e", "x" * 255], ids=repr
    )
    def test_what_comes_from_outside_is_kept_as_it_is(self, store: Store, text: str) -> None:
        assert isinstance(PULL, PullRequest)
        store.remember(replace(PULL, labels=(text,), ref=text, milestone_title=text, milestone_number=1))
        effect = replace(wish(text), cause=text)
        assert store.claim(effect, "one")
        store.send(effect.key, "one", 1)
        store.confirm(effect.key, "one", 1, text)
        assert entry(store, effect).result == text

    def test_moments_keep_their_microseconds(self, store: Store) -> None:
        exact = replace(PULL, updated_at=datetime(2026, 1, 1, 12, 0, 0, 123456))  # noqa: DTZ001  # as the database keeps it
        store.remember(exact)
        assert store.look(PULL, ["x"]).seen_at == exact.updated_at

    def test_processes_that_race_win_each_key_once(self, open_store: Open) -> None:
        first = open_store(RealClock())
        first.look(PULL, ["x"])
        first.close()  # a SQLite connection must not live through a fork
        with multiprocessing.get_context("fork").Pool(8) as pool:
            wins = [key for won in pool.starmap(race, [(open_store, seed) for seed in range(8)]) for key in won]
        assert sorted(wins) == sorted(wish(str(label)).key for label in range(RACED))

    def test_a_key_says_what_it_stands_for(self, store: Store) -> None:
        assert store.origin(dispatch().key) is None
        store.claim(dispatch(), "one")
        assert store.origin(dispatch().key) == Origin(
            dispatch().key, 77, 7, "label_workflow", "Dispatch", "label a, rule 1", ""
        )

    def test_a_dispatch_is_unanswered_until_a_comment_stands(self, store: Store) -> None:
        """Only what was carried out, here, by this feature, and has a run; the answer to another one is none."""
        other = replace(PULL, repository=replace(PULL.repository, id=78, name="other"))
        confirm(store, dispatch())
        time.sleep(0.002)  # SQLite's clock has milliseconds
        confirm(store, dispatch("b"))
        confirm(store, dispatch("no run"), "abandoned")
        confirm(store, dispatch("elsewhere", other))
        confirm(store, replace(wish(), feature="label_workflow"))
        confirm(store, replace(dispatch("other feature"), feature="spinmint"))
        store.claim(dispatch("not yet"), "one")
        keys = [dispatch().key, dispatch("b").key]
        named = replace(PULL.repository, id=0)
        for place in (PULL.repository, named):
            found = store.unanswered(place, "label_workflow", 10, DAY)
            assert [each.key for each in found] == keys
            assert found[0].result == RUN
        store.claim(answer(dispatch()), "one")
        assert len(store.unanswered(PULL.repository, "label_workflow", 10, DAY)) == 2
        store.confirm(answer(dispatch()).key, "one", 1, RUN)
        assert [each.key for each in store.unanswered(PULL.repository, "label_workflow", 10, DAY)] == keys[1:]

    def test_an_unanswered_dispatch_is_found_for_some_time(self, store: Store, open_store: Open) -> None:
        for label in "ab":
            confirm(store, dispatch(label))
        assert len(store.unanswered(PULL.repository, "label_workflow", 1, DAY)) == 1
        tomorrow = open_store(SkippingClock(timedelta(seconds=DAY)))
        assert tomorrow.unanswered(PULL.repository, "label_workflow", 10, DAY) == []
        assert len(tomorrow.unanswered(PULL.repository, "label_workflow", 10, 2 * DAY)) == 2

    def test_f05_a_lease_is_taken_once_and_names_its_holder(self, store: Store, open_store: Open) -> None:
        """F05: nobody else gets it while it runs, and its holder does not get it twice."""
        assert store.take_lease("a", "one", TTL) == Taken(1, "one")
        for owner in ("two", "one"):
            assert open_store(RealClock()).take_lease("a", owner, TTL) == Taken(None, "one")

    def test_f05_a_lease_that_ended_is_taken_with_a_greater_fence(self, store: Store, late: Store) -> None:
        store.take_lease("a", "one", TTL)
        assert late.take_lease("a", "two", TTL) == Taken(2, "two")
        assert late.take_lease("a", "three", TTL) == Taken(None, "two")

    def test_mm72_a_renewed_lease_runs_from_now_on(self, store: Store, open_store: Open) -> None:
        """MM-72: until now + ttl. The original's added to the old end, and a lock grew with each renewal."""
        store.take_lease("a", "one", TTL)
        clock = SkippingClock(timedelta(seconds=20))
        other = open_store(clock)
        assert other.renew_lease("a", "one", 1, TTL)
        clock.sleep(29)
        assert other.take_lease("a", "two", TTL).fence is None
        clock.sleep(2)
        assert other.take_lease("a", "two", TTL).fence == 2

    def test_f05_whoever_was_paused_can_neither_renew_nor_end_it(self, store: Store, late: Store) -> None:
        store.take_lease("a", "one", TTL)
        late.take_lease("a", "two", TTL)
        assert not store.renew_lease("a", "one", 1, TTL)
        store.end_lease("a", "one", 1)
        assert late.take_lease("a", "three", TTL) == Taken(None, "two")
        assert late.renew_lease("a", "two", 2, TTL)

    def test_f05_an_owner_that_comes_back_is_told_apart_by_its_fence(self, store: Store, late: Store) -> None:
        """F05, MM-70: one run may hold a name twice; what it still believes of the first time is void."""
        store.take_lease("a", "one", TTL)
        assert late.take_lease("a", "one", TTL) == Taken(2, "one")
        assert not late.renew_lease("a", "one", 1, TTL)
        late.end_lease("a", "one", 1)
        assert late.take_lease("a", "two", TTL) == Taken(None, "one")

    def test_f05_a_lease_that_was_given_back_is_taken_at_once(self, store: Store) -> None:
        store.take_lease("a", "one", TTL)
        store.end_lease("a", "one", 1)
        assert store.take_lease("a", "two", TTL) == Taken(2, "two")

    def test_f05_a_renewal_in_the_moment_of_a_takeover_wins(self, store: Store, late: Store) -> None:
        """Between the taker's look and its change. The end is compared again, so there are never two."""
        store.take_lease("a", "one", TTL)
        after_the_next_look(late, lambda: store.renew_lease("a", "one", 1, LATER + TTL))
        assert late.take_lease("a", "two", TTL) == Taken(None, "one")
        assert store.renew_lease("a", "one", 1, TTL)

    def test_f05_of_two_that_saw_it_free_one_gets_it(self, store: Store, late: Store, open_store: Open) -> None:
        """F05, MM-71: to look is not to take. When there is no row yet, and when there is one whose lease has ended."""
        other = open_store(SkippingClock(timedelta(seconds=LATER)))
        after_the_next_look(store, lambda: open_store(RealClock()).take_lease("a", "one", TTL))
        assert store.take_lease("a", "two", TTL) == Taken(None, "one")
        after_the_next_look(late, lambda: other.take_lease("a", "three", TTL))
        assert late.take_lease("a", "four", TTL) == Taken(None, "three")
        assert other.renew_lease("a", "three", 2, TTL)

    def test_f05_names_of_leases_are_bytes(self, store: Store) -> None:
        """R-12: a collation must not make one lock of two names."""
        for name in ("label", "Label", "label ", "läbel", "la\u0308bel", "\U0001f389"):
            assert store.take_lease(name, "one", TTL) == Taken(1, "one"), name

    def test_f05_acquire_waits_for_a_dead_holder_and_says_so_once(self, store: Store, open_store: Open) -> None:
        store.take_lease("a", "one", TTL)
        clock, heard = SkippingClock(), list[str]()
        lease = acquire(open_store(clock), clock, "a", "two", patience=60, tell=heard.append)
        assert lease.fence == 2
        assert heard == ["a is held by one: waiting"]
        assert TTL - 1 < clock.offset.total_seconds() < TTL + 5

    def test_f05_acquire_gives_up_when_its_patience_ends(self, store: Store, open_store: Open) -> None:
        """F05, MM-75: nobody waits for ever."""
        store.take_lease("a", "one", TTL)
        clock = SkippingClock()
        with pytest.raises(Down, match="a is held by one, which has not finished in time; run again"):
            acquire(open_store(clock), clock, "a", "two", patience=10)
        assert clock.offset.total_seconds() <= 10
        assert store.renew_lease("a", "one", 1, TTL)

    def test_f05_a_lease_that_is_checked_goes_on_until_it_is_lost(self, open_store: Open) -> None:
        """F05, MM-74: asked right before each side effect; Down is what stops a run that was paused for too long."""
        clock = SkippingClock()
        lease = acquire(open_store(clock), clock, "a", "one", patience=0, ttl=TTL)
        assert lease == Lease(lease.leases, "a", "one", 1, TTL)
        for _ in range(3):
            clock.sleep(20)
            lease.check()
        clock.sleep(LATER)
        assert open_store(clock).take_lease("a", "two", TTL).fence == 2
        with pytest.raises(Down, match="a was taken over, because this run was paused for too long"):
            lease.check()

    def test_f05_a_lease_is_given_back(self, store: Store, open_store: Open) -> None:
        lease = acquire(store, RealClock(), "a", "one", patience=0)
        lease.give_back()
        assert acquire(open_store(RealClock()), RealClock(), "a", "two", patience=0).fence == 2


RACED = 50


def race(open_store: Open, seed: int, raced: int = RACED) -> list[str]:
    """Claim each of `raced` keys, in an order of one's own; return those that were won."""
    store = open_store(RealClock())
    labels = random.Random(seed).sample(range(raced), raced)  # noqa: S311  # an order, not a secret
    effects = [wish(str(label)) for label in labels]
    won = []
    for effect in effects:
        store.remember(effect.subject)  # the hot row
        if store.claim(effect, f"owner-{seed}"):
            won.append(effect.key)
    store.close()
    return won


def after_the_next_look(store: Store, act: Callable[[], object]) -> None:
    """Have `act` done between the next statement of `store` and the one that follows: another run is in between."""
    execute = store.execute  # type: ignore[attr-defined]  # both stores run everything through it

    def acting(sql: str, values: object) -> object:
        store.execute = execute  # type: ignore[attr-defined]
        answer = execute(sql, values)
        act()
        return answer

    store.execute = acting  # type: ignore[attr-defined]


def count_statements(store: Store) -> list[str]:
    """Return a list that grows with each statement; the connection is made first."""
    store.look(PULL, ["x"])
    said: list[str] = []
    execute = store.execute  # type: ignore[attr-defined]  # both stores run everything through it

    def counted(sql: str, values: object) -> object:
        said.append(sql)
        return execute(sql, values)

    store.execute = counted  # type: ignore[attr-defined]
    return said
