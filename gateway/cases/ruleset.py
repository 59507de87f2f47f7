"""A priority rule set: gate, statutory test, exclusions, criteria with points, selection. Read from data, then fixed.

Rules: one file per version under `mappings/rules/screening/`, never changed once active (`mappings/lock.json`);
a criterion over an unknown fact is neither met nor missed but unknown, and gives no points.
It refuses to hold a rule of its own: code knows facts and comparisons, the file knows what matters (PIPA 37-2④).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.cases.facts import Facts

Check = Callable[[Any], bool]

_COMPARE: Mapping[str, Callable[[Any], Check]] = {
    "min": lambda least: lambda value: bool(value >= least),
    "max": lambda most: lambda value: bool(value <= most),
    "is": lambda wanted: lambda value: value is wanted,
    "in": lambda words: frozenset(words).__contains__,
    "not_in": lambda words: lambda value: value not in words,
    "any_in": lambda words: lambda values: not frozenset(words).isdisjoint(values),
    "any_starts_with": lambda heads: lambda values: any(v.startswith(tuple(heads)) for v in values),
}


class Criterion(NamedTuple):
    """One line of the rule set: its fact, its test (True, False, None for unknown), its points and its sentence."""

    id: str
    points: int
    fact: str
    test: Callable[[Facts], bool | None]
    ko: str
    law: str | None


class Gate(NamedTuple):
    """산재령 71조의2① and COMWEL's own condition; months are calendar months, grades inclusive."""

    care_months_min: int
    candidate_job: frozenset[str]
    review_job: frozenset[str]
    statutory_months_min: int
    statutory_grades: range


class Selection(NamedTuple):
    """How scores become seats. `reserve` and `override_share` are shares of one."""

    order: tuple[tuple[str, bool], ...]  # (fact, descending)
    caseload_max: int
    reserve: Decimal
    min_tenure_days: int
    exit_margin: int
    override_roles: frozenset[str]
    override_share: Decimal


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One immutable version of the priority rules. `digest` names the exact bytes it was read from."""

    id: str
    digest: str
    active: bool  # approved; drafts and what was retired decide nothing
    effective_from: date
    exclude: tuple[Criterion, ...]
    gate: Gate
    criteria: tuple[Criterion, ...]
    selection: Selection

    @classmethod
    def load(cls, path: Path, schemas: Path) -> RuleSet:
        """Read `path`, checked against `schemas/meta/screening-1.json`; DataFileInvalid names all that is wrong."""
        raw = datafile.load(path, schemas / "meta" / "screening-1.json")
        return cls(
            id=raw["ruleset"],
            digest=datafile.digest(path),
            active=raw["status"] == "active",
            effective_from=date.fromisoformat(raw["effective_from"]),
            exclude=tuple(_criterion(c) for c in raw["exclude"]),
            gate=_gate(raw["gate"], raw["statutory"]),
            criteria=tuple(_criterion(c) for c in raw["criteria"]),
            selection=_selection(raw),
        )

    def seats(self, coordinators: int) -> int:
        """Cases that `coordinators` can carry, after the reserve for urgent admissions: 94 × 40 × 0.9 = 3,384."""
        return int(coordinators * self.selection.caseload_max * (1 - self.selection.reserve))


def _criterion(raw: Mapping[str, Any]) -> Criterion:
    when = raw["when"]
    get = attrgetter(when["fact"])
    checks = tuple(_COMPARE[word](operand) for word, operand in when.items() if word != "fact")

    def test(facts: Facts) -> bool | None:
        value = get(facts)
        return None if value is None else all(check(value) for check in checks)

    return Criterion(raw["id"], raw.get("points", 0), when["fact"], test, raw["ko"], raw.get("law"))


def _gate(gate: Mapping[str, Any], statutory: Mapping[str, Any]) -> Gate:
    first, last = statutory["expected_grade"]
    return Gate(
        gate["care_months_min"],
        frozenset(gate["candidate_original_job"]),
        frozenset(gate["review_original_job"]),
        statutory["care_months_min"],
        range(first, last + 1),
    )


def _selection(raw: Mapping[str, Any]) -> Selection:
    order = tuple((fact, direction == "desc") for fact, direction in map(str.split, raw["selection"]["order"]))
    resources, hysteresis, overrides = raw["resources"], raw["hysteresis"], raw["overrides"]
    return Selection(
        order,
        resources["caseload_max"],
        Decimal(resources["reserve"]),
        hysteresis["min_tenure_days"],
        hysteresis["exit_score_margin"],
        frozenset(overrides["roles"]),
        Decimal(overrides["max_share_per_month"]),
    )
