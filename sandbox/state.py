"""What this GitHub holds, and the changes that can be made to it; no HTTP in here.

Every method takes the lock, so that the server's thread and a test's thread may both change things.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox import suites
from sandbox.bare import Git, Identity, OnDisk
from sandbox.faults import Faults
from sandbox.records import (
    AutoMerge,
    CheckRun,
    Comment,
    Happening,
    Heavy,
    Issue,
    Item,
    Label,
    LineComment,
    Milestone,
    Moved,
    Organisation,
    Person,
    Pull,
    Queued,
    Repository,
    Request,
    Review,
    Status,
    Token,
    WorkflowRun,
    Write,
)
from sandbox.variants import GITHUB_COM, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.runs import Ran

Files = Mapping[str, str | bytes]  # path to content

COMMENT_LIMIT = 65_536
NO_COMMIT = "0" * 40  # before a branch is there, and after it is gone
OPENED_AFTER = 60.0  # seconds for which the branch of a new pull request has been there


class State:
    """Everything. `offset` is what the simulated clock adds to the real one, `latency` the seconds an answer takes."""

    def __init__(self, variant: str = GITHUB_COM) -> None:
        self.lock = threading.RLock()
        self.variant = VARIANTS[variant]
        self.url = self.address = "http://127.0.0.1"  # of its pages and of git, and where the server listens
        self.offset = timedelta()
        self.latency = 0.0
        self.heavy: Heavy | None = None  # set where pages are refused that are larger
        self.short_pages = False  # lists of REST leave things out, and only `Link` says whether more pages follow
        self.run_details = self.variant.run_details  # Enterprise Server before 3.21 refuses `return_run_details`
        self.lists_activity = True  # Enterprise Server before 3.17 does not know who pushed what
        self.moves: list[Moved] = []  # of branches, the oldest first
        self.events: list[dict[str, Any]] = []  # what workflows would be started by, and nobody was told of yet
        self.sent: list[dict[str, Any]] = []  # every event that was ever made, also those that were handed out
        self.bot: Callable[[dict[str, Any]], Ran] | None = None  # runs at once on each event
        self.runs: list[dict[str, Any]] = []  # what came of it
        self.beside: dict[str, Callable[[], list[dict[str, Any]]]] = {}  # by title: what the other services hold
        self.jobs: dict[str, list[dict[str, Any]]] = {}  # what the builds of each Jenkins job come to, see jenkins.py
        self.people: dict[str, Person] = {}
        self.repositories: dict[int, Repository] = {}
        self.organisations: dict[str, Organisation] = {}
        self.tokens: dict[str, Token] = {}
        self.faults = Faults()
        self.git = Git()
        self.requests: list[Request] = []
        self.writes: list[Write] = []
        self.current: Request | None = None  # set by the server while it answers; its changes are Writes
        self._deed: tuple[str, list[Write]] | None = None  # what a person does by other ways than HTTP, see `deed`
        self.deleted: dict[int, Comment] = {}
        self._ids: Iterator[int] = itertools.count(1_000_001)
        self._comment_ids: Iterator[int] = itertools.count(2_000_000_001)

    def listens(self, address: str) -> None:
        self.address, self.url = address, self.variant.pages(address)

    @property
    def api(self) -> str:
        """Return the address under which REST's paths begin."""
        return f"{self.address}{self.variant.rest}"

    def now(self) -> datetime:
        """Return UTC in whole seconds, the resolution that GitHub shows."""
        return (datetime.now(UTC) + self.offset).replace(microsecond=0)

    def next_id(self) -> int:
        return next(self._ids)

    def send(self, events: list[dict[str, Any]]) -> None:
        """Keep events for whoever asks for them."""
        self.events += events
        self.sent += events

    def person(self, login: str) -> Person:
        """Return the account; it comes into being when first named, like everybody on a real GitHub once did."""
        with self.lock:
            key = login.casefold()
            if key not in self.people:
                self.people[key] = Person(self.next_id(), login)
            return self.people[key]

    def repository(self, full_name: str) -> Repository | None:
        wanted = full_name.casefold()
        return next((each for each in self.repositories.values() if each.full_name.casefold() == wanted), None)

    def moved(self, full_name: str) -> Repository | None:
        """Find the repository that once had this name."""
        wanted = full_name.casefold()
        known = self.repositories.values()
        return next((each for each in known if wanted in {old.casefold() for old in each.old_names}), None)

    def item(self, full_name: str, number: int) -> Issue | Pull:
        return self._at(full_name).items[number]

    def add_repository(self, full_name: str, **more: Any) -> Repository:
        with self.lock:
            owner, _, name = full_name.partition("/")
            at = self.now()
            repository = Repository(
                id=more.pop("id", None) or self.next_id(), owner=owner, name=name, created_at=at, **more
            )
            self.repositories[repository.id] = repository
            self.write_files(full_name, {"README.md": f"# {name}\n"})
            return repository

    def rename(self, full_name: str, new_name: str) -> None:
        """Rename or transfer; the old name answers with a redirect from now on."""
        with self.lock:
            repository = self._at(full_name)
            repository.old_names.add(repository.full_name)
            repository.owner, _, repository.name = new_name.partition("/")

    def write_files(
        self, full_name: str, files: Files, branch: str = "", message: str = "", by: str = "octocat"
    ) -> str:
        """Commit these files on top of what the branch has; return the new commit's sha."""
        with self.lock:
            repository = self._at(full_name)
            name = branch or repository.default_branch
            tip = repository.branches.get(name) or repository.branches.get(repository.default_branch, "")
            before = repository.branches.get(name, "")
            repository.branches[name] = self._commit(repository, tip, files, message or "Change files", by)
            self._moved(full_name, name, before, repository.branches[name], by)
            return repository.branches[name]

    def _commit(self, repository: Repository, tip: str, files: Files, message: str, by: str) -> str:
        new = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        if isinstance(repository.commits.get(tip), OnDisk):
            return self.git.of(repository).commit(tip, new, message, self.now(), by)
        whole = {**repository.commits.get(tip, {}), **new}
        sha = repository.objects.commit(whole, [tip], message, self.now(), by)
        repository.commits[sha] = whole
        return sha

    def pushed(self, repository: Repository, changed: dict[str, str], by: str) -> None:
        """Branches were pushed: open pull requests follow theirs."""
        for name, sha in changed.items():
            self._record("push", repository.full_name, 0, branch=name, sha=sha, by=by)
            self._moved(repository.full_name, name, self._tip(repository.full_name, name), sha, by)
            for pull in repository.pulls():
                if pull.state == "open" and (pull.head_repository, pull.head_ref) == (repository.full_name, name):
                    self._move_head(repository, pull, sha, by)

    def add_issue(self, full_name: str, title: str, author: str | None, *, number: int = 0, **more: Any) -> Issue:
        with self.lock:
            issue = Issue(**self._new(full_name, title, author, number), **more)
            self._at(full_name).items[issue.number] = issue
            return issue

    def add_pull(
        self,
        full_name: str,
        title: str,
        author: str | None,
        *,
        number: int = 0,
        head: str = "topic",
        files: Files | None = None,
        **more: Any,
    ) -> Pull:
        """Open a pull request from `head`: BRANCH in the same repository, or OWNER/NAME:BRANCH in a fork.

        Its one commit changes `files`, by default one of its own.
        """
        with self.lock:
            repository = self._at(full_name)
            fork, _, ref = head.rpartition(":")
            base = more.pop("base", repository.default_branch)
            place = {"head_repository": fork or full_name, "head_ref": ref, "base_ref": base}
            new = self._new(full_name, title, author, number)
            changes = files if files is not None else {f"change-{new['number']}.txt": f"{title}\n"}
            sha = repository.branches.get(ref, "") if not fork and files is None else ""
            if not sha:
                sha = self._commit(repository, repository.branches[base], changes, title, author or "ghost")
            if not fork:
                repository.branches[ref] = sha
            if sha != self._tip(fork or full_name, ref):  # pushed before it was opened
                self._moved(fork or full_name, ref, "", sha, author or "ghost", ago=OPENED_AFTER)
            pull = Pull(**new, **{**place, "head_sha": sha, **more})
            repository.items[pull.number] = pull
            return pull

    def add_commit(
        self,
        full_name: str,
        number: int,
        files: Files | None = None,
        by: str = "",
        message: str = "One more",
        *,
        pusher: str = "",
    ) -> str:
        """Push one more commit to the head of a pull request; return its sha. `by` is a login, or a git identity.

        Whoever made it pushes it, unless that is nobody's login, or there is a `pusher`.
        """
        with self.lock:
            repository, pull = self._at(full_name), self.pull(full_name, number)
            changes = files if files is not None else {f"change-{number}.txt": f"after {pull.head_sha}\n"}
            who = by or (pull.author.login if pull.author else "ghost")
            sha = self._commit(repository, pull.head_sha, changes, message, who)
            self._move_head(repository, pull, sha, pusher or ("" if "<" in who else who))
            return sha

    def open_pull(self, full_name: str, title: str, author: str, *, head: str, **more: Any) -> Pull:
        """Open a pull request over HTTP."""
        with self.lock:
            pull = self.add_pull(full_name, title, author, head=head, **more)
            self._started(full_name, pull)
            self._record("open_pull", full_name, pull.number, title=title, head=head, base=pull.base_ref)
            return pull

    def change_item(self, full_name: str, number: int, data: Mapping[str, Any], by: str = "") -> None:
        """Change title, body, state, milestone or base; what `data` does not name stays."""
        with self.lock:
            item, now = self.item(full_name, number), self.now()
            was = {"title": item.title, "body": item.body, "state": item.state, "milestone": item.milestone}
            item.title, item.body = data.get("title") or item.title, data.get("body", item.body) or ""
            if data.get("state") in ("open", "closed"):
                item.state, item.closed_at = data["state"], now if data["state"] == "closed" else None
                item.state_reason = self._reason(item, data)
            if "milestone" in data:
                milestones = {each.number: each for each in self._at(full_name).milestones}
                item.milestone = milestones[data["milestone"]] if data["milestone"] else None
            item.updated_at = now
            changed: dict[str, Any] = {name: value for name, value in was.items() if value != getattr(item, name)}
            if isinstance(item, Pull) and data.get("base") not in (None, item.base_ref):
                changed["base"] = {"ref": item.base_ref, "sha": self._at(full_name).branches.get(item.base_ref, "")}
                self._happened(item, "BaseRefChangedEvent", by, bases=(item.base_ref, data["base"]))
                item.base_ref, item.mergeable_reads = data["base"], 1
            if changed.get("state") == "closed":
                self._happened(item, "ReopenedEvent")
                self._started(full_name, item)
            self._record("change", full_name, number, was=changed)

    def _started(self, full_name: str, item: Item) -> None:
        if isinstance(item, Pull):
            suites.start(self, self._at(full_name), item, self._doer() or (item.author.login if item.author else ""))

    @staticmethod
    def _reason(item: Item, data: Mapping[str, Any]) -> str | None:
        """Only issues have one: https://docs.github.com/en/rest/issues/issues#update-an-issue."""
        if isinstance(item, Pull):
            return None
        return data.get("state_reason") or ("completed" if data["state"] == "closed" else "reopened")

    def lock_item(self, full_name: str, number: int, reason: str | None = None) -> None:
        with self.lock:
            item = self.item(full_name, number)
            item.locked, item.lock_reason, item.updated_at = True, reason, self.now()
            self._record("lock", full_name, number, reason=reason)

    def unlock_item(self, full_name: str, number: int) -> None:
        with self.lock:
            item = self.item(full_name, number)
            item.locked, item.lock_reason, item.updated_at = False, None, self.now()
            self._record("unlock", full_name, number)

    def set_draft(self, full_name: str, number: int, *, draft: bool) -> None:
        with self.lock:
            pull = self.pull(full_name, number)
            if pull.draft != draft:
                pull.draft, pull.updated_at = draft, self.now()
                if not draft:
                    self._happened(pull, "ReadyForReviewEvent")
                self._record("draft", full_name, number, draft=draft)

    def merge(self, full_name: str, number: int, method: str, message: str, by: str) -> str:
        """Merge by git: a merge, one squashed commit, or each commit anew. Raises ConflictError.

        Author of a merge is who merges, of a squashed commit who opened the pull request.
        """
        with self.lock:
            repository, pull, now = self._at(full_name), self.pull(full_name, number), self.now()
            bare, tip = self.git.of(repository), repository.branches[pull.base_ref]
            opener = pull.author.login if pull.author else "ghost"
            if method == "rebase":
                sha = bare.pick(tip, bare.history(pull.head_sha, tip), now)
            elif method == "squash":
                sha = bare.merge(tip, pull.head_sha, message, Identity.of(opener, now), parents=(tip,))
            else:
                sha = bare.merge(tip, pull.head_sha, message, Identity.of(by, now))
            repository.branches[pull.base_ref], pull.merged_onto = sha, tip
            self._moved(full_name, pull.base_ref, tip, sha, by, kind="pr_merge")
            pull.state, pull.merged_at, pull.closed_at, pull.updated_at = "closed", now, now, now
            pull.merged_by, pull.merge_sha = self.person(by), sha
            if pull.queued:
                self._ungroup(repository, pull)
                self._happened(pull, "RemovedFromMergeQueueEvent", reason="MERGE")
                self._record("dequeue", full_name, number, reason="MERGE")
            self._record("merge", full_name, number, method=method, sha=sha)
            return sha

    def enqueue(self, full_name: str, number: int, group: Queued) -> None:
        """Put a pull request into the merge queue of its base; queue.py has what becomes of it."""
        with self.lock:
            pull = self.pull(full_name, number)
            self._at(full_name).branches[group.branch] = group.sha
            pull.queued, pull.group, pull.updated_at = True, group, self.now()
            self._record("enqueue", full_name, number, sha=pull.head_sha)

    def dequeue(self, full_name: str, number: int, reason: str) -> None:
        """Take it out of the queue, and its group with it."""
        with self.lock:
            pull = self.pull(full_name, number)
            self._ungroup(self._at(full_name), pull)
            pull.updated_at = self.now()
            self._happened(pull, "RemovedFromMergeQueueEvent", reason=reason)
            self._record("dequeue", full_name, number, reason=reason)

    @staticmethod
    def _ungroup(repository: Repository, pull: Pull) -> None:
        if pull.group:
            repository.branches.pop(pull.group.branch, None)
        pull.queued, pull.group = False, None

    def enable_auto_merge(self, full_name: str, number: int, method: str, by: str) -> None:
        """Note who asks for it; nothing comes out of it by itself."""
        with self.lock:
            pull = self.pull(full_name, number)
            pull.auto_merge, pull.updated_at = AutoMerge(self.person(by), method, self.now()), self.now()
            self._record("auto_merge", full_name, number, method=method)

    def disable_auto_merge(self, full_name: str, number: int, reason: str = "") -> None:
        with self.lock:
            pull = self.pull(full_name, number)
            pull.auto_merge, pull.updated_at = None, self.now()
            self._record("auto_merge_off", full_name, number, reason=reason or "Auto-merge was disabled manually")

    def update_branch(self, full_name: str, number: int) -> str:
        """Merge the base into the head. Raises ConflictError."""
        with self.lock:
            repository, pull = self._at(full_name), self.pull(full_name, number)
            message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
            who = Identity.of(self._doer() or "ghost", self.now())
            sha = self.git.of(repository).merge(pull.head_sha, repository.branches[pull.base_ref], message, who)
            self._record("update_branch", full_name, number, sha=sha)
            self._move_head(repository, pull, sha, self._doer() or "ghost")
            return sha

    def change_base_automatically(self, full_name: str, number: int) -> None:
        """The base was merged and deleted: the pull request goes to what that was merged into.

        https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/about-branches#working-with-branches
        """
        with self.lock:
            repository, pull = self._at(full_name), self.pull(full_name, number)
            parent = next(each for each in repository.pulls() if each.merged_at and each.head_ref == pull.base_ref)
            before, pull.base_ref, pull.updated_at = pull.base_ref, parent.base_ref, self.now()
            by = parent.merged_by.login if parent.merged_by else ""
            self._happened(pull, "AutomaticBaseChangeSucceededEvent", by, bases=(before, pull.base_ref))

    def review(self, full_name: str, number: int, review: Review) -> None:
        with self.lock:
            pull = self.pull(full_name, number)
            pull.reviews.append(review)
            pull.reviewers = [person for person in pull.reviewers if person is not review.author]
            pull.updated_at = self.now()
            self._record("review", full_name, number, id=review.id, state=review.state)

    def change_review(self, full_name: str, number: int, review: Review, body: str) -> None:
        with self.lock:
            was, review.body = review.body, body
            self._record("change_review", full_name, number, id=review.id, was=was)

    def dismiss(self, full_name: str, number: int, review: Review) -> None:
        with self.lock:
            review.state = "DISMISSED"
            self._record("dismiss", full_name, number, id=review.id)

    def comment_on_line(self, full_name: str, number: int, comment: LineComment) -> None:
        """A comment that stands alone is in a review of its own, without a text."""
        with self.lock:
            pull = self.pull(full_name, number)
            author, at = comment.author or self.person("ghost"), comment.created_at
            pull.reviews.append(Review(self.next_id(), author, "COMMENTED", "", comment.sha, at))
            comment.review = pull.reviews[-1].id
            pull.line_comments.append(comment)
            pull.updated_at = self.now()
            place = {"path": comment.path, "line": comment.line}
            self._record("comment_on_line", full_name, number, id=comment.id, body=comment.body, **place)

    def request_reviewers(self, full_name: str, number: int, names: Iterable[str], teams: Iterable[str]) -> None:
        with self.lock:
            pull = self.pull(full_name, number)
            people = [who for name in names if (who := self.person(name)) not in pull.reviewers]
            new = [team for team in teams if team not in pull.teams]
            pull.reviewers, pull.teams, pull.updated_at = pull.reviewers + people, pull.teams + new, self.now()
            logins = [person.login for person in people]
            self._record("request_reviewers", full_name, number, reviewers=logins, teams=new)

    def remove_reviewers(self, full_name: str, number: int, names: Iterable[str], teams: Iterable[str]) -> None:
        with self.lock:
            pull = self.pull(full_name, number)
            gone = {
                "reviewers": [person.login for person in pull.reviewers if person.login in names],
                "teams": [team for team in pull.teams if team in teams],
            }
            pull.reviewers = [person for person in pull.reviewers if person.login not in names]
            pull.teams = [team for team in pull.teams if team not in teams]
            self._record("remove_reviewers", full_name, number, **gone)

    def add_status(self, full_name: str, sha: str, status: Status) -> None:
        with self.lock:
            self._at(full_name).statuses.setdefault(sha, []).append(status)
            self._record("status", full_name, 0, sha=sha, id=status.id, context=status.context, state=status.state)

    def add_check(self, full_name: str, check: CheckRun) -> None:
        with self.lock:
            self._at(full_name).checks.append(check)
            detail = {"id": check.id, "name": check.name, "conclusion": check.conclusion}
            self._record("check_run", full_name, 0, sha=check.sha, **detail)

    def change_check(self, full_name: str, check: CheckRun, status: str, conclusion: str | None) -> None:
        with self.lock:
            check.status, check.conclusion = "completed" if conclusion else status, conclusion
            check.completed_at = self.now() if conclusion else None
            detail = {"id": check.id, "name": check.name, "conclusion": check.conclusion}
            self._record("change_check", full_name, 0, sha=check.sha, **detail)

    def open_issue(self, full_name: str, title: str, author: str, body: str, labels: Iterable[str]) -> Issue:
        with self.lock:
            issue = self.add_issue(full_name, title, author, body=body)
            self._record("open_issue", full_name, issue.number, title=title)
            self.add_labels(full_name, issue.number, labels)
            return issue

    def change_comment(self, full_name: str, number: int, comment: Comment, body: str, by: str = "") -> None:
        """Whoever has the token edits it, unless somebody else is known to."""
        with self.lock:
            was, comment.body, comment.updated_at = comment.body, body, self.now()
            editor = by or self._doer()
            comment.editor = self.person(editor) if editor else comment.author
            self._record("change_comment", full_name, number, id=comment.id, body=body, was=was)

    def minimize(self, full_name: str, number: int, comment: Comment, why: str) -> None:
        with self.lock:
            comment.minimized = why
            self._record("minimize_comment", full_name, number, id=comment.id, why=why)

    def delete_comment(self, full_name: str, number: int, comment: Comment) -> None:
        with self.lock:
            self.item(full_name, number).comments.remove(comment)
            self.deleted[comment.id] = comment
            self._record("delete_comment", full_name, number, id=comment.id)

    def change_line_comment(self, full_name: str, number: int, comment: LineComment, body: str) -> None:
        with self.lock:
            was, comment.body, comment.updated_at = comment.body, body, self.now()
            self._record("change_line_comment", full_name, number, id=comment.id, was=was)

    def delete_line_comment(self, full_name: str, number: int, comment: LineComment) -> None:
        with self.lock:
            self.pull(full_name, number).line_comments.remove(comment)
            self.deleted[comment.id] = comment
            self._record("delete_line_comment", full_name, number, id=comment.id)

    def react(self, full_name: str, number: int, comment: Comment | Review, content: str, by: str) -> tuple[int, bool]:
        """Return the reaction's id, and whether it is new."""
        with self.lock:
            if found := comment.reactions.get((content, by)):
                return found, False
            comment.reactions[content, by] = made = self.next_id()
            self._record("react", full_name, number, id=comment.id, content=content)
            return made, True

    def assign(self, full_name: str, number: int, names: Iterable[str]) -> None:
        with self.lock:
            item = self.item(full_name, number)
            new = [who for name in names if (who := self.person(name)) not in item.assignees]
            item.assignees = item.assignees + new
            self._record("assign", full_name, number, assignees=[person.login for person in new])

    def unassign(self, full_name: str, number: int, names: Iterable[str]) -> None:
        with self.lock:
            item = self.item(full_name, number)
            gone = [person for person in item.assignees if person.login in names]
            item.assignees = [person for person in item.assignees if person not in gone]
            self._record("unassign", full_name, number, assignees=[person.login for person in gone])

    def dispatched(
        self,
        full_name: str,
        name: str,
        payload: dict[str, Any],
        *,
        workflow: bool = False,
        runs: Iterable[WorkflowRun] = (),
    ) -> None:
        """A workflow was asked for by its file's `name`, or whoever listens for events of this `name`."""
        with self.lock:
            self._at(full_name).dispatches.append((name, payload))
            action = "dispatch_workflow" if workflow else "dispatch"
            self._record(action, full_name, 0, name=name, payload=payload, runs=[run.id for run in runs])

    def add_run(self, full_name: str, run: WorkflowRun) -> None:
        with self.lock:
            self._at(full_name).runs.append(run)

    def end_run(self, full_name: str, number: int, conclusion: str) -> WorkflowRun:
        """The runner is done with it."""
        with self.lock:
            run = next(each for each in self._at(full_name).runs if each.id == number)
            run.conclusion, run.ended_at = conclusion, self.now()
            self._record("end_run", full_name, 0, id=run.id)
            return run

    def set_branch(self, full_name: str, name: str, sha: str | None) -> None:
        """Create, move or (None) delete a branch."""
        with self.lock:
            branches = self._at(full_name).branches
            self._moved(full_name, name, branches.get(name, ""), sha or "", "")
            if sha is None:
                del branches[name]
                self.git.of(self._at(full_name)).forget(name)
            else:
                branches[name] = sha
            self._record("branch", full_name, 0, branch=name, sha=sha)

    def delete(self, full_name: str, number: int) -> None:
        """Delete an issue; its number answers 410 from now on."""
        with self.lock:
            repository = self._at(full_name)
            item = repository.items[number]
            if isinstance(item, Pull):
                raise TypeError(f"#{number} is a pull request, which nobody can delete")
            repository.gone[number] = repository.items.pop(number)  # type: ignore[assignment]  # as was just made sure
            self._record("delete_issue", full_name, number)

    def add_milestone(self, full_name: str, title: str) -> Milestone:
        with self.lock:
            milestones = self._at(full_name).milestones
            milestones.append(Milestone(self.next_id(), len(milestones) + 1, title))
            return milestones[-1]

    def define_label(self, full_name: str, name: str, **more: Any) -> Label:
        """Return the repository's label of this name in any case, created on first use."""
        with self.lock:
            labels = self._at(full_name).labels
            if name.casefold() not in labels:
                labels[name.casefold()] = Label(self.next_id(), name, **more)
                self._record("create_label", full_name, 0, name=name)
            return labels[name.casefold()]

    def change_label(self, full_name: str, label: Label, data: Mapping[str, Any]) -> None:
        """Change name, colour or description; what `data` does not name stays."""
        with self.lock:
            was = {name: getattr(label, name) for name in ("name", "color", "description")}
            for name, value in {**was, **data}.items():
                setattr(label, name, value)
            labels = self._at(full_name).labels
            del labels[was["name"].casefold()]
            labels[label.name.casefold()] = label
            changed = {name: value for name, value in was.items() if value != getattr(label, name)}
            self._record("change_label", full_name, 0, name=label.name, was=changed)

    def delete_label(self, full_name: str, label: Label) -> None:
        """Delete it; it comes off every item that has it."""
        with self.lock:
            repository = self._at(full_name)
            del repository.labels[label.name.casefold()]
            having = [item for item in repository.items.values() if label in item.labels]
            for item in having:
                item.labels, item.updated_at = [each for each in item.labels if each is not label], self.now()
                self._happened(item, "UnlabeledEvent", "", label)
            numbers = [item.number for item in having]
            self._record("delete_label", full_name, 0, label=asdict(label), name=label.name, items=numbers)

    def add_labels(self, full_name: str, number: int, names: Iterable[str], by: str = "") -> list[Label]:
        """Put labels on; return those that were not there before. It is the author who does, unless it is said."""
        with self.lock:
            item = self.item(full_name, number)
            wanted = [self.define_label(full_name, name) for name in names]
            new = [label for at, label in enumerate(wanted) if label not in item.labels and label not in wanted[:at]]
            item.labels += new
            for label in new:
                self._happened(item, "LabeledEvent", by, label)
                self._record("add_label", full_name, number, name=label.name)
            if new:
                item.updated_at = self.now()
            return new

    def remove_label(self, full_name: str, number: int, name: str, by: str = "") -> Label | None:
        """Take a label off; None when it was not on. It is the author who does, unless it is said."""
        with self.lock:
            item = self.item(full_name, number)
            label = next((each for each in item.labels if each.name.casefold() == name.casefold()), None)
            if label is not None:
                item.labels = [each for each in item.labels if each is not label]
                item.updated_at = self.now()
                self._happened(item, "UnlabeledEvent", by, label)
                self._record("remove_label", full_name, number, name=label.name)
            return label

    def add_comment(self, full_name: str, number: int, author: str | None, body: str) -> Comment:
        with self.lock:
            item, at = self.item(full_name, number), self.now()
            comment = Comment(next(self._comment_ids), self.person(author) if author else None, body, at, at)
            item.comments.append(comment)
            item.updated_at = at
            self._record("comment", full_name, number, id=comment.id, body=body)
            return comment

    def list_comments(self, item: Item) -> list[Comment]:
        """Read the list as a client does: a comment that lags is missing, and lags one read less afterwards."""
        with self.lock:
            if not any(comment.lag for comment in item.comments[-100:]):
                return item.comments
            visible = [comment for comment in item.comments if not comment.lag]
            for comment in item.comments:
                comment.lag = max(0, comment.lag - 1)
            return visible

    def lag(self, effects: Iterable[Write], reads: int) -> None:
        """Let the comments among these effects be missing from the next `reads` lists."""
        with self.lock:
            made = {effect.detail["id"]: effect for effect in effects if effect.action == "comment"}
            for effect in made.values():
                for comment in self.item(effect.repository, effect.number).comments[-100:]:
                    comment.lag = reads if comment.id in made else comment.lag

    def force_push(self, full_name: str, number: int, by: str) -> str:
        """Put one commit in the place of those that a pull request has; return its sha."""
        with self.lock:
            repository, pull = self._at(full_name), self.pull(full_name, number)
            changes = {f"change-{number}.txt": f"instead of {pull.head_sha}\n"}
            sha = self._commit(repository, repository.branches[pull.base_ref], changes, "Anew", by)
            self._move_head(repository, pull, sha, by, kind="force_push")
            self._happened(pull, "HeadRefForcePushedEvent", by)
            return sha

    def _happened(
        self,
        item: Item,
        kind: str,
        by: str = "",
        label: Label | None = None,
        bases: tuple[str, str] | None = None,
        *,
        reason: str = "",
    ) -> None:
        """Put it into the timeline. It is the author who does it, unless somebody else is known to."""
        actor = self.person(login) if (login := by or self._doer()) else item.author
        item.timeline.append(Happening(self.next_id(), kind, actor, self.now(), label, bases, reason))

    def _tip(self, full_name: str, branch: str) -> str:
        """Where a branch was moved to last, "" for one that never was."""
        places = (each for each in reversed(self.moves) if (each.repository, each.branch) == (full_name, branch))
        return next((each.after for each in places), "")

    def _moved(
        self, full_name: str, branch: str, before: str, after: str, by: str, *, kind: str = "", ago: float = 0.0
    ) -> None:
        """Note it for the list of activities. Without `before` the branch is new, without `after` it is gone."""
        if after in (before, self._tip(full_name, branch)):
            return
        kind = kind or ("push" if before and after else "branch_creation" if after else "branch_deletion")
        who = self.person(login) if (login := by or self._doer()) else None
        at = self.now() - timedelta(seconds=ago)
        moved = Moved(self.next_id(), full_name, branch, before or NO_COMMIT, after or NO_COMMIT, who, at, kind)
        self.moves.append(moved)

    def _move_head(self, repository: Repository, pull: Pull, sha: str, by: str = "", kind: str = "push") -> None:
        """It is the author who pushes, unless somebody else is known to."""
        who = by or self._doer() or (pull.author.login if pull.author else "ghost")
        self._moved(pull.head_repository or "", pull.head_ref, pull.head_sha, sha, who, kind=kind)
        if pull.head_repository == repository.full_name:
            repository.branches[pull.head_ref] = sha
        before, pull.head_sha, pull.updated_at, pull.mergeable_reads = pull.head_sha, sha, self.now(), 1
        self._started(repository.full_name, pull)
        self._record("synchronize", repository.full_name, pull.number, before=before, after=sha)

    def pull(self, full_name: str, number: int) -> Pull:
        """Raise TypeError for an issue."""
        pull = self.item(full_name, number)
        if not isinstance(pull, Pull):
            raise TypeError(f"#{number} is an issue")
        return pull

    def _at(self, full_name: str) -> Repository:
        repository = self.repository(full_name)
        if repository is None:
            raise KeyError(f"the sandbox has no repository {full_name}")
        return repository

    def _new(self, full_name: str, title: str, author: str | None, number: int) -> dict[str, Any]:
        repository, at = self._at(full_name), self.now()
        taken = {0, *repository.items, *repository.gone}
        return {
            "id": self.next_id(),
            "number": number or max(taken) + 1,
            "title": title,
            "author": self.person(author) if author else None,
            "created_at": at,
            "updated_at": at,
        }

    def _doer(self) -> str:
        """Return the login of whoever changes things at this moment, "" when nobody is known to."""
        token = self.tokens.get(self.current.token) if self.current else None
        return token.login if token else self._deed[0] if self._deed else ""

    @contextmanager
    def deed(self, login: str) -> Iterator[list[Write]]:
        """Put what `login` changes while the `with` lasts into the list that this yields."""
        with self.lock:
            self._deed = (login, [])
            try:
                yield self._deed[1]
            finally:
                self._deed = None

    def _record(self, action: str, full_name: str, number: int, **detail: Any) -> None:
        if self._deed is not None:
            by, changes = self._deed
            changes.append(Write(action, full_name, number, by, detail, -1))
        if self.current is None:
            return
        token = self.tokens.get(self.current.token)
        write = Write(action, full_name, number, token.login if token else "", detail, len(self.requests) - 1)
        self.writes.append(write)
        self.current.effects.append(write)


def plain(record: Request | Write) -> dict[str, Any]:
    """Return the record as JSON can hold it, without the answer, which may be long."""
    return {name: value for name, value in asdict(record).items() if name != "answer"}
