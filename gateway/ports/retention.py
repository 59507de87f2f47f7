"""How long records are kept, and their end."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date, datetime
from typing import NamedTuple, Protocol


class HoldRow(NamedTuple):
    """A case of which nothing is destroyed, and why."""

    case_no: str
    reason: str
    since: datetime


class Retention(Protocol):
    """How long records are kept, and their end. A `kind` is destroy-put-aside, destroy-content or destroy-evidence."""

    def take_day(self, round_: str, day: date) -> bool:
        """True for whoever comes first with this business day."""
        ...

    def due(self, kind: str, before: date) -> tuple[int, int]:
        """How many records or cases may go that ended before this day, and how many of them are held."""
        ...

    def destroy(self, kind: str, before: date, most: int) -> int:
        """End up to `most` of them, never one that is held; returns how many."""
        ...

    def destroy_returned(self, most: int) -> int:
        """End up to `most` cases once more whose content was destroyed and came back, never one that is held."""
        ...

    def hold(self, row: HoldRow) -> bool:
        """False when the case is held already."""
        ...

    def release(self, case_no: str) -> bool:
        """False when the case is not held."""
        ...

    def holds(self) -> Sequence[HoldRow]: ...

    def files_on_hold(self) -> Set[tuple[date, int]]:
        """Base date and number of files from and for COMWEL in which something of a held case stands."""
        ...
