"""A stage for each fault, and the ground that all rounds begin on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import home_folder
from tests.faults.ground import Ground
from tests.faults.stage import Stage, set_up

CASES = 16


@pytest.fixture
def stage(home: Path, database: str) -> Iterator[Stage]:
    """Everything but the broker and the workers."""
    with set_up(home, database) as found:
        yield found


@pytest.fixture(scope="session")
def ground(postgres: str) -> Iterator[Ground]:
    """Databases that rounds begin on, made once."""
    with home_folder() as folder:
        found = Ground(postgres, folder, CASES)
        yield found
        found.drop()
