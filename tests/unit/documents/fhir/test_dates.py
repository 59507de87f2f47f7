"""Dates as FHIR writes them: partial, with zones, and on days that exist."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.fhir.dates import before, exists


@pytest.mark.parametrize("text", ["2026", "2026-02", "2024-02-29", "2000-02-29", "2026-12-31", "2026-04-30T00:00:00Z"])
def test_a_day_of_the_calendar_exists(text: str) -> None:
    assert exists(text)


@pytest.mark.parametrize(
    "text", ["2026-02-29", "1900-02-29", "1979-02-30", "2026-04-31", "2026-06-31T09:00:00+09:00", "2026-11-31"]
)
def test_a_day_outside_the_calendar_does_not(text: str) -> None:
    assert not exists(text)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2026", "2027", True),
        ("2026", "2026-05", False),
        ("2026-05", "2026", False),
        ("2026-05-31", "2026-06", True),
        ("2026-06", "2026-06-30", False),
        ("2026-11-23", "2026-11-23T09:00:00+09:00", False),
        ("2026-11-22", "2026-11-23T09:00:00+09:00", True),
        ("2026-11-23T09:00:00+09:00", "2026-11-23T00:00:00Z", False),
        ("2026-11-23T08:59:59+09:00", "2026-11-23T00:00:00Z", True),
        ("2026-11-23T00:00:00Z", "2026-11-23T00:00:00.5Z", True),
        ("2026-11-23T00:00:00.25Z", "2026-11-23T00:00:00.5Z", True),
        ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00Z", True),
    ],
)
def test_before_compares_at_the_coarser_precision_and_knows_zones(first: str, second: str, expected: bool) -> None:
    assert before(first, second) is expected


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(1, 4000))
def test_before_is_a_strict_order_of_days(day: date, later: int) -> None:
    one, other = day.isoformat(), (day + timedelta(later)).isoformat()
    assert before(one, other)
    assert not before(other, one)
    assert not before(one, one)
