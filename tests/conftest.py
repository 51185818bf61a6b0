"""Real servers for everybody: a GitHub in the sandbox, a MariaDB, and the bot that talks to both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import servers
from tests.harness import Bot
from tests.sandbox.openapi import checked
from tests.signatures import Signatures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sandbox
    from mattermod_action.adapters.database_url import Database


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.server(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture
def database(mysql_server: servers.Server) -> Database:
    """A database with our tables."""
    return mysql_server.migrated()


@pytest.fixture
def github() -> Iterator[sandbox.Sandbox]:
    with checked() as running:
        yield running


@pytest.fixture
def signatures() -> Iterator[Signatures]:
    with Signatures().served() as running:
        yield running


@pytest.fixture(params=["sqlite", "mysql"])
def bot(request: pytest.FixtureRequest, github: sandbox.Sandbox, tmp_path: Path) -> Bot:
    """The bot on each of the two stores."""
    made = Bot(github.url, github.token, tmp_path)
    if request.param == "mysql":
        made.database_url = servers.url(request.getfixturevalue("database"))
    return made
