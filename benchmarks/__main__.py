"""`make bench [ONLY=name]`: run the benchmarks, print their figures, write them down."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

NAMES = ("cold-start", "sandbox-scale", "store")
LATEST = Path(__file__).parent / "results/latest.json"
console = Console(width=110)


def main(only: list[str]) -> int:
    """Run those asked for, all when none is."""
    if unknown := set(only) - set(NAMES):
        console.print(f"no benchmark {', '.join(sorted(unknown))}: give one of {', '.join(NAMES)}", style="red")
        return 2
    results: dict[str, Any] = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    for name in only or NAMES:
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        results[name] = {**module.run(), "python": platform.python_version(), "machine": platform.machine()}
        _show(name, results[name])
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"written to {LATEST.relative_to(Path.cwd())}")
    return 0


def _show(name: str, figures: dict[str, Any]) -> None:
    table = Table("what", "figure", title=name, title_justify="left")
    for key, value in _flat(figures):
        table.add_row(key, json.dumps(value))
    console.print(table)


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(name, value)]
    return [row for key, inner in value.items() for row in _flat(inner, f"{name}: {key}" if name else key)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
