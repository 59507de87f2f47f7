"""Facts, definitions and judgements for tests, valid by default."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.employment import Definitions
from gateway.outcomes.facts import Employment, Evidence, Kind, OutcomeFact, Retention
from gateway.outcomes.judgement import judge

MEASURES = Path(__file__).parents[3] / "mappings/measures"
EMPLOYED = Definitions.load(MEASURES / "employment")
RTW = RtwDefinition.load(MEASURES / "rtw/RTW-2026.1.yaml")


def day(text):
    return date.fromisoformat(text) if text else None


def job(start="2026-09-01", **other):
    told = {"hours_per_week": Decimal(40), "contract": "INDEFINITE", "brn": "1234567890", **other}
    return Employment(start=day(start), **told)


def fact(seq, on, evidence="E1", *, job=None, retention=None, code=None, kind=Kind.PLACEMENT, **other):
    told = {"ref_no": "R20260801-0000001", "mid": f"m-{seq}", **other}
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


def asked(seq, on, milestone, result, evidence="E2", **other):
    told = {name: day(value) if name in ("checked_on", "last_day_worked") else value for name, value in other.items()}
    return fact(seq, on, evidence, kind=Kind.RETENTION, retention=Retention(milestone, result, **told))


def judged(*facts, as_of, observed_on="2026-08-31", **other):
    return judge(facts, by=RTW, employed=EMPLOYED, as_of=day(as_of), observed_on=day(observed_on), **other)
