"""What a query may ask for: each type of GitHub's schema as far as it is imitated, as values and callables.

https://docs.github.com/en/graphql/reference
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from sandbox import access, checks, graph_more, queue, readiness, shapes, suites
from sandbox.graph_pages import Json, check, connection, listed, typed
from sandbox.records import BOT, CheckRun, Pull

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

    from sandbox.bare import Bare, Commit, Identity
    from sandbox.cost import Cost
    from sandbox.records import (
        AutoMerge,
        CheckSuite,
        Comment,
        Happening,
        Issue,
        LineComment,
        Person,
        Repository,
        Review,
        Status,
        Token,
    )
    from sandbox.state import State

    Info = GraphQLResolveInfo[Any]

BRANCHES = "refs/heads/"
# Each type of what a timeline tells, with the name by which it is asked for.
TIMELINE = {
    "AutomaticBaseChangeSucceededEvent": "AUTOMATIC_BASE_CHANGE_SUCCEEDED_EVENT",
    "BaseRefChangedEvent": "BASE_REF_CHANGED_EVENT",
    "HeadRefForcePushedEvent": "HEAD_REF_FORCE_PUSHED_EVENT",
    "LabeledEvent": "LABELED_EVENT",
    "ReadyForReviewEvent": "READY_FOR_REVIEW_EVENT",
    "RemovedFromMergeQueueEvent": "REMOVED_FROM_MERGE_QUEUE_EVENT",
    "ReopenedEvent": "REOPENED_EVENT",
    "UnlabeledEvent": "UNLABELED_EVENT",
}


@dataclass(frozen=True)
class Viewer:
    """Who asks, and of what."""

    state: State
    token: Token
    cost: Cost
    accounts: dict[int, Json] = field(default_factory=dict)  # written already: a page names the same few people
    written: Counter[str] = field(default_factory=Counter)  # items, by kind

    def is_too_much(self, kind: str = "") -> bool:
        """Count an item of this kind, if any, and say whether the query has found more than it may."""
        self.written[kind] += bool(kind)
        heavy = self.state.heavy
        return heavy is not None and max(self.written.values()) > heavy.most


def queries(viewer: Viewer) -> Json:
    return {
        "node": partial(_node, viewer),
        "viewer": partial(_viewer, viewer),
        "rateLimit": partial(_rate, viewer),
        "repositoryOwner": partial(_owner, viewer),
        "repository": partial(_repository, viewer),
    }


def need(viewer: Viewer, repo: Repository, *needs: str) -> None:
    """Raise GraphQLError unless the token has one of these permissions."""
    if not access.allowed(viewer.token, repo, needs):
        raise typed("FORBIDDEN", f"Resource not accessible by {viewer.token.kind}")


def _viewer(viewer: Viewer, _info: Info) -> Json:
    """`viewer` is a User even for an App, and only here a bot's login keeps its suffix."""
    person = viewer.state.person(viewer.token.login)
    return {**_account(viewer, person), "__typename": "User", "login": person.login}


def _node(viewer: Viewer, _info: Info, id: str) -> Json | GraphQLError:  # noqa: A002  # GitHub's own name
    """Only issues, pull requests and their comments are found like that here."""
    for repo in viewer.state.repositories.values():
        for item in repo.items.values():
            if not access.allowed(viewer.token, repo, access.of_item(item, "read")):
                continue
            if node_of(item) == id:
                return written_item(viewer, repo, item)
            for each in item.comments:
                if shapes.node_id("IC", each.id) == id:
                    return {"__typename": "IssueComment", **written_comment(viewer, repo, item, each)}
    raise typed("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'")


def _rate(viewer: Viewer, _info: Info, **_: bool) -> Json | None:
    """Null where nothing is limited: https://github.com/nicklegan/github-org-repo-metrics-action/pull/24."""
    if not viewer.state.variant.limits:
        return None
    rate = access.rate(viewer.token, "graphql")
    resets = shapes.moment(datetime.fromtimestamp(rate["reset"], UTC))
    return {**rate, "cost": viewer.cost.points, "nodeCount": viewer.cost.nodes, "resetAt": resets}


def _owner(viewer: Viewer, _info: Info, login: str) -> Json | None:
    """https://docs.github.com/en/graphql/reference/interfaces#repositoryowner; null for a login that nobody has."""
    found = [repo for repo in viewer.state.repositories.values() if repo.owner.casefold() == login.casefold()]
    if not found:
        return None
    kind = "Organization" if found[0].owner in viewer.state.organisations else "User"
    url = f"{viewer.state.url}/{found[0].owner}"
    owned = partial(_owned, viewer, found)
    node = shapes.node_id("O", found[0].id)
    return {"__typename": kind, "id": node, "login": found[0].owner, "repositories": owned, "url": url}


def _owned(viewer: Viewer, found: list[Repository], info: Info, **asked: Any) -> Json:
    """Those that the token may see, by their age."""
    check(info, asked)
    archived = asked.get("isArchived")
    shown = [
        repo
        for repo in sorted(found, key=lambda each: each.id)
        if access.permissions(viewer.token, repo) and archived in (None, repo.archived)
    ]
    return connection(shown, partial(_written_repository, viewer), asked)


def _repository(viewer: Viewer, _info: Info, owner: str, name: str, **_: bool) -> Json:
    state, full_name = viewer.state, f"{owner}/{name}"
    repo = state.repository(full_name) or state.moved(full_name)
    if repo is None or not access.permissions(viewer.token, repo):
        raise typed("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")
    return _written_repository(viewer, repo)


def _written_repository(viewer: Viewer, repo: Repository) -> Json:
    state = viewer.state
    return {
        "databaseId": repo.id,
        "defaultBranchRef": partial(_default_branch, viewer, repo),
        "id": shapes.node_id("R", repo.id),
        "isArchived": repo.archived,
        "isPrivate": repo.private,
        "mergeCommitAllowed": "merge" in repo.methods,
        "rebaseMergeAllowed": "rebase" in repo.methods,
        "squashMergeAllowed": "squash" in repo.methods,
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "url": f"{state.url}/{repo.full_name}",
        "issueOrPullRequest": partial(_item, viewer, repo, "issue or pull request"),
        "issues": partial(_items, viewer, repo, "Issue"),
        "pullRequests": partial(_items, viewer, repo, "PullRequest"),
        "ref": partial(_ref, viewer, repo),
        "refs": partial(_refs, viewer, repo),
        "object": partial(_object, viewer, repo),
        "issue": partial(_item, viewer, repo, "Issue"),
        "pullRequest": partial(_item, viewer, repo, "PullRequest"),
        **graph_more.of_repository(repo),
    }


def _default_branch(viewer: Viewer, repo: Repository, _info: Info) -> Json | None:
    return _written_ref(viewer, repo, BRANCHES, repo.default_branch) if repo.default_branch in repo.branches else None


def _items(viewer: Viewer, repo: Repository, kind: str, info: Info, **asked: Any) -> Json:
    """A page of them, in the order of their numbers, which is that in which they were opened."""
    check(info, asked)
    need(viewer, repo, "pull_requests=read" if kind == "PullRequest" else "issues=read")
    labels = {name.casefold() for name in asked.get("labels") or ()}
    found = [
        item
        for item in repo.items.values()
        if _kind(item) == kind
        and _state(item) in (asked.get("states") or [_state(item)])
        and (not labels or labels & {label.name.casefold() for label in item.labels})
        and asked.get("baseRefName") in (None, getattr(item, "base_ref", None))
        and asked.get("headRefName") in (None, getattr(item, "head_ref", None))
    ]
    found = graph_more.matching(found, asked.get("filterBy"))
    order = asked.get("orderBy") or {"direction": "ASC", "field": "CREATED_AT"}
    if order["field"] != "CREATED_AT":
        raise typed("NOT_IMITATED", "The sandbox lists in the order CREATED_AT only")
    sign = 1 if order["direction"] == "ASC" else -1
    found.sort(key=lambda item: sign * item.id)
    return connection(found, partial(written_item, viewer, repo), asked, sign)


def _ref(viewer: Viewer, repo: Repository, _info: Info, qualifiedName: str) -> Json | None:  # noqa: N803  # GitHub's own name
    """https://docs.github.com/en/graphql/reference/objects#ref; there are branches only, and null for no such one."""
    need(viewer, repo, "contents=read")
    name = qualifiedName.removeprefix("refs/").removeprefix("heads/")
    return _written_ref(viewer, repo, BRANCHES, name) if name in repo.branches else None


def _refs(viewer: Viewer, repo: Repository, info: Info, **asked: Any) -> Json:
    """By name; a ref's name is what follows `refPrefix`, and `query` any part of it."""
    check(info, asked)
    need(viewer, repo, "contents=read")
    prefix, query = asked["refPrefix"], (asked.get("query") or "").casefold()
    if not prefix.endswith("/"):
        raise typed("NOT_IMITATED", "The sandbox knows a refPrefix that ends with a slash only")
    whole = sorted(f"{BRANCHES}{name}" for name in repo.branches)
    names = [each.removeprefix(prefix) for each in whole if each.startswith(prefix)]
    found = [name for name in names if query in name.casefold()]
    return listed(found, partial(_written_ref, viewer, repo, prefix), asked)


def _written_ref(viewer: Viewer, repo: Repository, prefix: str, name: str) -> Json:
    branch = f"{prefix}{name}".removeprefix(BRANCHES)
    target = partial(_target, viewer, repo, repo.branches[branch])
    pulls = partial(_pulls_from, viewer, repo, branch)
    return {"associatedPullRequests": pulls, "id": f"REF_{branch}", "name": name, "prefix": prefix, "target": target}


def _pulls_from(viewer: Viewer, repo: Repository, branch: str, info: Info, **page: Any) -> Json:
    """Those that have the branch, or one of this name in a fork, for a head."""
    check(info, page)
    need(viewer, repo, "pull_requests=read")
    found = [pull for pull in repo.pulls() if pull.head_ref == branch]
    return connection(found, partial(written_item, viewer, repo), page)


def _target(viewer: Viewer, repo: Repository, sha: str, _info: Info) -> Json | None:
    return _commit_at(viewer, repo, sha)


def _object(viewer: Viewer, repo: Repository, _info: Info, expression: str = "") -> Json | None:
    """A file by REF:PATH, a commit by what else git knows it by; anything else is null here."""
    need(viewer, repo, "contents=read")
    ref, colon, path = expression.partition(":")
    if not colon:
        return _commit_at(viewer, repo, ref)
    content = (repo.files("" if ref == "HEAD" else ref) or {}).get(path)
    if content is None:
        return None
    sha = shapes.blob_sha(content)
    text = {"byteSize": len(content), "text": content.decode(errors="replace")}
    return {"__typename": "Blob", "id": f"B_{sha}", "oid": sha, **text}


def _item(viewer: Viewer, repo: Repository, kind: str, _info: Info, number: int) -> Json | GraphQLError:
    item = repo.items.get(number)
    if item is None or (kind != "issue or pull request" and kind != _kind(item)):
        article = "an" if kind.startswith("i") else "a"
        raise typed("NOT_FOUND", f"Could not resolve to {article} {kind} with the number of {number}.")
    need(viewer, repo, *access.of_item(item, "read"))
    return written_item(viewer, repo, item)


def _kind(item: Issue | Pull) -> str:
    return "PullRequest" if isinstance(item, Pull) else "Issue"


def written_item(viewer: Viewer, repo: Repository, item: Issue | Pull) -> Json | GraphQLError:
    if viewer.is_too_much(_kind(item)):  # an error in place of a value is that value's, and the others stand
        return typed("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.")
    written: Json = {
        "__typename": _kind(item),
        "assignees": partial(_assignees, viewer, item),
        "author": _actor(viewer, item.author),
        "body": item.body,
        "comments": partial(_comments, viewer, repo, item),
        "createdAt": shapes.moment(item.created_at),
        "databaseId": item.id,
        "id": node_of(item),
        "labels": partial(_labels, item),
        "locked": item.locked,
        "milestone": item.milestone and graph_more.milestone(item.milestone),
        "number": item.number,
        "state": _state(item),
        "timelineItems": partial(_timeline, viewer, item),
        "title": item.title,
        "updatedAt": shapes.moment(item.updated_at),
        "url": shapes.item_page(viewer.state, repo, item),
        "viewerDidAuthor": _is_viewer(viewer, item.author),
        **graph_more.of_item(item),
    }
    return {**written, **_of_pull(viewer, repo, item)} if isinstance(item, Pull) else written


def node_of(item: Issue | Pull) -> str:
    return shapes.node_id("PR" if isinstance(item, Pull) else "I", item.id)


def _state(item: Issue | Pull) -> str:
    return "MERGED" if isinstance(item, Pull) and item.merged_at else item.state.upper()


def _of_pull(viewer: Viewer, repo: Repository, item: Pull) -> Json:
    return {
        "autoMergeRequest": item.auto_merge and _auto_merge(item.auto_merge),
        "baseRef": partial(_base_ref, viewer, repo, item),
        "baseRefName": item.base_ref,
        "headRefName": item.head_ref,
        "headRefOid": item.head_sha,
        "isCrossRepository": item.head_repository != repo.full_name,
        "isDraft": item.draft,
        "isInMergeQueue": item.queued,
        "isMergeQueueEnabled": item.base_ref in repo.queues,
        "mergeQueueEntry": lambda _: entry_of(viewer, repo, item),
        "latestOpinionatedReviews": partial(_opinions, viewer, repo, item),
        "maintainerCanModify": item.maintainer_can_modify,
        "mergeCommit": partial(_merge_commit, viewer, repo, item),
        "merged": item.merged_at is not None,
        "mergedAt": shapes.moment(item.merged_at),
        "mergedBy": _actor(viewer, item.merged_by),
        "mergeable": lambda _: readiness.mergeable(viewer.state, repo, item),
        "mergeStateStatus": lambda _: readiness.merge_state(viewer.state, repo, item),
        "reviewDecision": readiness.decision(repo, item),
        "reviewRequests": partial(_requests, viewer, item),
        "commits": partial(_commits, viewer, repo, item),
        "reviewThreads": partial(_threads, viewer, repo, item),
        "reviews": partial(_reviews, viewer, repo, item),
        "statusCheckRollup": partial(_rollup, viewer, repo, item.head_sha),
        **graph_more.of_pull(viewer, repo, item),
    }


def _base_ref(viewer: Viewer, repo: Repository, item: Pull, _info: Info) -> Json | None:
    """https://docs.github.com/en/graphql/reference/objects#pullrequest; null once the branch is gone."""
    return _written_ref(viewer, repo, BRANCHES, item.base_ref) if item.base_ref in repo.branches else None


def _auto_merge(each: AutoMerge) -> Json:
    return {"enabledAt": shapes.moment(each.at), "mergeMethod": each.method.upper()}


def _merge_commit(viewer: Viewer, repo: Repository, item: Pull, _info: Info) -> Json | None:
    """What the base got by the merge; of several commits that were made anew, the last."""
    need(viewer, repo, "contents=read")
    return _commit_at(viewer, repo, item.merge_sha) if item.merge_sha else None


def _commits(viewer: Viewer, repo: Repository, item: Pull, info: Info, **page: Any) -> Json:
    """https://docs.github.com/en/graphql/reference/objects#pullrequestcommit; whoever may read the code sees them."""
    check(info, page)
    need(viewer, repo, "contents=read")
    onto = item.merged_onto or repo.branches[item.base_ref]  # once merged, the base has them all
    shown = viewer.state.git.of(repo).log("--reverse", item.head_sha, f"^{onto}")
    return listed(shown, partial(_pull_commit, viewer, repo), page)


def _pull_commit(viewer: Viewer, repo: Repository, each: Commit) -> Json:
    return {"id": f"PRC_{each.sha}", "commit": _commit(viewer, repo, each)}


def _commit(viewer: Viewer, repo: Repository, each: Commit) -> Json:
    """https://docs.github.com/en/graphql/reference/objects#commit."""
    return {
        "__typename": "Commit",
        "associatedPullRequests": partial(_pulls_of, viewer, repo, each.sha),
        "author": _git_actor(viewer, each.author),
        "authoredDate": shapes.moment(each.author.at.astimezone(UTC)),
        "authors": partial(_git_actors, viewer, each),
        "checkSuites": partial(_suites, viewer, repo, each.sha),
        "committedDate": shapes.moment(each.committer.at.astimezone(UTC)),
        "history": partial(_history, viewer, repo, each.sha),
        "id": f"C_{each.sha}",
        "message": each.message,
        "messageBody": each.message.partition("\n")[2].strip(),
        "messageHeadline": each.message.partition("\n")[0],
        "oid": each.sha,
        "parents": partial(_parents, viewer, repo, each),
        "statusCheckRollup": partial(_rollup, viewer, repo, each.sha),
    }


def _commit_at(viewer: Viewer, repo: Repository, name: str) -> Json | None:
    """Write the commit that git knows by this name; null when it knows none."""
    bare = viewer.state.git.of(repo)
    sha = bare.resolve(name)
    return _commit(viewer, repo, bare.log("--no-walk", sha)[0]) if sha else None


def _history(viewer: Viewer, repo: Repository, sha: str, info: Info, **asked: Any) -> Json:
    """As `git log` has it, the newest first; a merge that changed nothing by itself is not among those of a path."""
    check(info, asked)
    since = [f"--since={_timestamp(asked['since'])}"] if asked.get("since") else []
    paths = [asked["path"]] if asked.get("path") else []
    found = viewer.state.git.of(repo).log(*since, sha, "--", *paths)
    return listed(found, partial(_commit, viewer, repo), asked)


def _timestamp(text: str) -> str:
    """Return the time as git reads it; it would read anything."""
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        raise GraphQLError(f"invalid GitTimestamp: {text!r}") from None


def _parents(viewer: Viewer, repo: Repository, each: Commit, info: Info, **page: Any) -> Json:
    check(info, page)
    found = viewer.state.git.of(repo).log("--no-walk=unsorted", *each.parents) if each.parents else []
    return listed(found, partial(_commit, viewer, repo), page)


def _pulls_of(viewer: Viewer, repo: Repository, sha: str, info: Info, **page: Any) -> Json:
    """The merged pull requests that brought the commit, and the open ones if the default branch does not have it.

    What a pull request brought is the commits of its head and, once it is merged, what its base got by that: the merge,
    the squashed commit, each commit that was made anew.
    https://docs.github.com/en/graphql/reference/objects#commit
    """
    check(info, page)
    need(viewer, repo, "pull_requests=read")
    bare = viewer.state.git.of(repo)
    also_open = not bare.is_merged(repo.branches[repo.default_branch], sha)
    asked = [pull for pull in repo.pulls() if pull.merged_at or (also_open and pull.state == "open")]
    found = sorted((pull for pull in asked if sha in _brought(bare, repo, pull)), key=lambda pull: pull.id)
    return connection(found, partial(written_item, viewer, repo), page)


def _brought(bare: Bare, repo: Repository, pull: Pull) -> set[str]:
    onto = pull.merged_onto or repo.branches[pull.base_ref]
    return {*bare.history(pull.head_sha, onto), *(bare.history(pull.merge_sha, onto) if pull.merge_sha else ())}


def _git_actors(viewer: Viewer, each: Commit, info: Info, **page: Any) -> Json:
    check(info, page)
    return listed(list(each.authors), partial(_git_actor, viewer), page)


def _git_actor(viewer: Viewer, each: Identity) -> Json:
    """An address that is nobody's has no user; nor has a bot's."""
    person = shapes.committer(viewer.state, each.email)
    user = _actor(viewer, person) if person else None
    return {"date": each.at.isoformat().replace("+00:00", "Z"), "email": each.email, "name": each.name, "user": user}


def _threads(viewer: Viewer, repo: Repository, item: Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    return connection(item.line_comments, partial(_thread, viewer, repo, item), page)


def _thread(viewer: Viewer, repo: Repository, item: Pull, begun: LineComment) -> Json:
    def comments(info: Info, **page: Any) -> Json:
        check(info, page)
        return connection([begun], partial(_line_comment, viewer, repo, item), page)

    return {"id": shapes.node_id("PRRT", begun.id), "comments": comments}


def _line_comment(viewer: Viewer, repo: Repository, item: Pull, each: LineComment) -> Json:
    return {
        "author": _actor(viewer, each.author),
        "body": each.body,
        "createdAt": shapes.moment(each.created_at),
        "id": shapes.node_id("PRRC", each.id),
        "url": shapes.line_page(viewer.state, repo, item, each),
        "viewerDidAuthor": _is_viewer(viewer, each.author),
    }


def _reviews(viewer: Viewer, repo: Repository, item: Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    return connection(item.reviews, partial(_review, viewer, repo), page)


def _opinions(viewer: Viewer, repo: Repository, item: Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    found = readiness.opinions(repo, item, writers_only=bool(page.get("writersOnly")))
    return connection(found, partial(_review, viewer, repo), page)


def _review(viewer: Viewer, repo: Repository, review: Review) -> Json:
    return {
        "author": _actor(viewer, review.author),
        "body": review.body,
        "createdAt": shapes.moment(review.submitted_at),
        "id": shapes.node_id("PRR", review.id),
        "state": review.state,
        **graph_more.of_review(repo, review),
    }


@dataclass(frozen=True)
class Asked:
    """Somebody, or a team, whose review is asked for; counted up, since teams have no ids here."""

    id: int
    who: Person | str


def _requests(viewer: Viewer, item: Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    everybody: list[Person | str] = [*item.reviewers, *item.teams]
    asked = [Asked(number, who) for number, who in enumerate(everybody, 1)]
    return connection(asked, partial(_request, viewer), page)


def _request(viewer: Viewer, asked: Asked) -> Json:
    who: Any = partial(_team, viewer, asked.who) if isinstance(asked.who, str) else _actor(viewer, asked.who)
    return {"id": f"RR_{asked.id}", "requestedReviewer": who}


def _team(viewer: Viewer, slug: str, _info: Info) -> Json:
    """Null, and an error of its own beside the rest of the data, for who may not read members, as GITHUB_TOKEN."""
    if viewer.token.scopes is None and "members" not in viewer.token.permissions:
        raise typed("FORBIDDEN", f"Resource not accessible by {viewer.token.kind}")
    return {"__typename": "Team", "id": f"T_{slug}", "name": slug, "slug": slug}


def _assignees(viewer: Viewer, item: Issue | Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    return connection(sorted(item.assignees, key=lambda each: each.id), partial(_actor, viewer), page)


def _timeline(viewer: Viewer, item: Issue | Pull, info: Info, **page: Any) -> Json:
    """Labels, and what else is in records.py: https://docs.github.com/en/graphql/reference/unions."""
    check(info, page)
    kinds = page.get("itemTypes")
    found = [each for each in item.timeline if kinds is None or TIMELINE[each.kind] in kinds]
    return connection(found, partial(_happening, viewer), page)


def _happening(viewer: Viewer, each: Happening) -> Json:
    return {
        "__typename": each.kind,
        "actor": _actor(viewer, each.actor),
        "createdAt": shapes.moment(each.created_at),
        "id": shapes.node_id("LE", each.id),
        "label": each.label and graph_more.label(each.label),
        "reason": queue.WORDS.get(each.reason, each.reason.lower()),
        **(_changed_base(*each.bases) if each.bases else {}),
    }


def entry_of(viewer: Viewer, repo: Repository, item: Pull) -> Json | None:
    """https://docs.github.com/en/graphql/reference/objects#mergequeueentry; null for one that is in no queue."""
    if not item.queued:
        return None
    position = sum(pull.queued for pull in repo.pulls())
    by = _actor(viewer, (item.group and item.group.by) or item.author)
    return {"enqueuer": by, "id": shapes.node_id("MQE", item.id), "position": position}


def _changed_base(before: str, after: str) -> Json:
    return {"previousRefName": before, "currentRefName": after, "oldBase": before, "newBase": after}


def _rollup(viewer: Viewer, repo: Repository, sha: str, _info: Info) -> Json | None:
    """Statuses and check runs of a commit together, every attempt of them; null when there are none."""
    found = readiness.contexts(repo, sha)
    if not found:
        return None
    state = checks.rollup([readiness.state_of(each) for each in readiness.counted(repo, sha)]).upper()
    contexts = partial(_contexts, viewer, repo, found)
    return {"id": f"SCR_{sha}", "state": state, "contexts": contexts}


def _contexts(viewer: Viewer, repo: Repository, found: list[Any], info: Info, **page: Any) -> Json:
    """Check runs and statuses have a permission each, and one node that may not be read is an error."""
    check(info, page)
    needs = {"checks=read" if isinstance(each, CheckRun) else "statuses=read" for each in found}
    if not all(access.allowed(viewer.token, repo, [need]) for need in needs):
        raise typed("FORBIDDEN", f"Resource not accessible by {viewer.token.kind}")
    return connection(found, partial(_context, viewer, repo), page)


def _context(viewer: Viewer, repo: Repository, each: Status | CheckRun) -> Json:
    if isinstance(each, CheckRun):
        return {
            "__typename": "CheckRun",
            "checkSuite": lambda _: _suite(viewer, repo, suites.of_run(repo, each)),
            "completedAt": shapes.moment(each.completed_at),
            "conclusion": each.conclusion and each.conclusion.upper(),
            "databaseId": each.id,
            "detailsUrl": each.details_url or None,
            "id": shapes.node_id("CR", each.id),
            "name": each.name,
            "startedAt": shapes.moment(each.started_at),
            "status": each.status.upper(),
        }
    return {
        "__typename": "StatusContext",
        "context": each.context,
        "createdAt": shapes.moment(each.created_at),
        "creator": _actor(viewer, each.creator),
        "description": each.description or None,
        "id": shapes.node_id("SC", each.id),
        "state": each.state.upper(),
        "targetUrl": each.target_url or None,
    }


def _suites(viewer: Viewer, repo: Repository, sha: str, info: Info, **page: Any) -> Json:
    check(info, page)
    need(viewer, repo, "checks=read")
    return connection(suites.of(repo, sha), partial(_suite, viewer, repo), page)


def _suite(viewer: Viewer, repo: Repository, each: CheckSuite) -> Json:
    """https://docs.github.com/en/graphql/reference/objects#checksuite."""
    app = {"databaseId": None, "id": f"A_{each.app}", "name": each.app, "slug": each.app}
    return {
        "__typename": "CheckSuite",
        "app": app,
        "checkRuns": partial(_runs, viewer, repo, each),
        "conclusion": each.conclusion and each.conclusion.upper(),
        "createdAt": shapes.moment(each.created_at),
        "databaseId": each.id,
        "id": shapes.node_id("CS", each.id),
        "status": each.status.upper(),
        "workflowRun": partial(_workflow_run, viewer, repo, each),
    }


def _runs(viewer: Viewer, repo: Repository, suite: CheckSuite, info: Info, **page: Any) -> Json:
    check(info, page)
    found = [each for each in repo.checks if each.sha == suite.sha and suites.of_run(repo, each).id == suite.id]
    return connection(found, partial(_context, viewer, repo), page)


def _workflow_run(viewer: Viewer, repo: Repository, suite: CheckSuite, _info: Info) -> Json | None:
    """Null for what is no workflow's; who may not read actions gets that with an error of its own, as for teams."""
    if not suite.workflow:
        return None
    need(viewer, repo, "actions=read")
    name = f"{repo.full_name} {suite.workflow}".encode().hex()
    workflow = {"databaseId": None, "id": f"W_{name}", "name": suite.workflow}
    return {"databaseId": suite.id, "event": suite.event, "id": f"WFR_{suite.id}", "workflow": workflow}


def _account(viewer: Viewer, person: Person) -> Json:
    login = person.login.removesuffix(BOT)
    path = f"apps/{login}" if person.kind == "Bot" else login
    return {
        "__typename": person.kind,
        "databaseId": person.id,
        "id": shapes.node_id("BOT" if person.kind == "Bot" else "U", person.id),
        "login": login,
        "name": None,
        "url": f"{viewer.state.url}/{path}",
    }


def _actor(viewer: Viewer, person: Person | None) -> Json | None:
    """An actor's login has no `[bot]`, unlike in REST; an account that was deleted is null."""
    if person is None:
        return None
    if person.id not in viewer.accounts:
        viewer.accounts[person.id] = _account(viewer, person)
    return viewer.accounts[person.id]


def _is_viewer(viewer: Viewer, person: Person | None) -> bool:
    return person is not None and person.login.casefold() == viewer.token.login.casefold()


def _comments(viewer: Viewer, repo: Repository, item: Issue | Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    return connection(viewer.state.list_comments(item), partial(written_comment, viewer, repo, item), page)


def written_comment(viewer: Viewer, repo: Repository, item: Issue | Pull, each: Comment) -> Json:
    return {
        "author": _actor(viewer, each.author),
        "body": each.body,
        "createdAt": lambda _: shapes.moment(each.created_at),
        "databaseId": None if each.id >= 2**31 else each.id,
        "editor": _actor(viewer, each.editor) if each.editor else None,
        "id": lambda _: shapes.node_id("IC", each.id),
        "isMinimized": bool(each.minimized),
        "updatedAt": lambda _: shapes.moment(each.updated_at),
        "url": lambda _: f"{shapes.item_page(viewer.state, repo, item)}#issuecomment-{each.id}",
        "viewerDidAuthor": _is_viewer(viewer, each.author),
        **graph_more.of_comment(repo, each),
    }


def _labels(item: Issue | Pull, info: Info, **page: Any) -> Json:
    check(info, page)
    written = {each.id: each for each in item.labels}
    ordered = [written[number] for number in sorted(written)]
    return connection(ordered, graph_more.label, page)
