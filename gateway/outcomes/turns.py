"""When time alone may make another judgement of the same facts, so that a leg is judged again on that day.

Rules: such a day is one that a fact speaks of and that has not come yet, the day after an end of work, the day on which
the last report is old enough for a no (`maturityDays` of the definition), and that of a milestone behind an end of
work: who has left is not employed on it. Any other milestone that merely goes by is none: it needs a report.
Refuses to say what becomes of it: that is `judgement`, on the day itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.facts import OutcomeFact, standing
from gateway.outcomes.judgement import base_of
from gateway.outcomes.milestones import due
from gateway.outcomes.spells import first_day

_DAY = timedelta(days=1)


def observed_on(facts: Sequence[OutcomeFact], as_of: date) -> date:
    """The day of the last report, from which a no is waited for; the day itself while there is none."""
    return max((f.happened_on for f in facts), default=as_of)


def next_turn(
    facts: Sequence[OutcomeFact], *, by: RtwDefinition, as_of: date, care_end: date | None = None
) -> date | None:
    """The first day after `as_of` on which these facts may mean something else, or None."""
    counted, mature = standing(facts), observed_on(facts, as_of) + timedelta(days=by.maturity_days)
    days = (day for fact in counted for day in _days(fact))
    return min((day for day in (mature, *days, *_missed(counted, by, care_end)) if day > as_of), default=None)


def _missed(counted: Sequence[OutcomeFact], by: RtwDefinition, care_end: date | None) -> Iterator[date]:
    """The days of milestones behind the first end of work that anybody tells of."""
    ends = [end for fact in counted for end in _ends(fact)]
    first = first_day(counted) if ends else None
    base = base_of(by, first, care_end) if first else None
    if base:
        yield from (day for span in by.milestones if (day := due(base.on, span)) > min(ends))


def _ends(fact: OutcomeFact) -> Iterator[date]:
    """The last days of work that a fact tells of, and the day on which somebody found the worker gone."""
    job, told = fact.employment, fact.retention
    if job and job.end:
        yield job.end
    if told and told.last_day_worked:
        yield told.last_day_worked
    elif told and told.result == "not-employed":
        yield told.checked_on or fact.happened_on


def _days(fact: OutcomeFact) -> Iterator[date]:
    yield fact.happened_on
    job, told = fact.employment, fact.retention
    if job:
        yield job.start
    if told and told.checked_on:
        yield told.checked_on
    for last in (job.end if job else None, told.last_day_worked if told else None):
        if last:
            yield last
            yield last + _DAY if last < date.max else last
