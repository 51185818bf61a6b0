"""What the ledger relies on, asked of every store: SQLite and MariaDB in `make test`, MySQL 9 in `make e2e`."""

from __future__ import annotations

import multiprocessing
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mattermod_action.effects import Comment
from mattermod_action.events import PullRequest
from mattermod_action.ports import SCHEMA
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


def wish(label: str = "a", subject: Subject = PULL) -> Comment:
    return Comment(subject=subject, text="Hello", once=(label, 0), cause=f"label {label}", feature="label_messages")


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
            wins = [key for won in pool.starmap(_race, [(open_store, seed) for seed in range(8)]) for key in won]
        assert sorted(wins) == sorted(wish(str(label)).key for label in range(RACED))


RACED = 50


def _race(open_store: Open, seed: int) -> list[str]:
    store = open_store(RealClock())
    labels = random.Random(seed).sample(range(RACED), RACED)  # noqa: S311  # an order, not a secret
    effects = [wish(str(label)) for label in labels]
    won = []
    for effect in effects:
        store.remember(effect.subject)  # the hot row
        if store.claim(effect, f"owner-{seed}"):
            won.append(effect.key)
    store.close()
    return won


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
