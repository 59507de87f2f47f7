"""The facts screening looks at."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cases.facts import completed_years, read, whole_months
from tests.unit.cases.build import record

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2026, 1, 5), date(2026, 7, 5), 6),  # 181 days / 30.4375 = 5.95 would say five
        (date(2026, 1, 5), date(2026, 7, 4), 5),
        (date(2026, 8, 31), date(2027, 2, 28), 6),  # clamped to the month's end
        (date(2026, 8, 31), date(2027, 2, 27), 5),
        (date(2027, 8, 31), date(2028, 2, 29), 6),
        (date(2027, 8, 31), date(2028, 2, 28), 5),
        (date(2024, 2, 29), date(2025, 2, 28), 12),
        (date(2026, 1, 5), date(2026, 1, 5), 0),
        (date(2026, 1, 5), date(2025, 1, 5), 0),
    ],
)
def test_whole_calendar_months_decide(start: date, end: date, months: int) -> None:
    assert whole_months(start, end) == months


@given(DAYS, DAYS, DAYS)
def test_a_later_end_never_has_fewer_months(start: date, one: date, other: date) -> None:
    assert whole_months(start, min(one, other)) <= whole_months(start, max(one, other))


def test_age_is_completed_years_also_for_the_29th_of_february() -> None:
    assert completed_years(date(1980, 2, 29), date(2035, 2, 28)) == 54
    assert completed_years(date(1980, 2, 29), date(2035, 3, 1)) == 55


def test_care_counts_to_its_planned_end_and_to_the_real_one_only_when_none_was_planned() -> None:
    today = date(2026, 11, 23)
    assert read(record(careEnd="2026-03-05"), today).care_months == 6
    assert read(record(carePlannedEnd=None, careEnd="2026-03-05"), today).care_months == 2
    assert read(record(carePlannedEnd=None), today).care_months is None
