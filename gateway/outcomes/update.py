"""What is written back to COMWEL: one update for each change of what is known about a leg's worker.

Rules:
* The update is made of the judgement alone, so the same facts always give the same update.
* An update that says nothing new is not written: two are equal when they say the same, whatever their number and day.
* Update numbers count from 1 within a leg, without gaps; a later one replaces an earlier one as a whole.
* Before the first fact that counts there is nothing to write; once all of them are taken back, that is news.
* `document()` keeps to `urn:comwel:schema:rtw-update:1.0.0`; the map `outcome-to-comwel` makes COMWEL's own row of it.

Refuses to decide when or how it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from gateway.outcomes.facts import Employment
from gateway.outcomes.judgement import Judgement
from gateway.outcomes.retention import MilestoneResult


class About(NamedTuple):
    """Whose update it is: the case and the leg the facts came by."""

    case_no: str
    case_version: int
    ref_no: str
    partner: str


@dataclass(frozen=True, slots=True)
class RtwUpdate:
    """One update for COMWEL's return-to-work register. `milestones` holds answered ones only."""

    about: About
    outcome_code: str
    status: str
    closed: bool
    evidence: str | None
    employment: Employment | None
    milestones: tuple[MilestoneResult, ...]
    update_no: int = field(compare=False)
    as_of: date = field(compare=False)
    definition: str = field(compare=False)

    def document(self) -> dict[str, object]:
        """Return the update as a JSON object; absent facts are left out, dates are ISO text."""
        return _known(
            {
                "caseNo": self.about.case_no,
                "caseVersion": self.about.case_version,
                "refNo": self.about.ref_no,
                "partner": self.about.partner,
                "updateNo": self.update_no,
                "outcomeCode": self.outcome_code,
                "status": self.status,
                "employment": _job(self.employment) if self.employment else None,
                "evidence": self.evidence,
                "milestones": {m.span: _milestone(m) for m in self.milestones} or None,
                "asOf": self.as_of.isoformat(),
                "closed": self.closed,
            }
        )


def _known(told: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if value is not None}


def _job(job: Employment) -> dict[str, object]:
    hours, acquired = job.hours_per_week, job.ei_acquired_on
    return _known(
        {
            "start": job.start.isoformat(),
            "end": job.end.isoformat() if job.end else None,
            "endReason": job.end_reason,
            "employerName": job.employer_name,
            "brn": job.brn,
            "occupation": job.occupation,
            "hoursPerWeek": str(hours) if hours is not None else None,
            "daysPerMonth": job.days_per_month,
            "contract": job.contract,
            "wageType": job.wage_type,
            "wage": job.wage,
            "setting": job.setting,
            "sameEmployer": job.same_employer,
            "eiAcquired": job.ei_acquired,
            "eiAcquiredOn": acquired.isoformat() if acquired else None,
            "region": job.region,
        }
    )


def _milestone(result: MilestoneResult) -> dict[str, object]:
    checked = result.checked_on.isoformat() if result.checked_on else None
    return _known({"result": result.result, "checkedOn": checked})


class Written(NamedTuple):
    """The update that was written last: its number, and its document as it is kept."""

    update_no: int
    document: Mapping[str, object]


def next_update(previous: Written | None, judgement: Judgement, about: About) -> RtwUpdate | None:
    """Return the update to write after `previous`; None when it would say nothing new, or nothing was reported yet."""
    if previous is None and not judgement.basis:
        return None
    following = RtwUpdate(
        about=about,
        outcome_code=judgement.outcome_code,
        status=judgement.return_status,
        closed=judgement.closed,
        evidence=judgement.evidence,
        employment=judgement.job,
        milestones=tuple(m for m in judgement.milestones if m.answered and m.span in _IN_THE_REGISTER),
        update_no=previous.update_no + 1 if previous else 1,
        as_of=judgement.as_of,
        definition=judgement.definition,
    )
    return None if previous and _news(following.document()) == _news(previous.document) else following


def _news(document: Mapping[str, object]) -> dict[str, object]:
    """What an update says besides its number and its day."""
    return {name: value for name, value in document.items() if name not in ("updateNo", "asOf")}


_IN_THE_REGISTER = ("P1M", "P3M", "P6M", "P12M")
