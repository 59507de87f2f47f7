"""How long records are kept, what is held beyond that, and their end."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

from gateway.ports import HoldRow
from gateway.store.parts.part import Part
from gateway.store.shapes import as_rows
from gateway.store.statements import STATEMENTS as _SQL


class Retention(Part):
    """See `ports.Retention`."""

    def take_day(self, round_: str, day: date) -> bool:
        return bool(_SQL.take_day(self._c, round=round_, day=day))

    def due(self, kind: str, before: date) -> tuple[int, int]:
        queries = {
            "destroy-put-aside": _SQL.due_put_aside,
            "destroy-content": _SQL.due_content,
            "destroy-evidence": _SQL.due_evidence,
        }
        due, held = queries[kind](self._c, before=before)
        return due, held

    def destroy(self, kind: str, before: date, most: int) -> int:
        statements = {
            "destroy-put-aside": _SQL.destroy_put_aside,
            "destroy-content": _SQL.destroy_content,
            "destroy-evidence": _SQL.destroy_evidence,
        }
        gone: int = statements[kind](self._c, before=before, most=most)
        return gone

    def destroy_returned(self, most: int) -> int:
        gone: int = _SQL.destroy_returned(self._c, most=most)
        return gone

    def hold(self, row: HoldRow) -> bool:
        return bool(_SQL.hold(self._c, **row._asdict()))

    def release(self, case_no: str) -> bool:
        return bool(_SQL.release_hold(self._c, case_no=case_no))

    def holds(self) -> Sequence[HoldRow]:
        return as_rows(HoldRow, _SQL.holds(self._c))

    def files_on_hold(self) -> Set[tuple[date, int]]:
        return {(base_date, file_seq) for base_date, file_seq in _SQL.files_on_hold(self._c)}
