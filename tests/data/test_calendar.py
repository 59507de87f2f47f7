"""The calendar of Korea agrees with somebody else's reading of the same law."""

from __future__ import annotations

import holidays

from gateway.config import Settings
from gateway.delivery.hours import load_all

KOREA = load_all(Settings().mappings / "rules" / "calendar", Settings().schemas)["KR"]


def test_the_days_are_those_that_the_library_holidays_knows() -> None:
    years = range(min(KOREA.holidays).year, KOREA.until.year + 1)
    assert sorted(KOREA.holidays) == sorted(holidays.country_holidays("KR", years=years))
