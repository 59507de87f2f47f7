"""See `gateway.store.parts.inbox`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.errors import Interfered
from gateway.ports import Arrival, CheckRow, FactRow, HeldRow, InboxRow, LegRow, MessageRow, Met, ReceiptRow
from tests.fakes.parts.cases import Caseload
from tests.fakes.parts.facts import Facts
from tests.fakes.parts.legs import Legs
from tests.fakes.shelf import Part, right_now


class Inbox(Part):
    def meet(self, arrivals: Sequence[Arrival]) -> Met:
        fresh = {(one.partner, one.nonce): one.at for one in arrivals if (one.partner, one.nonce) not in self.s.nonces}
        self.s.nonces |= fresh
        ids = [(one.partner, one.mid) for one in arrivals if (one.partner, one.mid) in self.s.inbox]
        told = {one.ref_no for one in arrivals if one.ref_no}
        legs = Legs(self.s).many(sorted(told))
        held = sorted(
            (r for r in self.s.inbox.values() if r.ref_no in told and r.state == "held"), key=lambda r: r.seq or 0
        )
        checks = [check for check in self.s.checks.values() if check.ref_no in told]
        return Met(
            right_now(),
            set(fresh),
            {(p, mid): (self.s.inbox[p, mid], self.s.receipts.get((p, "in", mid))) for p, mid in ids},
            legs,
            [HeldRow(r.ref_no or "", r.seq or 0, r.partner, r.mid) for r in held],
            sorted(checks, key=lambda c: (c.due_on, c.ref_no)),
            Caseload(self.s).records([leg.case_no for leg in legs.values()]),
        )

    def held_messages(self, held: Sequence[HeldRow]) -> Sequence[MessageRow]:
        found = (self.s.messages.get((one.partner, "in", one.mid)) for one in held)
        return [message for message in found if message]

    def forget_nonces(self, before: datetime) -> int:
        old = [key for key, at in self.s.nonces.items() if at < before]
        for key in old:
            del self.s.nonces[key]
        return len(old)

    def settle(self, partner: str, mid: str, state: str, code: str | None) -> None:
        self.s.inbox[partner, mid] = self.s.inbox[partner, mid]._replace(state=state, code=code)

    def refuse_held(self, code: str) -> Sequence[tuple[str | None, str, str, str]]:
        over = {no: leg.case_no for no, leg in self.s.legs.items() if leg.business == "consent-withdrawn"}
        held = [r for r in self.s.inbox.values() if r.state == "held" and r.ref_no in over]
        for r in held:
            self.settle(r.partner, r.mid, "refused", code)
        return [(over[r.ref_no], r.ref_no, r.partner, r.mid) for r in held if r.ref_no]

    def refuse_destroyed(self, code: str) -> int:
        said = {(m.partner, m.mid) for m in self.s.messages.values() if m.direction == "in" and m.body}
        over = [r for r in self.s.inbox.values() if r.state == "held" and (r.partner, r.mid) not in said]
        for r in over:
            self.settle(r.partner, r.mid, "refused", code)
        return len(over)

    def missing(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str | None, str, str, str]]:
        shown = {w.mid for w in self.s.work if w.kind == kind and not w.done_at}
        late = [r for r in self.s.inbox.values() if r.state == "held" and r.at < before and r.mid not in shown]
        legs = self.s.legs
        return [
            (legs[r.ref_no].case_no if r.ref_no in legs else None, r.ref_no or "", r.partner, r.mid)
            for r in sorted(late, key=lambda r: r.at)[:limit]
        ]

    def end_missing(self, kind: str, at: datetime) -> int:
        held = {(r.partner, r.mid) for r in self.s.inbox.values() if r.state == "held"}
        over = [
            n for n, w in enumerate(self.s.work) if w.kind == kind and not w.done_at and (w.partner, w.mid) not in held
        ]
        for n in over:
            self.s.work[n] = self.s.work[n]._replace(done_at=at)
        return len(over)

    def keep(
        self,
        heard: Sequence[tuple[InboxRow, MessageRow]] = (),
        *,
        legs: Sequence[LegRow] = (),
        facts: Sequence[FactRow] = (),
        checks: Sequence[CheckRow] = (),
    ) -> Mapping[tuple[str, str], int]:
        places = {}
        for row, message in heard:
            if (row.partner, row.mid) in self.s.inbox:
                raise Interfered("a message")
            self.s.inbox[row.partner, row.mid] = row
            self.s.messages[message.partner, "in", message.mid] = message
            places[row.partner, row.mid] = len(self.s.inbox)
        Legs(self.s).save(*legs)
        self.s.facts += facts
        Facts(self.s).save_checks(checks)
        return places

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        return self.s.receipts.get((partner, "in", mid))
