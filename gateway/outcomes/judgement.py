"""The worker's return to work, derived from facts by a versioned definition; never typed by anybody.

Rules:
* Four things are never confused: *closed* (the leg), *placed* (somebody reported a job), *verified* (evidence good
  enough) and *retained* (still working at a milestone).
* Stronger evidence wins, weaker is kept; where they disagree the judgement says so (`conflict`).
* Nothing is "not returned" before the observation date + 45 days, and never because a registry is silent.
* The partner's own outcome code is used where it sent one that fits; otherwise it is derived from the job facts. A code
  is about what was reported until then: a later job that came without one is judged by its own facts.

Refuses to read a clock or to change a fact: the same facts, definition and day give the same judgement for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from gateway.outcomes.definition import RtwDefinition, RtwStatus
from gateway.outcomes.employment import Answer, Definitions, facts_on
from gateway.outcomes.facts import Employment, Evidence, Kind, OutcomeFact, standing
from gateway.outcomes.milestones import Base, BaseKind, due
from gateway.outcomes.retention import MilestoneResult, milestone
from gateway.outcomes.spells import Spell, spells

_RETAINED = {
    "P1M": RtwStatus.RETAINED_1M,
    "P3M": RtwStatus.RETAINED_3M,
    "P6M": RtwStatus.RETAINED_6M,
    "P12M": RtwStatus.RETAINED_12M,
}


_KECO = re.compile(r"[0-9]{2,6}(?= |\Z)")


FOR_A_PERSON = frozenset({"conflict", "long-break", "prior-concurrent"})
"""Flags of a judgement that somebody has to look at; the others only explain it."""


class Original(NamedTuple):
    """The job before the accident: the legal employer's business number, the occupation, other jobs held beside it.

    The occupation begins with its KECO code.
    """

    brn: str | None = None
    occupation: str | None = None
    other_brns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the facts mean on a day.

    `return_status` is COMWEL's word for the status, `flags` what is odd about it, sorted, `basis` the ids of the
    messages it rests on.
    """

    definition: str
    as_of: date
    status: RtwStatus
    return_status: str
    outcome_code: str
    closed: bool
    placed: bool
    verified: bool
    evidence: Evidence | None
    job: Employment | None
    milestones: tuple[MilestoneResult, ...]
    flags: tuple[str, ...]
    basis: tuple[str, ...]

    @property
    def retained(self) -> tuple[str, ...]:
        """Return the milestones at which the worker was still working, by whatever evidence."""
        return tuple(m.span for m in self.milestones if m.kept)


def judge(
    facts: Iterable[OutcomeFact],
    *,
    by: RtwDefinition,
    employed: Definitions,
    as_of: date,
    observed_on: date,
    care_end: date | None = None,
    original: Original | None = None,
    severe: bool | None = None,
    closed: bool = False,
) -> Judgement:
    """Judge one worker's facts. `observed_on`: the observation date of the cohort; `closed`: the leg is terminal.

    1. Take the facts that stand.  2. Make spells of work of them, compared with the job before the accident.
    3. Ask the definition of "employed".  4. Ask every milestone.  5. Name the outcome.  6. Name the status.
    """
    counted = standing(facts)
    found = spells(
        counted,
        as_of=as_of,
        loss_codes_ignored=by.loss_codes_ignored,
        registry_lag_days=by.maturity_days,
    )
    known = tuple(_compared(spell, original or Original()) for spell in found)
    last = _current(known, as_of)
    mature = as_of >= observed_on + timedelta(days=by.maturity_days)
    answer = _employed(last, employed, by, severe)
    results = _milestones(by, known, counted, care_end, as_of)
    sent = next((f.outcome_code for f in reversed(counted) if f.outcome_code or f.kind is Kind.PLACEMENT), None)
    code = _code(by, last, sent, mature, _derived(by, last, original or Original()))
    status = _status(by, last, answer, results, code=code, sent=sent, mature=mature, as_of=as_of)
    return Judgement(
        definition=by.id,
        as_of=as_of,
        status=status,
        return_status=_return_status(by, status, last, mature),
        outcome_code=code,
        closed=closed,
        placed=last is not None or sent in by.placed,
        verified=any(spell.evidence.proves(by.verified_by) for spell in known),
        evidence=last.evidence if last else max((f.evidence for f in counted), key=lambda e: -e.rank, default=None),
        job=last.job if last else None,
        milestones=results,
        flags=_flags(known, results, original or Original(), by),
        basis=tuple(f.mid for f in counted),
    )


def _compared(spell: Spell, original: Original) -> Spell:
    """Correct the partner's "same employer" by the business numbers, where both are known; its word is only a hint."""
    if not (original.brn and spell.job.brn):
        return spell
    return replace(spell, job=replace(spell.job, same_employer="Y" if spell.job.brn == original.brn else "N"))


def _current(known: Sequence[Spell], as_of: date) -> Spell | None:
    """Return the job that counts: the latest that still goes on, else the latest of all."""
    going = (spell for spell in reversed(known) if not spell.over_by(as_of))
    return next(going, known[-1] if known else None)


def _employed(last: Spell | None, employed: Definitions, by: RtwDefinition, severe: bool | None) -> Answer | None:
    """Ask the definition of "employed" on the last day somebody saw the worker at work: later days prove nothing."""
    if last is None:
        return None
    return employed.employed(by.employed, last.job, _asked_on(last), evidence=last.evidence, severe=severe)


def _asked_on(last: Spell) -> date:
    return max(last.start, min(last.seen_until, last.end) if last.end else last.seen_until)


def _milestones(
    by: RtwDefinition, known: Sequence[Spell], counted: Sequence[OutcomeFact], care_end: date | None, as_of: date
) -> tuple[MilestoneResult, ...]:
    """Return every milestone's result; none at all while there is no job or no base date."""
    if not known:
        return ()
    base = base_of(by, known[0].start, care_end)
    if base is None:
        return ()
    return tuple(milestone(span, due(base.on, span), known, counted, as_of) for span in by.milestones)


def base_of(by: RtwDefinition, first_day: date, care_end: date | None) -> Base | None:
    """Return the day milestones count from, as the definition wants it."""
    if by.base_kind is BaseKind.RTW_DATE:
        return Base(BaseKind.RTW_DATE, first_day)
    return Base(BaseKind.CARE_END, care_end) if care_end else None


def _code(by: RtwDefinition, last: Spell | None, sent: str | None, mature: bool, derived: str) -> str:
    """Return the outcome code: what was sent where it fits the facts, else what the job says, else not yet known."""
    if sent is not None and sent in by.excluded:
        return sent
    if last is None:
        early = sent in by.not_placed and not mature
        return "not-yet-known" if sent is None or early else sent
    fits = sent in by.placed and not _contradicts(sent, last.job)
    return sent if sent is not None and fits else derived


def _derived(by: RtwDefinition, last: Spell | None, original: Original) -> str:
    """Return the outcome code that the job facts alone say."""
    if last is None:
        return "not-yet-known"
    return by.code_for(facts_on(last.job, _asked_on(last), same_job=_same_job(last.job, original)))


def _same_job(job: Employment, original: Original) -> str | None:
    """Compare KECO codes as far as both go: 82 and 821 are the same. A code and mere words cannot be compared."""
    if job.occupation is None or original.occupation is None:
        return None
    told, before = _keco(job.occupation), _keco(original.occupation)
    if told is None and before is None:
        return "Y" if job.occupation == original.occupation else "N"
    if told is None or before is None:
        return None
    return "Y" if told.startswith(before) or before.startswith(told) else "N"


def _keco(occupation: str) -> str | None:
    """The code with which an occupation begins (`821 기계 …`), or None where it is only told in words."""
    found = _KECO.match(occupation)
    return found.group() if found else None


def _contradicts(sent: str | None, job: Employment) -> bool:
    """Tell whether the code says "original employer" and the business numbers another, or the reverse."""
    original = (sent or "").startswith("original-")
    return (original and job.same_employer == "N") or (sent == "new-employer" and job.same_employer == "Y")


def _status(
    by: RtwDefinition,
    last: Spell | None,
    answer: Answer | None,
    results: Sequence[MilestoneResult],
    *,
    code: str,
    sent: str | None,
    mature: bool,
    as_of: date,
) -> RtwStatus:
    if code in by.excluded:
        return RtwStatus.EXCLUDED
    if last is None:
        if sent in by.placed:
            return RtwStatus.PLACED_REPORTED
        denied = sent in by.not_placed and sent != "not-yet-known"
        return RtwStatus.NOT_RETURNED if denied and mature else RtwStatus.UNKNOWN
    if last.over_by(as_of):
        return RtwStatus.LEFT
    if answer is not None and answer.employed is False:
        return RtwStatus.NOT_RETURNED if mature else RtwStatus.UNKNOWN
    reached = [_RETAINED[m.span] for m in results if m.proven(by.retained_by) and m.span in _RETAINED]
    if reached:
        return reached[-1]
    return RtwStatus.PLACED_VERIFIED if last.evidence.proves(by.verified_by) else RtwStatus.PLACED_REPORTED


def _return_status(by: RtwDefinition, status: RtwStatus, last: Spell | None, mature: bool) -> str:
    """Return COMWEL's word for the status; a no that is too early, or a yes on too weak a word, is pending."""
    word = by.return_status[status]
    weak = last is None or not last.evidence.proves(by.returned_by)
    early = (word == "not-returned" and not mature) or (word == "returned" and weak)
    return "pending" if early else word


def _flags(
    known: Sequence[Spell], results: Sequence[MilestoneResult], original: Original, by: RtwDefinition
) -> tuple[str, ...]:
    """Return what is odd, sorted."""
    seen = {
        "conflict": any(s.conflict for s in known),
        "loss-ignored": any(s.ignored_loss for s in known),
        "prior-concurrent": any(s.job.brn in original.other_brns for s in known if s.job.brn),
        "long-break": any((m.break_days or 0) > by.break_days for m in results if m.kept),
        "employer-not-compared": any(s.job.same_employer in (None, "U") for s in known),
    }
    return tuple(sorted(name for name, there in seen.items() if there))
