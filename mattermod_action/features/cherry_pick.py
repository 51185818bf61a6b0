"""Pick merged pull requests onto other branches, by `/cherry-pick` or by label and milestone.

You see: a pull request for each branch within seconds, and one comment on the original that says what became of each,
and is brought up to date as that goes on. Where a pick conflicts, another comment shows the files and the lines, who
changed them on the base since the branch parted from it, the fewest earlier pull requests with which it does not
conflict (of up to 20, in five seconds), with the command that picks them together, and the commands to finish by hand.

- `/cherry-pick release-10.5 release-10.4` by somebody with write access; alone it takes the branches of the milestone.
  `to`, commas, `origin/x`, `@x` and the address of a branch's page are understood. Before the merge it is kept, and
  done then (which needs `database-url`); a branch that is not there is told at once. `/cherry-pick cancel`, or to
  delete the comment that asked, takes back what waits for the merge.
- `/cherry-pick status` lists what was asked for, and `/cherry-pick retry release-10.5` tries once more what has failed.
  A pick that was closed without being merged, or has got another base, is made anew when somebody asks for it again;
  one that was merged and reverted, by `retry`. Its branch must be deleted before.
- `/cherry-pick release-10.5 with #12 #15` picks several merged pull requests as one, in the order in which their base
  got them: this one and up to ten others of the same base. Its title and text name them all, its branch is its own, and
  it takes the place of what failed on that branch before. One that cannot be picked stops all of it, by name. The
  summary is on this pull request only; on the others GitHub shows that they were mentioned.
- `/cherry-pick refresh` makes open picks anew, or that of one branch, in the same pull requests, when their branch has
  moved on. What anybody else has pushed is never replaced. The summary says when a pick conflicts with its branch.
- The label `label` on a pull request with a milestone, when it is merged or put on afterwards. `milestones` says which
  branches a milestone stands for; `{major}`, `{minor}` and `{patch}` are numbers. Whoever put the label on must have
  write access and be no bot, unless `bots` names it. When every branch has got its pull request, without conflicts,
  `done_label` takes the label's place.

The comment says of each pick whether it is merged, closed or reverted, as soon as an event of the pick's own pull
request or somebody's question tells (which needs `database-url`). A request survives that the original is closed and
opened again. What the newest hundred commits of its base have reverted (`This reverts commit …`, `Reverts #…`) is not
picked before somebody has read that and asks to `retry`.

What is picked is what the merge brought: a squashed commit, each of several that were rebased, or a merge against its
first parent. Merges inside a pull request whose own branch was pushed are refused, or with `merge_commits: skip` left
out. Author, date and message stay, with a line that says where it comes from; `committer` is who commits. Nothing is
checked out, nothing is ever overwritten. A branch of a pick's name that is there already is opened only if its files
are those that the pick gives, or differ where the pick conflicts; a pull request that is there already is linked.
Of a rebased pull request every commit is found on the base by author, date and message. One that the rebase left out
must be on the base already, by its changes; else nothing is picked.

The new pull request gets `labels`, those of the original's labels that fit `copy_labels` (`*` is any text; labels that
ask this action for something are never copied), its milestone, and, to review it and as assignee, the author if they
may write, else whoever approved first. For a bot's pull request that is whoever asked for the pick, and so is
`{author}`. What GitHub refuses of that stands in the comment. `title` and `body` may have `{number}`, `{branch}`,
`{title}` and `{author}`; of a pick of a pick, `{title}` is the title without what the template had added. `auto_merge`
has GitHub merge it when it is ready, which takes the setting "Allow auto-merge" (Settings → General → Pull Requests).
Where the branch requires nothing that is missing, it is merged at once. Where GitHub refuses both, the comment says
why.

With `conflicts: draft` what conflicts is opened as a draft that has the conflict in its files, with `conflict_label`
and the red status `cherry-pick/conflicts`. Later commits are picked on top of that, up to a second conflict. The
draft's page names the files, the commands, and the commits that it lacks. The status turns green with the first push
without conflict markers after which each commit to pick is named by a message in the branch, as `git cherry-pick -x`
does, has a twin there, or is ticked on the page. Then the original is done, too. Whoever takes `conflict_label` off
vouches for it. Files whose changes GitHub does not show are read whole, up to ten; what cannot be read is never green.

```yaml
cherry_pick:
  milestones:
    "v{major}.{minor}.{patch}": ["release-{major}.{minor}"]
    cloud: [cloud]
  conflicts: comment
```

The workflows to copy are [cherry-pick.yml](../../workflows-examples/cherry-pick.yml) and, for what waits or was
interrupted, [schedule.yml](../../workflows-examples/schedule.yml).

Give the token of an App as `cherry-pick-token`. GITHUB_TOKEN opens pull requests only where the setting "Allow GitHub
Actions to create and approve pull requests" is on, somebody has to approve the workflows of each pull request, and
picks onto release branches generally fail, because it can push no branch whose workflow files differ from those of the
default branch. [What each token can do](../tokens.md) has the settings. After a refusal mend the cause and give
`/cherry-pick retry`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, field_validator

from mattermod_action.branches import branch_template, branches_of, check_numbers, is_branch, milestone_template
from mattermod_action.commands import Command
from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import AddLabels, Comment, Pick, RemoveLabel, SetStatus, TellPicks
from mattermod_action.errors import Incomplete, Offline, Refused
from mattermod_action.events import (
    GITHUB_TOKEN,
    RESUMED,
    Commanded,
    CommentGone,
    PickEnded,
    PicksDue,
    PullRequest,
    PullRequestSeen,
    Tick,
    label_cause,
)
from mattermod_action.facts import FILES_LISTED
from mattermod_action.gates import judged, why
from mattermod_action.naming import branches, spoken
from mattermod_action.pick_reasons import WAITS, WITHDRAWN
from mattermod_action.pick_words import conflict, conflicts, table
from mattermod_action.picks import ANEW, BEHIND, CONFLICTS_CONTEXT, ENDED_BADLY, PREFIX, QUEUED, Rule, original_of
from mattermod_action.series import is_series, members_of, targets_of
from mattermod_action.texts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mattermod_action.effects import Effect
    from mattermod_action.events import CommandGiven, Event
    from mattermod_action.gates import Verdict
    from mattermod_action.picks import Row
    from mattermod_action.ports import ChangedFile, Facts

COMMANDS = {"cherry-pick": ("write", "picks this pull request onto the branches that it names")}
CONTEXT_LACKS, SHOWN = "Commits that are not picked yet, nor ticked in the description: {shas}", 5
MOST = 20  # branches of one command
CONTEXT_OK, CONTEXT_BAD = "No conflict markers", "Files with conflict markers: {count}"
COMMAND = "/cherry-pick"
USAGE = (
    "name the branches to pick it onto, such as `/cherry-pick release-10.5`, or several pull requests with "
    "`/cherry-pick release-10.5 with #12 #15`. Or say `status`, or one of `retry`, `refresh` and `cancel`, with the "
    "names of branches or without. Alone it picks onto the branches of the milestone, where that has some"
)
IN_COMMENT = "give it in a comment: nobody can look up after the merge who wrote it in a review"
NOT_ASKED = "nothing was asked to be picked onto {names}"
MILESTONES: dict[str, tuple[str, ...]] = {
    "v{major}.{minor}.{patch}": ("release-{major}.{minor}",),
    "v{major}.{minor}": ("release-{major}.{minor}",),
    "cloud": ("cloud",),
}
NO_BRANCH = "{name} is no name of a branch"
TOO_MANY = f"these are more than {MOST} branches"
MARKED = "conflict markers"  # why the status of a draft is set
CHECKS = (
    "\n\n{were} opened with GITHUB_TOKEN, so {their} checks wait: somebody with write access approves the workflows "
    "in the merge box, or, where it shows no button for that, closes and reopens the pull request. With a "
    "`cherry-pick-token` checks start by themselves."
)
CHANGES = ("closed", "reopened", "edited")  # by which what the original's summary says of a pick may become false
NONE_OPEN = "no pull request of a cherry-pick is open"
NOTHING = "Nothing was asked to be picked of this pull request."
NO_MILESTONE = "it has no milestone, which would say onto which branches"
NO_TARGET = "no branch is configured for the milestone {milestone}: see `cherry_pick.milestones`"
NOT_PICKED = "The label {label} picks nothing: {reason}."
MARKERS = re.compile(r"^\+(?:<{7} |>{7} |={7}$)", re.MULTILINE)
MARKERS_IN_FILE = re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE)
MOST_HIDDEN = 10  # files that are read by themselves


def _committer(text: str) -> str:
    if not re.fullmatch(r"[^<>\n]+ <[^<>\s]+>", text):
        raise ValueError("must be NAME <ADDRESS>")
    return text


Milestone = Annotated[str, AfterValidator(milestone_template)]
Branch = Annotated[str, AfterValidator(branch_template)]


class Config(Section):
    label: Label = "CherryPick/Approved"
    done_label: Label = "CherryPick/Done"
    milestones: dict[Milestone, tuple[Branch, ...]] = MILESTONES
    title: Message = "Automated cherry pick of #{number}"
    body: Message = "Cherry pick of #{number} on {branch}.\n\n/cc @{author}\n\n```release-note\nNONE\n```"
    labels: tuple[Label, ...] = ("AutomatedCherryPick", "Changelog/Not Needed", "Docs/Not Needed")
    copy_labels: tuple[str, ...] = ()
    conflicts: Literal["comment", "draft"] = "comment"
    conflict_label: Label = "Conflicts"
    merge_commits: Literal["refuse", "skip"] = "refuse"
    auto_merge: Literal["never", "squash", "merge", "rebase"] = "never"
    bots: tuple[str, ...] = ()
    committer: Annotated[str, AfterValidator(_committer)] = (
        "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"
    )

    @field_validator("milestones")
    @classmethod
    def _numbers_are_known(cls, milestones: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for milestone, templates in milestones.items():
            for branch in templates:
                check_numbers(milestone, branch)
        return milestones

    @property
    def rule(self) -> Rule:
        return Rule(
            title=self.title,
            body=self.body,
            labels=self.labels,
            copy_labels=self.copy_labels,
            conflict_label=self.conflict_label,
            draft=self.conflicts == "draft",
            skip_merges=self.merge_commits == "skip",
            auto_merge="" if self.auto_merge == "never" else self.auto_merge,
            bots=self.bots,
            committer=self.committer,
            label=self.label,
            milestones=self.milestones,
        )


def follow(event: Event, config: Config, facts: Facts) -> Iterator[Event]:  # noqa: ARG001  # as every `follow`
    """A sweep goes on with what is not done, and tells what is not told."""
    match event:
        case Tick(repository):
            yield from map(PicksDue, facts.due_picks(repository))
            yield from (PicksDue(pull, changed=True) for pull in facts.changed_picks(repository))


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case Commanded(command=Command(name="cherry-pick")):
            yield from _commanded(event, config, facts)
        case CommentGone():
            yield from _taken_back(event, config, facts)
        case PullRequestSeen(pull):
            yield from _seen(event, config, facts)
        case PicksDue(pull, changed=changed):
            cause = "a pick that has changed" if changed else "a pick that was not finished"
            yield Pick(subject=pull, rule=config.rule, look=changed, cause=cause)
        case PickEnded():
            yield from _ended(event, config, facts)


def _commanded(event: Commanded, config: Config, facts: Facts) -> Iterator[Effect]:
    """Raise Refused for what is no request at all; what is in the way of one branch is told of that branch."""
    given, args = event.given, spoken(event.command.args)
    match args:
        case ("status",):
            text = table(facts.picks_now(given.subject, config.conflict_label)) or NOTHING
            yield Comment(subject=given.subject, text=text, once=("status", given.comment_id), cause=COMMAND)
        case ("help",):
            raise Refused(USAGE)
        case ("refresh", *names):
            yield from _refreshed(event, tuple(names), config, facts)
        case ("cancel", *names):
            yield _cancelled(event, tuple(names), config, facts)
        case _ if is_series(args):
            targets = _checked(targets_of(args))
            yield _asked(event, config, targets=targets, again=targets, series=members_of(args, given.subject))
        case ("retry",):
            rows = facts.picks(given.subject)
            bad = tuple(row.target for row in rows if row.state in ENDED_BADLY and row.reason != WITHDRAWN)
            yield _asked(event, config, again=bad)
        case ("retry", *names):
            targets = _checked(names)
            yield _asked(event, config, targets=targets, again=targets)
        case ():
            yield _asked(event, config, targets=_of_milestone(given, config, facts))
        case _:
            yield _asked(event, config, targets=_checked(args))


def _asked(event: Commanded, config: Config, **what: Any) -> Pick:
    given, request = event.given, event.given.request
    if not given.is_kept and ("series" in what or given.subject.state == "open"):
        raise Refused(IN_COMMENT)
    who: dict[str, Any] = {"subject": given.subject, "by": given.author, "request": request, "origin": request}
    return Pick(rule=config.rule, cause=COMMAND, **who, **what)


def _of_milestone(given: CommandGiven, config: Config, facts: Facts) -> tuple[str, ...]:
    """The branches for which nobody has to name any."""
    pull = facts.pull(given.repository, given.subject.number)
    targets = branches_of((pull.milestone_title if pull else "") or "", config.milestones)
    if not targets:
        raise Refused(USAGE)
    return targets


def _cancelled(event: Commanded, names: tuple[str, ...], config: Config, facts: Facts) -> Pick:
    """Raise Refused where nothing was asked for that could be taken back."""
    given, known = event.given, [row.target for row in facts.picks(event.given.subject)]
    targets = _checked(names) if names else tuple(known)
    if strange := [quoted(target) for target in targets if target not in known]:
        raise Refused(NOT_ASKED.format(names=", ".join(strange)))
    if not targets:
        raise Refused(NOTHING.rstrip("."))
    request = ("cancel", given.comment_id)
    who: dict[str, Any] = {"subject": given.subject, "by": given.author, "request": request}
    return Pick(rule=config.rule, cause="/cherry-pick cancel", targets=targets, withdrawn=True, **who)


def _taken_back(event: CommentGone, config: Config, facts: Facts) -> Iterator[Pick]:
    """What only this comment asked for, and waits still."""
    mine = [row for row in facts.picks(event.subject) if row.origin and row.origin.comment == event.comment_id]
    waiting = tuple(row.target for row in mine if row.state == QUEUED or row.reason == WAITS)
    if waiting:
        request = ("gone", event.comment_id)
        cause = "its comment was deleted"
        yield Pick(
            subject=event.subject, rule=config.rule, targets=waiting, request=request, withdrawn=True, cause=cause
        )


def _refreshed(event: Commanded, names: tuple[str, ...], config: Config, facts: Facts) -> Iterator[Pick]:
    """Each by itself, so that one which cannot be made anew keeps no other from it."""
    given = event.given
    opened = [row.target for row in facts.picks(given.subject) if row.pull_number and row.became in ("", BEHIND)]
    targets = _checked(names) if names else opened
    if not targets:
        raise Refused(NONE_OPEN)
    for target in targets:
        request = ("refresh", given.comment_id, target)
        who: dict[str, Any] = {"subject": given.subject, "by": given.author, "request": request}
        yield Pick(rule=config.rule, cause="/cherry-pick refresh", targets=(target,), anew=True, **who)


def _checked(words: Sequence[str]) -> tuple[str, ...]:
    names = branches(words)
    if not names:
        raise Refused(USAGE)
    if len(names) > MOST:
        raise Refused(TOO_MANY)
    if wrong := next((name for name in names if not is_branch(name)), ""):
        raise Refused(NO_BRANCH.format(name=quoted(wrong)))
    return names


def _seen(event: PullRequestSeen, config: Config, facts: Facts) -> Iterator[Effect]:
    pull = event.subject
    if pull.merged:
        yield from _merged(event, config, facts)
    elif event.action == "reopened" and any(row.reason == WAITS for row in facts.picks(pull)):
        yield Pick(subject=pull, rule=config.rule, look=True, cause="reopened")
    if pull.is_open and _may_have_conflicts(pull, config):
        yield from _looked_through(pull, config, facts)
    if event.action in CHANGES or (event.action == "synchronize" and original_of(pull.ref)):
        yield from _of_a_pick(pull, config, facts, f"its pick #{pull.number} was {event.action}")


def _of_a_pick(pull: PullRequest, config: Config, facts: Facts, cause: str) -> Iterator[Effect]:
    """The original's summary tells what has become of its picks."""
    number = 0 if pull.from_fork else original_of(pull.ref)
    try:
        rows = facts.picks(replace(pull, number=number)) if number else ()
    except Offline:  # what is planned of the pull request itself is seen all the same
        return
    if not any(_is_about(pull, row) for row in rows):
        return
    if original := facts.pull(pull.repository, number):
        yield Pick(subject=original, rule=config.rule, look=True, cause=cause)


def _is_about(pull: PullRequest, row: Row) -> bool:
    """Whether it is the row's pull request, or its revert, which GitHub's button opens from a branch of that name."""
    reverts = pull.merged and row.head_ref and pull.ref == f"revert-{row.pull_number}-{row.head_ref}"
    return bool(row.pull_number == pull.number or reverts)


def _merged(event: PullRequestSeen, config: Config, facts: Facts) -> Iterator[Effect]:
    """What waited for the merge is due, and what label and milestone ask for; what a run that died left untold, too."""
    pull, asks = event.subject, event.is_news(label_cause(config.label))
    if not (asks or event.action in ("closed", "milestoned", RESUMED)):
        return
    rows = {row.target: row for row in facts.picks(pull)}
    unfinished = any(row.is_going or not row.told or row.reason == WAITS for row in rows.values())
    if not pull.carries(config.label):
        if unfinished:
            yield Pick(subject=pull, rule=config.rule, look=True, cause=event.action)
        return
    targets = branches_of(pull.milestone_title or "", config.milestones)
    again = tuple(each for each in targets if asks and each in rows and rows[each].state in ENDED_BADLY)
    made = asks and any(row.pull_number for row in rows.values())  # which may have been closed since
    if again or made or not targets or set(targets) - rows.keys() or unfinished:
        yield Pick(
            subject=pull,
            rule=config.rule,
            targets=targets,
            again=again,
            request=("label", event.at.isoformat()) if asks else (),
            label=config.label,
            refusal="" if targets else _no_target(pull),
            cause=label_cause(config.label),
        )


def _no_target(pull: PullRequest) -> str:
    return NO_TARGET.format(milestone=quoted(pull.milestone_title)) if pull.milestone_title else NO_MILESTONE


def _may_have_conflicts(pull: PullRequest, config: Config) -> bool:
    return config.conflicts == "draft" and pull.ref.startswith(PREFIX) and not pull.from_fork


def _looked_through(pull: PullRequest, config: Config, facts: Facts) -> Iterator[Effect]:
    """A pick has conflicts as long as it adds git's markers."""
    if not pull.carries(config.conflict_label):
        return
    solved = False
    for effect in judged(lambda: _conflicts(pull, config, facts), lambda error: _of_conflicts(pull, why(error))):
        yield effect
        solved = isinstance(effect, RemoveLabel)
    if solved:
        yield from _of_a_pick(pull, config, facts, f"its pick #{pull.number} has no conflicts any more")


def _conflicts(pull: PullRequest, config: Config, facts: Facts) -> Iterator[Effect]:
    files = [*facts.files(pull)]
    bad = sum(map(_has_markers, files)) or sum(_hides_markers(pull, each, facts) for each in _hidden(files))
    missing = () if bad else facts.lacking(pull, skip_merges=config.rule.skip_merges)
    yield _of_conflicts(pull, _verdict(bad, missing))
    if not bad and not missing:
        yield RemoveLabel(subject=pull, label=config.conflict_label, judges=True, cause=MARKED)


def _verdict(bad: int, missing: Sequence[str]) -> Verdict:
    if bad:
        return "failure", CONTEXT_BAD.format(count=bad)
    if missing:
        return "failure", CONTEXT_LACKS.format(shas=", ".join(f"{sha:.10}" for sha in missing[:SHOWN]))
    return "success", CONTEXT_OK


def _has_markers(file: ChangedFile) -> bool:
    return bool(MARKERS.search(file.patch))


def _hidden(files: Sequence[ChangedFile]) -> Sequence[ChangedFile]:
    """Return those that have to be read by themselves. Raises Incomplete where there are too many."""
    hidden = [file for file in files if file.hidden]
    if len(hidden) > MOST_HIDDEN or len(files) >= FILES_LISTED:
        raise Incomplete("GitHub does not show all changes")
    return hidden


def _hides_markers(pull: PullRequest, file: ChangedFile, facts: Facts) -> bool:
    text = facts.text_of(pull, file.path)
    if text is None:
        raise Incomplete(f"GitHub does not show {file.path}")
    return bool(MARKERS_IN_FILE.search(text))


def _of_conflicts(pull: PullRequest, verdict: Verdict) -> SetStatus:
    state, said = verdict
    judges = state != "pending"
    return SetStatus(
        subject=pull,
        sha=pull.sha,
        context=CONFLICTS_CONTEXT,
        state=state,
        description=said,
        judges=judges,
        cause=MARKED,
    )


def _ended(event: PickEnded, config: Config, facts: Facts) -> Iterator[Effect]:
    if event.reason:
        text = NOT_PICKED.format(label=quoted(event.label), reason=event.reason)
        once = ("not picked", event.label.casefold(), event.reason)
        yield Comment(subject=event.subject, text=text, once=once, cause=label_cause(event.label))
        return
    reasons = dict(event.reasons)
    rows = [replace(row, fresh=row.reason == reasons.get(row.target)) for row in facts.picks(event.subject)]
    if not all(row.told for row in rows):
        yield from _told(event, rows, config)


def _checks(event: PickEnded, rows: Sequence[Row]) -> str:
    """Say of pull requests that wait whom they wait for."""
    count = sum(1 for row in rows if row.pull_number and not row.became)
    if event.account != GITHUB_TOKEN or not count:
        return ""
    return CHECKS.format(
        **({"were": "It was", "their": "its"} if count == 1 else {"were": "They were", "their": "their"})
    )


def _told(event: PickEnded, rows: Sequence[Row], config: Config) -> Iterator[Effect]:
    """Conflicts first, then labels, and the summary last: it notes that all this was said."""
    subject, cause = event.subject, event.cause
    details = {each.target: each for each in event.conflicts}
    for row in rows:
        if not row.told and conflicts(row):
            text = conflict(row, details.get(row.target))
            yield Comment(subject=subject, text=text, once=("conflict", row.target, row.attempts), cause=cause)
    if any(row.became in ANEW for row in rows):
        yield RemoveLabel(subject=subject, label=config.done_label, cause=cause)
    if all(row.is_done for row in rows):
        yield AddLabels(subject=subject, labels=(config.done_label,), cause=cause)
        yield RemoveLabel(subject=subject, label=config.label, cause=cause)
    text = table(rows) + _checks(event, rows)
    untold = tuple(row for row in rows if not row.told)
    halted = event.error is not None
    yield TellPicks(subject=subject, text=text, once=("summary",), cause=cause, rows=untold, halted=halted)
