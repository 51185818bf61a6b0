"""docs/performance.md: what the benchmarks measured, each figure with its command. `make bench` writes it.

Lines of benchmarks that were not run this time stay as they are, so that the page is kept and the results need not be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PAGE = Path(__file__).parents[1] / "docs/performance.md"
MARKED = re.compile(r"(<!-- results: written by `make bench` -->\n).*?(<!-- end of results -->)", re.DOTALL)
HEAD = "| what | goal | measured | on | command |\n| --- | --- | --- | --- | --- |\n"
ROW = re.compile(r"^\| .* \| `make bench ONLY=([a-z-]+)` \|$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """`goal` is "" where nothing is asked of it."""

    what: str
    goal: str
    measured: str


def written(page: str, results: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the page with these results; `names` are all benchmarks, in their order."""
    kept: dict[str, list[str]] = {}
    for row in ROW.finditer(page):
        kept.setdefault(row[1], []).append(row[0])
    made = {name: [_row(line, name, figures) for line in lines(figures)] for name, figures in results.items()}
    rows = "".join(f"{row}\n" for name in names for row in made.get(name, kept.get(name, ())))
    page, count = MARKED.subn(lambda found: f"{found[1]}{HEAD}{rows}{found[2]}", page)
    if count != 1:
        raise SystemExit(f"{PAGE.name} has {count} places for results")
    return page


def _row(line: Line, name: str, figures: Mapping[str, Any]) -> str:
    where = f"Python {figures['python']}, {figures['machine']}, {figures['cores']} cores"
    cells = (line.what, line.goal, line.measured, where, f"`make bench ONLY={name}`")
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def lines(figures: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what is told of a benchmark's figures, by the forms in which they come."""
    for title, row in figures.get("goals", {}).items():
        yield Line(title, _most(row["at most"]), row["measured"])
    for title, row in figures.get("calls", {}).items():
        yield Line(f"{title}: calls", _agreed(row), _calls(row))
    yield from _starts(figures)
    yield from _store(figures)


def _most(goal: Any) -> str:
    """Nothing is less than none."""
    if goal in ("", None):
        return ""
    return "0" if str(goal) == "0" else f"≤ {goal}"


def _agreed(row: Mapping[str, Any]) -> str:
    """Without a shared database a run looks once more at what it has posted."""
    looks = row.get("looks", 0)
    return _most(row["budget"]) + (f", {row['budget'] + looks} without" if looks else "")


def _calls(row: Mapping[str, Any]) -> str:
    if "AWS" in row:
        return f"{row['GitHub']} of GitHub's and {row['AWS']} of AWS's"
    return f"{row['MySQL']} with MySQL, {row['embedded']} without"


def _starts(figures: Mapping[str, Any]) -> Iterator[Line]:
    for title, row in figures.get("starts", {}).items():
        yield Line(f"{title}: times `python -c pass`", _most(row["budget_x_pass"]), str(row["x_pass"]))
    if "five_writes" in figures:
        row = figures["five_writes"]
        yield Line("five messages: times `http.client`", _most(row["budget"]), str(row["ratio"]))
    if isinstance(image := figures.get("image"), dict):
        yield Line("image: layers of ours", _most(image["budget_layers"]), str(image["layers"]))
        yield Line("image: compressed MB of ours", _most(image["budget_megabytes"]), str(image["megabytes"]))
    if "docker" in figures:
        row = figures["docker"]
        yield Line("ignored event in the image: times `true`", _most(row["budget"]), str(row["ratio"]))


def _store(figures: Mapping[str, Any]) -> Iterator[Line]:
    for title, row in figures.get("statements", {}).items():
        yield Line(f"{title}: statements", _most(row["goal"]), str(row["statements"]))
    for load, ways in figures.items():
        for title, row in ways.items() if isinstance(ways, dict) else ():
            if isinstance(row, dict) and "ratio" in row:
                goal = f"≥ {row['goal']}" if "goal" in row else ""
                yield Line(f"{load}: {title}, times", goal, str(row["ratio"]))
    if "races for one key" in figures:
        row = figures["races for one key"]
        winners = ", ".join(map(str, row["winners of each"]))
        yield Line(f"races of {row['racers']} for one key: winners of each", ", ".join(map(str, row["goal"])), winners)
