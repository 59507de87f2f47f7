"""Region codes (법정동, 시군구: five digits) with the days on which provinces changed theirs.

A code is five digits whose first two are a province (시도). When a province became a new one its districts kept their
last three digits: 강원 42 → 51 (2023-06-11), 전북 45 → 52 (2024-01-18). A district that went to another province, or
was cut up, has its own row. The same facts as data for messages: `mappings/conceptmaps/region-current`.

It refuses to guess: a code of no known province, or one abolished without a single successor, is no code at all.
광주 29 and 전남 46 are kept as delivered: their common successor (12) is not confirmed.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Succession(NamedTuple):
    """From the day `since`, codes beginning with `old` begin with `new` instead; None: no single successor."""

    old: str
    new: str | None
    since: date


PROVINCES = frozenset("11 12 26 27 28 29 30 31 36 41 42 43 44 45 46 47 48 50 51 52".split())  # noqa: SIM905
SUCCESSIONS = (
    Succession("42", "51", date(2023, 6, 11)),  # 강원도 → 강원특별자치도
    Succession("45", "52", date(2024, 1, 18)),  # 전라북도 → 전북특별자치도
    Succession("47720", "27720", date(2023, 7, 1)),  # 군위군: 경북 → 대구
    Succession("28110", None, date(2026, 7, 1)),  # 인천 중구 → 제물포구, 영종구
    Succession("28140", None, date(2026, 7, 1)),  # 인천 동구 → 제물포구 (code not confirmed)
    Succession("28260", None, date(2026, 7, 1)),  # 인천 서구 → 서해구, 검단구
)


def current(code: str, on: date) -> str | None:
    """The five-digit code in force on the day `on` for a code of five to ten digits; None when there is none."""
    if not (5 <= len(code) <= 10 and code.isascii() and code.isdigit()):
        return None
    district = code[:5]
    if district[:2] not in PROVINCES or district[2:] == "000":
        return None
    for row in SUCCESSIONS:
        if on >= row.since and district.startswith(row.old):
            return None if row.new is None else row.new + district[len(row.new) :]
    return district
