"""Check suites: what GitHub makes of a commit before the first check of it has run.

One for each App that may write checks, and one for each run of a workflow. Runs that wait for an approval have no
check runs, so a rollup does not show them.
https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks#about-check-suites
https://docs.github.com/en/actions/how-tos/manage-workflow-runs/approve-runs-from-forks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from sandbox.records import ACTIONS, GITHUB_TOKEN, CheckRun, CheckSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.records import Pull, Repository
    from sandbox.state import State

FOLDER = ".github/workflows/"
EVENT = "pull_request"
OVER = "completed"
HELD = "action_required"  # the conclusion of a run that nobody has let begin
WORST = ("failure", "timed_out", "cancelled", "action_required", "stale", "startup_failure")


def of(repo: Repository, sha: str) -> list[CheckSuite]:
    """Return those of a commit by their age: the ones that were made, and one for each App that simply made checks."""
    made = [each for each in repo.suites if each.sha == sha]
    known = {each.app for each in made if not each.workflow}
    by_app: dict[str, list[CheckRun]] = {}
    for run in repo.checks:
        if run.sha == sha and not run.suite and run.app not in known:
            by_app.setdefault(run.app, []).append(run)
    return sorted([*made, *(_of_app(runs) for runs in by_app.values())], key=lambda each: each.id)


def of_run(repo: Repository, run: CheckRun) -> CheckSuite:
    found = of(repo, run.sha)
    if run.suite:
        return next(each for each in found if each.id == run.suite)
    return next(each for each in found if each.app == run.app and not each.workflow)


def _of_app(runs: list[CheckRun]) -> CheckSuite:
    """What its runs come to; a number of its own, which no run has."""
    newest = {run.name: run for run in runs}.values()
    over = all(run.conclusion for run in newest)
    worst = next((kind for kind in WORST for run in newest if run.conclusion == kind), "success")
    first = runs[0]
    status = OVER if over else "in_progress"
    return CheckSuite(first.id, first.sha, status, worst if over else None, first.started_at, app=first.app)


def is_held(suite: CheckSuite) -> bool:
    """Whether it waits for somebody to approve it: GitHub says that it is over, and that action is required."""
    return (suite.status, suite.conclusion) == (OVER, HELD)


def start(state: State, repo: Repository, pull: Pull, by: str) -> None:
    """Make the run of each workflow that a pull request starts when it is opened, reopened or pushed to."""
    held = by == GITHUB_TOKEN or _is_first(repo, pull)
    for workflow in _workflows(repo, pull.head_sha):
        status, conclusion = (OVER, HELD) if held else ("queued", None)
        suite = CheckSuite(state.next_id(), pull.head_sha, status, conclusion, state.now(), ACTIONS, workflow["name"])
        repo.suites.append(suite)
        if not held:
            _begin(state, repo, suite, workflow)


def approve(state: State, full_name: str, number: int) -> None:
    """Let the runs begin that wait for it, as the merge box offers."""
    repo, pull = state.repository(full_name), state.pull(full_name, number)
    if repo is None:
        raise KeyError(full_name)
    known = {each["name"]: each for each in _workflows(repo, pull.head_sha)}
    for suite in of(repo, pull.head_sha):
        if is_held(suite):
            suite.status, suite.conclusion = "queued", None
            _begin(state, repo, suite, known.get(suite.workflow, {}))


def _begin(state: State, repo: Repository, suite: CheckSuite, workflow: dict[str, Any]) -> None:
    """Its jobs are queued, each as a check run."""
    for job, about in (workflow.get("jobs") or {}).items():
        name = (about or {}).get("name") or job
        run = CheckRun(state.next_id(), name, suite.sha, "queued", None, state.now(), None)
        run.app, run.suite = suite.app, suite.id
        repo.checks.append(run)


def end(state: State, full_name: str, suite: CheckSuite, conclusion: str) -> None:
    """Its runner is done: so are all of its checks."""
    suite.status, suite.conclusion = OVER, conclusion
    for run in (each for each in _at(state, full_name).checks if each.suite == suite.id):
        run.status, run.conclusion, run.completed_at = OVER, conclusion, state.now()


def _at(state: State, full_name: str) -> Repository:
    found = state.repository(full_name)
    if found is None:
        raise KeyError(full_name)
    return found


def _is_first(repo: Repository, pull: Pull) -> bool:
    """Whether it is from a fork, by somebody of whom nothing was ever merged here: GitHub's own default."""
    if pull.head_repository == repo.full_name or pull.author is None or pull.author.login in repo.permissions:
        return False
    return not any(each.merged_at and each.author is pull.author for each in repo.pulls())


def _workflows(repo: Repository, sha: str) -> Iterator[dict[str, Any]]:
    """Those at the head that pull requests start."""
    files = repo.files(sha) or {}
    for path in files:
        if path.startswith(FOLDER):
            data = YAML(typ="safe", pure=True).load(files[path].decode()) or {}
            if EVENT in _triggers(data.get("on", data.get(True))):
                yield {**data, "name": str(data.get("name") or path)}


def _triggers(on: Any) -> list[str]:
    return [on] if isinstance(on, str) else list(on or ())
