"""Milestone dates by the calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataFileInvalid
from gateway.korea import whole_months
from gateway.outcomes.milestones import due, months_after


@pytest.mark.parametrize(
    ("base", "span", "expected"),
    [
        ("2026-08-31", "P6M", "2027-02-28"),
        ("2026-08-31", "P180D", "2027-02-27"),
        ("2026-08-31", "P1M", "2026-09-30"),
        ("2027-08-31", "P6M", "2028-02-29"),
        ("2026-12-31", "P12M", "2027-12-31"),
        ("2028-02-29", "P12M", "2029-02-28"),
        ("2026-11-30", "P3M", "2027-02-28"),
        ("2026-01-01", "P30D", "2026-01-31"),
        ("2026-01-01", "P90D", "2026-04-01"),
    ],
)
def test_milestones_fall_due_on_the_day_of_the_calendar(base: str, span: str, expected: str) -> None:
    assert due(date.fromisoformat(base), span) == date.fromisoformat(expected)


@pytest.mark.parametrize("span", ["", "6M", "P6", "P6W", "PT6M", "P-1M", "P６M"])
def test_a_span_of_another_form_is_refused(span: str) -> None:
    with pytest.raises(DataFileInvalid):
        due(date(2026, 8, 31), span)


@settings(max_examples=100)
@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_months_and_their_count_agree(base: date, months: int) -> None:
    then = months_after(base, months)
    assert whole_months(base, then) == months
    assert then.day == base.day or (then + timedelta(days=1)).day == 1
    assert whole_months(base, then - timedelta(days=1)) == max(0, months - 1)
