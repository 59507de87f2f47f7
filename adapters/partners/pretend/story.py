"""One neutral story per referral: what happens at the partner, and on which business date.

Pure: the same seed, partner, referral number and date of receipt give the same story, whatever arrived before it.
Every story is legal by the gateway's lifecycle table; a test walks them. Retention is counted in calendar months from
the first day of work (end of month: the last day the month has), and a report comes on or a few days after its
milestone. This module refuses to know any partner's words, the clock and the network.
"""

from __future__ import annotations

import calendar
import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from adapters.partners.pretend import scripts
from adapters.partners.pretend.scripts import Course, Ending, Kind, Mishap, Script

T = TypeVar("T")


class Job(NamedTuple):
    """The facts of a placement. Hours are decimal text; wage is KRW of `wage_type` H|D|M|Y."""

    employer: str
    brn: str
    region: str
    keco: str
    occupation: str
    contract: str
    setting: str
    hours: str
    days: int
    wage_type: str
    wage: int
    start: date
    insured_on: date | None


class Check(NamedTuple):
    """One retention check: milestone P1M…P12M; result retained-same-job | not-employed | unknown | self-employed."""

    milestone: str
    result: str
    checked_on: date
    last_day: date | None = None
    leave_reason: str | None = None


class CourseState(NamedTuple):
    """Where the worker stands on a course; attendance in percent, decimal text."""

    course: Course
    state: str
    begins: date
    until: date
    attendance: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One report of a story. `corrects` is the seq of the report it replaces; `mishap` is RESEND, LATE or NONE."""

    kind: Kind
    on: date
    reason: str | None = None
    text: str | None = None
    outcome: str | None = None
    evidence: str | None = None
    job: Job | None = None
    check: Check | None = None
    course: CourseState | None = None
    late: bool = False
    corrects: int | None = None
    mishap: Mishap = Mishap.NONE


class Story(NamedTuple):
    """What will happen to one referral. `inbound` is what goes wrong when it first arrives; event n has seq n+1."""

    script: str
    inbound: Mishap
    events: tuple[Event, ...]


def tell(ref_no: str, received: date, *, partner: str, seed: int, speaks: frozenset[Kind]) -> Story:
    """Tell the story of a referral received on a business date. `partner` is keis|kead|trn (a column of the table)."""
    dice = _dice(seed, partner, ref_no)
    script = _weighted(dice, [(s, getattr(s, partner)) for s in scripts.SCRIPTS])
    inbound = _mishap(dice, scripts.INBOUND_PER_MILLE)
    events = [e for e in _casework(script, received, partner, dice) if e.kind in speaks]
    return Story(script.name, inbound, tuple(_with_mishaps(_with_corrections(events, dice), dice)))


def tell_bench(ref_no: str, received: date, *, partner: str, speaks: frozenset[Kind]) -> Story:
    """The shortest good story, all on one day and without mishaps, for throughput tests."""
    dice = _dice(0, partner, ref_no)
    events = (e for e in _script(scripts.BENCH, received, partner, dice) if e.kind in speaks)
    return Story(scripts.BENCH.name, Mishap.NONE, tuple(events))


def cancelled(on: date, *, started: bool, withdrawn: bool, speaks: frozenset[Kind]) -> Event | None:
    """What a partner reports when COMWEL cancels; before the start the receipt says enough (None)."""
    if not started:
        return None
    reason = "consent-withdrawn" if withdrawn else "cancelled-by-comwel"
    if Kind.CONFIRM_CANCEL in speaks:
        return Event(Kind.CONFIRM_CANCEL, on, reason=reason, text="취소를 확인하고 자료를 파기함")
    outcome = "consent-withdrawn" if withdrawn else "not-yet-known"
    return Event(Kind.CLOSE_UNPLACED, on, reason=reason, text="취소를 확인하고 자료를 파기함", outcome=outcome)


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or the last day of that month (민법 160조③)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def working_day(day: date) -> date:
    """The day itself, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


# ── the casework ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _casework(script: Script, received: date, partner: str, dice: random.Random) -> Iterator[Event]:
    job, last = None, received
    for event in _script(script, received, partner, dice):
        job, last = event.job or job, event.on
        yield event
    if job:
        yield from _after_placement(script.ending, job, last, dice)


def _script(script: Script, received: date, partner: str, dice: random.Random) -> Iterator[Event]:
    day, accepted, course, job = received, False, None, None
    for step in script.steps:
        later = day + timedelta(days=dice.randint(step.least, step.most))
        day = working_day(later) if step.most else day  # what takes no time is not put off over a weekend
        match step.kind:
            case Kind.DECLINE:
                why = _weighted(dice, [(r, r.weight) for r in scripts.DECLINE_REASONS])
                yield Event(step.kind, day, reason=why.code, text=why.text, late=accepted)
            case Kind.ASK:
                yield Event(step.kind, day, text=dice.choice(scripts.QUESTIONS))
            case Kind.TRAINING:
                course = _course(course, day, script, dice)
                yield Event(step.kind, day, course=course, outcome="in-training")
            case Kind.PLACED:
                placement = _placement(script, partner, day, dice)
                job = placement.job
                yield placement
            case Kind.CLOSE_PLACED if job:
                yield Event(step.kind, day, outcome=_outcome(job), job=job)
            case Kind.CLOSE_UNPLACED:
                why = _weighted(dice, [(r, r.weight) for r in scripts.UNPLACED_REASONS[script.name]])
                yield Event(step.kind, day, reason=why.code, text=why.text, outcome=why.code)
            case _:
                yield Event(step.kind, day)
        accepted = accepted or step.kind is Kind.ACCEPT


def _course(before: CourseState | None, day: date, script: Script, dice: random.Random) -> CourseState:
    if before is None:
        return CourseState(dice.choice(scripts.COURSES), "ACTIVE", day, add_months(day, 2))
    attendance = f"{dice.randint(820, 1000) / 10:.1f}" if script.course_ends == "COMPLETED" else "41.7"
    return before._replace(state=script.course_ends, attendance=attendance)


def _placement(script: Script, partner: str, day: date, dice: random.Random) -> Event:
    start = working_day(day - timedelta(days=dice.randint(0, 3)))
    start = min(start, day)
    evidence = _weighted(dice, scripts.EVIDENCE)
    work = dice.choice(scripts.WORKS)
    if script.self_employed:
        job = Job("(가상)1인 점포", "9990100098", "30230", work.keco, work.name, "INDEFINITE", "SELF_EMPLOYED",
                  "45", 24, "M", 2_400_000, start, None)  # fmt: skip
        return Event(Kind.PLACED, day, outcome="self-employed", evidence="E1", job=job)
    employer = dice.choice(scripts.EMPLOYERS)
    terms = _weighted(dice, [(t, t.weight) for t in scripts.TERMS])
    setting = dice.choice(scripts.SETTINGS[partner])
    wage = dice.randint(terms.least // 100, terms.most // 100) * 100
    insured = start if evidence == "E1" else None
    job = Job(employer.name, employer.brn, employer.region, work.keco, work.name, terms.contract, setting,
              terms.hours, terms.days, terms.wage_type, wage, start, insured)  # fmt: skip
    return Event(Kind.PLACED, day, outcome=_outcome(job), evidence=evidence, job=job)


def _outcome(job: Job) -> str:
    if job.setting == "SELF_EMPLOYED":
        return "self-employed"
    if job.contract == "DAY":
        return "day-labour-substantial" if job.days >= 10 else "day-labour-marginal"
    return "new-employer" if job.setting == "OPEN" else "supported-employment"


def _after_placement(ending: Ending, job: Job, reported: date, dice: random.Random) -> Iterator[Event]:
    breaks = dice.randint(2, 11) if ending is not Ending.STAYS else None
    reason = _weighted(dice, scripts.LEAVE_REASONS)
    gone = dice.randint(0, 26)
    day = reported
    for months, milestone in scripts.MILESTONES:
        due = add_months(job.start, months)
        day = working_day(max(due, day) + timedelta(days=dice.randint(0, 6)))
        evidence = _weighted(dice, scripts.EVIDENCE)
        if breaks is not None and months >= breaks:
            check = Check(milestone, "unknown", day)
            if ending is Ending.LEAVES:
                last = add_months(job.start, breaks - 1) + timedelta(days=gone)
                check = Check(milestone, "not-employed", day, last_day=last, leave_reason=reason)
            yield Event(Kind.RETENTION, day, check=check, evidence=evidence, job=job)
            break
        result = "self-employed" if job.setting == "SELF_EMPLOYED" else "retained-same-job"
        yield Event(Kind.RETENTION, day, check=Check(milestone, result, day), evidence=evidence, job=job)
    why = {Ending.LEAVES: "left-job", Ending.LOST: "not-contactable"}.get(ending)
    day = working_day(day + timedelta(days=dice.randint(1, 7)))
    yield Event(Kind.CLOSE_PLACED, day, reason=why, outcome=_outcome(job), job=job)


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────
def _with_corrections(events: Sequence[Event], dice: random.Random) -> list[Event]:
    """Some placements are corrected a few days later: another wage, or another first day of work."""
    told: list[Event] = []
    for at, event in enumerate(events):
        told.append(event)
        wrong = dice.randrange(1000) < scripts.CORRECTED_PER_MILLE
        if wrong and event.kind is Kind.PLACED and event.job and event.corrects is None:
            job = event.job
            earlier = dice.random() < 0.5
            right = job._replace(start=job.start - timedelta(days=1)) if earlier else job._replace(wage=job.wage + 100)
            on = working_day(event.on + timedelta(days=dice.randint(2, 6)))
            told.append(replace(event, on=on, job=right, corrects=at + 1))
    return told


def _with_mishaps(events: Sequence[Event], dice: random.Random) -> Iterator[Event]:
    after_late = False
    for at, event in enumerate(events):
        mishap = _mishap(dice, scripts.OUTBOUND_PER_MILLE)
        may_be_late = event.kind in _MAY_BE_LATE and at + 1 < len(events) and not after_late
        if mishap is Mishap.LATE and not may_be_late:
            mishap = Mishap.NONE
        after_late = mishap is Mishap.LATE
        yield replace(event, mishap=mishap)


_MAY_BE_LATE = frozenset({Kind.START, Kind.PLAN, Kind.TRAINING, Kind.SEARCH, Kind.TRIAL})


# ── dice ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _dice(seed: int, partner: str, ref_no: str) -> random.Random:
    return random.Random(hashlib.sha256(f"{seed}|{partner}|{ref_no}".encode()).digest())


def _weighted(dice: random.Random, choices: Iterable[tuple[T, int]]) -> T:
    values, weights = zip(*choices, strict=True)
    chosen: T = dice.choices(values, weights)[0]
    return chosen


def _mishap(dice: random.Random, table: Iterable[tuple[Mishap, int]]) -> Mishap:
    at = dice.randrange(1000)
    for mishap, per_mille in table:
        if at < per_mille:
            return mishap
        at -= per_mille
    return Mishap.NONE
