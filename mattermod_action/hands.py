"""How each kind of effect is carried out: the once effects for the ledger, the ensured ones against what is there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime  # singledispatch reads the annotations
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from mattermod_action.approvals import CONTEXT, NOTE, NOTED
from mattermod_action.duplicates import copies, withdraw
from mattermod_action.effects import (
    DESCRIPTION_LIMIT,
    AddLabels,
    AwaitChecks,
    CloseItem,
    Comment,
    Dequeue,
    Dispatch,
    Enqueue,
    Ensure,
    HideComment,
    KeptComment,
    Merge,
    NoteApproval,
    Once,
    PostChat,
    React,
    RemoveLabel,
    RequestReview,
    ReviewComment,
    SetStatus,
    TellPicks,
    TellServer,
    UpdateBranch,
)
from mattermod_action.errors import Down, MayNot, Mistake, Overtaken, Refused
from mattermod_action.events import PullRequest
from mattermod_action.facts import at_least
from mattermod_action.gates import MOVED
from mattermod_action.merging import has_checks, obstacles
from mattermod_action.ports import Place, Status, Written
from mattermod_action.queueing import VOID, why_out
from mattermod_action.texts import without_emoji

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mattermod_action.effects import Need
    from mattermod_action.events import Repository, Subject
    from mattermod_action.ledger import Outcome
    from mattermod_action.merging import Candidate
    from mattermod_action.world import World

WAITING = 3_600.0  # seconds after which a sweep looks again at what waits for its merge
LOOKS_EVERY = 60.0  # seconds between two looks for the first check of a head
BEHIND = (1.0, 2.0, 4.0)  # seconds that GitHub is given to show what it has told of
TRUSTED = 10.0  # seconds for which a role that was read is believed


class Hands:
    """The hands of the ledger."""

    def __init__(self, world: World) -> None:
        self._world = world

    @singledispatchmethod
    def do(self, effect: Once) -> str:
        raise NotImplementedError(type(effect).__name__)

    @do.register
    def _(self, effect: Comment) -> str:
        return self._world.github.comment(effect.subject, effect.body)

    @do.register
    def _(self, effect: ReviewComment) -> str:
        return self._world.github.review_comment(effect.subject, effect.body, effect.sha, effect.place)

    @do.register
    def _(self, effect: PostChat) -> str:
        self._world.chat.post(self._world.hidden.posted(effect.text), effect.room, effect.channel)
        return ""

    @do.register
    def _(self, effect: React) -> str:
        if effect.place == "review":
            self._world.github.react_to_review(effect.node, effect.content)
        else:
            on_line = effect.place == "line"
            self._world.github.react(effect.subject, effect.comment_id, effect.content, on_line=on_line)
        return ""

    @do.register
    def _(self, effect: RequestReview) -> str:
        self._world.teams.request_review(effect.subject, effect.teams)
        return ""

    @do.register
    def _(self, effect: UpdateBranch) -> str:
        self._world.github.update_branch(effect.subject, effect.sha)
        self._world.updated.add((effect.subject.repository.id, effect.subject.base_ref))
        return ""

    @do.register
    def _(self, effect: Merge) -> str:
        """A refusal may be that it is merged already, by an attempt whose answer was lost."""
        if not self._wanted(effect).pull.merged:
            try:
                self._world.github.merge(effect.subject, effect.sha, effect.rule.method)
            except Refused as refusal:
                if not self.find(effect, datetime.min):  # noqa: DTZ901  # no time is asked for here
                    raise _or_overtaken(refusal) from refusal
        return effect.subject.url

    @do.register
    def _(self, effect: Enqueue) -> str:
        found = self._wanted(effect)
        if not found.pull.merged and not found.is_queued:
            self._world.github.enqueue(found.node, effect.sha)
        return effect.subject.url

    @do.register
    def _(self, effect: Dequeue) -> str:
        """Look once more, right before: it may be in the queue as it should be."""
        found = self._world.github.candidate(effect.subject.repository, effect.subject.number, effect.rule.label)
        if found is None or not found.is_queued:
            raise Overtaken("it is in no merge queue")
        if effect.why != VOID and not why_out(found, effect.rule):
            raise Overtaken("it is to be merged after all")
        self._world.github.dequeue(found.node)
        return effect.subject.url

    def _wanted(self, effect: Merge) -> Candidate:
        """Read label, state, head, checks, reviews and role once more, right before the merge. Raises Overtaken."""
        found = self._candidate(effect)
        if found is None:
            raise Overtaken("the pull request is gone")
        if not found.pull.merged:
            if reason := _changed(found, effect):
                raise Overtaken(f"not merged: {reason}")
            if effect.need:
                check_need(self._world, effect.subject.repository, effect.need)
        return found

    def _candidate(self, effect: Merge) -> Candidate | None:
        subject = effect.subject
        return self._world.github.candidate(subject.repository, subject.number, effect.rule.label)

    @do.register
    def _(self, effect: Dispatch) -> str:
        """A re-run whose file was lost with its runner looks for what its first attempt has started."""
        self._check(effect)
        lost = not self._world.store.durable and not self._world.first_attempt
        if lost and (found := self.find(effect, effect.at)):
            return found
        place = _place(effect)
        if place.workflow:
            return self._world.github.dispatch_workflow(place, _ref(effect), effect.values)
        self._world.github.dispatch_event(place, effect.values)
        return ""

    def _check(self, effect: Dispatch) -> None:
        """Look once more, right before: what the label was put on is started, or nothing is. Raises Refused."""
        pull = self._world.github.pull(effect.subject.repository, effect.subject.number)
        if pull is None or not pull.is_open:
            raise Refused("the pull request is closed")
        if not pull.carries(effect.label):
            raise Refused("the label was taken off before that")
        if pull.sha != effect.sha:
            raise Refused("the branch has got another commit since the label was put on")
        if pull.base_ref != effect.base:
            raise Refused("the base branch was changed since the label was put on")

    @singledispatchmethod
    def find(self, effect: Once, since: datetime) -> str | None:  # noqa: ARG002  # as the others
        """What may be done again is not looked for."""
        return None

    @find.register
    def _(self, effect: Comment, since: datetime) -> str | None:
        return self.find_comment(effect.subject, effect.marker, since)

    @find.register
    def _(self, effect: ReviewComment, since: datetime) -> str | None:
        return self.find_comment(effect.subject, effect.marker, since, on_lines=True)

    @find.register
    def _(self, effect: UpdateBranch, since: datetime) -> str | None:  # noqa: ARG002  # the head says it
        pull = self._world.github.pull(effect.subject.repository, effect.subject.number)
        return pull.url if pull and pull.sha != effect.sha else None

    @find.register
    def _(self, effect: Dispatch, since: datetime) -> str | None:  # noqa: ARG002  # nothing was started before the label
        return self._world.github.find_run(_place(effect), effect.key, effect.at)

    @find.register
    def _(self, effect: Merge, since: datetime) -> str | None:  # noqa: ARG002  # the state says it
        pull = self._world.github.pull(effect.subject.repository, effect.subject.number)
        return pull.url if pull and pull.merged else None

    @find.register
    def _(self, effect: Dequeue, since: datetime) -> str | None:  # noqa: ARG002  # the queue says it
        found = self._world.github.candidate(effect.subject.repository, effect.subject.number, effect.rule.label)
        return found.pull.url if found and not found.is_queued else None

    @find.register
    def _(self, effect: Enqueue, since: datetime) -> str | None:  # noqa: ARG002  # the queue says it
        found = self._candidate(effect)
        return found.pull.url if found and (found.is_queued or found.pull.merged) else None

    def keep(self, effect: KeptComment, outcome: Outcome, *, is_all: bool) -> bool:
        """Have a comment that stands there say what is so now, and note what it tells; say if it was changed.

        Unless that `is_all` that was to be done about it: then it is told once more, when the rest is done.
        """
        found = outcome.what != "posted"
        changed = found and self._world.github.edit_comment(effect.subject, outcome.url, effect.body)
        if is_all:
            self._told(effect, int(outcome.url.rpartition("-")[2] or 0))
        return changed

    @singledispatchmethod
    def _told(self, effect: KeptComment, comment: int) -> None:
        raise NotImplementedError(type(effect).__name__)

    @_told.register
    def _(self, effect: TellPicks, comment: int) -> None:
        wait = 0.0 if effect.halted else WAITING
        for row in effect.rows:
            self._world.store.tell_pick(row, comment, wait)

    @_told.register
    def _(self, effect: TellServer, comment: int) -> None:
        self._world.store.tell_server(effect.row, comment)

    def find_comment(self, subject: Subject, marker: str, since: datetime, *, on_lines: bool = False) -> str | None:
        found = self._world.github.markers(subject, since, on_lines=on_lines).get(marker, ())
        if not self._world.store.durable:
            self.delete_copies(subject, found, on_lines=on_lines)
        return found[0].url if found else None

    def delete_copies(self, subject: Subject, found: Sequence[Written], *, on_lines: bool = False) -> None:
        """Without a shared database: what was posted twice, by runs of which one died before it could see that."""
        for copy in copies(found):
            self._world.github.delete_comment(subject, copy, on_lines=on_lines)

    def withdraw(self, posted: Sequence[tuple[Comment, Written]]) -> Mapping[str, Written]:
        return withdraw(self._world.github, self._world.clock, posted)


def _place(effect: Dispatch) -> Place:
    ours = effect.subject.repository.full_name
    return Place(effect.target, effect.workflow, effect.event, effect.target.casefold() == ours.casefold())


def _ref(effect: Dispatch) -> str:
    return effect.ref or (effect.subject.repository.default_branch if _place(effect).home else "")


class Ensurer:
    """Compares with what is there and writes the difference; says whether there was one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._statuses: dict[tuple[int, str], dict[str, tuple[str, str, str]]] = {}
        self._looks: dict[tuple[int, int], PullRequest | None] = {}

    @singledispatchmethod
    def ensure(self, effect: Ensure) -> bool:
        raise NotImplementedError(type(effect).__name__)

    @ensure.register
    def _(self, effect: AddLabels) -> bool:
        missing = [label for label in effect.labels if not effect.subject.carries(label)]
        if missing:
            self._world.github.add_labels(effect.subject, missing)
        return bool(missing)

    @ensure.register
    def _(self, effect: RemoveLabel) -> bool:
        if effect.judges and self._has_changed(effect.subject):
            return False
        if effect.subject.carries(effect.label):
            self._world.github.remove_label(effect.subject, effect.label)
        return effect.subject.carries(effect.label)

    @ensure.register
    def _(self, effect: NoteApproval) -> bool:
        """In the database, or in a status of ours; where neither may be written, later runs ask GitHub again."""
        if self._world.durable:
            with suppress(Mistake):  # a schema one step older has no such table
                self._world.store.note_approval(effect)
                return True
        noted = NOTE.format(at=effect.approval.at, base=effect.approval.base)
        if not NOTED.fullmatch(noted) or without_emoji(noted)[:DESCRIPTION_LIMIT] != noted:
            return False  # what would be noted is another branch's name
        status = Status(CONTEXT, "success", noted, "")
        with suppress(MayNot):
            self._world.github.set_status(effect.subject.repository, effect.approval.head, status)
            return True
        return False

    @ensure.register
    def _(self, effect: AwaitChecks) -> bool:
        clock, pull = self._world.clock, effect.subject
        while (left := (effect.until - clock.now()).total_seconds()) > 0:
            clock.sleep(min(left, LOOKS_EVERY))
            found = self._world.github.candidate(pull.repository, pull.number, effect.rule.label)
            if found is None or found.pull.sha != effect.sha or has_checks(found, effect.rule):
                break
        return True

    @ensure.register
    def _(self, effect: HideComment) -> bool:
        self._world.github.hide_comment(effect.comment)
        return True

    @ensure.register
    def _(self, effect: CloseItem) -> bool:
        if effect.subject.state == "open":
            self._world.github.close(effect.subject)
        return effect.subject.state == "open"

    @ensure.register
    def _(self, effect: SetStatus) -> bool:
        known = self._known(effect.subject.repository, effect.sha)
        if known.get(effect.context) == effect.wanted or (effect.correcting and effect.context not in known):
            return False
        wanted = self.judged(effect).wanted
        if known.get(effect.context) == wanted:
            return False
        self._world.github.set_status(effect.subject.repository, effect.sha, Status(effect.context, *wanted))
        known[effect.context] = wanted
        return True

    def judged(self, effect: SetStatus) -> SetStatus:
        """Return what may be said: a verdict only of what is still so, as far as one more look shows."""
        if not effect.judges or not self._has_changed(effect.subject, effect.without):
            return effect
        state, description = MOVED
        return replace(effect, state=state, description=description)

    def look_anew(self) -> None:
        """Believe no look of before: something was read since."""
        self._looks.clear()

    def _has_changed(self, subject: Subject, without: Sequence[str] = ()) -> bool:
        """Whether head or base are other ones, or it carries a label it must not. One look serves for all of a plan."""
        place = (subject.repository.id, subject.number)
        if place not in self._looks:
            self._looks[place] = self._look(subject)
        now = self._looks[place]
        if now is None or not isinstance(subject, PullRequest):
            return True
        return now.sha != subject.sha or now.base_ref != subject.base_ref or any(map(now.carries, without))

    def _look(self, subject: Subject) -> PullRequest | None:
        """Read it, and again where GitHub shows it as it was before the event. Raises Down if that does not end."""
        for pause in (*BEHIND, None):
            now = self._world.github.pull(subject.repository, subject.number)
            if now is None or now.updated_at >= subject.updated_at:
                return now
            if pause is not None:
                self._world.clock.sleep(pause)
        raise Down("GitHub still shows the pull request as it was before the event")

    def new_commit(self, repository: Repository, sha: str) -> None:
        """Nothing was ever said of this commit, so nothing needs to be read of it."""
        self._statuses.setdefault((repository.id, sha), {})

    def _known(self, repository: Repository, sha: str) -> dict[str, tuple[str, str, str]]:
        if (repository.id, sha) not in self._statuses:
            self._statuses[repository.id, sha] = dict(self._world.github.statuses(repository, sha))
        return self._statuses[repository.id, sha]


def _changed(found: Candidate, effect: Merge) -> str:
    """Say what is not any more as it was when the merge was planned, "" when all is."""
    if not found.pull.is_open:
        return "it is closed"
    if not found.pull.carries(effect.rule.label):
        return "the label was taken off"
    if found.pull.sha != effect.sha:
        return "there is a new commit"
    if found.base != effect.base:
        return "there is another base branch"
    if (found.labeller, found.labeled_at) != (effect.labeller, effect.at):
        return "the label was put on anew"
    return next((obstacle.text for obstacle in obstacles(found, effect.rule)), "")


def _or_overtaken(refusal: Refused) -> Refused:
    """GitHub asks to try again when the head or the base moved while it was merging."""
    return Overtaken(str(refusal)) if "try the merge again" in str(refusal) else refusal


def check_need(world: World, repository: Repository, need: Need) -> None:
    """Ask once more, right before the side effect, unless it was asked just now. Raises Refused."""
    role = world.facts.role_now(repository, need.login, TRUSTED)
    if not at_least(role, need.level):
        raise Refused(f"@{need.login} has no {need.level} permission here any more")
