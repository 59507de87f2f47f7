"""Legs: between the row of a leg and the leg that knows its moves (`gateway.referrals.leg.Leg`)."""

from __future__ import annotations

from datetime import datetime

from gateway.ports import LegRow
from gateway.referrals.leg import Leg
from gateway.referrals.lifecycle import Act, Party
from gateway.referrals.needs import Given
from gateway.referrals.states import State


def leg_of(row: LegRow) -> Leg:
    """The leg of a row."""
    return Leg(
        ref_no=row.ref_no,
        request_no=row.request_no,
        case_no=row.case_no,
        case_version=row.case_version,
        partner=row.partner,
        state=State.read(row.state),
        services=row.services,
        legal_basis=row.legal_basis,
        consent_no=row.consent_no or "",
        filler_no=row.filler_no,
        in_seq=row.in_seq,
        first_answer_due=row.first_answer_due,
        result_due=row.result_due,
        answered=row.answered,
    )


def with_leg(row: LegRow, leg: Leg, at: datetime) -> LegRow:
    """The row with what became of its leg; `version` stays the one read, the store raises it."""
    return row._replace(
        state=leg.state.written(),
        status=str(leg.state.status),
        business=str(leg.state.business) if leg.state.business else None,
        filler_no=leg.filler_no,
        answered=leg.answered,
        in_seq=leg.in_seq,
        updated_at=at,
    )


def moved(
    row: LegRow, act: Act, by: Party, at: datetime, *, business: str | None = None, given: Given | None = None
) -> LegRow:
    """The row after one act. Raises IllegalMove or OutcomeIncomplete."""
    return with_leg(row, leg_of(row).apply(act, by=by, business=business, given=given).leg, at)
