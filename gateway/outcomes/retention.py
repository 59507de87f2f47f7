"""What a milestone comes to: still working, elsewhere, gone, or unknown, with the last day and the reason.

Rules:
* Kept means having worked *on* the day the milestone falls due, and somebody saw it on that day or later; a report
  made before the day proves nothing about it.
* Who left and works elsewhere on the day is retained with another employer; how long the break was is kept as a
  fact.
* A partner that asked on the day or later and says that the worker is not employed, or works elsewhere, has answered,
  even if it knows neither the last day nor the other job, and whatever job begins after the day; unless somebody saw
  the worker at work on the day or later.
* Before its day a milestone has no result. `unknown` is neither yes nor no.

Refuses to turn silence into an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from gateway.outcomes.facts import Evidence, OutcomeFact
from gateway.outcomes.spells import Spell

_ELSEWHERE = ("retained-other-employer", "self-employed")
_NOT_HERE = ("not-employed", *_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class MilestoneResult:
    """One milestone.

    `result` None: not due yet. `evidence`: who proves it (an `unknown` without: nobody asked). `last_day`,
    `leave_reason`: of the job that was lost. `checked_on`: when somebody asked.
    """

    span: str
    due: date
    result: str | None
    evidence: Evidence | None = None
    last_day: date | None = None
    leave_reason: str | None = None
    break_days: int | None = None
    checked_on: date | None = None

    @property
    def kept(self) -> bool:
        """True when the worker was still working on the day, for whomever."""
        return self.result is not None and self.result not in ("not-employed", "unknown")

    @property
    def answered(self) -> bool:
        """True when somebody or some fact answered it; a day that merely went by is no answer."""
        return self.result is not None and (self.result != "unknown" or self.evidence is not None)

    def proven(self, level: Evidence) -> bool:
        """True when kept, by evidence of at least `level`."""
        return self.kept and self.evidence is not None and self.evidence.proves(level)


def milestone(
    span: str, day: date, found: Sequence[Spell], told: Sequence[OutcomeFact], as_of: date
) -> MilestoneResult:
    """Return what a milestone due on `day` comes to. `found`: all spells, `told`: the leg's standing facts."""
    if as_of < day:
        return MilestoneResult(span, day, None)
    said = answer(span, day, told)
    result = _result(span, day, found, said)
    return replace(result, checked_on=_asked_on(said)) if said else result


def answer(span: str, day: date, told: Sequence[OutcomeFact]) -> OutcomeFact | None:
    """Return the strongest report about a milestone that was made on its day or later, of equal ones the last."""
    reports = [f for f in told if f.retention and f.retention.milestone == span and _asked_on(f) >= day]
    return min(reports, key=lambda f: (f.evidence.rank, -f.happened_on.toordinal(), -f.seq), default=None)


def _result(span: str, day: date, found: Sequence[Spell], said: OutcomeFact | None) -> MilestoneResult:
    here = next((s for s in found if s.covers(day)), None)
    if here is not None:
        return _kept(span, day, found, here, said)
    if found and all(s.over_by(day) for s in found):
        return _gone(span, day, found[-1], said)
    told = said.retention if said else None
    if said and told and told.result in _NOT_HERE and (told.last_day_worked or date.min) < day:
        level, last_day = told.evidence or said.evidence, told.last_day_worked
        return MilestoneResult(span, day, told.result, level, last_day, told.leave_reason, told.break_days)
    asked = told is not None and told.result == "unknown"
    return MilestoneResult(span, day, "unknown", said.evidence if said and asked else None)


def _asked_on(fact: OutcomeFact) -> date:
    return (fact.retention.checked_on if fact.retention else None) or fact.happened_on


def _kept(span: str, day: date, found: Sequence[Spell], here: Spell, said: OutcomeFact | None) -> MilestoneResult:
    first, gap = found[0], _break_days(found, here)
    told = said.retention.break_days if said and said.retention else None
    if here.job.setting == "SELF_EMPLOYED":
        result = "self-employed"
    elif here is first or (here.job.brn is not None and here.job.brn == first.job.brn):
        same_job = said is not None and said.retention is not None and said.retention.result == "retained-same-job"
        result = "retained-same-job" if same_job else "retained-same-employer"
    else:
        result = "retained-other-employer"
    left = None if here is first else first
    return MilestoneResult(
        span=span,
        due=day,
        result=result,
        evidence=here.seen_on(day),
        last_day=left.end if left else None,
        leave_reason=left.end_reason if left else None,
        break_days=told if told is not None else gap,
    )


def _gone(span: str, day: date, last: Spell, said: OutcomeFact | None) -> MilestoneResult:
    """Return a lost job; unless the partner says that the worker went on elsewhere without telling us job facts."""
    told = said.retention if said else None
    if said and told and told.result in _ELSEWHERE:
        level = told.evidence or said.evidence
        return MilestoneResult(span, day, told.result, level, last.end, last.end_reason, told.break_days)
    return MilestoneResult(span, day, "not-employed", last.evidence, last.end, last.end_reason)


def _break_days(found: Sequence[Spell], here: Spell) -> int:
    """Sum the days without work between the first spell and this one."""
    days, until = 0, found[0].end
    for spell in found[1 : found.index(here) + 1]:
        if until is not None:
            days += max(0, (spell.start - until).days - 1)
        until = spell.end if spell.end is None or until is None else max(until, spell.end)
    return days
