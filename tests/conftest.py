"""Real servers for everybody: a GitHub in the sandbox, a MariaDB, and the bot that talks to both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.variants import GITHUB_COM, VARIANTS
from tests import servers
from tests.harness import Bot
from tests.sandbox.openapi import checked
from tests.signatures import Signatures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sandbox
    from mattermod_action.adapters.database_url import Database

OLDEST = "ghes-3.17"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a module says of `one_store` is shown on MySQL, and on the embedded store by `make soak`.

    On other GitHubs than github.com `make test` shows the tests that `everywhere` names, on the oldest server.
    What is `long` begins first, so that nothing is waited for at the end.
    """
    for item in items:
        if _is_elsewhere(item):
            item.add_marker(pytest.mark.soak)
        chosen = any("bot" in mark.args[0] for mark in item.iter_markers("parametrize"))
        if item.get_closest_marker("one_store") and not chosen and "[sqlite" in item.name:
            item.add_marker(pytest.mark.soak)
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def _is_elsewhere(item: pytest.Item) -> bool:
    variant, mark = getattr(item, "callspec", None), item.get_closest_marker("everywhere")
    chosen = variant.params.get("variant", GITHUB_COM) if variant else GITHUB_COM
    shown = chosen == OLDEST and mark and any(item.name.startswith(name) for name in mark.args)
    return bool(chosen != GITHUB_COM and not shown)


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.server(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture
def database(mysql_server: servers.Server) -> Database:
    """A database with our tables."""
    return mysql_server.migrated()


@pytest.hookimpl(trylast=True)  # so that it stands last among a test's parameters
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a module says of `everywhere` is shown on every kind of GitHub; github.com's does not stand in the names."""
    mark = metafunc.definition.get_closest_marker("everywhere")
    if mark and "variant" in metafunc.fixturenames:
        others = [pytest.param(name, id=name) for name in VARIANTS if name != GITHUB_COM]
        metafunc.parametrize("variant", [pytest.param(GITHUB_COM, id=pytest.HIDDEN_PARAM), *others], indirect=True)


@pytest.fixture(scope="module")
def variant(request: pytest.FixtureRequest) -> str:
    """Which kind of GitHub the sandbox is."""
    return str(getattr(request, "param", GITHUB_COM))


@pytest.fixture
def github(variant: str) -> Iterator[sandbox.Sandbox]:
    with checked(variant=variant) as running:
        yield running


@pytest.fixture
def signatures() -> Iterator[Signatures]:
    with Signatures().served() as running:
        yield running


@pytest.fixture(params=["sqlite", "mysql"])
def bot(request: pytest.FixtureRequest, github: sandbox.Sandbox, tmp_path: Path) -> Bot:
    """The bot on each of the two stores."""
    made = Bot.of(github, tmp_path)
    if request.param == "mysql":
        made.database_url = servers.url(request.getfixturevalue("database"))
    return made
