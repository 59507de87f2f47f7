"""Connections to PostgreSQL, each in a transaction that is opened with its scope.

Rules: a scope is one partner, the whole journey, or nothing; row-level security keeps the transaction there. A
connection that does not come, breaks, only reads or was silent for too long is StoreUnavailable, a row outside of the
scope is OutOfScope; what else psycopg raises is about a statement and its data, and goes up as it is. When all
connections are lent and none comes back the database is not away: that is TooBusy, and the next one waits as patiently.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.sql import SQL, Literal
from psycopg.types.array import ListBinaryDumper
from psycopg_pool import ConnectionPool, PoolTimeout

from gateway.errors import OutOfScope, StoreUnavailable, TooBusy
from gateway.store.migrate import APP_ROLE
from gateway.store.statements import Connection

WHOLE_JOURNEY = "*"
NOTHING = ""
"""The scope of a transaction that needs no rows."""
PATIENCE_S, AWAY_S = 10.0, 0.1
"""How long a connection is waited for; and when the last one broke or did not come: partners are told soon."""
CONNECT_S, RECONNECT_S = 5.0, 2.0
"""For how long one connection, and the pool by itself, try; a pool that waited ever longer would miss the return."""
SPARE_S = 60.0
"""A connection that nobody needed for so long is closed, one at a time; the pool by itself would wait ten minutes."""
LIFE_S = 600.0
"""A connection is replaced after so long: what its server process remembers of tables and plans only becomes more."""

GONE = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""A machine that went without a word is noticed after 20 s, sooner than a lease ends; libpq would wait for hours."""

_AWAY = (
    psycopg.OperationalError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    PoolTimeout,
)


class Pool(ConnectionPool[Connection]):
    """Connections, whether the last attempt to work on one failed, and which are lent.

    What came back last is lent first: a few keep every plan at hand, and the others stay small until they are closed.
    """

    away = False

    @cached_property
    def lent(self) -> set[Connection]:
        """Those that somebody works on."""
        return set()

    @contextmanager
    def lend(self, patience_s: float) -> Iterator[Connection]:
        """A connection. Raises PoolTimeout when none comes, TooBusy when that is because all of them are lent."""
        try:
            with self.connection(patience_s) as connection:
                self.lent.add(connection)
                try:
                    yield connection
                finally:
                    self.lent.discard(connection)
        except PoolTimeout:
            if len(self.lent) < self.max_size:
                raise
            raise TooBusy from None

    def _get_ready_connection(self, timeout: float | None) -> Connection | None:
        """See `ConnectionPool`, which takes the one that has rested longest: plans would be made on all of them."""
        self._pool.rotate(1)
        return super()._get_ready_connection(timeout)


def opened(conninfo: str, most: int, idle_s: float) -> Pool:
    """A pool of up to `most` connections, whose transactions end when they are silent for `idle_s`.

    Raises StoreUnavailable when there is no database there.
    """
    options = f"-c timezone=UTC -c role={APP_ROLE} -c plan_cache_mode=force_generic_plan"
    options += " -c jit=off"  # what is asked for is found by an index: to compile a plan takes longer, and memory
    options += f" -c idle_in_transaction_session_timeout={idle_s * 1000:.0f}"
    # we say ourselves: begin; and every statement is one of a file, worth planning once
    session = {"options": options, "autocommit": True, "prepare_threshold": 0, "connect_timeout": int(CONNECT_S)}
    session |= {name: value for name, value in GONE.items() if name not in conninfo_to_dict(conninfo)}
    pool = Pool(
        conninfo,
        min_size=1,
        max_size=most,
        open=False,
        kwargs=session,
        configure=_configure,
        max_idle=SPARE_S,
        max_lifetime=LIFE_S,
        reconnect_timeout=PATIENCE_S,
    )
    try:
        pool.open(wait=True, timeout=PATIENCE_S)
    except PoolTimeout:
        pool.close()
        raise StoreUnavailable from None
    pool.reconnect_timeout = RECONNECT_S
    return pool


def _configure(connection: Connection) -> None:
    """Arrays go in binary: as text, every byte of a body would be looked at in Python."""
    connection.adapters.register_dumper(list, ListBinaryDumper)
    connection.prepared_max = 500  # twice as many as there are statements: with other types it is another one


@contextmanager
def connected(pool: Pool, scope: str) -> Iterator[Connection]:
    """A connection of the pool in a transaction of this scope; leaving commits.

    Raises StoreUnavailable when there is none, when it breaks or only reads (TooBusy when all are lent), and OutOfScope
    when row-level security refuses a row.
    """
    try:
        with pool.lend(AWAY_S if pool.away else PATIENCE_S) as connection:
            connection.execute(_opening(scope), prepare=False)
            pool.away = False
            yield connection
    except _AWAY:
        pool.away = True
        raise StoreUnavailable from None
    except psycopg.errors.InsufficientPrivilege:
        raise OutOfScope from None


@contextmanager
def glance(pool: Pool, patience_s: float) -> Iterator[Connection]:
    """A connection that only reads, the whole journey as it is at one moment. Raises StoreUnavailable, soon."""
    try:
        with pool.lend(patience_s) as connection:
            connection.execute(_opening(WHOLE_JOURNEY), prepare=False)
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection
    except (psycopg.Error, PoolTimeout):
        raise StoreUnavailable from None


@lru_cache(maxsize=256)
def _opening(scope: str) -> bytes:
    """Begin and say for whom, in one round trip: the scope ends with the transaction."""
    return SQL("begin; set local app.partner = {}").format(Literal(scope)).as_bytes(None)


def undo(connection: Connection) -> None:
    """Roll back, and keep the plans: psycopg forgets all of them, for a schema that may have changed in between.

    Ours never does inside a unit, and most units that end so have only looked whether there is something to do.
    """
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        return
    if connection.pgconn.exec_(b"rollback").status != ExecStatus.COMMAND_OK:
        connection.rollback()  # says what is wrong with the connection
