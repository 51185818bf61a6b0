"""`make bench [ONLY=name]`: run the benchmarks, print their figures, write them down, and onto docs/performance.md."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import page

NAMES = ("cherry-pick", "cold-start", "events", "sandbox-scale", "spinmint", "store", "sweep")
LATEST = Path(__file__).parent / "results/latest.json"
ROWS = {"calls": "event", "ways": "way", "sweeps": "sweep", "goals": "goal"}  # which figures are rows, and of what
console = Console(width=110)


def main(only: list[str]) -> int:
    """Run those asked for, all when none is."""
    if unknown := set(only) - set(NAMES):
        console.print(f"no benchmark {', '.join(sorted(unknown))}: give one of {', '.join(NAMES)}", style="red")
        return 2
    results: dict[str, Any] = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    for name in only or NAMES:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        results[name] = {**module.run(), **_here()}
        _show(name, results[name])
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(results, indent=2) + "\n")
    new = {name: results[name] for name in only or NAMES}
    page.PAGE.write_text(page.written(page.PAGE.read_text(), new, NAMES))
    console.print(f"written to {LATEST.relative_to(Path.cwd())} and {page.PAGE.relative_to(Path.cwd())}")
    problems = [problem for name in only or NAMES for problem in results[name].get("problems", ())]
    for problem in problems:
        console.print(problem, style="red", markup=False)
    return 1 if problems else 0


def _here() -> dict[str, Any]:
    return {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}


def _show(name: str, figures: dict[str, Any]) -> None:
    """What has rows gets columns of its own."""
    for rows, of_what in ROWS.items():
        if rows in figures:
            _columns(f"{name}: {rows}", of_what, figures[rows])
    table = Table("what", "figure", title=name, title_justify="left")
    for key, value in _flat({key: figures[key] for key in figures if key not in ROWS}):
        table.add_row(key, json.dumps(value))
    console.print(table)


def _columns(title: str, of_what: str, rows: dict[str, dict[str, Any]]) -> None:
    table = Table(of_what, *next(iter(rows.values())), title=title, title_justify="left")
    for name, row in rows.items():
        table.add_row(name, *map(_cell, row.values()))
    console.print(table)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "-" if value is None else json.dumps(value)


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(name, value)]
    return [row for key, inner in value.items() for row in _flat(inner, f"{name}: {key}" if name else key)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
