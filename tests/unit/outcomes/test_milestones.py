"""Milestone dates by the calendar, and the life of a retention check."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataFileInvalid, IllegalMove
from gateway.outcomes.milestones import (
    RESULTS,
    SPANS,
    Base,
    BaseKind,
    CheckAct,
    CheckStatus,
    RetentionCheck,
    due,
    months_after,
    open_checks,
    whole_months,
)


@pytest.mark.parametrize(
    ("base", "span", "expected"),
    [
        ("2026-08-31", "P6M", "2027-02-28"),
        ("2026-08-31", "P180D", "2027-02-27"),
        ("2026-08-31", "P1M", "2026-09-30"),
        ("2027-08-31", "P6M", "2028-02-29"),
        ("2026-12-31", "P12M", "2027-12-31"),
        ("2028-02-29", "P12M", "2029-02-28"),
        ("2026-11-30", "P3M", "2027-02-28"),
        ("2026-01-01", "P30D", "2026-01-31"),
        ("2026-01-01", "P90D", "2026-04-01"),
    ],
)
def test_milestones_fall_due_on_the_day_of_the_calendar(base: str, span: str, expected: str) -> None:
    assert due(date.fromisoformat(base), span) == date.fromisoformat(expected)


@pytest.mark.parametrize("span", ["", "6M", "P6", "P6W", "PT6M", "P-1M", "P６M"])
def test_a_span_of_another_form_is_refused(span: str) -> None:
    with pytest.raises(DataFileInvalid):
        due(date(2026, 8, 31), span)


@settings(max_examples=100)
@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_months_and_their_count_agree(base: date, months: int) -> None:
    then = months_after(base, months)
    assert whole_months(base, then) == months
    assert then.day == base.day or (then + timedelta(days=1)).day == 1
    assert whole_months(base, then - timedelta(days=1)) == max(0, months - 1)


def check(span: str = "P6M") -> RetentionCheck:
    return next(c for c in open_checks("R1", Base(BaseKind.RTW_DATE, date(2026, 8, 31))) if c.span == span)


def test_a_verified_placement_opens_one_check_for_each_milestone() -> None:
    checks = open_checks("R1", Base(BaseKind.CARE_END, date(2026, 8, 31)))
    assert [c.span for c in checks] == list(SPANS)
    assert [c.due.isoformat() for c in checks] == ["2026-09-30", "2026-11-30", "2027-02-28", "2027-08-31"]
    assert all(c.open and c.base.kind is BaseKind.CARE_END for c in checks)


def test_a_check_falls_due_on_its_day_and_then_takes_a_result() -> None:
    early = check().on(date(2027, 2, 27))
    assert early.business == "scheduled"
    with pytest.raises(IllegalMove):
        early.after(CheckAct.COMPLETE, "not-employed")
    now = early.on(date(2027, 2, 28))
    assert now.business == "due"
    assert now.on(date(2027, 3, 9)) == now
    for result in RESULTS:
        done = now.after(CheckAct.COMPLETE, result)
        assert (done.status, done.business, done.open) == (CheckStatus.COMPLETED, result, False)


def test_a_check_that_cannot_be_answered_fails_and_one_that_is_pointless_is_cancelled() -> None:
    assert check().on(date(2027, 3, 1)).after(CheckAct.GIVE_UP).business == "unverifiable"
    for why in ("superseded", "died", "consent-withdrawn"):
        assert check().after(CheckAct.CANCEL, why).status is CheckStatus.CANCELLED


def test_a_result_or_reason_that_does_not_exist_is_refused_and_a_closed_check_stays_closed() -> None:
    fallen = check().on(date(2027, 3, 1))
    for act, word in ((CheckAct.COMPLETE, "gone-fishing"), (CheckAct.COMPLETE, None), (CheckAct.CANCEL, "bored")):
        with pytest.raises(IllegalMove):
            fallen.after(act, word)
    for act in CheckAct:
        with pytest.raises(IllegalMove):
            fallen.after(CheckAct.COMPLETE, "unknown").after(act, "unknown")
