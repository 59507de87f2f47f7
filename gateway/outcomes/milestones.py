"""Retention milestones: when they fall due, from which day they count, and the life of one retention check.

Rules:
* P1M, P3M, P6M, P12M are *calendar* months from the base date; a day that does not exist becomes the last day of
  its month (2026-08-31 + P6M = 2027-02-28). PnD are plain days (2026-08-31 + P180D = 2027-02-27).
* The base date is explicit and says what it is: the end of care or the return to work (산재령 70조④).
* A check is completed only once it is due: who left in month 5 may work elsewhere in month 6.

Refuses to guess a base date or to know today.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.errors import DataFileInvalid, IllegalMove

SPANS = ("P1M", "P3M", "P6M", "P12M")
_SPAN = re.compile(r"P([0-9]{1,3})([MD])", re.ASCII)


class BaseKind(StrEnum):
    """What the base date is."""

    CARE_END = "care-end"
    RTW_DATE = "rtw-date"


class Base(NamedTuple):
    """The day milestones count from, and what day that is."""

    kind: BaseKind
    on: date


def due(base: date, span: str) -> date:
    """Return the day `span` (PnM calendar months or PnD days) after `base`."""
    match = _SPAN.fullmatch(span)
    if match is None:
        raise DataFileInvalid("a milestone is PnM (calendar months) or PnD (days)")
    number = int(match[1])
    return months_after(base, number) if match[2] == "M" else base + timedelta(days=number)


def months_after(base: date, months: int) -> date:
    """Return the day `months` calendar months after `base`, the last day of the month where there is no such day."""
    years, month = divmod(base.month - 1 + months, 12)
    year, month = base.year + years, month + 1
    return date(year, month, min(base.day, monthrange(year, month)[1]))


def whole_months(start: date, end: date) -> int:
    """Return how many calendar months have gone by from `start` to `end` (0 when `end` is not after `start`)."""
    months = (end.year - start.year) * 12 + end.month - start.month
    while months > 0 and months_after(start, months) > end:
        months -= 1
    return max(0, months)


class CheckStatus(StrEnum):
    """Task.status of a retention check."""

    REQUESTED = "requested"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CheckAct(StrEnum):
    """What can happen to a retention check."""

    FALL_DUE = "fall-due"
    COMPLETE = "complete"
    GIVE_UP = "give-up"
    CANCEL = "cancel"


class _CheckMove(NamedTuple):
    now: tuple[CheckStatus, str]
    act: CheckAct
    then: CheckStatus
    business: tuple[str, ...]


SCHEDULED, DUE = (CheckStatus.REQUESTED, "scheduled"), (CheckStatus.REQUESTED, "due")
_WHY_CANCELLED = ("superseded", "died", "consent-withdrawn")
RESULTS = (
    "retained-same-job",
    "retained-same-employer",
    "retained-other-employer",
    "self-employed",
    "not-employed",
    "unknown",
)
CHECK_MOVES: tuple[_CheckMove, ...] = (
    _CheckMove(SCHEDULED, CheckAct.FALL_DUE, CheckStatus.REQUESTED, ("due",)),
    _CheckMove(DUE, CheckAct.COMPLETE, CheckStatus.COMPLETED, RESULTS),
    _CheckMove(DUE, CheckAct.GIVE_UP, CheckStatus.FAILED, ("unverifiable",)),
    _CheckMove(SCHEDULED, CheckAct.CANCEL, CheckStatus.CANCELLED, _WHY_CANCELLED),
    _CheckMove(DUE, CheckAct.CANCEL, CheckStatus.CANCELLED, _WHY_CANCELLED),
)


@dataclass(frozen=True, slots=True)
class RetentionCheck:
    """One question to be asked on one day; a Task that is part of the placing leg."""

    ref_no: str
    span: str
    base: Base
    due: date
    status: CheckStatus = CheckStatus.REQUESTED
    business: str = "scheduled"

    @property
    def open(self) -> bool:
        """True while an answer is still awaited."""
        return self.status is CheckStatus.REQUESTED

    def after(self, act: CheckAct, business: str | None = None) -> RetentionCheck:
        """Return the check after `act`. Completing names the result, cancelling the reason."""
        for move in CHECK_MOVES:
            if move.now == (self.status, self.business) and move.act is act:
                said = business or (move.business[0] if len(move.business) == 1 else None)
                if said in move.business:
                    return replace(self, status=move.then, business=said)
        raise IllegalMove(f"a retention check that is {self.status} ({self.business}) cannot {act} like that")

    def on(self, today: date) -> RetentionCheck:
        """Return the check as it is on `today`: a scheduled one falls due on its day."""
        falls = (self.status, self.business) == SCHEDULED and today >= self.due
        return self.after(CheckAct.FALL_DUE) if falls else self


def open_checks(ref_no: str, base: Base, spans: Iterable[str] = SPANS) -> tuple[RetentionCheck, ...]:
    """Return the checks that a verified placement opens, all scheduled."""
    return tuple(RetentionCheck(ref_no, span, base, due(base.on, span)) for span in spans)
