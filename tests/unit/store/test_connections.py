"""Connections: when all are lent the database is not away, and nobody is told so; what comes back is lent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.config import Settings
from gateway.errors import StoreUnavailable, TooBusy
from gateway.store import connections, health
from gateway.store.postgres import PostgresStore
from gateway.store.statements import SQL
from tests.conftest import leaves

MOST = 2


@pytest.fixture
def store(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    monkeypatch.setattr(connections, "PATIENCE_S", 2.0)
    found = PostgresStore(database, leaves(), most=MOST)
    yield found
    found.close()


def test_when_all_connections_are_lent_the_next_is_told_so_and_the_database_is_not_away(store: PostgresStore) -> None:
    with ExitStack() as lent:
        for _ in range(MOST):
            lent.enter_context(store.unit())
        for _ in range(2):
            with pytest.raises(TooBusy), store.unit():
                pass
        assert health.ailments(store, lambda: pytest.fail("nobody looked"), 0.1) == [health.BUSY]
        assert not store._pool.away
    with store.unit() as unit:
        assert unit.counts()["cases"] == 0
    assert store._pool.lent == set()


def test_the_connection_that_came_back_last_is_lent_first(store: PostgresStore) -> None:
    with store.transaction() as one, store.transaction() as other:
        assert one is not other
    came_back = [other, one]
    for _ in range(3):
        with store.transaction() as again:
            assert again is came_back[-1]


def test_connections_that_nobody_needed_for_a_while_are_closed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SPARE_S", 0.1)
    with closing(PostgresStore(database, leaves(), most=MOST)) as store:
        with store.transaction(), store.transaction():
            assert store._pool.get_stats()["pool_size"] == MOST
        deadline = time.monotonic() + 20
        while store._pool.get_stats()["pool_size"] > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert store._pool.get_stats()["pool_size"] == 1


def test_a_connection_is_replaced_when_it_has_lived_long_enough(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LIFE_S", 0.05)
    with closing(PostgresStore(database, leaves(), most=1)) as store:
        with store.transaction() as one:
            time.sleep(0.1)
        assert one.closed
        with store.transaction() as other:
            assert not other.closed


def test_no_plan_is_compiled_on_a_server_that_can(store: PostgresStore) -> None:
    with store.transaction() as connection:
        assert connection.execute("show jit").fetchall() == [("off",)]


def test_no_statement_is_forgotten_for_another(store: PostgresStore) -> None:
    with store.transaction() as connection:
        assert connection.prepared_max
        assert connection.prepared_max >= 1.5 * SQL.count("-- name: ")


def test_a_pool_without_a_database_is_away_and_not_busy(store: PostgresStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailable) as away, store.unit():
        pass
    assert (type(away.value), store._pool.away) == (StoreUnavailable, True)


def test_a_database_whose_machine_has_gone_is_noticed_sooner_than_a_lease_ends_unless_its_address_says_when(
    store: PostgresStore, database: str
) -> None:
    """Nobody says that a machine has gone: without this, whoever waits for an answer of it waits for hours."""
    apart = "&" if "?" in database else "?"
    other = PostgresStore(f"{database}{apart}tcp_user_timeout=3000", leaves(), most=1)
    with closing(other), store.transaction() as usual, other.transaction() as told:
        said, heard = usual.info.get_parameters(), told.info.get_parameters()
    probing_s = int(said["keepalives_idle"]) + int(said["keepalives_interval"]) * int(said["keepalives_count"])
    assert max(probing_s, int(said["tcp_user_timeout"]) / 1000) < Settings().lease_s
    assert heard == said | {"tcp_user_timeout": "3000"}
