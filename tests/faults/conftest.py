"""A stage for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Stage, set_up


@pytest.fixture
def stage(home: Path, database: str) -> Iterator[Stage]:
    """Everything but the broker and the workers."""
    with set_up(home, database) as found:
        yield found
