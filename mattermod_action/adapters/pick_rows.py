"""The statements about rows of cherry-picks, once for both dialects, as those of sql.py are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mattermod_action import origins
from mattermod_action.adapters.statements import Statements, text
from mattermod_action.picks import BECAME, BEHIND, ENDED_BADLY, FINISHED, GOING, QUEUED, Row, Standing, believed, key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mattermod_action.events import Repository, Subject

READ = "k, target, state, requested_by, source_sha, head_ref, head_sha, pull_number, attempts, reason, comment_id"
CHANGEABLE = frozenset({"source_sha", "head_ref", "head_sha", "pull_number", "attempts", "reason", "requested_by"})
MERGED = """EXISTS (SELECT 1 FROM PullRequests
    WHERE RepoOwner = :RepoOwner AND RepoName = :RepoName AND Number = mm_picks.pull_number AND Merged = 1)"""
WIDTHS = {"reason": 2_083, "head_ref": 255}  # characters that the columns have
NAMED = 10  # the schema that has the origin of each row
_GOING, _BADLY = (", ".join(f"'{state}'" for state in states) for states in (GOING, ENDED_BADLY))


class PickRows(Statements):
    """The `Picks` part of the `Store` port. Who changes rows holds the lease of their pull request."""

    def ask_picks(self, subject: Subject, targets: Sequence[str], by: str, request: Sequence[str | int] = ()) -> int:
        repository = subject.repository
        common = {"id": repository.id, "name": repository.full_name, "number": subject.number, "asker": by}
        common |= {"origin": origins.as_text(request)} if self.schema >= NAMED else {}
        each = {f"{what}_{at}": text for at, target in enumerate(targets) for what, text in _of(subject, target)}
        rows = ", ".join(
            f"(:k_{at}, :id, :name, :number, :target_{at}, :asker, {at:d}, '', '', '', '{QUEUED}', '', 0, 0, '', "
            f"{':origin, ' if 'origin' in common else ''}{self._now('now')}, {self._now('now')})"
            for at in range(len(targets))
        )
        sql = f"""
            INSERT INTO mm_picks (k, repository_id, repository, number, target, requested_by, position, source_sha,
                head_ref, head_sha, state, lease_owner, fence, attempts, reason,
                {"origin, " if "origin" in common else ""}created_at, updated_at)
            VALUES {rows} {self.dialect.ignore.format(key="k")}
            """  # noqa: S608  # every part is a constant of this file, or a number
        return self.execute(sql, {**common, **each, **self._shift(now=0)})[0]

    def picks(self, subject: Subject) -> list[Row]:
        named = "origin" if self.schema >= NAMED else "NULL"
        sql = f"""
            SELECT {READ}, {named} FROM mm_picks WHERE repository_id = :id AND number = :number
            ORDER BY created_at, position, k
            """  # noqa: S608  # a constant of this file
        _, rows = self.execute(sql, {"id": subject.repository.id, "number": subject.number})
        return self._believed("mm_picks", rows, _row)

    def due_picks(self, repository: Repository, limit: int) -> list[tuple[int, int]]:
        place = "repository_id = :id" if repository.id else "repository = :name"
        sql = f"""
            SELECT DISTINCT repository_id, number FROM mm_picks
            WHERE {place} AND (comment_id IS NULL OR state IN ({_GOING}))
            AND {self._is_over("due_at")}
            ORDER BY number LIMIT {limit:d}
            """  # noqa: S608  # every part is a constant of this file, or a number
        where = {"id": repository.id} if repository.id else {"name": repository.full_name}
        _, rows = self.execute(sql, {**where, **self._shift(now=0)})
        return [(int(row[0]), int(row[1])) for row in rows]

    def pick_standings(self, repository: Repository, seconds: float) -> list[Standing]:
        place = "repository_id = :id" if repository.id else "repository = :name"
        counts = (
            "pull_number IS NOT NULL",
            MERGED,
            f"state IN ({_GOING})",
            f"state IN ({_BADLY})",
        )
        sums = ", ".join(f"SUM(CASE WHEN {each} THEN 1 ELSE 0 END)" for each in counts)
        sql = f"""
            SELECT target, COUNT(*), {sums} FROM mm_picks WHERE {place} AND updated_at > {self._now("since")}
            GROUP BY target ORDER BY target
            """  # noqa: S608  # every part is a constant of this file
        where = {"id": repository.id} if repository.id else {"name": repository.full_name}
        pulls = {"RepoOwner": repository.owner, "RepoName": repository.name}
        rows = self.execute(sql, {**where, **pulls, **self._shift(since=-seconds)})[1]
        return [Standing(text(target), *map(int, numbers)) for target, *numbers in rows]

    def open_picks(self, repository: Repository, seconds: float, limit: int) -> list[tuple[int, Row]]:
        place = "repository_id = :id" if repository.id else "repository = :name"
        named = "origin" if self.schema >= NAMED else "NULL"
        sql = f"""
            SELECT {READ}, {named}, number FROM mm_picks
            WHERE {place} AND state = '{FINISHED}' AND pull_number IS NOT NULL AND comment_id IS NOT NULL
            AND (reason NOT LIKE :ended OR reason LIKE :behind) AND updated_at > {self._now("since")}
            ORDER BY updated_at DESC LIMIT {limit:d}
            """  # noqa: S608  # every part is a constant of this file, or a number
        where = {"id": repository.id} if repository.id else {"name": repository.full_name}
        became = {"ended": f"%{BECAME}%", "behind": f"%{BECAME}{BEHIND}%"}
        _, rows = self.execute(sql, {**where, **became, **self._shift(since=-seconds)})
        return self._believed("mm_picks", rows, lambda row: (int(row[-1]), _row(row)))

    def move_pick(self, row: Row, state: str, fence: int, changes: Mapping[str, Any]) -> bool:
        """Nothing is changed by who was overtaken: whoever took the lease since has a greater fence."""
        names = CHANGEABLE & changes.keys()
        values = {name: changes[name] for name in names}
        if "origin" in changes and self.schema >= NAMED:
            names |= {"origin"}
            values["origin"] = origins.as_text(("comment", changes["origin"].comment))
        assigned = "".join(f"{name} = :{name}, " for name in sorted(names))
        sql = f"""
            UPDATE mm_picks SET {assigned}state = :state, comment_id = NULL, due_at = NULL, fence = :fence,
                updated_at = {self._now("now")}
            WHERE k = :k AND fence <= :fence
            """  # noqa: S608  # names are constants of this file
        values |= {name: values[name][:most] for name, most in WIDTHS.items() if name in values}
        given = {"k": row.key, "state": state, "fence": fence, **values, **self._shift(now=0)}
        return self.execute(sql, given)[0] == 1

    def tell_pick(self, row: Row, comment: int, seconds: float) -> bool:
        sql = f"""
            UPDATE mm_picks SET comment_id = :comment, due_at = {self._now("due")}
            WHERE k = :k AND state = :state AND attempts = :attempts
            """  # noqa: S608  # a constant of the store
        known = {"k": row.key, "state": row.state, "attempts": row.attempts}
        return self.execute(sql, {**known, "comment": comment, **self._shift(due=seconds)})[0] == 1


def _of(subject: Subject, target: str) -> tuple[tuple[str, Any], ...]:
    return ("k", key(subject.repository.id, subject.number, target)), ("target", target.encode())


def _row(row: Sequence[Any]) -> Row:
    return believed(Row(
        key=row[0], target=text(row[1]), state=row[2], requested_by=row[3], source_sha=row[4], head_ref=row[5],
        head_sha=row[6], pull_number=None if row[7] is None else int(row[7]), attempts=int(row[8]), reason=row[9],
        told=row[10] is not None, origin=origins.origin(row[11]),
    ))  # fmt: skip
