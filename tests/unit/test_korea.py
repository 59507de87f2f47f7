"""Korea: its clock, and numbers that check themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.korea import KST, business_number, day_begins


@pytest.mark.parametrize("month", range(1, 13))
def test_korea_is_nine_hours_ahead_all_year(month: int) -> None:
    assert datetime(2026, month, 1, tzinfo=KST).utcoffset() == timedelta(hours=9)


def test_a_day_in_korea_begins_on_the_evening_before_by_utc() -> None:
    assert day_begins(date(2026, 3, 1)) == datetime(2026, 2, 28, 15, tzinfo=UTC)


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
