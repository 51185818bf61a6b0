"""The image and the engines that `make e2e` has made ready; each test here is marked e2e."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from sandbox.act import Act
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mattermod_action.adapters.database_url import Database
    from sandbox import Sandbox

IMAGE = "mattermod-action"
FLAGS = """
--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars --no-proxy-server
--disable-background-networking --disable-component-update --disable-sync
""".split()
LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


def docker(*arguments: str | Path) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Container:
    """Runs the image as the runner does: inputs in the environment, the event file mounted."""

    variables: Mapping[str, str]
    network: str = "host"

    def start(self, name: str, event: Path, *more: str) -> subprocess.Popen[str]:
        variables = {**self.variables, "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": "/github/event.json"}
        given = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
        mount = ["--volume", f"{event}:/github/event.json:ro", "--network", self.network]
        return subprocess.Popen(
            ["docker", "run", *mount, *given, *more, IMAGE],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def container(github: Sandbox) -> Container:
    return Container({**github.variables, "INPUT_GITHUB-TOKEN": github.token})


@pytest.fixture
def act(github: Sandbox, database: Database, tmp_path: Path) -> Callable[[str], Act]:
    """An example workflow under act, with the sandbox's GitHub and a MariaDB."""
    secrets = {
        "GITHUB_TOKEN": github.token,
        "MATTERMOD_DATABASE_URL": servers.url(database),
        "MATTERMOD_MIGRATE_DATABASE_URL": servers.url(database),
    }
    return lambda workflow: Act(tmp_path / workflow, github.variables, secrets, workflow=workflow)


@pytest.fixture(scope="session")
def mysql9_root() -> Path:
    """Oracle's own server, from Debian's archive, unpacked into a folder."""
    root = Path(".cache/mysql9").resolve()
    if not (root / "usr/sbin/mysqld").exists():
        shutil.rmtree(root, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", "--include=mysql-server-core", "sid", str(root)]
        subprocess.run(command, check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):  # left to itself, selenium would fetch some
        raise RuntimeError("no Chromium here: run scripts/ensure-chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, LOOPBACK_ONLY, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    started = webdriver.Chrome(options, Service(chromedriver))
    yield started
    started.quit()
