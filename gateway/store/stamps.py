"""Time stamps of our checkpoints by an authority outside (RFC 3161), kept beside them and published.

    every hour: the newest checkpoint ──▶ the authority ──▶ its stamp is verified, kept, published
        stamped · stamped.tsr    the note that was stamped last, and the answer of the authority, in home/xlog/<year>

Rules: one process asks at a time, and nobody waits for it: no act, no leaf, no checkpoint. Who is away is left alone
for a while. An authority that says what cannot be is work for a person, once, and what it said is not kept.
Refuses to publish a stamp before it is committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography.x509 import Certificate

from gateway import wholefile
from gateway.errors import StampInvalid
from gateway.exchange_log import stamp
from gateway.exchange_log.audit import GATEWAY, AuditEvent
from gateway.store.postgres import PostgresStore
from gateway.store.sequencer import Head, open_of
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.work import tell_once

PURPOSE, DOUBTED = "log-integrity", "stamp-doubted"
STAMPED, TSR = "stamped", "stamped.tsr"
LEFT_ALONE_S = 30.0
Ask = Callable[[bytes], bytes | None]
"""request (application/timestamp-query) → answer (application/timestamp-reply), or nothing"""
log = structlog.get_logger()


class _Due(NamedTuple):
    head: Head
    size: int
    note: str


class Stamps:
    """The stamps of one database's logs, published below `folder`. Without `ask` nobody is asked."""

    def __init__(
        self,
        store: PostgresStore,
        folder: Path,
        roots: Sequence[Certificate] = (),
        ask: Ask | None = None,
        every: timedelta = timedelta(hours=1),
    ) -> None:
        self._store, self._folder, self._roots, self._ask, self._every = store, folder, roots, ask, every
        self._not_before = 0.0
        self._published: tuple[str, int] | None = None

    def __bool__(self) -> bool:
        """Whether there is anybody to ask."""
        return self._ask is not None

    def round(self) -> int:
        """Have the newest checkpoint stamped when its time has come; returns how many stamps came."""
        if self._ask is None or time.monotonic() < self._not_before:
            return 0
        with self._store.alone("exchange-log.stamp") as mine:
            due = self._due() if mine else None
            many = self._have_stamped(due, self._ask) if due else 0
            if mine:
                self._publish()
        return many

    def _due(self) -> _Due | None:
        with self._store.transaction() as connection:
            now = _SQL.now(connection)
            head = open_of(connection)
            newest = _SQL.newest_checkpoint(connection, shard=head.shard) if head else None
            last = _SQL.newest_stamp(connection, shard=head.shard) if head else None
        if head is None or newest is None or (last and (last[0] == newest[0] or now - last[1] < self._every)):
            return None
        return _Due(head, newest[0], newest[2])

    def _have_stamped(self, due: _Due, ask: Ask) -> int:
        request = stamp.ask(due.note)
        answer = ask(request.as_bytes())
        if answer is None:
            log.warning("stamp.away", subject=due.head.folder)
            self._not_before = time.monotonic() + LEFT_ALONE_S
            return 0
        try:
            seen = stamp.check(answer, due.note, self._roots, request.nonce)
            with self._store.transaction() as connection:
                if abs(seen - _SQL.now(connection)) > stamp.APART:
                    raise StampInvalid("of another time than ours")
                _SQL.add_stamp(connection, shard=due.head.shard, size=due.size, response=answer, at=seen)
        except StampInvalid as refused:
            log.warning("stamp.doubted", subject=due.head.folder, code=refused.code)
            self._not_before = time.monotonic() + LEFT_ALONE_S
            tell_once(self._store, DOUBTED, AuditEvent("stamp.doubted", GATEWAY, PURPOSE), refused.code)
            return 0
        return 1

    def _publish(self) -> None:
        """Write the newest stamp of the open log, unless it is there."""
        with self._store.transaction() as connection:
            head = open_of(connection)
            last = _SQL.newest_stamp(connection, shard=head.shard) if head else None
        if head is None or last is None or self._published == (head.origin, last[0]):
            return
        wholefile.write(self._folder / head.folder / STAMPED, last[3].encode())
        wholefile.write(self._folder / head.folder / TSR, last[2])
        self._published = (head.origin, last[0])
