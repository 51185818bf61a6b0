"""The page in a real browser: a person labels, comments and merges, the bot answers; README's picture is taken."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from jenkins import Jenkins
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from sandbox import deliveries
from sandbox.everything import serve_all
from sandbox.jenkins import API_TOKEN, USER
from sandbox.records import Pull
from tests.e2e.pictures import png_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from sandbox import Sandbox
    from sandbox.everything import Everything
    from sandbox.records import Comment

PICTURE = Path(__file__).parents[2] / "docs/sandbox.png"
WANTED = os.environ.get("PICTURES")  # the folder where `make picture` wants them
DESK, PHONE = (1100, 800), (390, 844)
DEV = "2: Dev Review"
ANSWER = "Thanks @newcomer, a developer will look at this within two days."
WIDE = f"No `{'wide' * 40}` and no {'wide' * 40}\n\n```\n{'wide ' * 40}\n```\n\n|{'a wide head|' * 9}\n{'|--' * 9}|\n"


class Browser:
    """A window on one sandbox; what a person sees is asked of it in CSS selectors."""

    def __init__(self, driver: Chrome, github: Sandbox) -> None:
        self.driver, self.github = driver, github

    def open(self, path: str = "", size: tuple[int, int] = DESK) -> None:
        """Open a page of the sandbox, the pull request's when none is named, in a window of this size."""
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.get(self.github.url + (path or f"/{self.github.repository}/pull/{self.github.pull}"))

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [found.text for found in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def type(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def script(self, text: str, *arguments: str) -> Any:
        return self.driver.execute_script(text, *arguments)

    def click(self, selector: str) -> None:
        """Click on what leads to another page, and wait for that: after a form the bot's answer stands on it."""
        self.script("window.left = true")
        self.one(selector).click()
        WebDriverWait(self.driver, 30).until(
            lambda _: self.script("return !window.left && document.readyState == 'complete'")
        )

    def press(self, name: str, *, within: str = "main") -> None:
        """Press the button that does `name`."""
        self.click(f"{within} button[value={name}]")

    def label(self, name: str) -> None:
        self.type("aside input[list=labels]", name)
        self.press("label")

    def say(self, text: str, by: str) -> None:
        self.type(".write input[name=by]", by)
        self.type(".write textarea", text)
        self.press("comment")

    def measure(self, selector: str) -> dict[str, Any]:
        return dict(
            self.script("return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector)
        )

    def asked_for(self) -> set[str]:
        """Return the addresses of all that was loaded since this was last asked."""
        logged = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return {each["params"]["request"]["url"] for each in logged if each["method"] == "Network.requestWillBeSent"}


@pytest.fixture
def running() -> Iterator[Everything]:
    """The sandbox with the bot attached, as `make demo KEEP=1` leaves it; without AWS, which starts slowly."""
    with serve_all(aws=False) as everything:
        deliveries.attach(everything.github.state, everything.environment)
        yield everything


@pytest.fixture
def browser(driver: Chrome, running: Everything) -> Iterator[Browser]:
    """Whatever a test does, nothing is loaded from anywhere but the sandbox (chrome: is inside the browser)."""
    driver.get("about:blank")
    made = Browser(driver, running.github)
    made.asked_for()
    yield made
    origins = {urlsplit(address)[:2] for address in made.asked_for()}
    assert {origin for origin in origins if origin[0] != "chrome"} == {("http", running.github.url.partition("//")[2])}


def pull(github: Sandbox) -> Pull:
    found = github.state.item(github.repository, github.pull)
    assert isinstance(found, Pull)
    return found


def author(comment: Comment) -> str:
    return comment.author.login if comment.author else ""


def test_a_label_is_answered_in_the_conversation(browser: Browser) -> None:
    browser.open()
    assert browser.texts("article.bot") == []
    browser.label(DEV)
    assert browser.texts("aside .pill span") == [DEV]
    assert browser.texts("article.bot p") == [ANSWER]  # the marker, an HTML comment, is not seen
    assert browser.texts("article.bot p b") == ["@newcomer"]
    assert browser.texts("article.bot .badge") == ["bot"]
    assert browser.texts(".run summary") == ["mattermod ran on pull_request labeled: exit code 0"]
    assert [author(comment) for comment in pull(browser.github).comments] == ["github-actions[bot]"]


def test_from_a_label_to_the_merge(browser: Browser) -> None:
    browser.open()
    browser.label(DEV)
    browser.say("**Hei** is right, see #5.", "reviewer")
    assert browser.texts("article:last-of-type strong, article:last-of-type a") == ["Hei", "#5"]
    browser.press("unlabel", within=".pill")
    assert browser.texts("aside .pill") == []
    browser.press("merge")
    assert browser.texts("header .merged") == ["merged"]
    assert browser.texts(".end button") == []
    held = pull(browser.github)
    assert (held.state, held.labels, bool(held.merged_at)) == ("closed", [], True)
    assert [author(comment) for comment in held.comments] == ["github-actions[bot]", "reviewer"]
    assert [run["code"] for run in browser.github.state.runs] == [0] * 4


def test_closed_and_opened_again(browser: Browser) -> None:
    browser.open()
    browser.press("close")
    assert browser.texts(".end button") == ["Reopen"]
    browser.press("reopen")
    assert browser.texts(".end button") == ["Merge", "Close"]
    assert pull(browser.github).state == "open"


def test_what_cannot_be_done_leads_back(browser: Browser) -> None:
    browser.open()
    browser.script("document.querySelector('button[value=merge]').value = 'explode'")
    browser.press("explode")
    assert browser.texts("h1") == ["Not done"]
    browser.click("main a")
    assert browser.texts("h1") == ["Say hello in Finnish #7"]


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser) -> None:
    github = browser.github
    browser.open()
    browser.label(DEV)
    github.state.add_comment(github.repository, github.pull, "reviewer", WIDE)
    for path in ("/", "/servers", "/writes", ""):
        browser.open(path, PHONE)
        width = "return [document.documentElement.scrollWidth, innerWidth]"
        assert browser.script(width) == [PHONE[0], PHONE[0]], path
    bot, labels = browser.measure("article.bot"), browser.measure("aside")
    assert (bot["left"] >= 0, bot["width"] > 340, bot["right"] <= PHONE[0]) == (True, True, True)
    assert bot["bottom"] < labels["top"]  # the conversation comes first
    assert browser.one("article.bot p").value_of_css_property("font-size") == "16px"


def test_servers_and_writes(browser: Browser, running: Everything) -> None:
    Jenkins(running.jenkins.url, USER, API_TOKEN).build_job("hello/PR-7")
    requests.post(running.chat.webhook, json={"text": "A server is up"}, timeout=10)
    browser.open()
    browser.label(DEV)
    browser.click("nav a[href='/servers']")
    assert browser.texts("h1") == ["Builds", "Chat"]
    assert "A server is up" in browser.texts("td")
    browser.click("nav a[href='/writes']")
    first, *_ = browser.texts("tr:nth-child(2)")
    assert first == "POST /repos/octo-org/hello/issues/7/comments github-token 201 comment #7"


def test_the_readme_shows_this_page(browser: Browser) -> None:
    """`make picture` takes it anew; otherwise the one that is there has to be of the size that is taken."""
    browser.open()
    browser.label(DEV)
    browser.say("I speak Finnish: **hei** is right. This closes #5.", "reviewer")
    browser.one("h1").click()  # nothing has the focus
    taken = browser.driver.get_screenshot_as_png()
    assert png_size(taken) == DESK
    if WANTED:
        (Path(WANTED) / PICTURE.name).write_bytes(taken)
    assert png_size(PICTURE.read_bytes()) == DESK
    assert PICTURE.stat().st_size < 150_000
