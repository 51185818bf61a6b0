"""The statements about rows of test servers, once for both dialects, as those of sql.py are.

The original's table `Spinmint` is kept beside them: it lists the instances that exist.
"""

from __future__ import annotations

from calendar import timegm
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mattermod_action import origins
from mattermod_action.adapters.statements import Statements, moment, text
from mattermod_action.events import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from mattermod_action.effects import LaunchServer
    from mattermod_action.events import Subject
    from mattermod_action.leases import Lease
    from mattermod_action.servers import Row

READ = """
    k, owner, repository, repository_id, number, state, live, generation, sha, requested_by, parameters, client_token,
    build_url, instance_id, address, expires_at, attempts, reason, created_at, updated_at, comment_id
"""
COLUMNS = {
    "token": "client_token", "build_url": "build_url", "instance_id": "instance_id", "address": "address",
    "expires_at": "expires_at", "attempts": "attempts", "reason": "reason", "order": "parameters",
}  # fmt: skip
REASON, LINK = 2_083, 2_083  # characters that the columns have
NAMED = 10  # the schema that has the origin of each row
EVERY = 1_000_000  # rows: of those that were left out, a sweep would end the servers
UNTOLD_FOR = 86_400.0  # seconds after which nobody tries any more to tell of one that is over


class ServerRows(Statements):
    """The `ServerRows` part of the `Store` port. Who changes a row holds the lease of its pull request."""

    def ask_server(self, key: str, effect: LaunchServer, lease: Lease) -> None:
        """The lease is looked at in the same statement: whoever lost it adds nothing to what another has counted."""
        subject = effect.subject
        values = {
            "k": key, **_names(subject.repository), "number": subject.number, "id": subject.repository.id,
            "sha": effect.sha, "asker": effect.by, "parameters": effect.order.as_json(),
            "origin": origins.as_text(effect.request),
            "lease": lease.name.encode(), "lease_owner": lease.owner, "fence": lease.fence,
        }  # fmt: skip
        sql = f"""
            INSERT INTO mm_servers (k, owner, repository, number, live, repository_id, generation, sha, requested_by,
                parameters, client_token, build_url, instance_id, address, state, lease_owner, fence, attempts, reason,
                {"origin, " if self.schema >= NAMED else ""}created_at, updated_at)
            SELECT :k, :owner, :name, :number, 1, :id, 1 + (SELECT COUNT(*) FROM mm_servers
                WHERE owner = :owner AND repository = :name AND number = :number), :sha, :asker, :parameters,
                '', '', '', '', 'requested', '', 0, 0, '', {":origin, " if self.schema >= NAMED else ""}
                {self._now("now")}, {self._now("now")}
            FROM mm_leases WHERE name = :lease AND owner = :lease_owner AND fence = :fence
            {self.dialect.ignore.format(key="k")}
            """  # noqa: S608  # every part is a constant of this file
        self.execute(sql, {**values, **self._shift(now=0)})

    def server(self, key: str) -> Row | None:
        return next(iter(self._servers("k = :k", {"k": key})), None)

    def servers_of(self, subject: Subject) -> list[Row]:
        """Where it is named, the repository is that of the subject, whatever name it had before."""
        where = {"id": subject.repository.id, "number": subject.number}
        found = self._servers("repository_id = :id AND number = :number", where)
        return [replace(row, repository=subject.repository) for row in found]

    def live_servers(self) -> list[Row]:
        return self._servers("live = 1", {}, EVERY)

    def launched_since(self, repository: Repository, seconds: float) -> int:
        sql = f"SELECT COUNT(*) FROM mm_servers WHERE repository_id = :id AND created_at > {self._now('since')}"  # noqa: S608  # a constant of the store
        return int(self.execute(sql, {"id": repository.id, **self._shift(since=-seconds)})[1][0][0])

    def due_servers(self, repository: Repository, limit: int) -> list[Row]:
        place = "repository_id = :id" if repository.id else "(owner = :owner AND repository = :name)"
        where = {"id": repository.id} if repository.id else _names(repository)
        untold = f"(comment_id IS NULL AND updated_at > {self._now('since')})"
        due = f"{place} AND (live = 1 OR {untold})"
        found = self._servers(due, {**where, **self._shift(since=-UNTOLD_FOR)}, limit)
        return [replace(row, repository=replace(repository, id=row.repository.id)) for row in found]

    def move_server(self, row: Row, state: str, lease: Lease, changes: Mapping[str, Any]) -> bool:
        """The lease is looked at in the same statement: whoever took it over may have changed nothing yet."""
        values = {COLUMNS[name]: value for name, value in changes.items()}
        values |= {"parameters": values["parameters"].as_json()} if "parameters" in values else {}
        values |= {
            name: values[name][:most] for name, most in (("reason", REASON), ("build_url", LINK)) if name in values
        }
        assigned = "".join(f"{name} = :{name}, " for name in sorted(values))
        since = "updated_at" if state == row.state else self._now("now")
        sql = f"""
            UPDATE mm_servers SET {assigned}state = :state, live = :live, comment_id = NULL, updated_at = {since},
                fence = :fence
            WHERE k = :k AND state = :was AND EXISTS (SELECT 1 FROM mm_leases
                WHERE name = :lease AND owner = :lease_owner AND fence = :fence)
            """  # noqa: S608  # names are constants of this file
        live = 1 if state in _states().LIVE else None
        held = {"lease": lease.name.encode(), "lease_owner": lease.owner, "fence": lease.fence}
        given = {"k": row.key, "state": state, "was": row.state, "live": live, **held, **values}
        return self.execute(sql, {**given, **self._shift(now=0)})[0] == 1

    def tell_server(self, row: Row, comment: int) -> None:
        sql = """
            UPDATE mm_servers SET comment_id = :comment WHERE k = :k AND state = :state AND reason = :reason
            AND COALESCE(expires_at, created_at) = :ends
            """
        known = {"k": row.key, "state": row.state, "reason": row.reason, "ends": row.expires_at or row.created_at}
        self.execute(sql, {**known, "comment": comment})

    def list_instance(self, row: Row) -> None:
        """In the original's table, with its five columns; `CreatedAt` is in seconds since 1970."""
        sql = f"""
            INSERT INTO Spinmint (InstanceId, RepoOwner, RepoName, Number, CreatedAt)
            VALUES (:instance, :owner, :name, :number, :created)
            {self.dialect.ignore.format(key="InstanceId")}
            """  # noqa: S608  # a constant of the dialect
        place = {"owner": row.repository.owner, "name": row.repository.name, "number": row.number}
        self.execute(sql, {"instance": row.instance_id, "created": timegm(row.read_at.timetuple()), **place})

    def unlist_instance(self, instance_id: str) -> None:
        self.execute("DELETE FROM Spinmint WHERE InstanceId = :instance", {"instance": instance_id})

    def _servers(self, where: str, values: Mapping[str, Any], limit: int = 1_000) -> list[Row]:
        named = "origin" if self.schema >= NAMED else "NULL"
        sql = f"""
            SELECT {READ}, {self._now("now")}, {named} FROM mm_servers WHERE {where}
            ORDER BY created_at, k LIMIT {limit:d}
            """  # noqa: S608  # every part is a constant of this file, or a number
        return self._believed("mm_servers", self.execute(sql, {**values, **self._shift(now=0)})[1], _row)


def _names(repository: Repository) -> dict[str, bytes]:
    return {"owner": repository.owner.encode(), "name": repository.name.encode()}


def _states() -> ModuleType:
    """Not imported before it is used: most runs have a store, and no test server."""
    from mattermod_action import servers

    return servers


def _row(row: Sequence[Any]) -> Row:
    servers, repository = _states(), Repository(int(row[3]), text(row[1]), text(row[2]))
    made: Row = servers.Row(
        key=row[0], repository=repository, number=int(row[4]), state=row[5], live=bool(row[6]), generation=int(row[7]),
        sha=row[8], requested_by=row[9], order=servers.order(row[10]), token=row[11], build_url=row[12],
        instance_id=row[13], address=row[14], expires_at=moment(row[15]), attempts=int(row[16]), reason=row[17],
        created_at=moment(row[18]), since=moment(row[19]), told=row[20] is not None, read_at=moment(row[21]),
        origin=origins.origin(row[22]),
    )  # fmt: skip
    believed: Row = servers.believed(made)
    return believed
