"""Rows as the store keeps them, valid by default."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import NAMESPACE_OID, uuid5

from gateway.assembly.clocks import uuid7
from gateway.exchange_log.audit import AuditEvent
from gateway.ports import (
    Arrival,
    AttemptRow,
    CaseRow,
    FactRow,
    Finish,
    HandoverFile,
    InboxRow,
    LegRow,
    MessageRow,
    Met,
    ReceiptRow,
    ReferralRow,
    ScreeningRow,
    Unit,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)
EVENT = AuditEvent(act="cases.screened", actor="test", purpose="test")
OF_KEIS = replace(EVENT, partner="KEIS")


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE_OID, name))


def case(n: int = 1, **more: object) -> CaseRow:
    row = CaseRow(
        case_no=f"2026000100{n:04d}",
        version=1,
        revision=1,
        status="live",
        branch="1100",
        facts=b"{}",
        facts_sha256="a" * 64,
        entry=None,
        entry_sha256=None,
        entry_state="present",
        record=b'{"a":1}',
        verdict="ok",
        reason=None,
        merged_into=None,
        barred=False,
        screened=0,
        referred=0,
        updated_at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def screening(row: CaseRow, result: str = "PRIORITY", day: date = DAY, score: int = 50) -> ScreeningRow:
    return ScreeningRow(
        row.case_no, row.revision, "PR", "CANDIDATE", score, b"[]", "sha256:x", result, None, 3, day, NOW
    )


def leg(n: int = 1, **more: object) -> LegRow:
    row = LegRow(
        ref_no=f"R20261123-{n:07d}",
        request_no="R20261123-9000000",
        case_no="20260001000001",
        case_version=1,
        partner="KEIS",
        person_id="PKE-" + "A" * 26,
        state="requested|sent",
        status="requested",
        business="sent",
        services=("01", "02"),
        legal_basis="LB-02",
        consent_no="C1",
        filler_no=None,
        answered=False,
        in_seq=0,
        first_answer_due=DAY,
        result_due=DAY,
        tracked=0,
        version=1,
        updated_at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def request_row() -> ReferralRow:
    return ReferralRow("R20261123-9000000", "20260001000001", 1, "active", NOW, DAY)


def message(n: int = 1, seq: int = 1, **more: object) -> MessageRow:
    row = MessageRow(
        partner="KEIS",
        direction="out",
        mid=uid(f"m{n}"),
        type="referral.created",
        case_no="20260001000001",
        ref_no="R20261123-0000001",
        seq=seq,
        content_type="application/json",
        body="본문".encode(),
        jws="a.b.c",
        body_sha256=b"\x01" * 32,
        map_pin="m|1",
        map_digest="sha256:x",
        fields=("nameFull", "phone"),
        fhir=b"{}",
        at=NOW,
    )
    return row._replace(**more)  # type: ignore[arg-type]


def finish(claim_mid: str, fence: int, state: str, *, receipt: bool = False) -> Finish:
    attempt = AttemptRow("KEIS", claim_mid, fence, "after", 200, "ok", None, NOW, NOW)
    kept = ReceiptRow("KEIS", "out", claim_mid, "r.r.r", "accepted", None, NOW) if receipt else None
    return Finish(attempt, state, NOW, kept)


def file(n: int = 1, status: str = "accepted") -> HandoverFile:
    return HandoverFile(uid(f"f{n}"), "A1", f"f{n}", DAY, n, "D", f"{n:064d}", status, None, 3, 1, NOW)


def incoming(n: int, state: str = "applied") -> tuple[InboxRow, MessageRow]:
    row = InboxRow("KEIS", uid(f"in{n}"), b"\x02" * 32, leg().ref_no, n, state, None, NOW)
    return row, message(n, n, direction="in", mid=row.mid)


def attempt(partner: str, nonce: str) -> Arrival:
    """An attempt with this nonce, at a message that is not known."""
    return Arrival(partner, uuid7(), nonce, NOW, None)


def again(partner: str, mid: str) -> Arrival:
    """A fresh attempt at this message."""
    return Arrival(partner, mid, uuid7(), NOW, None)


def about(ref_no: str) -> Arrival:
    """A fresh message about this leg."""
    return Arrival("KEIS", uuid7(), uuid7(), NOW, ref_no)


def met(unit: Unit, *arrivals: Arrival) -> Met:
    return unit.inbox.meet(arrivals)


def fact(n: int) -> FactRow:
    return FactRow(uid(f"fact{n}"), leg().ref_no, n, uid(f"m{n}"), DAY, b"{}", "E1", False, None, b"{}", NOW)
