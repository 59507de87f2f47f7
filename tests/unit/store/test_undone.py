"""A unit that is left without a commit: nothing of it stays in the database, and the plans stay in the connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from gateway.errors import StoreUnavailable
from gateway.ports import Arrival
from gateway.store.postgres import PostgresStore
from gateway.store.units import PostgresUnit
from tests.conftest import leaves

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MID = "019abc00-0000-7000-8000-000000000001"


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    """A store of one connection."""
    found = PostgresStore(database, leaves(), most=1)
    yield found
    found.close()


def plans(store: PostgresStore) -> set[str]:
    with store._pool.connection() as connection:
        return {name for (name,) in connection.execute("select name from pg_prepared_statements", prepare=False)}


def looked(unit: PostgresUnit) -> None:
    unit.outbox.waiting()
    unit.facts.unwritten_files()


def test_what_was_planned_once_is_not_planned_again_after_a_unit_that_only_looked(store: PostgresStore) -> None:
    with store.unit() as unit:
        looked(unit)
    first = plans(store)
    assert len(first) == 2
    with store.unit() as unit:
        looked(unit)
    assert plans(store) == first


def use(store: PostgresStore, *, stumble: bool = False) -> set[tuple[str, str]]:
    with store.unit("KEIS") as unit:
        fresh = unit.inbox.meet([Arrival("KEIS", MID, "n", NOW, None)]).fresh
        if stumble:
            raise KeyError
        return set(fresh)


def test_what_was_written_is_gone_and_its_statement_still_works(store: PostgresStore) -> None:
    assert use(store) == {("KEIS", "n")}
    with pytest.raises(KeyError):
        use(store, stumble=True)
    assert use(store) == {("KEIS", "n")}


def test_a_statement_that_failed_is_undone_and_the_next_unit_is_whole(store: PostgresStore) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation), store.unit() as unit:
        unit.inbox.meet([Arrival("KEIS", "no uuid", "n", NOW, None)])
    with store.unit() as unit:
        assert unit.inbox.meet([Arrival("KEIS", MID, "n", NOW, None)]).fresh == {("KEIS", "n")}


def look_while_it_dies(store: PostgresStore, database: str) -> None:
    with store.unit() as unit:
        looked(unit)
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and datname = current_database()"
            )


def test_a_connection_that_died_is_said_to_have_died_and_is_not_given_out_again(
    store: PostgresStore, database: str
) -> None:
    with pytest.raises(StoreUnavailable):
        look_while_it_dies(store, database)
    with store.unit() as unit:
        looked(unit)
