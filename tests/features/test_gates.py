"""What gates say: what was read, whether the head moved, what was said before, who may have pushed → the status."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mattermod_action.config import load
from mattermod_action.effects import RemoveLabel, SetStatus
from mattermod_action.errors import Down, FactUnavailable, Incomplete, Limited, Mistake, Moved, Scarce
from mattermod_action.events import MergeGroupSeen, PullRequest, Repository
from mattermod_action.facts import NoFacts, Replayed
from mattermod_action.features.cherry_pick import _has_markers
from mattermod_action.features.diff_review import Rule, _where
from mattermod_action.figures import CORE, Calls
from mattermod_action.hands import Ensurer
from mattermod_action.planning import Plan, make_plan
from mattermod_action.ports import Authorship, ChangedFile, Status
from tests.builders import pull_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mattermod_action.events import Event

HEAD, OTHER, GROUP = "a" * 40, "b" * 40, "c" * 40
CONFIG = """
block_merge: {labels: [Wait]}
protected_paths: {paths: ["guarded/**"], excluded: ["helper[bot]"]}
cla: {signed_url: "https://example.org/signed.csv", everyone: true}
cherry_pick: {conflicts: draft}
"""
CONTEXTS = {
    "block_merge": "merge/blocked",
    "protected_paths": "merge/protected-paths",
    "cla": "cla/mattermost",
    "cherry_pick": "cherry-pick/conflicts",
}
GREEN, PATCH = "success", "@@ -0,0 +1,2 @@\n+x\n+y"
MARKED = "@@ -0,0 +1,2 @@\n+<<<<<<< HEAD\n+y"


class Facts(NoFacts):
    """Facts as a test gives them; an error is raised where it is read."""

    def __init__(self, **more: Any) -> None:
        self.given: dict[str, Any] = {
            "role": "read", "files": [ChangedFile("free.txt", patch=PATCH)], "texts": {}, "verdict": None, "pull": None,
            "authors": [Authorship("1", "a@x", "alice")], "signed": frozenset({"alice"}), **more,
        }  # fmt: skip

    def _read(self, name: str) -> Any:
        found = self.given[name]
        if isinstance(found, Exception):
            raise found
        return found

    def role(self, repository: Repository, login: str) -> str:  # noqa: ARG002  # the port's signature
        return str(self._read("role"))

    def files(self, pull: PullRequest) -> Sequence[ChangedFile]:  # noqa: ARG002  # the port's signature
        found: Sequence[ChangedFile] = self._read("files")
        return found

    def text_of(self, pull: PullRequest, path: str) -> str | None:  # noqa: ARG002  # the port's signature
        text: str | None = self._read("texts").get(path)
        return text

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:  # noqa: ARG002  # the port's signature
        found: Sequence[Authorship] = self._read("authors")
        return found

    def signed(self, url: str, seconds: float | None = None) -> frozenset[str]:  # noqa: ARG002  # the port's signature
        found: frozenset[str] = self._read("signed")
        return found

    def verdict(self, repository: Repository, sha: str, context: str) -> tuple[str, str] | None:  # noqa: ARG002  # the port's signature
        found: tuple[str, str] | None = self._read("verdict")
        return found

    def pull(self, repository: Repository, number: int) -> PullRequest | None:  # noqa: ARG002  # the port's signature
        found: PullRequest | None = self._read("pull")
        return found


@dataclass
class Hub:
    """GitHub as it is when the verdict is written: the pull request now, and the statuses of all commits."""

    live: PullRequest | None
    known: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    taken_off: list[str] = field(default_factory=list)
    looks: int = 0

    def pull(self, _repository: Repository, _number: int) -> PullRequest | None:
        self.looks += 1
        return self.live

    def statuses(self, _repository: Repository, _sha: str) -> Mapping[str, tuple[str, str, str]]:
        return dict(self.known)

    def set_status(self, _repository: Repository, _sha: str, status: Status) -> None:
        self.known[status.context] = (status.state, status.description, status.url)

    def remove_label(self, _subject: object, label: str) -> None:
        self.taken_off.append(label)


def seen(*labels: str, action: str = "synchronize", **more: Any) -> Any:
    event = replace(pull_seen(*labels), action=action)
    return replace(event, subject=replace(event.subject, base_ref="main", **more))


def carried_out(event: Event, facts: Facts, hub: Hub, config: str = CONFIG) -> Plan:
    """Plan with real features, and write with the real hands."""
    plan = make_plan(event, load(config, "x.yml").config, facts)
    ensurer = Ensurer(SimpleNamespace(github=hub))  # type: ignore[arg-type]  # GitHub is all it asks
    for effect in plan.effects:
        if isinstance(effect, (SetStatus, RemoveLabel)):
            ensurer.ensure(effect)
    return plan


def states(hub: Hub) -> dict[str, str]:
    return {name: hub.known[context][0] for name, context in CONTEXTS.items() if context in hub.known}


PICK = {"head": "octo-org/hello", "ref": "automated-cherry-pick-of-1-release"}
GOOD: dict[str, Any] = {}
BAD: dict[str, Any] = {
    "files": [ChangedFile("guarded/x", patch=MARKED)],
    "authors": [Authorship("1", "s@x", "stranger")],
}
UNREAD: dict[str, Exception] = {
    "down": Down("GitHub cannot be reached"),
    "limited": Limited("slow down", 600),
    "mistake": Mistake("may not read"),
    "bug": TypeError("half an answer"),
    "scarce": Scarce("few requests are left"),
    "moved": Moved("another head"),
    "unavailable": FactUnavailable("cannot be read"),
}
LIVE: dict[str, dict[str, Any]] = {
    "same": {},
    "head": {"sha": OTHER},
    "base": {"base_ref": "dev"},
    "label": {"labels": ("Wait", "Conflicts")},
}
BEFORE = ("", "success", "failure", "pending")


@pytest.mark.parametrize(("live", "before"), list(product([*LIVE, "gone"], BEFORE)))
@pytest.mark.parametrize("is_good", [True, False], ids=["good", "bad"])
def test_t06b_green_is_only_the_head_that_was_read_and_is_there_still(live: str, before: str, *, is_good: bool) -> None:
    event = seen("Conflicts", *(() if is_good else ("Wait",)), **PICK)
    hub = Hub(None if live == "gone" else replace(event.subject, **LIVE[live]))
    hub.known = dict.fromkeys(CONTEXTS.values(), (before, "before", "")) if before else {}
    carried_out(event, Facts(**(GOOD if is_good else BAD)), hub)
    same = live in ("same", "label")
    bad = {"block_merge": "pending", "protected_paths": "failure", "cla": "error", "cherry_pick": "failure"}
    expected = dict.fromkeys(CONTEXTS, GREEN) if is_good else bad
    if not same:
        expected = dict.fromkeys(CONTEXTS, "pending")
    elif live == "label" and is_good:
        expected["block_merge"] = "pending"
    assert states(hub) == expected
    assert hub.taken_off == (["Conflicts"] if is_good and same else [])
    assert hub.looks == 1  # for all of them


@pytest.mark.parametrize(("error", "before"), list(product(UNREAD, BEFORE)))
@pytest.mark.parametrize("where", ["role", "files", "authors", "signed"])
def test_t06_what_cannot_be_read_is_never_green(where: str, error: str, before: str) -> None:
    """Nor silent: what was said before of the same head is not confirmed."""
    event = seen("Conflicts", **PICK)
    hub = Hub(event.subject, dict.fromkeys(CONTEXTS.values(), (before, "b", "")) if before else {})
    plan = carried_out(event, Facts(**{where: UNREAD[error]}), hub)
    touched = {
        "role": ["protected_paths"], "files": ["protected_paths", "cherry_pick"], "authors": ["cla"], "signed": ["cla"]
    }[where]  # fmt: skip
    state = "error" if where == "signed" and isinstance(UNREAD[error], FactUnavailable) else "pending"
    for name in CONTEXTS:
        assert states(hub)[name] == (state if name in touched else GREEN)
        if name in touched:
            assert hub.known[CONTEXTS[name]][1].startswith(("Not judged: ", "The list of signatures"))
            assert name in plan.silent  # so that a sweep, or another run, looks again
    assert ("Conflicts" in hub.taken_off) == (where != "files")


def test_t21_authors_whom_github_does_not_show_are_an_error() -> None:
    hub = Hub(seen().subject)
    carried_out(seen(), Facts(authors=Incomplete("the commit 1 has more than 20 authors")), hub)
    assert hub.known["cla/mattermost"][:2] == ("error", "Not judged: the commit 1 has more than 20 authors")


def test_a_plan_without_a_token_says_nothing() -> None:
    plan = make_plan(seen("Conflicts", **PICK), load(CONFIG, "x.yml").config, NoFacts())
    assert [effect.key for effect in plan.effects] == [repr((HEAD, "merge/blocked"))]


# Who opened it, from where, with which role → whether what is guarded is free.
PUSHED = [
    ("alice", "octo-org/hello", "write", True),
    ("alice", "octo-org/hello", "admin", True),
    ("alice", "octo-org/hello", "triage", False),
    ("alice", "alice/hello", "write", True),
    ("alice", "Alice/hello", "write", True),
    ("alice", "alice/hello", "read", False),
    ("alice", "stranger/hello", "write", False),
    ("alice", "stranger/hello", "admin", False),
    ("alice", "octo-org/fork", "write", False),
    ("alice", "", "write", False),
    ("helper[bot]", "octo-org/hello", "none", True),
    ("helper[bot]", "stranger/hello", "none", False),
    ("helper[bot]", "", "none", False),
]


@pytest.mark.parametrize(("author", "head", "role", "free"), PUSHED)
@pytest.mark.parametrize("action", ["opened", "synchronize", "edited", "resumed"])
def test_t06c_whose_push_it_may_be_is_asked(author: str, head: str, role: str, action: str, *, free: bool) -> None:
    """The role is the one that somebody has now."""
    event = seen(action=action, author=author, head=head)
    hub = Hub(event.subject)
    carried_out(event, Facts(role=role, **BAD), hub)
    assert states(hub)["protected_paths"] == (GREEN if free else "failure")


@pytest.mark.parametrize(
    ("said", "files", "expected"),
    [
        (("success", "No protected path is changed"), BAD["files"], "success"),
        (("failure", "Changes protected paths: guarded/x"), [], "failure"),
        (("pending", "…"), BAD["files"], "failure"),
        (("error", "…"), [], "success"),
        (None, BAD["files"], "failure"),
        (None, [], "success"),
        (Down("GitHub cannot be reached"), [], "pending"),
        (None, Down("GitHub cannot be reached"), "pending"),
    ],
)
@pytest.mark.parametrize("live", ["same", "head"])
def test_t06_a_queue_asks_what_was_said_of_the_head(said: Any, files: Any, expected: str, live: str) -> None:
    """Or looks, where nothing was: never green because nobody has looked."""
    pull = seen().subject
    event = MergeGroupSeen(pull.repository, GROUP, pull.number)
    hub = Hub(replace(pull, **LIVE[live]))
    carried_out(event, Facts(verdict=said, files=files, pull=pull), hub)
    assert states(hub)["protected_paths"] == (expected if live == "same" else "pending")
    assert states(hub)["block_merge"] == ("success" if live == "same" else "pending")


@pytest.mark.parametrize(
    ("files", "texts", "expected"),
    [
        ([ChangedFile("a", patch=PATCH)], {}, "success"),
        ([ChangedFile("a", hidden=True)], {"a": "x\n"}, "success"),
        ([ChangedFile("a", hidden=True)], {"a": "x\n<<<<<<< HEAD\n"}, "failure"),
        ([ChangedFile("a", hidden=True)], {}, "error"),
        ([ChangedFile("a", hidden=True) for _ in range(11)], {"a": "x"}, "error"),
        ([ChangedFile("a", patch=MARKED), ChangedFile("b", hidden=True)], {}, "failure"),
        ([ChangedFile("a", patch=PATCH)] * 3_000, {}, "error"),
        ([ChangedFile("a")], {}, "success"),  # deleted
    ],
    ids=["shown", "hidden", "hidden conflict", "too large", "too many", "conflict", "3,000", "deleted"],
)
def test_t14_what_github_does_not_show_is_never_free_of_conflicts(
    files: list[ChangedFile], texts: dict[str, str], expected: str
) -> None:
    event = seen("Conflicts", **PICK)
    hub = Hub(event.subject)
    carried_out(event, Facts(files=files, texts=texts, role="write"), hub)
    assert states(hub)["cherry_pick"] == expected
    assert hub.taken_off == (["Conflicts"] if expected == "success" else [])


@pytest.mark.parametrize(
    ("patch", "lines"),
    [
        ("@@ -0,0 +1,3 @@\n+package a\n+// \f\f\f\n+bad(", [3]),
        ("@@ -0,0 +1,2 @@\n+x\u2028@@ -1 +900000 @@\n+bad(", [2]),
        ("@@ -0,0 +1,2 @@\n+x\u0085\u2029\v\x1c\x1d\x1e\r\n+bad(", [2]),
        ("@@ -1,3 +10,4 @@\n x\n-bad(\n+bad(\n y\n\\ No newline at end of file", [11]),
        ("@@ -1 +1 @@\n-x\n+y\n@@ -9,0 +20,2 @@ func bad(\n+y\n+bad(", [21]),
        ("@@ -0,0 +1 @@\n+@@ -1 +7 @@ bad(", [1]),
        ("", []),
    ],
)  # fmt: skip
def test_t14_a_line_ends_with_a_line_feed_and_nothing_else(patch: str, lines: list[int]) -> None:
    assert list(_where(ChangedFile("a.go", patch=patch), Rule(text="bad(", message="x"))) == lines


@settings(max_examples=200, deadline=None)
@given(before=st.lists(st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8)))
def test_t14_whatever_lines_hold_the_number_is_right(before: list[str]) -> None:
    added = [line.replace("bad(", "") for line in before]
    patch = "\n".join([f"@@ -0,0 +1,{len(added) + 1} @@", *(f"+{line}" for line in added), "+bad("])
    assert list(_where(ChangedFile("a", patch=patch), Rule(text="bad(", message="x"))) == [len(added) + 1]
    assert not _has_markers(ChangedFile("a", patch=patch)) or any(line.startswith(("<", ">", "=")) for line in added)


def test_t06e_the_first_hit_ends_the_reading() -> None:
    pages: list[int] = []

    def read() -> Iterator[ChangedFile]:
        for number in range(3_000):
            pages.extend([number // 100] if number % 100 == 0 else [])
            yield ChangedFile("guarded/x" if number == 150 else f"free/{number}")

    hub = Hub(seen().subject)
    carried_out(seen(), Facts(files=Replayed(read())), hub, "protected_paths: {paths: ['guarded/**']}\n")
    assert (states(hub)["protected_paths"], pages) == ("failure", [0, 1])


def test_t06e_a_list_that_was_stopped_is_not_whole_for_the_next_who_looks() -> None:
    def read() -> Iterator[ChangedFile]:
        yield ChangedFile("free")
        raise Scarce("few requests are left")

    files = Replayed(read())
    for _ in range(2):
        with pytest.raises(Scarce):
            list(files)


@pytest.mark.parametrize(
    ("left", "limit", "requests", "spares"),
    [
        (1_000, 1_000, 30, True),
        (531, 1_000, 30, True),
        (529, 1_000, 30, False),
        (103, 1_000, 3, True),
        (102, 1_000, 3, False),
        (5_000, 15_000, 30, False),
        (0, 0, 30, True),  # nothing is limited there, or nobody has said
    ],
)
def test_t06e_long_lists_leave_the_hour_to_others(left: int, limit: int, requests: int, *, spares: bool) -> None:
    calls = Calls()
    calls.note_left("/repos/o/r", left, limit)
    calls.note_left("/graphql", 0, 5_000)
    assert calls.spares(requests) == spares
    assert (CORE in calls.left) == bool(limit)
