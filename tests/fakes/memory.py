"""The store in memory: for journey tests that need no database. Passes tests/contract/store.

One unit at a time; leaving it without commit puts everything back. Locks are not modelled: there is one thread.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from itertools import count
from typing import Any

from gateway.assembly import uuid7
from gateway.errors import Interfered, LeafInvalid, OutOfScope
from gateway.exchange_log.audit import AuditEvent, moment
from gateway.exchange_log.leaf import ACTS, READS, stream_of
from gateway.ports import (
    ActsAsked,
    Arrival,
    AttemptRow,
    BookedRow,
    CaseChange,
    CaseRow,
    CheckRow,
    Claim,
    DeadRow,
    DifferenceRow,
    FactRow,
    Finish,
    HandoverFile,
    HoldRow,
    InboxRow,
    JudgedRow,
    KeptEvent,
    KeyRow,
    LegRow,
    LineRow,
    MessageRow,
    Met,
    OpenWork,
    ParkedRow,
    QuarantinedRow,
    ReadsRow,
    ReceiptRow,
    ReconciliationRow,
    ReferralRow,
    ReplayRow,
    ScreeningRow,
    SeatRow,
    TurnedKeys,
    UpdateRow,
    WorkItem,
)
from gateway.sealing import compact, manifest
from gateway.sealing.base64url import digest
from gateway.sealing.receipts import Promise

_NUMBERS = count(1)
TERMINAL = {"completed", "failed", "rejected", "cancelled", "entered-in-error"}


@dataclass
class Delivery:
    message: MessageRow
    state: str = "ready"
    attempts: int = 0
    next_at: datetime = datetime(1, 1, 1, tzinfo=UTC)
    lease_until: datetime | None = None
    fence: int = 0
    crashes: int = 0
    first_at: datetime = datetime(1, 1, 1, tzinfo=UTC)
    error_class: str | None = None


@dataclass
class Shelf:
    """All tables."""

    files: dict[str, HandoverFile] = field(default_factory=dict)
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    parked: dict[tuple[str, int, str], ParkedRow] = field(default_factory=dict)
    cases: dict[str, CaseRow] = field(default_factory=dict)
    history: list[CaseChange] = field(default_factory=list)
    screenings: list[ScreeningRow] = field(default_factory=list)
    numbers: dict[date, int] = field(default_factory=dict)
    referrals: dict[str, ReferralRow] = field(default_factory=dict)
    legs: dict[str, LegRow] = field(default_factory=dict)
    messages: dict[tuple[str, str, str], MessageRow] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    attempts: list[AttemptRow] = field(default_factory=list)
    receipts: dict[tuple[str, str, str], ReceiptRow] = field(default_factory=dict)
    inbox: dict[tuple[str, str], InboxRow] = field(default_factory=dict)
    nonces: dict[tuple[str, str], datetime] = field(default_factory=dict)
    facts: list[FactRow] = field(default_factory=list)
    checks: dict[tuple[str, str], CheckRow] = field(default_factory=dict)
    updates: dict[tuple[str, int], UpdateRow] = field(default_factory=dict)
    rtw_files: dict[tuple[date, int], str | None] = field(default_factory=dict)
    lines: dict[str, LineRow] = field(default_factory=dict)
    replays: dict[str, ReplayRow] = field(default_factory=dict)
    work: list[WorkItem] = field(default_factory=list)
    events: list[KeptEvent] = field(default_factory=list)
    days: dict[str, date] = field(default_factory=dict)
    holds: dict[str, HoldRow] = field(default_factory=dict)
    lists: dict[str, ReconciliationRow] = field(default_factory=dict)
    differences: dict[tuple[str, str, str, str], DifferenceRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyRow] = field(default_factory=dict)
    begun: dict[tuple[str, str], datetime] = field(default_factory=dict)
    ended: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def seen_by(self, partner: str) -> Shelf:
        """What a unit for one partner sees; the objects are the same."""
        legs = {no: leg for no, leg in self.legs.items() if leg.partner == partner}
        cases = {leg.case_no for leg in legs.values()}
        return Shelf(
            cases={no: case for no, case in self.cases.items() if no in cases},
            numbers=self.numbers,
            legs=legs,
            messages={k: v for k, v in self.messages.items() if k[0] == partner},
            deliveries={k: v for k, v in self.deliveries.items() if k[0] == partner},
            attempts=[row for row in self.attempts if row.partner == partner],
            receipts={k: v for k, v in self.receipts.items() if k[0] == partner},
            inbox={k: v for k, v in self.inbox.items() if k[0] == partner},
            nonces={k: v for k, v in self.nonces.items() if k[0] == partner},
            facts=[row for row in self.facts if row.ref_no in legs],
            checks={k: v for k, v in self.checks.items() if k[0] in legs},
            updates={k: v for k, v in self.updates.items() if k[0] in legs},
            rtw_files=self.rtw_files,
            lines={k: v for k, v in self.lines.items() if k == partner},
            replays={k: v for k, v in self.replays.items() if v.partner == partner},
            lists={k: v for k, v in self.lists.items() if v.partner == partner},
            differences={k: v for k, v in self.differences.items() if k[0] == partner},
            keys={k: v for k, v in self.keys.items() if v.owner == partner.lower()},
            work=[row for row in self.work if row.partner == partner],
            events=[row for row in self.events if row.event.partner == partner],
        )

    def be(self, other: Shelf) -> None:
        """Go back to another state, also for those who have this shelf in their hands."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def merge(self, before: Shelf, after: Shelf) -> None:
        """Put what was seen `before` back as it is `after`; lists only grow, and their rows are only replaced."""
        for each in fields(self):
            mine, seen, now = (getattr(shelf, each.name) for shelf in (self, before, after))
            if isinstance(mine, dict):
                mine.update(now)
                continue
            changed, known = iter(now), [id(row) for row in seen]
            mine[:] = [next(changed) if id(row) in known else row for row in mine]
            mine.extend(changed)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - stands for the database's clock


class _Part:
    def __init__(self, shelf: Shelf) -> None:
        self.s = shelf


class Handovers(_Part):
    def find(self, way: str, sha256: str) -> HandoverFile | None:
        return next(
            (f for f in self.s.files.values() if (f.way, f.sha256, f.status) == (way, sha256, "accepted")), None
        )

    def accepted(self, way: str) -> Sequence[HandoverFile]:
        found = [f for f in self.s.files.values() if f.way == way and f.status == "accepted"]
        return sorted(found, key=lambda f: (f.base_date, f.file_seq, f.received_at))

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None:
        self.s.files[file.file_id] = file
        self.s.quarantined += quarantined

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        return sorted((q for q in self.s.quarantined if q.file_id == file_id), key=lambda q: q.record_no)

    def mark_replaced(self, file_id: str) -> None:
        self.s.files[file_id] = self.s.files[file_id]._replace(status="replaced")

    def park(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            self.s.parked.setdefault((row.case_no, row.version, row.facts_sha256), row)

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        found = [row for row in self.s.parked.values() if row.case_no in case_nos]
        return sorted(found, key=lambda r: (r.case_no, r.version, r.parked_at))

    def unpark(self, rows: Iterable[ParkedRow]) -> None:
        for row in rows:
            self.s.parked.pop((row.case_no, row.version, row.facts_sha256), None)


class Caseload(_Part):
    def load(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        return {n: self.s.cases[n] for n in sorted(case_nos) if n in self.s.cases}

    look = load

    def records(self, case_nos: Sequence[str]) -> Mapping[str, bytes]:
        return {no: row.record for no, row in self.look(case_nos).items() if row.record is not None}

    def save(self, changes: Sequence[CaseChange]) -> None:
        for change in changes:
            self.s.cases[change.row.case_no] = change.row
            self.s.history.append(change)

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        found = [c.row for c in self.s.history if c.row.case_no == case_no and c.row.updated_at <= at]
        return found[-1].record if found else None

    def _latest(self, case_no: str) -> ScreeningRow | None:
        return next((s for s in reversed(self.s.screenings) if s.case_no == case_no), None)

    def _live(self) -> list[CaseRow]:
        return [row for _, row in sorted(self.s.cases.items()) if row.status == "live"]

    def unscreened(self, limit: int) -> Sequence[JudgedRow]:
        fresh = [row for row in self._live() if row.screened < row.revision]
        return [JudgedRow(row.case_no, row.revision, row.record) for row in fresh[:limit]]

    def waiting(self) -> Sequence[JudgedRow]:
        return [
            JudgedRow(row.case_no, row.revision, row.record)
            for row in self._live()
            if row.screened == row.revision and (s := self._latest(row.case_no)) and s.result == "WAITLIST"
        ]

    def seats_held(self) -> Sequence[SeatRow]:
        seats = []
        for row in self._live():
            since = None
            for s in self.s.screenings:
                if s.case_no == row.case_no:
                    since = (since or s.business_date) if s.result == "PRIORITY" else None
            if since and row.branch:
                seats.append(SeatRow(row.case_no, row.branch, since))
        return seats

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        self.s.screenings += rows
        for r in rows:
            case = self.s.cases[r.case_no]
            self.s.cases[r.case_no] = case._replace(screened=max(case.screened, r.revision))

    def latest_screening(self, case_nos: Sequence[str]) -> Mapping[str, ScreeningRow]:
        return {n: s for n in case_nos if (s := self._latest(n))}

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
        aside = {q.case_no: q for q in spoken if files[q.file_id].status == "accepted"}
        for n in sorted({*self.s.cases, *(c for c in aside if c)}):
            case, q = self.s.cases.get(n), aside.get(n)
            s = self._latest(n)
            newer = q and (case is None or case.facts is None or self.s.files[q.file_id].received_at > case.updated_at)
            if q and newer:
                record, reason, gate = "quarantined", q.reason, None
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


class Legs(_Part):
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

    def of_case(self, case_no: str) -> Sequence[LegRow]:
        return self.of_cases([case_no])

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        return [leg for _, leg in sorted(self.s.legs.items()) if leg.case_no in case_nos]

    def save(self, *legs: LegRow) -> None:
        for leg in legs:
            known = self.s.legs.get(leg.ref_no)
            if known is None or known.version != leg.version:
                raise Interfered("a leg")
            self.s.legs[leg.ref_no] = leg._replace(version=leg.version + 1, tracked=known.tracked)

    def untracked(self, limit: int, settled: datetime) -> Sequence[LegRow]:
        changed = [leg for _, leg in sorted(self.s.legs.items()) if leg.tracked < leg.version]
        return [leg for leg in changed if leg.updated_at <= settled][:limit]

    def mark_tracked(self, legs: Sequence[LegRow]) -> None:
        for leg in legs:
            known = self.s.legs[leg.ref_no]
            self.s.legs[leg.ref_no] = known._replace(tracked=max(known.tracked, leg.version))

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        found = []
        for _, leg in sorted(self.s.legs.items()):
            case = self.s.cases.get(leg.case_no)
            if leg.status in TERMINAL or leg.business == "cancellation-requested" or case is None:
                continue
            if case.barred or case.version != leg.case_version:
                found.append((leg, case))
        return found[:limit]

    def end_requests(self, statuses: Mapping[str, str]) -> None:
        for request_no, status in statuses.items():
            self.s.referrals[request_no] = self.s.referrals[request_no]._replace(status=status)


def _given_up(d: Delivery) -> bool:
    return d.state == "dead" or (d.state == "blocked" and d.error_class == "rejected")


class Outbox(_Part):
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
        now = _now()
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
        now = _now()
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

    def cancel(self, case_no: str, partner: str) -> Sequence[str]:
        gone = []
        for d in self.s.deliveries.values():
            if d.message.case_no == case_no and d.message.partner == partner and d.state == "ready":
                d.state, d.error_class = "blocked", "cancelled"
                gone.append(d.message.mid)
        return gone

    def ever_tried(self, case_no: str, partner: str, but: str | None) -> bool:
        mine = [d for d in self.s.deliveries.values() if (d.message.case_no, d.message.partner) == (case_no, partner)]
        return any(d.message.mid != but and (d.attempts or d.state in ("leased", "delivered")) for d in mine)

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        mine = [d for d in self.s.deliveries.values() if partner in (None, d.message.partner) and _given_up(d)]
        mine.sort(key=lambda d: (d.message.partner, d.message.case_no or "", d.message.seq))
        return [self._dead(d, d.message) for d in mine]

    def _dead(self, d: Delivery, m: MessageRow) -> DeadRow:
        line = [e for e in self.s.deliveries.values() if e.state == "delivered" and e.message.seq > m.seq]
        overtaken = any((e.message.partner, e.message.case_no) == (m.partner, m.case_no) for e in line)
        of_message = (m.partner, m.mid, m.type, m.case_no, m.ref_no, m.seq)
        return DeadRow(*of_message, d.state, d.error_class, d.attempts, d.first_at, m.body_sha256, overtaken)

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        return sorted((a for a in self.s.attempts if a.mid == mid), key=lambda a: a.fence)

    def receipt(self, mid: str) -> ReceiptRow | None:
        return next((r for (_, way, m), r in self.s.receipts.items() if way == "out" and m == mid), None)

    def plan_replay(self, row: ReplayRow) -> None:
        self.s.replays[row.replay_id] = row

    def replay(self, replay_id: str) -> ReplayRow | None:
        return self.s.replays.get(replay_id)

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        self.s.replays[row.replay_id], now = row, _now()
        mine = [d for d in self.s.deliveries.values() if d.message.mid in row.mids and _given_up(d)]
        for place, d in enumerate(sorted(mine, key=lambda d: (d.message.case_no or "", d.message.seq))):
            d.state, d.attempts, d.crashes, d.error_class, d.first_at = "ready", 0, 0, None, now
            d.next_at = now + timedelta(seconds=place / per_s)
            self.s.receipts.pop((row.partner, "out", d.message.mid), None)
        for n, item in enumerate(self.s.work):
            if item.mid in row.mids and item.kind.startswith("delivery-") and item.done_at is None:
                self.s.work[n] = item._replace(done_at=now)
        return len(mine)

    def waiting(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for d in self.s.deliveries.values():
            if d.state in ("ready", "leased"):
                found[d.message.partner] = found.get(d.message.partner, 0) + 1
        return found

    def find_message(self, mid: str) -> MessageRow | None:
        return next((m for m in self.s.messages.values() if m.mid == mid), None)

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


class Lines(_Part):
    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        return self.s.lines.setdefault(partner, LineRow(partner)), _now()

    def save(self, row: LineRow) -> None:
        self.s.lines[row.partner] = row

    def probe(self, partner: str, lease_s: float) -> bool:
        row, now = self.hold(partner)
        if row.gate != "open" or row.breaker == "closed" or row.due_at is None or row.due_at > now:
            return False
        self.save(row._replace(breaker="half-open", due_at=now + timedelta(seconds=lease_s)))
        return True

    def stopped(self, partner: str) -> bool:
        return self.hold(partner)[0].gate == "stopped"

    def all(self) -> Sequence[LineRow]:
        return [row for _, row in sorted(self.s.lines.items())]


class Inbox(_Part):
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
            set(fresh),
            {(p, mid): (self.s.inbox[p, mid], self.s.receipts.get((p, "in", mid))) for p, mid in ids},
            legs,
            [(r.seq or 0, self.s.messages[r.partner, "in", r.mid]) for r in held],
            sorted(checks, key=lambda c: (c.due_on, c.ref_no)),
            Caseload(self.s).records([leg.case_no for leg in legs.values()]),
        )

    def forget_nonces(self, before: datetime) -> int:
        old = [key for key, at in self.s.nonces.items() if at < before]
        for key in old:
            del self.s.nonces[key]
        return len(old)

    def settle(self, partner: str, mid: str, state: str, code: str | None) -> None:
        self.s.inbox[partner, mid] = self.s.inbox[partner, mid]._replace(state=state, code=code)

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

    def receipt(self, mid: str) -> ReceiptRow | None:
        return next((r for (_, way, m), r in self.s.receipts.items() if way == "in" and m == mid), None)


class Facts(_Part):
    def of(self, ref_nos: Sequence[str]) -> Sequence[FactRow]:
        return sorted((f for f in self.s.facts if f.ref_no in ref_nos), key=lambda f: (f.ref_no, f.seq, f.at))

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        hit = [f for f in self.s.facts if (f.ref_no, f.seq) == (ref_no, seq) and not f.entered_in_error]
        for f in hit:
            self.s.facts[self.s.facts.index(f)] = f._replace(entered_in_error=True, superseded_by=by)
        return bool(hit)

    def save_checks(self, rows: Sequence[CheckRow]) -> None:
        self.s.checks |= {(c.ref_no, c.milestone): c for c in rows}

    def checks_due(self, today: date) -> Sequence[CheckRow]:
        found = [c for c in self.s.checks.values() if c.state == "scheduled" and c.due_on <= today]
        return sorted(found, key=lambda c: (c.due_on, c.ref_no))

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        found = sorted((u for u in self.s.updates.values() if u.ref_no in ref_nos), key=lambda u: u.update_no)
        return {u.ref_no: u for u in found}

    def add_updates(self, rows: Sequence[UpdateRow]) -> None:
        self.s.updates |= {(row.ref_no, row.update_no): row for row in rows}

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        waiting = sorted(
            (u for u in self.s.updates.values() if u.file_seq is None), key=lambda u: (u.ref_no, u.update_no)
        )
        if not waiting or (len(waiting) < limit and min(u.at for u in waiting) > settled):
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


class Retention(_Part):
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
        brought = [(c.row.case_no, c.file_id) for c in self.s.history]
        brought += [(row.case_no, row.file_id) for row in (*self.s.quarantined, *self.s.parked.values())]
        files = [self.s.files[file_id] for case_no, file_id in brought if case_no in self.s.holds and file_id]
        written = [u for u in self.s.updates.values() if u.case_no in self.s.holds]
        found = {(f.base_date, f.file_seq) for f in files}
        return found | {(u.file_date, u.file_seq) for u in written if u.file_date and u.file_seq}

    def _due(self, kind: str, before: date) -> list[str | None]:
        if kind == "destroy-put-aside":
            records = [row for row in self.s.quarantined if row.raw and self._came_before(row, before)]
            waiting = [row for row in self.s.parked.values() if _day(row.parked_at) < before]
            return [row.case_no for row in [*records, *waiting, *self._about_no_case(before).values()]]
        closed = [no for no, row in sorted(self.s.cases.items()) if self._closed(row, before)]
        return [no for no in closed if kind == "destroy-evidence" or self._readable(no)]

    def _about_no_case(self, before: date) -> dict[tuple[str, str, str], MessageRow]:
        found = self.s.messages.items()
        return {key: m for key, m in found if m.case_no is None and m.body and _day(m.at) < before}

    def _came_before(self, row: QuarantinedRow, before: date) -> bool:
        return _day(self.s.files[row.file_id].received_at) < before

    def _closed(self, case: CaseRow, before: date) -> bool:
        legs = [leg for leg in self.s.legs.values() if leg.case_no == case.case_no]
        numbers = {leg.ref_no for leg in legs}
        messages = [m for m in self.s.messages.values() if m.case_no == case.case_no]
        results = [row.result for row in self.s.screenings if row.case_no == case.case_no]
        days = [_day(x.updated_at) for x in (case, *legs)] + [_day(m.at) for m in messages]
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
            k: row for k, row in self.s.parked.items() if row.case_no in held or _day(row.parked_at) >= before
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
        s.facts = [f for f in s.facts if f.ref_no not in numbers]
        s.checks = {k: c for k, c in s.checks.items() if c.ref_no not in numbers}
        s.updates = {k: u for k, u in s.updates.items() if u.ref_no not in numbers}
        s.work = [w for w in s.work if w.case_no != case_no]
        s.quarantined = [q for q in s.quarantined if q.case_no != case_no]
        s.parked = {k: p for k, p in s.parked.items() if p.case_no != case_no}


class Reconciliation(_Part):
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
        first = max(last - timedelta(days=most), _day(sent[0][1]))
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
        return next((row.theirs for row in reversed(self._lists(partner)) if row.theirs), None)

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


class Keys(_Part):
    def add(self, row: KeyRow) -> bool:
        return self.s.keys.setdefault((row.owner, row.kid), row) is row

    def of(self, owner: str) -> Sequence[KeyRow]:
        return sorted((k for k in self.s.keys.values() if k.owner == owner), key=lambda k: (k.not_before, k.kid))

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        row = self.s.keys.get((owner, kid))
        if row is None or row.revoked_at is not None:
            return False
        self.s.keys[owner, kid] = row._replace(revoked_at=at)
        return True

    def moment(self) -> datetime:
        return _now()

    def schedule(self, owner: str, kid: str, signs_from: datetime) -> None:
        if (owner, kid) not in self.s.begun:
            self.s.keys[owner, kid] = self.s.keys[owner, kid]._replace(signs_from=signs_from)

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        row = self.s.keys[owner, kid]
        self.s.keys[owner, kid] = row._replace(not_after=min(row.not_after, not_after))

    def turn(self, owner: str) -> TurnedKeys:
        ours, now = [row for row in self.of(owner) if row.signs_from], _now()
        began = [r for r in ours if r.signs_from and r.signs_from <= now and not r.revoked_at]
        began = [r for r in began if (owner, r.kid) not in self.s.begun]
        ended = [r for r in ours if r.not_after <= now and (owner, r.kid) not in self.s.ended]
        self.s.begun |= {(owner, r.kid): now for r in began}
        self.s.ended |= {(owner, r.kid): now for r in ended}
        return TurnedKeys(began, ended)


def _day(at: datetime) -> date:
    return at.astimezone(timezone(timedelta(hours=9))).date()


class MemoryUnit:
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.committed = False
        self.numbered: list[KeptEvent] = []
        self.handovers, self.cases, self.legs = Handovers(shelf), Caseload(shelf), Legs(shelf)
        self.outbox, self.inbox, self.facts = Outbox(shelf), Inbox(shelf), Facts(shelf)
        self.lines = Lines(shelf)
        self.retention = Retention(shelf)
        self.reconciliation = Reconciliation(shelf)
        self.keys = Keys(shelf)

    def add_work(self, items: Sequence[WorkItem]) -> None:
        self.shelf.work += items

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None) -> None:
        for n, item in enumerate(self.shelf.work):
            if (item.kind, item.partner, item.done_at) == (kind, partner, None) and mid in (None, item.mid):
                self.shelf.work[n] = item._replace(done_at=at)

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        open_ = [OpenWork(n, w) for n, w in enumerate(self.shelf.work, start=1) if not w.done_at]
        return sorted((o for o in open_ if kind in (None, o.item.kind)), key=lambda o: (o.item.at, o.number))[:limit]

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        if number not in {o.number for o in self.open_work(None, len(self.shelf.work))}:
            return None
        self.shelf.work[number - 1] = self.shelf.work[number - 1]._replace(done_at=at)
        return self.shelf.work[number - 1]

    def events(self, asked: ActsAsked) -> Sequence[KeptEvent]:
        return [
            one
            for one in self.shelf.events
            if asked.case_no in (None, one.event.case_no)
            and asked.partner in (None, one.event.partner)
            and asked.mid in (None, one.event.mid)
            and (asked.since is None or one.at >= asked.since)
            and (asked.until is None or one.at < asked.until)
        ]

    def reads(self, since: datetime, until: datetime) -> Sequence[ReadsRow]:
        found: dict[tuple[str, str, str], list[KeptEvent]] = {}
        for kept in self.shelf.events:
            if kept.event.act in READS and since <= kept.at < until:
                found.setdefault((kept.event.actor, kept.event.purpose, kept.event.act), []).append(kept)
        return [_reads(*key, found[key]) for key in sorted(found)]

    def reviewed(self) -> Mapping[str, str]:
        signed = [kept.event for kept in self.shelf.events if kept.event.act == "review.signed"]
        return {str(event.subject): event.actor for event in signed}

    def named(self, acts: Sequence[str]) -> Sequence[KeptEvent]:
        kept = [one for one in self.shelf.events if one.event.act in acts]
        return [one for one in kept if one.event.subject and "/sha256-" in one.event.subject]

    def counts(self) -> Mapping[str, int]:
        s = self.shelf
        found = {
            "cases": sum(1 for c in s.cases.values() if c.facts is not None),
            "quarantined": len(s.quarantined),
            "parked": len(s.parked),
            "referrals": len(s.referrals),
            "updates written": sum(1 for u in s.updates.values() if u.file_seq is not None),
            "updates waiting": sum(1 for u in s.updates.values() if u.file_seq is None),
            "events": len(s.events),
        }
        return {k: v for k, v in found.items() if v or not k.startswith("work")}

    def promise(self, *events: AuditEvent) -> Sequence[Promise]:
        if not events or self.numbered:
            raise ValueError("a unit promises once, one audit event per act")
        self._number(events)
        return [self._promise(n, kept) for n, kept in enumerate(self.numbered)]

    def _promise(self, n: int, kept: KeptEvent) -> Promise:
        stream = stream_of(kept.event)
        seq = 1 + sum(stream_of(k.event) == stream for k in [*self.shelf.events, *self.numbered[:n]])
        return Promise("gateway.example/xlog", digest((kept.id or "").encode()), stream, seq, moment(kept.at))

    def commit(self, *events: AuditEvent, receipts: Sequence[ReceiptRow] = ()) -> None:
        if bool(events) == bool(self.numbered) or self.committed:
            raise ValueError("a unit commits once, with one audit event per act")
        if events:
            self._number(events)
        for row in receipts:
            self.shelf.receipts.setdefault((row.partner, row.direction, row.mid), row)
        self.shelf.events += self.numbered
        self.committed = True

    def _number(self, events: Sequence[AuditEvent]) -> None:
        if any(event.act not in ACTS for event in events):
            raise LeafInvalid("an act that is not in the list")
        self.numbered = [KeptEvent(next(_NUMBERS), _now(), event, uuid7()) for event in events]


def _reads(actor: str, purpose: str, act: str, kept: Sequence[KeptEvent]) -> ReadsRow:
    here = [one.at.astimezone(timezone(timedelta(hours=9))) for one in kept]
    off = sum(1 for at in here if at.weekday() > 4 or not 7 <= at.hour < 20)
    cases = {one.event.case_no for one in kept if one.event.case_no}
    whole = sum(1 for one in kept if act == "acts.exported" and one.event.case_no is None)
    return ReadsRow(actor, purpose, act, len(kept), len(cases), off, whole)


class MemoryStore:
    """See `gateway.ports.Store`."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.held: set[str] = set()

    @contextmanager
    def unit(self, partner: str | None = None) -> Iterator[MemoryUnit]:
        before = copy.deepcopy(self.shelf)
        unit = MemoryUnit(self.shelf if partner is None else self.shelf.seen_by(partner))
        try:
            yield unit
            if partner is not None and unit.committed:
                self._take_back(partner, unit)
        finally:
            if not unit.committed:
                self.shelf.be(before)

    def _take_back(self, partner: str, unit: MemoryUnit) -> None:
        seen = self.shelf.seen_by(partner)
        if unit.shelf != unit.shelf.seen_by(partner) or unit.shelf.cases != seen.cases:
            unit.committed = False
            raise OutOfScope
        self.shelf.merge(seen, unit.shelf)

    @contextmanager
    def alone(self, act: str) -> Iterator[bool]:
        mine = act not in self.held
        self.held.add(act)
        try:
            yield mine
        finally:
            if mine:
                self.held.remove(act)

    def keep_refusal(self, event: AuditEvent) -> None:
        with self.unit(event.partner) as unit:
            unit.commit(event)

    def close(self) -> None:
        """Nothing to give back."""
