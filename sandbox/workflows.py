"""Workflows that are started over the API, and their runs, which end when a test or a person says so.

https://docs.github.com/en/rest/actions/workflows, https://docs.github.com/en/rest/actions/workflow-runs
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from sandbox import shapes
from sandbox.answers import Answer, answer, not_found, refuse
from sandbox.calls import paged
from sandbox.records import WorkflowRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.calls import Call
    from sandbox.records import Repository

FOLDER = ".github/workflows/"
MOST_INPUTS, MOST_KEYS, LONGEST_TYPE = 25, 10, 100
NO_TRIGGER = "Workflow does not have 'workflow_dispatch' trigger"
_FIELD = re.compile(r"\$\{\{\s*(?:inputs|github\.event\.inputs|github\.event\.client_payload)\.([\w-]+)\s*\}\}")


def dispatch(call: Call) -> Answer:
    """Start each workflow of the default branch that listens: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event."""
    call.need("contents=write")
    _writable(call)
    kind, payload = call.field("event_type", str), call.json().get("client_payload") or {}
    if not 0 < len(kind) <= LONGEST_TYPE:
        raise refuse(422, "Invalid request.\n\nevent_type is too long (maximum is 100 characters).", call.docs)
    if len(payload) > MOST_KEYS:
        raise refuse(422, f"Invalid request.\n\nNo more than {MOST_KEYS} properties are allowed.", call.docs)
    started = []
    for file, workflow in _workflows(call.repo).items():
        trigger = workflow["on"].get("repository_dispatch", ...)
        if trigger is not ... and kind in ((trigger or {}).get("types") or [kind]):
            more = {"file": file, "event": "repository_dispatch", "ref": call.repo.default_branch}
            started.append(_start(call, workflow, payload, kind, **more))
    call.state.dispatched(call.repo.full_name, kind, payload, runs=started)
    return Answer(204, b"")


def dispatch_workflow(call: Call) -> Answer:
    """https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event."""
    call.need("actions=write")
    _writable(call)
    file, ref, data = call.values["workflow"], call.field("ref", str), call.json()
    _check_keys(call, data)
    if file not in _workflows(call.repo):
        raise not_found(call.docs)
    if call.repo.files(ref) is None:
        raise refuse(422, f"No ref found for: {ref}", call.docs)
    workflow, inputs = _workflows(call.repo, ref).get(file, {"on": {}}), data.get("inputs") or {}
    _check_inputs(call, workflow["on"].get("workflow_dispatch", ...), inputs)
    more = {"file": file, "event": "workflow_dispatch", "ref": ref}
    made = _start(call, workflow, inputs, str(workflow.get("name") or file), **more)
    call.state.dispatched(call.repo.full_name, file, {"ref": ref, "inputs": inputs}, workflow=True, runs=[made])
    if not data.get("return_run_details"):
        return Answer(204, b"")
    url, page = _addresses(call, made)
    return answer(200, {"workflow_run_id": made.id, "run_url": url, "html_url": page})


def list_runs(call: Call) -> Answer:
    """Of one workflow, or of all; the newest first."""
    call.need("actions=read")
    file, query = call.values.get("workflow", ""), call.query
    if file and file not in _workflows(call.repo):
        raise not_found(call.docs)
    runs = [
        run
        for run in reversed(call.repo.runs)
        if file in ("", run.file)
        and query.get("event", run.event) == run.event
        and _is_since(run, query.get("created", ""))
    ]
    page = paged(call, runs, partial(shapes.workflow_run, call.state, call.repo))
    whole = {"total_count": len(runs), "workflow_runs": json.loads(page.body)}
    return Answer(200, json.dumps(whole).encode(), page.headers)


def get_run(call: Call) -> Answer:
    call.need("actions=read")
    found = next((run for run in call.repo.runs if run.id == call.values["id"]), None)
    if found is None:
        raise not_found(call.docs)
    return answer(200, shapes.workflow_run(call.state, call.repo, found))


def _is_since(run: WorkflowRun, created: str) -> bool:
    """Of GitHub's search syntax for dates only >= is understood here."""
    return not created or (shapes.moment(run.created_at) or "") >= created.removeprefix(">=")


def _writable(call: Call) -> None:
    if call.repo.archived:
        raise refuse(403, "Repository was archived so is read-only.", call.docs)


def _check_keys(call: Call, data: Mapping[str, Any]) -> None:
    known = {"ref", "inputs", *(["return_run_details"] if call.state.run_details else [])}
    if strange := sorted(data.keys() - known):
        raise refuse(422, f'Invalid request.\n\n"{strange[0]}" is not a permitted key.', call.docs)


def _check_inputs(call: Call, trigger: Any, inputs: Mapping[str, Any]) -> None:
    if trigger is ...:
        raise refuse(422, NO_TRIGGER, call.docs)
    known = (trigger or {}).get("inputs") or {}
    if len(inputs) > MOST_INPUTS:
        raise refuse(
            422, f"you may only define up to {MOST_INPUTS} `inputs` for a `workflow_dispatch` event", call.docs
        )
    if strange := [name for name in inputs if name not in known]:
        raise refuse(422, f"Unexpected inputs provided: {strange}".replace("'", '"'), call.docs)
    for name, about in known.items():
        if (about or {}).get("required") and not inputs.get(name) and "default" not in about:
            raise refuse(422, f"Required input '{name}' not provided", call.docs)


def _start(call: Call, workflow: Mapping[str, Any], inputs: Mapping[str, Any], title: str, **more: Any) -> WorkflowRun:
    """Its title is the workflow's `run-name`, in which only inputs and payloads are filled in."""
    named = _FIELD.sub(lambda found: str(inputs.get(found[1], "")), str(workflow.get("run-name") or "")) or title
    who, at = call.state.person(call.token.login), call.state.now()
    run = WorkflowRun(id=call.state.next_id(), title=named, inputs=dict(inputs), actor=who, created_at=at, **more)
    call.state.add_run(call.repo.full_name, run)
    return run


def _workflows(repo: Repository, ref: str = "") -> dict[str, dict[str, Any]]:
    """Read the workflows at a ref; `on` becomes a mapping in each."""
    found = {}
    for path, content in (repo.files(ref) or {}).items():
        if path.startswith(FOLDER):
            data = YAML(typ="safe", pure=True).load(content.decode()) or {}
            found[path.removeprefix(FOLDER)] = {**data, "on": _as_mapping(data.get("on"))}
    return found


def _as_mapping(trigger: Any) -> dict[str, Any]:
    if isinstance(trigger, dict):
        return trigger
    return dict.fromkeys([trigger] if isinstance(trigger, str) else trigger or ())


def _addresses(call: Call, run: WorkflowRun) -> tuple[str, str]:
    place = f"{call.repo.full_name}/actions/runs/{run.id}"
    return f"{call.state.api}/repos/{place}", f"{call.state.url}/{place}"


REPO = "/repos/{owner}/{name}"
ACTIONS = REPO + "/actions"
TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    ("POST", REPO + "/dispatches", dispatch, "repos/repos#create-a-repository-dispatch-event"),
    (
        "POST",
        ACTIONS + "/workflows/{workflow}/dispatches",
        dispatch_workflow,
        "actions/workflows#create-a-workflow-dispatch-event",
    ),
    (
        "GET",
        ACTIONS + "/workflows/{workflow}/runs",
        list_runs,
        "actions/workflow-runs#list-workflow-runs-for-a-workflow",
    ),
    ("GET", ACTIONS + "/runs", list_runs, "actions/workflow-runs#list-workflow-runs-for-a-repository"),
    ("GET", ACTIONS + "/runs/{id:int}", get_run, "actions/workflow-runs#get-a-workflow-run"),
)
