"""The dialect of a FHIR-native training institute: message Bundles in, Task updates out, OperationOutcome as answer.

FHIR R4 4.0.1. An update is the leg's Task as it is after the act: status, businessStatus, and the facts as coded
`output`. The receipt travels in the header `Comwel-Receipt-JWS` (the door puts it there for every partner).
Source: schemas/partners/trn; Task https://hl7.org/fhir/R4/task.html. Refuses to read or send anything about the worker
beyond the two numbers it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson

from adapters.partners.pretend.dialects import Dialect, Purpose, Referral, Reply, Sheet, Verdict
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Check, CourseState, Event, Job

FHIR = "https://gateway.example/fhir"
OWN = "https://trn.example/fhir"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


class _Issue(NamedTuple):
    http: int
    severity: str
    code: str
    text: str


_ISSUES = {
    Verdict.OK: _Issue(200, "information", "informational", "taken"),
    Verdict.DUPLICATE: _Issue(200, "information", "duplicate", "came before; the first receipt is repeated"),
    Verdict.BAD_FORMAT: _Issue(422, "error", "structure", "the message does not keep to the schema"),
    Verdict.WRONG_PERSON: _Issue(422, "error", "invalid", "the person id is not one of ours"),
    Verdict.UNKNOWN_REFERRAL: _Issue(422, "error", "business-rule", "no such referral"),
    Verdict.REUSED_ID: _Issue(422, "error", "invariant", "this message id came before with other bytes"),
    Verdict.NOT_PROVEN: _Issue(401, "error", "security", "the seal does not hold"),
    Verdict.BUSY: _Issue(503, "error", "transient", "out of order for a moment"),
}


class _State(NamedTuple):
    """The leg's Task after an act."""

    status: str
    business: str | None


_STATE = {
    Kind.RECEIVE: _State("received", "under-review"),
    Kind.ACCEPT: _State("accepted", "accepted"),
    Kind.DECLINE: _State("rejected", "declined"),
    Kind.ASK: _State("in-progress", "info-requested"),
    Kind.START: _State("in-progress", "intake-done"),
    Kind.PLAN: _State("in-progress", "plan-agreed"),
    Kind.TRAINING: _State("in-progress", "training"),
    Kind.SEARCH: _State("in-progress", "job-search"),
    Kind.PLACED: _State("in-progress", "placed-reported"),
    Kind.RETENTION: _State("in-progress", None),
    Kind.CLOSE_PLACED: _State("completed", "closed-placed"),
    Kind.CLOSE_UNPLACED: _State("failed", "closed-not-placed"),
    Kind.CONFIRM_CANCEL: _State("cancelled", "cancel-confirmed"),
}
_WITH_REASON = frozenset({Kind.DECLINE, Kind.CLOSE_UNPLACED, Kind.CONFIRM_CANCEL})


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def read(document: Mapping[str, Any]) -> Referral:
    """Take what is kept out of a message Bundle: the Task with the PLAC number, the Patient's pairwise id.

    A Task that asks to stop (code `abort`) names the referral in its focus.

    Raises KeyError, TypeError, AttributeError or StopIteration when it is not a message with a MessageHeader first.
    """
    if document["type"] != "message" or document["entry"][0]["resource"]["resourceType"] != "MessageHeader":
        raise KeyError("MessageHeader")
    task = next(_resources(document, "Task"))
    patient = next(_resources(document, "Patient"), {})
    consent: Mapping[str, Any] = next(_resources(document, "Consent"), {})
    asked = task.get("focus", {}).get("identifier", {})
    numbers = {_type_code(i): str(i.get("value", "")) for i in (asked, *task.get("identifier", ()))}
    person = next(_person_ids(task, patient), "")
    consent_no = next((str(i.get("value", "")) for i in consent.get("identifier", ())), "")
    return Referral(_purpose(document, task), numbers.get("PLAC", ""), person, "", consent_no)


def _purpose(document: Mapping[str, Any], task: Mapping[str, Any]) -> Purpose:
    event = next(_resources(document, "MessageHeader"), {}).get("eventCoding", {}).get("code", "")
    business = _code(task.get("businessStatus", {}))
    if "consent" in event or business == "consent-withdrawn":
        return Purpose.WITHDRAW
    if "cancel" in event or task.get("status") == "cancelled" or _code(task.get("code", {})) == "abort":
        return Purpose.CANCEL
    return Purpose.UPDATE if "updat" in event or "chang" in event else Purpose.NEW


def _person_ids(task: Mapping[str, Any], patient: Mapping[str, Any]) -> Iterator[str]:
    named = (*patient.get("identifier", ()), task.get("for", {}).get("identifier", {}))
    return (str(i["value"]) for i in named if str(i.get("value", "")).startswith("P"))


def _resources(document: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    resources = (entry.get("resource", {}) for entry in document.get("entry", ()))
    return (r for r in resources if r.get("resourceType") == kind)


def _type_code(identifier: Mapping[str, Any]) -> str:
    return _code(identifier.get("type", {}))


def _code(concept: Mapping[str, Any]) -> str:
    return next((str(c.get("code", "")) for c in concept.get("coding", ())), "")


# ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────────
def reply(verdict: Verdict, _receipt: str | None, text: str) -> Reply:
    """Answer with an OperationOutcome."""
    row = _ISSUES[verdict]
    issue = {"severity": row.severity, "code": row.code, "diagnostics": f"{row.text} {text}".strip()}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Reply(row.http, "application/fhir+json; charset=utf-8", orjson.dumps(outcome))


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def write(event: Event, sheet: Sheet, seq: int, mid: str, at: datetime) -> dict[str, Any]:
    """Write one Task update."""
    state = _STATE[event.kind]
    task: dict[str, Any] = {
        "resourceType": "Task",
        "id": mid,
        "extension": list(_extensions(event, seq)),
        "identifier": [
            _identifier("PLAC", f"{FHIR}/sid/referral", sheet.ref_no),
            _identifier("FILL", f"{OWN}/sid/case-no", sheet.filler_no),
        ],
        "status": state.status,
        "intent": "order",
        "code": _concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
        "for": {"type": "Patient", "identifier": {"system": f"{FHIR}/sid/partner-person", "value": sheet.person_id}},
        "lastModified": at.isoformat(timespec="seconds"),
    }
    if state.business:
        business = "late-decline" if event.late else state.business
        task["businessStatus"] = _concept(f"{FHIR}/CodeSystem/leg-business-status", business)
    if event.kind in _WITH_REASON:
        reason = _concept(f"{FHIR}/CodeSystem/decline-reason", event.reason or "other")
        task["statusReason"] = {**reason, "text": event.text or ""}
    if event.kind is Kind.ASK:
        task["note"] = [{"text": event.text}]
    output = [_output(code, value) for code, value in _facts(event) if value is not None]
    return {**task, "output": output} if output else task


def _extensions(event: Event, seq: int) -> Iterator[dict[str, Any]]:
    base = f"{FHIR}/StructureDefinition"
    yield {"url": f"{base}/report-sequence", "valuePositiveInt": seq}
    yield {"url": f"{base}/happened-on", "valueDate": event.on.isoformat()}
    if event.corrects:
        yield {"url": f"{base}/corrects-sequence", "valuePositiveInt": event.corrects}


def _facts(event: Event) -> Iterator[tuple[str, Any]]:
    if event.outcome:
        yield "outcome", event.outcome
    if event.evidence:
        yield "evidence", event.evidence
    match event.kind:
        case Kind.PLACED if event.job:
            yield from _job(event.job)
        case Kind.RETENTION if event.check:
            yield from _check(event.check)
        case Kind.TRAINING if event.course:
            yield from _course(event.course)
        case Kind.CLOSE_UNPLACED:
            yield "additional-support-needed", event.reason == "capacity-insufficient"


def _job(job: Job) -> Iterator[tuple[str, Any]]:
    yield "employment-start", job.start
    yield "employer-name", job.employer
    yield "employer-brn", job.brn
    yield "occupation", job.occupation
    yield "contract", job.contract
    yield "hours-per-week", float(job.hours)
    yield "days-per-month", job.days
    yield "wage", job.wage
    yield "wage-type", job.wage_type
    yield "setting", job.setting
    yield "same-employer", False
    yield "region", job.region


def _check(check: Check) -> Iterator[tuple[str, Any]]:
    yield "retention-milestone", check.milestone
    yield "retention-result", check.result
    yield "retention-checked-on", check.checked_on
    yield "last-day-worked", check.last_day
    yield "leave-reason", check.leave_reason


def _course(state: CourseState) -> Iterator[tuple[str, Any]]:
    yield "course-id", state.course.id
    yield "course-round", state.course.round
    yield "course-name", state.course.name
    yield "course-start", state.begins
    yield "course-end", state.until
    yield "course-state", state.state
    yield "attendance-percent", float(state.attendance) if state.attendance else None


_CONCEPTS = {"outcome": "rtw-outcome", "evidence": "evidence-level", "retention-result": "retention-result"}
_CODES = frozenset({
    "contract", "wage-type", "setting", "retention-milestone", "leave-reason", "course-state",
})  # fmt: skip


def _output(code: str, value: Any) -> dict[str, Any]:
    return {"type": _concept(f"{FHIR}/CodeSystem/outcome-fact", code), **_value(code, value)}


def _value(code: str, value: Any) -> dict[str, Any]:
    if code in _CONCEPTS:
        return {"valueCodeableConcept": _concept(f"{FHIR}/CodeSystem/{_CONCEPTS[code]}", value)}
    if code in _CODES:
        return {"valueCode": value}
    match value:
        case bool():
            return {"valueBoolean": value}
        case int():
            return {"valueInteger": value}
        case float():
            return {"valueDecimal": value}
        case date():
            return {"valueDate": value.isoformat()}
        case _:
            return {"valueString": value}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    return {"type": _concept(_V2_0203, kind), "system": system, "value": value}


TRN = Dialect(
    id="trn",
    name="TRN",
    prefix="PTR-",
    content_type="application/fhir+json",
    speaks=frozenset(_STATE),
    read=read,
    reply=reply,
    write=write,
)
