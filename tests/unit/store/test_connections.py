"""Connections: when all are lent the database is not away, and nobody is told so; what comes back is lent again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.errors import StoreUnavailable, TooBusy
from gateway.store import connections, health
from gateway.store.postgres import PostgresStore
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


def test_a_pool_without_a_database_is_away_and_not_busy(store: PostgresStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailable) as away, store.unit():
        pass
    assert (type(away.value), store._pool.away) == (StoreUnavailable, True)
