"""How GitHub writes its objects down as JSON, in REST answers and in events alike.

Fields: https://docs.github.com/en/rest (each object's schema). Left out: links that nobody here follows.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox import suites
from sandbox.objects import NOREPLY
from sandbox.records import Issue, Pull

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sandbox.bare import Commit, Identity
    from sandbox.records import (
        CheckRun,
        Comment,
        Item,
        Label,
        LineComment,
        Milestone,
        Person,
        Repository,
        Review,
        WorkflowRun,
    )
    from sandbox.state import State

Json = dict[str, Any]
WRITERS = frozenset({"admin", "maintain", "write", "triage"})


def moment(at: datetime | None) -> str | None:
    """Write a time as GitHub does, in whole seconds and with a Z."""
    return None if at is None else f"{at.isoformat()[:19]}Z"


def node_id(prefix: str, number: int) -> str:
    """Make an opaque global id, with the prefix by which people tell kinds apart (IC, PR, I, LA, U, R)."""
    return f"{prefix}_{base64.urlsafe_b64encode(number.to_bytes(8, 'big')).decode().rstrip('=')}"


def blob_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def user(state: State, person: Person | None) -> Json | None:
    """Write an account; null is one that was deleted."""
    if person is None:
        return None
    api = f"{state.api}/users/{quote(person.login)}"
    page = f"apps/{person.login.removesuffix('[bot]')}" if person.kind == "Bot" else person.login
    return {
        "login": person.login,
        "id": person.id,
        "node_id": node_id("BOT" if person.kind == "Bot" else "U", person.id),
        "avatar_url": f"{state.url}/avatars/{person.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{state.url}/{page}",
        **{f"{name}_url": f"{api}/{path}" for name, path in _OF_USER.items()},
        "type": person.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def committer(state: State, email: str) -> Person | None:
    """Find whose address this is; a bot's is nobody's."""
    login, _, host = email.partition("@")
    return state.people.get(login.casefold()) if host == NOREPLY else None


_OF_USER = {
    "followers": "followers",
    "following": "following{/other_user}",
    "gists": "gists{/gist_id}",
    "starred": "starred{/owner}{/repo}",
    "subscriptions": "subscriptions",
    "organizations": "orgs",
    "repos": "repos",
    "events": "events{/privacy}",
    "received_events": "received_events",
}


def repository(state: State, repo: Repository) -> Json:
    api = f"{state.api}/repos/{repo.full_name}"
    open_items = sum(item.state == "open" for item in repo.items.values())
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(state, state.person(repo.owner)),
        "html_url": f"{state.url}/{repo.full_name}",
        "description": None,
        "fork": repo.fork,
        "url": api,
        **{f"{name}_url": f"{api}/{path}" for name, path in _OF_REPOSITORY.items()},
        "clone_url": f"{state.url}/{repo.full_name}.git",
        "created_at": moment(repo.created_at),
        "updated_at": moment(repo.created_at),
        "pushed_at": moment(repo.created_at),
        "homepage": None,
        "size": 0,
        "language": None,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "forks_count": 0,
        "forks": 0,
        "open_issues_count": open_items,
        "open_issues": open_items,
        **{f"has_{what}": what == "issues" for what in _HAS},
        "archived": repo.archived,
        "disabled": False,
        "is_template": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "license": None,
        "mirror_url": None,
        "git_url": f"git://127.0.0.1/{repo.full_name}.git",
        "ssh_url": f"git@127.0.0.1:{repo.full_name}.git",
        "svn_url": f"{state.url}/{repo.full_name}",
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
    }


_HAS = ("issues", "projects", "downloads", "wiki", "pages", "discussions")
_OF_REPOSITORY = {
    "archive": "{archive_format}{/ref}",
    "assignees": "assignees{/user}",
    "blobs": "git/blobs{/sha}",
    "branches": "branches{/branch}",
    "collaborators": "collaborators{/collaborator}",
    "comments": "comments{/number}",
    "commits": "commits{/sha}",
    "compare": "compare/{base}...{head}",
    "contents": "contents/{+path}",
    "contributors": "contributors",
    "deployments": "deployments",
    "downloads": "downloads",
    "events": "events",
    "forks": "forks",
    "git_commits": "git/commits{/sha}",
    "git_refs": "git/refs{/sha}",
    "git_tags": "git/tags{/sha}",
    "hooks": "hooks",
    "issue_comment": "issues/comments{/number}",
    "issue_events": "issues/events{/number}",
    "issues": "issues{/number}",
    "keys": "keys{/key_id}",
    "labels": "labels{/name}",
    "languages": "languages",
    "merges": "merges",
    "milestones": "milestones{/number}",
    "notifications": "notifications{?since,all,participating}",
    "pulls": "pulls{/number}",
    "releases": "releases{/id}",
    "stargazers": "stargazers",
    "statuses": "statuses/{sha}",
    "subscribers": "subscribers",
    "subscription": "subscription",
    "tags": "tags",
    "teams": "teams",
    "trees": "git/trees{/sha}",
}


def label(state: State, repo: Repository, each: Label) -> Json:
    return {
        "id": each.id,
        "node_id": node_id("LA", each.id),
        "url": f"{state.api}/repos/{repo.full_name}/labels/{quote(each.name)}",
        "name": each.name,
        "color": each.color,
        "default": False,
        "description": each.description,
    }


def milestone(state: State, repo: Repository, each: Milestone | None) -> Json | None:
    if each is None:
        return None
    return {
        "url": f"{state.api}/repos/{repo.full_name}/milestones/{each.number}",
        "html_url": f"{state.url}/{repo.full_name}/milestone/{each.number}",
        "id": each.id,
        "node_id": node_id("MI", each.id),
        "number": each.number,
        "title": each.title,
        "state": each.state,
        "labels_url": f"{state.api}/repos/{repo.full_name}/milestones/{each.number}/labels",
        "description": None,
        "creator": user(state, state.person(repo.owner)),
        "open_issues": sum(item.milestone is each and item.state == "open" for item in repo.items.values()),
        "closed_issues": sum(item.milestone is each and item.state == "closed" for item in repo.items.values()),
        "created_at": moment(repo.created_at),
        "updated_at": moment(repo.created_at),
        "due_on": None,
        "closed_at": moment(each.closed_at),
    }


def commit(state: State, repo: Repository, each: Commit) -> Json:
    """Write a commit; nobody signs one here."""
    api, page = f"{state.api}/repos/{repo.full_name}", f"{state.url}/{repo.full_name}/commit"
    people = {"author": each.author, "committer": each.committer}
    unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    return {
        "sha": each.sha,
        "node_id": f"C_{each.sha}",
        "url": f"{api}/commits/{each.sha}",
        "html_url": f"{page}/{each.sha}",
        "comments_url": f"{api}/commits/{each.sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{each.sha}",
            **{role: _identity(who) for role, who in people.items()},
            "message": each.message,
            "tree": {"sha": each.tree, "url": f"{api}/git/trees/{each.tree}"},
            "comment_count": 0,
            "verification": unsigned,
        },
        **{role: user(state, committer(state, who.email)) for role, who in people.items()},
        "parents": [{"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{page}/{sha}"} for sha in each.parents],
    }


def _identity(who: Identity) -> Json:
    return {"name": who.name, "email": who.email, "date": moment(who.at.astimezone(UTC))}


def item_page(state: State, repo: Repository, item: Item) -> str:
    """Return the address a person opens; a pull request's is not under `issues`."""
    kind = "pull" if isinstance(item, Pull) else "issues"
    return f"{state.url}/{repo.full_name}/{kind}/{item.number}"


def comment(state: State, repo: Repository, item: Item, each: Comment) -> Json:
    api = f"{state.api}/repos/{repo.full_name}/issues"
    return {
        "url": f"{api}/comments/{each.id}",
        "html_url": f"{item_page(state, repo, item)}#issuecomment-{each.id}",
        "issue_url": f"{api}/{item.number}",
        "id": each.id,
        "node_id": node_id("IC", each.id),
        "user": user(state, each.author),
        "created_at": moment(each.created_at),
        "updated_at": moment(each.updated_at),
        "author_association": association(repo, each.author),
        "body": each.body,
        "reactions": reactions(f"{api}/comments/{each.id}", each.reactions),
        "performed_via_github_app": None,
    }


def reactions(url: str, given: Iterable[tuple[str, str]] = ()) -> Json:
    """Count them; `given` has (content, login) of each."""
    counts = Counter(content for content, _ in given)
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": counts.total(), **{kind: counts[kind] for kind in kinds}}


def association(repo: Repository, person: Person | None) -> str:
    """Tell what GitHub tells in public, which is why nobody may be trusted by it: members can show as NONE."""
    if person is None:
        return "NONE"
    if person.login.casefold() == repo.owner.casefold():
        return "OWNER"
    return "COLLABORATOR" if repo.role(person.login) in WRITERS else "NONE"


def issue(state: State, repo: Repository, item: Issue | Pull) -> Json:
    """Write an issue, or a pull request as the issues API shows it: with a `pull_request` of links."""
    api = f"{state.api}/repos/{repo.full_name}/issues/{item.number}"
    written = {
        **_common(state, repo, item),
        "url": api,
        "repository_url": f"{state.api}/repos/{repo.full_name}",
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "node_id": node_id("PR" if isinstance(item, Pull) else "I", item.id),
        "comments": len(item.comments),
        "reactions": reactions(api),
        "timeline_url": f"{api}/timeline",
        "performed_via_github_app": None,
        "state_reason": item.state_reason,
    }
    return {**written, **_pull_links(state, repo, item)} if isinstance(item, Pull) else written


def _pull_links(state: State, repo: Repository, item: Pull) -> Json:
    page = item_page(state, repo, item)
    links = {
        "url": f"{state.api}/repos/{repo.full_name}/pulls/{item.number}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "merged_at": moment(item.merged_at),
    }
    return {"draft": item.draft, "pull_request": links}


def pull(state: State, repo: Repository, item: Pull, written: Json | None = None) -> Json:
    """Write a pull request; `written` is its repository as `repository` has it, for those who list many."""
    written = written or repository(state, repo)
    api, page = f"{state.api}/repos/{repo.full_name}", item_page(state, repo, item)
    url, issue_url = f"{api}/pulls/{item.number}", f"{api}/issues/{item.number}"
    links = {
        "self": url,
        "html": page,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api}/statuses/{item.head_sha}",
    }
    return {
        **_common(state, repo, item),
        "url": url,
        "node_id": node_id("PR", item.id),
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": links[name] for name in links if name not in ("self", "html")},
        "merged_at": moment(item.merged_at),
        "merge_commit_sha": item.merge_sha,
        "requested_reviewers": [user(state, person) for person in item.reviewers],
        "requested_teams": [team(state, repo, name) for name in item.teams],
        "head": _head(state, repo, item, written),
        "base": _base(state, repo, item, written),
        "_links": {name: {"href": href} for name, href in links.items()},
        "auto_merge": _auto_merge(state, item),
        "draft": item.draft,
        "merged": item.merged_at is not None,
        "mergeable": None,  # worked out later, and only when asked for
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": user(state, item.merged_by),
        "comments": len(item.comments),
        "review_comments": 0,
        "maintainer_can_modify": item.maintainer_can_modify,
        "commits": 1,
        "additions": 1,
        "deletions": 0,
        "changed_files": 1,
    }


# What a list leaves out of a pull request, and the events about its reviews.
ONLY_WHOLE = frozenset(
    """
    merged mergeable rebaseable mergeable_state merged_by comments review_comments maintainer_can_modify commits
    additions deletions changed_files
    """.split()
)


def simple_pull(state: State, repo: Repository, item: Pull, around: Json | None = None) -> Json:
    written = pull(state, repo, item, around)
    return {name: value for name, value in written.items() if name not in ONLY_WHOLE}


def _auto_merge(state: State, item: Pull) -> Json | None:
    if item.auto_merge is None:
        return None
    texts = {"commit_title": f"{item.title} (#{item.number})", "commit_message": ""}
    return {"enabled_by": user(state, item.auto_merge.by), "merge_method": item.auto_merge.method, **texts}


def review(state: State, repo: Repository, item: Pull, each: Review) -> Json:
    page, url = item_page(state, repo, item), f"{state.api}/repos/{repo.full_name}/pulls/{item.number}"
    return {
        "id": each.id,
        "node_id": node_id("PRR", each.id),
        "user": user(state, each.author),
        "body": each.body,
        "state": each.state,
        "html_url": f"{page}#pullrequestreview-{each.id}",
        "pull_request_url": url,
        "_links": {"html": {"href": f"{page}#pullrequestreview-{each.id}"}, "pull_request": {"href": url}},
        "submitted_at": moment(each.submitted_at),
        "commit_id": each.sha,
        "author_association": association(repo, each.author),
    }


def line_comment(state: State, repo: Repository, item: Pull, each: LineComment) -> Json:
    """Write a comment on a line of the new side."""
    api, page = f"{state.api}/repos/{repo.full_name}/pulls", line_page(state, repo, item, each)
    position = max(1, each.hunk.count("\n"))
    places = {"position": position, "original_position": position, "line": each.line, "original_line": each.line}
    return {
        "id": each.id,
        "node_id": node_id("PRRC", each.id),
        "url": f"{api}/comments/{each.id}",
        "html_url": page,
        "pull_request_url": f"{api}/{item.number}",
        "pull_request_review_id": each.review or None,
        "diff_hunk": each.hunk,
        "path": each.path,
        **places,
        **dict.fromkeys(("start_line", "original_start_line", "start_side")),
        "side": "RIGHT",
        "subject_type": "line",
        "commit_id": each.sha,
        "original_commit_id": each.sha,
        "user": user(state, each.author),
        "body": each.body,
        "created_at": moment(each.created_at),
        "updated_at": moment(each.updated_at),
        "author_association": association(repo, each.author),
        "reactions": reactions(f"{api}/comments/{each.id}", each.reactions),
        "_links": {
            "self": {"href": f"{api}/comments/{each.id}"},
            "html": {"href": page},
            "pull_request": {"href": f"{api}/{item.number}"},
        },
    }


def check_run(state: State, repo: Repository, check: CheckRun) -> Json:
    """Write a check run as both the API and its event have it."""
    api = f"{state.api}/repos/{repo.full_name}/check-runs/{check.id}"
    page = f"{state.url}/{repo.full_name}/runs/{check.id}"
    nothing = {"title": None, "summary": None, "text": None}
    return {
        "id": check.id,
        "node_id": node_id("CR", check.id),
        "name": check.name,
        "head_sha": check.sha,
        "external_id": "",
        "url": api,
        "html_url": page,
        "details_url": check.details_url or page,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": moment(check.started_at),
        "completed_at": moment(check.completed_at),
        "output": {**nothing, "annotations_count": 0, "annotations_url": f"{api}/annotations"},
        "check_suite": {"id": suites.of_run(repo, check).id},
        "app": app(state),
        "pull_requests": [],
    }


def line_page(state: State, repo: Repository, item: Pull, comment: LineComment) -> str:
    return f"{item_page(state, repo, item)}#discussion_r{comment.id}"


def app(state: State) -> Json:
    """Write the App that checks are made by: GitHub Actions, as the token of a workflow is its."""
    return {
        "id": 15368,
        "slug": "github-actions",
        "node_id": "MDM6QXBwMTUzNjg=",
        "owner": user(state, state.person("github")),
        "name": "GitHub Actions",
        "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions",
        "html_url": f"{state.url}/apps/github-actions",
        "created_at": "2018-07-30T09:30:17Z",
        "updated_at": "2024-04-10T20:33:16Z",
        "permissions": {"checks": "write", "contents": "read", "metadata": "read"},
        "events": ["check_run", "check_suite"],
    }


def head_commit(each: Commit) -> Json:
    """Write a commit as check suites and runs name the one that they are about."""
    people = {"author": each.author, "committer": each.committer}
    return {
        "id": each.sha,
        "tree_id": each.tree,
        "message": each.message,
        "timestamp": moment(each.committer.at.astimezone(UTC)),
        **{role: {"name": who.name, "email": who.email} for role, who in people.items()},
    }


def lite_repository(state: State, repo: Repository) -> Json:
    """Write a repository by its names and addresses alone."""
    written = repository(state, repo)
    names = ("id", "node_id", "name", "full_name", "private", "owner", "html_url", "description", "fork", "url")
    return {name: written[name] for name in (*names, *(f"{each}_url" for each in _OF_REPOSITORY))}


def workflow(state: State, repo: Repository, run: WorkflowRun) -> Json:
    api, file = f"{state.api}/repos/{repo.full_name}/actions/workflows", run.file
    number = int.from_bytes(file.encode()[-6:], "big")
    return {
        "id": number,
        "node_id": node_id("W", number),
        "name": file,
        "path": f".github/workflows/{file}",
        "state": "active",
        "created_at": moment(repo.created_at),
        "updated_at": moment(repo.created_at),
        "url": f"{api}/{number}",
        "html_url": f"{state.url}/{repo.full_name}/blob/{repo.default_branch}/.github/workflows/{file}",
        "badge_url": f"{state.url}/{repo.full_name}/workflows/{file}/badge.svg",
    }


def workflow_run(state: State, repo: Repository, run: WorkflowRun) -> Json:
    """Write a run as both the API and its event have it."""
    api, of = f"{state.api}/repos/{repo.full_name}/actions/runs/{run.id}", workflow(state, repo, run)
    home = repository(state, repo)
    return {
        "id": run.id,
        "name": of["name"],
        "node_id": node_id("WFR", run.id),
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CS", run.id),
        "head_branch": run.ref,
        "head_sha": repo.branches.get(run.ref, ""),
        "path": of["path"],
        "run_number": run.id,
        "run_attempt": 1,
        "event": run.event,
        "display_title": run.title,
        "status": "completed" if run.conclusion else "queued",
        "conclusion": run.conclusion,
        "workflow_id": of["id"],
        "url": api,
        "html_url": f"{state.url}/{repo.full_name}/actions/runs/{run.id}",
        "pull_requests": [],
        "created_at": moment(run.created_at),
        "updated_at": moment(run.ended_at or run.created_at),
        "run_started_at": moment(run.created_at),
        "actor": user(state, run.actor),
        "triggering_actor": user(state, run.actor),
        **{f"{name}_url": f"{api}/{name}" for name in ("jobs", "logs", "artifacts", "cancel", "rerun")},
        "check_suite_url": f"{state.api}/repos/{repo.full_name}/check-suites/{run.id}",
        "previous_attempt_url": None,
        "workflow_url": of["url"],
        "head_commit": None,
        "repository": home,
        "head_repository": home,
    }


def pull_link(state: State, repo: Repository, item: Pull) -> Json:
    """Write a pull request as a check suite names it."""
    there = {"id": repo.id, "url": f"{state.api}/repos/{repo.full_name}", "name": repo.name}
    return {
        "url": f"{state.api}/repos/{repo.full_name}/pulls/{item.number}",
        "id": item.id,
        "number": item.number,
        "head": {"ref": item.head_ref, "sha": item.head_sha, "repo": there},
        "base": {"ref": item.base_ref, "sha": repo.branches.get(item.base_ref, ""), "repo": there},
    }


def team(state: State, repo: Repository, slug: str) -> Json:
    api = f"{state.api}/organizations/{repo.owner}/team/{slug}"
    number = int.from_bytes(slug.encode()[-4:], "big")
    return {
        "id": number,
        "node_id": node_id("T", number),
        "name": slug,
        "slug": slug,
        "description": None,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "type": "organization",
        "permission": "push",
        "url": api,
        "html_url": f"{state.url}/orgs/{repo.owner}/teams/{slug}",
        "members_url": f"{api}/members{{/member}}",
        "repositories_url": f"{api}/repos",
        "parent": None,
    }


def _common(state: State, repo: Repository, item: Item) -> Json:
    return {
        "id": item.id,
        "html_url": item_page(state, repo, item),
        "number": item.number,
        "state": item.state,
        "locked": item.locked,
        "active_lock_reason": item.lock_reason,
        "title": item.title,
        "user": user(state, item.author),
        "body": item.body or None,
        "labels": [label(state, repo, each) for each in item.labels],
        "milestone": milestone(state, repo, item.milestone),
        "assignee": user(state, item.assignees[0]) if item.assignees else None,
        "assignees": [user(state, person) for person in item.assignees],
        "created_at": moment(item.created_at),
        "updated_at": moment(item.updated_at),
        "closed_at": moment(item.closed_at),
        "author_association": association(repo, item.author),
    }


def _base(state: State, repo: Repository, item: Pull, written: Json) -> Json:
    return {
        "label": f"{repo.owner}:{item.base_ref}",
        "ref": item.base_ref,
        "sha": repo.branches.get(item.base_ref, ""),
        "user": user(state, state.person(repo.owner)),
        "repo": written,
    }


def _head(state: State, repo: Repository, item: Pull, written: Json) -> Json:
    """Write the branch that is proposed; its repository is null once the fork was deleted."""
    full_name = item.head_repository
    owner = full_name.partition("/")[0] if full_name else ""
    return {
        "label": f"{owner or 'unknown repository'}:{item.head_ref}",
        "ref": item.head_ref,
        "sha": item.head_sha,
        "user": user(state, state.person(owner)) if owner else None,
        "repo": written if full_name == repo.full_name else _head_repository(state, repo, full_name),
    }


def _head_repository(state: State, repo: Repository, full_name: str | None) -> Json | None:
    if full_name is None:
        return None
    return repository(state, state.repository(full_name) or _fork(repo, full_name))


def _fork(repo: Repository, full_name: str) -> Repository:
    """Make up the fork that a pull request came from: nothing of it but its name is ever asked for."""
    owner, _, name = full_name.partition("/")
    number = int.from_bytes(full_name.encode()[-6:], "big")
    return replace(repo, id=number, owner=owner, name=name, items={}, fork=True)
