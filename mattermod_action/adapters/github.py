"""GitHub through PyGithub, with its own retries and pauses off: a repeated POST would be a second comment.

PyGithub retries POST on 5xx and time-outs and sleeps 0.25 s before each request and 1 s before each write
(`GithubRetry`, `Consts.DEFAULT_SECONDS_BETWEEN_*`). Here reads are retried, writes are a single attempt,
and writes are paced only when there are many.
"""

from __future__ import annotations

import re
import time
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import quote

import requests
from github import Auth, Github, GithubException
from urllib3.exceptions import NewConnectionError

from mattermod_action import __version__
from mattermod_action.adapters import candidates
from mattermod_action.errors import Down, Limited, Mistake, Refused, Unsure
from mattermod_action.events import PullRequest, issue, pull_request
from mattermod_action.ports import Authorship, ChangedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mattermod_action.events import Repository, Subject
    from mattermod_action.merging import Candidate
    from mattermod_action.ports import Clock, Status

TIMEOUT = 10  # seconds to connect, and again to read; together less than the ledger's lease
READ_PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth attempt of a read
READ_PATIENCE = 60.0  # seconds that reads may wait for a rate limit, in one run
FREE_WRITES = 20  # then a pause before each: GitHub allows about 80 content-creating requests a minute
WRITE_PAUSE = 0.75  # seconds
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
SECONDARY_WAIT = 60.0
PAGE = 100  # the most that a page of a list may have
LIST = "items"  # under which a list without a name of its own is read
# https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
ISSUES, PULLS, STATUSES = "`issues: write`", "`pull-requests: write`", "`statuses: write`"
CONVERSATION = f"{ISSUES} or {PULLS}"
MERGES = "`contents: write`"
READINESS = f"{PULLS}, `checks: read` and {STATUSES.replace('write', 'read')}"
UNKNOWN_PAUSES = (1.0, 2.0, 4.0)  # seconds that GitHub is given to work out whether a pull request merges
FOREIGN = (
    "`github-token` may not write to the fork that the branch is in: neither GITHUB_TOKEN nor an App may, only a token "
    "of somebody with write access"
)
SERVER_ERROR = 500
# https://docs.github.com/en/account-and-profile/reference/email-addresses-reference#your-noreply-email-address
_NOREPLY = re.compile(r"(?:\d+\+)?([A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.github\.com")

T = TypeVar("T")

COMMENTS = """
query ($owner: String!, $name: String!, $number: Int!, $before: String) {
  repository(owner: $owner, name: $name) {
    issueOrPullRequest(number: $number) {
      ... on Issue { comments(last: 100, before: $before) { ...page } }
      ... on PullRequest { comments(last: 100, before: $before) { ...page } }
    }
  }
}
fragment page on IssueCommentConnection {
  nodes { url body createdAt viewerDidAuthor author { __typename login } }
  pageInfo { hasPreviousPage startCursor }
}
"""

THREADS = """
query ($owner: String!, $name: String!, $number: Int!, $before: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(last: 100, before: $before) {
        nodes { comments(first: 1) { nodes { url body createdAt viewerDidAuthor author { __typename login } } } }
        pageInfo { hasPreviousPage startCursor }
      }
    }
  }
}
"""

COMMITS = """
query ($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      commits(first: 100, after: $after) {
        nodes { commit { oid authors(first: 20) { nodes { email user { login } } } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""


class PyGithubGitHub:
    """The `GitHub` port of ports.py."""

    def __init__(self, api_url: str, token: str, bot_logins: tuple[str, ...], clock: Clock) -> None:
        self._requester = Github(
            auth=Auth.Token(token),
            base_url=api_url,
            timeout=TIMEOUT,
            user_agent=f"mattermod-action/{__version__}",
            per_page=100,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        ).requester
        self._bots = frozenset(login.casefold() for login in bot_logins)
        self._clock = clock
        self._writes = 0
        self._patience = READ_PATIENCE

    def subject(self, subject: Subject) -> Subject | None:
        is_pull = isinstance(subject, PullRequest)
        path = f"{_path(subject.repository)}/{'pulls' if is_pull else 'issues'}/{subject.number}"
        try:
            data = self._read(lambda: self._json("GET", path), PULLS if is_pull else ISSUES)
        except Refused:
            return None
        payload = {"repository": _as_payload(subject.repository)}
        return pull_request(payload, data) if is_pull else issue(payload, data)

    def item(self, repository: Repository, number: int) -> Subject | None:
        """An issue shows itself at once; of a pull request its issue says that it is one."""
        try:
            data = self._read(lambda: self._json("GET", f"{_path(repository)}/issues/{number}"), ISSUES)
        except Refused:
            return None
        found = issue({"repository": _as_payload(repository)}, data)
        return self.pull(repository, number) if "pull_request" in data else found

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        try:
            data = self._read(lambda: self._json("GET", f"{_path(repository)}/pulls/{number}"), PULLS)
        except Refused:
            return None
        return pull_request({"repository": _as_payload(repository)}, data)

    def comment(self, subject: Subject, body: str) -> str:
        path = f"{_path(subject.repository)}/issues/{subject.number}/comments"
        return _url_of_new(self._write("POST", path, {"body": body}, "comment", CONVERSATION))

    def react(self, subject: Subject, comment_id: int, content: str) -> None:
        path = f"{_path(subject.repository)}/issues/comments/{comment_id}/reactions"
        self._write("POST", path, {"content": content}, "react", ISSUES)

    def request_review(self, subject: Subject, teams: Sequence[str]) -> None:
        body = {"team_reviewers": list(teams)}
        path = f"{_path(subject.repository)}/pulls/{subject.number}/requested_reviewers"
        self._write("POST", path, body, "request a review", PULLS)

    def update_branch(self, subject: PullRequest, sha: str) -> None:
        """https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch: an App must write the head, too."""
        path = f"{_path(subject.repository)}/pulls/{subject.number}/update-branch"
        try:
            self._write("PUT", path, {"expected_head_sha": sha}, "update the branch", f"{PULLS} and `contents: write`")
        except Mistake as error:
            if subject.from_fork:
                raise Refused(FOREIGN) from error
            raise

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        return tuple(candidates.labeled(self._query, repository, label))

    def candidate(self, repository: Repository, number: int, label: str) -> Candidate | None:
        """Reading it by REST is what makes GitHub work out whether it merges.

        https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-your-git-database#checking-mergeability-of-pull-requests
        """
        for pause in UNKNOWN_PAUSES:
            found = self._candidate(repository, number, label)
            if found is None or found.is_known:
                return found
            self.pull(repository, number)
            self._clock.sleep(pause)
        return self._candidate(repository, number, label)

    def _candidate(self, repository: Repository, number: int, label: str) -> Candidate | None:
        try:
            return candidates.one(self._query, repository, number, label)
        except Refused:
            return None

    def merge(self, subject: PullRequest, sha: str, method: str) -> None:
        """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request."""
        path = f"{_path(subject.repository)}/pulls/{subject.number}/merge"
        body = {"sha": sha, "merge_method": method}
        if self._write("PUT", path, body, "merge", MERGES).get("merged") is not True:
            raise Unsure("GitHub's answer does not say that it has merged")

    def enqueue(self, node: str, sha: str) -> None:
        """https://docs.github.com/en/graphql/reference/pulls#enqueuepullrequest."""
        variables = {"node": node, "sha": sha}
        ask = partial(self._requester.graphql_query, candidates.ENQUEUE, variables)
        self._call(ask, "put a pull request into the merge queue", f"{MERGES} and {PULLS}")

    def _query(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """All that a merge depends on is read at once, so any of these permissions may be the one that is missing."""
        return dict(self._read(partial(self._requester.graphql_query, query, variables), READINESS)[1]["data"])

    def add_labels(self, subject: Subject, labels: Sequence[str]) -> None:
        path = f"{_path(subject.repository)}/issues/{subject.number}/labels"
        self._write("POST", path, {"labels": list(labels)}, "add labels", CONVERSATION)

    def remove_label(self, subject: Subject, label: str) -> None:
        path = f"{_path(subject.repository)}/issues/{subject.number}/labels/{quote(label, safe='')}"
        try:
            self._write("DELETE", path, None, "remove a label", CONVERSATION)
        except Refused as refusal:
            if "(404)" not in str(refusal):
                raise

    def statuses(self, repository: Repository, sha: str) -> Mapping[str, tuple[str, str, str]]:
        found: dict[str, tuple[str, str, str]] = {}
        for each in self._pages(f"{_path(repository)}/commits/{sha}/status", "statuses", STATUSES):
            found[each["context"]] = (each["state"], each["description"] or "", each["target_url"] or "")
        return found

    def set_status(self, repository: Repository, sha: str, status: Status) -> None:
        body = {"state": status.state, "context": status.context, "description": status.description}
        more = {"target_url": status.url} if status.url else {}
        path = f"{_path(repository)}/statuses/{sha}"
        self._write("POST", path, {**body, **more}, "set a status", STATUSES)

    def role(self, repository: Repository, login: str) -> str:
        """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user."""
        path = f"{_path(repository)}/collaborators/{quote(login)}/permission"
        try:
            data = self._read(lambda: self._json("GET", path), "`metadata: read`")
        except Refused:
            return "none"
        return str(data.get("role_name") or data["permission"])

    def files(self, pull: PullRequest) -> Sequence[ChangedFile]:
        path = f"{_path(pull.repository)}/pulls/{pull.number}/files"
        found = self._pages(path, LIST, PULLS)
        return [
            ChangedFile(each["filename"], each.get("previous_filename") or "", each.get("patch") or "")
            for each in found
        ]

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:
        """GraphQL names co-authors among the authors: https://docs.github.com/en/graphql/reference/objects#commit."""
        found: list[Authorship] = []
        after: str | None = None
        while True:
            page = self._read(partial(self._commits, pull, after), f"{PULLS} and `contents: read`")
            for commit in (node["commit"] for node in page["nodes"]):
                found += [_authorship(commit["oid"], who) for who in commit["authors"]["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    def is_first(self, pull: PullRequest) -> bool:
        """The list is of issues, too. https://docs.github.com/en/rest/issues/issues#list-repository-issues."""
        path = f"{_path(pull.repository)}/issues?creator={quote(pull.author, safe='')}&state=all&direction=asc"
        others = (each for each in self._pages(path, LIST, ISSUES) if each["number"] != pull.number)
        return not any("pull_request" in each for each in others)

    def review_comment(self, subject: Subject, body: str, sha: str, place: tuple[str, int]) -> str:
        """https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request."""
        where = {"commit_id": sha, "path": place[0], "line": place[1], "side": "RIGHT"}
        path = f"{_path(subject.repository)}/pulls/{subject.number}/comments"
        data = self._write("POST", path, {"body": body, **where}, "comment on a line", PULLS)
        return _url_of_new(data)

    def _pages(self, path: str, name: str, permission: str) -> Iterator[dict[str, Any]]:
        """Read a list to its end, whose pages have it as `name`."""
        for page in count(1):
            address = f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={page}"
            items = self._read(partial(self._json, "GET", address), permission)[name]
            yield from items
            if len(items) < PAGE:
                return

    def markers(self, subject: Subject, since: datetime | None = None, *, on_lines: bool = False) -> Mapping[str, str]:
        found: dict[str, str] = {}
        before: str | None = None
        read = self._comments_on_lines if on_lines else self._comments
        while True:
            page = self._read(partial(read, subject, before), CONVERSATION)
            nodes = [node for node in page["nodes"] if node]
            for node in nodes:
                if self._is_ours(node) and (marker := _marker(node["body"])):
                    found.setdefault(marker, node["url"])
            oldest = nodes[0]["createdAt"] if nodes else ""
            if not page["pageInfo"]["hasPreviousPage"] or (since and oldest < since.isoformat()):
                return found
            before = page["pageInfo"]["startCursor"]

    def _comments(self, subject: Subject, before: str | None) -> dict[str, Any]:
        where = {"owner": subject.repository.owner, "name": subject.repository.name, "number": subject.number}
        _, answer = self._requester.graphql_query(COMMENTS, {**where, "before": before})
        item = answer["data"]["repository"]["issueOrPullRequest"]
        return dict(item["comments"])

    def _commits(self, pull: PullRequest, after: str | None) -> dict[str, Any]:
        where = {"owner": pull.repository.owner, "name": pull.repository.name, "number": pull.number}
        _, answer = self._requester.graphql_query(COMMITS, {**where, "after": after})
        return dict(answer["data"]["repository"]["pullRequest"]["commits"])

    def _comments_on_lines(self, subject: Subject, before: str | None) -> dict[str, Any]:
        """The first comment of each thread."""
        where = {"owner": subject.repository.owner, "name": subject.repository.name, "number": subject.number}
        _, answer = self._requester.graphql_query(THREADS, {**where, "before": before})
        threads = answer["data"]["repository"]["pullRequest"]["reviewThreads"]
        return {**threads, "nodes": [node for each in threads["nodes"] for node in each["comments"]["nodes"]]}

    def _is_ours(self, node: Mapping[str, Any]) -> bool:
        """GraphQL shows a bot as `github-actions`, REST and everybody else as `github-actions[bot]`."""
        author = node["author"] or {}
        login = str(author.get("login") or "") + ("[bot]" if author.get("__typename") == "Bot" else "")
        return bool(node["viewerDidAuthor"]) or login.casefold() in self._bots

    def _read(self, request: Callable[[], T], permission: str) -> T:
        for pause in (*READ_PAUSES, None):
            try:
                return self._call(request, "read", permission)
            except Limited as limit:
                if pause is None or limit.retry_after > self._patience:
                    raise
                self._patience -= limit.retry_after
                self._clock.sleep(limit.retry_after)
            except Down as error:
                if pause is None:
                    raise Down(str(error)) from error  # an unsure read is only a read that failed
                self._clock.sleep(pause)
        raise AssertionError("unreachable: the last pause is None")

    def _write(self, verb: str, path: str, body: object, what: str, permission: str) -> dict[str, Any]:
        self._writes += 1
        if self._writes > FREE_WRITES:
            self._clock.sleep(WRITE_PAUSE)
        return self._call(lambda: self._json(verb, path, body), what, permission)

    def _json(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        _, data = self._requester.requestJsonAndCheck(verb, path, input=body)
        return data if isinstance(data, dict) else {LIST: data} if isinstance(data, list) else {}

    def _call(self, request: Callable[[], T], what: str, permission: str) -> T:
        """The one boundary at which the library's errors become ours."""
        try:
            return request()
        except GithubException as error:
            _raise_for(error, what, permission)
        except requests.RequestException as error:
            if _never_sent(error):
                raise Down("GitHub cannot be reached") from error
            raise Unsure(f"GitHub did not answer ({type(error).__name__})") from error
        except (
            ValueError,
            KeyError,
            TypeError,
        ) as error:  # truncated JSON, HTML, a null where data should be
            raise Unsure("GitHub's answer cannot be read") from error


def _raise_for(error: GithubException, what: str, permission: str) -> NoReturn:
    status = error.status or 0
    message = str(error.data.get("message", "")) if isinstance(error.data, dict) else ""
    if status == requests.codes.unauthorized:
        raise Mistake("`github-token` is not accepted by GitHub (401): it is wrong or has expired") from error
    if wait := _retry_after(error, message):
        raise Limited(f"GitHub's rate limit is reached; it asks to wait {wait:.0f} s", wait) from error
    if "not accessible" in message or _is_forbidden(error.data):
        raise Mistake(
            f"`github-token` may not {what} here: give the job {permission} under `permissions:` "
            "(on `pull_request` from a fork it is always read-only: use `pull_request_target`)"
        ) from error
    if status >= SERVER_ERROR:
        raise Unsure(f"GitHub answered {status}") from error
    raise Refused(f"GitHub refused to {what} ({status}): {_reason(error, message)}") from error


def _reason(error: GithubException, message: str) -> str:
    """A validation that failed says what of it in its first error."""
    errors = error.data.get("errors") if isinstance(error.data, dict) else None
    first = next((each["message"] for each in errors or () if isinstance(each, dict) and each.get("message")), "")
    return str(first or message or "no reason given")[:200]


def _is_forbidden(data: object) -> bool:
    """GraphQL refuses with 200 and a list of errors, of which PyGithub makes an exception."""
    errors = data.get("errors") if isinstance(data, dict) else None
    return any(isinstance(each, dict) and each.get("type") == "FORBIDDEN" for each in errors or ())


def _retry_after(error: GithubException, message: str) -> float:
    """Seconds to wait when this is a rate limit, primary or secondary; 0 when it is something else."""
    if error.status not in (requests.codes.forbidden, requests.codes.too_many_requests):
        return 0
    headers = {name.casefold(): value for name, value in (error.headers or {}).items()}
    if str(headers.get("retry-after", "")).isdecimal():
        return max(1.0, float(headers["retry-after"]))
    if headers.get("x-ratelimit-remaining") == "0" and str(headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    limited = error.status == requests.codes.too_many_requests or "rate limit" in message.casefold()
    return SECONDARY_WAIT if limited else 0


def _never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)  # refused, or the name was not resolved


def _authorship(sha: str, who: Mapping[str, Any]) -> Authorship:
    """Bots are no users, but have the addresses that GitHub gives to whoever hides theirs."""
    email = str(who["email"] or "")
    hidden = _NOREPLY.fullmatch(email)
    return Authorship(sha, email, (who["user"] or {}).get("login") or (hidden[1] if hidden else ""))


def _url_of_new(comment: Mapping[str, Any]) -> str:
    if not isinstance(comment.get("id"), int):
        raise Unsure("GitHub's answer to the new comment is not a comment")
    return str(comment.get("html_url") or "")


def _marker(body: str) -> str:
    start = body.rfind("<!-- mattermod:v1:")
    return body[start : body.find("-->", start) + 3] if start >= 0 else ""


def _path(repository: Repository) -> str:
    return f"/repos/{repository.full_name}"


def _as_payload(repository: Repository) -> dict[str, object]:
    return {
        "id": repository.id,
        "full_name": repository.full_name,
        "default_branch": repository.default_branch,
    }
