"""SECURITY.md's threat table: each row names a test that there is, or says why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()
WHO = (
    "Stranger", "Author", "Triager", "Writer of this repository", "Writer of another repository",
    "Maintainer of a swept repository", "Code on a test server", "Another workflow", "Operator of the database",
    "Hostile CI or list server", "Supplier",
)  # fmt: skip
TESTS = re.compile(r"`(test_\w+)`")
REASON = "no test: "


def rows() -> list[tuple[str, ...]]:
    """The cells of the table that begins with `who`."""
    table = re.search(r"^\| who \|.*?\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table
    lines = table[1].splitlines()[1:]
    return [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]


def test_everybody_is_in_the_table() -> None:
    assert list(dict.fromkeys(row[0] for row in rows())) == list(WHO)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}: {row[1][:40]}")
def test_t00_each_cell_has_a_test_or_a_reason(row: tuple[str, ...]) -> None:
    """A test is named by the beginning of its name, which tells a whole group of them by the id of a finding."""
    assert len(row) == 4
    assert all(row)
    named = TESTS.findall(row[3])
    assert named or row[3].startswith(REASON), row[3]
    assert [name for name in named if not any(each.startswith(name) for each in defined())] == []


def defined() -> set[str]:
    """The names of all tests."""
    found = (re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE) for path in (ROOT / "tests").rglob("*.py"))
    return {name for names in found for name in names}
