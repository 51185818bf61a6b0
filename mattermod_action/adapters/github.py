"""What is asked of GitHub, and by which calls; `github_requests.py` makes them."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from mattermod_action import refusals
from mattermod_action.adapters import activity, candidates, census, marks, origins, pushes, sources
from mattermod_action.adapters.github_errors import MAIN_INPUT
from mattermod_action.adapters.github_pages import ACTIVITY, CHECKS, COMMENTED, COMMITTED, ITEMS, LABELED, ONE, OWNED
from mattermod_action.adapters.github_paths import file_path, segment
from mattermod_action.adapters.github_requests import LIST, Requests, goes_on, understood
from mattermod_action.errors import Down, Gone, Incomplete, MayNot, Mistake, Moved, Refused, Unsure
from mattermod_action.events import PullRequest, is_full_name
from mattermod_action.facts import ROLES
from mattermod_action.markers import Seals, marker_of
from mattermod_action.parsing import issue, pull_request
from mattermod_action.ports import Authorship, ChangedFile, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mattermod_action.approvals import Approval, Push
    from mattermod_action.events import Repository, Subject
    from mattermod_action.figures import Calls
    from mattermod_action.members import Member
    from mattermod_action.merging import Candidate
    from mattermod_action.origins import Labeling, Said
    from mattermod_action.picks import Fate, Source, Touch
    from mattermod_action.ports import Activity, Clock, NewPull, Place, Status
    from mattermod_action.servers import Mark
    from mattermod_action.sweeps import Page
    from mattermod_action.sweeps import Place as SweepPlace

# https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
ISSUES, PULLS, STATUSES = "`issues: write`", "`pull-requests: write`", "`statuses: write`"
ACTIONS, CONTENTS = "`actions: write`", "`contents: write`"
CONVERSATION = f"{ISSUES} or {PULLS}"
MARKS = "`contents: read`, `checks: read` and `statuses: read`"
OLD = f"{ISSUES}, {PULLS} and `contents: read`"
READINESS = f"{PULLS}, `checks: read`, `actions: read` and {STATUSES.replace('write', 'read')}"
REACT = """mutation ($node: ID!, $content: ReactionContent!) {
  addReaction(input: {subjectId: $node, content: $content}) { clientMutationId }
}"""
REACTIONS = {"+1": "THUMBS_UP", "-1": "THUMBS_DOWN", "confused": "CONFUSED", "eyes": "EYES"}
UNKNOWN_PAUSES = (1.0, 2.0, 4.0)  # seconds that GitHub is given to work out whether a pull request merges
FOREIGN = (
    "`github-token` may not write to the fork that the branch is in: neither GITHUB_TOKEN nor an App may, only a token "
    "of somebody with write access"
)
ELSEWHERE = "needs {needed} there: GITHUB_TOKEN never has it, a token of an App or of a person may"
# GitHub's names of what a person may do, the most first, and the role that may do it.
RIGHTS = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
# https://docs.github.com/en/account-and-profile/reference/email-addresses-reference#your-noreply-email-address
_NOREPLY = r"(?:\d+\+)?([A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.(?:github\.com|{host})"
_RUN = re.compile(r"https?://[^/]+/([^/]+/[^/]+)/actions/runs/(\d+)")
_REF = re.compile(r"[?&]ref=([0-9a-f]{40,64})(?:&|$)")
MOVED = "the branch has another head by now"
_ANY_KEY = re.compile(r"[0-9a-f]{64}")
AUTHORS = 20  # of one commit
# What is asked about one item, page by page.
ITEM = (
    "query ($owner: String!, $name: String!, $number: Int!, $cursor: String, $size: Int!) { "
    "repository(owner: $owner, name: $name) {"
)
OLDER, NEWER = "pageInfo { hasPreviousPage startCursor }", "pageInfo { hasNextPage endCursor }"
WRITTEN = candidates.WRITTEN
COMMENTS = f"""{ITEM} issueOrPullRequest(number: $number) {{
  ... on Issue {{ comments(last: $size, before: $cursor) {{ ...page }} }}
  ... on PullRequest {{ comments(last: $size, before: $cursor) {{ ...page }} }}
}} }} }}
fragment page on IssueCommentConnection {{ nodes {{ {WRITTEN} }} {OLDER} }}
"""
THREADS = f"""{ITEM} pullRequest(number: $number) {{ reviewThreads(last: $size, before: $cursor) {{
  nodes {{ comments(first: 1) {{ nodes {{ {WRITTEN} }} }} }} {OLDER}
}} }} }} }}
"""
COMMITS = f"""{ITEM} pullRequest(number: $number) {{ commits(first: $size, after: $cursor) {{
  totalCount nodes {{ commit {{ oid authors(first: {AUTHORS}) {{ totalCount nodes {{ email user {{ login }} }} }} }} }}
  {NEWER} }} headRefOid
}} }} }}
"""


@understood
class PyGithubGitHub(Requests):
    """The `GitHub` port of ports.py."""

    def __init__(
        self,
        api_url: str,
        token: str,
        bot_logins: tuple[str, ...],
        clock: Clock,
        calls: Calls,
        *,
        name: str = MAIN_INPUT,
        marker_keys: tuple[str, ...] = (),
    ) -> None:
        super().__init__(api_url, token, clock, calls, name=name)
        self._bots = frozenset(login.casefold() for login in bot_logins)
        self._seals = Seals(marker_keys)
        self._noreply = re.compile(_NOREPLY.format(host=re.escape(_host(api_url))), re.IGNORECASE)
        self._marked: dict[tuple[str, int], dict[str, list[Written]]] = {}  # markers that were read with something else

    def subject(self, subject: Subject) -> Subject | None:
        is_pull = isinstance(subject, PullRequest)
        path = f"{_path(subject.repository)}/{'pulls' if is_pull else 'issues'}/{subject.number}"
        payload = {"repository": _as_payload(subject.repository)}
        parse: Callable[[Mapping[str, Any], Mapping[str, Any]], Subject] = pull_request if is_pull else issue
        try:
            return self._read(lambda: parse(payload, self._json("GET", path)), PULLS if is_pull else ISSUES)
        except Gone:
            return None

    def item(self, repository: Repository, number: int) -> Subject | None:
        """An issue shows itself at once; of a pull request its issue says that it is one."""
        path, payload = f"{_path(repository)}/issues/{number}", {"repository": _as_payload(repository)}

        def read() -> tuple[Subject, bool]:
            data = self._json("GET", path)
            return issue(payload, data), "pull_request" in data

        try:
            found, is_pull = self._read(read, ISSUES)
        except Gone:
            return None
        return self.pull(repository, number) if is_pull else found

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        path, payload = f"{_path(repository)}/pulls/{number}", {"repository": _as_payload(repository)}
        try:
            return self._read(lambda: pull_request(payload, self._json("GET", path)), PULLS)
        except Gone:
            return None

    def comment(self, subject: Subject, body: str) -> str:
        path = f"{_path(subject.repository)}/issues/{subject.number}/comments"
        sealed = self._seals.sealed(subject, body)
        return _url_of_new(self._write("POST", path, {"body": sealed}, "comment", CONVERSATION))

    def edit_comment(self, subject: Subject, url: str, body: str) -> bool:
        """https://docs.github.com/en/rest/issues/comments#update-an-issue-comment."""
        number, sealed = Written(url, body).number, self._seals.sealed(subject, body)
        path = f"{_path(subject.repository)}/issues/comments/{number}"
        try:
            there = self._read(lambda: self._json("GET", path), CONVERSATION)
        except Gone:
            return False
        text = str(there.get("body") or "")
        if text == sealed or marker_of(text) != marker_of(body) or not self._is_mine(subject, number, there):
            return False
        self._write("PATCH", path, {"body": sealed}, "edit a comment", CONVERSATION)
        return True

    def _is_mine(self, subject: Subject, number: int, comment: Mapping[str, Any]) -> bool:
        """Only a query says of an account that is not among `bot-logins`, such as a person's, that it is our own."""
        if str((comment.get("user") or {}).get("login") or "").casefold() in self._bots:
            return True
        ours = (node for page in self._written(subject) for node in page if candidates.is_ours(node, self._bots))
        return any(Written(str(node["url"]), "").number == number for node in ours)

    def react(self, subject: Subject, comment_id: int, content: str, *, on_line: bool = False) -> None:
        """https://docs.github.com/en/rest/reactions/reactions, for each of the two kinds of comments."""
        path = f"{_path(subject.repository)}/{'pulls' if on_line else 'issues'}/comments/{comment_id}/reactions"
        self._write("POST", path, {"content": content}, "react", PULLS if on_line else ISSUES)

    def react_to_review(self, node: str, content: str) -> None:
        """REST has no reactions to reviews: https://docs.github.com/en/graphql/reference/mutations#addreaction."""
        ask = partial(self._data, REACT, {"node": node, "content": REACTIONS[content]})
        self._call(ask, "react", PULLS)

    def request_review(self, subject: Subject, teams: Sequence[str], people: Sequence[str] = ()) -> None:
        """https://docs.github.com/en/rest/pulls/review-requests#request-reviewers-for-a-pull-request."""
        body = {"team_reviewers": list(teams), "reviewers": list(people)}
        body = {name: asked for name, asked in body.items() if asked}
        path = f"{_path(subject.repository)}/pulls/{subject.number}/requested_reviewers"
        self._write("POST", path, body, "request a review", PULLS, shows="number")

    def update_branch(self, subject: PullRequest, sha: str) -> None:
        """https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch: an App must write the head, too."""
        path = f"{_path(subject.repository)}/pulls/{subject.number}/update-branch"
        try:
            self._write("PUT", path, {"expected_head_sha": sha}, "update the branch", f"{PULLS} and {CONTENTS}")
        except Mistake as error:
            if subject.from_fork and (isinstance(error, MayNot) or _is_unwritable(error)):
                raise Refused(FOREIGN) from error
            raise

    def candidates(self, repository: Repository, label: str) -> tuple[Candidate, ...]:
        return tuple(candidates.labeled(self._paged(repository.full_name, LABELED, READINESS), repository, label))

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
            return candidates.one(self._paged(repository.full_name, ONE, READINESS), repository, number, label)
        except Gone:
            return None

    def pushes(self, pull: PullRequest) -> Sequence[Push] | None:
        path = pushes.path(pull)
        if not path:
            return None
        try:
            return self._read(lambda: [pushes.push(each) for each in self._json("GET", path)[LIST]], CONTENTS)
        except (Refused, MayNot):
            return None

    def noted_at(self, repository: Repository, sha: str) -> Approval | None:
        return candidates.noted_at(self._paged(repository.full_name, CHECKS, READINESS), repository, sha)

    def has_checks(self, repository: Repository, base: str) -> bool:
        return self._read(lambda: candidates.has_checks(self._data, repository, base), READINESS)

    def parent(self, repository: Repository, base: str) -> int:
        """https://docs.github.com/en/rest/pulls/pulls#list-pull-requests: `head` is OWNER:BRANCH."""
        head = quote(f"{repository.owner}:{base}", safe="")
        path = f"{_path(repository)}/pulls?state=open&head={head}&per_page=100"
        found = self._read(lambda: self._json("GET", path)[LIST], PULLS)
        ours = [
            each for each in found if (each["head"]["repo"] or {}).get("full_name") == each["base"]["repo"]["full_name"]
        ]
        return min((int(each["number"]) for each in ours), default=0)

    def forked_at(self, pull: PullRequest, before: str, other: str) -> str:
        """The base has already what is `behind`: https://docs.github.com/en/rest/commits/commits#compare-two-commits."""
        compare = f"{_path(pull.repository)}/compare"
        onto = f"{compare}/{quote(pull.base_ref, safe='')}...{other}?per_page=1"
        try:
            if self._field(onto, "status", CONTENTS) not in ("behind", "identical"):
                return ""
            both = self._field(f"{compare}/{before}...{other}?per_page=1", "merge_base_commit", CONTENTS)
        except Gone:
            return ""
        return str(both["sha"])

    def merge(self, subject: PullRequest, sha: str, method: str) -> None:
        """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request."""
        path = f"{_path(subject.repository)}/pulls/{subject.number}/merge"
        body = {"sha": sha, "merge_method": method}
        if self._write("PUT", path, body, "merge", CONTENTS).get("merged") is not True:
            raise Unsure("GitHub's answer does not say that it has merged")

    def enqueue(self, node: str, sha: str) -> None:
        """https://docs.github.com/en/graphql/reference/pulls#enqueuepullrequest."""
        variables = {"node": node, "sha": sha}
        ask = partial(self._data, candidates.ENQUEUE, variables)
        self._call(ask, "put a pull request into the merge queue", f"{CONTENTS} and {PULLS}")

    def dequeue(self, node: str) -> None:
        """https://docs.github.com/en/graphql/reference/mutations#dequeuepullrequest."""
        ask = partial(self._data, candidates.DEQUEUE, {"node": node})
        self._call(ask, "take a pull request out of the merge queue", f"{CONTENTS} and {PULLS}")

    def activities(self, subjects: Sequence[Subject], label: str) -> Mapping[int, Activity]:
        """One query for as many as GitHub answers at once; those that are gone are missing."""
        read = activity.Reader(label, self._bots, self._clock.now(), self._seals)
        place = subjects[0].repository.full_name
        found: dict[int, Activity] = {}
        at = 0

        def ask(size: int) -> tuple[int, Mapping[int, Activity]]:
            some = subjects[at : at + size]
            return size, read.found(some, self._data(*read.query(some)))

        while at < len(subjects):
            count, some = self._sized(place, ACTIVITY, OLD, ask, len(subjects) - at)
            found |= some
            at += count
        return found

    def hide_comment(self, comment: str) -> None:
        """https://docs.github.com/en/graphql/reference/mutations#minimizecomment."""
        with suppress(Gone):
            self._call(partial(self._data, activity.HIDE, {"node": comment}), "hide a comment", CONVERSATION)

    def close(self, subject: Subject) -> None:
        """https://docs.github.com/en/rest/issues/issues#update-an-issue: of a pull request, too."""
        reason = {} if isinstance(subject, PullRequest) else {"state_reason": "not_planned"}
        path = f"{_path(subject.repository)}/issues/{subject.number}"
        self._write("PATCH", path, {"state": "closed", **reason}, "close it", CONVERSATION, shows="number")

    def open_items(self, repository: Repository, file: str, after: SweepPlace) -> Iterator[Page]:
        return census.pages(self._paged(repository.full_name, ITEMS, READINESS), repository, file, after)

    def owned(self, owner: str) -> Iterator[Repository]:
        return census.owned(self._paged(owner, OWNED, READINESS), owner)

    def mark(self, repository: Repository, sha: str, context: str) -> Mark | None:
        return marks.newest(self._paged(repository.full_name, CHECKS, MARKS), repository, sha, context)

    def said(self, repository: Repository, comment: int) -> Said | None:
        path = f"{_path(repository)}/issues/comments/{comment:d}"
        try:
            return self._read(lambda: self._said(self._json("GET", path)), CONVERSATION)
        except Gone:
            return None

    def _said(self, comment: Mapping[str, Any]) -> Said:
        """Who has edited it last is asked only where somebody has."""
        is_edited = origins.is_edited(comment)
        data = self._data(origins.EDITOR, {"node": comment["node_id"]}) if is_edited else {"node": None}
        return origins.said(comment, origins.editor_of(data))

    def labelings(self, subject: Subject) -> Sequence[Labeling]:
        where = {"owner": subject.repository.owner, "name": subject.repository.name, "number": subject.number}
        try:
            found = self._read(partial(self._data, origins.LABELED, where), PULLS)
        except Gone:
            return []
        return origins.labelings(found["repository"]["pullRequest"])

    def fork_point(self, repository: Repository, target: str, sha: str) -> str:
        """https://docs.github.com/en/rest/commits/commits#compare-two-commits."""
        path = f"{_path(repository)}/compare/{quote(target, safe='')}...{segment(sha)}?per_page=1"
        try:
            return str(self._field(path, "merge_base_commit", CONTENTS)["sha"])
        except Gone:
            return ""

    def dispatch_workflow(self, place: Place, ref: str, inputs: Mapping[str, str]) -> str:
        """https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event.

        GitHub Enterprise Server before 3.21 does not know `return_run_details`, and refuses what it does not know.
        """
        path = f"/repos/{place.repository}/actions/workflows/{segment(place.workflow)}/dispatches"
        body = {"ref": ref or self._default_branch(place), **({"inputs": dict(inputs)} if inputs else {})}
        try:
            data = self._dispatch(path, {**body, "return_run_details": True}, place, ACTIONS)
        except Refused as refusal:
            if "return_run_details" not in str(refusal):
                raise
            data = self._dispatch(path, body, place, ACTIONS)
        return str(data.get("html_url") or "")

    def dispatch_event(self, place: Place, payload: Mapping[str, str]) -> None:
        """https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event."""
        body = {"event_type": place.event, **({"client_payload": dict(payload)} if payload else {})}
        self._dispatch(f"/repos/{place.repository}/dispatches", body, place, CONTENTS)

    def _dispatch(self, path: str, body: object, place: Place, needed: str) -> dict[str, Any]:
        """What a token must not know of is 404 to it, as what is not there."""
        what, where = f"start {place.workflow or place.event}", place.repository
        try:
            data = self._write("POST", path, body, what, needed)
        except MayNot as mistake:
            if place.home:
                raise
            raise Mistake(
                f"`github-token` may not {what} in {where}: it {ELSEWHERE.format(needed=needed)}"
            ) from mistake
        except Gone as refusal:
            cure = f"`github-token` {f'lacks {needed}' if place.home else ELSEWHERE.format(needed=needed)}"
            raise Refused(f"GitHub refused to {what} (404): {where} has no such thing, or {cure}") from refusal
        if data and not isinstance(data.get("workflow_run_id"), int):
            raise Unsure("GitHub's answer to the dispatch is neither empty nor a run")
        return data

    def _default_branch(self, place: Place) -> str:
        path = f"/repos/{place.repository}"
        return str(self._field(path, "default_branch", "`metadata: read`"))

    def find_run(self, place: Place, key: str, since: datetime) -> str | None:
        """https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow."""
        of = f"workflows/{segment(place.workflow)}/runs" if place.workflow else "runs"
        kind = "workflow_dispatch" if place.workflow else "repository_dispatch"
        path = f"/repos/{place.repository}/actions/{of}?event={kind}&created={quote(f'>={since.isoformat()}Z')}"
        runs = list(self._pages(path, "workflow_runs", "`actions: read`"))
        titles = {str(run["html_url"]): str(run.get("display_title") or "") for run in runs}
        found = next((url for url, title in titles.items() if key in title), None)
        if found is None and not all(map(_ANY_KEY.search, titles.values())):
            raise Unsure(
                f"nobody can tell whether {place.workflow or place.event} was started, since the titles of its runs "
                "have no key: see `run-name` on the page of label_workflow"
            )
        return found

    def ended(self, url: str) -> str:
        """https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run."""
        run = _RUN.match(url)
        if run is None or not is_full_name(run[1]):
            return ""
        path = f"/repos/{run[1]}/actions/runs/{run[2]}"
        try:
            data = self._read(lambda: self._json("GET", path), "`actions: read`")
        except Gone:
            return ""
        return str(data.get("conclusion") or "") if data.get("status") == "completed" else ""

    def source(
        self,
        subject: Subject,
        label: str,
        targets: Sequence[str],
        *,
        opened: Sequence[int] = (),
        comments: bool = False,
        commits: bool = False,
    ) -> Source | None:
        try:
            found, shown = sources.source(
                self._code, subject, label, targets, opened, comments=comments, commits=commits
            )
        except Gone:  # which may be one of `opened`, whose numbers are out of a row
            return self.source(subject, label, targets, comments=comments) if opened else None
        except Refused as refusal:
            raise Down(str(refusal)) from refusal  # no word about one target
        if shown and not shown["pageInfo"]["hasPreviousPage"]:
            self._marked[_path(subject.repository), subject.number] = self._ours(subject, shown["nodes"])
        return found

    def branches(self, repository: Repository, like: str) -> Sequence[str]:
        return sources.branches(self._code, repository, like)

    def all_branches(self, repository: Repository) -> Sequence[str]:
        """https://docs.github.com/en/rest/branches/branches#list-branches."""
        return [str(each["name"]) for each in self._pages(f"{_path(repository)}/branches", LIST, "`contents: read`")]

    def milestones(self, repository: Repository) -> Sequence[str]:
        """https://docs.github.com/en/rest/issues/milestones#list-milestones."""
        path = f"{_path(repository)}/milestones?state=open"
        return [str(each["title"]) for each in self._pages(path, LIST, "`issues: read`")]

    def touches(self, repository: Repository, target: str, base: str, paths: Sequence[str]) -> Sequence[Touch]:
        """https://docs.github.com/en/rest/commits/commits#compare-two-commits says where the two have parted."""
        path = f"{_path(repository)}/compare/{quote(target, safe='')}...{base}?per_page=1"
        since = self._field(path, "merge_base_commit", CONTENTS)["commit"]["committer"]["date"]
        return sources.touches(self._code, repository, (base, f"refs/heads/{target}", since), paths)

    def fates(self, repository: Repository, numbers: Sequence[int]) -> Mapping[int, Fate]:
        from mattermod_action.adapters import members

        try:
            return members.fates(self._code, repository, numbers)
        except Gone:  # which of them it is that is gone, each says for itself
            alone = numbers if len(numbers) > 1 else ()
            return {number: fate for each in alone for number, fate in self.fates(repository, (each,)).items()}

    def members(self, repository: Repository, numbers: Sequence[int], most: int) -> Sequence[Member]:
        from mattermod_action.adapters import members

        return members.members(self._code, repository, numbers, most)

    def open_pull(self, repository: Repository, pull: NewPull) -> tuple[int, str]:
        """https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request."""
        body = {"title": pull.title, "body": pull.body, "head": pull.head, "base": pull.base, "draft": pull.draft}
        data = self._write("POST", f"{_path(repository)}/pulls", body, "open a pull request", PULLS)
        if not isinstance(data.get("number"), int):
            raise Unsure("GitHub's answer to the new pull request is not a pull request")
        return data["number"], str((data.get("user") or {}).get("login") or "")

    def prepare_pull(self, subject: Subject, milestone: int | None, assignees: Sequence[str]) -> None:
        """https://docs.github.com/en/rest/issues/issues#update-an-issue."""
        wanted = {"milestone": milestone, "assignees": list(assignees)}
        body = {name: value for name, value in wanted.items() if value}
        path = f"{_path(subject.repository)}/issues/{subject.number}"
        self._write("PATCH", path, body, "change an issue", PULLS, shows="number")

    def auto_merge(self, subject: Subject, method: str, sha: str) -> None:
        """https://docs.github.com/en/graphql/reference/pulls#enablepullrequestautomerge."""
        path = f"{_path(subject.repository)}/pulls/{subject.number}"
        node = self._field(path, "node_id", PULLS)
        ask = partial(self._data, sources.AUTO_MERGE, {"node": node, "method": method.upper(), "sha": sha or None})
        self._call(ask, "merge a pull request when it is ready", f"{CONTENTS} and {PULLS}")

    def _code(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """What a pick depends on is in the code, too."""
        return self._read(partial(self._data, query, variables), f"{CONTENTS} and {PULLS}")

    def add_labels(self, subject: Subject, labels: Sequence[str]) -> None:
        path = f"{_path(subject.repository)}/issues/{subject.number}/labels"
        self._write("POST", path, {"labels": list(labels)}, "add labels", CONVERSATION, shows=LIST)

    def remove_label(self, subject: Subject, label: str) -> None:
        path = f"{_path(subject.repository)}/issues/{subject.number}/labels/{segment(label)}"
        with suppress(Gone):
            self._write("DELETE", path, None, "remove a label", CONVERSATION)

    def statuses(self, repository: Repository, sha: str) -> Mapping[str, tuple[str, str, str]]:
        found: dict[str, tuple[str, str, str]] = {}
        for each in self._pages(f"{_path(repository)}/commits/{segment(sha)}/status", "statuses", STATUSES):
            found[each["context"]] = (each["state"], each["description"] or "", each["target_url"] or "")
        return found

    def set_status(self, repository: Repository, sha: str, status: Status) -> None:
        body = {"state": status.state, "context": status.context, "description": status.description}
        more = {"target_url": status.url} if status.url else {}
        path = f"{_path(repository)}/statuses/{segment(sha)}"
        self._write("POST", path, {**body, **more}, "set a status", STATUSES, shows="id")

    def role(self, repository: Repository, login: str) -> str:
        """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user."""
        path = f"{_path(repository)}/collaborators/{segment(login)}/permission"
        try:
            return self._read(lambda: _role(self._json("GET", path)), "`metadata: read`")
        except Gone:
            return "none"
        except Refused as refusal:
            raise Mistake(f"`{self._name}` may not ask who may do what: {refusal}") from refusal

    def files(self, pull: PullRequest) -> Iterator[ChangedFile]:
        """Each file of the list names the commit that is shown: the head may have been another one meanwhile."""
        path = f"{_path(pull.repository)}/pulls/{pull.number}/files"
        for page in self._each_page(path, LIST, PULLS, spares=True):
            shown = {_commit_of(each) for each in page if each.get("status") != "removed"} - {""}
            if shown and pull.sha not in shown:
                raise Moved(MOVED)
            yield from map(_changed_file, page)

    def text_of(self, pull: PullRequest, path: str) -> str | None:
        """https://docs.github.com/en/rest/repos/contents#get-repository-content, which shows no file of over 1 MB."""
        address = f"{_path(pull.repository)}/contents/{file_path(path)}?ref={pull.sha}"
        data = self._read(lambda: self._json("GET", address), "`contents: read`")
        if data.get("encoding") != "base64":
            return None
        return base64.b64decode(str(data.get("content") or "")).decode(errors="replace")

    def authors(self, pull: PullRequest) -> Sequence[Authorship]:
        """GraphQL names co-authors among the authors: https://docs.github.com/en/graphql/reference/objects#commit.

        Its list has all commits, where REST's ends after 250: https://github.com/dcoapp/app/pull/310
        """
        found: list[Authorship] = []
        commits: set[str] = set()
        after: str | None = None
        pages: list[object] = []
        while True:
            goes_on(pages, after)
            shown = self._in_item(COMMITS, pull, after, COMMITTED)["pullRequest"]
            if shown["headRefOid"] != pull.sha:
                raise Moved(MOVED)
            page = shown["commits"]
            for commit in (node["commit"] for node in page["nodes"]):
                commits.add(commit["oid"])
                found += self._authors_of(commit)
            if not page["pageInfo"]["hasNextPage"]:
                if len(commits) < page["totalCount"]:
                    raise Incomplete("GitHub does not list all of the commits")
                return found
            after = page["pageInfo"]["endCursor"]

    def _authors_of(self, commit: Mapping[str, Any]) -> list[Authorship]:
        authors = commit["authors"]
        if authors["totalCount"] > len(authors["nodes"]):
            raise Incomplete(f"the commit {commit['oid']:.10} has more than {AUTHORS} authors")
        return [_authorship(commit["oid"], who, self._noreply) for who in authors["nodes"]]

    def is_first(self, pull: PullRequest) -> bool:
        """The list is of issues, too. https://docs.github.com/en/rest/issues/issues#list-repository-issues."""
        path = f"{_path(pull.repository)}/issues?creator={quote(pull.author, safe='')}&state=all&direction=asc"
        others = (each for each in self._pages(path, LIST, ISSUES, spares=True) if each["number"] != pull.number)
        return not any("pull_request" in each for each in others)

    def review_comment(self, subject: Subject, body: str, sha: str, place: tuple[str, int]) -> str:
        """https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request."""
        where = {"commit_id": sha, "path": place[0], "line": place[1], "side": "RIGHT"}
        path = f"{_path(subject.repository)}/pulls/{subject.number}/comments"
        body = self._seals.sealed(subject, body)
        data = self._write("POST", path, {"body": body, **where}, "comment on a line", PULLS)
        return _url_of_new(data)

    def delete_comment(self, subject: Subject, comment: Written, *, on_lines: bool = False) -> None:
        """https://docs.github.com/en/rest/issues/comments#delete-an-issue-comment, and the same of pulls/comments."""
        path = f"{_path(subject.repository)}/{'pulls' if on_lines else 'issues'}/comments/{comment.number}"
        with suppress(Gone):
            self._write("DELETE", path, None, "delete a comment", PULLS if on_lines else CONVERSATION)

    def markers(
        self, subject: Subject, since: datetime | None = None, *, on_lines: bool = False
    ) -> Mapping[str, Sequence[Written]]:
        known = None if on_lines else self._marked.pop((_path(subject.repository), subject.number), None)
        if known is not None:
            return known
        found: dict[str, list[Written]] = {}
        for nodes in self._written(subject, on_lines=on_lines):
            for marker, comments in self._ours(subject, nodes).items():
                found[marker] = [*comments, *found.get(marker, ())]
            if since and nodes and nodes[0]["createdAt"] < since.isoformat():
                break
        return found

    def _written(self, subject: Subject, *, on_lines: bool = False) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Read the comments, a page at a time, the newest page first."""
        before: str | None = None
        more, read, pages = True, self._comments_on_lines if on_lines else self._comments, list[object]()
        while more:
            goes_on(pages, before)
            page = read(subject, before)
            yield [node for node in page["nodes"] if node]
            more, before = page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["startCursor"]

    def _ours(self, subject: Subject, nodes: Sequence[Mapping[str, Any]]) -> dict[str, list[Written]]:
        """The markers of our comments, and the comments that have them, the oldest first."""
        found: dict[str, list[Written]] = {}
        for node in filter(None, nodes):
            marker = self._seals.marker_in(subject, str(node["body"]))
            if marker and candidates.is_ours(node, self._bots):
                found.setdefault(marker, []).append(Written(str(node["url"]), str(node["body"])))
        return found

    def _comments(self, subject: Subject, before: str | None) -> dict[str, Any]:
        return dict(self._in_item(COMMENTS, subject, before, COMMENTED)["issueOrPullRequest"]["comments"])

    def _comments_on_lines(self, subject: Subject, before: str | None) -> dict[str, Any]:
        """The first comment of each thread."""
        threads = self._in_item(THREADS, subject, before, COMMENTED)["pullRequest"]["reviewThreads"]
        return {**threads, "nodes": [node for each in threads["nodes"] for node in each["comments"]["nodes"]]}

    def _in_item(self, query: str, subject: Subject, cursor: str | None, kind: str) -> dict[str, Any]:
        """Ask for a page of what one item has; return what is said of the repository that it is in."""
        where = {"owner": subject.repository.owner, "name": subject.repository.name, "number": subject.number}
        needed = f"{PULLS} and `contents: read`" if kind == COMMITTED else CONVERSATION
        ask = self._paged(subject.repository.full_name, kind, needed)
        return dict(ask(query, {**where, "cursor": cursor})["repository"])


def _is_unwritable(error: Mistake) -> bool:
    return refusals.find(str(error)) is refusals.HEAD_UNWRITABLE


def _host(api_url: str) -> str:
    """Return the host after which GitHub names the addresses of whoever hides theirs; ghe.com's API is beside it."""
    return (urlsplit(api_url).hostname or "").removeprefix("api.")


def _commit_of(file: Mapping[str, Any]) -> str:
    """Return the commit that a changed file is shown at, "" where its address does not say."""
    found = _REF.search(str(file.get("contents_url") or ""))
    return found[1] if found else ""


def _changed_file(file: Mapping[str, Any]) -> ChangedFile:
    """Past some 20,000 lines of a page files have neither a patch nor a count, as binary ones have.

    https://github.com/orgs/community/discussions/213491
    """
    patch = file.get("patch") or ""
    hidden = not patch and file.get("status") != "removed"
    return ChangedFile(file["filename"], file.get("previous_filename") or "", patch, hidden)


def _authorship(sha: str, who: Mapping[str, Any], noreply: re.Pattern[str]) -> Authorship:
    """Bots are no users, but have the addresses that GitHub gives to whoever hides theirs."""
    email = str(who["email"] or "")
    hidden = noreply.fullmatch(email)
    return Authorship(sha, email, (who["user"] or {}).get("login") or (hidden[1] if hidden else ""))


def _role(data: Mapping[str, Any]) -> str:
    """An organisation's own role counts as the one that it builds on, and so does the role of a server without names.

    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    name, rights = str(data.get("role_name") or ""), (data.get("user") or {}).get("permissions") or {}
    if name in ROLES:
        return name
    return next((role for right, role in RIGHTS.items() if rights.get(right) is True), str(data["permission"]))


def _url_of_new(comment: Mapping[str, Any]) -> str:
    if not isinstance(comment.get("id"), int):
        raise Unsure("GitHub's answer to the new comment is not a comment")
    return str(comment.get("html_url") or "")


def _path(repository: Repository) -> str:
    return f"/repos/{repository.full_name}"


def _as_payload(repository: Repository) -> dict[str, object]:
    return {
        "id": repository.id,
        "full_name": repository.full_name,
        "default_branch": repository.default_branch,
    }
