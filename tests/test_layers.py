"""Imports point one way, and what is heavy stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mattermod_action"
HEAVY = {"github", "boto3", "botocore", "jenkins", "pymysql", "yoyo", "requests"}
NEVER = {
    "ports": {"adapters", "world", "features", "ledger", "bot", "config"},
    "spinmints": {"adapters", "world", "features", "ledger", "bot", "config"},
    "adapters": {"world", "features", "ledger", "bot", "config", "job", "report"},
    "source": {"config", "legacy"},
    "legacy": {"config"},
    "features": {"adapters", "ledger", "bot", "job", "world", "report", "inputs"},
    "effects": {"adapters", "world", "ledger", "config"},
    "events": {"adapters", "world", "effects", "ledger", "config"},
    "ledger": {"adapters", "features", "bot", "config"},
    "bot": {"adapters"},
}


def modules() -> list[tuple[str, Path]]:
    return [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in sorted(PACKAGE.rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Names of modules imported at run time, those under TYPE_CHECKING left out."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo += node.orelse
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        else:
            todo += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize(("layer", "path"), modules(), ids=lambda value: str(value).rpartition("mattermod_action/")[2])
def test_imports_point_one_way(layer: str, path: Path) -> None:
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("mattermod_action.")}
    assert not ours & NEVER.get(layer, set())


@pytest.mark.parametrize(("layer", "path"), modules(), ids=lambda value: str(value).rpartition("mattermod_action/")[2])
def test_only_adapters_import_libraries_of_the_outside(layer: str, path: Path) -> None:
    assert layer == "adapters" or not {name.split(".")[0] for name in imported(path)} & HEAVY


def test_deciding_that_an_event_is_not_ours_imports_nothing_heavy() -> None:
    code = "import sys, mattermod_action.job; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & (HEAVY | {"pydantic", "ruamel.yaml", "click", "http.client", "ssl", "sqlite3"})
    assert not loaded & {"mattermod_action.config", "mattermod_action.bot", "mattermod_action.world"}
