"""What an act must bring with it: the guards of the lifecycle, one predicate and one sentence each.

`Given` is what the caller can show. Everything starts out as *not shown*, so a forgotten guard refuses instead of
letting through. Nothing here looks anything up: whether a consent covers a recipient at this moment is asked
elsewhere, its answer arrives here as a fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from gateway.referrals.states import Business, State


@dataclass(frozen=True, slots=True)
class Given:
    """What accompanies an act. Dates are business dates; `outcome_code` is a code of rtw-outcome, `evidence` E1…E4."""

    happened_on: date | None = None
    reason_code: str | None = None
    reason_text: str | None = None
    question: str | None = None
    filler_no: str | None = None
    outcome_code: str | None = None
    employment_start: date | None = None
    evidence: str | None = None
    review_on: date | None = None
    next_service: str | None = None
    additional_support_needed: bool | None = None
    case_exists: bool = False
    consent_covers: bool = False
    data_complete: bool = False
    no_other_open_leg: bool = False
    receipt_verified: bool = False
    abort_delivered: bool = False
    ladder_exhausted: bool = False

    @classmethod
    def said_in(cls, document: Mapping[str, Any]) -> Given:
        """Read what a canonical outcome message brings (`urn:comwel:schema:outcome:1.0.0`, already validated)."""
        reason, job = document.get("reason", {}), document.get("employment", {})
        return cls(
            happened_on=_day(document.get("happenedOn")),
            reason_code=reason.get("code"),
            reason_text=reason.get("text"),
            question=document.get("question"),
            filler_no=document.get("fillerNo"),
            outcome_code=document.get("outcomeCode"),
            employment_start=_day(job.get("start")),
            evidence=document.get("evidence"),
            review_on=_day(document.get("reviewOn")),
            next_service=document.get("nextService"),
            additional_support_needed=document.get("additionalSupportNeeded"),
        )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


class Need(StrEnum):
    """One thing an act cannot do without; the value is the sentence shown to whoever forgot it."""

    CASE = "a case that exists"
    CONSENT = "a consent that is active and covers this recipient at the moment of sending"
    DATA = "the required data"
    ONLY_LEG = "no other open leg to the same partner for the same need"
    RECEIPT = "the partner's signed receipt, verified and stored"
    FILLER = "the partner's own number (fillerNo)"
    DATE = "a date (happenedOn)"
    REASON = "a coded reason (reason.code)"
    REASON_TEXT = "the reason in words (reason.text)"
    NEXT_SERVICE = "the next service, when referred onward (nextService)"
    QUESTION = "the question (question)"
    STAGE = "which stage it is now (businessStatus)"
    WAY_BACK = "a reason for going backwards (reason.code)"
    OUTCOME = "an outcome (outcomeCode, or employment)"
    OUTCOME_CODE = "an outcome code (outcomeCode)"
    START = "job facts with a start date (employment.start)"
    EVIDENCE = "evidence E2 or better (evidence)"
    REVIEW = "a date to look again (reviewOn)"
    SUPPORT = "whether more support is needed (additionalSupportNeeded)"
    LADDER = "the whole escalation ladder, before no-response"
    ABORT = "the abort task, created and delivered"


_FORWARD = (
    Business.INTAKE_DONE,
    Business.PLAN_AGREED,
    Business.TRAINING,
    Business.JOB_SEARCH,
    Business.INTERVIEW,
    Business.SUPPORTED_TRIAL,
    Business.PLACED_REPORTED,
    Business.PLACED_VERIFIED,
)


def goes_back(was: Business | None, now: Business | None) -> bool:
    """True when `now` is an earlier stage than `was`.

    No-show and contact-lost are neither before nor after anything.
    """
    return was in _FORWARD and now in _FORWARD and _FORWARD.index(now) < _FORWARD.index(was)


_Met = Callable[[Given, State | None, Business | None], bool]

MET: Mapping[Need, _Met] = {
    Need.CASE: lambda g, _, __: g.case_exists,
    Need.CONSENT: lambda g, _, __: g.consent_covers,
    Need.DATA: lambda g, _, __: g.data_complete,
    Need.ONLY_LEG: lambda g, _, __: g.no_other_open_leg,
    Need.RECEIPT: lambda g, _, __: g.receipt_verified,
    Need.FILLER: lambda g, _, __: bool(g.filler_no),
    Need.DATE: lambda g, _, __: g.happened_on is not None,
    Need.REASON: lambda g, _, __: bool(g.reason_code),
    Need.REASON_TEXT: lambda g, _, __: bool(g.reason_text),
    Need.NEXT_SERVICE: lambda g, _, said: said is not Business.REFERRED_ONWARD or bool(g.next_service),
    Need.QUESTION: lambda g, _, __: bool(g.question),
    Need.STAGE: lambda _, __, said: said is not None,
    Need.WAY_BACK: lambda g, now, said: not goes_back(now.stage if now else None, said) or bool(g.reason_code),
    Need.OUTCOME: lambda g, _, __: bool(g.outcome_code) or g.employment_start is not None,
    Need.OUTCOME_CODE: lambda g, _, __: bool(g.outcome_code),
    Need.START: lambda g, _, __: g.employment_start is not None,
    Need.EVIDENCE: lambda g, _, __: g.evidence in ("E1", "E2"),
    Need.REVIEW: lambda g, _, __: g.review_on is not None,
    Need.SUPPORT: lambda g, _, __: g.additional_support_needed is not None,
    Need.LADDER: lambda g, _, said: said is not Business.NO_RESPONSE or g.ladder_exhausted,
    Need.ABORT: lambda g, _, __: g.abort_delivered,
}


def missing(needs: Iterable[Need], given: Given, now: State | None, said: Business | None) -> tuple[Need, ...]:
    """Return every need that is not met, in the order of the table, so that one answer names them all."""
    return tuple(need for need in needs if not MET[need](given, now, said))
