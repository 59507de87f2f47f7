"""Work for a person about the exchange log, together with an act; once as long as that person is not done with it."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.exchange_log.audit import AuditEvent
from gateway.ports import WorkItem
from gateway.store.connections import WHOLE_JOURNEY
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS as _SQL

DOES_NOT_ADD_UP = "log-does-not-add-up"
"""The work item about a log that is not what it was, or not as a witness has seen it; its code says which check."""


def tell_once(store: PostgresStore, kind: str, event: AuditEvent, code: str) -> None:
    """Keep the act, refused for `code`, and open work of this kind for it; neither while such work is open."""
    if new := untold(store, kind, [code]):
        with store.unit() as unit:
            unit.add_work(new)
            unit.commit(event.refused(code))


def untold(store: PostgresStore, kind: str, codes: Iterable[str]) -> list[WorkItem]:
    """Work of this kind for each of these codes that none is open for, now."""
    with store.transaction(WHOLE_JOURNEY) as connection:
        at = _SQL.now(connection)
        new = [code for code in codes if not _SQL.work_is_open(connection, kind=kind, code=code)]
    return [WorkItem(kind, code, None, None, None, None, at) for code in new]
