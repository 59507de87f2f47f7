"""See `gateway.store.parts.cases`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from typing import Any

from gateway.errors import SequenceGap
from gateway.ports import CaseChange, CaseRow, HandoverFile, JudgedRow, ScreeningRow, SeatRow
from tests.fakes.shelf import TERMINAL, Part

NOTED = (
    *("verdict", "reason", "barred", "referred", "entry_date", "entry_seq", "entry_version"),
    *("unserved", "holds_until", "judged"),
)
LATER = datetime.max.replace(tzinfo=UTC)


def _place(file: HandoverFile) -> tuple[date, int]:
    return file.base_date, file.stands_for or file.file_seq


def _newer(file: HandoverFile, case: CaseRow) -> bool:
    if case.facts is None or case.facts_date is None:
        return case.facts is None or file.received_at > case.updated_at
    return _place(file) >= (case.facts_date, case.facts_seq or 0)


class Caseload(Part):
    def load(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        return {n: self.s.cases[n] for n in sorted(case_nos) if n in self.s.cases}

    look = load

    def records(self, case_nos: Sequence[str]) -> Mapping[str, bytes]:
        return {no: row.record for no, row in self.look(case_nos).items() if row.record is not None}

    def save(self, changes: Sequence[CaseChange]) -> None:
        for change in changes:
            self.s.cases[change.row.case_no] = change.row
            self.s.history.append(change)

    def note(self, rows: Sequence[CaseRow]) -> None:
        for row in rows:
            if kept := self.s.cases.get(row.case_no):
                noted = {name: getattr(row, name) for name in NOTED}
                self.s.cases[row.case_no] = kept._replace(**noted)

    def to_judge(self, now: datetime, limit: int) -> Sequence[CaseRow]:
        due = [row for row in self._live() if row.judged < row.revision or (row.holds_until or LATER) <= now]
        return [row for row in due if row.record is not None][:limit]

    def live_without(self, case_nos: Collection[str]) -> Sequence[str]:
        return [row.case_no for row in self._live() if row.facts is not None and row.case_no not in case_nos]

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        found = [c.row for c in self.s.history if c.row.case_no == case_no and c.row.updated_at <= at]
        return found[-1].record if found else None

    def _latest(self, case_no: str) -> ScreeningRow | None:
        return next((s for s in reversed(self.s.screenings) if s.case_no == case_no), None)

    def _live(self) -> list[CaseRow]:
        return [row for _, row in sorted(self.s.cases.items()) if row.status == "live"]

    def unscreened(self, limit: int) -> Sequence[JudgedRow]:
        fresh = [row for row in self._live() if row.screened < row.revision and row.record is not None]
        return [JudgedRow(row.case_no, row.revision, row.record) for row in fresh[:limit]]

    def taken_back(self, limit: int) -> Sequence[str]:
        gone = [no for no, row in sorted(self.s.cases.items()) if row.status != "live"]
        return [no for no in gone if 0 < self.s.cases[no].screened < self.s.cases[no].revision][:limit]

    def mark_taken_back(self, case_nos: Sequence[str]) -> None:
        for no in case_nos:
            if self.s.cases[no].status != "live":
                self.s.cases[no] = self.s.cases[no]._replace(screened=self.s.cases[no].revision)

    def waiting(self) -> Sequence[JudgedRow]:
        return [
            JudgedRow(row.case_no, row.revision, row.record)
            for row in self._live()
            if row.screened == row.revision
            and row.record is not None
            and (s := self._latest(row.case_no))
            and s.result == "WAITLIST"
        ]

    def seats_taken(self) -> Mapping[str, int]:
        return Counter(seat.branch for seat in self._seats())

    def seats_of(self, case_nos: Collection[str]) -> Sequence[SeatRow]:
        return [seat for seat in self._seats() if seat.case_no in case_nos]

    def seats_held_since(self, branches: Collection[str], day: date) -> Sequence[SeatRow]:
        return [seat for seat in self._seats() if seat.branch in branches and seat.since <= day]

    def _seats(self) -> Sequence[SeatRow]:
        seats = []
        for row in self._live():
            ends = [c.row.revision for c in self.s.history if c.row.case_no == row.case_no and c.change in ("D", "X")]
            deleted = max(ends, default=0)
            since = None
            for s in self.s.screenings:
                if s.case_no == row.case_no and s.revision > deleted:
                    since = (since or s.business_date) if s.result == "PRIORITY" else None
            last = self._latest(row.case_no)
            if since and row.branch and row.record is not None and last and last.revision == row.screened:
                seats.append(SeatRow(row.case_no, row.branch, since))
        return seats

    def still_as_screened(self, case_nos: Sequence[str]) -> Sequence[JudgedRow]:
        rows = [self.s.cases[no] for no in sorted(case_nos)]
        return [JudgedRow(row.case_no, row.revision, row.record) for row in rows if row.screened == row.revision]

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        self.s.screenings += rows
        for r in rows:
            case = self.s.cases[r.case_no]
            self.s.cases[r.case_no] = case._replace(screened=max(case.screened, r.revision))

    def in_review(self, case_nos: Sequence[str]) -> Set[str]:
        last = {n: s for n in case_nos if (s := self._latest(n))}
        return {n for n, s in last.items() if (s.result, s.revision) == ("REVIEW", self.s.cases[n].screened)}

    def to_refer(self, limit: int) -> Sequence[CaseRow]:
        found = []
        for row in self._live():
            s = self._latest(row.case_no)
            legs = [g for g in self.s.legs.values() if g.case_no == row.case_no]
            busy = any(g.status not in TERMINAL or g.case_version == row.version for g in legs)
            fit = not busy and row.referred < row.revision and row.verdict == "ok" and row.screened == row.revision
            if fit and s and s.result == "PRIORITY":
                found.append((-s.score, row.case_no, row))
        return [row for _, _, row in sorted(found)][:limit]

    def mark_referred(self, case_nos: Sequence[str]) -> None:
        for n in case_nos:
            self.s.cases[n] = self.s.cases[n]._replace(referred=self.s.cases[n].revision)

    def report(self) -> Iterator[Mapping[str, Any]]:
        files = self.s.files
        spoken = [q for q in self.s.quarantined if q.case_no and files[q.file_id].way == "A1"]
        spoken.sort(key=lambda q: (*_place(files[q.file_id]), files[q.file_id].received_at, -q.record_no))
        aside = {q.case_no: q for q in spoken if files[q.file_id].status == "accepted"}
        parked = {row.case_no for row in self.s.parked.values()}
        for n in sorted({*self.s.cases, *parked, *(c for c in aside if c)}):
            case, q = self.s.cases.get(n), aside.get(n)
            s = self._latest(n)
            reason: str | None
            if q and (case is None or _newer(files[q.file_id], case)):
                record, reason, gate = "quarantined", q.reason, None
            elif n in parked and (case is None or case.status == "awaiting"):
                record, reason, gate = "no-referral", SequenceGap.code, None
            else:
                assert case is not None
                plain = case.verdict if case.status == "live" else case.status
                record, reason, gate = plain, case.reason, s.gate if s else None
            legs = [
                {"refNo": leg.ref_no, "partner": leg.partner, "status": leg.status, "business": leg.business}
                for _, leg in sorted(self.s.legs.items())
                if leg.case_no == n
            ]
            yield {
                "caseNo": n,
                "record": record,
                "reason": reason,
                "screening": gate,
                "decision": s.result if s else None,
                "score": s.score if s else None,
                "legs": legs,
            }
