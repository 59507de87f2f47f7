"""Messages out and their delivery; what is dead, and the plans of those who send it again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.ports import AttemptRow, Claim, DeadRow, Finish, LegRow, MessageRow, ReceiptRow, ReplayRow
from gateway.store.parts.messages import Messages, is_id
from gateway.store.sealed import ATTEMPT, MESSAGE
from gateway.store.shapes import SLICE, as_arrays, as_dicts, as_json, as_rows, as_texts, in_slices
from gateway.store.statements import STATEMENTS as _SQL


class Outbox(Messages):
    """See `ports.Outbox`."""

    def enqueue(self, messages: Sequence[MessageRow]) -> None:
        self._add(self._seal.shut(MESSAGE, messages))
        self._make(messages)
        rows = [(m.partner, m.mid, m.case_no, m.seq, m.at) for m in messages]
        _SQL.queue(self._c, **as_arrays(("partner", "mid", "case_no", "seq", "at"), rows))

    def _add(self, messages: Sequence[MessageRow]) -> None:
        if len(messages) == 1:
            _SQL.add_message(self._c, **(messages[0]._asdict() | {"fields": list(messages[0].fields)}))
            return
        for some in in_slices(messages, SLICE // 4):  # a message is up to 30 kB
            fields = as_texts(message.fields for message in some)
            _SQL.add_messages(self._c, **(as_arrays(MessageRow._fields, some) | {"fields": fields}))

    def last_seqs(self, case_nos: Sequence[str]) -> Mapping[tuple[str, str], int]:
        return {(partner, case): seq for partner, case, seq in _SQL.last_seqs(self._c, case_nos=list(case_nos))}

    def claim(self, partner: str, worker: str, limit: int, lease_s: float) -> Sequence[Claim]:
        asked = {"partner": partner, "worker": worker, "limit": limit, "lease_s": lease_s}
        found = list(_SQL.claim(self._c, **asked, slowly=0))
        if not found and (room := self._room(partner)) > 0:
            found = list(_SQL.claim(self._c, **asked, slowly=min(room, limit)))
        width = len(MessageRow._fields)
        return [Claim(self._message(row[:width], row[-1]), *row[width:-1]) for row in found]

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
        attempts = [f.attempt for f in finishes]
        self._seal.keys.of_acts(a.case_no for a in attempts if a.case_no)  # in one trip, which their acts need not make
        sent = self._seal.shut(ATTEMPT, [a for a in attempts if a.head])
        _SQL.add_attempts(self._c, **as_arrays(AttemptRow._fields, [*sent, *(a for a in attempts if not a.head)]))
        if receipts := [f.receipt for f in finishes if f.receipt]:
            _SQL.add_receipts(self._c, receipts=as_json(as_dicts(receipts)))
        names = ("partners", "mids", "fences", "states", "next_ats", "error_classes")
        rows = [
            (f.attempt.partner, f.attempt.mid, f.attempt.fence, f.state, f.next_at, f.attempt.error_class)
            for f in finishes
        ]
        return {mid for (mid,) in _SQL.finish_deliveries(self._c, **as_arrays(names, rows))}

    def cancel(self, leg: LegRow, types: Collection[str]) -> Sequence[str]:
        return [mid for (mid,) in _SQL.cancel_unsent(self._c, **_about(leg, types))]

    def seals(self, leg: LegRow) -> Sequence[str]:
        return [
            jws for (jws,) in _SQL.seals_of_leg(self._c, partner=leg.partner, case_no=leg.case_no, ref_no=leg.ref_no)
        ]

    def ever_tried(self, leg: LegRow, types: Collection[str], but: str | None) -> bool:
        return bool(_SQL.ever_tried(self._c, **_about(leg, types), but=UUID(but) if but else None))

    def last_told(self, leg: LegRow) -> str | None:
        told: str | None = _SQL.last_told(self._c, partner=leg.partner, case_no=leg.case_no, ref_no=leg.ref_no)
        return told

    def dead(self, partner: str | None = None) -> Sequence[DeadRow]:
        return as_rows(DeadRow, _SQL.dead(self._c, partner=partner))

    def attempts(self, mid: str) -> Sequence[AttemptRow]:
        found = _SQL.attempts_of(self._c, mid=mid) if is_id(mid) else ()
        return self._opened(ATTEMPT, AttemptRow, found)

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        return self._receipt(partner, "out", mid)

    def plan_replay(self, row: ReplayRow) -> None:
        _SQL.add_replay(self._c, **row._asdict())
        _SQL.add_replay_messages(self._c, replay_id=row.replay_id, partner=row.partner, mids=list(row.mids))

    def replay(self, replay_id: str) -> ReplayRow | None:
        found = _SQL.get_replay(self._c, replay_id=replay_id) if is_id(replay_id) else None
        if not found:
            return None
        row = ReplayRow(*found)
        return row._replace(mids=tuple(row.mids))

    def execute_replay(self, row: ReplayRow, per_s: float) -> int:
        _SQL.replay_executed(self._c, **row._asdict())
        _SQL.keep_rejections(self._c, replay_id=row.replay_id)
        ready = [mid for (mid,) in _SQL.make_ready(self._c, replay_id=row.replay_id, per_s=per_s)]
        _SQL.end_work_of(self._c, mids=ready)
        return len(ready)

    def waiting(self) -> Mapping[str, int]:
        return dict(_SQL.waiting(self._c))

    def find_message(self, mid: str, *, partner: str | None = None, direction: str | None = None) -> MessageRow | None:
        row = _SQL.find_message(self._c, mid=mid, partner=partner, direction=direction) if is_id(mid) else None
        return self._message(row[:-1], row[-1]) if row else None

    def report(self) -> Iterator[Mapping[str, Any]]:
        names = (
            "at direction partner mid type caseNo refNo seq sha256 map mapDigest state code attempts receipt receiptAt"
        )
        for row in _SQL.report_exchanges(self._c):
            yield dict(zip(names.split(), row, strict=True))


def _about(leg: LegRow, types: Collection[str]) -> dict[str, Any]:
    return {"case_no": leg.case_no, "partner": leg.partner, "ref_no": leg.ref_no, "types": sorted(types)}
