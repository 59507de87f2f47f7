"""See `gateway.store.parts.facts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime

from gateway.ports import CheckRow, LegRow, ToldRow, UpdateRow
from tests.fakes.shelf import Part


class Facts(Part):
    def of(self, ref_nos: Sequence[str]) -> Sequence[ToldRow]:
        found = sorted((f for f in self.s.facts if f.ref_no in ref_nos), key=lambda f: (f.ref_no, f.seq, f.at))
        return [ToldRow(*(getattr(f, name) for name in ToldRow._fields)) for f in found]

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        hit = [f for f in self.s.facts if (f.ref_no, f.seq) == (ref_no, seq) and not f.entered_in_error]
        for f in hit:
            self.s.facts[self.s.facts.index(f)] = f._replace(entered_in_error=True, superseded_by=by)
        return bool(hit)

    def save_checks(self, rows: Sequence[CheckRow]) -> None:
        self.s.checks |= {(c.ref_no, c.milestone): c for c in rows}

    def followed(self, ref_nos: Sequence[str]) -> Set[str]:
        return {c.ref_no for c in self.s.checks.values() if c.ref_no in ref_nos and c.state in ("scheduled", "due")}

    def cancel_checks(self, ref_no: str) -> None:
        mine = [c for c in self.s.checks.values() if c.ref_no == ref_no and c.state in ("scheduled", "due")]
        self.save_checks([c._replace(state="cancelled") for c in mine])

    def checks_due(self, today: date) -> Sequence[CheckRow]:
        found = [c for c in self.s.checks.values() if c.state == "scheduled" and c.due_on <= today]
        return sorted(found, key=lambda c: (c.due_on, c.ref_no))

    def checks_over(self, unanswered_since: date) -> Sequence[CheckRow]:
        found = [c for c in self.s.checks.values() if c.state in ("scheduled", "due")]
        over = (c for c in found if c.due_on < unanswered_since or self._nobody_answers(self.s.legs[c.ref_no]))
        return sorted(over, key=lambda c: (c.due_on, c.ref_no))

    def _nobody_answers(self, leg: LegRow) -> bool:
        case = self.s.cases[leg.case_no]
        gone = case.status != "live" or (case.barred and case.verdict == "ok")
        if leg.status == "completed":
            return False
        return gone or leg.status in ("rejected", "failed", "cancelled", "entered-in-error")

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        found = sorted((u for u in self.s.updates.values() if u.ref_no in ref_nos), key=lambda u: u.update_no)
        return {u.ref_no: u for u in found}

    def add_updates(self, rows: Sequence[UpdateRow]) -> None:
        self.s.updates |= {(row.ref_no, row.update_no): row for row in rows}

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        waiting = sorted(
            (u for u in self.s.updates.values() if u.file_seq is None), key=lambda u: (u.ref_no, u.update_no)
        )
        more_may_come = any(leg.tracked < leg.version for leg in self.s.legs.values())
        if not waiting or (more_may_come and len(waiting) < limit and min(u.at for u in waiting) > settled):
            return None
        seq = max((n for d, n in self.s.rtw_files if d == file_date), default=0) + 1
        self.s.rtw_files[file_date, seq] = None
        for u in waiting[:limit]:
            self.s.updates[u.ref_no, u.update_no] = u._replace(file_date=file_date, file_seq=seq)
        return seq, self._in_file(file_date, seq)

    def _in_file(self, file_date: date, seq: int) -> Sequence[UpdateRow]:
        found = [u for u in self.s.updates.values() if (u.file_date, u.file_seq) == (file_date, seq)]
        return sorted(found, key=lambda u: (u.ref_no, u.update_no))

    def unwritten_files(self) -> Sequence[tuple[date, int, Sequence[UpdateRow]]]:
        return [(d, n, self._in_file(d, n)) for (d, n), sha in sorted(self.s.rtw_files.items()) if sha is None]

    def file_written(self, file_date: date, file_seq: int, sha256: str, at: datetime) -> None:
        self.s.rtw_files[file_date, file_seq] = sha256
