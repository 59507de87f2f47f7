"""What screening looks at: a dozen facts read from the canonical case record, and nothing else of it.

Rules: whole CALENDAR months decide (careStart + n months, the day clamped to the month's end, is not after the end of
care), because 2026-01-05..2026-07-05 is six months though 181 days / 30.4375 is 5.95. Care counts to its planned end,
to its real end only when none was planned. What is not recorded is None and is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from gateway.korea import whole_months


class Facts(NamedTuple):
    """The facts a rule may name. Numbers are whole; a tuple is every value recorded; None means not known."""

    care_months: int | None  # whole calendar months from careStart to the end of care
    care_days: int | None  # days of the same span; ranks cases with the same score
    original_job: str | None  # origJobPossible: Y | N | U
    expected_grade: int | None  # gradeExpected 1..14
    age: int | None  # completed years on the day of screening
    worker_type: str | None
    employer_size: int | None  # people regularly employed (상시근로자수)
    nationality: str | None  # ISO 3166 alpha-3
    diagnoses: tuple[str, ...]  # KCD codes
    approval_delay_days: int | None  # days from accidentDate to approvalDate
    stage: str | None
    deceased: bool
    outcomes: tuple[str, ...]  # codes of derived outcomes


def completed_years(birth: date, today: date) -> int:
    """Age in completed years (만 나이)."""
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def read(record: Mapping[str, Any], today: date) -> Facts:
    """The facts of one canonical case record on the day `today`."""
    start, end = _day(record, "careStart"), _day(record, "carePlannedEnd") or _day(record, "careEnd")
    accident, approval = _day(record, "accidentDate"), _day(record, "approvalDate")
    birth = _day(record, "birthDate")
    grade = record.get("gradeExpected")
    return Facts(
        care_months=whole_months(start, end) if start and end else None,
        care_days=(end - start).days if start and end else None,
        original_job=record.get("origJobPossible"),
        expected_grade=int(grade) if grade else None,
        age=completed_years(birth, today) if birth else None,
        worker_type=record.get("workerType"),
        employer_size=record.get("employerSize"),
        nationality=record.get("nationality"),
        diagnoses=tuple(d["code"] for d in record.get("diagnoses", ())),
        approval_delay_days=(approval - accident).days if accident and approval else None,
        stage=record.get("caseStage"),
        deceased="deceasedDate" in record,
        outcomes=tuple(o["code"] for o in record.get("outcome", ())),
    )


def _day(record: Mapping[str, Any], field: str) -> date | None:
    text = record.get(field)
    return date.fromisoformat(text) if text else None
