"""Referrals and their legs. Who reads a leg locks it, and whoever saves it says which version was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime
from typing import Any

from gateway.ports import CaseRow, LegRow, ReferralRow
from gateway.store.parts.part import Part
from gateway.store.parts.written import write_down
from gateway.store.sealed import CASE, Seal
from gateway.store.shapes import as_arrays, as_json, as_texts
from gateway.store.statements import STATEMENTS as _SQL


def _leg(columns: tuple[Any, ...]) -> LegRow:
    row = LegRow(*columns)
    return row._replace(services=tuple(row.services))


def remembered(seal: Seal, found: Iterable[tuple[Any, ...]]) -> dict[str, LegRow]:
    """Legs by their numbers; whose they are is remembered."""
    legs = {row[0]: _leg(row) for row in found}
    seal.cases.update((leg.ref_no, leg.case_no) for leg in legs.values())
    return legs


class Legs(Part):
    """See `ports.Legs`."""

    def next_numbers(self, day: date, how_many: int) -> Sequence[int]:
        last: int = _SQL.next_numbers(self._c, day=day, how_many=how_many)
        return range(last - how_many + 1, last + 1)

    def add(self, referrals: Sequence[ReferralRow], legs: Sequence[LegRow]) -> None:
        _SQL.add_referrals(self._c, **as_arrays(ReferralRow._fields, referrals))
        services = as_texts(leg.services for leg in legs)
        _SQL.add_legs(self._c, **(as_arrays(LegRow._fields, legs) | {"services": services}))
        _SQL.unsettle_cases(self._c, case_nos=sorted({leg.case_no for leg in legs}))

    def get(self, ref_no: str) -> LegRow | None:
        return self.many([ref_no]).get(ref_no)

    def many(self, ref_nos: Sequence[str]) -> Mapping[str, LegRow]:
        return remembered(self._seal, _SQL.legs_by_number(self._c, ref_nos=list(ref_nos)))

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        return [_leg(row) for row in _SQL.legs_of_cases(self._c, case_nos=list(case_nos))]

    def save(self, *legs: LegRow) -> None:
        write_down(self._c, legs=legs)

    def untracked(self, limit: int, settled: datetime, today: date) -> Sequence[LegRow]:
        return [_leg(row) for row in _SQL.untracked(self._c, limit=limit, settled=settled, today=today)]

    def mark_tracked(self, legs: Sequence[LegRow], again: Mapping[str, date]) -> None:
        told = [{"ref_no": leg.ref_no, "version": leg.version, "judge_on": again.get(leg.ref_no)} for leg in legs]
        _SQL.mark_tracked(self._c, rows=as_json(told))

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        width = len(LegRow._fields)
        found = list(_SQL.to_withdraw(self._c, limit=limit))
        if found:
            _SQL.settle_cases(self._c, case_nos=_SQL.unsettled(self._c))  # of earlier rounds; what is found is open
        return [(_leg(row[:width]), self._open(CASE, CaseRow, row[width:])) for row in found]

    def look_again(self) -> None:
        _SQL.unsettle_behind(self._c)

    def mark_recalled(self, revisions: Mapping[str, int]) -> None:
        if revisions:
            told = [{"ref_no": ref_no, "recalled": revision} for ref_no, revision in revisions.items()]
            _SQL.mark_recalled(self._c, ref_nos=list(revisions), rows=as_json(told))

    def end_requests(self, statuses: Mapping[str, str]) -> Set[str]:
        told = [{"request_no": request_no, "status": status} for request_no, status in statuses.items()]
        if not told:
            return set()
        ended = _SQL.end_requests(self._c, request_nos=list(statuses), rows=as_json(told))
        return {request_no for (request_no,) in ended}
