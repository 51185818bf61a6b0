"""Start a workflow with a label.

You see: when somebody with write access puts the label on an open pull request, the workflow is started, a comment
says so, and the label goes. Putting it on again starts it again. What is started is the commit that the label was put
on, with the base branch of that moment, or nothing: a change in between has to be looked at first. Labels that bots
put on start nothing, nor do those of the pull request's author when the branch is in a fork. Whoever may not is told
once for each label.

A rule names the file of a `workflow` with `workflow_dispatch` (at `ref`, or the default branch), or the `event` of a
`repository_dispatch`, here or in another `repository`. `inputs` gives each input, or each key of the event's payload,
one of: number, sha, head_ref, base_ref, repository, head_repository, author, url, key. The name of a branch is
whatever its author likes, so hand it to scripts by `env:` only.

In `message`, `done` and `failed`, `WORKFLOW_URL` is replaced by the page of the run and `USERNAME` by the login of
whoever opened the pull request.

```yaml
label_workflow:
  rules:
    - label: "Build App"
      workflow: build-app.yml
      inputs: {pull: number, sha: sha, mattermod-key: key}
      message: "@USERNAME, the app is being built: WORKFLOW_URL"
      done: "The app is there: WORKFLOW_URL"
      failed: "The app could not be built: WORKFLOW_URL"
    - label: "Start Load Test"
      event: load-test
      repository: octo-org/load-tests
      inputs: {sha: sha, mattermod-key: key}
```

The workflow to copy is `workflows-examples/label-workflow.yml`. Its job needs `actions: write` to start a workflow, and
`contents: write` to call for an event. GITHUB_TOKEN has them in its own repository only; for another one `github-token`
has to be a token of an App or of a person who has them there.

How it ended is told by whatever comes first, once:

- A job of the workflow says so itself, with the key that it was given, as below. In another repository it takes a
  token that may write the contents of this one.
- The event `workflow_run`, when the title of the run has the key (`run-name` below) and the workflow is in this
  repository.
- A schedule asks the run, for seven days, when GitHub told its page as it was started. So it does for a `workflow`
  (on GitHub Enterprise Server from 3.21), not for an `event`.

The key finds the pull request in the database. Without `database-url` it does so only where the runner keeps its file.

```yaml
name: Build app
run-name: Build app ${{ inputs.mattermod-key }}
on:
  workflow_dispatch:
    inputs:
      pull: {type: string, required: true}
      sha: {type: string, required: true}
      mattermod-key: {type: string, required: true}
permissions: {}
jobs:
  build:
    name: build
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - run: ./build "$SHA"
        env:
          SHA: ${{ inputs.sha }}
  tell:  # a job of its own, so that what was built never sees its token
    name: tell
    if: always()
    needs: build
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      contents: write  # to call for the event mattermod-result
    steps:
      - env:
          GH_TOKEN: ${{ github.token }}
          KEY: ${{ inputs.mattermod-key }}
          CONCLUSION: ${{ needs.build.result }}
          URL: ${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}
        run: >-
          gh api "repos/$GITHUB_REPOSITORY/dispatches" -f event_type=mattermod-result
          -f "client_payload[key]=$KEY" -f "client_payload[conclusion]=$CONCLUSION" -f "client_payload[url]=$URL"
```

Nothing is started twice. When GitHub's answer is lost, the run is looked for by the key in its title; where titles have
none, and other runs stand there, nobody can tell, and the run of this action is red. What a run that died has left is
not started by a schedule: it says how to ask again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mattermod_action.config import Label, Message, Section
from mattermod_action.effects import Comment, Dispatch, Need, RemoveLabel, Told, rule_note
from mattermod_action.errors import Passed
from mattermod_action.events import (
    RESUMED,
    PullRequest,
    PullRequestSeen,
    Tick,
    WorkflowAsked,
    WorkflowEnded,
    WorkflowStarted,
    is_full_name,
    label_cause,
)
from mattermod_action.facts import at_least
from mattermod_action.texts import addressed, linked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.effects import Effect
    from mattermod_action.events import Event
    from mattermod_action.ports import Facts, Origin

NAME = "label_workflow"
STARTED, DONE, FAILED = (
    f"The workflow {what}: WORKFLOW_URL" for what in ("was started", "has succeeded", "has not succeeded")
)
NOT_STARTED = "The label `{label}` has started nothing: {reason}. To try once more, take it off and put it on again."
MISSED = (
    "Nobody saw to the label `{label}`, or the run that did has died, and it is not known to have started anything. "
    "If it has not, take it off and put it on again."
)
REFUSED = "@USERNAME, the label `{label}` starts a workflow, and {reason}. (This is said once.)"
BOT = "a label that a bot puts on starts none"
FORK = "on your own pull request from a fork somebody else has to put it on"
READER = "that is for people with write access to this repository"
UNKNOWN = "its key is of no workflow that a label of this repository has started"
QUIET = timedelta(minutes=5)  # after which no run can still be about to start what the label asks for
MOST_INPUTS, MOST_KEYS = 25, 10  # https://docs.github.com/en/rest/actions/workflows, …/rest/repos/repos
_FILE = re.compile(r"[\w-][\w.-]{0,250}\.ya?ml")
_INPUT = re.compile(r"[A-Za-z_][\w-]{0,99}", re.ASCII)
_LINE = re.compile(r"[^\s\x00-\x1f\x7f]{1,100}")
_RUN = re.compile(
    r"(https?://[^/\s]+)/[\w.-]+/[\w.-]+/actions/runs/\d{1,20}(?:/attempts/\d{1,9}|/job/\d{1,20})?", re.ASCII
)


def _file(name: str) -> str:
    if not _FILE.fullmatch(name):
        raise ValueError("must be the name of a file in .github/workflows, such as build.yml")
    return name


def _word(text: str) -> str:
    if not _LINE.fullmatch(text):
        raise ValueError("must be up to 100 characters without white space")
    return text


def _repository(name: str) -> str:
    if not is_full_name(name):
        raise ValueError("must be OWNER/NAME")
    return name


def _input(name: str) -> str:
    if not _INPUT.fullmatch(name):
        raise ValueError("is no name of an input: letters, digits, _ and - only")
    return name


Word = Annotated[str, AfterValidator(_word)]


class Rule(Section):
    label: Label
    workflow: Annotated[str, AfterValidator(_file)] | None = None
    event: Word | None = None
    ref: Word | None = None
    repository: Annotated[str, AfterValidator(_repository)] | None = None
    inputs: dict[Annotated[str, AfterValidator(_input)], Told] = Field(default_factory=dict)
    message: Message = STARTED
    done: Message = DONE
    failed: Message = FAILED

    @model_validator(mode="after")
    def _is_one(self) -> Rule:
        if (self.workflow is None) == (self.event is None):
            raise ValueError("must have either `workflow` or `event`")
        if self.event and self.ref:
            raise ValueError("must not have `ref` with `event`: it reaches the default branch")
        most = MOST_KEYS if self.event else MOST_INPUTS
        if len(self.inputs) > most:
            raise ValueError(f"has {len(self.inputs)} inputs, and GitHub takes {most}")
        return self


class Config(Section):
    rules: tuple[Rule, ...]


def follow(event: Event, config: Config, facts: Facts) -> Iterator[Event]:  # noqa: ARG001  # as every `follow`
    """A sweep asks after workflows of which nobody has told how they ended."""
    match event:
        case Tick(repository):
            for origin in facts.unanswered(repository, NAME):
                yield WorkflowAsked(replace(repository, id=origin.repository_id), origin.key, origin.result)


def plan(event: Event, config: Config, facts: Facts) -> Iterator[Effect]:
    match event:
        case PullRequestSeen(pull) if event.action == RESUMED and pull.is_open:
            yield from _missed(event, config, facts)
        case PullRequestSeen(pull) if event.label and pull.is_open:
            yield from _asked(event, event.label, config, facts)
        case WorkflowStarted():
            yield from _started(event, config)
        case WorkflowAsked(repository, key, url) if conclusion := facts.conclusion(url):
            yield from _ended(WorkflowEnded(repository, key, conclusion, url), config, facts)
        case WorkflowEnded():
            yield from _ended(event, config, facts)


def _asked(event: PullRequestSeen, label: str, config: Config, facts: Facts) -> Iterator[Effect]:
    pull, folded = event.subject, label.casefold()
    rules = [rule for rule in config.rules if rule.label.casefold() == folded]
    if not rules:
        return
    if refusal := _refusal(event, facts):
        login, reason = refusal
        text = addressed(REFUSED.format(label=rules[0].label, reason=reason), login)
        once = ("refused", folded, login.casefold())
        yield Comment(subject=pull, text=text, once=once, cause=label_cause(label))
        return
    for nth, rule in enumerate(rules):
        yield _dispatch(event, rule, nth)


def _refusal(event: PullRequestSeen, facts: Facts) -> tuple[str, str] | None:
    """Say who may not, and why: whoever put the label on, or has started this run once more."""
    pull = event.subject
    if event.sender_is_bot:
        return event.sender, BOT
    if pull.from_fork and event.sender.casefold() == pull.author.casefold():
        return event.sender, FORK
    for login in (event.sender, *facts.actors()):
        if not at_least(facts.role(pull.repository, login), "write"):
            return login, READER
    return None


def _dispatch(event: PullRequestSeen, rule: Rule, nth: int) -> Dispatch:
    """The moment of the label is in the key: put on again it is asked for again, and delivered again it is not."""
    return Dispatch(
        subject=event.subject,
        label=rule.label,
        nth=nth,
        sha=event.sha,
        base=event.base,
        at=event.at,
        target=rule.repository or event.repository.full_name,
        workflow=rule.workflow or "",
        ref=rule.ref or "",
        event=rule.event or "",
        inputs=tuple(rule.inputs.items()),
        once=(rule.label.casefold(), nth, event.sha, event.at.isoformat()),
        cause=label_cause(rule.label),
        need=Need(event.sender, "write"),
    )


def _started(event: WorkflowStarted, config: Config) -> Iterator[Effect]:
    pull, cause = event.subject, label_cause(event.label)
    rule = _rule(config, rule_note(event.label, event.nth))
    if event.reason:
        text = NOT_STARTED.format(label=event.label, reason=event.reason)
        yield Comment(subject=pull, text=text, once=("not started", *event.once), cause=cause)
    elif rule:
        text = _text(rule.message, pull, rule, event.url)
        yield Comment(subject=pull, text=text, once=("started", *event.once), cause=cause)
        yield RemoveLabel(subject=pull, label=rule.label, cause=cause)


def _ended(event: WorkflowEnded, config: Config, facts: Facts) -> Iterator[Effect]:
    """The key has to be one that was given out, here, for this; whoever knows it may only say how it ended."""
    origin = facts.origin(event.key)
    if origin is None or not _is_ours(origin, event):
        raise Passed(UNKNOWN)
    pull, rule = facts.pull(event.repository, origin.number), _rule(config, origin.note)
    if pull and rule:
        message = rule.done if event.conclusion == "success" else rule.failed
        text = _text(message, pull, rule, event.url, origin.result)
        yield Comment(subject=pull, text=text, once=("ended", event.key), cause=event.key)


def _is_ours(origin: Origin, event: WorkflowEnded) -> bool:
    return (origin.repository_id, origin.feature, origin.kind) == (event.repository.id, NAME, Dispatch.__name__)


def _missed(event: PullRequestSeen, config: Config, facts: Facts) -> Iterator[Effect]:
    """A sweep starts nothing: what the label was put on, and by whom, it can only guess."""
    pull = event.subject
    labels = {rule.label.casefold(): rule.label for rule in config.rules if pull.carries(rule.label)}
    if labels and facts.now() - event.at < QUIET:
        raise Passed("somebody is at the pull request; the next sweep looks again")
    for folded, label in labels.items():
        text, once = MISSED.format(label=label), ("missed", folded, pull.sha)
        yield Comment(subject=pull, text=text, once=once, cause=label_cause(label))


def _rule(config: Config, note: str) -> Rule | None:
    """Find the rule by what the row of its effect says."""
    counted: dict[str, int] = {}
    for rule in config.rules:
        label = rule.label.casefold()
        nth = counted[label] = counted.get(label, -1) + 1
        if rule_note(label, nth) == note:
            return rule
    return None


def _text(message: str, pull: PullRequest, rule: Rule, *urls: str) -> str:
    """Of addresses only a run's page on the server that the pull request is on is believed."""
    server = "://".join(urlsplit(pull.url)[:2])
    known = (url for url in urls if (run := _RUN.fullmatch(url)) and run[1] == server)
    page = f"{server}/{rule.repository or pull.repository.full_name}/actions"
    file = f"/workflows/{rule.workflow}" if rule.workflow else ""
    return linked(addressed(message, pull.author), next(known, page + file))
