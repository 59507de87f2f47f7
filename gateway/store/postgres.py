"""The store on PostgreSQL: it opens units of work, and transactions that are none.

Rules: one `Unit` is one transaction on one connection; leaving without `commit` rolls back. An act that is done alone
is held by a lock of its transaction, which ends with it or with the process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from gateway import ports
from gateway.exchange_log.audit import AuditEvent
from gateway.store import connections
from gateway.store.connections import NOTHING, WHOLE_JOURNEY, connected, undo
from gateway.store.leaves import Leaves
from gateway.store.sealed import Seal, Sealing
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.units import PostgresUnit
from gateway.store.vault import Vault

IDLE_S = 60.0
"""Twice a lease; between two statements of a unit lie milliseconds, in the largest file a second."""
ALONE_IDLE = "30min"
"""Whoever does an act alone says nothing for as long as that takes, which in a large night is minutes."""

_MAY_BE_SILENT = f"set local idle_in_transaction_session_timeout = '{ALONE_IDLE}'".encode()


class PostgresStore:
    """See `ports.Store`. Holds a pool; `close` gives it back."""

    def __init__(
        self,
        conninfo: str,
        leaves: Leaves,
        *,
        most: int = 16,
        observer: ports.Observer | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._leaves, self._sealing = leaves, Sealing(leaves.vault)
        self._observer = observer or ports.Unobserved()
        self._pool = connections.opened(conninfo, most, idle_s)

    @contextmanager
    def unit(self, partner: str | None = None) -> Iterator[PostgresUnit]:
        with connected(self._pool, WHOLE_JOURNEY if partner is None else partner) as connection:
            unit = PostgresUnit(connection, self._leaves, Seal(connection, self._sealing), self._observer)
            try:
                yield unit
            finally:
                if not unit.committed:
                    undo(connection)

    @contextmanager
    def alone(self, act: str) -> Iterator[bool]:
        with connected(self._pool, NOTHING) as connection:  # the lock ends with this transaction, or this process
            connection.execute(_MAY_BE_SILENT, prepare=False)
            mine, began = bool(_SQL.hold_alone(connection, act=act)), time.perf_counter()
            yield mine
            if mine:
                self._observer.held(act, time.perf_counter() - began)

    def keep_refusal(self, event: AuditEvent) -> None:
        with self.unit(event.partner) as unit:
            unit.commit(event)

    def transaction(self, scope: str = NOTHING) -> AbstractContextManager[Connection]:
        """A transaction that is no unit: for the exchange log, whose own acts are leaves of themselves."""
        return connected(self._pool, scope)

    def glance(self, patience_s: float) -> AbstractContextManager[Connection]:
        """A connection that only reads, for whoever watches. Raises StoreUnavailable, soon."""
        return connections.glance(self._pool, patience_s)

    @property
    def vault(self) -> Vault:
        """Where the keys of cases are unwrapped."""
        return self._leaves.vault

    def close(self) -> None:
        self._pool.close()
