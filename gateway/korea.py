"""What is the same for everybody in Korea, and no data of anybody: days, months, and numbers that check themselves.

Refuses to know what COMWEL, a partner or an agreement says: that is data under `schemas/` and `mappings/`.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

KST = ZoneInfo("Asia/Seoul")
"""Whose days and months ours are."""

SEVERE = "심한 장애"
"""The graver of the two degrees of registered disability (장애인복지법 시행규칙 2조, 별표 1)."""

_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)


def day_begins(day: date) -> datetime:
    """The first moment of a day in Korea, UTC."""
    return datetime.combine(day, time(), KST).astimezone(UTC)


def whole_months(start: date, end: date) -> int:
    """Calendar months that fit between two days (민법 160조); 0 when `end` is before `start`."""
    months = (end.year - start.year) * 12 + end.month - start.month
    anniversary = min(start.day, monthrange(end.year, end.month)[1])
    return max(months - (end.day < anniversary), 0)


def business_number(text: str) -> bool:
    """Whether ten digits are a 사업자등록번호: weights 1,3,7,1,3,7,1,3,5, and the ninth's tens, close to a ten."""
    if len(text) != 10 or not (text.isascii() and text.isdigit()):
        return False
    digits = [int(c) for c in text]
    total = sum(d * w for d, w in zip(digits, _WEIGHTS, strict=False)) + digits[8] * 5 // 10
    return (total + digits[9]) % 10 == 0
