"""Apply: what one understood outcome does to the leg it is about.

Rules: the lifecycle's table decides which move is allowed; facts are kept as they were reported, with their FHIR face;
a placement opens the retention checks, a report closes one whose day has come; a cancellation that is refused is shown
to a person.
Refuses to write: what changes is returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from gateway.documents.strict_json import dumps, reread
from gateway.errors import HandoverRefused, OutcomeIncomplete
from gateway.journey.legs import kept, moved, thought
from gateway.journey.translate import translate
from gateway.journey.world import World, iso
from gateway.outcomes import milestones
from gateway.outcomes.checks import Expected, check_outcome
from gateway.outcomes.facts import subsidy_of
from gateway.outcomes.milestones import Base, BaseKind
from gateway.ports import CheckRow, FactRow, LegRow, WorkItem
from gateway.referrals.lifecycle import Act, Business, Party, Step
from gateway.referrals.needs import Given
from gateway.referrals.numbers import parse

REFUSED = "cancellation-refused"
"""The work item about an owner that goes on with what COMWEL wants to end."""


class Applied(NamedTuple):
    """What one message changes. `supersedes` is the number of the report it corrects."""

    leg: LegRow
    fact: FactRow
    supersedes: int | None
    checks: Sequence[CheckRow]
    flags: Sequence[WorkItem]


def apply(
    world: World,
    row: LegRow,
    record: bytes | None,
    existing: Mapping[str, CheckRow],
    outcome: Mapping[str, Any],
    mid: str,
    job_since: date | None = None,
) -> Applied:
    """The leg after an outcome whose turn it is.

    `record`: the case record, JSON bytes, asked only about a placement or a support; `existing`: the leg's checks by
    milestone; `job_since`: the first day of the job that stands, for an outcome that `closes_bare`.

    Raises IllegalMove, OutcomeIncomplete, MappingFailed or DocumentInvalid; then nothing has changed.
    """
    flags = _check(world, row, record if {"employment", "subsidies"} & outcome.keys() else None, outcome)
    heard = thought(row).hear(outcome["seq"], _steps(outcome, job_since))
    now = world.clock.now()
    leg = _verified(kept(row, heard.leg, now), outcome, now)
    shown = [f"outcome-{flag}" for flag in flags]
    if any(happened.act is Act.REFUSE_CANCEL for happened in heard.happened):
        shown.append(REFUSED)
    return Applied(
        leg=leg,
        fact=_fact(world, leg, outcome, mid, now),
        supersedes=outcome.get("corrects"),
        checks=_checks(row.ref_no, outcome, existing),
        flags=[WorkItem(kind, None, row.case_no, row.ref_no, row.partner, mid, now) for kind in shown],
    )


def _check(world: World, row: LegRow, kept_record: bytes | None, outcome: Mapping[str, Any]) -> Sequence[str]:
    record = reread(kept_record) if kept_record else {}
    accident = record.get("accidentDate")
    expected = Expected(
        ref_no=row.ref_no,
        partner_person_id=row.person_id,
        referred_on=parse(row.ref_no).day,
        accident_on=date.fromisoformat(accident) if accident else None,
        employer_brn=next(iter(record.get("employerBrn", ())), None),
        subsidies=tuple(subsidy_of(paid) for paid in record.get("subsidies", ())),
    )
    try:
        return [str(f) for f in check_outcome(outcome, expected, by=world.know.rtw, today=world.clock.today())]
    except HandoverRefused as refusal:
        raise OutcomeIncomplete(refusal.detail, place=refusal.place) from None


def closes_bare(outcome: Mapping[str, Any]) -> bool:
    """True when it closes a leg as placed and leaves to what was reported before what the job is."""
    bare = "outcomeCode" not in outcome and "employment" not in outcome
    return bare and any(act["act"] == Act.COMPLETE for act in outcome["acts"])


def _steps(outcome: Mapping[str, Any], job_since: date | None) -> list[Step]:
    said = Given.said_in(outcome)
    given = replace(said, employment_start=said.employment_start or job_since)
    return [
        Step(Act(a["act"]), Business(a["businessStatus"]) if "businessStatus" in a else None, given)
        for a in outcome["acts"]
    ]


def _verified(leg: LegRow, outcome: Mapping[str, Any], now: datetime) -> LegRow:
    """Row 13 of the lifecycle: evidence E2 or better makes a reported placement a verified one."""
    evidence = outcome.get("evidence", "E3")
    if leg.business != "placed-reported" or evidence not in ("E1", "E2"):
        return leg
    return moved(leg, Act.VERIFY_PLACEMENT, Party.CLOCK, now, given=Given(evidence=evidence))


def _fact(world: World, leg: LegRow, outcome: Mapping[str, Any], mid: str, now: datetime) -> FactRow:
    """What is kept of a message: the canonical words and their FHIR face."""
    base = world.limits.base_url
    bundle = translate(
        world,
        "outcome-to-fhir|1.0.0",
        outcome,
        now=iso(now),
        task=f"{base}/Task/{leg.ref_no}",
        patient=f"{base}/Patient/{leg.person_id}",
        request=f"{base}/ServiceRequest/{leg.request_no}",
        status=leg.status,
        businessStatus=leg.business,
    ).document
    world.know.fhir.require(bundle)
    return FactRow(
        fact_id=world.ids(),
        ref_no=leg.ref_no,
        seq=outcome["seq"],
        mid=mid,
        happened_on=date.fromisoformat(outcome["happenedOn"]),
        content=dumps(outcome),
        evidence=outcome.get("evidence"),
        entered_in_error=False,
        superseded_by=None,
        fhir=dumps(bundle),
        at=now,
    )


def _checks(ref_no: str, outcome: Mapping[str, Any], existing: Mapping[str, CheckRow]) -> list[CheckRow]:
    """A placement opens the four retention checks, a corrected start moves them, a report closes one that is due."""
    rows = dict(existing)
    start = outcome.get("employment", {}).get("start")
    placing = any(act["act"] in ("report-placement", "correct") for act in outcome["acts"])
    if start and placing:
        base = Base(BaseKind.RTW_DATE, date.fromisoformat(start))
        for check in milestones.open_checks(ref_no, base):
            if rows.get(check.span, _SCHEDULED).state in ("scheduled", "due"):
                rows[check.span] = CheckRow(ref_no, check.span, str(base.kind), base.on, check.due, "scheduled", None)
    told = outcome.get("retention", {})
    asked = rows.get(told.get("milestone"))
    if asked and date.fromisoformat(told.get("checkedOn", outcome["happenedOn"])) >= asked.due_on:
        state = "failed" if told["result"] == "unknown" else "completed"
        rows[asked.milestone] = asked._replace(state=state, result=told["result"])
    return [row for span, row in rows.items() if row != existing.get(span)]


_SCHEDULED = CheckRow("", "P1M", "rtw-date", date.min, date.min, "scheduled", None)
