"""The function library, value by value."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.gwmap.functions import FUNCTIONS, months_between
from gateway.documents.gwmap.model import FNLIB, UnfitError, masked, printable_code

UNFIT = [
    ("ymd", "19791314", "month must be in 1..12"),
    ("ymd", "19790231", "no such day"),
    ("ymd", "1979-1-1", "YYYYMMDD"),
    ("ymd", "１９７９０１０１", "YYYYMMDD"),
    ("toYmd", "1979/01/01", "not a date"),
    ("phone", "12345678", "Korean telephone"),
    ("phone", "010-12", "Korean telephone"),
    ("bizNo", "1248100999", "check digit"),
    ("bizNo", "12481009", "10 digits"),
    ("toInteger", "7.5", "whole number"),
    ("toInteger", "seven", "whole number"),
    ("toDecimal", "1e5", "number"),
    ("toDecimal", "123456789012345.123456", "more digits"),
    ("toDecimal", "-12345678901234.5678", "more digits"),
    ("toBoolean", "maybe", "neither true nor false"),
    ("key", "abc", "not a reference"),
]


@pytest.mark.parametrize(("name", "value", "why"), UNFIT)
def test_an_unfit_value_is_refused_in_words_without_the_value(name: str, value: str, why: str) -> None:
    with pytest.raises(UnfitError, match=why) as caught:
        FUNCTIONS[name].run(value)
    assert value not in str(caught.value)


def test_a_time_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnfitError, match="real time"):
        FUNCTIONS["ymdhm"].run("202611232460", "Asia/Seoul")


@pytest.mark.parametrize("pattern", ["yyyy-MM-dd HH", "yyyyMMddHHmmss", "yyyy-MM-ddXXX"])
def test_a_day_is_given_no_time(pattern: str) -> None:
    with pytest.raises(UnfitError, match="is a day, it has no time"):
        FUNCTIONS["date"].run("2026-11-23", pattern)
    assert FUNCTIONS["date"].run("2026-11-23", "yyyy'HHmm'") == "2026HHmm"


@given(st.decimals(-(10**15) + 1, 10**15 - 1, places=12))
def test_a_decimal_is_kept_to_its_last_digit_or_refused(number: Decimal) -> None:
    try:
        found = FUNCTIONS["toDecimal"].run(f"{number:f}")
    except UnfitError:
        assert len(number.normalize().as_tuple().digits) > 15
    else:
        assert Decimal(str(found)) == number


PHONES = [
    ("01012345678", "010-1234-5678"), ("0212345678", "02-1234-5678"), ("021234567", "02-123-4567"),
    ("0521112222", "052-111-2222"), ("050512345678", "0505-1234-5678"), ("+82-2-1234-5678", "02-1234-5678"),
]  # fmt: skip


@pytest.mark.parametrize(("digits", "local"), PHONES)
def test_telephones_are_written_as_koreans_write_them_and_back(digits: str, local: str) -> None:
    assert FUNCTIONS["krPhone"].run(digits) == local
    assert FUNCTIONS["krPhone"].run(FUNCTIONS["phone"].run(digits)) == local


ROUNDED = [
    (37.125, 2, "37.13"), (17.505, 2, "17.51"), (1e-7, 2, "0.0"), (40, 2, "40"), (40.0, 2, "40.0"), (37.5, 2, "37.5"),
    (79.995, 2, "80.0"), (2.5, 0, "3.0"), (1e300, 2, "1e+300"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "places", "text"), ROUNDED)
def test_a_number_is_rounded_as_it_is_written(number: float, places: int, text: str) -> None:
    assert FUNCTIONS["toString"].run(FUNCTIONS["round"].run(number, places)) == text


@given(st.floats(0, 100), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_rounding_again_changes_nothing(number: float, places: int) -> None:
    once = FUNCTIONS["round"].run(number, places)
    assert FUNCTIONS["round"].run(once, places) == once
    assert abs(once - number) <= 0.51 * 10**-places


def test_nobody_rounds_to_tens() -> None:
    with pytest.raises(UnfitError, match="so many places"):
        FUNCTIONS["round"].run(12.5, -1)


@given(st.text(max_size=30), st.text(max_size=10))
@settings(max_examples=60, deadline=None)
def test_uuid5_is_the_uuid5_of_the_standard_library(text: str, namespace: str) -> None:
    space = uuid.uuid5(uuid.NAMESPACE_URL, "https://gateway.example/" + namespace)
    assert FUNCTIONS["uuid5"].run(text, namespace) == str(uuid.uuid5(space, text))


@given(st.dates())
@settings(max_examples=60, deadline=None)
def test_ymd_and_to_ymd_undo_each_other(day: date) -> None:
    text = day.isoformat()
    assert FUNCTIONS["ymd"].run(FUNCTIONS["toYmd"].run(text)) == text


MONTHS = [
    ("2026-01-31", "2026-02-28", 1), ("2026-01-31", "2026-02-27", 0), ("2026-01-31", "2026-03-31", 2),
    ("2026-08-31", "2027-02-28", 6), ("2026-08-31", "2027-02-27", 5), ("2027-08-31", "2028-02-29", 6),
    ("2027-08-31", "2028-02-28", 5), ("2026-03-31", "2026-04-30", 1), ("2026-04-30", "2026-05-30", 1),
    ("2026-01-15", "2026-02-15", 1),
    ("2026-01-15", "2026-02-14", 0), ("2026-05-01", "2026-04-01", -1),
]  # fmt: skip


@pytest.mark.parametrize(("start", "end", "months"), MONTHS)
def test_months_are_whole_calendar_months(start: str, end: str, months: int) -> None:
    assert months_between(start, end) == months


DAYS = [
    ("2027-07-01", -1, "2027-06-30"), ("2028-03-01", -1, "2028-02-29"), ("2026-12-31", 1, "2027-01-01"),
    ("2026-11-23", 0, "2026-11-23"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "days", "end"), DAYS)
def test_days_are_counted_over_months_and_years(start: str, days: int, end: str) -> None:
    assert FUNCTIONS["plusDays"].run(start, days) == end


def test_a_day_outside_the_calendar_is_refused() -> None:
    with pytest.raises(UnfitError, match="too far"):
        FUNCTIONS["plusDays"].run("9999-12-31", 1)


def test_only_codes_pass_the_mask() -> None:
    assert masked("19800229") == "1980****"
    assert masked("남궁민수") == "****"
    assert masked("01012345678") == "0101****"
    assert printable_code("9", ["1"]) == "9"
    assert printable_code("등록", ["등록"]) == "등록"
    assert printable_code("남궁민수", ["1"]) == "****"
    assert "8" not in printable_code("800229-1234567", ["1"])


def test_every_change_of_a_function_has_a_number_of_its_own() -> None:
    assert sorted(FNLIB.values()) == list(range(2, len(FNLIB) + 2))
