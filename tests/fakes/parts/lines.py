"""See `gateway.store.parts.lines`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.ports import LineRow
from tests.fakes.shelf import Part, right_now


class Lines(Part):
    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        return self.s.lines.setdefault(partner, LineRow(partner)), right_now()

    def save(self, row: LineRow) -> None:
        self.s.lines[row.partner] = row

    def probe(self, partner: str, lease_s: float) -> bool:
        row, now = self.hold(partner)
        if row.gate != "open" or row.breaker == "closed" or row.due_at is None or row.due_at > now:
            return False
        self.save(row._replace(breaker="half-open", due_at=now + timedelta(seconds=lease_s)))
        return True

    def stopped(self, partner: str) -> bool:
        return self.hold(partner)[0].gate == "stopped"

    def all(self) -> Sequence[LineRow]:
        return [row for _, row in sorted(self.s.lines.items())]
