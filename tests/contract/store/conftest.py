"""The stores that must do it: PostgreSQL, and the fake of the journey tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.ports import Store
from gateway.store.postgres import PostgresStore
from tests.fakes.memory import MemoryStore


@pytest.fixture(params=["postgres", "memory"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        found: PostgresStore = request.getfixturevalue("postgres_store")
        yield found
