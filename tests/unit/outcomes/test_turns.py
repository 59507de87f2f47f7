"""On which day the same facts may mean something else."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.outcomes.facts import Kind, OutcomeFact
from gateway.outcomes.turns import next_turn
from tests.unit.outcomes import build

NEVER = date.max.isoformat()


@pytest.mark.parametrize(
    ("fact", "as_of", "expected"),
    [
        (build.fact(1, "2026-09-02", code="job-seeking", kind=Kind.RESULT), "2026-09-02", "2026-10-17"),
        (build.fact(1, "2026-09-02", code="job-seeking", kind=Kind.RESULT), "2026-10-17", None),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day("2026-12-31"))), "2026-10-17", "2026-12-31"),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day("2026-12-31"))), "2026-12-31", "2027-01-01"),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day("2026-12-31"))), "2027-01-01", "2027-03-01"),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day("2026-12-31"))), "2027-03-01", "2027-09-01"),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day("2026-12-31"))), "2027-09-01", None),
        (build.fact(1, "2026-09-02", job=build.job()), "2026-10-17", None),
        (build.fact(1, "2026-09-02", job=build.job(end=build.day(NEVER))), "2026-10-17", NEVER),
        (build.fact(1, "2026-09-02", job=build.job("2026-09-05")), "2026-09-02", "2026-09-05"),
        (build.asked(1, "2026-09-02", "P1M", "retained-same-job", checked_on="2026-09-04"), "2026-09-02", "2026-09-04"),
        (build.asked(1, "2026-09-02", "P1M", "not-employed", last_day_worked="2026-09-08"), "2026-09-08", "2026-09-09"),
    ],
)
def test_a_judgement_may_turn_on_days_that_lie_ahead(fact: OutcomeFact, as_of: str, expected: str | None) -> None:
    found = next_turn([fact], by=build.RTW, as_of=build.day(as_of))
    assert found == (build.day(expected) if expected else None)


def test_between_two_turns_the_judgement_stays() -> None:
    facts = [build.fact(1, "2026-09-02", "E2", job=build.job(end=build.day("2026-12-31"), contract="FIXED"))]
    day, turns = build.day("2026-09-02"), [build.day("2026-09-02")]
    while later := next_turn(facts, by=build.RTW, as_of=turns[-1]):
        turns.append(later)
    said: dict[date, set[tuple[object, ...]]] = {}
    for n in range(400):
        verdict = build.judged(*facts, as_of=(day + timedelta(n)).isoformat(), observed_on="2026-09-02")
        since = max(turn for turn in turns if turn <= day + timedelta(n))
        answered = tuple((m.span, m.result) for m in verdict.milestones if m.answered)
        job_end = verdict.job and verdict.job.end
        said.setdefault(since, set()).add((verdict.return_status, verdict.status, job_end, answered))
    at_work, gone = ["2026-09-02", "2026-10-17", "2026-12-31"], ["2027-01-01", "2027-03-01", "2027-09-01"]
    assert [turn.isoformat() for turn in said] == [*at_work, *gone]
    assert all(len(one) == 1 for one in said.values())
