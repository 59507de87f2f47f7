"""Facts, definitions and judgements for tests, valid by default."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.employment import Definitions
from gateway.outcomes.facts import Employment, Evidence, Kind, OutcomeFact, Retention
from gateway.outcomes.judgement import Judgement, judge

MEASURES = Path(__file__).parents[3] / "mappings/measures"
EMPLOYED = Definitions.load(MEASURES / "employment")
RTW = RtwDefinition.load(MEASURES / "rtw/RTW-2026.1.yaml")


def day(text: str) -> date:
    return date.fromisoformat(text)


def job(start: str = "2026-09-01", **other: Any) -> Employment:
    told: dict[str, Any] = {"hours_per_week": Decimal(40), "contract": "INDEFINITE", "brn": "1234567890", **other}
    return Employment(start=day(start), **told)


def fact(
    seq: int,
    on: str,
    evidence: str = "E1",
    *,
    job: Employment | None = None,
    retention: Retention | None = None,
    code: str | None = None,
    kind: Kind = Kind.PLACEMENT,
    **other: Any,
) -> OutcomeFact:
    told: dict[str, Any] = {"ref_no": "R20260801-0000001", "mid": f"m-{seq}", **other}
    return OutcomeFact(
        seq=seq,
        kind=kind,
        happened_on=day(on),
        evidence=Evidence(evidence),
        outcome_code=code,
        employment=job,
        retention=retention,
        **told,
    )


def asked(seq: int, on: str, milestone: str, result: str, evidence: str = "E2", **other: Any) -> OutcomeFact:
    told: dict[str, Any] = {
        name: day(value) if name in ("checked_on", "last_day_worked") else value for name, value in other.items()
    }
    return fact(seq, on, evidence, kind=Kind.RETENTION, retention=Retention(milestone, result, **told))


def judged(*facts: OutcomeFact, as_of: str, observed_on: str = "2026-08-31", **other: Any) -> Judgement:
    return judge(facts, by=RTW, employed=EMPLOYED, as_of=day(as_of), observed_on=day(observed_on), **other)
