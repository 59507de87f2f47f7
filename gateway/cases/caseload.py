"""Job Coordinators on hand: the resource that parameterises the priority rules.

Rules: effective-dated files; the latest one not after the business day counts; a branch that is not listed gets the
file's default row; before the first file the first one counts. It refuses to invent a capacity where there is no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.cases.ruleset import RuleSet
from gateway.errors import DataFileInvalid


class OnHand(NamedTuple):
    """`coordinators` carry cases now; `carried` are priority cases of theirs that the gateway does not hold."""

    coordinators: int
    carried: int


@dataclass(frozen=True, slots=True)
class Caseload:
    """One file of the feed."""

    id: str
    effective_from: date
    default: OnHand
    branches: Mapping[str, OnHand]

    @classmethod
    def load(cls, path: Path, schemas: Path) -> Caseload:
        """Read one file, checked against `schemas/meta/caseload-1.json`; DataFileInvalid names all that is wrong."""
        raw = datafile.load(path, schemas / "meta" / "caseload-1.json")
        return cls(
            raw["caseload"],
            date.fromisoformat(raw["effective_from"]),
            _on_hand(raw["default"]),
            {branch: _on_hand(row) for branch, row in raw["branches"].items()},
        )

    def seats(self, branch: str, ruleset: RuleSet) -> int:
        """Seats of `branch` for cases the gateway holds; 0 when the coordinators are full or over-full."""
        row = self.branches.get(branch, self.default)
        return max(0, ruleset.seats(row.coordinators) - row.carried)


def load_all(folder: Path, schemas: Path) -> tuple[Caseload, ...]:
    """Every file of the feed in `folder`, oldest first."""
    found = (Caseload.load(path, schemas) for path in sorted(folder.glob("*.yaml")))
    return tuple(sorted(found, key=lambda c: c.effective_from))


def in_force(feed: Iterable[Caseload], today: date) -> Caseload:
    """The caseload of the business day `today`; before the first file the first one counts, for nothing older is known.

    Raises DataFileInvalid when there is no file at all.
    """
    known = sorted(feed, key=lambda c: c.effective_from)
    if not known:
        raise DataFileInvalid("there is no caseload file")
    begun = [c for c in known if c.effective_from <= today]
    return begun[-1] if begun else known[0]


def _on_hand(row: Mapping[str, Any]) -> OnHand:
    return OnHand(row["coordinators"], row["carried"])
