"""Pull requests that may be merged: one GraphQL query for all that carry a label, with all that a merge depends on.

https://docs.github.com/en/graphql/reference/pulls
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mattermod_action.approvals import CONTEXT, NOTED, Approval, BaseChange
from mattermod_action.events import GHOST, GITHUB_TOKEN, PullRequest, Repository
from mattermod_action.merging import APPROVAL, FAILURE, PENDING, SUCCESS, Attempt, Candidate, Check, Maker, Suite
from mattermod_action.queueing import Removal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    Json = dict[str, Any]
    Ask = Callable[[str, Json], Json]  # a query and its variables to its `data`

# Whose it is, which takes `actions: read` where it is a workflow's.
SUITE = "id app { slug } workflowRun { event workflow { id name } }"
CHECKS = f"""
  nodes {{ __typename
    ... on StatusContext {{ context state description creator {{ __typename login }} }}
    ... on CheckRun {{ name status conclusion databaseId startedAt completedAt checkSuite {{ {SUITE} }} }}
  }}
  pageInfo {{ hasNextPage endCursor }}
"""
REVIEWS = "nodes { state author { __typename login } commit { oid } } pageInfo { hasNextPage endCursor }"
# What makes up an events.PullRequest, and who put labels on it.
PULL = """
  id number url state isDraft merged createdAt updatedAt maintainerCanModify
  author { __typename login }
  labels(first: 100) { nodes { name } }
  milestone { number title }
  baseRefName headRefName headRefOid headRepository { nameWithOwner }
"""
WRITTEN = "url body createdAt viewerDidAuthor author { __typename login }"  # of a comment, what tells whose it is
LABELINGS = """
  timelineItems(itemTypes: [LABELED_EVENT], last: 100) {
    nodes { ... on LabeledEvent { createdAt actor { __typename login } label { name } } }
  }
"""
# Who put labels on it, and what became of its base and of it in a merge queue.
HISTORY = """
  timelineItems(
    itemTypes: [
      LABELED_EVENT, BASE_REF_CHANGED_EVENT, AUTOMATIC_BASE_CHANGE_SUCCEEDED_EVENT, REMOVED_FROM_MERGE_QUEUE_EVENT
    ], last: 100
  ) {
    nodes {
      __typename
      ... on LabeledEvent { createdAt actor { __typename login } label { name } }
      ... on BaseRefChangedEvent { createdAt previousRefName currentRefName }
      ... on AutomaticBaseChangeSucceededEvent { createdAt oldBase newBase }
      ... on RemovedFromMergeQueueEvent { createdAt reason actor { __typename login } }
    }
  }
"""
# A page costs a point for each 14 of it: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
CANDIDATE = f"""
fragment candidate on PullRequest {{
  {PULL}
  mergeable mergeStateStatus isMergeQueueEnabled isInMergeQueue reviewDecision
  mergeQueueEntry {{ enqueuer {{ __typename login }} }}
  reviewRequests(first: 100) {{
    nodes {{ requestedReviewer {{
      __typename
      ... on Bot {{ login }} ... on Mannequin {{ login }} ... on Team {{ slug }} ... on User {{ login }}
    }} }}
  }}
  latestOpinionatedReviews(first: $each, writersOnly: true) {{ {REVIEWS} }}
  statusCheckRollup {{ contexts(first: $each) {{ {CHECKS} }} }}
  commits(last: 1) {{ nodes {{ commit {{
    oid parents(first: 3) {{ nodes {{ oid }} }}
    checkSuites(last: 100) {{ nodes {{ status conclusion createdAt {SUITE} }} }}
  }} }} }}
  {HISTORY}
}}
fragment place on Repository {{
  databaseId nameWithOwner defaultBranchRef {{ name }} mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
}}
"""
LABELED = f"""
query ($owner: String!, $name: String!, $label: String!, $after: String, $size: Int!, $each: Int!) {{
  viewer {{ login }}
  repository(owner: $owner, name: $name) {{
    ...place
    pullRequests(
      states: [OPEN], labels: [$label], first: $size, after: $after, orderBy: {{field: CREATED_AT, direction: ASC}}
    ) {{ nodes {{ ...candidate }} pageInfo {{ hasNextPage endCursor }} }}
  }}
}}
{CANDIDATE}
"""
ONE = f"""
query ($owner: String!, $name: String!, $number: Int!, $each: Int!) {{
  viewer {{ login }}
  repository(owner: $owner, name: $name) {{ ...place pullRequest(number: $number) {{ ...candidate }} }}
}}
{CANDIDATE}
"""
# What is left of two lists, either of which may be longer than a page.
MORE = f"""
query ($owner: String!, $name: String!, $number: Int!, $checks: String, $reviews: String, $each: Int!) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    statusCheckRollup {{ contexts(first: $each, after: $checks) {{ {CHECKS} }} }}
    latestOpinionatedReviews(first: $each, after: $reviews, writersOnly: true) {{ {REVIEWS} }}
  }} }}
}}
"""
AT = f"""
query ($owner: String!, $name: String!, $sha: String!, $size: Int!) {{
  viewer {{ login }}
  repository(owner: $owner, name: $name) {{
    object(expression: $sha) {{ ... on Commit {{ statusCheckRollup {{ contexts(first: $size) {{ {CHECKS} }} }} }} }}
  }}
}}
"""
# Whether the newest commits of a branch have checks, or had them as the head of the pull request that brought them.
NEWEST = 10
BASE = f"""
query ($owner: String!, $name: String!, $ref: String!) {{
  repository(owner: $owner, name: $name) {{ ref(qualifiedName: $ref) {{ target {{ ... on Commit {{
    history(first: {NEWEST}) {{ nodes {{
      statusCheckRollup {{ state }}
      associatedPullRequests(first: 1) {{ nodes {{
        commits(last: 1) {{ nodes {{ commit {{ statusCheckRollup {{ state }} }} }} }}
      }} }}
    }} }}
  }} }} }} }}
}}
"""
ENQUEUE = """mutation ($node: ID!, $sha: GitObjectID!) {
  enqueuePullRequest(input: {pullRequestId: $node, expectedHeadOid: $sha}) { mergeQueueEntry { id } }
}"""
DEQUEUE = "mutation ($node: ID!) { dequeuePullRequest(input: {id: $node}) { mergeQueueEntry { id } } }"
LABELED_EVENT = "LabeledEvent"
BASE_CHANGES = ("BaseRefChangedEvent", "AutomaticBaseChangeSucceededEvent")
METHODS = {"squash": "squashMergeAllowed", "merge": "mergeCommitAllowed", "rebase": "rebaseMergeAllowed"}
GREEN = ("SUCCESS", "NEUTRAL", "SKIPPED")
STATES = {"SUCCESS": SUCCESS, "PENDING": PENDING, "EXPECTED": PENDING}
# How a run of a workflow ends that has run nothing: it waits for an approval, waited too long, or cannot be read.
# https://github.com/apache/magpie/pull/112, https://github.com/nixfred/blip/issues/44
ENDS = {"ACTION_REQUIRED": APPROVAL, "FAILURE": FAILURE, "STARTUP_FAILURE": FAILURE}
# Events by which a workflow checks a pull request; runs of others may be on the same commit.
EVENTS = ("pull_request", "pull_request_target", "push")
# Without `members: read`, which GITHUB_TOKEN never has, a team that is asked for a review is null, beside an error.
TEAM = "a team"


def labeled(ask: Ask, repository: Repository, label: str) -> Iterator[Candidate]:
    """Read every open pull request that carries the label."""
    after: str | None = None
    while True:
        where = {"owner": repository.owner, "name": repository.name, "label": label, "after": after}
        told = ask(LABELED, where)
        page = told["repository"]["pullRequests"]
        yield from (_candidate(ask, told, node, label) for node in page["nodes"] if node)
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def one(ask: Ask, repository: Repository, number: int, label: str) -> Candidate:
    """Read one of them, whatever it carries."""
    told = ask(ONE, {"owner": repository.owner, "name": repository.name, "number": number})
    return _candidate(ask, told, told["repository"]["pullRequest"], label)


def _candidate(ask: Ask, told: Json, node: Json, label: str) -> Candidate:
    place = told["repository"]
    where = repository(place)
    checks, reviews = _rest(ask, where, node)
    entry = node["mergeQueueEntry"]
    return Candidate(
        pull=pull(where, node),
        node=node["id"],
        base=node["baseRefName"],
        mergeable=node["mergeable"],
        merge_state=node["mergeStateStatus"],
        approvals=tuple((login(each["author"]), _reviewed(each)) for each in reviews if each["state"] == "APPROVED"),
        objections=tuple(login(each["author"]) for each in reviews if each["state"] == "CHANGES_REQUESTED"),
        awaited=tuple(_reviewer(each["requestedReviewer"]) for each in node["reviewRequests"]["nodes"]),
        needs_review=node["reviewDecision"] == "REVIEW_REQUIRED",
        has_queue=node["isMergeQueueEnabled"],
        is_queued=node["isInMergeQueue"],
        by_github_token=told["viewer"]["login"].casefold() == GITHUB_TOKEN,
        methods=tuple(method for method, field in METHODS.items() if place[field]),
        **looked_over(checks, node, told["viewer"]["login"]),
        **labeling(node, label),
        base_changes=_base_changes(node, label),
        removals=_removals(node, label, told["viewer"]["login"]),
        queued_by_us=bool(entry) and _is(entry["enqueuer"], told["viewer"]["login"]),
        noted=_noted(checks, node["headRefOid"], told["viewer"]["login"]),
        parents=_parents(node),
    )


def looked_over(checks: Iterable[Json], node: Json, viewer: str = "") -> Json:
    """Checks of the head, and runs of workflows that may have no check yet."""
    asked = [each for each in checks if each.get("context") != CONTEXT]
    found = (replace(_check(each), is_ours=_is_by(each, viewer)) for each in asked)
    return {"checks": tuple(found), "suites": tuple(map(_suite, _suites(node)))}


def _is_by(check: Json, viewer: str) -> bool:
    """Whether it is a status that this account has set."""
    return "creator" in check and _is(check["creator"], viewer)


def _reviewed(review: Json) -> str:
    """The commit of a review, "" for one that is gone."""
    return str((review["commit"] or {}).get("oid") or "")


def _parents(node: Json) -> tuple[str, ...]:
    """Those of the head, as the list of commits has it."""
    found = [each["commit"] for each in node["commits"]["nodes"] if each["commit"]["oid"] == node["headRefOid"]]
    return tuple(each["oid"] for commit in found for each in commit["parents"]["nodes"])


def _base_changes(node: Json, label: str) -> tuple[BaseChange, ...]:
    """Those since the label was put on last, and in the second of that; the oldest first."""
    return tuple(_base_change(each) for each in _since_label(node, label) if each["__typename"] in BASE_CHANGES)


def _since_label(node: Json, label: str) -> list[Json]:
    at = labeling(node, label).get("labeled_at")
    found = [each for each in node["timelineItems"]["nodes"] if each and each["__typename"] != LABELED_EVENT]
    return [each for each in found if at is None or time(each["createdAt"]) >= at]


def _removals(node: Json, label: str, viewer: str) -> tuple[Removal, ...]:
    found = [each for each in _since_label(node, label) if each["__typename"] not in BASE_CHANGES]
    return tuple(Removal(time(each["createdAt"]), each["reason"] or "", _is(each["actor"], viewer)) for each in found)


def _is(actor: Json | None, viewer: str) -> bool:
    return login(actor).casefold() == viewer.casefold()


def _base_change(event: Json) -> BaseChange:
    at = time(event["createdAt"])
    if event["__typename"] == "BaseRefChangedEvent":
        return BaseChange(at, event["previousRefName"], event["currentRefName"])
    return BaseChange(at, event["oldBase"], event["newBase"], automatic=True)


def noted_at(ask: Ask, repository: Repository, sha: str) -> Approval | None:
    """Read what a status of ours at another commit than the head says; the first page has the statuses of most."""
    told = ask(AT, {"owner": repository.owner, "name": repository.name, "sha": sha})
    rollup = (told["repository"]["object"] or {}).get("statusCheckRollup") or {"contexts": {"nodes": ()}}
    return _noted([each for each in rollup["contexts"]["nodes"] if each], sha, told["viewer"]["login"])


def _noted(checks: Iterable[Json], sha: str, viewer: str) -> Approval | None:
    """What a status of our own account says that the label approves; anybody who may write can set a status."""
    for each in checks:
        is_ours = each.get("context") == CONTEXT and _is_by(each, viewer)
        if is_ours and (found := NOTED.fullmatch(each["description"] or "")):
            return Approval(sha, found["base"], time(found["at"]))
    return None


def has_checks(ask: Ask, repository: Repository, base: str) -> bool:
    """Say whether any of the newest commits of a branch had a check; also if it has too few commits to say."""
    where = {"owner": repository.owner, "name": repository.name, "ref": f"refs/heads/{base}"}
    branch = ask(BASE, where)["repository"]["ref"]
    commits = branch["target"]["history"]["nodes"] if branch else ()
    return len(commits) < NEWEST or any(map(_had_checks, commits))


def _had_checks(commit: Json) -> bool:
    pulls = commit["associatedPullRequests"]["nodes"] or ()
    heads = [each["commit"] for pull in pulls if pull for each in pull["commits"]["nodes"]]
    return any(each["statusCheckRollup"] for each in (commit, *heads))


def _rest(ask: Ask, repository: Repository, node: Json) -> tuple[list[Json], list[Json]]:
    """All checks and all reviews, however many pages they have."""
    checks: list[Json] = []
    reviews: list[Json] = []
    where = {"owner": repository.owner, "name": repository.name, "number": node["number"]}
    while True:
        contexts, opinions = _lists(node)
        checks += contexts["nodes"]
        reviews += opinions["nodes"]
        if not any(each["pageInfo"]["hasNextPage"] for each in (contexts, opinions)):
            return checks, reviews
        where |= {"checks": _after(contexts, where, "checks"), "reviews": _after(opinions, where, "reviews")}
        node = ask(MORE, where)["repository"]["pullRequest"]


def _lists(node: Json) -> tuple[Json, Json]:
    """The page of each list; a commit of which nothing was ever said has no rollup."""
    none = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    return (node["statusCheckRollup"] or {"contexts": none})["contexts"], node["latestOpinionatedReviews"] or none


def _after(page: Json, where: Json, name: str) -> str | None:
    """Where to go on; a list that is at its end stays there."""
    return page["pageInfo"]["endCursor"] or where.get(name)


def repository(place: Json) -> Repository:
    owner, _, name = place["nameWithOwner"].partition("/")
    return Repository(place["databaseId"], owner, name, (place.get("defaultBranchRef") or {}).get("name") or "")


def pull(repository: Repository, node: Json) -> PullRequest:
    """The same snapshot as REST and events give."""
    milestone = node["milestone"] or {}
    return PullRequest(
        repository=repository,
        number=node["number"],
        author=login(node["author"]),
        author_is_bot=_is_bot(node["author"]),
        labels=tuple(each["name"] for each in node["labels"]["nodes"]),
        state="open" if node["state"] == "OPEN" else "closed",
        url=node["url"],
        updated_at=time(node["updatedAt"]),
        created_at=time(node["createdAt"]),
        head=(node["headRepository"] or {}).get("nameWithOwner") or "",
        ref=node["headRefName"],
        sha=node["headRefOid"],
        merged=node["merged"],
        draft=node["isDraft"],
        maintainer_can_modify=node["maintainerCanModify"],
        milestone_number=milestone.get("number"),
        milestone_title=milestone.get("title"),
        base_ref=node["baseRefName"],
    )


def _check(node: Json) -> Check:
    if node["__typename"] == "StatusContext":
        return Check(node["context"], STATES.get(node["state"], FAILURE))
    over = node["status"] == "COMPLETED"
    state = PENDING if not over else SUCCESS if node["conclusion"] in GREEN else FAILURE
    began, ended = (time(node[name]) if node[name] else None for name in ("startedAt", "completedAt"))
    attempt = Attempt(_maker(node["checkSuite"]), began, ended, node["databaseId"] or 0, node["checkSuite"]["id"])
    return Check(node["name"], state, attempt)


def _maker(suite: Json) -> Maker:
    run = suite["workflowRun"] or {}
    return Maker(
        (suite["app"] or {}).get("slug") or "", (run.get("workflow") or {}).get("id") or "", run.get("event") or ""
    )


def _suites(node: Json) -> list[Json]:
    """Those of workflows that check pull requests: https://github.com/NousResearch/hermes-agent/issues/52311 has why.

    GitHub makes a suite for every App that may write checks, and those of Apps that never check anything stay queued.
    """
    lists = [each["commit"]["checkSuites"] or {} for each in node["commits"]["nodes"]]
    found = [suite for each in lists for suite in each.get("nodes") or () if suite]
    return [suite for suite in found if (suite["workflowRun"] or {}).get("event") in EVENTS]


def _suite(node: Json) -> Suite:
    state = ENDS.get(node["conclusion"], SUCCESS) if node["status"] == "COMPLETED" else PENDING
    return Suite(node["id"], node["workflowRun"]["workflow"]["name"], state, _maker(node), time(node["createdAt"]))


def labeling(node: Json, label: str) -> Json:
    """Who put the label on last, and when."""
    labels = [each for each in node["timelineItems"]["nodes"] if each and each.get("label")]
    events = [each for each in labels if each["label"]["name"].casefold() == label.casefold()]
    if not events:
        return {}
    actor = events[-1]["actor"]
    who = {"labeller": login(actor) if actor else "", "labeller_is_bot": _is_bot(actor)}
    return {**who, "labeled_at": time(events[-1]["createdAt"])}


def _reviewer(node: Json | None) -> str:
    return str((node or {}).get("login") or (node or {}).get("slug") or TEAM)


def login(actor: Json | None) -> str:
    """GraphQL shows a bot as `dependabot`, REST and everybody else as `dependabot[bot]`."""
    return f"{actor['login']}{'[bot]' if _is_bot(actor) else ''}" if actor else GHOST


def is_ours(comment: Mapping[str, Any], bots: Collection[str]) -> bool:
    """Whether we have written it, or one of `bots`, which are in lower case, when it was us."""
    return bool(comment["viewerDidAuthor"]) or login(comment["author"]).casefold() in bots


def _is_bot(actor: Json | None) -> bool:
    return bool(actor) and actor is not None and actor["__typename"] == "Bot"


def time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
