"""Screening: who is a priority customer, decided with the criterion (PIPA 37-2; R-31).

1. Excluded cases are out.
2. Six calendar months of care and no way back to the original job: CANDIDATE; the way back unknown: REVIEW by a person.
3. 산재령 71조의2① alone (six months of care, or a disability grade expected): STATUTORY, the employer-plan workflow.
4. Everybody else: GENERAL.
5. The score adds the points of every criterion met; each criterion says whether it was met, missed or unknown.

Pure, and the same input gives the same bytes. It refuses to look at anything outside `Facts`, to guess what is not
recorded, and to decide about seats: that is `allotment`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from gateway.cases.facts import Facts, read
from gateway.cases.ruleset import Criterion, RuleSet


class Gate(StrEnum):
    """What a case is before capacity."""

    CANDIDATE = "CANDIDATE"  # competes for a seat
    STATUTORY = "STATUTORY"  # the employer may be asked for a plan; a seat only if one is spare
    REVIEW = "REVIEW"  # a person decides
    GENERAL = "GENERAL"  # general service
    EXCLUDED = "EXCLUDED"  # deceased, emigrated, rejected or closed


class Contribution(NamedTuple):
    """What one criterion gave. `met` None: the fact is not recorded. `value`: what the criterion saw."""

    criterion: str
    met: bool | None
    points: int
    fact: str
    value: str | None
    ko: str


@dataclass(frozen=True, slots=True)
class Screening:
    """One decision that explains itself. `inputs_hash`: sha256 of the canonical JSON (RFC 8785) of the facts used."""

    case_no: str
    branch: str
    ruleset: str
    gate: Gate
    because: str
    score: int
    contributions: tuple[Contribution, ...]
    inputs_hash: str
    care_days: int
    accident_date: date


def screen(record: Mapping[str, Any], ruleset: RuleSet, today: date) -> Screening:
    """Screen one canonical case record on the business day `today` (only the age depends on it). About 25 µs."""
    facts = read(record, today)
    gate, because = _gate(facts, ruleset)
    contributions = () if gate is Gate.EXCLUDED else tuple(_weigh(c, facts) for c in ruleset.criteria)
    return Screening(
        case_no=record["caseNo"],
        branch=record["branch"],
        ruleset=ruleset.id,
        gate=gate,
        because=because,
        score=sum(c.points for c in contributions),
        contributions=contributions,
        inputs_hash=inputs_hash(ruleset.id, facts),
        care_days=facts.care_days or 0,
        accident_date=date.fromisoformat(record["accidentDate"]),
    )


def inputs_hash(ruleset: str, facts: Facts) -> str:
    """`sha256:<hex>` of the facts the rules saw; facts not recorded are left out."""
    used = {name: value for name, value in facts._asdict().items() if value is not None and value != ()}
    # sorted ASCII keys, text and whole numbers only: these bytes are RFC 8785 (a test holds them against rfc8785)
    canonical = orjson.dumps({"ruleset": ruleset, "facts": used}, option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def _gate(facts: Facts, ruleset: RuleSet) -> tuple[Gate, str]:
    for reason in ruleset.exclude:
        if reason.test(facts):
            return Gate.EXCLUDED, reason.id
    rule = ruleset.gate
    months = facts.care_months if facts.care_months is not None else -1
    if months >= rule.care_months_min and facts.original_job in rule.candidate_job:
        return Gate.CANDIDATE, "care-and-original-job"
    if months >= rule.care_months_min and facts.original_job in rule.review_job:
        return Gate.REVIEW, "original-job-unknown"
    if months >= rule.statutory_months_min:
        return Gate.STATUTORY, "care-months"
    if facts.expected_grade in rule.statutory_grades:
        return Gate.STATUTORY, "grade-expected"
    return Gate.GENERAL, "no-condition-met"


def _weigh(criterion: Criterion, facts: Facts) -> Contribution:
    met = criterion.test(facts)
    value = getattr(facts, criterion.fact)
    shown = None if value is None else ",".join(value) if isinstance(value, tuple) else str(value)
    return Contribution(criterion.id, met, criterion.points if met else 0, criterion.fact, shown, criterion.ko)
