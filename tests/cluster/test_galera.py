"""The stores' promises on a cluster in which every node takes writes, while nodes die and are cut off.

What a node reads may be behind; what it writes is certified by all, so a claim or a lease that another node gave away a
moment ago fails there (1213) and is tried again on what is true by then. So reading late costs a try, and no more.
GET_LOCK is known to one node only, which is why `migrate` has its lease in a table.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mattermod_action.adapters.mysql import MySQLStore
from mattermod_action.errors import Down
from mattermod_action.ports import SCHEMA
from mattermod_action.world import RealClock
from tests import servers
from tests.cluster.nodes import CAUSAL, SIZE, wait_for
from tests.stores.contract import PULL, StoreContract, newer, race, wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mattermod_action.adapters.database_url import Database
    from mattermod_action.ports import Clock, Store
    from tests.cluster.nodes import Cluster, Node

FORK = multiprocessing.get_context("fork")
PROCESSES = 9
KEYS = 400  # claimed by each process while a node is lost
TAKEN = 200  # how often the lease is taken by all together
ALL = list(range(1, SCHEMA + 1))


@dataclass
class Alternating:
    """Connects to the next node each time. The contract reads what another connection wrote, so it reads causally."""

    databases: list[Database]
    turn: int = 0

    def __call__(self, clock: Clock) -> Store:
        self.turn += 1
        store = MySQLStore(self.databases[(os.getpid() + self.turn) % SIZE], clock)
        store.execute(CAUSAL, {})
        return store


class TestGalera(StoreContract):
    @pytest.fixture
    def open_store(self, databases: list[Database]) -> Callable[[Clock], Store]:
        return Alternating(databases)


def test_it_is_a_cluster_of_three(cluster: Cluster) -> None:
    assert [node.ask("SHOW STATUS LIKE 'wsrep_cluster_size'") for node in cluster.nodes] == [
        [("wsrep_cluster_size", str(SIZE))]
    ] * SIZE


@pytest.fixture(params=[1, 0], ids=["tried-again-by-the-server", "by-us"])
def tries(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[None]:
    """How often a server tries a statement again itself that lost; 1 is its default."""
    for node in cluster.nodes:
        node.ask(f"SET GLOBAL wsrep_retry_autocommit = {request.param}")
    yield
    for node in cluster.nodes:
        node.ask("SET GLOBAL wsrep_retry_autocommit = DEFAULT")


@pytest.mark.usefixtures("tries")
def test_r12_processes_on_three_nodes_win_each_key_once(databases: list[Database]) -> None:
    """R-12: at the servers' default of reading what is there, not what is newest."""
    with FORK.Pool(PROCESSES) as pool:
        given = [(partial(MySQLStore, databases[seed % SIZE]), seed) for seed in range(PROCESSES)]
        wins = [key for won in pool.starmap(race, given) for key in won]
    assert sorted(wins) == sorted(wish(str(label)).key for label in range(len(wins)))
    assert wins


def _take(database: Database, owner: str) -> list[int]:
    """Take and give back until it was taken often enough; return the fences that were ours."""
    store, mine, fence = MySQLStore(database, RealClock()), [], 0
    while fence < TAKEN:
        taken = store.take_lease("raced", owner, 30.0)
        if taken.fence is not None:
            mine.append(fence := taken.fence)
            store.end_lease("raced", owner, fence)
        else:
            fence = _fence(store)
    store.close()
    return mine


def _fence(store: MySQLStore) -> int:
    _, rows = store.execute("SELECT MAX(fence) FROM mm_leases", {})
    return int(rows[0][0] or 0)


@pytest.mark.usefixtures("tries")
def test_f05_a_lease_is_taken_by_one_process_at_a_time(databases: list[Database]) -> None:
    """F05: no fence is given twice, and none is left out."""
    with FORK.Pool(PROCESSES) as pool:
        given = [(databases[seed % SIZE], f"owner {seed}") for seed in range(PROCESSES)]
        taken = pool.starmap(_take, given)
    fences = sorted(fence for mine in taken for fence in mine)
    assert fences == list(range(1, len(fences) + 1))
    assert sum(bool(mine) for mine in taken) > SIZE, "too few took part"


def test_migrations_go_up_and_down_by_any_node(cluster: Cluster) -> None:
    databases = cluster.new_database()
    for database in databases:
        migrator = servers.migrator(database)
        assert [move.number for move in migrator.up()] == ALL
        assert [move.number for move in migrator.down(SCHEMA)] == ALL[::-1]


def _up(database: Database) -> list[int]:
    return [move.number for move in servers.migrator(database).up()]


def test_f19_migrators_on_three_nodes_at_once(cluster: Cluster) -> None:
    databases = cluster.new_database()
    with FORK.Pool(2 * SIZE) as pool:
        done = [number for numbers in pool.map(_up, databases * 2) for number in numbers]
    assert sorted(done) == ALL
    assert {servers.migrator(database).version() for database in databases} == {(SCHEMA, False)}


def _claim_all(databases: list[Database], seed: int) -> tuple[list[str], int]:
    """Claim every key, in an order of one's own, and on the next node where one is down; return wins and downs."""
    order = random.Random(seed).sample(range(KEYS), KEYS)  # noqa: S311  # an order, not a secret
    won, turns = [], itertools.count(seed)
    store = MySQLStore(databases[next(turns) % SIZE], RealClock())
    for number, label in enumerate(order):
        effect = wish(str(label))
        while True:
            try:
                store.remember(newer(PULL, number, f"{seed} {number}"))
                won += [effect.key] if store.claim(effect, f"owner {seed}") else []
                break
            except Down:
                store.close()
                store = MySQLStore(databases[next(turns) % SIZE], RealClock())
    downs = next(turns) - seed - 1
    return won, downs


def _killed(cluster: Cluster, node: Node) -> Callable[[], None]:
    """Kill it; return how it is brought back."""
    node.kill()
    return lambda: cluster.start(node)


def _cut_off(_: Cluster, node: Node) -> Callable[[], None]:
    node.cut_off()

    def back() -> None:
        node.cut_off(back=True)
        wait_for(node)

    return back


@pytest.mark.parametrize("lose", [_killed, _cut_off], ids=["killed", "cut-off"])
def test_r12_a_node_is_lost_under_load(
    cluster: Cluster, databases: list[Database], lose: Callable[[Cluster, Node], Callable[[], None]]
) -> None:
    """R-12: nobody wins what another won, the others go on, and a run hears of it as Down and in no other way."""
    with FORK.Pool(PROCESSES) as pool:
        claiming = pool.starmap_async(_claim_all, [(databases, seed) for seed in range(PROCESSES)])
        _wait_for_claims(cluster.nodes[0], databases[0], KEYS // 4)
        bring_back = lose(cluster, cluster.nodes[-1])
        ended = claiming.get(300)
    assert any(downs for _, downs in ended), "the node was not missed"
    owners = _owners(cluster.nodes[0], databases[0])
    assert sorted(owners) == sorted(wish(str(label)).key for label in range(KEYS))
    wins = [(key, f"owner {seed}") for seed, (won, _) in enumerate(ended) for key in won]
    assert len(wins) == len(dict(wins)), "a key was won twice"
    assert all(owners[key] == owner for key, owner in wins)
    bring_back()
    assert [_owners(node, databases[0]) for node in cluster.nodes] == [owners] * SIZE


def _wait_for_claims(node: Node, database: Database, count: int) -> None:
    while len(_owners(node, database)) < count:
        time.sleep(0.02)


def _owners(node: Node, database: Database) -> dict[str, str]:
    return dict(node.ask(f"SELECT k, owner FROM {database.name}.mm_ledger", latest=True))


def test_a_node_without_the_majority_is_down(cluster: Cluster, databases: list[Database]) -> None:
    """It takes seconds until the node knows; until then no claim is answered, and those that wait fail."""
    lost = cluster.nodes[-1]
    lost.cut_off()
    try:
        with closing(MySQLStore(databases[-1], RealClock())) as store:
            with pytest.raises(Down):
                store.claim(wish(), "one")
            with pytest.raises(Down, match="is cut off from its cluster"):
                store.claim(wish(), "one")
    finally:
        lost.cut_off(back=True)
        wait_for(lost)
    assert _owners(lost, databases[-1]) == {}
