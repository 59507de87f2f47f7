"""Time and ids: the one place that reads the real clock, and lets business days pass faster in a demo."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path

from gateway.config import Settings
from gateway.errors import SettingsInvalid
from gateway.korea import KST
from gateway.ports import Clock

NINE = time_of_day(9)
DEMO = "this-is-a-demo"
"""The mark of a home that a demo may empty, and whose business day may be set."""


class RealClock:
    """Both clocks are real."""

    def now(self) -> datetime:
        """Protocol time."""
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def business_now(self) -> datetime:
        """Business time."""
        return self.now()

    def today(self) -> date:
        """Business date in Korea."""
        return self.business_now().astimezone(KST).date()


class CompressedClock(RealClock):
    """Protocol time is real; business time stands at nine in the morning of a day that somebody sets."""

    def __init__(self, today: date) -> None:
        self._today = today

    def set_today(self, today: date) -> None:
        """Let another business day begin."""
        self._today = today

    def day(self) -> date:
        """The business day that was set last."""
        return self._today

    def business_now(self) -> datetime:
        """Nine in the morning of the business day, Korean time."""
        return datetime.combine(self.day(), NINE, KST).astimezone(UTC)


class DayFile(CompressedClock):
    """A compressed clock that all processes of one demo share: the business day stands in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set_today(self, today: date) -> None:
        """Let another business day begin, everywhere at once."""
        written = self._path.with_suffix(".tmp")
        written.write_text(today.isoformat(), encoding="ascii")
        written.replace(self._path)

    def day(self) -> date:
        """The business day in the file. Raises SettingsInvalid when there is none."""
        try:
            return date.fromisoformat(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise SettingsInvalid("GATEWAY_BUSINESS_DAY: the file does not hold a date") from None


def clock_of(settings: Settings) -> Clock:
    """The real clock; in a demo's home, if so set, one whose business day stands in a file."""
    if settings.business_day is None:
        return RealClock()
    if not (settings.home / DEMO).exists():
        raise SettingsInvalid("GATEWAY_BUSINESS_DAY: only a demo's home has a business day of its own")
    found = DayFile(settings.business_day)
    found.day()
    return found


def uuid7() -> str:
    """A fresh UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
