"""The pages, action.yml and the code say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mattermod_action import inputs, setup_script
from mattermod_action.config import load
from mattermod_action.features import FEATURES
from mattermod_action.report import Report
from mattermod_action.servers import NEXT
from scripts import docs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SERVERS = (ROOT / "docs/spinmint.md").read_text()
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
ACTION: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text())
SOURCE = (ROOT / "mattermod_action/inputs.py").read_text()


@pytest.mark.parametrize("path", docs.render(), ids=lambda path: path.name)
def test_make_docs_has_nothing_left_to_write(path: Path) -> None:
    assert path.read_text() == docs.render()[path]


def test_each_input_is_read_and_each_that_is_read_is_an_input() -> None:
    read = set(re.findall(r'_(?:input|choice)\(env, "([\w-]+)"\)', SOURCE))
    assert read == set(ACTION["inputs"])


def test_defaults_are_those_of_the_code() -> None:
    """A run without any input is a run with all the defaults of action.yml."""
    given = {f"INPUT_{name.upper()}": str(data.get("default", "")) for name, data in ACTION["inputs"].items()}
    given["INPUT_GITHUB-TOKEN"] = ""  # the runner fills it in
    assert inputs.read(given) == inputs.read({})


def test_outputs_that_are_set_are_those_not_marked_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    Report().finish()
    written = set(re.findall(r"^([\w-]+)<<", (tmp_path / "output").read_text(), re.MULTILINE))
    promised = {
        name for name, data in ACTION["outputs"].items() if "Not set by this version" not in data["description"]
    }
    assert written == promised


def test_each_configuration_on_a_page_is_right() -> None:
    snippets = [text for page in PAGES for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    configurations = [text for text in snippets if "\njobs:" not in text]
    assert len(configurations) >= 1 + len(FEATURES)
    for text in configurations:
        load(text, "c.yml")


def test_each_setup_script_on_a_page_is_right() -> None:
    scripts = [text for page in PAGES for text in re.findall(r"```sh\n(#!.*?)```", page.read_text(), re.DOTALL)]
    assert len(scripts) == 2  # with words of the original's, and with variables
    for text in scripts:
        setup_script.check(text, "setup.sh")


def test_the_page_on_test_servers_explains_each_state() -> None:
    [table] = re.findall(r"\n\| state \|.*?\n\n", SERVERS, re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*NEXT]


@pytest.mark.parametrize("example", ["spinmint.yml", "spinmint-expiry.yml"])
def test_the_page_on_test_servers_names_what_the_workflows_read(example: str) -> None:
    text = (ROOT / "workflows-examples" / example).read_text()
    read = {*re.findall(r"(?:secrets|vars)\.(\w+)", text), *re.findall(r"environment: \{name: ([\w-]+),", text)}
    assert "mattermod-spinmint" in read
    assert {name for name in read if f"`{name}`" not in SERVERS} == set()


def test_each_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sandbox/README.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_each_make_target_on_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        named = {
            word for line in re.findall(r"^make ([^#\n]+)", page.read_text(), re.MULTILINE) for word in line.split()
        }
        assert {word for word in named if "=" not in word} <= targets


def test_each_module_has_its_reason_on_a_page() -> None:
    pages = [ROOT / "CONTRIBUTING.md", *(ROOT / "docs/decisions").glob("*.md")]
    said = " ".join(page.read_text() for page in pages)
    modules = [*(ROOT / "mattermod_action").glob("[a-z]*.py"), *(ROOT / "mattermod_action/adapters").glob("[a-z]*.py")]
    assert [path.name for path in modules if path.name not in said] == []


def test_the_glossary_is_in_order() -> None:
    terms = re.findall(r"^\| ([a-z][a-z ]+) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)[1:]
    assert terms == sorted(terms)


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "4", "130, 143"])
def test_each_exit_code_is_explained(code: str) -> None:
    assert f"\n| {code} |" in README


def test_the_readme_names_every_permission_with_a_reason() -> None:
    workflow = re.search(r"```yaml\nname: mattermod\n(.*?)```", README, re.DOTALL)
    assert workflow
    permissions = re.findall(r"^ {6}([\w-]+): (read|write)  # (\S.*)$", workflow[1], re.MULTILINE)
    assert [name for name, _, _ in permissions] == ["contents", "issues", "pull-requests"]


def test_help_is_short() -> None:
    ran = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "make demo" in ran.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "mattermod_action", "--help"], check=True, capture_output=True, text=True
    )
    for command in ("run", "plan", "check-config", "features", "migrate"):
        assert command in shown.stdout
