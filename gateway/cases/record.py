"""The canonical case record: facts of the nightly hand-over (A1) and the coordinator's entry (A6) in one document.

1. The facts are the ground: COMWEL's batch wins on everything it knows.
2. The entry supplies what the batch lacks; what is wrong in it spoils its own field (`gateway.cases.entry`).
3. Derived fields are computed from both, never taken from either: caseId, caseStage, careMonths, gradeStatus,
   vocTrainingEligible, track.
4. Data-quality notes and provenance of both sides are kept.

Facts may carry three names that are no case fields and are left out here: `a1Consent` (COMWEL's own record of consent,
for the permission check), `asOf` (base date of the file) and `gradePending` (장해등급 99 미정).
It refuses to look at a clock, to guess, and to make a record out of an entry alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.cases import entry as entries
from gateway.korea import whole_months

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://gateway.example/fhir/sid/case-no")
_BESIDE = frozenset({"a1Consent", "asOf", "gradePending", "dataQuality", "provenance"})
_TRAINING_GRADES = frozenset(f"{grade:02d}" for grade in range(1, 13))  # 산재령 68조: 1-12급
_TRAINING_YEARS = 3  # 산재규칙 55조: within three years of the grade decision
_ENOUGH_PHONES = 2


def merge(facts: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """The canonical record (`schemas/comwel/case/1.0.0.json`) of one case version.

    `facts` are A1 facts in canonical names; `entry` is the coordinator's entry as handed over (A6 names) or None.
    """
    record = {name: value for name, value in facts.items() if name not in _BESIDE}
    notes = list(facts.get("dataQuality", ()))
    provenance = list(facts.get("provenance", ()))
    if entry is not None:
        fields, entry_notes = entries.canonical(entry)
        notes += entry_notes + _stale(facts, entry, fields)
        _supply(record, fields)
        provenance += entry.get("provenance", ())
    record["caseId"] = case_id(record["caseNo"])
    record["caseStage"] = case_stage(record, pending=bool(facts.get("gradePending")))
    record["gradeStatus"] = grade_status(record, pending=bool(facts.get("gradePending")))
    record["track"] = "GENERAL" if entry is None else "NAEIL"
    as_of = _as_of(facts, entry)
    if as_of is not None:
        record["vocTrainingEligible"] = voc_training_eligible(record, as_of)
    months = _months_of(record)
    if months is not None:
        record["careMonths"] = months
    if notes:
        record["dataQuality"] = notes
    record["provenance"] = provenance
    return record


def case_id(case_no: str) -> str:
    """The gateway's own id of a case: the same case number always gives the same UUID (RFC 9562, version 5)."""
    return str(uuid.uuid5(_NAMESPACE, case_no))


def case_stage(record: Mapping[str, Any], *, pending: bool = False) -> str:
    """Where the case stands, as far as the hand-over tells (claim, care, grade); later stages are the loop's."""
    if "approvalDate" not in record:
        return "CLAIMED"
    if "careEnd" not in record:
        return "IN_CARE" if record["caseVersion"] == 1 else "REOPENED"
    if "grade" in record:
        return "GRADED"
    return "GRADE_PENDING" if pending or "gradeExpected" in record else "CARE_ENDED"


def grade_status(record: Mapping[str, Any], *, pending: bool = False) -> str:
    """none | expected | pending | decided: how far the disability grade is (산재령 53조)."""
    if "grade" in record:
        return "decided"
    if pending:
        return "pending"
    return "expected" if "gradeExpected" in record else "none"


def voc_training_eligible(record: Mapping[str, Any], today: date) -> bool:
    """Vocational training (산재령 68조): grade 1-12 decided at most three years ago, or expected; not employed."""
    if any("end" not in job for job in record.get("employments", ())):
        return False
    if "grade" not in record:
        return record.get("gradeExpected") in _TRAINING_GRADES
    decided = record.get("gradeDate")
    if decided is None or record["grade"] not in _TRAINING_GRADES:
        return False
    return not _longer_than(date.fromisoformat(decided), 12 * _TRAINING_YEARS, today)


def calendar_months_fit(start: date, months: int, end: date) -> bool:
    """Whether `months` calendar months from `start` end on or before `end` (민법 160조; the day clamps to month's end).

    2026-08-31 and six months: 2027-02-28 fits, 2027-02-27 does not.
    """
    return end >= start and whole_months(start, end) >= months


def care_months(start: date, end: date) -> str:
    """Months of care with one decimal, as text: whole calendar months decide, tenths of a month only rank."""
    if end < start:
        return "0"
    months = whole_months(start, end)
    since, until = _plus_months(start, months), _plus_months(start, months + 1)
    tenths = (end - since).days * 10 // (until - since).days
    return f"{months}.{tenths}" if tenths else str(months)


def _plus_months(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    for day in (start.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day, start.day))
        except ValueError:
            continue
    return start  # not reached: every month has a 28th


def _longer_than(start: date, months: int, today: date) -> bool:
    return today > _plus_months(start, months)


def _months_of(record: Mapping[str, Any]) -> str | None:
    end = record.get("careEnd") or record.get("carePlannedEnd")
    return care_months(date.fromisoformat(record["careStart"]), date.fromisoformat(end)) if end else None


def _supply(record: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Add what the batch lacks; telephones and further diagnoses are added behind the batch's."""
    for name, value in fields.items():
        if name == "coordinator":
            if _same_coordinator(record, value):
                record[name] = value  # with name and telephone
        elif name == "diagnoses":
            record[name] = [*record.get(name, ()), *value]
        elif name == "phone":
            known = record.get(name, [])
            record[name] = [*known, *(p for p in value if p not in known)][:_ENOUGH_PHONES]
        else:
            record.setdefault(name, value)


def _same_coordinator(facts: Mapping[str, Any], coordinator: Mapping[str, Any]) -> bool:
    """Whether the batch names the same one, or nobody."""
    return bool(facts.get("coordinator", coordinator)["jcNo"] == coordinator["jcNo"])


def _stale(facts: Mapping[str, Any], entry: Mapping[str, Any], fields: Mapping[str, Any]) -> list[dict[str, str]]:
    """Notes on what the batch overtakes in an entry."""
    notes = []
    if entry.get("caseVersion") != facts["caseVersion"]:
        notes.append(("caseVersion", "the entry was made for another version of the case"))
    if "coordinator" in fields and not _same_coordinator(facts, fields["coordinator"]):
        notes.append(("coordinator", "the batch names another coordinator"))
    return [{"code": "E-STALE", "field": field, "note": note} for field, note in notes]


def _as_of(facts: Mapping[str, Any], entry: Mapping[str, Any] | None) -> date | None:
    """The later of the file's base date and the day of the entry."""
    days = [date.fromisoformat(facts["asOf"])] if "asOf" in facts else []
    entered = entries.entered_on(entry) if entry is not None else None
    return max([*days, entered] if entered else days, default=None)
