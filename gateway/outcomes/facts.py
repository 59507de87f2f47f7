"""Outcome facts: what a partner or a registry reported, kept for ever.

Rules:
* A fact is never overwritten. A correction marks the earlier one as entered in error and stands in its place.
* Every fact carries its evidence (E1 registry > E2 employer's document > E3 partner's attestation > E4 the worker's
  word) and the message it came from. A signed partner message that names no evidence is the partner's attestation,
  E3.
* A registry that knows nothing proves nothing: people over 65, civil servants, private-school teachers and platform
  workers are not in the employment insurance. Such silence is kept as a fact of its own kind.

Refuses to judge: what facts mean is in `judgement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from gateway.errors import SameIdOtherBytes


class Evidence(StrEnum):
    """How well a fact is proven; `rank` 1 is strongest."""

    E1 = "E1"  # registry: employment insurance, business registration, pension
    E2 = "E2"  # the employer's document
    E3 = "E3"  # the partner's attestation
    E4 = "E4"  # the worker's word

    @property
    def rank(self) -> int:
        """Return 1 for the strongest … 4 for the weakest."""
        return int(self.value[1])

    def proves(self, level: Evidence) -> bool:
        """True when this evidence is at least as strong as `level`."""
        return self.rank <= level.rank


class Kind(StrEnum):
    """What a fact is mainly about."""

    PLACEMENT = "placement"
    RETENTION = "retention"
    TRAINING = "training"
    RESULT = "result"  # an outcome code without job facts
    PROGRESS = "progress"
    SILENCE = "silence"  # a registry was asked and knows nothing; proves nothing
    RETRACTION = "retraction"  # takes an earlier fact back and puts nothing in its place


@dataclass(frozen=True, slots=True)
class Employment:
    """Job facts as reported. `end` is the last day worked; hours are decimal hours; `wage` is KRW per `wage_type`.

    `hours_per_month`, `scheme`, `business_registered`, `lessor` and `loss_code` come from registries only.
    """

    start: date
    end: date | None = None
    end_reason: str | None = None
    employer_name: str | None = None
    brn: str | None = None
    occupation: str | None = None
    hours_per_week: Decimal | None = None
    hours_per_month: Decimal | None = None
    days_per_month: int | None = None
    contract: str | None = None
    wage_type: str | None = None
    wage: int | None = None
    setting: str | None = None
    same_employer: str | None = None
    ei_acquired: str | None = None
    ei_acquired_on: date | None = None
    region: str | None = None
    scheme: str | None = None
    business_registered: bool | None = None
    lessor: bool | None = None
    loss_code: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """One answer to "is the worker still there?", as reported."""

    milestone: str
    result: str
    checked_on: date | None = None
    last_day_worked: date | None = None
    leave_reason: str | None = None
    break_days: int | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Subsidy:
    """A support somebody pays for this job, with the period it is paid for (`until` None: open)."""

    kind: str
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class OutcomeFact:
    """One reported fact of one leg. `seq` is the partner's message number, `mid` the message it came from."""

    ref_no: str
    seq: int
    kind: Kind
    happened_on: date
    evidence: Evidence
    mid: str
    outcome_code: str | None = None
    employment: Employment | None = None
    retention: Retention | None = None
    subsidies: tuple[Subsidy, ...] = ()
    supersedes: int | None = None
    entered_in_error: bool = False


def fact_of(document: Mapping[str, Any], *, mid: str) -> OutcomeFact:
    """Read the fact in a canonical outcome message (`urn:comwel:schema:outcome:1.0.0`, already validated and
    checked).
    """
    employment, retention = _employment(document.get("employment")), _retention(document.get("retention"))
    stated = document.get("evidence") or (retention.evidence if retention else None)
    return OutcomeFact(
        ref_no=document["refNo"],
        seq=document["seq"],
        kind=_kind(document),
        happened_on=date.fromisoformat(document["happenedOn"]),
        evidence=Evidence(stated) if stated else Evidence.E3,
        mid=mid,
        outcome_code=document.get("outcomeCode"),
        employment=employment,
        retention=retention,
        subsidies=tuple(subsidy_of(s) for s in document.get("subsidies", ())),
        supersedes=document.get("corrects"),
    )


def _kind(document: Mapping[str, Any]) -> Kind:
    for part, kind in (
        ("retention", Kind.RETENTION),
        ("employment", Kind.PLACEMENT),
        ("training", Kind.TRAINING),
        ("outcomeCode", Kind.RESULT),
        ("corrects", Kind.RETRACTION),
    ):
        if part in document:
            return kind
    return Kind.PROGRESS


def _employment(job: Mapping[str, Any] | None) -> Employment | None:
    if job is None:
        return None
    hours = job.get("hoursPerWeek")
    return Employment(
        start=date.fromisoformat(job["start"]),
        end=_day(job.get("end")),
        end_reason=job.get("endReason"),
        employer_name=job.get("employerName"),
        brn=job.get("brn"),
        occupation=job.get("occupation"),
        hours_per_week=Decimal(hours) if hours is not None else None,
        days_per_month=job.get("daysPerMonth"),
        contract=job.get("contract"),
        wage_type=job.get("wageType"),
        wage=job.get("wage"),
        setting=job.get("setting"),
        same_employer=job.get("sameEmployer"),
        ei_acquired=job.get("eiAcquired"),
        ei_acquired_on=_day(job.get("eiAcquiredOn")),
        region=job.get("region"),
    )


def _retention(told: Mapping[str, Any] | None) -> Retention | None:
    if told is None:
        return None
    level = told.get("evidence")
    return Retention(
        milestone=told["milestone"],
        result=told["result"],
        checked_on=_day(told.get("checkedOn")),
        last_day_worked=_day(told.get("lastDayWorked")),
        leave_reason=told.get("leaveReason"),
        break_days=told.get("breakDays"),
        evidence=Evidence(level) if level else None,
    )


def subsidy_of(told: Mapping[str, Any]) -> Subsidy:
    """Read one entry of `subsidies`; the case record calls the end `to`, the outcome message `until`."""
    return Subsidy(told["kind"], date.fromisoformat(told["from"]), _day(told.get("until") or told.get("to")))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def supersede(facts: Iterable[OutcomeFact], new: OutcomeFact) -> tuple[OutcomeFact, ...]:
    """Return the leg's facts with `new` among them, what it corrects marked as entered in error, and nothing gone.

    The same fact again changes nothing; the same number with another content raises `SameIdOtherBytes`.
    """
    kept = tuple(facts)
    for fact in kept:
        if (fact.ref_no, fact.seq) == (new.ref_no, new.seq):
            if replace(fact, entered_in_error=new.entered_in_error) != new:
                raise SameIdOtherBytes("this report number was used before for another report")
            return kept
    return (*(_marked(fact, new) for fact in kept), new)


def _marked(fact: OutcomeFact, new: OutcomeFact) -> OutcomeFact:
    hit = fact.ref_no == new.ref_no and fact.seq == new.supersedes
    return replace(fact, entered_in_error=True) if hit else fact


def standing(facts: Iterable[OutcomeFact]) -> tuple[OutcomeFact, ...]:
    """Return the facts that count, in the order they were told: not in error, not mere retractions, not silence."""
    return tuple(
        sorted(
            (f for f in facts if not f.entered_in_error and f.kind not in (Kind.RETRACTION, Kind.SILENCE)),
            key=lambda f: (f.happened_on, f.ref_no, f.seq),
        )
    )
