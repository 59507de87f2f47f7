"""Cases as COMWEL knows them with their history, and what screening decided about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any

from gateway.ports import CaseChange, CaseRow, JudgedRow, ScreeningRow, SeatRow
from gateway.store.parts.part import Part
from gateway.store.sealed import CASE, HISTORY, JUDGED, SCREENING
from gateway.store.shapes import as_arrays, as_rows, in_slices
from gateway.store.statements import STATEMENTS as _SQL

_NOTED = (
    "case_no",
    "verdict",
    "reason",
    "barred",
    "referred",
    "entry_date",
    "entry_seq",
    "entry_version",
    "unserved",
    "holds_until",
    "judged",
)
"""What is written of a case without a revision."""


class Caseload(Part):
    """See `ports.Caseload`."""

    def load(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        found = self._opened(CASE, CaseRow, _SQL.load_cases(self._c, case_nos=list(case_nos)))
        return {row.case_no: row for row in found}

    def look(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        found = self._opened(CASE, CaseRow, _SQL.look_cases(self._c, case_nos=list(case_nos)))
        return {row.case_no: row for row in found}

    def records(self, case_nos: Sequence[str]) -> Mapping[str, bytes]:
        found = self._opened(JUDGED, JudgedRow, _SQL.records(self._c, case_nos=list(case_nos)))
        return {row.case_no: row.record for row in found if row.record is not None}

    def save(self, changes: Sequence[CaseChange]) -> None:
        rows = [change.row for change in changes]
        last = {row.case_no: row for row in rows}
        for some in in_slices(list(last.values())):
            _SQL.save_cases(self._c, **as_arrays(CaseRow._fields, self._seal.shut(CASE, some)))
        self._settle(last.values())
        history = [
            (row.case_no, row.revision, row.record, c.change, c.file_id, row.updated_at)
            for c, row in zip(changes, self._seal.shut(HISTORY, rows), strict=True)
        ]
        names = ("case_no", "revision", "record", "change", "file_id", "at")
        _SQL.add_history(self._c, **as_arrays(names, history))

    def note(self, rows: Sequence[CaseRow]) -> None:
        for some in in_slices(rows):
            _SQL.note_cases(self._c, **as_arrays(_NOTED, [[getattr(row, name) for name in _NOTED] for row in some]))
        self._settle(rows)

    def _settle(self, rows: Iterable[CaseRow]) -> None:
        """Of whom nobody has to be called back, nobody asks again until something changes."""
        if some := [row.case_no for row in rows if row.barred or row.version > 1 or row.unserved]:
            _SQL.settle_cases(self._c, case_nos=some)

    def to_judge(self, now: datetime, limit: int) -> Sequence[CaseRow]:
        return self._opened(CASE, CaseRow, _SQL.to_judge(self._c, now=now, limit=limit))

    def live_without(self, case_nos: Collection[str]) -> Sequence[str]:
        return [case_no for (case_no,) in _SQL.live_without(self._c, case_nos=list(case_nos))]

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        found = _SQL.record_as_of(self._c, case_no=case_no, at=at)
        return self._open(HISTORY, JudgedRow, found).record if found else None

    def unscreened(self, limit: int) -> Sequence[JudgedRow]:
        return self._opened(JUDGED, JudgedRow, _SQL.unscreened(self._c, limit=limit))

    def taken_back(self, limit: int) -> Sequence[str]:
        return [case_no for (case_no,) in _SQL.taken_back(self._c, limit=limit)]

    def mark_taken_back(self, case_nos: Sequence[str]) -> None:
        _SQL.mark_taken_back(self._c, case_nos=list(case_nos))

    def waiting(self) -> Sequence[JudgedRow]:
        return self._opened(JUDGED, JudgedRow, _SQL.waiting_cases(self._c))

    def seats_taken(self) -> Mapping[str, int]:
        return dict(_SQL.seats_taken(self._c))

    def seats_of(self, case_nos: Collection[str]) -> Sequence[SeatRow]:
        return self._seats(case_nos=list(case_nos), branches=[], until=None)

    def seats_held_since(self, branches: Collection[str], day: date) -> Sequence[SeatRow]:
        return self._seats(case_nos=[], branches=list(branches), until=day)

    def _seats(self, **asked: object) -> Sequence[SeatRow]:
        return as_rows(SeatRow, _SQL.seats_held(self._c, **asked))

    def still_as_screened(self, case_nos: Sequence[str]) -> Sequence[JudgedRow]:
        return self._opened(JUDGED, JudgedRow, _SQL.still_as_screened(self._c, case_nos=list(case_nos)))

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        for some in in_slices(rows):
            judged = [(r.case_no, r.revision, r.result) for r in some]
            _SQL.mark_screened(self._c, **as_arrays(("case_nos", "revisions", "results"), judged))  # cases first
            _SQL.add_screenings(self._c, **as_arrays(ScreeningRow._fields, self._seal.shut(SCREENING, some)))

    def in_review(self, case_nos: Sequence[str]) -> Set[str]:
        return {case_no for (case_no,) in _SQL.in_review(self._c, case_nos=list(case_nos))}

    def to_refer(self, limit: int) -> Sequence[CaseRow]:
        return self._opened(CASE, CaseRow, _SQL.to_refer(self._c, limit=limit))

    def mark_referred(self, case_nos: Sequence[str]) -> None:
        _SQL.mark_referred(self._c, case_nos=list(case_nos))

    def report(self) -> Iterator[Mapping[str, Any]]:
        for case_no, record, reason, screening, result, score, legs in _SQL.report_cases(self._c):
            yield {
                "caseNo": case_no,
                "record": record,
                "reason": reason,
                "screening": screening,
                "decision": result,
                "score": score,
                "legs": legs or [],
            }
