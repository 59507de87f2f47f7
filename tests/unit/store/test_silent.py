"""A process that stands still inside a transaction: the database undoes it, and what it held is free again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.errors import StoreUnavailable
from gateway.store.postgres import PostgresStore
from tests.conftest import leaves
from tests.contract.store.build import EVENT, message

IDLE_S = 0.4


@pytest.fixture
def stores(database: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """One whose transactions may be silent for less than half a second, and another process's."""
    first, second = PostgresStore(database, leaves(), idle_s=IDLE_S), PostgresStore(database, leaves())
    with first.unit() as unit:
        unit.outbox.enqueue([message(1)])
        unit.commit(EVENT)
    yield first, second
    first.close()
    second.close()


def claimed(store: PostgresStore) -> int:
    with store.unit("KEIS") as unit:
        return len(unit.outbox.claim("KEIS", "other", 9, 30.0))


def claim_and_stand_still(stores: tuple[PostgresStore, PostgresStore], still_s: float, got: list[int]) -> None:
    """Note how many messages the other one gets after that long; then commit."""
    first, second = stores
    with first.unit("KEIS") as unit:
        assert len(unit.outbox.claim("KEIS", "first", 9, 30.0)) == 1
        time.sleep(still_s)
        got.append(claimed(second))
        unit.commit(replace(EVENT, partner="KEIS"))


def test_rows_are_kept_from_others_while_somebody_works_on_them(stores: tuple[PostgresStore, PostgresStore]) -> None:
    got: list[int] = []
    claim_and_stand_still(stores, 0.0, got)
    assert got == [0]


def test_rows_of_a_silent_transaction_are_free_and_whoever_was_silent_is_told(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    got: list[int] = []
    with pytest.raises(StoreUnavailable):
        claim_and_stand_still(stores, 2 * IDLE_S, got)
    assert got == [1]
    assert claimed(stores[0]) == 1  # the other one's claim was undone too, and this store works on


def test_whoever_does_an_act_alone_may_be_silent(stores: tuple[PostgresStore, PostgresStore]) -> None:
    first, second = stores
    with first.alone("walk") as mine:
        time.sleep(2 * IDLE_S)
        with second.alone("walk") as theirs:
            assert (mine, theirs) == (True, False)
