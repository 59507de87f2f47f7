"""Dates of FHIR, as text: does the day exist, and does one certainly lie before another.

A FHIR date may be a year, a month, a day or a time with its zone. Comparison is made at the coarser of the two
precisions, so `2026-05` does not lie before `2026`, nor the other way round.

It refuses to parse what the form (see `primitives`) has not let through.
"""

from __future__ import annotations

from datetime import date, datetime

SURE = "28"  # every month has so many days
_DAY = 10


def exists(text: str) -> bool:
    """Is the day one of the calendar? `1979-02-30` is not. Years and months always are."""
    return text[8:10] <= SURE or _in_calendar(text)


def _in_calendar(text: str) -> bool:
    try:
        date.fromisoformat(text[:_DAY])
    except ValueError:
        return False
    return True


def before(first: str, second: str) -> bool:
    """Does `first` certainly lie before `second`?"""
    size = min(len(first), len(second))
    if size <= _DAY:
        return first[:size] < second[:size]
    if first[-6:] == second[-6:] and len(first) == len(second):
        return first < second
    return _moment(first) < _moment(second)


def _moment(text: str) -> datetime:
    """A time with zone; a leap second counts as the second before it."""
    whole = text.replace(":60", ":59", 1) if text[17:19] == "60" else text
    return datetime.fromisoformat(whole)
