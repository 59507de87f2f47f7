"""Apply: what one understood outcome does to the leg it is about.

Rules: the lifecycle's table decides which move is allowed; facts are kept as they were reported, with their FHIR face;
retention checks follow the facts (`gateway.journey.retention_checks`); a cancellation that is refused is shown to a
person, and so is a question.
Refuses to write: what changes is returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from gateway.documents.strict_json import dumps, reread
from gateway.errors import HandoverRefused, OutcomeIncomplete, Place
from gateway.journey.legs import leg_of, moved, with_leg
from gateway.journey.retention_checks import OPEN, changed_checks, concerns_checks
from gateway.journey.translate import translate
from gateway.journey.world import World, iso
from gateway.outcomes.checks import Expected, check_outcome
from gateway.outcomes.facts import OutcomeFact, fact_of, standing, subsidy_of, supersede
from gateway.ports import CheckRow, FactRow, LegRow, WorkItem
from gateway.referrals.lifecycle import Act, Business, Party, State, Status, Step
from gateway.referrals.needs import Given
from gateway.referrals.numbers import parse

SHOWN = {Act.REFUSE_CANCEL: "cancellation-refused", Act.ASK: "info-requested"}
"""The work items about an owner that goes on with what COMWEL wants to end, and about one that waits for an answer."""


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
    told: Sequence[OutcomeFact] = (),
) -> Applied:
    """The leg after an outcome whose turn it is.

    `record`: the case record, JSON bytes, asked only about a placement or a support; `existing`: the leg's checks by
    milestone; `told`: what was reported of the leg before, for an outcome that `looks_back`.

    Raises IllegalMove, OutcomeIncomplete, MappingFailed or DocumentInvalid; then nothing has changed.
    """
    _require_corrected(outcome, told)
    flags = _check(world, row, record if {"employment", "subsidies"} & outcome.keys() else None, outcome)
    heard = leg_of(row).hear(outcome["seq"], _steps(outcome, told))
    now = world.clock.now()
    leg = _verified(with_leg(row, heard.leg, now), outcome, now)
    shown = [f"outcome-{flag}" for flag in flags]
    shown += [SHOWN[happened.act] for happened in heard.happened if happened.act in SHOWN]
    return Applied(
        leg=leg,
        fact=_fact(world, leg, outcome, mid, now),
        supersedes=outcome.get("corrects"),
        checks=_checks(row, leg, outcome, mid, told, existing),
        flags=[WorkItem(kind, None, row.case_no, row.ref_no, row.partner, mid, now) for kind in shown],
    )


def _require_corrected(outcome: Mapping[str, Any], told: Sequence[OutcomeFact]) -> None:
    """Nothing stands in the place of a report that was refused: a correction moves no leg, the report would have."""
    corrects = outcome.get("corrects")
    if corrects is not None and all(fact.seq != corrects for fact in told):
        detail = f"there is no report {corrects} to correct: send what it was to say as a report of its own"
        raise OutcomeIncomplete(detail, place=Place(field="/corrects"))


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
    today = world.clock.today()
    try:
        return [str(f) for f in check_outcome(outcome, expected, by=world.know.rtw.on(today), today=today)]
    except HandoverRefused as refusal:
        raise OutcomeIncomplete(refusal.detail, place=refusal.place) from None


def looks_back(outcome: Mapping[str, Any]) -> bool:
    """Whether what becomes of it depends on what was reported before."""
    return _closes_bare(outcome) or concerns_checks(outcome)


def _closes_bare(outcome: Mapping[str, Any]) -> bool:
    """True when it closes a leg as placed and leaves to what was reported before what the job is."""
    bare = "outcomeCode" not in outcome and "employment" not in outcome
    return bare and any(act["act"] == Act.COMPLETE for act in outcome["acts"])


def _steps(outcome: Mapping[str, Any], told: Sequence[OutcomeFact]) -> list[Step]:
    given = Given.said_in(outcome)
    if _closes_bare(outcome):
        jobs = (f.employment for f in standing(told) if f.employment)
        given = replace(given, employment_start=max((job.start for job in jobs), default=None))
    return [
        Step(Act(a["act"]), Business(a["businessStatus"]) if "businessStatus" in a else None, given)
        for a in outcome["acts"]
    ]


def _verified(leg: LegRow, outcome: Mapping[str, Any], now: datetime) -> LegRow:
    """Row 13 of the lifecycle: evidence E2 or better verifies a reported placement, whatever is laid over it."""
    evidence = outcome.get("evidence", "E3")
    if State.read(leg.state).stage is not Business.PLACED_REPORTED or evidence not in ("E1", "E2"):
        return leg
    return moved(leg, Act.VERIFY_PLACEMENT, Party.CLOCK, now, given=Given(evidence=evidence))


def _fact(world: World, leg: LegRow, outcome: Mapping[str, Any], mid: str, now: datetime) -> FactRow:
    """What is kept of a message: the canonical words and their FHIR face."""
    base = world.limits.base_url
    face = translate(
        world,
        "outcome-to-fhir|1.0.0",
        outcome,
        now=iso(now),
        task=f"{base}/Task/{leg.ref_no}",
        patient=f"{base}/Patient/{leg.person_id}",
        request=f"{base}/ServiceRequest/{leg.request_no}",
        status=leg.status,
        businessStatus=leg.business,
    )
    world.know.fhir.require(face.document)
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
        fhir=face.body,
        at=now,
    )


def _checks(
    before: LegRow,
    leg: LegRow,
    outcome: Mapping[str, Any],
    mid: str,
    told: Sequence[OutcomeFact],
    existing: Mapping[str, CheckRow],
) -> Sequence[CheckRow]:
    """The checks that an outcome changes.

    Nobody is asked where the follow-up was called back (row 24), nor of a placement that crossed the wish to cancel.
    """
    crossed = before.business == Business.CANCELLATION_REQUESTED and leg.status == Status.COMPLETED
    over = crossed or (leg.status == Status.COMPLETED and leg.business != Business.CLOSED_PLACED)
    changed: Sequence[CheckRow] = ()
    if concerns_checks(outcome):
        changed = changed_checks(outcome, told, supersede(told, fact_of(outcome, mid=mid)), existing)
    if not over:
        return changed
    now = {**(existing if crossed else {}), **{check.milestone: check for check in changed}}
    return [check._replace(state="cancelled") if check.state in OPEN else check for check in now.values()]
