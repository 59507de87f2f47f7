"""Spells of work: what all facts together say about each job, the stronger evidence winning, the weaker kept.

Rules:
* Reports about the same job (same business number, or started within 31 days of each other where it is unknown) are
  one spell.
* No end reported is not a claim that the job goes on. A claim that it ended stands unless somebody with stronger
  evidence, or equally strong and later, saw the worker at work after that day.
* An end that lies in the future is a plan, not an end. Loss codes that are no loss of a job are ignored.
* What a registry shows is up to 45 days old; it proves work until then, not until today.
* Whoever tells the last day worked says that the worker was at work on that day.

Refuses to decide whether a spell counts as employment: that is a definition's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from gateway.outcomes.facts import Employment, Evidence, OutcomeFact, Retention

_SAME_START = timedelta(days=31)


class Sight(NamedTuple):
    """A day on which somebody saw the worker at work, how well that is proven, and by which message."""

    on: date
    evidence: Evidence
    told_on: date
    source: str


@dataclass(frozen=True, slots=True)
class Spell:
    """One job.

    `end` is the last day worked; `gone_by` a day by which the worker had left, when the last day is unknown.

    `evidence` is the strongest there is, `sources` the ids of the messages it rests on.
    """

    job: Employment
    start: date
    end: date | None
    end_reason: str | None
    gone_by: date | None
    sights: tuple[Sight, ...]
    evidence: Evidence
    conflict: bool
    ignored_loss: bool
    sources: tuple[str, ...]

    def over_by(self, day: date) -> bool:
        """True when the worker had left this job before the end of `day`."""
        return (self.end is not None and self.end < day) or (self.gone_by is not None and self.gone_by <= day)

    def covers(self, day: date) -> bool:
        """True when the worker is known to have worked in this job on `day`."""
        return self.start <= day and self.seen_on(day) is not None and not self.over_by(day)

    def seen_on(self, day: date) -> Evidence | None:
        """Return the strongest evidence that the worker was at work on `day` or later; None when nobody saw it."""
        return min((s.evidence for s in self.sights if s.on >= day), key=lambda e: e.rank, default=None)

    @property
    def seen_until(self) -> date:
        """The last day anybody saw the worker at work."""
        return max(s.on for s in self.sights)


class _End(NamedTuple):
    evidence: Evidence
    told_on: date
    source: str
    last_day: date | None
    by: date
    reason: str | None


class _Lens(NamedTuple):
    """How facts are looked at: from which day, which losses are none, how old registries are."""

    as_of: date
    ignored: frozenset[str]
    lag: timedelta


def spells(
    facts: Sequence[OutcomeFact],
    *,
    as_of: date,
    loss_codes_ignored: Iterable[str] = (),
    registry_lag_days: int = 45,
) -> tuple[Spell, ...]:
    """Return the spells of work in standing facts, in order of their start."""
    lens = _Lens(as_of, frozenset(loss_codes_ignored), timedelta(days=registry_lag_days))
    groups: list[list[OutcomeFact]] = []
    for fact in sorted((f for f in facts if f.employment), key=_start):
        group = next((g for g in groups if _same_job(g, fact)), None)
        if group is None:
            groups.append([fact])
        else:
            group.append(fact)
    return tuple(_spell(group, _told_about(groups, i, facts), lens, i == 0) for i, group in enumerate(groups))


def first_day(facts: Sequence[OutcomeFact]) -> date | None:
    """Return the first day of the first job that standing facts tell of, from which milestones count; None: no job."""
    return next((spell.start for spell in spells(facts, as_of=date.max)), None)


def _start(fact: OutcomeFact) -> tuple[date, date, int]:
    return (fact.employment.start if fact.employment else date.max, fact.happened_on, fact.seq)


def _same_job(group: Sequence[OutcomeFact], fact: OutcomeFact) -> bool:
    """Tell whether `fact` is about the job the group is about."""
    new = fact.employment
    for old in (f.employment for f in group):
        if old is None or new is None or (old.brn and new.brn and old.brn != new.brn):
            continue
        again = old.end is not None and new.start > old.end
        if new.start - old.start <= _SAME_START or (old.brn is not None and old.brn == new.brn and not again):
            return True
    return False


def _told_about(groups: Sequence[Sequence[OutcomeFact]], index: int, facts: Sequence[OutcomeFact]) -> list[OutcomeFact]:
    """Return the retention facts about a group: those told after its first day and before the next group's."""
    first = _start(groups[index][0])[0]
    nxt = _start(groups[index + 1][0])[0] if index + 1 < len(groups) else date.max
    return [f for f in facts if f.retention and first <= _about(f) < nxt]


def _about(fact: OutcomeFact) -> date:
    told = fact.retention
    return (told.last_day_worked or told.checked_on or fact.happened_on) if told else fact.happened_on


def _spell(group: Sequence[OutcomeFact], told: Sequence[OutcomeFact], lens: _Lens, first: bool) -> Spell:
    strongest = sorted(group, key=lambda f: (f.evidence.rank, -f.happened_on.toordinal(), -f.seq))
    job = _merged([f.employment for f in strongest if f.employment])
    stayed = _stayed(job, first)
    ends = [*_ends_of_jobs(group, lens), *(e for f in told if (e := _end_told(f, lens, stayed)))]
    seen = [*(_seen_in_job(f, lens) for f in group), *(s for f in told if (s := _seen_told(f, stayed)))]
    end = _standing_end(ends, seen)
    return Spell(
        job=replace(job, end=end.last_day if end else None, end_reason=end.reason if end else None),
        start=job.start,
        end=end.last_day if end else None,
        end_reason=end.reason if end else None,
        gone_by=end.by if end and end.last_day is None else None,
        sights=tuple(s._replace(on=min(s.on, lens.as_of)) for s in seen),
        evidence=min((strongest[0].evidence, *(s.evidence for s in seen)), key=lambda e: e.rank),
        conflict=bool(ends) and (end is None or any(s.on > end.by and s.source != end.source for s in seen)),
        ignored_loss=any(f.employment is not None and f.employment.loss_code in lens.ignored for f in group),
        sources=tuple(sorted({f.mid for f in (*group, *told)})),
    )


def _stayed(job: Employment, first: bool) -> frozenset[str]:
    """Return the retention results that mean "still in this job".

    Any other employer is the later job, not the first.
    """
    own = {"self-employed"} if job.setting == "SELF_EMPLOYED" else set()
    return frozenset(
        {"retained-same-job", "retained-same-employer", *own, *(() if first else ("retained-other-employer",))}
    )


def _merged(jobs: Sequence[Employment]) -> Employment:
    """Return the job as the strongest evidence tells it, gaps filled from the weaker."""
    gaps = [f.name for f in fields(Employment) if getattr(jobs[0], f.name) is None]
    filled: dict[str, Any] = {n: next((v for j in jobs if (v := getattr(j, n)) is not None), None) for n in gaps}
    return replace(jobs[0], **filled)


def _ends_of_jobs(group: Sequence[OutcomeFact], lens: _Lens) -> list[_End]:
    return [
        _End(f.evidence, f.happened_on, f.mid, job.end, job.end, job.end_reason)
        for f in group
        if (job := f.employment) and job.end and job.end <= lens.as_of and job.loss_code not in lens.ignored
    ]


def _end_told(fact: OutcomeFact, lens: _Lens, stayed: frozenset[str]) -> _End | None:
    """Return the end that a retention report tells of.

    One that only names another job needs a last day to be an end.
    """
    told = fact.retention
    if told is None or told.result in stayed:
        return None
    by = told.last_day_worked or told.checked_on or fact.happened_on
    if by > lens.as_of or (told.last_day_worked is None and told.result != "not-employed"):
        return None
    return _End(_level(fact, told), fact.happened_on, fact.mid, told.last_day_worked, by, told.leave_reason)


def _seen_in_job(fact: OutcomeFact, lens: _Lens) -> Sight:
    job = fact.employment
    start = job.start if job else fact.happened_on
    told = _earlier(fact.happened_on, lens.lag) if fact.evidence is Evidence.E1 else fact.happened_on
    if job and job.end and job.end <= fact.happened_on:
        told = job.end
    return Sight(max(start, told), fact.evidence, fact.happened_on, fact.mid)


def _earlier(day: date, lag: timedelta) -> date:
    """The day `lag` before `day`, whatever year a partner wrote."""
    return day - lag if day - date.min >= lag else date.min


def _seen_told(fact: OutcomeFact, stayed: frozenset[str]) -> Sight | None:
    told = fact.retention
    if told is None:
        return None
    on = told.checked_on or fact.happened_on if told.result in stayed else told.last_day_worked
    if on is None or (told.result not in stayed and on > fact.happened_on):
        return None
    return Sight(on, _level(fact, told), fact.happened_on, fact.mid)


def _level(fact: OutcomeFact, told: Retention) -> Evidence:
    return told.evidence or fact.evidence


def _standing_end(ends: Sequence[_End], seen: Sequence[Sight]) -> _End | None:
    """Return the end that stands: the strongest, then the latest told, unless better evidence saw the worker later."""
    for end in sorted(ends, key=lambda e: (e.evidence.rank, -e.told_on.toordinal(), e.source)):
        if not any(s.on > end.by and s.source != end.source and _beats(s, end) for s in seen):
            return end
    return None


def _beats(seen: Sight, end: _End) -> bool:
    stronger = seen.evidence.rank < end.evidence.rank
    return stronger or (seen.evidence is end.evidence and seen.told_on > end.told_on)
