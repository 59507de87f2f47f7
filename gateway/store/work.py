"""Work for a person about the exchange log, together with an act; once as long as that person is not done with it."""

from __future__ import annotations

from gateway.exchange_log.audit import AuditEvent
from gateway.ports import WorkItem
from gateway.store.connections import WHOLE_JOURNEY
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS as _SQL


def tell_once(store: PostgresStore, kind: str, event: AuditEvent, code: str) -> None:
    """Keep the act, refused for `code`, and open work of this kind for it; neither while such work is open."""
    with store.transaction(WHOLE_JOURNEY) as connection:
        known = _SQL.work_is_open(connection, kind=kind, code=code)
        at = _SQL.now(connection)
    if not known:
        with store.unit() as unit:
            unit.add_work([WorkItem(kind, code, None, None, None, None, at)])
            unit.commit(event.refused(code))
