"""See `gateway.store.parts.handovers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from gateway.ports import HandoverFile, ParkedRow, QuarantinedRow
from tests.fakes.shelf import Part


def _told(row: ParkedRow) -> tuple[date, int]:
    return row.told_date or date.min, row.told_seq or 0


def _in_turn(row: ParkedRow) -> tuple[str, int, tuple[date, int], datetime, int]:
    return row.case_no, row.version, _told(row), row.parked_at, row.record_no


def _key(row: ParkedRow) -> tuple[str, int, str, str]:
    return row.case_no, row.version, row.facts_sha256, row.change


class Handovers(Part):
    def find(self, way: str, sha256: str) -> HandoverFile | None:
        return next((f for f in self.taken_in(way) if f.sha256 == sha256), None)

    def taken_in(self, way: str) -> Sequence[HandoverFile]:
        found = [f for f in self.s.files.values() if f.way == way and f.status != "rejected"]
        return sorted(found, key=lambda f: (f.base_date, f.file_seq, f.received_at))

    def rejected(self, way: str) -> Sequence[HandoverFile]:
        found = [f for f in self.s.files.values() if f.way == way and f.status == "rejected"]
        return sorted(found, key=lambda f: (f.received_at, f.file_id))

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None:
        self.s.files[file.file_id] = file
        self.s.quarantined += quarantined

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        return sorted((q for q in self.s.quarantined if q.file_id == file_id), key=lambda q: q.record_no)

    def mark_replaced(self, file_id: str) -> None:
        self.s.files[file_id] = self.s.files[file_id]._replace(status="replaced")

    def park(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            before = self.s.parked.get(_key(row), row)
            if _told(before) <= _told(row):
                self.s.parked[_key(row)] = row._replace(parked_at=before.parked_at)

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        found = [row for row in self.s.parked.values() if row.case_no in case_nos]
        return sorted(found, key=_in_turn)

    def unpark(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            self.s.parked.pop(_key(row), None)

    def missing_versions(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        shown = {w.case_no for w in self.s.work if w.kind == kind and not w.done_at}
        late = {row.case_no for row in self.s.parked.values() if row.parked_at < before}
        return [(no, self._misses(no)) for no in sorted(late - shown)][:limit]

    def end_missing_versions(self, kind: str, at: datetime) -> int:
        missed = {(row.case_no, self._misses(row.case_no)) for row in self.s.parked.values()}
        open_ = [n for n, w in enumerate(self.s.work) if w.kind == kind and not w.done_at]
        over = [n for n in open_ if (self.s.work[n].case_no, self.s.work[n].code) not in missed]
        for n in over:
            self.s.work[n] = self.s.work[n]._replace(done_at=at)
        return len(over)

    def _misses(self, case_no: str) -> str:
        case = self.s.cases.get(case_no)
        return f"version-{case.version + 1 if case and case.facts is not None else 1}"
