"""Time, ids and hints: what a verb is given instead of reaching for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: protocol time is always real; business time may be compressed."""

    def now(self) -> datetime:
        """Protocol time, aware, UTC."""
        ...

    def today(self) -> date:
        """Business date in Korea."""
        ...

    def business_now(self) -> datetime:
        """Business time, aware, UTC."""
        ...


Ids = Callable[[], str]
"""Makes a fresh id (UUIDv7 text)."""


Wake = Callable[[str], None]
"""Tells whoever delivers to this partner that something waits. A hint: it may get lost, come twice or late; it is given
after the commit, never raises, and never waits long."""


def nobody(partner: str) -> None:
    """The `Wake` that wakes nobody: the poller looks every second anyway."""


Reached = Callable[[str], None]
"""Told by a verb which named point of its way it has come to (`gateway.failpoint.POINTS`)."""


def nothing(point: str) -> None:
    """The `Reached` of every gateway that is not under test: nothing happens."""


Round = Callable[[], int]
"""Looks what is due and does it; returns how much there was to do."""
