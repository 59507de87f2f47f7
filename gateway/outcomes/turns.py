"""When time alone may make another judgement of the same facts, so that a leg is judged again on that day.

Rules: such a day is one that a fact speaks of and that has not come yet, the day after an end of work, and the day on
which the last report is old enough for a no (`maturityDays` of the definition). A milestone that merely goes by is
none: it needs a report.
Refuses to say what becomes of it: that is `judgement`, on the day itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.facts import OutcomeFact, standing

_DAY = timedelta(days=1)


def observed_on(facts: Sequence[OutcomeFact], as_of: date) -> date:
    """The day of the last report, from which a no is waited for; the day itself while there is none."""
    return max((f.happened_on for f in facts), default=as_of)


def next_turn(facts: Sequence[OutcomeFact], *, by: RtwDefinition, as_of: date) -> date | None:
    """The first day after `as_of` on which these facts may mean something else, or None."""
    mature = observed_on(facts, as_of) + timedelta(days=by.maturity_days)
    days = (day for fact in standing(facts) for day in _days(fact))
    return min((day for day in (mature, *days) if day > as_of), default=None)


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
