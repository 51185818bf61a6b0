"""What people have done about items, and when: one GraphQL query for up to a hundred of them.

Bots are no people, and neither are the logins of the input `bot-logins`. When a commit was pushed GitHub does not say,
only when it was made: a time that is still to come is not believed, and that it was pushed long after is news of an
event or of a sweep that finds the head moved.
https://docs.github.com/en/graphql/reference/objects#pullrequestcommit
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mattermod_action.adapters.candidates import WRITTEN, is_ours, login, time
from mattermod_action.events import PullRequest
from mattermod_action.markers import Seals, marker_of
from mattermod_action.ports import Activity, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mattermod_action.events import Subject

    Json = dict[str, Any]

CUT = "pageInfo { hasPreviousPage }"
BY = "createdAt actor { __typename login }"
LABEL = f"{BY} label {{ name }}"
COMMON = f"""
  state locked createdAt updatedAt
  labels(first: 100) {{ nodes {{ name }} }}
  milestone {{ number }}
  assignees(first: 1) {{ nodes {{ login }} }}
  comments(last: 50) {{ nodes {{ id isMinimized {WRITTEN} }} {CUT} }}
"""
# A query for 100 pull requests costs 6 points: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
PULL = f"""
fragment pull on PullRequest {{
  isDraft
  {COMMON}
  reviews(last: 50) {{ nodes {{ createdAt author {{ __typename login }} }} {CUT} }}
  commits(last: 10) {{ nodes {{ commit {{ committedDate author {{ name email }} }} }} }}
  timelineItems(last: 50, itemTypes: [
    LABELED_EVENT, UNLABELED_EVENT, REOPENED_EVENT, READY_FOR_REVIEW_EVENT, HEAD_REF_FORCE_PUSHED_EVENT
  ]) {{
    nodes {{
      __typename
      ... on LabeledEvent {{ {LABEL} }} ... on UnlabeledEvent {{ {LABEL} }} ... on ReopenedEvent {{ {BY} }}
      ... on ReadyForReviewEvent {{ {BY} }} ... on HeadRefForcePushedEvent {{ {BY} }}
    }}
    {CUT}
  }}
}}
"""
ISSUE = f"""
fragment issue on Issue {{
  {COMMON}
  timelineItems(last: 50, itemTypes: [LABELED_EVENT, UNLABELED_EVENT, REOPENED_EVENT]) {{
    nodes {{
      __typename
      ... on LabeledEvent {{ {LABEL} }} ... on UnlabeledEvent {{ {LABEL} }} ... on ReopenedEvent {{ {BY} }}
    }}
    {CUT}
  }}
}}
"""
HIDE = """mutation ($node: ID!) {
  minimizeComment(input: {subjectId: $node, classifier: OUTDATED}) { clientMutationId }
}"""
NOTHING: Any = {"nodes": [], "pageInfo": {"hasPreviousPage": False}}


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks with one label in mind; `bots` are case-folded."""

    label: str
    bots: frozenset[str]
    now: datetime
    seals: Seals

    def query(self, subjects: Sequence[Subject]) -> tuple[str, Json]:
        """Return the query and its variables."""
        repository = subjects[0].repository
        asked = "\n".join(f"i{each.number:d}: {_asked(each)}" for each in subjects)
        kinds = {isinstance(each, PullRequest) for each in subjects}
        fragments = "".join({True: PULL, False: ISSUE}[kind] for kind in sorted(kinds))
        text = f"query ($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
        return text + fragments, {"owner": repository.owner, "name": repository.name}

    def found(self, subjects: Sequence[Subject], data: Json) -> Mapping[int, Activity]:
        nodes = {each.number: data["repository"][f"i{each.number}"] for each in subjects}
        return {each.number: self._activity(each, node) for each in subjects if (node := nodes[each.number])}

    def _activity(self, subject: Subject, node: Json) -> Activity:
        marking = self._marking(node)
        return Activity(
            subject=_as_it_is(subject, node),
            active_at=max(self._moments(node)),
            marked_at=time(marking["createdAt"]) if marking else None,
            by_hand=bool(marking) and self._is_person(marking["actor"]),
            has_milestone=node["milestone"] is not None,
            is_assigned=bool(node["assignees"]["nodes"]),
            is_locked=node["locked"],
            notices=tuple(
                self._notice(subject, each) for each in node["comments"]["nodes"] if each and self._is_ours(each)
            ),
        )

    def _moments(self, node: Json) -> Iterator[datetime]:
        """When it was opened, and the newest of each kind of what people did."""
        yield time(node["createdAt"])
        yield from _newest(node["comments"], lambda each: self._is_person(each["author"]) and not self._is_ours(each))
        yield from _newest(node.get("reviews") or NOTHING, lambda each: self._is_person(each["author"]))
        yield from _newest(node["timelineItems"], self._counts)
        for each in (node.get("commits") or NOTHING)["nodes"]:
            at = time(each["commit"]["committedDate"])
            if at <= self.now and not _is_of_bot(each["commit"]["author"] or {}):
                yield at

    def _counts(self, event: Json) -> bool:
        """That somebody puts the label on asks for no more time, that somebody takes it off does."""
        return self._is_person(event["actor"]) and not self._marks(event)

    def _marks(self, event: Json) -> bool:
        is_on = event["__typename"] == "LabeledEvent"
        return is_on and str(event["label"]["name"]).casefold() == self.label.casefold()

    def _marking(self, node: Json) -> Any:
        is_on = self.label.casefold() in {each["name"].casefold() for each in node["labels"]["nodes"]}
        found = [each for each in node["timelineItems"]["nodes"] if each and self._marks(each)]
        return found[-1] if is_on and found else None

    def _is_person(self, actor: Json | None) -> bool:
        """Whose account was deleted was one."""
        return actor is None or (actor["__typename"] != "Bot" and login(actor).casefold() not in self.bots)

    def _is_ours(self, comment: Json) -> bool:
        return is_ours(comment, self.bots) and bool(marker_of(comment["body"]))

    def _notice(self, subject: Subject, comment: Json) -> Notice:
        """One whose marker does not count by itself has the address by which a row may name it."""
        counts = self.seals.marker_in(subject, comment["body"])
        marker, address = (counts, "") if counts else (marker_of(comment["body"]), comment["url"])
        return Notice(comment["id"], marker, time(comment["createdAt"]), not comment["isMinimized"], address)


def _asked(subject: Subject) -> str:
    kind, fragment = ("pullRequest", "pull") if isinstance(subject, PullRequest) else ("issue", "issue")
    return f"{kind}(number: {subject.number:d}) {{ ...{fragment} }}"


def _newest(page: Json, counts: Callable[[Json], bool]) -> Iterator[datetime]:
    """The time of the newest that counts; where a long list has none on its page, what was before is not older."""
    nodes = [each for each in page["nodes"] if each]
    found = [each for each in nodes if counts(each)]
    if not found and page["pageInfo"]["hasPreviousPage"]:
        found = nodes[:1]
    for each in found[-1:]:
        yield time(each["createdAt"])


def _is_of_bot(author: Json) -> bool:
    """Bots have names and addresses of one form, and no user."""
    return str(author.get("name") or "").endswith("[bot]") or "[bot]@" in str(author.get("email") or "")


def _as_it_is(subject: Subject, node: Json) -> Subject:
    found = replace(
        subject,
        labels=tuple(each["name"] for each in node["labels"]["nodes"]),
        state="open" if node["state"] == "OPEN" else "closed",
        updated_at=time(node["updatedAt"]),
    )
    return replace(found, draft=node["isDraft"]) if isinstance(found, PullRequest) else found
