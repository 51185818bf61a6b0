"""A row is a note, and no authority: whoever can write rows launches, picks and posts nothing by that.

https://github.com/mattermost/mattermost-mattermod shares one database among all repositories, and so does this action.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action import origins, reading, refusals
from mattermod_action import pick_reasons as picks_say
from mattermod_action.adapters.mysql import MySQLStore
from mattermod_action.approvals import Push
from mattermod_action.errors import Refused
from mattermod_action.events import Repository
from mattermod_action.origins import Labeling, Origin, Said, command_of, heads_at, labeling_of
from mattermod_action.pick_words import table
from mattermod_action.picks import PROTECTED
from mattermod_action.picks import Row as PickRow
from mattermod_action.picks import believed as believed_pick
from mattermod_action.server_reasons import NOT_ALLOWED, NOT_READY, OTHER, told
from mattermod_action.servers import Order, Row, believed, order
from mattermod_action.texts import harmless, quoted
from mattermod_action.world import RealClock
from tests.stores.contract import PULL, wish

if TYPE_CHECKING:
    from mattermod_action.adapters.database_url import Database
    from mattermod_action.commands import Command

NOON = datetime(2026, 12, 1, 12)  # noqa: DTZ001  # naive UTC, as everywhere
SHA, OTHER_SHA, OLD_SHA = "a" * 40, "b" * 40, "c" * 40
ORDER = Order(
    tag="spinmint", image="ami-01234567", instance_type="t3.micro", subnet="subnet-01234567", security_groups=("sg-1",),
    key_name="", zone="Z1", dns_suffix="test.example.com", script="setup.sh", build="ci", build_by="jenkins", hours=72,
    longest_hours=168, build_hours=4, boot_minutes=20, https=False, ready_path="/", ready_status=200, password_in="",
    password_prefix="", instance_profile="",
)  # fmt: skip
ROW = Row(
    key="0" * 64, repository=Repository(1, "octo-org", "hello"), number=7, state="ready", live=True, generation=1,
    sha=SHA, requested_by="maintainer", order=ORDER, token="t" * 50, build_url="", instance_id="i-0123456789abcdef0",
    address="192.0.2.1,10.0.0.1,,C1", expires_at=NOON, attempts=1, reason="", created_at=NOON, since=NOON, read_at=NOON,
    told=False,
)  # fmt: skip
PICK = PickRow(key="0" * 64, target="release-10.5", state="queued", requested_by="maintainer")


def asks(command: Command) -> bool:
    return command.name == "spinmint"


SAID = Said(7, "maintainer", is_bot=False, body="/spinmint", at=NOON)
NOT_SAID: dict[str, Said | None] = {
    "it is gone": None,
    "it is of another item": replace(SAID, number=8),
    "it says something else": replace(SAID, body="Thanks!"),
    "it is quoted": replace(SAID, body="> /spinmint"),
    "it is code": replace(SAID, body="```\n/spinmint\n```"),
    "a bot said it": replace(SAID, is_bot=True),
    "somebody else edited it": replace(SAID, editor="reviewer"),
}


@pytest.mark.parametrize("what", NOT_SAID)
def test_t02_a_comment_that_does_not_ask_for_it(what: str) -> None:
    with pytest.raises(Refused, match="ask again"):
        command_of(NOT_SAID[what], 7, asks)


def test_t02_a_comment_asks_by_its_authors_last_word() -> None:
    for said in (SAID, replace(SAID, editor="Maintainer"), replace(SAID, body=f"please\n\n/spinmint {SHA}")):
        assert command_of(said, 7, asks).name == "spinmint"


PUT_ON = Labeling("Setup", "maintainer", is_bot=False, at=NOON)


@pytest.mark.parametrize(
    ("events", "wanted", "login"),
    [
        ([], Origin(label="setup", at=NOON), "maintainer"),
        ([PUT_ON], Origin(label="setup", at=NOON), "reviewer"),
        ([PUT_ON], Origin(label="other", at=NOON), "maintainer"),
        ([PUT_ON], Origin(label="setup", at=NOON + timedelta(seconds=61)), "maintainer"),
        ([PUT_ON], Origin(label="setup", at=NOON - timedelta(seconds=61)), "maintainer"),
        ([replace(PUT_ON, by="reviewer"), PUT_ON], Origin(label="setup"), "maintainer"),
    ],
)
def test_t02_a_label_event_that_nobody_made(events: list[Labeling], wanted: Origin, login: str) -> None:
    with pytest.raises(Refused, match="ask again"):
        labeling_of(events, wanted, login)


def test_t02_a_label_event_is_found_by_its_time_or_is_the_last() -> None:
    old = replace(PUT_ON, by="reviewer", at=NOON - timedelta(days=1))
    assert labeling_of([PUT_ON, old], Origin(label="SETUP", at=NOON + timedelta(seconds=2)), "maintainer") is PUT_ON
    assert labeling_of([PUT_ON, old], Origin(label="setup", at=old.at), "reviewer") is old
    assert labeling_of([PUT_ON, old], Origin(label="setup"), "maintainer") is PUT_ON


def push(before: str, after: str, seconds: float) -> Push:
    return Push(before, after, "reviewer", NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("pushes", "heads"),
    [
        ([], set()),
        ([push("0" * 40, SHA, -9)], {"0" * 40} - {"0" * 40} | {SHA}),
        ([push(SHA, OTHER_SHA, 9)], {SHA}),
        ([push(SHA, OTHER_SHA, 9), push(OLD_SHA, SHA, -9)], {SHA}),
        ([push(SHA, OTHER_SHA, 1)], {SHA, OTHER_SHA}),
        ([push(OTHER_SHA, OLD_SHA, -2), push(SHA, OTHER_SHA, -3)], {OLD_SHA}),
    ],
)
def test_t02_the_head_at_the_time_of_a_request(pushes: list[Push], heads: set[str]) -> None:
    assert heads_at(pushes, NOON) == heads


NO_ORIGINS = (
    None, "", "null", "5", "[]", '["comment"]', '["comment", "5"]', '["comment", -1]', '["comment", true]', "{",
    '["label", "setup"]', '["label", "setup", "soon"]', '["label", 1, 2]', "[" * 5_000, '["comment", 5, 6]',
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('["comment", 5]', Origin(comment=5)),
        ('["label", "setup", "2026-12-01T12:00:00"]', Origin(label="setup", at=NOON)),
        *((text, None) for text in NO_ORIGINS),
    ],
)
def test_t02_what_a_row_says_of_its_origin(text: str | None, found: Origin | None) -> None:
    assert origins.origin(text) == found


def test_t02_an_origin_is_read_as_it_was_written() -> None:
    for request in (("comment", 2**53), ("label", "\U0001f389" * 50, NOON.isoformat())):
        assert origins.origin(origins.as_text(request)) is not None
    assert origins.as_text(("label", "x" * 300, "y")) is None


HOSTILE: dict[str, Any] = {
    "key": "k", "number": -1, "state": "launched", "sha": "HEAD", "requested_by": "../../orgs", "token": "a b",
    "build_url": "javascript:alert(1)", "instance_id": "i-x; rm", "address": "169.254.169.254.example,,,",
    "repository": Repository(1, "octo-org", "../evil"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_t02a_a_row_of_another_form_is_no_server(name: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        believed(replace(ROW, **{name: HOSTILE[name]}))


def test_t02a_times_that_cannot_be_are_cut() -> None:
    far = datetime.max  # noqa: DTZ901  # naive UTC, as everywhere
    read = believed(replace(ROW, created_at=far, since=far, expires_at=far))
    assert (read.created_at, read.since, read.expires_at) == (NOON, NOON, NOON + timedelta(hours=720))
    assert believed(replace(ROW, state="destroyed")).live is False


ODD_ORDERS: dict[str, Any] = {
    "hours": 10**9, "boot_minutes": "20", "ready_status": True, "security_groups": "sg-1", "heeded": ["x"], "bots": [1],
    "upgrade": "yes", "launched": "yesterday", "zone": "Z\n", "image": None, "user_data": 5,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ORDERS)
def test_t02a_an_order_of_another_form_is_none(name: str) -> None:
    written = json.loads(ORDER.as_json())
    assert order(json.dumps({**written, "unknown": 1})) == ORDER
    with pytest.raises((ValueError, TypeError)):
        order(json.dumps({**written, name: ODD_ORDERS[name]}))


@pytest.mark.parametrize("text", ["", "[]", "null", "5", "{}", "[" * 100_000])
def test_t02a_parameters_that_are_no_order(text: str) -> None:
    with pytest.raises((ValueError, TypeError, RecursionError)):
        order(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("key", ""), ("state", "done"), ("requested_by", "a/b"), ("head_sha", "x"), ("source_sha", "y")),
        *(("target", "a..b"), ("target", "x" * 300), ("target", "a\nb"), ("pull_number", -5)),
    ],
)
def test_t02b_a_row_of_another_form_is_no_pick(name: str, value: Any) -> None:
    assert believed_pick(PICK) == PICK
    with pytest.raises(ValueError, match=r"."):
        believed_pick(replace(PICK, **{name: value}))


def test_t02a_only_reasons_of_ours_are_posted() -> None:
    mine = NOT_READY.format(minutes=20)
    assert told(mine, "x") == mine
    assert told(NOT_ALLOWED.format(login="`x`"), "x") == NOT_ALLOWED.format(login="`x`")
    for text in ("approved by @maintainer", f"{mine} <img src=x>", NOT_ALLOWED.format(login="`y`"), mine + "\n@all"):
        assert told(text, "x") == OTHER
    assert told("", "x") == ""


KNOWN = (
    picks_say.SAME,
    picks_say.NOT_THE_PICK.format(head="`x`"),
    picks_say.MISSING + "; near it: `a`, `b`",
    picks_say.CLOSED.format(number=5, head="`x`"),
    picks_say.SENTENCES[PROTECTED].format(head="`x`", cure=refusals.PROTECTED.cure),
)


@pytest.mark.parametrize("reason", KNOWN)
def test_t02b_a_sentence_of_ours_is_posted_as_it_is(reason: str) -> None:
    row = replace(PICK, state="refused", reason=reason)
    assert f"not picked: {harmless(reason)}" in table([row])
    for more in (f"{reason} @maintainer", f"[{reason}](http://evil.example)", "approved"):
        odd = replace(row, reason=more)
        assert f"not picked: {quoted(more, 500)}" in table([odd])
        assert f"not picked: {harmless(more)}" in table([replace(odd, fresh=True)])


def test_t02_numbers_and_texts_of_rows() -> None:
    for value in (True, "1", 1.5, 101, None):
        with pytest.raises(ValueError, match="is not a number"):
            reading.whole(value, 1, 100, "it")
    for text in ("a\nb", "a\0", "x" * 11, b"a", None):
        with pytest.raises(ValueError, match="is not a line"):
            reading.short(text, 10, "it")


LONG: dict[str, Any] = {
    "ref": "b" * 300, "milestone_title": "\U0001f389" * 256, "author": "a" * 200, "head": "h" * 3_000,
    "url": "https://github.com/" + "x" * 3_000, "labels": tuple("\U0001f389" * 50 + str(at) for at in range(1_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_t06f_what_is_longer_than_its_column_is_cut(database: Database, name: str) -> None:
    """Errors 1406 and 1264 of MySQL end no event: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html."""
    store = MySQLStore(database, RealClock())
    store.remember(replace(PULL, **{name: LONG[name]}))
    assert store.look(PULL, []).seen_at == PULL.updated_at
    store.close()


def test_t06f_what_the_database_cannot_keep_is_refused(database: Database) -> None:
    """A number out of range, and a text that no cut is for: the effect's own refusal, in one line."""
    store = MySQLStore(database, RealClock())
    for odd in (replace(wish("x"), feature="f" * 65), replace(wish("x"), subject=replace(PULL, number=2**31))):
        with pytest.raises(Refused, match="the database cannot keep this"):
            store.claim(odd, "me")
    store.close()


@pytest.mark.parametrize("until", ["9999-12-31", "2200-01-01"])
def test_t02c_a_lease_that_ends_later_than_any_of_ours_is_nobodys(database: Database, until: str) -> None:
    store = MySQLStore(database, RealClock())
    effect = wish("x")
    assert store.take_lease("a", "them", 30).fence == 1
    assert store.claim(effect, "them")
    store.execute("UPDATE mm_leases SET lease_until = :until", {"until": until})
    store.execute("UPDATE mm_ledger SET lease_until = :until", {"until": until})
    assert store.take_lease("a", "me", 30).fence == 2
    entry = store.entry(effect.key)
    assert entry is not None
    assert not entry.held
    assert store.take(effect.key, "me", 1)
    store.close()


def test_t02c_a_ledger_row_that_cannot_be_ours_has_nothing_done_any_more(database: Database) -> None:
    store = MySQLStore(database, RealClock())
    effect = wish("x")
    assert store.claim(effect, "them")
    store.execute("UPDATE mm_ledger SET state = 'anything'", {})
    assert store.look(effect.subject, [effect.key]).entries[effect.key].state == "confirmed"
    assert store.odd == {f"mm_ledger {effect.key}": "ValueError: its state is none of ours"}
    store.close()
