"""Outcome facts, checks of how long work lasted, and return-to-work updates with the files they are put into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any

from gateway.ports import CheckRow, ToldRow, UpdateRow
from gateway.store.parts.part import Part
from gateway.store.parts.written import write_down
from gateway.store.sealed import TOLD, UPDATE
from gateway.store.shapes import as_arrays, as_rows
from gateway.store.statements import STATEMENTS as _SQL


class Facts(Part):
    """See `ports.Facts`."""

    def of(self, ref_nos: Sequence[str]) -> Sequence[ToldRow]:
        found = [self._open_fact(*columns) for columns in _SQL.facts_of(self._c, ref_nos=list(ref_nos))]
        return [row for row in found if row.content]

    def _open_fact(self, *columns: Any) -> ToldRow:
        *said, case_no, key = columns
        return self._seal.open(TOLD, ToldRow(*said), key, case_no)

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        return bool(_SQL.supersede(self._c, ref_no=ref_no, seq=seq, by=by))

    def save_checks(self, rows: Sequence[CheckRow]) -> None:
        write_down(self._c, checks=rows)

    def followed(self, ref_nos: Sequence[str]) -> Set[str]:
        found = _SQL.followed(self._c, ref_nos=list(ref_nos)) if ref_nos else ()
        return {ref_no for (ref_no,) in found}

    def cancel_checks(self, ref_no: str) -> None:
        _SQL.cancel_checks(self._c, ref_no=ref_no)

    def checks_due(self, today: date) -> Sequence[CheckRow]:
        return as_rows(CheckRow, _SQL.checks_due(self._c, today=today))

    def checks_over(self, unanswered_since: date) -> Sequence[CheckRow]:
        return as_rows(CheckRow, _SQL.checks_over(self._c, unanswered_since=unanswered_since))

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        found = self._opened(UPDATE, UpdateRow, _SQL.last_updates(self._c, ref_nos=list(ref_nos)))
        return {row.ref_no: row for row in found}

    def add_updates(self, rows: Sequence[UpdateRow]) -> None:
        if rows:
            _SQL.add_updates(self._c, **as_arrays(UpdateRow._fields, self._seal.shut(UPDATE, rows)))

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        if not _SQL.file_is_worth_it(self._c, limit=limit, settled=settled):
            return None
        file_seq: int = _SQL.take_file_number(self._c, file_date=file_date)
        _SQL.put_into_file(self._c, file_date=file_date, file_seq=file_seq, limit=limit)
        return file_seq, self._in_file(file_date, file_seq)

    def _in_file(self, file_date: date, file_seq: int) -> Sequence[UpdateRow]:
        """Without those whose content was destroyed, which there are only after an older backup was restored."""
        found = _SQL.updates_in_file(self._c, file_date=file_date, file_seq=file_seq)
        return [row for row in self._opened(UPDATE, UpdateRow, found) if row.content != UPDATE.columns["content"]]

    def unwritten_files(self) -> Sequence[tuple[date, int, Sequence[UpdateRow]]]:
        return [(day, seq, self._in_file(day, seq)) for day, seq in list(_SQL.unwritten_files(self._c))]

    def file_written(self, file_date: date, file_seq: int, sha256: str, at: datetime) -> None:
        _SQL.file_written(self._c, file_date=file_date, file_seq=file_seq, sha256=sha256, at=at)
