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
    return {
        README: readme,
        SERVERS: servers,
        OPERATING: operating,
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


def _features() -> str:
    rows = [f"| [`{name}`](docs/features/{name}.md) | {_doc(name).splitlines()[0].rstrip('.')} |" for name in FEATURES]
    return "\n".join(["| section | what it does |", "| --- | --- |", *rows])


def _doc(name: str) -> str:
    return (importlib.import_module(f"mattermod_action.features.{name}").__doc__ or "").strip()


def _inputs(inputs: dict[str, Any]) -> str:
    rows = [f"| `{name}` | {_default(data)} | {_text(data)} |" for name, data in inputs.items()]
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
