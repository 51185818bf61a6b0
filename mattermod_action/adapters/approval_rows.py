"""The statements about noted approvals, once for both dialects, as those of sql.py are."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from mattermod_action.adapters.statements import Statements, moment
from mattermod_action.approvals import Approval

if TYPE_CHECKING:
    from mattermod_action.effects import NoteApproval
    from mattermod_action.events import Subject

# In the order of assignment: MySQL assigns from left to right, so the column that decides comes last.
NOTED = ("head_sha", "base_ref", "approved_by", "updated_at", "approved_at")


class ApprovalRows(Statements):
    """The `Approvals` part of the `Store` port. The row of a later label event stays."""

    def approval(self, subject: Subject, feature: str, label: str) -> Approval | None:
        sql = "SELECT head_sha, base_ref, approved_at FROM mm_approvals WHERE k = :k"
        _, rows = self.execute(sql, {"k": _key(subject, feature, label)})
        try:
            return Approval(rows[0][0], rows[0][1], moment(rows[0][2])) if rows else None
        except ValueError:  # a time that is none, which only somebody else can have written
            return None

    def note_approval(self, effect: NoteApproval) -> None:
        newer = self.dialect.new.format(name="approved_at")
        assigned = ", ".join(
            f"{name} = CASE WHEN mm_approvals.approved_at > {newer} THEN mm_approvals.{name} "
            f"ELSE {self.dialect.new.format(name=name)} END"
            for name in NOTED
        )
        sql = f"""
            INSERT INTO mm_approvals (k, repository_id, repository, number, feature, label, head_sha, base_ref,
                approved_by, approved_at, updated_at)
            VALUES (:k, :id, :name, :number, :feature, :label, :head, :base,
                :approver, :approved_at, {self._now("now")})
            {self.dialect.upsert.format(key="k")} {assigned}
            """  # noqa: S608  # every part is a constant of this file
        subject, approval = effect.subject, effect.approval
        repository = subject.repository
        place = {"id": repository.id, "name": repository.full_name, "number": subject.number}
        what = {"feature": effect.feature, "label": effect.label, "approver": effect.by}
        noted = {"head": approval.head, "base": approval.base, "approved_at": approval.at}
        key = _key(subject, effect.feature, effect.label)
        self.execute(sql, {"k": key, **place, **what, **noted, **self._shift(now=0)})


def _key(subject: Subject, feature: str, label: str) -> str:
    identity = [subject.repository.id, subject.number, feature, label.casefold()]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()
