"""Referral numbers: what they look like and what is none."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DocumentInvalid
from gateway.referrals.numbers import ReferralNumber, parse, referral_number


def test_the_number_of_the_specification() -> None:
    assert referral_number(date(2026, 11, 23), 1) == "R20261123-0000001"


@settings(max_examples=50)
@given(st.dates(date(1950, 1, 1), date(2199, 12, 31)), st.integers(1, 9_999_999))
def test_a_number_reads_back_as_what_it_was_made_of(day: date, serial: int) -> None:
    assert parse(referral_number(day, serial)) == ReferralNumber(day, serial)


@pytest.mark.parametrize(
    "text",
    ["", "R20261123-000001", "R20261123-00000001", "r20261123-0000001", "R20260230-0000001", "R２0261123-0000001",
     "R20261123-0000001\n", " R20261123-0000001"],
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse(text)


@pytest.mark.parametrize("serial", [0, 10_000_000, -1])
def test_a_serial_beyond_seven_digits_is_refused(serial: int) -> None:
    with pytest.raises(DocumentInvalid):
        referral_number(date(2026, 11, 23), serial)
