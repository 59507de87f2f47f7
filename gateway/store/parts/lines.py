"""Lines to partners: what their breakers remember."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from gateway.ports import LineRow
from gateway.store.parts.part import Part
from gateway.store.statements import STATEMENTS as _SQL


def _line_row(columns: Sequence[Any]) -> LineRow:
    row = LineRow(*columns)
    return row._replace(recent=tuple(map(tuple, row.recent)))  # type: ignore[arg-type]


class Lines(Part):
    """See `ports.Lines`."""

    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        found = _SQL.hold_line(self._c, partner=partner)
        if not found:
            _SQL.add_line(self._c, partner=partner)
            found = _SQL.hold_line(self._c, partner=partner)
        return _line_row(found[:-1]), found[-1]

    def save(self, row: LineRow) -> None:
        _SQL.save_line(self._c, **(row._asdict() | {"recent": Jsonb(row.recent)}))

    def probe(self, partner: str, lease_s: float) -> bool:
        return bool(_SQL.take_probe(self._c, partner=partner, lease_s=lease_s))

    def stopped(self, partner: str) -> bool:
        return bool(_SQL.stopped(self._c, partner=partner))

    def all(self) -> Sequence[LineRow]:
        return [_line_row(row) for row in _SQL.all_lines(self._c)]
