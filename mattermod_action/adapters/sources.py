"""Pull requests that are picked: one GraphQL query for all that a pick depends on, and two for what may go wrong.

https://docs.github.com/en/graphql/reference/objects#pullrequest, #commit and #ref
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mattermod_action.adapters import candidates
from mattermod_action.picks import PREFIX, RANGE, Commit, Existing, Opened, Source, Touch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattermod_action.adapters.candidates import Ask, Json
    from mattermod_action.events import Repository, Subject

COMMIT = "oid messageHeadline authoredDate author { email } parents(first: 3) { nodes { oid } }"
MESSAGES = "history(first: 100) { nodes { oid message } }"
OPENED = """
  pick{at}: pullRequest(number: $pick{at}) {{
    number state mergeable baseRefName headRefName headRefOid isCrossRepository
    labels(first: 100) {{ nodes {{ name }} }}
    mergeCommit {{ oid }}
    body @include(if: $commits)
    commits(last: {range}) @include(if: $commits) {{ nodes {{ commit {{ {commit} message }} }} }}
    baseRef {{ target {{ ... on Commit {{ {messages} }} }} }}
  }}
"""
TARGET = "tip{at}: ref(qualifiedName: $tip{at}) {{ target {{ oid }} }}"
# Beside the pull request: the tips of the targets, and the branches that were made for picks of it before.
SOURCE = """
query ($owner: String!, $name: String!, $number: Int!, $made: String!, $comments: Boolean!{variables}) {{
  repository(owner: $owner, name: $name) {{
    databaseId nameWithOwner
    pullRequest(number: $number) {{
      {pull}
      title
      baseRef {{ target {{ ... on Commit {{ {messages} }} }} }}
      mergeCommit {{ {commit} history(first: {range}) {{ nodes {{ {commit} }} }} }}
      commits(last: {range}) {{ totalCount nodes {{ commit {{ {commit} }} }} }}
      latestOpinionatedReviews(first: 100, writersOnly: true) {{ nodes {{ state author {{ __typename login }} }} }}
      {labelings}
      comments(last: 100) @include(if: $comments) {{ nodes {{ {written} }} pageInfo {{ hasPreviousPage }} }}
    }}
    made: refs(refPrefix: "refs/heads/", query: $made, first: 100) {{ nodes {{
      name target {{ oid }}
      associatedPullRequests(last: 10) {{ nodes {{
        number state baseRefName isCrossRepository viewerDidAuthor author {{ __typename login }}
      }} }}
    }} }}
    {targets}
    {opened}
  }}
}}
"""
BRANCHES = """
query ($owner: String!, $name: String!, $like: String) { repository(owner: $owner, name: $name) {
  refs(refPrefix: "refs/heads/", query: $like, first: 100) { nodes { name } }
} }
"""
TOUCHES = """
query ($owner: String!, $name: String!, $base: String!, $target: String!, $since: GitTimestamp{variables}) {{
  repository(owner: $owner, name: $name) {{
    base: object(expression: $base) {{ ... on Commit {{ {base} }} }}
    target: object(expression: $target) {{ ... on Commit {{ {target} }} }}
  }}
}}
"""
ON_BASE = """
  path{at}: history(first: 20, path: $path{at}, since: $since) {{ nodes {{
    oid messageHeadline associatedPullRequests(first: 1) {{ nodes {{ number }} }}
  }} }}
"""
ON_TARGET = "path{at}: history(first: 50, path: $path{at}, since: $since) {{ nodes {{ oid message }} }}"


AUTO_MERGE = """mutation ($node: ID!, $method: PullRequestMergeMethod!, $sha: GitObjectID) {
  enablePullRequestAutoMerge(input: {pullRequestId: $node, mergeMethod: $method, expectedHeadOid: $sha}) {
    clientMutationId
  }
}"""


def source(
    ask: Ask,
    subject: Subject,
    label: str,
    targets: Sequence[str],
    opened: Sequence[int],
    *,
    comments: bool,
    commits: bool,
) -> tuple[Source, Json | None]:
    """Read the pull request, and what there is of its picks; with the last of its `comments`, if they are asked for."""
    asked = {f"tip{at}": f"refs/heads/{target}" for at, target in enumerate(targets)}
    numbers = {f"pick{at}": number for at, number in enumerate(opened)}
    query = SOURCE.format(
        variables="".join([f", ${name}: String!" for name in asked] + [f", ${name}: Int!" for name in numbers])
        + (", $commits: Boolean!" if numbers else ""),
        messages=MESSAGES,
        opened=" ".join(_pick(at) for at in range(len(opened))),
        pull=candidates.PULL,
        labelings=candidates.LABELINGS,
        written=candidates.WRITTEN,
        commit=COMMIT,
        range=RANGE,
        targets=" ".join(TARGET.format(at=at) for at in range(len(targets))),
    )
    given = {
        "number": subject.number,
        "made": f"{PREFIX}{subject.number}-",
        "comments": comments,
        **({"commits": commits} if numbers else {}),
        **asked,
        **numbers,
    }
    found = ask(query, {**_where(subject.repository), **given})["repository"]
    return _source(found, label, targets), found["pullRequest"].get("comments")


def _pick(at: int) -> str:
    return OPENED.format(at=at, messages=MESSAGES, commit=COMMIT, range=RANGE)


def branches(ask: Ask, repository: Repository, like: str) -> list[str]:
    found = ask(BRANCHES, {**_where(repository), "like": like or None})["repository"]["refs"]
    return [each["name"] for each in found["nodes"]]


def touches(ask: Ask, repository: Repository, where: tuple[str, str, str], paths: Sequence[str]) -> list[Touch]:
    """Read what changed the paths in `base` since then, and what of that is not on `target`: (base, target, since)."""
    base, target, since = where
    asked = {f"path{at}": path for at, path in enumerate(paths)}
    query = TOUCHES.format(
        variables="".join(f", ${name}: String" for name in asked),
        base="".join(ON_BASE.format(at=at) for at in range(len(paths))),
        target="".join(ON_TARGET.format(at=at) for at in range(len(paths))),
    )
    given = {"base": base, "target": target, "since": since, **asked}
    found = ask(query, {**_where(repository), **given})["repository"]
    there = _there(found["target"] or {})
    return [
        _touch(node)
        for at in range(len(paths))
        for node in (found["base"] or {}).get(f"path{at}", {"nodes": []})["nodes"]
        if node["oid"] not in there
    ]


def _where(repository: Repository) -> Json:
    return {"owner": repository.owner, "name": repository.name}


def _source(found: Json, label: str, targets: Sequence[str]) -> Source:
    node = found["pullRequest"]
    reviews = (node["latestOpinionatedReviews"] or {"nodes": []})["nodes"]
    labeling = candidates.labeling(node, label)
    made = [each for each in found["made"]["nodes"] if each["name"].startswith(PREFIX)]
    return Source(
        pull=candidates.pull(candidates.repository(found), node),
        title=node["title"],
        **brought(node),
        approvals=tuple(candidates.login(one["author"]) for one in reviews if one["state"] == "APPROVED"),
        labeller=labeling.get("labeller", ""),
        labeller_is_bot=labeling.get("labeller_is_bot", False),
        labeled_at=labeling.get("labeled_at"),
        tips={target: tip["target"]["oid"] for at, target in enumerate(targets) if (tip := found[f"tip{at}"])},
        branches={each["name"]: each["target"]["oid"] for each in made},
        pulls=tuple(one for each in made for one in _existing(each)),
        opened={found[name]["number"]: _opened(found[name]) for name in found if name.startswith("pick")},
        base_history=_messages(node),
    )


def brought(node: Json) -> Json:
    """The fields of a Source that say by which commits it was merged, and of which it is made."""
    merge, own = node["mergeCommit"], node["commits"]
    return {
        "merge": _commit(merge) if merge else None,
        "history": tuple(map(_commit, merge["history"]["nodes"])) if merge else (),
        "own": tuple(_commit(one["commit"]) for one in own["nodes"]),
        "own_count": own["totalCount"],
    }


def _opened(node: Json) -> Opened:
    return Opened(
        number=node["number"],
        state=node["state"].lower(),
        mergeable=node["mergeable"],
        head=node["headRefName"],
        base=node["baseRefName"],
        from_fork=node["isCrossRepository"],
        labels=tuple(label["name"].casefold() for label in node["labels"]["nodes"]),
        shas=frozenset({node["headRefOid"], *([node["mergeCommit"]["oid"]] if node["mergeCommit"] else ())}),
        history=_messages(node),
        body=node.get("body") or "",
        commits=tuple((_commit(each["commit"]), each["commit"]["message"]) for each in _nodes(node.get("commits"))),
    )


def _nodes(found: Json | None) -> list[Json]:
    """Those of a list that was asked for."""
    return found["nodes"] if found else []


def _messages(node: Json) -> tuple[tuple[str, str], ...]:
    """The newest commits of the base; none where it was deleted."""
    found = ((node["baseRef"] or {}).get("target") or {}).get("history") or {"nodes": []}
    return tuple((each["oid"], each["message"]) for each in found["nodes"])


def _commit(node: Json) -> Commit:
    return Commit(
        sha=node["oid"],
        parents=tuple(parent["oid"] for parent in node["parents"]["nodes"]),
        headline=node["messageHeadline"],
        email=(node["author"] or {}).get("email") or "",
        authored_at=datetime.fromisoformat(node["authoredDate"]),
    )


def _existing(branch: Json) -> list[Existing]:
    """What was opened from a branch; one of a fork only has a branch of the same name."""
    return [
        Existing(
            number=node["number"],
            state=node["state"].lower(),
            head=branch["name"],
            base=node["baseRefName"],
            author=candidates.login(node["author"]),
            ours=bool(node["viewerDidAuthor"]),
        )
        for node in branch["associatedPullRequests"]["nodes"]
        if node and not node["isCrossRepository"]
    ]


def _there(found: Json) -> set[str]:
    """The commits that a branch has, itself or picked with `-x`."""
    nodes = [node for history in found.values() for node in history["nodes"]]
    picked = [word.rstrip(")") for node in nodes for word in node["message"].split() if word.endswith(")")]
    return {node["oid"] for node in nodes} | set(picked)


def _touch(node: Json) -> Touch:
    pulls = (node["associatedPullRequests"] or {"nodes": []})["nodes"]
    return Touch(node["oid"], node["messageHeadline"], pulls[0]["number"] if pulls else None)
