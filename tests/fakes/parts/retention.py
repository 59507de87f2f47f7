"""See `gateway.store.parts.retention`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

from gateway.ports import CaseRow, HoldRow, MessageRow, QuarantinedRow
from tests.fakes.shelf import TERMINAL, Part, day_of


class Retention(Part):
    def take_day(self, round_: str, day: date) -> bool:
        first = self.s.days.get(round_, date.min) < day
        if first:
            self.s.days[round_] = day
        return first

    def due(self, kind: str, before: date) -> tuple[int, int]:
        found = self._due(kind, before)
        held = sum(1 for case_no in found if case_no in self.s.holds)
        return len(found) - held, held

    def destroy_returned(self, most: int) -> int:
        return 0  # there are no backups of a memory

    def destroy(self, kind: str, before: date, most: int) -> int:
        going = [case_no for case_no in self._due(kind, before) if case_no not in self.s.holds][:most]
        if kind == "destroy-put-aside":
            self._empty_put_aside(before)
        for case_no in going if kind != "destroy-put-aside" else ():
            (self._empty if kind == "destroy-content" else self._remove)(str(case_no))
        return len(going)

    def hold(self, row: HoldRow) -> bool:
        return self.s.holds.setdefault(row.case_no, row) is row

    def release(self, case_no: str) -> bool:
        return self.s.holds.pop(case_no, None) is not None

    def holds(self) -> Sequence[HoldRow]:
        return sorted(self.s.holds.values(), key=lambda row: (row.since, row.case_no))

    def files_on_hold(self) -> Set[tuple[date, int]]:
        brought: list[tuple[str | None, str | None]] = [(c.row.case_no, c.file_id) for c in self.s.history]
        brought += [(row.case_no, row.file_id) for row in self.s.quarantined]
        brought += [(row.case_no, row.file_id) for row in self.s.parked.values()]
        files = [self.s.files[file_id] for case_no, file_id in brought if case_no in self.s.holds and file_id]
        written = [u for u in self.s.updates.values() if u.case_no in self.s.holds]
        found = {(f.base_date, f.file_seq) for f in files}
        return found | {(u.file_date, u.file_seq) for u in written if u.file_date and u.file_seq}

    def _due(self, kind: str, before: date) -> list[str | None]:
        if kind == "destroy-put-aside":
            records = [row.case_no for row in self.s.quarantined if row.raw and self._came_before(row, before)]
            waiting = [row.case_no for row in self.s.parked.values() if day_of(row.parked_at) < before]
            return [*records, *waiting, *(m.case_no for m in self._about_no_case(before).values())]
        closed = [no for no, row in sorted(self.s.cases.items()) if self._closed(row, before)]
        return [no for no in closed if kind == "destroy-evidence" or self._readable(no)]

    def _about_no_case(self, before: date) -> dict[tuple[str, str, str], MessageRow]:
        found = self.s.messages.items()
        return {key: m for key, m in found if m.case_no is None and m.body and day_of(m.at) < before}

    def _came_before(self, row: QuarantinedRow, before: date) -> bool:
        return day_of(self.s.files[row.file_id].received_at) < before

    def _closed(self, case: CaseRow, before: date) -> bool:
        legs = [leg for leg in self.s.legs.values() if leg.case_no == case.case_no]
        numbers = {leg.ref_no for leg in legs}
        messages = [m for m in self.s.messages.values() if m.case_no == case.case_no]
        results = [row.result for row in self.s.screenings if row.case_no == case.case_no]
        days = [day_of(case.updated_at), *(day_of(leg.updated_at) for leg in legs), *(day_of(m.at) for m in messages)]
        return (
            max(days) < before
            and all(leg.status in TERMINAL and leg.tracked >= leg.version for leg in legs)
            and not any(c.state in ("scheduled", "due") for c in self.s.checks.values() if c.ref_no in numbers)
            and not any(u.file_seq is None for u in self.s.updates.values() if u.ref_no in numbers)
            and not any(
                d.state in ("ready", "leased") for d in self.s.deliveries.values() if d.message.case_no == case.case_no
            )
            and (
                case.status != "live"
                or case.verdict != "ok"
                or bool(legs)
                or bool(results and results[-1] not in ("PRIORITY", "WAITLIST"))
            )
        )

    def _readable(self, case_no: str) -> bool:
        case = self.s.cases[case_no]
        history = any(c.row.record is not None for c in self.s.history if c.row.case_no == case_no)
        bodies = any(m.body for m in self.s.messages.values() if m.case_no == case_no)
        return bool(case.facts or case.entry or case.record) or history or bodies

    def _empty_put_aside(self, before: date) -> None:
        held = self.s.holds
        self.s.quarantined = [
            row._replace(raw=b"") if row.case_no not in held and self._came_before(row, before) else row
            for row in self.s.quarantined
        ]
        self.s.parked = {
            k: row for k, row in self.s.parked.items() if row.case_no in held or day_of(row.parked_at) >= before
        }

        nobodys = self._about_no_case(before)
        self.s.messages |= {key: m._replace(body=b"", fhir=None, head=None) for key, m in nobodys.items()}

    def _empty(self, case_no: str) -> None:
        s, numbers = self.s, {leg.ref_no for leg in self.s.legs.values() if leg.case_no == case_no}
        s.cases[case_no] = s.cases[case_no]._replace(facts=None, entry=None, record=None)
        s.history = [c._replace(row=c.row._replace(record=None)) if c.row.case_no == case_no else c for c in s.history]
        s.screenings = [r._replace(contributions=b"[]") if r.case_no == case_no else r for r in s.screenings]
        mids = {(m.partner, m.mid) for m in s.messages.values() if m.case_no == case_no and m.direction == "out"}
        s.attempts = [a._replace(head=None) if (a.partner, a.mid) in mids else a for a in s.attempts]
        gone = {k: m._replace(body=b"", fhir=None, head=None) for k, m in s.messages.items() if m.case_no == case_no}
        s.messages |= gone
        s.judge_on = {k: day for k, day in s.judge_on.items() if k not in numbers}
        s.facts = [f for f in s.facts if f.ref_no not in numbers]
        s.updates = {k: u._replace(content=b"{}") if u.ref_no in numbers else u for k, u in s.updates.items()}
        s.quarantined = [q._replace(raw=b"") if q.case_no == case_no else q for q in s.quarantined]
        s.parked = {k: p for k, p in s.parked.items() if p.case_no != case_no}

    def _remove(self, case_no: str) -> None:
        s, numbers = self.s, {leg.ref_no for leg in self.s.legs.values() if leg.case_no == case_no}
        mids = {(m.partner, m.mid) for m in s.messages.values() if m.case_no == case_no}
        del s.cases[case_no]
        s.history = [c for c in s.history if c.row.case_no != case_no]
        s.screenings = [r for r in s.screenings if r.case_no != case_no]
        s.referrals = {k: r for k, r in s.referrals.items() if r.case_no != case_no}
        s.legs = {k: leg for k, leg in s.legs.items() if k not in numbers}
        s.messages = {k: m for k, m in s.messages.items() if m.case_no != case_no}
        s.deliveries = {k: d for k, d in s.deliveries.items() if k not in mids}
        s.receipts = {k: r for k, r in s.receipts.items() if (r.partner, r.mid) not in mids}
        s.judge_on = {k: day for k, day in s.judge_on.items() if k not in numbers}
        s.facts = [f for f in s.facts if f.ref_no not in numbers]
        s.checks = {k: c for k, c in s.checks.items() if c.ref_no not in numbers}
        s.updates = {k: u for k, u in s.updates.items() if u.ref_no not in numbers}
        s.work = [w for w in s.work if w.case_no != case_no]
        s.quarantined = [q for q in s.quarantined if q.case_no != case_no]
        s.parked = {k: p for k, p in s.parked.items() if p.case_no != case_no}
