"""How picks are carried out: each row is moved on until it is finished or cannot go on, by one run at a time.

queued → picking (what will be pushed is noted) → pushed → opened → finished; or conflict, refused, failed. Where a row
stands it is taken up again: what GitHub holds is looked at first, so that a branch or a pull request that a run which
died has made is found, and nothing is made twice.

A row is a note, and no authority: who asked is read again from GitHub, and a branch that was not pushed by this run
counts only if its files are those that the pick gives.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mattermod_action import naming, prerequisites, refusals, texts
from mattermod_action.asking import may_pick, must_count, must_write
from mattermod_action.branches import branches_of, nearest
from mattermod_action.effects import Heeded
from mattermod_action.errors import Down, MattermodError, Mistake, Overtaken, Refused, Unsure
from mattermod_action.events import PickEnded
from mattermod_action.labellers import does_not_count
from mattermod_action.ledger import CONFIRMED
from mattermod_action.opening import Opening, Step
from mattermod_action.origins import AGAIN, LABEL, NOT_THEIRS, SLACK, Origin
from mattermod_action.pick_reasons import (
    BY_HAND,
    CLOSED,
    CLOSED_AND_GONE,
    GONE,
    HAS_ONE,
    INTO,
    MERGING,
    MISSING,
    NOT_DONE,
    NOT_ITS_OWN,
    NOT_KEPT,
    NOT_MERGED,
    NOT_THE_PICK,
    PUSHED_ALREADY,
    REVERTED,
    SAME,
    SENTENCES,
    STILL_THERE,
    UNLABELED,
    WAITS,
    WHOSE,
    WITHDRAWN,
    is_revert,
)
from mattermod_action.pick_words import by_hand, draft
from mattermod_action.picks import (
    ANEW,
    CONFLICT,
    ENDED_BADLY,
    EXISTS,
    FAILED,
    FINISHED,
    FOUND,
    GOING,
    KNOWN,
    NOT_ALL,
    NOTED,
    OPENED,
    PICKING,
    PUSHED,
    QUEUED,
    REFUSED,
    Conflict,
    Told,
    as_it_is,
    reverted,
)  # fmt: skip
from mattermod_action.picks import REVERTED as UNDONE
from mattermod_action.series import is_series, named_in, targets_of
from mattermod_action.together import Together

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mattermod_action.commands import Command
    from mattermod_action.effects import Pick
    from mattermod_action.picks import Chosen, Existing, Row, Source
    from mattermod_action.ports import Work
    from mattermod_action.world import World

LEASE = 75.0  # seconds; more than any one step takes (adapters/git_process.py, adapters/github_requests.py)
PATIENCE = 80.0  # seconds to wait for another run that is at the same pull request
PAUSE = 2.0  # seconds between two looks at its lease
ROUNDS = 4  # looks at one pull request in one run: the first does it all, if nothing comes between
ASK_AGAIN = (WITHDRAWN, INTO, NOT_THEIRS, AGAIN)  # why it was never begun, where asking again is enough
NO_REQUESTS = (("cancel",), ("refresh",), ("status",), ("help",))  # what names branches, and asks for no pick
BEGINNING = 3  # characters of a name by which those like it are looked for
NOTE = 2_000  # characters of a note; the column has some more
TOUCHED = 5  # files that conflict of which it is told who changed them


class Picker:
    """Goes on with everything that was asked to be picked of one pull request."""

    def __init__(self, world: World, effect: Pick, triggers: Collection[str] = ()) -> None:
        """`triggers` are labels that no pick gets from the original, in the form in which they compare."""
        self._triggers = triggers
        self._world, self._effect, self._rule, self._subject = world, effect, effect.rule, effect.subject
        self._store, self._github = world.store, world.picking
        self._together = Together(world, effect)
        self._lease = (f"picks {self._subject.repository.id} {self._subject.number}", uuid.uuid4().hex)
        self._fence = 0
        self._rows: dict[str, Row] = {}
        self._opened: list[str] = []
        self._failed: list[str] = []
        self._mistakes: list[str] = []
        self._noted: list[str] = []
        self._conflicted: list[str] = []
        self._told: list[Told] = []
        self._account = ""
        self._askers: dict[str, str] = {}  # who asks by this run's own event, by the branch
        self._reasons: dict[str, str] = {}
        self._by_hand: dict[str, Sequence[str]] = {}  # the paths of whose conflicts a person made what is pushed
        self._drafts: dict[str, tuple[Conflict, Sequence[str]]] = {}  # of what is pushed with conflicts
        self._anew: dict[str, int] = {}  # the pull requests in whose place new ones are asked for, by the branch
        self._made: dict[str, str] = {}  # what this run has pushed, or seen to be the pick, by the branch

    def go(self) -> PickEnded:
        """Note what is asked for, then do it. Raises Refused when it is not to be done at all."""
        if self._effect.refusal:
            raise Refused(self._effect.refusal)
        if self._effect.series:
            self._together.must_be_free(self._store.picks(self._subject), is_unheeded=self._is_unheeded)
        if not self._effect.label:
            self._ask(self._effect.by, self._effect.origin)
        self._read_rows()
        error: Exception | None = None
        try:
            if self._is_anything_to_do():
                with self._held():
                    self._read_rows()
                    self._go_on()
            elif not all(row.told for row in self._rows.values()):
                self._look()  # a run that died has left it to this one to say what it has opened
        except Refused:
            raise
        except Exception as problem:  # noqa: BLE001  # what has come of it so far is told all the same
            error = problem
        return PickEnded(
            self._subject,
            by=self._effect.by,
            label=self._effect.label,
            cause=self._effect.cause,
            opened=tuple(self._opened),
            failed=tuple(self._failed),
            mistakes=tuple(self._mistakes),
            noted=tuple(self._noted),
            conflicted=tuple(self._conflicted),
            conflicts=tuple(self._told),
            account=self._account,
            reasons=tuple(self._reasons.items()),
            undone=len(self._undone()),
            partly=any(row not in self._undone() or row.pull_number for row in self._asked()),
            error=error,
        )

    def _asked(self) -> list[Row]:
        return self._named((*self._effect.targets, *self._effect.again))

    def _undone(self) -> list[Row]:
        """What was asked for and is not there, or not whole, whichever run has found that out."""
        return [
            row for row in self._asked() if row.state in ENDED_BADLY or (row.state == FINISHED and row.has_conflicts)
        ]

    def _is_anything_to_do(self) -> bool:
        asked = {*self._effect.targets} - self._rows.keys()
        return bool(self._effect.look or asked or self._going() or self._again() or self._asked_once_more())

    def _again(self) -> list[Row]:
        """What is to be tried once more, unless that was done for this very request already."""
        bad = [
            row for row in self._named(self._effect.again) if row.state in ENDED_BADLY or self._together.is_news(row)
        ]
        bad += [row for row in self._named(self._effect.targets) if self._is_wanted_again(row) and row not in bad]
        return bad if bad and self._is_unheeded() else []

    def _is_wanted_again(self, row: Row) -> bool:
        """Whether it was never begun, so that to ask for it once more is enough."""
        is_new = row.state == REFUSED and (row.reason in ASK_AGAIN or row.reason.startswith(MISSING))
        return is_new and self._effect.origin[:1] == ("comment",)

    def _orphans(self, source: Source) -> Iterator[Row]:
        """What waits, and this comment asks for as well, where the one that asked first does not any more."""
        for row in self._named(self._effect.targets if self._effect.origin[:1] == ("comment",) else ()):
            if row.state != QUEUED or row.origin == self._this_request()["origin"]:
                continue
            try:
                self._asker(row, source)
            except Refused:
                yield row

    def _asked_by(self, row: Row) -> dict[str, Any]:
        """The comment that asked for it first may be gone."""
        return self._this_request() if self._is_wanted_again(row) else {}

    def _this_request(self) -> dict[str, Any]:
        return {"origin": Origin(comment=int(self._effect.origin[1])), "requested_by": self._effect.by}

    def _asked_once_more(self) -> list[Row]:
        """Whose pull request is to be looked at: it may have been closed or reverted, or have got another base."""
        found = self._named((*self._effect.targets, *self._effect.again))
        made = [row for row in found if row.state == FINISHED and row.pull_number]
        return made if made and self._effect.request and self._is_unheeded() else []

    def _named(self, targets: Sequence[str]) -> list[Row]:
        return [self._rows[each] for each in dict.fromkeys(targets) if each in self._rows]

    def _is_unheeded(self) -> bool:
        return self._store.entry(self._heeded.key) is None

    def _note_heeded(self) -> None:
        self._store.note([self._heeded], CONFIRMED, self._subject.updated_at)

    @property
    def _heeded(self) -> Heeded:
        effect = self._effect
        once = ("picks", *effect.request)
        return Heeded(subject=self._subject, feature=effect.feature, once=once, cause=effect.cause)

    def _ask(self, by: str, origin: Sequence[str | int]) -> None:
        if by:
            self._askers |= dict.fromkeys((*self._effect.targets, *self._effect.again), by)
        if self._effect.targets:
            self._store.ask_picks(self._subject, self._effect.targets, by, origin)

    def _read_rows(self) -> None:
        self._rows = {row.target: row for row in self._store.picks(self._subject)}

    def _going(self, *states: str) -> list[Row]:
        return [row for row in self._rows.values() if self._state(row) in (states or GOING)]

    def _state(self, row: Row) -> str:
        """A conflict that was not told yet, by a run that died, is looked at once more: what is told was seen."""
        untold = row.state == CONFLICT and not row.told and row.target not in {each.target for each in self._told}
        return QUEUED if untold else row.state

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One run at a time, for as long as the lease is renewed. Raises Down when another one keeps it."""
        waited = 0.0
        while (taken := self._store.take_lease(*self._lease, LEASE)).fence is None:
            if waited >= PATIENCE:
                raise Down("another run is at this pull request; the next one goes on with what it leaves")
            self._world.clock.sleep(PAUSE)
            waited += PAUSE
        self._fence = taken.fence
        try:
            yield
        finally:
            with suppress(Down):  # it ends by itself
                self._store.end_lease(*self._lease, self._fence)

    def _hold(self) -> None:
        """Right before each side effect. Raises Down when somebody else has taken over."""
        if not self._store.renew_lease(*self._lease, self._fence, LEASE):
            raise Down("another run took over, because this one was paused for too long")

    def _move(self, row: Row, state: str, **changes: Any) -> None:
        if not self._store.move_pick(row, state, self._fence, changes):
            raise Down("another run took over, because this one was paused for too long")
        self._rows[row.target] = replace(row, state=state, told=False, **changes)
        self._reasons |= {row.target: changes["reason"]} if "reason" in changes else {}
        if state in (REFUSED, FAILED):
            self._failed.append(f"{row.target}: {changes['reason'].partition(NOTED)[0]}")
        if state == CONFLICT or (state == PICKING and changes.get("reason")):
            self._conflicted.append(f"{row.target}: {', '.join(changes['reason'].splitlines())}")

    def _end(self, rows: Iterable[Row], state: str, reason: str) -> None:
        for row in rows:
            self._move(row, state, reason=reason)

    def _go_on(self) -> None:
        source = self._look()
        if self._effect.label:
            self._ask_by_label(source)
        if source:
            self._refresh(source)
        for row in self._again():
            reason = NOTED + row.reason if is_revert(row.reason) else ""
            more = {"head_sha": "", "reason": reason, **self._asked_by(row), **self._together.asked_anew(row)}
            self._move(row, QUEUED, attempts=row.attempts + 1, **more)
        for row in self._asked_once_more():
            self._begin_anew(row)
        for row in self._orphans(source) if source else ():
            self._move(row, QUEUED, **self._this_request())
        if self._effect.request:
            self._note_heeded()
        for _ in range(ROUNDS):
            self._round(source)
            if not self._going() or (source and source.pull.is_open):
                return
            source = self._look()
        raise Down("not all of it could be picked, as far as GitHub says; the next run goes on")

    def _refresh(self, source: Source) -> None:
        """See what has become of what was opened, and of what was closed before it was merged."""
        for row in [*self._rows.values()]:
            if row.state == FINISHED and (reason := as_it_is(row, source, self._rule.conflict_label)) != row.reason:
                self._move(row, FINISHED, reason=reason)
            elif row.state == REFUSED and row.reason == WAITS and (source.pull.is_open or source.pull.merged):
                self._move(row, QUEUED, reason="")

    def _begin_anew(self, row: Row) -> None:
        """Pick once more what was closed or has another base now; what was reverted, if that is said."""
        if row.became not in ANEW or (row.became == UNDONE and row.target not in self._effect.again):
            return
        self._anew |= {row.target: row.pull_number or 0}
        self._move(row, QUEUED, attempts=row.attempts + 1, head_sha="", pull_number=None, reason="")

    def _look(self) -> Source | None:
        """Read it as it is now: that it was merged is never taken from an event."""
        going = [*self._going(), *(row for row in self._rows.values() if row.reason == WAITS)]
        targets = dict.fromkeys([*(row.target for row in going), *self._effect.targets, *self._effect.again])
        comments = not self._store.durable  # where markers are believed, too, they are looked for soon
        label = self._effect.label or self._rule.label
        opened = [row.pull_number for row in self._rows.values() if row.state == FINISHED and row.pull_number]
        source = self._github.source(self._subject, label, list(targets), opened=opened, comments=comments)
        mine = [each.author for each in source.pulls if each.ours and each.state == "open"] if source else []
        self._account = mine[0] if mine else self._account
        return source

    def _ask_by_label(self, source: Source | None) -> None:
        """The request is that of whoever put the label on. Raises Refused when theirs does not count, or Overtaken."""
        if source is None or not source.pull.carries(self._effect.label):
            raise Overtaken(GONE if source is None else UNLABELED)
        reason = does_not_count(
            source.pull,
            source.labeller,
            self._rule.bots,
            self._world.facts,
            is_bot=source.labeller_is_bot,
            key="cherry_pick.bots",
        )
        if reason:
            raise Refused(reason)
        at = source.labeled_at.isoformat() if source.labeled_at else ""
        self._ask(source.labeller, (LABEL, self._effect.label.casefold(), at))
        self._read_rows()

    def _round(self, source: Source | None) -> None:
        if source is None:
            self._end(self._going(), REFUSED, GONE)
        elif source.pull.is_open:
            self._end([] if self._world.durable else self._going(), REFUSED, NOT_KEPT)
            self._promise(source)
        elif not source.pull.merged:
            self._end(self._going(), REFUSED, WAITS if self._world.durable else NOT_MERGED)
        else:
            self._check_who(source)
            for row in self._going():
                self._recognise(row, source)
            self._pick(source)
            opening = Opening(self._world, self._rule, source, self._together, self._triggers)
            for row in self._going(PUSHED):
                self._open(row, opening)
            for row in self._going(OPENED):
                self._finish(row, opening)

    def _promise(self, source: Source) -> None:
        """What waits for the merge is only promised for branches that there are."""
        for row in self._going():
            if row.target == source.pull.base_ref:
                self._move(row, REFUSED, reason=INTO)
            elif row.target not in source.tips:
                self._move(row, REFUSED, reason=self._missing(row.target))

    def _check_who(self, source: Source) -> None:
        """Whoever has asked must be allowed to still, whatever state a row says it is in."""
        for row in self._going():
            try:
                by = self._askers.get(row.target) or self._asker(row, source)
                must_write(self._world, source.pull, by, self._rule.bots)
            except Refused as refusal:
                self._move(row, REFUSED, reason=_line(refusal))
            else:
                self._askers[row.target] = by

    def _asker(self, row: Row, source: Source) -> str:
        """Read again what the row names. Raises Refused where that does not ask for this branch."""
        if row.origin and row.origin.comment:
            milestone = branches_of(source.pull.milestone_title or "", self._rule.milestones)
            by = may_pick(self._world, source.pull, row.origin, partial(_asks_for, row.target, milestone))
        else:
            by = self._labeller(row, source)
        if by.casefold() != row.requested_by.casefold():
            raise Refused(AGAIN)
        return by

    def _labeller(self, row: Row, source: Source) -> str:
        """Who put the label on, for the branches of its milestone. An older version has noted no event."""
        at, label = source.labeled_at, row.origin.label if row.origin else self._rule.label
        wanted = row.origin.at if row.origin and row.origin.at else at
        is_it = at is not None and wanted is not None and abs(at - wanted) <= SLACK
        if not is_it or label.casefold() != self._rule.label.casefold():
            raise Refused(AGAIN)
        if row.target not in branches_of(source.pull.milestone_title or "", self._rule.milestones):
            raise Refused(AGAIN)
        must_count(source.pull, source.labeller, self._rule.bots, is_bot=source.labeller_is_bot)
        return source.labeller

    def _recognise(self, row: Row, source: Source) -> None:
        """See what of it GitHub has: of a run that died, of a person, or of a request that is not known any more."""
        if not (head := self._head(row, source)):
            return
        found, branch = source.existing(head, row.target), source.branches.get(head)
        if found and found.state == "closed":
            self._move(row, REFUSED, reason=CLOSED.format(number=found.number, head=texts.quoted(head)))
        elif found and found.number == self._anew.get(row.target):
            self._move(row, REFUSED, reason=STILL_THERE.format(number=found.number, head=texts.quoted(head)))
        elif found and not (found.state == "open" and (found.ours or row.state in (PICKING, PUSHED, OPENED))):
            self._move(row, FINISHED, pull_number=found.number, head_ref=head, reason=FOUND)
        elif branch:
            self._judge(row, source, head, found)
        elif row.target == source.pull.base_ref:
            self._move(row, REFUSED, reason=SAME)
        elif row.target not in source.tips:
            self._move(row, REFUSED, reason=self._missing(row.target))
        elif row.state in (PUSHED, OPENED):
            self._lost(row, head)

    def _head(self, row: Row, source: Source) -> str:
        """Name its branch; "" where its series cannot be picked, or is there as something else, which is noted."""
        head = row.head_ref
        try:
            head = self._together.head(row, source)
            self._together.members(row, source)
        except Refused as refusal:
            self._move(row, REFUSED, reason=_line(refusal), head_ref=head)
            return ""
        other = self._together.other(row, source)
        if other and named_in(head):
            self._move(row, REFUSED, reason=HAS_ONE.format(number=other.number, head=texts.quoted(other.head)))
        elif other:
            self._move(row, FINISHED, pull_number=other.number, head_ref=other.head, reason=FOUND)
        return "" if other else head

    def _judge(self, row: Row, source: Source, head: str, found: Existing | None) -> None:
        """Whoever made the branch: it counts if it has what the pick gives. Else it is linked at the most."""
        branch = source.branches[head]
        if self._made.get(row.target) == branch:
            reason: str | None = row.reason
        else:
            try:
                reason = self._picked(row, source, branch)
            except Refused as refusal:
                self._move(row, REFUSED, reason=_line(refusal))
                return
        if reason is None and found:
            self._move(row, FINISHED, pull_number=found.number, head_ref=head, reason=FOUND)
        elif reason is None:
            self._move(row, REFUSED, reason=NOT_THE_PICK.format(head=texts.quoted(head)))
        else:
            self._made[row.target] = branch
            more = {"pull_number": found.number} if found else {}
            self._move(row, OPENED if found else PUSHED, head_ref=head, head_sha=branch, reason=reason, **more)

    def _picked(self, row: Row, source: Source, branch: str) -> str | None:
        """Pick once more onto where the branch begins: its paths that conflict if it is that, None if it is not."""
        base = self._github.fork_point(self._subject.repository, row.target, branch)
        if not base:
            return None
        chosen = self._together.chosen(row, source, skip_merges=self._rule.skip_merges)
        git = self._world.git(self._rule.committer, self._hold)
        with git.fetched(self._subject.repository, [base], chosen.picks, [*chosen.compared, branch]) as work:
            prove(work, chosen)
            return self._compared(row, work, (base, branch), chosen.picks)

    def _compared(self, row: Row, work: Work, ends: tuple[str, str], picks: Sequence[str]) -> str | None:
        """Where the pick conflicts, a person may have changed the files that do, and those of later commits."""
        base, branch = ends
        result = work.pick(base, picks)
        if not result.sha:
            return None
        other = work.differing(result.sha, branch)
        if not isinstance(result, Conflict):
            return None if other else ""
        if not other:
            self._drafts[row.target] = result, picks
            return "\n".join(result.paths) if self._rule.draft else None
        later = picks[picks.index(result.pick) + 1 :]
        if other - {*result.paths} - work.changed(later):
            return None
        self._by_hand[row.target] = result.paths
        return NOTED + BY_HAND if self._rule.auto_merge else ""

    def _lost(self, row: Row, head: str) -> None:
        """Its branch is gone: the pull request that the row names is linked, if it was made from that."""
        pull = self._github.pull(self._subject.repository, row.pull_number) if row.pull_number else None
        is_it = pull is not None and (pull.ref, pull.base_ref, pull.from_fork) == (head, row.target, False)
        if pull is not None and is_it and pull.merged:
            self._move(row, FINISHED, head_ref=head, reason=FOUND)
        else:
            self._move(row, REFUSED, reason=AGAIN if not is_it else CLOSED_AND_GONE.format(number=row.pull_number))

    def _missing(self, target: str) -> str:
        """Name the branches that may have been meant."""
        return MISSING + nearest(target, self._github.branches(self._subject.repository, target[:BEGINNING]))

    def _pick(self, source: Source) -> None:
        for rows in self._together.grouped(self._going(QUEUED, PICKING), source.pull):
            targets = {row.target for row in rows}
            try:
                chosen = self._together.chosen(rows[0], source, skip_merges=self._rule.skip_merges)
                self._warn(source, chosen, targets)
                if still := [row for row in self._going(QUEUED, PICKING) if row.target in targets]:
                    self._fetch_and_pick(still, source, chosen)
            except Refused as refusal:
                self._end([row for row in self._going(QUEUED) if row.target in targets], REFUSED, _line(refusal))

    def _warn(self, source: Source, chosen: Chosen, targets: Collection[str]) -> None:
        """What its base has reverted is picked only by somebody who knows that, and asks once more."""
        sha = reverted(source, chosen.picks)
        unwarned = [row for row in self._going(QUEUED) if row.target in targets and not is_revert(row.note)]
        self._end(unwarned if sha else (), REFUSED, REVERTED.format(sha=sha))

    def _fetch_and_pick(self, rows: list[Row], source: Source, chosen: Chosen) -> None:
        git = self._world.git(self._rule.committer, self._hold)
        tips = [source.tips[row.target] for row in rows]
        with git.fetched(self._subject.repository, tips, chosen.picks, chosen.compared) as work:
            prove(work, chosen)
            made = [row for row in rows if self._pick_onto(row, source, work, chosen)]
            self._push(work, [self._rows[row.target] for row in made])

    def _pick_onto(self, row: Row, source: Source, work: Work, chosen: Chosen) -> bool:
        """Note what is to be pushed, or why nothing is; say which."""
        try:
            result = work.pick(source.tips[row.target], chosen.picks)
        except Refused as refusal:
            self._move(row, FAILED, reason=str(refusal))
            return False
        more = {"source_sha": chosen.picks[-1], "head_ref": self._together.head(row, source)}
        if isinstance(result, Conflict):
            self._told.append(self._details(row, source, work, (result, chosen)))
            self._drafts[row.target] = result, chosen.picks
            state = PICKING if self._rule.draft else CONFLICT
            self._move(row, state, **more, head_sha=result.sha, reason="\n".join(result.paths))
            return self._rule.draft
        self._move(
            row, PICKING if result.sha else FINISHED, **more, head_sha=result.sha, reason="" if result.sha else KNOWN
        )
        return bool(result.sha)

    def _details(self, row: Row, source: Source, work: Work, came: tuple[Conflict, Chosen]) -> Told:
        (result, chosen), skip = came, self._rule.skip_merges
        touches, merge = tuple(self._touches(row, source, result)), source.merge
        mainline = merge is not None and len(merge.parents) > 1 and chosen.picks == (merge.sha,)
        parts = tuple(self._together.parts(row, source, skip_merges=skip))
        onto = source.tips[row.target], chosen.picks
        needed = () if parts else prerequisites.needed(self._github, work, source, onto, touches, skip=skip)
        return Told(row.target, result, touches, chosen.picks, mainline, needed, parts)

    def _touches(self, row: Row, source: Source, conflict: Conflict) -> Iterable[Any]:
        """Who else changed the files: good to know, and not worth to fail for."""
        known = {commit.sha: commit for commit in (*source.history, *source.own, *self._together.commits(row, source))}
        parents = known[conflict.pick].parents if conflict.pick in known else ()
        try:
            paths = conflict.paths[:TOUCHED]
            return self._github.touches(self._subject.repository, row.target, parents[0], paths) if parents else ()
        except MattermodError:
            return ()

    def _push(self, work: Work, rows: list[Row]) -> None:
        """All at once; what was refused together with others is tried alone, since one may stand for all."""
        if not rows:
            return
        answers = work.push({row.head_ref: row.head_sha for row in rows})
        refused = [row for row in rows if answers[row.head_ref]]
        for row in refused if len(rows) > 1 else ():
            answers |= work.push({row.head_ref: row.head_sha})
        for row in rows:
            self._pushed(row, answers[row.head_ref])

    def _pushed(self, row: Row, refusal: str) -> None:
        """A branch that somebody else has made meanwhile is looked at in the next round."""
        if not refusal:
            self._made[row.target] = row.head_sha
            self._move(row, PUSHED)
        elif refusal != EXISTS:
            sentence = SENTENCES.get(refusal, "git was refused: {said}")
            words = {"head": texts.quoted(row.head_ref), "target": texts.quoted(row.target)}
            words |= {"said": texts.quoted(refusal, 300), "whose": WHOSE[bool(self._world.inputs.pick_token)]}
            self._move(row, REFUSED, reason=sentence.format(**words, cure=refusals.PROTECTED.cure))

    def _open(self, row: Row, opening: Opening) -> None:
        self._hold()
        try:
            number, self._account = opening.open(row, self._hint(row))
        except Unsure:
            return  # the next round finds it, or tries again, and GitHub takes no second one
        except Refused as refusal:
            if "already exists" in str(refusal):
                return
            self._not_opened(row, refusal)
            return
        self._opened.append(opening.page(number))
        self._move(row, OPENED, pull_number=number)

    def _hint(self, row: Row) -> str:
        """What its own page has to say beside the words that are configured."""
        if row.has_conflicts:
            conflict, picks = self._drafts.get(row.target, (None, ()))
            return draft(row, conflict, picks)
        return by_hand(self._by_hand.get(row.target, ()))

    def _not_opened(self, row: Row, refusal: Refused) -> None:
        """The branch stays, and the next request goes on with it."""
        if "No commits between" in str(refusal):
            self._move(row, FINISHED, reason=KNOWN)
            return
        words = {"head": texts.quoted(row.head_ref), "target": row.target}
        reason = PUSHED_ALREADY.format(reason=_line(refusal).rstrip("."), **words)
        self._move(row, REFUSED, reason=reason)
        if isinstance(refusal, Mistake):
            self._mistakes.append(self._failed[-1])

    def _finish(self, row: Row, opening: Opening) -> None:
        """All of it may be done again. A step that is refused is said: the pull request stands all the same."""
        undone = [line for step in opening.steps(row) for line in self._step(row, step)]
        merging = [*self._step(row, Step("", partial(opening.merge, row)))]
        note = "; ".join(filter(None, [*merging, row.note]))
        if undone:
            note = NOT_DONE + "; ".join([*undone, *([f"{MERGING} ({note})"] if note else ())])
        self._move(row, FINISHED, **({"reason": row.now("", note[:NOTE])} if note else {}))

    def _step(self, row: Row, step: Step) -> Iterator[str]:
        """Yield what was refused, and why. One part may be in the way of all others."""
        self._hold()
        try:
            step.do()
        except Refused as refusal:  # such as a review by who cannot give one
            if step.alone:
                for each in step.alone:
                    yield from self._step(row, each)
                return
            self._noted.append(f"#{row.pull_number}, a pick onto {row.target}: {refusal}")
            yield f"{step.what} ({_line(refusal)})" if step.what else _line(refusal)


def _asks_for(target: str, milestone: Sequence[str], command: Command) -> bool:
    """Whether it names the branch, or none and the milestone does, or asks to try once more whatever has failed."""
    args = naming.spoken(command.args)
    if command.name != "cherry-pick" or args[:1] in NO_REQUESTS:
        return False
    words = targets_of(args) if is_series(args) else args
    return args == ("retry",) or target in (naming.branches(words) if args else milestone)


def prove(work: Work, chosen: Chosen) -> None:
    """Raise Refused where the commits to pick are not all that the merge has brought."""
    if chosen.compared and not work.matches(chosen.picks, chosen.own):
        raise Refused(NOT_ITS_OWN)
    for each in chosen.left:
        if not work.holds(each.at, each.sha):
            raise Refused(NOT_ALL.format(sha=each.sha))


def _line(refusal: Refused) -> str:
    """One line, since what follows the first one has a meaning in a row."""
    return " ".join(str(refusal).split())
