"""One statement that several parts write with: messages, legs, facts and checks in one trip."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import Interfered
from gateway.ports import CheckRow, FactRow, InboxRow, LegRow, MessageRow
from gateway.store.shapes import as_dicts, as_json
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection


def write_down(
    connection: Connection,
    *,
    heard: Sequence[InboxRow] = (),
    messages: Sequence[MessageRow] = (),
    legs: Sequence[LegRow] = (),
    facts: Sequence[FactRow] = (),
    checks: Sequence[CheckRow] = (),
) -> dict[tuple[str, str], int]:
    """Messages and what they change, in one trip. Raises Interfered when a message or a leg is not as it was read."""
    rows = {"heard": heard, "messages": messages, "legs": legs, "facts": facts, "checks": checks}
    if not any(rows.values()):
        return {}
    found = list(_SQL.write_down(connection, **{name: as_json(as_dicts(some)) for name, some in rows.items()}))
    places = {(partner, mid): inbox_seq for _, partner, mid, inbox_seq in found if mid is not None}
    if len(places) != len(heard):
        raise Interfered("a message")
    if found[0][0] != len(legs):
        raise Interfered("a leg")
    return places
