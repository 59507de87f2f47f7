"""The table of the leg's lifecycle: 24 rows, who may do what in which status, and what the act must bring.

P is COMWEL and the gateway as placer, O the leg's current owner, S the gateway's own clock. A row names the statuses it
starts from, the act, the parties, the status it leads to, the business statuses it may bring (the first is the default)
and its guard. Rows 16 and 20 differ by what stands over the work: an outcome that crosses a wish to cancel wins. What
row 24 calls back has ended, and stays as it is: nobody asks the worker any more, or reports.

Refuses to decide anything: this is data, `gateway.referrals.lifecycle` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from gateway.referrals.needs import Need
from gateway.referrals.states import TERMINAL, Act, Business, Party, State, Status


class Abort(StrEnum):
    """What a move does to the abort task, the task that asks the owner to stop."""

    CREATED = "created"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Row(NamedTuple):
    """One row of the table.

    `when`/`unless` narrow the business status it starts from; the first `business` is the default.
    """

    row: int
    now: tuple[Status | None, ...]
    act: Act
    by: tuple[Party, ...]
    then: Status | None  # None: stays where it is
    business: tuple[Business | None, ...] = (None,)
    requires: tuple[Need, ...] = ()
    when: Business | None = None
    unless: Business | None = None
    abort: Abort | None = None
    flag: str | None = None


P, O, S = (Party.PLACER,), (Party.OWNER,), (Party.CLOCK,)  # noqa: E741 - the letters of the specification
PS = P + S
_N, _B = Need, Business
_NEW, _DRAFT, _REQ, _REC, _ACC = (None,), (Status.DRAFT,), (Status.REQUESTED,), (Status.RECEIVED,), (Status.ACCEPTED,)
_PROGRESS, _INP, _HOLD = Status.IN_PROGRESS, (Status.IN_PROGRESS,), (Status.ON_HOLD,)
_DONE = (Status.COMPLETED,)
_ENDED = (Status.REJECTED, Status.FAILED, Status.CANCELLED)
_NOT_VOID = tuple(s for s in Status if s is not Status.ENTERED_IN_ERROR)

# fmt: off
_WRITING = (_B.DRAFTING, _B.AWAITING_CONSENT)
_TAKEN = (_B.ACCEPTED, _B.WAITLISTED, _B.INTAKE_SCHEDULED)
_DECLINED = (_B.DECLINED, _B.NO_CAPACITY, _B.REFERRED_ONWARD)
_BACK = (_B.CANCELLED_BY_COMWEL, _B.CANCELLED_BY_WORKER, _B.CONSENT_WITHDRAWN)
_SILENT = _B.NO_RESPONSE
_NOT_FOLLOWED = (_B.CANCELLED_BY_COMWEL, _B.CONSENT_WITHDRAWN)
_STAGES = (
    _B.PLAN_AGREED, _B.TRAINING, _B.JOB_SEARCH, _B.INTERVIEW, _B.SUPPORTED_TRIAL, _B.NO_SHOW, _B.CONTACT_LOST,
)
_PAUSED = (_B.PARTNER_HOLD, _B.WORKER_HOLD, _B.MEDICAL_HOLD)
_NOT_PLACED = (_B.CLOSED_NOT_PLACED, _B.PARTNER_WITHDREW)
_ASKED_BACK = _B.CANCELLATION_REQUESTED

_TO_SEND = (_N.CONSENT, _N.DATA, _N.ONLY_LEG)
_TO_DECLINE = (_N.REASON, _N.REASON_TEXT, _N.NEXT_SERVICE)
_TO_CANCEL = (_N.REASON, _N.LADDER)
_TO_PROGRESS = (_N.STAGE, _N.DATE, _N.WAY_BACK)
_TO_PLACE = (_N.OUTCOME, _N.START)
_TO_HOLD = (_N.REASON, _N.REVIEW)
_TO_FAIL = (_N.OUTCOME_CODE, _N.REASON, _N.REASON_TEXT, _N.SUPPORT)

TABLE: tuple[Row, ...] = (
    #   row now                 act                   by  then              business             requires …
    Row(1,  _NEW,               Act.DRAFT,            P,  Status.DRAFT,     _WRITING,            (_N.CASE,)),
    Row(2,  _DRAFT,             Act.SEND,             P,  Status.REQUESTED, (_B.SENT,),          _TO_SEND),
    Row(3,  _REQ,               Act.CONFIRM_DELIVERY, S,  Status.REQUESTED, (_B.DELIVERED,),     (_N.RECEIPT,),
        when=_B.SENT),
    Row(4,  _REQ,               Act.RECEIVE,          O,  Status.RECEIVED,  (_B.UNDER_REVIEW,),  (_N.FILLER,)),
    Row(5,  _REQ + _REC,        Act.ACCEPT,           O,  Status.ACCEPTED,  _TAKEN),
    Row(6,  _REQ + _REC,        Act.REJECT,           O,  Status.REJECTED,  _DECLINED,           _TO_DECLINE),
    Row(7,  _REQ + _REC + _ACC, Act.CANCEL,           P,  Status.CANCELLED, (*_BACK, _SILENT),   _TO_CANCEL),
    Row(7,  _REQ + _REC + _ACC, Act.CANCEL,           S,  Status.CANCELLED, (_SILENT, *_BACK),   _TO_CANCEL),
    Row(8,  _REC + _ACC + _INP, Act.ASK,              O,  None,             (_B.INFO_REQUESTED,), (_N.QUESTION,)),
    Row(9,  _ACC,               Act.REJECT,           O,  Status.REJECTED,  (_B.LATE_DECLINE,),  (_N.REASON,)),
    Row(10, _ACC,               Act.START,            O,  _PROGRESS,        (_B.INTAKE_DONE,),   (_N.DATE,)),
    Row(11, _INP,               Act.PROGRESS,         O,  _PROGRESS,        _STAGES,             _TO_PROGRESS),
    Row(12, _INP,               Act.REPORT_PLACEMENT, O,  _PROGRESS,        (_B.PLACED_REPORTED,), _TO_PLACE),
    Row(13, _INP,               Act.VERIFY_PLACEMENT, PS, _PROGRESS,        (_B.PLACED_VERIFIED,), (_N.EVIDENCE,),
        when=_B.PLACED_REPORTED),
    Row(14, _ACC + _INP,        Act.HOLD,             O,  Status.ON_HOLD,   _PAUSED,             _TO_HOLD),
    Row(14, _ACC + _INP,        Act.HOLD,             P,  Status.ON_HOLD,   (_B.MEDICAL_HOLD,),  _TO_HOLD),
    Row(15, _HOLD,              Act.RESUME,           O,  _PROGRESS,        (None, _B.INTAKE_DONE, *_STAGES)),
    Row(16, _ACC,               Act.COMPLETE,         O,  Status.COMPLETED, (_B.CLOSED_PLACED,), (_N.OUTCOME,),
        flag="gap"),
    Row(16, _INP + _HOLD,       Act.COMPLETE,         O,  Status.COMPLETED, (_B.CLOSED_PLACED,), (_N.OUTCOME,)),
    Row(17, _ACC + _INP + _HOLD, Act.FAIL,            O,  Status.FAILED,    _NOT_PLACED,         _TO_FAIL),
    Row(18, _INP,               Act.REQUEST_CANCEL,   P,  _PROGRESS,        (_ASKED_BACK,),      (_N.REASON, _N.ABORT),
        unless=_ASKED_BACK, abort=Abort.CREATED),
    Row(19, _INP,               Act.CONFIRM_CANCEL,   O,  Status.CANCELLED, (_B.CANCEL_CONFIRMED,),
        when=_ASKED_BACK, abort=Abort.ACCEPTED),
    Row(20, _INP,               Act.COMPLETE,         O,  Status.COMPLETED, (_B.CLOSED_PLACED,), (_N.OUTCOME,),
        when=_ASKED_BACK, abort=Abort.REJECTED),
    Row(20, _INP,               Act.FAIL,             O,  Status.FAILED,    _NOT_PLACED,         _TO_FAIL,
        when=_ASKED_BACK, abort=Abort.REJECTED),
    Row(21, _INP,               Act.REFUSE_CANCEL,    O,  _PROGRESS,        (None,),             (_N.REASON,),
        when=_ASKED_BACK, abort=Abort.REJECTED),
    Row(22, _HOLD,              Act.CANCEL,           P,  Status.CANCELLED, _BACK,               (_N.REASON,)),
    Row(22, _HOLD,              Act.CONFIRM_CANCEL,   O,  Status.CANCELLED, (_B.CANCEL_CONFIRMED,), (_N.REASON,)),
    Row(23, _NOT_VOID,          Act.VOID,             P,  Status.ENTERED_IN_ERROR, (None,),      (_N.REASON,)),
    Row(24, _DONE,              Act.CANCEL,           P,  None,             _NOT_FOLLOWED,       (_N.REASON,),
        unless=_B.CONSENT_WITHDRAWN),
    Row(24, _ENDED,             Act.CANCEL,           P,  None,             (_B.CONSENT_WITHDRAWN,), (_N.REASON,),
        unless=_B.CONSENT_WITHDRAWN),
)
# fmt: on


class Move(NamedTuple):
    """One move: a row of the table for one starting status and one party. `now` None means there is no leg yet."""

    row: int
    now: Status | None
    act: Act
    by: Party
    then: Status
    business: tuple[Business | None, ...]
    requires: tuple[Need, ...]
    when: Business | None
    unless: Business | None
    abort: Abort | None
    flag: str | None

    def fits(self, state: State | None) -> bool:
        """True when this move starts in `state`.

        `when` looks at the stage for a placement, at the top layer otherwise.
        """
        if state is None or state.status is not self.now:
            return state is None and self.now is None
        seen = {state.business, state.stage} if self.when is Business.PLACED_REPORTED else {state.business}
        return (self.when is None or self.when in seen) and (self.unless is None or self.unless not in seen)


class Addendum(NamedTuple):
    """An act that leaves the leg where it is and only adds to what is known."""

    act: Act
    by: Party
    now: frozenset[Status]
    when: Business | None = None


def _moves() -> Iterator[Move]:
    for row in TABLE:
        for now in row.now:
            for by in row.by:
                then = row.then or now
                if then is not None:
                    yield Move(row.row, now, row.act, by, then, *row[5:])


MOVES: tuple[Move, ...] = tuple(_moves())

_HEARD = frozenset(Status) - {Status.DRAFT, Status.REQUESTED, Status.READY, Status.ENTERED_IN_ERROR}
ADDENDA: tuple[Addendum, ...] = (
    Addendum(Act.REPORT_RETENTION, Party.OWNER, frozenset({Status.IN_PROGRESS, Status.ON_HOLD, *TERMINAL}) & _HEARD),
    Addendum(Act.CORRECT, Party.OWNER, _HEARD),
    Addendum(Act.NOTE_CANCEL, Party.OWNER, frozenset(_INP), when=Business.CANCELLATION_REQUESTED),
    Addendum(Act.ANSWER, Party.PLACER, frozenset({*_REC, *_ACC, *_INP}), when=Business.INFO_REQUESTED),
)
