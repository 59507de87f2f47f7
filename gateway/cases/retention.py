"""How long records are kept (보존기간) and what becomes of them then (파기), read from one data file.

Rules: a period is full calendar years, counted from 1 January after the year of the day that begins it (공공기록물법
시행령 26조). Refuses a file that lets records go earlier than the law does. Not to be confused with retention checks
(근속), which are about the worker's employment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.errors import DataFileInvalid, Place

KEPT = "kept"
FILES = "destroy-files"


class RecordClass(NamedTuple):
    """One class of records. `years` None: kept; `then` is destroy-put-aside|destroy-content|destroy-evidence|
    destroy-files|kept.
    """

    id: str
    what: str
    counts_from: str
    years: int | None
    law: tuple[str, ...]
    then: str
    stays: str

    def ended_before(self, today: date) -> date | None:
        """What began its period before this day may go today; None when it is kept.

        Closed in 2026 and kept for five years: from 1 January 2032.
        """
        return None if self.years is None else date(today.year - self.years, 1, 1)


@dataclass(frozen=True, slots=True)
class Retention:
    """One version of the rules."""

    id: str
    effective_from: date
    classes: tuple[RecordClass, ...]

    @classmethod
    def load(cls, path: Path, schemas: Path) -> Retention:
        """Read one file, checked against `schemas/meta/retention-1.json`; DataFileInvalid names all that is wrong."""
        raw = datafile.load(path, schemas / "meta" / "retention-1.json")
        if wrong := [fault for row in raw["classes"] for fault in _faults(row)]:
            raise DataFileInvalid("; ".join(wrong), place=Place(file=f"{path.parent.name}/{path.name}"))
        classes = tuple(_class(row) for row in raw["classes"])
        return cls(raw["retention"], date.fromisoformat(raw["effective_from"]), classes)


def _faults(row: dict[str, Any]) -> list[str]:
    years, name = row["years"], row["id"]
    faults = []
    if years is not None and years < row["at_least"]:
        faults.append(f"{name}: the law keeps it for {row['at_least']} years")
    if (years is None) != (row["then"] == KEPT):
        faults.append(f"{name}: what has a period is destroyed, what has none is kept")
    return faults


def _class(row: dict[str, Any]) -> RecordClass:
    return RecordClass(
        row["id"], row["what"], row["counts_from"], row["years"], tuple(row["law"]), row["then"], row["stays"]
    )
