"""The statements of the store, once for both dialects. What differs is `Dialect`, and nothing else is.

Every method is one statement that commits at once: insert-then-update inside a transaction deadlocks under load.
A row count says whether a claim is ours, so each UPDATE must change a column (PyMySQL counts changed rows).
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.approval_rows import ApprovalRows
from mattermod_action.adapters.pick_rows import PickRows
from mattermod_action.adapters.server_rows import ServerRows
from mattermod_action.adapters.statements import ODD, moment
from mattermod_action.adapters.sweep_rows import SweepRows
from mattermod_action.errors import Down, Mistake
from mattermod_action.events import PullRequest
from mattermod_action.ports import SCHEMA, Entry, Known, Origin, Taken, Unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mattermod_action.effects import Once
    from mattermod_action.events import Repository, Subject

# Seconds; longer than one request may take (adapters/github_requests.py), so a live holder does not lose it.
LEASE = 30.0
RUN_MIGRATE = "run the migrate workflow (`mattermod migrate up`) with the newest version of the action that you use"

IDENTITY = ("RepoOwner", "RepoName", "Number")
# Characters that columns have; GitHub allows longer branches and milestones, of which the rest is of no use to us.
WIDTHS = {"FullName": 2_083, "Username": 128, "Ref": 255, "Sha": 64, "URL": 2_083, "MilestoneTitle": 255}
LABELS = 65_535  # bytes
RESULT, ETAG = 2_083, 255  # characters


class SqlStore(ApprovalRows, PickRows, ServerRows, SweepRows):
    """The `Store` port of ports.py; a subclass connects and runs statements."""

    durable: bool

    @abstractmethod
    def close(self) -> None: ...

    def look(self, subject: Subject, keys: Sequence[str]) -> Known:
        keys = keys or [""]  # MySQL takes no empty list
        names = [f"k{index}" for index in range(len(keys))]
        sql = f"""
            SELECT s.version, s.dirty, p.UpdatedAt, l.k, l.state, l.owner, l.fence, {self._runs("l.lease_until")},
                   l.seen_at, l.sent_at, l.result
            FROM (SELECT MAX(version) AS version, MAX(dirty) AS dirty FROM mm_schema) s
            LEFT JOIN {_table(subject)} p ON p.RepoOwner = :RepoOwner AND p.RepoName = :RepoName AND p.Number = :Number
            LEFT JOIN mm_ledger l ON l.k IN ({", ".join(f":{name}" for name in names)})
            """  # noqa: S608  # every part is a constant of this file
        values = {**_identity(subject), **dict(zip(names, keys, strict=True)), **self._shift(now=0)}
        _, rows = self.execute(sql, values)
        version, dirty, seen_at = rows[0][:3]
        self._check_schema(version, dirty=bool(dirty))
        entries = {row[3]: self._entry(row[3:]) for row in rows if row[3] is not None}
        return Known(version, bool(dirty), _moment(seen_at), entries)

    def entry(self, key: str) -> Entry | None:
        sql = f"""
            SELECT k, state, owner, fence, {self._runs("lease_until")}, seen_at, sent_at, result
            FROM mm_ledger WHERE k = :k
            """  # noqa: S608  # every part is a constant of this file
        _, rows = self.execute(sql, {"k": key, **self._shift(now=0)})
        return self._entry(rows[0]) if rows else None

    def _entry(self, row: Sequence[Any]) -> Entry:
        """Of a row that cannot be ours nothing is done any more: whoever wrote it could have said so as well."""
        found = self._believed("mm_ledger", [row], _entry)
        return found[0] if found else Entry("confirmed", "", 0, held=False, seen_at=None, sent_at=None, result="")

    def _check_schema(self, version: int | None, *, dirty: bool) -> None:
        """Refuse a database that this version cannot work with; one step older or newer will do."""
        self.__dict__["schema"] = version or 0  # which need not be asked again
        if version is None:
            raise Mistake(f"the database has no tables of this action yet: {RUN_MIGRATE}")
        if dirty:
            raise Down(
                "a migration of the database is at work, or did not finish: run again, and if it stays so, see "
                "`mattermod migrate status`"
            )
        if version < SCHEMA - 1:
            raise Mistake(f"the database has schema {version}, this version needs {SCHEMA}: {RUN_MIGRATE}")
        if version > SCHEMA + 1:
            _, rows = self.execute("SELECT action FROM mm_schema WHERE version = :version", {"version": version})
            raise Mistake(
                f"the database has schema {version}, this version knows {SCHEMA}: "
                f"use {f'version {rows[0][0]}' if rows[0][0] else 'a newer version'} of the action"
            )

    def remember(self, subject: Subject) -> None:
        self.remember_all([subject])

    def remember_all(self, subjects: Sequence[Subject]) -> None:
        if not subjects:
            return
        rows, table = [_row(subject) for subject in subjects], _table(subjects[0])
        # MySQL assigns from left to right, so the column that decides comes last; where it is NULL, it is not newer.
        columns = [*(name for name in rows[0] if name not in (*IDENTITY, "UpdatedAt")), "UpdatedAt"]
        newer = self.dialect.new.format(name="UpdatedAt")
        assigned = ", ".join(
            f"{name} = CASE WHEN {table}.UpdatedAt > {newer} THEN {table}.{name} "
            f"ELSE {self.dialect.new.format(name=name)} END"
            for name in columns
        )
        groups = [f"({', '.join(f':{name}_{at}' for name in row)})" for at, row in enumerate(rows)]
        sql = f"""
            INSERT INTO {table} ({", ".join(rows[0])}) VALUES {", ".join(groups)}
            {self.dialect.upsert.format(key=", ".join(IDENTITY))} {assigned}
            """  # noqa: S608  # names are constants of this file
        self.execute(sql, {f"{name}_{at}": value for at, row in enumerate(rows) for name, value in row.items()})

    def note(self, effects: Sequence[Once], state: str, seen_at: datetime, result: str = "") -> None:
        rows = [{**_ledger_row(effect), "state": state, "seen_at": seen_at, "result": result} for effect in effects]
        self._insert(rows)

    def claim(self, effect: Once, owner: str) -> bool:
        row = {**_ledger_row(effect), "state": "intent", "owner": owner, "fence": 1}
        return self._insert([row], leased=True) == 1

    def take(self, key: str, owner: str, fence: int) -> bool:
        return self._change(
            "owner = :owner, fence = fence + 1, state = CASE state WHEN 'baseline' THEN 'intent' ELSE state END",
            f"fence = :fence AND state <> 'confirmed' AND {self._is_over('lease_until')}",
            {"k": key, "owner": owner, "fence": fence, **self._shift(now=0)},
            lease=LEASE,
        )

    def send(self, key: str, owner: str, fence: int) -> bool:
        return self._held(f"state = 'sent', sent_at = {self._now('now')}", key, owner, fence, lease=LEASE)

    def confirm(self, key: str, owner: str, fence: int, result: str) -> bool:
        return self._held("state = 'confirmed', result = :result", key, owner, fence, lease=0, result=result[:RESULT])

    def release(self, key: str, owner: str, fence: int) -> bool:
        return self._held("state = 'intent'", key, owner, fence, lease=0)

    def unfinished(self, repository: Repository, limit: int) -> list[Unfinished]:
        place = "repository_id = :id" if repository.id else "repository = :name"
        sql = f"""
            SELECT k, repository_id, number, feature, kind, cause FROM mm_ledger
            WHERE {place} AND state IN ('intent', 'sent') AND {self._is_over("lease_until")}
            ORDER BY number, k LIMIT {limit:d}
            """  # noqa: S608  # every part is a constant of this file, or a number
        where = {"id": repository.id} if repository.id else {"name": repository.full_name}
        _, rows = self.execute(sql, {**where, **self._shift(now=0)})
        return [Unfinished(row[0], int(row[1]), int(row[2]), *row[3:]) for row in rows]

    def forget(self, key: str, owner: str, fence: int) -> bool:
        sql = "DELETE FROM mm_ledger WHERE k = :k AND owner = :owner AND fence = :fence AND state <> 'confirmed'"
        return self.execute(sql, {"k": key, "owner": owner, "fence": fence})[0] == 1

    def results(self, subject: Subject) -> frozenset[str]:
        sql = """
            SELECT result FROM mm_ledger
            WHERE repository_id = :id AND state = 'confirmed' AND number = :number
            """
        of = {"id": subject.repository.id, "number": subject.number}
        return frozenset(str(row[0]) for row in self.execute(sql, of)[1])

    def recall(self, key: str) -> tuple[str, bytes, datetime] | None:
        _, rows = self.execute("SELECT etag, names, read_at FROM mm_lists WHERE k = :k", {"k": key})
        etag, names, read_at = rows[0] if rows else ("", b"", None)
        read = moment(read_at)
        return (etag, bytes(names), read) if read else None

    def keep(self, key: str, etag: str, names: bytes, read_at: datetime) -> None:
        sql = f"""
            INSERT INTO mm_lists (k, etag, names, read_at) VALUES (:k, :etag, :names, :read_at)
            {self.dialect.upsert.format(key="k")} etag = :etag, names = :names, read_at = :read_at
            """  # noqa: S608  # a constant of the dialect
        etag = etag if len(etag) <= ETAG else ""  # a part of one fits nothing
        self.execute(sql, {"k": key, "etag": etag, "names": names, "read_at": read_at})

    def origin(self, key: str) -> Origin | None:
        _, rows = self.execute(f"SELECT {ORIGIN} FROM mm_ledger WHERE k = :k", {"k": key})  # noqa: S608  # a constant of this file
        return _origin(rows[0]) if rows else None

    def unanswered(self, repository: Repository, feature: str, limit: int, seconds: float) -> list[Origin]:
        place = "repository_id = :id" if repository.id else "repository = :name"
        mine = f"{place} AND feature = :feature AND state = 'confirmed' AND kind ="
        sql = f"""
            SELECT {ORIGIN} FROM mm_ledger
            WHERE {mine} 'Dispatch' AND result LIKE :run AND created_at > {self._now("since")}
            AND k NOT IN (SELECT cause FROM mm_ledger WHERE {mine} 'Comment')
            ORDER BY created_at, k LIMIT {limit:d}
            """  # noqa: S608  # every part is a constant of this file, or a number
        where = {"id": repository.id} if repository.id else {"name": repository.full_name}
        more = {"feature": feature, "run": "%/actions/runs/%", **self._shift(since=-seconds)}
        return [_origin(row) for row in self.execute(sql, {**where, **more})[1]]

    def take_lease(self, name: str, owner: str, ttl: float) -> Taken:
        """Look, then compare and set: of those who saw the same fence one wins."""
        held = self._lease(name)
        if held is None:
            sql = f"""
                INSERT INTO mm_leases (name, owner, fence, lease_until) VALUES (:name, :owner, 1, {self._now("lease")})
                {self.dialect.ignore.format(key="name")}
                """  # noqa: S608  # every part is a constant of this file
            count, _ = self.execute(sql, {"name": name.encode(), "owner": owner, **self._shift(lease=ttl)})
            return Taken(1, owner) if count == 1 else Taken(None, (self._lease(name) or ("",))[0])
        holder, fence, is_held = held
        # The end is looked at once more: its holder may have renewed it since.
        ended = self._is_over("lease_until")
        if not is_held and self._set_lease("owner = :owner, fence = fence + 1", ended, name, owner, fence, ttl):
            return Taken(fence + 1, owner)
        return Taken(None, holder if is_held else (self._lease(name) or ("",))[0])

    def renew_lease(self, name: str, owner: str, fence: int, ttl: float) -> bool:
        return self._set_lease("owner = :owner", "owner = :owner", name, owner, fence, ttl)

    def end_lease(self, name: str, owner: str, fence: int) -> None:
        self._set_lease("owner = :owner", "owner = :owner", name, owner, fence, 0)

    def _lease(self, name: str) -> tuple[str, int, bool] | None:
        """Return owner, fence, and whether it runs."""
        sql = f"SELECT owner, fence, {self._runs('lease_until')} FROM mm_leases WHERE name = :name"  # noqa: S608  # a constant of the store
        _, rows = self.execute(sql, {"name": name.encode(), **self._shift(now=0)})
        return (rows[0][0], int(rows[0][1]), bool(rows[0][2])) if rows else None

    def _set_lease(self, changes: str, condition: str, *of: Any) -> bool:
        name, owner, fence, ttl = of
        sql = f"""
            UPDATE mm_leases SET {changes}, lease_until = {self._now("lease")}
            WHERE name = :name AND fence = :fence AND {condition}
            """  # noqa: S608  # every part is a constant of this file
        given = {"name": name.encode(), "owner": owner, "fence": fence, **self._shift(lease=ttl, now=0)}
        return self.execute(sql, given)[0] == 1

    def _held(self, changes: str, key: str, owner: str, fence: int, *, lease: float, **values: Any) -> bool:
        """Change a row only while it is still ours."""
        given = {"k": key, "owner": owner, "fence": fence, **values, **self._shift(now=0)}
        return self._change(changes, "owner = :owner AND fence = :fence AND state <> 'confirmed'", given, lease=lease)

    def _change(self, changes: str, condition: str, values: Mapping[str, Any], *, lease: float) -> bool:
        sql = f"""
            UPDATE mm_ledger SET {changes}, lease_until = {self._now("lease")}, updated_at = {self._now("now")}
            WHERE k = :k AND {condition}
            """  # noqa: S608  # every part is a constant of this file
        count, _ = self.execute(sql, {**self._shift(now=0, lease=lease), **values})
        return count == 1

    def _insert(self, rows: Iterable[Mapping[str, Any]], *, leased: bool = False) -> int:
        """Insert ledger rows in one statement; rows that exist stay as they are. Return how many are new."""
        groups, values = [], self._shift(now=0, lease=LEASE if leased else 0)
        for index, row in enumerate(rows):
            values |= {f"{name}_{index}": row.get(name, default) for name, default in LEDGER.items()}
            names = ", ".join(f":{name}_{index}" for name in LEDGER)
            groups.append(f"({names}, {self._now('lease')}, {self._now('now')}, {self._now('now')})")
        sql = f"""
            INSERT INTO mm_ledger ({", ".join(LEDGER)}, lease_until, created_at, updated_at) VALUES {", ".join(groups)}
            {self.dialect.ignore.format(key="k")}
            """  # noqa: S608  # every part is a constant of this file
        return self.execute(sql, values)[0]


STATES = ("baseline", "intent", "sent", "confirmed")
ORIGIN = "k, repository_id, number, feature, kind, cause, result"
# The columns of a ledger row that a caller gives, with what they are when it does not.
LEDGER: dict[str, Any] = {
    "k": None, "repository_id": 0, "repository": "", "number": 0, "feature": "", "kind": "", "cause": "",
    "state": "", "owner": "", "fence": 0, "seen_at": None, "result": "",
}  # fmt: skip


def _table(subject: Subject) -> str:
    return "PullRequests" if isinstance(subject, PullRequest) else "Issues"


def _identity(subject: Subject) -> dict[str, Any]:
    return {"RepoOwner": subject.repository.owner, "RepoName": subject.repository.name, "Number": subject.number}


def _row(subject: Subject) -> dict[str, Any]:
    """The columns that we write, in the original's names."""
    row = {
        **_identity(subject),
        "Username": subject.author,
        "State": subject.state,
        "Labels": _json(subject.labels),
        "UpdatedAt": subject.updated_at,
    }
    row |= _pull_columns(subject) if isinstance(subject, PullRequest) else {}
    return {name: _cut(value, WIDTHS[name]) if name in WIDTHS else value for name, value in row.items()}


def _cut(text: str | None, most: int) -> str | None:
    return text and text[:most]


def _pull_columns(pull: PullRequest) -> dict[str, Any]:
    return {
        "FullName": pull.head,
        "Ref": pull.ref,
        "Sha": pull.sha,
        "URL": pull.url,
        "CreatedAt": pull.created_at,
        "MaintainerCanModify": int(pull.maintainer_can_modify),
        "Merged": int(pull.merged),
        "MilestoneNumber": pull.milestone_number,
        "MilestoneTitle": pull.milestone_title,
    }


def _ledger_row(effect: Once) -> dict[str, Any]:
    repository = effect.subject.repository
    return {
        "k": effect.key,
        "repository_id": repository.id,
        "repository": repository.full_name,
        "number": effect.subject.number,
        "feature": effect.feature,
        "kind": type(effect).__name__,
        "cause": effect.note[:255],  # for people who read the table; the key decides
    }


def _entry(row: Sequence[Any]) -> Entry:
    _, state, owner, fence, held, seen_at, sent_at, result = row
    if state not in STATES:
        raise ValueError("its state is none of ours")
    is_held = bool(held) and state in ("intent", "sent")
    return Entry(state, owner, int(fence), is_held, moment(seen_at), moment(sent_at), result)


def _moment(value: datetime | str | None) -> datetime | None:
    """A time, None for what is none."""
    with suppress(*ODD):
        return moment(value)
    return None


def _origin(row: Sequence[Any]) -> Origin:
    return Origin(row[0], int(row[1]), int(row[2]), *row[3:])


def _json(labels: tuple[str, ...]) -> str:
    import json

    while len((text := json.dumps(labels, ensure_ascii=False)).encode(errors="replace")) > LABELS:
        labels = labels[: len(labels) // 2]
    return text
