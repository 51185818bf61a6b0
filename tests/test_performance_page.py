"""docs/performance.md: each figure has its command beside it, and what is run again takes the place of its lines."""

from __future__ import annotations

import re

import pytest
from graphql import parse

from benchmarks import page
from benchmarks.__main__ import NAMES
from benchmarks.sweep import original
from mattermod_action.adapters import candidates, census
from mattermod_action.adapters.github_pages import FIRST, LABELED, PAGE
from sandbox import cost

TEXT = page.PAGE.read_text()
HERE = {"python": "3.11.7", "machine": "x86_64", "cores": 2}
GOALS = {"requests": {"at most": "9", "measured": "7", "held": "yes"}}
CALLS = {
    "opened": {"embedded": 3, "MySQL": 2, "budget": 4, "looks": 1},
    "launched": {"GitHub": 8, "AWS": 7, "budget": None},
}
STORE = {
    "statements": {"nothing to do": {"statements": 0, "goal": 0}},
    "hot row": {"ours": {"writes per second": 9}, "ours to theirs": {"ratio": 1.4, "goal": 1.1}},
    "races for one key": {"racers": 50, "winners of each": [1], "goal": [1]},
}
STARTS = {
    "starts": {"comment": {"x_pass": 3.1, "budget_x_pass": 6}},
    "five_writes": {"ratio": 1.2, "budget": 2},
    "image": {"layers": 3, "megabytes": 61.2, "budget_layers": 3, "budget_megabytes": 75},
    "docker": {"ratio": 1.1, "budget": 1.5},
}


def test_each_figure_has_its_command_beside_it() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|")][2:]
    assert rows
    assert [row for row in rows if not (found := page.ROW.match(row)) or found[1] not in NAMES] == []


def test_there_is_no_figure_but_in_the_table() -> None:
    assert re.findall(r"\d", page.MARKED.sub("", TEXT)) == []


def test_each_line_says_what_was_measured() -> None:
    rows = [line.split("|") for line in TEXT.splitlines() if page.ROW.match(line)]
    assert [row for row in rows if not re.search(r"\d", row[3])] == []


def test_what_was_run_takes_the_place_of_its_lines_and_the_others_stay() -> None:
    results = {name: {"goals": GOALS, **HERE} for name in ("store", "cherry-pick")}
    first = page.written(TEXT, results, NAMES)
    again = page.written(first, {"store": {**STORE, **HERE}}, NAMES)
    told = [(row[1], row[0].split("|")[1].strip()) for row in page.ROW.finditer(again)]
    mine = [each for each in told if each[0] in results]
    assert mine == [
        ("cherry-pick", "requests"),
        ("store", "nothing to do: statements"),
        ("store", "hot row: ours to theirs, times"),
        ("store", "races of 50 for one key: winners of each"),
    ]
    assert [name for name, _ in told] == sorted((name for name, _ in told), key=NAMES.index)


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"goals": GOALS}, ["≤ 9 7"]),
        ({"calls": CALLS}, ["≤ 4, 5 without 2 with MySQL, 3 without", " 8 of GitHub's and 7 of AWS's"]),
        (STORE, ["0 0", "≥ 1.1 1.4", "1 1"]),
        (STARTS, ["≤ 6 3.1", "≤ 2 1.2", "≤ 3 3", "≤ 75 61.2", "≤ 1.5 1.1"]),
        ({**STARTS, "image": "not measured"}, ["≤ 6 3.1", "≤ 2 1.2", "≤ 1.5 1.1"]),
    ],
    ids=["goals", "calls", "store", "starts", "no image"],
)
def test_each_form_of_figures_is_told(figures: dict[str, object], told: list[str]) -> None:
    assert [f"{line.goal} {line.measured}" for line in page.lines(figures)] == told


def test_the_originals_calls_are_those_of_its_rule() -> None:
    """Three pages, three calls for each of 150 pull requests, thirteen pages, and one for each of 500 issues."""
    assert original(150, 500) == 3 + 450 + 13 + 500
    assert original(0, 0) == 0


READ = {
    "a page: up to 100 open": (census.ITEMS, {"begins": True, "withPulls": True, "withIssues": True, "size": PAGE}),
    "up to 25 pull requests with the label": (candidates.LABELED, {"size": FIRST[LABELED], "each": PAGE}),
    "up to 100 repositories": (census.OWNED, {"size": PAGE}),
}


@pytest.mark.parametrize("what", READ)
def test_points_are_those_that_operating_says(what: str) -> None:
    query, variables = READ[what]
    text = (page.PAGE.parent / "operating.md").read_text()
    [said] = re.findall(rf"^\| {what}.* \| (\d+) \|$", text, re.MULTILINE)
    assert cost.of(parse(query), variables).points == int(said)


def test_a_page_without_a_place_is_a_mistake() -> None:
    with pytest.raises(SystemExit, match="0 places"):
        page.written("# Performance\n", {}, NAMES)
