"""What a run has asked of GitHub, and its figures under the names of the original's metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.sweeps import Tally

GRAPHQL = "/graphql"
CORE, POINTS = "core", "graphql"  # GitHub's names of its two limits
OK, ERRORS, NO_ANSWER = "2xx", "errors", "none"  # answers that have no status of their own here
SWEEP = "sweep"  # the one task of a schedule
# Of a path only these are shown: what stands between them are names and numbers, and anybody may have chosen them.
SHOWN = frozenset({
    "actions", "branches", "collaborators", "comments", "commits", "compare", "contents", "dispatches",
    "files", "graphql", "issues", "labels", "merge", "milestones", "permission", "pulls", "reactions", "repos",
    "requested_reviewers", "runs", "status", "statuses", "update-branch", "workflows",
})  # fmt: skip


FEW = 3  # pages of a list that are read as long as the reserve is there


@dataclass
class Calls:
    """How often GitHub was asked, by method, handler and answer, and how long that took; and what it lets us ask still.

    `limited` counts the answers by which it asked to slow down.
    """

    made: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    left: dict[str, tuple[int, int]] = field(default_factory=dict)
    limited: int = 0

    def note(self, method: str, path: str, answer: str, seconds: float) -> None:
        self.made.setdefault((method, handler(path), answer), []).append(seconds)

    def note_left(self, path: str, left: int, limit: int) -> None:
        if limit > 0:
            self.left[POINTS if path == GRAPHQL else CORE] = (left, limit)

    def spares(self, requests: int) -> bool:
        """Whether so many requests for one list leave enough of this hour's for what everybody else asks for.

        A long list, which a stranger may have made, is read from the first half; a tenth is left in any case. Where
        nothing is limited, or nobody has said how much is left, there is enough.
        """
        left, limit = self.left.get(CORE, (0, 0))
        return not limit or left - requests >= limit // (10 if requests <= FEW else 2)

    @property
    def is_scarce(self) -> bool:
        """Whether less than a quarter of this hour's requests is left, which is for gates and for writers."""
        left, limit = self.left.get(CORE, (0, 0))
        return bool(limit) and left < limit // 4

    @property
    def queries(self) -> int:
        return sum(len(each) for (_, where, _), each in self.made.items() if where == GRAPHQL)

    @property
    def rest(self) -> int:
        return sum(map(len, self.made.values())) - self.queries


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one run: its event, whether it failed, how long it took and how long it only waited, in seconds."""

    event: str
    failed: bool
    seconds: float
    waited: float
    calls: Calls
    tallies: Sequence[Tally] = ()

    def as_json(self) -> dict[str, Any]:
        """A family that the original has nothing like begins with ours."""
        return {**self._of_the_event(), **self._of_github(), **({SWEEP: self._of_the_sweep()} if self.tallies else {})}

    def _of_the_event(self) -> dict[str, Any]:
        failed = int(self.failed)
        if self.event in ("schedule", "workflow_dispatch"):
            taken = {"mattermod_cron_duration_seconds": {SWEEP: round(self.seconds, 3)}}
            return {**taken, "mattermod_cron_errors": {SWEEP: failed}}
        return {"mattermod_webhook_requests": {self.event: 1}, "mattermod_webhook_errors": {self.event: failed}}

    def _of_github(self) -> dict[str, Any]:
        asked = [
            {"method": method, "handler": where, "status_code": answer, **_summed(each)}
            for (method, where, answer), each in sorted(self.calls.made.items())
        ]
        return {
            "mattermod_github_requests": asked,
            "mattermod_github_rate_limiter_errors": self.calls.limited,
            "mattermod_github_waiting_seconds": round(self.waited, 3),
            "mattermod_github_left": {name: left for name, (left, _) in sorted(self.calls.left.items())},
        }

    def _of_the_sweep(self) -> list[dict[str, Any]]:
        return [
            {
                "repository": each.repository, "outcome": each.outcome, "looked_at": each.looked_at,
                "changed": each.changed, "failed": each.failed, "rest": each.rest, "queries": each.queries,
                "points": each.points, "seconds": round(each.seconds, 3),
                "last_complete": each.last.isoformat() if each.last else None,
            }
            for each in self.tallies
        ]  # fmt: skip


def handler(path: str) -> str:
    """Return the path with a star for each name and number, those of owner and repository too."""
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[0] == "repos":
        parts[1:3] = ["*", "*"]
    return "/" + "/".join(part if part in SHOWN else "*" for part in parts)


def _summed(seconds: list[float]) -> dict[str, Any]:
    return {"count": len(seconds), "duration_seconds": round(sum(seconds), 3)}
