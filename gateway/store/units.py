"""Units of work on PostgreSQL: the statements are in `sql/*.sql`, here they become rows and transactions.

Rules: one `Unit` is one transaction on one connection; `commit` writes the acts with their leaves and commits all of it
together; leaving without `commit` rolls back. Every transaction begins with its scope, one partner or the whole
journey, and row-level security keeps it there; COPY is not possible under it, so many rows go as arrays. What says
something of a person is shut and opened on the way (`Seal`). Nothing here decides anything.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
import psycopg
import structlog
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.sql import SQL, Literal
from psycopg.types.array import ListBinaryDumper
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from gateway import ports
from gateway.errors import Interfered, OutOfScope, StoreUnavailable
from gateway.exchange_log.audit import AuditEvent, Verdict
from gateway.exchange_log.leaf import READS
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
from gateway.sealing.receipts import Promise
from gateway.store.leaves import Leaves, Numbered
from gateway.store.migrate import APP_ROLE
from gateway.store.sealed import (
    ASIDE,
    CASE,
    DECLINED,
    FACT,
    HISTORY,
    JUDGED,
    MESSAGE,
    PARKED,
    SCREENING,
    UPDATE,
    Seal,
    Sealed,
    Sealing,
)
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection, in_one_trip
from gateway.store.vault import Vault

WHOLE_JOURNEY = "*"
SLICE = 256
"""How many rows of a night go in one statement."""
NOTHING = ""
"""The scope of a transaction that needs no rows."""
PATIENCE_S, AWAY_S = 10.0, 0.1
"""How long a connection is waited for; and when the last one broke or did not come: partners are told soon."""
CONNECT_S, RECONNECT_S = 5.0, 2.0
"""For how long one connection, and the pool by itself, try; a pool that waited ever longer would miss the return."""
IDLE_S = 60.0
"""Twice a lease; between two statements of a unit lie milliseconds, in the largest file a second."""
ALONE = "30min"
"""Whoever does an act alone says nothing for as long as that takes, which in a large night is minutes."""

log = structlog.get_logger()

_MESSAGE_COLUMNS = MessageRow._fields
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
Row = TypeVar("Row", bound=tuple[Any, ...])


def _rows(make: Callable[..., Row], found: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [make(*columns) for columns in found]


def _dicts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


def _slices(rows: Sequence[Row], size: int = SLICE) -> Iterator[Sequence[Row]]:
    """Rows a few hundred at a time: as arrays they are in memory three times over while they are sent."""
    return (rows[at : at + size] for at in range(0, len(rows), size))


def _arrays(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows as one array a column, for `unnest`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _lines(words: Iterable[Iterable[str]]) -> list[str]:
    """An array a row as one text a row: `unnest` would flatten an array of arrays."""
    return ["\n".join(each) for each in words]


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as one parameter of one statement, for `json_populate_recordset`: one plan, however many they are."""
    return orjson.dumps(list(rows), default=_hexadecimal).decode()


def _hexadecimal(value: Any) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(type(value).__name__)


class _Part:
    """A part of a unit: the connection, and the seal of what it keeps."""

    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._c, self._seal = connection, seal

    def _opened(self, kind: Sealed, make: Callable[..., Row], found: Iterable[Sequence[Any]]) -> list[Row]:
        """Rows of a table of cases, each with the key of its case in the last column."""
        return [_open(self._seal, kind, make, columns) for columns in found]


def _open(seal: Seal, kind: Sealed, make: Callable[..., Row], columns: Sequence[Any]) -> Row:
    *said, key = columns
    row = make(*said)
    return seal.open(kind, row, key, row.case_no)  # type: ignore[attr-defined]


class Handovers(_Part):
    """See `ports.Handovers`."""

    def find(self, way: str, sha256: str) -> HandoverFile | None:
        row = _SQL.find_file(self._c, way=way, sha256=sha256)
        return HandoverFile(*row) if row else None

    def accepted(self, way: str) -> Sequence[HandoverFile]:
        return _rows(HandoverFile, _SQL.accepted_files(self._c, way=way))

    def add(self, file: HandoverFile, quarantined: Iterable[QuarantinedRow] = ()) -> None:
        _SQL.add_file(self._c, **file._asdict())
        if rows := self._seal.shut(ASIDE, quarantined):
            _SQL.add_quarantined(self._c, **_arrays(QuarantinedRow._fields, rows))

    def quarantined(self, file_id: str) -> Sequence[QuarantinedRow]:
        return self._opened(ASIDE, QuarantinedRow, _SQL.quarantined_of(self._c, file_id=file_id))

    def mark_replaced(self, file_id: str) -> None:
        _SQL.mark_replaced(self._c, file_id=file_id)

    def park(self, rows: Iterable[ParkedRow]) -> None:
        _SQL.park(self._c, _dicts(self._seal.shut(PARKED, rows)))

    def parked(self, case_nos: Sequence[str]) -> Sequence[ParkedRow]:
        found = self._opened(PARKED, ParkedRow, _SQL.parked(self._c, case_nos=list(case_nos)))
        return [row for row in found if row.facts]

    def unpark(self, rows: Iterable[ParkedRow]) -> None:
        _SQL.unpark(self._c, _dicts(rows))


class Caseload(_Part):
    """See `ports.Caseload`."""

    def load(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        found = self._opened(CASE, CaseRow, _SQL.load_cases(self._c, case_nos=list(case_nos)))
        return {row.case_no: row for row in found}

    def look(self, case_nos: Sequence[str]) -> Mapping[str, CaseRow]:
        found = self._opened(CASE, CaseRow, _SQL.look_cases(self._c, case_nos=list(case_nos)))
        return {row.case_no: row for row in found}

    def records(self, case_nos: Sequence[str]) -> Mapping[str, bytes]:
        found = self._opened(JUDGED, JudgedRow, _SQL.records(self._c, case_nos=list(case_nos)))
        return {row.case_no: row.record for row in found if row.record is not None}

    def save(self, changes: Sequence[CaseChange]) -> None:
        rows = [change.row for change in changes]
        last = {row.case_no: row for row in rows}
        for some in _slices(list(last.values())):
            _SQL.save_cases(self._c, **_arrays(CaseRow._fields, self._seal.shut(CASE, some)))
        history = [
            (row.case_no, row.revision, row.record, c.change, c.file_id, row.updated_at)
            for c, row in zip(changes, self._seal.shut(HISTORY, rows), strict=True)
        ]
        names = ("case_no", "revision", "record", "change", "file_id", "at")
        _SQL.add_history(self._c, **_arrays(names, history))

    def as_of(self, case_no: str, at: datetime) -> bytes | None:
        found = _SQL.record_as_of(self._c, case_no=case_no, at=at)
        return _open(self._seal, HISTORY, JudgedRow, found).record if found else None

    def unscreened(self, limit: int) -> Sequence[JudgedRow]:
        return self._opened(JUDGED, JudgedRow, _SQL.unscreened(self._c, limit=limit))

    def waiting(self) -> Sequence[JudgedRow]:
        return self._opened(JUDGED, JudgedRow, _SQL.waiting_cases(self._c))

    def seats_held(self) -> Sequence[SeatRow]:
        return _rows(SeatRow, _SQL.seats_held(self._c))

    def screened(self, rows: Sequence[ScreeningRow]) -> None:
        for some in _slices(rows):
            _SQL.add_screenings(self._c, **_arrays(ScreeningRow._fields, self._seal.shut(SCREENING, some)))
            _SQL.mark_screened(self._c, **_arrays(("case_nos", "revisions"), [(r.case_no, r.revision) for r in some]))

    def latest_screening(self, case_nos: Sequence[str]) -> Mapping[str, ScreeningRow]:
        found = self._opened(SCREENING, ScreeningRow, _SQL.latest_screening(self._c, case_nos=list(case_nos)))
        return {row.case_no: row for row in found}

    def to_refer(self, limit: int) -> Sequence[CaseRow]:
        return self._opened(CASE, CaseRow, _SQL.to_refer(self._c, limit=limit))

    def mark_referred(self, case_nos: Sequence[str]) -> None:
        _SQL.mark_referred(self._c, case_nos=list(case_nos))

    def report(self) -> Iterator[Mapping[str, Any]]:
        for case_no, record, reason, screening, result, score, legs in _SQL.report_cases(self._c):
            yield {
                "caseNo": case_no,
                "record": record,
                "reason": reason,
                "screening": screening,
                "decision": result,
                "score": score,
                "legs": legs or [],
            }


def _leg(columns: tuple[Any, ...]) -> LegRow:
    row = LegRow(*columns)
    return row._replace(services=tuple(row.services))


def _legs(seal: Seal, found: Iterable[tuple[Any, ...]]) -> dict[str, LegRow]:
    """Legs by their numbers; whose they are is remembered."""
    legs = {row[0]: _leg(row) for row in found}
    seal.cases.update((leg.ref_no, leg.case_no) for leg in legs.values())
    return legs


class Legs(_Part):
    """See `ports.Legs`."""

    def next_numbers(self, day: date, how_many: int) -> Sequence[int]:
        last: int = _SQL.next_numbers(self._c, day=day, how_many=how_many)
        return range(last - how_many + 1, last + 1)

    def add(self, referrals: Sequence[ReferralRow], legs: Sequence[LegRow]) -> None:
        _SQL.add_referrals(self._c, **_arrays(ReferralRow._fields, referrals))
        services = _lines(leg.services for leg in legs)
        _SQL.add_legs(self._c, **(_arrays(LegRow._fields, legs) | {"services": services}))

    def get(self, ref_no: str) -> LegRow | None:
        return self.many([ref_no]).get(ref_no)

    def many(self, ref_nos: Sequence[str]) -> Mapping[str, LegRow]:
        return _legs(self._seal, _SQL.legs_by_number(self._c, ref_nos=list(ref_nos)))

    def of_case(self, case_no: str) -> Sequence[LegRow]:
        return self.of_cases([case_no])

    def of_cases(self, case_nos: Sequence[str]) -> Sequence[LegRow]:
        return [_leg(row) for row in _SQL.legs_of_cases(self._c, case_nos=list(case_nos))]

    def save(self, *legs: LegRow) -> None:
        _write_down(self._c, legs=legs)

    def untracked(self, limit: int, settled: datetime) -> Sequence[LegRow]:
        return [_leg(row) for row in _SQL.untracked(self._c, limit=limit, settled=settled)]

    def mark_tracked(self, legs: Sequence[LegRow]) -> None:
        told = [{"ref_no": leg.ref_no, "version": leg.version} for leg in legs]
        _SQL.mark_tracked(self._c, rows=_json(told))

    def to_withdraw(self, limit: int) -> Sequence[tuple[LegRow, CaseRow]]:
        width = len(LegRow._fields)
        found = _SQL.to_withdraw(self._c, limit=limit)
        return [(_leg(row[:width]), _open(self._seal, CASE, CaseRow, row[width:])) for row in found]

    def end_requests(self, statuses: Mapping[str, str]) -> None:
        if statuses:
            told = [{"request_no": request_no, "status": status} for request_no, status in statuses.items()]
            _SQL.end_requests(self._c, rows=_json(told))


def _message(seal: Seal, columns: Sequence[Any], key: bytes | None) -> MessageRow:
    row = MessageRow(*columns)
    return seal.open(MESSAGE, row._replace(fields=tuple(row.fields)), key, row.case_no)


def _add_messages(connection: Connection, messages: Sequence[MessageRow]) -> None:
    if len(messages) == 1:
        _SQL.add_message(connection, **(messages[0]._asdict() | {"fields": list(messages[0].fields)}))
        return
    for some in _slices(messages, SLICE // 4):  # a message is up to 30 kB
        fields = _lines(message.fields for message in some)
        _SQL.add_messages(connection, **(_arrays(_MESSAGE_COLUMNS, some) | {"fields": fields}))


class _Messages(_Part):
    """A part that makes messages, and remembers the digests of their bodies by their ids."""

    def __init__(self, connection: Connection, seal: Seal, made: dict[str, bytes]) -> None:
        super().__init__(connection, seal)
        self._made = made

    def _make(self, messages: Iterable[MessageRow]) -> None:
        self._made.update((message.mid, message.body_sha256) for message in messages)


class Outbox(_Messages):
    """See `ports.Outbox`."""

    def enqueue(self, messages: Sequence[MessageRow]) -> None:
        _add_messages(self._c, self._seal.shut(MESSAGE, messages))
        self._make(messages)
        rows = [(m.partner, m.mid, m.case_no, m.seq, m.at) for m in messages]
        _SQL.queue(self._c, **_arrays(("partner", "mid", "case_no", "seq", "at"), rows))

    def last_seqs(self, case_nos: Sequence[str]) -> Mapping[tuple[str, str], int]:
        return {(partner, case): seq for partner, case, seq in _SQL.last_seqs(self._c, case_nos=list(case_nos))}

    def claim(self, partner: str, worker: str, limit: int, lease_s: float) -> Sequence[Claim]:
        asked = {"partner": partner, "worker": worker, "limit": limit, "lease_s": lease_s}
        found = list(_SQL.claim(self._c, **asked, slowly=0))
        if not found and (room := self._room(partner)) > 0:
            found = list(_SQL.claim(self._c, **asked, slowly=min(room, limit)))
        width = len(_MESSAGE_COLUMNS)
        return [Claim(_message(self._seal, row[:width], row[-1]), *row[width:-1]) for row in found]

    def _room(self, partner: str) -> int:
        """How many more may be under way while the line goes slowly; 0 when it does not. The line is held then."""
        at_once = _SQL.hold_slow_line(self._c, partner=partner)
        return at_once - _SQL.under_way(self._c, partner=partner) if at_once else 0

    def release(self, claims: Sequence[Claim]) -> None:
        rows = [{"partner": c.message.partner, "mid": c.message.mid, "fence": c.fence} for c in claims]
        _SQL.release(self._c, rows)

    def postpone(self, partner: str, until: datetime) -> int:
        return int(_SQL.postpone(self._c, partner=partner, until=until))

    def finish(self, finishes: Sequence[Finish]) -> Set[str]:
        if not finishes:
            return frozenset()
        _SQL.add_attempts(self._c, **_arrays(AttemptRow._fields, [f.attempt for f in finishes]))
        if receipts := [f.receipt for f in finishes if f.receipt]:
            _SQL.add_receipts(self._c, receipts=_json(_dicts(receipts)))
        names = ("partners", "mids", "fences", "states", "next_ats", "error_classes")
        rows = [
            (f.attempt.partner, f.attempt.mid, f.attempt.fence, f.state, f.next_at, f.attempt.error_class)
            for f in finishes
        ]
        return {mid for (mid,) in _SQL.finish_deliveries(self._c, **_arrays(names, rows))}

    def cancel(self, case_no: str, partner: str) -> Sequence[str]:
        return [mid for (mid,) in _SQL.cancel_unsent(self._c, case_no=case_no, partner=partner)]

    def ever_tried(self, case_no: str, partner: str, but: str | None) -> bool:
        return bool(_SQL.ever_tried(self._c, case_no=case_no, partner=partner, but=UUID(but) if but else None))

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        return _rows(DeadRow, _SQL.dead(self._c, partner=partner))

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        return _rows(AttemptRow, _SQL.attempts_of(self._c, mid=mid)) if _UUID.fullmatch(mid) else []

    def receipt(self, mid: str) -> ReceiptRow | None:
        return _receipt(self._c, "out", mid)

    def plan_replay(self, row: ReplayRow) -> None:
        _SQL.add_replay(self._c, **row._asdict())
        _SQL.add_replay_messages(self._c, replay_id=row.replay_id, partner=row.partner, mids=list(row.mids))

    def replay(self, replay_id: str) -> ReplayRow | None:
        found = _SQL.get_replay(self._c, replay_id=replay_id) if _UUID.fullmatch(replay_id) else None
        if not found:
            return None
        row = ReplayRow(*found)
        return row._replace(mids=tuple(row.mids))

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        _SQL.replay_executed(self._c, **row._asdict())
        _SQL.keep_rejections(self._c, replay_id=row.replay_id)
        ready: int = _SQL.make_ready(self._c, replay_id=row.replay_id, per_s=per_s)
        _SQL.end_work_of(self._c, replay_id=row.replay_id)
        return ready

    def waiting(self) -> Mapping[str, int]:
        return dict(_SQL.waiting(self._c))

    def find_message(self, mid: str) -> MessageRow | None:
        row = _SQL.find_message(self._c, mid=mid) if _UUID.fullmatch(mid) else None
        return _message(self._seal, row[:-1], row[-1]) if row else None

    def report(self) -> Iterator[Mapping[str, Any]]:
        names = (
            "at direction partner mid type caseNo refNo seq sha256 map mapDigest state code attempts receipt receiptAt"
        )
        for row in _SQL.report_exchanges(self._c):
            yield dict(zip(names.split(), row, strict=True))


def _line_row(columns: Sequence[Any]) -> LineRow:
    row = LineRow(*columns)
    return row._replace(recent=tuple(map(tuple, row.recent)))  # type: ignore[arg-type]


class Lines(_Part):
    """See `ports.Lines`."""

    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        found = _SQL.hold_line(self._c, partner=partner)
        if not found:
            _SQL.add_line(self._c, partner=partner)
            found = _SQL.hold_line(self._c, partner=partner)
        return _line_row(found[:-1]), found[-1]

    def save(self, row: LineRow) -> None:
        _SQL.save_line(self._c, **(row._asdict() | {"recent": Jsonb(row.recent)}))

    def probe(self, partner: str, lease_s: float) -> bool:
        return bool(_SQL.take_probe(self._c, partner=partner, lease_s=lease_s))

    def stopped(self, partner: str) -> bool:
        return bool(_SQL.stopped(self._c, partner=partner))

    def all(self) -> Sequence[LineRow]:
        return [_line_row(row) for row in _SQL.all_lines(self._c)]


def _write_down(
    connection: Connection,
    *,
    heard: Sequence[InboxRow] = (),
    messages: Sequence[MessageRow] = (),
    legs: Sequence[LegRow] = (),
    facts: Sequence[FactRow] = (),
    checks: Sequence[CheckRow] = (),
) -> dict[tuple[str, str], int]:
    """Messages and what they change, in one trip. Raises Interfered when a message or a leg is not as it was read."""
    rows = {"heard": heard, "messages": messages, "legs": legs, "facts": facts, "checks": checks}
    if not any(rows.values()):
        return {}
    found = list(_SQL.write_down(connection, **{name: _json(_dicts(some)) for name, some in rows.items()}))
    places = {(partner, mid): inbox_seq for _, partner, mid, inbox_seq in found if mid is not None}
    if len(places) != len(heard):
        raise Interfered("a message")
    if found[0][0] != len(legs):
        raise Interfered("a leg")
    return places


def _receipt(connection: Connection, direction: str, mid: str) -> ReceiptRow | None:
    """The receipt for a message by its id alone; None for what is no id."""
    row = _SQL.get_receipt(connection, direction=direction, mid=mid) if _UUID.fullmatch(mid) else None
    return ReceiptRow(*row) if row else None


def _seen(columns: tuple[Any, ...]) -> tuple[InboxRow, ReceiptRow | None]:
    inbox = InboxRow(*columns[:8])
    return inbox, ReceiptRow(inbox.partner, "in", inbox.mid, *columns[8:]) if columns[8] else None


class Inbox(_Messages):
    """See `ports.Inbox`."""

    def meet(self, arrivals: Sequence[Arrival]) -> Met:
        nonces = [{"partner": one.partner, "nonce": one.nonce, "at": one.at} for one in arrivals]
        about = {"ref_nos": sorted({one.ref_no for one in arrivals if one.ref_no})}
        on_legs = (_SQL.legs_by_number, _SQL.held, _SQL.checks_of, _SQL.records_of_legs, _SQL.keys_of_legs)
        fresh, seen, *hanging = in_one_trip(
            self._c,
            (_SQL.use_nonces, {"rows": _json(nonces)}),
            (_SQL.find_inbox, _arrays(("partners", "mids"), [(one.partner, one.mid) for one in arrivals])),
            *((statement, about) for statement in on_legs if about["ref_nos"]),
        )
        legs, held, checks, records, keys = hanging or [[]] * len(on_legs)
        self._seal.keys.learn(keys)
        return Met(
            {(partner, nonce) for partner, nonce in fresh},
            {(row[0], row[1]): _seen(row) for row in seen},
            _legs(self._seal, legs),
            [(seq, _message(self._seal, row, key)) for seq, *row, key in held],
            _rows(CheckRow, checks),
            {row.case_no: row.record for row in self._opened(JUDGED, JudgedRow, records) if row.record is not None},
        )

    def forget_nonces(self, before: datetime) -> int:
        gone: int = _SQL.forget_nonces(self._c, before=before)
        return gone

    def keep(
        self,
        heard: Sequence[tuple[InboxRow, MessageRow]] = (),
        *,
        legs: Sequence[LegRow] = (),
        facts: Sequence[FactRow] = (),
        checks: Sequence[CheckRow] = (),
    ) -> Mapping[tuple[str, str], int]:
        messages = [message for _, message in heard]
        shut = self._seal.shut(FACT, facts, self._cases_of(facts)) if facts else facts
        places = _write_down(
            self._c,
            heard=[row for row, _ in heard],
            messages=self._seal.shut(MESSAGE, messages),
            legs=legs,
            facts=shut,
            checks=checks,
        )
        self._make(messages)
        return places

    def _cases_of(self, facts: Sequence[FactRow]) -> Callable[[FactRow], str | None]:
        cases = self._seal.cases
        if unknown := {fact.ref_no for fact in facts} - cases.keys():
            cases.update(_SQL.cases_of_legs(self._c, ref_nos=sorted(unknown)))
        return lambda fact: cases.get(fact.ref_no)

    def settle(self, partner: str, mid: str, state: str, code: str | None) -> None:
        _SQL.settle(self._c, partner=partner, mid=mid, state=state, code=code)

    def missing(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str | None, str, str, str]]:
        return list(_SQL.missing(self._c, kind=kind, before=before, limit=limit))

    def end_missing(self, kind: str, at: datetime) -> int:
        return len(list(_SQL.end_missing(self._c, kind=kind, at=at)))

    def receipt(self, mid: str) -> ReceiptRow | None:
        return _receipt(self._c, "in", mid)


class Facts(_Part):
    """See `ports.Facts`."""

    def of(self, ref_nos: Sequence[str]) -> Sequence[FactRow]:
        found = [self._open_fact(*columns) for columns in _SQL.facts_of(self._c, ref_nos=list(ref_nos))]
        return [row for row in found if row.content]

    def _open_fact(self, *columns: Any) -> FactRow:
        *said, case_no, key = columns
        return self._seal.open(FACT, FactRow(*said), key, case_no)

    def supersede(self, ref_no: str, seq: int, by: str) -> bool:
        return bool(_SQL.supersede(self._c, ref_no=ref_no, seq=seq, by=by))

    def save_checks(self, rows: Sequence[CheckRow]) -> None:
        _write_down(self._c, checks=rows)

    def checks_due(self, today: date) -> Sequence[CheckRow]:
        return _rows(CheckRow, _SQL.checks_due(self._c, today=today))

    def last_updates(self, ref_nos: Sequence[str]) -> Mapping[str, UpdateRow]:
        found = self._opened(UPDATE, UpdateRow, _SQL.last_updates(self._c, ref_nos=list(ref_nos)))
        return {row.ref_no: row for row in found}

    def add_updates(self, rows: Sequence[UpdateRow]) -> None:
        if rows:
            _SQL.add_updates(self._c, **_arrays(UpdateRow._fields, self._seal.shut(UPDATE, rows)))

    def allocate_file(self, file_date: date, limit: int, settled: datetime) -> tuple[int, Sequence[UpdateRow]] | None:
        if not _SQL.file_is_worth_it(self._c, limit=limit, settled=settled):
            return None
        file_seq: int = _SQL.take_file_number(self._c, file_date=file_date)
        _SQL.put_into_file(self._c, file_date=file_date, file_seq=file_seq, limit=limit)
        return file_seq, self._in_file(file_date, file_seq)

    def _in_file(self, file_date: date, file_seq: int) -> Sequence[UpdateRow]:
        """Without those whose content was destroyed, which there are only after an older backup was restored."""
        found = _SQL.updates_in_file(self._c, file_date=file_date, file_seq=file_seq)
        return [row for row in self._opened(UPDATE, UpdateRow, found) if row.content != UPDATE.columns["content"]]

    def unwritten_files(self) -> Sequence[tuple[date, int, Sequence[UpdateRow]]]:
        return [(day, seq, self._in_file(day, seq)) for day, seq in list(_SQL.unwritten_files(self._c))]

    def file_written(self, file_date: date, file_seq: int, sha256: str, at: datetime) -> None:
        _SQL.file_written(self._c, file_date=file_date, file_seq=file_seq, sha256=sha256, at=at)


class Keys(_Part):
    """See `ports.Keys`."""

    def add(self, row: KeyRow) -> bool:
        return bool(_SQL.add_key(self._c, **(row._asdict() | {"jwk": Jsonb(dict(row.jwk))})))

    def of(self, owner: str) -> Sequence[KeyRow]:
        return _rows(KeyRow, _SQL.keys_of(self._c, owner=owner))

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        return bool(_SQL.revoke_key(self._c, owner=owner, kid=kid, at=at))

    def moment(self) -> datetime:
        found: datetime = _SQL.key_moment(self._c)
        return found

    def schedule(self, owner: str, kid: str, signs_from: datetime) -> None:
        _SQL.schedule_key(self._c, owner=owner, kid=kid, signs_from=signs_from)

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        _SQL.end_key(self._c, owner=owner, kid=kid, not_after=not_after)

    def turn(self, owner: str) -> TurnedKeys:
        begun, ended = (_rows(KeyRow, q(self._c, owner=owner)) for q in (_SQL.begun_keys, _SQL.ended_keys))
        return TurnedKeys(begun, ended)


class Retention(_Part):
    """See `ports.Retention`."""

    def take_day(self, round_: str, day: date) -> bool:
        return bool(_SQL.take_day(self._c, round=round_, day=day))

    def due(self, kind: str, before: date) -> tuple[int, int]:
        queries = {
            "destroy-put-aside": _SQL.due_put_aside,
            "destroy-content": _SQL.due_content,
            "destroy-evidence": _SQL.due_evidence,
        }
        due, held = queries[kind](self._c, before=before)
        return due, held

    def destroy(self, kind: str, before: date, most: int) -> int:
        statements = {
            "destroy-put-aside": _SQL.destroy_put_aside,
            "destroy-content": _SQL.destroy_content,
            "destroy-evidence": _SQL.destroy_evidence,
        }
        gone: int = statements[kind](self._c, before=before, most=most)
        return gone

    def destroy_returned(self, most: int) -> int:
        gone: int = _SQL.destroy_returned(self._c, most=most)
        return gone

    def hold(self, row: HoldRow) -> bool:
        return bool(_SQL.hold(self._c, **row._asdict()))

    def release(self, case_no: str) -> bool:
        return bool(_SQL.release_hold(self._c, case_no=case_no))

    def holds(self) -> Sequence[HoldRow]:
        return _rows(HoldRow, _SQL.holds(self._c))


class Reconciliation(_Part):
    """See `ports.Reconciliation`."""

    def booked(self, partner: str, since: datetime, until: datetime) -> Sequence[BookedRow]:
        return _rows(BookedRow, _SQL.booked(self._c, partner=partner, since=since, until=until))

    def days_due(self, partner: str, last: date, now: datetime, most: int) -> Sequence[date]:
        return [day for (day,) in _SQL.days_due(self._c, partner=partner, last=last, now=now, most=most)]

    def newest(self, partner: str, day: date | None = None) -> ReconciliationRow | None:
        row = _SQL.newest_list(self._c, partner=partner, day=day)
        return ReconciliationRow(*row) if row else None

    def of_days(self, partner: str, first: date, last: date) -> Sequence[ReconciliationRow]:
        return _rows(ReconciliationRow, _SQL.lists_of_days(self._c, partner=partner, first=first, last=last))

    def last_answer(self, partner: str) -> str | None:
        found: str | None = _SQL.last_answer(self._c, partner=partner)
        return found

    def keep(self, row: ReconciliationRow) -> None:
        _SQL.keep_list(self._c, **row._asdict())

    def differ(self, partner: str, day: date, found: Sequence[DifferenceRow], at: datetime) -> Sequence[DifferenceRow]:
        names = ("partner", "mid", "direction", "what", "day", "found_at")
        new = _SQL.add_differences(self._c, **_arrays(names, [row[:6] for row in found])) if found else ()
        keys = _arrays(("mids", "directions", "whats"), [row[1:4] for row in found])
        gone = _SQL.end_differences(self._c, partner=partner, day=day, at=at, **keys)
        return [*_rows(DifferenceRow, new), *_rows(DifferenceRow, gone)]

    def open_differences(self, partner: str) -> Sequence[DifferenceRow]:
        return _rows(DifferenceRow, _SQL.open_differences(self._c, partner=partner))


class _Said(NamedTuple):
    """A fact, and what was said."""

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

    def replace_secret(self, number: int) -> bool | None:
        """Let this secret be in force; False when the one before is not everywhere, or this is not the next.

        None: somebody who was told the number before is still at work.
        """
        found: bool | None = _SQL.replace_secret(self._c, number=number)
        return found

    def secret_is_everywhere(self) -> bool:
        """Write down that no key is wrapped with an older secret; False when one is, or that was said before."""
        return bool(_SQL.secret_is_everywhere(self._c))

    def add_work(self, items: Sequence[WorkItem]) -> None:
        _SQL.add_work(self._c, _dicts(items))

    def end_work(self, kind: str, partner: str, at: datetime, mid: str | None = None) -> None:
        _SQL.end_work(self._c, kind=kind, partner=partner, at=at, mid=mid)

    def open_work(self, kind: str | None, limit: int) -> Sequence[OpenWork]:
        found = _SQL.open_work(self._c, kind=kind, limit=limit)
        return [OpenWork(number, WorkItem(*columns)) for number, *columns in found]

    def do_work(self, number: int, at: datetime) -> WorkItem | None:
        found = _SQL.do_work(self._c, number=number, at=at)
        return WorkItem(*found) if found else None

    def events(self, asked: ActsAsked) -> Sequence[KeptEvent]:
        return _kept((_SQL.events_of_case if asked.case_no else _SQL.events)(self._c, **asked._asdict()))

    def named(self, acts: Sequence[str]) -> Sequence[KeptEvent]:
        return _kept(_SQL.events_named(self._c, acts=list(acts)))

    def reads(self, since: datetime, until: datetime) -> Sequence[ReadsRow]:
        return _rows(ReadsRow, _SQL.reads(self._c, since=since, until=until, acts=sorted(READS)))

    def reviewed(self) -> Mapping[str, str]:
        return dict(_SQL.reviewed(self._c))

    def counts(self) -> Mapping[str, int]:
        return {**dict(_SQL.counts(self._c)), **self._declined()}

    def _declined(self) -> Mapping[str, int]:
        found = Counter[str]()
        for partner, case_no, fact_id, content, key in _SQL.declined(self._c):
            fact = self._seal.open(DECLINED, _Said(fact_id, content), key, case_no)
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
        self._leaves.commit(self._c, self._numbered, _json(_dicts(receipts)) if receipts else None)
        self.committed = True
        for event in self._acts:
            log.info(event.act, **_line(event))
        self._observer.acted(self._acts)

    def _number(self, events: Sequence[AuditEvent]) -> None:
        self._numbered = self._leaves.number(self._c, events, self._made, self._seal.keys)
        self._acts = events


def _kept(rows: Iterable[tuple[Any, ...]]) -> list[KeptEvent]:
    return [KeptEvent(number, at, _event(*columns), id_) for number, at, id_, *columns in rows]


def _event(act: str, actor: str, purpose: str, verdict: str, *rest: Any) -> AuditEvent:
    code, case_no, ref_no, partner, mid, subject, counts = rest
    ids = (code, case_no, ref_no, partner, mid, subject)
    return AuditEvent(act, actor, purpose, Verdict(verdict), *ids, counts or {})


def _line(event: AuditEvent) -> dict[str, Any]:
    """One wide log line an act: ids and codes only, nothing that is empty."""
    names = ("actor", "purpose", "verdict", "code", "case_no", "ref_no", "partner", "mid", "subject", "counts")
    return {name: value for name in names if (value := getattr(event, name))}


_MAY_BE_SILENT = f"set local idle_in_transaction_session_timeout = '{ALONE}'".encode()


@lru_cache(maxsize=256)
def _opening(scope: str) -> bytes:
    """Begin and say for whom, in one round trip: the scope ends with the transaction."""
    return SQL("begin; set local app.partner = {}").format(Literal(scope)).as_bytes(None)


def _configure(connection: Connection) -> None:
    """Arrays go in binary: as text, every byte of a body would be looked at in Python."""
    connection.adapters.register_dumper(list, ListBinaryDumper)
    connection.prepared_max = 250  # more than there are statements


class _Pool(ConnectionPool[Connection]):
    """Connections, and whether the last attempt to work on one failed."""

    away = False


_AWAY = (
    psycopg.OperationalError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    PoolTimeout,
)


@contextmanager
def _connected(pool: _Pool, scope: str) -> Iterator[Connection]:
    """A connection of the pool in a transaction of this scope; leaving commits.

    Raises StoreUnavailable when there is none, when it breaks or only reads, and OutOfScope when row-level security
    refuses a row.
    """
    try:
        with pool.connection(AWAY_S if pool.away else PATIENCE_S) as connection:
            connection.execute(_opening(scope), prepare=False)
            pool.away = False
            yield connection
    except _AWAY:
        pool.away = True
        raise StoreUnavailable from None
    except psycopg.errors.InsufficientPrivilege:
        raise OutOfScope from None


def _undo(connection: Connection) -> None:
    """Roll back, and keep the plans: psycopg forgets all of them, for a schema that may have changed in between.

    Ours never does inside a unit, and most units that end so have only looked whether there is something to do.
    """
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        return
    if connection.pgconn.exec_(b"rollback").status != ExecStatus.COMMAND_OK:
        connection.rollback()  # says what is wrong with the connection


class PostgresStore:
    """See `ports.Store`. Holds a pool; `close` gives it back."""

    def __init__(
        self,
        conninfo: str,
        leaves: Leaves,
        *,
        most: int = 16,
        observer: ports.Observer | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._leaves, self._sealing = leaves, Sealing(leaves.vault)
        self._observer = observer or ports.Unobserved()
        options = f"-c timezone=UTC -c role={APP_ROLE} -c plan_cache_mode=force_generic_plan"
        options += f" -c idle_in_transaction_session_timeout={idle_s * 1000:.0f}"
        # we say ourselves: begin; and every statement is one of a file, worth planning once
        session = {"options": options, "autocommit": True, "prepare_threshold": 0, "connect_timeout": int(CONNECT_S)}
        self._pool = _Pool(
            conninfo,
            min_size=1,
            max_size=most,
            open=False,
            kwargs=session,
            configure=_configure,
            reconnect_timeout=PATIENCE_S,
        )
        try:
            self._pool.open(wait=True, timeout=PATIENCE_S)
        except PoolTimeout:
            self._pool.close()
            raise StoreUnavailable from None
        self._pool.reconnect_timeout = RECONNECT_S

    @contextmanager
    def unit(self, partner: str | None = None) -> Iterator[PostgresUnit]:
        with _connected(self._pool, WHOLE_JOURNEY if partner is None else partner) as connection:
            unit = PostgresUnit(connection, self._leaves, Seal(connection, self._sealing), self._observer)
            try:
                yield unit
            finally:
                if not unit.committed:
                    _undo(connection)

    @contextmanager
    def alone(self, act: str) -> Iterator[bool]:
        with _connected(self._pool, NOTHING) as connection:  # the lock ends with this transaction, or this process
            connection.execute(_MAY_BE_SILENT, prepare=False)
            mine, began = bool(_SQL.hold_alone(connection, act=act)), time.perf_counter()
            yield mine
            if mine:
                self._observer.held(act, time.perf_counter() - began)

    @contextmanager
    def glance(self, patience_s: float) -> Iterator[Connection]:
        """A connection that only reads, for whoever watches. Raises StoreUnavailable, soon."""
        try:
            with self._pool.connection(timeout=patience_s) as connection:
                connection.execute(_opening(WHOLE_JOURNEY), prepare=False)
                connection.execute("set transaction isolation level repeatable read, read only")
                yield connection
        except (psycopg.Error, PoolTimeout):
            raise StoreUnavailable from None

    @property
    def vault(self) -> Vault:
        """Where the keys of cases are unwrapped."""
        return self._leaves.vault

    @contextmanager
    def transaction(self, scope: str = NOTHING) -> Iterator[Connection]:
        """A transaction that is no unit: for the exchange log, whose own acts are leaves of themselves."""
        with _connected(self._pool, scope) as connection:
            yield connection

    def keep_refusal(self, event: AuditEvent) -> None:
        with self.unit(event.partner) as unit:
            unit.commit(event)

    def close(self) -> None:
        self._pool.close()
