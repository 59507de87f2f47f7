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

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None:
        self.s.files[file.file_id] = file
        self.s.quarantined += quarantined

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        return sorted((q for q in self.s.quarantined if q.file_id == file_id), key=lambda q: q.record_no)

    def mark_replaced(self, file_id: str) -> None:
        self.s.files[file_id] = self.s.files[file_id]._replace(status="replaced")

    def park(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            if _told(self.s.parked.get(_key(row), row)) <= _told(row):
                self.s.parked[_key(row)] = row

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        found = [row for row in self.s.parked.values() if row.case_no in case_nos]
        return sorted(found, key=_in_turn)

    def unpark(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            self.s.parked.pop(_key(row), None)
