"""See `gateway.store.parts.reconciliation`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from operator import itemgetter

from gateway.ports import BookedRow, DifferenceRow, MessageRow, ReconciliationRow
from gateway.sealing import compact, manifest
from tests.fakes.shelf import Part, day_of


class Reconciliation(Part):
    def booked(self, partner: str, since: datetime, until: datetime) -> Sequence[BookedRow]:
        mine = sorted((m for m in self.s.messages.values() if m.partner == partner), key=lambda m: (m.mid, m.direction))
        return [
            BookedRow(m.mid, sha256(m.jws.encode()).digest(), m.direction, self._state(m))
            for m in mine
            if since <= _sealed_at(m.jws) < until and (m.direction == "in" or self.s.deliveries[m.partner, m.mid].fence)
        ]

    def _state(self, message: MessageRow) -> str:
        receipt = self.s.receipts.get((message.partner, message.direction, message.mid))
        if receipt and receipt.decision == "rejected":
            return "rejected"
        if message.direction == "in":
            return "accepted"
        if receipt:
            return "delivered"
        waits = self.s.deliveries[message.partner, message.mid].state in ("ready", "leased")
        return "waiting" if waits else "given-up"

    def days_due(self, partner: str, last: date, now: datetime, most: int) -> Sequence[date]:
        sent = sorted((m.mid, m.at) for m in self.s.messages.values() if (m.partner, m.direction) == (partner, "out"))
        if not sent:
            return []
        first = max(last - timedelta(days=most), day_of(sent[0][1]))
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        rows = self._lists(partner)
        return [d for d in days if not any(r.day == d and (r.settled or r.next_at > now) for r in rows)]

    def _lists(self, partner: str) -> list[ReconciliationRow]:
        return [row for row in self.s.lists.values() if row.partner == partner]

    def newest(self, partner: str, day: date | None = None) -> ReconciliationRow | None:
        found = [row for row in self._lists(partner) if day in (None, row.day)]
        return found[-1] if found else None

    def of_days(self, partner: str, first: date, last: date) -> Sequence[ReconciliationRow]:
        found: dict[date, ReconciliationRow] = {}
        for row in self._lists(partner):
            if first <= row.day <= last and (row.theirs or not found.get(row.day, row).theirs):
                found[row.day] = row
        return [found[day] for day in sorted(found)]

    def last_answer(self, partner: str) -> str | None:
        answered = [(row.compared_at, n, row.theirs) for n, row in enumerate(self._lists(partner)) if row.compared_at]
        return max(answered)[2] if answered else None

    def answers_lately(self, partner: str) -> Sequence[str]:
        answered = [(row.compared_at, row.theirs) for row in self._lists(partner) if row.compared_at]
        answered.sort(key=itemgetter(0))
        return [theirs for at, theirs in answered if theirs and at >= answered[-1][0] - timedelta(days=1)]

    def may_be_lost(self, row: ReconciliationRow) -> bool:
        lists = self._lists(row.partner)
        last = max((one.compared_at for one in lists if one.compared_at), default=None)
        unanswered = (one for one in lists if not one.theirs and one.list_id != row.list_id)
        return any(last is None or one.stated_at > last - timedelta(days=1) for one in unanswered)

    def keep(self, row: ReconciliationRow) -> None:
        before = self.s.lists.get(row.list_id, row)
        self.s.lists[row.list_id] = row._replace(ours=before.ours, stated_at=before.stated_at)

    def differ(self, partner: str, day: date, found: Sequence[DifferenceRow], at: datetime) -> Sequence[DifferenceRow]:
        kept = self.s.differences
        named = {(row.partner, row.mid, row.direction, row.what): row for row in found}
        new = {k: row for k, row in named.items() if k not in kept or kept[k].gone_at}
        gone = {
            k: row._replace(gone_at=at)
            for k, row in kept.items()
            if (row.partner, row.day, row.gone_at) == (partner, day, None) and k not in named
        }
        kept |= new | gone
        return [*new.values(), *gone.values()]

    def open_differences(self, partner: str) -> Sequence[DifferenceRow]:
        found = [row for row in self.s.differences.values() if row.partner == partner and row.gone_at is None]
        return sorted(found, key=lambda row: (row.day, row.mid, row.direction, row.what))


def _sealed_at(jws: str) -> datetime:
    return manifest.read(compact.read(jws, typ=manifest.TYP).payload).made_at
