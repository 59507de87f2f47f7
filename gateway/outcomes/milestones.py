"""Retention milestones: when they fall due, and from which day they count.

Rules:
* P1M, P3M, P6M, P12M are *calendar* months from the base date; a day that does not exist becomes the last day of
  its month (2026-08-31 + P6M = 2027-02-28). PnD are plain days (2026-08-31 + P180D = 2027-02-27).
* The base date is explicit and says what it is: the end of care or the return to work (산재령 70조④).

Refuses to guess a base date or to know today.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.errors import DataFileInvalid

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
