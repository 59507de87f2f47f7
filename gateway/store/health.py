"""Whether the database would let us work: asked when a process starts, and whenever somebody asks whether it is ready.

Rules: the answers are a closed list of sentences without values. Refuses to wait long: who asks has a second.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosql

from gateway.errors import GatewayError, StoreUnavailable, TooBusy
from gateway.store.migrate import fit
from gateway.store.postgres import PostgresStore

PATIENCE_S = 1.0
START_S = 10.0
"""A start is in no hurry: the machine may be busy with other starts."""
CLOCKS_APART_S = 5.0
"""A lease is measured by the database's clock, a signature dated by ours: further apart, neither can be trusted."""
AWAY = "the database cannot be reached"
BUSY = "all connections to the database are in use"
READ_ONLY = "the database only reads"
CLOCK = "this machine's clock and the database's are more than 5 s apart"
_SQL: Any = aiosql.from_path(Path(__file__).parent / "sql" / "health.sql", "psycopg", mandatory_parameters=False)


def ailments(store: PostgresStore, now: Callable[[], datetime], patience_s: float = PATIENCE_S) -> list[str]:
    """Why we could not work now, in sentences; none when we could."""
    try:
        with store.glance(patience_s) as connection:
            only_reads, database_now, seen = _SQL.health(connection)
            apart = now() - database_now
    except TooBusy:
        return [BUSY]
    except StoreUnavailable:
        return [AWAY]
    found = [READ_ONLY] if only_reads else []
    try:
        fit(frozenset(seen))
    except GatewayError as misfit:
        found.append(misfit.sentence)
    if abs(apart.total_seconds()) > CLOCKS_APART_S:
        found.append(CLOCK)
    return found
