"""The step summary of a real run in a real browser, much as GitHub shows it; README's picture is taken."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from selenium.webdriver.common.by import By

from benchmarks.everything import Trial, signatures, switch_on
from mattermod_action.features import FEATURES
from tests.e2e.pictures import png_size
from tests.sandbox.openapi import checked

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PICTURE = Path(__file__).parents[2] / "docs/summary.png"
WANTED = os.environ.get("PICTURES")  # the folder where `make picture` wants them
WIDTH = 860
STYLE = """
body { margin: 0; padding: 24px; font: 14px/1.5 sans-serif; color: #1f2328; background: #fff; }
h3 { margin: 0 0 12px; font-size: 18px; }
p, summary { margin: 12px 0; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #d1d9e0; padding: 6px 12px; text-align: left; }
tr:nth-child(even) td { background: #f6f8fa; }
code { padding: 2px 6px; border-radius: 6px; background: #eff1f3; font: 12px monospace; }
a { color: #0969da; }
"""


@pytest.fixture
def summary(tmp_path: Path) -> str:
    """Of a pull request that an outsider opens with a label, with every feature switched on."""
    with checked() as github, signatures(tmp_path / "signed") as url:
        switch_on(github, url)
        trial = Trial(github, tmp_path)
        ended = trial.run(trial.opened("newcomer", ("2: Dev Review", "Do Not Merge")))
        assert ended.code == 0, ended.log
        return trial.summary


def test_the_readme_shows_a_step_summary(driver: Chrome, summary: str) -> None:
    """Each feature is told of, in the table or below it; `make picture` takes the picture anew."""
    page = MarkdownIt("commonmark").enable("table").render(summary.replace("<details>", "<details open>"))
    html = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{page}"
    _resize(driver, 600)
    driver.get(f"data:text/html;base64,{base64.b64encode(html.encode()).decode()}")
    shown = driver.find_element(By.TAG_NAME, "body").text
    assert [
        name for name in FEATURES if name not in shown and name != "hacktoberfest"
    ] == []  # whose label greeter adds
    assert "set status merge/blocked, pending" in [cell.text for cell in driver.find_elements(By.TAG_NAME, "td")]
    assert driver.find_elements(By.CSS_SELECTOR, "img, script") == []
    _resize(driver, height := driver.execute_script("return document.documentElement.offsetHeight"))
    taken = driver.get_screenshot_as_png()
    if WANTED:
        (Path(WANTED) / PICTURE.name).write_bytes(taken)
    assert png_size(taken) == (WIDTH, height)
    assert png_size(PICTURE.read_bytes())[0] == WIDTH
    assert PICTURE.stat().st_size < 100_000


def _resize(driver: Chrome, height: int) -> None:
    screen = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
