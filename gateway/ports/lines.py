"""The lines to partners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class LineRow(NamedTuple):
    """How the line to a partner stands. `breaker` closed|open|half-open; `recent`: (slot, tried, failed) each.

    Until `slow_until` only `at_once` messages are leased, whoever asks: the partner has just come back.
    `gate` open|paused|stopped is what an officer said, with his reason; it and the breaker do not know each other.
    """

    partner: str
    breaker: str = "closed"
    why: str | None = None
    failures: int = 0
    probes: int = 0
    due_at: datetime | None = None
    recent: tuple[tuple[int, int, int], ...] = ()
    at_once: int | None = None
    slow_until: datetime | None = None
    gate: str = "open"
    gate_reason: str | None = None
    gate_by: str | None = None
    gate_at: datetime | None = None


class Lines(Protocol):
    """The lines to partners: what their breakers remember. A line nobody has heard of is closed."""

    def hold(self, partner: str) -> tuple[LineRow, datetime]:
        """The line, locked until the unit ends, and the database's time."""
        ...

    def save(self, row: LineRow) -> None: ...

    def probe(self, partner: str, lease_s: float) -> bool:
        """Make the line half-open, if a probe is due; False when somebody else was faster.

        A probe of which nothing is heard for `lease_s` is due again.
        """
        ...

    def stopped(self, partner: str) -> bool:
        """Whether an officer has stopped this partner."""
        ...

    def all(self) -> Sequence[LineRow]:
        """Every line that has been heard of, by partner."""
        ...
