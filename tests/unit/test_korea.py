"""Korea: its clock, and numbers that check themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.korea import KST, business_number


@pytest.mark.parametrize("month", range(1, 13))
def test_korea_is_nine_hours_ahead_all_year(month: int) -> None:
    assert datetime(2026, month, 1, tzinfo=KST).utcoffset() == timedelta(hours=9)


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
