"""A unit of work on PostgreSQL: one transaction, its parts, and the acts that are committed with it.

Rules: `commit` writes the acts with their leaves and commits all of it together; whoever leaves without it has done
nothing. What says something of a person is shut and opened on the way (`Seal`). What is written, the verbs decide.
Refuses to commit twice, and without an act.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog

from gateway import ports
from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.leaf import READS
from gateway.ports import ActsAsked, KeptEvent, OpenWork, ReadsRow, ReceiptRow, WorkItem
from gateway.sealing.receipts import Promise
from gateway.store.leaves import EVENT_COLUMNS, Leaves, Numbered, event_of
from gateway.store.parts.cases import Caseload
from gateway.store.parts.facts import Facts
from gateway.store.parts.handovers import Handovers
from gateway.store.parts.inbox import Inbox
from gateway.store.parts.keys import Keys
from gateway.store.parts.legs import Legs
from gateway.store.parts.lines import Lines
from gateway.store.parts.outbox import Outbox
from gateway.store.parts.reconciliation import Reconciliation
from gateway.store.parts.retention import Retention
from gateway.store.sealed import TOLD, Seal
from gateway.store.shapes import as_dicts, as_json, as_rows
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection

log = structlog.get_logger()


class _Said(NamedTuple):
    """A fact by which a partner declined, as the columns that `TOLD` names; its content is sealed, then open."""

    fact_id: str
    content: bytes


class PostgresUnit:
    """One transaction; see `ports.Unit`."""

    def __init__(self, connection: Connection, leaves: Leaves, seal: Seal, observer: ports.Observer) -> None:
        self._c, self._leaves, self._seal, self._observer = connection, leaves, seal, observer
        self.committed = False
        self._made: dict[str, bytes] = {}
        self._acts: Sequence[AuditEvent] = ()
        self._numbered: list[Numbered] = []
        self.handovers: ports.Handovers = Handovers(connection, seal)
        self.cases: ports.Caseload = Caseload(connection, seal)
        self.legs: ports.Legs = Legs(connection, seal)
        self.outbox: ports.Outbox = Outbox(connection, seal, self._made)
        self.lines: ports.Lines = Lines(connection, seal)
        self.inbox: ports.Inbox = Inbox(connection, seal, self._made)
        self.facts: ports.Facts = Facts(connection, seal)
        self.retention: ports.Retention = Retention(connection, seal)
        self.reconciliation: ports.Reconciliation = Reconciliation(connection, seal)
        self.keys: ports.Keys = Keys(connection, seal)

    def secret(self) -> tuple[int, bool]:
        """The number of the vault's secret that is in force, and whether no key is wrapped with an older one."""
        number, everywhere = _SQL.secret_in_force(self._c)
        return number, everywhere

    def some_key(self) -> bytes | None:
        """A key of the vault as it is wrapped, if there is one yet: by it a secret is known to be the right one."""
        found: bytes | None = _SQL.some_key(self._c)
        return found

    def replace_secret(self, number: int) -> bool | None:
        """Let this secret be in force; False when the one before is not everywhere, or this is not the next.

        None: somebody who was told the number before is still at work.
        """
        found: bool | None = _SQL.replace_secret(self._c, number=number)
        return found

    def secret_is_everywhere(self) -> bool:
        """Write down that no key is wrapped with an older secret; False when one is, or that was said before."""
        return bool(_SQL.secret_is_everywhere(self._c))

    def now(self) -> datetime:
        found: datetime = _SQL.now(self._c)
        return found

    def add_work(self, items: Sequence[WorkItem]) -> None:
        _SQL.add_work(self._c, as_dicts(items))

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None, code: str | None = None) -> None:
        _SQL.end_work(self._c, kind=kind, partner=partner, at=at, mid=mid, code=code)

    def end_work_about(self, kind: str, case_nos: Collection[str], at: datetime) -> None:
        _SQL.end_work_about(self._c, kind=kind, case_nos=list(case_nos), at=at)

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        found = _SQL.open_work(self._c, kind=kind, limit=limit)
        return [OpenWork(number, WorkItem(*columns)) for number, *columns in found]

    def work_about(self, kinds: Collection[str], ref_nos: Collection[str]) -> Set[tuple[str, str]]:
        return {(kind, ref_no) for kind, ref_no in _SQL.work_about(self._c, kinds=list(kinds), ref_nos=list(ref_nos))}

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        found = _SQL.do_work(self._c, number=number, at=at)
        return WorkItem(*found) if found else None

    def events(self, asked: ActsAsked, *, limit: int | None = None) -> Sequence[KeptEvent]:
        return self.events_of(self._numbers(asked, limit))

    def numbers(self, asked: ActsAsked) -> Sequence[int]:
        return array("q", self._numbers(asked, None))

    def _numbers(self, asked: ActsAsked, limit: int | None) -> Sequence[int]:
        """By whatever bounds the question most; each has an index."""
        if asked.case_no:
            ask = _SQL.numbers_of_case
        elif asked.mid:
            ask = _SQL.numbers_of_message
        else:
            ask = _SQL.numbers_with_partner if asked.partner else _SQL.numbers_in_period
        acts = None if asked.acts is None else list(asked.acts)
        found: Sequence[int] = ask(self._c, **(asked._asdict() | {"acts": acts, "limit": limit}))
        return found

    def events_of(self, numbers: Sequence[int]) -> Sequence[KeptEvent]:
        return _kept(_SQL.events_of_numbers(self._c, numbers=list(numbers)))

    def destructions(self, since: datetime, *, limit: int) -> Sequence[KeptEvent]:
        return self.events_of(_SQL.numbers_of_destructions(self._c, since=since, limit=limit))

    def named(self, acts: Sequence[str]) -> Sequence[KeptEvent]:
        return _kept(_SQL.events_named(self._c, acts=list(acts)))

    def reads(self, since: datetime, until: datetime) -> Sequence[ReadsRow]:
        return as_rows(ReadsRow, _SQL.reads(self._c, since=since, until=until, acts=sorted(READS)))

    def reviewed(self) -> Mapping[str, str]:
        return dict(_SQL.reviewed(self._c))

    def counts(self) -> Mapping[str, int]:
        return {**dict(_SQL.counts(self._c)), **self._declined()}

    def _declined(self) -> Mapping[str, int]:
        found = Counter[str]()
        for partner, case_no, fact_id, content, key in _SQL.declined(self._c):
            fact = self._seal.open(TOLD, _Said(fact_id, content), key, case_no)
            reason = orjson.loads(fact.content or b"{}").get("reason")
            if reason is not None:
                found[f"declined {partner} {reason.get('code', '-')}"] += 1
        return found

    def promise(self, *events: AuditEvent) -> Sequence[Promise]:
        if not events or self._acts:
            raise ValueError("a unit promises once, one audit event per act")
        self._number(events)
        return [self._leaves.promise(one) for one in self._numbered]

    def commit(self, *events: AuditEvent, receipts: Sequence[ReceiptRow] = ()) -> None:
        if bool(events) == bool(self._acts) or self.committed:
            raise ValueError("a unit commits once, with one audit event per act")
        if events:
            self._number(events)
        self._leaves.commit(self._c, self._numbered, as_json(as_dicts(receipts)) if receipts else None)
        self.committed = True
        for event in self._acts:
            log.info(event.act, **_line(event))
        self._observer.acted(self._acts)

    def _number(self, events: Sequence[AuditEvent]) -> None:
        self._numbered = self._leaves.number(self._c, events, self._made, self._seal.keys)
        self._acts = events


def _kept(rows: Iterable[tuple[Any, ...]]) -> list[KeptEvent]:
    return [KeptEvent(number, at, event_of(columns), id_) for number, at, id_, *columns in rows]


def _line(event: AuditEvent) -> dict[str, Any]:
    """One wide log line an act: ids and codes only, nothing that is empty."""
    return {name: value for name in EVENT_COLUMNS if name != "act" and (value := getattr(event, name))}
