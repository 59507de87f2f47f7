"""See `gateway.store.parts.outbox`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from gateway.ports import AttemptRow, Claim, DeadRow, Finish, LegRow, LineRow, MessageRow, ReceiptRow, ReplayRow
from tests.fakes.shelf import Delivery, Part, right_now


def _given_up(d: Delivery) -> bool:
    return d.state == "dead" or (d.state == "blocked" and d.error_class == "rejected")


class Outbox(Part):
    def enqueue(self, messages: Sequence[MessageRow]) -> None:
        for m in messages:
            self.s.messages[m.partner, "out", m.mid] = m
            self.s.deliveries[m.partner, m.mid] = Delivery(m, next_at=m.at, first_at=m.at)

    def last_seqs(self, case_nos: Sequence[str]) -> Mapping[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for m in self.s.messages.values():
            if m.direction == "out" and m.case_no in case_nos:
                key = (m.partner, m.case_no or "")
                found[key] = max(found.get(key, 0), m.seq)
        return found

    def claim(self, partner: str, worker: str, limit: int, lease_s: float) -> Sequence[Claim]:
        now = right_now()
        line: dict[str, int] = {}
        mine = sorted(
            (d for d in self.s.deliveries.values() if d.message.partner == partner), key=lambda d: d.message.seq
        )
        for d in mine:
            if d.state in ("ready", "leased"):
                line.setdefault(d.message.case_no or "", d.message.seq)
        free = [
            d
            for d in mine
            if d.next_at <= now
            and (d.state == "ready" or (d.state == "leased" and d.lease_until is not None and d.lease_until < now))
            and line[d.message.case_no or ""] == d.message.seq
        ]
        claims = []
        row = self.s.lines.get(partner, LineRow(partner))
        probe = row.breaker != "closed"
        if row.gate != "open":
            limit = 0
        elif probe:
            limit = 1 if row.due_at and row.due_at <= now else 0
        elif row.slow_until and row.slow_until > now:
            held = sum(d.state == "leased" and d.lease_until is not None and d.lease_until > now for d in mine)
            limit = max(0, min(limit, (row.at_once or 0) - held))
        head = sorted(free, key=lambda d: (d.next_at, d.message.seq))[:limit]
        died = {d.message.mid: d.crashes + (d.state == "leased") for d in head}
        suspects = sorted((d for d in head if died[d.message.mid]), key=lambda d: (-died[d.message.mid], d.message.mid))
        for d in suspects[:1] or head:
            d.crashes = died[d.message.mid]
            d.state, d.fence, d.lease_until = "leased", d.fence + 1, now + timedelta(seconds=lease_s)
            claims.append(Claim(d.message, d.attempts, d.first_at, d.fence, probe, d.crashes, now))
        return claims

    def release(self, claims: Sequence[Claim]) -> None:
        for c in claims:
            d = self.s.deliveries[c.message.partner, c.message.mid]
            if d.fence == c.fence and d.state == "leased":
                d.state, d.lease_until = "ready", None

    def postpone(self, partner: str, until: datetime) -> int:
        now = right_now()
        due = [
            d
            for d in self.s.deliveries.values()
            if d.message.partner == partner and d.next_at < until
            and (d.state == "ready" or (d.state == "leased" and d.lease_until is not None and d.lease_until < now))
        ]  # fmt: skip
        for d in due:
            d.next_at, d.first_at = until, d.first_at if d.attempts else until
        return len(due)

    def finish(self, finishes: Sequence[Finish]) -> Set[str]:
        held = set()
        for f in finishes:
            a = f.attempt
            if not any((x.partner, x.mid, x.fence) == (a.partner, a.mid, a.fence) for x in self.s.attempts):
                self.s.attempts.append(a)
            if f.receipt:
                self.s.receipts.setdefault((a.partner, "out", a.mid), f.receipt)
            d = self.s.deliveries[a.partner, a.mid]
            if d.fence == a.fence and d.state == "leased":
                d.state, d.attempts, d.next_at = f.state, d.attempts + 1, f.next_at
                d.error_class, d.lease_until, d.crashes = a.error_class, None, 0
                held.add(a.mid)
        return held

    def cancel(self, leg: LegRow, types: Collection[str]) -> Sequence[str]:
        gone = []
        for d in self._about(leg, types):
            if d.state == "ready":
                d.state, d.error_class = "blocked", "cancelled"
                gone.append(d.message.mid)
        return gone

    def seals(self, leg: LegRow) -> Sequence[str]:
        mine = (m for m in self.s.messages.values() if m.direction == "out" and m.case_no == leg.case_no)
        return [m.jws for m in mine if (m.partner, m.ref_no) == (leg.partner, leg.ref_no)]

    def ever_tried(self, leg: LegRow, types: Collection[str], but: str | None) -> bool:
        return any(self._tried(d, but) for d in self._about(leg, types))

    def _tried(self, d: Delivery, but: str | None) -> bool:
        held = d.message.mid == but
        written = [a for a in self.s.attempts if a.mid == d.message.mid and (not held or a.fence < d.fence)]
        return bool(written) or (not held and bool(d.attempts or d.crashes or d.state in ("leased", "delivered")))

    def _about(self, leg: LegRow, types: Collection[str]) -> Sequence[Delivery]:
        mine = (d for d in self.s.deliveries.values() if d.message.type in types)
        about = leg.case_no, leg.partner, leg.ref_no
        return [d for d in mine if (d.message.case_no, d.message.partner, d.message.ref_no) == about]

    def last_told(self, leg: LegRow) -> str | None:
        about = leg.case_no, leg.partner, leg.ref_no
        mine = (d.message for d in self.s.deliveries.values())
        mine = (m for m in mine if (m.case_no, m.partner, m.ref_no) == about)
        return max(((m.seq, m.type) for m in mine), default=(0, None))[1]

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        mine = [d for d in self._given_up() if partner in (None, d.message.partner)]
        mine.sort(key=lambda d: (d.message.partner, d.message.case_no or "", d.message.seq))
        return [self._dead(d, d.message) for d in mine]

    def _given_up(self) -> list[Delivery]:
        """What only an officer can send again, and still has its bytes."""
        found = (d for d in self.s.deliveries.values() if _given_up(d))
        return [d for d in found if self.s.messages[d.message.partner, "out", d.message.mid].body]

    def _dead(self, d: Delivery, m: MessageRow) -> DeadRow:
        line = [e for e in self.s.deliveries.values() if e.state == "delivered" and e.message.seq > m.seq]
        overtaken = any((e.message.partner, e.message.case_no) == (m.partner, m.case_no) for e in line)
        of_message = (m.partner, m.mid, m.type, m.case_no, m.ref_no, m.seq)
        return DeadRow(*of_message, d.state, d.error_class, d.attempts, d.first_at, m.body_sha256, overtaken)

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        return sorted((a for a in self.s.attempts if a.mid == mid), key=lambda a: a.fence)

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        return self.s.receipts.get((partner, "out", mid))

    def plan_replay(self, row: ReplayRow) -> None:
        self.s.replays[row.replay_id] = row

    def replay(self, replay_id: str) -> ReplayRow | None:
        return self.s.replays.get(replay_id)

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        self.s.replays[row.replay_id], now = row, right_now()
        mine = [d for d in self._given_up() if d.message.mid in row.mids]
        for place, d in enumerate(sorted(mine, key=lambda d: (d.message.case_no or "", d.message.seq))):
            d.state, d.attempts, d.crashes, d.error_class, d.first_at = "ready", 0, 0, None, now
            d.next_at = now + timedelta(seconds=place / per_s)
            self.s.receipts.pop((row.partner, "out", d.message.mid), None)
        ready = {d.message.mid for d in mine}
        for n, item in enumerate(self.s.work):
            if item.mid in ready and item.kind.startswith("delivery-") and item.done_at is None:
                self.s.work[n] = item._replace(done_at=now)
        return len(mine)

    def waiting(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for d in self.s.deliveries.values():
            if d.state in ("ready", "leased"):
                found[d.message.partner] = found.get(d.message.partner, 0) + 1
        return found

    def find_message(self, mid: str, *, partner: str | None = None, direction: str | None = None) -> MessageRow | None:
        found = [
            m
            for m in self.s.messages.values()
            if m.mid == mid and partner in (None, m.partner) and direction in (None, m.direction)
        ]
        return max(found, key=lambda m: m.direction, default=None)

    def report(self) -> Iterator[Mapping[str, Any]]:
        for m in sorted(self.s.messages.values(), key=lambda m: (m.at, m.partner, m.mid)):
            d = self.s.deliveries.get((m.partner, m.mid)) if m.direction == "out" else None
            i = self.s.inbox.get((m.partner, m.mid)) if m.direction == "in" else None
            r = self.s.receipts.get((m.partner, m.direction, m.mid))
            yield {
                "at": m.at,
                "direction": m.direction,
                "partner": m.partner,
                "mid": m.mid,
                "type": m.type,
                "caseNo": m.case_no,
                "refNo": m.ref_no,
                "seq": m.seq,
                "sha256": m.body_sha256.hex(),
                "map": m.map_pin,
                "mapDigest": m.map_digest,
                "state": d.state if d else i.state if i else None,
                "code": d.error_class if d else i.code if i else None,
                "attempts": d.attempts if d else None,
                "receipt": r.decision if r else None,
                "receiptAt": r.at if r else None,
            }
