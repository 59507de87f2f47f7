"""Referral numbers: `R<yyyymmdd>-<7 digits>`, one series for requests and legs.

Every leg has a number of its own, so that two partners cannot recognise the same worker by it. The serial counts
within a day; whoever hands it out (the store's sequence) makes it unique. Refuses dates that do not exist.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from gateway.errors import DocumentInvalid

_FORM = re.compile(r"R([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{7})", re.ASCII)


class ReferralNumber(NamedTuple):
    """A referral number: the business date it was given out and its serial of that day (1…9 999 999)."""

    day: date
    serial: int

    def __str__(self) -> str:
        return f"R{self.day:%Y%m%d}-{self.serial:07d}"


def referral_number(day: date, serial: int) -> str:
    """Return the number as text; refuses a serial that does not fit seven digits."""
    if not 1 <= serial <= 9_999_999:
        raise DocumentInvalid("a day has at most 9,999,999 referral numbers, counted from 1")
    return str(ReferralNumber(day, serial))


def parse(text: str) -> ReferralNumber:
    """Read a referral number. Raises `DocumentInvalid` when the form is wrong or the date does not exist."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise DocumentInvalid("a referral number is R, eight digits of a date, a hyphen and seven digits")
    year, month, day, serial = (int(part) for part in match.groups())
    try:
        return ReferralNumber(date(year, month, day), serial)
    except ValueError:
        raise DocumentInvalid("the referral number holds a date that does not exist") from None
