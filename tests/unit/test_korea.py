"""Korea: its clock, its months, and numbers that check themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.korea import KST, business_number, day_begins, whole_months

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize("month", range(1, 13))
def test_korea_is_nine_hours_ahead_all_year(month: int) -> None:
    assert datetime(2026, month, 1, tzinfo=KST).utcoffset() == timedelta(hours=9)


def test_a_day_in_korea_begins_on_the_evening_before_by_utc() -> None:
    assert day_begins(date(2026, 3, 1)) == datetime(2026, 2, 28, 15, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("1248100998", True),
        ("1234567890", False),
        ("124810099", False),
        ("124-81-009", False),
        ("１２４８１００９９８", False),
    ],
)
def test_business_numbers_have_a_check_digit(number: str, good: bool) -> None:
    assert business_number(number) is good
