"""What several tests of the store begin with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.exchange_log.audit import AuditEvent
from gateway.store.postgres import PostgresStore


@pytest.fixture
def act(postgres_store: PostgresStore) -> Callable[..., None]:
    """Commits these acts, and nothing else."""

    def commit(*events: AuditEvent) -> None:
        with postgres_store.unit() as unit:
            unit.commit(*events)

    return commit
