"""The store in memory: for journey tests that need no database. Passes tests/contract/store.

One unit at a time; leaving it without commit puts everything back. Locks are not modelled: there is one thread.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from gateway import ports
from gateway.assembly.clocks import uuid7
from gateway.errors import LeafInvalid, OutOfScope
from gateway.exchange_log.audit import AuditEvent, moment
from gateway.exchange_log.leaf import ACTS, READS, stream_of
from gateway.ports import ActsAsked, KeptEvent, OpenWork, ReadsRow, ReceiptRow, WorkItem
from gateway.sealing.base64url import digest
from gateway.sealing.receipts import Promise
from tests.fakes.parts.cases import Caseload
from tests.fakes.parts.facts import Facts
from tests.fakes.parts.handovers import Handovers
from tests.fakes.parts.inbox import Inbox
from tests.fakes.parts.keys import Keys
from tests.fakes.parts.legs import Legs
from tests.fakes.parts.lines import Lines
from tests.fakes.parts.outbox import Outbox
from tests.fakes.parts.reconciliation import Reconciliation
from tests.fakes.parts.retention import Retention
from tests.fakes.shelf import NUMBERS, Shelf, right_now


class MemoryUnit:
    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.committed = False
        self.numbered: list[KeptEvent] = []
        self.handovers: ports.Handovers = Handovers(shelf)
        self.cases: ports.Caseload = Caseload(shelf)
        self.legs: ports.Legs = Legs(shelf)
        self.outbox: ports.Outbox = Outbox(shelf)
        self.inbox: ports.Inbox = Inbox(shelf)
        self.facts: ports.Facts = Facts(shelf)
        self.lines: ports.Lines = Lines(shelf)
        self.retention: ports.Retention = Retention(shelf)
        self.reconciliation: ports.Reconciliation = Reconciliation(shelf)
        self.keys: ports.Keys = Keys(shelf)

    def now(self) -> datetime:
        return right_now()

    def add_work(self, items: Sequence[WorkItem]) -> None:
        self.shelf.work += items

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None, code: str | None = None) -> None:
        for n, item in enumerate(self.shelf.work):
            meant = mid in (None, item.mid) and code in (None, item.code)
            if meant and (item.kind, item.partner, item.done_at) == (kind, partner, None):
                self.shelf.work[n] = item._replace(done_at=at)

    def end_work_about(self, kind: str, case_nos: Collection[str], at: datetime) -> None:
        for n, item in enumerate(self.shelf.work):
            if item.case_no in case_nos and (item.kind, item.done_at) == (kind, None):
                self.shelf.work[n] = item._replace(done_at=at)

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        open_ = [OpenWork(n, w) for n, w in enumerate(self.shelf.work, start=1) if not w.done_at]
        return sorted((o for o in open_ if kind in (None, o.item.kind)), key=lambda o: (o.item.at, o.number))[:limit]

    def work_about(self, kinds: Collection[str], ref_nos: Collection[str]) -> Set[tuple[str, str]]:
        return {(w.kind, w.ref_no) for w in self.shelf.work if w.ref_no in ref_nos and w.kind in kinds and w.ref_no}

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        if number not in {o.number for o in self.open_work(None, len(self.shelf.work))}:
            return None
        self.shelf.work[number - 1] = self.shelf.work[number - 1]._replace(done_at=at)
        return self.shelf.work[number - 1]

    def events(self, asked: ActsAsked, *, limit: int | None = None) -> Sequence[KeptEvent]:
        return self._asked_for(asked)[:limit]

    def numbers(self, asked: ActsAsked) -> Sequence[int]:
        return [one.number for one in self._asked_for(asked)]

    def events_of(self, numbers: Sequence[int]) -> Sequence[KeptEvent]:
        wanted = set(numbers)
        return [one for one in self.shelf.events if one.number in wanted]

    def destructions(self, since: datetime, *, limit: int) -> Sequence[KeptEvent]:
        return self._asked_for(ActsAsked(since=since, acts=("records.destroyed",)))[:limit]

    def _asked_for(self, asked: ActsAsked) -> list[KeptEvent]:
        return [
            one
            for one in self.shelf.events
            if asked.case_no in (None, one.event.case_no)
            and asked.partner in (None, one.event.partner)
            and asked.mid in (None, one.event.mid)
            and (asked.since is None or one.at >= asked.since)
            and (asked.until is None or one.at < asked.until)
            and (asked.acts is None or one.event.act in asked.acts)
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
        self.numbered = [KeptEvent(next(NUMBERS), right_now(), event, uuid7()) for event in events]


def _reads(actor: str, purpose: str, act: str, kept: Sequence[KeptEvent]) -> ReadsRow:
    here = [one.at.astimezone(timezone(timedelta(hours=9))) for one in kept]
    off = sum(1 for at in here if at.weekday() > 4 or not 7 <= at.hour < 20)
    named = {one.event.case_no for one in kept if one.event.case_no}
    said = sum(one.event.counts.get("cases", 0) for one in kept if one.event.case_no is None)
    taken = [one.event for one in kept if act in ("acts.exported", "bundle.made")]
    whole = sum(1 for event in taken if event.case_no is None and event.mid is None)
    return ReadsRow(actor, purpose, act, len(kept), len(named) + said, off, whole)


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
