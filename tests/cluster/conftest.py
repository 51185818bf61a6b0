"""One cluster for all tests of this folder; each is marked `cluster`, and leaves three nodes in step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import servers
from tests.cluster import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mattermod_action.adapters.database_url import Database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")


@pytest.fixture(scope="session")
def cluster() -> Iterator[nodes.Cluster]:
    with nodes.cluster() as running:
        yield running


@pytest.fixture
def databases(cluster: nodes.Cluster) -> list[Database]:
    """A database with our tables, as each node names it."""
    made = cluster.new_database()
    servers.migrator(made[0]).up()
    return made
