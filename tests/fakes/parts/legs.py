"""See `gateway.store.parts.legs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime

from gateway.errors import Interfered
from gateway.ports import CaseRow, LegRow, ReferralRow
from tests.fakes.shelf import TERMINAL, Part


class Legs(Part):
    def next_numbers(self, day: date, how_many: int) -> Sequence[int]:
        last = self.s.numbers[day] = self.s.numbers.get(day, 0) + how_many
        return range(last - how_many + 1, last + 1)

    def add(self, referrals: Sequence[ReferralRow], legs: Sequence[LegRow]) -> None:
        self.s.referrals |= {r.request_no: r for r in referrals}
        self.s.legs |= {leg.ref_no: leg for leg in legs}

    def get(self, ref_no: str) -> LegRow | None:
        return self.s.legs.get(ref_no)

    def many(self, ref_nos: Sequence[str]) -> Mapping[str, LegRow]:
        return {n: self.s.legs[n] for n in sorted(ref_nos) if n in self.s.legs}

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        return [leg for _, leg in sorted(self.s.legs.items()) if leg.case_no in case_nos]

    def save(self, *legs: LegRow) -> None:
        for leg in legs:
            known = self.s.legs.get(leg.ref_no)
            if known is None or known.version != leg.version:
                raise Interfered("a leg")
            self.s.legs[leg.ref_no] = leg._replace(version=leg.version + 1, tracked=known.tracked)

    def untracked(self, limit: int, settled: datetime, today: date) -> Sequence[LegRow]:
        found = []
        for ref_no, leg in sorted(self.s.legs.items()):
            changed, day = leg.tracked < leg.version, self.s.judge_on.get(ref_no)
            if leg.updated_at <= settled if changed else day and day <= today:
                found.append(leg)
        return found[:limit]

    def mark_tracked(self, legs: Sequence[LegRow], again: Mapping[str, date]) -> None:
        for leg in legs:
            self.s.judge_on.pop(leg.ref_no, None)
            if leg.ref_no in again:
                self.s.judge_on[leg.ref_no] = again[leg.ref_no]
            known = self.s.legs[leg.ref_no]
            self.s.legs[leg.ref_no] = known._replace(tracked=max(known.tracked, leg.version))

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        found = []
        for _, leg in sorted(self.s.legs.items()):
            case = self.s.cases.get(leg.case_no)
            if case is None or leg.status == "entered-in-error" or leg.business == "consent-withdrawn":
                continue
            looked = self.s.recalled.get(leg.ref_no, 0)
            asked = leg.status in TERMINAL or leg.business == "cancellation-requested"
            if (abs(looked) if asked else looked) >= case.revision:
                continue
            unserved = case.judged == case.revision and leg.partner in case.unserved.split()
            if case.barred or case.version != leg.case_version or unserved:
                found.append((leg, case))
        return found[:limit]

    def look_again(self) -> None: ...

    def mark_recalled(self, revisions: Mapping[str, int]) -> None:
        self.s.recalled |= revisions

    def end_requests(self, statuses: Mapping[str, str]) -> Set[str]:
        others = {no: row for no, row in self.s.referrals.items() if statuses.get(no, row.status) != row.status}
        self.s.referrals |= {no: row._replace(status=statuses[no]) for no, row in others.items()}
        return others.keys()
