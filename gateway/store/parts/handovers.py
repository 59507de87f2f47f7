"""Files that COMWEL handed over, what was put aside of them, and what waits for versions that come later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.ports import HandoverFile, ParkedRow, QuarantinedRow
from gateway.store.parts.part import Part
from gateway.store.sealed import ASIDE, PARKED
from gateway.store.shapes import as_arrays, as_dicts, as_rows
from gateway.store.statements import STATEMENTS as _SQL


class Handovers(Part):
    """See `ports.Handovers`."""

    def find(self, way: str, sha256: str) -> HandoverFile | None:
        row = _SQL.find_file(self._c, way=way, sha256=sha256)
        return HandoverFile(*row) if row else None

    def taken_in(self, way: str) -> Sequence[HandoverFile]:
        return as_rows(HandoverFile, _SQL.files_taken_in(self._c, way=way))

    def rejected(self, way: str) -> Sequence[HandoverFile]:
        return as_rows(HandoverFile, _SQL.files_rejected(self._c, way=way))

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None:
        _SQL.add_file(self._c, **file._asdict())
        if rows := self._seal.shut(ASIDE, quarantined):
            _SQL.add_quarantined(self._c, **as_arrays(QuarantinedRow._fields, rows))

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        return self._opened(ASIDE, QuarantinedRow, _SQL.quarantined_of(self._c, file_id=file_id))

    def mark_replaced(self, file_id: str) -> None:
        _SQL.mark_replaced(self._c, file_id=file_id)

    def park(self, rows: Iterable[ParkedRow]) -> None:
        _SQL.park(self._c, as_dicts(self._seal.shut(PARKED, rows)))

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        found = self._opened(PARKED, ParkedRow, _SQL.parked(self._c, case_nos=list(case_nos)))
        return [row for row in found if row.facts]

    def unpark(self, rows: Iterable[ParkedRow]) -> None:
        _SQL.unpark(self._c, as_dicts(rows))

    def missing_versions(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        return list(_SQL.missing_versions(self._c, kind=kind, before=before, limit=limit))

    def end_missing_versions(self, kind: str, at: datetime) -> int:
        over: int = _SQL.end_missing_versions(self._c, kind=kind, at=at)
        return over
