"""The statements of sweeps, once for both dialects, as those of sql.py are: whole pages at a time."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.statements import ODD, Statements, moment
from mattermod_action.events import PullRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mattermod_action.events import Repository, Subject
    from mattermod_action.sweeps import Place, Progress, Stored, Swept

PULLS, ISSUES = "PullRequests", "Issues"
SIZED, TRUSTED = 9, 10  # the schemas that have sizes of pages, and attempts and what is busy


class SweepRows(Statements):
    """The `Sweeps` part of the `Store` port. Who sweeps a repository holds its lease."""

    def stored(self, subjects: Sequence[Subject]) -> dict[int, Stored]:
        if not subjects:
            return {}
        from mattermod_action.sweeps import Stored

        table, where, values = _of(subjects)
        sha = "Sha" if table == PULLS else "''"
        sql = f"SELECT Number, UpdatedAt, Labels, {sha} FROM {table} WHERE {where}"  # noqa: S608  # constants of this file
        found = {}
        for number, seen_at, labels, commit in self.execute(sql, values)[1]:
            found[int(number)] = Stored(moment(seen_at), _names(labels), str(commit or ""))
        return found

    def mark_swept(self, subjects: Sequence[Subject], started_at: datetime) -> None:
        if subjects:
            table, where, values = _of(subjects)
            sql = f"UPDATE {table} SET SweptAt = :swept WHERE {where}"  # noqa: S608  # constants of this file
            self.execute(sql, {**values, "swept": started_at})

    def unswept(self, repository: Repository, started_at: datetime, limit: int) -> list[int]:
        found: list[int] = []
        for table in (PULLS, ISSUES):
            sql = f"""
                SELECT Number FROM {table} WHERE RepoOwner = :owner AND RepoName = :name AND State = 'open'
                AND UpdatedAt IS NOT NULL AND (SweptAt IS NULL OR SweptAt < :swept) ORDER BY Number LIMIT {limit:d}
                """  # noqa: S608  # every part is a constant of this file, or a number
            where = {"owner": repository.owner, "name": repository.name, "swept": started_at}
            found += [int(number) for (number,) in self.execute(sql, where)[1]]
        return found

    def retire(self, repository: Repository, number: int) -> None:
        for table in (PULLS, ISSUES):
            sql = f"""
                UPDATE {table} SET State = 'closed' WHERE RepoOwner = :owner AND RepoName = :name AND Number = :number
                """  # noqa: S608  # a constant of this file
            self.execute(sql, {"owner": repository.owner, "name": repository.name, "number": number})

    def rename(self, before: str, repository: Repository) -> None:
        """Of what has a row under the new name already, that one is the newer."""
        owner, _, name = before.partition("/")
        old = {"was_owner": owner, "was_name": name, "owner": repository.owner, "name": repository.name}
        for table in (PULLS, ISSUES):
            known = f"SELECT Number FROM {table} WHERE RepoOwner = :owner AND RepoName = :name"  # noqa: S608  # a constant of this file
            sql = f"""
                UPDATE {table} SET RepoOwner = :owner, RepoName = :name
                WHERE RepoOwner = :was_owner AND RepoName = :was_name
                AND Number NOT IN (SELECT Number FROM ({known}) known)
                """  # noqa: S608  # constants of this file
            self.execute(sql, old)

    def progress(self, repository: Repository) -> Progress | None:
        from mattermod_action.sweeps import Progress

        sizes = "page_sizes" if self.schema >= SIZED else "NULL"
        busy = "busy_with" if self.schema >= TRUSTED else "NULL"
        sql = f"""
            SELECT place, started_at, completed_at, {self._now("now")}, repository, {sizes}, {busy} FROM mm_sweeps
            WHERE repository_id = :id
            """  # noqa: S608  # constants of the store and of this file
        rows = self.execute(sql, {"id": repository.id, **self._shift(now=0)})[1]
        if not rows:
            return None
        place, started_at, completed_at, now, name, noted, busy_with = rows[0]
        at = _place(place)
        return Progress(at, moment(started_at), moment(completed_at), moment(now), name, noted or "", busy_with or "")

    def note_attempt(self, repository: Repository) -> None:
        if self.schema < TRUSTED:
            return
        sql = f"""
            INSERT INTO mm_sweeps (repository_id, repository, place, attempted_at)
            VALUES (:id, :name, '', {self._now("now")})
            {self.dialect.upsert.format(key="repository_id")} attempted_at = {self._now("now")}
            """  # noqa: S608  # a constant of the dialect
        self.execute(sql, {"id": repository.id, "name": repository.full_name, **self._shift(now=0)})

    def note_busy(self, repository: Repository, what: str) -> None:
        if self.schema < TRUSTED:
            return
        sql = "UPDATE mm_sweeps SET busy_with = :what WHERE repository_id = :id"
        self.execute(sql, {"id": repository.id, "what": what or None})

    def begin_sweep(self, repository: Repository) -> None:
        sql = f"""
            INSERT INTO mm_sweeps (repository_id, repository, place, started_at)
            VALUES (:id, :name, '', {self._now("now")})
            {self.dialect.upsert.format(key="repository_id")}
                repository = :name, place = '', started_at = {self._now("now")}
            """  # noqa: S608  # a constant of the dialect
        self.execute(sql, {"id": repository.id, "name": repository.full_name, **self._shift(now=0)})

    def note_sweep(self, repository: Repository, place: Place) -> None:
        sql = "UPDATE mm_sweeps SET place = :place WHERE repository_id = :id"
        self.execute(sql, {"id": repository.id, "place": json.dumps(asdict(place))})

    def note_page_sizes(self, repository: Repository, sizes: str) -> None:
        """A repository whose first page was never answered has no row yet."""
        if self.schema < SIZED:
            return
        sql = f"""
            INSERT INTO mm_sweeps (repository_id, repository, place, page_sizes) VALUES (:id, :name, '', :sizes)
            {self.dialect.upsert.format(key="repository_id")} page_sizes = :sizes
            """  # noqa: S608  # a constant of the dialect
        self.execute(sql, {"id": repository.id, "name": repository.full_name, "sizes": sizes})

    def end_sweep(self, repository: Repository) -> None:
        sql = f"UPDATE mm_sweeps SET place = '', completed_at = {self._now('now')} WHERE repository_id = :id"  # noqa: S608  # a constant of the store
        self.execute(sql, {"id": repository.id, **self._shift(now=0)})

    def last_swept(self, repositories: Sequence[int]) -> dict[int, Swept]:
        if not repositories:
            return {}
        from mattermod_action.sweeps import Swept

        attempted = "attempted_at" if self.schema >= TRUSTED else "NULL"
        listed = ", ".join(f"{number:d}" for number in repositories)
        sql = f"SELECT repository_id, completed_at, {attempted} FROM mm_sweeps WHERE repository_id IN ({listed})"  # noqa: S608  # numbers
        rows = self.execute(sql, {})[1]
        return {int(number): Swept(moment(ended), moment(began)) for number, ended, began in rows}


def _names(labels: str | None) -> tuple[str, ...]:
    """A list of names; of one that nobody of ours has written, those that are names."""
    with suppress(*ODD):
        found = json.loads(labels or "[]")
        return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()
    return ()


def _place(text: str) -> Place:
    """Where a sweep has stopped; the beginning, where nobody of ours has written it."""
    from mattermod_action.sweeps import Place

    with suppress(*ODD):
        found = Place(**json.loads(text)) if text else Place()
        cursors, ends = (found.pulls, found.issues), (found.pulls_end, found.issues_end)
        if all(isinstance(each, str | None) for each in cursors) and all(isinstance(each, bool) for each in ends):
            return found
    return Place()


def _of(subjects: Sequence[Subject]) -> tuple[str, str, dict[str, Any]]:
    """Table, condition and its values, for items of one kind in one repository."""
    first = subjects[0]
    listed = ", ".join(f"{subject.number:d}" for subject in subjects)
    where = f"RepoOwner = :owner AND RepoName = :name AND Number IN ({listed})"
    table = PULLS if isinstance(first, PullRequest) else ISSUES
    return table, where, {"owner": first.repository.owner, "name": first.repository.name}
