"""Our books, the signed lists exchanged about them, and the differences that were found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from gateway.ports import BookedRow, DifferenceRow, ReconciliationRow
from gateway.store.parts.part import Part
from gateway.store.shapes import as_arrays, as_rows
from gateway.store.statements import STATEMENTS as _SQL


class Reconciliation(Part):
    """See `ports.Reconciliation`."""

    def booked(self, partner: str, since: datetime, until: datetime) -> Sequence[BookedRow]:
        return as_rows(BookedRow, _SQL.booked(self._c, partner=partner, since=since, until=until))

    def days_due(self, partner: str, last: date, now: datetime, most: int) -> Sequence[date]:
        return [day for (day,) in _SQL.days_due(self._c, partner=partner, last=last, now=now, most=most)]

    def newest(self, partner: str, day: date | None = None) -> ReconciliationRow | None:
        row = _SQL.newest_list(self._c, partner=partner, day=day)
        return ReconciliationRow(*row) if row else None

    def of_days(self, partner: str, first: date, last: date) -> Sequence[ReconciliationRow]:
        return as_rows(ReconciliationRow, _SQL.lists_of_days(self._c, partner=partner, first=first, last=last))

    def last_answer(self, partner: str) -> str | None:
        found: str | None = _SQL.last_answer(self._c, partner=partner)
        return found

    def answers_lately(self, partner: str) -> Sequence[str]:
        return [theirs for (theirs,) in _SQL.answers_lately(self._c, partner=partner)]

    def may_be_lost(self, row: ReconciliationRow) -> bool:
        return bool(_SQL.may_be_lost(self._c, partner=row.partner, list_id=row.list_id))

    def keep(self, row: ReconciliationRow) -> None:
        _SQL.keep_list(self._c, **row._asdict())

    def differ(self, partner: str, day: date, found: Sequence[DifferenceRow], at: datetime) -> Sequence[DifferenceRow]:
        names = ("partner", "mid", "direction", "what", "day", "found_at")
        new = _SQL.add_differences(self._c, **as_arrays(names, [row[:6] for row in found])) if found else ()
        keys = as_arrays(("mids", "directions", "whats"), [row[1:4] for row in found])
        gone = _SQL.end_differences(self._c, partner=partner, day=day, at=at, **keys)
        return [*as_rows(DifferenceRow, new), *as_rows(DifferenceRow, gone)]

    def open_differences(self, partner: str) -> Sequence[DifferenceRow]:
        return as_rows(DifferenceRow, _SQL.open_differences(self._c, partner=partner))
