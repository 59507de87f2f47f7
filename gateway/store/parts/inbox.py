"""Messages in: what they meet here, and what they change.

Many are met in one trip and kept in one, so a request of hundreds waits for the database as often as a request of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.ports import Arrival, CheckRow, FactRow, HeldRow, InboxRow, JudgedRow, LegRow, MessageRow, Met, ReceiptRow
from gateway.store.parts.legs import remembered
from gateway.store.parts.messages import Messages
from gateway.store.parts.written import write_down
from gateway.store.sealed import FACT, JUDGED, MESSAGE
from gateway.store.shapes import as_arrays, as_json, as_rows
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import in_one_trip


def _seen(columns: tuple[Any, ...]) -> tuple[InboxRow, ReceiptRow | None]:
    inbox = InboxRow(*columns[:8])
    return inbox, ReceiptRow(inbox.partner, "in", inbox.mid, *columns[8:]) if columns[8] else None


class Inbox(Messages):
    """See `ports.Inbox`."""

    def meet(self, arrivals: Sequence[Arrival]) -> Met:
        nonces = [{"partner": one.partner, "nonce": one.nonce, "at": one.at} for one in arrivals]
        about = {"ref_nos": sorted({one.ref_no for one in arrivals if one.ref_no})}
        on_legs = (_SQL.legs_by_number, _SQL.held, _SQL.checks_of, _SQL.records_of_legs, _SQL.keys_of_legs)
        [[at]], fresh, seen, *hanging = in_one_trip(
            self._c,
            (_SQL.now, {}),
            (_SQL.use_nonces, {"rows": as_json(nonces)}),
            (_SQL.find_inbox, as_arrays(("partners", "mids"), [(one.partner, one.mid) for one in arrivals])),
            *((statement, about) for statement in on_legs if about["ref_nos"]),
        )
        legs, held, checks, records, keys = hanging or [[]] * len(on_legs)
        self._seal.keys.learn(keys)
        return Met(
            at,
            {(partner, nonce) for partner, nonce in fresh},
            {(row[0], row[1]): _seen(row) for row in seen},
            remembered(self._seal, legs),
            as_rows(HeldRow, held),
            as_rows(CheckRow, checks),
            {row.case_no: row.record for row in self._opened(JUDGED, JudgedRow, records) if row.record is not None},
        )

    def held_messages(self, held: Sequence[HeldRow]) -> Sequence[MessageRow]:
        asked = as_arrays(("partners", "mids"), [(one.partner, one.mid) for one in held])
        return [self._message(row, key) for *row, key in _SQL.held_messages(self._c, **asked)]

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
        places = write_down(
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

    def refuse_held(self, code: str) -> Sequence[tuple[str | None, str, str, str]]:
        return list(_SQL.refuse_held(self._c, code=code))

    def refuse_destroyed(self, code: str) -> int:
        over: int = _SQL.refuse_destroyed(self._c, code=code)
        return over

    def missing(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str | None, str, str, str]]:
        return list(_SQL.missing(self._c, kind=kind, before=before, limit=limit))

    def end_missing(self, kind: str, at: datetime) -> int:
        return len(list(_SQL.end_missing(self._c, kind=kind, at=at)))

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        return self._receipt(partner, "in", mid)
