"""`make docs`: write what the pages say twice, from the one place where it is kept; a test holds that none is stale.

README's inputs and outputs come from action.yml, its first workflow from workflows-examples/labels.yml, and the page of
each feature from the feature's own docstring. States and variables of test servers come from the code, and the jobs of
a day from benchmarks/day.py.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import day
from mattermod_action import setup_script
from mattermod_action.config import keys_of
from mattermod_action.features import FEATURES
from mattermod_action.servers import NEXT, REQUESTED

ROOT = Path(__file__).parent.parent
README, SERVERS, OPERATING = ROOT / "README.md", ROOT / "docs/spinmint.md", ROOT / "docs/operating.md"
PAGE = "# {title}\n\n<!-- written by `make docs` from mattermod_action/features/{name}.py -->\n\n{text}\n{keys}"
TRIGGERS = ROOT / "docs/triggers-and-tokens.yml"
OF_TRIGGERS = """# Triggers and tokens

<!-- written by `make docs` from docs/triggers-and-tokens.yml -->

Find the row of who starts the run and with which token. The fourth column says

- **yes**: the run does its work;
- **no**: the run ends with exit code 2, its log has the line that follows, and nothing was written to GitHub;
- **no run**: GitHub starts none, or not before somebody approves it.

[What each token can do](tokens.md) lists what GITHUB_TOKEN can never do, and which token can. Each row is a test
(`tests/test_triggers_and_tokens.py`).

{table}

A re-run keeps the rights, the commit and the payload of the first attempt, whoever asks for it. GITHUB_ACTOR is still
who started the first attempt; GITHUB_TRIGGERING_ACTOR is who asks. The bot looks at the item as it is now and posts
nothing twice.

Every job of the [examples](../workflows-examples) names its `permissions:`, so the default of the repository or the
organisation plays no part in them.

Sources: {sources}.
"""
KEYS = "\n| key | when it is left out |\n| --- | --- |\n{rows}"


def render() -> dict[Path, str]:
    """Return each page that is written, whole or in part."""
    action = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text())
    readme = README.read_text()
    readme = _between(readme, "inputs", _inputs(action["inputs"]))
    readme = _between(readme, "outputs", _outputs(action["outputs"]))
    readme = _between(readme, "features", _features())
    readme = _between(readme, "workflow", f"```yaml\n{(ROOT / 'workflows-examples/labels.yml').read_text()}```")
    operating = _between(OPERATING.read_text(), "jobs", day.table())
    servers = _between(SERVERS.read_text(), "states", _states())
    servers = _between(servers, "variables", _variables())
    triggers = {TRIGGERS.with_suffix(".md"): _triggers(YAML(typ="safe", pure=True).load(TRIGGERS.read_text()))}
    return {
        README: readme,
        SERVERS: servers,
        OPERATING: operating,
        **triggers,
        **{ROOT / f"docs/features/{name}.md": _page(name) for name in FEATURES},
    }


def _between(page: str, name: str, text: str) -> str:
    """Put `text` between the two comments of this name."""
    mark = f"<!-- {name}: written by `make docs` -->"
    pattern = re.compile(rf"({re.escape(mark)}\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
    page, count = pattern.subn(lambda found: f"{found[1]}{text}{found[2]}", page)
    if count != 1:
        raise SystemExit(f"a page has {count} places for {name}")
    return page


def _states() -> str:
    """A drawing of which state may follow which."""
    arrows = [f"{state} --> {each}" for state, following in NEXT.items() for each in following or ("[*]",)]
    drawn = "\n".join(f"    {arrow}" for arrow in (f"[*] --> {REQUESTED}", *arrows))
    return f"```mermaid\nstateDiagram-v2\n{drawn}\n```"


def _variables() -> str:
    """The table in the docstring of setup_script.py."""
    rows = [line for line in (setup_script.__doc__ or "").splitlines() if line.startswith("|")]
    return re.sub(r"^\| (SPINMINT_\w+)", r"| `\1`", "\n".join(rows), flags=re.MULTILINE)


def _triggers(data: dict[str, Any]) -> str:
    numbers = {name: nth for nth, name in enumerate(data["sources"], 1)}
    head = (
        "| who | event | token | does it work, and what the bot says | what to change | source |\n"
        + "| --- " * 6
        + "|\n"
    )
    rows = "".join(_case(case, numbers) for case in data["cases"])
    sources = ", ".join(f"[{nth}]({data['sources'][name]})" for name, nth in numbers.items())
    return OF_TRIGGERS.format(table=head + rows.rstrip(), sources=sources)


def _case(case: dict[str, Any], numbers: dict[str, int]) -> str:
    said = f": {case['says'].strip()}" if "says" in case else ""
    more = " ".join(filter(None, [case.get("change"), case.get("note")]))
    sources = ", ".join(str(numbers[name]) for name in case["sources"])
    cells = (case["who"], case["event"], case["token"], f"**{case['works']}**{said}", more, sources)
    return f"| {' | '.join(cells)} |\n"


def _features() -> str:
    rows = [f"| [`{name}`](docs/features/{name}.md) | {_doc(name).splitlines()[0].rstrip('.')} |" for name in FEATURES]
    return "\n".join(["| section | what it does |", "| --- | --- |", *rows])


def _doc(name: str) -> str:
    return (importlib.import_module(f"mattermod_action.features.{name}").__doc__ or "").strip()


def _linked(text: str) -> str:
    """Pages that action.yml names are links on a page."""
    return re.sub(r"docs/[\w-]+\.md", r"[\g<0>](\g<0>)", text)


def _inputs(inputs: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_default(data)} | {_linked(_text(data))} |" for name, data in inputs.items()]
    return "\n".join(["| input | default | meaning |", "| --- | --- | --- |", *rows])


def _outputs(outputs: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_text(data)} |" for name, data in outputs.items()]
    return "\n".join(["| output | meaning |", "| --- | --- |", *rows])


def _default(data: dict[str, Any]) -> str:
    return f"`{data['default']}`" if "default" in data else ""


def _text(data: dict[str, Any]) -> str:
    return str(data["description"]).strip().replace("|", "\\|")


def _page(name: str) -> str:
    return PAGE.format(title=name.replace("_", " ").capitalize(), name=name, text=_doc(name), keys=_keys(name))


def _keys(name: str) -> str:
    """What may stand in the section; none of it in some."""
    section = importlib.import_module(f"mattermod_action.features.{name}").Config
    rows = [f"| `{key}` | {f'`{default}`' if default else 'must be given'} |\n" for key, default in keys_of(section)]
    return KEYS.format(rows="".join(rows)).replace("<", "&lt;") if rows else ""


if __name__ == "__main__":
    for path, text in render().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
