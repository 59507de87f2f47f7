"""A scene on both stores, and one in memory for what needs no database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.memory import MemoryStore
from tests.journey.world import Scene, make_scene


@pytest.fixture(params=["memory", "postgres"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """The scene of a test, once in memory and once on PostgreSQL."""
    store = MemoryStore() if request.param == "memory" else request.getfixturevalue("postgres_store")
    return make_scene(store, tmp_path)


@pytest.fixture
def quick(tmp_path: Path) -> Scene:
    """A scene in memory."""
    return make_scene(MemoryStore(), tmp_path)


@pytest.fixture
def real(postgres_store: object, tmp_path: Path) -> Scene:
    """A scene on PostgreSQL."""
    return make_scene(postgres_store, tmp_path)
