"""The words of a leg: its statuses, what stands inside a status, the acts, the parties.

`Status` is the twelve FHIR R4 Task.status codes word for word, `Business` the codes of Task.businessStatus. A
`State` is both together, plus what lies beneath: a question (info-requested) or a wish to cancel
(cancellation-requested) is laid *over* the work, so that taking it away again shows what was there before.

Refuses to mix axes: neither the delivery of a message nor the worker's return to work is a status of a leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from gateway.errors import IllegalMove


class Status(StrEnum):
    """FHIR R4 Task.status, all twelve codes (http://hl7.org/fhir/R4/valueset-task-status.html)."""

    DRAFT = "draft"
    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    READY = "ready"
    CANCELLED = "cancelled"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    FAILED = "failed"
    COMPLETED = "completed"
    ENTERED_IN_ERROR = "entered-in-error"


MEANING: Mapping[Status, str] = {
    Status.DRAFT: "작성 중 – being written, or waiting for the worker's consent",
    Status.REQUESTED: "의뢰함 – sent to the partner, who has not answered yet",
    Status.RECEIVED: "접수 – the partner has it and is looking at it",
    Status.ACCEPTED: "수락 – the partner will serve the worker",
    Status.REJECTED: "반려 – the partner will not serve the worker",
    Status.READY: "준비 – a FHIR code that this loop never uses",
    Status.CANCELLED: "취소 – called back before any result",
    Status.IN_PROGRESS: "진행 중 – the partner works with the worker",
    Status.ON_HOLD: "보류 – paused, with a date to look again",
    Status.FAILED: "미취업 종결 – closed without a placement",
    Status.COMPLETED: "종결 – closed with a placement (which is not yet verified, nor retained)",
    Status.ENTERED_IN_ERROR: "오기재 – should never have existed",
}

TERMINAL = frozenset(
    {Status.REJECTED, Status.CANCELLED, Status.FAILED, Status.COMPLETED, Status.ENTERED_IN_ERROR},
)


class Business(StrEnum):
    """Task.businessStatus of a leg; each belongs to the status whose row in the table names it."""

    DRAFTING = "drafting"
    AWAITING_CONSENT = "awaiting-consent"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDER_REVIEW = "under-review"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    INTAKE_SCHEDULED = "intake-scheduled"
    DECLINED = "declined"
    NO_CAPACITY = "no-capacity"
    REFERRED_ONWARD = "referred-onward"
    LATE_DECLINE = "late-decline"
    CANCELLED_BY_COMWEL = "cancelled-by-comwel"
    CANCELLED_BY_WORKER = "cancelled-by-worker"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    NO_RESPONSE = "no-response"
    INFO_REQUESTED = "info-requested"
    INTAKE_DONE = "intake-done"
    PLAN_AGREED = "plan-agreed"
    TRAINING = "training"
    JOB_SEARCH = "job-search"
    INTERVIEW = "interview"
    SUPPORTED_TRIAL = "supported-trial"
    NO_SHOW = "no-show"
    CONTACT_LOST = "contact-lost"
    PLACED_REPORTED = "placed-reported"
    PLACED_VERIFIED = "placed-verified"
    MEDICAL_HOLD = "medical-hold"
    WORKER_HOLD = "worker-hold"
    PARTNER_HOLD = "partner-hold"
    CLOSED_PLACED = "closed-placed"
    CLOSED_NOT_PLACED = "closed-not-placed"
    PARTNER_WITHDREW = "partner-withdrew"
    CANCELLATION_REQUESTED = "cancellation-requested"
    CANCEL_CONFIRMED = "cancel-confirmed"


class Party(StrEnum):
    """Who acts: COMWEL and the gateway in its name, the leg's current owner, or the gateway's own clock."""

    PLACER = "placer"
    OWNER = "owner"
    CLOCK = "clock"


class Act(StrEnum):
    """What a party does. The owner's acts are those of the canonical outcome message, letter by letter."""

    DRAFT = "draft"
    SEND = "send"
    CONFIRM_DELIVERY = "confirm-delivery"
    RECEIVE = "receive"
    ACCEPT = "accept"
    REJECT = "reject"
    CANCEL = "cancel"
    ASK = "ask"
    ANSWER = "answer"
    START = "start"
    PROGRESS = "progress"
    REPORT_PLACEMENT = "report-placement"
    VERIFY_PLACEMENT = "verify-placement"
    REPORT_RETENTION = "report-retention"
    HOLD = "hold"
    RESUME = "resume"
    COMPLETE = "complete"
    FAIL = "fail"
    CORRECT = "correct"
    REQUEST_CANCEL = "request-cancel"
    CONFIRM_CANCEL = "confirm-cancel"
    REFUSE_CANCEL = "refuse-cancel"
    NOTE_CANCEL = "note-cancel"
    VOID = "void"


class State(NamedTuple):
    """Where a leg stands. `beneath` holds what a question or a wish to cancel was laid over, innermost first."""

    status: Status
    business: Business | None = None
    beneath: tuple[Business | None, ...] = ()

    @property
    def stage(self) -> Business | None:
        """How far the work has come, whatever is laid over it."""
        return self.beneath[0] if self.beneath else self.business

    @property
    def terminal(self) -> bool:
        """True when nothing but addenda, voiding and a withdrawn consent (row 24) can follow."""
        return self.status in TERMINAL

    def lay(self, over: Business) -> State:
        """Lay a question or a wish to cancel over the work.

        A wish to cancel stays on top; laying twice changes nothing.
        """
        layers = (*self.beneath, self.business)
        if over in layers:
            return self
        if self.business is Business.CANCELLATION_REQUESTED:
            return State(self.status, self.business, (*self.beneath, over))
        return State(self.status, over, layers)

    def lift(self) -> State:
        """Take the uppermost layer away: what it was."""
        return State(self.status, self.beneath[-1], self.beneath[:-1]) if self.beneath else self

    def work_on(self, stage: Business) -> State:
        """Return the state after the owner's next stage: a question is past, a wish to cancel still stands."""
        if self.business is Business.CANCELLATION_REQUESTED:
            return State(self.status, self.business, (stage,))
        return State(self.status, stage)

    def restage(self, stage: Business) -> State:
        """Return the state with another stage, everything laid over it untouched."""
        return (
            State(self.status, self.business, (stage, *self.beneath[1:]))
            if self.beneath
            else self._replace(business=stage)
        )

    def written(self) -> str:
        """Return the state as one line, for a column or a log: `in-progress|cancellation-requested|training`."""
        return "|".join((self.status, self.business or "", *(b or "" for b in self.beneath)))

    @classmethod
    def read(cls, text: str) -> State:
        """Read back what `written` wrote."""
        status, *layers = text.split("|")
        business, beneath = (layers[0], layers[1:]) if layers else ("", [])
        try:
            return cls(Status(status), business_of(business), tuple(business_of(b) for b in beneath))
        except ValueError:
            raise IllegalMove("the stored state is none that a leg can have") from None

    def __str__(self) -> str:
        return f"{self.status} ({self.business})" if self.business else str(self.status)


def business_of(word: str | None) -> Business | None:
    """Return the business status a word names; absent or empty is none. Refuses words that are not in the list."""
    try:
        return Business(word) if word else None
    except ValueError:
        raise IllegalMove("there is no such business status") from None
