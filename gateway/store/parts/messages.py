"""What outbox and inbox have in common: messages, and the receipts for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.ports import MessageRow, ReceiptRow
from gateway.sealing.claims import UUID
from gateway.store.parts.part import Part
from gateway.store.sealed import MESSAGE, Seal
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection


class Messages(Part):
    """A part that makes messages, and remembers the digests of their bodies by their ids."""

    def __init__(self, connection: Connection, seal: Seal, made: dict[str, bytes]) -> None:
        super().__init__(connection, seal)
        self._made = made

    def _make(self, messages: Iterable[MessageRow]) -> None:
        self._made.update((message.mid, message.body_sha256) for message in messages)

    def _message(self, columns: Sequence[Any], key: bytes | None) -> MessageRow:
        """The message of these columns, opened with the key of its case."""
        row = MessageRow(*columns)
        return self._seal.open(MESSAGE, row._replace(fields=tuple(row.fields)), key, row.case_no)

    def _receipt(self, partner: str, direction: str, mid: str) -> ReceiptRow | None:
        """The receipt for a message; None for what is no id."""
        row = _SQL.get_receipt(self._c, partner=partner, direction=direction, mid=mid) if is_id(mid) else None
        return ReceiptRow(*row) if row else None


def is_id(text: str) -> bool:
    """Whether a message, or a plan, can have this id: the database refuses to compare with anything else."""
    return UUID(text)
