"""The facts screening looks at."""

from __future__ import annotations

from datetime import date

from gateway.cases.facts import completed_years, read
from tests.unit.cases.build import record


def test_age_is_completed_years_also_for_the_29th_of_february() -> None:
    assert completed_years(date(1980, 2, 29), date(2035, 2, 28)) == 54
    assert completed_years(date(1980, 2, 29), date(2035, 3, 1)) == 55


def test_care_counts_to_its_planned_end_and_to_the_real_one_only_when_none_was_planned() -> None:
    today = date(2026, 11, 23)
    assert read(record(careEnd="2026-03-05"), today).care_months == 6
    assert read(record(carePlannedEnd=None, careEnd="2026-03-05"), today).care_months == 2
    assert read(record(carePlannedEnd=None), today).care_months is None
